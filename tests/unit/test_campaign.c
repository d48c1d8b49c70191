// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/campaign.h"

static const char whole[] = "campaign: all-of-it\n"
                            "seed: 7\n"
                            "boards:\n"
                            "  - kind: cpu\n"
                            "    backend: onednn\n"
                            "    options: {threads: 1, cpu: 0}\n"
                            "    workers: 2\n"
                            "  - kind: sim8\n"
                            "    backend: sim\n"
                            "layers:\n"
                            "  - kind: conv2d\n"
                            "    boards: [cpu]\n"
                            "    dtype: f32\n"
                            "    weight: 4\n"
                            "    max_macs: 2e9\n"
                            "    params:\n"
                            "      c: {from: 1, to: 512, scale: log}\n"
                            "      k: 1..512\n"
                            "      h: [28, 7, 14]\n"
                            "      w: h\n"
                            "      r: [1, 3]\n"
                            "      s: r\n"
                            "      pad: r/2\n"
                            "      stride: 2\n"
                            "    knowledge: grey\n"
                            "    steps: {c: 16}\n"
                            "    candidates: {k: [8, 16]}\n"
                            "  - kind: fc\n"
                            "    params: {in: 1..64, out: 1..64}\n"
                            "budget: {samples: 300, minutes: 1.5}\n"
                            "target_mape_percent: 2.5\n"
                            "validation: {layers: 50, repeats: 3}\n"
                            "baseline: false\n"
                            "measure: {cache: semi-cold, warmup: 1, repeats: 3..9, ci_percent: 0.5, limit_ms: 400}\n"
                            "networks: [a.onnx, b/c.onnx]\n";

Test(campaign, a_list_gives_an_option_once_for_each_entry)
{
    const char *text = "campaign: c\nboards: [{kind: py, backend: exec, options: {command: python3, arg: [board.py, --fast]}}]\n"
                       "layers: [{kind: fc, params: {in: 1..64, out: 1..64}}]\nbudget: {samples: 10}\n";
    prf_campaign_t c;
    prf_error_t err = {0};
    cr_assert_eq(prf_campaign_parse(&c, text, strlen(text), "c.yaml", &err), PRF_OK, "%s", err.text);
    cr_assert_eq(c.boards[0].option_count, 3);
    cr_expect_str_eq(c.boards[0].options[1], "arg=board.py");
    cr_expect_str_eq(c.boards[0].options[2], "arg=--fast");
    prf_campaign_release(&c);
}

Test(campaign, a_board_may_begin_with_a_model)
{
    const char *text = "campaign: c\nboards: [{kind: a, from: old/a.prfm}, {kind: b}]\n"
                       "layers: [{kind: fc, params: {in: 1..64, out: 1..64}}]\n";
    prf_campaign_t c;
    prf_error_t err = {0};
    cr_assert_eq(prf_campaign_parse(&c, text, strlen(text), "c.yaml", &err), PRF_OK, "%s", err.text);
    cr_expect_str_eq(c.boards[0].from, "old/a.prfm");
    cr_expect_null(c.boards[1].from);
    prf_campaign_release(&c);
}

