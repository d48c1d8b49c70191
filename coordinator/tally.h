// SPDX-License-Identifier: Apache-2.0
/* tally.h - the fleet by board kind, from one pass over the boards: what metrics, the live view and lists of models are made of, so
 * that their cost does not grow with both. Loop thread only. */
#ifndef PRF_TALLY_H
#define PRF_TALLY_H

#include "publisher.h"
#include "sessions.h"

enum {
    PRF_TALLY_KINDS = 100,  /* beyond these, which no honest farm has, all others are counted together */
    PRF_TALLY_DEGREES = 128 /* of temperatures, from 0; what is hotter counts as the last */
};

/* How many live boards run a version of their kind's model. */
typedef struct {
    uint32_t version, boards;
} prf_tally_runs_t;

typedef struct {
    char kind[PRF_NAME]; /* "(other)": all that have no place of their own */
    uint64_t boards[PRF_BOARD_STATES], live, done, failures[PRF_FAILURES];
    double jobs_per_second, utilisation_percent; /* the second is a sum, too */
    uint32_t current, newest;                    /* model versions; 0: none */
    prf_tally_runs_t *runs;                      /* owned */
    size_t run_count;
    uint32_t degrees[PRF_TALLY_DEGREES]; /* live boards that told a temperature, by it */
} prf_tally_kind_t;

typedef struct {
    prf_tally_kind_t *kinds; /* owned; in the order in which they were met */
    size_t count;
    size_t leased; /* jobs that boards have */
} prf_tally_t;

/* Counts, with kinds that have a model and no board. Caller releases *out, also on failure. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_tally_take(prf_tally_t *out, const prf_hub_t *hub, const prf_sessions_t *sessions, prf_error_t *err);
void prf_tally_release(prf_tally_t *self);

/* The kind's place, or that of the others; NULL: nothing is there. */
const prf_tally_kind_t *prf_tally_find(const prf_tally_t *self, const char *kind);
/* Live boards of the kind that run the version. */
uint32_t prf_tally_run_by(const prf_tally_kind_t *kind, uint32_t version);

#endif
