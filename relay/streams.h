// SPDX-License-Identifier: Apache-2.0
/* streams.h - the connections that a link carries: bytes are read from local sockets and become parts, parts become bytes again.
 * Each has a window in each direction, so that nobody who does not read holds more than that of memory. Loop thread only. */
#ifndef PRF_RELAY_STREAMS_H
#define PRF_RELAY_STREAMS_H

#include "net/net.h"
#include "wire/wire.h"

enum { PRF_STREAM_WINDOW = 128 << 10 /* bytes of one connection and direction on their way, at most */ };

typedef struct prf_streams prf_streams_t;

/* What they need of their link. */
typedef struct {
    void *arg;
    void (*send)(void *arg, const prf_part_t *part);
    bool (*room)(void *arg); /* false: nothing more is read until prf_streams_wake */
    /* The coordinator's side only, else NULL: a descriptor on which a connection to this endpoint of the farm is being made, or -1
     * with errno; and what became of it, 0 or the errno. */
    int (*dial)(void *arg, uint32_t endpoint);
    void (*dialled)(void *arg, int failure);
} prf_streams_handler_t;

typedef struct {
    size_t open;            /* now */
    uint64_t carried;       /* so far */
    uint64_t refused;       /* of them: no encrypted ZeroMQ connections */
    uint64_t crowded;       /* no room */
    uint64_t sent, arrived; /* bytes to and from the link */
} prf_streams_stats_t;

/* At most `cap` at once. Errors: PRF_ENOMEM, PRF_EIO. */
PRF_CHECKED prf_status_t prf_streams_new(prf_streams_t **out, prf_loop_t *loop, const prf_streams_handler_t *handler, size_t cap,
                                         prf_error_t *err);
void prf_streams_destroy(prf_streams_t **self);
/* A connection to this endpoint of the farm came in; takes the descriptor over. */
void prf_streams_accept(prf_streams_t *self, int fd, uint32_t endpoint);
/* A part came over the link. Errors: PRF_EPEER (the other relay breaks the protocol). */
PRF_CHECKED prf_status_t prf_streams_part(prf_streams_t *self, const prf_part_t *part, prf_error_t *err);
void prf_streams_wake(prf_streams_t *self); /* there is room again */
void prf_streams_tick(prf_streams_t *self, uint64_t now_ms);
/* Nothing is read any more; what is there to be written still is. */
void prf_streams_drain(prf_streams_t *self);
bool prf_streams_written(const prf_streams_t *self);
/* The session is over: all connections end. */
void prf_streams_end(prf_streams_t *self);
const prf_streams_stats_t *prf_streams_stats(const prf_streams_t *self);

#endif
