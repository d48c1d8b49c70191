// SPDX-License-Identifier: Apache-2.0
/* socket.h - what a socket is made of. Private to this folder. */
#ifndef PRF_NET_SOCKET_H
#define PRF_NET_SOCKET_H

#include "net/net.h"

struct prf_socket {
    struct _zsock_t *zsock; /* owned; czmq's */
    prf_socket_type_t type;
    uint64_t dropped;
    bool guarded; /* peers prove who they are */
    /* Of a socket that connects: */
    char endpoint[PRF_ENDPOINT]; /* "": it does not */
    bool keyed;                  /* it has an identity */
    void *monitor;               /* owned; NULL: it does not */
    unsigned failures;           /* handshakes in a row */
    uint64_t again_ms;           /* when to connect again because libzmq has given up; 0: it has not */
};

/* ZeroMQ's own handle and context, borrowed. */
void *prf_socket_handle(const prf_socket_t *self);
void *prf_socket_context(void);
/* Watches the handshakes of a socket that is about to connect (handshake.c). */
PRF_CHECKED prf_status_t prf_handshake_watch(prf_socket_t *self, prf_error_t *err);
void prf_handshake_unwatch(prf_socket_t *self);

#endif