Test(campaign, every_key_arrives_where_it_belongs)
{
    prf_campaign_t c;
    prf_error_t err = {0};
    cr_assert_eq(prf_campaign_parse(&c, whole, strlen(whole), "c.yaml", &err), PRF_OK, "%s", err.text);
    cr_expect_str_eq(c.name, "all-of-it");
    cr_expect_eq(c.seed, 7);
    cr_assert_eq(c.board_count, 2);
    cr_expect_str_eq(c.boards[0].kind, "cpu");
    cr_expect_str_eq(c.boards[0].backend, "onednn");
    cr_assert_eq(c.boards[0].option_count, 2);
    cr_expect_str_eq(c.boards[0].options[0], "threads=1");
    cr_expect_str_eq(c.boards[0].options[1], "cpu=0");
    cr_expect_eq(c.boards[0].workers, 2);
    cr_expect_eq(c.boards[1].workers, 1);
    cr_assert_eq(c.layer_count, 2);
    const prf_campaign_layer_t *l = &c.layers[0];
    const prf_dim_t *d = l->space.dims;
    cr_expect_eq(l->space.kind, PRF_CONV2D);
    cr_expect_eq(l->boards, 1);
    cr_expect_eq(l->weight, 4);
    cr_expect_eq(l->space.max_macs, 2e9);
    cr_expect(d[PRF_P_C].kind == PRF_DIM_RANGE && d[PRF_P_C].lo == 1 && d[PRF_P_C].hi == 512 && d[PRF_P_C].log);
    cr_expect(d[PRF_P_K].kind == PRF_DIM_RANGE && d[PRF_P_K].lo == 1 && d[PRF_P_K].hi == 512 && !d[PRF_P_K].log);
    cr_expect(d[PRF_P_H].kind == PRF_DIM_LIST && d[PRF_P_H].value_count == 3 && d[PRF_P_H].values[0] == 7);
    cr_expect(d[PRF_P_W].kind == PRF_DIM_TIED && d[PRF_P_W].source == PRF_P_H && d[PRF_P_W].divisor == 1);
    cr_expect(d[PRF_P_PAD].kind == PRF_DIM_TIED && d[PRF_P_PAD].source == PRF_P_R && d[PRF_P_PAD].divisor == 2);
    cr_expect(d[PRF_P_STRIDE].kind == PRF_DIM_RANGE && d[PRF_P_STRIDE].lo == 2 && d[PRF_P_STRIDE].hi == 2);
    cr_expect_eq(d[PRF_P_GROUPS].kind, PRF_DIM_DEFAULT);
    cr_expect_eq(l->knowledge.kind, PRF_GREY);
    cr_expect_eq(l->knowledge.width[PRF_P_C], 16);
    cr_expect_eq(l->knowledge.candidate_count[PRF_P_K], 2);
    cr_expect_eq(l->knowledge.candidates[PRF_P_K][1], 16);
    cr_expect_eq(c.layers[1].boards, 3);
    cr_expect_eq(c.layers[1].weight, 1);
    cr_expect_eq(c.layers[1].knowledge.kind, PRF_BLACK);
    cr_expect_eq(c.samples, 300);
    cr_expect_eq(c.seconds, 90);
    cr_expect_eq(c.target_mape, 2.5);
    cr_expect_eq(c.validation, 50);
    cr_expect_eq(c.repeats, 3);
    cr_expect_not(c.baseline);
    cr_expect_eq(c.protocol.cache, PRF_CACHE_SEMI_COLD);
    cr_expect_eq(c.protocol.warmup_runs, 1);
    cr_expect_eq(c.protocol.min_repeats, 3);
    cr_expect_eq(c.protocol.max_repeats, 9);
    cr_expect_eq(c.protocol.ci_percent, 0.5);
    cr_expect_eq(c.protocol.limit_ms, 400);
    cr_assert_eq(c.network_count, 2);
    cr_expect_str_eq(c.networks[1], "b/c.onnx");
    prf_digest_t digest;
    prf_digest(&digest, whole, strlen(whole));
    cr_expect_eq(prf_digest_compare(&digest, &c.digest), 0);
    prf_campaign_release(&c);
}

/* The whole file with one text replaced: the message must begin with "c.yaml:<line>: " and hold `says`. */
static void expect_refusal(const char *text, size_t len, unsigned line, const char *says)
{
    prf_campaign_t c = {.samples = 77};
    prf_error_t err = {0};
    prf_status_t status = prf_campaign_parse(&c, text, len, "c.yaml", &err);
    cr_expect(status == PRF_EINVAL || status == PRF_EPARSE, "%s -> %d", says, (int)status);
    cr_expect_eq(status, err.code);
    cr_expect_eq(c.samples, 77, "the campaign was touched");
    char begin[32];
    snprintf(begin, sizeof begin, "c.yaml:%u: ", line);
    cr_expect(strncmp(err.text, begin, strlen(begin)) == 0, "'%s' does not begin with '%s'", err.text, begin);
    cr_expect(strstr(err.text, says) != NULL, "'%s' does not hold '%s'", err.text, says);
}

