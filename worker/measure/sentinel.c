// SPDX-License-Identifier: Apache-2.0
#include "measure/sentinel.h"

#include <math.h>

#include "base/clock.h"
#include "measure/measure.h"

enum { FRESH_MS = 200, TRIES = 3 };
#define SLOW 1.08      /* times calm: repeated looks differ by a few percent, slow states by a tenth and more */
#define FOLLOWS 1.0002 /* a look: 8 % after some 400 */
#define LUCK 8         /* a faster look counts for one part in so many */

/* About a millisecond of a processor's arithmetic; three megabytes through its last cache. */
static const char *const layers[PRF_SENTINELS] = {"conv2d n=1 c=64 k=64 h=28 w=28 r=3 s=3 stride=1 pad=1 dtype=f32",
                                                  "dwconv2d n=1 c=128 h=56 w=56 r=3 s=3 stride=1 pad=1 dtype=f32"};

void prf_sentinel_init(prf_sentinel_t *out, const prf_backend_t *backend, prf_board_t *board)
{
    prf_board_facts_t facts = {.flags = 0};
    backend->describe(board, &facts);
    *out = (prf_sentinel_t){.backend = backend, .board = board, .off = !prf_measured_here(facts.flags)};
}

bool prf_sentinel_judge(prf_sentinel_t *self, size_t which, double ns)
{
    double *calm_ns = &self->calm_ns[which];
    bool slow = *calm_ns > 0 && ns > SLOW * *calm_ns;
    if (*calm_ns <= 0 || SLOW * ns < *calm_ns) /* what was known so far was slow itself */
        *calm_ns = ns;
    else
        *calm_ns += ns < *calm_ns ? (ns - *calm_ns) / LUCK : fmin(ns - *calm_ns, (FOLLOWS - 1) * *calm_ns);
    return slow;
}

/* The least of a few runs of one layer. What ran just before, another board's turn perhaps, may have left nothing of this one in
 * the last cache, which fills again within some runs, while a slow state stays: so what looks slow is looked at again. */
static prf_status_t time_layer(prf_sentinel_t *self, size_t which, double *out)
{
    static const prf_protocol_t protocol = {
        .cache = PRF_CACHE_WARM, .warmup_runs = 4, .min_repeats = 5, .max_repeats = 5, .ci_percent = 100, .limit_ms = 100};
    double slow_ns = self->calm_ns[which] > 0 ? SLOW * self->calm_ns[which] : INFINITY, least_ns = INFINITY;
    prf_block_t block;
    prf_error_t err;
    prf_status_t status = prf_block_parse(&block, layers[which], &err);
    for (int i = 0; !status && i < TRIES && (i == 0 || least_ns > slow_ns); i++) {
        prf_sample_t sample;
        status = prf_measure(self->backend, self->board, &protocol, &(prf_chain_t){.blocks = &block, .count = 1}, &sample, &err);
        least_ns = status ? least_ns : fmin(least_ns, sample.min_ns);
    }
    *out = least_ns;
    return status;
}

static void look(prf_sentinel_t *self)
{
    self->slow = false;
    for (size_t i = 0; i < PRF_SENTINELS && !self->off; i++) {
        double ns;
        self->off = time_layer(self, i, &ns) != PRF_OK;
        if (!self->off)
            self->slow = prf_sentinel_judge(self, i, ns) || self->slow;
    }
    self->last_ms = prf_clock_mono_ms();
}

void prf_sentinel_before(prf_sentinel_t *self)
{
    if (self->calm_ns[0] <= 0 || prf_clock_mono_ms() - self->last_ms >= FRESH_MS)
        look(self);
}

bool prf_sentinel_after(prf_sentinel_t *self)
{
    bool before = self->slow;
    look(self);
    return before || self->slow;
}
