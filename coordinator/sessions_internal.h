// SPDX-License-Identifier: Apache-2.0
/* sessions_internal.h - what the files of sessions.h share. sessions.c: who has a session, and what workers say. sessions_send.c:
 * what they are sent. sessions_fetch.c: the models that they fetch. */
#ifndef PRF_SESSIONS_INTERNAL_H
#define PRF_SESSIONS_INTERNAL_H

#include "guard.h"
#include "sessions.h"

struct prf_sessions {
    const prf_hub_t *hub;
    prf_results_t *results;
    size_t cap;
    uint64_t first, last_session, broken;
    size_t known;        /* boards that the store told of */
    uint64_t settled_ms; /* when waiting for them ends at the latest; 0: nobody is waited for */
    uint64_t ticked_ms, beat_ms;
    uint64_t period;       /* number of the heartbeat's, from 1 */
    uint64_t drained_ms;   /* when all that workers had sent was last read: what they said later may still wait */
    uint64_t heard_all_ms; /* who had anything to say by then was heard since: of who was not, nothing waits that is older */
    uint64_t round_ms;     /* since when this is tried again, */
    size_t round_frames;   /* and how many frames were read since */
    uint64_t wave_ms;      /* when the boards fell silent of which the last one is back that had; */
    uint64_t owing_ms;     /* and until when the others are waited for */
    uint64_t looked_ms;    /* when these were looked for last; 0: they are to be */
    bool owing[PRF_SCHED_CLASSES];
    size_t chunks; /* of models, on their way to workers */
    uint64_t log_second;
    unsigned logged;
    prf_guard_t guard;
};

/* sessions_send.c */
/* Peers can cause log lines at will, so they share a small ration of them. */
bool sessions_may_log(prf_sessions_t *self);
/* A frame that finds no room is lost, PRF_EBUSY; workers ask again. */
prf_status_t sessions_send(prf_sessions_t *self, const prf_peer_t *peer, const prf_frame_t *frame);
/* The same to a live board, which needs no heartbeat then. */
prf_status_t sessions_tell(prf_sessions_t *self, prf_fleet_board_t *board, const prf_frame_t *frame);
/* What a lease gets on top of the time that its jobs should take: the silence that a worker is allowed. */
uint64_t sessions_slack_ms(const prf_sessions_t *self);
/* The boards that the fleet knows now are waited for before anything is granted. */
void sessions_settle(prf_sessions_t *self, uint64_t now_ms);
/* A board is back that had been given up: its class is granted nothing until all that fell silent with it have handed over. */
void sessions_settle_board(prf_sessions_t *self, prf_fleet_board_t *board, uint64_t now_ms);

/* sessions.c */
void sessions_refuse(prf_sessions_t *self, const prf_peer_t *peer, prf_status_t status, const char *text);

/* sessions_fetch.c */
/* A live board asks for a chunk, which it is sent in its turn. */
void sessions_fetch(prf_sessions_t *self, prf_fleet_board_t *board, const prf_digest_t *digest, uint64_t offset, uint64_t now_ms);
/* It has what it was sent, or never will; it asks for nothing. */
void sessions_fetch_end(prf_sessions_t *self, prf_fleet_board_t *board);
void sessions_fetch_tick(prf_sessions_t *self, prf_fleet_board_t *board, uint64_t now_ms);
/* To those whose turn it is. */
void sessions_send_chunks(prf_sessions_t *self, uint64_t now_ms);

#endif
