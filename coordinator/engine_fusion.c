// SPDX-License-Identifier: Apache-2.0
/* engine_fusion.c - which layers are measured with an activation behind them, so that the training can make fusion rules.
 *
 * A *pair* is a layer kind that the campaign models on the board and a function that follows it in a block of the campaign's
 * networks; without networks nobody asks for rules, and nothing is measured for them. PRF_FUSION_LEAST layers of the first helping
 * are measured once more with the function behind them: of those that do least for an element of their output, behind which it
 * shows most, some from small to large outputs. They are chosen from the plan, not from results, so they stand in the same mixed
 * queue as the layers alone, and a board's drift favours neither. Most boards execute most pairs as one, and that is all they cost
 * then. When the first helping is there, pairs that took longer than noise explains get more layers, and the function is measured
 * alone, on boards that run it as a block of its own.
 *
 * Rules are paid from the budget: a twentieth of it at most, and a fourth of a single layer kind's. Where budgets are small that is
 * not enough for every pair; those that occur most often in the networks come first. */
#include <math.h>
#include <stdlib.h>

#include "engine_training.h"

enum {
    LAYERS = 6,            /* of a pair that adds something, where the budget allows, */
    LIGHTEST = 2 * LAYERS, /* of so many that do least for an element of their output */
    BUDGET_SHARE = 20,
    TRACK_SHARE = 4 /* of a track's budget */
};

void fusion_release(kind_t *kind)
{
    for (size_t i = 0; i < kind->pair_count; i++) {
        free(kind->pairs[i].lead.items);
        free(kind->pairs[i].both.items);
        free(kind->pairs[i].alone.items);
    }
    free(kind->pairs);
    kind->pairs = NULL;
    kind->pair_count = 0;
}

/* Counts a network's block for its pair, if it is one. The blocks run in the data type of the campaign's first layer. */
static void count_block(kind_t *kind, const prf_block_t *block)
{
    if (block->count < 2 || block->layers[1].kind != PRF_ACTIVATION)
        return;
    prf_activation_t fn = (prf_activation_t)block->layers[1].p[PRF_P_FN];
    for (size_t t = 0; t < kind->track_count; t++) {
        const prf_space_t *space = &kind->tracks[t].layer->space;
        if (space->kind != block->layers[0].kind || space->dtype != kind->tracks[0].layer->space.dtype)
            continue;
        size_t at = 0;
        while (at < kind->pair_count && (kind->pairs[at].track != t || kind->pairs[at].fn != fn))
            at++;
        if (at == kind->pair_count)
            kind->pairs[kind->pair_count++] = (pair_t){.track = t, .fn = fn};
        kind->pairs[at].blocks++;
    }
}

static int by_blocks(const void *a, const void *b)
{
    const pair_t *x = a, *y = b;
    if (x->blocks != y->blocks)
        return x->blocks > y->blocks ? -1 : 1;
    if (x->track != y->track)
        return x->track < y->track ? -1 : 1;
    return (x->fn > y->fn) - (x->fn < y->fn);
}

size_t fusion_cost(const kind_t *kind, size_t track)
{
    size_t cost = 0;
    for (size_t i = 0; i < kind->pair_count; i++)
        if (kind->pairs[i].track == track)
            cost += kind->pairs[i].layers + kind->pairs[i].alone.count;
    return cost;
}

/* Layers that rules may cost. */
static size_t most_layers(const kind_t *kind)
{
    size_t budget = 0;
    for (size_t t = 0; t < kind->track_count; t++)
        budget += kind->tracks[t].budget;
    return budget / BUDGET_SHARE;
}

/* Layers that pairs of a track may still cost. */
static size_t room_for(const kind_t *kind, size_t track)
{
    size_t all = most_layers(kind), taken = 0, own = kind->tracks[track].budget / TRACK_SHARE, own_taken = fusion_cost(kind, track);
    for (size_t t = 0; t < kind->track_count; t++)
        taken += fusion_cost(kind, t);
    size_t left = all > taken ? all - taken : 0;
    size_t own_left = own > own_taken ? own - own_taken : 0;
    return left < own_left ? left : own_left;
}

