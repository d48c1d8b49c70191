// SPDX-License-Identifier: Apache-2.0
/* layer.c - the table of layer kinds and the arithmetic that follows from it.
 *
 * Each kind is one entry: its parameters with limits and defaults, and a function that derives shapes and counts. Limits are
 * wide enough for real networks and narrow enough that every derived count fits a double exactly. */
#include "layer/layer.h"

#include <stdio.h>
#include <string.h>

enum { DIM = 1 << 20, KERNEL = 1024 };

#define P_N                                                                                                                        \
    {                                                                                                                              \
        PRF_P_N, 1, 65536, 1                                                                                                       \
    }
#define P_C                                                                                                                        \
    {                                                                                                                              \
        PRF_P_C, 1, DIM, PRF_REQUIRED                                                                                              \
    }
#define P_H                                                                                                                        \
    {                                                                                                                              \
        PRF_P_H, 1, DIM, PRF_REQUIRED                                                                                              \
    }
#define P_W                                                                                                                        \
    {                                                                                                                              \
        PRF_P_W, 1, DIM, PRF_LIKE(PRF_P_H)                                                                                         \
    }

static const prf_param_info_t conv1d_params[] = {
    P_N,
    P_C,
    {PRF_P_W, 1, DIM, PRF_REQUIRED},
    {PRF_P_K, 1, DIM, PRF_REQUIRED},
    {PRF_P_F, 1, KERNEL, PRF_REQUIRED},
    {PRF_P_STRIDE, 1, KERNEL, 1},
    {PRF_P_PAD, 0, KERNEL, 0},
};
static const prf_param_info_t conv2d_params[] = {
    P_N,
    P_C,
    {PRF_P_K, 1, DIM, PRF_REQUIRED},
    P_H,
    P_W,
    {PRF_P_R, 1, KERNEL, PRF_REQUIRED},
    {PRF_P_S, 1, KERNEL, PRF_LIKE(PRF_P_R)},
    {PRF_P_STRIDE, 1, KERNEL, 1},
    {PRF_P_PAD, 0, KERNEL, 0},
    {PRF_P_DILATION, 1, KERNEL, 1},
    {PRF_P_GROUPS, 1, DIM, 1},
};
static const prf_param_info_t dwconv2d_params[] = {
    P_N,
    P_C,
    {PRF_P_K, 1, DIM, PRF_LIKE(PRF_P_C)},
    P_H,
    P_W,
    {PRF_P_R, 1, KERNEL, PRF_REQUIRED},
    {PRF_P_S, 1, KERNEL, PRF_LIKE(PRF_P_R)},
    {PRF_P_STRIDE, 1, KERNEL, 1},
    {PRF_P_PAD, 0, KERNEL, 0},
    {PRF_P_DILATION, 1, KERNEL, 1},
    {PRF_P_GROUPS, 1, DIM, PRF_LIKE(PRF_P_C)},
};
static const prf_param_info_t fc_params[] = {P_N, {PRF_P_IN, 1, DIM, PRF_REQUIRED}, {PRF_P_OUT, 1, DIM, PRF_REQUIRED}};
static const prf_param_info_t matmul_params[] = {
    {PRF_P_B, 1, 65536, 1},
    {PRF_P_M, 1, DIM, PRF_REQUIRED},
    {PRF_P_N, 1, DIM, PRF_REQUIRED},
    {PRF_P_K, 1, DIM, PRF_REQUIRED},
};
static const prf_param_info_t pool_params[] = {
    P_N,
    P_C,
    P_H,
    P_W,
    {PRF_P_R, 1, KERNEL, PRF_REQUIRED},
    {PRF_P_S, 1, KERNEL, PRF_LIKE(PRF_P_R)},
    {PRF_P_STRIDE, 1, KERNEL, PRF_LIKE(PRF_P_R)},
    {PRF_P_PAD, 0, KERNEL, 0},
};
static const prf_param_info_t add_params[] = {P_N, P_C, P_H, P_W};
static const prf_param_info_t activation_params[] = {P_N, P_C, P_H, P_W, {PRF_P_FN, 0, PRF_FN_COUNT - 1, PRF_FN_RELU}};
static const prf_param_info_t vector_params[] = {P_N, {PRF_P_FEATURES, 1, DIM, PRF_REQUIRED}};

