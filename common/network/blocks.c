// SPDX-License-Identifier: Apache-2.0
/* blocks.c - walks the nodes in running order and turns each into a block, a part of a block, or a note.
 *
 * What belongs to a convolution's block is its bias and batch norm (no time of their own: they change the weights) and one
 * activation. Constants and what is computed from them leave no trace, since they are done before the network runs.
 * Nothing is dropped silently: every other operator that became no block leaves a note. */
#include "network/blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network/edges.h"

typedef struct {
    const graph_t *g;
    prf_network_t *out;
    prf_dtype_t dtype;
    clusters_t clusters;
    edges_t edges;
    uint32_t *owner; /* by value: block whose output it is, or NO_BLOCK */
    size_t block_cap, note_cap;
} lowering_t;

#define NO_BLOCK UINT32_MAX

static prf_status_t grow(void **items, size_t *cap, size_t count, size_t size, prf_error_t *err)
{
    if (count < *cap)
        return PRF_OK;
    size_t wanted = *cap ? 2 * *cap : 64;
    void *bigger = realloc(*items, wanted * size);
    if (!bigger)
        return prf_fail(err, PRF_ENOMEM, "a network of %zu blocks", count);
    *items = bigger;
    *cap = wanted;
    return PRF_OK;
}

static prf_status_t note(lowering_t *l, const node_t *n, bool unknown, prf_error_t *err, const char *fmt, ...) PRF_PRINTF(5, 6);

static prf_status_t note(lowering_t *l, const node_t *n, bool unknown, prf_error_t *err, const char *fmt, ...)
{
    void *items = l->out->notes;
    prf_status_t status = grow(&items, &l->note_cap, l->out->note_count, sizeof *l->out->notes, err);
    l->out->notes = items;
    if (status)
        return status;
    prf_network_note_t *out = &l->out->notes[l->out->note_count++];
    *out = (prf_network_note_t){.unknown = unknown};
    snprintf(out->op, sizeof out->op, "%s", n->onnx->op);
    snprintf(out->name, sizeof out->name, "%s", prf_node_name(l->g, n));
    va_list args;
    va_start(args, fmt);
    vsnprintf(out->treatment, sizeof out->treatment, fmt, args);
    va_end(args);
    prf_name_clean(out->op);
    prf_name_clean(out->name);
    prf_name_clean(out->treatment);
    return PRF_OK;
}

/* A block led by `layer`, if that can exist, or a note that says why it cannot. */
static prf_status_t push(lowering_t *l, const node_t *n, const prf_layer_t *layer, prf_error_t *err)
{
    prf_layer_t complete = *layer;
    prf_error_t why;
    if (prf_layer_complete(&complete, &why) != PRF_OK)
        return note(l, n, true, err, "left out of the total: %s", why.text);
    void *items = l->out->blocks;
    prf_status_t status = grow(&items, &l->block_cap, l->out->block_count, sizeof *l->out->blocks, err);
    l->out->blocks = items;
    if (status)
        return status;
    prf_network_block_t *b = &l->out->blocks[l->out->block_count];
    *b = (prf_network_block_t){.block = {.dtype = l->dtype, .count = 1}};
    b->block.layers[0] = complete;
    snprintf(b->name, sizeof b->name, "%s", prf_node_name(l->g, n));
    prf_name_clean(b->name);
    if (n->outputs[0] != VALUE_NONE)
        l->owner[n->outputs[0]] = (uint32_t)l->out->block_count;
    l->out->block_count++;
    l->out->total_macs += prf_layer_macs(&complete);
    return PRF_OK;
}

/* Boards take an activation into the block of what computes its input; other blocks end where they are. */
static bool takes_activation(const prf_block_t *block)
{
    switch (block->layers[0].kind) {
    case PRF_CONV1D:
    case PRF_CONV2D:
    case PRF_DWCONV2D:
    case PRF_CONVTRANSPOSE2D:
    case PRF_FC:
    case PRF_MATMUL:
    case PRF_ADD:
        return block->count == 1;
    default:
        return false;
    }
}

/* The block that a whole cluster disappears into, or NULL. */
static prf_network_block_t *host_of(const lowering_t *l, uint32_t root)
{
    const cluster_t *c = &l->clusters.cluster[root];
    if (l->owner[root] == NO_BLOCK || c->exits != 1 || c->root_elsewhere)
        return NULL;
    prf_network_block_t *b = &l->out->blocks[l->owner[root]];
    bool scales = b->block.layers[0].kind == PRF_LAYERNORM; /* its own scale and shift */
    return takes_activation(&b->block) || (scales && c->functions == 0) ? b : NULL;
}

static prf_status_t join_host(lowering_t *l, const node_t *n, uint32_t root, prf_network_block_t *host, bool last, prf_error_t *err)
{
    const cluster_t *c = &l->clusters.cluster[root];
    if (last) {
        if (c->functions > 0)
            (void)prf_block_activate(&host->block, c->fn); /* one too large for its kind is left out */
        l->owner[n->outputs[0]] = l->owner[root];
    }
    if (c->functions > 0 && !c->exact)
        return note(l, n, false, err, "folded into '%.60s', taken as %s", host->name, prf_activation_name(c->fn));
    return note(l, n, false, err, "folded into '%.80s'", host->name);
}

