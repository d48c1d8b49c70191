// SPDX-License-Identifier: Apache-2.0
/* edges.c - each value knows the blocks that it comes from. What became no block (views, copies, what its block's host absorbed,
 * operators that nobody knows) passes on where its inputs come from, each block once; a concatenation all of them, in its order.
 *
 * Values that pass on one input share its list, so that a graph costs no more than it has nodes. Concatenations of concatenations
 * can grow without bound all the same: beyond PRF_CHAIN_EDGES, and where an edge cannot say what is read, nothing is told of the
 * network's edges, and boards run its blocks one after the other. */
#include "network/edges.h"

#include <stdlib.h>
#include <string.h>

enum { INPUT = 0 /* where `sources` says: the network's input */ };

static prf_status_t no_memory(prf_error_t *err)
{
    return prf_fail(err, PRF_ENOMEM, "edges of a network");
}

static prf_status_t add_source(edges_t *self, int32_t block, prf_error_t *err)
{
    if (self->source_count == self->source_cap) {
        size_t cap = self->source_cap ? 2 * self->source_cap : 64;
        int32_t *grown = realloc(self->sources, cap * sizeof *grown);
        if (!grown)
            return no_memory(err);
        self->sources = grown;
        self->source_cap = cap;
    }
    self->sources[self->source_count++] = block;
    return PRF_OK;
}

static prf_status_t add_edge(edges_t *self, size_t to, int32_t from, prf_error_t *err)
{
    if (self->edge_count == self->edge_cap) {
        size_t cap = self->edge_cap ? 2 * self->edge_cap : 64;
        prf_edge_t *grown = realloc(self->edges, cap * sizeof *grown);
        if (!grown)
            return no_memory(err);
        self->edges = grown;
        self->edge_cap = cap;
    }
    self->edges[self->edge_count++] = (prf_edge_t){.to = (int32_t)to, .from = from};
    return PRF_OK;
}

prf_status_t prf_edges_init(edges_t *out, const graph_t *g, const clusters_t *clusters, prf_error_t *err)
{
    *out = (edges_t){.g = g, .clusters = clusters, .origin = malloc((g->value_count + 1) * sizeof(origin_t))};
    if (!out->origin)
        return no_memory(err);
    for (uint32_t v = 0; v < g->value_count; v++)
        out->origin[v] = (origin_t){INPUT, 1};
    return add_source(out, -1, err);
}

void prf_edges_release(edges_t *self)
{
    free(self->origin);
    free(self->sources);
    free(self->edges);
    *self = (edges_t){0};
}

/* The input's value when it is computed anew in each run, else VALUE_NONE. */
static uint32_t live_input(const edges_t *self, const node_t *n, uint32_t i)
{
    const value_t *v = prf_node_in(self->g, n, i);
    return v && !v->constant ? n->inputs[i] : VALUE_NONE;
}

static bool has_source(const edges_t *self, size_t first, int32_t block)
{
    for (size_t i = first; i < self->source_count; i++)
        if (self->sources[i] == block)
            return true;
    return false;
}

/* All that the node's inputs come from. */
static prf_status_t gather(edges_t *self, const node_t *n, origin_t *out, prf_error_t *err)
{
    bool all = n->op && n->op->infer == prf_infer_concat;
    size_t first = self->source_count, inputs = 0;
    for (uint32_t i = 0; i < n->input_count; i++) {
        uint32_t value = live_input(self, n, i);
        if (value == VALUE_NONE)
            continue;
        origin_t from = self->origin[value];
        inputs++;
        if (self->source_count - first + from.count > PRF_CHAIN_EDGES) {
            self->untold = true;
            return PRF_OK;
        }
        for (uint32_t k = 0; k < from.count; k++) {
            int32_t block = self->sources[from.first + k];
            prf_status_t status = all || !has_source(self, first, block) ? add_source(self, block, err) : PRF_OK;
            if (status)
                return status;
        }
    }
    *out = inputs ? (origin_t){(uint32_t)first, (uint32_t)(self->source_count - first)} : (origin_t){INPUT, 1};
    return PRF_OK;
}

