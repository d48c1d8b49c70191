// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "network/network.h"
#include "onnx_builder.h"
#include "tiny_model.h"

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
    } examples[] = {{"resnet18", 1814073344},        {"mobilenetv2", 300774272}, {"mobilenetv1", 568740352},
                    {"squeezenet", 387358720},       {"vgg11", 1871876096},      {"tcresnet8", 1563264},
                    {"transformer_block", 109051904}};
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

Test(network, blocks_that_repeat_earlier_ones_are_known_and_estimated_alike)
{
    prf_network_t net;
    prf_network_estimate_t whole;
    prf_error_t err = {0};
    size_t len, repeats = 0;
    prf_model_t *model = NULL;
    void *bytes = tiny_model("toy", 1, &len, NULL);
    cr_assert_eq(prf_model_decode(&model, bytes, len, &err), PRF_OK, "%s", err.text);
    free(bytes);
    cr_assert_eq(prf_network_load(&net, PRF_SOURCE_DIR "/docs/examples/networks/transformer_block.onnx", PRF_F32, 1, &err), PRF_OK,
                 "%s", err.text);
    cr_assert_eq(prf_network_estimate(&whole, model, &net, &err), PRF_OK, "%s", err.text);
    cr_assert_gt(whole.covered, 0);
    for (size_t i = 0; i < net.block_count; i++) {
        prf_estimate_t alone;
        uint32_t of = net.blocks[i].repeats;
        repeats += of != 0;
        cr_assert(of <= i && (!of || prf_block_equal(&net.blocks[i].block, &net.blocks[of - 1].block)), "block %zu", i);
        bool known = prf_model_estimate(model, &net.blocks[i].block, NULL, &alone, NULL) == PRF_OK;
        cr_assert(known ? whole.blocks[i].latency_ns == alone.latency_ns : isnan(whole.blocks[i].latency_ns), "block %zu", i);
    }
    cr_assert_gt(repeats, 0);
    prf_network_estimate_release(&whole);
    prf_network_release(&net);
    prf_model_destroy(&model);
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

static void begin(onnx_builder_t *b, int c, int h)
{
    onnx_begin(b, 13);
    onnx_input(b, "x", 1, c, h, h, 0);
}

Test(network, an_open_batch_becomes_the_batch_asked_for)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input_symbol(&b, "x", "batch", 3, 8, 8, 0);
    onnx_weight(&b, "w", 4, 3, 1, 1, 0);
    onnx_node(&b, "Conv", "x w", "y");
    prf_network_t net = read_network(&b, 7);
    block_is(&net, 0, "conv2d n=7 c=3 k=4 h=8 r=1");
    prf_network_release(&net);
    onnx_begin(&b, 13);
    onnx_input_symbol(&b, "x", "batch", 3, -1, 8, 0);
    onnx_node(&b, "Relu", "x", "y");
    refuses(&b, PRF_EINVAL, "input 'x': dimension 2 is dynamic, and only the first one, the batch, may be");
}

