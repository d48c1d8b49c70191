// SPDX-License-Identifier: Apache-2.0
/* infer_nn.c - shapes of the operators that compute. The arithmetic is that of the ONNX operator specification. */
#include <string.h>

#include "network/ops.h"

prf_status_t prf_infer_same(graph_t *g, const node_t *n, prf_error_t *err)
{
    const value_t *x = prf_node_in(g, n, 0);
    prf_status_t status = prf_node_shape(g, n, 0, &x->shape, err);
    value_t *out = prf_node_out(g, n, 0);
    if (!status && out)
        out->type = x->type;
    return status;
}

/* Every parameter of a normalisation over channels has one value a channel. */
prf_status_t prf_infer_norm(graph_t *g, const node_t *n, prf_error_t *err)
{
    const value_t *x = prf_node_in(g, n, 0);
    if (x->shape.rank < 2)
        return prf_node_fail(g, n, err, "its input has %u dimensions: use 2 or more", x->shape.rank);
    for (uint32_t i = 1; i < n->input_count; i++) {
        const value_t *p = prf_node_in(g, n, i);
        if (p && p->count != 1 && (int64_t)p->count != x->shape.dims[1] && strcmp(n->onnx->op, "GroupNormalization") != 0)
            return prf_node_fail(g, n, err, "'%.80s' has %zu values for %lld channels", p->name, p->count,
                                 (long long)x->shape.dims[1]);
    }
    return prf_infer_same(g, n, err);
}

static prf_status_t broadcast(const graph_t *g, const node_t *n, shape_t *into, const value_t *with, prf_error_t *err)
{
    shape_t out = {.rank = into->rank > with->shape.rank ? into->rank : with->shape.rank};
    for (uint32_t i = 0; i < out.rank; i++) { /* i counts from the last axis */
        int64_t a = i < into->rank ? into->dims[into->rank - 1 - i] : 1;
        int64_t b = i < with->shape.rank ? with->shape.dims[with->shape.rank - 1 - i] : 1;
        if (a != b && a != 1 && b != 1)
            return prf_node_fail(g, n, err, "its inputs do not fit: %lld against %lld in '%.80s', %u from the last axis",
                                 (long long)a, (long long)b, with->name, i);
        out.dims[out.rank - 1 - i] = a == 1 ? b : a;
    }
    *into = out;
    return PRF_OK;
}

/* Before opset 7 the second operand was aligned by attributes and was never the larger one. */
prf_status_t prf_infer_broadcast(graph_t *g, const node_t *n, prf_error_t *err)
{
    const value_t *first = prf_node_in(g, n, 0);
    shape_t shape = first->shape;
    bool aligned = g->opset < 7 && prf_node_int(n, "broadcast", 0);
    int32_t type = first->type;
    for (uint32_t i = 1; i < n->input_count && !aligned; i++) {
        const value_t *v = prf_node_in(g, n, i);
        prf_status_t status = v ? broadcast(g, n, &shape, v, err) : PRF_OK;
        if (status)
            return status;
        if (v && strcmp(n->onnx->op, "Where") == 0)
            type = v->type;
    }
    prf_status_t status = prf_node_shape(g, n, 0, &shape, err);
    value_t *out = prf_node_out(g, n, 0);
    if (!status && out)
        out->type = type;
    return status;
}

/* Sizes of windows far beyond any network, small enough that no product of two overflows. */
enum { WINDOW_MAX = 1 << 20 };

static prf_status_t spatial_attribute(const graph_t *g, const node_t *n, const char *name, uint32_t count, int64_t min,
                                      int64_t *values, prf_error_t *err)
{
    const prf_onnx_attribute_t *a = prf_node_attribute(n, name);
    if (!a || a->int_count == 0)
        return PRF_OK;
    if (a->int_count != count)
        return prf_node_fail(g, n, err, "%s has %zu values: use %u", name, a->int_count, count);
    for (uint32_t i = 0; i < count; i++) {
        if (a->ints[i] < min || a->ints[i] > WINDOW_MAX)
            return prf_node_fail(g, n, err, "%s holds %lld: use %lld to %d", name, (long long)a->ints[i], (long long)min,
                                 WINDOW_MAX);
        values[i] = a->ints[i];
    }
    return PRF_OK;
}

