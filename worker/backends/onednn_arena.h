// SPDX-License-Identifier: Apache-2.0
/* onednn_arena.h - memory that grows without moving, for tensors. Internal to the onednn backend. One thread.
 *
 * Address space is reserved once and becomes memory as it is asked for, so that kernels keep their addresses while later,
 * larger ones join the chain. It begins on a boundary of 2 MiB and asks for huge pages: which physical pages a tensor gets
 * decides about conflict misses, and with small pages two measurements of one layer differ by that. */
#ifndef PRF_ONEDNN_ARENA_H
#define PRF_ONEDNN_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct {
    unsigned char *base; /* NULL: nothing reserved */
    size_t used;         /* bytes that are memory */
    size_t limit;        /* bytes that may become memory */
    void *map;           /* what was mapped, for release */
    size_t map_bytes;
} prf_onednn_arena_t;

/* Reserves room for `limit` bytes; no memory yet. *arena is untouched on failure. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_onednn_arena_init(prf_onednn_arena_t *arena, size_t limit, prf_error_t *err);
/* Makes at least `bytes` of it memory; what is beyond `used` is zero. Errors: PRF_ENOMEM, also when beyond the limit. */
PRF_CHECKED prf_status_t prf_onednn_arena_grow(prf_onednn_arena_t *arena, size_t bytes, prf_error_t *err);
/* Gives the memory back and keeps the room; addresses stay valid, contents are lost. */
void prf_onednn_arena_empty(prf_onednn_arena_t *arena);
void prf_onednn_arena_release(prf_onednn_arena_t *arena); /* NULL-safe on an arena that holds nothing */

#endif
