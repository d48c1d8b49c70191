// SPDX-License-Identifier: Apache-2.0
/* dnn.c - imitates the part of cuDNN 9 that the cuda backend calls: each operation by its definition, with the rules about types,
 * layouts, algorithms and workspace that NVIDIA's documentation gives. The direct algorithm exists for nothing, Winograd for 3x3 of
 * stride 1, the fft for f32 alone with a workspace beyond all measure. */
#include <cudnn.h>
#include <stdlib.h>

#include "numbers.h"

struct cudnnContext {
    cudaStream_t stream;
};
struct cudnnTensorStruct { /* of a filter: k c r s */
    cudnnDataType_t type;
    int nhwc, n, c, h, w;
};
struct cudnnFilterStruct {
    struct cudnnTensorStruct of;
};
struct cudnnConvolutionStruct {
    int pad_h, pad_w, stride_h, stride_w, dilation, groups;
    cudnnDataType_t sums;
    cudnnMathType_t math;
};
struct cudnnActivationStruct {
    cudnnActivationMode_t mode;
    double ceiling, beta;
};
struct cudnnPoolingStruct {
    cudnnPoolingMode_t mode;
    int h, w, pad_h, pad_w, stride_h, stride_w;
};
struct cudnnOpTensorStruct {
    cudnnOpTensorOp_t op;
};

enum { WORKSPACE = 4096 };

#define CREATE_AND_DESTROY(Name, handle)                                                                                           \
    cudnnStatus_t cudnnCreate##Name(handle *out)                                                                                   \
    {                                                                                                                              \
        *out = calloc(1, sizeof **out);                                                                                            \
        return CUDNN_STATUS_SUCCESS;                                                                                               \
    }                                                                                                                              \
    cudnnStatus_t cudnnDestroy##Name(handle self)                                                                                  \
    {                                                                                                                              \
        free(self);                                                                                                                \
        return CUDNN_STATUS_SUCCESS;                                                                                               \
    }
CREATE_AND_DESTROY(, cudnnHandle_t)
CREATE_AND_DESTROY(TensorDescriptor, cudnnTensorDescriptor_t)
CREATE_AND_DESTROY(FilterDescriptor, cudnnFilterDescriptor_t)
CREATE_AND_DESTROY(ConvolutionDescriptor, cudnnConvolutionDescriptor_t)
CREATE_AND_DESTROY(ActivationDescriptor, cudnnActivationDescriptor_t)
CREATE_AND_DESTROY(PoolingDescriptor, cudnnPoolingDescriptor_t)
CREATE_AND_DESTROY(OpTensorDescriptor, cudnnOpTensorDescriptor_t)

