// SPDX-License-Identifier: Apache-2.0
/* The promise of the engine: its outcome follows from the set of results, however they arrive and however often it is begun anew.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static const char file[] = "campaign: staircase\n"
                           "seed: 7\n" WORLD_LAYERS "budget: {samples: 128}\n"
                           "validation: {layers: 30, repeats: 2}\n"
                           "baseline: true\n";

/* As a coordinator that starts on this store would build it. */
static prf_engine_t *engine_in(const char *text, const world_t *w, const prf_refresh_t *refresh)
{
    return world_engine(&(world_campaign_t){.text = text, .kinds = UINT32_MAX, .refresh = refresh}, w);
}

static prf_engine_t *engine_of(const char *text)
{
    static const world_t nothing_decided;
    return engine_in(text, &nothing_decided, NULL);
}

static prf_engine_t *engine(void)
{
    return engine_of(file);
}

static void *undisturbed(uint64_t seed, size_t *len, size_t *fresh)
{
    world_t w;
    world_init(&w, seed);
    prf_engine_t *e = engine();
    cr_assert(world_run(e, &w));
    void *model = world_model(e, len);
    *fresh = w.fresh;
    prf_engine_destroy(&e);
    world_release(&w);
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
    world_t w;
    world_init(&w, 3);
    w.stop_after = 40;
    prf_engine_t *e = engine();
    for (int kills = 0; !world_run(e, &w); kills++) {
        cr_assert_lt(kills, 100);
        prf_engine_destroy(&e);
        e = engine();
        w.stop_after = w.fresh + 70;
    }
    cr_assert_eq(w.fresh, fresh, "measured %zu points, undisturbed %zu", w.fresh, fresh);
    void *again = world_model(e, &again_len);
    cr_assert_eq(again_len, len);
    cr_assert_eq(memcmp(expected, again, len), 0);
    free(expected);
    free(again);
    prf_engine_destroy(&e);
    world_release(&w);
}

/* Answers everything that the store has; the engine asks for something new then. */
static size_t answered_from(prf_engine_t *e, const world_t *w)
{
    prf_want_t want;
    size_t count = 0;
    uint64_t bits;
    while (prf_engine_next(e, &want) && prf_map_get(&w->known, &want.point, want.attempt, &bits)) {
        prf_sample_t sample = {.repeats = 1, .busy_ns = 40000000};
        memcpy(&sample.latency_ns, &bits, sizeof bits);
        cr_assert_eq(prf_engine_answer(e, &want.point, want.attempt, &sample, false, NULL, NULL), PRF_OK);
        count++;
    }
    return count;
}

Test(engine, resumed_it_is_where_it_was_before_it_asks_for_anything_new)
{
    static const size_t kills[] = {10, 25, 60, 110};
    for (size_t i = 0; i < sizeof kills / sizeof *kills; i++) {
        world_t w;
        world_init(&w, 4);
        w.stop_after = kills[i];
        prf_engine_t *e = engine();
        cr_assert_not(world_run(e, &w));
        prf_engine_destroy(&e);
        prf_campaign_t campaign;
        cr_assert_eq(prf_campaign_parse(&campaign, file, strlen(file), "file.yaml", NULL), PRF_OK);
        cr_assert_eq(prf_engine_new(&e, &campaign, NULL, 0, NULL), PRF_OK);
        prf_engine_recall(e, world_knows, &w);
        cr_assert_eq(prf_engine_pin(e, 0, "array 8x8", UINT32_MAX, UINT32_MAX, 0, NULL), PRF_OK);
        cr_expect_eq(answered_from(e, &w), w.known.count, "killed after %zu", kills[i]);
        prf_engine_destroy(&e);
        world_release(&w);
    }
}

