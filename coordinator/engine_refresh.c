// SPDX-License-Identifier: Apache-2.0
/* engine_refresh.c - does the model still hold? A few layers that it was trained on are measured again and compared with what it
 * was trained on; if they drifted, everything is.
 *
 * The new measurements are attempts of a *generation* of their own (the refresh's number): independent of the old ones, found again
 * after a kill like any others, and the first results of the new plan if there is to be one. Nothing of the old generation is
 * mixed into the new one: a model of two states of a board describes neither.
 *
 * The rule: of the ratios new / old the median must be within the limit of 1, and their spread (median distance from the median)
 * within the limit of 0. The median sees boards that became slower or faster as a whole, the spread sees changes of single layers;
 * both do without the worst half, so a disturbed measurement decides nothing. Unless a person gave one, the limit is twice the
 * repeatability that the campaign saw, at least 3 %: two measurements without any drift differ by less. When less than half could
 * be measured nothing is decided, and the model stays. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "engine_internal.h"

#define LEAST_LIMIT_PERCENT 3.0

void prf_engine_refresh(prf_engine_t *self, const prf_refresh_t *refresh)
{
    self->refresh = *refresh;
}

typedef struct {
    bool representative;
    double order;
    size_t probe;
} candidate_t;

static int by_worth(const void *a, const void *b)
{
    const candidate_t *x = a, *y = b;
    if (x->representative != y->representative)
        return x->representative ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order ? 1 : 0;
}

/* Adds the measured ones of a list's first `most`, each once. */
static void nominate(const prf_engine_t *self, const kind_t *kind, const list_t *list, size_t most, bool representative, bool *seen,
                     candidate_t *out, size_t *count)
{
    for (size_t i = 0; i < list->count && i < most; i++) {
        size_t probe = list->items[i];
        double latency_ns;
        if (seen[probe] || !passes_latency(self, kind, probe, &latency_ns))
            continue;
        seen[probe] = true;
        out[(*count)++] = (candidate_t){representative, kind->probes[probe].order, probe};
    }
}

/* What the model was trained on: representatives first, then the rest, each in the order of their digests, so that all layer kinds
 * have their share. */
static candidate_t *nominees(const prf_engine_t *self, const kind_t *kind, size_t *count)
{
    candidate_t *all = calloc(kind->probe_count + 1, sizeof *all);
    bool *seen = calloc(kind->probe_count + 1, sizeof *seen);
    *count = 0;
    for (size_t i = 0; all && seen && i < kind->track_count; i++) {
        const track_t *t = &kind->tracks[i];
        nominate(self, kind, &t->representatives, SIZE_MAX, true, seen, all, count);
        nominate(self, kind, &t->random, t->random_trained, false, seen, all, count);
        nominate(self, kind, &t->active, SIZE_MAX, false, seen, all, count);
        nominate(self, kind, &t->swept, SIZE_MAX, false, seen, all, count);
    }
    if (!seen) {
        free(all);
        all = NULL;
    }
    free(seen);
    if (all)
        qsort(all, *count, sizeof *all, by_worth);
    return all;
}

static prf_status_t measure_again(prf_engine_t *self, size_t board, size_t probe, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    prf_block_t block;
    probe_block(kind, probe, &block);
    size_t first = 0;
    prf_status_t status = list_add(&kind->stale, probe, err);
    if (!status)
        status = passes_want(self, board, &block, NO_CHAIN, self->refresh.number, 0, ROLE_REFRESH, &first, err);
    return status ? status : list_add(&kind->again, first, err);
}

prf_status_t refresh_start(prf_engine_t *self, size_t board, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    if (self->refresh.number <= kind->checked) {
        kind->stage = PRF_STAGE_PUBLISH;
        return PRF_OK;
    }
    kind->stage = PRF_STAGE_CHECK;
    size_t count;
    candidate_t *all = nominees(self, kind, &count);
    if (!all)
        return prf_fail(err, PRF_ENOMEM, "layers to be measured again");
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && i < count && i < self->refresh.points; i++)
        status = measure_again(self, board, all[i].probe, err);
    free(all);
    return status;
}

