// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

double world_array(const prf_block_t *b)
{
    const prf_layer_t *l = &b->layers[0];
    bool conv = l->kind == PRF_CONV1D;
    double rows = ceil((conv ? l->p[PRF_P_C] : l->p[PRF_P_IN]) / 8.0),
           columns = ceil((conv ? l->p[PRF_P_K] : l->p[PRF_P_OUT]) / 8.0);
    return 4 * (1 + rows * columns * (conv ? (double)prf_layer_out_shape(l).w * l->p[PRF_P_F] : 1.0));
}

void world_init(world_t *w, uint64_t seed)
{
    *w = (world_t){0};
    prf_map_init(&w->known);
    prf_rng_init(&w->rng, seed, 0);
}

void world_release(world_t *w)
{
    prf_map_release(&w->known);
    for (size_t i = 0; i < PRF_ENGINE_DECISIONS; i++)
        free(w->decisions[i]);
}

typedef struct {
    prf_want_t want;
    double latency_ns, energy_nj;
    uint32_t taint;
} going_t;

static void answer(prf_engine_t *e, world_t *w, const going_t *g)
{
    uint64_t bits;
    double latency_ns = g->latency_ns;
    bool reused = prf_map_get(&w->known, &g->want.point, g->want.attempt, &bits);
    if (reused)
        memcpy(&latency_ns, &bits, sizeof latency_ns);
    else
        memcpy(&bits, &latency_ns, sizeof bits);
    prf_sample_t s = {.latency_ns = latency_ns,
                      .min_ns = latency_ns,
                      .repeats = 1,
                      .busy_ns = 40000000,
                      .taint = g->taint,
                      .energy_nj = g->energy_nj};
    bool failed = w->poison && g->want.point.bytes[0] < 8;
    if (!reused) {
        w->fresh++;
        cr_assert_eq(prf_map_put(&w->known, &g->want.point, g->want.attempt, bits, NULL), PRF_OK);
    }
    cr_assert_eq(
        prf_engine_answer(e, &g->want.point, g->want.attempt, failed ? NULL : &s, reused, failed ? "it broke" : NULL, NULL),
        PRF_OK);
}

bool world_knows(void *w, const prf_digest_t *point, uint32_t attempt)
{
    uint64_t any;
    return prf_map_get(&((const world_t *)w)->known, point, attempt, &any);
}

/* True when one was made, and is durable and told. */
static bool decide(prf_engine_t *e, world_t *w)
{
    const char *name;
    char *decision = prf_engine_decision(e, 0, world_knows, w, &name);
    if (!decision)
        return false;
    for (size_t i = 0; i < PRF_ENGINE_DECISIONS; i++)
        if (strcmp(prf_engine_decisions[i], name) == 0) {
            free(w->decisions[i]);
            w->decisions[i] = decision;
        }
    if (!w->stop_at_decision)
        cr_assert_eq(prf_engine_decide(e, 0, name, decision, NULL), PRF_OK);
    return true;
}

/* Blocks one after another, and what lies between them. */
static double latency_of(const world_t *w, const prf_want_t *want)
{
    double sum = w->between_ns * (double)(want->block_count - 1);
    for (size_t i = 0; i < want->block_count; i++)
        sum += w->latency ? w->latency(&want->blocks[i]) : world_array(&want->blocks[i]);
    return sum;
}

static double energy_of(const world_t *w, const prf_want_t *want)
{
    double sum = 0;
    if (!w->energy || (w->silent && want->point.bytes[0] % w->silent))
        return 0;
    for (size_t i = 0; i < want->block_count; i++)
        sum += w->energy(&want->blocks[i]);
    return sum;
}

bool world_run(prf_engine_t *e, world_t *w)
{
    enum { FLIGHT = 16 };
    going_t going[FLIGHT];
    size_t flying = 0;
    for (;;) {
        while (flying < FLIGHT && prf_engine_next(e, &going[flying].want)) {
            double slow = w->passes ? w->slow[going[flying].want.attempt % w->passes] : 1;
            going[flying].latency_ns = latency_of(w, &going[flying].want) * slow * (w->pace > 0 ? w->pace : 1);
            going[flying].energy_nj = energy_of(w, &going[flying].want);
            going[flying].taint = w->disturbed > 0 && slow >= w->disturbed ? PRF_TAINT_SLOW : 0;
            flying++;
        }
        if (w->stop_after && w->fresh >= w->stop_after)
            return false;
        if (decide(e, w)) {
            if (w->stop_at_decision)
                return false;
            continue;
        }
        if (flying > 0) {
            size_t pick = (size_t)prf_rng_below(&w->rng, flying);
            going_t g = going[pick];
            going[pick] = going[--flying];
            answer(e, w, &g);
            continue;
        }
        prf_training_t *task = prf_engine_training(e);
        if (!task)
            return prf_engine_stage(e, 0) == PRF_STAGE_PUBLISH;
        prf_training_run(task);
        cr_assert_eq(prf_engine_trained(e, task, NULL), PRF_OK);
    }
}

