// SPDX-License-Identifier: Apache-2.0
/* verdict.h - holds what a farm ended with against what it promised (the ledger) and against what an undisturbed farm ended with.
 * Main thread only. */
#ifndef PRF_CHAOS_VERDICT_H
#define PRF_CHAOS_VERDICT_H

#include "rack.h"

typedef struct verdict verdict_t;

PRF_CHECKED prf_status_t verdict_new(verdict_t **out, prf_error_t *err);
void verdict_destroy(verdict_t **self);
/* Takes the models (into DIR/models) and all that the store has. The farm has to run. Errors: those of rack_ask, PRF_EIO. */
PRF_CHECKED prf_status_t verdict_collect(verdict_t *self, rack_t *rack, prf_error_t *err);

/* The following print every breach with what is known of it, and return how many there are. After rack_end. `damaged`: records that
 * damage may have taken, which may be measured again. */
size_t verdict_of_results(const verdict_t *self, const ledger_t *ledger, size_t damaged);
size_t verdict_of_models(const char *dir, const char *reference);
void verdict_print(const verdict_t *self, const ledger_t *ledger); /* the figures */

#endif