bool refresh_is_due(const kind_t *kind)
{
    return kind->stage == PRF_STAGE_CHECK && kind->pending.count == 0 && kind->out == 0;
}

/* Median of the ratios, spread around it; how many there were. */
static size_t compare(const prf_engine_t *self, const kind_t *kind, double *ratios, double *middle, double *spread_percent)
{
    size_t n = 0;
    for (size_t i = 0; i < kind->again.count; i++) {
        double before, now;
        if (passes_latency(self, kind, kind->stale.items[i], &before) && passes_latency(self, kind, kind->again.items[i], &now))
            ratios[n++] = now / before;
    }
    if (n == 0)
        return 0;
    *middle = prf_median(ratios, n);
    for (size_t i = 0; i < n; i++)
        ratios[i] = 100 * fabs(ratios[i] - *middle);
    *spread_percent = prf_median(ratios, n);
    return n;
}

char *refresh_text(const prf_engine_t *self, const kind_t *kind)
{
    double *ratios = calloc(kind->again.count + 1, sizeof *ratios), middle = 1, spread = 0, limit = self->refresh.limit_percent;
    if (!ratios)
        return NULL;
    double repeatability = kind->provenance.repeatability_percent;
    if (limit <= 0)
        limit = isfinite(repeatability) && 2 * repeatability > LEAST_LIMIT_PERCENT ? 2 * repeatability : LEAST_LIMIT_PERCENT;
    size_t points = kind->again.count, n = compare(self, kind, ratios, &middle, &spread);
    free(ratios);
    bool decided = n > 0 && 2 * n >= points, drifted = decided && (100 * fabs(middle - 1) > limit || spread > limit);
    json_t *json = json_pack("{s:I, s:I, s:s, s:I, s:I, s:f, s:f, s:f}", "generation",
                             (json_int_t)(drifted ? self->refresh.number : kind->generation), "checked",
                             (json_int_t)self->refresh.number, "verdict",
                             drifted   ? "drifted"
                             : decided ? "holds"
                                       : "undecided",
                             "points", (json_int_t)points, "measured", (json_int_t)n, "median_ratio", middle, "spread_percent",
                             spread, "limit_percent", limit);
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(json);
    return text;
}

/* Begins the kind anew in its new generation. */
static prf_status_t restart(prf_engine_t *self, size_t board, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    for (size_t i = 0; i < kind->probe_count; i++)
        prf_map_remove(&self->index, &kind->probes[i].point, kind->probes[i].attempt);
    kind_t fresh = {.kinds = kind->kinds,
                    .dtypes = kind->dtypes,
                    .builds = kind->builds,
                    .generation = kind->generation,
                    .checked = kind->checked,
                    .verdict = json_incref(kind->verdict),
                    .seconds_training = kind->seconds_training};
    memcpy(fresh.fingerprint, kind->fingerprint, sizeof fresh.fingerprint);
    kind_release(kind);
    *kind = fresh;
    prf_map_init(&kind->counted);
    return plan_begin(self, board, err);
}

prf_status_t refresh_decide(prf_engine_t *self, size_t board, const char *text, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    json_t *json = json_loads(text, 0, NULL);
    json_int_t generation = json_integer_value(json_object_get(json, "generation")),
               checked = json_integer_value(json_object_get(json, "checked"));
    if (generation < 0 || checked < generation || checked > PRF_REFRESHES) {
        json_decref(json);
        return PRF_OK; /* damaged: as if it had not been made */
    }
    bool anew = (uint32_t)generation != kind->generation;
    json_decref(kind->verdict);
    kind->verdict = json;
    kind->generation = (uint32_t)generation;
    kind->checked = (uint32_t)checked;
    if (kind->stage != PRF_STAGE_CHECK)
        return PRF_OK;
    kind->stage = PRF_STAGE_PUBLISH;
    return anew ? restart(self, board, err) : PRF_OK;
}
