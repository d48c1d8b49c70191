// SPDX-License-Identifier: Apache-2.0
/* graph.c - names become indices by sorting, not by hashing: a crafted file cannot make it slow. Nodes are put in order by a
 * depth-first walk with a stack of its own, which keeps the file's order where that is a valid one and finds cycles where there
 * is none; the call stack stays flat however deep the network is. */
#include "network/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network/ops.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const value_t *)a)->name, ((const value_t *)b)->name);
}

static uint32_t find(const graph_t *g, const char *name)
{
    const value_t key = {.name = name};
    const value_t *v = bsearch(&key, g->values, g->value_count, sizeof *g->values, by_name);
    return v ? (uint32_t)(v - g->values) : VALUE_NONE;
}

/* Every name that something could be behind, once each, sorted. */
static prf_status_t collect_names(graph_t *g, const prf_onnx_t *onnx, size_t *operands, prf_error_t *err)
{
    size_t count = onnx->input_count + onnx->initializer_count;
    *operands = 0;
    for (size_t i = 0; i < onnx->node_count; i++) {
        count += onnx->nodes[i].output_count;
        *operands += onnx->nodes[i].output_count + onnx->nodes[i].input_count;
    }
    g->values = calloc(count + 1, sizeof *g->values);
    if (!g->values)
        return prf_fail(err, PRF_ENOMEM, "a graph of %zu values", count);
    uint32_t used = 0;
    for (size_t i = 0; i < onnx->input_count; i++)
        g->values[used++].name = onnx->inputs[i].name;
    for (size_t i = 0; i < onnx->initializer_count; i++)
        g->values[used++].name = onnx->initializers[i].name;
    for (size_t i = 0; i < onnx->node_count; i++)
        for (size_t j = 0; j < onnx->nodes[i].output_count; j++)
            if (*onnx->nodes[i].outputs[j])
                g->values[used++].name = onnx->nodes[i].outputs[j];
    qsort(g->values, used, sizeof *g->values, by_name);
    for (uint32_t i = 0; i < used; i++)
        if (i == 0 || strcmp(g->values[i].name, g->values[g->value_count - 1].name) != 0)
            g->values[g->value_count++].name = g->values[i].name;
    return PRF_OK;
}

static prf_status_t add_constant(graph_t *g, const prf_onnx_tensor_t *t, prf_error_t *err)
{
    value_t *v = &g->values[find(g, t->name)];
    if (v->defined)
        return prf_fail(err, PRF_EINVAL, "two tensors are named '%.80s'", t->name);
    v->defined = v->constant = true;
    return prf_value_set_tensor(v, t, err);
}

static prf_status_t add_input(graph_t *g, const prf_onnx_info_t *info, prf_error_t *err)
{
    value_t *v = &g->values[find(g, info->name)];
    if (v->defined)
        return v->constant ? PRF_OK : prf_fail(err, PRF_EINVAL, "two inputs are named '%.80s'", info->name);
    v->defined = true;
    v->type = info->type;
    if (!info->shaped)
        return PRF_OK;
    for (uint32_t i = 0; i < info->rank; i++)
        if (info->dims[i] == PRF_ONNX_DYNAMIC && !(info->same_as_first >> i & 1))
            return prf_fail(
                err, PRF_EINVAL,
                "input '%.80s': dimension %u is dynamic, and only the first one, the batch, may be: give it a fixed size there",
                info->name, i);
    return prf_value_set_declared(v, info, g->batch, err);
}

static prf_status_t add_outputs(graph_t *g, const prf_onnx_t *onnx, prf_error_t *err)
{
    for (size_t i = 0; i < onnx->node_count; i++) {
        node_t *n = &g->nodes[i];
        for (uint32_t j = 0; j < n->output_count; j++) {
            if (n->outputs[j] == VALUE_NONE)
                continue;
            value_t *v = prf_node_out(g, n, j);
            if (v->defined)
                return prf_node_fail(g, n, err, "'%.80s' has a maker already", v->name);
            v->defined = true;
        }
    }
    return PRF_OK;
}

static void declare(graph_t *g, const prf_onnx_info_t *infos, size_t count, bool outputs)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t v = find(g, infos[i].name);
        if (v == VALUE_NONE)
            continue;
        g->values[v].info = &infos[i];
        g->values[v].output |= outputs;
    }
}

static prf_status_t add_nodes(graph_t *g, const prf_onnx_t *onnx, size_t operands, prf_error_t *err)
{
    g->nodes = calloc(onnx->node_count + 1, sizeof *g->nodes);
    g->operands = calloc(operands + 1, sizeof *g->operands);
    if (!g->nodes || !g->operands)
        return prf_fail(err, PRF_ENOMEM, "a graph of %zu nodes", onnx->node_count);
    g->node_count = (uint32_t)onnx->node_count;
    uint32_t *next = g->operands;
    for (uint32_t i = 0; i < g->node_count; i++) {
        node_t *n = &g->nodes[i];
        n->onnx = &onnx->nodes[i];
        n->op = prf_onnx_op_find(n->onnx->domain, n->onnx->op);
        n->inputs = next;
        n->input_count = (uint32_t)n->onnx->input_count;
        n->outputs = next + n->input_count;
        n->output_count = (uint32_t)n->onnx->output_count;
        next = n->outputs + n->output_count;
        for (uint32_t j = 0; j < n->output_count; j++)
            n->outputs[j] = *n->onnx->outputs[j] ? find(g, n->onnx->outputs[j]) : VALUE_NONE;
        for (uint32_t j = 0; j < n->input_count; j++) {
            n->inputs[j] = *n->onnx->inputs[j] ? find(g, n->onnx->inputs[j]) : VALUE_NONE;
            if (*n->onnx->inputs[j] && n->inputs[j] == VALUE_NONE)
                return prf_node_fail(g, n, err, "its input '%.80s' is made by nobody: neither a node, nor an input, nor a constant",
                                     n->onnx->inputs[j]);
        }
    }
    return PRF_OK;
}

