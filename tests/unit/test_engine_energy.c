// SPDX-License-Identifier: Apache-2.0
/* Energy as a second target of a campaign: learned from the same layers by the same training, apart from the latency. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static const char file[] = "campaign: power\n"
                           "seed: 7\n" WORLD_LAYERS "measure: {energy_ms: 100}\n"
                           "budget: {samples: 128}\n"
                           "validation: {layers: 30, repeats: 2}\n"
                           "baseline: false\n";

/* A board that draws 2 W and 5 pJ a multiply-accumulate. */
static double energy(const prf_block_t *block)
{
    return 2 * world_array(block) + 0.005 * prf_block_macs(block);
}

static const char *const network[] = {"conv1d c=16 k=16 w=32 f=3 pad=1 dtype=i8", "conv1d c=16 k=24 w=32 f=1 dtype=i8",
                                      "fc in=24 out=10 dtype=i8"};
static const world_campaign_t campaign = {.text = file, .network = network, .block_count = 3, .kinds = UINT32_MAX};

static prf_model_t *model_of(const world_t *board)
{
    size_t len, fresh;
    prf_model_t *model = NULL;
    prf_error_t err = {0};
    void *bytes = world_undisturbed(&campaign, board, 5, &len, &fresh);
    cr_assert_eq(prf_model_decode(&model, bytes, len, &err), PRF_OK, "%s", err.text);
    free(bytes);
    return model;
}

Test(engine_energy, a_board_that_tells_it_has_a_model_of_it_that_is_as_good)
{
    prf_model_t *model = model_of(&(world_t){.energy = energy});
    const prf_model_t *of_energy = prf_model_energy(model);
    cr_assert_not_null(of_energy);
    const prf_provenance_t *p = prf_model_provenance(of_energy);
    cr_expect_eq(prf_model_layer_count(of_energy), 2);
    cr_expect_eq(p->validation.count, 30);
    cr_expect_eq(p->repeatability_percent, 0);
    cr_expect_lt(p->validation.mape_percent, 1, "%g", p->validation.mape_percent);
    for (size_t i = 0; i < campaign.block_count; i++) {
        prf_block_t block;
        prf_estimate_t e;
        cr_assert_eq(prf_block_parse(&block, network[i], NULL), PRF_OK);
        cr_assert_eq(prf_model_estimate(of_energy, &block, NULL, &e, NULL), PRF_OK);
        cr_expect_lt(fabs(e.latency_ns / energy(&block) - 1), 0.02, "%s: %g nJ for %g", network[i], e.latency_ns, energy(&block));
    }
    prf_model_destroy(&model);
}

Test(engine_energy, order_of_results_and_kills_do_not_change_a_byte)
{
    world_expect_same(&campaign, &(world_t){.energy = energy});
}

Test(engine_energy, without_it_the_models_bytes_are_those_of_the_latency_alone)
{
    prf_model_t *with = model_of(&(world_t){.energy = energy}), *without = model_of(&(world_t){.energy = NULL}), *none = NULL;
    void *a, *b;
    size_t a_len, b_len;
    cr_assert_not_null(prf_model_energy(with));
    cr_assert_null(prf_model_energy(without));
    prf_model_take_energy(with, &none);
    cr_assert_eq(prf_model_encode(with, &a, &a_len, NULL), PRF_OK);
    cr_assert_eq(prf_model_encode(without, &b, &b_len, NULL), PRF_OK);
    cr_expect(a_len == b_len && memcmp(a, b, a_len) == 0);
    free(a);
    free(b);
    prf_model_destroy(&with);
    prf_model_destroy(&without);
}

static json_t *summary_of(const char *text, const world_t *board)
{
    world_campaign_t asked = campaign;
    asked.text = text;
    world_t w;
    world_init(&w, 3);
    w.energy = board->energy;
    w.silent = board->silent;
    prf_engine_t *e = world_engine(&asked, &w);
    cr_assert(world_run(e, &w));
    json_t *summary = prf_engine_summary(e);
    prf_engine_destroy(&e);
    world_release(&w);
    return summary;
}

static const json_t *energy_in(const json_t *summary)
{
    return json_object_get(json_array_get(json_object_get(summary, "boards"), 0), "energy");
}

Test(engine_energy, a_network_is_measured_and_estimated_in_energy_too)
{
    json_t *summary = summary_of(file, &(world_t){.energy = energy});
    const json_t *net = json_array_get(json_object_get(summary, "networks"), 0);
    double expected = 0;
    for (size_t i = 0; i < campaign.block_count; i++) {
        prf_block_t block;
        cr_assert_eq(prf_block_parse(&block, network[i], NULL), PRF_OK);
        expected += energy(&block);
    }
    cr_expect_float_eq(json_real_value(json_object_get(net, "measured_nj")), expected, 1e-6 * expected);
    cr_expect_float_eq(json_real_value(json_object_get(net, "estimated_nj")), expected, 0.02 * expected);
    cr_expect_lt(fabs(json_real_value(json_object_get(net, "energy_error_percent"))), 2);
    cr_expect_eq(json_integer_value(json_object_get(energy_in(summary), "told")),
                 json_integer_value(json_object_get(energy_in(summary), "of")));
    json_decref(summary);
}

Test(engine_energy, too_few_measurements_that_tell_it_make_no_model_and_are_counted)
{
    json_t *summary = summary_of(file, &(world_t){.energy = energy, .silent = 3});
    const json_t *told = energy_in(summary);
    cr_assert(json_is_object(told));
    cr_expect_gt(json_integer_value(json_object_get(told, "told")), 0);
    cr_expect_lt(2 * json_integer_value(json_object_get(told, "told")), json_integer_value(json_object_get(told, "of")));
    cr_expect(json_is_null(json_object_get(told, "mape_percent")));
    cr_expect_eq(json_array_size(json_object_get(told, "layers")), 0);
    json_decref(summary);
}

Test(engine_energy, a_campaign_that_does_not_ask_does_not_look_at_it)
{
    static const char silent[] =
        "campaign: power\nseed: 7\n" WORLD_LAYERS "budget: {samples: 64}\nvalidation: {layers: 10, repeats: 1}\nbaseline: false\n";
    json_t *summary = summary_of(silent, &(world_t){.energy = energy});
    cr_expect(json_is_null(energy_in(summary)));
    cr_expect(json_is_null(json_object_get(json_array_get(json_object_get(summary, "networks"), 0), "measured_nj")));
    json_decref(summary);
}
