// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

void prf_map_init(prf_map_t *map)
{
    *map = (prf_map_t){0};
}

void prf_map_release(prf_map_t *map)
{
    free(map->entries);
    prf_map_init(map);
}

static size_t home(const prf_map_t *map, const prf_digest_t *digest, uint32_t number)
{
    uint64_t hash;
    memcpy(&hash, digest->bytes, sizeof hash);
    return (size_t)(hash + number * 0x9e3779b97f4a7c15u) & (map->cap - 1);
}

/* One to one, and each bit depends on all (the end of splitmix64, Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

void prf_map_key(prf_digest_t *out, const void *bytes, size_t len)
{
    if (len >= PRF_DIGEST_BYTES) {
        prf_digest(out, bytes, len);
        return;
    }
    uint64_t words[2] = {0};
    memcpy(words, bytes, len);
    words[1] ^= (uint64_t)len << 56;
    words[1] = mix(words[1]);
    words[0] = mix(words[0] ^ words[1]);
    memcpy(out->bytes, words, sizeof out->bytes);
}

/* The entry of this key, or the free one where it would go. */
static prf_map_entry_t *slot(const prf_map_t *map, const prf_digest_t *digest, uint32_t number)
{
    size_t mask = map->cap - 1;
    size_t i = home(map, digest, number);
    while (map->entries[i].used &&
           (map->entries[i].number != number || memcmp(map->entries[i].digest.bytes, digest->bytes, PRF_DIGEST_BYTES) != 0))
        i = (i + 1) & mask;
    return &map->entries[i];
}

static prf_status_t grow(prf_map_t *map, prf_error_t *err)
{
    prf_map_t larger = {.cap = map->cap ? map->cap * 2 : 64, .count = map->count};
    larger.entries = calloc(larger.cap, sizeof *larger.entries);
    if (!larger.entries)
        return prf_fail(err, PRF_ENOMEM, "an index of %zu entries", larger.cap);
    for (size_t i = 0; i < map->cap; i++)
        if (map->entries[i].used)
            *slot(&larger, &map->entries[i].digest, map->entries[i].number) = map->entries[i];
    free(map->entries);
    *map = larger;
    return PRF_OK;
}

prf_status_t prf_map_reach(prf_map_t *map, const prf_digest_t *digest, uint32_t number, uint64_t **value, bool *fresh,
                           prf_error_t *err)
{
    bool full = map->count * 3 >= map->cap * 2; /* for a key that is not there yet */
    if (full && (map->cap == 0 || !slot(map, digest, number)->used)) {
        prf_status_t status = grow(map, err);
        if (status)
            return status;
    }
    prf_map_entry_t *entry = slot(map, digest, number);
    *fresh = !entry->used;
    if (*fresh) {
        *entry = (prf_map_entry_t){.digest = *digest, .number = number, .used = 1};
        map->count++;
    }
    *value = &entry->value;
    return PRF_OK;
}

prf_status_t prf_map_put(prf_map_t *map, const prf_digest_t *digest, uint32_t number, uint64_t value, prf_error_t *err)
{
    uint64_t *at;
    bool fresh;
    prf_status_t status = prf_map_reach(map, digest, number, &at, &fresh, err);
    if (!status)
        *at = value;
    return status;
}

bool prf_map_get(const prf_map_t *map, const prf_digest_t *digest, uint32_t number, uint64_t *value)
{
    if (map->count == 0)
        return false;
    const prf_map_entry_t *entry = slot(map, digest, number);
    if (!entry->used)
        return false;
    *value = entry->value;
    return true;
}

prf_status_t prf_map_put_pointer(prf_map_t *map, const prf_digest_t *digest, uint32_t number, void *pointer, prf_error_t *err)
{
    uint64_t value = 0;
    memcpy(&value, &pointer, sizeof pointer);
    return prf_map_put(map, digest, number, value, err);
}

void *prf_map_get_pointer(const prf_map_t *map, const prf_digest_t *digest, uint32_t number)
{
    uint64_t value = 0;
    void *pointer = NULL;
    if (prf_map_get(map, digest, number, &value))
        memcpy(&pointer, &value, sizeof pointer);
    return pointer;
}

/* Entries behind the gap move up when the gap lies between their home and their place, so that no probe ends too early. */
void prf_map_remove(prf_map_t *map, const prf_digest_t *digest, uint32_t number)
{
    if (map->count == 0)
        return;
    size_t mask = map->cap - 1, gap = (size_t)(slot(map, digest, number) - map->entries);
    if (!map->entries[gap].used)
        return;
    for (size_t i = (gap + 1) & mask; map->entries[i].used; i = (i + 1) & mask) {
        size_t wanted = home(map, &map->entries[i].digest, map->entries[i].number);
        if (((i - wanted) & mask) >= ((i - gap) & mask)) {
            map->entries[gap] = map->entries[i];
            gap = i;
        }
    }
    map->entries[gap] = (prf_map_entry_t){0};
    map->count--;
}
