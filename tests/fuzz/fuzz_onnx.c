// SPDX-License-Identifier: Apache-2.0
/* fuzz_onnx.c - the whole way of an ONNX file from a stranger: decoding, order, shapes, constants, folding into blocks. Each
 * block that comes out is one that a coordinator would take. */
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "network/network.h"
#include "tests/support/onnx_builder.h"

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    prf_network_t net;
    prf_error_t err;
    if (prf_network_decode(&net, bytes, len, "input", PRF_F32, 1, &err))
        return false;
    MUST(isfinite(net.total_macs) && net.total_macs >= 0, "%g MACs", net.total_macs);
    for (size_t i = 0; i < net.block_count; i++) {
        char text[PRF_BLOCK_TEXT];
        MUST(prf_block_check(&net.blocks[i].block, &err) == PRF_OK, "%s", err.text);
        MUST(prf_block_format(&net.blocks[i].block, text) < sizeof text, "%s", text);
    }
    prf_network_release(&net);
    return true;
}

static void add_network(onnx_builder_t *b, fuzz_add_fn add, void *arg)
{
    size_t len;
    char *bytes = onnx_end(b, &len);
    add(arg, bytes, len);
    free(bytes);
}

/* Convolutions with all that folds into them, pools, a product: small, so that every byte matters. */
static void add_layers(fuzz_add_fn add, void *arg)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input_symbol(&b, "x", "batch", 3, 32, 32, 0);
    onnx_weight(&b, "w", 8, 3, 3, 3, 0);
    onnx_weight(&b, "s", 8, 0);
    onnx_weight(&b, "v", 8, 8, 2, 2, 0);
    onnx_weight(&b, "f", 10, 8, 0);
    onnx_node(&b, "Conv", "x w s", "c");
    onnx_attr_ints(&b, "pads", 4, 1, 1, 1, 1);
    onnx_attr_ints(&b, "strides", 2, 2, 2);
    onnx_node(&b, "BatchNormalization", "c s s s s", "n");
    onnx_node(&b, "Relu", "n", "r");
    onnx_node(&b, "MaxPool", "r", "m");
    onnx_attr_ints(&b, "kernel_shape", 2, 2, 2);
    onnx_attr_text(&b, "auto_pad", "SAME_UPPER");
    onnx_node(&b, "ConvTranspose", "m v", "t");
    onnx_attr(&b, "group", 1);
    onnx_node(&b, "GlobalAveragePool", "t", "g");
    onnx_node(&b, "Flatten", "g", "l");
    onnx_node(&b, "Gemm", "l f", "y");
    onnx_attr(&b, "transB", 1);
    onnx_node(&b, "Softmax", "y", "z");
    onnx_output(&b, "z");
    add_network(&b, add, arg);
}

/* Shapes that are computed, as exporters do around a reshape, and everything that moves data. */
static void add_moves(fuzz_add_fn add, void *arg)
{
    onnx_builder_t b;
    onnx_begin(&b, 17);
    onnx_input(&b, "x", 1, 4, 6, 6, 0);
    onnx_ints(&b, "zero", 1, (int64_t)0);
    onnx_ints(&b, "one", 1, (int64_t)1);
    onnx_ints(&b, "minus", 1, (int64_t)-1);
    onnx_ints(&b, "halves", 2, (int64_t)2, (int64_t)2);
    onnx_ints(&b, "pads", 8, (int64_t)0, (int64_t)0, (int64_t)1, (int64_t)1, (int64_t)0, (int64_t)0, (int64_t)1, (int64_t)1);
    onnx_ints(&b, "times", 4, (int64_t)1, (int64_t)2, (int64_t)1, (int64_t)1);
    onnx_real(&b, "eps", 1e-5);
    onnx_node(&b, "Shape", "x", "shape");
    onnx_node(&b, "Gather", "shape zero", "first");
    onnx_node(&b, "Concat", "first minus", "flat");
    onnx_attr(&b, "axis", 0);
    onnx_node(&b, "Split", "x halves", "left right");
    onnx_attr(&b, "axis", 1);
    onnx_node(&b, "Add", "left right", "sum");
    onnx_node(&b, "Transpose", "sum", "turned");
    onnx_attr_ints(&b, "perm", 4, 0, 2, 3, 1);
    onnx_node(&b, "Pad", "x pads", "padded");
    onnx_node(&b, "Tile", "padded times", "tiled");
    onnx_node(&b, "Slice", "tiled zero one one", "cut");
    onnx_node(&b, "Squeeze", "cut one", "squeezed");
    onnx_node(&b, "Unsqueeze", "squeezed one", "back");
    onnx_node(&b, "Reshape", "turned flat", "row");
    onnx_node(&b, "ReduceMean", "row", "mean");
    onnx_attr_ints(&b, "axes", 1, 1);
    onnx_node(&b, "Sub", "row mean", "centred");
    onnx_node(&b, "Mul", "centred centred", "square");
    onnx_node(&b, "ReduceMean", "square", "variance");
    onnx_attr_ints(&b, "axes", 1, 1);
    onnx_node(&b, "Add", "variance eps", "safe");
    onnx_node(&b, "Sqrt", "safe", "root");
    onnx_node(&b, "Div", "centred root", "normal");
    onnx_node(&b, "Erf", "normal", "e");
    onnx_node(&b, "Mul", "normal e", "y");
    onnx_output(&b, "y");
    add_network(&b, add, arg);
}

