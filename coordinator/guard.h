// SPDX-License-Identifier: Apache-2.0
/* guard.h - peers that keep sending what cannot be understood are not listened to for a while. Cheap on purpose: a flood of such
 * messages must not cost more than taking them from the socket. Loop thread only. */
#ifndef PRF_GUARD_H
#define PRF_GUARD_H

#include "net/net.h"

enum {
    PRF_GUARD_FAULTS = 10, /* within PRF_GUARD_MS; then nothing of the peer is read for as long */
    PRF_GUARD_MS = 10000,
    PRF_GUARD_PEERS = 1024 /* that are kept in mind */
};

typedef struct {
    uint64_t hash; /* of the peer's name; 0: free */
    uint64_t until_ms;
    unsigned faults;
} prf_guard_entry_t;

/* All zero is a fresh one. */
typedef struct {
    prf_guard_entry_t entries[PRF_GUARD_PEERS];
    uint64_t faults, ignored; /* messages of all peers */
} prf_guard_t;

/* The peer sent something malformed. True when that was the last straw: it is ignored from now on. */
bool prf_guard_fault(prf_guard_t *self, const prf_peer_t *peer, uint64_t now_ms);
/* Whether the message just received is to be dropped unread; counts it then. */
bool prf_guard_ignores(prf_guard_t *self, const prf_peer_t *peer, uint64_t now_ms);

#endif
