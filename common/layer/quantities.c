// SPDX-License-Identifier: Apache-2.0
#include "layer/quantities.h"

#include <math.h>
#include <string.h>

/* Output positions of one axis times the taps that meet the input there. Padding is what a machine may skip. */
static double used_along(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation)
{
    double sum = 0;
    for (int64_t t = 0; t < kernel; t++) {
        int64_t offset = t * dilation - pad; /* of this tap from the output's first input */
        int64_t first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
        int64_t last = in - 1 - offset < 0 ? -1 : (in - 1 - offset) / stride;
        last = last < out - 1 ? last : out - 1;
        sum += last >= first ? (double)(last - first + 1) : 0;
    }
    return sum;
}

typedef struct {
    int64_t rows, columns, stride, pad, dilation; /* of the kernel */
    bool slides;                                  /* over the input, with padding around it */
} kernel_t;

static kernel_t kernel_of(const prf_layer_t *layer)
{
    const int32_t *p = layer->p;
    kernel_t k = {.rows = 1, .columns = 1, .stride = 1, .dilation = 1};
    switch (layer->kind) {
    case PRF_CONV1D:
        return (kernel_t){1, p[PRF_P_F], p[PRF_P_STRIDE], p[PRF_P_PAD], 1, true};
    case PRF_CONV2D:
    case PRF_DWCONV2D:
        return (kernel_t){p[PRF_P_R], p[PRF_P_S], p[PRF_P_STRIDE], p[PRF_P_PAD], p[PRF_P_DILATION], true};
    case PRF_MAXPOOL2D:
    case PRF_AVGPOOL2D:
        return (kernel_t){p[PRF_P_R], p[PRF_P_S], p[PRF_P_STRIDE], p[PRF_P_PAD], 1, true};
    case PRF_CONVTRANSPOSE2D:
        k.rows = p[PRF_P_R];
        k.columns = p[PRF_P_S];
        return k;
    default:
        return k;
    }
}

static double rest_along(int64_t in, int64_t kernel, const kernel_t *k)
{
    return (double)((in + 2 * k->pad - (k->dilation * (kernel - 1) + 1)) % k->stride);
}

static double rounded_up(double size, int32_t width)
{
    return width > 1 ? ceil(size / width) * width : size;
}

static int32_t widest(const prf_recipe_t *recipe, prf_param_t a, prf_param_t b)
{
    return recipe->width[a] > recipe->width[b] ? recipe->width[a] : recipe->width[b];
}

static void fill_spatial(const prf_layer_t *layer, prf_shape_t in, prf_shape_t out, double *q)
{
    kernel_t k = kernel_of(layer);
    bool one_axis = layer->kind == PRF_CONV1D;
    q[PRF_Q_TAPS] = (double)(k.rows * k.columns);
    q[PRF_Q_KERNEL_ROWS] = (double)k.rows;
    q[PRF_Q_USED_TAPS] = q[PRF_Q_ROWS] * q[PRF_Q_TAPS];
    q[PRF_Q_STRIDE] = (double)k.stride;
    q[PRF_Q_LINES] = (double)(one_axis ? out.w : out.h);
    q[PRF_Q_REACH] = (double)(k.dilation * ((one_axis ? k.columns : k.rows) - 1) + 1);
    q[PRF_Q_SPAN] = one_axis || layer->kind == PRF_MATMUL ? 1 : (double)((out.w - 1) * k.stride + k.dilation * (k.columns - 1) + 1);
    if (!k.slides)
        return;
    double rows = one_axis ? 1 : used_along(in.h, out.h, k.rows, k.stride, k.pad, k.dilation);
    q[PRF_Q_USED_TAPS] = (double)out.n * rows * used_along(in.w, out.w, k.columns, k.stride, k.pad, k.dilation);
    q[PRF_Q_REST] = (one_axis ? 0 : rest_along(in.h, k.rows, &k)) + rest_along(in.w, k.columns, &k);
}

