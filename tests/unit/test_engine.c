// SPDX-License-Identifier: Apache-2.0
/* The promise of the engine: its outcome follows from the set of results, however they arrive and however often it is begun anew.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/rng.h"
#include "engine.h"

static const char file[] = "campaign: staircase\n"
                           "seed: 7\n"
                           "boards:\n"
                           "  - {kind: array, backend: sim}\n"
                           "layers:\n"
                           "  - kind: conv1d\n"
                           "    dtype: i8\n"
                           "    knowledge: black\n"
                           "    params: {c: 1..64, k: 1..64, w: 16..64, f: [1, 3, 5]}\n"
                           "  - kind: fc\n"
                           "    dtype: i8\n"
                           "    knowledge: black\n"
                           "    params: {in: 1..128, out: 1..128}\n"
                           "budget: {samples: 240}\n"
                           "validation: {layers: 40, repeats: 2}\n"
                           "baseline: true\n";

/* An array of 8 x 8 that knows no noise. */
static double latency_of(const prf_block_t *b)
{
    const prf_layer_t *l = &b->layers[0];
    bool conv = l->kind == PRF_CONV1D;
    double rows = ceil((conv ? l->p[PRF_P_C] : l->p[PRF_P_IN]) / 8.0),
           columns = ceil((conv ? l->p[PRF_P_K] : l->p[PRF_P_OUT]) / 8.0);
    return 4 * (1 + rows * columns * (conv ? (double)prf_layer_out_shape(l).w * l->p[PRF_P_F] : 1.0));
}

