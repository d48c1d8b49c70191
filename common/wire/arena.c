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
    *arena = (prf_arena_t){.budget = budget};
}

void prf_arena_release(prf_arena_t *arena)
{
    while (arena->chunks) {
        prf_arena_chunk_t *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
}

void *prf_arena_take(prf_arena_t *arena, size_t bytes)
{
    if (bytes > arena->budget - arena->used) {
        arena->exhausted = true;
        return NULL;
    }
    size_t size = (bytes + ALIGN - 1) / ALIGN * ALIGN;
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
    arena->used += size < arena->budget - arena->used ? size : arena->budget - arena->used;
    return taken;
}
