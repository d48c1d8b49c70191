// SPDX-License-Identifier: Apache-2.0
/* onednn_op.c - layers as oneDNN descriptors.
 *
 * Convolutions, transposed convolutions and fully connected layers leave every layout to the library. Where it then has
 * nothing but reference code (thousands of times slower, and nothing that a deployed network would run), plain channels-last
 * and channels-first are tried and the first optimised implementation wins. Pooling, addition and activations take what they
 * are given, the layout in which a convolution of as many channels would have left its result, with the same exception.
 *
 * 8-bit tensors are u8 activations and s8 weights, with one output scale that keeps results in range. */
#include "backends/onednn_op.h"

#include <oneapi/dnnl/dnnl_debug.h>
#include <string.h>

typedef union {
    dnnl_convolution_desc_t convolution;
    dnnl_deconvolution_desc_t deconvolution;
    dnnl_inner_product_desc_t inner_product;
    dnnl_matmul_desc_t matmul;
    dnnl_pooling_desc_t pooling;
    dnnl_binary_desc_t binary;
    dnnl_eltwise_desc_t eltwise;
    dnnl_softmax_v2_desc_t softmax;
    dnnl_layer_normalization_desc_t layernorm;
} op_desc_t;

/* What every builder needs. */
typedef struct {
    dnnl_engine_t engine;
    const prf_layer_t *layer;
    prf_dtype_t dtype;
    dnnl_format_tag_t layout; /* of the activations of a convolution */
    const prf_onednn_term_t *terms;
    size_t term_count;
} request_t;

size_t prf_onednn_terms(prf_activation_t fn, prf_onednn_term_t terms[PRF_ONEDNN_TERMS])
{
    static const prf_onednn_term_t first[PRF_FN_COUNT] = {
        [PRF_FN_RELU] = {dnnl_eltwise_relu, 0, 0},        [PRF_FN_RELU6] = {dnnl_eltwise_clip, 0, 6},
        [PRF_FN_SIGMOID] = {dnnl_eltwise_logistic, 0, 0}, [PRF_FN_TANH] = {dnnl_eltwise_tanh, 0, 0},
        [PRF_FN_GELU] = {dnnl_eltwise_gelu_erf, 0, 0},    [PRF_FN_HARDSWISH] = {dnnl_eltwise_hardswish, 0, 0},
        [PRF_FN_SWISH] = {dnnl_eltwise_swish, 1, 0},      [PRF_FN_HARDSIGMOID] = {dnnl_eltwise_linear, 1.0F / 6, 0.5F},
    };
    terms[0] = first[fn];
    if (fn != PRF_FN_HARDSIGMOID)
        return 1;
    terms[1] = (prf_onednn_term_t){dnnl_eltwise_clip, 0, 1};
    return 2;
}

prf_status_t prf_onednn_fail(prf_error_t *err, dnnl_status_t status, const char *what)
{
    switch (status) {
    case dnnl_unimplemented:
    case dnnl_invalid_arguments:
        return prf_fail(err, PRF_EUNSUPPORTED, "oneDNN has no implementation of this %s (%s): leave it out", what,
                        dnnl_status2str(status));
    case dnnl_out_of_memory:
        return prf_fail(err, PRF_ENOMEM, "oneDNN's %s", what);
    default:
        return prf_fail(err, PRF_EIO, "oneDNN failed on the %s (%s): leave it out, or try another version of oneDNN", what,
                        dnnl_status2str(status));
    }
}

const char *prf_onednn_impl(const_dnnl_primitive_desc_t pd)
{
    const char *name = NULL;
    if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name) != dnnl_success || !name)
        return "?";
    return name;
}

static dnnl_data_type_t activation_type(prf_dtype_t dtype)
{
    switch (dtype) {
    case PRF_I8:
        return dnnl_u8;
    case PRF_BF16:
        return dnnl_bf16;
    case PRF_F16:
        return dnnl_f16;
    default:
        return dnnl_f32;
    }
}

static dnnl_data_type_t weight_type(prf_dtype_t dtype)
{
    return dtype == PRF_I8 ? dnnl_s8 : activation_type(dtype);
}

static dnnl_status_t image(dnnl_memory_desc_t *md, prf_shape_t shape, prf_dtype_t dtype, dnnl_format_tag_t tag)
{
    const dnnl_dims_t dims = {shape.n, shape.c, shape.h, shape.w};
    return dnnl_memory_desc_init_by_tag(md, 4, dims, activation_type(dtype), tag);
}

/* A matrix of `rows` x `columns` activations. */
static dnnl_status_t matrix(dnnl_memory_desc_t *md, int64_t rows, int64_t columns, prf_dtype_t dtype, dnnl_format_tag_t tag)
{
    const dnnl_dims_t dims = {rows, columns};
    return dnnl_memory_desc_init_by_tag(md, 2, dims, activation_type(dtype), tag);
}

