// SPDX-License-Identifier: Apache-2.0
#include "net/frames.h"

#include <stdlib.h>

prf_status_t prf_frame_send(prf_socket_t *socket, const prf_peer_t *to, const prf_frame_t *frame, prf_error_t *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    prf_status_t status = prf_frame_encode(frame, &bytes, &len, err);
    if (!status)
        status = prf_socket_send(socket, to, bytes, len, err);
    free(bytes);
    return status;
}

prf_status_t prf_frame_message(prf_message_t **out, const prf_frame_t *frame, prf_error_t *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    prf_status_t status = prf_frame_encode(frame, &bytes, &len, err);
    if (!status)
        status = prf_message_new(out, bytes, len, err);
    free(bytes);
    return status;
}
