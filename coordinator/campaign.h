// SPDX-License-Identifier: Apache-2.0
/* campaign.h - one running campaign between its engine and the farm: pins kinds to runtimes, takes wanted points to the scheduler
 * (or answers them from the index), has models trained and published. Loop thread only.
 *
 * Everything is written as "look at how things stand and do what is due": prf_campaign_pump may be called at any time, and a
 * campaign that is resumed needs nothing else. */
#ifndef PRF_CAMPAIGN_SERVICE_H
#define PRF_CAMPAIGN_SERVICE_H

#include "engine.h"
#include "hub.h"

typedef struct prf_running prf_running_t;

/* Takes the engine over (also on failure); finds the pins that the store has. `owner` is its number in the scheduler, `run` its
 * number among all that ran since the start: results of trainings are told by it. Errors: PRF_ENOMEM, PRF_EIO. */
PRF_CHECKED prf_status_t prf_running_new(prf_running_t **out, const prf_hub_t *hub, prf_engine_t *engine, unsigned owner,
                                         uint64_t run, prf_error_t *err);
/* Wants nothing more of the scheduler. Commits that still know of it find out by themselves. */
void prf_running_destroy(prf_running_t **self);

const prf_engine_t *prf_running_engine(const prf_running_t *self);
uint64_t prf_running_run(const prf_running_t *self);
unsigned prf_running_owner(const prf_running_t *self);
bool prf_running_finished(const prf_running_t *self);

/* prf_engine_outlook, going by what the farm has. */
void prf_running_outlook(const prf_running_t *self, size_t *have, size_t *lack);

/* Does what is due. True when something was done. */
bool prf_running_pump(prf_running_t *self);
/* The point's outcome is in the index. */
void prf_running_answer(prf_running_t *self, const prf_entry_t *entry);
void prf_running_trained(prf_running_t *self, prf_training_t *task); /* takes the task over */

/* Once a second: how fast each kind measures. */
void prf_running_tick(prf_running_t *self);
/* The "boards" of `status` (docs/protocol.md). New reference. */
json_t *prf_running_status(const prf_running_t *self);

#endif
