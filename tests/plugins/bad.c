// SPDX-License-Identifier: Apache-2.0
/* bad.c - a plug-in that breaks a promise. It is built once for each of them: BREAK is the promise's name. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/backend.h"

enum { nothing, old_abi, incomplete, no_entry, crash_on_load, crash_on_open, garbage_on_open, mute, no_facts, no_networks };

struct prf_board {
    int dummy;
};

static prf_status_t board_open(const char *const *options, size_t count, prf_board_t **out, prf_error_t *err)
{
    static prf_board_t board;
    (void)options;
    (void)count;
    (void)err;
    if (BREAK == crash_on_open)
        abort();
    if (BREAK == garbage_on_open)
        (void)!write(3, "\x08\0\0\0garbage!", 12);
    for (; BREAK == mute;)
        pause();
    *out = &board;
    return PRF_OK;
}

static void board_describe(const prf_board_t *board, prf_board_facts_t *out)
{
    (void)board;
    memset(out, BREAK == no_facts ? 0xff : 0, sizeof *out);
    if (BREAK == no_networks)
        *out = (prf_board_facts_t){.fingerprint = "bad", .kinds = 1, .dtypes = 1, .flags = PRF_BOARD_NETWORKS};
}

static prf_status_t board_prepare(prf_board_t *board, const prf_block_t *block, const prf_place_t *place, prf_kernel_t **out,
                                  prf_error_t *err)
{
    (void)board;
    (void)block;
    (void)place;
    (void)out;
    (void)err;
    return PRF_EUNSUPPORTED;
}

static prf_status_t kernel_run(prf_kernel_t *kernel, const prf_run_t *how, prf_reading_t *out, prf_error_t *err)
{
    (void)kernel;
    (void)how;
    (void)out;
    (void)err;
    return PRF_OK;
}

static void kernel_release(prf_kernel_t **kernel)
{
    *kernel = NULL;
}

static void board_close(prf_board_t **board)
{
    *board = NULL;
}

static const prf_backend_t backend = {
    .abi = BREAK == old_abi ? PRF_BACKEND_ABI - 1 : PRF_BACKEND_ABI,
    .name = "bad",
    .options = "",
    .open = board_open,
    .describe = board_describe,
    .prepare = board_prepare,
    .run = BREAK == incomplete ? NULL : kernel_run,
    .release = kernel_release,
    .close = board_close,
};

__attribute__((visibility("default"))) const prf_backend_t *prf_backend(void);
const prf_backend_t *prf_backend(void)
{
    if (BREAK == crash_on_load)
        abort();
    return BREAK == nothing ? NULL : &backend;
}
