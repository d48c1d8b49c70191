// SPDX-License-Identifier: Apache-2.0
/* socket.h - what the loop needs to know of a socket. Private to this folder. */
#ifndef PRF_NET_SOCKET_H
#define PRF_NET_SOCKET_H

#include "net/net.h"

/* ZeroMQ's own handle, borrowed. */
void *prf_socket_handle(prf_socket_t *self);

#endif
