// SPDX-License-Identifier: Apache-2.0
/* What a campaign with networks measures for fusion rules, what becomes of it, and that it follows from the set of results. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

enum { NETWORK = 5, TEXT = 1024 };

/* relu behind conv1d is free, gelu adds; behind fc relu runs by itself. softmax is not modelled. */
static const char *const network[NETWORK] = {"conv1d c=20 k=30 w=50 f=3 + activation c=30 h=1 w=48 fn=0 dtype=i8",
                                             "conv1d c=30 k=30 w=48 f=5 + activation c=30 h=1 w=44 fn=4 dtype=i8",
                                             "conv1d c=30 k=64 w=44 f=1 + activation c=64 h=1 w=44 fn=0 dtype=i8",
                                             "fc in=100 out=77 + activation c=77 h=1 fn=0 dtype=i8",
                                             "softmax features=77 dtype=i8"};

static double elements(const prf_layer_t *l)
{
    return prf_layer_outputs(l);
}

static double latency(const prf_block_t *b)
{
    const prf_layer_t *lead = &b->layers[0], *then = b->count > 1 ? &b->layers[1] : NULL;
    if (lead->kind == PRF_ACTIVATION)
        return 30 + 0.5 * elements(lead);
    double ns = world_array(b);
    if (then && lead->kind == PRF_FC)
        return ns + 30 + 0.5 * elements(then);
    return then && then->p[PRF_P_FN] == PRF_FN_GELU ? ns + 50 + 0.02 * elements(then) : ns;
}

static const world_t array = {.latency = latency};

/* Valid until the next. */
static const world_campaign_t *campaign(const char *budget, uint32_t kinds, bool with_network)
{
    static char text[TEXT];
    static world_campaign_t c;
    snprintf(text, sizeof text, "campaign: pairs\nseed: 3\n" WORLD_LAYERS "budget: {%s}\nvalidation: {layers: 30, repeats: 2}\n",
             budget);
    c = (world_campaign_t){.text = text, .network = with_network ? network : NULL, .block_count = NETWORK, .kinds = kinds};
    return &c;
}

static void begin(world_t *w, uint64_t seed)
{
    world_init(w, seed);
    w->latency = latency;
}

/* What a whole campaign comes to. New reference; the world's end. */
static json_t *summary_of(const world_campaign_t *c, world_t *w)
{
    prf_engine_t *e = world_engine(c, w);
    cr_assert(world_run(e, w));
    json_t *summary = prf_engine_summary(e);
    prf_engine_destroy(&e);
    world_release(w);
    return summary;
}

