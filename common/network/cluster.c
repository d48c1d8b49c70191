// SPDX-License-Identifier: Apache-2.0
/* cluster.c - finds elementwise clusters in two linear passes.
 *
 * The first gives each elementwise value the root of its input. A value that is used outside its cluster has to be written
 * to memory, so another pass begins there: the second gives such values to their users as roots of their own. Telling the
 * function by what a cluster holds (an erf, a value multiplied by a function of itself) rather than by the exact order of its
 * operators covers the variants that exporters write. */
#include "network/cluster.h"

#include <stdlib.h>
#include <string.h>

static bool same_shape(const value_t *a, const value_t *b)
{
    return a->known && b->known && a->shape.rank == b->shape.rank &&
           memcmp(a->shape.dims, b->shape.dims, a->shape.rank * sizeof *a->shape.dims) == 0;
}

/* One value, or one a channel: what can be a scale or a shift. */
static bool is_vector(const value_t *v)
{
    uint32_t long_axes = 0;
    for (uint32_t i = 0; i < v->shape.rank; i++)
        long_axes += v->shape.dims[i] != 1;
    return v->known && long_axes <= 1;
}

static bool elementwise(role_t role)
{
    return role == ROLE_PASS || role == ROLE_AFFINE || role == ROLE_FUNCTION || role == ROLE_BINARY || role == ROLE_COMBINE;
}

static bool several_inputs(role_t role)
{
    return role == ROLE_BINARY || role == ROLE_COMBINE;
}

/* The root that the node's output shares with its inputs, or VALUE_NONE. `cut` may be NULL. */
static uint32_t shared_root(const graph_t *g, const node_t *n, const uint32_t *root, const uint8_t *cut)
{
    const value_t *out = prf_node_out(g, n, 0);
    if (!n->op || !elementwise(n->op->role) || !out || !out->known || out->constant)
        return VALUE_NONE;
    uint32_t shared = VALUE_NONE;
    for (uint32_t i = 0; i < n->input_count; i++) {
        const value_t *v = prf_node_in(g, n, i);
        if (!v)
            continue;
        if (v->constant) {
            if (several_inputs(n->op->role) && !is_vector(v))
                return VALUE_NONE;
            continue;
        }
        uint32_t from = cut && cut[n->inputs[i]] ? n->inputs[i] : root[n->inputs[i]];
        if (!same_shape(v, out) || (shared != VALUE_NONE && from != shared))
            return VALUE_NONE;
        shared = from;
    }
    return shared;
}

static void find_roots(const graph_t *g, const clusters_t *c, const uint8_t *cut)
{
    for (uint32_t v = 0; v < g->value_count; v++)
        c->root[v] = v;
    for (uint32_t i = 0; i < g->node_count; i++) {
        uint32_t shared = c->fate[i] == NODE_PLAIN ? shared_root(g, &g->nodes[i], c->root, cut) : VALUE_NONE;
        if (shared != VALUE_NONE)
            c->root[g->nodes[i].outputs[0]] = shared;
    }
}

bool prf_clusters_has(const clusters_t *self, const node_t *n)
{
    return n->output_count > 0 && n->outputs[0] != VALUE_NONE && self->root[n->outputs[0]] != n->outputs[0];
}

/* Used by a node that is not of the cluster of `root`. */
static bool used_outside(const clusters_t *c, const graph_t *g, uint32_t value, uint32_t root)
{
    const value_t *v = &g->values[value];
    for (uint32_t i = 0; i < v->use_count; i++) {
        const node_t *user = &g->nodes[g->uses[v->first_use + i]];
        if (!prf_clusters_has(c, user) || c->root[user->outputs[0]] != root)
            return true;
    }
    return v->output;
}

bool prf_clusters_exit(const clusters_t *self, const graph_t *g, uint32_t value)
{
    return g->values[value].use_count == 0 || used_outside(self, g, value, self->root[value]);
}

static uint32_t user_of(const graph_t *g, uint32_t value, const char *op)
{
    const value_t *v = &g->values[value];
    for (uint32_t i = 0; i < v->use_count; i++) {
        uint32_t user = g->uses[v->first_use + i];
        if (g->nodes[user].op && strcmp(g->nodes[user].op->name, op) == 0 && prf_node_out(g, &g->nodes[user], 0))
            return user;
    }
    return UINT32_MAX;
}

static bool means_last_axis(const graph_t *g, const node_t *n)
{
    uint32_t mask;
    bool known;
    const value_t *x = prf_node_in(g, n, 0);
    if (!x->known || x->constant || prf_op_axes(g, n, 1, &mask, &known, NULL) != PRF_OK || !known)
        return false;
    return x->shape.rank > 1 && mask == 1u << (x->shape.rank - 1);
}

