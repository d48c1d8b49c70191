// SPDX-License-Identifier: Apache-2.0
/* board.c - a plug-in for prfarm-worker: fully connected layers in plain C, timed by the worker.
 *
 *   cc -O2 -shared -fPIC -I WORKER -I COMMON board.c -o board.so      (the folders worker/ and common/ of prfarm's sources)
 *   prfarm-worker --kind plainc --plugin ./board.so --option unroll=4
 *
 * A plug-in includes one header and links nothing of prfarm: errors are a code and a line of text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/backend.h"

struct prf_board {
    int unroll;
};

struct prf_kernel {
    int in, out, unroll;
    float *weights, *x, *y; /* one allocation, owned through weights */
};

static prf_status_t fail(prf_error_t *err, prf_status_t code, const char *text)
{
    if (err) {
        err->code = code;
        snprintf(err->text, sizeof err->text, "plainc: %s", text);
    }
    return code;
}

static prf_status_t board_open(const char *const *options, size_t count, prf_board_t **out, prf_error_t *err)
{
    int unroll = 1;
    for (size_t i = 0; i < count; i++)
        if (sscanf(options[i], "unroll=%d", &unroll) != 1 || (unroll != 1 && unroll != 4))
            return fail(err, PRF_EINVAL, "the only option is unroll=1 or unroll=4");
    prf_board_t *board = malloc(sizeof *board);
    if (!board)
        return fail(err, PRF_ENOMEM, "board");
    board->unroll = unroll;
    *out = board;
    return PRF_OK;
}

/* Two boards are of a kind when these agree, so everything that changes latency belongs into the fingerprint. */
static void board_describe(const prf_board_t *board, prf_board_facts_t *out)
{
    memset(out, 0, sizeof *out);
    snprintf(out->fingerprint, sizeof out->fingerprint, "plainc/1 unroll=%d", board->unroll);
    out->kinds = 1u << PRF_FC;
    out->dtypes = 1u << PRF_F32;
}

static prf_status_t board_prepare(prf_board_t *board, const prf_block_t *block, const prf_place_t *place, prf_kernel_t **out,
                                  prf_error_t *err)
{
    (void)place; /* chains are run block after block; nothing is passed on */
    const prf_layer_t *layer = &block->layers[0];
    if (layer->kind != PRF_FC || block->count != 1 || block->dtype != PRF_F32 || layer->p[PRF_P_N] != 1)
        return fail(err, PRF_EUNSUPPORTED, "runs single fc layers of f32 with n=1");
    size_t in = (size_t)layer->p[PRF_P_IN], rows = (size_t)layer->p[PRF_P_OUT];
    prf_kernel_t *kernel = malloc(sizeof *kernel);
    if (!kernel)
        return fail(err, PRF_ENOMEM, "kernel");
    *kernel = (prf_kernel_t){.in = (int)in, .out = (int)rows, .unroll = board->unroll};
    kernel->weights = calloc(in * rows + in + rows, sizeof(float));
    if (!kernel->weights) {
        free(kernel);
        return fail(err, PRF_ENOMEM, "weights");
    }
    kernel->x = kernel->weights + in * rows;
    kernel->y = kernel->x + in;
    *out = kernel;
    return PRF_OK;
}

static float dot(const float *a, const float *b, int count, int unroll)
{
    float sum[4] = {0};
    int i = 0;
    for (; unroll == 4 && i + 4 <= count; i += 4)
        for (int j = 0; j < 4; j++)
            sum[j] += a[i + j] * b[i + j];
    for (; i < count; i++)
        sum[0] += a[i] * b[i];
    return sum[0] + sum[1] + sum[2] + sum[3];
}

static prf_status_t kernel_run(prf_kernel_t *k, const prf_run_t *how, prf_reading_t *out, prf_error_t *err)
{
    (void)out; /* not PRF_BOARD_SELF_TIMED: the worker takes the time */
    (void)err;
    for (uint32_t i = 0; i < how->iterations; i++)
        for (int row = 0; row < k->out; row++)
            *(volatile float *)&k->y[row] = dot(k->weights + (size_t)row * (size_t)k->in, k->x, k->in, k->unroll);
    return PRF_OK;
}

static void kernel_release(prf_kernel_t **kernel)
{
    if (*kernel)
        free((*kernel)->weights);
    free(*kernel);
    *kernel = NULL;
}

static void board_close(prf_board_t **board)
{
    free(*board);
    *board = NULL;
}

static const prf_backend_t backend = {
    .abi = PRF_BACKEND_ABI,
    .name = "plainc",
    .options = "unroll=1|4",
    .open = board_open,
    .describe = board_describe,
    .prepare = board_prepare,
    .run = kernel_run,
    .release = kernel_release,
    .close = board_close,
};

__attribute__((visibility("default"))) const prf_backend_t *prf_backend(void);
const prf_backend_t *prf_backend(void)
{
    return &backend;
}