static json_t *board_of(json_t *summary)
{
    return json_array_get(json_object_get(summary, "boards"), 0);
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* The rule of that pair; NULL: none. */
static json_t *rule_of(json_t *summary, const char *layer, const char *follower)
{
    size_t i;
    json_t *rule;
    json_array_foreach(json_object_get(board_of(summary), "fusion"), i, rule)
    {
        if (strcmp(json_string_value(json_object_get(rule, "layer")), layer) == 0 &&
            strcmp(json_string_value(json_object_get(rule, "follower")), follower) == 0)
            return rule;
    }
    return NULL;
}

static void is_rule(json_t *summary, const char *layer, const char *follower, const char *verdict, double fixed_ns, double rate)
{
    json_t *rule = rule_of(summary, layer, follower);
    cr_assert(rule, "no rule for %s + %s", layer, follower);
    cr_assert_str_eq(json_string_value(json_object_get(rule, "verdict")), verdict, "%s", json_dumps(rule, 0));
    cr_assert_float_eq(number(rule, "fixed_ns"), fixed_ns, 1e-6, "%s + %s: %g", layer, follower, number(rule, "fixed_ns"));
    cr_assert_float_eq(number(rule, "ns_per_element"), rate, 1e-9, "%s + %s", layer, follower);
}

Test(engine_fusion, rules_are_found_exactly_and_networks_are_estimated_by_them)
{
    world_t w;
    begin(&w, 1);
    json_t *summary = summary_of(campaign("samples: 400", UINT32_MAX, true), &w);
    is_rule(summary, "conv1d", "relu", "fused", 0, 0);
    is_rule(summary, "conv1d", "gelu", "adds", 50, 0.02);
    is_rule(summary, "fc", "relu", "separate", 30, 0.5);
    double added = number(rule_of(summary, "conv1d", "gelu"), "added_percent");
    cr_assert_gt(added, 2, "%g: behind heavy layers noise would hide it", added);
    cr_assert_eq(json_array_size(json_object_get(board_of(summary), "fusion")), 3);
    const json_t *net = json_array_get(json_object_get(summary, "networks"), 0);
    cr_assert_eq(number(net, "modelled_blocks"), 4);
    cr_assert_float_eq(number(net, "error_percent"), 0, 1e-3, "%g", number(net, "error_percent"));
    json_decref(summary);
}

Test(engine_fusion, a_board_that_runs_no_activation_alone_is_not_asked_to)
{
    world_t w;
    begin(&w, 1);
    json_t *summary = summary_of(campaign("samples: 400", ~(1u << PRF_ACTIVATION), true), &w);
    is_rule(summary, "fc", "relu", "adds", 30, 0.5);
    cr_assert_eq(number(board_of(summary), "fusion_samples"), 3 + 6 + 6, "few layers tell that a pair is free");
    json_decref(summary);
}

/* Layers of pairs are paid from the budget, a twentieth of it at most; too small a one has no rules, or only those that most blocks
 * need. */
Test(engine_fusion, the_budget_is_kept)
{
    static const struct {
        unsigned samples;
        size_t rules;
    } cases[] = {{24, 0}, {70, 1}, {128, 2}, {200, 3}, {400, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char budget[32];
        world_t w;
        begin(&w, 4);
        snprintf(budget, sizeof budget, "samples: %u", cases[i].samples);
        json_t *summary = summary_of(campaign(budget, UINT32_MAX, true), &w);
        const json_t *board = board_of(summary);
        double fusion = number(board, "fusion_samples"), samples = number(board, "samples");
        cr_assert_eq(json_array_size(json_object_get(board, "fusion")), cases[i].rules, "%s", budget);
        cr_assert(fusion >= 3.0 * (double)cases[i].rules && fusion <= cases[i].samples / 20, "%s: %g", budget, fusion);
        cr_assert(samples <= cases[i].samples && samples >= 0.9 * cases[i].samples, "%s: %g", budget, samples);
        json_decref(summary);
    }
}

Test(engine_fusion, a_campaign_without_networks_asks_for_no_rules)
{
    world_t w;
    begin(&w, 5);
    json_t *summary = summary_of(campaign("samples: 400", UINT32_MAX, false), &w);
    cr_assert_eq(number(board_of(summary), "fusion_samples"), 0);
    cr_assert_eq(json_array_size(json_object_get(board_of(summary), "fusion")), 0);
    json_decref(summary);
}

Test(engine_fusion, what_two_measurements_of_a_layer_differ_by_hides_what_an_activation_costs)
{
    world_t w;
    begin(&w, 6);
    w.passes = 2;
    w.slow[0] = 1; /* the second measurement of a validation layer takes a fifth longer, so that is the noise */
    w.slow[1] = 1.2;
    json_t *summary = summary_of(campaign("samples: 400", UINT32_MAX, true), &w);
    is_rule(summary, "conv1d", "gelu", "fused", 0, 0);
    json_decref(summary);
}

Test(engine_fusion, neither_the_order_of_results_nor_kills_change_a_byte)
{
    world_expect_same(campaign("samples: 200", UINT32_MAX, true), &array);
}

/* Every answer keeps a board busy for 40 ms: the time is up in the sweep, in the first helping, where functions are measured alone,
 * and later. */
Test(engine_fusion, time_that_is_up_in_the_middle_of_it_is_no_trouble_for_a_resumed_campaign)
{
    static const char *const budgets[] = {"samples: 200, seconds: 1", "samples: 200, seconds: 4", "samples: 200, seconds: 7",
                                          "samples: 200, seconds: 8"};
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        size_t len, fresh;
        free(world_undisturbed(campaign(budgets[i], UINT32_MAX, true), &array, 10, &len, &fresh));
    }
}
