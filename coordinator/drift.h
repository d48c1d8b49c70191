// SPDX-License-Identifier: Apache-2.0
/* drift.h - whether a board still takes as long for one and the same layer as it used to, and as its siblings do. Pure.
 *
 * The first PRF_DRIFT_BASELINE values are the board's normal, and their spread (median absolute deviation) its noise; the median of
 * the last PRF_DRIFT_RECENT is how it stands now. A board drifts when that has left the normal by more than PRF_DRIFT_NOISES times
 * its noise and by more than 2 %; it is odd when it differs from its siblings' median by more than PRF_DRIFT_NOISES times their
 * noise and by more than 5 %. With two boards there is no telling which one is odd: both are named. Rejected: a running baseline,
 * which would follow a board that grows slower little by little. */
#ifndef PRF_DRIFT_H
#define PRF_DRIFT_H

#include <stdbool.h>
#include <stddef.h>

enum { PRF_DRIFT_BASELINE = 12, PRF_DRIFT_RECENT = 5, PRF_DRIFT_NOISES = 6 };

typedef struct {
    double baseline[PRF_DRIFT_BASELINE]; /* the first values, ns */
    double recent[PRF_DRIFT_RECENT];     /* the last ones, in a ring */
    size_t count;                        /* ever added, as far as it matters */
} prf_drift_t;

void prf_drift_add(prf_drift_t *self, double latency_ns);
/* Enough is known to tell. */
bool prf_drift_ready(const prf_drift_t *self);
double prf_drift_normal(const prf_drift_t *self); /* ns; 0 while nothing is known */
double prf_drift_now(const prf_drift_t *self);    /* ns; 0 while nothing is known */
double prf_drift_noise(const prf_drift_t *self);  /* share of 1 */
bool prf_drift_drifting(const prf_drift_t *self);
/* odd[i] tells whether boards[i] differs from the others, which are all of one class. Those that are not ready take no part. */
void prf_drift_compare(const prf_drift_t *const *boards, size_t count, bool *odd);

#endif
