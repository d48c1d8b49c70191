// SPDX-License-Identifier: Apache-2.0
/* map.h - from a digest and a small number to an index. Digests are uniformly distributed already, so their first bytes are the
 * hash (open addressing, linear probing). Not shared between threads. */
#ifndef PRF_BASE_MAP_H
#define PRF_BASE_MAP_H

#include <stdbool.h>

#include "base/digest.h"
#include "base/status.h"

typedef struct {
    prf_digest_t digest;
    uint32_t number; /* second half of the key */
    uint32_t used;
    uint64_t value;
} prf_map_entry_t;

typedef struct {
    prf_map_entry_t *entries; /* owned */
    size_t count, cap;        /* cap is 0 or a power of two */
} prf_map_t;

void prf_map_init(prf_map_t *map);
void prf_map_release(prf_map_t *map);
/* Sets or replaces. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_map_put(prf_map_t *map, const prf_digest_t *digest, uint32_t number, uint64_t value, prf_error_t *err);
bool prf_map_get(const prf_map_t *map, const prf_digest_t *digest, uint32_t number, uint64_t *value);
/* The key's value, to be read or changed until the map changes; a key that was not there (*fresh) is given 0. Errors: PRF_ENOMEM.
 */
PRF_CHECKED prf_status_t prf_map_reach(prf_map_t *map, const prf_digest_t *digest, uint32_t number, uint64_t **value, bool *fresh,
                                       prf_error_t *err);
/* The same for maps whose values are pointers: NULL when there is no such key. */
PRF_CHECKED prf_status_t prf_map_put_pointer(prf_map_t *map, const prf_digest_t *digest, uint32_t number, void *pointer,
                                             prf_error_t *err);
void *prf_map_get_pointer(const prf_map_t *map, const prf_digest_t *digest, uint32_t number);
/* A key for what has no digest: different bytes have different keys as far as 15 of them, beyond that a digest's promise. */
void prf_map_key(prf_digest_t *out, const void *bytes, size_t len);
/* Nothing happens when there is no such key. */
void prf_map_remove(prf_map_t *map, const prf_digest_t *digest, uint32_t number);

#endif
