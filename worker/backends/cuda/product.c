// SPDX-License-Identifier: Apache-2.0
/* product.c - fully connected layers and matrix products by cuBLASLt, which adds bias and activation in the same kernel.
 *
 * cuBLAS counts columns first. A row-major y = x · wᵀ of n rows is its D = Aᵀ · B with A the weights as they lie (in × out), B the
 * input (in × n) and D the output (out × n): nothing is moved. The library proposes some algorithms; the fastest of those that run
 * is kept. */
#include <stdlib.h>

#include "backends/cuda/step.h"

enum { PROPOSALS = 8 };
static const uint64_t workspace_most = (uint64_t)64 << 20;

typedef struct {
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t a, b, d;
    cublasLtMatmulHeuristicResult_t proposals[PROPOSALS];
    int count;
    const cublasLtMatmulHeuristicResult_t *chosen; /* one of them */
} plan_t;

/* rows × columns matrices one behind the other. */
static cublasStatus_t describe_matrices(const prf_cuda_lib_t *lib, prf_dtype_t dtype, int64_t rows, int64_t columns, int32_t batch,
                                        cublasLtMatrixLayout_t *out)
{
    int64_t distance = rows * columns;
    cublasStatus_t s = lib->cublasLtMatrixLayoutCreate(out, prf_cuda_type(dtype), (uint64_t)rows, (uint64_t)columns, rows);
    if (!s && batch > 1)
        s = lib->cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch);
    if (!s && batch > 1)
        s = lib->cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &distance, sizeof distance);
    return s;
}

/* Bias and activation behind the product. */
static cublasStatus_t describe_epilogue(const prf_cuda_step_t *step, plan_t *plan)
{
    const prf_cuda_lib_t *lib = &step->board->lib;
    const prf_cuda_tensor_t *bias = &step->tensors[PRF_CUDA_BIAS];
    if (bias->shape.n == 0)
        return CUBLAS_STATUS_SUCCESS;
    cublasLtEpilogue_t epilogue = step->fused == PRF_FN_RELU   ? CUBLASLT_EPILOGUE_RELU_BIAS
                                  : step->fused == PRF_FN_GELU ? CUBLASLT_EPILOGUE_GELU_BIAS
                                                               : CUBLASLT_EPILOGUE_BIAS;
    cudaDataType_t type = prf_cuda_type(bias->dtype);
    cublasStatus_t s =
        lib->cublasLtMatmulDescSetAttribute(plan->product, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    if (!s)
        s = lib->cublasLtMatmulDescSetAttribute(plan->product, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &type, sizeof type);
    if (!s)
        s = lib->cublasLtMatmulDescSetAttribute(plan->product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias->at, sizeof bias->at);
    return s;
}

static cublasStatus_t describe_product(const prf_cuda_step_t *step, plan_t *plan)
{
    const prf_cuda_lib_t *lib = &step->board->lib;
    cublasComputeType_t compute = step->dtype == PRF_I8                         ? CUBLAS_COMPUTE_32I
                                  : step->dtype == PRF_F32 && step->board->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                                                : CUBLAS_COMPUTE_32F;
    cublasOperation_t transposed = CUBLAS_OP_T;
    cublasStatus_t s = lib->cublasLtMatmulDescCreate(&plan->product, compute, CUDA_R_32F);
    if (!s)
        s = lib->cublasLtMatmulDescSetAttribute(plan->product, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed);
    return s ? s : describe_epilogue(step, plan);
}

static cublasStatus_t describe_all(const prf_cuda_step_t *step, plan_t *plan)
{
    const prf_cuda_lib_t *lib = &step->board->lib;
    const int32_t *p = step->layer.p;
    bool fc = step->layer.kind == PRF_FC;
    int32_t batch = fc ? 1 : p[PRF_P_B], rows = fc ? p[PRF_P_N] : p[PRF_P_M];
    int32_t in = fc ? p[PRF_P_IN] : p[PRF_P_K], out = fc ? p[PRF_P_OUT] : p[PRF_P_N];
    cublasStatus_t s = describe_matrices(lib, step->dtype, in, out, batch, &plan->a);
    if (!s)
        s = describe_matrices(lib, step->dtype, in, rows, batch, &plan->b);
    if (!s)
        s = describe_matrices(lib, step->dtype, out, rows, batch, &plan->d);
    return s ? s : describe_product(step, plan);
}

static prf_status_t execute(const prf_cuda_step_t *step, prf_error_t *err)
{
    static const float zero = 0;
    const plan_t *plan = step->plan;
    const prf_board_t *board = step->board;
    const prf_cuda_tensor_t *t = step->tensors;
    const void *a = step->layer.kind == PRF_FC ? t[PRF_CUDA_WEIGHTS].at : t[PRF_CUDA_OPERAND].at;
    void *d = t[PRF_CUDA_OUTPUT].at;
    cublasStatus_t s = board->lib.cublasLtMatmul(board->blas, plan->product, &step->scale, a, plan->a, t[PRF_CUDA_INPUT].at,
                                                 plan->b, &zero, d, plan->d, d, plan->d, &plan->chosen->algo, board->workspace,
                                                 plan->chosen->workspaceSize, board->stream);
    return s ? prf_cublas_fail(&board->lib, s, prf_layer_kind_name(step->layer.kind), err) : PRF_OK;
}

static cublasStatus_t propose(const prf_cuda_step_t *step, plan_t *plan)
{
    const prf_board_t *board = step->board;
    const prf_cuda_lib_t *lib = &board->lib;
    cublasLtMatmulPreference_t preference = NULL;
    cublasStatus_t s = lib->cublasLtMatmulPreferenceCreate(&preference);
    if (s)
        return s;
    s = lib->cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_most,
                                                  sizeof workspace_most);
    if (!s)
        s = lib->cublasLtMatmulAlgoGetHeuristic(board->blas, plan->product, plan->a, plan->b, plan->d, plan->d, preference,
                                                PROPOSALS, plan->proposals, &plan->count);
    (void)lib->cublasLtMatmulPreferenceDestroy(preference);
    return s;
}

