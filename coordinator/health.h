// SPDX-License-Identifier: Apache-2.0
/* health.h - sentinel layers: now and then every trusted board measures one layer of its class's own, which shows whether it is
 * still as fast as it was and as fast as its siblings (drift.h decides). Loop thread only.
 *
 * A class's sentinel is the middle of the first layer's space of the first campaign that is pinned to it; it is remembered, and
 * so are each board's values. The job is sent past the class's queue and its result is taken before anything else looks at it: it
 * is in no table of results and in no training set. A board keeps what is known of it as long as its runtime stays the same. */
#ifndef PRF_HEALTH_H
#define PRF_HEALTH_H

#include "campaigns.h"
#include "hub.h"

typedef struct prf_health prf_health_t;

/* Hands a job to a board that has credit. False: it could not be sent. */
typedef bool (*prf_health_send_fn)(void *arg, prf_fleet_board_t *board, const prf_job_t *job);

/* Each board's sentinel is measured every `period_ms`; 0: never. Reads what the store has. Errors: PRF_ENOMEM, PRF_EIO. */
PRF_CHECKED prf_status_t prf_health_new(prf_health_t **out, const prf_hub_t *hub, uint64_t period_ms, prf_error_t *err);
void prf_health_destroy(prf_health_t **self);
void prf_health_connect(prf_health_t *self, const prf_campaigns_t *campaigns, prf_health_send_fn send, void *arg);

/* Now and then: sends what is due. */
void prf_health_tick(prf_health_t *self, uint64_t now_ms);
/* True: it was a sentinel's, and is done with. */
bool prf_health_take(prf_health_t *self, const prf_fleet_board_t *board, const prf_result_t *result);
/* What the board is from now on is its normal. */
void prf_health_forget(prf_health_t *self, const prf_fleet_board_t *board);

/* "drifts: ...", "differs ...", or "" when all is well. */
void prf_health_note(const prf_health_t *self, const prf_fleet_board_t *board, char *text, size_t cap);
/* Whether a board of the kind drifts or is odd: its model may no longer hold. */
bool prf_health_flagged(const prf_health_t *self, const char *kind);

#endif
