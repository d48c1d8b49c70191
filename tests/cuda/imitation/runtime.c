// SPDX-License-Identifier: Apache-2.0
/* runtime.c - imitates the CUDA runtime on the processor, as far as the cuda backend uses it and as NVIDIA documents it, for
 * machines without a GPU: everything is done when it is asked for, device memory is the processor's, events are its clock. It shows
 * whether the backend describes layers rightly and gives everything back; of a GPU's speed and whims it knows nothing.
 * PRF_IMITATION names what goes wrong: "no-device", "no-driver", "memory" (no cudaMalloc beyond a megabyte), "lost" (the context
 * dies at the third wait). */
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MEMORY_BYTES = 1 << 30, CACHE_BYTES = 1 << 16 };

struct CUevent_st {
    struct timespec when;
};
struct CUstream_st {
    int waits;
};

static int goes_wrong(const char *what)
{
    const char *wish = getenv("PRF_IMITATION");
    return wish && strcmp(wish, what) == 0;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return goes_wrong("no-device") ? cudaErrorNoDevice : goes_wrong("no-driver") ? cudaErrorInsufficientDriver : cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    return device == 0 ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *prop, int device)
{
    memset(prop, 0, sizeof *prop);
    snprintf(prop->name, sizeof prop->name, "Imitation");
    prop->totalGlobalMem = MEMORY_BYTES;
    prop->l2CacheSize = CACHE_BYTES;
    prop->major = 8;
    return cudaSetDevice(device);
}

cudaError_t cudaDeviceGetPCIBusId(char *bus, int len, int device)
{
    snprintf(bus, (size_t)len, "0000:01:00.0");
    return cudaSetDevice(device);
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

const char *cudaGetErrorName(cudaError_t error)
{
    return error == cudaErrorIllegalAddress ? "cudaErrorIllegalAddress" : error == cudaSuccess ? "cudaSuccess" : "cudaError";
}

const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaErrorIllegalAddress ? "an illegal memory access was encountered" : "imitated";
}

cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **out, size_t bytes)
{
    if (goes_wrong("memory") && bytes > 1 << 20)
        return cudaErrorMemoryAllocation;
    *out = aligned_alloc(256, (bytes + 255) / 256 * 256);
    return *out ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFree(void *at)
{
    free(at);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream)
{
    (void)kind;
    memcpy(to, from, bytes);
    return stream ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t height,
                              enum cudaMemcpyKind kind, cudaStream_t stream)
{
    if (width > to_pitch || width > from_pitch || kind != cudaMemcpyDeviceToDevice || !stream)
        return cudaErrorInvalidValue;
    for (size_t i = 0; i < height; i++)
        memcpy((char *)to + i * to_pitch, (const char *)from + i * from_pitch, width);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *at, int value, size_t bytes, cudaStream_t stream)
{
    memset(at, value, bytes);
    return stream ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaStreamCreate(cudaStream_t *out)
{
    *out = calloc(1, sizeof **out);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    free(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    return ++stream->waits > 2 && goes_wrong("lost") ? cudaErrorIllegalAddress : cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *out)
{
    *out = calloc(1, sizeof **out);
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    free(event);
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    clock_gettime(CLOCK_MONOTONIC, &event->when);
    return stream ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end)
{
    *ms = (float)(1e3 * (double)(end->when.tv_sec - start->when.tv_sec) + 1e-6 * (double)(end->when.tv_nsec - start->when.tv_nsec));
    return cudaSuccess;
}