Test(engine, poisoned_points_are_counted_and_the_campaign_goes_on_without_them)
{
    world_t w;
    world_init(&w, 4);
    w.poison = true;
    prf_engine_t *e = engine();
    cr_assert(world_run(e, &w));
    json_t *summary = prf_engine_summary(e);
    json_t *board = json_array_get(json_object_get(summary, "boards"), 0);
    json_int_t poisoned = json_integer_value(json_object_get(board, "poisoned"));
    cr_assert_gt(poisoned, 0);
    cr_assert_eq(json_integer_value(json_object_get(board, "planned")), json_integer_value(json_object_get(board, "measured")) +
                                                                            json_integer_value(json_object_get(board, "reused")) +
                                                                            poisoned);
    const char *note = json_string_value(json_object_get(board, "note"));
    cr_assert(strstr(note, "points were given up ('prfarm poisoned staircase' tells why), the last one: it broke"), "%s", note);
    json_decref(summary);
    prf_engine_destroy(&e);
    world_release(&w);
}

/* The campaign with another budget. */
static prf_engine_t *engine_with(unsigned samples)
{
    char text[sizeof file + 16];
    const char *budget = strstr(file, "budget:");
    snprintf(text, sizeof text, "%.*sbudget: {samples: %u}\n%s", (int)(budget - file), file, samples, strchr(budget, '\n') + 1);
    return engine_of(text);
}

Test(engine, layers_that_a_board_cannot_run_are_told)
{
    static const char both[] =
        "campaign: both\nboards: [{kind: array}]\nlayers:\n  - {kind: fc, params: {in: 1..64, out: 1..64}}\n"
        "  - {kind: softmax, params: {features: 1..64}}\nbudget: {samples: 32}\nvalidation: {layers: 4, repeats: 1}\n";
    static const world_t nothing_decided;
    prf_engine_t *e = world_engine(&(world_campaign_t){.text = both, .kinds = 1U << PRF_FC}, &nothing_decided);
    json_t *summary = prf_engine_summary(e);
    const char *note = json_string_value(json_object_get(json_array_get(json_object_get(summary, "boards"), 0), "note"));
    cr_expect_str_eq(note, "this board cannot run, so its model does not know: softmax f32");
    json_decref(summary);
    prf_engine_destroy(&e);
}

