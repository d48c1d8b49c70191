// SPDX-License-Identifier: Apache-2.0
/* plain.c - the layers that are one call of cuDNN without a choice: pooling, activations, softmax, addition. Planning one runs it,
 * so that what cuDNN refuses is refused then. */
#include <stdlib.h>

#include "backends/cuda/step.h"

typedef struct {
    cudnnTensorDescriptor_t x, y;
    cudnnPoolingDescriptor_t pooling; /* each of the three only where it is needed */
    cudnnActivationDescriptor_t activation;
    cudnnOpTensorDescriptor_t addition;
} plan_t;

static const float one = 1, zero = 0;

static cudnnStatus_t describe_pooling(const prf_cuda_step_t *step, plan_t *plan)
{
    const prf_cuda_lib_t *lib = &step->board->lib;
    const int32_t *p = step->layer.p;
    cudnnPoolingMode_t mode = step->layer.kind == PRF_MAXPOOL2D ? CUDNN_POOLING_MAX : CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING;
    cudnnStatus_t s = lib->cudnnCreatePoolingDescriptor(&plan->pooling);
    return s ? s
             : lib->cudnnSetPooling2dDescriptor(plan->pooling, mode, CUDNN_NOT_PROPAGATE_NAN, p[PRF_P_R], p[PRF_P_S], p[PRF_P_PAD],
                                                p[PRF_P_PAD], p[PRF_P_STRIDE], p[PRF_P_STRIDE]);
}

static cudnnStatus_t describe_activation(const prf_cuda_step_t *step, plan_t *plan)
{
    const prf_cuda_lib_t *lib = &step->board->lib;
    cudnnActivationMode_t mode;
    double ceiling;
    if (!prf_cuda_activation_mode((prf_activation_t)step->layer.p[PRF_P_FN], &mode, &ceiling))
        return CUDNN_STATUS_NOT_SUPPORTED;
    cudnnStatus_t s = lib->cudnnCreateActivationDescriptor(&plan->activation);
    if (!s)
        s = lib->cudnnSetActivationDescriptor(plan->activation, mode, CUDNN_NOT_PROPAGATE_NAN, ceiling);
    if (!s && mode == CUDNN_ACTIVATION_SWISH)
        s = lib->cudnnSetActivationDescriptorSwishBeta(plan->activation, 1);
    return s;
}

static cudnnStatus_t describe_addition(const prf_cuda_step_t *step, plan_t *plan)
{
    const prf_cuda_lib_t *lib = &step->board->lib;
    cudnnStatus_t s = lib->cudnnCreateOpTensorDescriptor(&plan->addition);
    return s ? s : lib->cudnnSetOpTensorDescriptor(plan->addition, CUDNN_OP_TENSOR_ADD, CUDNN_DATA_FLOAT, CUDNN_NOT_PROPAGATE_NAN);
}

static cudnnStatus_t describe(const prf_cuda_step_t *step, plan_t *plan)
{
    cudnnStatus_t s = prf_cuda_describe(step->board, &step->tensors[PRF_CUDA_INPUT], &plan->x);
    if (!s)
        s = prf_cuda_describe(step->board, &step->tensors[PRF_CUDA_OUTPUT], &plan->y);
    if (s)
        return s;
    switch (step->layer.kind) {
    case PRF_MAXPOOL2D:
    case PRF_AVGPOOL2D:
        return describe_pooling(step, plan);
    case PRF_ACTIVATION:
        return describe_activation(step, plan);
    case PRF_ADD:
        return describe_addition(step, plan);
    default: /* softmax has no more to tell */
        return CUDNN_STATUS_SUCCESS;
    }
}

static prf_status_t make_plan(prf_cuda_step_t *step, prf_error_t *err)
{
    plan_t *plan = calloc(1, sizeof *plan);
    if (!plan)
        return prf_fail(err, PRF_ENOMEM, "a plan of a layer");
    step->plan = plan;
    cudnnStatus_t s = describe(step, plan);
    double unused;
    return s ? prf_cudnn_fail(&step->board->lib, s, prf_layer_kind_name(step->layer.kind), err)
             : prf_cuda_step_try(step, &unused, err);
}

static prf_status_t execute(const prf_cuda_step_t *step, prf_error_t *err)
{
    const plan_t *plan = step->plan;
    const prf_cuda_tensor_t *t = step->tensors;
    const void *in = t[PRF_CUDA_INPUT].at;
    void *out = t[PRF_CUDA_OUTPUT].at;
    cudnnHandle_t cudnn = step->board->cudnn;
    const prf_cuda_lib_t *lib = &step->board->lib;
    cudnnStatus_t s;
    if (plan->pooling)
        s = lib->cudnnPoolingForward(cudnn, plan->pooling, &one, plan->x, in, &zero, plan->y, out);
    else if (plan->activation)
        s = lib->cudnnActivationForward(cudnn, plan->activation, &one, plan->x, in, &zero, plan->y, out);
    else if (plan->addition) /* both summands have the output's shape */
        s = lib->cudnnOpTensor(cudnn, plan->addition, &one, plan->x, in, &one, plan->x, t[PRF_CUDA_OPERAND].at, &zero, plan->y,
                               out);
    else
        s = lib->cudnnSoftmaxForward(cudnn, CUDNN_SOFTMAX_ACCURATE, CUDNN_SOFTMAX_MODE_INSTANCE, &one, plan->x, in, &zero, plan->y,
                                     out);
    return s ? prf_cudnn_fail(lib, s, prf_layer_kind_name(step->layer.kind), err) : PRF_OK;
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
    if (plan->pooling)
        (void)lib->cudnnDestroyPoolingDescriptor(plan->pooling);
    if (plan->activation)
        (void)lib->cudnnDestroyActivationDescriptor(plan->activation);
    if (plan->addition)
        (void)lib->cudnnDestroyOpTensorDescriptor(plan->addition);
    free(plan);
    step->plan = NULL;
}

const prf_cuda_ops_t prf_cuda_plain = {.plan = make_plan, .execute = execute, .release = release};
