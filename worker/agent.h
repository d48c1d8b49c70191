// SPDX-License-Identifier: Apache-2.0
/* agent.h - the worker daemon: keeps the conversation with the coordinator (docs/protocol.md, Workers), feeds the board, and holds
 * results until they are committed and the newest model. One thread, one loop. */
#ifndef PRF_WORKER_AGENT_H
#define PRF_WORKER_AGENT_H

#include "net/endpoint.h"
#include "serve.h"
#include "waiting.h"

enum { PRF_AGENT_CREDIT = 4, PRF_AGENT_MAX_CREDIT = PRF_WAITING_CAP };

/* All borrowed for the call. */
typedef struct {
    prf_endpoints_t farm;
    prf_identity_t identity;
    prf_serve_t serve; /* the board, its name and kind */
    const char *program;
    const char *state_dir;     /* the caller has its lock (state.h) */
    prf_error_t turns_missing; /* why boards of this host do not take turns although nobody said that they should not; or nothing */
    unsigned credit;           /* jobs that it wants to hold, 1 .. PRF_AGENT_MAX_CREDIT */
    uint64_t idle_exit_ms;     /* ends when it had nothing to do for that long; 0: never */
} prf_agent_options_t;

/* Runs until a signal ends it or it was idle for long enough (PRF_OK), the board cannot be opened because of how it was asked for,
 * or the coordinator refuses it for good. Prints `ready board=... kind=...` on standard output when it is first welcomed. Call
 * before any thread is started. Errors: those of the board's opening; PRF_EEXISTS (a live worker has this name), PRF_EVERSION;
 * PRF_EIO, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_agent_run(const prf_agent_options_t *options, prf_error_t *err);

#endif
