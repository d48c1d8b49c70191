// SPDX-License-Identifier: Apache-2.0
/* ops.c - the table of operators, and the walk over the graph that gives every value its shape. One pass in running order is
 * enough: a node's inputs are finished before it. */
#include "network/ops.h"

#include <stdlib.h>
#include <string.h>

#define FUNCTION(name, fn, exact)                                                                                                  \
    {                                                                                                                              \
        name, ROLE_FUNCTION, fn, exact, 1, prf_infer_same, prf_fold_unary                                                          \
    }
#define BINARY(name)                                                                                                               \
    {                                                                                                                              \
        name, ROLE_BINARY, PRF_FN_RELU, true, 2, prf_infer_broadcast, prf_fold_binary                                              \
    }
#define COMBINE(name, inputs)                                                                                                      \
    {                                                                                                                              \
        name, ROLE_COMBINE, PRF_FN_RELU, false, inputs, prf_infer_broadcast, prf_fold_binary                                       \
    }
#define OTHER(name, role, inputs, infer, fold)                                                                                     \
    {                                                                                                                              \
        name, role, PRF_FN_RELU, true, inputs, infer, fold                                                                         \
    }

/* Sorted by name, for a binary search. Functions that the layer kinds do not have are taken as the nearest in cost: those that
 * only compare and multiply as relu, those that need an exponential as sigmoid. */
