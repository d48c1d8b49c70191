// SPDX-License-Identifier: Apache-2.0
#include "wire/arena.h"

#include <stdalign.h>
#include <stdlib.h>

enum { CHUNK = 16 * 1024, ALIGN = alignof(max_align_t) };

struct prf_arena_chunk {
    prf_arena_chunk_t *next;
    size_t used, size;
    alignas(max_align_t) unsigned char bytes[];
};

void prf_arena_init(prf_arena_t *arena, size_t budget)
{
    arena->chunks = NULL; /* field by field: what it holds is not cleared */
    arena->used = arena->first_used = 0;
    arena->budget = budget;
    arena->exhausted = arena->failed = false;
}

void prf_arena_release(prf_arena_t *arena)
{
    while (arena->chunks) {
        prf_arena_chunk_t *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
}

/* `size` is a multiple of ALIGN. */
static void *take_from_chunks(prf_arena_t *arena, size_t size)
{
    prf_arena_chunk_t *chunk = arena->chunks;
    if (!chunk || size > chunk->size - chunk->used) {
        size_t room = size > CHUNK ? size : CHUNK;
        chunk = malloc(sizeof *chunk + room);
        if (!chunk) {
            arena->failed = true;
            return NULL;
        }
        *chunk = (prf_arena_chunk_t){.next = arena->chunks, .size = room};
        arena->chunks = chunk;
    }
    void *taken = chunk->bytes + chunk->used;
    chunk->used += size;
    return taken;
}

void *prf_arena_take(prf_arena_t *arena, size_t bytes)
{
    if (bytes > arena->budget - arena->used) {
        arena->exhausted = true;
        return NULL;
    }
    size_t size = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    void *taken;
    if (size <= PRF_ARENA_FIRST - arena->first_used) {
        taken = arena->first + arena->first_used;
        arena->first_used += size;
    } else if (!(taken = take_from_chunks(arena, size))) {
        return NULL;
    }
    arena->used += size < arena->budget - arena->used ? size : arena->budget - arena->used;
    return taken;
}
