// SPDX-License-Identifier: Apache-2.0
/* ledger.h - one entry a point and attempt, in which every part of the coordinator notes what it knows of it: what its best result
 * is (index.h), who wants it and what for (plan.h), the job that measures it (scheduler.h), the result that is on its way to the
 * store (results.h). So a point is looked up once, however many of them are asked about it.
 *
 * Entries stay where they are, and last as long as the ledger. They are made by what is planned or stored, never by what a peer
 * says. Pure; loop thread only. */
#ifndef PRF_LEDGER_H
#define PRF_LEDGER_H

#include "point/point.h"

typedef struct prf_ledger prf_ledger_t;

/* Ordered by use: what the way of a job needs comes first and fits a cache line. */
typedef struct {
    prf_digest_t point;
    uint32_t attempt;
    /* index.c: */
    uint32_t board; /* who measured it, a number of the index */
    uint16_t outcome;
    bool known; /* has a record that counts */
    bool duplicate_kept;
    /* The entry's user alone looks into these. NULL: none. */
    struct prf_sched_job *job;        /* scheduler.c */
    struct prf_results_open *open;    /* results.c */
    struct prf_plan_purpose *purpose; /* plan.c */
    /* index.c again: */
    char *error;      /* owned; NULL: none */
    uint64_t busy_ns; /* of all its records */
    prf_sample_t sample;
} prf_entry_t;

/* Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_ledger_new(prf_ledger_t **out, prf_error_t *err);
void prf_ledger_destroy(prf_ledger_t **self); /* after all that note something in it; NULL-safe; clears *self */
/* NULL: there is none. */
prf_entry_t *prf_ledger_find(const prf_ledger_t *self, const prf_digest_t *point, uint32_t attempt);
/* The entry, made when it is new. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_ledger_reach(prf_ledger_t *self, const prf_digest_t *point, uint32_t attempt, prf_entry_t **out,
                                          prf_error_t *err);

#endif
