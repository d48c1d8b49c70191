// SPDX-License-Identifier: Apache-2.0
/* libraries.h - NVIDIA's libraries, loaded when a board is opened. Internal to the cuda backend. One thread.
 *
 * One list a library names each function that is called; the table, its types (the headers' own declarations) and its loading
 * follow from the lists. So the worker needs the headers when it is built, and the libraries only where there is a GPU: the same
 * package serves machines with and without. Where a header renames a function (nvmlInit is nvmlInit_v2), the table has the new
 * name. */
#ifndef PRF_CUDA_LIBRARIES_H
#define PRF_CUDA_LIBRARIES_H

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <nvml.h>
#include <stdbool.h>

#include "base/status.h"

#define PRF_CUDA_RUNTIME(X)                                                                                                        \
    X(cudaDeviceGetPCIBusId)                                                                                                       \
    X(cudaEventCreate)                                                                                                             \
    X(cudaEventDestroy)                                                                                                            \
    X(cudaEventElapsedTime)                                                                                                        \
    X(cudaEventRecord)                                                                                                             \
    X(cudaFree)                                                                                                                    \
    X(cudaGetDeviceCount)                                                                                                          \
    X(cudaGetDeviceProperties)                                                                                                     \
    X(cudaGetErrorName)                                                                                                            \
    X(cudaGetErrorString)                                                                                                          \
    X(cudaGetLastError)                                                                                                            \
    X(cudaMalloc)                                                                                                                  \
    X(cudaMemcpy2DAsync)                                                                                                           \
    X(cudaMemcpyAsync)                                                                                                             \
    X(cudaMemsetAsync)                                                                                                             \
    X(cudaRuntimeGetVersion)                                                                                                       \
    X(cudaSetDevice)                                                                                                               \
    X(cudaStreamCreate)                                                                                                            \
    X(cudaStreamDestroy)                                                                                                           \
    X(cudaStreamSynchronize)
#define PRF_CUDA_BLAS(X)                                                                                                           \
    X(cublasLtCreate)                                                                                                              \
    X(cublasLtDestroy)                                                                                                             \
    X(cublasLtGetStatusName)                                                                                                       \
    X(cublasLtGetVersion)                                                                                                          \
    X(cublasLtMatmul)                                                                                                              \
    X(cublasLtMatmulAlgoGetHeuristic)                                                                                              \
    X(cublasLtMatmulDescCreate)                                                                                                    \
    X(cublasLtMatmulDescDestroy)                                                                                                   \
    X(cublasLtMatmulDescSetAttribute)                                                                                              \
    X(cublasLtMatmulPreferenceCreate)                                                                                              \
    X(cublasLtMatmulPreferenceDestroy)                                                                                             \
    X(cublasLtMatmulPreferenceSetAttribute)                                                                                        \
    X(cublasLtMatrixLayoutCreate)                                                                                                  \
    X(cublasLtMatrixLayoutDestroy)                                                                                                 \
    X(cublasLtMatrixLayoutSetAttribute)
#define PRF_CUDA_DNN(X)                                                                                                            \
    X(cudnnActivationForward)                                                                                                      \
    X(cudnnAddTensor)                                                                                                              \
    X(cudnnConvolutionBackwardData)                                                                                                \
    X(cudnnConvolutionBiasActivationForward)                                                                                       \
    X(cudnnConvolutionForward)                                                                                                     \
    X(cudnnCreate)                                                                                                                 \
    X(cudnnCreateActivationDescriptor)                                                                                             \
    X(cudnnCreateConvolutionDescriptor)                                                                                            \
    X(cudnnCreateFilterDescriptor)                                                                                                 \
    X(cudnnCreateOpTensorDescriptor)                                                                                               \
    X(cudnnCreatePoolingDescriptor)                                                                                                \
    X(cudnnCreateTensorDescriptor)                                                                                                 \
    X(cudnnDestroy)                                                                                                                \
    X(cudnnDestroyActivationDescriptor)                                                                                            \
    X(cudnnDestroyConvolutionDescriptor)                                                                                           \
    X(cudnnDestroyFilterDescriptor)                                                                                                \
    X(cudnnDestroyOpTensorDescriptor)                                                                                              \
    X(cudnnDestroyPoolingDescriptor)                                                                                               \
    X(cudnnDestroyTensorDescriptor)                                                                                                \
    X(cudnnGetConvolutionBackwardDataWorkspaceSize)                                                                                \
    X(cudnnGetConvolutionForwardWorkspaceSize)                                                                                     \
    X(cudnnGetErrorString)                                                                                                         \
    X(cudnnGetVersion)                                                                                                             \
    X(cudnnOpTensor)                                                                                                               \
    X(cudnnPoolingForward)                                                                                                         \
    X(cudnnSetActivationDescriptor)                                                                                                \
    X(cudnnSetActivationDescriptorSwishBeta)                                                                                       \
    X(cudnnSetConvolution2dDescriptor)                                                                                             \
    X(cudnnSetConvolutionGroupCount)                                                                                               \
    X(cudnnSetConvolutionMathType)                                                                                                 \
    X(cudnnSetFilter4dDescriptor)                                                                                                  \
    X(cudnnSetOpTensorDescriptor)                                                                                                  \
    X(cudnnSetPooling2dDescriptor)                                                                                                 \
    X(cudnnSetStream)                                                                                                              \
    X(cudnnSetTensor4dDescriptor)                                                                                                  \
    X(cudnnSoftmaxForward)
