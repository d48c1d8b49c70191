// SPDX-License-Identifier: Apache-2.0
/* From boards on which activations, or what lies between blocks, cost something to estimates of networks: the real programs,
 * simulated boards, the truth known. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "tests/support/farm.h"

#define NETWORK PRF_SOURCE_DIR "/docs/examples/networks/tcresnet8.onnx"

static farm_t farm;
static char said[FARM_SAID], file[FARM_PATH + 16], out[FARM_PATH + 16], model[FARM_PATH + 48];

static void set_up(void)
{
    farm_make(&farm);
    snprintf(file, sizeof file, "%s/pairs.yaml", farm.dir);
    snprintf(out, sizeof out, "%s/out", farm.dir);
    snprintf(model, sizeof model, "%s/models/tail.prfm", out);
}

static void tear_down(void)
{
    farm_stop(&farm);
}

TestSuite(fusion_rules, .init = set_up, .fini = tear_down);

static const char campaign[] = "campaign: pairs\n"
                               "boards:\n"
                               "  - {kind: tail, backend: sim, options: {board: ultratrail%s}, workers: 2}\n"
                               "layers:\n"
                               "  - kind: conv1d\n"
                               "    params: {c: 1..64, k: 1..64, w: 16..128, f: [1, 3, 9], stride: [1, 2], pad: f/2}\n"
                               "    knowledge: white\n"
                               "    steps: {c: 8, k: 8}\n"
                               "  - kind: fc\n"
                               "    params: {in: 1..128, out: 1..128}\n"
                               "    knowledge: white\n"
                               "    steps: {in: 8, out: 8}\n"
                               "budget: {samples: 200}\n"
                               "validation: {layers: 20, repeats: 2}\n"
                               "baseline: false\n"
                               "networks: [" NETWORK "]\n";

/* The summary of a run on boards with these options. New reference. */
static json_t *run(const char *options)
{
    char text[sizeof campaign + 128];
    snprintf(text, sizeof text, campaign, options);
    cr_assert_eq(prf_file_write(file, text, strlen(text), NULL), PRF_OK);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "run", file, "--out", out), 0, "%s", said);
    char path[FARM_PATH + 48];
    json_error_t error;
    snprintf(path, sizeof path, "%s/summary.json", out);
    json_t *summary = json_load_file(path, 0, &error);
    cr_assert(summary, "%s", error.text);
    return summary;
}

static json_t *ask(const char *const *words)
{
    char path[FARM_PATH + 16];
    json_error_t error;
    cr_assert_eq(farm_run(&farm, said, words), 0, "%s", said);
    snprintf(path, sizeof path, "%s/said", farm.dir); /* all of it */
    json_t *answer = json_load_file(path, 0, &error);
    cr_assert(answer, "%s: %s", error.text, said);
    return answer;
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    cr_assert(json_is_number(value), "there is no '%s'", key);
    return json_number_value(value);
}

static const json_t *only(const json_t *object, const char *key)
{
    const json_t *array = json_object_get(object, key);
    cr_assert_eq(json_array_size(array), 1, "'%s' has %zu entries", key, json_array_size(array));
    return json_array_get(array, 0);
}

