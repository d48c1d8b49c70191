// SPDX-License-Identifier: Apache-2.0
/* cuda.c - a GPU of NVIDIA's as a board, through cuDNN and cuBLAS: options, start and end. kernel.c runs blocks on it. The card's
 * own settings (clocks, power limit) are looked at and never changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cuda/kernel.h"
#include "backends/options.h"

extern const prf_backend_t prf_backend_cuda;

enum { MAX_DEVICES = 1024, WORKSPACE_STEP = 1 << 20 };

static const char *const switches[] = {"off", "on", NULL};
static const char *const layouts[] = {"auto", "nchw", "nhwc", NULL};
/* The forward algorithms in cuDNN's order, behind the word for all of them. */
static const char *const algorithms[] = {"fastest", "implicit-gemm", "precomp-gemm", "gemm",     "direct",
                                         "fft",     "fft-tiling",    "winograd",     "nonfused", NULL};

typedef struct {
    int64_t device;
    const char *tf32, *energy, *layout, *algorithm; /* borrowed from the options */
    int tf32_at, energy_at, layout_at, algorithm_at;
} options_t;

static prf_status_t pick(const char *key, const char *text, const char *const *names, int *out, prf_error_t *err)
{
    char known[200] = "";
    for (int i = 0; names[i]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return PRF_OK;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", names[i]);
    }
    return prf_fail(err, PRF_EINVAL, "cuda: %s=%.40s: use one of %s", key, text, known);
}

static prf_status_t read_options(const char *const *options, size_t count, options_t *out, prf_error_t *err)
{
    *out = (options_t){.tf32 = switches[0], .energy = switches[0], .layout = layouts[0], .algorithm = algorithms[0]};
    const prf_option_t table[] = {
        {"device", PRF_OPTION_INTEGER, &out->device, 0, MAX_DEVICES - 1},
        {"tf32", PRF_OPTION_TEXT, &out->tf32, 0, 0},
        {"layout", PRF_OPTION_TEXT, &out->layout, 0, 0},
        {"algorithm", PRF_OPTION_TEXT, &out->algorithm, 0, 0},
        {"energy", PRF_OPTION_TEXT, &out->energy, 0, 0},
    };
    prf_status_t status = prf_options_read("cuda", options, count, table, sizeof table / sizeof *table, err);
    if (!status)
        status = pick("tf32", out->tf32, switches, &out->tf32_at, err);
    if (!status)
        status = pick("layout", out->layout, layouts, &out->layout_at, err);
    if (!status)
        status = pick("algorithm", out->algorithm, algorithms, &out->algorithm_at, err);
    return status ? status : pick("energy", out->energy, switches, &out->energy_at, err);
}

/* ---- what the parts share ---- */

prf_status_t prf_cuda_allocate(prf_board_t *board, double bytes, const char *what, void **out, prf_error_t *err)
{
    void *at = NULL;
    cudaError_t e = board->lib.cudaMalloc(&at, bytes < 1 ? 1 : (size_t)bytes);
    if (e)
        return prf_cuda_fail(&board->lib, e, what, err);
    *out = at;
    return PRF_OK;
}

prf_status_t prf_cuda_workspace(prf_board_t *board, size_t bytes, prf_error_t *err)
{
    if (bytes <= board->workspace_bytes)
        return PRF_OK;
    void *grown;
    size_t rounded = (bytes + WORKSPACE_STEP - 1) / WORKSPACE_STEP * WORKSPACE_STEP;
    prf_status_t status = prf_cuda_allocate(board, (double)rounded, "workspace", &grown, err);
    if (status)
        return status;                           /* steps that are planned need the old one */
    (void)board->lib.cudaFree(board->workspace); /* waits for who still uses it */
    board->workspace = grown;
    board->workspace_bytes = rounded;
    return PRF_OK;
}

