// SPDX-License-Identifier: Apache-2.0
/* step.h - one layer as the library calls that run it. Internal to the cuda backend. One thread.
 *
 * A step is made in two goes, because libraries choose among algorithms by trying them on real memory: first its tensors' shapes
 * are known, then, when they lie somewhere, its plan is made. */
#ifndef PRF_CUDA_STEP_H
#define PRF_CUDA_STEP_H

#include "backends/cuda/board.h"
#include "backends/cuda/tensor.h"

typedef enum {
    PRF_CUDA_INPUT,
    PRF_CUDA_OPERAND, /* the second summand or factor */
    PRF_CUDA_WEIGHTS,
    PRF_CUDA_BIAS,
    PRF_CUDA_OUTPUT,
    PRF_CUDA_TENSORS
} prf_cuda_role_t;

typedef struct prf_cuda_step prf_cuda_step_t;

/* What a sort of steps does. */
typedef struct {
    /* Makes step->plan: descriptors, and the fastest algorithm of those that run. Tensors have their memory. On failure what there
     * is of the plan is left to `release`. Errors: PRF_EUNSUPPORTED, PRF_ENOMEM, PRF_ECRASH. */
    prf_status_t (*plan)(prf_cuda_step_t *step, prf_error_t *err);
    /* Puts the calls on the board's stream. */
    prf_status_t (*execute)(const prf_cuda_step_t *step, prf_error_t *err);
    void (*release)(prf_cuda_step_t *step); /* the plan, which may be half made or missing */
} prf_cuda_ops_t;

struct prf_cuda_step {
    const prf_cuda_ops_t *ops;
    prf_board_t *board; /* borrowed */
    prf_layer_t layer;
    prf_dtype_t dtype;
    int fused;   /* prf_activation_t that is a part of it, -1: none */
    float scale; /* of products: keeps 8-bit ones within their range */
    prf_cuda_tensor_t tensors[PRF_CUDA_TENSORS];
    void *plan; /* owned; belongs to ops */
};

/* Fills *out but for memory and plan. `next`, the layer behind, may be NULL; *took tells that it became a part of this step.
 * Errors: PRF_EUNSUPPORTED. */
PRF_CHECKED prf_status_t prf_cuda_step_init(prf_cuda_step_t *out, prf_board_t *board, const prf_layer_t *layer, prf_dtype_t dtype,
                                            const prf_layer_t *next, bool *took, prf_error_t *err);
/* Runs the step twice and tells how long the second time took, nanoseconds: the first one loads the library's code. */
PRF_CHECKED prf_status_t prf_cuda_step_try(const prf_cuda_step_t *step, double *ns, prf_error_t *err);
/* Tries the ways to run a step and leaves it with the fastest. `take` changes the plan to way number `i` of `count`, and comes back
 * with PRF_ENOTFOUND when there is no such one, which is passed over, as is one that the library refuses. Errors: PRF_EUNSUPPORTED
 * (none runs), PRF_ENOMEM, PRF_ECRASH (the context is gone). */
PRF_CHECKED prf_status_t prf_cuda_step_choose(prf_cuda_step_t *step, int count,
                                              prf_status_t (*take)(prf_cuda_step_t *step, int i, prf_error_t *err),
                                              prf_error_t *err);

extern const prf_cuda_ops_t prf_cuda_convolution, prf_cuda_product, prf_cuda_plain;

/* An activation as cuDNN knows it. False: it does not. */
bool prf_cuda_activation_mode(prf_activation_t fn, cudnnActivationMode_t *mode, double *ceiling);
/* Describes a tensor to cuDNN; the caller owns *out (cudnnDestroyTensorDescriptor), also on failure, where it may be NULL. */
PRF_CHECKED cudnnStatus_t prf_cuda_describe(const prf_board_t *board, const prf_cuda_tensor_t *tensor,
                                            cudnnTensorDescriptor_t *out);

#endif
