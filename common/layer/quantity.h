// SPDX-License-Identifier: Apache-2.0
/* quantity.h - the extents of a layer that a machine may cut into tiles: its parameters, and what follows from several of them.
 * Pure; any thread; no allocation. Source: METHOD section 2.2 and 5 (steps can be joint: an output-stationary array steps in
 * output positions and in C R S, not in H and C). */
#ifndef PRF_LAYER_QUANTITY_H
#define PRF_LAYER_QUANTITY_H

#include "layer/layer.h"

/* A value below PRF_PARAMS is that parameter (prf_param_t). Part of the model file: append only. */
typedef uint32_t prf_quantity_t;
enum {
    PRF_Q_OUT_H = 64, /* output height */
    PRF_Q_OUT_W,      /* output width */
    PRF_Q_ROWS,       /* output positions: batch x height x width; the rows of the layer seen as a matrix product */
    PRF_Q_TERMS,      /* products in the sum of one output (C R S / groups); 0 for kinds that multiply nothing */
    PRF_Q_END
};

bool prf_quantity_known(prf_quantity_t quantity);
/* "h", "out_h", "rows", ...; "?" for one that is not known. */
const char *prf_quantity_name(prf_quantity_t quantity);
/* Its value in a complete layer; 0 where the kind has none. */
int64_t prf_quantity_of(const prf_layer_t *layer, prf_quantity_t quantity);

#endif