/* A node that became no block of its own. */
static prf_status_t pass_on(edges_t *self, const node_t *n, prf_error_t *err)
{
    origin_t from = {INPUT, 1};
    uint32_t live = 0, last = VALUE_NONE;
    for (uint32_t i = 0; i < n->input_count; i++) {
        uint32_t value = live_input(self, n, i);
        live += value != VALUE_NONE;
        last = value != VALUE_NONE ? value : last;
    }
    prf_status_t status = PRF_OK;
    if (prf_clusters_has(self->clusters, n))
        from = self->origin[self->clusters->root[n->outputs[0]]];
    else if (live == 1)
        from = self->origin[last];
    else
        status = gather(self, n, &from, err);
    for (uint32_t i = 0; !status && i < n->output_count; i++)
        if (n->outputs[i] != VALUE_NONE)
            self->origin[n->outputs[i]] = from;
    return status;
}

/* Block `to` reads the value. An operand of an addition or a product is one block's output: there is no way to tell of two that are
 * joined. */
static prf_status_t connect(edges_t *self, size_t to, uint32_t value, bool operand, prf_error_t *err)
{
    origin_t from = self->origin[value];
    self->untold = self->untold || self->edge_count + from.count > PRF_CHAIN_EDGES || (operand && from.count > 1);
    prf_status_t status = PRF_OK;
    for (uint32_t k = 0; !status && !self->untold && k < from.count; k++)
        status = add_edge(self, to, self->sources[from.first + k], err);
    return status;
}

/* Of several blocks, which are additions of several values, the first reads the first two, each other one the sum so far and the
 * next. */
static prf_status_t connect_sums(edges_t *self, const node_t *n, size_t first, size_t end, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    size_t to = first;
    uint32_t live = 0;
    for (uint32_t i = 0; !status && i < n->input_count; i++) {
        uint32_t value = live_input(self, n, i);
        if (value == VALUE_NONE)
            continue;
        if (++live > 2 && to + 1 < end) {
            to++;
            status = add_edge(self, to, (int32_t)to - 1, err);
        }
        if (!status)
            status = connect(self, to, value, true, err);
    }
    for (; !status && to + 1 < end; to++) /* constants are added there */
        status = add_edge(self, to + 1, (int32_t)to, err);
    return status;
}

/* Weights and what else a layer has besides are no inputs of its block, whoever computes them. */
static prf_status_t connect_layer(edges_t *self, const node_t *n, size_t to, prf_error_t *err)
{
    bool product = n->op && n->op->role == ROLE_MATMUL;
    uint32_t left = product ? 2 : 1;
    prf_status_t status = PRF_OK;
    for (uint32_t i = 0; !status && left > 0 && i < n->input_count; i++) {
        uint32_t value = live_input(self, n, i);
        if (value == VALUE_NONE)
            continue;
        status = connect(self, to, value, product, err);
        left--;
    }
    return status;
}

static prf_status_t connect_all(edges_t *self, const node_t *n, size_t first, size_t end, prf_error_t *err)
{
    if (prf_clusters_has(self->clusters, n))
        return connect(self, first, self->clusters->root[n->outputs[0]], false, err);
    bool layernorm = self->clusters->fate[n - self->g->nodes] == NODE_LAYERNORM;
    if (!layernorm && (n->op->role == ROLE_BINARY || n->op->role == ROLE_COMBINE))
        return connect_sums(self, n, first, end, err);
    return connect_layer(self, n, first, err);
}

prf_status_t prf_edges_note(edges_t *self, const node_t *n, size_t first, size_t end, prf_error_t *err)
{
    if (self->untold || n->output_count == 0)
        return PRF_OK;
    if (first == end)
        return pass_on(self, n, err);
    size_t before = self->edge_count;
    prf_status_t status = connect_all(self, n, first, end, err);
    if (!status && self->edge_count == before)
        status = add_edge(self, first, -1, err); /* all that it reads is constant */
    origin_t own = {(uint32_t)self->source_count, 1};
    if (!status)
        status = add_source(self, (int32_t)(end - 1), err);
    for (uint32_t i = 0; !status && i < n->output_count; i++)
        if (n->outputs[i] != VALUE_NONE)
            self->origin[n->outputs[i]] = own;
    return status;
}

void prf_edges_give(edges_t *self, prf_network_t *out)
{
    if (self->untold)
        return;
    out->edges = self->edges;
    out->edge_count = self->edge_count;
    self->edges = NULL;
}
