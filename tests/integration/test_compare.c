// SPDX-License-Identifier: Apache-2.0
/* prfarm diff and prfarm compare, on boards of which it is known how they differ: one is another's copy that takes 1.25 times as
 * long, one can run less, one is noisy. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/program.h"

#define NET PRF_SOURCE_DIR "/docs/examples/networks/resnet18.onnx"
#define OTHER_NET PRF_SOURCE_DIR "/docs/examples/networks/vgg11.onnx"

static const char campaign[] = "campaign: pair\n"
                               "boards:\n"
                               "  - {kind: fast, backend: sim, options: {board: zcu102}}\n"
                               "  - {kind: slow, backend: sim, options: {board: zcu102, speed: 1.25}}\n"
                               "  - {kind: noisy, backend: sim, options: {board: zcu102, noise: 10, seed: 3}}\n"
                               "  - {kind: vta, backend: sim, options: {board: vta, activation_ns: 50000}}\n"
                               "layers:\n";

/* The same layers for all but the last, which knows other steps and no pooling. */
static const char layers[] =
    "  - {kind: conv2d, boards: [fast, slow, noisy], params: {c: {from: 3, to: 512, scale: log}, k: {from: 16, to: 512, scale: "
    "log}, "
    "h: [7, 14, 28, 56, 224], r: [1, 3, 7], stride: [1, 2], pad: r/2}, knowledge: white, steps: {c: 16, k: 16}}\n"
    "  - {kind: conv2d, boards: [vta], params: {c: {from: 3, to: 512, scale: log}, k: {from: 16, to: 512, scale: log}, "
    "h: [7, 14, 28, 56, 224], r: [1, 3, 7], stride: [1, 2], pad: r/2}, knowledge: white, steps: {c: 16}}\n"
    "  - {kind: fc, params: {in: 64..1024, out: 10..1000}, knowledge: white, steps: {in: 1}}\n"
    "  - {kind: maxpool2d, boards: [fast, slow, noisy], params: {c: 16..128, h: [28, 56, 112], r: 3, stride: 2, pad: 1}, "
    "knowledge: white, steps: {c: 1}}\n"
    "  - {kind: avgpool2d, boards: [fast, slow, noisy], params: {c: 64..1024, h: [7, 14], r: h}, knowledge: white, steps: {c: 1}}\n"
    "  - {kind: add, boards: [fast, slow, noisy], params: {c: 16..512, h: [7, 14, 28, 56]}, knowledge: white, steps: {c: 1}}\n";

static void make_models(void)
{
    char text[4096];
    program_setup();
    snprintf(text, sizeof text,
             "%s%sbudget: {samples: 120}\nvalidation: {layers: 20, repeats: 1}\nbaseline: false\nnetworks: [%s]\n", campaign,
             layers, NET);
    json_decref(RUN_JSON("run", program_file("pair.yaml", text), "--out", program_path("out"), "--json"));
}

#define MODEL(kind) program_path("out/models/" kind ".prfm")

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    cr_assert(json_is_number(value), "'%s' is no number", key);
    return json_number_value(value);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    cr_assert_not_null(text, "'%s' is no text", key);
    return text;
}

static const json_t *layer_of(const json_t *document, const char *kind)
{
    size_t i;
    json_t *l;
    json_array_foreach(json_object_get(document, "layers"), i, l)
    {
        if (strcmp(text_of(l, "layer"), kind) == 0)
            return l;
    }
    cr_assert_fail("there is no %s", kind);
    return NULL;
}