static prf_status_t take(prf_cuda_step_t *step, int i, prf_error_t *err)
{
    plan_t *plan = step->plan;
    plan->chosen = &plan->proposals[i];
    if (plan->chosen->state)
        return prf_cublas_fail(&step->board->lib, plan->chosen->state, prf_layer_kind_name(step->layer.kind), err);
    return prf_cuda_workspace(step->board, plan->chosen->workspaceSize, err);
}

static prf_status_t make_plan(prf_cuda_step_t *step, prf_error_t *err)
{
    plan_t *plan = calloc(1, sizeof *plan);
    if (!plan)
        return prf_fail(err, PRF_ENOMEM, "a plan of a product");
    step->plan = plan;
    cublasStatus_t s = describe_all(step, plan);
    if (!s)
        s = propose(step, plan);
    return s ? prf_cublas_fail(&step->board->lib, s, prf_layer_kind_name(step->layer.kind), err)
             : prf_cuda_step_choose(step, plan->count, take, err);
}

static void release(prf_cuda_step_t *step)
{
    plan_t *plan = step->plan;
    const prf_cuda_lib_t *lib = &step->board->lib;
    if (!plan)
        return;
    if (plan->a)
        (void)lib->cublasLtMatrixLayoutDestroy(plan->a);
    if (plan->b)
        (void)lib->cublasLtMatrixLayoutDestroy(plan->b);
    if (plan->d)
        (void)lib->cublasLtMatrixLayoutDestroy(plan->d);
    if (plan->product)
        (void)lib->cublasLtMatmulDescDestroy(plan->product);
    free(plan);
    step->plan = NULL;
}

const prf_cuda_ops_t prf_cuda_product = {.plan = make_plan, .execute = execute, .release = release};
