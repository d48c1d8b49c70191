// SPDX-License-Identifier: Apache-2.0
/* Fusion rules: found out of layers measured alone and with what follows them, used in estimates, kept in the model file. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "made_model.h"
#include "model/fusion.h"
#include "wire/model_file.h"

enum { LAYERS = 4, TRAINED = 60 };

/* What a follower takes of a board: 50 ns and 0.02 ns an element. */
static double truth(double elements)
{
    return 50 + 0.02 * elements;
}

/* Layers of rising size whose follower costs `share` of the truth. */
static void measure(prf_fused_t items[LAYERS], double share)
{
    static const double elements[LAYERS] = {1000, 9000, 60000, 800000};
    for (size_t i = 0; i < LAYERS; i++) {
        double lead_ns = 300 + 0.7 * elements[i];
        items[i] = (prf_fused_t){elements[i], lead_ns, lead_ns + share * truth(elements[i]), NAN};
    }
}

static prf_fusion_t learn(const prf_fused_t *items, double noise_percent)
{
    prf_fusion_t rule = {.lead = PRF_CONV2D, .dtype = PRF_I8, .fn = PRF_FN_GELU};
    cr_assert(prf_fusion_learn(&rule, items, LAYERS, noise_percent));
    cr_assert(rule.lead == PRF_CONV2D && rule.dtype == PRF_I8 && rule.fn == PRF_FN_GELU, "it stays the same pair's rule");
    cr_assert_eq(rule.layers, LAYERS);
    return rule;
}

Test(fusion, what_an_exact_board_adds_is_found_exactly)
{
    prf_fused_t items[LAYERS];
    measure(items, 1);
    prf_fusion_t rule = learn(items, prf_fusion_noise_percent(0));
    cr_assert_eq(rule.verdict, PRF_FUSION_ADDS);
    cr_assert_float_eq(rule.fixed_ns, 50, 1e-6);
    cr_assert_float_eq(rule.ns_per_element, 0.02, 1e-12);
    cr_assert(rule.added_percent > 2 && rule.added_percent < 7, "%g", rule.added_percent);
    /* The smallest thing that can be told from nothing. */
    measure(items, 1e-4);
    cr_assert_eq(learn(items, prf_fusion_noise_percent(0)).verdict, PRF_FUSION_ADDS);
    measure(items, 0);
    rule = learn(items, prf_fusion_noise_percent(0));
    cr_assert(rule.verdict == PRF_FUSION_FREE && rule.fixed_ns == 0 && rule.ns_per_element == 0);
}

Test(fusion, one_disturbed_layer_does_not_bend_the_rule)
{
    for (size_t at = 0; at < LAYERS; at++) {
        prf_fused_t items[LAYERS];
        measure(items, 1);
        items[at].both_ns *= 1.4;
        prf_fusion_t rule = learn(items, prf_fusion_noise_percent(0));
        cr_assert_float_eq(rule.ns_per_element, 0.02, 1e-3, "%zu: %g", at, rule.ns_per_element);
        cr_assert_float_eq(rule.fixed_ns, 50, 100, "%zu: %g", at, rule.fixed_ns);
        measure(items, 0);
        items[at].both_ns *= 1.4;
        cr_assert_eq(learn(items, 1).verdict, PRF_FUSION_FREE, "%zu", at);
    }
}

Test(fusion, what_is_within_the_noise_is_free_and_so_is_what_seems_to_take_less_than_nothing)
{
    prf_fused_t items[LAYERS];
    measure(items, 1);
    cr_assert_eq(learn(items, 20).verdict, PRF_FUSION_FREE);
    measure(items, 0.8);
    cr_assert_eq(learn(items, prf_fusion_noise_percent(NAN)).verdict, PRF_FUSION_FREE, "nobody knows the noise: 3 %% are assumed");
    measure(items, -1);
    prf_fusion_t rule = learn(items, prf_fusion_noise_percent(0));
    cr_assert(rule.verdict == PRF_FUSION_FREE && rule.fixed_ns == 0 && rule.ns_per_element == 0);
    cr_assert_not(prf_fusion_adds(items, LAYERS, 0));
}