Test(network, shapes_that_the_graph_computes_are_computed)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input_symbol(&b, "x", "n", 8, 6, 6, 0);
    onnx_ints(&b, "first", 1, (int64_t)0);
    onnx_ints(&b, "two", 1, (int64_t)2);
    onnx_ints(&b, "rest", 1, (int64_t)-1);
    onnx_ints(&b, "one", 1, (int64_t)1);
    onnx_ints(&b, "end", 1, (int64_t)INT64_MAX);
    onnx_weight(&b, "w", 144, 5, 0);
    onnx_node(&b, "Shape", "x", "shape");
    onnx_node(&b, "Gather", "shape first", "batch");
    onnx_node(&b, "Mul", "batch two", "double");
    onnx_node(&b, "Concat", "double rest", "target");
    onnx_attr(&b, "axis", 0);
    onnx_node(&b, "Reshape", "x target", "flat"); /* n*2 x 144 */
    onnx_node(&b, "MatMul", "flat w", "y");
    onnx_node(&b, "Slice", "shape one end", "space"); /* 8 6 6 */
    onnx_node(&b, "Cast", "space", "cast");
    onnx_attr(&b, "to", 7);
    onnx_node(&b, "ReduceProd", "cast", "volume");
    onnx_attr(&b, "keepdims", 0);
    onnx_node(&b, "Unsqueeze", "volume first", "inner");
    onnx_node(&b, "Div", "inner two", "half");
    onnx_node(&b, "Concat", "rest half", "again");
    onnx_attr(&b, "axis", 0);
    onnx_node(&b, "Reshape", "x again", "halves"); /* n*2 x 144 */
    onnx_node(&b, "MatMul", "halves w", "z");
    prf_network_t net = read_network(&b, 3);
    block_is(&net, 0, "fc n=6 in=144 out=5");
    block_is(&net, 1, "fc n=6 in=144 out=5");
    cr_assert_eq(net.block_count, 2);
    cr_assert_null(note_of(&net, "Gather"), "what is computed before the network runs leaves no note");
    prf_network_release(&net);
}

/* Builds conv -> f, where `text` holds nodes as "Op inputs -> output;". The convolution's output is c. */
static void activation_is(const char *text, prf_activation_t fn, bool exact)
{
    onnx_builder_t b;
    begin(&b, 4, 8);
    onnx_weight(&b, "w", 4, 4, 1, 1, 0);
    onnx_real(&b, "k", 3);
    onnx_real(&b, "six", 6);
    onnx_real(&b, "zero", 0);
    onnx_node(&b, "Conv", "x w", "c");
    char copy[512], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *line = strtok_r(copy, ";", &rest); line; line = strtok_r(NULL, ";", &rest)) {
        char op[32], inputs[64], output[32];
        cr_assert_eq(sscanf(line, " %31s %63[^>]> %31s", op, inputs, output), 3, "%s", line);
        inputs[strlen(inputs) - 1] = '\0';
        onnx_node(&b, op, inputs, output);
    }
    prf_network_t net = read_network(&b, 1);
    cr_assert_eq(net.block_count, 1, "%s", text);
    const prf_block_t *block = &net.blocks[0].block;
    cr_assert_eq(block->count, 2, "%s", text);
    cr_assert_eq(block->layers[1].p[PRF_P_FN], (int)fn, "%s: %s", text,
                 prf_activation_name((prf_activation_t)block->layers[1].p[PRF_P_FN]));
    cr_assert_eq(strstr(net.notes[0].treatment, "taken as") == NULL, exact, "%s: %s", text, net.notes[0].treatment);
    prf_network_release(&net);
}

Test(network, activations_are_recognised_however_they_are_written)
{
    activation_is("Relu c > y", PRF_FN_RELU, true);
    activation_is("Clip c zero six > y", PRF_FN_RELU6, true);
    activation_is("LeakyRelu c > y", PRF_FN_RELU, false);
    activation_is("Elu c > y", PRF_FN_SIGMOID, false);
    activation_is("Sigmoid c > s; Mul c s > y", PRF_FN_SWISH, true);
    activation_is("Mul c k > m; Sigmoid m > s; Mul s c > y", PRF_FN_SWISH, true);
    activation_is("HardSigmoid c > s; Mul c s > y", PRF_FN_HARDSWISH, true);
    activation_is("Add c k > a; Clip a zero six > b; Mul c b > d; Div d six > y", PRF_FN_HARDSWISH, true);
    activation_is("Add c k > a; Clip a zero six > b; Div b six > y", PRF_FN_HARDSIGMOID, true);
    activation_is("Div c k > a; Erf a > b; Add b k > d; Mul c d > e; Mul e k > y", PRF_FN_GELU, true);
    activation_is("Pow c k > a; Mul a k > b; Add c b > d; Mul d k > e; Tanh e > f; Add f k > g; Mul c g > h; Mul h k > y",
                  PRF_FN_GELU, true);
}