Test(fusion_rules, what_activations_cost_is_found_and_in_the_estimate_of_a_network)
{
    json_t *summary = run(", activation_ns: 50, activation_ns_per_element: 0.5");
    cr_assert(strstr(said, "adds 50 ns and 0.5 ns an element"), "%s", said);
    const json_t *board = only(summary, "boards"), *rule = only(board, "fusion"), *network = only(summary, "networks");
    cr_assert_str_eq(farm_text(rule, "verdict"), "adds");
    cr_assert_float_eq(number(rule, "fixed_ns"), 50, 1e-6);
    cr_assert_float_eq(number(rule, "ns_per_element"), 0.5, 1e-9);
    cr_assert(number(board, "fusion_samples") >= 3 && number(board, "fusion_samples") <= 10 && number(board, "samples") <= 200);
    double estimated = number(network, "estimated_ns");
    cr_assert_float_eq(number(network, "error_percent"), 0, 0.05, "%g", number(network, "error_percent"));

    json_t *estimate = ask((const char *const[]){"prfarm", "estimate", "--model", model, NETWORK, "--json", NULL});
    cr_assert_float_eq(number(estimate, "total_ns"), estimated, 1e-6);
    cr_assert_eq(number(estimate, "without_rule"), 0);
    json_decref(estimate);
    estimate = ask((const char *const[]){"prfarm", "estimate", "--model", model, "--layer",
                                         "conv1d c=8 k=8 w=20 f=1 + activation c=8 h=1 w=20", "--layer", "conv1d c=8 k=8 w=20 f=1",
                                         "--layer", "fc in=8 out=8 + activation c=8 h=1", "--json", NULL});
    const json_t *layers = json_object_get(estimate, "layers");
    cr_assert_float_eq(number(json_array_get(layers, 0), "estimate_ns") - number(json_array_get(layers, 1), "estimate_ns"),
                       50 + 0.5 * 160, 1e-3);
    cr_assert_eq(number(estimate, "without_rule"), 1, "no network has an activation behind fc");
    json_decref(estimate);
    json_decref(summary);
}

Test(fusion_rules, a_model_tells_its_rules)
{
    json_decref(run(", activation_ns_per_element: 0.5"));
    json_t *shown = ask((const char *const[]){"prfarm", "model", "show", model, "--json", NULL});
    cr_assert_str_eq(farm_text(only(shown, "fusion"), "rule"), "adds 0.5 ns an element");
    json_decref(shown);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "model", "show", model), 0);
    cr_assert(strstr(said, "adds 0.5 ns an element"), "%s", said);
    shown = ask((const char *const[]){"prfarm", "model", "explain", model, "--layer", "fc", "--json", NULL});
    cr_assert_eq(json_array_size(json_object_get(shown, "fusion")), 0, "there is none for fc");
    json_decref(shown);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "model", "explain", model, "--layer", "conv1d"), 0);
    cr_assert(strstr(said, "adds 0.5 ns an element"), "%s", said);
}

Test(fusion_rules, on_a_board_that_fuses_activations_are_free)
{
    json_t *summary = run("");
    cr_assert_str_eq(farm_text(only(only(summary, "boards"), "fusion"), "verdict"), "fused");
    cr_assert_float_eq(number(only(summary, "networks"), "error_percent"), 0, 0.05);
    cr_assert(number(only(summary, "boards"), "between_ns") == 0);
    json_decref(summary);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "estimate", "--model", model, NETWORK), 0, "%s", said);
    cr_assert_null(strstr(said, "has no rule for"), "%s", said);
}

Test(fusion_rules, what_lies_between_blocks_is_found_exactly_and_is_in_the_estimate_of_a_network)
{
    json_t *summary = run(", between_ns: 700");
    const json_t *board = only(summary, "boards"), *network = only(summary, "networks");
    cr_assert_float_eq(number(board, "between_ns"), 700, 1e-6, "%g", number(board, "between_ns"));
    cr_assert_eq(number(board, "between_chains"), 4);
    cr_assert_float_eq(number(network, "error_percent"), 0, 0.05, "%g", number(network, "error_percent"));
    cr_assert(strstr(said, "Between blocks"), "%s", said);

    json_t *estimate = ask((const char *const[]){"prfarm", "estimate", "--model", model, NETWORK, "--json", NULL});
    double covered = number(estimate, "covered"), sum = number(estimate, "between_ns");
    cr_assert_float_eq(sum, 700 * (covered - 1), 1e-6);
    cr_assert_float_eq(number(estimate, "total_ns"), number(network, "estimated_ns"), 1e-6);
    const json_t *layers = json_object_get(estimate, "layers");
    for (size_t i = 0; i < json_array_size(layers); i++)
        sum += json_number_value(json_object_get(json_array_get(layers, i), "estimate_ns"));
    cr_assert_float_eq(sum, number(estimate, "total_ns"), 1e-6, "the shares add up");
    json_decref(estimate);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "model", "show", model), 0);
    cr_assert(strstr(said, "each block after the first takes 700 ns besides its own time"), "%s", said);
    json_decref(summary);
}
