// SPDX-License-Identifier: Apache-2.0
/* libraries.c - dlopen and a walk over the table of functions.
 *
 * Libraries are asked for by the major version of the headers that this was built with, since a major version is what NVIDIA keeps
 * compatible. cuBLAS goes before cuDNN, which needs it and finds the one that is there. Nothing is ever closed: the libraries leave
 * threads and exit handlers behind. */
#include "backends/cuda/libraries.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef enum { RUNTIME, BLAS, DNN, NVML, LIBRARIES } library_t;

static const struct {
    const char *name; /* of the shared object, before ".so" */
    int version;
    const char *remedy;
} libraries[LIBRARIES] = {
    [RUNTIME] = {"libcudart", CUDART_VERSION / 1000, "install the CUDA runtime of that version"},
    [BLAS] = {"libcublasLt", CUBLAS_VER_MAJOR, "install cuBLAS of that version"},
    [DNN] = {"libcudnn", CUDNN_MAJOR, "install cuDNN of that version"},
    [NVML] = {"libnvidia-ml", 1, "install NVIDIA's driver"},
};

static const struct {
    library_t library;
    const char *name;
    size_t offset;
} functions[] = {
#define TEXT(name) #name
#define FUNCTION(library, name) {library, TEXT(name), offsetof(prf_cuda_lib_t, name)},
#define IN_RUNTIME(name) FUNCTION(RUNTIME, name)
#define IN_BLAS(name) FUNCTION(BLAS, name)
#define IN_DNN(name) FUNCTION(DNN, name)
#define IN_NVML(name) FUNCTION(NVML, name)
    PRF_CUDA_RUNTIME(IN_RUNTIME) PRF_CUDA_BLAS(IN_BLAS) PRF_CUDA_DNN(IN_DNN) PRF_CUDA_NVML(IN_NVML)};

static prf_status_t load(prf_cuda_lib_t *lib, library_t library, prf_error_t *err)
{
    char name[40];
    snprintf(name, sizeof name, "%s.so.%d", libraries[library].name, libraries[library].version);
    void *object = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        return prf_fail(err, PRF_ENOTFOUND, "cuda: %.300s: %s, or name its folder in LD_LIBRARY_PATH", dlerror(),
                        libraries[library].remedy);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (functions[i].library != library)
            continue;
        void *symbol = dlsym(object, functions[i].name);
        if (!symbol)
            return prf_fail(err, PRF_EVERSION, "cuda: %s has no %s: use a release like the one that this prfarm was built for",
                            name, functions[i].name);
        memcpy((char *)lib + functions[i].offset, &symbol, sizeof symbol);
    }
    return PRF_OK;
}

prf_status_t prf_cuda_lib_load(prf_cuda_lib_t *out, prf_error_t *err)
{
    prf_cuda_lib_t lib = {.has_nvml = false};
    for (library_t library = RUNTIME; library < NVML; library++) {
        prf_status_t status = load(&lib, library, err);
        if (status)
            return status;
    }
    lib.has_nvml = load(&lib, NVML, NULL) == PRF_OK;
    *out = lib;
    return PRF_OK;
}

prf_status_t(prf_cuda_fail)(const prf_cuda_lib_t *lib, cudaError_t s, const char *what, prf_error_t *err)
{
    const char *name = lib->cudaGetErrorName(s), *text = lib->cudaGetErrorString(s);
    switch (s) {
    case cudaErrorMemoryAllocation:
        (void)lib->cudaGetLastError(); /* else the next call would report it again */
        return prf_fail(err, PRF_ENOMEM, "cuda: %s, on the GPU", what);
    case cudaErrorNoDevice:
        return prf_fail(err, PRF_ENOTFOUND,
                        "cuda: %s: %s: %s: see whether nvidia-smi lists one, and whether CUDA_VISIBLE_DEVICES hides it", what, name,
                        text);
    case cudaErrorInsufficientDriver:
        return prf_fail(err, PRF_ENOTFOUND, "cuda: %s: %s: %s: install NVIDIA's driver, or a newer one (nvidia-smi tells which)",
                        what, name, text);
    default:
        return prf_fail(err, PRF_ECRASH, "cuda: %s: %s: %s: look for the GPU's own messages in the system's log (dmesg, Xid)", what,
                        name, text);
    }
}

prf_status_t(prf_cudnn_fail)(const prf_cuda_lib_t *lib, cudnnStatus_t s, const char *what, prf_error_t *err)
{
    const char *text = lib->cudnnGetErrorString(s);
    switch (CUDNN_STATUS_CATEGORY((int)s)) {
    case CUDNN_STATUS_BAD_PARAM:
    case CUDNN_STATUS_NOT_SUPPORTED:
        return prf_fail(err, PRF_EUNSUPPORTED, "%s: cuDNN refuses it: %s: leave it out, or try another data type or layout", what,
                        text);
    default:
        break;
    }
    if (s == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED || s == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)
        return prf_fail(err, PRF_ENOMEM, "%s, in cuDNN", what);
    return prf_fail(err, PRF_ECRASH, "%s: cuDNN: %s: look for the GPU's own messages in the system's log (dmesg, Xid)", what, text);
}

prf_status_t(prf_cublas_fail)(const prf_cuda_lib_t *lib, cublasStatus_t s, const char *what, prf_error_t *err)
{
    const char *name = lib->cublasLtGetStatusName(s);
    switch (s) {
    case CUBLAS_STATUS_NOT_SUPPORTED:
    case CUBLAS_STATUS_INVALID_VALUE:
    case CUBLAS_STATUS_ARCH_MISMATCH:
        return prf_fail(err, PRF_EUNSUPPORTED, "%s: cuBLAS refuses it: %s: leave it out, or try another data type", what, name);
    case CUBLAS_STATUS_ALLOC_FAILED:
        return prf_fail(err, PRF_ENOMEM, "%s, in cuBLAS", what);
    default:
        return prf_fail(err, PRF_ECRASH, "%s: cuBLAS: %s: look for the GPU's own messages in the system's log (dmesg, Xid)", what,
                        name);
    }
}
