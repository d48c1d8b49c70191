// SPDX-License-Identifier: Apache-2.0
/* convolution.c - convolutions by cuDNN's calls with named algorithms, which take the plain sizes that prfarm has. A transposed one
 * is the gradient of a convolution with respect to its input.
 *
 * How to run one is found by running it: each algorithm that says what memory it needs, with bias and relu within the library's one
 * call where that exists, and as separate calls. cuDNN's own search (cudnnFindConvolutionForwardAlgorithmEx) was not taken: it
 * times the bare convolution, not the call with the bias that is measured later, and for f32 may come back with TF32.
 *
 * f32 without TF32 asks for FMA_MATH; the other types take what is fastest. Sums are f32, those of i8 integers. */
#include <stdlib.h>

#include "backends/cuda/step.h"

/* More than any algorithm that won in practice needs; some ask for gigabytes. */
static const size_t workspace_most = (size_t)1 << 30;

typedef struct {
    cudnnTensorDescriptor_t x, y, bias;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t convolution;
    cudnnActivationDescriptor_t activation; /* relu or none */
    /* the choice */
    int algorithm;
    bool one_call; /* bias and activation within it */
    size_t workspace_bytes;
} plan_t;

static bool transposed(const prf_cuda_step_t *step)
{
    return step->layer.kind == PRF_CONVTRANSPOSE2D;
}

static cudnnStatus_t describe_convolution(const prf_cuda_step_t *step, plan_t *plan)
{
    const prf_cuda_lib_t *lib = &step->board->lib;
    const int32_t *p = step->layer.p;
    bool flat = step->layer.kind == PRF_CONV1D;
    int pad = p[PRF_P_PAD], stride = p[PRF_P_STRIDE], dilation = flat ? 1 : p[PRF_P_DILATION], groups = flat ? 1 : p[PRF_P_GROUPS];
    cudnnDataType_t sums = step->dtype == PRF_I8 ? CUDNN_DATA_INT32 : CUDNN_DATA_FLOAT;
    cudnnStatus_t s = lib->cudnnCreateConvolutionDescriptor(&plan->convolution);
    if (!s)
        s = lib->cudnnSetConvolution2dDescriptor(plan->convolution, flat ? 0 : pad, pad, flat ? 1 : stride, stride, dilation,
                                                 dilation, CUDNN_CROSS_CORRELATION, sums);
    if (!s)
        s = lib->cudnnSetConvolutionGroupCount(plan->convolution, groups);
    if (!s)
        s = lib->cudnnSetConvolutionMathType(plan->convolution, step->dtype != PRF_F32 ? CUDNN_TENSOR_OP_MATH
                                                                : step->board->tf32    ? CUDNN_DEFAULT_MATH
                                                                                       : CUDNN_FMA_MATH);
    return s;
}

static cudnnStatus_t describe_all(const prf_cuda_step_t *step, plan_t *plan)
{
    const prf_cuda_lib_t *lib = &step->board->lib;
    const prf_cuda_tensor_t *weights = &step->tensors[PRF_CUDA_WEIGHTS];
    const prf_shape_t *w = &weights->shape;
    cudnnStatus_t s = prf_cuda_describe(step->board, &step->tensors[PRF_CUDA_INPUT], &plan->x);
    if (!s)
        s = prf_cuda_describe(step->board, &step->tensors[PRF_CUDA_OUTPUT], &plan->y);
    if (!s)
        s = prf_cuda_describe(step->board, &step->tensors[PRF_CUDA_BIAS], &plan->bias);
    if (!s)
        s = lib->cudnnCreateFilterDescriptor(&plan->w);
    if (!s)
        s = lib->cudnnSetFilter4dDescriptor(plan->w, prf_cuda_dnn_type(weights->dtype), prf_cuda_format(weights), (int)w->n,
                                            (int)w->c, (int)w->h, (int)w->w);
    if (!s)
        s = lib->cudnnCreateActivationDescriptor(&plan->activation);
    if (!s)
        s = lib->cudnnSetActivationDescriptor(plan->activation, step->fused < 0 ? CUDNN_ACTIVATION_IDENTITY : CUDNN_ACTIVATION_RELU,
                                              CUDNN_NOT_PROPAGATE_NAN, 0);
    return s ? s : describe_convolution(step, plan);
}

static cudnnStatus_t in_one_call(const prf_cuda_step_t *step, const plan_t *plan)
{
    static const float zero = 0;
    const prf_cuda_tensor_t *t = step->tensors;
    const prf_board_t *board = step->board;
    return board->lib.cudnnConvolutionBiasActivationForward(
        board->cudnn, &step->scale, plan->x, t[PRF_CUDA_INPUT].at, plan->w, t[PRF_CUDA_WEIGHTS].at, plan->convolution,
        (cudnnConvolutionFwdAlgo_t)plan->algorithm, board->workspace, plan->workspace_bytes, &zero, plan->y, t[PRF_CUDA_OUTPUT].at,
        plan->bias, t[PRF_CUDA_BIAS].at, plan->activation, plan->y, t[PRF_CUDA_OUTPUT].at);
}