/* A node of an elementwise cluster. */
static prf_status_t lower_cluster(lowering_t *l, uint32_t index, prf_error_t *err)
{
    const node_t *n = &l->g->nodes[index];
    uint32_t root = l->clusters.root[n->outputs[0]];
    const cluster_t *c = &l->clusters.cluster[root];
    bool exits = prf_clusters_exit(&l->clusters, l->g, n->outputs[0]);
    if (!c->affine && c->functions == 0) {
        if (exits)
            l->owner[n->outputs[0]] = c->root_elsewhere || c->exits != 1 ? NO_BLOCK : l->owner[root];
        return note(l, n, false, err, "no cost: passes its input on");
    }
    prf_network_block_t *host = host_of(l, root);
    if (host)
        return join_host(l, n, root, host, exits, err);
    const char *name = prf_node_name(l->g, &l->g->nodes[c->exit_node]);
    if (!exits)
        return note(l, n, false, err, "folded into '%.80s'", name);
    prf_layer_t layer;
    prf_lower_elementwise(l->g, n, PRF_ACTIVATION, &layer);
    layer.p[PRF_P_FN] = (int32_t)(c->functions ? c->fn : PRF_FN_RELU);
    prf_status_t status = push(l, n, &layer, err);
    if (!status && (c->functions == 0 || !c->exact))
        status = note(l, n, false, err, "a pass of its own, taken as %s", prf_activation_name((prf_activation_t)layer.p[PRF_P_FN]));
    return status;
}

/* Elementwise on several values: an addition for each value beyond the first. */
static prf_status_t lower_combination(lowering_t *l, const node_t *n, prf_error_t *err)
{
    uint32_t operands = 0;
    bool equal = true;
    const value_t *out = prf_node_out(l->g, n, 0);
    for (uint32_t i = 0; i < n->input_count; i++) {
        const value_t *v = prf_node_in(l->g, n, i);
        operands += v != NULL;
        equal = equal && (!v || v->count == out->count);
    }
    bool variadic = n->op->min_inputs == 1;
    prf_layer_t layer;
    prf_lower_elementwise(l->g, n, PRF_ADD, &layer);
    prf_status_t status = push(l, n, &layer, err);
    for (uint32_t i = 2; variadic && i < operands && !status; i++)
        status = push(l, n, &layer, err);
    if (!status && (n->op->role == ROLE_COMBINE || !equal))
        status = note(l, n, false, err, "taken as an addition of two values as large as its output");
    return status;
}

static prf_status_t lower_layer(lowering_t *l, const node_t *n, prf_error_t *err)
{
    prf_layer_t layer;
    const char *remark;
    prf_error_t why = {0};
    prf_status_t status = prf_lower(l->g, n, &layer, &remark, &why);
    if (status == PRF_EUNSUPPORTED)
        return note(l, n, true, err, "%s: left out of the total", why.text);
    if (status)
        return prf_fail(err, status, "%s", why.text);
    status = push(l, n, &layer, err);
    return !status && *remark ? note(l, n, false, err, "%s", remark) : status;
}

static bool shapes_known(const graph_t *g, const node_t *n)
{
    const value_t *out = prf_node_out(g, n, 0);
    bool known = out && out->known;
    for (uint32_t i = 0; i < n->input_count; i++) {
        const value_t *v = prf_node_in(g, n, i);
        known = known && (!v || v->known);
    }
    return known;
}

static bool all_constant(const graph_t *g, const node_t *n)
{
    for (uint32_t i = 0; i < n->output_count; i++) {
        const value_t *v = prf_node_out(g, n, i);
        if (v && !v->constant)
            return false;
    }
    return true;
}

static prf_status_t lower_layernorm(lowering_t *l, const node_t *n, prf_error_t *err)
{
    prf_layer_t layer;
    prf_status_t status = prf_lower_layernorm(l->g, n, &layer, err);
    return status ? status : push(l, n, &layer, err);
}

static prf_status_t lower_node(lowering_t *l, uint32_t index, prf_error_t *err)
{
    const node_t *n = &l->g->nodes[index];
    if (all_constant(l->g, n))
        return PRF_OK;
    if (!n->op)
        return note(l, n, true, err, "unknown: left out of the total");
    if (l->clusters.fate[index] == NODE_ABSORBED)
        return note(l, n, false, err, "a part of a layer norm");
    if (l->clusters.fate[index] == NODE_LAYERNORM)
        return lower_layernorm(l, n, err);
    switch (n->op->role) {
    case ROLE_VIEW:
        return note(l, n, false, err, "no cost: another view of the same data");
    case ROLE_MOVE:
        return note(l, n, false, err, "copies data: its time is not estimated");
    default:
        break;
    }
    if (!shapes_known(l->g, n))
        return note(l, n, true, err, "its shape is not known: left out of the total");
    if (prf_clusters_has(&l->clusters, n))
        return lower_cluster(l, index, err);
    if (n->op->role == ROLE_BINARY || n->op->role == ROLE_COMBINE)
        return lower_combination(l, n, err);
    return lower_layer(l, n, err);
}

prf_status_t prf_blocks_lower(prf_network_t *out, const graph_t *g, prf_dtype_t dtype, prf_error_t *err)
{
    lowering_t l = {.g = g, .out = out, .dtype = dtype};
    prf_status_t status = prf_clusters_init(&l.clusters, g, err);
    if (status)
        return status;
    l.owner = malloc((g->value_count + 1) * sizeof *l.owner);
    if (l.owner)
        memset(l.owner, 0xff, g->value_count * sizeof *l.owner);
    else
        status = prf_fail(err, PRF_ENOMEM, "a graph of %u values", g->value_count);
    if (!status)
        status = prf_edges_init(&l.edges, g, &l.clusters, err);
    for (uint32_t i = 0; i < g->node_count && !status; i++) {
        size_t before = out->block_count;
        status = lower_node(&l, i, err);
        if (!status)
            status = prf_edges_note(&l.edges, &g->nodes[i], before, out->block_count, err);
    }
    if (!status)
        prf_edges_give(&l.edges, out);
    prf_edges_release(&l.edges);
    free(l.owner);
    prf_clusters_release(&l.clusters);
    return status;
}
