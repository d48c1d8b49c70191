// SPDX-License-Identifier: Apache-2.0
/* Energy from boards to estimates: the real programs, simulated boards whose energy is a formula, beside boards that tell none. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "layer/layer.h"
#include "tests/support/farm.h"

#define NETWORK PRF_SOURCE_DIR "/docs/examples/networks/tcresnet8.onnx"
#define LAYERS                                                                                                                     \
    "layers:\n"                                                                                                                    \
    "  - kind: conv1d\n"                                                                                                           \
    "    params: {c: 1..64, k: 1..64, w: 16..128, f: [1, 3, 9], stride: [1, 2], pad: f/2}\n"                                       \
    "    knowledge: white\n"                                                                                                       \
    "    steps: {c: 8, k: 8}\n"                                                                                                    \
    "  - kind: fc\n"                                                                                                               \
    "    params: {in: 1..128, out: 1..128}\n"                                                                                      \
    "    knowledge: white\n"                                                                                                       \
    "    steps: {in: 8, out: 8}\n"                                                                                                 \
    "budget: {samples: 200}\n"                                                                                                     \
    "validation: {layers: 20, repeats: 2}\n"                                                                                       \
    "baseline: false\n"

static farm_t farm;
static char said[FARM_SAID], file[FARM_PATH + 16], out[FARM_PATH + 16];

static void set_up(void)
{
    farm_make(&farm);
    snprintf(file, sizeof file, "%s/power.yaml", farm.dir);
    snprintf(out, sizeof out, "%s/out", farm.dir);
}

static void tear_down(void)
{
    farm_stop(&farm);
}

TestSuite(energy_campaign, .init = set_up, .fini = tear_down);

/* 5 pJ a multiply-accumulate and 2 W. */
static double formula_nj(const char *text, double latency_ns)
{
    prf_block_t block;
    cr_assert_eq(prf_block_parse(&block, text, NULL), PRF_OK, "%s", text);
    return 0.005 * prf_block_macs(&block) + 2 * latency_ns;
}

static json_t *printed(const char *const *words)
{
    char path[FARM_PATH + 16];
    json_error_t error;
    cr_assert_eq(farm_run(&farm, said, words), 0, "%s", said);
    snprintf(path, sizeof path, "%s/said", farm.dir);
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

static const json_t *named(const json_t *object, const char *array, const char *kind)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(object, array), i, entry)
    {
        if (strcmp(farm_text(entry, "kind"), kind) == 0)
            return entry;
    }
    cr_assert_fail("no '%s' in '%s'", kind, array);
    return NULL;
}

static json_t *summary_of_run(const char *text)
{
    char path[FARM_PATH + 48];
    json_error_t error;
    cr_assert_eq(prf_file_write(file, text, strlen(text), NULL), PRF_OK);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "run", file, "--out", out), 0, "%s", said);
    snprintf(path, sizeof path, "%s/summary.json", out);
    json_t *summary = json_load_file(path, 0, &error);
    cr_assert(summary, "%s", error.text);
    return summary;
}

/* Each exported measurement tells what the formula says, or nothing. */
static void check_rows(const char *csv)
{
    char line[8192], *at;
    FILE *in = fopen(csv, "r");
    size_t told = 0, silent = 0;
    cr_assert_not_null(in);
    cr_assert(fgets(line, sizeof line, in) && strstr(line, ",energy_nj"), "%s", line);
    fclose(in);
    json_error_t error;
    char path[FARM_PATH + 32];
    snprintf(path, sizeof path, "%s/rows.jsonl", farm.dir);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "export", "--dir", out, "--json", "--out", path), 0, "%s", said);
    in = fopen(path, "r");
    cr_assert_not_null(in);
    while ((at = fgets(line, sizeof line, in))) {
        json_t *row = json_loads(at, 0, &error);
        cr_assert(row, "%s", error.text);
        bool telling = strcmp(farm_text(row, "kind"), "tail") == 0;
        const char *block = farm_text(row, "block");
        if (telling && *block) {
            double nj = formula_nj(block, number(row, "latency_ns"));
            cr_expect_float_eq(number(row, "energy_nj"), nj, 1e-9 * nj, "%s", at);
        }
        cr_expect_eq(json_is_number(json_object_get(row, "energy_nj")), telling, "%s", at);
        told += telling;
        silent += !telling;
        json_decref(row);
    }
    fclose(in);
    cr_expect(told > 200 && silent > 200, "%zu, %zu", told, silent);
}

