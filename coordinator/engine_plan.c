// SPDX-License-Identifier: Apache-2.0
/* engine_plan.c - what a board kind is asked next.
 *
 * Each track first sweeps, round by round, for a third of its budget at most; as soon as its steps are known it asks for its
 * share of the sample, in ROUNDS helpings (small budgets in one). A third of the first are Performance Representatives, so that a
 * training can find out whether they teach more than layers spread over the original space (engine_choose.c); where no step was
 * found the two are the same thing. Later ones follow that, and give a third of their layers to those that the last model was least
 * sure of. Beside them a track asks for other layers from the original space to be judged by, and, for the baseline, for layers
 * spread over the original space up to what sweep and training together cost, of which the first are those that are trained on
 * anyway. A track that an old model may spare its sweep begins with that (engine_old.c). Tracks do not wait for one another until
 * the training, which is for the whole kind. Where a target MAPE is given each helping is judged before the next. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_internal.h"
#include "pr/sample.h"

enum {
    SWEEP_MOST = 150,   /* layers a track's sweep may cost, */
    SWEEP_SHARE = 3,    /* and which part of its budget; */
    SWEEP_FROM = 64,    /* with fewer layers there is none: models look for widths in the sample, too */
    ROUNDS = 3,         /* helpings of the sample */
    HELPINGS_FROM = 64, /* with fewer layers there is one: nothing could be learned between them */
    COMPARE_FROM = 50,  /* layers of a first helping that leave room for a comparison */
    ACTIVE_SHARE = 3    /* of a later helping: one in so many is where the model is unsure */
};

uint64_t plan_stream(const prf_engine_t *self, const track_t *track, const char *use)
{
    char name[96];
    snprintf(name, sizeof name, "%s/%s/%s", use, prf_layer_kind_name(track->layer->space.kind),
             prf_dtype_name(track->layer->space.dtype));
    return self->campaign.seed ^ prf_rng_stream(name);
}

void track_release(track_t *track)
{
    prf_sweep_destroy(&track->sweep);
    free(track->round.items);
    free(track->swept.items);
    free(track->representatives.items);
    free(track->validated.items);
    free(track->random.items);
    free(track->active.items);
    free(track->choice.picks);
}

static bool wanted(const prf_campaign_layer_t *layer, size_t board)
{
    return layer->boards >> board & 1;
}

static bool can_run(const prf_campaign_layer_t *layer, uint32_t kinds, uint32_t dtypes)
{
    return (kinds >> layer->space.kind & 1) && (dtypes >> layer->space.dtype & 1);
}

/* A model without layers that the file asks for is not to come as a surprise. */
static void note_left_out(kind_t *kind, const prf_campaign_layer_t *layer)
{
    static const char begin[] = "this board cannot run, so its model does not know: ";
    size_t len = strlen(kind->note);
    snprintf(kind->note + len, sizeof kind->note - len, "%s%s %s", len ? ", " : begin, prf_layer_kind_name(layer->space.kind),
             prf_dtype_name(layer->space.dtype));
}

prf_status_t plan_sweep(prf_engine_t *self, track_t *track, size_t most, prf_error_t *err)
{
    size_t sweep = track->budget / SWEEP_SHARE < SWEEP_MOST ? track->budget / SWEEP_SHARE : SWEEP_MOST;
    sweep = sweep < most ? sweep : most;
    if (track->budget < SWEEP_FROM || sweep < 1)
        sweep = 1; /* which is too few to sweep anything; 0 would mean the default */
    track->sweeping = true;
    return prf_sweep_new(&track->sweep, &track->layer->space, &track->layer->knowledge, (uint32_t)sweep,
                         plan_stream(self, track, "sweep"), err);
}

/* Layers to judge by: the track's share of them, but at most half of what a small space has, or nothing is left to learn from. */
static uint32_t validation_of(const prf_campaign_t *c, const prf_campaign_layer_t *layer, uint32_t weights)
{
    uint64_t share = (uint64_t)c->validation * layer->weight / weights, half = prf_sample_room(&layer->space, 2 * share) / 2;
    return c->validation == 0 ? 0 : half > 0 ? (uint32_t)half : 1;
}

