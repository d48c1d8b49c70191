// SPDX-License-Identifier: Apache-2.0
/* pipe.h - wire frames over a stream socket between the worker and its backend's process: four bytes of length, least
 * significant first, then the frame. Neither end trusts the other; nothing here blocks. One thread. */
#ifndef PRF_WORKER_PIPE_H
#define PRF_WORKER_PIPE_H

#include "wire/wire.h"

typedef struct {
    int fd; /* borrowed */
    uint8_t *in, *out;
    size_t in_len, in_cap, out_len;
} prf_pipe_t;

/* Makes `fd` non-blocking. */
void prf_pipe_init(prf_pipe_t *self, int fd);
void prf_pipe_release(prf_pipe_t *self);
/* Queues the frame and sends what the socket takes; the rest goes with prf_pipe_flush. Errors: those of prf_frame_encode,
 * PRF_ECRASH (the other end is closed). */
PRF_CHECKED prf_status_t prf_pipe_send(prf_pipe_t *self, const prf_frame_t *frame, prf_error_t *err);
PRF_CHECKED prf_status_t prf_pipe_flush(prf_pipe_t *self, prf_error_t *err);
bool prf_pipe_flushed(const prf_pipe_t *self);
/* The next frame, which the caller releases; *got is false when none is complete yet. Errors: PRF_ECRASH (the other end is
 * closed), PRF_EPEER (what came is no frame), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_pipe_receive(prf_pipe_t *self, prf_frame_t *frame, bool *got, prf_error_t *err);

#endif