/* Everything that a board does takes 1.25 times as long on the other: so do the estimates, each of them. */
static void diff_tells_by_how_much_and_what(void)
{
    json_t *d = RUN_JSON("diff", MODEL("fast"), MODEL("slow"), "--network", NET, "--json"), *l;
    size_t i;
    cr_expect(json_is_false(json_object_get(d, "identical")));
    cr_expect_str_eq(text_of(json_object_get(d, "a"), "kind"), "fast");
    cr_expect_eq(json_array_size(json_object_get(d, "layers")), 5);
    json_array_foreach(json_object_get(d, "layers"), i, l)
    {
        cr_expect_str_eq(text_of(l, "in"), "both");
        cr_expect_eq(number(l, "compared"), 200);
        cr_expect(fabs(number(l, "median_percent") - 25) < 0.5, "%s: %g", text_of(l, "layer"), number(l, "median_percent"));
        cr_expect(number(l, "p5_percent") <= number(l, "median_percent") &&
                  number(l, "median_percent") <= number(l, "p95_percent"));
        cr_expect_eq(json_object_size(json_object_get(l, "steps")), 0);
    }
    const json_t *net = json_array_get(json_object_get(d, "networks"), 0);
    cr_expect(fabs(number(net, "change_percent") - 25) < 0.5, "%g", number(net, "change_percent"));
    cr_expect_eq(number(net, "compared_blocks"), number(net, "blocks"));
    json_decref(d);

    d = RUN_JSON("diff", MODEL("fast"), MODEL("vta"), "--json");
    cr_expect_str_eq(text_of(layer_of(d, "add"), "in"), "A only");
    cr_expect_eq(number(layer_of(d, "add"), "compared"), 0);
    cr_expect(json_is_null(json_object_get(layer_of(d, "add"), "median_percent")));
    const json_t *k = json_object_get(json_object_get(layer_of(d, "conv2d"), "steps"), "k");
    cr_expect_eq(json_integer_value(json_array_get(k, 0)), 16);
    cr_expect_eq(json_integer_value(json_array_get(k, 1)), 1);
    const json_t *most = json_object_get(d, "differ_most");
    cr_assert(json_array_size(most) > 2);
    for (i = 1; i < json_array_size(most); i++)
        cr_expect(fabs(log1p(number(json_array_get(most, i - 1), "change_percent") / 100)) + 1e-9 >=
                  fabs(log1p(number(json_array_get(most, i), "change_percent") / 100)));
    bool changed = false;
    json_t *rule;
    json_array_foreach(json_object_get(d, "fusion"), i, rule)
    {
        changed = changed || json_is_true(json_object_get(rule, "changed"));
    }
    cr_expect(changed, "an activation costs something on one of them only");
    json_decref(d);
}

/* The same question gives the same answer; the other way round, the opposite one. */
static void diff_is_the_same_each_time_and_turns_round(void)
{
    json_t *first = RUN_JSON("diff", MODEL("fast"), MODEL("noisy"), "--json");
    json_t *again = RUN_JSON("diff", MODEL("fast"), MODEL("noisy"), "--json");
    json_t *other = RUN_JSON("diff", MODEL("fast"), MODEL("noisy"), "--seed", "2", "--json");
    json_t *round = RUN_JSON("diff", MODEL("slow"), MODEL("fast"), "--json");
    cr_expect(json_equal(first, again));
    cr_expect_not(json_equal(json_object_get(first, "differ_most"), json_object_get(other, "differ_most")));
    cr_expect(fabs(number(layer_of(round, "fc"), "median_percent") + 20) < 0.5);
    json_decref(first);
    json_decref(again);
    json_decref(other);
    json_decref(round);
}

static void diff_check_is_for_scripts(void)
{
    program_t p;
    RUN(&p, "prfarm", "diff", MODEL("fast"), MODEL("slow"), "--check", "30");
    cr_expect_eq(p.code, 0, "%s", p.err);
    program_release(&p);
    RUN(&p, "prfarm", "diff", MODEL("fast"), MODEL("slow"), "--check", "10", "--json");
    cr_expect_eq(p.code, 1);
    cr_expect_not_null(strstr(p.err, "the median differs by +2"), "%s", p.err);
    json_t *d = json_loads(prf_text_get(&p.out), 0, NULL);
    cr_assert_not_null(d, "what differs is told all the same");
    cr_expect_eq(number(d, "check_percent"), 10);
    json_decref(d);
    program_release(&p);
    RUN(&p, "prfarm", "diff", MODEL("fast"), MODEL("fast"), "--check", "0");
    cr_expect_eq(p.code, 0);
    cr_expect_not_null(strstr(prf_text_get(&p.out), "the same, byte for byte"));
    program_release(&p);
    RUN(&p, "prfarm", "diff", MODEL("fast"), MODEL("slow"));
    cr_expect_eq(p.code, 0, "without --check they may differ");
    cr_expect_not_null(strstr(prf_text_get(&p.out), "layers that differ most"));
    program_release(&p);
    FAILS(2, "too little is given", "prfarm", "diff", MODEL("fast"));
    FAILS(4, "none.prfm", "prfarm", "diff", MODEL("fast"), program_path("none.prfm"));
    FAILS(4, "'fast' is no file", "prfarm", "diff", MODEL("fast"), "fast");
}

