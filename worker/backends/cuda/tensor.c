// SPDX-License-Identifier: Apache-2.0
/* tensor.c - contents are a short random pattern, repeated: its length is prime, so that it lines up with no dimension. It is
 * brought to the device once and copied there, doubling, since the way there is slow. */
#include "backends/cuda/tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { PATTERN = 4093 };

static const struct {
    cudnnDataType_t dnn;
    cudaDataType_t cuda;
    size_t bytes;
} types[PRF_DTYPES] = {
    [PRF_F32] = {CUDNN_DATA_FLOAT, CUDA_R_32F, 4},
    [PRF_F16] = {CUDNN_DATA_HALF, CUDA_R_16F, 2},
    [PRF_BF16] = {CUDNN_DATA_BFLOAT16, CUDA_R_16BF, 2},
    [PRF_I8] = {CUDNN_DATA_INT8, CUDA_R_8I, 1},
};

cudnnDataType_t prf_cuda_dnn_type(prf_dtype_t dtype)
{
    return types[dtype].dnn;
}

cudaDataType_t prf_cuda_type(prf_dtype_t dtype)
{
    return types[dtype].cuda;
}

cudnnTensorFormat_t prf_cuda_format(const prf_cuda_tensor_t *tensor)
{
    return tensor->nhwc ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW;
}

static double elements(const prf_shape_t *shape)
{
    return (double)shape->n * (double)shape->c * (double)shape->h * (double)shape->w;
}

double prf_cuda_tensor_bytes(const prf_cuda_tensor_t *tensor)
{
    return elements(&tensor->shape) * (double)types[tensor->dtype].bytes;
}

uint16_t prf_cuda_half(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, mantissa = bits >> 13 & 0x3ff;
    int exponent = (int)(bits >> 23 & 0xff) - 127 + 15;
    if (exponent <= 0)
        return (uint16_t)sign;
    if (exponent >= 31)
        return (uint16_t)(sign | 0x7c00);
    return (uint16_t)(sign | (uint32_t)exponent << 10 | mantissa);
}

float prf_cuda_from_half(uint16_t half)
{
    int exponent = half >> 10 & 0x1f, mantissa = half & 0x3ff;
    float size = exponent == 0    ? ldexpf((float)mantissa, -24)
                 : exponent == 31 ? (mantissa ? NAN : INFINITY)
                                  : ldexpf((float)(mantissa | 0x400), exponent - 25);
    return half & 0x8000 ? -size : size;
}

/* bf16 is a float's upper half. */
static void encode(prf_dtype_t dtype, float value, void *at)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t half = dtype == PRF_F16 ? prf_cuda_half(value) : (uint16_t)(bits >> 16);
    int8_t octet = (int8_t)lrintf(value);
    memcpy(at,
           dtype == PRF_F32  ? (const void *)&value
           : dtype == PRF_I8 ? (const void *)&octet
                             : (const void *)&half,
           types[dtype].bytes);
}

static float decode(prf_dtype_t dtype, const void *at)
{
    float value;
    uint16_t half;
    int8_t octet;
    if (dtype == PRF_F32) {
        memcpy(&value, at, sizeof value);
        return value;
    }
    if (dtype == PRF_I8) {
        memcpy(&octet, at, sizeof octet);
        return octet;
    }
    memcpy(&half, at, sizeof half);
    if (dtype == PRF_F16)
        return prf_cuda_from_half(half);
    uint32_t bits = (uint32_t)half << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

prf_status_t prf_cuda_fill(const prf_cuda_lib_t *lib, cudaStream_t stream, const prf_cuda_tensor_t *tensor, float scale,
                           prf_error_t *err)
{
    unsigned char pattern[PATTERN * sizeof(float)], *base = tensor->at;
    size_t size = types[tensor->dtype].bytes, bytes = (size_t)prf_cuda_tensor_bytes(tensor);
    float range = tensor->dtype == PRF_I8 ? 127 : scale;
    prf_rng_t rng;
    prf_rng_init(&rng, 1, 0);
    for (size_t i = 0; i < PATTERN; i++)
        encode(tensor->dtype, range * (2 * (float)prf_rng_double(&rng) - 1), pattern + i * size);
    size_t done = bytes < PATTERN * size ? bytes : PATTERN * size;
    cudaError_t s = lib->cudaMemcpyAsync(base, pattern, done, cudaMemcpyHostToDevice, stream);
    while (!s && done < bytes) {
        size_t next = done < bytes - done ? done : bytes - done;
        s = lib->cudaMemcpyAsync(base + done, base, next, cudaMemcpyDeviceToDevice, stream);
        done += next;
    }
    if (!s)
        s = lib->cudaStreamSynchronize(stream); /* the pattern goes with this function */
    return s ? prf_cuda_fail(lib, s, "a tensor's contents", err) : PRF_OK;
}

prf_status_t prf_cuda_read(const prf_cuda_lib_t *lib, cudaStream_t stream, const prf_cuda_tensor_t *tensor, float *out,
                           size_t count, prf_error_t *err)
{
    const prf_shape_t *s = &tensor->shape;
    size_t size = types[tensor->dtype].bytes, n = (size_t)s->n, c = (size_t)s->c, image = (size_t)(s->h * s->w);
    if (n * c * image != count)
        return prf_fail(err, PRF_EINVAL, "room for %zu numbers: the tensor has %zu: give room for all of them", count,
                        n * c * image);
    unsigned char *raw = malloc(count * size);
    if (!raw)
        return prf_fail(err, PRF_ENOMEM, "a copy of a tensor");
    cudaError_t e = lib->cudaMemcpyAsync(raw, tensor->at, count * size, cudaMemcpyDeviceToHost, stream);
    if (!e)
        e = lib->cudaStreamSynchronize(stream);
    for (size_t i = 0; !e && i < count; i++) {
        size_t pixel = i % image, channel = i / image % c, batch = i / image / c;
        size_t from = tensor->nhwc ? (batch * image + pixel) * c + channel : i;
        out[i] = decode(tensor->dtype, raw + from * size);
    }
    free(raw);
    return e ? prf_cuda_fail(lib, e, "reading a tensor", err) : PRF_OK;
}
