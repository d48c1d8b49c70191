// SPDX-License-Identifier: Apache-2.0
/* Networks of the years when shapes were most varied, built layer by layer: what each is known for must come through. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network/network.h"
#include "onnx_builder.h"

enum { NAMES = 2048 };

typedef struct {
    onnx_builder_t b;
    char names[NAMES][16];
    int used;
} maker_t;

static maker_t maker;

static char *fresh(void)
{
    cr_assert_lt(maker.used, NAMES);
    snprintf(maker.names[maker.used], sizeof maker.names[0], "v%d", maker.used);
    return maker.names[maker.used++];
}

static void begin(int c, int h)
{
    maker.used = 0;
    onnx_begin(&maker.b, 13);
    onnx_input(&maker.b, "x", 1, c, h, h, 0);
}

static const char *node(const char *op, const char *inputs)
{
    char *out = fresh();
    onnx_node(&maker.b, op, inputs, out);
    return out;
}

static const char *pair(const char *op, const char *a, const char *b)
{
    char inputs[40];
    snprintf(inputs, sizeof inputs, "%s %s", a, b);
    return node(op, inputs);
}

static const char *conv(const char *x, int c, int k, int r, int s, int stride, int group)
{
    char *w = fresh();
    onnx_weight(&maker.b, w, k, c / group, r, s, 0);
    const char *y = pair("Conv", x, w);
    onnx_attr_ints(&maker.b, "pads", 4, r / 2, s / 2, r / 2, s / 2);
    onnx_attr_ints(&maker.b, "strides", 2, stride, stride);
    onnx_attr(&maker.b, "group", group);
    return y;
}

static const char *norm(const char *x, int c)
{
    char *p = fresh(), inputs[80];
    onnx_weight(&maker.b, p, c, 0);
    snprintf(inputs, sizeof inputs, "%s %s %s %s %s", x, p, p, p, p);
    return node("BatchNormalization", inputs);
}

static const char *relu(const char *x)
{
    return node("Relu", x);
}

static const char *concat(const char *a, const char *b)
{
    const char *y = pair("Concat", a, b);
    onnx_attr(&maker.b, "axis", 1);
    return y;
}

static const char *pool(const char *op, const char *x, int size, int stride, int pad)
{
    const char *y = node(op, x);
    onnx_attr_ints(&maker.b, "kernel_shape", 2, size, size);
    onnx_attr_ints(&maker.b, "strides", 2, stride, stride);
    onnx_attr_ints(&maker.b, "pads", 4, pad, pad, pad, pad);
    return y;
}

static const char *gemm(const char *x, int in, int out)
{
    char *w = fresh();
    onnx_weight(&maker.b, w, out, in, 0);
    const char *y = pair("Gemm", x, w);
    onnx_attr(&maker.b, "transB", 1);
    return y;
}

static prf_network_t finish(void)
{
    size_t len;
    char *bytes = onnx_end(&maker.b, &len);
    prf_network_t net;
    prf_error_t err = {0};
    cr_assert_eq(prf_network_decode(&net, bytes, len, "net", PRF_F32, 1, &err), PRF_OK, "%s", err.text);
    free(bytes);
    for (size_t i = 0; i < net.note_count; i++)
        cr_assert_not(net.notes[i].unknown, "%s: %s", net.notes[i].op, net.notes[i].treatment);
    return net;
}

static size_t count_kind(const prf_network_t *net, prf_layer_kind_t kind)
{
    size_t count = 0;
    for (size_t i = 0; i < net->block_count; i++)
        count += net->blocks[i].block.layers[0].kind == kind;
    return count;
}

Test(classics, vgg16)
{
    static const int widths[] = {64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0};
    begin(3, 224);
    const char *x = "x";
    int c = 3;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        x = widths[i] ? relu(conv(x, c, widths[i], 3, 3, 1, 1)) : pool("MaxPool", x, 2, 2, 0);
        c = widths[i] ? widths[i] : c;
    }
    x = node("Flatten", x);
    x = relu(gemm(x, 25088, 4096));
    x = node("Dropout", relu(gemm(x, 4096, 4096)));
    gemm(x, 4096, 1000);
    prf_network_t net = finish();
    cr_assert_eq(net.total_macs, 15470264320.0, "%.0f", net.total_macs);
    cr_assert_eq(net.block_count, 13u + 5 + 3);
    prf_network_release(&net);
}

/* Batch norm before the convolution, and inputs that grow by concatenation. */
Test(classics, densenet121)
{
    static const int layers[] = {6, 12, 24, 16};
    begin(3, 224);
    const char *x = pool("MaxPool", relu(norm(conv("x", 3, 64, 7, 7, 2, 1), 64)), 3, 2, 1);
    int c = 64;
    for (int block = 0; block < 4; block++) {
        for (int i = 0; i < layers[block]; i++, c += 32) {
            const char *y = conv(relu(norm(x, c)), c, 128, 1, 1, 1, 1);
            x = concat(x, conv(relu(norm(y, 128)), 128, 32, 3, 3, 1, 1));
        }
        if (block == 3)
            break;
        x = pool("AveragePool", conv(relu(norm(x, c)), c, c / 2, 1, 1, 1, 1), 2, 2, 0);
        c /= 2;
    }
    x = node("GlobalAveragePool", relu(norm(x, c)));
    gemm(node("Flatten", x), 1024, 1000);
    prf_network_t net = finish();
    cr_assert_eq(net.total_macs, 2834161664.0, "%.0f", net.total_macs);
    /* A norm behind a convolution is folded into it; the one before a layer, behind a concatenation, is a pass of its own. */
    cr_assert_eq(count_kind(&net, PRF_ACTIVATION), 58u + 3 + 1);
    cr_assert_eq(count_kind(&net, PRF_CONV2D), 120u);
    prf_network_release(&net);
}