static prf_status_t start_tracks(prf_engine_t *self, size_t board, uint32_t kinds, uint32_t dtypes, prf_error_t *err)
{
    const prf_campaign_t *c = &self->campaign;
    kind_t *kind = &self->kinds[board];
    kind->tracks = calloc(c->layer_count, sizeof *kind->tracks);
    if (!kind->tracks)
        return prf_fail(err, PRF_ENOMEM, "campaign tracks");
    kind->track_count = 0;
    uint32_t weights = 0;
    for (size_t i = 0; i < c->layer_count; i++)
        if (wanted(&c->layers[i], board) && can_run(&c->layers[i], kinds, dtypes)) {
            kind->tracks[kind->track_count++].layer = &c->layers[i];
            weights += c->layers[i].weight;
        } else if (wanted(&c->layers[i], board)) {
            note_left_out(kind, &c->layers[i]);
        }
    if (weights == 0)
        return prf_fail(
            err, PRF_EUNSUPPORTED,
            "board kind %s runs none of the campaign's layer kinds in their data type: see prfarm boards for what it runs",
            c->boards[board].kind);
    for (size_t i = 0; i < kind->track_count; i++) {
        track_t *track = &kind->tracks[i];
        track->budget = (uint32_t)((uint64_t)c->samples * track->layer->weight / weights);
        track->validation = validation_of(c, track->layer, weights);
        prf_steps_none(&track->steps);
        track->put_off = track->budget >= SWEEP_FROM && old_puts_off(self, board, track);
        kind->trial = kind->trial || track->put_off;
        prf_status_t status = track->put_off ? PRF_OK : plan_sweep(self, track, track->budget, err);
        if (status)
            return status;
    }
    return PRF_OK;
}

static bool modelled(const kind_t *kind, const prf_block_t *block)
{
    for (size_t i = 0; i < kind->track_count; i++) {
        const prf_space_t *space = &kind->tracks[i].layer->space;
        if (space->kind == block->layers[0].kind && space->dtype == block->dtype)
            return true;
    }
    return false;
}

/* The blocks of a network that the campaign models on this board, in the data type of its layers, and the share of the network's
 * MACs that they do. A board that builds networks does so where all is modelled: what it measured besides, the estimate would
 * lack, and blocks that others were taken from between would not fit together. */
static prf_status_t modelled_part(const kind_t *kind, const prf_engine_network_t *network, chain_t *chain, double *share,
                                  prf_error_t *err)
{
    double all = 0, part = 0;
    *chain = (chain_t){.network = network, .blocks = calloc(network->block_count + 1, sizeof *chain->blocks)};
    if (!chain->blocks)
        return prf_fail(err, PRF_ENOMEM, "network %s", network->name);
    for (size_t b = 0; b < network->block_count; b++) {
        prf_block_t block = network->blocks[b];
        double macs = prf_layer_macs(&block.layers[0]);
        block.dtype = kind->tracks[0].layer->space.dtype;
        all += macs;
        if (!modelled(kind, &block))
            continue;
        part += macs;
        chain->blocks[chain->count++] = block;
    }
    if (kind->builds && chain->count == network->block_count) {
        chain->edges = network->edges;
        chain->edge_count = network->edge_count;
    }
    *share = all > 0 ? part / all : 0;
    return PRF_OK;
}

prf_status_t want(prf_engine_t *self, size_t board, const prf_block_t *block, size_t chain, uint32_t measurement, role_t role,
                  list_t *list, prf_error_t *err)
{
    size_t first = 0;
    prf_status_t status = passes_want(self, board, block, chain, self->kinds[board].generation, measurement, role, &first, err);
    return status || !list ? status : list_add(list, first, err);
}

/* A network is measured over its modelled blocks, so that estimate and measurement are about the same thing; where these do less
 * than half of its work it says nothing of the network, and is left out on this board. */
