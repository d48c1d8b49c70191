// SPDX-License-Identifier: Apache-2.0
/* board.h - the opened GPU, as the parts of the cuda backend share it. Internal to that backend. One thread. */
#ifndef PRF_CUDA_BOARD_H
#define PRF_CUDA_BOARD_H

#include "backends/backend.h"
#include "backends/cuda/monitor.h"

typedef enum { PRF_CUDA_LAYOUT_AUTO, PRF_CUDA_LAYOUT_NCHW, PRF_CUDA_LAYOUT_NHWC, PRF_CUDA_LAYOUTS } prf_cuda_layout_t;

/* The forward algorithms of cuDNN by the names that the option takes; PRF_CUDA_FASTEST: whichever is. */
enum { PRF_CUDA_FASTEST = -1 };

struct prf_board {
    prf_cuda_lib_t lib;
    cudaStream_t stream; /* all that there is runs on it, in order */
    cudaEvent_t begin, end;
    cudnnHandle_t cudnn;
    cublasLtHandle_t blas;
    prf_cuda_monitor_t monitor;
    prf_cuda_layout_t layout;
    bool tf32;     /* products of f32 may be computed in TF32 */
    bool energy;   /* tell it */
    int algorithm; /* of forward convolutions: cudnnConvolutionFwdAlgo_t, or PRF_CUDA_FASTEST */
    double limit;  /* bytes that the tensors of a kernel may take */
    void *workspace;
    size_t workspace_bytes;
    void *sweep; /* twice the last cache, written over to empty it */
    size_t sweep_bytes;
    prf_board_facts_t facts;
};

/* Device memory. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_cuda_allocate(prf_board_t *board, double bytes, const char *what, void **out, prf_error_t *err);
/* Makes the shared workspace at least so large; what it held is lost. On failure it stays as it is. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_cuda_workspace(prf_board_t *board, size_t bytes, prf_error_t *err);
/* Waits until all that was asked for is done; tells the nanoseconds between the events begin and end, unless `ns` is NULL. */
PRF_CHECKED prf_status_t prf_cuda_wait(prf_board_t *board, double *ns, prf_error_t *err);
/* Records one of the two events behind all that was asked for so far. */
PRF_CHECKED prf_status_t prf_cuda_mark(prf_board_t *board, cudaEvent_t event, prf_error_t *err);

#endif
