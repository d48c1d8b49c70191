// SPDX-License-Identifier: Apache-2.0
/* prfarm init: every file that it can write is one that prfarm takes, and the layers that it derives from networks are those of the
 * networks. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "campaign/campaign.h"
#include "network/network.h"
#include "onnx_builder.h"
#include "tests/support/program.h"
#include "tests/support/screen.h"

TestSuite(init, .init = program_setup, .fini = program_teardown);

#define NETWORKS PRF_SOURCE_DIR "/docs/examples/networks/"

static void load(prf_campaign_t *campaign, const char *path)
{
    prf_error_t err;
    cr_assert_eq(prf_campaign_load(campaign, path, NULL, &err), PRF_OK, "%s", err.text);
}

/* All boards by all sorts of layers: what a board cannot run at all is refused, everything else is a campaign. */
Test(init, every_combination_is_a_campaign)
{
    static const char *const boards[] = {"cpu",       "cpu:2",    "sim:ultratrail", "sim:systolic", "sim:vta",
                                         "sim:ferry", "sim:ncs2", "sim:zcu102",     "exec:cat",     "exec:python3 board.py --fast"};
    static const char *const layers[][2] = {{"--layers", "cnn"},
                                            {"--layers", "transformer"},
                                            {"--network", NETWORKS "mobilenetv2.onnx"},
                                            {"--network", NETWORKS "transformer_block.onnx"},
                                            {"--network", NETWORKS "tcresnet8.onnx"}};
    const char *file = program_path("campaign.yaml");
    size_t written = 0;
    for (size_t b = 0; b < sizeof boards / sizeof *boards; b++) {
        for (size_t l = 0; l < sizeof layers / sizeof *layers; l++) {
            program_t p;
            prf_campaign_t campaign;
            RUN(&p, "prfarm", "init", file, "--force", "--board", boards[b], "--board", "sim:zcu102", layers[l][0], layers[l][1],
                "--dtype", l % 2 ? "f32" : "i8");
            cr_assert(p.code == 0 || p.code == 6, "%s, %s: %s", boards[b], layers[l][1], p.err);
            cr_expect(p.code == 0 || strstr(p.err, "can run no"), "%s", p.err);
            if (p.code == 0) {
                load(&campaign, file);
                cr_expect_eq(campaign.board_count, 2);
                written++;
                prf_campaign_release(&campaign);
            }
            program_release(&p);
        }
    }
    cr_expect(written >= 46, "only %zu of the combinations can be", written);
}

/* The ranges contain every layer of the networks that a board can run. */
static void expect_covered(const prf_campaign_t *campaign, const char *path)
{
    prf_network_t network;
    prf_error_t err;
    cr_assert_eq(prf_network_load(&network, path, PRF_F32, 1, &err), PRF_OK, "%s", err.text);
    for (size_t i = 0; i < network.block_count; i++) {
        const prf_layer_t *lead = &network.blocks[i].block.layers[0];
        bool covered = false;
        for (size_t k = 0; k < campaign->layer_count; k++)
            covered = covered || prf_space_contains(&campaign->layers[k].space, lead);
        char text[PRF_BLOCK_TEXT];
        prf_layer_format(lead, text, sizeof text);
        cr_expect(covered, "%s: %s is outside of what is measured", path, text);
    }
    prf_network_release(&network);
}

Test(init, layers_derived_from_networks_cover_them)
{
    static const char *const networks[] = {
        NETWORKS "mobilenetv1.onnx", NETWORKS "mobilenetv2.onnx",       NETWORKS "resnet18.onnx", NETWORKS "squeezenet.onnx",
        NETWORKS "tcresnet8.onnx",   NETWORKS "transformer_block.onnx", NETWORKS "vgg11.onnx"};
    enum { COUNT = sizeof networks / sizeof *networks };
    prf_campaign_t campaign;
    for (size_t i = 0; i < COUNT; i++) {
        json_decref(
            RUN_JSON("init", program_path("one.yaml"), "--force", "--board", "sim:zcu102", "--network", networks[i], "--json"));
        load(&campaign, program_path("one.yaml"));
        expect_covered(&campaign, networks[i]);
        cr_expect_eq(campaign.network_count, 1);
        prf_campaign_release(&campaign);
    }
    const char *words[2 * COUNT + 7] = {"prfarm", "init", program_path("all.yaml"), "--board", "cpu", "--json"};
    for (size_t i = 0; i < COUNT; i++) {
        words[6 + 2 * i] = "--network";
        words[7 + 2 * i] = networks[i];
    }
    json_decref(program_json(words));
    load(&campaign, program_path("all.yaml"));
    for (size_t i = 0; i < COUNT; i++)
        expect_covered(&campaign, networks[i]);
    prf_campaign_release(&campaign);
}

Test(init, what_it_writes_is_carried_out)
{
    json_t *told = RUN_JSON("init", program_path("small.yaml"), "--board", "sim:vta", "--board", "sim:ultratrail", "--network",
                            NETWORKS "tcresnet8.onnx", "--network", NETWORKS "squeezenet.onnx", "--budget", "60", "--json");
    cr_expect_str_eq(json_string_value(json_object_get(told, "campaign")), "small");
    cr_expect_eq(json_array_size(json_object_get(told, "assumed")), 0);
    json_decref(told);
    json_t *summary = RUN_JSON("run", program_path("small.yaml"), "--out", program_path("small"), "--json");
    cr_expect_eq(json_array_size(json_object_get(summary, "boards")), 2);
    cr_expect(json_array_size(json_object_get(summary, "networks")) >= 2);
    json_decref(summary);
    cr_expect_eq(access(program_path("small/models/vta.prfm"), R_OK), 0);
    cr_expect_eq(access(program_path("small/models/ultratrail.prfm"), R_OK), 0);
}

