// SPDX-License-Identifier: Apache-2.0
/* sessions.h - the conversation with workers: hello, credit, jobs, results, heartbeats, loss, models (docs/protocol.md). Loop
 * thread only. Nothing that a worker sends stops the daemon: what is malformed is counted, answered and logged, and who keeps
 * sending it is cut off. */
#ifndef PRF_SESSIONS_H
#define PRF_SESSIONS_H

#include "hub.h"
#include "results.h"

typedef struct prf_sessions prf_sessions_t;

enum {
    PRF_SESSIONS_SILENT = 5,  /* heartbeats without a word until a worker counts as lost */
    PRF_SESSIONS_CREDIT = 256 /* jobs that a worker may hold */
};

/* Sessions of at most `cap` workers at once; loads the boards that the store knows. `first` is below every session number.
 * Errors: PRF_ENOMEM, PRF_EIO. */
PRF_CHECKED prf_status_t prf_sessions_new(prf_sessions_t **out, const prf_hub_t *hub, prf_results_t *results, size_t cap,
                                          uint64_t first, prf_error_t *err);
void prf_sessions_destroy(prf_sessions_t **self);

/* Takes what has come, a limited number of frames at once. */
void prf_sessions_read(prf_sessions_t *self);
/* Grants jobs to boards with credit. True when some were sent. */
bool prf_sessions_grant(prf_sessions_t *self);
/* Job ids to be told as committed (or, not durable, to be forgotten); sent by prf_sessions_flush (prf_ack_fn; arg is the
 * prf_sessions_t). */
void prf_sessions_ack(void *arg, uint32_t board, uint64_t job, bool durable);
/* Hands a board that has credit a job of its own, past the queue of its class (prf_health_send_fn). False: not sent. */
bool prf_sessions_send_job(void *arg, prf_fleet_board_t *board, const prf_job_t *job);
/* A job that the board need not begin any more (prf_sched_revoked_fn). */
void prf_sessions_revoke(void *arg, uint32_t board, uint64_t job);
void prf_sessions_flush(prf_sessions_t *self);
/* Every half heartbeat: heartbeats, losses, claims, leases, models not acknowledged. */
void prf_sessions_tick(prf_sessions_t *self);
/* The list of keys has changed: sessions of keys that may no longer serve their board's kind end. */
void prf_sessions_judge(prf_sessions_t *self);
void prf_sessions_goodbye(prf_sessions_t *self);

/* What a board is doing. */
typedef enum { PRF_BOARD_IDLE, PRF_BOARD_BUSY, PRF_BOARD_QUARANTINED, PRF_BOARD_LOST, PRF_BOARD_STATES } prf_board_state_t;
prf_board_state_t prf_sessions_state(const prf_sessions_t *self, const prf_fleet_board_t *board);
const char *prf_board_state_name(prf_board_state_t state); /* "idle", ... */
uint64_t prf_sessions_broken(const prf_sessions_t *self);  /* malformed frames since the start */
uint64_t prf_sessions_ignored(const prf_sessions_t *self); /* frames of peers that were ignored for such */

#endif
