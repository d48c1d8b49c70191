// SPDX-License-Identifier: Apache-2.0
/* frames.h - a frame on its way: encoded and handed to a socket. The socket's thread only. */
#ifndef PRF_NET_FRAMES_H
#define PRF_NET_FRAMES_H

#include "net/net.h"
#include "wire/wire.h"

/* Never blocks. `to` only for ROUTER. Errors: those of prf_frame_encode and prf_socket_send. */
PRF_CHECKED prf_status_t prf_frame_send(prf_socket_t *socket, const prf_peer_t *to, const prf_frame_t *frame, prf_error_t *err);
/* A frame to be sent to many. Errors: those of prf_frame_encode. */
PRF_CHECKED prf_status_t prf_frame_message(prf_message_t **out, const prf_frame_t *frame, prf_error_t *err);

#endif