/* Constants that are folded, into a shape at the end. */
static void add_constants(fuzz_add_fn add, void *arg)
{
    static const char *const binary[] = {"Add", "Sub", "Mul", "Div", "Mod", "Pow", "Max", "Min", "Equal", "Less", "And"};
    static const char *const unary[] = {"Neg", "Abs", "Sign", "Not", "Identity", "Cast", "Sqrt", "Floor", "Shape", "Size"};
    static const char *const reduce[] = {"ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum"};
    onnx_builder_t b;
    char name[16];
    onnx_begin(&b, 11);
    onnx_input(&b, "x", 2, 6, 8, 0);
    onnx_ints(&b, "a", 2, (int64_t)12, (int64_t)8);
    onnx_ints(&b, "b", 2, (int64_t)3, (int64_t)2);
    onnx_ints(&b, "i", 1, (int64_t)0);
    onnx_ints(&b, "e", 1, (int64_t)2);
    onnx_real(&b, "r", 2.5);
    for (size_t k = 0; k < sizeof binary / sizeof *binary; k++) {
        snprintf(name, sizeof name, "p%zu", k);
        onnx_node(&b, binary[k], "a b", name);
    }
    for (size_t k = 0; k < sizeof unary / sizeof *unary; k++) {
        snprintf(name, sizeof name, "q%zu", k);
        onnx_node(&b, unary[k], k % 2 ? "a" : "r", name);
        onnx_attr(&b, "to", 7);
    }
    for (size_t k = 0; k < sizeof reduce / sizeof *reduce; k++) {
        snprintf(name, sizeof name, "s%zu", k);
        onnx_node(&b, reduce[k], "a", name);
        onnx_attr(&b, "keepdims", (int64_t)k % 2);
    }
    onnx_node(&b, "Where", "p8 a b", "w");
    onnx_node(&b, "Gather", "a i", "g");
    onnx_node(&b, "Slice", "a i e", "c");
    onnx_node(&b, "Expand", "g e", "v");
    onnx_node(&b, "ConstantOfShape", "e", "f");
    onnx_node(&b, "Range", "i e e", "n");
    onnx_node(&b, "Concat", "g p0", "k");
    onnx_attr(&b, "axis", 0);
    onnx_node(&b, "Reshape", "x a", "y");
    onnx_node(&b, "Relu", "y", "z");
    onnx_output(&b, "z");
    add_network(&b, add, arg);
}

/* What the others leave out. */
static void add_rest(fuzz_add_fn add, void *arg)
{
    onnx_builder_t b;
    onnx_begin(&b, 18);
    onnx_input(&b, "x", 2, 8, 8, 8, 0);
    onnx_weight(&b, "w", 8, 1, 3, 3, 0);
    onnx_weight(&b, "s", 8, 0);
    onnx_weight(&b, "q", 2, 8, 8, 4, 0);
    onnx_ints(&b, "size", 4, (int64_t)2, (int64_t)8, (int64_t)16, (int64_t)16);
    onnx_ints(&b, "axes", 1, (int64_t)-1);
    onnx_real(&b, "zero", 0);
    onnx_node(&b, "Conv", "x w", "d");
    onnx_attr(&b, "group", 8);
    onnx_attr_ints(&b, "dilations", 2, 2, 2);
    onnx_node(&b, "Clip", "d zero -", "c");
    onnx_node(&b, "AveragePool", "c", "p");
    onnx_attr_ints(&b, "kernel_shape", 2, 2, 2);
    onnx_attr_ints(&b, "strides", 2, 2, 2);
    onnx_attr(&b, "ceil_mode", 1);
    onnx_node(&b, "GroupNormalization", "p s s", "g");
    onnx_attr(&b, "num_groups", 4);
    onnx_node(&b, "InstanceNormalization", "g s s", "i");
    onnx_node(&b, "LayerNormalization", "x s s", "l");
    onnx_node(&b, "MatMul", "l q", "m");
    onnx_node(&b, "ReduceSum", "m axes", "r");
    onnx_node(&b, "ArgMax", "m", "a");
    onnx_node(&b, "DepthToSpace", "x", "t");
    onnx_attr(&b, "blocksize", 2);
    onnx_node(&b, "SpaceToDepth", "t", "u");
    onnx_attr(&b, "blocksize", 2);
    onnx_node(&b, "Resize", "u - - size", "z");
    onnx_node(&b, "HardSwish", "z", "h");
    onnx_node(&b, "PRelu", "h zero", "k");
    onnx_node(&b, "Sigmoid", "k", "o");
    onnx_node(&b, "Mul", "o k", "v");
    onnx_node(&b, "Unheard", "v", "n");
    onnx_output(&b, "n");
    onnx_output(&b, "r");
    add_network(&b, add, arg);
}

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    add_layers(add, arg);
    add_moves(add, arg);
    add_constants(add, arg);
    add_rest(add, arg);
}