/* The second of these allows for half of the combinations only. */
Test(engine, a_small_space_is_not_used_up_by_what_the_model_is_judged_by)
{
    static const struct {
        const char *limit;
        json_int_t layers;
    } cases[] = {{"", 16}, {", max_macs: 512", 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        snprintf(text, sizeof text,
                 "campaign: small\nboards: [{kind: array}]\nbudget: {samples: 40}\nvalidation: {layers: 30, repeats: 2}\n"
                 "layers: [{kind: fc, params: {in: [8, 16, 32, 64], out: [8, 16, 32, 64]}%s}]\nbaseline: false\n",
                 cases[i].limit);
        world_t w;
        world_init(&w, 5);
        prf_engine_t *e = engine_of(text);
        cr_assert(world_run(e, &w));
        json_t *summary = prf_engine_summary(e);
        json_t *board = json_array_get(json_object_get(summary, "boards"), 0);
        cr_expect_eq(json_integer_value(json_object_get(board, "validation_samples")), cases[i].layers / 2);
        cr_expect_eq(json_integer_value(json_object_get(board, "samples")), cases[i].layers / 2);
        json_decref(summary);
        prf_engine_destroy(&e);
        world_release(&w);
    }
}

Test(engine, a_width_that_nobody_looked_for_is_unknown_not_none)
{
    world_t w;
    world_init(&w, 5);
    prf_engine_t *e = engine_with(40); /* too few layers for a sweep */
    cr_assert(world_run(e, &w));
    json_t *summary = prf_engine_summary(e);
    json_t *fc = json_object_get(json_object_get(json_array_get(json_object_get(summary, "boards"), 0), "steps"), "fc");
    cr_assert(json_is_null(json_object_get(fc, "in")));
    cr_assert(json_is_null(json_object_get(fc, "out")));
    json_decref(summary);
    prf_engine_destroy(&e);
    world_release(&w);
}

Test(engine, steps_found_and_error_reach_the_summary)
{
    world_t w;
    world_init(&w, 5);
    prf_engine_t *e = engine_with(400);
    cr_assert(world_run(e, &w));
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
    json_t *sampling = json_object_get(json_object_get(board, "sampling"), "fc");
    cr_assert_not_null(json_string_value(json_object_get(sampling, "choice")));
    cr_assert_gt(json_integer_value(json_object_get(sampling, "compared")), 0);
    cr_assert(json_is_real(json_object_get(sampling, "random_error_percent")));
    cr_assert_eq(json_integer_value(json_object_get(board, "active_samples")), 0,
                 "picked where a sum of terms stands for the board");
    json_decref(summary);
    prf_engine_destroy(&e);
    world_release(&w);
}

/* Waves that no sum of terms has. */
static double wavy(const prf_block_t *block)
{
    const int32_t *p = block->layers[0].p;
    double crest = block->layers[0].kind == PRF_FC ? sin(p[PRF_P_IN] / 9.0) * cos(p[PRF_P_OUT] / 13.0)
                                                   : sin(p[PRF_P_C] / 7.0) * cos(p[PRF_P_K] / 9.0);
    return 5000 * exp(crest);
}

Test(engine, where_no_sum_stands_for_a_board_some_layers_are_picked_where_the_model_is_unsure)
{
    world_t w;
    world_init(&w, 5);
    w.latency = wavy;
    prf_engine_t *e = engine_with(400);
    cr_assert(world_run(e, &w));
    json_t *summary = prf_engine_summary(e);
    json_t *board = json_array_get(json_object_get(summary, "boards"), 0);
    cr_assert_gt(json_integer_value(json_object_get(board, "active_samples")), 0);
    json_decref(summary);
    prf_engine_destroy(&e);
    world_release(&w);
}

/* Of `samples` layers nothing but what sweep and sample are made of. */
Test(engine, the_budget_is_kept_whatever_the_helpings_are_made_of)
{
    static const unsigned budgets[] = {8, 24, 60, 128};
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        world_t w;
        world_init(&w, 15);
        prf_engine_t *e = engine_with(budgets[i]);
        cr_assert(world_run(e, &w), "%u", budgets[i]);
        json_t *summary = prf_engine_summary(e);
        json_t *board = json_array_get(json_object_get(summary, "boards"), 0);
        json_int_t samples = json_integer_value(json_object_get(board, "samples")),
                   swept = json_integer_value(json_object_get(board, "sweep_samples"));
        cr_assert_leq(samples, budgets[i]);
        cr_assert_geq(samples, budgets[i] * 9 / 10, "%lld of %u", (long long)samples, budgets[i]);
        cr_assert_leq(swept, budgets[i] / 3 + 2, "sweeps took %lld of %u", (long long)swept, budgets[i]);
        json_decref(summary);
        prf_engine_destroy(&e);
        world_release(&w);
    }
}

/* The model that comes of slow states must be that of the calm board; each measurement costs as many passes as are told. */
static void cr_expect_passes(const char *passes, world_t w, size_t each)
{
    char text[sizeof file + 64];
    size_t calm_len, calm_fresh, len;
    void *calm = undisturbed(1, &calm_len, &calm_fresh);
    snprintf(text, sizeof text, "%smeasure: {passes: %s}\n", file, passes);
    prf_map_init(&w.known);
    prf_rng_init(&w.rng, 6, 0);
    prf_engine_t *e = engine_of(text);
    cr_assert(world_run(e, &w));
    cr_assert_eq(w.fresh, each * calm_fresh, "%zu of %zu", w.fresh, calm_fresh);
    void *model = world_model(e, &len);
    cr_assert_eq(len, calm_len);
    cr_assert_eq(memcmp(model, calm, len), 0, "a slow state reached the model");
    free(model);
    free(calm);
    prf_engine_destroy(&e);
    world_release(&w);
}

Test(engine, of_two_passes_the_faster_stands)
{
    cr_expect_passes("2", (world_t){.slow = {1, 1.3}, .passes = 2}, 2);
}

Test(engine, passes_that_agree_are_enough)
{
    cr_expect_passes("2..5", (world_t){.slow = {1, 1.015, 1.3, 1.3, 1.3}, .passes = 5}, 2);
}

Test(engine, a_measurement_is_taken_again_until_two_passes_agree)
{
    cr_expect_passes("2..5", (world_t){.slow = {1.3, 1.2, 1, 1.01, 1.3}, .passes = 5}, 4);
}

Test(engine, a_measurement_on_which_no_passes_agree_ends_after_the_most)
{
    cr_expect_passes("2..5", (world_t){.slow = {1.5, 1.4, 1.3, 1.2, 1}, .passes = 5}, 5);
}

