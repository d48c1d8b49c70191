// SPDX-License-Identifier: Apache-2.0
/* step.c - the shapes of a layer's tensors, which library runs it, and what becomes a part of it.
 *
 * Fused into a convolution or a fully connected layer is what the library's own calls take: relu behind both, gelu behind the
 * latter. Every other activation is a step of its own.
 *
 * Layouts: images of f32 lie channels first, where cuDNN has most algorithms, those of narrower types channels last, as its tensor
 * cores want them; one layout for all layers of a type, so that a network needs no conversion. The second factor of a matmul lies
 * transposed, as the keys of attention do: it is the only form in which 8-bit products exist. */
#include "backends/cuda/step.h"

#include <math.h>
#include <stdint.h>

static const prf_cuda_ops_t *const ops[PRF_LAYER_KINDS] = {
    [PRF_CONV1D] = &prf_cuda_convolution,
    [PRF_CONV2D] = &prf_cuda_convolution,
    [PRF_DWCONV2D] = &prf_cuda_convolution,
    [PRF_CONVTRANSPOSE2D] = &prf_cuda_convolution,
    [PRF_FC] = &prf_cuda_product,
    [PRF_MATMUL] = &prf_cuda_product,
    [PRF_MAXPOOL2D] = &prf_cuda_plain,
    [PRF_AVGPOOL2D] = &prf_cuda_plain,
    [PRF_ADD] = &prf_cuda_plain,
    [PRF_ACTIVATION] = &prf_cuda_plain,
    [PRF_SOFTMAX] = &prf_cuda_plain,
};

bool prf_cuda_activation_mode(prf_activation_t fn, cudnnActivationMode_t *mode, double *ceiling)
{
    *ceiling = 0;
    switch (fn) {
    case PRF_FN_RELU:
        *mode = CUDNN_ACTIVATION_RELU;
        return true;
    case PRF_FN_RELU6:
        *mode = CUDNN_ACTIVATION_CLIPPED_RELU;
        *ceiling = 6;
        return true;
    case PRF_FN_SIGMOID:
        *mode = CUDNN_ACTIVATION_SIGMOID;
        return true;
    case PRF_FN_TANH:
        *mode = CUDNN_ACTIVATION_TANH;
        return true;
    case PRF_FN_SWISH:
        *mode = CUDNN_ACTIVATION_SWISH;
        return true;
    default:
        return false;
    }
}

cudnnStatus_t prf_cuda_describe(const prf_board_t *board, const prf_cuda_tensor_t *tensor, cudnnTensorDescriptor_t *out)
{
    const prf_shape_t *s = &tensor->shape;
    cudnnStatus_t status = board->lib.cudnnCreateTensorDescriptor(out);
    return status ? status
                  : board->lib.cudnnSetTensor4dDescriptor(*out, prf_cuda_format(tensor), prf_cuda_dnn_type(tensor->dtype),
                                                          (int)s->n, (int)s->c, (int)s->h, (int)s->w);
}

static bool fuses(prf_layer_kind_t kind, const prf_layer_t *next)
{
    if (!next || next->kind != PRF_ACTIVATION)
        return false;
    int32_t fn = next->p[PRF_P_FN];
    return kind == PRF_FC ? fn == PRF_FN_RELU || fn == PRF_FN_GELU : kind <= PRF_CONVTRANSPOSE2D && fn == PRF_FN_RELU;
}

