// SPDX-License-Identifier: Apache-2.0
/* http_peers.c - a list, walked: it is short, and connections are not made all the time. */
#include "http_peers.h"

#include <netinet/in.h>
#include <string.h>

static prf_http_peer_t peer_of(const struct sockaddr *address)
{
    prf_http_peer_t peer = {{0}};
    if (address->sa_family == AF_INET6) {
        memcpy(peer.bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, sizeof peer.bytes);
    } else if (address->sa_family == AF_INET) {
        peer.bytes[10] = peer.bytes[11] = 0xff;
        memcpy(peer.bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    }
    return peer;
}

static bool same(const prf_http_peer_t *a, const prf_http_peer_t *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool prf_http_peers_may(prf_http_peers_t *self, const struct sockaddr *address)
{
    const prf_http_peer_t peer = peer_of(address);
    size_t of_it = 0;
    for (size_t i = 0; i < self->count; i++)
        of_it += same(&self->open[i], &peer);
    bool may = self->count < PRF_HTTP_PEERS && of_it < PRF_HTTP_PEERS_OF_ONE;
    self->refused += !may;
    return may;
}

void prf_http_peers_add(prf_http_peers_t *self, const struct sockaddr *address)
{
    if (self->count < PRF_HTTP_PEERS)
        self->open[self->count++] = peer_of(address);
}

void prf_http_peers_remove(prf_http_peers_t *self, const struct sockaddr *address)
{
    const prf_http_peer_t peer = peer_of(address);
    for (size_t i = 0; i < self->count; i++)
        if (same(&self->open[i], &peer)) {
            self->open[i] = self->open[--self->count];
            return;
        }
}