prf_status_t prf_cuda_mark(prf_board_t *board, cudaEvent_t event, prf_error_t *err)
{
    cudaError_t e = board->lib.cudaEventRecord(event, board->stream);
    return e ? prf_cuda_fail(&board->lib, e, "a time stamp", err) : PRF_OK;
}

prf_status_t prf_cuda_wait(prf_board_t *board, double *ns, prf_error_t *err)
{
    float ms = 0;
    cudaError_t e = board->lib.cudaStreamSynchronize(board->stream);
    if (!e && ns)
        e = board->lib.cudaEventElapsedTime(&ms, board->begin, board->end);
    if (e)
        return prf_cuda_fail(&board->lib, e, "running", err);
    if (ns)
        *ns = (double)ms * 1e6;
    return PRF_OK;
}

/* ---- start and end ---- */

static prf_status_t find_device(prf_board_t *board, int device, struct cudaDeviceProp *out, prf_error_t *err)
{
    int count = 0;
    cudaError_t e = board->lib.cudaGetDeviceCount(&count);
    if (e)
        return prf_cuda_fail(&board->lib, e, "looking for a GPU", err);
    if (device >= count)
        return prf_fail(err, PRF_ENOTFOUND, "cuda: device=%d: this machine has %d, counted from 0: use one of these", device,
                        count);
    e = board->lib.cudaSetDevice(device);
    if (!e)
        e = board->lib.cudaGetDeviceProperties(out, device);
    return e ? prf_cuda_fail(&board->lib, e, "opening the GPU", err) : PRF_OK;
}

static prf_status_t start_libraries(prf_board_t *board, prf_error_t *err)
{
    const prf_cuda_lib_t *lib = &board->lib;
    cudaError_t e = lib->cudaStreamCreate(&board->stream);
    if (!e)
        e = lib->cudaEventCreate(&board->begin);
    if (!e)
        e = lib->cudaEventCreate(&board->end);
    if (e)
        return prf_cuda_fail(lib, e, "starting CUDA", err);
    cudnnStatus_t dnn = lib->cudnnCreate(&board->cudnn);
    if (!dnn)
        dnn = lib->cudnnSetStream(board->cudnn, board->stream);
    if (dnn)
        return prf_cudnn_fail(lib, dnn, "starting cuDNN", err);
    cublasStatus_t blas = lib->cublasLtCreate(&board->blas);
    return blas ? prf_cublas_fail(lib, blas, "starting cuBLAS", err) : PRF_OK;
}

static void learn_facts(prf_board_t *board, const struct cudaDeviceProp *gpu, const options_t *options)
{
    const prf_cuda_lib_t *lib = &board->lib;
    prf_board_facts_t *facts = &board->facts;
    int runtime = 0, dnn = (int)lib->cudnnGetVersion(), blas = (int)lib->cublasLtGetVersion();
    char settings[64];
    (void)lib->cudaRuntimeGetVersion(&runtime);
    prf_cuda_monitor_settings(&board->monitor, settings, sizeof settings);
    snprintf(facts->fingerprint, sizeof facts->fingerprint,
             "cuda %d.%d cudnn %d.%d.%d cublas %d.%d.%d%s %.40s tf32=%s layout=%s algorithm=%s", runtime / 1000, runtime / 10 % 100,
             dnn / 10000, dnn / 100 % 100, dnn % 100, blas / 10000, blas / 100 % 100, blas % 100, settings, gpu->name,
             options->tf32, options->layout, options->algorithm);
    facts->kinds = ((1U << PRF_LAYER_KINDS) - 1) & ~(1U << PRF_LAYERNORM);
    facts->dtypes = 1U << PRF_F32 | 1U << PRF_F16;
    if (gpu->major >= 8)
        facts->dtypes |= 1U << PRF_BF16;
    if (gpu->major > 6 || (gpu->major == 6 && gpu->minor >= 1))
        facts->dtypes |= 1U << PRF_I8;
    facts->flags = PRF_BOARD_SELF_TIMED | PRF_BOARD_NETWORKS | (board->energy ? PRF_BOARD_ENERGY : 0U);
}