Test(network, a_layer_norm_written_as_single_operators_is_one_layer)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 2, 10, 64, 0);
    onnx_real(&b, "two", 2);
    onnx_real(&b, "eps", 1e-5);
    onnx_weight(&b, "w", 64, 0);
    onnx_node(&b, "ReduceMean", "x", "m");
    onnx_attr_ints(&b, "axes", 1, -1);
    onnx_node(&b, "Sub", "x m", "d");
    onnx_node(&b, "Pow", "d two", "p");
    onnx_node(&b, "ReduceMean", "p", "v");
    onnx_attr_ints(&b, "axes", 1, -1);
    onnx_node(&b, "Add", "v eps", "e");
    onnx_node(&b, "Sqrt", "e", "s");
    onnx_node(&b, "Div", "d s", "q");
    onnx_node(&b, "Mul", "q w", "g");
    onnx_node(&b, "Add", "g w", "n");
    onnx_node(&b, "Add", "n x", "y");
    prf_network_t net = read_network(&b, 1);
    block_is(&net, 0, "layernorm n=20 features=64");
    block_is(&net, 1, "add n=2 c=10 h=1 w=64");
    cr_assert_eq(net.block_count, 2);
    prf_network_release(&net);
}

Test(network, windows_that_one_stride_and_padding_cannot_describe_keep_output_and_macs)
{
    onnx_builder_t b;
    begin(&b, 4, 15);
    onnx_weight(&b, "w", 8, 4, 3, 5, 0);
    onnx_node(&b, "Conv", "x w", "a");
    onnx_attr_ints(&b, "strides", 2, 2, 1);
    onnx_attr_ints(&b, "pads", 4, 0, 1, 1, 2); /* out 7 x 14 */
    onnx_node(&b, "Conv", "x w", "b");
    onnx_attr_text(&b, "auto_pad", "SAME_UPPER");
    onnx_attr_ints(&b, "strides", 2, 2, 2); /* out 8 x 8 */
    onnx_node(&b, "MaxPool", "x", "c");
    onnx_attr_ints(&b, "kernel_shape", 2, 2, 2);
    onnx_attr_ints(&b, "strides", 2, 2, 2);
    onnx_attr(&b, "ceil_mode", 1); /* out 8 x 8 */
    prf_network_t net = read_network(&b, 1);
    static const int64_t outs[][2] = {{7, 14}, {8, 8}, {8, 8}};
    for (size_t i = 0; i < 3; i++) {
        prf_shape_t out = prf_layer_out_shape(&net.blocks[i].block.layers[0]);
        cr_assert_eq(out.h, outs[i][0], "block %zu", i);
        cr_assert_eq(out.w, outs[i][1], "block %zu", i);
    }
    cr_assert_eq(net.total_macs, 8.0 * (7 * 14 + 8 * 8) * 4 * 15);
    cr_assert_not_null(note_of(&net, "Conv"), "the simplification is told");
    cr_assert_not(note_of(&net, "Conv")->unknown);
    prf_network_release(&net);
}

Test(network, convolutions_in_one_dimension)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 16, 100, 0);
    onnx_weight(&b, "w", 24, 16, 9, 0);
    onnx_weight(&b, "d", 24, 1, 3, 0);
    onnx_node(&b, "Conv", "x w", "a");
    onnx_attr_ints(&b, "pads", 2, 4, 4);
    onnx_attr_ints(&b, "strides", 1, 2);
    onnx_node(&b, "Conv", "x w", "b");
    onnx_attr_ints(&b, "dilations", 1, 2);
    onnx_node(&b, "Conv", "a d", "c");
    onnx_attr(&b, "group", 24);
    onnx_node(&b, "GlobalAveragePool", "c", "g");
    prf_network_t net = read_network(&b, 1);
    block_is(&net, 0, "conv1d c=16 k=24 w=100 f=9 stride=2 pad=4");
    block_is(&net, 1, "conv2d c=16 k=24 h=1 w=100 r=1 s=9 dilation=2");
    block_is(&net, 2, "dwconv2d c=24 h=1 w=50 r=1 s=3");
    block_is(&net, 3, "avgpool2d c=24 h=1 w=48 r=1 s=48");
    prf_network_release(&net);
}

