// SPDX-License-Identifier: Apache-2.0
/* blas.c - imitates cuBLASLt: products by their definition, columns first, with the rules that its documentation gives for 8-bit
 * numbers. Of its two proposals the first is refused when it runs, as happens. */
#include <cublasLt.h>
#include <stdlib.h>

#include "numbers.h"

typedef struct {
    cudaDataType_t type;
    uint64_t rows, columns;
    int64_t pitch, distance;
    int32_t batch;
} layout_t;

typedef struct {
    cublasComputeType_t compute;
    cublasOperation_t of_a;
    cublasLtEpilogue_t epilogue;
    cudaDataType_t bias_type;
    const void *bias;
} product_t;

static number_t number_of(cudaDataType_t type)
{
    return type == CUDA_R_32F ? F32 : type == CUDA_R_16F ? F16 : type == CUDA_R_16BF ? BF16 : I8;
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *out)
{
    *out = malloc(1);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    free(handle);
    return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion(void)
{
    return CUBLAS_VERSION;
}

const char *cublasLtGetStatusName(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_NOT_SUPPORTED ? "CUBLAS_STATUS_NOT_SUPPORTED" : "CUBLAS_STATUS";
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType type, uint64_t rows, uint64_t columns,
                                          int64_t pitch)
{
    layout_t *layout = calloc(1, sizeof *layout);
    *layout = (layout_t){.type = type, .rows = rows, .columns = columns, .pitch = pitch, .batch = 1};
    *out = (void *)layout;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    free(layout);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t opaque, cublasLtMatrixLayoutAttribute_t what,
                                                const void *value, size_t bytes)
{
    layout_t *layout = (void *)opaque;
    if (what == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT && bytes == sizeof layout->batch)
        memcpy(&layout->batch, value, bytes);
    else if (what == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET && bytes == sizeof layout->distance)
        memcpy(&layout->distance, value, bytes);
    else
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t compute, cudaDataType_t scale)
{
    if (scale != CUDA_R_32F)
        return CUBLAS_STATUS_INVALID_VALUE;
    product_t *product = calloc(1, sizeof *product);
    *product = (product_t){.compute = compute, .epilogue = CUBLASLT_EPILOGUE_DEFAULT};
    *out = (void *)product;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product)
{
    free(product);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t opaque, cublasLtMatmulDescAttributes_t what, const void *value,
                                              size_t bytes)
{
    product_t *product = (void *)opaque;
    if (what == CUBLASLT_MATMUL_DESC_TRANSA && bytes == sizeof(int32_t))
        memcpy(&product->of_a, value, bytes);
    else if (what == CUBLASLT_MATMUL_DESC_EPILOGUE && bytes == sizeof(uint32_t))
        memcpy(&product->epilogue, value, bytes);
    else if (what == CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE && bytes == sizeof(int32_t))
        memcpy(&product->bias_type, value, bytes);
    else if (what == CUBLASLT_MATMUL_DESC_BIAS_POINTER && bytes == sizeof(void *))
        memcpy(&product->bias, value, bytes);
    else
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out)
{
    *out = calloc(1, sizeof **out);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference)
{
    free(preference);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t what, const void *value, size_t bytes)
{
    (void)preference;
    return what == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES && bytes == sizeof(uint64_t) && value ? CUBLAS_STATUS_SUCCESS
                                                                                                  : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t product, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int most,
                                              cublasLtMatmulHeuristicResult_t out[], int *count)
{
    (void)product;
    if (!handle || !preference || !a || !b || c != d || most < 2)
        return CUBLAS_STATUS_INVALID_VALUE;
    memset(out, 0, 2 * sizeof *out);
    for (uint64_t i = 0; i < 2; i++) {
        out[i].algo.data[0] = i;
        out[i].workspaceSize = 1024;
    }
    *count = 2;
    return CUBLAS_STATUS_SUCCESS;
}

static double finish(const product_t *product, double value, uint64_t row)
{
    if (product->epilogue & CUBLASLT_EPILOGUE_BIAS)
        value += (double)get_number(number_of(product->bias_type), product->bias, row);
    if ((product->epilogue & CUBLASLT_EPILOGUE_GELU) == CUBLASLT_EPILOGUE_GELU)
        return 0.5 * value * (1 + tanh(0.7978845608 * (value + 0.044715 * value * value * value)));
    return product->epilogue & CUBLASLT_EPILOGUE_RELU ? fmax(value, 0) : value;
}

/* 8-bit products: the first factor transposed, sizes and pitches multiples of four. */
static int fits(const product_t *product, const layout_t *a, const layout_t *b, const layout_t *d)
{
    if (product->of_a != CUBLAS_OP_T || a->rows != b->rows || a->columns != d->rows || b->columns != d->columns)
        return 0;
    if (d->type != CUDA_R_8I)
        return product->compute != CUBLAS_COMPUTE_32I;
    return product->compute == CUBLAS_COMPUTE_32I && a->rows % 4 == 0 && d->rows % 4 == 0 &&
           (!product->bias || product->bias_type == CUDA_R_32F);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *A,
                              cublasLtMatrixLayout_t a_desc, const void *B, cublasLtMatrixLayout_t b_desc, const void *beta,
                              const void *C, cublasLtMatrixLayout_t c_desc, void *D, cublasLtMatrixLayout_t d_desc,
                              const cublasLtMatmulAlgo_t *algo, void *workspace, size_t workspace_bytes, cudaStream_t stream)
{
    const product_t *product = (void *)desc;
    const layout_t *a = (void *)a_desc, *b = (void *)b_desc, *d = (void *)d_desc;
    if (!handle || !stream || *(const float *)beta != 0 || C != D || c_desc != d_desc || !workspace || workspace_bytes < 1024)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (algo->data[0] == 0 || !fits(product, a, b, d))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    for (uint64_t i = 0; i < (uint64_t)d->batch * d->columns * d->rows; i++) {
        uint64_t row = i % d->rows, column = i / d->rows % d->columns, batch = i / d->rows / d->columns;
        double sum = 0;
        for (uint64_t k = 0; k < a->rows; k++)
            sum += (double)get_number(number_of(a->type), A, batch * (uint64_t)a->distance + row * (uint64_t)a->pitch + k) *
                   (double)get_number(number_of(b->type), B, batch * (uint64_t)b->distance + column * (uint64_t)b->pitch + k);
        put_number(number_of(d->type), D, batch * (uint64_t)d->distance + column * (uint64_t)d->pitch + row,
                   finish(product, (double)*(const float *)alpha * sum, row));
    }
    return CUBLAS_STATUS_SUCCESS;
}
