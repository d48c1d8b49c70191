// SPDX-License-Identifier: Apache-2.0
/* arena.h - memory that is given back all at once, up to a budget. One message's protobuf structures live in one. Not shared
 * between threads. */
#ifndef PRF_WIRE_ARENA_H
#define PRF_WIRE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct prf_arena_chunk prf_arena_chunk_t;
typedef struct {
    prf_arena_chunk_t *chunks; /* owned, newest first */
    size_t used, budget;
    bool exhausted; /* the budget was reached */
    bool failed;    /* memory itself ran out */
} prf_arena_t;

void prf_arena_init(prf_arena_t *arena, size_t budget);
void prf_arena_release(prf_arena_t *arena);
/* Aligned for anything, not cleared; NULL when the budget or memory is used up. */
void *prf_arena_take(prf_arena_t *arena, size_t bytes);

#endif