Test(network, products_with_constants_are_fully_connected_layers)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 2, 10, 64, 0);
    onnx_weight(&b, "w", 64, 32, 0);
    onnx_weight(&b, "bias", 32, 0);
    onnx_weight(&b, "table", 10, 32, 0);
    onnx_node(&b, "MatMul", "x w", "f");
    onnx_node(&b, "Add", "f bias", "g");
    onnx_node(&b, "Add", "g table", "h"); /* as large as its rows: no bias */
    onnx_node(&b, "Transpose", "h", "t");
    onnx_attr_ints(&b, "perm", 3, 0, 2, 1);
    onnx_node(&b, "MatMul", "h t", "s");
    onnx_node(&b, "Softmax", "s", "p");
    prf_network_t net = read_network(&b, 1);
    block_is(&net, 0, "fc n=20 in=64 out=32");
    block_is(&net, 1, "add n=2 c=10 h=1 w=32");
    block_is(&net, 2, "matmul b=2 m=10 n=10 k=32");
    block_is(&net, 3, "softmax n=20 features=10");
    cr_assert_eq(net.total_macs, 20.0 * 64 * 32 + 2 * 10 * 10 * 32);
    prf_network_release(&net);
}

Test(network, transposed_convolutions_keep_their_input)
{
    onnx_builder_t b;
    begin(&b, 16, 10);
    onnx_weight(&b, "w", 16, 8, 4, 4, 0);
    onnx_node(&b, "ConvTranspose", "x w", "y");
    onnx_attr_ints(&b, "strides", 2, 2, 2);
    onnx_attr_ints(&b, "pads", 4, 1, 1, 1, 1);
    onnx_node(&b, "Relu", "y", "z");
    prf_network_t net = read_network(&b, 1);
    block_is(&net, 0, "convtranspose2d c=16 k=8 h=10 r=4 stride=2 pad=1 + activation c=8 h=20 fn=0");
    prf_network_release(&net);
}

Test(network, before_opset_13_softmax_takes_everything_from_its_axis)
{
    for (int64_t opset = 11; opset <= 13; opset += 2) {
        onnx_builder_t b;
        onnx_begin(&b, opset);
        onnx_input(&b, "x", 4, 3, 5, 0);
        onnx_node(&b, "Softmax", "x", "y");
        prf_network_t net = read_network(&b, 1);
        block_is(&net, 0, opset == 11 ? "softmax n=4 features=15" : "softmax n=12 features=5");
        prf_network_release(&net);
    }
}

Test(network, what_is_not_known_is_listed_and_does_not_stop_the_rest)
{
    onnx_builder_t b;
    begin(&b, 4, 8);
    onnx_weight(&b, "w", 4, 4, 1, 1, 0);
    onnx_weight(&b, "v", 4, 4, 3, 3, 3, 0);
    onnx_ints(&b, "solid", 5, (int64_t)1, (int64_t)4, (int64_t)4, (int64_t)4, (int64_t)4);
    onnx_node(&b, "LRN", "x", "l");
    onnx_node(&b, "Conv", "l w", "c");
    onnx_node(&b, "FancyNorm", "c", "f");
    onnx_node(&b, "Conv", "f w", "lost");
    onnx_node(&b, "Concat", "c c", "j");
    onnx_node(&b, "Reshape", "x solid", "s");
    onnx_node(&b, "Conv", "s v", "solidconv");
    prf_network_t net = read_network(&b, 1);
    cr_assert_eq(net.block_count, 1);
    block_is(&net, 0, "conv2d c=4 k=4 h=8 r=1");
    cr_assert_str_eq(note_of(&net, "FancyNorm")->treatment, "unknown: left out of the total");
    cr_assert(note_of(&net, "FancyNorm")->unknown);
    cr_assert(note_of(&net, "LRN")->unknown);
    cr_assert_str_eq(note_of(&net, "Conv")->treatment, "its shape is not known: left out of the total");
    cr_assert_not(note_of(&net, "Concat")->unknown);
    cr_assert(strstr(net.notes[net.note_count - 1].treatment, "no layer kind has 3 spatial dimensions"));
    prf_network_release(&net);
}

