// SPDX-License-Identifier: Apache-2.0
/* ledger.c - entries in chunks, so that they never move and no copy of all of them is ever made, and a hash table of their numbers.
 * A slot has the hash beside the number: entries, which are rarely in the cache, are looked at only where it is the same, and
 * growing the table looks at none. Digests are hashes already. */
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 4096 /* entries */, SLOTS = 256 /* at first */ };

typedef struct {
    uint32_t hash, number; /* 1 + the entry's number; 0: free */
} slot_t;

struct prf_ledger {
    slot_t *slots;        /* owned */
    size_t cap;           /* of slots: a power of two, at most two thirds used */
    prf_entry_t **chunks; /* owned, each too */
    size_t count, chunk_count;
};

prf_status_t prf_ledger_new(prf_ledger_t **out, prf_error_t *err)
{
    prf_ledger_t *self = calloc(1, sizeof *self);
    slot_t *slots = calloc(SLOTS, sizeof *slots);
    if (!self || !slots) {
        free(self);
        free(slots);
        return prf_fail(err, PRF_ENOMEM, "ledger");
    }
    *self = (prf_ledger_t){.slots = slots, .cap = SLOTS};
    *out = self;
    return PRF_OK;
}

static prf_entry_t *entry_at(const prf_ledger_t *self, size_t number)
{
    return &self->chunks[number / CHUNK][number % CHUNK];
}

void prf_ledger_destroy(prf_ledger_t **self)
{
    if (!self || !*self)
        return;
    prf_ledger_t *l = *self;
    for (size_t i = 0; i < l->count; i++)
        free(entry_at(l, i)->error);
    for (size_t i = 0; i < l->chunk_count; i++)
        free(l->chunks[i]);
    free(l->chunks);
    free(l->slots);
    free(l);
    *self = NULL;
}

static uint32_t hash_of(const prf_digest_t *point, uint32_t attempt)
{
    uint32_t hash;
    memcpy(&hash, point->bytes, sizeof hash);
    return hash + attempt * 0x9e3779b9u;
}

/* The slot of this point and attempt, or the free one where it would go. */
static slot_t *seek(const prf_ledger_t *self, uint32_t hash, const prf_digest_t *point, uint32_t attempt)
{
    for (size_t i = hash;; i++) {
        slot_t *slot = &self->slots[i & (self->cap - 1)];
        if (slot->number == 0)
            return slot;
        if (slot->hash != hash)
            continue;
        const prf_entry_t *entry = entry_at(self, slot->number - 1);
        if (entry->attempt == attempt && memcmp(entry->point.bytes, point->bytes, PRF_DIGEST_BYTES) == 0)
            return slot;
    }
}

prf_entry_t *prf_ledger_find(const prf_ledger_t *self, const prf_digest_t *point, uint32_t attempt)
{
    const slot_t *slot = seek(self, hash_of(point, attempt), point, attempt);
    return slot->number ? entry_at(self, slot->number - 1) : NULL;
}

static prf_status_t widen(prf_ledger_t *self, prf_error_t *err)
{
    size_t cap = self->cap * 2;
    slot_t *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return prf_fail(err, PRF_ENOMEM, "a ledger of %zu points", cap);
    for (size_t i = 0; i < self->cap; i++) {
        size_t at = self->slots[i].hash;
        while (self->slots[i].number && slots[at & (cap - 1)].number)
            at++;
        if (self->slots[i].number)
            slots[at & (cap - 1)] = self->slots[i];
    }
    free(self->slots);
    self->slots = slots;
    self->cap = cap;
    return PRF_OK;
}

static prf_status_t add_chunk(prf_ledger_t *self, prf_error_t *err)
{
    prf_entry_t **chunks = realloc(self->chunks, (self->chunk_count + 1) * sizeof(void *));
    if (chunks)
        self->chunks = chunks;
    prf_entry_t *chunk = chunks ? calloc(CHUNK, sizeof *chunk) : NULL;
    if (!chunk || self->count + CHUNK >= UINT32_MAX) {
        free(chunk);
        return prf_fail(err, PRF_ENOMEM, "a ledger of %zu points", self->count);
    }
    self->chunks[self->chunk_count++] = chunk;
    return PRF_OK;
}

prf_status_t prf_ledger_reach(prf_ledger_t *self, const prf_digest_t *point, uint32_t attempt, prf_entry_t **out, prf_error_t *err)
{
    uint32_t hash = hash_of(point, attempt);
    slot_t *slot = seek(self, hash, point, attempt);
    if (slot->number) {
        *out = entry_at(self, slot->number - 1);
        return PRF_OK;
    }
    prf_status_t status = self->count == self->chunk_count * CHUNK ? add_chunk(self, err) : PRF_OK;
    if (!status && self->count * 3 >= self->cap * 2) {
        status = widen(self, err);
        slot = seek(self, hash, point, attempt);
    }
    if (status)
        return status;
    prf_entry_t *entry = entry_at(self, self->count++);
    entry->point = *point;
    entry->attempt = attempt;
    *slot = (slot_t){hash, (uint32_t)self->count};
    *out = entry;
    return PRF_OK;
}
