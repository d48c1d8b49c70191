// SPDX-License-Identifier: Apache-2.0
/* backend.h - the C ABI between prfarm's worker and whatever executes layers: built-in backends and plug-ins loaded by dlopen.
 *
 * A plug-in is a shared object that exports `const prf_backend_t *prf_backend(void)`. It runs in a child process of the worker
 * that serves one board, on that process's only thread; it may crash or hang: that costs one job. It must not write to standard
 * output. Every pointer that is handed in is borrowed for the call. */
#ifndef PRF_BACKEND_H
#define PRF_BACKEND_H

#include "point/point.h"

#define PRF_BACKEND_ABI 2
#define PRF_BACKEND_SYMBOL "prf_backend"

typedef struct prf_board prf_board_t;   /* an opened board; defined by the backend */
typedef struct prf_kernel prf_kernel_t; /* a block made ready to run; defined by the backend */

typedef struct {
    char fingerprint[PRF_FINGERPRINT]; /* runtime, version, device, threads: what makes two boards of a kind comparable */
    uint32_t kinds;                    /* bit 1 << prf_layer_kind_t for each kind that can lead a block */
    uint32_t dtypes;                   /* bit 1 << prf_dtype_t */
    uint32_t flags;                    /* PRF_BOARD_*, of point.h */
} prf_board_facts_t;

/* A block's place in what is measured: chains let a backend pass one block's output on as the next one's input. */
typedef struct {
    uint32_t position; /* 0 .. length - 1 */
    uint32_t length;   /* 1: the block alone */
    prf_cache_t cache; /* the state of the caches that it is going to be run in */
} prf_place_t;

/* How a prepared block or network is run once. */
typedef struct {
    uint32_t iterations; /* so many times, one after the other */
    prf_cache_t cache;   /* as it was prepared for; boards that time themselves arrange it themselves, or ignore it */
} prf_run_t;

/* What a board tells about that, for one of the iterations. All is 0 when run() is called. */
typedef struct {
    double latency_ns; /* SELF_TIMED boards */
    double energy_nj;  /* ENERGY boards; 0: not told */
    bool disturbed;    /* SELF_TIMED boards: something interrupted the timing, so that it counts only if others are too few */
    /* SELF_TIMED boards with sensors of their own, right behind the timing; 0: not told */
    uint32_t temperature_mc; /* thousandths of a degree Celsius */
    uint32_t clock_khz;
    bool throttled; /* heat or a power limit slowed the board down */
} prf_reading_t;

typedef struct {
    uint32_t abi;        /* PRF_BACKEND_ABI */
    const char *name;    /* "onednn" */
    const char *options; /* one line a person reads: "threads=N (default 1)" */

    /* Options are "key=value" strings; an unknown key is an error that names the known ones. On failure *out is untouched. */
    prf_status_t (*open)(const char *const *options, size_t count, prf_board_t **out, prf_error_t *err);
    void (*describe)(const prf_board_t *board, prf_board_facts_t *out);
    /* Builds what is needed to run the block; layout changes and weights belong here, outside the timing.
     * PRF_EUNSUPPORTED: this block cannot run here, and never will. */
    prf_status_t (*prepare)(prf_board_t *board, const prf_block_t *block, const prf_place_t *place, prf_kernel_t **out,
                            prf_error_t *err);
    /* Executes it how->iterations times and returns when all are done. */
    prf_status_t (*run)(prf_kernel_t *kernel, const prf_run_t *how, prf_reading_t *out, prf_error_t *err);
    /* NETWORKS boards only, else NULL: builds all blocks of a network, connected by its edges, as one kernel, with whatever the
     * runtime makes of it. An input of a block that has several and is no add or matmul is all of them, joined along the channels.
     * Errors as of prepare. */
    prf_status_t (*prepare_network)(prf_board_t *board, const prf_chain_t *network, prf_cache_t cache, prf_kernel_t **out,
                                    prf_error_t *err);
    /* These three arrange the cache state of a network before a semi-cold timing; each may be NULL. */
    /* Bytes of the prepared weights, so that the worker knows how much to stream over where flush_weights is missing. */
    size_t (*weight_bytes)(const prf_kernel_t *kernel);
    /* Puts the weights out of every cache. */
    void (*flush_weights)(prf_kernel_t *kernel);
    /* Called after the worker has streamed over other data: brings in what a network would have in the cache, the activations
     * (such memory of the output as earlier layers used, then the input) but not the weights. */
    void (*touch_input)(prf_kernel_t *kernel);
    void (*release)(prf_kernel_t **kernel); /* NULL-safe */
    void (*close)(prf_board_t **board);     /* NULL-safe */
} prf_backend_t;

typedef const prf_backend_t *(*prf_backend_entry_t)(void);

#endif
