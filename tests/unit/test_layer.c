// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "layer/layer.h"
#include "layer/quantity.h"

static prf_block_t block(const char *text)
{
    prf_block_t b;
    prf_error_t err = {0};
    cr_assert_eq(prf_block_parse(&b, text, &err), PRF_OK, "%s: %s", text, err.text);
    return b;
}

static void refuses(const char *text, const char *because)
{
    prf_block_t b;
    prf_error_t err = {0};
    cr_assert_neq(prf_block_parse(&b, text, &err), PRF_OK, "%s was accepted", text);
    cr_assert(strstr(err.text, because), "%s: said '%s', not '%s'", text, err.text, because);
}

Test(layer, counts_of_the_first_resnet_convolution_agree_with_hand_arithmetic)
{
    prf_block_t b = block("conv2d c=3 k=64 h=224 r=7 stride=2 pad=3");
    const prf_layer_t *l = &b.layers[0];
    prf_shape_t out = prf_layer_out_shape(l);
    cr_assert_eq(out.c, 64);
    cr_assert_eq(out.h, 112);
    cr_assert_eq(out.w, 112);
    cr_assert_eq(prf_layer_macs(l), 118013952.0);
    cr_assert_eq(prf_layer_weights(l), 9408.0);
    cr_assert_eq(prf_layer_bytes(l, PRF_F32), 4.0 * (3 * 224 * 224 + 9408 + 64 * 112 * 112));
    cr_assert_eq(prf_layer_bytes(l, PRF_I8), 3.0 * 224 * 224 + 9408 + 64 * 112 * 112);
}

Test(layer, depthwise_and_transposed_convolutions_count_their_groups)
{
    prf_block_t dw = block("dwconv2d c=32 h=112 r=3 pad=1");
    cr_assert_eq(dw.layers[0].p[PRF_P_GROUPS], 32);
    cr_assert_eq(prf_layer_macs(&dw.layers[0]), 32.0 * 112 * 112 * 9);
    prf_block_t up = block("convtranspose2d c=16 k=8 h=10 r=4 stride=2 pad=1");
    cr_assert_eq(prf_layer_out_shape(&up.layers[0]).h, 20);
    cr_assert_eq(prf_layer_macs(&up.layers[0]), 16.0 * 10 * 10 * 8 * 16);
}

Test(layer, canonical_text_reads_back_as_the_same_block)
{
    prf_block_t b = block("conv2d c=8 k=16 h=7 r=3 + activation c=16 h=5 fn=1 dtype=i8");
    char text[PRF_BLOCK_TEXT];
    prf_block_format(&b, text);
    prf_block_t again = block(text);
    cr_assert(prf_block_equal(&b, &again), "%s", text);
    cr_assert_str_eq(text, "conv2d n=1 c=8 k=16 h=7 w=7 r=3 s=3 stride=1 pad=0 dilation=1 groups=1 + activation n=1 c=16 h=5 w=5 "
                           "fn=1 dtype=i8");
}

static void reads_as(const char *text, const char *canonical)
{
    prf_block_t b = block(text);
    char got[PRF_BLOCK_TEXT];
    prf_block_format(&b, got);
    cr_assert_str_eq(got, canonical);
}

Test(layer, a_layer_behind_another_one_is_as_large_as_the_output_before_it)
{
    reads_as("fc n=8 in=64 out=10 + relu6", "fc n=8 in=64 out=10 + activation n=8 c=10 h=1 w=1 fn=1 dtype=f32");
    reads_as("conv1d c=2 k=16 w=101 f=9 + hardswish dtype=i8",
             "conv1d n=1 c=2 w=101 k=16 f=9 stride=1 pad=0 + activation n=1 c=16 h=1 w=93 fn=5 dtype=i8");
    reads_as("add c=4 h=8 w=6 + maxpool2d r=2 + relu", "add n=1 c=4 h=8 w=6 + maxpool2d n=1 c=4 h=8 w=6 r=2 s=2 stride=2 pad=0 + "
                                                       "activation n=1 c=4 h=4 w=3 fn=0 dtype=f32");
    reads_as("fc in=64 out=10 + activation c=10 h=1 fn=3", "fc n=1 in=64 out=10 + activation n=1 c=10 h=1 w=1 fn=3 dtype=f32");
    refuses("fc in=64 out=10 + activation c=10", "activation: parameter 'h' is missing");
    refuses("fc in=64 out=10 + softmax", "parameter 'features' is missing");
    refuses("fc in=64 out=10 + relu fn=3", "activation.fn is given twice");
    refuses("relu", "parameter 'c' is missing");
}

Test(layer, wrong_text_is_refused_with_what_would_be_right)
{
    refuses("", "use a layer kind");
    refuses("conv9d c=1", "unknown layer kind 'conv9d': use one of conv1d, conv2d");
    refuses("conv2d c=1", "parameter 'k' is missing");
    refuses("conv2d c=0 k=1 h=1 r=1", "conv2d.c = 0: use a value from 1 to");
    refuses("conv2d c=1 k=1 h=2 r=3", "output is empty");
    refuses("conv2d c=3 k=4 h=5 r=1 groups=2", "groups = 2 must divide");
    refuses("conv2d c=x k=4 h=5 r=1", "whole number");
    refuses("conv2d c=1 c=2 k=4 h=5 r=1", "given twice");
    refuses("fc in=1 out=1 dtype=f64", "use f32, f16, bf16 or i8");
    refuses("fc in=1 out=1 +", "use a layer kind");
}

Test(layer, quantities_that_a_machine_may_tile_follow_from_the_parameters)
{
    prf_block_t b;
    cr_assert_eq(prf_block_parse(&b, "conv2d n=2 c=8 k=20 h=30 w=20 r=3 stride=2 groups=4", NULL), PRF_OK);
    const prf_layer_t *l = &b.layers[0];
    cr_assert_eq(prf_quantity_of(l, PRF_P_K), 20);
    cr_assert_eq(prf_quantity_of(l, PRF_Q_OUT_H), 14);
    cr_assert_eq(prf_quantity_of(l, PRF_Q_OUT_W), 9);
    cr_assert_eq(prf_quantity_of(l, PRF_Q_ROWS), 2 * 14 * 9);
    cr_assert_eq(prf_quantity_of(l, PRF_Q_TERMS), 8 / 4 * 9);
    cr_assert_eq(prf_block_parse(&b, "matmul b=3 m=50 k=70 n=11", NULL), PRF_OK);
    cr_assert_eq(prf_quantity_of(&b.layers[0], PRF_Q_ROWS), 150);
    cr_assert_eq(prf_quantity_of(&b.layers[0], PRF_Q_TERMS), 70);
    cr_assert_eq(prf_block_parse(&b, "maxpool2d c=8 h=30 r=2", NULL), PRF_OK);
    cr_assert_eq(prf_quantity_of(&b.layers[0], PRF_Q_TERMS), 0, "nothing is multiplied");
    cr_assert_str_eq(prf_quantity_name(PRF_Q_ROWS), "rows");
    cr_assert_str_eq(prf_quantity_name(PRF_P_H), "h");
    cr_assert(!prf_quantity_known(PRF_PARAMS) && !prf_quantity_known(PRF_Q_END));
}