static prf_status_t start_chains(prf_engine_t *self, size_t board, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    kind->chains = calloc(self->network_count + BETWEEN_CHAINS, sizeof *kind->chains);
    if (!kind->chains)
        return prf_fail(err, PRF_ENOMEM, "networks of a campaign");
    for (size_t n = 0; n < self->network_count; n++) {
        chain_t chain;
        double share;
        prf_status_t status = modelled_part(kind, &self->networks[n], &chain, &share, err);
        if (status)
            return status;
        if (share < 0.5) {
            free(chain.blocks);
            continue;
        }
        kind->chains[kind->chain_count++] = chain;
        for (uint32_t attempt = 0; attempt < self->campaign.repeats; attempt++) {
            size_t at = kind->chain_count - 1;
            status = want(self, board, NULL, at, attempt, ROLE_NETWORK, &kind->chains[at].probes, err);
            if (status)
                return status;
        }
    }
    return PRF_OK;
}

bool plan_time_is_up(const prf_engine_t *self, const kind_t *kind)
{
    const prf_campaign_t *c = &self->campaign;
    if (c->seconds == 0)
        return false;
    uint32_t workers = c->boards[kind - self->kinds].workers;
    return (double)kind->busy_ns >= 1e9 * c->seconds * (workers ? workers : 1);
}

static prf_block_t block_of(const track_t *track, const prf_layer_t *layer)
{
    return (prf_block_t){.dtype = track->layer->space.dtype, .count = 1, .layers = {*layer}};
}

static bool settled(const kind_t *kind, const list_t *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (kind->probes[list->items[i]].state <= PROBE_OUT)
            return false;
    return true;
}

/* Wants `count` layers measured `attempts` times each, and lists them. */
static prf_status_t want_layers(prf_engine_t *self, size_t board, track_t *track, const prf_layer_t *layers, size_t count,
                                uint32_t attempts, role_t role, list_t *list, prf_error_t *err)
{
    for (size_t i = 0; i < count; i++) {
        prf_block_t block = block_of(track, &layers[i]);
        for (uint32_t attempt = 0; attempt < attempts; attempt++) {
            prf_status_t status = want(self, board, &block, NO_CHAIN, attempt, role, list, err);
            if (status)
                return status;
        }
    }
    return PRF_OK;
}

/* One list of a track's sample brought to `wanted` layers. Samplers extend their own earlier answers, so only the new ones at the
 * end are added. */
static prf_status_t extend(prf_engine_t *self, size_t board, track_t *track, role_t role, list_t *list, uint32_t attempts,
                           size_t wanted, const prf_layer_t *taken, size_t taken_count, prf_error_t *err)
{
    size_t have = list->count / attempts, got = 0;
    if (wanted <= have)
        return PRF_OK;
    prf_layer_t *layers = calloc(wanted, sizeof *layers);
    if (!layers)
        return prf_fail(err, PRF_ENOMEM, "a sample of %zu layers", wanted);
    const prf_space_t *space = &track->layer->space;
    uint64_t seed = plan_stream(self, track, role_name(role));
    prf_steps_t none;
    prf_steps_none(&none);
    prf_status_t status = role == ROLE_VALIDATION
                              ? prf_sample_random(space, seed, taken, taken_count, wanted, layers, &got, err)
                              : prf_sample_representatives(space, role == ROLE_REPRESENTATIVE ? &track->steps : &none, seed, taken,
                                                           taken_count, wanted, layers, &got, err);
    if (!status && got > have)
        status = want_layers(self, board, track, layers + have, got - have, attempts, role, list, err);
    free(layers);
    return status;
}

/* The layers of two lists, the second one's entries in groups of `stride` attempts. Caller frees. */
static prf_layer_t *layers_of(const kind_t *kind, const list_t *list, const list_t *grouped, size_t stride, size_t *count)
{
    *count = list->count + grouped->count / stride;
    prf_layer_t *layers = calloc(*count ? *count : 1, sizeof *layers);
    for (size_t i = 0; layers && i < *count; i++) {
        size_t probe = i < list->count ? list->items[i] : grouped->items[(i - list->count) * stride];
        layers[i] = *probe_layers(kind, probe);
    }
    return layers;
}