/* The tensors besides input and output. */
static void shape_parameters(prf_cuda_step_t *step, prf_shape_t in, prf_shape_t out)
{
    const int32_t *p = step->layer.p;
    prf_shape_t *weights = &step->tensors[PRF_CUDA_WEIGHTS].shape, *operand = &step->tensors[PRF_CUDA_OPERAND].shape;
    switch (step->layer.kind) {
    case PRF_CONV1D:
        *weights = (prf_shape_t){p[PRF_P_K], p[PRF_P_C], 1, p[PRF_P_F]};
        break;
    case PRF_CONV2D:
    case PRF_DWCONV2D:
        *weights = (prf_shape_t){p[PRF_P_K], p[PRF_P_C] / p[PRF_P_GROUPS], p[PRF_P_R], p[PRF_P_S]};
        break;
    case PRF_CONVTRANSPOSE2D: /* the filter of the convolution that it is the gradient of */
        *weights = (prf_shape_t){p[PRF_P_C], p[PRF_P_K] / p[PRF_P_GROUPS], p[PRF_P_R], p[PRF_P_S]};
        break;
    case PRF_FC:
        *weights = (prf_shape_t){p[PRF_P_OUT], p[PRF_P_IN], 1, 1};
        break;
    case PRF_MATMUL:
        *operand = (prf_shape_t){p[PRF_P_B], 1, p[PRF_P_N], p[PRF_P_K]};
        break;
    case PRF_ADD:
        *operand = in;
        break;
    default:
        break;
    }
    if (weights->n > 0)
        step->tensors[PRF_CUDA_BIAS].shape = (prf_shape_t){1, out.c, 1, 1};
}

static bool is_image(prf_layer_kind_t kind)
{
    return kind != PRF_FC && kind != PRF_MATMUL && kind != PRF_SOFTMAX;
}

static prf_status_t check_support(const prf_board_t *board, const prf_layer_t *layer, prf_dtype_t dtype, prf_error_t *err)
{
    const char *kind = prf_layer_kind_name(layer->kind);
    cudnnActivationMode_t mode;
    double ceiling;
    if (!ops[layer->kind])
        return prf_fail(err, PRF_EUNSUPPORTED, "%s: cuDNN and cuBLAS have no call for it: leave it out", kind);
    if (!(board->facts.dtypes & 1U << dtype))
        return prf_fail(err, PRF_EUNSUPPORTED, "this GPU computes nothing in %s: use f32", prf_dtype_name(dtype));
    if (layer->kind == PRF_ACTIVATION && !prf_cuda_activation_mode((prf_activation_t)layer->p[PRF_P_FN], &mode, &ceiling))
        return prf_fail(err, PRF_EUNSUPPORTED,
                        "activation %s: cuDNN has no call for it: leave it out, or have gelu right behind a fully connected layer",
                        prf_activation_name((prf_activation_t)layer->p[PRF_P_FN]));
    if (dtype == PRF_I8 && board->layout == PRF_CUDA_LAYOUT_NCHW)
        return prf_fail(err, PRF_EUNSUPPORTED, "i8 exists channels last only: leave out the option layout=nchw");
    return PRF_OK;
}

/* 8-bit products are computed on vectors of four. */
static prf_status_t check_fours(const prf_cuda_step_t *step, prf_error_t *err)
{
    const int32_t *p = step->layer.p;
    int32_t in, out;
    if (step->dtype != PRF_I8)
        return PRF_OK;
    if (step->ops == &prf_cuda_convolution) {
        in = p[PRF_P_C];
        out = p[PRF_P_K];
    } else if (step->ops == &prf_cuda_product) {
        in = step->layer.kind == PRF_FC ? p[PRF_P_IN] : p[PRF_P_K];
        out = step->layer.kind == PRF_FC ? p[PRF_P_OUT] : p[PRF_P_N];
    } else
        return PRF_OK;
    if (in % 4 || out % 4)
        return prf_fail(err, PRF_EUNSUPPORTED, "%s of i8 from %d to %d: use multiples of 4", prf_layer_kind_name(step->layer.kind),
                        in, out);
    return PRF_OK;
}

