// SPDX-License-Identifier: Apache-2.0
/* http_peers.h - who is connected over HTTP, so that no address takes all connections, and how many were turned away. Loop thread
 * only. */
#ifndef PRF_HTTP_PEERS_H
#define PRF_HTTP_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    PRF_HTTP_PEERS = 256,       /* connections */
    PRF_HTTP_PEERS_OF_ONE = 128 /* of one address: half of them, since all pages of a tunnel come from the same */
};

/* As numbers, an IPv4 one mapped to IPv6. */
typedef struct {
    unsigned char bytes[16];
} prf_http_peer_t;

/* Begins as {0}. */
typedef struct {
    prf_http_peer_t open[PRF_HTTP_PEERS];
    size_t count;
    uint64_t refused;
} prf_http_peers_t;

/* Whether one more may come from there; counts those that may not. */
bool prf_http_peers_may(prf_http_peers_t *self, const struct sockaddr *address);
void prf_http_peers_add(prf_http_peers_t *self, const struct sockaddr *address);
void prf_http_peers_remove(prf_http_peers_t *self, const struct sockaddr *address);

#endif
