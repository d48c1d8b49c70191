// SPDX-License-Identifier: Apache-2.0
/* backoff.c - the whole wait is drawn, not a part of it: that spreads a crowd best, and it costs one worker at most what the
 * fixed wait would have. */
#include "base/backoff.h"

void prf_backoff_init(prf_backoff_t *self, uint64_t seed, uint32_t first_ms, uint32_t last_ms)
{
    *self = (prf_backoff_t){.first_ms = first_ms, .last_ms = last_ms, .longest_ms = first_ms};
    prf_rng_init(&self->rng, seed, 0);
}

void prf_backoff_reset(prf_backoff_t *self)
{
    self->longest_ms = self->first_ms;
}

uint32_t prf_backoff_next(prf_backoff_t *self)
{
    uint32_t wait = 1 + (uint32_t)prf_rng_below(&self->rng, self->longest_ms);
    self->longest_ms = self->longest_ms < self->last_ms / 2 ? 2 * self->longest_ms : self->last_ms;
    return wait;
}
