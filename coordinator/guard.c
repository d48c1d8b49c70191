// SPDX-License-Identifier: Apache-2.0
/* guard.c - a table of fixed size in which each peer has one place by its hash; a second peer with the same place takes it over.
 * So the worst that an attacker with many connections gains is to be forgotten, and forgiven, earlier; that an honest peer shares
 * a place with an attacker costs it nothing, because the whole hash is compared. */
#include "guard.h"

static uint64_t hash(const prf_peer_t *peer)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a: names are given by ZeroMQ or short */
    for (size_t i = 0; i < peer->len; i++)
        h = (h ^ peer->bytes[i]) * UINT64_C(1099511628211);
    return h | 1;
}

static prf_guard_entry_t *place(prf_guard_t *self, uint64_t h)
{
    return &self->entries[(h >> 32) % PRF_GUARD_PEERS];
}

bool prf_guard_fault(prf_guard_t *self, const prf_peer_t *peer, uint64_t now_ms)
{
    uint64_t h = hash(peer);
    prf_guard_entry_t *entry = place(self, h);
    self->faults++;
    if (entry->hash != h || now_ms >= entry->until_ms)
        *entry = (prf_guard_entry_t){.hash = h, .until_ms = now_ms + PRF_GUARD_MS};
    if (++entry->faults < PRF_GUARD_FAULTS)
        return false;
    entry->until_ms = now_ms + PRF_GUARD_MS;
    return true;
}

bool prf_guard_ignores(prf_guard_t *self, const prf_peer_t *peer, uint64_t now_ms)
{
    uint64_t h = hash(peer);
    const prf_guard_entry_t *entry = place(self, h);
    bool ignored = entry->hash == h && entry->faults >= PRF_GUARD_FAULTS && now_ms < entry->until_ms;
    self->ignored += ignored;
    return ignored;
}