Test(fusion, no_coefficient_is_below_zero)
{
    prf_fused_t items[LAYERS];
    measure(items, 1);
    for (size_t i = 0; i < LAYERS; i++)
        items[i].both_ns = items[i].lead_ns + 1000 - 100.0 * (double)i; /* larger layers add less */
    prf_fusion_t rule = learn(items, 1e-6);
    cr_assert_eq(rule.ns_per_element, 0);
    cr_assert_float_eq(rule.fixed_ns, 850, 1e-9);
    for (size_t i = 0; i < LAYERS; i++)
        items[i].both_ns = items[i].lead_ns + 0.5 * (items[i].elements - 500); /* and below 500 elements less than nothing */
    rule = learn(items, 1e-6);
    cr_assert_eq(rule.fixed_ns, 0);
    cr_assert_float_eq(rule.ns_per_element, 0.48, 0.03, "%g", rule.ns_per_element);
    for (size_t i = 0; i < LAYERS; i++)
        items[i] = (prf_fused_t){1000, 5000, 5100, NAN}; /* all of one size */
    rule = learn(items, 1e-6);
    cr_assert(rule.fixed_ns == 0 && fabs(rule.ns_per_element - 0.1) < 1e-12);
}

Test(fusion, a_follower_that_takes_as_long_as_alone_runs_by_itself)
{
    prf_fused_t items[LAYERS];
    measure(items, 1);
    for (size_t i = 0; i < LAYERS; i++)
        items[i].alone_ns = items[i].both_ns - items[i].lead_ns;
    prf_fusion_t rule = learn(items, prf_fusion_noise_percent(0));
    cr_assert_eq(rule.verdict, PRF_FUSION_SEPARATE);
    cr_assert_float_eq(rule.ns_per_element, 0.02, 1e-12, "the line stands in where activations are not modelled");
    for (size_t i = 0; i < LAYERS; i++)
        items[i].alone_ns *= 2;
    cr_assert_eq(learn(items, prf_fusion_noise_percent(0)).verdict, PRF_FUSION_ADDS);
    for (size_t i = 2; i < LAYERS; i++)
        items[i].alone_ns = NAN; /* too few of them */
    cr_assert_eq(learn(items, prf_fusion_noise_percent(0)).verdict, PRF_FUSION_ADDS);
}

Test(fusion, too_few_layers_make_no_rule)
{
    prf_fused_t items[LAYERS];
    prf_fusion_t rule = {.lead = PRF_FC};
    measure(items, 1);
    cr_assert_not(prf_fusion_learn(&rule, items, PRF_FUSION_LEAST - 1, 1));
    cr_assert_not(prf_fusion_learn(&rule, items, PRF_FUSION_MOST + 1, 1));
    cr_assert_eq(rule.layers, 0);
}

Test(fusion, words_say_what_the_rule_does)
{
    static const struct {
        prf_fusion_t rule;
        bool modelled;
        const char *words;
    } cases[] = {{{.verdict = PRF_FUSION_FREE}, false, "fused: free"},
                 {{.verdict = PRF_FUSION_ADDS, .fixed_ns = 50, .ns_per_element = 0.02}, true, "adds 50 ns and 0.02 ns an element"},
                 {{.verdict = PRF_FUSION_ADDS, .fixed_ns = 50}, false, "adds 50 ns"},
                 {{.verdict = PRF_FUSION_SEPARATE, .ns_per_element = 0.25}, false, "runs by itself: 0.25 ns an element"},
                 {{.verdict = PRF_FUSION_SEPARATE}, true, "runs by itself: as long as an activation alone"}};
    prf_model_t *model = made_model("toy", 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[PRF_FUSION_WORDS];
        model->parts[0].space.kind = cases[i].modelled ? PRF_ACTIVATION : PRF_FC;
        prf_fusion_words(model, &cases[i].rule, text);
        cr_assert_str_eq(text, cases[i].words);
    }
    prf_model_destroy(&model);
}

/* ---- in a model ---- */

static double latency_ns(const prf_layer_t *l)
{
    return 200 + 0.3 * prf_layer_ops(l) + prf_layer_outputs(l);
}

