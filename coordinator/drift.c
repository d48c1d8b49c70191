// SPDX-License-Identifier: Apache-2.0
#include "drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"

static const double drifts = 0.02, differs = 0.05;

void prf_drift_add(prf_drift_t *self, double latency_ns)
{
    if (self->count < PRF_DRIFT_BASELINE)
        self->baseline[self->count] = latency_ns;
    self->recent[self->count % PRF_DRIFT_RECENT] = latency_ns;
    self->count++;
}

bool prf_drift_ready(const prf_drift_t *self)
{
    return self->count >= PRF_DRIFT_BASELINE;
}

static size_t copy(double *out, const double *values, size_t cap, size_t count)
{
    size_t n = count < cap ? count : cap;
    memcpy(out, values, n * sizeof *out);
    return n;
}

double prf_drift_normal(const prf_drift_t *self)
{
    double values[PRF_DRIFT_BASELINE] = {0};
    return prf_median(values, copy(values, self->baseline, PRF_DRIFT_BASELINE, self->count));
}

double prf_drift_now(const prf_drift_t *self)
{
    double values[PRF_DRIFT_RECENT] = {0};
    return prf_median(values, copy(values, self->recent, PRF_DRIFT_RECENT, self->count));
}

double prf_drift_noise(const prf_drift_t *self)
{
    double values[PRF_DRIFT_BASELINE] = {0}, normal = prf_drift_normal(self);
    size_t count = copy(values, self->baseline, PRF_DRIFT_BASELINE, self->count);
    for (size_t i = 0; i < count; i++)
        values[i] = fabs(values[i] - normal);
    /* 1.4826: of normally distributed values, this is the standard deviation. */
    return normal > 0 ? 1.4826 * prf_median(values, count) / normal : 0;
}

bool prf_drift_drifting(const prf_drift_t *self)
{
    double normal = prf_drift_normal(self);
    return prf_drift_ready(self) &&
           fabs(prf_drift_now(self) - normal) > normal * fmax(drifts, PRF_DRIFT_NOISES * prf_drift_noise(self));
}

/* Median of `what` over those that are ready. */
static double middle(const prf_drift_t *const *boards, size_t count, double (*what)(const prf_drift_t *), double *room)
{
    size_t ready = 0;
    for (size_t i = 0; i < count; i++)
        if (prf_drift_ready(boards[i]))
            room[ready++] = what(boards[i]);
    return prf_median(room, ready);
}

void prf_drift_compare(const prf_drift_t *const *boards, size_t count, bool *odd)
{
    double *room = calloc(count ? count : 1, sizeof *room);
    memset(odd, 0, count * sizeof *odd);
    if (!room)
        return;
    /* Of two boards the median is their middle, from which both are as far. */
    double now = middle(boards, count, prf_drift_now, room), noise = middle(boards, count, prf_drift_noise, room);
    size_t ready = 0;
    for (size_t i = 0; i < count; i++)
        ready += prf_drift_ready(boards[i]);
    double times = ready == 2 ? 2 : 1;
    for (size_t i = 0; ready > 1 && i < count; i++) {
        double own = fmax(noise, prf_drift_noise(boards[i]));
        odd[i] = prf_drift_ready(boards[i]) &&
                 times * fabs(prf_drift_now(boards[i]) - now) > now * fmax(differs, PRF_DRIFT_NOISES * own);
    }
    free(room);
}
