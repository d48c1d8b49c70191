// SPDX-License-Identifier: Apache-2.0
/* rack.h - the farm as it stands in a rack: one real prfarm-coordinator, many real prfarm-workers, the proxy between them. Starts
 * them, kills them, freezes them, starts them again as whatever supervises a daemon would, and keeps the time that it took. Main
 * thread only. */
#ifndef PRF_CHAOS_RACK_H
#define PRF_CHAOS_RACK_H

#include <jansson.h>

#include "base/process.h"
#include "proxy.h"

enum { RACK_WORKERS = 64, RACK_PATH = 256, RACK_COORDINATOR = -1, RACK_HEARTBEAT_MS = 200 };

typedef struct rack rack_t;

typedef struct {
    const char *dir; /* everything of this farm lies here: store/, state/, models/, *.log. Exists. Borrowed */
    size_t workers;
    uint64_t seed;
    bool hosts;              /* workers live in network namespaces (hosts.h) */
    const char *clock_jumps; /* the library to preload, NULL: clocks go steadily. Borrowed */
} rack_options_t;

/* Starts the farm and waits until every worker is welcome. Errors: those of the programs, PRF_ETIMEOUT. */
PRF_CHECKED prf_status_t rack_new(rack_t **out, const rack_options_t *options, prf_error_t *err);
/* Kills what still runs. NULL-safe. */
void rack_destroy(rack_t **self);
/* SIGTERM to all, workers first. Errors: PRF_EINTERNAL (one did not end well; says which). */
PRF_CHECKED prf_status_t rack_end(rack_t *self, prf_error_t *err);

/* `who`: RACK_COORDINATOR or a worker's number. A program that is killed stays down until it is started. */
void rack_kill(rack_t *self, int who);
PRF_CHECKED prf_status_t rack_start(rack_t *self, int who, prf_error_t *err);
void rack_freeze(rack_t *self, int who);
void rack_thaw(rack_t *self, int who);
bool rack_up(const rack_t *self, int who); /* ready and not frozen */
/* Reads what the programs say. Errors: PRF_EINTERNAL (one has ended by itself: which and how, its log). */
PRF_CHECKED prf_status_t rack_watch(rack_t *self, prf_error_t *err);
/* Milliseconds in which at least one killed program was not ready again. */
uint64_t rack_downtime_ms(const rack_t *self);
/* How long a killed program took until it was ready again; 0 when none was killed. */
void rack_restarts(rack_t *self, uint64_t *median_ms, uint64_t *longest_ms);

/* One request to the coordinator; takes `in`. Errors: those of prf_farm_call. */
PRF_CHECKED prf_status_t rack_ask(rack_t *self, const char *op, json_t *in, json_t **out, prf_error_t *err);
PRF_CHECKED prf_status_t rack_model(rack_t *self, const char *kind, void **data, size_t *len, prf_error_t *err);

size_t rack_workers(const rack_t *self);
ledger_t *rack_ledger(rack_t *self);
proxy_t *rack_proxy(rack_t *self);
const char *rack_dir(const rack_t *self);
void rack_state(const rack_t *self, int who, char *path, size_t cap); /* a worker's state folder */

#endif
