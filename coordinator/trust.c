// SPDX-License-Identifier: Apache-2.0
/* trust.c - a point counts against a board only when it fails for the first time: a layer that no board can run must not condemn
 * those that try it, however many such layers there are. What failed once stands at the end of the queue, so in the end a campaign
 * may have nothing else left. */
#include "trust.h"

#include <stdio.h>

static bool move(prf_trust_t *self, prf_trust_event_t event)
{
    return prf_machine_next(&prf_machine_trust, (int)event, &self->state);
}

bool prf_trust_success(prf_trust_t *self, uint64_t now_ms)
{
    self->streak = 0;
    if (!prf_trust_probe_due(self, now_ms) || !move(self, PRF_TRUST_SUCCEED))
        return false;
    *self = (prf_trust_t){.state = self->state};
    return true;
}

static void wait_longer(prf_trust_t *self, uint64_t first_ms, uint64_t now_ms)
{
    self->delay_ms = self->delay_ms == 0                         ? first_ms
                     : self->delay_ms * 2 < PRF_TRUST_LONGEST_MS ? self->delay_ms * 2
                                                                 : PRF_TRUST_LONGEST_MS;
    self->until_ms = now_ms + self->delay_ms;
}

bool prf_trust_failure(prf_trust_t *self, const char *why, uint64_t first_ms, uint64_t now_ms, uint64_t wall_ms)
{
    if (self->state == PRF_TRUSTED) {
        if (++self->streak < PRF_TRUST_STREAK || !move(self, PRF_TRUST_CONDEMN))
            return false;
        self->since_ms = wall_ms;
        self->delay_ms = 0;
        snprintf(self->why, sizeof self->why, "it failed on %d points in a row, the last time: %.100s", PRF_TRUST_STREAK, why);
    } else if (!prf_trust_probe_due(self, now_ms) || !move(self, PRF_TRUST_FAIL)) {
        return false; /* of a job from before */
    }
    wait_longer(self, first_ms, now_ms);
    return true;
}

void prf_trust_no_news(prf_trust_t *self, uint64_t now_ms)
{
    if (prf_trust_probe_due(self, now_ms))
        self->until_ms = now_ms + self->delay_ms;
}

void prf_trust_bar(prf_trust_t *self, const char *why, uint64_t wall_ms)
{
    if (!move(self, PRF_TRUST_BAR))
        return;
    prf_trust_t before = *self;
    *self = (prf_trust_t){.state = self->state, .since_ms = wall_ms};
    if (!*why)
        why = *before.why ? before.why : "no reason given";
    snprintf(self->why, sizeof self->why, "%.*s", PRF_TRUST_WHY - 1, why);
}

void prf_trust_release(prf_trust_t *self)
{
    if (move(self, PRF_TRUST_RELEASE))
        *self = (prf_trust_t){.state = self->state};
}

void prf_trust_restart(prf_trust_t *self, uint64_t now_ms)
{
    self->until_ms = now_ms + self->delay_ms;
}

void prf_trust_postpone(prf_trust_t *self, uint64_t until_ms)
{
    if (self->until_ms < until_ms)
        self->until_ms = until_ms;
}

bool prf_trust_probe_due(const prf_trust_t *self, uint64_t now_ms)
{
    return self->state == PRF_QUARANTINED && now_ms >= self->until_ms;
}