/* The least that makes a rule, or 0 where it cannot be paid. */
static size_t grant(const kind_t *kind, size_t track)
{
    return room_for(kind, track) >= PRF_FUSION_LEAST ? PRF_FUSION_LEAST : 0;
}

prf_status_t fusion_begin(prf_engine_t *self, size_t board, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    kind->pairs = calloc(kind->track_count * PRF_FN_COUNT, sizeof *kind->pairs);
    if (!kind->pairs)
        return prf_fail(err, PRF_ENOMEM, "pairs of layers");
    for (size_t n = 0; n < self->network_count; n++)
        for (size_t b = 0; b < self->networks[n].block_count; b++)
            count_block(kind, &self->networks[n].blocks[b]);
    qsort(kind->pairs, kind->pair_count, sizeof *kind->pairs, by_blocks);
    for (size_t i = 0; i < kind->pair_count; i++)
        kind->pairs[i].layers = grant(kind, kind->pairs[i].track);
    return PRF_OK;
}

typedef struct {
    double elements, work; /* of its output; multiply-accumulates for each */
    size_t place, probe;   /* place: in the track's list, which does not depend on the order of answers */
} sized_t;

static int by_work(const void *a, const void *b)
{
    const sized_t *x = a, *y = b;
    if (x->work != y->work)
        return x->work < y->work ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static int by_elements(const void *a, const void *b)
{
    const sized_t *x = a, *y = b;
    if (x->elements != y->elements)
        return x->elements < y->elements ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Of the track's planned layers of the original space the lightest ones, by the size of their output. Caller frees. */
static sized_t *sized(const kind_t *kind, const track_t *track, size_t *count)
{
    *count = track->random_trained < track->random.count ? track->random_trained : track->random.count;
    sized_t *all = calloc(*count + 1, sizeof *all);
    for (size_t i = 0; all && i < *count; i++) {
        size_t probe = track->random.items[i];
        const prf_layer_t *layer = probe_layers(kind, probe);
        double elements = prf_layer_outputs(layer);
        all[i] = (sized_t){elements, prf_layer_macs(layer) / elements, i, probe};
    }
    if (all) {
        qsort(all, *count, sizeof *all, by_work);
        *count = *count < LIGHTEST ? *count : LIGHTEST;
        qsort(all, *count, sizeof *all, by_elements);
    }
    return all;
}

/* One layer of a pair with the function behind it. */
static prf_status_t ask_both(prf_engine_t *self, size_t board, pair_t *pair, size_t lead, prf_error_t *err)
{
    prf_block_t block;
    probe_block(&self->kinds[board], lead, &block);
    if (!prf_block_activate(&block, pair->fn))
        return PRF_OK; /* too large for an activation */
    prf_status_t status = list_add(&pair->lead, lead, err);
    return status ? status : want(self, board, &block, NO_CHAIN, 0, ROLE_FUSION, &pair->both, err);
}

/* Layers of a pair from its `from`-th on, up to pair->layers. Of those that there may ever be, the first few are of all sizes, too.
 */
static prf_status_t ask_layers(prf_engine_t *self, size_t board, pair_t *pair, size_t from, prf_error_t *err)
{
    const kind_t *kind = &self->kinds[board];
    size_t count;
    sized_t *all = sized(kind, &kind->tracks[pair->track], &count);
    if (!all)
        return prf_fail(err, PRF_ENOMEM, "layers of a pair");
    size_t most = count < LAYERS ? count : LAYERS;
    prf_status_t status = PRF_OK;
    for (size_t k = from; !status && k < pair->layers && k < most; k++) {
        size_t rank = k < most / 2 ? 2 * k + 1 : 2 * (k - most / 2);
        status = ask_both(self, board, pair, all[(2 * rank + 1) * count / (2 * most)].probe, err);
    }
    free(all);
    return status;
}

prf_status_t fusion_ask(prf_engine_t *self, size_t board, size_t track, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && i < kind->pair_count; i++)
        if (kind->pairs[i].track == track)
            status = ask_layers(self, board, &kind->pairs[i], 0, err);
    return status;
}

/* What was measured of a pair, its layers' order kept. */
static size_t fused_of(const prf_engine_t *self, const kind_t *kind, const pair_t *pair, target_t target,
                       prf_fused_t items[PRF_FUSION_MOST])
{
    size_t n = 0;
    for (size_t i = 0; i < pair->both.count; i++) {
        prf_fused_t one = {.elements = prf_layer_outputs(probe_layers(kind, pair->both.items[i]) + 1), .alone_ns = NAN};
        if (!passes_value(self, kind, pair->lead.items[i], target, &one.lead_ns) ||
            !passes_value(self, kind, pair->both.items[i], target, &one.both_ns))
            continue;
        if (i < pair->alone.count)
            (void)passes_value(self, kind, pair->alone.items[i], target, &one.alone_ns); /* stays unknown if it failed */
        items[n++] = one;
    }
    return n;
}

/* The functions of a pair's first `count` layers, as blocks of their own. */
static prf_status_t ask_alone(prf_engine_t *self, size_t board, pair_t *pair, size_t count, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && i < count && i < pair->both.count; i++) {
        prf_block_t both;
        probe_block(&self->kinds[board], pair->both.items[i], &both);
        prf_block_t block = {.dtype = both.dtype, .count = 1, .layers = {both.layers[1]}};
        status = want(self, board, &block, NO_CHAIN, 0, ROLE_FUSION, &pair->alone, err);
    }
    return status;
}