static dnnl_status_t bias_of(dnnl_memory_desc_t *md, int64_t count)
{
    const dnnl_dims_t dims = {count};
    return dnnl_memory_desc_init_by_tag(md, 1, dims, dnnl_f32, dnnl_a);
}

/* Window parameters of a convolution; conv1d is one of height 1. */
typedef struct {
    int64_t groups, kernel_h, kernel_w;
    dnnl_dims_t strides, dilates, pads;
} window_t;

static window_t window_of(const prf_layer_t *layer)
{
    const int32_t *p = layer->p;
    if (layer->kind == PRF_CONV1D)
        return (window_t){.groups = 1,
                          .kernel_h = 1,
                          .kernel_w = p[PRF_P_F],
                          .strides = {1, p[PRF_P_STRIDE]},
                          .dilates = {0, 0},
                          .pads = {0, p[PRF_P_PAD]}};
    int64_t dilation = p[PRF_P_DILATION] > 0 ? p[PRF_P_DILATION] - 1 : 0;
    return (window_t){.groups = p[PRF_P_GROUPS] > 0 ? p[PRF_P_GROUPS] : 1,
                      .kernel_h = p[PRF_P_R],
                      .kernel_w = p[PRF_P_S],
                      .strides = {p[PRF_P_STRIDE], p[PRF_P_STRIDE]},
                      .dilates = {dilation, dilation},
                      .pads = {p[PRF_P_PAD], p[PRF_P_PAD]}};
}

static dnnl_status_t convolution_desc(op_desc_t *op, const request_t *request)
{
    const prf_layer_t *layer = request->layer;
    prf_shape_t in = prf_layer_in_shape(layer), out = prf_layer_out_shape(layer);
    window_t w = window_of(layer);
    dnnl_memory_desc_t src, weights, bias, dst;
    dnnl_status_t s = image(&src, in, request->dtype, request->layout);
    if (!s)
        s = image(&dst, out, request->dtype, request->layout);
    if (!s)
        s = bias_of(&bias, out.c);
    if (s)
        return s;
    dnnl_data_type_t type = weight_type(request->dtype);
    if (w.groups > 1) {
        const dnnl_dims_t dims = {w.groups, out.c / w.groups, in.c / w.groups, w.kernel_h, w.kernel_w};
        s = dnnl_memory_desc_init_by_tag(&weights, 5, dims, type, dnnl_format_tag_any);
    } else {
        const dnnl_dims_t dims = {out.c, in.c, w.kernel_h, w.kernel_w};
        s = dnnl_memory_desc_init_by_tag(&weights, 4, dims, type, dnnl_format_tag_any);
    }
    if (s)
        return s;
    if (layer->kind == PRF_CONVTRANSPOSE2D)
        return dnnl_dilated_deconvolution_forward_desc_init(&op->deconvolution, dnnl_forward_inference, dnnl_deconvolution_direct,
                                                            &src, &weights, &bias, &dst, w.strides, w.dilates, w.pads, w.pads);
    return dnnl_dilated_convolution_forward_desc_init(&op->convolution, dnnl_forward_inference, dnnl_convolution_direct, &src,
                                                      &weights, &bias, &dst, w.strides, w.dilates, w.pads, w.pads);
}

static dnnl_status_t fc_desc(op_desc_t *op, const request_t *request)
{
    const int32_t *p = request->layer->p;
    const dnnl_dims_t weight_dims = {p[PRF_P_OUT], p[PRF_P_IN]};
    dnnl_memory_desc_t src, weights, bias, dst;
    dnnl_status_t s = matrix(&src, p[PRF_P_N], p[PRF_P_IN], request->dtype, dnnl_format_tag_any);
    if (!s)
        s = matrix(&dst, p[PRF_P_N], p[PRF_P_OUT], request->dtype, dnnl_format_tag_any);
    if (!s)
        s = bias_of(&bias, p[PRF_P_OUT]);
    if (!s)
        s = dnnl_memory_desc_init_by_tag(&weights, 2, weight_dims, weight_type(request->dtype), dnnl_format_tag_any);
    if (s)
        return s;
    return dnnl_inner_product_forward_desc_init(&op->inner_product, dnnl_forward_inference, &src, &weights, &bias, &dst);
}