typedef struct {
    prf_shape_t in, out;
    double macs, ops, weights, operands; /* operands: how many inputs of shape `in` are read */
} derived_t;

static int64_t extent(const prf_layer_t *l, prf_param_t size, prf_param_t kernel)
{
    int64_t dilation = l->p[PRF_P_DILATION] > 0 ? l->p[PRF_P_DILATION] : 1;
    int64_t reach = dilation * ((int64_t)l->p[kernel] - 1) + 1;
    int64_t room = (int64_t)l->p[size] + 2 * (int64_t)l->p[PRF_P_PAD] - reach;
    return room < 0 ? 0 : room / l->p[PRF_P_STRIDE] + 1;
}

static double volume(prf_shape_t s)
{
    return (double)s.n * (double)s.c * (double)s.h * (double)s.w;
}

static derived_t derive_conv1d(const prf_layer_t *l)
{
    const int32_t *p = l->p;
    derived_t d = {.in = {p[PRF_P_N], p[PRF_P_C], 1, p[PRF_P_W]}, .operands = 1};
    d.out = (prf_shape_t){p[PRF_P_N], p[PRF_P_K], 1, extent(l, PRF_P_W, PRF_P_F)};
    d.weights = (double)p[PRF_P_C] * p[PRF_P_K] * p[PRF_P_F];
    d.macs = volume(d.out) * p[PRF_P_C] * p[PRF_P_F];
    d.ops = 2 * d.macs;
    return d;
}

/* conv2d and dwconv2d: a depthwise convolution is a grouped one. */
static derived_t derive_conv2d(const prf_layer_t *l)
{
    const int32_t *p = l->p;
    derived_t d = {.in = {p[PRF_P_N], p[PRF_P_C], p[PRF_P_H], p[PRF_P_W]}, .operands = 1};
    d.out = (prf_shape_t){p[PRF_P_N], p[PRF_P_K], extent(l, PRF_P_H, PRF_P_R), extent(l, PRF_P_W, PRF_P_S)};
    int32_t group = p[PRF_P_C] / p[PRF_P_GROUPS];
    double per_output = (double)group * p[PRF_P_R] * p[PRF_P_S];
    d.weights = p[PRF_P_K] * per_output;
    d.macs = volume(d.out) * per_output;
    d.ops = 2 * d.macs;
    return d;
}

static derived_t derive_convtranspose2d(const prf_layer_t *l)
{
    const int32_t *p = l->p;
    derived_t d = {.in = {p[PRF_P_N], p[PRF_P_C], p[PRF_P_H], p[PRF_P_W]}, .operands = 1};
    int64_t stride = p[PRF_P_STRIDE], pad = p[PRF_P_PAD], dilation = p[PRF_P_DILATION];
    int64_t h = (d.in.h - 1) * stride - 2 * pad + dilation * (p[PRF_P_R] - 1) + 1;
    int64_t w = (d.in.w - 1) * stride - 2 * pad + dilation * (p[PRF_P_S] - 1) + 1;
    d.out = (prf_shape_t){p[PRF_P_N], p[PRF_P_K], h > 0 ? h : 0, w > 0 ? w : 0};
    int32_t group = p[PRF_P_K] / p[PRF_P_GROUPS];
    double per_input = (double)group * p[PRF_P_R] * p[PRF_P_S];
    d.weights = p[PRF_P_C] * per_input;
    d.macs = volume(d.in) * per_input;
    d.ops = 2 * d.macs;
    return d;
}

static derived_t derive_fc(const prf_layer_t *l)
{
    const int32_t *p = l->p;
    derived_t d = {.in = {p[PRF_P_N], p[PRF_P_IN], 1, 1}, .out = {p[PRF_P_N], p[PRF_P_OUT], 1, 1}, .operands = 1};
    d.weights = (double)p[PRF_P_IN] * p[PRF_P_OUT];
    d.macs = d.weights * p[PRF_P_N];
    d.ops = 2 * d.macs;
    return d;
}

