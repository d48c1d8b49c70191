// SPDX-License-Identifier: Apache-2.0
/* pipe.c - one buffer each way. Frames are rare (one job, one result at a time), so bytes are moved rather than kept in a ring. */
#include "pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PREFIX = 4, READ_STEP = 64 << 10 };

void prf_pipe_init(prf_pipe_t *self, int fd)
{
    *self = (prf_pipe_t){.fd = fd};
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

void prf_pipe_release(prf_pipe_t *self)
{
    free(self->in);
    free(self->out);
    *self = (prf_pipe_t){.fd = -1};
}

bool prf_pipe_flushed(const prf_pipe_t *self)
{
    return self->out_len == 0;
}

static prf_status_t closed(prf_error_t *err)
{
    return prf_fail(err, PRF_ECRASH, "the other end closed the connection");
}

prf_status_t prf_pipe_flush(prf_pipe_t *self, prf_error_t *err)
{
    while (self->out_len > 0) {
        ssize_t n = send(self->fd, self->out, self->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return PRF_OK;
        if (n < 0)
            return closed(err);
        self->out_len -= (size_t)n;
        memmove(self->out, self->out + n, self->out_len);
    }
    return PRF_OK;
}

prf_status_t prf_pipe_send(prf_pipe_t *self, const prf_frame_t *frame, prf_error_t *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    prf_status_t status = prf_frame_encode(frame, &bytes, &len, err);
    if (status)
        return status;
    uint8_t *grown = realloc(self->out, self->out_len + PREFIX + len);
    if (!grown) {
        free(bytes);
        return prf_fail(err, PRF_ENOMEM, "a frame of %zu bytes", len);
    }
    self->out = grown;
    for (unsigned i = 0; i < PREFIX; i++)
        self->out[self->out_len++] = (uint8_t)(len >> (8 * i));
    memcpy(self->out + self->out_len, bytes, len);
    self->out_len += len;
    free(bytes);
    return prf_pipe_flush(self, err);
}

static size_t announced(const prf_pipe_t *self)
{
    size_t len = 0;
    for (unsigned i = 0; i < PREFIX; i++)
        len |= (size_t)self->in[i] << (8 * i);
    return len;
}

/* Reads what is there, at most up to the end of the frame that is being read. *more tells whether anything came. */
static prf_status_t fill(prf_pipe_t *self, size_t wanted, bool *more, prf_error_t *err)
{
    if (wanted > self->in_cap) {
        uint8_t *grown = realloc(self->in, wanted + READ_STEP);
        if (!grown)
            return prf_fail(err, PRF_ENOMEM, "a frame of %zu bytes", wanted);
        self->in = grown;
        self->in_cap = wanted + READ_STEP;
    }
    ssize_t n;
    do
        n = recv(self->fd, self->in + self->in_len, wanted - self->in_len, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    *more = n > 0;
    if (n == 0 || (n < 0 && errno != EAGAIN))
        return closed(err);
    self->in_len += n > 0 ? (size_t)n : 0;
    return PRF_OK;
}

prf_status_t prf_pipe_receive(prf_pipe_t *self, prf_frame_t *frame, bool *got, prf_error_t *err)
{
    *got = false;
    bool more = true;
    while (more) {
        size_t wanted = self->in_len < PREFIX ? PREFIX : PREFIX + announced(self);
        if (wanted > PREFIX + PRF_FRAME_BYTES)
            return prf_fail(err, PRF_EPEER, "a frame of %zu bytes was announced, the limit is %d", wanted - PREFIX,
                            PRF_FRAME_BYTES);
        if (self->in_len >= PREFIX && self->in_len == wanted) {
            prf_status_t status = prf_frame_decode(frame, self->in + PREFIX, wanted - PREFIX, err);
            self->in_len = 0;
            *got = status == PRF_OK;
            return status;
        }
        prf_status_t status = fill(self, wanted, &more, err);
        if (status)
            return status;
    }
    return PRF_OK;
}