static void refused(const char *from, const char *to, unsigned line, const char *says)
{
    const char *at = strstr(whole, from);
    cr_assert_not_null(at, "'%s' is not in the file", from);
    size_t cap = sizeof whole + strlen(to);
    char *text = malloc(cap);
    cr_assert_not_null(text);
    snprintf(text, cap, "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
    expect_refusal(text, strlen(text), line, says);
    free(text);
}

Test(campaign, a_range_must_lie_in_its_limits_and_rise)
{
    refused("k: 1..512", "k: 0..512", 18, "conv2d.k: 0..512 starts below 1");
    refused("k: 1..512", "k: 1..99999999", 18, "ends above 1048576");
    refused("k: 1..512", "k: 512..1", 18, "conv2d.k: 512..1 is upside down: write 1..512");
    refused("k: 1..512", "k: 1..", 18, "use a range (1..64), a list");
    refused("k: 1..512", "k: 1...5", 18, "use a range");
    refused("k: 1..512", "k: x y", 18, "use a range");
    refused("k: 1..512", "k: 99999999999999999999", 18, "use a range");
    refused("k: 1..512", "k:", 18, "conv2d.k is empty");
    refused("k: 1..512", "kk: 1..512", 18, "conv2d has no parameter 'kk': use n, c, k, h");
    refused("      k: 1..512\n", "", 16, "conv2d.k is missing");
    refused("k: 1..512", "k: {from: 5, to: 4}", 18, "upside down");
    refused("k: 1..512", "k: {from: 5, to: 9, scale: cubic}", 18, "use linear or log");
    refused("k: 1..512", "k: {from: 5}", 18, "needs both ends");
    refused("k: 1..512", "k: {from: 5, to: 6, step: 2}", 18, "has no 'step': use from, to, scale");
    refused("pad: r/2", "pad: {from: 0, to: 4, scale: log}", 23, "logarithmic range starts at 1");
}

Test(campaign, a_list_holds_different_whole_numbers)
{
    refused("[28, 7, 14]", "[28, 7, 28]", 19, "28 is listed twice");
    refused("[28, 7, 14]", "[]", 19, "a list of 0 values");
    refused("[28, 7, 14]", "[1, b]", 19, "use whole numbers in a list");
    refused("[28, 7, 14]", "[1, 0]", 19, "starts below 1");
    refused("[28, 7, 14]", "[1, [2]]", 19, "is a list: give a single value");
    refused("[28, 7, 14]", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33]", 19,
            "give 1 to 32");
}

Test(campaign, a_tie_leads_to_a_parameter_with_values)
{
    refused("w: h", "w: w", 20, "is itself");
    refused("pad: r/2", "pad: s/2", 23, "follows another one");
    refused("pad: r/2", "pad: r/0", 23, "divide by a whole number");
    refused("pad: r/2", "pad: zz/2", 23, "no parameter 'zz'");
    refused("      r: [1, 3]\n", "      r: s\n", 21, "follows another one");
}

Test(campaign, knowledge_says_what_it_means)
{
    refused("knowledge: grey", "knowledge: blue", 25, "use white, grey or black");
    refused("knowledge: grey", "knowledge: black", 26, "black knowledge has no steps");
    refused("knowledge: grey", "knowledge: white", 27, "white knowledge has no candidates");
    refused("    knowledge: grey\n", "", 25, "black knowledge has no steps");
    refused("steps: {c: 16}", "steps: {c: 0}", 26, "use a whole number from 1");
    refused("steps: {c: 16}", "steps: {w: 16}", 26, "has no step");
    refused("steps: {c: 16}", "steps: {stride: 16}", 26, "has no step");
    refused("steps: {c: 16}", "steps: {k: 16}", 27, "given under steps already");
    refused("candidates: {k: [8, 16]}", "candidates: {k: [8, 8]}", 27, "listed twice");
    refused("candidates: {k: [8, 16]}", "candidates: {k: []}", 27, "give 1 to 16");
    refused("candidates: {k: [8, 16]}", "candidates: {k: 8}", 27, "is a single value: give a list");
}

Test(campaign, boards_and_layers_fit_together)
{
    refused("boards: [cpu]", "boards: [gpu]", 12, "there is no board 'gpu'");
    refused("boards: [cpu]", "boards: []", 12, "a layer needs a board");
    refused("kind: sim8", "kind: cpu", 8, "given twice");
    refused("kind: sim8", "kind: ../x", 8, "letters, digits");
    refused("  - kind: fc\n    params: {in: 1..64, out: 1..64}\n", "", 8, "board 'sim8' has no layers");
    refused("kind: fc\n    params: {in: 1..64, out: 1..64}", "kind: conv2d\n    params: {c: 1, k: 1, h: 3, r: 1}", 28,
            "conv2d f32 is given twice for the same board");
    refused("workers: 2", "workers: 0", 7, "from 1 to 256");
    refused("workers: 2", "from: []", 7, "from");
    refused("workers: 2", "from: ''", 7, "from: 0 characters");
    refused("kind: fc", "kind: fcc", 28, "fcc");
    refused("dtype: f32", "dtype: f33", 13, "use f32, f16, bf16 or i8");
    refused("weight: 4", "weight: 0", 14, "from 1 to 1000");
    refused("max_macs: 2e9", "max_macs: 2", 16, "conv2d");
    refused("options: {threads: 1, cpu: 0}", "options: [1]", 6, "is a list: give a mapping");
    refused("options: {threads: 1, cpu: 0}", "options: {arg: [a, [b]]}", 6, "an option's value");
    refused("options: {threads: 1, cpu: 0}", "options: {a=b: 1}", 6, "use letters, digits");
    refused("options: {threads: 1, cpu: 0}", "options: {a: \"x\\ny\"}", 6, "control character");
}