/* kernel_shape, or the weights' own. */
static prf_status_t kernel_sizes(const graph_t *g, const node_t *n, uint32_t count, int64_t *kernel, prf_error_t *err)
{
    bool weighted = n->op->role == ROLE_CONV || n->op->role == ROLE_CONVTRANSPOSE;
    const value_t *w = weighted ? prf_node_in(g, n, 1) : NULL;
    if (w && w->shape.rank != count + 2)
        return prf_node_fail(g, n, err, "its weights have %u dimensions and its input %u: use as many", w->shape.rank, count + 2);
    prf_status_t status = spatial_attribute(g, n, "kernel_shape", count, 1, kernel, err);
    for (uint32_t i = 0; i < count && !status; i++) {
        int64_t own = w ? w->shape.dims[i + 2] : kernel[i];
        if (own < 1 || own > WINDOW_MAX)
            status = prf_node_fail(g, n, err, "kernel size %lld: use 1 to %d", (long long)own, WINDOW_MAX);
        else if (kernel[i] && kernel[i] != own)
            status = prf_node_fail(g, n, err, "kernel_shape says %lld, its weights say %lld", (long long)kernel[i], (long long)own);
        kernel[i] = own;
    }
    return status;
}

static int64_t reach_of(const window_t *w)
{
    return (w->kernel - 1) * w->dilation + 1;
}

/* Padding that makes the output as large as the input divided by the stride. */
static void pad_to_same(window_t *w, bool lower)
{
    int64_t total = ((w->in + w->stride - 1) / w->stride - 1) * w->stride + reach_of(w) - w->in;
    total = total > 0 ? total : 0;
    w->begin = lower ? (total + 1) / 2 : total / 2;
    w->end = total - w->begin;
}

static prf_status_t slide(const graph_t *g, const node_t *n, window_t *w, prf_error_t *err)
{
    bool lower = prf_node_text_is(n, "auto_pad", "SAME_LOWER");
    if (lower || prf_node_text_is(n, "auto_pad", "SAME_UPPER"))
        pad_to_same(w, lower);
    else if (prf_node_text_is(n, "auto_pad", "VALID"))
        w->begin = w->end = 0;
    int64_t reach = reach_of(w), padded = w->in + w->begin + w->end, room = padded - reach;
    if (room < 0)
        return prf_node_fail(g, n, err, "its kernel reaches over %lld values, but its padded input has %lld", (long long)reach,
                             (long long)padded);
    w->out = room / w->stride + 1;
    /* A last, partial window counts when it begins in the input or in the padding before it. */
    if (prf_node_int(n, "ceil_mode", 0) && room % w->stride && w->out * w->stride < w->in + w->begin)
        w->out++;
    return PRF_OK;
}

static void spread(const node_t *n, window_t *w, int64_t extra, int64_t wanted)
{
    int64_t full = (w->in - 1) * w->stride + extra + reach_of(w);
    bool same = prf_node_text_is(n, "auto_pad", "SAME_UPPER") || prf_node_text_is(n, "auto_pad", "SAME_LOWER");
    if (wanted > 0 || same) {
        w->out = wanted > 0 ? wanted : w->in * w->stride;
        int64_t total = full > w->out ? full - w->out : 0;
        w->begin = total / 2;
        w->end = total - w->begin;
    } else {
        w->out = full - w->begin - w->end;
    }
}

static prf_status_t windows_of(const graph_t *g, const node_t *n, window_t *windows, uint32_t count, prf_error_t *err)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    int64_t kernel[PRF_ONNX_RANK] = {0}, stride[PRF_ONNX_RANK], dilation[PRF_ONNX_RANK], pads[2 * PRF_ONNX_RANK] = {0};
    int64_t extra[PRF_ONNX_RANK] = {0}, wanted[PRF_ONNX_RANK] = {0};
    for (uint32_t i = 0; i < count; i++)
        stride[i] = dilation[i] = 1;
    prf_status_t status = kernel_sizes(g, n, count, kernel, err);
    if (!status)
        status = spatial_attribute(g, n, "strides", count, 1, stride, err);
    if (!status)
        status = spatial_attribute(g, n, "dilations", count, 1, dilation, err);
    if (!status)
        status = spatial_attribute(g, n, "pads", 2 * count, 0, pads, err);
    if (!status)
        status = spatial_attribute(g, n, "output_padding", count, 0, extra, err);
    if (!status)
        status = spatial_attribute(g, n, "output_shape", count, 1, wanted, err);
    for (uint32_t i = 0; i < count && !status; i++) {
        windows[i] = (window_t){x->dims[i + 2], 0, kernel[i], stride[i], dilation[i], pads[i], pads[count + i]};
        if (n->op->role == ROLE_CONVTRANSPOSE)
            spread(n, &windows[i], extra[i], wanted[i]);
        else
            status = slide(g, n, &windows[i], err);
    }
    return status;
}

prf_status_t prf_op_windows(const graph_t *g, const node_t *n, window_t *windows, uint32_t *count, prf_error_t *err)
{
    uint32_t rank = prf_node_in(g, n, 0)->shape.rank;
    if (rank < 3)
        return prf_node_fail(g, n, err, "its input has %u dimensions: use batch, channels and one or more of space", rank);
    *count = rank - 2;
    return windows_of(g, n, windows, *count, err);
}

