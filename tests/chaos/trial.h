// SPDX-License-Identifier: Apache-2.0
/* trial.h - one campaign on one farm, in calm or in a storm, and the verdict on it. Main thread only. */
#ifndef PRF_CHAOS_TRIAL_H
#define PRF_CHAOS_TRIAL_H

#include "rack.h"
#include "schedule.h"

typedef struct {
    const char *root; /* folders are made in here. Borrowed */
    unsigned kills, hold_ms;
    size_t points, workers;
    bool keep; /* folders stay even when all was well */
} trial_options_t;

/* What an undisturbed campaign came to. */
typedef struct {
    char dir[RACK_PATH]; /* its models are in here */
    size_t measured;
    uint64_t ms; /* from the campaign's submission to its end */
} calm_t;

/* Errors: whatever kept it from its end; PRF_EINTERNAL when even this farm broke its word. */
PRF_CHECKED prf_status_t trial_calm(calm_t *out, const trial_options_t *options, prf_error_t *err);
/* Prints what is known of every breach, and where the logs are. Returns whether there was none. */
bool trial_storm(const scenario_t *scenario, const trial_options_t *options, uint64_t seed, const calm_t *reference);

#endif
