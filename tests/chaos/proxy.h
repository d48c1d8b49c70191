// SPDX-License-Identifier: Apache-2.0
/* proxy.h - stands between every worker and the coordinator, message by message: keeps the ledger, and loses, delays, repeats and
 * reorders messages when told to. Runs on a thread of its own; every call is for the storm's main thread. */
#ifndef PRF_CHAOS_PROXY_H
#define PRF_CHAOS_PROXY_H

#include <stdint.h>

#include "ledger.h"
#include "net/endpoint.h"

typedef struct proxy proxy_t;

/* Shares of the messages, 0 to 1. A delayed one comes up to `delay_ms` later; a reordered one lets those behind it pass. */
typedef struct {
    double drop, duplicate, delay, reorder;
    unsigned delay_ms;
} proxy_faults_t;

enum { PROXY_UP = 1, PROXY_DOWN = 2 }; /* from a worker; to a worker */

typedef struct {
    const prf_endpoints_t *coordinator; /* borrowed for the call */
    const char *bind; /* what workers connect to: a folder for ipc sockets, or an IPv4 address for tcp. Borrowed */
    size_t workers;
    uint64_t seed;
    ledger_t *ledger; /* borrowed; outlives the proxy */
} proxy_options_t;

PRF_CHECKED prf_status_t proxy_start(proxy_t **out, const proxy_options_t *options, prf_error_t *err);
void proxy_stop(proxy_t **self);
/* What this worker takes for --farm. */
const char *proxy_farm(const proxy_t *self, size_t worker);
void proxy_fault(proxy_t *self, const proxy_faults_t *faults);
/* Loses every message of a worker in these directions (0: none any more). */
void proxy_cut(proxy_t *self, size_t worker, unsigned directions);
uint64_t proxy_faulted(proxy_t *self); /* messages that something was done to so far */

#endif