/* Layers to train on, beside the swept ones, up to a round's end: 40 %, 70 %, all that the budget allows. */
static size_t helping(const kind_t *kind, const track_t *track, uint32_t round)
{
    size_t spent = track->swept.count + fusion_cost(kind, (size_t)(track - kind->tracks));
    size_t left = track->budget > spent ? track->budget - spent : 0;
    return round + 1 >= kind->rounds ? left : left * (4 + 3 * round) / 10;
}

size_t plan_helped(const track_t *track)
{
    return track->representatives.count + track->random_trained + track->active.count;
}

size_t plan_room(const kind_t *kind, const track_t *track)
{
    size_t most = helping(kind, track, kind->round + 1), have = plan_helped(track);
    return most > have ? most - have : 0;
}

/* Of `count` more layers, those that shall be representatives. In the first helping they are there to be compared. */
static size_t representative_share(const kind_t *kind, const track_t *track, size_t count)
{
    if (!prf_steps_any(&track->steps))
        return 0;
    if (kind->round == 0)
        return count >= COMPARE_FROM ? count / 3 : 0;
    sampling_t sampling = track->choice.sampling;
    return sampling == SAMPLING_RANDOM ? 0 : sampling == SAMPLING_REPRESENTATIVES ? count : count / 2;
}

/* A round's layers to train on. */
static prf_status_t sample_training(prf_engine_t *self, size_t board, track_t *track, const prf_layer_t *taken, size_t taken_count,
                                    prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    size_t most = helping(kind, track, kind->round), have = plan_helped(track), add = most > have ? most - have : 0;
    size_t active = add / ACTIVE_SHARE < track->choice.pick_count ? add / ACTIVE_SHARE : track->choice.pick_count;
    prf_status_t status = want_layers(self, board, track, track->choice.picks, active, 1, ROLE_ACTIVE, &track->active, err);
    if (status)
        return status;
    add -= active;
    size_t before = track->representatives.count;
    status = extend(self, board, track, ROLE_REPRESENTATIVE, &track->representatives, 1,
                    before + representative_share(kind, track, add), taken, taken_count, err);
    /* Where the grid has no more representatives, other layers take their place. */
    track->random_trained += add - (track->representatives.count - before);
    size_t wanted = self->campaign.baseline ? track->swept.count + most : track->random_trained;
    if (!status)
        status = extend(self, board, track, ROLE_RANDOM, &track->random, 1, wanted, taken, taken_count, err);
    return status;
}

/* No layer is both trained on and judged by. */
prf_status_t plan_sample(prf_engine_t *self, size_t board, track_t *track, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    uint32_t repeats = self->campaign.repeats;
    size_t count;
    /* Layers of the sample come before those to judge by only where an old model was tried on them. */
    prf_layer_t *layers = layers_of(kind, &track->swept, &track->random, 1, &count);
    if (!layers)
        return prf_fail(err, PRF_ENOMEM, "swept layers");
    prf_status_t status =
        extend(self, board, track, ROLE_VALIDATION, &track->validated, repeats, track->validation, layers, count, err);
    /* The sweep was in a hurry; what it measured is trained on, so its other passes come now. */
    if (!status)
        status = want_layers(self, board, track, layers, track->swept.count, 1, ROLE_REPRESENTATIVE, NULL, err);
    free(layers);
    if (status)
        return status;
    layers = layers_of(kind, &track->swept, &track->validated, repeats, &count);
    if (!layers)
        return prf_fail(err, PRF_ENOMEM, "layers that are taken");
    status = sample_training(self, board, track, layers, count, err);
    free(layers);
    if (!status && kind->round == 0)
        status = fusion_ask(self, board, (size_t)(track - kind->tracks), err);
    return status;
}

prf_status_t plan_spread(prf_engine_t *self, size_t board, track_t *track, size_t wanted, prf_error_t *err)
{
    prf_status_t status = extend(self, board, track, ROLE_RANDOM, &track->random, 1, wanted, NULL, 0, err);
    track->random_trained = track->random.count;
    return status;
}

