// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "network/network.h"
#include "onnx_builder.h"

static prf_network_t read_network(onnx_builder_t *b, uint32_t batch)
{
    size_t len;
    char *bytes = onnx_end(b, &len);
    prf_network_t net;
    prf_error_t err = {0};
    cr_assert_eq(prf_network_decode(&net, bytes, len, "net", PRF_F32, batch, &err), PRF_OK, "%s", err.text);
    free(bytes);
    return net;
}

static void block_is(const prf_network_t *net, size_t i, const char *text)
{
    cr_assert_lt(i, net->block_count);
    prf_block_t wanted;
    char got[PRF_BLOCK_TEXT];
    prf_error_t err = {0};
    cr_assert_eq(prf_block_parse(&wanted, text, &err), PRF_OK, "%s: %s", text, err.text);
    prf_block_format(&net->blocks[i].block, got);
    cr_assert(prf_block_equal(&net->blocks[i].block, &wanted), "block %zu is '%s', not '%s'", i, got, text);
}

static void refuses(onnx_builder_t *b, prf_status_t code, const char *because)
{
    size_t len;
    char *bytes = onnx_end(b, &len);
    prf_network_t net;
    prf_error_t err = {0};
    prf_status_t status = prf_network_decode(&net, bytes, len, "net", PRF_F32, 1, &err);
    free(bytes);
    cr_assert_eq(status, code, "said %s: %s", prf_status_name(status), err.text);
    cr_assert(strstr(err.text, because), "said '%s', not '%s'", err.text, because);
}

static const prf_network_note_t *note_of(const prf_network_t *net, const char *op)
{
    for (size_t i = 0; i < net->note_count; i++)
        if (strcmp(net->notes[i].op, op) == 0)
            return &net->notes[i];
    return NULL;
}

/* Real networks, where the maintainers' shared data lie beside the source tree. */
static void shared_network(const char *file, double macs)
{
    const char *shared = getenv("PRF_SHARED");
    char path[4096];
    snprintf(path, sizeof path, "%s/data/onnx/%s", shared ? shared : PRF_SOURCE_DIR "/../shared", file);
    if (access(path, R_OK) != 0)
        cr_skip_test("SKIPPED: %s is not there; set PRF_SHARED", path);
    prf_network_t net;
    prf_error_t err = {0};
    cr_assert_eq(prf_network_load(&net, path, PRF_F32, 1, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(net.total_macs, macs, "%s: %.0f MACs, not %.0f", file, net.total_macs, macs);
    prf_network_release(&net);
}

Test(network, alexnet_has_the_macs_that_onnx_says)
{
    shared_network("light_bvlc_alexnet.onnx", 654560384);
}

Test(network, resnet50_has_the_macs_that_onnx_says)
{
    shared_network("light_resnet50.onnx", 4089184256);
}

Test(network, squeezenet_has_the_macs_that_onnx_says)
{
    shared_network("light_squeezenet.onnx", 349151936);
}

/* The numbers are those that docs/examples/networks/make_networks.py prints: from ONNX's own shape inference. */
Test(network, the_example_networks_have_the_macs_that_onnx_says)
{
    static const struct {
        const char *file;
        double macs;
    } examples[] = {{"resnet18", 1814073344}, {"mobilenetv2", 300774272}, {"tcresnet8", 1563264}, {"transformer_block", 109051904}};
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/docs/examples/networks/%s.onnx", PRF_SOURCE_DIR, examples[i].file);
        prf_network_t net;
        prf_error_t err = {0};
        cr_assert_eq(prf_network_load(&net, path, PRF_F32, 1, &err), PRF_OK, "%s", err.text);
        cr_assert_eq(net.total_macs, examples[i].macs, "%s: %.0f MACs", examples[i].file, net.total_macs);
        cr_assert_str_eq(net.name, examples[i].file);
        for (size_t j = 0; j < net.note_count; j++)
            cr_assert_not(net.notes[j].unknown, "%s: %s is unknown", examples[i].file, net.notes[j].op);
        prf_network_release(&net);
        cr_assert_eq(prf_network_load(&net, path, PRF_I8, 4, &err), PRF_OK, "%s", err.text);
        cr_assert_eq(net.total_macs, 4 * examples[i].macs, "%s: the batch is left open", examples[i].file);
        cr_assert_eq(net.blocks[0].block.dtype, PRF_I8);
        prf_network_release(&net);
    }
}

Test(network, convolution_norm_and_relu_become_one_block)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 3, 32, 32, 0);
    onnx_weight(&b, "w", 8, 3, 3, 3, 0);
    onnx_weight(&b, "s", 8, 0);
    onnx_node(&b, "Conv", "x w", "c");
    onnx_attr_ints(&b, "pads", 4, 1, 1, 1, 1);
    onnx_node(&b, "BatchNormalization", "c s s s s", "n");
    onnx_node(&b, "Relu", "n", "y");
    onnx_output(&b, "y");
    prf_network_t net = read_network(&b, 1);
    cr_assert_eq(net.block_count, 1);
    block_is(&net, 0, "conv2d c=3 k=8 h=32 r=3 pad=1 + activation c=8 h=32 fn=0");
    cr_assert_str_eq(net.blocks[0].name, "c");
    cr_assert_eq(net.total_macs, 8.0 * 32 * 32 * 27);
    cr_assert_str_eq(note_of(&net, "BatchNormalization")->treatment, "folded into 'c'");
    cr_assert_not(note_of(&net, "Relu")->unknown);
    prf_network_release(&net);
}

Test(network, a_value_used_twice_is_not_folded_away)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 4, 8, 8, 0);
    onnx_weight(&b, "w", 4, 4, 1, 1, 0);
    onnx_node(&b, "Conv", "x w", "c");
    onnx_node(&b, "Relu", "c", "r");
    onnx_node(&b, "Add", "c r", "a");
    onnx_node(&b, "Conv", "a w", "d");
    onnx_node(&b, "Relu", "d", "e");
    onnx_node(&b, "Conv", "e w", "f");
    onnx_node(&b, "Add", "e f", "y");
    prf_network_t net = read_network(&b, 1);
    /* c + relu(c) is computed from c alone: one pass. e is needed by two, yet its convolution and relu are one block. */
    block_is(&net, 0, "conv2d c=4 k=4 h=8 r=1 + activation c=4 h=8 fn=0");
    block_is(&net, 1, "conv2d c=4 k=4 h=8 r=1 + activation c=4 h=8 fn=0");
    block_is(&net, 2, "conv2d c=4 k=4 h=8 r=1");
    block_is(&net, 3, "add c=4 h=8");
    cr_assert_eq(net.block_count, 4);
    prf_network_release(&net);
}

Test(network, a_cycle_a_missing_input_and_a_second_maker_are_refused)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 4, 8, 8, 0);
    onnx_node(&b, "Add", "x q", "p");
    onnx_node(&b, "Relu", "p", "q");
    refuses(&b, PRF_EINVAL, "the graph has a cycle");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 4, 8, 8, 0);
    onnx_node(&b, "Add", "x ghost", "p");
    refuses(&b, PRF_EINVAL, "'ghost' is made by nobody");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 4, 8, 8, 0);
    onnx_node(&b, "Relu", "x", "p");
    onnx_node(&b, "Relu", "x", "p");
    refuses(&b, PRF_EINVAL, "'p' has a maker already");
}
