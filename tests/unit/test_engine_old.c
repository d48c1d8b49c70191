// SPDX-License-Identifier: Apache-2.0
/* A kind that begins with an old board's model: when its sweep is saved, when it is made after all, and that kills change nothing.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static prf_engine_t *engine_of(unsigned samples, const char *board)
{
    char text[512];
    snprintf(text, sizeof text,
             "campaign: second\nseed: 7\nboards:\n  - {kind: array%s}\nlayers:\n  - kind: fc\n    dtype: i8\n"
             "    params: {in: 1..128, out: 1..128}\nbudget: {samples: %u}\nvalidation: {layers: 30, repeats: 1}\n"
             "baseline: false\n",
             board, samples);
    prf_campaign_t campaign;
    prf_engine_t *e = NULL;
    prf_error_t err = {0};
    cr_assert_eq(prf_campaign_parse(&campaign, text, strlen(text), "second.yaml", &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_engine_new(&e, &campaign, NULL, 0, &err), PRF_OK, "%s", err.text);
    return e;
}

/* An array whose clock swings with the layer: no sum of terms, so that many layers have to be seen. */
static double swinging(const prf_block_t *b)
{
    const prf_layer_t *l = &b->layers[0];
    return world_array(b) * (1 + 0.3 * sin(l->p[PRF_P_IN] / 9.0) * cos(l->p[PRF_P_OUT] / 14.0));
}

static double half_as_fast(const prf_block_t *b)
{
    return 2 * swinging(b);
}

static void *old_file;
static size_t old_len;

/* The engine of a new board that is pinned. */
static prf_engine_t *engine_from_old(unsigned samples)
{
    prf_engine_t *e = engine_of(samples, ", from: old.prfm");
    prf_model_t *old;
    prf_error_t err = {0};
    cr_assert_eq(prf_model_decode(&old, old_file, old_len, &err), PRF_OK, "%s", err.text);
    prf_engine_begin_with(e, 0, old);
    cr_assert_eq(prf_engine_pin(e, 0, "another array", UINT32_MAX, UINT32_MAX, 0, &err), PRF_OK, "%s", err.text);
    return e;
}

static void set_up(void)
{
    world_t w;
    world_init(&w, 1);
    w.latency = swinging;
    prf_engine_t *e = engine_of(150, "");
    cr_assert_eq(prf_engine_pin(e, 0, "array 8x8", UINT32_MAX, UINT32_MAX, 0, NULL), PRF_OK);
    cr_assert(world_run(e, &w));
    old_file = world_model(e, &old_len);
    prf_engine_destroy(&e);
    world_release(&w);
}

static void tear_down(void)
{
    free(old_file);
}

TestSuite(engine_old, .init = set_up, .fini = tear_down);

static json_int_t told(const prf_engine_t *e, const char *key, char what[16])
{
    json_t *summary = prf_engine_summary(e), *board = json_array_get(json_object_get(summary, "boards"), 0);
    const char *outcome = json_string_value(json_object_get(json_object_get(json_object_get(board, "old_model"), "layers"), "fc"));
    snprintf(what, 16, "%s", outcome ? outcome : "");
    json_int_t value = json_integer_value(json_object_get(board, key));
    json_decref(summary);
    return value;
}

static void run_with(double (*latency)(const prf_block_t *block), json_int_t *swept, json_int_t *samples, char what[16])
{
    world_t w;
    world_init(&w, 2);
    w.latency = latency;
    prf_engine_t *e = engine_from_old(100);
    cr_assert(world_run(e, &w));
    *swept = told(e, "sweep_samples", what);
    *samples = told(e, "samples", what);
    prf_engine_destroy(&e);
    world_release(&w);
}

Test(engine_old, a_board_that_is_like_the_old_one_is_not_swept)
{
    json_int_t swept, samples;
    char what[16];
    run_with(half_as_fast, &swept, &samples, what);
    cr_assert_str_eq(what, "taken over");
    cr_assert_eq(swept, 0);
    cr_assert_eq(samples, 100, "the whole budget went into the sample: %lld", (long long)samples);
}

Test(engine_old, a_board_that_is_not_is_swept_within_the_same_budget)
{
    json_int_t swept, samples;
    char what[16];
    run_with(world_array, &swept, &samples, what);
    cr_assert_str_eq(what, "no help");
    cr_assert_gt(swept, 0);
    cr_assert_leq(samples, 100);
}

static void *end_of(prf_engine_t *e, size_t *len)
{
    char what[16];
    told(e, "samples", what);
    cr_assert_str_eq(what, "taken over");
    return world_model(e, len);
}

Test(engine_old, killed_and_resumed_it_repeats_nothing_and_ends_in_the_same_bytes)
{
    size_t len, again_len;
    world_t calm, w;
    world_init(&calm, 3);
    world_init(&w, 4);
    calm.latency = w.latency = half_as_fast;
    prf_engine_t *e = engine_from_old(100);
    cr_assert(world_run(e, &calm));
    void *expected = end_of(e, &len);
    prf_engine_destroy(&e);
    e = engine_from_old(100);
    w.stop_after = 10; /* in the trial */
    for (int kills = 0; !world_run(e, &w); kills++) {
        cr_assert_lt(kills, 100);
        prf_engine_destroy(&e);
        e = engine_from_old(100);
        w.stop_after = w.fresh + 40;
    }
    void *again = end_of(e, &again_len);
    cr_assert_eq(w.fresh, calm.fresh, "measured %zu points, undisturbed %zu", w.fresh, calm.fresh);
    cr_assert_eq(again_len, len);
    cr_assert_eq(memcmp(expected, again, len), 0);
    free(expected);
    free(again);
    prf_engine_destroy(&e);
    world_release(&calm);
    world_release(&w);
}