#define PRF_CUDA_NVML(X)                                                                                                           \
    X(nvmlDeviceGetClockInfo)                                                                                                      \
    X(nvmlDeviceGetCurrentClocksThrottleReasons)                                                                                   \
    X(nvmlDeviceGetEnforcedPowerLimit)                                                                                             \
    X(nvmlDeviceGetHandleByPciBusId)                                                                                               \
    X(nvmlDeviceGetMaxClockInfo)                                                                                                   \
    X(nvmlDeviceGetTemperature)                                                                                                    \
    X(nvmlDeviceGetTotalEnergyConsumption)                                                                                         \
    X(nvmlInit)                                                                                                                    \
    X(nvmlShutdown)                                                                                                                \
    X(nvmlSystemGetDriverVersion)

typedef struct {
#define PRF_CUDA_MEMBER(name) __typeof__(name) *name; /* NOLINT(bugprone-macro-parentheses): it declares */
    PRF_CUDA_RUNTIME(PRF_CUDA_MEMBER)
    PRF_CUDA_BLAS(PRF_CUDA_MEMBER)
    PRF_CUDA_DNN(PRF_CUDA_MEMBER)
    PRF_CUDA_NVML(PRF_CUDA_MEMBER)
#undef PRF_CUDA_MEMBER
    bool has_nvml; /* the functions of NVML are there; it is missing on Jetson boards and in some containers */
} prf_cuda_lib_t;

/* Loads the versions that the headers belong to. They stay loaded until the process ends.
 * Errors: PRF_ENOTFOUND (a library is not there), PRF_EVERSION (it lacks a function). */
PRF_CHECKED prf_status_t prf_cuda_lib_load(prf_cuda_lib_t *out, prf_error_t *err);

/* Their errors as ours; `what` is what was asked of them.
 * Out of memory: PRF_ENOMEM. What a library cannot do or compute: PRF_EUNSUPPORTED. What ends a CUDA context: PRF_ECRASH, so that
 * the worker starts this process again. */
PRF_CHECKED prf_status_t prf_cuda_fail(const prf_cuda_lib_t *lib, cudaError_t s, const char *what, prf_error_t *err);
PRF_CHECKED prf_status_t prf_cudnn_fail(const prf_cuda_lib_t *lib, cudnnStatus_t s, const char *what, prf_error_t *err);
PRF_CHECKED prf_status_t prf_cublas_fail(const prf_cuda_lib_t *lib, cublasStatus_t s, const char *what, prf_error_t *err);

#ifdef __clang_analyzer__ /* as in base/status.h: whatever it becomes, it is a failure */
#define prf_cuda_fail(lib, s, what, err) ((void)(prf_cuda_fail)(lib, s, what, err), PRF_ECRASH)
#define prf_cudnn_fail(lib, s, what, err) ((void)(prf_cudnn_fail)(lib, s, what, err), PRF_ECRASH)
#define prf_cublas_fail(lib, s, what, err) ((void)(prf_cublas_fail)(lib, s, what, err), PRF_ECRASH)
#endif

#endif
