// SPDX-License-Identifier: Apache-2.0
/* pace.c - two counters instead of a list: of the stretch before, as much counts as is less than PRF_PACE_MS ago, as if it had been
 * even. A board that has just begun is judged by the time since it did. */
#include "pace.h"

enum { LEAST_MS = 1000 };

static void move_on(prf_pace_t *self, uint64_t busy_us, uint64_t now_ms)
{
    uint64_t gone_ms = now_ms - self->start_ms;
    if (self->start_ms == 0 || gone_ms >= 2 * PRF_PACE_MS) { /* it begins, with a job that it has been at for a while */
        self->start_ms = now_ms - busy_us / 1000;
        self->jobs[0] = self->jobs[1] = self->busy_us[0] = self->busy_us[1] = 0;
    } else if (gone_ms >= PRF_PACE_MS) {
        self->start_ms += PRF_PACE_MS;
        self->jobs[1] = self->jobs[0];
        self->busy_us[1] = self->busy_us[0];
        self->jobs[0] = self->busy_us[0] = 0;
    }
}

void prf_pace_note(prf_pace_t *self, const prf_sample_t *sample, uint64_t now_ms)
{
    const uint64_t most_us = (uint64_t)PRF_PACE_MS * 1000;
    uint64_t busy_us = sample ? sample->busy_ns / 1000 : 0;
    busy_us = busy_us < most_us ? busy_us : most_us;
    move_on(self, busy_us, now_ms);
    self->jobs[0]++;
    self->busy_us[0] += (uint32_t)(self->busy_us[0] < most_us ? busy_us : 0);
    if (!sample)
        return;
    self->temperature_mc = sample->temperature_mc;
    self->clock_khz = sample->clock_khz;
    self->load_percent = sample->load_percent;
    self->sampled = true;
}

prf_pace_rate_t prf_pace_rate(const prf_pace_t *self, uint64_t now_ms)
{
    uint64_t gone_ms = now_ms - self->start_ms;
    if (self->start_ms == 0 || gone_ms >= 2 * PRF_PACE_MS)
        return (prf_pace_rate_t){0};
    double jobs = 0, busy_us = 0, span_ms = PRF_PACE_MS;
    int before = gone_ms >= PRF_PACE_MS ? 0 : 1; /* which of the two the stretch before is by now */
    double left = 1 - (double)(gone_ms % PRF_PACE_MS) / PRF_PACE_MS;
    if (before == 1) {
        jobs = self->jobs[0];
        busy_us = self->busy_us[0];
    }
    jobs += left * self->jobs[before];
    busy_us += left * self->busy_us[before];
    if (before == 1 && self->jobs[1] == 0) /* there was none */
        span_ms = (double)(gone_ms > LEAST_MS ? gone_ms : LEAST_MS);
    double percent = busy_us / (10 * span_ms);
    return (prf_pace_rate_t){1000 * jobs / span_ms, percent < 100 ? percent : 100};
}