Test(campaign, the_rest_is_checked_too)
{
    refused("seed: 7", "seed: -1", 2, "from 0");
    refused("seed: 7", "sead: 7", 2, "a campaign has no 'sead': use campaign, seed, boards");
    refused("seed: 7", "seed: 7\nseed: 7", 3, "'seed' is given twice");
    refused("campaign: all-of-it", "campaign: a b", 1, "letters, digits");
    refused("campaign: all-of-it\n", "", 1, "'campaign' is missing");
    refused("minutes: 1.5", "minutes: 0", 30, "budget.minutes");
    refused("minutes: 1.5", "minutes: 1, seconds: 5", 30, "keep one of them");
    refused("samples: 300", "samples: 3e2", 30, "use a whole number");
    refused("target_mape_percent: 2.5", "target_mape_percent: 101", 31, "from 0 to 100");
    refused("repeats: 3}", "repeats: 17}", 32, "from 1 to 16");
    refused("baseline: false", "baseline: no", 33, "use true or false");
    refused("cache: semi-cold", "cache: hot", 34, "use warm or semi-cold");
    refused("repeats: 3..9", "repeats: 9..3", 34, "least..most");
    refused("ci_percent: 0.5", "ci_percent: 0", 34, "from 0.01 to 100");
    refused("limit_ms: 400", "limit_ms: 0", 34, "from 1 to 600000");
    refused("[a.onnx, b/c.onnx]", "[a.onnx, a.onnx]", 35, "listed twice");
    refused("[a.onnx, b/c.onnx]", "a.onnx", 35, "is a single value: give a list");
}

Test(campaign, empty_foreign_and_enormous_files_are_refused)
{
    expect_refusal("", 0, 1, "the file is empty");
    expect_refusal("# nothing\n", 10, 1, "the file is empty");
    expect_refusal("hello", 5, 1, "is a single value: give a mapping");
    expect_refusal("- a\n- b\n", 8, 1, "is a list: give a mapping");
    expect_refusal("\x7f"
                   "ELF\2\1\1\0",
                   8, 1, "right file");
    size_t len = PRF_CAMPAIGN_BYTES + 1;
    char *enormous = malloc(len);
    cr_assert_not_null(enormous);
    memset(enormous, '#', len);
    prf_campaign_t c;
    prf_error_t err = {0};
    cr_expect_eq(prf_campaign_parse(&c, enormous, len, "c.yaml", &err), PRF_EINVAL);
    cr_expect_not_null(strstr(err.text, "may have 262144"), "%s", err.text);
    free(enormous);
}

Test(campaign, too_many_boards_are_refused)
{
    char text[8192];
    size_t used = (size_t)snprintf(text, sizeof text, "campaign: x\nboards:\n");
    for (int i = 0; i < 33; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "  - kind: b%d\n", i);
    expect_refusal(text, used, 3, "give 1 to 32");
}

/* Cut anywhere, a file is refused or read; it never brings the reader down (the sanitizers watch). */
Test(campaign, a_file_cut_anywhere_is_survived)
{
    for (size_t len = 0; len < sizeof whole; len++) {
        prf_campaign_t c;
        prf_error_t err = {0};
        if (prf_campaign_parse(&c, whole, len, "c.yaml", &err) == PRF_OK)
            prf_campaign_release(&c);
        else
            cr_expect(strncmp(err.text, "c.yaml:", 7) == 0, "%zu bytes: %s", len, err.text);
    }
}

Test(campaign, the_examples_are_right)
{
    static const char *const names[] = {"quickstart", "simulated", "energy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/docs/examples/%s.yaml", PRF_SOURCE_DIR, names[i]);
        prf_campaign_t c;
        prf_error_t err = {0};
        char *text = NULL;
        cr_assert_eq(prf_campaign_load(&c, path, &text, &err), PRF_OK, "%s", err.text);
        cr_expect_str_eq(c.name, names[i]);
        cr_expect_geq(c.network_count, 1);
        free(text);
        prf_campaign_release(&c);
    }
}