static const op_t table[] = {
    FUNCTION("Abs", PRF_FN_RELU, false),
    BINARY("Add"),
    COMBINE("And", 2),
    OTHER("ArgMax", ROLE_UNKNOWN, 1, prf_infer_arg, NULL),
    OTHER("ArgMin", ROLE_UNKNOWN, 1, prf_infer_arg, NULL),
    OTHER("AveragePool", ROLE_AVGPOOL, 1, prf_infer_pool, NULL),
    OTHER("BatchNormalization", ROLE_AFFINE, 5, prf_infer_norm, NULL),
    OTHER("Cast", ROLE_PASS, 1, prf_infer_same, prf_fold_cast),
    FUNCTION("Ceil", PRF_FN_RELU, false),
    FUNCTION("Celu", PRF_FN_SIGMOID, false),
    FUNCTION("Clip", PRF_FN_RELU6, true),
    OTHER("Concat", ROLE_MOVE, 1, prf_infer_concat, prf_fold_concat),
    OTHER("Constant", ROLE_VIEW, 0, prf_infer_constant, NULL),
    OTHER("ConstantOfShape", ROLE_VIEW, 1, prf_infer_constant_of_shape, NULL),
    OTHER("Conv", ROLE_CONV, 2, prf_infer_conv, NULL),
    OTHER("ConvTranspose", ROLE_CONVTRANSPOSE, 2, prf_infer_convtranspose, NULL),
    FUNCTION("Cos", PRF_FN_SIGMOID, false),
    OTHER("CumSum", ROLE_UNKNOWN, 2, prf_infer_same, NULL),
    OTHER("DepthToSpace", ROLE_MOVE, 1, prf_infer_depth, NULL),
    OTHER("DequantizeLinear", ROLE_PASS, 2, prf_infer_same, NULL),
    BINARY("Div"),
    OTHER("Dropout", ROLE_PASS, 1, prf_infer_same, NULL),
    FUNCTION("Elu", PRF_FN_SIGMOID, false),
    COMBINE("Equal", 2),
    FUNCTION("Erf", PRF_FN_GELU, false),
    FUNCTION("Exp", PRF_FN_SIGMOID, false),
    OTHER("Expand", ROLE_MOVE, 2, prf_infer_expand, prf_fold_expand),
    OTHER("Flatten", ROLE_VIEW, 1, prf_infer_flatten, prf_fold_copy),
    FUNCTION("Floor", PRF_FN_RELU, false),
    OTHER("Gather", ROLE_MOVE, 2, prf_infer_gather, prf_fold_gather),
    FUNCTION("Gelu", PRF_FN_GELU, true),
    OTHER("Gemm", ROLE_GEMM, 2, prf_infer_product, NULL),
    OTHER("GlobalAveragePool", ROLE_AVGREDUCE, 1, prf_infer_global, NULL),
    OTHER("GlobalMaxPool", ROLE_MAXREDUCE, 1, prf_infer_global, NULL),
    COMBINE("Greater", 2),
    COMBINE("GreaterOrEqual", 2),
    OTHER("GroupNormalization", ROLE_GROUPNORM, 3, prf_infer_norm, NULL),
    FUNCTION("HardSigmoid", PRF_FN_HARDSIGMOID, true),
    FUNCTION("HardSwish", PRF_FN_HARDSWISH, true),
    OTHER("Identity", ROLE_PASS, 1, prf_infer_same, prf_fold_copy),
    OTHER("InstanceNormalization", ROLE_GROUPNORM, 3, prf_infer_norm, NULL),
    OTHER("LRN", ROLE_UNKNOWN, 1, prf_infer_same, NULL),
    OTHER("LayerNormalization", ROLE_LAYERNORM, 2, prf_infer_same, NULL),
    FUNCTION("LeakyRelu", PRF_FN_RELU, false),
    COMBINE("Less", 2),
    COMBINE("LessOrEqual", 2),
    FUNCTION("Log", PRF_FN_SIGMOID, false),
    OTHER("LogSoftmax", ROLE_SOFTMAX, 1, prf_infer_same, NULL),
    OTHER("LpNormalization", ROLE_UNKNOWN, 1, prf_infer_same, NULL),
    OTHER("MatMul", ROLE_MATMUL, 2, prf_infer_product, NULL),
    COMBINE("Max", 1),
    OTHER("MaxPool", ROLE_MAXPOOL, 1, prf_infer_pool, NULL),
    COMBINE("Mean", 1),
    OTHER("MeanVarianceNormalization", ROLE_UNKNOWN, 1, prf_infer_same, NULL),
    COMBINE("Min", 1),
    FUNCTION("Mish", PRF_FN_SWISH, false),
    COMBINE("Mod", 2),
    BINARY("Mul"),
    FUNCTION("Neg", PRF_FN_RELU, false),
    FUNCTION("Not", PRF_FN_RELU, false),
    COMBINE("Or", 2),
    OTHER("PRelu", ROLE_COMBINE, 2, prf_infer_same, NULL),
    OTHER("Pad", ROLE_MOVE, 1, prf_infer_pad, NULL),
    COMBINE("Pow", 2),
    OTHER("QuantizeLinear", ROLE_PASS, 2, prf_infer_same, NULL),
    OTHER("Range", ROLE_VIEW, 3, prf_infer_range, NULL),
    FUNCTION("Reciprocal", PRF_FN_RELU, false),
    OTHER("ReduceL1", ROLE_AVGREDUCE, 1, prf_infer_reduce, NULL),
    OTHER("ReduceL2", ROLE_AVGREDUCE, 1, prf_infer_reduce, NULL),
    OTHER("ReduceMax", ROLE_MAXREDUCE, 1, prf_infer_reduce, prf_fold_reduce),
    OTHER("ReduceMean", ROLE_AVGREDUCE, 1, prf_infer_reduce, NULL),
    OTHER("ReduceMin", ROLE_MAXREDUCE, 1, prf_infer_reduce, prf_fold_reduce),
    OTHER("ReduceProd", ROLE_AVGREDUCE, 1, prf_infer_reduce, prf_fold_reduce),
    OTHER("ReduceSum", ROLE_AVGREDUCE, 1, prf_infer_reduce, prf_fold_reduce),
    OTHER("ReduceSumSquare", ROLE_AVGREDUCE, 1, prf_infer_reduce, NULL),
    FUNCTION("Relu", PRF_FN_RELU, true),
    OTHER("Reshape", ROLE_VIEW, 1, prf_infer_reshape, prf_fold_copy),
    OTHER("Resize", ROLE_MOVE, 1, prf_infer_resize, NULL),
    FUNCTION("Round", PRF_FN_RELU, false),
    FUNCTION("Selu", PRF_FN_SIGMOID, false),
    OTHER("Shape", ROLE_VIEW, 1, prf_infer_shape, NULL),
    FUNCTION("Sigmoid", PRF_FN_SIGMOID, true),
    FUNCTION("Sign", PRF_FN_RELU, false),
    FUNCTION("Sin", PRF_FN_SIGMOID, false),
    OTHER("Size", ROLE_VIEW, 1, prf_infer_size, NULL),
    OTHER("Slice", ROLE_MOVE, 1, prf_infer_slice, prf_fold_slice),
    OTHER("Softmax", ROLE_SOFTMAX, 1, prf_infer_same, NULL),
    FUNCTION("Softplus", PRF_FN_SIGMOID, false),
    FUNCTION("Softsign", PRF_FN_RELU, false),
    OTHER("SpaceToDepth", ROLE_MOVE, 1, prf_infer_depth, NULL),
    OTHER("Split", ROLE_MOVE, 1, prf_infer_split, NULL),
    FUNCTION("Sqrt", PRF_FN_SIGMOID, false),
    OTHER("Squeeze", ROLE_VIEW, 1, prf_infer_squeeze, prf_fold_copy),
    BINARY("Sub"),
    {"Sum", ROLE_BINARY, PRF_FN_RELU, true, 1, prf_infer_broadcast, prf_fold_binary},
    FUNCTION("Tanh", PRF_FN_TANH, true),
    FUNCTION("ThresholdedRelu", PRF_FN_RELU, false),
    OTHER("Tile", ROLE_MOVE, 2, prf_infer_tile, NULL),
    OTHER("Transpose", ROLE_MOVE, 1, prf_infer_transpose, NULL),
    OTHER("Unsqueeze", ROLE_VIEW, 1, prf_infer_unsqueeze, prf_fold_copy),
    OTHER("Upsample", ROLE_MOVE, 1, prf_infer_resize, NULL),
    OTHER("Where", ROLE_COMBINE, 3, prf_infer_broadcast, prf_fold_where),
    COMBINE("Xor", 2),
};

