// SPDX-License-Identifier: Apache-2.0
/* backoff.h - how long to wait before trying again: twice as long each time, and never the same as the neighbours, so that ten
 * thousand workers that lost their coordinator at one moment do not all knock at one moment. Pure. */
#ifndef PRF_BASE_BACKOFF_H
#define PRF_BASE_BACKOFF_H

#include "base/rng.h"

typedef struct {
    prf_rng_t rng;
    uint32_t first_ms, last_ms; /* the longest wait: at the first try, and at any */
    uint32_t longest_ms;        /* at the next */
} prf_backoff_t;

/* 0 < first_ms <= last_ms. Whoever waits beside others needs a seed of its own. */
void prf_backoff_init(prf_backoff_t *self, uint64_t seed, uint32_t first_ms, uint32_t last_ms);
/* It worked: the next wait is a first one. */
void prf_backoff_reset(prf_backoff_t *self);
/* Draws the next wait, evenly from 1 to the longest that is possible now, and doubles that. */
uint32_t prf_backoff_next(prf_backoff_t *self);

#endif
