// SPDX-License-Identifier: Apache-2.0
/* onednn.c - this machine's processor as a board, through oneDNN: options, start and end. onednn_kernel.c runs blocks on it. */
#define _GNU_SOURCE /* sched_setaffinity */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "backends/onednn_kernel.h"
#include "backends/onednn_op.h"
#include "backends/options.h"

extern void omp_set_num_threads(int count); /* GNU OpenMP, which Debian's oneDNN runs on */
extern const prf_backend_t prf_backend_onednn;

enum { MAX_THREADS = 1024, CACHED_PRIMITIVES = 64 };
static const size_t memory_limit = (size_t)4 << 30;

typedef struct {
    int64_t threads, cpu; /* cpu -1: any */
} options_t;

static prf_status_t read_options(const char *const *options, size_t count, options_t *out, prf_error_t *err)
{
    *out = (options_t){.threads = 1, .cpu = -1};
    const prf_option_t table[] = {
        {"threads", PRF_OPTION_INTEGER, &out->threads, 1, MAX_THREADS},
        {"cpu", PRF_OPTION_INTEGER, &out->cpu, 0, CPU_SETSIZE - 1},
    };
    return prf_options_read("onednn", options, count, table, sizeof table / sizeof *table, err);
}

/* Threads that oneDNN starts later inherit the processors. */
static prf_status_t pin(const options_t *options, prf_error_t *err)
{
    if (options->cpu < 0)
        return PRF_OK;
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int64_t cpu = options->cpu; cpu < options->cpu + options->threads && cpu < CPU_SETSIZE; cpu++)
        CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        return prf_fail(err, PRF_EIO, "onednn option cpu=%d: %s: use one of this machine's %ld processors, counted from 0",
                        (int)options->cpu, strerror(errno), sysconf(_SC_NPROCESSORS_ONLN));
    return PRF_OK;
}

static const char *isa_name(void)
{
    switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
        return "sse41";
    case dnnl_cpu_isa_avx:
        return "avx";
    case dnnl_cpu_isa_avx2:
        return "avx2";
    case dnnl_cpu_isa_avx2_vnni:
        return "avx2_vnni";
    case dnnl_cpu_isa_avx512_mic:
    case dnnl_cpu_isa_avx512_mic_4ops:
        return "avx512_mic";
    case dnnl_cpu_isa_avx512_core:
        return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni:
        return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16:
        return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx:
        return "avx512_core_amx";
    default:
        return "generic";
    }
}

/* The processor's name as the kernel tells it; where it tells none (arm64), the architecture's. */
static void processor_name(char *name, size_t cap)
{
    struct utsname system;
    snprintf(name, cap, "%s", uname(&system) == 0 ? system.machine : "processor");
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        snprintf(name, cap, "%.100s", colon + 1 + strspn(colon + 1, " "));
        name[strcspn(name, "\n")] = '\0';
        break;
    }
    if (file)
        fclose(file);
}

static void learn_facts(prf_board_t *board, const options_t *options)
{
    const dnnl_version_t *v = dnnl_version();
    char processor[112];
    processor_name(processor, sizeof processor);
    prf_board_facts_t *facts = &board->facts;
    snprintf(facts->fingerprint, sizeof facts->fingerprint, "onednn %d.%d.%d %s %s threads=%d", v->major, v->minor, v->patch,
             processor, isa_name(), (int)options->threads);
    facts->kinds = (1U << PRF_LAYER_KINDS) - 1;
    facts->flags = PRF_BOARD_HOST;
    facts->dtypes = 1U << PRF_F32 | 1U << PRF_I8;
    if ((dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16)
        facts->dtypes |= 1U << PRF_BF16;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    size_t half = pages > 0 && page > 0 ? (size_t)pages / 2 * (size_t)page : memory_limit;
    board->limit = half < memory_limit ? half : memory_limit;
}

static void board_close(prf_board_t **self)
{
    prf_board_t *board = self ? *self : NULL;
    if (!board)
        return;
    prf_onednn_neighbour_destroy(board);
    for (int i = 0; i < PRF_ONEDNN_ARENAS; i++)
        prf_onednn_arena_release(&board->arenas[i]);
    if (board->stream)
        dnnl_stream_destroy(board->stream);
    if (board->engine)
        dnnl_engine_destroy(board->engine);
    free(board);
    *self = NULL;
}

static prf_status_t start_library(prf_board_t *board, const options_t *options, prf_error_t *err)
{
    if (dnnl_version()->cpu_runtime != DNNL_RUNTIME_OMP)
        return prf_fail(err, PRF_EUNSUPPORTED,
                        "this oneDNN does not run on OpenMP, so its threads cannot be set: use Debian's libdnnl2");
    omp_set_num_threads((int)options->threads);
    dnnl_status_t s = dnnl_set_verbose(0); /* it would print to standard output */
    if (!s)
        s = dnnl_set_primitive_cache_capacity(CACHED_PRIMITIVES);
    if (!s)
        s = dnnl_engine_create(&board->engine, dnnl_cpu, 0);
    if (!s)
        s = dnnl_stream_create(&board->stream, board->engine, dnnl_stream_default_flags);
    return s ? prf_onednn_fail(err, s, "start") : PRF_OK;
}

static prf_status_t board_open(const char *const *options, size_t count, prf_board_t **out, prf_error_t *err)
{
    options_t chosen;
    prf_status_t status = read_options(options, count, &chosen, err);
    if (!status)
        status = pin(&chosen, err);
    if (status)
        return status;
    prf_board_t *board = calloc(1, sizeof *board);
    if (!board)
        return prf_fail(err, PRF_ENOMEM, "onednn board");
    learn_facts(board, &chosen);
    status = start_library(board, &chosen, err);
    for (int i = 0; !status && i < PRF_ONEDNN_ARENAS; i++)
        status = prf_onednn_arena_init(&board->arenas[i], board->limit, err);
    if (!status)
        status = prf_onednn_neighbour_new(board, err);
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

const prf_backend_t prf_backend_onednn = {
    .abi = PRF_BACKEND_ABI,
    .name = "onednn",
    .options = "threads=N (default 1), cpu=N: run on processor N and, with more threads, those behind it",
    .open = board_open,
    .describe = board_describe,
    .prepare = prf_onednn_prepare,
    .run = prf_onednn_run,
#if defined(__x86_64__) || defined(__aarch64__)
    .flush_weights = prf_onednn_flush_weights,
#endif
    .touch_input = prf_onednn_touch_input,
    .weight_bytes = prf_onednn_weight_bytes,
    .release = prf_onednn_release,
    .close = board_close,
};