size_t cudnnGetVersion(void)
{
    return CUDNN_VERSION;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    return status == CUDNN_STATUS_NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED" : "CUDNN_STATUS_BAD_PARAM";
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t self, cudnnTensorFormat_t format, cudnnDataType_t type, int n,
                                         int c, int h, int w)
{
    *self = (struct cudnnTensorStruct){type, format == CUDNN_TENSOR_NHWC, n, c, h, w};
    return n > 0 && c > 0 && h > 0 && w > 0 ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t self, cudnnDataType_t type, cudnnTensorFormat_t format, int k,
                                         int c, int h, int w)
{
    return cudnnSetTensor4dDescriptor(&self->of, format, type, k, c, h, w);
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t self, int pad_h, int pad_w, int u, int v, int dilation_h,
                                              int dilation_w, cudnnConvolutionMode_t mode, cudnnDataType_t sums)
{
    *self = (struct cudnnConvolutionStruct){pad_h, pad_w, u, v, dilation_h, 1, sums, CUDNN_DEFAULT_MATH};
    return mode == CUDNN_CROSS_CORRELATION && dilation_h == dilation_w ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t self, int groups)
{
    self->groups = groups;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t self, cudnnMathType_t math)
{
    self->math = math;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t self, cudnnActivationMode_t mode, cudnnNanPropagation_t nan,
                                           double ceiling)
{
    (void)nan;
    *self = (struct cudnnActivationStruct){mode, ceiling, 0};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetActivationDescriptorSwishBeta(cudnnActivationDescriptor_t self, double beta)
{
    self->beta = beta;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetPooling2dDescriptor(cudnnPoolingDescriptor_t self, cudnnPoolingMode_t mode, cudnnNanPropagation_t nan, int h,
                                          int w, int pad_h, int pad_w, int stride_h, int stride_w)
{
    (void)nan;
    *self = (struct cudnnPoolingStruct){mode, h, w, pad_h, pad_w, stride_h, stride_w};
    return pad_h < h && pad_w < w ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

cudnnStatus_t cudnnSetOpTensorDescriptor(cudnnOpTensorDescriptor_t self, cudnnOpTensorOp_t op, cudnnDataType_t type,
                                         cudnnNanPropagation_t nan)
{
    (void)nan;
    self->op = op;
    return type == CUDNN_DATA_FLOAT ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

/* ---- elements ---- */

static number_t number_of(const struct cudnnTensorStruct *t)
{
    return t->type == CUDNN_DATA_FLOAT ? F32 : t->type == CUDNN_DATA_HALF ? F16 : t->type == CUDNN_DATA_BFLOAT16 ? BF16 : I8;
}

static size_t place(const struct cudnnTensorStruct *t, int n, int c, int h, int w)
{
    size_t N = (size_t)n, C = (size_t)c, H = (size_t)h, W = (size_t)w, cs = (size_t)t->c, hs = (size_t)t->h, ws = (size_t)t->w;
    return t->nhwc ? ((N * hs + H) * ws + W) * cs + C : ((N * cs + C) * hs + H) * ws + W;
}

static double get(const struct cudnnTensorStruct *t, const void *base, int n, int c, int h, int w)
{
    if (h < 0 || w < 0 || h >= t->h || w >= t->w)
        return 0;
    return (double)get_number(number_of(t), base, place(t, n, c, h, w));
}

/* The i-th element of a tensor in plain order. */
typedef struct {
    int n, c, h, w;
} index_t;

static index_t index_of(const struct cudnnTensorStruct *t, int i)
{
    return (index_t){i / t->w / t->h / t->c, i / t->w / t->h % t->c, i / t->w % t->h, i % t->w};
}

static int elements(const struct cudnnTensorStruct *t)
{
    return t->n * t->c * t->h * t->w;
}

static void put(const struct cudnnTensorStruct *t, void *base, index_t i, double value)
{
    put_number(number_of(t), base, place(t, i.n, i.c, i.h, i.w), value);
}

static int same(const struct cudnnTensorStruct *a, const struct cudnnTensorStruct *b)
{
    return a->type == b->type && a->nhwc == b->nhwc && a->n == b->n && a->c == b->c && a->h == b->h && a->w == b->w;
}

static double activate(const struct cudnnActivationStruct *fn, double x)
{
    switch (fn->mode) {
    case CUDNN_ACTIVATION_RELU:
        return fmax(x, 0);
    case CUDNN_ACTIVATION_CLIPPED_RELU:
        return fmin(fmax(x, 0), fn->ceiling);
    case CUDNN_ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-x));
    case CUDNN_ACTIVATION_TANH:
        return tanh(x);
    case CUDNN_ACTIVATION_SWISH:
        return x / (1 + exp(-fn->beta * x));
    default:
        return x;
    }
}

/* ---- convolutions ---- */

static int extent(int size, int kernel, int pad, int stride, int dilation)
{
    return (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
}

/* A convolution from x to y is possible as it is described. */
static cudnnStatus_t check(const struct cudnnTensorStruct *x, const struct cudnnTensorStruct *w, const struct cudnnTensorStruct *y,
                           const struct cudnnConvolutionStruct *conv)
{
    int narrow = x->type == CUDNN_DATA_INT8;
    if (x->c != w->c * conv->groups || y->c != w->n || w->n % conv->groups || x->n != y->n ||
        y->h != extent(x->h, w->h, conv->pad_h, conv->stride_h, conv->dilation) ||
        y->w != extent(x->w, w->w, conv->pad_w, conv->stride_w, conv->dilation))
        return CUDNN_STATUS_BAD_PARAM;
    if (x->type != w->type || x->type != y->type || x->nhwc != y->nhwc || x->nhwc != w->nhwc)
        return CUDNN_STATUS_NOT_SUPPORTED;
    if (conv->sums != (narrow ? CUDNN_DATA_INT32 : CUDNN_DATA_FLOAT))
        return CUDNN_STATUS_NOT_SUPPORTED;
    return narrow && (!x->nhwc || x->c % 4 || y->c % 4) ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_SUCCESS;
}

static int has_forward(const struct cudnnTensorStruct *x, const struct cudnnTensorStruct *w,
                       const struct cudnnConvolutionStruct *conv, cudnnConvolutionFwdAlgo_t algo)
{
    if (x->type == CUDNN_DATA_INT8)
        return algo == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
    if (algo == CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD)
        return w->h == 3 && w->w == 3 && conv->stride_h == 1 && conv->groups == 1;
    if (algo == CUDNN_CONVOLUTION_FWD_ALGO_FFT)
        return x->type == CUDNN_DATA_FLOAT && !x->nhwc;
    return algo == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM || algo == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle, const cudnnTensorDescriptor_t x,
                                                      const cudnnFilterDescriptor_t w, const cudnnConvolutionDescriptor_t conv,
                                                      const cudnnTensorDescriptor_t y, cudnnConvolutionFwdAlgo_t algo,
                                                      size_t *bytes)
{
    cudnnStatus_t s = handle ? check(x, &w->of, y, conv) : CUDNN_STATUS_BAD_PARAM;
    *bytes = algo == CUDNN_CONVOLUTION_FWD_ALGO_FFT                     ? (size_t)1 << 40
             : algo == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM ? WORKSPACE
                                                                        : 0;
    return s ? s : has_forward(x, &w->of, conv, algo) ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t x, const void *X,
                                      const cudnnFilterDescriptor_t filter, const void *W, const cudnnConvolutionDescriptor_t conv,
                                      cudnnConvolutionFwdAlgo_t algo, void *workspace, size_t workspace_bytes, const void *beta,
                                      const cudnnTensorDescriptor_t y, void *Y)
{
    const struct cudnnTensorStruct *w = &filter->of;
    size_t needed;
    cudnnStatus_t s = cudnnGetConvolutionForwardWorkspaceSize(handle, x, filter, conv, y, algo, &needed);
    if (s || workspace_bytes < needed || (needed && !workspace) || *(const float *)beta != 0)
        return s ? s : CUDNN_STATUS_BAD_PARAM;
    for (int i = 0; i < elements(y); i++) {
        index_t at = index_of(y, i);
        int first = at.c / (y->c / conv->groups) * w->c;
        double sum = 0;
        for (int c = 0; c < w->c; c++)
            for (int r = 0; r < w->h; r++)
                for (int q = 0; q < w->w; q++)
                    sum += get(w, W, at.c, c, r, q) * get(x, X, at.n, first + c,
                                                          at.h * conv->stride_h - conv->pad_h + r * conv->dilation,
                                                          at.w * conv->stride_w - conv->pad_w + q * conv->dilation);
        put(y, Y, at, (double)*(const float *)alpha * sum);
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnAddTensor(cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t a, const void *A,
                             const void *beta, const cudnnTensorDescriptor_t c, void *C)
{
    if (!handle || a->n != 1 || a->c != c->c || a->h != 1 || a->w != 1 || *(const float *)alpha != 1 || *(const float *)beta != 1)
        return CUDNN_STATUS_BAD_PARAM;
    if (a->type != c->type)
        return CUDNN_STATUS_NOT_SUPPORTED;
    for (int i = 0; i < elements(c); i++) {
        index_t at = index_of(c, i);
        put(c, C, at, get(c, C, at.n, at.c, at.h, at.w) + get(a, A, 0, at.c, 0, 0));
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnActivationForward(cudnnHandle_t handle, cudnnActivationDescriptor_t fn, const void *alpha,
                                     const cudnnTensorDescriptor_t x, const void *X, const void *beta,
                                     const cudnnTensorDescriptor_t y, void *Y)
{
    if (!handle || !same(x, y) || *(const float *)alpha != 1 || *(const float *)beta != 0)
        return CUDNN_STATUS_BAD_PARAM;
    if (x->type == CUDNN_DATA_INT8)
        return CUDNN_STATUS_NOT_SUPPORTED;
    for (int i = 0; i < elements(x); i++) {
        index_t at = index_of(x, i);
        put(y, Y, at, activate(fn, get(x, X, at.n, at.c, at.h, at.w)));
    }
    return CUDNN_STATUS_SUCCESS;
}

/* 8-bit numbers have a bias of f32, and sums that are rounded once, behind it. */
static void eight_bits(float alpha, const struct cudnnTensorStruct *x, const void *X, const struct cudnnTensorStruct *w,
                       const void *W, const struct cudnnConvolutionStruct *conv, const float *bias,
                       const struct cudnnActivationStruct *fn, const struct cudnnTensorStruct *y, void *Y)
{
    for (int i = 0; i < elements(y); i++) {
        index_t at = index_of(y, i);
        int first = at.c / (y->c / conv->groups) * w->c;
        double sum = 0;
        for (int k = 0; k < w->c * w->h * w->w; k++) {
            int c = k / w->w / w->h, r = k / w->w % w->h, q = k % w->w;
            sum += get(w, W, at.c, c, r, q) * get(x, X, at.n, first + c, at.h * conv->stride_h - conv->pad_h + r * conv->dilation,
                                                  at.w * conv->stride_w - conv->pad_w + q * conv->dilation);
        }
        put(y, Y, at, activate(fn, (double)alpha * sum + (double)bias[at.c]));
    }
}

cudnnStatus_t cudnnConvolutionBiasActivationForward(cudnnHandle_t handle, const void *alpha1, const cudnnTensorDescriptor_t x,
                                                    const void *X, const cudnnFilterDescriptor_t w, const void *W,
                                                    const cudnnConvolutionDescriptor_t conv, cudnnConvolutionFwdAlgo_t algo,
                                                    void *workspace, size_t workspace_bytes, const void *alpha2,
                                                    const cudnnTensorDescriptor_t z, const void *Z,
                                                    const cudnnTensorDescriptor_t bias, const void *B,
                                                    const cudnnActivationDescriptor_t fn, const cudnnTensorDescriptor_t y, void *Y)
{
    static const float one = 1, zero = 0;
    size_t needed;
    if (*(const float *)alpha2 != 0 || !same(z, y) || Z != Y || X == Y)
        return CUDNN_STATUS_BAD_PARAM;
    if (fn->mode != CUDNN_ACTIVATION_RELU &&
        (fn->mode != CUDNN_ACTIVATION_IDENTITY || algo != CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM))
        return CUDNN_STATUS_NOT_SUPPORTED;
    if (bias->type != (y->type == CUDNN_DATA_INT8 ? CUDNN_DATA_FLOAT : y->type))
        return CUDNN_STATUS_NOT_SUPPORTED;
    cudnnStatus_t s = cudnnGetConvolutionForwardWorkspaceSize(handle, x, w, conv, y, algo, &needed);
    if (s || y->type != CUDNN_DATA_INT8) {
        if (!s)
            s = cudnnConvolutionForward(handle, alpha1, x, X, w, W, conv, algo, workspace, workspace_bytes, &zero, y, Y);
        if (!s)
            s = cudnnAddTensor(handle, &one, bias, B, &one, y, Y);
        return s ? s : cudnnActivationForward(handle, fn, &one, y, Y, &zero, y, Y);
    }
    if (workspace_bytes < needed || !workspace)
        return CUDNN_STATUS_BAD_PARAM;
    eight_bits(*(const float *)alpha1, x, X, &w->of, W, conv, B, fn, y, Y);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t handle, const cudnnFilterDescriptor_t w,
                                                           const cudnnTensorDescriptor_t dy,
                                                           const cudnnConvolutionDescriptor_t conv,
                                                           const cudnnTensorDescriptor_t dx, cudnnConvolutionBwdDataAlgo_t algo,
                                                           size_t *bytes)
{
    cudnnStatus_t s = handle ? check(dx, &w->of, dy, conv) : CUDNN_STATUS_BAD_PARAM;
    *bytes = algo == CUDNN_CONVOLUTION_BWD_DATA_ALGO_1 ? WORKSPACE : 0;
    if (!s && (algo > CUDNN_CONVOLUTION_BWD_DATA_ALGO_1 || dx->type == CUDNN_DATA_INT8))
        s = CUDNN_STATUS_NOT_SUPPORTED;
    return s;
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void *alpha, const cudnnFilterDescriptor_t filter,
                                           const void *W, const cudnnTensorDescriptor_t dy, const void *DY,
                                           const cudnnConvolutionDescriptor_t conv, cudnnConvolutionBwdDataAlgo_t algo,
                                           void *workspace, size_t workspace_bytes, const void *beta,
                                           const cudnnTensorDescriptor_t dx, void *DX)
{
    const struct cudnnTensorStruct *w = &filter->of;
    size_t needed;
    cudnnStatus_t s = cudnnGetConvolutionBackwardDataWorkspaceSize(handle, filter, dy, conv, dx, algo, &needed);
    if (s || workspace_bytes < needed || (needed && !workspace) || *(const float *)beta != 0)
        return s ? s : CUDNN_STATUS_BAD_PARAM;
    double *sums = calloc((size_t)elements(dx), sizeof *sums);
    struct cudnnTensorStruct plain = *dx;
    plain.nhwc = 0;
    for (int i = 0; i < elements(dy) * w->c * w->h * w->w; i++) {
        int k = i % (w->c * w->h * w->w);
        index_t at = index_of(dy, i / (w->c * w->h * w->w));
        int c = k / w->w / w->h, r = k / w->w % w->h, q = k % w->w, first = at.c / (dy->c / conv->groups) * w->c;
        int h = at.h * conv->stride_h - conv->pad_h + r * conv->dilation;
        int v = at.w * conv->stride_w - conv->pad_w + q * conv->dilation;
        if (h >= 0 && h < dx->h && v >= 0 && v < dx->w)
            sums[place(&plain, at.n, first + c, h, v)] += get(w, W, at.c, c, r, q) * get(dy, DY, at.n, at.c, at.h, at.w);
    }
    for (int i = 0; i < elements(dx); i++)
        put(dx, DX, index_of(dx, i), (double)*(const float *)alpha * sums[i]);
    free(sums);
    return CUDNN_STATUS_SUCCESS;
}

/* ---- the others ---- */

cudnnStatus_t cudnnPoolingForward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t pool, const void *alpha,
                                  const cudnnTensorDescriptor_t x, const void *X, const void *beta, const cudnnTensorDescriptor_t y,
                                  void *Y)
{
    if (!handle || *(const float *)alpha != 1 || *(const float *)beta != 0 || x->c != y->c || x->type != y->type ||
        y->h != extent(x->h, pool->h, pool->pad_h, pool->stride_h, 1) ||
        y->w != extent(x->w, pool->w, pool->pad_w, pool->stride_w, 1))
        return CUDNN_STATUS_BAD_PARAM;
    for (int i = 0; i < elements(y); i++) {
        index_t at = index_of(y, i);
        double most = -INFINITY, sum = 0, count = 0;
        for (int k = 0; k < pool->h * pool->w; k++) {
            int h = at.h * pool->stride_h - pool->pad_h + k / pool->w, w = at.w * pool->stride_w - pool->pad_w + k % pool->w;
            if (h < 0 || w < 0 || h >= x->h || w >= x->w)
                continue;
            double value = get(x, X, at.n, at.c, h, w);
            most = fmax(most, value);
            sum += value;
            count++;
        }
        put(y, Y, at, pool->mode == CUDNN_POOLING_MAX ? most : sum / count);
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnOpTensor(cudnnHandle_t handle, const cudnnOpTensorDescriptor_t op, const void *alpha1,
                            const cudnnTensorDescriptor_t a, const void *A, const void *alpha2, const cudnnTensorDescriptor_t b,
                            const void *B, const void *beta, const cudnnTensorDescriptor_t c, void *C)
{
    if (!handle || op->op != CUDNN_OP_TENSOR_ADD || !same(a, b) || !same(a, c) || *(const float *)alpha1 != 1 ||
        *(const float *)alpha2 != 1 || *(const float *)beta != 0)
        return CUDNN_STATUS_BAD_PARAM;
    for (int i = 0; i < elements(a); i++) {
        index_t at = index_of(a, i);
        put(c, C, at, get(a, A, at.n, at.c, at.h, at.w) + get(b, B, at.n, at.c, at.h, at.w));
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSoftmaxForward(cudnnHandle_t handle, cudnnSoftmaxAlgorithm_t algo, cudnnSoftmaxMode_t mode, const void *alpha,
                                  const cudnnTensorDescriptor_t x, const void *X, const void *beta, const cudnnTensorDescriptor_t y,
                                  void *Y)
{
    if (!handle || algo != CUDNN_SOFTMAX_ACCURATE || mode != CUDNN_SOFTMAX_MODE_INSTANCE || !same(x, y) ||
        *(const float *)alpha != 1 || *(const float *)beta != 0)
        return CUDNN_STATUS_BAD_PARAM;
    if (x->type == CUDNN_DATA_INT8)
        return CUDNN_STATUS_NOT_SUPPORTED;
    int length = x->c * x->h * x->w;
    for (int i = 0; i < elements(x); i++) {
        double sum = 0;
        for (int k = 0; k < length; k++)
            sum += exp((double)get_number(number_of(x), X, (size_t)(i / length * length + k)));
        put_number(number_of(y), Y, (size_t)i, exp((double)get_number(number_of(x), X, (size_t)i)) / sum);
    }
    return CUDNN_STATUS_SUCCESS;
}
