// SPDX-License-Identifier: Apache-2.0
/* arena.h - memory that is given back all at once, up to a budget. One message's protobuf structures live in one. Not shared
 * between threads. */
#ifndef PRF_WIRE_ARENA_H
#define PRF_WIRE_ARENA_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>

enum { PRF_ARENA_FIRST = 2048 /* bytes that need no allocation: a frame of one result or a few ids */ };

typedef struct prf_arena_chunk prf_arena_chunk_t;
typedef struct {
    prf_arena_chunk_t *chunks; /* owned, newest first */
    size_t used, budget;
    size_t first_used;
    bool exhausted; /* the budget was reached */
    bool failed;    /* memory itself ran out */
    alignas(max_align_t) unsigned char first[PRF_ARENA_FIRST];
} prf_arena_t;

void prf_arena_init(prf_arena_t *arena, size_t budget);
void prf_arena_release(prf_arena_t *arena);
/* Aligned for anything, not cleared; NULL when the budget or memory is used up. */
void *prf_arena_take(prf_arena_t *arena, size_t bytes);

#endif
