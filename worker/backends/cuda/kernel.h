// SPDX-License-Identifier: Apache-2.0
/* kernel.h - blocks and networks made ready to run on the GPU. Internal to the cuda backend; functions as in backend.h. One thread.
 */
#ifndef PRF_CUDA_KERNEL_H
#define PRF_CUDA_KERNEL_H

#include "backends/cuda/step.h"

prf_status_t prf_cuda_prepare(prf_board_t *board, const prf_block_t *block, const prf_place_t *place, prf_kernel_t **out,
                              prf_error_t *err);
prf_status_t prf_cuda_prepare_network(prf_board_t *board, const prf_chain_t *network, prf_cache_t cache, prf_kernel_t **out,
                                      prf_error_t *err);
prf_status_t prf_cuda_run(prf_kernel_t *kernel, const prf_run_t *how, prf_reading_t *out, prf_error_t *err);
void prf_cuda_release(prf_kernel_t **self);

/* For tests: how many steps a run executes, and one of them; borrowed from the kernel. */
size_t prf_cuda_steps(const prf_kernel_t *kernel);
const prf_cuda_step_t *prf_cuda_step(const prf_kernel_t *kernel, size_t i);

#endif
