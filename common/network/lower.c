// SPDX-License-Identifier: Apache-2.0
/* lower.c - one operator as one layer.
 *
 * A layer has one stride, one padding and one dilation; ONNX has one for each axis, and a padding for each side. Where they
 * differ, the layer keeps the smallest padding and its input is described with the rest of the padding added, so that the
 * output's size and the MACs are exact and only a rim of zeros is counted as data. Rejected: a layer that keeps the input exact
 * and gets the output wrong; the MACs, which matter most, would be wrong with it. */
#include <string.h>

#include "network/blocks.h"

static int32_t narrow(int64_t v)
{
    return v > INT32_MAX ? INT32_MAX : (int32_t)v; /* the layer table's limits are far below */
}

/* Any tensor as n x c x h x w: batch and channels first, everything behind the third axis in w. */
static void set_nchw(prf_layer_t *layer, const shape_t *s)
{
    int64_t w = 1;
    for (uint32_t i = s->rank == 3 ? 2 : 3; i < s->rank; i++)
        w *= s->dims[i];
    layer->p[PRF_P_N] = narrow(s->rank > 0 ? s->dims[0] : 1);
    layer->p[PRF_P_C] = narrow(s->rank > 1 ? s->dims[1] : 1);
    layer->p[PRF_P_H] = narrow(s->rank > 3 ? s->dims[2] : 1);
    layer->p[PRF_P_W] = narrow(w);
    if (s->rank == 1) {
        layer->p[PRF_P_C] = layer->p[PRF_P_N];
        layer->p[PRF_P_N] = 1;
    }
}

void prf_lower_elementwise(const graph_t *g, const node_t *n, prf_layer_kind_t kind, prf_layer_t *layer)
{
    prf_layer_init(layer, kind);
    set_nchw(layer, &prf_node_out(g, n, 0)->shape);
}

/* The size under which a layer with these values has the window's output. */
static int64_t described_size(const window_t *w, int64_t stride, int64_t pad, int64_t dilation)
{
    int64_t reach = (w->kernel - 1) * dilation + 1, size = w->in + w->begin + w->end - 2 * pad,
            room = w->in + w->begin + w->end - reach;
    return room >= 0 && room / stride + 1 == w->out ? size : (w->out - 1) * stride + reach - 2 * pad;
}

/* The one value for both axes; `idle_h`: the height's own does not matter. */
static int64_t common(int64_t h, int64_t w, bool idle_h, bool idle_w, bool *differ)
{
    if (h == w || idle_w)
        return h;
    if (idle_h)
        return w;
    *differ = true;
    return h < w ? h : w;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static const char *set_windows(prf_layer_t *layer, const window_t *h, const window_t *w, bool dilates)
{
    bool differ = false, dense = h->dilation == 1 && w->dilation == 1;
    int64_t stride = common(h->stride, w->stride, h->out == 1, w->out == 1, &differ);
    int64_t dilation = dilates ? common(h->dilation, w->dilation, h->kernel == 1, w->kernel == 1, &differ) : 1;
    int64_t pad = least(least(h->begin, h->end), least(w->begin, w->end));
    int64_t height = described_size(h, stride, pad, dilation), width = described_size(w, stride, pad, dilation);
    if (height < 1 || width < 1) {
        pad = 0;
        height = described_size(h, stride, pad, dilation);
        width = described_size(w, stride, pad, dilation);
    }
    layer->p[PRF_P_H] = narrow(height);
    layer->p[PRF_P_W] = narrow(width);
    layer->p[PRF_P_R] = narrow(h->kernel);
    layer->p[PRF_P_S] = narrow(w->kernel);
    layer->p[PRF_P_STRIDE] = narrow(stride);
    layer->p[PRF_P_PAD] = narrow(pad);
    if (dilates)
        layer->p[PRF_P_DILATION] = narrow(dilation);
    if (differ)
        return "its strides or dilations differ: described by the smaller ones, output and MACs exact";
    if (!dilates && !dense)
        return "its dilation is left out";
    if (height != h->in || width != w->in)
        return "its padding is uneven: described by a larger input, output and MACs exact";
    return "";
}

static const window_t flat = {.in = 1, .out = 1, .kernel = 1, .stride = 1, .dilation = 1};

static prf_status_t lower_conv1d(const graph_t *g, const node_t *n, const window_t *w, prf_layer_t *layer, const char **remark)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    int64_t pad = least(w->begin, w->end);
    prf_layer_init(layer, PRF_CONV1D);
    layer->p[PRF_P_N] = narrow(x->dims[0]);
    layer->p[PRF_P_C] = narrow(x->dims[1]);
    layer->p[PRF_P_K] = narrow(prf_node_out(g, n, 0)->shape.dims[1]);
    layer->p[PRF_P_F] = narrow(w->kernel);
    layer->p[PRF_P_STRIDE] = narrow(w->stride);
    layer->p[PRF_P_PAD] = narrow(pad);
    layer->p[PRF_P_W] = narrow(described_size(w, w->stride, pad, 1));
    if (layer->p[PRF_P_W] != w->in)
        *remark = "its padding is uneven: described by a larger input, output and MACs exact";
    return PRF_OK;
}

