// SPDX-License-Identifier: Apache-2.0
/* onednn.h - what a test may look at inside a kernel of the onednn backend. The backend itself is reached through
 * prf_backend_find("onednn"). Same thread rules as backend.h. */
#ifndef PRF_ONEDNN_H
#define PRF_ONEDNN_H

#include "backends/backend.h"

typedef enum { PRF_TENSOR_INPUT, PRF_TENSOR_OPERAND, PRF_TENSOR_WEIGHTS, PRF_TENSOR_BIAS, PRF_TENSOR_OUTPUT } prf_tensor_t;

/* How many primitives a run executes; a fused activation adds none. */
size_t prf_onednn_steps(const prf_kernel_t *kernel);
/* The implementation that the library chose for one of them, "jit:avx512_core"; borrowed from the kernel. */
const char *prf_onednn_step_impl(const prf_kernel_t *kernel, size_t step);
/* A tensor of a step in plain order (n c h w; k c r s) as floats; `count` must be its number of elements.
 * Errors: PRF_ENOTFOUND (the step has no such tensor), PRF_EINVAL (another count), PRF_ENOMEM, PRF_EUNSUPPORTED. */
PRF_CHECKED prf_status_t prf_onednn_read(const prf_kernel_t *kernel, size_t step, prf_tensor_t tensor, float *out, size_t count,
                                         prf_error_t *err);

#endif
