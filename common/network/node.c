// SPDX-License-Identifier: Apache-2.0
/* node.c - what is asked of one node or one value of a graph. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network/graph.h"

value_t *prf_node_in(const graph_t *g, const node_t *n, uint32_t i)
{
    return i < n->input_count && n->inputs[i] != VALUE_NONE ? &g->values[n->inputs[i]] : NULL;
}

value_t *prf_node_out(const graph_t *g, const node_t *n, uint32_t i)
{
    return i < n->output_count && n->outputs[i] != VALUE_NONE ? &g->values[n->outputs[i]] : NULL;
}

const char *prf_node_name(const graph_t *g, const node_t *n)
{
    if (*n->onnx->name)
        return n->onnx->name;
    const value_t *out = prf_node_out(g, n, 0);
    return out ? out->name : n->onnx->op;
}

prf_status_t prf_node_fail(const graph_t *g, const node_t *n, prf_error_t *err, const char *fmt, ...)
{
    char text[320];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return prf_fail(err, PRF_EINVAL, "node '%.80s' (%.40s): %s", prf_node_name(g, n), n->onnx->op, text);
}

const prf_onnx_attribute_t *prf_node_attribute(const node_t *n, const char *name)
{
    for (size_t i = 0; i < n->onnx->attribute_count; i++)
        if (strcmp(n->onnx->attributes[i].name, name) == 0)
            return &n->onnx->attributes[i];
    return NULL;
}

int64_t prf_node_int(const node_t *n, const char *name, int64_t fallback)
{
    const prf_onnx_attribute_t *a = prf_node_attribute(n, name);
    return a ? a->i : fallback;
}

bool prf_node_text_is(const node_t *n, const char *name, const char *text)
{
    const prf_onnx_attribute_t *a = prf_node_attribute(n, name);
    return a && a->text_len == strlen(text) && memcmp(a->text, text, a->text_len) == 0;
}

int64_t prf_shape_count(const shape_t *shape)
{
    int64_t bound = 1; /* counts an empty axis as one, so that no product of some of the axes can overflow later */
    bool empty = false;
    for (uint32_t i = 0; i < shape->rank; i++) {
        int64_t d = shape->dims[i];
        if (d < 0 || d > PRF_ONNX_DIM_MAX || __builtin_mul_overflow(bound, d ? d : 1, &bound) || bound > PRF_ONNX_ELEMENTS_MAX)
            return -1;
        empty |= d == 0;
    }
    return empty ? 0 : bound;
}

prf_status_t prf_value_reserve(value_t *v, prf_error_t *err)
{
    if (v->count > PRF_ONNX_VALUES)
        return PRF_OK;
    free(v->values);
    v->values = calloc(v->count + 1, sizeof *v->values);
    return v->values ? PRF_OK : prf_fail(err, PRF_ENOMEM, "a graph's constants");
}

prf_status_t prf_value_set_tensor(value_t *v, const prf_onnx_tensor_t *t, prf_error_t *err)
{
    v->known = true;
    v->type = t->type;
    v->count = t->count;
    v->shape.rank = t->rank;
    memcpy(v->shape.dims, t->dims, sizeof v->shape.dims);
    if (!t->values)
        return PRF_OK;
    prf_status_t status = prf_value_reserve(v, err);
    if (!status && v->values)
        memcpy(v->values, t->values, t->count * sizeof *t->values);
    return status;
}

prf_status_t prf_value_set_declared(value_t *v, const prf_onnx_info_t *info, uint32_t batch, prf_error_t *err)
{
    if (!info->shaped)
        return PRF_OK;
    shape_t shape = {.rank = info->rank};
    for (uint32_t i = 0; i < info->rank; i++) {
        if (info->dims[i] == PRF_ONNX_DYNAMIC && !(info->same_as_first >> i & 1))
            return PRF_OK;
        shape.dims[i] = info->dims[i] == PRF_ONNX_DYNAMIC ? (int64_t)batch : info->dims[i];
    }
    int64_t count = prf_shape_count(&shape);
    if (count < 0)
        return prf_fail(err, PRF_EINVAL, "value '%.80s' has more than 2^48 elements", info->name);
    v->known = true;
    v->shape = shape;
    v->count = (size_t)count;
    return PRF_OK;
}

prf_status_t prf_node_shape(graph_t *g, const node_t *n, uint32_t i, const shape_t *shape, prf_error_t *err)
{
    value_t *v = prf_node_out(g, n, i);
    if (!v)
        return PRF_OK;
    int64_t count = prf_shape_count(shape);
    if (count < 0)
        return prf_node_fail(g, n, err, "its output has a dimension below 0 or above %d, or more than 2^48 elements",
                             PRF_ONNX_DIM_MAX);
    v->known = true;
    v->shape = *shape;
    v->count = (size_t)count;
    return PRF_OK;
}

prf_status_t prf_node_axis(const graph_t *g, const node_t *n, int64_t axis, uint32_t rank, uint32_t *out, prf_error_t *err)
{
    if (axis < -(int64_t)rank || axis >= (int64_t)rank)
        return prf_node_fail(g, n, err, "axis %lld is outside a tensor of %u dimensions", (long long)axis, rank);
    *out = (uint32_t)(axis < 0 ? axis + (int64_t)rank : axis);
    return PRF_OK;
}