/* fc and activations, and a rule of each verdict. */
static prf_model_t *model_with_rules(void)
{
    static const prf_dim_t size = {.kind = PRF_DIM_RANGE, .lo = 1, .hi = 400};
    static const prf_fusion_t rules[] = {
        {PRF_FC, PRF_I8, PRF_FN_RELU, PRF_FUSION_FREE, 0, 0, 4, 0.1},
        {PRF_FC, PRF_I8, PRF_FN_GELU, PRF_FUSION_ADDS, 50, 0.02, 4, 3.25},
        {PRF_FC, PRF_I8, PRF_FN_TANH, PRF_FUSION_SEPARATE, 7, 0, 5, 30},
        {PRF_CONV2D, PRF_I8, PRF_FN_RELU6, PRF_FUSION_ADDS, 1e3, 0, 4, 5},
    };
    prf_model_t *model = made_model("toy", 2);
    for (size_t i = 0; i < 2; i++) {
        prf_model_part_t *part = &model->parts[i];
        part->space = (prf_space_t){.kind = i ? PRF_ACTIVATION : PRF_FC, .dtype = PRF_I8};
        part->space.dims[i ? PRF_P_C : PRF_P_OUT] = size;
        if (i == 0)
            part->space.dims[PRF_P_IN] = size;
        else
            part->space.dims[PRF_P_H] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 1, .values = {1}};
        if (i == 1)
            part->space.dims[PRF_P_FN] = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = 2, .values = {PRF_FN_RELU, PRF_FN_TANH}};
        made_part(part, &made_sorts[0], latency_ns, TRAINED);
    }
    model->fusions = malloc(sizeof rules);
    cr_assert_not_null(model->fusions);
    memcpy(model->fusions, rules, sizeof rules);
    model->fusion_count = sizeof rules / sizeof *rules;
    return model;
}

static prf_estimate_t estimate(const prf_model_t *model, const char *text)
{
    prf_block_t block;
    prf_estimate_t e;
    prf_error_t err = {0};
    cr_assert_eq(prf_block_parse(&block, text, &err), PRF_OK, "%s: %s", text, err.text);
    cr_assert_eq(prf_model_estimate(model, &block, NULL, &e, &err), PRF_OK, "%s: %s", text, err.text);
    return e;
}

Test(fusion, an_estimate_adds_what_the_rule_of_each_follower_says)
{
    prf_model_t *model = model_with_rules();
    prf_estimate_t alone = estimate(model, "fc in=64 out=300 dtype=i8"),
                   relu = estimate(model, "fc in=64 out=300 + activation c=300 h=1 dtype=i8"),
                   gelu = estimate(model, "fc in=64 out=300 + activation c=300 h=1 fn=4 dtype=i8"),
                   tanh = estimate(model, "fc in=64 out=300 + activation c=300 h=1 fn=3 dtype=i8"),
                   act = estimate(model, "activation c=300 h=1 fn=3 dtype=i8"),
                   both = estimate(model, "fc in=64 out=300 + activation c=300 h=1 fn=4 + activation c=300 h=1 fn=3 dtype=i8"),
                   unknown = estimate(model, "fc in=64 out=300 + activation c=300 h=1 fn=5 dtype=i8");
    cr_assert_eq(relu.latency_ns, alone.latency_ns);
    cr_assert_eq(gelu.latency_ns, alone.latency_ns + 50 + 0.02 * 300);
    cr_assert_eq(gelu.low_ns, alone.low_ns + 50 + 0.02 * 300);
    cr_assert_eq(gelu.high_ns, alone.high_ns + 50 + 0.02 * 300);
    cr_assert_eq(tanh.latency_ns, alone.latency_ns + act.latency_ns,
                 "what runs by itself is estimated by the model of activations");
    cr_assert_eq(both.latency_ns, alone.latency_ns + 56 + act.latency_ns);
    cr_assert_eq(unknown.latency_ns, alone.latency_ns, "free without a rule");
    model->parts[1].space.dtype = PRF_F32; /* no such model */
    cr_assert_eq(estimate(model, "fc in=64 out=300 + activation c=300 h=1 fn=3 dtype=i8").latency_ns, alone.latency_ns + 7);
    prf_model_destroy(&model);
}