/* Both operands are activations (attention); the second counts as the weights of the product. */
static derived_t derive_matmul(const prf_layer_t *l)
{
    const int32_t *p = l->p;
    derived_t d = {.in = {p[PRF_P_B], 1, p[PRF_P_M], p[PRF_P_K]}, .out = {p[PRF_P_B], 1, p[PRF_P_M], p[PRF_P_N]}, .operands = 1};
    d.weights = (double)p[PRF_P_B] * p[PRF_P_K] * p[PRF_P_N];
    d.macs = (double)p[PRF_P_M] * d.weights;
    d.ops = 2 * d.macs;
    return d;
}

static derived_t derive_pool(const prf_layer_t *l)
{
    const int32_t *p = l->p;
    derived_t d = {.in = {p[PRF_P_N], p[PRF_P_C], p[PRF_P_H], p[PRF_P_W]}, .operands = 1};
    d.out = (prf_shape_t){p[PRF_P_N], p[PRF_P_C], extent(l, PRF_P_H, PRF_P_R), extent(l, PRF_P_W, PRF_P_S)};
    d.ops = volume(d.out) * p[PRF_P_R] * p[PRF_P_S];
    return d;
}

static derived_t elementwise(prf_shape_t shape, double operands, double ops_per_element)
{
    derived_t d = {.in = shape, .out = shape, .operands = operands};
    d.ops = ops_per_element * volume(shape);
    return d;
}

static prf_shape_t full_shape(const prf_layer_t *l)
{
    return (prf_shape_t){l->p[PRF_P_N], l->p[PRF_P_C], l->p[PRF_P_H], l->p[PRF_P_W]};
}

static derived_t derive_add(const prf_layer_t *l)
{
    return elementwise(full_shape(l), 2, 1);
}

static derived_t derive_activation(const prf_layer_t *l)
{
    return elementwise(full_shape(l), 1, 1);
}

/* Maximum, subtraction, exponential, sum, division; mean, variance, scale and shift: about five a value for both. */
static derived_t derive_vector(const prf_layer_t *l)
{
    return elementwise((prf_shape_t){l->p[PRF_P_N], l->p[PRF_P_FEATURES], 1, 1}, 1, 5);
}

#define PARAMS(array) (array), sizeof(array) / sizeof *(array)
static const struct {
    const char *name;
    const prf_param_info_t *params;
    size_t param_count;
    derived_t (*derive)(const prf_layer_t *layer);
} kinds[PRF_LAYER_KINDS] = {
    [PRF_CONV1D] = {"conv1d", PARAMS(conv1d_params), derive_conv1d},
    [PRF_CONV2D] = {"conv2d", PARAMS(conv2d_params), derive_conv2d},
    [PRF_DWCONV2D] = {"dwconv2d", PARAMS(dwconv2d_params), derive_conv2d},
    [PRF_CONVTRANSPOSE2D] = {"convtranspose2d", PARAMS(conv2d_params), derive_convtranspose2d},
    [PRF_FC] = {"fc", PARAMS(fc_params), derive_fc},
    [PRF_MATMUL] = {"matmul", PARAMS(matmul_params), derive_matmul},
    [PRF_MAXPOOL2D] = {"maxpool2d", PARAMS(pool_params), derive_pool},
    [PRF_AVGPOOL2D] = {"avgpool2d", PARAMS(pool_params), derive_pool},
    [PRF_ADD] = {"add", PARAMS(add_params), derive_add},
    [PRF_ACTIVATION] = {"activation", PARAMS(activation_params), derive_activation},
    [PRF_SOFTMAX] = {"softmax", PARAMS(vector_params), derive_vector},
    [PRF_LAYERNORM] = {"layernorm", PARAMS(vector_params), derive_vector},
};

