// SPDX-License-Identifier: Apache-2.0
/* onednn_kernel.h - the opened onednn board and what runs on it. Internal to the onednn backend; functions as in backend.h.
 * One thread. */
#ifndef PRF_ONEDNN_KERNEL_H
#define PRF_ONEDNN_KERNEL_H

#include <oneapi/dnnl/dnnl.h>

#include "backends/backend.h"
#include "backends/onednn_arena.h"

/* Memory that kernels share: the activations of a chain, read and written in turn; second operands; scratch. */
enum { PRF_ONEDNN_PING, PRF_ONEDNN_PONG, PRF_ONEDNN_OPERAND, PRF_ONEDNN_SCRATCH, PRF_ONEDNN_ARENAS };

struct prf_board {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    prf_onednn_arena_t arenas[PRF_ONEDNN_ARENAS];
    size_t limit;      /* bytes that all tensors together may take */
    size_t own_bytes;  /* of all kernels */
    size_t kernels;    /* how many there are, the neighbour not counted */
    prf_dtype_t dtype; /* of what the arenas hold */
    prf_board_facts_t facts;
    prf_kernel_t *neighbour; /* a small layer that stands for the one before when caches are arranged */
};

prf_status_t prf_onednn_neighbour_new(prf_board_t *board, prf_error_t *err);
void prf_onednn_neighbour_destroy(prf_board_t *board); /* fine without one */
prf_status_t prf_onednn_prepare(prf_board_t *board, const prf_block_t *block, const prf_place_t *place, prf_kernel_t **out,
                                prf_error_t *err);
prf_status_t prf_onednn_run(prf_kernel_t *kernel, const prf_run_t *how, prf_reading_t *out, prf_error_t *err);
void prf_onednn_flush_weights(prf_kernel_t *kernel);
void prf_onednn_touch_input(prf_kernel_t *kernel);
size_t prf_onednn_weight_bytes(const prf_kernel_t *kernel);
void prf_onednn_release(prf_kernel_t **self);

#endif