Test(energy_campaign, a_board_that_tells_its_energy_ends_with_a_model_of_it_and_another_says_that_it_does_not)
{
    char model[FARM_PATH + 48], silent[FARM_PATH + 48], csv[FARM_PATH + 32];
    json_t *summary = summary_of_run("campaign: power\nboards:\n"
                                     "  - {kind: tail, backend: sim, options: {board: ultratrail, pj_per_mac: 5, static_w: 2}}\n"
                                     "  - {kind: silent, backend: sim, options: {board: ultratrail}}\n" LAYERS
                                     "measure: {energy_ms: 100}\nnetworks: [" NETWORK "]\n");
    cr_expect_not_null(strstr(said, "measurements that tell it"), "%s", said);
    const json_t *energy = json_object_get(named(summary, "boards", "tail"), "energy"),
                 *none = json_object_get(named(summary, "boards", "silent"), "energy"),
                 *network = named(summary, "networks", "tail");
    cr_expect_eq(number(energy, "told"), number(energy, "of"));
    cr_expect_lt(number(energy, "mape_percent"), 1, "%g", number(energy, "mape_percent"));
    cr_expect_eq(number(energy, "repeatability_percent"), 0);
    cr_expect_eq(number(none, "told"), 0);
    cr_expect_gt(number(none, "of"), 200);
    cr_expect(json_is_null(json_object_get(none, "mape_percent")));
    cr_expect_lt(fabs(number(network, "energy_error_percent")), 1);
    cr_expect(json_is_null(json_object_get(named(summary, "networks", "silent"), "measured_nj")));

    snprintf(model, sizeof model, "%s/models/tail.prfm", out);
    snprintf(silent, sizeof silent, "%s/models/silent.prfm", out);
    json_t *estimate = printed((const char *const[]){"prfarm", "estimate", "--model", model, NETWORK, "--json", NULL});
    cr_expect_float_eq(number(json_object_get(estimate, "energy"), "total_nj"), number(network, "estimated_nj"), 1e-3);
    json_decref(estimate);
    estimate =
        printed((const char *const[]){"prfarm", "estimate", "--model", model, "--layer", "fc in=100 out=100", "--json", NULL});
    const json_t *layer = json_array_get(json_object_get(estimate, "layers"), 0);
    double nj = formula_nj("fc in=100 out=100", number(layer, "estimate_ns"));
    cr_expect_float_eq(number(json_object_get(layer, "energy"), "estimate_nj"), nj, 0.01 * nj);
    json_decref(estimate);
    estimate = printed((const char *const[]){"prfarm", "estimate", "--model", silent, "--layer", "fc in=9 out=9", "--json", NULL});
    cr_expect(json_is_null(json_object_get(estimate, "energy")));
    json_decref(estimate);
    cr_expect_eq(FARM_RUN(&farm, said, "prfarm", "model", "explain", silent, "--energy"), 6);
    cr_expect_not_null(strstr(said, "no energy in this model"), "%s", said);
    cr_expect_eq(FARM_RUN(&farm, said, "prfarm", "model", "explain", model, "--energy"), 0);
    cr_expect_not_null(strstr(said, " nJ "), "%s", said);

    snprintf(csv, sizeof csv, "%s/rows.csv", farm.dir);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "export", "--dir", out, "--out", csv), 0, "%s", said);
    check_rows(csv);
    json_decref(summary);
}

static const char plain[] = "campaign: plain\nboards:\n  - {kind: tail}\n" LAYERS;
static const char asks[] = "campaign: asks\nboards:\n  - {kind: tail}\n" LAYERS "measure: {energy_ms: 100}\n";

static json_t *over(const char *text, const char *name)
{
    json_decref(farm_submit(&farm, text));
    json_decref(farm_wait(&farm, name, farm_is_over));
    return farm_ask(&farm, "summary", json_pack("{s:s}", "campaign", name));
}

Test(energy_campaign, a_store_of_before_goes_on_and_a_campaign_that_does_not_ask_is_told_nothing)
{
    size_t i, with = 0;
    json_t *row;
    farm_start(&farm, NULL);
    farm_add_worker(&farm, "a", "tail", "ultratrail", "pj_per_mac=5 static_w=2");
    json_t *summary = over(plain, "plain"), *rows = farm_rows(&farm, "plain");
    cr_expect(json_is_null(json_object_get(named(summary, "boards", "tail"), "energy")));
    json_array_foreach(rows, i, row)
    {
        cr_expect(json_is_null(json_object_get(row, "energy_nj")));
    }
    json_decref(rows);
    json_decref(summary);
    summary = over(asks, "asks");
    const json_t *board = named(summary, "boards", "tail");
    cr_expect_eq(number(board, "reused"), 0, "what was measured without energy is another point");
    cr_expect_lt(number(json_object_get(board, "energy"), "mape_percent"), 1);
    json_decref(summary);
    farm_kill_coordinator(&farm);
    farm_start_coordinator(&farm, NULL);
    rows = farm_rows(&farm, NULL);
    json_array_foreach(rows, i, row)
    {
        bool told = json_is_number(json_object_get(row, "energy_nj"));
        cr_expect_eq(told, strcmp(farm_text(row, "campaign"), "asks") == 0, "%s", farm_text(row, "campaign"));
        with += told;
    }
    cr_expect_gt(with, 200);
    json_decref(rows);
    json_t *answer = farm_ask(&farm, "estimate", json_pack("{s:[s]}", "blocks", "fc in=100 out=100"));
    const json_t *on = json_array_get(json_object_get(answer, "boards"), 0);
    double nj = formula_nj("fc in=100 out=100", number(on, "latency_ns"));
    cr_expect_float_eq(number(on, "energy_nj"), nj, 0.01 * nj);
    json_decref(answer);
}