/* Layer norm as exporters before opset 17 write it: mean, subtract, square, mean, (add epsilon), square root, divide. */
static void match_layernorm(const graph_t *g, clusters_t *c, uint32_t mean)
{
    uint32_t chain[7] = {mean}, length = 1;
    const node_t *first = &g->nodes[mean];
    if (strcmp(first->op->name, "ReduceMean") != 0 || !prf_node_out(g, first, 0) || !means_last_axis(g, first))
        return;
    uint32_t sub = user_of(g, first->outputs[0], "Sub");
    if (sub == UINT32_MAX || g->nodes[sub].inputs[0] != first->inputs[0])
        return;
    chain[length++] = sub;
    uint32_t centred = g->nodes[sub].outputs[0], square = user_of(g, centred, "Pow");
    if (square == UINT32_MAX)
        square = user_of(g, centred, "Mul");
    static const char *const rest[] = {"ReduceMean", "Add", "Sqrt", "Div"};
    uint32_t next = square;
    for (size_t i = 0; next != UINT32_MAX && i < sizeof rest / sizeof *rest; i++) {
        chain[length++] = next;
        uint32_t user = user_of(g, g->nodes[next].outputs[0], rest[i]);
        if (user == UINT32_MAX && i == 1) { /* no epsilon */
            length--;
            continue;
        }
        next = user;
    }
    if (next == UINT32_MAX || g->nodes[next].inputs[0] != centred)
        return;
    for (uint32_t i = 0; i < length; i++)
        c->fate[chain[i]] = NODE_ABSORBED;
    c->fate[next] = NODE_LAYERNORM;
}

/* What the operators seen in a cluster amount to. */
typedef struct {
    bool gate; /* a value meets a function of itself */
    bool erf, tanh, sigmoid, clamp, affine_after;
} traits_t;

static void note_traits(const graph_t *g, const node_t *n, cluster_t *c, traits_t *t)
{
    uint32_t actives = 0;
    for (uint32_t i = 0; i < n->input_count; i++) {
        const value_t *v = prf_node_in(g, n, i);
        actives += v && !v->constant;
    }
    role_t role = n->op ? n->op->role : ROLE_PASS;
    if (role == ROLE_PASS)
        return;
    if (several_inputs(role) && actives > 1)
        t->gate = true;
    else if (role == ROLE_AFFINE || role == ROLE_BINARY) {
        c->affine = true;
        t->affine_after |= c->functions > 0;
        return;
    }
    t->erf |= strcmp(n->op->name, "Erf") == 0;
    t->tanh |= strcmp(n->op->name, "Tanh") == 0;
    t->sigmoid |= strcmp(n->op->name, "Sigmoid") == 0;
    t->clamp |= strcmp(n->op->name, "Clip") == 0 || strcmp(n->op->name, "HardSigmoid") == 0;
    c->exact = c->functions == 0 && n->op->exact && actives == 1;
    c->fn = n->op->fn;
    c->functions++;
}

static void conclude(cluster_t *c, const traits_t *t)
{
    if (t->erf || (t->gate && t->tanh))
        c->fn = PRF_FN_GELU;
    else if (t->gate && t->sigmoid)
        c->fn = PRF_FN_SWISH;
    else if (t->gate && t->clamp)
        c->fn = PRF_FN_HARDSWISH;
    else if (t->clamp && t->affine_after)
        c->fn = PRF_FN_HARDSIGMOID;
    else
        return;
    c->exact = true;
}

static prf_status_t describe(const graph_t *g, clusters_t *c, prf_error_t *err)
{
    traits_t *traits = calloc(g->value_count + 1, sizeof *traits);
    if (!traits)
        return prf_fail(err, PRF_ENOMEM, "a graph of %u values", g->value_count);
    for (uint32_t i = 0; i < g->node_count; i++) {
        const node_t *n = &g->nodes[i];
        if (!prf_clusters_has(c, n))
            continue;
        uint32_t root = c->root[n->outputs[0]];
        note_traits(g, n, &c->cluster[root], &traits[root]);
        if (!prf_clusters_exit(c, g, n->outputs[0]))
            continue;
        c->cluster[root].exits++;
        c->cluster[root].exit_node = i;
    }
    for (uint32_t v = 0; v < g->value_count; v++)
        if (c->cluster[v].exits) {
            conclude(&c->cluster[v], &traits[v]);
            c->cluster[v].root_elsewhere = used_outside(c, g, v, v);
        }
    free(traits);
    return PRF_OK;
}

static prf_status_t build(const graph_t *g, clusters_t *c, prf_error_t *err)
{
    uint8_t *cut = calloc(g->value_count + 1, 1);
    c->root = calloc(g->value_count + 1, sizeof *c->root);
    c->cluster = calloc(g->value_count + 1, sizeof *c->cluster);
    c->fate = calloc(g->node_count + 1, 1);
    if (!cut || !c->root || !c->cluster || !c->fate) {
        free(cut);
        return prf_fail(err, PRF_ENOMEM, "a graph of %u values", g->value_count);
    }
    for (uint32_t i = 0; i < g->node_count; i++)
        if (g->nodes[i].op && g->nodes[i].op->role == ROLE_AVGREDUCE && c->fate[i] == NODE_PLAIN)
            match_layernorm(g, c, i);
    find_roots(g, c, NULL);
    for (uint32_t v = 0; v < g->value_count; v++)
        cut[v] = c->root[v] != v && used_outside(c, g, v, c->root[v]);
    find_roots(g, c, cut);
    free(cut);
    return describe(g, c, err);
}

prf_status_t prf_clusters_init(clusters_t *out, const graph_t *g, prf_error_t *err)
{
    clusters_t c = {0};
    prf_status_t status = build(g, &c, err);
    if (status)
        prf_clusters_release(&c);
    else
        *out = c;
    return status;
}

void prf_clusters_release(clusters_t *self)
{
    free(self->root);
    free(self->cluster);
    free(self->fate);
    *self = (clusters_t){0};
}