static void board_close(prf_board_t **self)
{
    prf_board_t *board = self ? *self : NULL;
    if (!board)
        return;
    const prf_cuda_lib_t *lib = &board->lib;
    prf_cuda_monitor_release(&board->monitor);
    (void)lib->cudaFree(board->sweep);
    (void)lib->cudaFree(board->workspace);
    if (board->blas)
        (void)lib->cublasLtDestroy(board->blas);
    if (board->cudnn)
        (void)lib->cudnnDestroy(board->cudnn);
    if (board->end)
        (void)lib->cudaEventDestroy(board->end);
    if (board->begin)
        (void)lib->cudaEventDestroy(board->begin);
    if (board->stream)
        (void)lib->cudaStreamDestroy(board->stream);
    free(board);
    *self = NULL;
}

static prf_status_t check_energy(const prf_board_t *board, prf_error_t *err)
{
    unsigned long long unused;
    if (!board->energy || prf_cuda_monitor_energy(&board->monitor, &unused))
        return PRF_OK;
    return prf_fail(err, PRF_EUNSUPPORTED,
                    "cuda: energy=on: this GPU does not tell the energy that it takes: leave the option out");
}

static prf_status_t start(prf_board_t *board, const options_t *options, prf_error_t *err)
{
    struct cudaDeviceProp gpu;
    char bus[32] = "";
    board->tf32 = options->tf32_at == 1;
    board->energy = options->energy_at == 1;
    board->layout = (prf_cuda_layout_t)options->layout_at;
    board->algorithm = options->algorithm_at - 1; /* "fastest" is PRF_CUDA_FASTEST */
    prf_status_t status = find_device(board, (int)options->device, &gpu, err);
    if (!status)
        status = start_libraries(board, err);
    if (status)
        return status;
    board->limit = 0.8 * (double)gpu.totalGlobalMem;
    board->sweep_bytes = 2 * (size_t)gpu.l2CacheSize;
    status = prf_cuda_allocate(board, (double)board->sweep_bytes, "emptying the caches", &board->sweep, err);
    if (status)
        return status;
    (void)board->lib.cudaDeviceGetPCIBusId(bus, sizeof bus, (int)options->device);
    prf_cuda_monitor_init(&board->monitor, &board->lib, bus);
    learn_facts(board, &gpu, options);
    return check_energy(board, err);
}

static prf_status_t board_open(const char *const *options, size_t count, prf_board_t **out, prf_error_t *err)
{
    options_t chosen;
    prf_status_t status = read_options(options, count, &chosen, err);
    if (status)
        return status;
    prf_board_t *board = calloc(1, sizeof *board);
    if (!board)
        return prf_fail(err, PRF_ENOMEM, "cuda board");
    status = prf_cuda_lib_load(&board->lib, err);
    if (status) {
        free(board);
        return status;
    }
    status = start(board, &chosen, err);
    if (status) {
        board_close(&board);
        return status;
    }
    *out = board;
    return PRF_OK;
}

static void board_describe(const prf_board_t *board, prf_board_facts_t *out)
{
    *out = board->facts;
}

const prf_backend_t prf_backend_cuda = {
    .abi = PRF_BACKEND_ABI,
    .name = "cuda",
    .options = "device=N (default 0), tf32=off|on, layout=auto|nchw|nhwc, algorithm=fastest|implicit-gemm|precomp-gemm|gemm|direct|"
               "fft|fft-tiling|winograd|nonfused, energy=off|on",
    .open = board_open,
    .describe = board_describe,
    .prepare = prf_cuda_prepare,
    .run = prf_cuda_run,
    .prepare_network = prf_cuda_prepare_network,
    .release = prf_cuda_release,
    .close = board_close,
};
