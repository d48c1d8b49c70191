// SPDX-License-Identifier: Apache-2.0
/* host.h - the worker's side of the backend's process (serve.h): starts it, hands it one job at a time, kills it when it overruns,
 * starts it again when it died. Nothing here blocks; everything happens on the loop's thread, and what has happened is told
 * through the handler, never from within a call of the worker's. A handler may submit the next job, but not destroy the host. */
#ifndef PRF_WORKER_HOST_H
#define PRF_WORKER_HOST_H

#include "net/net.h"
#include "serve.h"
#include "wire/wire.h"

typedef struct prf_host prf_host_t;

typedef struct {
    void *arg;
    /* The board is open and waits for a job: after each start. `facts` are borrowed for the call. */
    void (*ready)(void *arg, const prf_hello_t *facts);
    /* The board could not be opened. It is tried again after `retry_ms` unless the host is destroyed. */
    void (*refused)(void *arg, const prf_error_t *why, unsigned retry_ms);
    /* The outcome of the job that was submitted. When the board crashed or hung (PRF_ECRASH, PRF_EHANG) or broke the protocol
     * (PRF_EPEER), `ready` comes again once the board is back; else it waits for the next job now. */
    void (*result)(void *arg, const prf_result_t *result);
} prf_host_handler_t;

enum { PRF_HOST_OPEN_MS = 120000 };

/* `program` is the worker's own path; `what` and its strings are copied. The process is started at the loop's next tick and has
 * `open_ms` to open the board.
 * Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_host_new(prf_host_t **out, prf_loop_t *loop, const char *program, const prf_serve_t *what,
                                      unsigned open_ms, const prf_host_handler_t *handler, prf_error_t *err);
/* Kills the process if it is busy, else lets it close the board. NULL-safe; clears *self. */
void prf_host_destroy(prf_host_t **self);
/* True when a job can be submitted. */
bool prf_host_idle(const prf_host_t *self);
/* The job is copied. Its time (deadline_ms, 0: ten minutes) begins now, or once it need not wait for its turn or to cool down.
 * Errors: PRF_EBUSY, PRF_EINVAL, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_host_submit(prf_host_t *self, const prf_job_t *job, prf_error_t *err);

#endif