/* Feeds a finished round of the sweep and asks for the next; *moved tells whether anything happened. */
static prf_status_t sweep_track(prf_engine_t *self, size_t board, track_t *track, bool *moved, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    prf_status_t status = PRF_OK;
    if (track->round.count > 0) {
        double *latencies = calloc(track->round.count, sizeof *latencies);
        if (!latencies)
            return prf_fail(err, PRF_ENOMEM, "a sweep's round");
        for (size_t i = 0; i < track->round.count; i++) {
            const probe_t *p = &kind->probes[track->round.items[i]];
            latencies[i] = p->state == PROBE_MEASURED ? p->latency_ns : (double)NAN;
        }
        status = prf_sweep_feed(track->sweep, latencies, track->round.count, err);
        free(latencies);
        track->round.count = 0;
        if (status)
            return status;
    }
    const prf_layer_t *layers;
    size_t count;
    status = prf_sweep_round(track->sweep, &layers, &count, err);
    if (status)
        return status;
    *moved = true;
    for (size_t i = 0; !status && i < count; i++) {
        prf_block_t block = block_of(track, &layers[i]);
        size_t probe = 0;
        status = probe_want(self, board, &block, NO_CHAIN, probe_attempt(kind->generation, 0), ROLE_SWEEP, &probe, err);
        if (!status)
            status = list_add(&track->round, probe, err);
        if (!status)
            status = list_add(&track->swept, probe, err);
    }
    if (status || count > 0)
        return status;
    prf_sweep_steps(track->sweep, &track->steps);
    prf_sweep_destroy(&track->sweep);
    track->sweeping = false;
    return plan_sample(self, board, track, err);
}

static bool kind_is_quiet(const kind_t *kind)
{
    return kind->pending.count == 0 && kind->out == 0;
}

prf_status_t plan_advance(prf_engine_t *self, size_t board, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    if (kind->stage != PRF_STAGE_SWEEP && kind->stage != PRF_STAGE_MEASURE)
        return PRF_OK;
    bool sweeping = false;
    for (size_t i = 0; i < kind->track_count; i++) {
        track_t *track = &kind->tracks[i];
        bool moved = true;
        while (track->sweeping && moved && settled(kind, &track->round)) {
            moved = false;
            prf_status_t status = sweep_track(self, board, track, &moved, err);
            if (status)
                return status;
        }
        sweeping = sweeping || track->sweeping;
    }
    kind->stage = sweeping ? PRF_STAGE_SWEEP : PRF_STAGE_MEASURE;
    if (sweeping || !kind_is_quiet(kind))
        return PRF_OK;
    /* In the trial of an old model no helping was planned. */
    prf_status_t status = kind->trial ? PRF_OK : fusion_ask_more(self, board, err);
    if (!status && !kind->trial)
        status = between_ask(self, board, err);
    if (!status && kind_is_quiet(kind))
        kind->stage = PRF_STAGE_TRAIN;
    return status;
}

prf_status_t plan_begin(prf_engine_t *self, size_t board, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    kind->stage = PRF_STAGE_SWEEP;
    prf_status_t status = start_tracks(self, board, kind->kinds, kind->dtypes, err);
    kind->rounds = self->campaign.target_mape > 0 ? ROUNDS : 1;
    for (size_t i = 0; !status && i < kind->track_count; i++)
        if (kind->tracks[i].budget >= HELPINGS_FROM)
            kind->rounds = ROUNDS;
    for (size_t i = 0; !status && i < kind->track_count; i++)
        if (kind->tracks[i].put_off)
            status = old_begin(self, board, &kind->tracks[i], err);
    if (!status)
        status = start_chains(self, board, err);
    if (!status)
        status = fusion_begin(self, board, err);
    return status ? status : plan_advance(self, board, err);
}

prf_status_t plan_round(prf_engine_t *self, size_t board, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    kind->round++;
    kind->stage = PRF_STAGE_MEASURE;
    for (size_t i = 0; i < kind->track_count; i++) {
        track_t *track = &kind->tracks[i];
        prf_status_t status = track->put_off ? old_go_on(self, board, track, err) : plan_sample(self, board, track, err);
        if (status)
            return status;
    }
    return plan_advance(self, board, err);
}