/* Kernels of 1x7 and 7x1, padded along one axis only: Inception v3 at 17x17, 128 channels inside. */
Test(classics, inception_module_with_seven_by_one_kernels)
{
    begin(768, 17);
    const char *a = relu(norm(conv("x", 768, 192, 1, 1, 1, 1), 192));
    const char *b = relu(norm(conv("x", 768, 128, 1, 1, 1, 1), 128));
    b = relu(norm(conv(b, 128, 128, 1, 7, 1, 1), 128));
    b = relu(norm(conv(b, 128, 192, 7, 1, 1, 1), 192));
    const char *c = pool("AveragePool", "x", 3, 1, 1);
    c = relu(norm(conv(c, 768, 192, 1, 1, 1, 1), 192));
    concat(concat(a, b), c);
    prf_network_t net = finish();
    cr_assert_eq(net.total_macs, 289.0 * (768 * 192 + 768 * 128 + 7 * 128 * 128 + 7 * 128 * 192 + 768 * 192));
    const prf_layer_t *wide = &net.blocks[2].block.layers[0];
    cr_assert_eq(wide->p[PRF_P_R], 1);
    cr_assert_eq(wide->p[PRF_P_S], 7);
    cr_assert_eq(wide->p[PRF_P_PAD], 0);
    cr_assert_eq(wide->p[PRF_P_H], 17);
    cr_assert_eq(wide->p[PRF_P_W], 23, "its input is described with the padding added");
    cr_assert_eq(prf_layer_out_shape(wide).w, 17);
    cr_assert_eq(net.block_count, 6);
    prf_network_release(&net);
}

/* Channels split, shuffled by two reshapes around a transposition, and joined: ShuffleNet v2 at 28x28, 116 channels. */
Test(classics, shufflenet_unit)
{
    begin(116, 28);
    onnx_ints(&maker.b, "halves", 2, (int64_t)58, (int64_t)58);
    onnx_ints(&maker.b, "groups", 5, (int64_t)1, (int64_t)2, (int64_t)58, (int64_t)28, (int64_t)28);
    onnx_ints(&maker.b, "flat", 4, (int64_t)1, (int64_t)-1, (int64_t)28, (int64_t)28);
    onnx_node(&maker.b, "Split", "x halves", "left right");
    onnx_attr(&maker.b, "axis", 1);
    const char *y = relu(norm(conv("right", 58, 58, 1, 1, 1, 1), 58));
    y = norm(conv(y, 58, 58, 3, 3, 1, 58), 58);
    y = relu(norm(conv(y, 58, 58, 1, 1, 1, 1), 58));
    y = pair("Reshape", concat("left", y), "groups");
    y = node("Transpose", y);
    onnx_attr_ints(&maker.b, "perm", 5, 0, 2, 1, 3, 4);
    y = pair("Reshape", y, "flat");
    conv(y, 116, 116, 1, 1, 1, 2);
    prf_network_t net = finish();
    cr_assert_eq(net.total_macs, 784.0 * (2 * 58 * 58 + 9 * 58 + 116 * 58));
    cr_assert_eq(net.block_count, 4);
    cr_assert_eq(count_kind(&net, PRF_DWCONV2D), 1u);
    cr_assert_eq(net.blocks[3].block.layers[0].p[PRF_P_GROUPS], 2);
    prf_network_release(&net);
}

/* A gate from pooled features multiplies every channel: EfficientNet and MobileNet v3. */
Test(classics, squeeze_and_excitation_with_swish)
{
    begin(32, 16);
    const char *y = norm(conv("x", 32, 96, 1, 1, 1, 1), 96);
    y = pair("Mul", y, node("Sigmoid", y));
    const char *gate = node("GlobalAveragePool", y);
    gate = conv(gate, 96, 8, 1, 1, 1, 1);
    gate = pair("Mul", gate, node("HardSigmoid", gate));
    gate = node("Sigmoid", conv(gate, 8, 96, 1, 1, 1, 1));
    conv(pair("Mul", y, gate), 96, 32, 1, 1, 1, 1);
    prf_network_t net = finish();
    cr_assert_eq(net.block_count, 6);
    static const prf_layer_kind_t kinds[] = {PRF_CONV2D, PRF_AVGPOOL2D, PRF_CONV2D, PRF_CONV2D, PRF_ADD, PRF_CONV2D};
    static const int fns[] = {PRF_FN_SWISH, -1, PRF_FN_HARDSWISH, PRF_FN_SIGMOID, -1, -1};
    for (size_t i = 0; i < 6; i++) {
        const prf_block_t *b = &net.blocks[i].block;
        cr_assert_eq(b->layers[0].kind, kinds[i], "block %zu", i);
        cr_assert_eq(b->count > 1 ? b->layers[1].p[PRF_P_FN] : -1, fns[i], "block %zu", i);
    }
    prf_network_release(&net);
}
