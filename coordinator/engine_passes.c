// SPDX-License-Identifier: Apache-2.0
/* engine_passes.c - one measurement, taken in several passes.
 *
 * What disturbs a board only ever slows it down, and may last longer than a measurement: all timings of one pass agree then, and
 * only another pass, later, tells. So a measurement is taken a few times, about half a queue apart, and the fastest pass stands.
 * It is taken once more while nothing confirms the fastest: while the two fastest passes differ by more than two medians do that
 * are each known to ci_percent, or both were disturbed; until the most passes are done. Attempts of a point are numbered
 * measurement by measurement, with room for the most passes in each. */
#include <math.h>

#include "engine_internal.h"

prf_status_t passes_want(prf_engine_t *self, size_t board, const prf_block_t *block, size_t chain, uint32_t generation,
                         uint32_t measurement, role_t role, size_t *first, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    uint32_t attempt = measurement * self->campaign.most_passes;
    for (uint32_t pass = 0; !status && pass < self->campaign.passes; pass++) {
        size_t probe = 0;
        status = probe_want(self, board, block, chain, probe_attempt(generation, attempt + pass), role, &probe, err);
        *first = pass == 0 ? probe : *first;
    }
    return status;
}

/* A measurement's passes so far. */
typedef struct {
    uint32_t wanted, measured;
    bool open;         /* some have no outcome yet */
    double fastest[2]; /* nanoseconds */
    double energy_nj;  /* of the fastest; 0: not told */
    bool disturbed[2];
} passes_t;

static void rank(passes_t *p, const probe_t *probe)
{
    int place = p->measured == 0 || probe->latency_ns < p->fastest[0] ? 0 : 1;
    if (place == 0) {
        p->fastest[1] = p->fastest[0];
        p->disturbed[1] = p->disturbed[0];
        p->energy_nj = probe->energy_nj;
    }
    if (place == 0 || p->measured < 2 || probe->latency_ns < p->fastest[1]) {
        p->fastest[place] = probe->latency_ns;
        p->disturbed[place] = probe->disturbed;
    }
    p->measured++;
}

static passes_t passes_of(const prf_engine_t *self, const kind_t *kind, const prf_digest_t *point, uint32_t attempt)
{
    passes_t p = {.wanted = 0};
    const probe_t *probe;
    while (p.wanted < self->campaign.most_passes && (probe = probe_known(self, kind, point, attempt + p.wanted))) {
        p.wanted++;
        p.open = p.open || probe->state <= PROBE_OUT;
        if (probe->state == PROBE_MEASURED)
            rank(&p, probe);
    }
    return p;
}

static bool confirmed(const prf_engine_t *self, const passes_t *p)
{
    double apart_percent = 100 * (p->fastest[1] / p->fastest[0] - 1);
    return apart_percent <= 2 * self->campaign.protocol.ci_percent && !(p->disturbed[0] && p->disturbed[1]);
}

prf_status_t passes_answered(prf_engine_t *self, size_t board, size_t probe, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    uint32_t most = self->campaign.most_passes;
    if (most == 1)
        return PRF_OK;
    const probe_t answered = kind->probes[probe];
    uint32_t first = answered.attempt - answered.attempt % PRF_GENERATION_ATTEMPTS % most;
    passes_t p = passes_of(self, kind, &answered.point, first);
    /* A sweep's layers have one pass for the time being. */
    if (p.open || p.wanted < self->campaign.passes || p.wanted == most || p.measured < 2 || confirmed(self, &p))
        return PRF_OK;
    size_t next;
    prf_block_t block;
    probe_block(kind, probe, &block);
    return probe_want(self, board, &block, answered.chain, first + p.wanted, answered.role, &next, err);
}

bool passes_value(const prf_engine_t *self, const kind_t *kind, size_t first, target_t target, double *value)
{
    const probe_t *probe = &kind->probes[first];
    passes_t p = passes_of(self, kind, &probe->point, probe->attempt);
    bool told = p.measured > 0 && (target == TARGET_LATENCY || p.energy_nj > 0);
    if (told)
        *value = target == TARGET_LATENCY ? p.fastest[0] : p.energy_nj;
    return told;
}

bool passes_latency(const prf_engine_t *self, const kind_t *kind, size_t first, double *latency_ns)
{
    return passes_value(self, kind, first, TARGET_LATENCY, latency_ns);
}