Test(network, shapes_that_contradict_each_other_are_refused)
{
    onnx_builder_t b;
    begin(&b, 4, 8);
    onnx_weight(&b, "w", 8, 5, 3, 3, 0);
    onnx_node(&b, "Conv", "x w", "y");
    refuses(&b, PRF_EINVAL, "node 'y' (Conv): its input has 4 channels, its weights are for 5");
    begin(&b, 4, 8);
    onnx_weight(&b, "w", 8, 4, 9, 9, 0);
    onnx_node(&b, "Conv", "x w", "y");
    refuses(&b, PRF_EINVAL, "its kernel reaches over 9 values, but its padded input has 8");
    begin(&b, 4, 8);
    onnx_weight(&b, "w", 9, 2, 3, 3, 0);
    onnx_node(&b, "Conv", "x w", "y");
    onnx_attr(&b, "group", 2);
    refuses(&b, PRF_EINVAL, "group = 2 must divide");
    begin(&b, 4, 8);
    onnx_weight(&b, "w", 5, 0);
    onnx_node(&b, "Add", "x w", "y");
    refuses(&b, PRF_EINVAL, "its inputs do not fit: 8 against 5 in 'w'");
    begin(&b, 4, 8);
    onnx_weight(&b, "w", 9, 3, 0);
    onnx_node(&b, "MatMul", "x w", "y");
    refuses(&b, PRF_EINVAL, "multiplies 8 columns by 9 rows");
    begin(&b, 4, 8);
    onnx_ints(&b, "s", 2, (int64_t)7, (int64_t)-1);
    onnx_node(&b, "Reshape", "x s", "y");
    refuses(&b, PRF_EINVAL, "256 values do not fit the target shape");
    begin(&b, 4, 8);
    onnx_weight(&b, "w", 1, 4, 7, 7, 0);
    onnx_node(&b, "Concat", "x w", "y");
    refuses(&b, PRF_EINVAL, "'w' does not fit the first input: only axis 1 may differ");
    begin(&b, 4, 8);
    onnx_node(&b, "Transpose", "x", "y");
    onnx_attr_ints(&b, "perm", 4, 0, 1, 1, 3);
    refuses(&b, PRF_EINVAL, "perm must hold each axis once");
    begin(&b, 4, 8);
    onnx_node(&b, "Conv", "x", "y");
    refuses(&b, PRF_EINVAL, "its input 1 is missing");
}

Test(network, batch_and_data_type_are_checked)
{
    prf_network_t net;
    prf_error_t err = {0};
    cr_assert_eq(prf_network_decode(&net, "", 0, "net", PRF_F32, 0, &err), PRF_EINVAL);
    cr_assert(strstr(err.text, "batch = 0: use 1 to 65536"), "%s", err.text);
    cr_assert_eq(prf_network_decode(&net, "", 0, "net", (prf_dtype_t)99, 1, &err), PRF_EINVAL);
}

/* ---- edges ---- */

/* "-1; 0; 0 1": what each block reads. */
static void edges_are(const prf_network_t *net, const char *wanted)
{
    char got[1024] = "";
    size_t edge = 0;
    for (size_t b = 0; b < net->block_count; b++) {
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s", b ? ";" : "");
        for (; edge < net->edge_count && (size_t)net->edges[edge].to == b; edge++)
            snprintf(got + strlen(got), sizeof got - strlen(got), " %d", net->edges[edge].from);
    }
    cr_expect_eq(edge, net->edge_count);
    cr_expect_str_eq(got, wanted);
}