Test(init, without_a_terminal_it_says_what_it_assumed)
{
    program_t p;
    RUN(&p, "prfarm", "init", program_path("a.yaml"));
    cr_assert_eq(p.code, 0, "%s", p.err);
    cr_expect_not_null(strstr(p.err, "assumed: the board is this machine's processor (--board cpu)"), "%s", p.err);
    cr_expect_not_null(strstr(p.err, "assumed: the layers are those of convolutional networks"), "%s", p.err);
    cr_expect_not_null(strstr(p.err, "assumed: at most 800 layers a board (--budget)"), "%s", p.err);
    cr_expect_not_null(strstr(p.err, "assumed: at most 5 minutes (--minutes)"), "%s", p.err);
    program_release(&p);
}

/* Nobody is to find out after an hour of measuring that a part of his network was never meant. */
Test(init, operators_that_are_in_no_layer_are_said)
{
    onnx_builder_t b;
    size_t len;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 4, 8, 8, 0);
    onnx_weight(&b, "w", 4, 4, 3, 3, 0);
    onnx_node(&b, "Conv", "x w", "c");
    onnx_node(&b, "FancyNorm", "c", "f");
    onnx_node(&b, "Conv", "f w", "lost");
    onnx_output(&b, "lost");
    char *onnx = onnx_end(&b, &len);
    const char *net = program_path("fancy.onnx");
    cr_assert_eq(prf_file_write(net, onnx, len, NULL), PRF_OK);
    free(onnx);
    program_t p;
    RUN(&p, "prfarm", "init", program_path("fancy.yaml"), "--board", "sim:zcu102", "--network", net, "--yes");
    cr_assert_eq(p.code, 0, "%s", p.err);
    cr_expect_not_null(strstr(p.err, "2 operators are in no layer and in no estimate: FancyNorm, Conv"), "%s", p.err);
    program_release(&p);
}

Test(init, what_cannot_be_is_said_and_nothing_is_replaced)
{
    const char *file = program_file("kept.yaml", "mine");
    FAILS(4, "kept.yaml exists: name another file, or replace it with --force", "prfarm", "init", file, "--board", "cpu");
    FAILS(2, "did you mean zcu102", "prfarm", "init", program_path("b.yaml"), "--board", "sim:zcu120");
    FAILS(2, "'gpu' is no board: use cpu", "prfarm", "init", program_path("b.yaml"), "--board", "gpu");
    FAILS(2, "cpu:0: use a number of threads", "prfarm", "init", program_path("b.yaml"), "--board", "cpu:0");
    FAILS(4, "there is no such program", "prfarm", "init", program_path("b.yaml"), "--board", "exec:./none here");
    FAILS(4, "there is no such file", "prfarm", "init", program_path("b.yaml"), "--board", "plugin:none.so");
    FAILS(2, "use cnn or transformer", "prfarm", "init", program_path("b.yaml"), "--layers", "rnn");
    FAILS(4, "none.onnx", "prfarm", "init", program_path("b.yaml"), "--network", "none.onnx");
    FAILS(2, "from 8 to 1000000", "prfarm", "init", program_path("b.yaml"), "--budget", "7");
    FAILS(6, "board ultratrail can run no layer", "prfarm", "init", program_path("b.yaml"), "--board", "sim:ultratrail",
          "--network", NETWORKS "vgg11.onnx");
    cr_expect_neq(access(program_path("b.yaml"), F_OK), 0, "a file was written although it could not be");
    char *text;
    size_t len;
    cr_assert_eq(prf_file_read(file, 100, &text, &len, NULL), PRF_OK);
    cr_expect_str_eq(text, "mine");
    free(text);
}

/* A person at a terminal: a slip is told and asked for again, Enter takes what is offered. */
Test(init, a_person_is_asked)
{
    screen_t s;
    const char *file = program_path("asked.yaml");
    screen_start(&s, 40, 150, NULL, (const char *const[]){"prfarm", "init", file, NULL});
    screen_await(&s, "Which boards?");
    screen_type(&s, "sim:vat\n");
    screen_await(&s, "did you mean vta");
    screen_type(&s, "sim:vta , exec:true\n");
    screen_await(&s, "Which layers?");
    screen_type(&s, NETWORKS "squeezenet.onnx\n");
    screen_await(&s, "How many layers may be measured");
    screen_type(&s, "many\n");
    screen_await(&s, "use a number from 8 to");
    screen_type(&s, "90\n");
    screen_await(&s, "How many minutes");
    screen_type(&s, "\n");
    screen_await(&s, "carry it out with");
    cr_expect_eq(screen_finish(&s), 0);
    screen_release(&s);
    prf_campaign_t campaign;
    load(&campaign, file);
    cr_expect_eq(campaign.samples, 90);
    cr_expect_eq(campaign.seconds, 300);
    cr_assert_eq(campaign.board_count, 2);
    cr_expect_str_eq(campaign.boards[1].kind, "true");
    prf_campaign_release(&campaign);
}