/* Kinds and versions of a run that is over, as of a farm. */
static void models_of_a_run_have_names(void)
{
    json_t *d = RUN_JSON("diff", "fast@1", "slow", "--dir", program_path("out"), "--json");
    cr_expect(fabs(number(layer_of(d, "fc"), "median_percent") - 25) < 0.5);
    json_decref(d);
    FAILS(4, "", "prfarm", "diff", "fast@7", "slow", "--dir", program_path("out"));
    FAILS(2, "write a version as in cpu@2", "prfarm", "diff", "fast@x", "slow", "--dir", program_path("out"));
}

static void boards_are_ranked_by_what_a_network_takes(void)
{
    json_t *c = RUN_JSON("compare", NET, "--dir", program_path("out"), "--json");
    const json_t *net = json_array_get(json_object_get(c, "networks"), 0), *boards = json_object_get(net, "boards");
    cr_assert_eq(json_array_size(boards), 4);
    double before = 0;
    for (size_t i = 0; i < 3; i++) {
        const json_t *b = json_array_get(boards, i);
        cr_expect_eq(number(b, "rank"), (double)i + 1);
        cr_expect(number(b, "latency_ns") >= before);
        cr_expect_eq(number(b, "covered_blocks"), number(net, "blocks"));
        cr_expect(number(b, "low_ns") <= number(b, "latency_ns") && number(b, "latency_ns") <= number(b, "high_ns"));
        before = number(b, "latency_ns");
    }
    const json_t *last = json_array_get(boards, 3);
    cr_expect_str_eq(text_of(last, "board"), "vta");
    cr_expect(json_is_null(json_object_get(last, "rank")), "it does not know all of the network");
    cr_expect(number(last, "covered_blocks") < number(net, "blocks"));
    cr_expect(number(last, "covered_macs_percent") > 99 && number(last, "covered_macs_percent") <= 100);
    size_t i;
    json_t *pair;
    bool doubted = false;
    json_array_foreach(json_object_get(net, "unsure"), i, pair)
    {
        doubted = doubted || strcmp(json_string_value(json_array_get(pair, 0)), "noisy") == 0 ||
                  strcmp(json_string_value(json_array_get(pair, 1)), "noisy") == 0;
    }
    cr_expect(doubted, "the noisy board's interval overlaps its neighbour's");
    json_decref(c);

    program_t p;
    RUN(&p, "prfarm", "compare", NET, OTHER_NET, "--model", MODEL("fast"), "--model", MODEL("slow"));
    cr_assert_eq(p.code, 0, "%s", p.err);
    const char *out = prf_text_get(&p.out);
    cr_expect_not_null(strstr(out, "board  resnet18.onnx"), "a matrix comes first: %s", out);
    cr_expect_not_null(strstr(out, "times the first"), "%s", out);
    program_release(&p);
    FAILS(4, "none.onnx", "prfarm", "compare", "none.onnx", "--model", MODEL("fast"));
}

/* One test, since the models are made once for all. */
Test(compare, models_of_boards_that_are_known_to_differ, .init = make_models, .fini = program_teardown)
{
    diff_tells_by_how_much_and_what();
    diff_is_the_same_each_time_and_turns_round();
    diff_check_is_for_scripts();
    models_of_a_run_have_names();
    boards_are_ranked_by_what_a_network_takes();
}