static const char *const param_names[PRF_PARAMS] = {
    [PRF_P_N] = "n",
    [PRF_P_C] = "c",
    [PRF_P_K] = "k",
    [PRF_P_H] = "h",
    [PRF_P_W] = "w",
    [PRF_P_R] = "r",
    [PRF_P_S] = "s",
    [PRF_P_STRIDE] = "stride",
    [PRF_P_PAD] = "pad",
    [PRF_P_DILATION] = "dilation",
    [PRF_P_GROUPS] = "groups",
    [PRF_P_F] = "f",
    [PRF_P_IN] = "in",
    [PRF_P_OUT] = "out",
    [PRF_P_B] = "b",
    [PRF_P_M] = "m",
    [PRF_P_FEATURES] = "features",
    [PRF_P_FN] = "fn",
};
static const char *const dtype_names[PRF_DTYPES] = {"f32", "f16", "bf16", "i8"};
static const unsigned dtype_bits[PRF_DTYPES] = {32, 16, 16, 8};
static const char *const activation_names[PRF_FN_COUNT] = {
    [PRF_FN_RELU] = "relu", [PRF_FN_RELU6] = "relu6",         [PRF_FN_SIGMOID] = "sigmoid", [PRF_FN_TANH] = "tanh",
    [PRF_FN_GELU] = "gelu", [PRF_FN_HARDSWISH] = "hardswish", [PRF_FN_SWISH] = "swish",     [PRF_FN_HARDSIGMOID] = "hardsigmoid",
};

const char *prf_layer_kind_name(prf_layer_kind_t kind)
{
    return (unsigned)kind < PRF_LAYER_KINDS ? kinds[kind].name : "?";
}

const char *prf_param_name(prf_param_t param)
{
    return (unsigned)param < PRF_PARAMS ? param_names[param] : "?";
}

const char *prf_dtype_name(prf_dtype_t dtype)
{
    return (unsigned)dtype < PRF_DTYPES ? dtype_names[dtype] : "?";
}

const char *prf_activation_name(prf_activation_t fn)
{
    return (unsigned)fn < PRF_FN_COUNT ? activation_names[fn] : "?";
}

unsigned prf_dtype_bits(prf_dtype_t dtype)
{
    return (unsigned)dtype < PRF_DTYPES ? dtype_bits[dtype] : 0;
}

/* Appends ", name" to a list in a fixed buffer; what does not fit is cut. */
static void list(char *text, size_t cap, const char *name)
{
    size_t used = strlen(text);
    snprintf(text + used, cap - used, "%s%s", used ? ", " : "", name);
}

prf_status_t prf_layer_kind_parse(const char *name, prf_layer_kind_t *out, prf_error_t *err)
{
    char known[256] = "";
    for (int i = 0; i < PRF_LAYER_KINDS; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            *out = (prf_layer_kind_t)i;
            return PRF_OK;
        }
        list(known, sizeof known, kinds[i].name);
    }
    return prf_fail(err, PRF_ENOTFOUND, "unknown layer kind '%.40s': use one of %s", name, known);
}

prf_status_t prf_param_parse(prf_layer_kind_t kind, const char *name, prf_param_t *out, prf_error_t *err)
{
    char known[256] = "";
    for (size_t i = 0; i < kinds[kind].param_count; i++) {
        prf_param_t param = kinds[kind].params[i].param;
        if (strcmp(name, param_names[param]) == 0) {
            *out = param;
            return PRF_OK;
        }
        list(known, sizeof known, param_names[param]);
    }
    return prf_fail(err, PRF_ENOTFOUND, "%s has no parameter '%.40s': use %s", kinds[kind].name, name, known);
}

prf_status_t prf_dtype_parse(const char *name, prf_dtype_t *out, prf_error_t *err)
{
    for (int i = 0; i < PRF_DTYPES; i++)
        if (strcmp(name, dtype_names[i]) == 0) {
            *out = (prf_dtype_t)i;
            return PRF_OK;
        }
    return prf_fail(err, PRF_ENOTFOUND, "unknown data type '%.40s': use f32, f16, bf16 or i8", name);
}