static cudnnStatus_t in_separate_calls(const prf_cuda_step_t *step, const plan_t *plan)
{
    static const float zero = 0, one = 1;
    const prf_cuda_tensor_t *t = step->tensors;
    const prf_board_t *board = step->board;
    const prf_cuda_lib_t *lib = &board->lib;
    void *out = t[PRF_CUDA_OUTPUT].at;
    cudnnStatus_t s;
    if (transposed(step))
        s = lib->cudnnConvolutionBackwardData(
            board->cudnn, &step->scale, plan->w, t[PRF_CUDA_WEIGHTS].at, plan->x, t[PRF_CUDA_INPUT].at, plan->convolution,
            (cudnnConvolutionBwdDataAlgo_t)plan->algorithm, board->workspace, plan->workspace_bytes, &zero, plan->y, out);
    else
        s = lib->cudnnConvolutionForward(board->cudnn, &step->scale, plan->x, t[PRF_CUDA_INPUT].at, plan->w, t[PRF_CUDA_WEIGHTS].at,
                                         plan->convolution, (cudnnConvolutionFwdAlgo_t)plan->algorithm, board->workspace,
                                         plan->workspace_bytes, &zero, plan->y, out);
    if (!s)
        s = lib->cudnnAddTensor(board->cudnn, &one, plan->bias, t[PRF_CUDA_BIAS].at, &one, plan->y, out);
    if (!s && step->fused >= 0)
        s = lib->cudnnActivationForward(board->cudnn, plan->activation, &one, plan->y, out, &zero, plan->y, out);
    return s;
}

static prf_status_t execute(const prf_cuda_step_t *step, prf_error_t *err)
{
    const plan_t *plan = step->plan;
    cudnnStatus_t s = plan->one_call ? in_one_call(step, plan) : in_separate_calls(step, plan);
    return s ? prf_cudnn_fail(&step->board->lib, s, prf_layer_kind_name(step->layer.kind), err) : PRF_OK;
}

static cudnnStatus_t workspace_of(const prf_cuda_step_t *step, plan_t *plan)
{
    const prf_board_t *board = step->board;
    if (transposed(step))
        return board->lib.cudnnGetConvolutionBackwardDataWorkspaceSize(board->cudnn, plan->w, plan->x, plan->convolution, plan->y,
                                                                       (cudnnConvolutionBwdDataAlgo_t)plan->algorithm,
                                                                       &plan->workspace_bytes);
    return board->lib.cudnnGetConvolutionForwardWorkspaceSize(board->cudnn, plan->x, plan->w, plan->convolution, plan->y,
                                                              (cudnnConvolutionFwdAlgo_t)plan->algorithm, &plan->workspace_bytes);
}

/* The one call takes an algorithm of its own choice where there is no activation, and has no transposed form. 8-bit numbers have no
 * other call: a bias of f32 cannot be added to them. */
static bool exists(const prf_cuda_step_t *step, int algorithm, bool one_call)
{
    if (transposed(step))
        return !one_call;
    if (step->board->algorithm != PRF_CUDA_FASTEST && step->board->algorithm != algorithm)
        return false;
    if (!one_call)
        return step->dtype != PRF_I8;
    return step->fused >= 0 || algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
}

/* Way 2a is algorithm a in one call, way 2a + 1 in separate ones. */
static prf_status_t take(prf_cuda_step_t *step, int i, prf_error_t *err)
{
    plan_t *plan = step->plan;
    plan->algorithm = i / 2;
    plan->one_call = i % 2 == 0;
    if (!exists(step, plan->algorithm, plan->one_call))
        return PRF_ENOTFOUND;
    cudnnStatus_t s = workspace_of(step, plan);
    if (s)
        return prf_cudnn_fail(&step->board->lib, s, prf_layer_kind_name(step->layer.kind), err);
    if (plan->workspace_bytes > workspace_most)
        return prf_fail(err, PRF_EUNSUPPORTED, "%s: this algorithm needs %zu MiB of workspace: leave out the option algorithm=",
                        prf_layer_kind_name(step->layer.kind), plan->workspace_bytes >> 20);
    return prf_cuda_workspace(step->board, plan->workspace_bytes, err);
}

static prf_status_t make_plan(prf_cuda_step_t *step, prf_error_t *err)
{
    plan_t *plan = calloc(1, sizeof *plan);
    if (!plan)
        return prf_fail(err, PRF_ENOMEM, "a plan of a convolution");
    step->plan = plan;
    cudnnStatus_t s = describe_all(step, plan);
    if (s)
        return prf_cudnn_fail(&step->board->lib, s, prf_layer_kind_name(step->layer.kind), err);
    int algorithms = transposed(step) ? CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT : CUDNN_CONVOLUTION_FWD_ALGO_COUNT;
    return prf_cuda_step_choose(step, 2 * algorithms, take, err);
}

static void release(prf_cuda_step_t *step)
{
    plan_t *plan = step->plan;
    const prf_cuda_lib_t *lib = &step->board->lib;
    if (!plan)
        return;
    if (plan->x)
        (void)lib->cudnnDestroyTensorDescriptor(plan->x);
    if (plan->y)
        (void)lib->cudnnDestroyTensorDescriptor(plan->y);
    if (plan->bias)
        (void)lib->cudnnDestroyTensorDescriptor(plan->bias);
    if (plan->w)
        (void)lib->cudnnDestroyFilterDescriptor(plan->w);
    if (plan->convolution)
        (void)lib->cudnnDestroyConvolutionDescriptor(plan->convolution);
    if (plan->activation)
        (void)lib->cudnnDestroyActivationDescriptor(plan->activation);
    free(plan);
    step->plan = NULL;
}

const prf_cuda_ops_t prf_cuda_convolution = {.plan = make_plan, .execute = execute, .release = release};