static prf_status_t infer_windows(graph_t *g, const node_t *n, int64_t channels, prf_error_t *err)
{
    window_t w[PRF_ONNX_RANK] = {0};
    uint32_t count = 0;
    prf_status_t status = prf_op_windows(g, n, w, &count, err);
    if (status)
        return status;
    shape_t shape = prf_node_in(g, n, 0)->shape;
    shape.dims[1] = channels;
    for (uint32_t i = 0; i < count; i++)
        shape.dims[i + 2] = w[i].out;
    return prf_node_shape(g, n, 0, &shape, err);
}

/* Channels and weights fit each other; the bias, if any, fits the filters. */
static prf_status_t check_filters(const graph_t *g, const node_t *n, int64_t filters, int64_t inputs, prf_error_t *err)
{
    const value_t *x = prf_node_in(g, n, 0), *bias = prf_node_in(g, n, 2);
    int64_t group = prf_node_int(n, "group", 1);
    if (group < 1 || filters < 1 || inputs < 1 || filters % group || inputs % group)
        return prf_node_fail(g, n, err, "group = %lld must divide its %lld input channels and %lld filters", (long long)group,
                             (long long)inputs, (long long)filters);
    if (x->shape.dims[1] != inputs)
        return prf_node_fail(g, n, err, "its input has %lld channels, its weights are for %lld", (long long)x->shape.dims[1],
                             (long long)inputs);
    if (bias && (int64_t)bias->count != filters)
        return prf_node_fail(g, n, err, "its bias has %zu values for %lld filters", bias->count, (long long)filters);
    return PRF_OK;
}

prf_status_t prf_infer_conv(graph_t *g, const node_t *n, prf_error_t *err)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape, *w = &prf_node_in(g, n, 1)->shape;
    int64_t group = prf_node_int(n, "group", 1), inputs;
    if (x->rank < 3 || w->rank != x->rank)
        return prf_node_fail(g, n, err, "its input has %u dimensions and its weights %u: use as many, 3 or more", x->rank, w->rank);
    if (__builtin_mul_overflow(w->dims[1], group, &inputs))
        inputs = 0;
    prf_status_t status = check_filters(g, n, w->dims[0], inputs, err);
    return status ? status : infer_windows(g, n, w->dims[0], err);
}

prf_status_t prf_infer_convtranspose(graph_t *g, const node_t *n, prf_error_t *err)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape, *w = &prf_node_in(g, n, 1)->shape;
    int64_t group = prf_node_int(n, "group", 1), filters;
    if (x->rank < 3 || w->rank != x->rank)
        return prf_node_fail(g, n, err, "its input has %u dimensions and its weights %u: use as many, 3 or more", x->rank, w->rank);
    if (__builtin_mul_overflow(w->dims[1], group, &filters))
        filters = 0;
    prf_status_t status = check_filters(g, n, filters, w->dims[0], err);
    return status ? status : infer_windows(g, n, filters, err);
}

prf_status_t prf_infer_pool(graph_t *g, const node_t *n, prf_error_t *err)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    prf_status_t status = infer_windows(g, n, x->rank > 1 ? x->dims[1] : 0, err);
    const value_t *out = prf_node_out(g, n, 0);
    if (!status && out)
        status = prf_node_shape(g, n, 1, &out->shape, err); /* MaxPool's indices */
    return status;
}

prf_status_t prf_infer_global(graph_t *g, const node_t *n, prf_error_t *err)
{
    shape_t shape = prf_node_in(g, n, 0)->shape;
    if (shape.rank < 3)
        return prf_node_fail(g, n, err, "its input has %u dimensions: use batch, channels and one or more of space", shape.rank);
    for (uint32_t i = 2; i < shape.rank; i++)
        shape.dims[i] = 1;
    return prf_node_shape(g, n, 0, &shape, err);
}

prf_status_t prf_op_axes(const graph_t *g, const node_t *n, uint32_t input, uint32_t *mask, bool *known, prf_error_t *err)
{
    uint32_t rank = prf_node_in(g, n, 0)->shape.rank;
    const prf_onnx_attribute_t *a = prf_node_attribute(n, "axes");
    const value_t *v = prf_node_in(g, n, input);
    size_t count = v ? v->count : a ? a->int_count : 0;
    *mask = 0;
    *known = !v || (v->values && prf_onnx_integral(v->type));
    for (size_t i = 0; i < count && *known; i++) {
        uint32_t axis;
        prf_status_t status = prf_node_axis(g, n, v ? v->values[i].i : a->ints[i], rank, &axis, err);
        if (status)
            return status;
        *mask |= 1u << axis;
    }
    return PRF_OK;
}

