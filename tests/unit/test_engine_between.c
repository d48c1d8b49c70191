// SPDX-License-Identifier: Apache-2.0
/* What a campaign with networks measures to tell what a block takes besides its own time, what becomes of it, and that it follows
 * from the set of results. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

enum { NETWORK = 3, TEXT = 1024, CHAINS = 4, LENGTH = 10 };

static const char *const network[NETWORK] = {"conv1d c=20 k=30 w=50 f=3 dtype=i8", "conv1d c=30 k=64 w=48 f=5 dtype=i8",
                                             "fc in=100 out=77 dtype=i8"};

static const world_t array = {.between_ns = 150};

/* Valid until the next. */
static const world_campaign_t *campaign(const char *budget, bool with_network)
{
    static char text[TEXT];
    static world_campaign_t c;
    snprintf(text, sizeof text, "campaign: between\nseed: 3\n" WORLD_LAYERS "budget: {%s}\nvalidation: {layers: 30, repeats: 2}\n",
             budget);
    c = (world_campaign_t){.text = text, .network = with_network ? network : NULL, .block_count = NETWORK, .kinds = UINT32_MAX};
    return &c;
}

static prf_engine_t *engine(const char *budget, bool with_network, const world_t *w)
{
    return world_engine(campaign(budget, with_network), w);
}