void *world_model(prf_engine_t *e, size_t *len)
{
    uint32_t version;
    const void *bytes = prf_engine_model(e, 0, len, &version);
    cr_assert_not_null(bytes, "no model: %s", json_dumps(prf_engine_status(e), 0));
    void *copy = malloc(*len);
    memcpy(copy, bytes, *len);
    return copy;
}

static void add_network(const world_campaign_t *campaign, prf_engine_network_t **out)
{
    prf_error_t err = {0};
    prf_engine_network_t *net = campaign->network ? calloc(1, sizeof *net) : NULL;
    if (net)
        *net = (prf_engine_network_t){.name = "net", .block_count = campaign->block_count};
    if (net)
        net->blocks = calloc(campaign->block_count, sizeof *net->blocks);
    for (size_t i = 0; net && i < campaign->block_count; i++)
        cr_assert_eq(prf_block_parse(&net->blocks[i], campaign->network[i], &err), PRF_OK, "%s", err.text);
    if (net)
        net->edges = calloc(campaign->block_count, sizeof *net->edges);
    for (size_t i = 0; net && i < campaign->block_count; i++) /* each block reads the one before it */
        net->edges[net->edge_count++] = (prf_edge_t){.to = (int32_t)i, .from = (int32_t)i - 1};
    *out = net;
}

prf_engine_t *world_engine(const world_campaign_t *campaign, const world_t *w)
{
    prf_campaign_t parsed;
    prf_engine_network_t *net;
    prf_engine_t *e = NULL;
    prf_error_t err = {0};
    cr_assert_eq(prf_campaign_parse(&parsed, campaign->text, strlen(campaign->text), "world.yaml", &err), PRF_OK, "%s", err.text);
    add_network(campaign, &net);
    cr_assert_eq(prf_engine_new(&e, &parsed, net, net != NULL, &err), PRF_OK, "%s", err.text);
    if (campaign->refresh)
        prf_engine_refresh(e, campaign->refresh);
    for (size_t i = 0; i < PRF_ENGINE_DECISIONS; i++)
        if (w->decisions[i])
            cr_assert_eq(prf_engine_decide(e, 0, prf_engine_decisions[i], w->decisions[i], &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_engine_pin(e, 0, "array 8x8", campaign->kinds, UINT32_MAX, campaign->flags, &err), PRF_OK, "%s", err.text);
    return e;
}

static void init_like(world_t *w, const world_t *board, uint64_t seed)
{
    world_init(w, seed);
    w->latency = board->latency;
    w->between_ns = board->between_ns;
    w->energy = board->energy;
    w->silent = board->silent;
}

void *world_undisturbed(const world_campaign_t *campaign, const world_t *board, uint64_t seed, size_t *len, size_t *fresh)
{
    world_t w;
    init_like(&w, board, seed);
    prf_engine_t *e = world_engine(campaign, &w);
    cr_assert(world_run(e, &w));
    void *model = world_model(e, len);
    *fresh = w.fresh;
    prf_engine_destroy(&e);
    e = world_engine(campaign, &w);
    cr_assert(world_run(e, &w));
    size_t again_len;
    void *again = world_model(e, &again_len);
    cr_assert_eq(w.fresh, *fresh);
    cr_assert(again_len == *len && memcmp(again, model, *len) == 0);
    free(again);
    prf_engine_destroy(&e);
    world_release(&w);
    return model;
}

void world_expect_same(const world_campaign_t *campaign, const world_t *board)
{
    enum { EVERY = 25 };
    size_t len, fresh, again_len, again_fresh;
    void *expected = world_undisturbed(campaign, board, 7, &len, &fresh),
         *again = world_undisturbed(campaign, board, 8, &again_len, &again_fresh);
    cr_assert_eq(again_fresh, fresh);
    cr_assert(again_len == len && memcmp(again, expected, len) == 0);
    free(again);
    world_t w;
    init_like(&w, board, 9);
    w.stop_after = EVERY;
    prf_engine_t *e = world_engine(campaign, &w);
    for (int kills = 0; !world_run(e, &w); kills++) {
        cr_assert_lt(kills, 100);
        prf_engine_destroy(&e);
        e = world_engine(campaign, &w);
        w.stop_after = w.fresh + EVERY;
    }
    cr_assert_eq(w.fresh, fresh, "measured %zu points, undisturbed %zu", w.fresh, fresh);
    again = world_model(e, &again_len);
    cr_assert(again_len == len && memcmp(again, expected, len) == 0);
    free(again);
    free(expected);
    prf_engine_destroy(&e);
    world_release(&w);
}