static prf_status_t reduce(graph_t *g, const node_t *n, uint32_t mask, prf_error_t *err)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    bool keep = prf_node_int(n, "keepdims", 1) != 0;
    shape_t shape = {0};
    for (uint32_t i = 0; i < x->rank; i++) {
        if (!(mask >> i & 1))
            shape.dims[shape.rank++] = x->dims[i];
        else if (keep)
            shape.dims[shape.rank++] = 1;
    }
    return prf_node_shape(g, n, 0, &shape, err);
}

prf_status_t prf_infer_reduce(graph_t *g, const node_t *n, prf_error_t *err)
{
    uint32_t mask;
    bool known;
    prf_status_t status = prf_op_axes(g, n, 1, &mask, &known, err);
    if (status || !known)
        return status;
    if (!mask && !prf_node_int(n, "noop_with_empty_axes", 0))
        mask = ~0u;
    value_t *out = prf_node_out(g, n, 0);
    if (out)
        out->type = prf_node_in(g, n, 0)->type;
    return reduce(g, n, mask, err);
}

prf_status_t prf_infer_arg(graph_t *g, const node_t *n, prf_error_t *err)
{
    uint32_t axis;
    prf_status_t status = prf_node_axis(g, n, prf_node_int(n, "axis", 0), prf_node_in(g, n, 0)->shape.rank, &axis, err);
    return status ? status : reduce(g, n, 1u << axis, err);
}

static prf_status_t gemm_product(const graph_t *g, const node_t *n, product_t *out, prf_error_t *err)
{
    const shape_t *a = &prf_node_in(g, n, 0)->shape, *b = &prf_node_in(g, n, 1)->shape;
    if (a->rank != 2 || b->rank != 2)
        return prf_node_fail(g, n, err, "its inputs have %u and %u dimensions: use 2 and 2", a->rank, b->rank);
    bool ta = prf_node_int(n, "transA", 0) != 0, tb = prf_node_int(n, "transB", 0) != 0;
    *out = (product_t){1, a->dims[ta], a->dims[!ta], b->dims[!tb]};
    if (b->dims[tb] != out->k)
        return prf_node_fail(g, n, err, "it multiplies %lld columns by %lld rows: use as many", (long long)out->k,
                             (long long)b->dims[tb]);
    return PRF_OK;
}

/* The shape of A x B, whose leading axes broadcast; a vector stands for a row on the left and a column on the right. */
static prf_status_t matmul_shape(const graph_t *g, const node_t *n, shape_t *out, product_t *product, prf_error_t *err)
{
    value_t a = *prf_node_in(g, n, 0), b = *prf_node_in(g, n, 1);
    uint32_t ra = a.shape.rank, rb = b.shape.rank;
    if (ra == 0 || rb == 0)
        return prf_node_fail(g, n, err, "it multiplies a scalar: use vectors, matrices or stacks of them");
    product->m = ra > 1 ? a.shape.dims[ra - 2] : 1;
    product->k = a.shape.dims[ra - 1];
    product->n = rb > 1 ? b.shape.dims[rb - 1] : 1;
    int64_t rows = rb > 1 ? b.shape.dims[rb - 2] : b.shape.dims[0];
    if (rows != product->k)
        return prf_node_fail(g, n, err, "it multiplies %lld columns by %lld rows: use as many", (long long)product->k,
                             (long long)rows);
    a.shape.rank = ra > 2 ? ra - 2 : 0;
    b.shape.rank = rb > 2 ? rb - 2 : 0;
    *out = a.shape;
    prf_status_t status = broadcast(g, n, out, &b, err);
    if (status)
        return status;
    product->b = prf_shape_count(out);
    if (ra > 1)
        out->dims[out->rank++] = product->m;
    if (rb > 1)
        out->dims[out->rank++] = product->n;
    return PRF_OK;
}

prf_status_t prf_op_product(const graph_t *g, const node_t *n, product_t *out, prf_error_t *err)
{
    shape_t shape;
    return n->op->role == ROLE_GEMM ? gemm_product(g, n, out, err) : matmul_shape(g, n, &shape, out, err);
}

prf_status_t prf_infer_product(graph_t *g, const node_t *n, prf_error_t *err)
{
    shape_t shape;
    product_t p;
    prf_status_t status = n->op->role == ROLE_GEMM ? gemm_product(g, n, &p, err) : matmul_shape(g, n, &shape, &p, err);
    if (n->op->role == ROLE_GEMM)
        shape = (shape_t){2, {p.m, p.n}};
    return status ? status : prf_node_shape(g, n, 0, &shape, err);
}