static prf_network_t example(const char *name)
{
    char path[4096];
    prf_network_t net;
    prf_error_t err = {0};
    snprintf(path, sizeof path, "%s/docs/examples/networks/%s.onnx", PRF_SOURCE_DIR, name);
    cr_assert_eq(prf_network_load(&net, path, PRF_F32, 1, &err), PRF_OK, "%s", err.text);
    return net;
}

Test(network, edges_tell_of_shortcuts_heads_and_what_a_layer_norm_in_pieces_reads)
{
    prf_network_t net = example("tcresnet8");
    edges_are(&net, " -1; 0; 1; 0; 2 3; 4; 5; 4; 6 7; 8; 9; 8; 10 11; 12; 13");
    prf_network_release(&net);
    net = example("transformer_block");
    edges_are(&net, " -1; 0; 0; 1 2; 3; 0; 4 5; 6; -1 7; 8; 9; 10; 8 11");
    prf_network_release(&net);
}

Test(network, what_is_concatenated_is_read_by_the_next_block_in_its_order)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 4, 8, 8, 0);
    onnx_weight(&b, "w", 4, 4, 1, 1, 0);
    onnx_weight(&b, "v", 4, 12, 1, 1, 0);
    onnx_node(&b, "Conv", "x w", "p");
    onnx_node(&b, "Conv", "p w", "q");
    onnx_node(&b, "Identity", "q", "r");
    onnx_node(&b, "Concat", "r p r", "s");
    onnx_attr(&b, "axis", 1);
    onnx_node(&b, "Conv", "s v", "y");
    prf_network_t net = read_network(&b, 1);
    edges_are(&net, " -1; 0; 1 0 1");
    prf_network_release(&net);
}

Test(network, a_sum_of_three_is_two_additions_one_behind_the_other)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 4, 8, 8, 0);
    onnx_weight(&b, "w", 4, 4, 1, 1, 0);
    onnx_node(&b, "Conv", "x w", "p");
    onnx_node(&b, "Conv", "p w", "q");
    onnx_node(&b, "Sum", "x p q", "s");
    onnx_node(&b, "Conv", "s w", "y");
    prf_network_t net = read_network(&b, 1);
    edges_are(&net, " -1; 0; -1 0; 2 1; 3");
    prf_network_release(&net);
}

Test(network, an_addition_of_what_was_joined_before_has_no_edges_since_they_could_not_say_it)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 4, 8, 8, 0);
    onnx_weight(&b, "w", 4, 4, 1, 1, 0);
    onnx_weight(&b, "v", 8, 4, 1, 1, 0);
    onnx_node(&b, "Conv", "x w", "p");
    onnx_node(&b, "Conv", "x w", "q");
    onnx_node(&b, "Conv", "x v", "r");
    onnx_node(&b, "Concat", "p q", "s");
    onnx_attr(&b, "axis", 1);
    onnx_node(&b, "Add", "s r", "y");
    prf_network_t net = read_network(&b, 1);
    cr_expect_eq(net.block_count, 4);
    cr_expect_null(net.edges);
    cr_expect_eq(net.edge_count, 0);
    prf_network_release(&net);
}

/* Each concatenation doubles what there is to read. */
Test(network, concatenations_of_concatenations_end_at_a_limit)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 1, 1, 1, 0);
    onnx_weight(&b, "w", 1, 1, 1, 1, 0);
    onnx_node(&b, "Conv", "x w", "c0");
    for (int i = 0; i < 16; i++) {
        char in[32], out[16];
        snprintf(in, sizeof in, "c%d c%d", i, i);
        snprintf(out, sizeof out, "c%d", i + 1);
        onnx_node(&b, "Concat", in, out);
        onnx_attr(&b, "axis", 1);
    }
    onnx_node(&b, "Relu", "c16", "y");
    prf_network_t net = read_network(&b, 1);
    cr_expect_eq(net.block_count, 2);
    cr_expect_eq(net.edge_count, 0);
    prf_network_release(&net);
}
