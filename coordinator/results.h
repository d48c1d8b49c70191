// SPDX-License-Identifier: Apache-2.0
/* results.h - what becomes of a result: a record in the store, another try, or a labelled duplicate. Loop thread only.
 * docs/states.md has the table. */
#ifndef PRF_RESULTS_H
#define PRF_RESULTS_H

#include "hub.h"

typedef struct prf_results prf_results_t;

/* A point has its outcome: it is in the index (a failure record when it was given up). */
typedef void (*prf_outcome_fn)(void *arg, const prf_entry_t *entry);
/* The board may forget this job's result: the point has its outcome, durably, or else it is a duplicate
 * or nothing that needs to be stored. */
typedef void (*prf_ack_fn)(void *arg, uint32_t board, uint64_t job, bool durable);

/* Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_results_new(prf_results_t **out, const prf_hub_t *hub, prf_error_t *err);
/* After the commits are destroyed, which still know of what is open. */
void prf_results_destroy(prf_results_t **self);
void prf_results_notify(prf_results_t *self, prf_outcome_fn outcome, void *outcome_arg, prf_ack_fn ack, void *ack_arg);

/* A result as a live board sent it. */
void prf_results_take(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *result, uint64_t now_ms);
/* Ends leases that are over, or that their boards did not name for `unlisted_ms`. */
void prf_results_expire(prf_results_t *self, uint64_t now_ms, uint64_t heard_ms, uint64_t unlisted_ms);

#endif
