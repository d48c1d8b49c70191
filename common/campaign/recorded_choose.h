// SPDX-License-Identifier: Apache-2.0
/* recorded_choose.h - which recorded layers a budget is spent on: those that a campaign would have measured. Deterministic; blocks
 * while models are trained; any thread. */
#ifndef PRF_RECORDED_CHOOSE_H
#define PRF_RECORDED_CHOOSE_H

#include "campaign/recorded.h"

/* The input of a training on the layers that `data` has chosen. `names` is room for the extra columns' names and outlives it. */
prf_train_input_t prf_recorded_input(const prf_recorded_t *data, const char *names[PRF_MODEL_EXTRAS]);
/* Chooses the later helpings of a budget anew, from all layers of the training part; nothing where there is none, or a small one.
 * Errors: those of prf_model_train. */
PRF_CHECKED prf_status_t prf_recorded_choose(prf_recorded_t *data, unsigned threads, prf_error_t *err);

#endif