static prf_status_t lower_conv(const graph_t *g, const node_t *n, prf_layer_t *layer, const char **remark, prf_error_t *err)
{
    window_t w[PRF_ONNX_RANK];
    uint32_t axes;
    prf_status_t status = prf_op_windows(g, n, w, &axes, err);
    if (status)
        return status;
    if (axes > 2)
        return prf_fail(err, PRF_EUNSUPPORTED, "no layer kind has %u spatial dimensions", axes);
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    int64_t group = prf_node_int(n, "group", 1);
    if (axes == 1 && group == 1 && w[0].dilation == 1)
        return lower_conv1d(g, n, &w[0], layer, remark);
    prf_layer_init(layer, group > 1 && group == x->dims[1] ? PRF_DWCONV2D : PRF_CONV2D);
    layer->p[PRF_P_N] = narrow(x->dims[0]);
    layer->p[PRF_P_C] = narrow(x->dims[1]);
    layer->p[PRF_P_K] = narrow(prf_node_out(g, n, 0)->shape.dims[1]);
    layer->p[PRF_P_GROUPS] = narrow(group);
    *remark = set_windows(layer, axes == 2 ? &w[0] : &flat, &w[axes - 1], true);
    return PRF_OK;
}

/* Its MACs follow from the input, so that stays exact and the output is described as near as one padding comes. */
static prf_status_t lower_convtranspose(const graph_t *g, const node_t *n, prf_layer_t *layer, const char **remark,
                                        prf_error_t *err)
{
    window_t w[PRF_ONNX_RANK];
    uint32_t axes;
    prf_status_t status = prf_op_windows(g, n, w, &axes, err);
    if (status)
        return status;
    if (axes > 2)
        return prf_fail(err, PRF_EUNSUPPORTED, "no layer kind has %u spatial dimensions", axes);
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    const window_t *h = axes == 2 ? &w[0] : &flat, *v = &w[axes - 1];
    bool differ = false;
    prf_layer_init(layer, PRF_CONVTRANSPOSE2D);
    int64_t stride = common(h->stride, v->stride, h->in == 1, v->in == 1, &differ);
    int64_t dilation = common(h->dilation, v->dilation, h->kernel == 1, v->kernel == 1, &differ);
    int64_t room_h = (h->in - 1) * stride + (h->kernel - 1) * dilation + 1 - h->out;
    int64_t room_v = (v->in - 1) * stride + (v->kernel - 1) * dilation + 1 - v->out;
    int64_t pad = least(room_h, room_v) / 2;
    layer->p[PRF_P_N] = narrow(x->dims[0]);
    layer->p[PRF_P_C] = narrow(x->dims[1]);
    layer->p[PRF_P_K] = narrow(prf_node_out(g, n, 0)->shape.dims[1]);
    layer->p[PRF_P_GROUPS] = narrow(prf_node_int(n, "group", 1));
    layer->p[PRF_P_H] = narrow(h->in);
    layer->p[PRF_P_W] = narrow(v->in);
    layer->p[PRF_P_R] = narrow(h->kernel);
    layer->p[PRF_P_S] = narrow(v->kernel);
    layer->p[PRF_P_STRIDE] = narrow(stride);
    layer->p[PRF_P_DILATION] = narrow(dilation);
    layer->p[PRF_P_PAD] = narrow(pad > 0 ? pad : 0);
    if (differ || pad < 0 || room_h != 2 * pad || room_v != 2 * pad)
        *remark = "its padding is uneven: input and MACs are exact, the output's size is near";
    return PRF_OK;
}

