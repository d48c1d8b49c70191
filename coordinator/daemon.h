// SPDX-License-Identifier: Apache-2.0
/* daemon.h - the coordinator as a whole: sockets, loop, timers, start and end. */
#ifndef PRF_DAEMON_H
#define PRF_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
    const char *farm;                  /* docs/protocol.md */
    const char *store;                 /* folder */
    uint32_t heartbeat_ms;             /* 20 .. 60000 */
    size_t sessions;                   /* workers at once */
    const char *key_file, *allow_file; /* NULL: a farm without keys */
    const char *http;                  /* ADDRESS:PORT of the HTTP API; NULL: none */
    const char *http_token;            /* file of the token that changing takes there; NULL: nothing can be changed */
    const char *hooks;                 /* file of power-cycle commands; NULL: none */
    uint32_t quarantine_ms;            /* first delay of a quarantine */
    uint64_t sentinel_ms;              /* period of each board's sentinel layer; 0: none */
    uint64_t low_space_mb;             /* no work is granted while the store's disk has less; 0: off */
    bool insecure;                     /* other machines may connect although there are no keys */
} prf_daemon_options_t;

/* Prints `ready farm=...` (and ` http=URL`) on standard output once everything is bound, then serves until SIGTERM, SIGINT or a
 * client's shutdown. Call it before any thread is started. Errors: PRF_EINVAL, PRF_EUSAGE (an address that others could reach),
 * PRF_EDENIED (a key file that others can read), PRF_EBUSY (store or port in use), the store's. */
PRF_CHECKED prf_status_t prf_daemon_run(const prf_daemon_options_t *options, prf_error_t *err);

#endif