static void begin(world_t *w, uint64_t seed, double between_ns)
{
    world_init(w, seed);
    w->between_ns = between_ns;
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* The entry of the summary's only board or network. New reference. */
static json_t *only(prf_engine_t *e, const char *key)
{
    json_t *summary = prf_engine_summary(e), *entry = json_incref(json_array_get(json_object_get(summary, key), 0));
    cr_assert_eq(json_array_size(json_object_get(summary, key)), 1);
    json_decref(summary);
    return entry;
}

/* Of a whole campaign: the board's summary. New reference. */
static json_t *board_of(const char *budget, bool with_network, world_t *w)
{
    prf_engine_t *e = engine(budget, with_network, w);
    cr_assert(world_run(e, w));
    json_t *board = only(e, "boards");
    prf_engine_destroy(&e);
    return board;
}

Test(engine_between, what_a_block_takes_besides_is_found_exactly_and_is_in_the_estimate_of_a_network)
{
    world_t w;
    begin(&w, 1, 150);
    prf_engine_t *e = engine("samples: 400", true, &w);
    cr_assert(world_run(e, &w));
    json_t *board = only(e, "boards"), *net = only(e, "networks");
    cr_assert_float_eq(number(board, "between_ns"), 150, 1e-6, "%g", number(board, "between_ns"));
    cr_assert_eq(number(board, "between_chains"), CHAINS);
    cr_assert_leq(number(board, "samples"), 400);
    cr_assert_float_eq(number(net, "error_percent"), 0, 1e-3, "%g", number(net, "error_percent"));
    json_decref(board);
    json_decref(net);
    prf_engine_destroy(&e);
    world_release(&w);
}

Test(engine_between, where_chains_are_the_sum_of_their_blocks_nothing_lies_between_them)
{
    world_t w;
    begin(&w, 1, 0);
    prf_engine_t *e = engine("samples: 400", true, &w);
    cr_assert(world_run(e, &w));
    json_t *board = only(e, "boards");
    cr_assert(number(board, "between_ns") == 0, "not a trace of it: %g", number(board, "between_ns"));
    cr_assert_eq(number(board, "between_chains"), CHAINS);
    size_t len;
    unsigned char *bytes = world_model(e, &len);
    cr_assert_leq(bytes[8], 3, "the file is the one that there was before");
    free(bytes);
    json_decref(board);
    prf_engine_destroy(&e);
    world_release(&w);
}

/* Whatever the engine asks for as one that is not the network. */
Test(engine_between, chains_are_made_of_layers_of_the_sample_and_hand_on_what_they_wrote)
{
    world_t w;
    prf_want_t want;
    size_t chains = 0, links = 0, fitting = 0;
    begin(&w, 2, 150);
    prf_engine_t *e = engine("samples: 400", true, &w);
    while (prf_engine_next(e, &want)) {
        bool chain = strcmp(want.role, "chain") == 0;
        prf_sample_t s = {.latency_ns = 1000, .min_ns = 1000, .repeats = 1, .busy_ns = 1};
        cr_assert_eq(chain, want.block_count > 1 && want.block_count != NETWORK, "%s of %zu", want.role, want.block_count);
        for (size_t i = 1; chain && i < want.block_count; i++, links++)
            fitting += prf_layer_inputs(&want.blocks[i].layers[0]) <= prf_layer_outputs(&want.blocks[i - 1].layers[0]);
        cr_assert(!chain || want.block_count == LENGTH);
        chains += chain;
        cr_assert_eq(prf_engine_answer(e, &want.point, want.attempt, &s, false, NULL, NULL), PRF_OK);
    }
    cr_assert_eq(prf_engine_stage(e, 0), PRF_STAGE_TRAIN, "and they are there before the first training");
    cr_assert_eq(chains, CHAINS);
    cr_assert_gt(fitting, links * 8 / 10, "%zu of %zu", fitting, links);
    prf_engine_destroy(&e);
    world_release(&w);
}

Test(engine_between, without_networks_or_with_too_few_layers_no_chain_is_measured)
{
    static const struct {
        const char *budget;
        bool with_network;
    } cases[] = {{"samples: 400", false}, {"samples: 12", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world_t w;
        begin(&w, 3, 150);
        json_t *board = board_of(cases[i].budget, cases[i].with_network, &w);
        cr_assert_eq(number(board, "between_chains"), 0, "%s", cases[i].budget);
        cr_assert(number(board, "between_ns") == 0);
        json_decref(board);
        world_release(&w);
    }
}

/* What the engine wants of its network, first of all: with the digest and what is told of edges. */
static prf_want_t network_wanted(uint32_t flags, uint32_t kinds, size_t *chains)
{
    world_t w;
    begin(&w, 6, 150);
    world_campaign_t c = *campaign("samples: 400", true);
    c.flags = flags;
    c.kinds = kinds;
    prf_engine_t *e = world_engine(&c, &w);
    prf_want_t want, found = {.block_count = 0};
    while (prf_engine_next(e, &want)) {
        prf_sample_t s = {.latency_ns = 1000, .min_ns = 1000, .repeats = 1, .busy_ns = 1};
        bool network_itself = strcmp(want.role, "network") == 0;
        *chains += strcmp(want.role, "chain") == 0;
        cr_expect(network_itself || want.edge_count == 0, "a %s with edges", want.role);
        for (size_t i = 0; network_itself && i < want.edge_count; i++)
            cr_expect(want.edges[i].to == (int32_t)i && want.edges[i].from == (int32_t)i - 1);
        found = network_itself ? want : found;
        cr_assert_eq(prf_engine_answer(e, &want.point, want.attempt, &s, false, NULL, NULL), PRF_OK);
    }
    json_t *net = only(e, "networks");
    cr_expect_eq(json_is_true(json_object_get(net, "whole")), found.edge_count > 0);
    cr_expect_eq(number(net, "modelled_blocks"), (double)found.block_count);
    json_decref(net);
    prf_engine_destroy(&e);
    world_release(&w);
    return found;
}

Test(engine_between, a_board_that_builds_networks_gets_a_whole_one_with_its_edges_and_no_chains)
{
    size_t chains = 0;
    prf_want_t chain = network_wanted(0, UINT32_MAX, &chains), whole;
    cr_expect_eq(chain.edge_count, 0);
    cr_expect_eq(chains, CHAINS);
    chains = 0;
    whole = network_wanted(PRF_BOARD_NETWORKS, UINT32_MAX, &chains);
    cr_expect_eq(whole.edge_count, NETWORK);
    cr_expect_eq(whole.block_count, NETWORK);
    cr_expect_eq(chains, 0, "they would tell nothing of what a runtime makes of a network");
    cr_expect_neq(prf_digest_compare(&chain.point, &whole.point), 0, "they are different measurements");
}

Test(engine_between, a_network_of_which_a_part_is_not_modelled_is_a_chain_also_where_networks_are_built)
{
    size_t chains = 0;
    prf_want_t part = network_wanted(PRF_BOARD_NETWORKS, 1u << PRF_CONV1D, &chains);
    cr_expect_eq(part.block_count, 2);
    cr_expect_eq(part.edge_count, 0);
}

/* Found drifted, the kind begins anew within its engine. */
Test(engine_between, a_board_that_builds_networks_still_does_when_it_has_drifted)
{
    const prf_refresh_t refresh = {.number = 1, .points = 20};
    world_t w;
    begin(&w, 7, 0);
    world_campaign_t c = *campaign("samples: 200", true);
    c.flags = PRF_BOARD_NETWORKS;
    for (size_t i = 0; i < 2; i++) {
        prf_engine_t *e = world_engine(&c, &w);
        cr_assert(world_run(e, &w));
        json_t *board = only(e, "boards"), *net = only(e, "networks");
        cr_expect(!i || strcmp(json_string_value(json_object_get(json_object_get(board, "refresh"), "verdict")), "drifted") == 0);
        cr_expect_eq(number(board, "between_chains"), 0);
        cr_expect(json_is_true(json_object_get(net, "whole")));
        json_decref(board);
        json_decref(net);
        prf_engine_destroy(&e);
        c.refresh = &refresh;
        w.pace = 1.25;
    }
    world_release(&w);
}

Test(engine_between, what_two_measurements_of_a_layer_differ_by_hides_it)
{
    world_t w;
    begin(&w, 4, 2);
    w.passes = 2;
    w.slow[0] = 1; /* the second measurement of a validation layer takes half as long again, so that is the noise */
    w.slow[1] = 1.5;
    json_t *board = board_of("samples: 400", true, &w);
    cr_assert(number(board, "between_ns") == 0, "%g", number(board, "between_ns"));
    json_decref(board);
    world_release(&w);
}

Test(engine_between, a_chain_that_cannot_be_measured_is_left_out)
{
    world_t w;
    begin(&w, 5, 150);
    w.poison = true; /* a thirty-second of all points */
    json_t *board = board_of("samples: 400", true, &w);
    double chains = number(board, "between_chains");
    cr_assert(chains >= 3 && chains <= CHAINS, "%g", chains);
    cr_assert_float_eq(number(board, "between_ns"), 150, 1e-6);
    json_decref(board);
    world_release(&w);
}

Test(engine_between, neither_the_order_of_results_nor_kills_change_a_byte)
{
    world_expect_same(campaign("samples: 200", true), &array);
}

/* Every answer keeps a board busy for 40 ms: the time is up before the chains are asked for, about then, and later. */
Test(engine_between, time_that_is_up_in_the_middle_of_it_is_no_trouble_for_a_resumed_campaign)
{
    static const char *const budgets[] = {"samples: 200, seconds: 4", "samples: 200, seconds: 6", "samples: 200, seconds: 7",
                                          "samples: 200, seconds: 8"};
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        size_t len, fresh;
        free(world_undisturbed(campaign(budgets[i], true), &array, 10, &len, &fresh));
    }
}