/* Both operands are activations, so both stay in plain row order. */
static dnnl_status_t matmul_desc(op_desc_t *op, const request_t *request)
{
    const int32_t *p = request->layer->p;
    const dnnl_dims_t a = {p[PRF_P_B], p[PRF_P_M], p[PRF_P_K]}, b = {p[PRF_P_B], p[PRF_P_K], p[PRF_P_N]},
                      c = {p[PRF_P_B], p[PRF_P_M], p[PRF_P_N]};
    dnnl_memory_desc_t src, weights, dst;
    dnnl_status_t s = dnnl_memory_desc_init_by_tag(&src, 3, a, activation_type(request->dtype), dnnl_abc);
    if (!s)
        s = dnnl_memory_desc_init_by_tag(&weights, 3, b, weight_type(request->dtype), dnnl_abc);
    if (!s)
        s = dnnl_memory_desc_init_by_tag(&dst, 3, c, activation_type(request->dtype), dnnl_abc);
    return s ? s : dnnl_matmul_desc_init(&op->matmul, &src, &weights, NULL, &dst);
}

/* The layout in which a convolution leaves a tensor of this shape: asked of a 1x1 convolution; channels-last where there is
 * none of this type. A layout that the request insists on comes first. */
static dnnl_status_t natural_layout(dnnl_memory_desc_t *md, const request_t *request, prf_shape_t shape)
{
    if (request->layout != dnnl_format_tag_any)
        return image(md, shape, request->dtype, request->layout);
    prf_layer_t probe = {.kind = PRF_CONV2D};
    probe.p[PRF_P_N] = (int32_t)shape.n;
    probe.p[PRF_P_C] = probe.p[PRF_P_K] = (int32_t)shape.c;
    probe.p[PRF_P_H] = (int32_t)shape.h;
    probe.p[PRF_P_W] = (int32_t)shape.w;
    probe.p[PRF_P_R] = probe.p[PRF_P_S] = probe.p[PRF_P_STRIDE] = probe.p[PRF_P_DILATION] = probe.p[PRF_P_GROUPS] = 1;
    dnnl_primitive_desc_t pd = NULL;
    if (prf_onednn_op_new(request->engine, &probe, request->dtype, NULL, 0, &pd, NULL) != PRF_OK)
        return image(md, shape, request->dtype, dnnl_nhwc);
    *md = *dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    dnnl_primitive_desc_destroy(pd);
    return dnnl_success;
}

static dnnl_status_t pooling_desc(op_desc_t *op, const request_t *request)
{
    const prf_layer_t *layer = request->layer;
    const int32_t *p = layer->p;
    const dnnl_dims_t strides = {p[PRF_P_STRIDE], p[PRF_P_STRIDE]}, kernel = {p[PRF_P_R], p[PRF_P_S]},
                      pads = {p[PRF_P_PAD], p[PRF_P_PAD]};
    dnnl_alg_kind_t alg = layer->kind == PRF_MAXPOOL2D ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding;
    dnnl_memory_desc_t src, dst;
    dnnl_status_t s = natural_layout(&src, request, prf_layer_in_shape(layer));
    if (!s)
        s = image(&dst, prf_layer_out_shape(layer), request->dtype, dnnl_format_tag_any);
    if (s)
        return s;
    return dnnl_pooling_forward_desc_init(&op->pooling, dnnl_forward_inference, alg, &src, &dst, strides, kernel, pads, pads);
}

static dnnl_status_t add_desc(op_desc_t *op, const request_t *request)
{
    dnnl_memory_desc_t tensor;
    dnnl_status_t s = natural_layout(&tensor, request, prf_layer_in_shape(request->layer));
    return s ? s : dnnl_binary_desc_init(&op->binary, dnnl_binary_add, &tensor, &tensor, &tensor);
}

/* The steps of one activation read each other's output, so they must agree on a layout; on some processors the fast code of one
 * does not take the blocked layout that suits the other. Channels-last suits all. */
static dnnl_status_t activation_desc(op_desc_t *op, const request_t *request)
{
    prf_onednn_term_t terms[PRF_ONEDNN_TERMS];
    prf_shape_t shape = prf_layer_in_shape(request->layer);
    bool several = prf_onednn_terms((prf_activation_t)request->layer->p[PRF_P_FN], terms) > 1;
    dnnl_memory_desc_t tensor;
    dnnl_status_t s = several ? image(&tensor, shape, request->dtype, dnnl_nhwc) : natural_layout(&tensor, request, shape);
    if (s)
        return s;
    const prf_onednn_term_t *term = request->terms;
    return dnnl_eltwise_forward_desc_init(&op->eltwise, dnnl_forward_inference, term->alg, &tensor, term->alpha, term->beta);
}

static dnnl_status_t softmax_desc(op_desc_t *op, const request_t *request)
{
    const int32_t *p = request->layer->p;
    dnnl_memory_desc_t tensor;
    dnnl_status_t s = matrix(&tensor, p[PRF_P_N], p[PRF_P_FEATURES], request->dtype, dnnl_ab);
    if (s)
        return s;
    return dnnl_softmax_v2_forward_desc_init(&op->softmax, dnnl_forward_inference, dnnl_softmax_accurate, &tensor, &tensor, 1);
}