/* The walk: a node on the stack waits for the makers of its inputs. */
typedef struct {
    const uint32_t *makers; /* node that makes a value, or UINT32_MAX */
    uint8_t *state;         /* 0 new, 1 on the stack, 2 placed */
    uint32_t *stack, *cursor;
    node_t *sorted;
    uint32_t placed;
} walk_t;

static prf_status_t visit(const graph_t *g, walk_t *w, uint32_t start, prf_error_t *err)
{
    uint32_t depth = 0;
    w->stack[depth++] = start;
    w->state[start] = 1;
    while (depth) {
        uint32_t i = w->stack[depth - 1];
        const node_t *n = &g->nodes[i];
        if (w->cursor[i] == n->input_count) {
            w->state[i] = 2;
            w->sorted[w->placed++] = *n;
            depth--;
            continue;
        }
        uint32_t v = n->inputs[w->cursor[i]++];
        uint32_t maker = v == VALUE_NONE ? UINT32_MAX : w->makers[v];
        if (maker == UINT32_MAX || w->state[maker] == 2)
            continue;
        if (w->state[maker] == 1)
            return prf_node_fail(g, n, err, "the graph has a cycle: its input '%.80s' depends on its own output",
                                 g->values[v].name);
        w->state[maker] = 1;
        w->stack[depth++] = maker;
    }
    return PRF_OK;
}

static prf_status_t sort_nodes(graph_t *g, prf_error_t *err)
{
    size_t n = g->node_count;
    uint32_t *makers = malloc((g->value_count + 1) * sizeof *makers);
    walk_t w = {.makers = makers,
                .state = calloc(n + 1, 1),
                .stack = calloc(n + 1, sizeof *w.stack),
                .cursor = calloc(n + 1, sizeof *w.cursor),
                .sorted = calloc(n + 1, sizeof *w.sorted)};
    prf_status_t status = PRF_OK;
    if (!makers || !w.state || !w.stack || !w.cursor || !w.sorted)
        status = prf_fail(err, PRF_ENOMEM, "a graph of %zu nodes", n);
    if (!status) {
        memset(makers, 0xff, g->value_count * sizeof *makers);
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < g->nodes[i].output_count; j++)
                if (g->nodes[i].outputs[j] != VALUE_NONE)
                    makers[g->nodes[i].outputs[j]] = i;
    }
    for (uint32_t i = 0; i < n && !status; i++)
        if (w.state[i] == 0)
            status = visit(g, &w, i, err);
    if (!status) {
        free(g->nodes);
        g->nodes = w.sorted;
        w.sorted = NULL;
    }
    free(makers);
    free(w.state);
    free(w.stack);
    free(w.cursor);
    free(w.sorted);
    return status;
}

/* Counting sort of (value, node) pairs: first how many, then where they begin, then the nodes. */
static prf_status_t index_uses(graph_t *g, prf_error_t *err)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < g->node_count; i++)
        for (uint32_t j = 0; j < g->nodes[i].input_count; j++)
            if (g->nodes[i].inputs[j] != VALUE_NONE) {
                g->values[g->nodes[i].inputs[j]].use_count++;
                total++;
            }
    g->uses = malloc((total + 1) * sizeof *g->uses);
    if (!g->uses)
        return prf_fail(err, PRF_ENOMEM, "a graph of %u operands", total);
    uint32_t next = 0;
    for (uint32_t v = 0; v < g->value_count; v++) {
        g->values[v].first_use = next;
        next += g->values[v].use_count;
        g->values[v].use_count = 0;
    }
    for (uint32_t i = 0; i < g->node_count; i++)
        for (uint32_t j = 0; j < g->nodes[i].input_count; j++)
            if (g->nodes[i].inputs[j] != VALUE_NONE) {
                value_t *v = &g->values[g->nodes[i].inputs[j]];
                g->uses[v->first_use + v->use_count++] = i;
            }
    return PRF_OK;
}

static prf_status_t build(graph_t *g, const prf_onnx_t *onnx, prf_error_t *err)
{
    size_t operands;
    prf_status_t status = collect_names(g, onnx, &operands, err);
    if (!status)
        status = add_nodes(g, onnx, operands, err);
    for (size_t i = 0; i < onnx->initializer_count && !status; i++)
        status = add_constant(g, &onnx->initializers[i], err);
    for (size_t i = 0; i < onnx->input_count && !status; i++)
        status = add_input(g, &onnx->inputs[i], err);
    if (!status)
        status = add_outputs(g, onnx, err);
    if (!status)
        status = sort_nodes(g, err);
    if (!status)
        status = index_uses(g, err);
    if (!status) {
        declare(g, onnx->infos, onnx->info_count, false);
        declare(g, onnx->outputs, onnx->output_count, true);
    }
    return status;
}

prf_status_t prf_graph_init(graph_t *out, const prf_onnx_t *onnx, uint32_t batch, prf_error_t *err)
{
    graph_t g = {.opset = onnx->opset, .batch = batch};
    prf_status_t status = build(&g, onnx, err);
    if (status)
        prf_graph_release(&g);
    else
        *out = g;
    return status;
}

void prf_graph_release(graph_t *self)
{
    if (!self)
        return;
    for (uint32_t i = 0; i < self->value_count; i++)
        free(self->values[i].values);
    free(self->values);
    free(self->nodes);
    free(self->operands);
    free(self->uses);
    *self = (graph_t){0};
}