Test(fusion, a_model_tells_which_blocks_its_rules_cover)
{
    static const struct {
        const char *text;
        bool covered;
    } cases[] = {{"fc in=4 out=4 dtype=i8", true},
                 {"activation c=4 h=1 fn=5 dtype=i8", true},
                 {"fc in=4 out=4 + activation c=4 h=1 fn=4 dtype=i8", true},
                 {"fc in=4 out=4 + activation c=4 h=1 fn=5 dtype=i8", false},
                 {"fc in=4 out=4 + activation c=4 h=1 fn=4 dtype=f32", false},
                 {"conv2d c=4 k=4 h=4 r=1 + activation c=4 h=4 fn=4 dtype=i8", false}};
    prf_model_t *model = model_with_rules();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        prf_block_t block;
        cr_assert_eq(prf_block_parse(&block, cases[i].text, NULL), PRF_OK);
        cr_assert_eq(prf_model_rules_cover(model, &block), cases[i].covered, "%s", cases[i].text);
    }
    prf_model_destroy(&model);
}

static uint8_t *encode(const prf_model_t *model, size_t *len)
{
    void *bytes;
    prf_error_t err = {0};
    cr_assert_eq(prf_model_encode(model, &bytes, len, &err), PRF_OK, "%s", err.text);
    return bytes;
}

Test(fusion, rules_survive_the_file_and_models_without_are_what_they_were)
{
    prf_model_t *model = model_with_rules(), *again = NULL;
    size_t len, len2, count;
    uint8_t *bytes = encode(model, &len);
    cr_assert_eq(bytes[8], 3);
    cr_assert_eq(prf_model_decode(&again, bytes, len, NULL), PRF_OK);
    const prf_fusion_t *rules = prf_model_fusions(again, &count);
    cr_assert_eq(count, model->fusion_count);
    cr_assert_eq(memcmp(rules, model->fusions, count * sizeof *rules), 0);
    uint8_t *bytes2 = encode(again, &len2);
    cr_assert(len == len2 && memcmp(bytes, bytes2, len) == 0);
    model->fusion_count = 0;
    free(bytes2);
    bytes2 = encode(model, &len2);
    cr_assert_eq(bytes2[8], 2, "an older prfarm can read it");
    free(bytes);
    free(bytes2);
    prf_model_destroy(&model);
    prf_model_destroy(&again);
}

static void refused(void (*spoil)(prf_fusion_t *rules), const char *what)
{
    prf_model_t *model = model_with_rules(), *again = NULL;
    prf_error_t err = {0};
    size_t len;
    spoil(model->fusions);
    uint8_t *bytes = encode(model, &len);
    cr_assert_eq(prf_model_decode(&again, bytes, len, &err), PRF_ECORRUPT, "%s", what);
    cr_assert(strstr(err.text, "fusion rule"), "%s", err.text);
    free(bytes);
    prf_model_destroy(&model);
}

static void unknown_lead(prf_fusion_t *r)
{
    r->lead = PRF_LAYER_KINDS;
}
static void unknown_function(prf_fusion_t *r)
{
    r->fn = PRF_FN_COUNT;
}
static void unknown_verdict(prf_fusion_t *r)
{
    r->verdict = PRF_FUSION_VERDICTS;
}
static void below_zero(prf_fusion_t *r)
{
    r->fixed_ns = -1;
}
static void no_number(prf_fusion_t *r)
{
    r->ns_per_element = NAN;
}
static void endless(prf_fusion_t *r)
{
    r->added_percent = INFINITY;
}
static void twice(prf_fusion_t *r)
{
    r[1] = r[0];
}

Test(fusion, a_file_with_impossible_rules_is_refused)
{
    refused(unknown_lead, "a layer kind of the future");
    refused(unknown_function, "a function of the future");
    refused(unknown_verdict, "a verdict of the future");
    refused(below_zero, "less than nothing");
    refused(no_number, "no number");
    refused(endless, "no end");
    refused(twice, "a pair twice");
}