/* With every stepped dimension rounded up to its step, as a machine stores it that works in whole tiles. */
static void fill_storage(const prf_recipe_t *recipe, const prf_layer_t *layer, double *q)
{
    bool matrix = layer->kind == PRF_MATMUL;
    int32_t channel_step = matrix ? recipe->width[PRF_P_K] : widest(recipe, PRF_P_C, PRF_P_IN);
    int32_t column_step = matrix ? recipe->width[PRF_P_N] : widest(recipe, PRF_P_K, PRF_P_OUT);
    double channels = rounded_up(q[PRF_Q_CHANNELS], channel_step), columns = rounded_up(q[PRF_Q_COLUMNS], column_step);
    q[PRF_Q_INPUTS] = prf_layer_inputs(layer);
    q[PRF_Q_WEIGHTS] = prf_layer_weights(layer);
    q[PRF_Q_OUTPUTS] = prf_layer_outputs(layer);
    q[PRF_Q_FILLED_INPUTS] = q[PRF_Q_INPUTS] / q[PRF_Q_CHANNELS] * channels;
    q[PRF_Q_FILLED_WEIGHTS] = q[PRF_Q_WEIGHTS] / q[PRF_Q_CHANNELS] / q[PRF_Q_COLUMNS] * channels * columns;
    q[PRF_Q_FILLED_OUTPUTS] = q[PRF_Q_OUTPUTS] / q[PRF_Q_COLUMNS] * columns;
}

void prf_quantities_compute(const prf_recipe_t *recipe, const prf_layer_t *layer, const double *extras, double q[PRF_QUANTITIES])
{
    prf_shape_t in = prf_layer_in_shape(layer), out = prf_layer_out_shape(layer);
    bool matrix = layer->kind == PRF_MATMUL;
    double groups = layer->p[PRF_P_GROUPS] > 1 ? layer->p[PRF_P_GROUPS] : 1;
    memset(q, 0, PRF_QUANTITIES * sizeof *q);
    for (size_t i = 0; i < PRF_PARAMS; i++)
        q[i] = layer->p[i];
    for (prf_quantity_t i = PRF_Q_OUT_H; i < PRF_Q_END; i++)
        q[i] = (double)prf_quantity_of(layer, i);
    q[PRF_Q_CHANNELS] = matrix ? layer->p[PRF_P_K] : (double)in.c / groups;
    q[PRF_Q_COLUMNS] = (double)(matrix ? out.w : out.c);
    q[PRF_Q_IN_POSITIONS] = (double)in.n * (double)in.h * (double)(matrix ? 1 : in.w);
    q[PRF_Q_IMAGES] = (double)out.n;
    fill_spatial(layer, in, out, q);
    q[PRF_Q_OPS] = prf_layer_ops(layer);
    q[PRF_Q_BYTES] = prf_layer_bytes(layer, recipe->dtype);
    fill_storage(recipe, layer, q);
    for (uint32_t i = 0; i < recipe->extras && extras; i++)
        q[PRF_Q_EXTRAS + i] = isnan(extras[i]) ? 0 : fmin(fmax(extras[i], -1e9), 1e9);
}

static const char *const names[] = {"C",
                                    "K",
                                    "in_positions",
                                    "taps",
                                    "used_taps",
                                    "inputs",
                                    "weights",
                                    "outputs",
                                    "filled_inputs",
                                    "filled_weights",
                                    "filled_outputs",
                                    "bytes",
                                    "ops",
                                    "images",
                                    "kernel_rows",
                                    "rest",
                                    "lines",
                                    "span",
                                    "reach",
                                    "kernel_stride",
                                    "pieces_of_channels",
                                    "pieces_of_lines",
                                    "pieces_of_columns",
                                    "loaded_lines"};
enum { NAMES = sizeof names / sizeof *names };

bool prf_quantities_known(size_t quantity)
{
    return prf_quantity_known((prf_quantity_t)quantity) || (quantity >= PRF_Q_CHANNELS && quantity - PRF_Q_CHANNELS < NAMES) ||
           (quantity >= PRF_Q_EXTRAS && quantity < PRF_QUANTITIES);
}

const char *prf_quantities_name(size_t quantity)
{
    static const char *const extras[PRF_FEATURES_EXTRAS] = {"extra.0", "extra.1", "extra.2", "extra.3",
                                                            "extra.4", "extra.5", "extra.6", "extra.7"};
    if (!prf_quantities_known(quantity))
        return "?";
    if (quantity >= PRF_Q_EXTRAS)
        return extras[quantity - PRF_Q_EXTRAS];
    if (quantity >= PRF_Q_CHANNELS && quantity - PRF_Q_CHANNELS < NAMES)
        return names[quantity - PRF_Q_CHANNELS];
    return prf_quantity_name((prf_quantity_t)quantity);
}
