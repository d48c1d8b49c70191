// SPDX-License-Identifier: Apache-2.0
/* serve.h - the backend's process: what `prfarm-worker --backend-host` does. It opens the board, says Hello with what the board
 * is (or Refusal with why it cannot be opened), then measures the one job of each Jobs frame and answers with one result, until
 * the other end closes. Where it has to wait for its turn or to cool down, a Heartbeat with the job's id says that the job has
 * begun. The worker's side is host.h. */
#ifndef PRF_WORKER_SERVE_H
#define PRF_WORKER_SERVE_H

#include "backends/backend.h"

/* Which board to open; all borrowed. */
typedef struct {
    const char *backend; /* a built-in one's name; "plugin" with the option path=FILE loads a shared object */
    const char *const *options;
    size_t option_count;
    const char *board, *kind;         /* under which names it says Hello */
    const char *turns;                /* the file through which boards of this host take turns (turns.h); NULL: they do not */
    const char *cpus;                 /* the processors to stay on (pin.h); NULL: any */
    uint64_t cool_below, cool_wait_s; /* degrees Celsius; 0: jobs begin at any temperature (cool.h) */
    const char *root;                 /* of the system's files (sysfile.h) */
} prf_serve_t;

/* After such an outcome the process ends, and the worker opens the board anew: what the board does next could be as wrong. */
bool prf_outcome_breaks(prf_status_t outcome);

/* Runs until the socket `fd` is closed. Returns the process's exit code. Standard output is given to standard error, so that
 * what a driver prints is seen and harms nothing. */
int prf_serve(const prf_serve_t *what, int fd);

#endif