static prf_status_t ask_more(prf_engine_t *self, size_t board, pair_t *pair, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    prf_status_t status = PRF_OK;
    if (kind->kinds >> PRF_ACTIVATION & 1)
        status = ask_alone(self, board, pair, grant(kind, pair->track), err);
    size_t from = pair->layers, room = room_for(kind, pair->track), most = LAYERS - from;
    pair->layers += room < most ? room : most;
    return status ? status : ask_layers(self, board, pair, from, err);
}

prf_status_t fusion_ask_more(prf_engine_t *self, size_t board, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    /* Without another helping there is nothing that could be given up for more. */
    if (kind->fusion_asked || kind->round > 0 || kind->rounds == 1)
        return PRF_OK;
    kind->fusion_asked = true;
    double noise = prf_fusion_noise_percent(kind_repeatability(self, kind, TARGET_LATENCY));
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && i < kind->pair_count; i++) {
        prf_fused_t items[PRF_FUSION_MOST];
        if (prf_fusion_adds(items, fused_of(self, kind, &kind->pairs[i], TARGET_LATENCY, items), noise))
            status = ask_more(self, board, &kind->pairs[i], err);
    }
    return status;
}

size_t fusion_measured(const prf_engine_t *self, const kind_t *kind)
{
    size_t n = 0;
    double any;
    for (size_t i = 0; i < kind->pair_count; i++) {
        const pair_t *pair = &kind->pairs[i];
        for (size_t k = 0; k < pair->both.count; k++)
            n += passes_latency(self, kind, pair->both.items[k], &any);
        for (size_t k = 0; k < pair->alone.count; k++)
            n += passes_latency(self, kind, pair->alone.items[k], &any);
    }
    return n;
}

prf_status_t fusion_snapshot(const prf_engine_t *self, const kind_t *kind, target_t target, prf_training_t *to, prf_error_t *err)
{
    to->fusions = calloc(kind->pair_count + 1, sizeof *to->fusions);
    to->fused = calloc(kind->pair_count + 1, sizeof *to->fused);
    if (!to->fusions || !to->fused)
        return prf_fail(err, PRF_ENOMEM, "layers of pairs");
    to->fusion_count = kind->pair_count;
    for (size_t i = 0; i < kind->pair_count; i++) {
        const pair_t *pair = &kind->pairs[i];
        const prf_space_t *space = &kind->tracks[pair->track].layer->space;
        to->fusions[i] = (prf_train_fusion_t){.lead = space->kind, .dtype = space->dtype, .fn = pair->fn, .items = to->fused[i]};
        to->fusions[i].count = fused_of(self, kind, pair, target, to->fused[i]);
    }
    return PRF_OK;
}
