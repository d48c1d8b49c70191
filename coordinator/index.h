// SPDX-License-Identifier: Apache-2.0
/* index.h - what is known about every point: the best of its committed records, kept in memory so that no decision waits for the
 * disk. Filled from the store at start, then as commits succeed. Pure; loop thread only.
 *
 * Which record is the best depends on the set of them, not on their order: a sample before a failure, an untainted sample before
 * a tainted one, of two tainted ones the faster (disturbance only ever adds), else the narrower interval, the earlier record.
 * Duplicates (results of an old lease) never count. A record with outcome PRF_ECANCELLED makes the failures before it forgotten. */
#ifndef PRF_INDEX_H
#define PRF_INDEX_H

#include "ledger.h"
#include "wire/record.h"

typedef struct prf_index prf_index_t;

/* A point's best record, or why there is none. Borrowed until the next prf_index_add. */
typedef struct {
    prf_status_t outcome; /* PRF_OK: sample holds */
    const char *error;    /* "" when there is none */
    const char *board;    /* who measured it */
    prf_sample_t sample;
    uint64_t busy_ns; /* that the point kept boards busy, samples that were replaced counted in */
} prf_known_t;

PRF_CHECKED prf_status_t prf_index_new(prf_index_t **out, prf_error_t *err);
void prf_index_destroy(prf_index_t **self); /* NULL-safe; clears *self */
/* Takes a committed record of the entry's point into account; copies what it keeps. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_index_add(prf_index_t *self, prf_entry_t *entry, const prf_record_t *record, prf_error_t *err);
/* False: nothing is known of it (nor without an entry: NULL). A labelled duplicate is no knowledge: entry->duplicate_kept. */
bool prf_index_get(const prf_index_t *self, const prf_entry_t *entry, prf_known_t *out);
size_t prf_index_count(const prf_index_t *self); /* points and attempts known */

#endif