const prf_param_info_t *prf_layer_params(prf_layer_kind_t kind, size_t *count)
{
    *count = kinds[kind].param_count;
    return kinds[kind].params;
}

void prf_layer_init(prf_layer_t *layer, prf_layer_kind_t kind)
{
    *layer = (prf_layer_t){.kind = kind};
    for (size_t i = 0; i < kinds[kind].param_count; i++)
        layer->p[kinds[kind].params[i].param] = PRF_UNSET;
}

static prf_status_t check_range(const prf_layer_t *layer, const prf_param_info_t *info, prf_error_t *err)
{
    int32_t v = layer->p[info->param];
    if (v >= info->min && v <= info->max)
        return PRF_OK;
    return prf_fail(err, PRF_EINVAL, "%s.%s = %d: use a value from %d to %d", kinds[layer->kind].name, param_names[info->param], v,
                    info->min, info->max);
}

static prf_status_t check_meaning(const prf_layer_t *layer, prf_error_t *err)
{
    const int32_t *p = layer->p;
    const char *name = kinds[layer->kind].name;
    if (p[PRF_P_GROUPS] > 0 && (p[PRF_P_C] % p[PRF_P_GROUPS] || p[PRF_P_K] % p[PRF_P_GROUPS]))
        return prf_fail(err, PRF_EINVAL, "%s: groups = %d must divide c = %d and k = %d", name, p[PRF_P_GROUPS], p[PRF_P_C],
                        p[PRF_P_K]);
    if (volume(kinds[layer->kind].derive(layer).out) < 1)
        return prf_fail(err, PRF_EINVAL,
                        "%s: the kernel is larger than the padded input, so the output is empty: use a smaller kernel", name);
    return PRF_OK;
}

static prf_status_t check_layer(const prf_layer_t *layer, prf_error_t *err)
{
    if ((unsigned)layer->kind >= PRF_LAYER_KINDS)
        return prf_fail(err, PRF_EINVAL, "layer kind %d is unknown to this version: update prfarm", (int)layer->kind);
    for (size_t i = 0; i < kinds[layer->kind].param_count; i++) {
        prf_status_t status = check_range(layer, &kinds[layer->kind].params[i], err);
        if (status)
            return status;
    }
    return check_meaning(layer, err);
}

prf_status_t prf_layer_complete(prf_layer_t *layer, prf_error_t *err)
{
    prf_layer_t full = *layer;
    for (size_t i = 0; i < kinds[layer->kind].param_count; i++) {
        const prf_param_info_t *info = &kinds[layer->kind].params[i];
        int32_t *value = &full.p[info->param];
        if (*value != PRF_UNSET)
            continue;
        if (info->fallback == PRF_REQUIRED)
            return prf_fail(err, PRF_EINVAL, "%s: parameter '%s' is missing: add %s=NUMBER", kinds[layer->kind].name,
                            param_names[info->param], param_names[info->param]);
        *value = info->fallback >= 0 ? info->fallback : full.p[PRF_LIKE(info->fallback)];
    }
    prf_status_t status = check_layer(&full, err);
    if (!status)
        *layer = full;
    return status;
}

/* Only of kinds whose input has a height; n, c and w come with it. */
static void take_size(prf_layer_t *layer, prf_shape_t size)
{
    int32_t *p = layer->p;
    if (p[PRF_P_H] != PRF_UNSET || p[PRF_P_N] != PRF_UNSET || p[PRF_P_C] != PRF_UNSET || p[PRF_P_W] != PRF_UNSET)
        return;
    p[PRF_P_N] = (int32_t)size.n;
    p[PRF_P_C] = (int32_t)size.c;
    p[PRF_P_H] = (int32_t)size.h;
    p[PRF_P_W] = (int32_t)size.w;
}