static prf_status_t lower_pool(const graph_t *g, const node_t *n, prf_layer_t *layer, const char **remark, prf_error_t *err)
{
    window_t w[PRF_ONNX_RANK];
    uint32_t axes;
    prf_status_t status = prf_op_windows(g, n, w, &axes, err);
    if (status)
        return status;
    if (axes > 2)
        return prf_fail(err, PRF_EUNSUPPORTED, "no layer kind has %u spatial dimensions", axes);
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    prf_layer_init(layer, n->op->role == ROLE_MAXPOOL ? PRF_MAXPOOL2D : PRF_AVGPOOL2D);
    layer->p[PRF_P_N] = narrow(x->dims[0]);
    layer->p[PRF_P_C] = narrow(x->dims[1]);
    *remark = set_windows(layer, axes == 2 ? &w[0] : &flat, &w[axes - 1], false);
    return PRF_OK;
}

static uint32_t reduced_axes(const graph_t *g, const node_t *n)
{
    uint32_t rank = prf_node_in(g, n, 0)->shape.rank, mask;
    bool known;
    if (n->op->infer == prf_infer_global)
        return ((1u << rank) - 1) & ~3u;
    if (prf_op_axes(g, n, 1, &mask, &known, NULL) != PRF_OK || mask == 0)
        return (1u << rank) - 1;
    return mask;
}

/* A pool whose window is the whole input; its stride, which no longer matters, stays the default. Reductions over other axes read
 * and write as much as a pool over a column does. */
static prf_status_t lower_reduce(const graph_t *g, const node_t *n, prf_layer_t *layer, const char **remark)
{
    const shape_t *x = &prf_node_in(g, n, 0)->shape;
    uint32_t mask = reduced_axes(g, n);
    prf_layer_init(layer, n->op->role == ROLE_MAXREDUCE ? PRF_MAXPOOL2D : PRF_AVGPOOL2D);
    int64_t kept = 1, gone = 1;
    for (uint32_t i = 0; i < x->rank; i++) {
        int64_t *product = mask >> i & 1 ? &gone : &kept;
        *product *= x->dims[i];
    }
    bool spatial = (x->rank == 3 && mask == 4) || (x->rank == 4 && mask == 12);
    layer->p[PRF_P_N] = spatial ? narrow(x->dims[0]) : 1;
    layer->p[PRF_P_C] = narrow(spatial ? x->dims[1] : kept);
    layer->p[PRF_P_H] = layer->p[PRF_P_R] = spatial ? (x->rank == 4 ? narrow(x->dims[2]) : 1) : narrow(gone);
    layer->p[PRF_P_W] = layer->p[PRF_P_S] = spatial ? narrow(x->dims[x->rank - 1]) : 1;
    bool plain =
        strncmp(n->op->name, "Global", 6) == 0 || strcmp(n->op->name, "ReduceMean") == 0 || strcmp(n->op->name, "ReduceMax") == 0;
    if (!spatial)
        *remark = "taken as a pool over one column";
    else if (!plain)
        *remark = "taken as a pool";
    return PRF_OK;
}