/* Both passes were disturbed, and agree on what is wrong. */
Test(engine, passes_that_were_disturbed_confirm_nothing)
{
    cr_expect_passes("2..5", (world_t){.slow = {1.3, 1.3, 1, 1, 1}, .passes = 5, .disturbed = 1.3}, 4);
}

Test(engine, a_worker_that_never_takes_the_model_does_not_hold_the_campaign_for_ever)
{
    world_t w;
    world_init(&w, 7);
    prf_engine_t *e = engine();
    cr_assert(world_run(e, &w));
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
    world_release(&w);
}

static json_int_t told(prf_engine_t *e, const char *key)
{
    json_t *summary = prf_engine_summary(e);
    json_int_t value = json_integer_value(json_object_get(json_array_get(json_object_get(summary, "boards"), 0), key));
    json_decref(summary);
    return value;
}

/* Every answer keeps a board busy for 40 ms: 1 s is over while it sweeps, 3 s are in the first helping, 5 s in a later one. */
static void time_budget(unsigned seconds)
{
    char text[sizeof file + 64];
    snprintf(text, sizeof text, "%.*sbudget: {samples: 128, seconds: %u}\n%s", (int)(strstr(file, "budget:") - file), file, seconds,
             strstr(file, "validation:"));
    size_t len, again_len;
    world_t w;
    world_init(&w, 8);
    prf_engine_t *e = engine_in(text, &w, NULL);
    cr_assert(world_run(e, &w));
    void *expected = world_model(e, &len);
    json_int_t planned = told(e, "planned");
    size_t fresh = w.fresh;
    cr_assert_eq((size_t)planned, fresh);
    prf_engine_destroy(&e);

    /* The same up to the decision; then killed, with 15 measurements on their way. */
    world_t killed;
    world_init(&killed, 8);
    killed.stop_at_decision = true;
    e = engine_in(text, &killed, NULL);
    cr_assert_not(world_run(e, &killed));
    prf_engine_destroy(&e);
    cr_assert_lt(killed.fresh, fresh, "nothing was on its way");
    /* Another campaign has measured more meanwhile: that must not count. */
    world_t rich;
    world_init(&rich, 9);
    e = engine_in(file, &rich, NULL);
    cr_assert(world_run(e, &rich));
    prf_engine_destroy(&e);
    cr_assert_lt(fresh, rich.fresh, "the time was never up");
    rich.decisions[1] = killed.decisions[1];
    killed.decisions[1] = NULL;
    e = engine_in(text, &rich, NULL);
    cr_assert(world_run(e, &rich));
    void *again = world_model(e, &again_len);
    cr_assert_eq(told(e, "planned"), planned);
    cr_assert_eq(again_len, len);
    cr_assert_eq(memcmp(again, expected, len), 0, "a resumed campaign counted other points");
    free(expected);
    free(again);
    prf_engine_destroy(&e);
    world_release(&w);
    world_release(&killed);
    world_release(&rich);
}

Test(engine, what_counted_when_the_time_was_up_is_what_counts_after_a_kill)
{
    time_budget(1);
    time_budget(3);
    time_budget(5);
}

Test(engine, a_decision_about_another_file_or_a_damaged_one_has_no_effect)
{
    static const char *const bad[] = {"",
                                      "\n",
                                      "00000000000000000000000000000000 0\n",
                                      "{",
                                      "{\"generation\": 7, \"checked\": 2}",
                                      "{\"generation\": -1}",
                                      "{\"generation\": 1, \"checked\": 99999999}"};
    size_t len, fresh, again_len;
    void *expected = undisturbed(1, &len, &fresh);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        world_t w;
        world_init(&w, 10);
        for (size_t k = 0; k < PRF_ENGINE_DECISIONS; k++)
            w.decisions[k] = strdup(bad[i]);
        prf_engine_t *e = engine_in(file, &w, NULL);
        cr_assert(world_run(e, &w), "'%s'", bad[i]);
        void *again = world_model(e, &again_len);
        cr_assert(again_len == len && memcmp(again, expected, len) == 0, "'%s'", bad[i]);
        free(again);
        prf_engine_destroy(&e);
        world_release(&w);
    }
    free(expected);
}