prf_status_t prf_block_complete(prf_block_t *block, prf_error_t *err)
{
    for (uint32_t i = 0; i < block->count; i++) {
        if (i > 0)
            take_size(&block->layers[i], prf_layer_out_shape(&block->layers[i - 1]));
        prf_status_t status = prf_layer_complete(&block->layers[i], err);
        if (status)
            return status;
    }
    return PRF_OK;
}

prf_shape_t prf_layer_in_shape(const prf_layer_t *layer)
{
    return kinds[layer->kind].derive(layer).in;
}

prf_shape_t prf_layer_out_shape(const prf_layer_t *layer)
{
    return kinds[layer->kind].derive(layer).out;
}

double prf_layer_macs(const prf_layer_t *layer)
{
    return kinds[layer->kind].derive(layer).macs;
}

double prf_block_macs(const prf_block_t *block)
{
    double macs = 0;
    for (uint32_t i = 0; i < block->count; i++)
        macs += prf_layer_macs(&block->layers[i]);
    return macs;
}

double prf_layer_ops(const prf_layer_t *layer)
{
    return kinds[layer->kind].derive(layer).ops;
}

double prf_layer_weights(const prf_layer_t *layer)
{
    return kinds[layer->kind].derive(layer).weights;
}

double prf_layer_inputs(const prf_layer_t *layer)
{
    derived_t d = kinds[layer->kind].derive(layer);
    return d.operands * volume(d.in);
}

double prf_layer_outputs(const prf_layer_t *layer)
{
    return volume(kinds[layer->kind].derive(layer).out);
}

double prf_layer_bytes(const prf_layer_t *layer, prf_dtype_t dtype)
{
    derived_t d = kinds[layer->kind].derive(layer);
    return (d.operands * volume(d.in) + d.weights + volume(d.out)) * prf_dtype_bits(dtype) / 8;
}

double prf_layer_intensity(const prf_layer_t *layer, prf_dtype_t dtype)
{
    return prf_layer_ops(layer) / prf_layer_bytes(layer, dtype);
}

void prf_block_copy(prf_block_t *to, const prf_block_t *from)
{
    to->dtype = from->dtype;
    to->count = from->count;
    for (uint32_t i = 0; i < from->count; i++)
        to->layers[i] = from->layers[i];
}

bool prf_layer_equal(const prf_layer_t *a, const prf_layer_t *b)
{
    return a->kind == b->kind && memcmp(a->p, b->p, sizeof a->p) == 0;
}

bool prf_block_equal(const prf_block_t *a, const prf_block_t *b)
{
    if (a->dtype != b->dtype || a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!prf_layer_equal(&a->layers[i], &b->layers[i]))
            return false;
    return true;
}

prf_status_t prf_block_check(const prf_block_t *block, prf_error_t *err)
{
    if ((unsigned)block->dtype >= PRF_DTYPES)
        return prf_fail(err, PRF_EINVAL, "data type %d is unknown to this version: update prfarm", (int)block->dtype);
    if (block->count < 1 || block->count > PRF_BLOCK_LAYERS)
        return prf_fail(err, PRF_EINVAL, "a block of %u layers: use 1 to %d", block->count, PRF_BLOCK_LAYERS);
    for (uint32_t i = 0; i < block->count; i++) {
        prf_status_t status = check_layer(&block->layers[i], err);
        if (status)
            return status;
    }
    return PRF_OK;
}

bool prf_block_activate(prf_block_t *block, prf_activation_t fn)
{
    if (block->count == PRF_BLOCK_LAYERS)
        return false;
    prf_shape_t s = prf_layer_out_shape(&block->layers[0]);
    prf_layer_t layer;
    prf_layer_init(&layer, PRF_ACTIVATION);
    layer.p[PRF_P_N] = (int32_t)s.n;
    layer.p[PRF_P_C] = (int32_t)s.c;
    layer.p[PRF_P_H] = (int32_t)s.h;
    layer.p[PRF_P_W] = (int32_t)s.w;
    layer.p[PRF_P_FN] = (int32_t)fn;
    if (prf_layer_complete(&layer, NULL) != PRF_OK)
        return false;
    block->layers[block->count++] = layer;
    return true;
}
