// SPDX-License-Identifier: Apache-2.0
#include "model/ensemble.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ABREAST = 8 };
_Static_assert((int)PRF_LEAF >= (int)PRF_FEATURES && PRF_LEAF < UINT8_MAX,
               "a leaf is behind all features, and something is behind it");

void prf_ensemble_release(prf_ensemble_t *self)
{
    if (!self)
        return;
    free(self->roots);
    free(self->nodes);
    *self = (prf_ensemble_t){0};
}

prf_status_t prf_ensemble_copy(prf_ensemble_t *out, const prf_ensemble_t *from, prf_error_t *err)
{
    prf_ensemble_t self = *from;
    self.roots = malloc((from->tree_count + 1) * sizeof *self.roots);
    self.nodes = malloc((from->node_count + 1) * sizeof *self.nodes);
    if (!self.roots || !self.nodes) {
        prf_ensemble_release(&self);
        return prf_fail(err, PRF_ENOMEM, "%zu nodes of trees", from->node_count);
    }
    memcpy(self.roots, from->roots, from->tree_count * sizeof *self.roots);
    memcpy(self.nodes, from->nodes, from->node_count * sizeof *self.nodes);
    *out = self;
    return PRF_OK;
}

/* Walks down ABREAST trees at once, since each step waits for the one before. Without a branch that nobody can foresee: in a leaf a
 * step looks at feature 0, and stays. */
static void descend(const prf_node_t *nodes, const uint32_t *roots, const float *x, float values[ABREAST])
{
    uint32_t at[ABREAST], inner;
    memcpy(at, roots, sizeof at);
    do {
        inner = 0;
        for (int i = 0; i < ABREAST; i++) {
            prf_node_t node = nodes[at[i]];
            uint32_t below = (uint32_t)node.child + !(x[node.feature & (PRF_LEAF - 1)] <= node.value);
            bool is_inner = node.feature < PRF_LEAF;
            at[i] = is_inner ? below : at[i];
            inner |= is_inner;
        }
    } while (inner);
    for (int i = 0; i < ABREAST; i++)
        values[i] = nodes[at[i]].value;
}

void prf_ensemble_predict(const prf_ensemble_t *self, const float *x, double *mean, double *spread)
{
    uint32_t per_member = self->tree_count / self->member_count, roots[ABREAST];
    double first = 0, sum = 0, squares = 0; /* of the distance from the first member, so that little cancels */
    double value = self->base;              /* of the member that the trees belong to */
    float values[ABREAST] = {0};
    for (uint32_t t = 0, of_member = 0; t < self->tree_count; t++) {
        if (t % ABREAST == 0) {
            for (uint32_t i = 0; i < ABREAST; i++)
                roots[i] = self->roots[t + i < self->tree_count ? t + i : t];
            descend(self->nodes, roots, x, values);
        }
        value += (double)values[t % ABREAST];
        if (++of_member < per_member)
            continue;
        if (t + 1 == per_member)
            first = value;
        sum += value - first;
        squares += (value - first) * (value - first);
        value = self->base;
        of_member = 0;
    }
    double n = self->member_count, average = sum / n;
    *mean = first + average;
    *spread = sqrt(fmax(0, squares / n - average * average));
}

static prf_status_t link_tree(prf_ensemble_t *self, uint32_t root, uint32_t size, size_t feature_count, prf_error_t *err)
{
    uint64_t inner = 0;
    for (uint32_t i = 0; i < size; i++) {
        prf_node_t *node = &self->nodes[root + i];
        if (!isfinite(node->value))
            return prf_fail(err, PRF_ECORRUPT, "model: node %u holds no finite number", root + i);
        if (node->feature == PRF_LEAF)
            continue;
        uint64_t child = 2 * inner++ + 1;
        if (node->feature >= feature_count || child <= i || child + 1 >= size)
            return prf_fail(err, PRF_ECORRUPT, "model: node %u points outside its tree or features", root + i);
        node->child = (root + (uint32_t)child) & (PRF_NODES - 1);
    }
    if (2 * inner + 1 != size)
        return prf_fail(err, PRF_ECORRUPT, "model: a tree of %u nodes has %llu inner ones", size, (unsigned long long)inner);
    return PRF_OK;
}

/* Levels below the root of a linked tree: in breadth-first order each follows the one above it. */
static size_t count_levels(const prf_node_t *nodes)
{
    size_t levels = 0, begin = 0, end = 1;
    for (;;) {
        size_t inner = 0;
        for (size_t i = begin; i < end; i++)
            inner += nodes[i].feature != PRF_LEAF;
        if (inner == 0)
            return levels;
        levels++;
        begin = end;
        end += 2 * inner;
    }
}

prf_status_t prf_ensemble_link(prf_ensemble_t *self, const uint32_t *tree_sizes, size_t feature_count, prf_error_t *err)
{
    if (self->member_count < 1 || self->member_count > PRF_MEMBERS || self->tree_count < 1 || self->tree_count > PRF_TREES ||
        self->tree_count % self->member_count || !isfinite(self->base))
        return prf_fail(err, PRF_ECORRUPT, "model: %u members with %u trees", self->member_count, self->tree_count);
    size_t at = 0, levels = 0;
    for (uint32_t t = 0; t < self->tree_count; t++) {
        if (tree_sizes[t] < 1 || tree_sizes[t] > self->node_count - at)
            return prf_fail(err, PRF_ECORRUPT, "model: tree %u has %u nodes, more than there are", t, tree_sizes[t]);
        self->roots[t] = (uint32_t)at;
        prf_status_t status = link_tree(self, (uint32_t)at, tree_sizes[t], feature_count, err);
        if (status)
            return status;
        levels += count_levels(self->nodes + at);
        if (levels > PRF_LEVELS)
            return prf_fail(err, PRF_ECORRUPT,
                            "model: its trees are too deep, more than %d levels in all: training makes no such trees", PRF_LEVELS);
        at += tree_sizes[t];
    }
    if (at != self->node_count)
        return prf_fail(err, PRF_ECORRUPT, "model: %zu nodes belong to no tree", self->node_count - at);
    return PRF_OK;
}
