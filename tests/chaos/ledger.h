// SPDX-License-Identifier: Apache-2.0
/* ledger.h - what was promised: every job handed out, every result told, every result acknowledged, as they passed between the
 * workers and the coordinator. It is what a storm is judged by, and knows nothing of how the programs keep their word.
 *
 * Written by the proxy's thread, counted by the storm's: a lock is inside. */
#ifndef PRF_CHAOS_LEDGER_H
#define PRF_CHAOS_LEDGER_H

#include "wire/wire.h"

typedef struct ledger ledger_t;

/* One result as its worker told it, however often; (worker, wall_ms, busy_ns) tells it from all others. */
typedef struct {
    size_t worker, entry; /* entry: the measurement's */
    uint64_t epoch, wall_ms, busy_ns;
    double latency_ns;
    bool good;   /* a measurement, no failure */
    size_t next; /* of the same measurement, LEDGER_NONE at the end */
} ledger_result_t;
#define LEDGER_NONE SIZE_MAX

/* A measurement that was asked for: a point and an attempt. */
typedef struct {
    prf_digest_t point;
    uint32_t attempt;
    uint32_t granted;  /* times it was handed to a worker */
    uint32_t regrants; /* of these: after it had been acknowledged */
    bool measured;     /* a result of it was told, no failure */
    bool acked;        /* one was acknowledged */
    uint64_t acked_ms; /* the first time, since the ledger began */
    size_t results;    /* the newest, LEDGER_NONE: none */
} ledger_entry_t;

/* `path`: every event becomes a line of this file. Errors: PRF_ENOMEM, PRF_EIO. */
PRF_CHECKED prf_status_t ledger_new(ledger_t **out, const char *path, size_t workers, prf_error_t *err);
void ledger_destroy(ledger_t **self);

/* A frame on its way between a worker and the coordinator, before the proxy does anything to it. */
void ledger_note(ledger_t *self, size_t worker, const prf_frame_t *frame);
/* A line of the file, for what the storm itself did. */
void ledger_say(ledger_t *self, const char *fmt, ...) PRF_PRINTF(2, 3);

size_t ledger_measured(ledger_t *self); /* measurements of which a worker told a result so far */
size_t ledger_acked(ledger_t *self);    /* of these: acknowledged; it may remain fewer, for whom to tell may be dead */
size_t ledger_acked_by(ledger_t *self, size_t worker); /* acknowledgements that this worker was sent */

/* All below is for when the proxy has ended. Places are 0 .. count - 1, or LEDGER_NONE: not there. */
size_t ledger_entries(const ledger_t *self);
const ledger_entry_t *ledger_entry(const ledger_t *self, size_t place);
size_t ledger_find(const ledger_t *self, const prf_digest_t *point, uint32_t attempt);
size_t ledger_results(const ledger_t *self);
const ledger_result_t *ledger_result(const ledger_t *self, size_t place);
size_t ledger_find_result(const ledger_t *self, size_t entry, size_t worker, uint64_t wall_ms, uint64_t busy_ns);

#endif
