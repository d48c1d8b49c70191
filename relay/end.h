// SPDX-License-Identifier: Apache-2.0
/* end.h - one end of a link: what the site's relay and the accepting one do alike. It pumps what its connections bring through the
 * link while there is a connection under it, and keeps it while there is none. Loop thread only. */
#ifndef PRF_RELAY_END_H
#define PRF_RELAY_END_H

#include "link.h"
#include "streams.h"

enum {
    PRF_END_TICK_MS = 50,
    PRF_END_BEAT_MS = 1000,
    PRF_END_SILENT_MS = 5000,   /* without a word from the other relay: there is no connection any more */
    PRF_END_HOLD_MS = 60000,    /* without a connection: the session is over, with all that it carried */
    PRF_END_DRAIN_MS = 2000,    /* for what is under way, when a signal has come */
    PRF_END_TRAFFIC_MS = 60000, /* between two lines about it, */
    PRF_END_REFUSED_MS = 10000  /* and about connections that are none */
};

typedef struct {
    size_t streams, buffer_bytes; /* of one link, at most */
    /* As in streams.h; NULL on the site's side. */
    int (*dial)(void *arg, uint32_t endpoint);
    void (*dialled)(void *arg, int failure);
    void *arg;
} prf_end_options_t;

typedef struct {
    prf_end_options_t options;
    prf_link_t *link;
    prf_streams_t *streams;
    prf_socket_t *socket; /* borrowed */
    prf_peer_t peer;      /* of a ROUTER */
    bool up;              /* what is sent has a connection to go over */
    bool farm;            /* what the other side is told of the coordinator */
    uint64_t heard_ms, told_ms, down_ms;
    prf_error_t broken; /* text "": not; the session cannot go on */
    uint64_t traffic_ms, refused_ms, logged_carried, logged_bytes, logged_refused;
    unsigned outages; /* that the session has survived */
} prf_end_t;

/* Stays where it is: its streams point to it. Errors: PRF_ENOMEM, PRF_EIO. */
PRF_CHECKED prf_status_t prf_end_init(prf_end_t *self, prf_loop_t *loop, prf_socket_t *socket, const prf_end_options_t *options,
                                      prf_error_t *err);
void prf_end_release(prf_end_t *self); /* of one that is all zero, too */

/* There is a connection, and the other relay has received the parts up to this number: the rest goes out again. Errors: PRF_EPEER.
 */
PRF_CHECKED prf_status_t prf_end_up(prf_end_t *self, const prf_peer_t *peer, uint64_t received, prf_error_t *err);
void prf_end_down(prf_end_t *self);
void prf_end_over(prf_end_t *self); /* the session is over, and its connections */

/* A frame of the session. Errors: PRF_EPEER: the session cannot go on. */
PRF_CHECKED prf_status_t prf_end_frame(prf_end_t *self, const prf_frame_t *frame, prf_error_t *err);
/* PRF_ENOTFOUND when there is no connection. */
PRF_CHECKED prf_status_t prf_end_send(prf_end_t *self, const prf_frame_t *frame);
void prf_end_beat(prf_end_t *self);
/* Errors: PRF_ETIMEOUT (nothing was heard for too long), what broke the session. */
PRF_CHECKED prf_status_t prf_end_tick(prf_end_t *self, uint64_t now_ms, prf_error_t *err);
/* One line a minute, when there is something new; `who` names the link. */
void prf_end_log_traffic(prf_end_t *self, const char *who, uint64_t now_ms);
/* A signal came. The first leaves what is under way until *farewell_ms (0 before): true; a second one stops the loop at once. */
bool prf_end_farewell(uint64_t *farewell_ms, prf_loop_t *loop);
void prf_end_drain(prf_end_t *self);
bool prf_end_drained(const prf_end_t *self); /* nothing is under way, or nothing can be */

#endif