/* With constant weights a fully connected layer for each row, else a product of two activations. */
static prf_status_t lower_product(const graph_t *g, const node_t *n, prf_layer_t *layer, prf_error_t *err)
{
    product_t p;
    prf_status_t status = prf_op_product(g, n, &p, err);
    if (status)
        return status;
    const value_t *b = prf_node_in(g, n, 1);
    bool shared = b->shape.rank <= 2 || (int64_t)b->count == p.k * p.n; /* one right-hand matrix for the whole batch */
    if (shared) {
        p.m *= p.b;
        p.b = 1;
    }
    prf_layer_init(layer, shared && b->constant ? PRF_FC : PRF_MATMUL);
    if (layer->kind == PRF_FC) {
        layer->p[PRF_P_N] = narrow(p.m);
        layer->p[PRF_P_IN] = narrow(p.k);
        layer->p[PRF_P_OUT] = narrow(p.n);
    } else {
        layer->p[PRF_P_B] = narrow(p.b);
        layer->p[PRF_P_M] = narrow(p.m);
        layer->p[PRF_P_K] = narrow(p.k);
        layer->p[PRF_P_N] = narrow(p.n);
    }
    return PRF_OK;
}

static void set_rows(prf_layer_t *layer, prf_layer_kind_t kind, const value_t *x, int64_t features)
{
    prf_layer_init(layer, kind);
    layer->p[PRF_P_FEATURES] = narrow(features);
    layer->p[PRF_P_N] = narrow(features > 0 ? (int64_t)x->count / features : 0);
}

static int64_t product_from(const shape_t *s, uint32_t axis)
{
    int64_t product = 1;
    for (uint32_t i = axis; i < s->rank; i++)
        product *= s->dims[i];
    return product;
}

/* Before opset 13 everything from the axis on was normalised as one. */
static prf_status_t lower_softmax(const graph_t *g, const node_t *n, prf_layer_t *layer, prf_error_t *err)
{
    const value_t *x = prf_node_in(g, n, 0);
    bool early = g->opset < 13;
    uint32_t axis;
    prf_status_t status = prf_node_axis(g, n, prf_node_int(n, "axis", early ? 1 : -1), x->shape.rank, &axis, err);
    if (!status)
        set_rows(layer, PRF_SOFTMAX, x, early ? product_from(&x->shape, axis) : x->shape.dims[axis]);
    return status;
}

prf_status_t prf_lower_layernorm(const graph_t *g, const node_t *n, prf_layer_t *layer, prf_error_t *err)
{
    const value_t *x = prf_node_in(g, n, 0);
    uint32_t axis;
    prf_status_t status = prf_node_axis(g, n, prf_node_int(n, "axis", -1), x->shape.rank, &axis, err);
    if (!status)
        set_rows(layer, PRF_LAYERNORM, x, product_from(&x->shape, axis));
    return status;
}

static prf_status_t lower_groupnorm(const graph_t *g, const node_t *n, prf_layer_t *layer, const char **remark)
{
    const value_t *x = prf_node_in(g, n, 0);
    int64_t groups = prf_node_int(n, "num_groups", x->shape.dims[1]), features = product_from(&x->shape, 1);
    *remark = "taken as a layer norm over each group";
    set_rows(layer, PRF_LAYERNORM, x, groups > 0 ? features / groups : 0);
    return PRF_OK;
}

prf_status_t prf_lower(const graph_t *g, const node_t *n, prf_layer_t *layer, const char **remark, prf_error_t *err)
{
    *remark = "";
    switch (n->op->role) {
    case ROLE_CONV:
        return lower_conv(g, n, layer, remark, err);
    case ROLE_CONVTRANSPOSE:
        return lower_convtranspose(g, n, layer, remark, err);
    case ROLE_GEMM:
    case ROLE_MATMUL:
        return lower_product(g, n, layer, err);
    case ROLE_MAXPOOL:
    case ROLE_AVGPOOL:
        return lower_pool(g, n, layer, remark, err);
    case ROLE_MAXREDUCE:
    case ROLE_AVGREDUCE:
        return lower_reduce(g, n, layer, remark);
    case ROLE_SOFTMAX:
        return lower_softmax(g, n, layer, err);
    case ROLE_LAYERNORM:
        return prf_lower_layernorm(g, n, layer, err);
    case ROLE_GROUPNORM:
        return lower_groupnorm(g, n, layer, remark);
    default:
        return prf_fail(err, PRF_EUNSUPPORTED, "no layer kind describes it");
    }
}
