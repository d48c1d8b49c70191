// SPDX-License-Identifier: Apache-2.0
#include "base/pool.h"

#include <stdlib.h>

struct prf_pool_piece {
    prf_pool_piece_t *next;
};

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
enum { KEEPS = 0 };
#else
enum { KEEPS = 1 };
#endif

void prf_pool_init(prf_pool_t *pool, size_t size, size_t most)
{
    *pool = (prf_pool_t){.size = size > sizeof(prf_pool_piece_t) ? size : sizeof(prf_pool_piece_t), .most = KEEPS ? most : 0};
}

void prf_pool_release(prf_pool_t *pool)
{
    while (pool->first) {
        prf_pool_piece_t *next = pool->first->next;
        free(pool->first);
        pool->first = next;
    }
    pool->kept = 0;
}

void *prf_pool_take(prf_pool_t *pool)
{
    prf_pool_piece_t *piece = pool->first;
    if (!piece)
        return malloc(pool->size);
    pool->first = piece->next;
    pool->kept--;
    if (pool->first)
        __builtin_prefetch(pool->first); /* other threads may have had it last */
    return piece;
}

void prf_pool_give(prf_pool_t *pool, void *given)
{
    prf_pool_piece_t *piece = given;
    if (!piece || pool->kept >= pool->most) {
        free(piece);
        return;
    }
    piece->next = pool->first;
    pool->first = piece;
    pool->kept++;
}
