// SPDX-License-Identifier: Apache-2.0
/* onednn_arena.c - address space is mapped without access, which costs nothing and counts against no limit of memory, and
 * opened from the front in steps of a huge page. */
#define _GNU_SOURCE /* MADV_HUGEPAGE */
#include "backends/onednn_arena.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

static size_t round_up(size_t bytes)
{
    return (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
}

prf_status_t prf_onednn_arena_init(prf_onednn_arena_t *arena, size_t limit, prf_error_t *err)
{
    if (limit > SIZE_MAX / 2)
        return prf_fail(err, PRF_ENOMEM, "%zu bytes of address space", limit);
    size_t bytes = round_up(limit) + HUGE_PAGE;
    void *map = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return prf_fail(err, PRF_ENOMEM, "%zu MiB of address space, of which a limit may take some (ulimit -v)", bytes >> 20);
    size_t skip = round_up((uintptr_t)map) - (uintptr_t)map;
    *arena = (prf_onednn_arena_t){.base = (unsigned char *)map + skip, .limit = round_up(limit), .map = map, .map_bytes = bytes};
    (void)madvise(arena->base, arena->limit, MADV_HUGEPAGE); /* refused where the kernel has none: small pages then */
    return PRF_OK;
}

prf_status_t prf_onednn_arena_grow(prf_onednn_arena_t *arena, size_t bytes, prf_error_t *err)
{
    if (bytes <= arena->used)
        return PRF_OK;
    if (bytes > arena->limit)
        return prf_fail(err, PRF_ENOMEM, "%zu MiB of tensors, of which %zu MiB are allowed", bytes >> 20, arena->limit >> 20);
    size_t want = round_up(bytes);
    if (mprotect(arena->base + arena->used, want - arena->used, PROT_READ | PROT_WRITE) != 0)
        return prf_fail_sys(err, errno, "%zu MiB of memory for tensors", want >> 20);
    arena->used = want;
    return PRF_OK;
}

void prf_onednn_arena_empty(prf_onednn_arena_t *arena)
{
    if (arena->used == 0)
        return;
    (void)madvise(arena->base, arena->used, MADV_DONTNEED);
    arena->used = 0;
}

void prf_onednn_arena_release(prf_onednn_arena_t *arena)
{
    if (arena->map)
        (void)munmap(arena->map, arena->map_bytes);
    *arena = (prf_onednn_arena_t){0};
}