static int by_name(const void *key, const void *entry)
{
    return strcmp(key, ((const op_t *)entry)->name);
}

const op_t *prf_onnx_op_find(const char *domain, const char *name)
{
    if (*domain != '\0' && strcmp(domain, "ai.onnx") != 0)
        return NULL;
    return bsearch(name, table, sizeof table / sizeof *table, sizeof *table, by_name);
}

static prf_status_t check_operands(const graph_t *g, const node_t *n, prf_error_t *err)
{
    if (n->output_count < 1)
        return prf_node_fail(g, n, err, "it has no output");
    for (uint32_t i = 0; n->op && i < n->op->min_inputs; i++)
        if (!prf_node_in(g, n, i))
            return prf_node_fail(g, n, err, "its input %u is missing", i);
    bool pair = n->op && n->op->infer == prf_infer_broadcast && n->op->min_inputs == 2;
    if (pair && n->input_count > 2)
        return prf_node_fail(g, n, err, "it takes 2 inputs and is given %u", n->input_count);
    return PRF_OK;
}

static bool is_constant(const graph_t *g, const node_t *n)
{
    if (n->op && (n->op->infer == prf_infer_shape || n->op->infer == prf_infer_size || n->op->min_inputs == 0))
        return true;
    bool constant = n->input_count > 0;
    for (uint32_t i = 0; i < n->input_count; i++) {
        const value_t *v = prf_node_in(g, n, i);
        constant = constant && (!v || v->constant);
    }
    return constant;
}

static prf_status_t fold(graph_t *g, const node_t *n, prf_error_t *err)
{
    value_t *out = prf_node_out(g, n, 0);
    if (!n->op->fold || !out || !out->known || out->values || out->count > PRF_ONNX_VALUES)
        return PRF_OK;
    for (uint32_t i = 0; i < n->input_count; i++) {
        const value_t *v = prf_node_in(g, n, i);
        if (v && !v->values)
            return PRF_OK;
    }
    prf_status_t status = prf_value_reserve(out, err);
    return status ? status : n->op->fold(g, n, err);
}

static prf_status_t infer_node(graph_t *g, const node_t *n, prf_error_t *err)
{
    prf_status_t status = check_operands(g, n, err);
    bool known = true;
    for (uint32_t i = 0; i < n->input_count; i++) {
        const value_t *v = prf_node_in(g, n, i);
        known = known && (!v || v->known);
    }
    if (!status && n->op && known) {
        status = n->op->infer(g, n, err);
        if (!status)
            status = fold(g, n, err);
    }
    bool constant = is_constant(g, n);
    for (uint32_t i = 0; i < n->output_count && !status; i++) {
        value_t *v = prf_node_out(g, n, i);
        if (!v)
            continue;
        v->constant = constant;
        if (!v->known && v->info)
            status = prf_value_set_declared(v, v->info, g->batch, err);
    }
    return status;
}

prf_status_t prf_ops_infer(graph_t *g, prf_error_t *err)
{
    for (uint32_t i = 0; i < g->node_count; i++) {
        prf_status_t status = infer_node(g, &g->nodes[i], err);
        if (status)
            return status;
    }
    return PRF_OK;
}
