// SPDX-License-Identifier: Apache-2.0
/* tensor.h - numbers in the GPU's memory. Internal to the cuda backend. One thread. */
#ifndef PRF_CUDA_TENSOR_H
#define PRF_CUDA_TENSOR_H

#include "backends/cuda/libraries.h"
#include "layer/layer.h"

typedef struct {
    prf_shape_t shape; /* n c h w; of a filter k c r s. n 0: there is no such tensor */
    prf_dtype_t dtype;
    bool nhwc; /* channels last */
    void *at;  /* on the device, owned by the kernel that it belongs to */
} prf_cuda_tensor_t;

cudnnDataType_t prf_cuda_dnn_type(prf_dtype_t dtype);
cudaDataType_t prf_cuda_type(prf_dtype_t dtype);
cudnnTensorFormat_t prf_cuda_format(const prf_cuda_tensor_t *tensor);
double prf_cuda_tensor_bytes(const prf_cuda_tensor_t *tensor);

/* Fills device memory with random numbers in (-scale, scale), 8-bit ones with their whole range: small and bounded, so that a chain
 * of any length neither overflows nor decays. Errors: those of prf_cuda_fail. */
PRF_CHECKED prf_status_t prf_cuda_fill(const prf_cuda_lib_t *lib, cudaStream_t stream, const prf_cuda_tensor_t *tensor, float scale,
                                       prf_error_t *err);
/* The tensor in plain order (n c h w) as floats; `count` must be its number of elements.
 * Errors: PRF_EINVAL (another count), PRF_ENOMEM, those of prf_cuda_fail. */
PRF_CHECKED prf_status_t prf_cuda_read(const prf_cuda_lib_t *lib, cudaStream_t stream, const prf_cuda_tensor_t *tensor, float *out,
                                       size_t count, prf_error_t *err);
/* Half precision, both ways; numbers that are too small become 0, those that are too large infinity. Pure. */
uint16_t prf_cuda_half(float value);
float prf_cuda_from_half(uint16_t half);

#endif
