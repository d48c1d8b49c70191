// SPDX-License-Identifier: Apache-2.0
/* pace.h - how much a board has done of late, and how it was when it last measured: what a person who looks at a large farm wants
 * to see of each. 40 bytes a board, a few additions a result. Pure: the time is an argument, monotonic milliseconds. */
#ifndef PRF_PACE_H
#define PRF_PACE_H

#include "point/point.h"

enum { PRF_PACE_MS = 30000 /* "of late" */ };

/* Begins as {0}: nothing was done. The first of two numbers is about the stretch of PRF_PACE_MS that began at `start_ms`, the
 * second about the one before. */
typedef struct {
    uint64_t start_ms;
    uint32_t jobs[2];    /* with an outcome, whichever */
    uint32_t busy_us[2]; /* that they kept the board busy */
    /* Of the last measurement; 0: not told. */
    uint32_t temperature_mc, clock_khz, load_percent;
    bool sampled; /* there was one */
} prf_pace_t;

/* `sample` NULL: it failed. */
void prf_pace_note(prf_pace_t *self, const prf_sample_t *sample, uint64_t now_ms);

typedef struct {
    double jobs_per_second, utilisation_percent;
} prf_pace_rate_t;
prf_pace_rate_t prf_pace_rate(const prf_pace_t *self, uint64_t now_ms);

#endif
