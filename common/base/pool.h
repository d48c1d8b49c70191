// SPDX-License-Identifier: Apache-2.0
/* pool.h - pieces of memory of one size that come and go all the time. What is given back is kept for the next taker, up to a
 * limit, so that a steady farm does not trouble the allocator, whose pieces of more than a few hundred bytes are dear. Not shared
 * between threads. With the address sanitizer nothing is kept, so that it sees what is used after it was given back. */
#ifndef PRF_BASE_POOL_H
#define PRF_BASE_POOL_H

#include <stddef.h>

typedef struct prf_pool_piece prf_pool_piece_t;
typedef struct {
    prf_pool_piece_t *first; /* owned: kept */
    size_t size, kept, most;
} prf_pool_t;

/* `size` of a piece; at most `most` are kept. */
void prf_pool_init(prf_pool_t *pool, size_t size, size_t most);
/* Frees what is kept; what is out is its takers' own. */
void prf_pool_release(prf_pool_t *pool);
/* Not cleared; NULL: out of memory. */
void *prf_pool_take(prf_pool_t *pool);
void prf_pool_give(prf_pool_t *pool, void *piece); /* NULL-safe */

#endif