/* Before anything is asked of the libraries, whose sizes are ints. */
static prf_status_t check_sizes(const prf_cuda_step_t *step, prf_error_t *err)
{
    double bytes = 0;
    for (int i = 0; i < PRF_CUDA_TENSORS; i++) {
        const prf_shape_t *s = &step->tensors[i].shape;
        if ((double)s->n * (double)s->c * (double)s->h * (double)s->w > INT32_MAX)
            return prf_fail(err, PRF_EUNSUPPORTED, "a tensor of more than %d numbers: leave it out", INT32_MAX);
        bytes += prf_cuda_tensor_bytes(&step->tensors[i]);
    }
    if (bytes > step->board->limit)
        return prf_fail(err, PRF_EUNSUPPORTED,
                        "%s needs %.1f GiB, the limit on this GPU is %.1f GiB: leave it out, or use a larger one",
                        prf_layer_kind_name(step->layer.kind), bytes / (1 << 30), step->board->limit / (1 << 30));
    return PRF_OK;
}

prf_status_t prf_cuda_step_init(prf_cuda_step_t *out, prf_board_t *board, const prf_layer_t *layer, prf_dtype_t dtype,
                                const prf_layer_t *next, bool *took, prf_error_t *err)
{
    prf_status_t status = check_support(board, layer, dtype, err);
    if (status)
        return status;
    prf_cuda_step_t step = {.ops = ops[layer->kind], .board = board, .layer = *layer, .dtype = dtype, .fused = -1};
    bool fused = fuses(layer->kind, next);
    if (fused)
        step.fused = next->p[PRF_P_FN];
    step.tensors[PRF_CUDA_INPUT].shape = prf_layer_in_shape(layer);
    step.tensors[PRF_CUDA_OUTPUT].shape = prf_layer_out_shape(layer);
    shape_parameters(&step, prf_layer_in_shape(layer), prf_layer_out_shape(layer));
    bool last = board->layout == PRF_CUDA_LAYOUT_AUTO ? dtype != PRF_F32 : board->layout == PRF_CUDA_LAYOUT_NHWC;
    for (int i = 0; i < PRF_CUDA_TENSORS; i++) {
        step.tensors[i].dtype = i == PRF_CUDA_BIAS && dtype == PRF_I8 ? PRF_F32 : dtype;
        step.tensors[i].nhwc = is_image(layer->kind) && last;
    }
    status = check_fours(&step, err);
    if (!status)
        status = check_sizes(&step, err);
    if (status)
        return status;
    double depth = prf_layer_macs(layer) / prf_layer_outputs(layer);
    step.scale = dtype == PRF_I8 ? (float)(1 / (127 * sqrt(fmax(depth, 1)))) : 1;
    *took = fused;
    *out = step;
    return PRF_OK;
}

prf_status_t prf_cuda_step_try(const prf_cuda_step_t *step, double *ns, prf_error_t *err)
{
    prf_board_t *board = step->board;
    prf_status_t status = step->ops->execute(step, err);
    if (!status)
        status = prf_cuda_mark(board, board->begin, err);
    if (!status)
        status = step->ops->execute(step, err);
    if (!status)
        status = prf_cuda_mark(board, board->end, err);
    return status ? status : prf_cuda_wait(board, ns, err);
}

prf_status_t prf_cuda_step_choose(prf_cuda_step_t *step, int count,
                                  prf_status_t (*take)(prf_cuda_step_t *step, int i, prf_error_t *err), prf_error_t *err)
{
    double fastest = INFINITY;
    int best = -1;
    prf_status_t why = PRF_OK;
    for (int i = 0; i < count; i++) {
        double ns = INFINITY;
        prf_status_t status = take(step, i, err);
        if (status == PRF_ENOTFOUND)
            continue;
        if (!status)
            status = prf_cuda_step_try(step, &ns, err);
        if (status) {
            why = status;
            status = prf_cuda_wait(step->board, NULL, err); /* what else is tried in a context that is gone tells nothing */
            if (status)
                return status;
        }
        if (ns < fastest) {
            fastest = ns;
            best = i;
        }
    }
    if (best >= 0)
        return take(step, best, err);
    return why ? why
               : prf_fail(err, PRF_EUNSUPPORTED, "%s of %s: the library has no call for it: leave it out, or use another data type",
                          prf_layer_kind_name(step->layer.kind), prf_dtype_name(step->dtype));
}