static dnnl_status_t layernorm_desc(op_desc_t *op, const request_t *request)
{
    const int32_t *p = request->layer->p;
    dnnl_memory_desc_t tensor, statistics;
    dnnl_status_t s = matrix(&tensor, p[PRF_P_N], p[PRF_P_FEATURES], request->dtype, dnnl_ab);
    if (!s)
        s = bias_of(&statistics, p[PRF_P_N]);
    if (s)
        return s;
    return dnnl_layer_normalization_forward_desc_init(&op->layernorm, dnnl_forward_inference, &tensor, &statistics, 1e-5F,
                                                      dnnl_use_scale | dnnl_use_shift);
}

static dnnl_status_t (*const builders[PRF_LAYER_KINDS])(op_desc_t *op, const request_t *request) = {
    [PRF_CONV1D] = convolution_desc,
    [PRF_CONV2D] = convolution_desc,
    [PRF_DWCONV2D] = convolution_desc,
    [PRF_CONVTRANSPOSE2D] = convolution_desc,
    [PRF_FC] = fc_desc,
    [PRF_MATMUL] = matmul_desc,
    [PRF_MAXPOOL2D] = pooling_desc,
    [PRF_AVGPOOL2D] = pooling_desc,
    [PRF_ADD] = add_desc,
    [PRF_ACTIVATION] = activation_desc,
    [PRF_SOFTMAX] = softmax_desc,
    [PRF_LAYERNORM] = layernorm_desc,
};

static bool has_products(prf_layer_kind_t kind)
{
    return kind <= PRF_MATMUL;
}

/* The fused activation, the output scale of 8-bit products, and scratch memory that all kernels share. */
static dnnl_status_t attributes(dnnl_primitive_attr_t attr, const request_t *request)
{
    dnnl_status_t s = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (!s && request->dtype == PRF_I8 && has_products(request->layer->kind)) {
        double depth = prf_layer_macs(request->layer) / prf_layer_outputs(request->layer);
        float scale = (float)(1.0 / (127.0 * (depth > 1 ? depth : 1)));
        s = dnnl_primitive_attr_set_output_scales(attr, 1, 0, &scale);
    }
    if (s || request->layer->kind == PRF_ACTIVATION || request->term_count == 0)
        return s;
    dnnl_post_ops_t ops = NULL;
    s = dnnl_post_ops_create(&ops);
    for (size_t i = 0; !s && i < request->term_count; i++)
        s = dnnl_post_ops_append_eltwise(ops, 1, request->terms[i].alg, request->terms[i].alpha, request->terms[i].beta);
    if (!s)
        s = dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    return s;
}

static dnnl_status_t build(const request_t *request, dnnl_primitive_desc_t *out)
{
    op_desc_t op;
    memset(&op, 0, sizeof op);
    dnnl_status_t s = builders[request->layer->kind](&op, request);
    if (s)
        return s;
    dnnl_primitive_attr_t attr = NULL;
    s = dnnl_primitive_attr_create(&attr);
    if (!s)
        s = attributes(attr, request);
    if (!s)
        s = dnnl_primitive_desc_create(out, &op, attr, request->engine, NULL);
    dnnl_primitive_attr_destroy(attr);
    return s;
}

/* Kinds whose tensors have more than one sensible layout. */
static bool is_image(prf_layer_kind_t kind)
{
    return kind != PRF_FC && kind != PRF_MATMUL && kind != PRF_SOFTMAX && kind != PRF_LAYERNORM;
}

static bool reference(const_dnnl_primitive_desc_t pd)
{
    return strncmp(prf_onednn_impl(pd), "ref", 3) == 0;
}

prf_status_t prf_onednn_op_new(dnnl_engine_t engine, const prf_layer_t *layer, prf_dtype_t dtype, const prf_onednn_term_t *terms,
                               size_t count, dnnl_primitive_desc_t *out, prf_error_t *err)
{
    static const dnnl_format_tag_t layouts[] = {dnnl_format_tag_any, dnnl_nhwc, dnnl_nchw};
    size_t choices = is_image(layer->kind) ? sizeof layouts / sizeof *layouts : 1;
    dnnl_primitive_desc_t best = NULL;
    dnnl_status_t first = dnnl_success;
    for (size_t i = 0; i < choices && (!best || reference(best)); i++) {
        const request_t request = {engine, layer, dtype, layouts[i], terms, count};
        dnnl_primitive_desc_t pd = NULL;
        dnnl_status_t s = build(&request, &pd);
        if (i == 0)
            first = s;
        if (s)
            continue;
        if (best && reference(pd)) {
            dnnl_primitive_desc_destroy(pd);
            continue;
        }
        if (best)
            dnnl_primitive_desc_destroy(best);
        best = pd;
    }
    if (!best)
        return prf_onednn_fail(err, first, prf_layer_kind_name(layer->kind));
    *out = best;
    return PRF_OK;
}