static void assert_verdict(prf_engine_t *e, const char *verdict, double ratio)
{
    json_t *summary = prf_engine_summary(e);
    json_t *refresh = json_object_get(json_array_get(json_object_get(summary, "boards"), 0), "refresh");
    cr_assert_str_eq(json_string_value(json_object_get(refresh, "verdict")), verdict);
    cr_assert_float_eq(json_number_value(json_object_get(refresh, "median_ratio")), ratio, 1e-9);
    json_decref(summary);
}

Test(engine, a_refresh_of_boards_that_did_not_change_measures_a_few_points_and_keeps_the_model)
{
    const prf_refresh_t first = {.number = 1, .points = 20}, second = {.number = 2, .points = 25};
    size_t len, again_len;
    world_t w;
    world_init(&w, 11);
    prf_engine_t *e = engine_in(file, &w, NULL);
    cr_assert(world_run(e, &w));
    void *expected = world_model(e, &len);
    size_t fresh = w.fresh;
    prf_engine_destroy(&e);
    for (size_t i = 0; i < 2; i++) {
        e = engine_in(file, &w, i ? &second : &first);
        cr_assert(world_run(e, &w));
        assert_verdict(e, "holds", 1);
        cr_assert_eq(w.fresh, fresh + (i ? 45 : 20), "each refresh has measurements of its own");
        void *again = world_model(e, &again_len);
        cr_assert(again_len == len && memcmp(again, expected, len) == 0);
        free(again);
        prf_engine_destroy(&e);
    }
    free(expected);
    world_release(&w);
}

Test(engine, a_refresh_of_boards_that_drifted_measures_everything_anew_and_killed_it_ends_in_the_same_bytes)
{
    const prf_refresh_t refresh = {.number = 1, .points = 20};
    size_t len, again_len, fresh, before;
    /* What a first campaign on the slower boards would come to. */
    world_t slow;
    world_init(&slow, 12);
    slow.pace = 1.25;
    prf_engine_t *e = engine_in(file, &slow, NULL);
    cr_assert(world_run(e, &slow));
    void *expected = world_model(e, &len);
    fresh = slow.fresh;
    prf_engine_destroy(&e);

    world_t w;
    world_init(&w, 13);
    e = engine_in(file, &w, NULL);
    cr_assert(world_run(e, &w));
    prf_engine_destroy(&e);
    before = w.fresh;
    w.pace = 1.25;
    w.stop_at_decision = true;
    e = engine_in(file, &w, &refresh);
    cr_assert_not(world_run(e, &w)); /* killed as soon as it was decided */
    w.stop_at_decision = false;
    w.stop_after = w.fresh + 50;
    prf_engine_destroy(&e);
    e = engine_in(file, &w, &refresh);
    for (int kills = 0; !world_run(e, &w); kills++) {
        cr_assert_lt(kills, 100);
        prf_engine_destroy(&e);
        e = engine_in(file, &w, &refresh);
        w.stop_after = w.fresh + 50;
    }
    assert_verdict(e, "drifted", 1.25);
    /* What the check measured is part of the new plan, unless it came in a helping that the slower boards' models did not choose.
     */
    cr_assert(w.fresh >= before + fresh && w.fresh <= before + fresh + refresh.points);
    void *again = world_model(e, &again_len);
    cr_assert(again_len == len && memcmp(again, expected, len) == 0, "something of the old generation is in the new model");
    free(again);
    prf_engine_destroy(&e);

    /* In one go it is the same: the kind begins anew within its engine. */
    world_t calm;
    world_init(&calm, 14);
    e = engine_in(file, &calm, NULL);
    cr_assert(world_run(e, &calm));
    prf_engine_destroy(&e);
    calm.pace = 1.25;
    e = engine_in(file, &calm, &refresh);
    cr_assert(world_run(e, &calm));
    again = world_model(e, &again_len);
    cr_assert(again_len == len && memcmp(again, expected, len) == 0);
    cr_assert_eq(calm.fresh, w.fresh);
    free(again);
    free(expected);
    prf_engine_destroy(&e);
    world_release(&slow);
    world_release(&w);
    world_release(&calm);
}