static prf_engine_t *engine_of(const char *text)
{
    prf_campaign_t campaign;
    prf_engine_t *e = NULL;
    prf_error_t err = {0};
    cr_assert_eq(prf_campaign_parse(&campaign, text, strlen(text), "staircase.yaml", &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_engine_new(&e, &campaign, NULL, 0, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_engine_pin(e, 0, "array 8x8", UINT32_MAX, UINT32_MAX, &err), PRF_OK, "%s", err.text);
    return e;
}

static prf_engine_t *engine(void)
{
    return engine_of(file);
}

typedef struct {
    prf_map_t known;   /* points that "the store" has */
    size_t fresh;      /* measured and not known before */
    size_t stop_after; /* fresh measurements; then the run is killed */
    prf_rng_t rng;
    bool poison;      /* every point whose first byte is below 8 fails */
    bool slow_states; /* every second attempt meets one */
} world_t;

typedef struct {
    prf_want_t want;
    double latency_ns;
} going_t;

static void answer(prf_engine_t *e, world_t *w, const going_t *g)
{
    uint64_t seen;
    bool reused = prf_map_get(&w->known, &g->want.point, g->want.attempt, &seen);
    prf_sample_t s = {.latency_ns = g->latency_ns, .min_ns = g->latency_ns, .repeats = 1};
    bool failed = w->poison && g->want.point.bytes[0] < 8;
    if (!reused) {
        w->fresh++;
        cr_assert_eq(prf_map_put(&w->known, &g->want.point, g->want.attempt, 1, NULL), PRF_OK);
    }
    cr_assert_eq(
        prf_engine_answer(e, &g->want.point, g->want.attempt, failed ? NULL : &s, reused, failed ? "it broke" : NULL, NULL),
        PRF_OK);
}

/* Runs until the model is there or the world is stopped; answers in random order. True when the model is final. */
static bool run(prf_engine_t *e, world_t *w)
{
    enum { FLIGHT = 16 };
    going_t going[FLIGHT];
    size_t flying = 0;
    for (;;) {
        while (flying < FLIGHT && prf_engine_next(e, &going[flying].want)) {
            bool slow = w->slow_states && going[flying].want.attempt % 2 == 1;
            going[flying].latency_ns = latency_of(going[flying].want.blocks) * (slow ? 1.3 : 1.0);
            flying++;
        }
        if (w->stop_after && w->fresh >= w->stop_after)
            return false;
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

static void *copy_of_model(prf_engine_t *e, size_t *len)
{
    uint32_t version;
    const void *bytes = prf_engine_model(e, 0, len, &version);
    cr_assert_not_null(bytes, "no model: %s", json_dumps(prf_engine_status(e), 0));
    void *copy = malloc(*len);
    memcpy(copy, bytes, *len);
    return copy;
}

static void *undisturbed(uint64_t seed, size_t *len, size_t *fresh)
{
    world_t w = {0};
    prf_map_init(&w.known);
    prf_rng_init(&w.rng, seed, 0);
    prf_engine_t *e = engine();
    cr_assert(run(e, &w));
    void *model = copy_of_model(e, len);
    *fresh = w.fresh;
    prf_engine_destroy(&e);
    prf_map_release(&w.known);
    return model;
}

Test(engine, order_of_results_does_not_change_a_byte_of_the_model)
{
    size_t a_len, b_len, a_fresh, b_fresh;
    void *a = undisturbed(1, &a_len, &a_fresh), *b = undisturbed(2, &b_len, &b_fresh);
    cr_assert_eq(a_fresh, b_fresh);
    cr_assert_eq(a_len, b_len);
    cr_assert_eq(memcmp(a, b, a_len), 0);
    free(a);
    free(b);
}

Test(engine, killed_and_resumed_it_repeats_nothing_and_ends_in_the_same_bytes)
{
    size_t len, fresh, again_len;
    void *expected = undisturbed(1, &len, &fresh);
    world_t w = {.stop_after = 40};
    prf_map_init(&w.known);
    prf_rng_init(&w.rng, 3, 0);
    prf_engine_t *e = engine();
    for (int kills = 0; !run(e, &w); kills++) {
        cr_assert_lt(kills, 100);
        prf_engine_destroy(&e);
        e = engine();
        w.stop_after = w.fresh + 70;
    }
    cr_assert_eq(w.fresh, fresh, "measured %zu points, undisturbed %zu", w.fresh, fresh);
    void *again = copy_of_model(e, &again_len);
    cr_assert_eq(again_len, len);
    cr_assert_eq(memcmp(expected, again, len), 0);
    free(expected);
    free(again);
    prf_engine_destroy(&e);
    prf_map_release(&w.known);
}

Test(engine, poisoned_points_are_counted_and_the_campaign_goes_on_without_them)
{
    world_t w = {.poison = true};
    prf_map_init(&w.known);
    prf_rng_init(&w.rng, 4, 0);
    prf_engine_t *e = engine();
    cr_assert(run(e, &w));
    json_t *summary = prf_engine_summary(e);
    json_t *board = json_array_get(json_object_get(summary, "boards"), 0);
    json_int_t poisoned = json_integer_value(json_object_get(board, "poisoned"));
    cr_assert_gt(poisoned, 0);
    cr_assert_eq(json_integer_value(json_object_get(board, "planned")), json_integer_value(json_object_get(board, "measured")) +
                                                                            json_integer_value(json_object_get(board, "reused")) +
                                                                            poisoned);
    cr_assert_str_eq(json_string_value(json_object_get(board, "note")), "it broke");
    json_decref(summary);
    prf_engine_destroy(&e);
    prf_map_release(&w.known);
}

Test(engine, steps_found_and_error_reach_the_summary)
{
    world_t w = {0};
    prf_map_init(&w.known);
    prf_rng_init(&w.rng, 5, 0);
    prf_engine_t *e = engine();
    cr_assert(run(e, &w));
    prf_engine_published(e, 0, 1);
    prf_engine_acknowledged(e, 0, 2, 1, false);
    cr_assert_not(prf_engine_finished(e), "one of two workers has not acknowledged");
    prf_engine_acknowledged(e, 0, 2, 2, false);
    cr_assert(prf_engine_finished(e));
    json_t *summary = prf_engine_summary(e);
    json_t *board = json_array_get(json_object_get(summary, "boards"), 0);
    json_t *fc = json_object_get(json_object_get(board, "steps"), "fc");
    cr_assert_eq(json_integer_value(json_object_get(fc, "in")), 8);
    cr_assert_eq(json_integer_value(json_object_get(fc, "out")), 8);
    cr_assert_eq(json_real_value(json_object_get(board, "repeatability_percent")), 0.0);
    cr_assert_lt(json_real_value(json_object_get(board, "mape_percent")), 20.0);
    json_decref(summary);
    prf_engine_destroy(&e);
    prf_map_release(&w.known);
}

Test(engine, of_two_passes_the_faster_stands)
{
    char text[sizeof file + 64];
    size_t calm_len, calm_fresh, len;
    void *calm = undisturbed(1, &calm_len, &calm_fresh);
    snprintf(text, sizeof text, "%smeasure: {passes: 2}\n", file);
    world_t w = {.slow_states = true};
    prf_map_init(&w.known);
    prf_rng_init(&w.rng, 6, 0);
    prf_engine_t *e = engine_of(text);
    cr_assert(run(e, &w));
    cr_assert_eq(w.fresh, 2 * calm_fresh);
    void *model = copy_of_model(e, &len);
    cr_assert_eq(len, calm_len);
    cr_assert_eq(memcmp(model, calm, len), 0, "a slow state reached the model");
    free(model);
    free(calm);
    prf_engine_destroy(&e);
    prf_map_release(&w.known);
}

Test(engine, a_worker_that_never_takes_the_model_does_not_hold_the_campaign_for_ever)
{
    world_t w = {0};
    prf_map_init(&w.known);
    prf_rng_init(&w.rng, 7, 0);
    prf_engine_t *e = engine();
    cr_assert(run(e, &w));
    prf_engine_published(e, 0, 1);
    prf_engine_acknowledged(e, 0, 3, 2, false);
    cr_assert_not(prf_engine_finished(e));
    prf_engine_acknowledged(e, 0, 3, 2, true);
    cr_assert(prf_engine_finished(e));
    json_t *summary = prf_engine_summary(e);
    const char *note = json_string_value(json_object_get(json_array_get(json_object_get(summary, "boards"), 0), "note"));
    cr_assert(strstr(note, "1 of 3 workers"), "%s", note);
    json_decref(summary);
    prf_engine_destroy(&e);
    prf_map_release(&w.known);
}
