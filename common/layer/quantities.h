// SPDX-License-Identifier: Apache-2.0
/* quantities.h - the sizes of a layer that a machine's work is made of, exact in double: what additive models multiply and cut
 * into tiles (model/terms.h). Features are made for trees, which only order layers, so they are floats and logarithms; a sum of
 * products needs the numbers themselves. Pure; any thread; no allocation.
 *
 * The order belongs to the model file: append only (PRF_MODEL_VERSION). */
#ifndef PRF_LAYER_QUANTITIES_H
#define PRF_LAYER_QUANTITIES_H

#include "layer/features.h"
#include "layer/quantity.h"

/* Below PRF_PARAMS the layer's parameters, then what quantity.h has, then what nobody sweeps. The layer is seen as a sum for each
 * of `rows` positions and K columns over C channels and a kernel of `taps`. */
enum {
    PRF_Q_CHANNELS = 72,  /* C: input channels of one group; fc: in; matmul: k */
    PRF_Q_COLUMNS,        /* K: output channels; matmul: n */
    PRF_Q_IN_POSITIONS,   /* input positions of all images */
    PRF_Q_TAPS,           /* positions of the kernel; 1 where there is none */
    PRF_Q_USED_TAPS,      /* taps over all output positions that meet the input, not its padding */
    PRF_Q_INPUTS,         /* elements */
    PRF_Q_WEIGHTS,        /* elements */
    PRF_Q_OUTPUTS,        /* elements */
    PRF_Q_FILLED_INPUTS,  /* elements with channels and columns rounded up to their step widths */
    PRF_Q_FILLED_WEIGHTS, /* likewise */
    PRF_Q_FILLED_OUTPUTS, /* likewise */
    PRF_Q_BYTES,          /* inputs, weights and outputs */
    PRF_Q_OPS,
    PRF_Q_IMAGES,             /* batch; matmul: number of products */
    PRF_Q_KERNEL_ROWS,        /* its height */
    PRF_Q_REST,               /* input rows plus columns behind the last step of the kernel: (size + 2 pad - reach) mod stride */
    PRF_Q_LINES,              /* of one image's output that can be worked on one by one: rows; in one dimension, positions */
    PRF_Q_SPAN,               /* input positions of one line, padding counted: (out_w - 1) stride + reach */
    PRF_Q_REACH,              /* input lines that one output line needs: dilation (kernel_rows - 1) + 1 */
    PRF_Q_STRIDE,             /* of the kernel; 1 where there is none */
    PRF_Q_PIECES_OF_CHANNELS, /* from here on what follows from a blocking (model/blocking.h); 0 until that is applied */
    PRF_Q_PIECES_OF_LINES,    /* of all images */
    PRF_Q_PIECES_OF_COLUMNS,
    PRF_Q_LOADED_LINES, /* input lines over all pieces of lines: where pieces overlap they count in each */
    PRF_Q_EXTRAS = 112, /* the extra columns */
    PRF_QUANTITIES = PRF_Q_EXTRAS + PRF_FEATURES_EXTRAS
};

/* Of a complete layer of the recipe's kind. `extras` holds recipe->extras values (NULL: all 0). Every value is finite, and all but
 * the extras are at least 0 and below 1e36. */
void prf_quantities_compute(const prf_recipe_t *recipe, const prf_layer_t *layer, const double *extras, double out[PRF_QUANTITIES]);
/* "C", "K", "rows", "stride", "extra.0", ...: stable; never NULL. */
const char *prf_quantities_name(size_t quantity);
bool prf_quantities_known(size_t quantity);

#endif
