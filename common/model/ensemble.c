// SPDX-License-Identifier: Apache-2.0
#include "model/ensemble.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROW = PRF_LEAF + 1, UNSEEN_LEVELS = 8, TREES_ABREAST = 16, TREES_AT_ONCE = 16 * TREES_ABREAST };
enum { ROWS_ABREAST = 12, ROWS_AT_ONCE = 4 * ROWS_ABREAST, WORTH_IT = 8 /* rows: fewer are asked about one by one */ };
_Static_assert((int)PRF_LEAF >= (int)PRF_FEATURES && PRF_LEAF < UINT8_MAX,
               "a leaf is behind all features, and something is behind it");

void prf_ensemble_release(prf_ensemble_t *self)
{
    if (!self)
        return;
    free(self->trees);
    free(self->nodes);
    *self = (prf_ensemble_t){0};
}

prf_status_t prf_ensemble_copy(prf_ensemble_t *out, const prf_ensemble_t *from, prf_error_t *err)
{
    prf_ensemble_t self = *from;
    self.trees = malloc((from->tree_count + 1) * sizeof *self.trees);
    self.nodes = malloc((from->node_count + 1) * sizeof *self.nodes);
    if (!self.trees || !self.nodes) {
        prf_ensemble_release(&self);
        return prf_fail(err, PRF_ENOMEM, "%zu nodes of trees", from->node_count);
    }
    memcpy(self.trees, from->trees, from->tree_count * sizeof *self.trees);
    memcpy(self.nodes, from->nodes, from->node_count * sizeof *self.nodes);
    *out = self;
    return PRF_OK;
}

/* A row as a walk sees it: behind the features stands what leaves ask for, which is at or below any number. */
static void row_set(const prf_ensemble_t *self, float row[ROW], const float *x)
{
    memcpy(row, x, self->feature_count * sizeof *x);
    row[PRF_LEAF] = -INFINITY;
}

/* Walks down many ways at once, since each step waits for the one before; way i is that of the row `apart` numbers behind the one
 * before. As many steps for all, without a branch that nobody can foresee: a leaf sends the walk to its left child, itself. The
 * deepest leaves of deep trees are rarely reached, so now and then it looks whether all have arrived. */
static inline void descend(const prf_node_t *nodes, const float *x, size_t apart, uint32_t levels, uint32_t *at, uint32_t abreast)
{
    for (uint32_t level = 0, inner = 1; inner && level < levels;) {
        uint32_t stop = levels - level < UNSEEN_LEVELS ? levels : level + UNSEEN_LEVELS;
        for (inner = stop == levels; level < stop; level++)
            for (uint32_t i = 0; i < abreast; i++) {
                prf_node_t node = nodes[at[i]];
                at[i] = (uint32_t)node.child + !(x[i * apart + node.feature] <= node.value);
            }
        for (uint32_t i = 0; i < abreast && !inner; i++)
            inner = nodes[at[i]].feature != PRF_LEAF;
    }
}

/* One row's answer as it comes together, tree by tree. The sums are of the distance from the first member, so that little cancels.
 */
typedef struct {
    double value; /* of the member that the trees belong to */
    double first, sum, squares;
} tally_t;

static void tally_member(tally_t *tally, const prf_ensemble_t *self, bool is_first)
{
    if (is_first)
        tally->first = tally->value;
    tally->sum += tally->value - tally->first;
    tally->squares += (tally->value - tally->first) * (tally->value - tally->first);
    tally->value = self->base;
}

static void tally_conclude(const tally_t *tally, const prf_ensemble_t *self, double *mean, double *spread)
{
    double n = self->member_count, average = tally->sum / n;
    *mean = tally->first + average;
    *spread = sqrt(fmax(0, tally->squares / n - average * average));
}

/* What the trees from `begin` to `end` add; TREES_ABREAST at once, and behind the last one it again. */
static void ask_trees(const prf_ensemble_t *self, const float *row, uint32_t begin, uint32_t end, float *values)
{
    for (uint32_t t = begin; t < end; t += TREES_ABREAST) {
        uint32_t at[TREES_ABREAST], levels = 0;
        for (uint32_t i = 0; i < TREES_ABREAST; i++) {
            const prf_tree_t *tree = &self->trees[t + i < end ? t + i : end - 1];
            at[i] = tree->root;
            levels = tree->levels > levels ? tree->levels : levels;
        }
        descend(self->nodes, row, 0, levels, at, TREES_ABREAST);
        for (uint32_t i = 0; i < TREES_ABREAST; i++)
            values[t - begin + i] = self->nodes[at[i]].value;
    }
}

void prf_ensemble_predict(const prf_ensemble_t *self, const float *x, double *mean, double *spread)
{
    uint32_t per_member = self->tree_count / self->member_count, of_member = 0;
    float values[TREES_AT_ONCE];
    tally_t tally = {.value = self->base};
    float row[ROW];
    row_set(self, row, x);
    for (uint32_t begin = 0, end; begin < self->tree_count; begin = end) {
        end = self->tree_count - begin < TREES_AT_ONCE ? self->tree_count : begin + TREES_AT_ONCE;
        ask_trees(self, row, begin, end, values);
        for (uint32_t t = begin; t < end; t++) {
            tally.value += (double)values[t - begin];
            if (++of_member < per_member)
                continue;
            tally_member(&tally, self, t + 1 == per_member);
            of_member = 0;
        }
    }
    tally_conclude(&tally, self, mean, spread);
}

/* Each tree is asked about all rows before the next one: its nodes stay near. `count`: a multiple of ROWS_ABREAST. */
static void ask_rows(const prf_ensemble_t *self, const float *rows, size_t count, tally_t *tallies)
{
    uint32_t per_member = self->tree_count / self->member_count, of_member = 0, at[ROWS_ABREAST];
    for (uint32_t t = 0; t < self->tree_count; t++) {
        bool is_last = ++of_member == per_member;
        for (size_t begin = 0; begin < count; begin += ROWS_ABREAST) {
            for (uint32_t i = 0; i < ROWS_ABREAST; i++)
                at[i] = self->trees[t].root;
            descend(self->nodes, rows + begin * ROW, ROW, self->trees[t].levels, at, ROWS_ABREAST);
            for (uint32_t i = 0; i < ROWS_ABREAST; i++) {
                tallies[begin + i].value += (double)self->nodes[at[i]].value;
                if (is_last)
                    tally_member(&tallies[begin + i], self, t + 1 == per_member);
            }
        }
        of_member = is_last ? 0 : of_member;
    }
}

void prf_ensemble_predict_many(const prf_ensemble_t *self, const float *const x[], size_t count, double mean[], double spread[])
{
    float rows[ROWS_AT_ONCE][ROW];
    tally_t tallies[ROWS_AT_ONCE];
    size_t alone = count % ROWS_ABREAST < WORTH_IT ? count % ROWS_ABREAST : 0, n;
    for (size_t begin = 0; begin < count - alone; begin += n) {
        n = count - alone - begin < ROWS_AT_ONCE ? count - alone - begin : ROWS_AT_ONCE;
        size_t filled = 0;
        for (; filled < n || filled % ROWS_ABREAST; filled++) {
            row_set(self, rows[filled], x[begin + (filled < n ? filled : 0)]);
            tallies[filled] = (tally_t){.value = self->base};
        }
        ask_rows(self, *rows, filled, tallies);
        for (size_t i = 0; i < n; i++)
            tally_conclude(&tallies[i], self, &mean[begin + i], &spread[begin + i]);
    }
    for (size_t i = count - alone; i < count; i++)
        prf_ensemble_predict(self, x[i], &mean[i], &spread[i]);
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

/* Levels below the root of a tree: in breadth-first order each follows the one above it. */
static uint32_t count_levels(const prf_node_t *nodes)
{
    uint32_t levels = 0;
    for (size_t begin = 0, end = 1;; levels++) {
        size_t inner = 0;
        for (size_t i = begin; i < end; i++)
            inner += nodes[i].feature != PRF_LEAF;
        if (inner == 0)
            return levels;
        begin = end;
        end += 2 * inner;
    }
}

void prf_ensemble_close(prf_ensemble_t *self)
{
    for (size_t i = 0; i < self->node_count; i++)
        if (self->nodes[i].feature == PRF_LEAF)
            self->nodes[i].child = (uint32_t)i & (PRF_NODES - 1);
    for (uint32_t t = 0; t < self->tree_count; t++)
        self->trees[t].levels = count_levels(self->nodes + self->trees[t].root);
}

prf_status_t prf_ensemble_link(prf_ensemble_t *self, const uint32_t *tree_sizes, size_t feature_count, prf_error_t *err)
{
    if (self->member_count < 1 || self->member_count > PRF_MEMBERS || self->tree_count < 1 || self->tree_count > PRF_TREES ||
        self->tree_count % self->member_count || !isfinite(self->base))
        return prf_fail(err, PRF_ECORRUPT, "model: %u members with %u trees", self->member_count, self->tree_count);
    size_t at = 0, levels = 0;
    self->feature_count = feature_count;
    for (uint32_t t = 0; t < self->tree_count; t++) {
        if (tree_sizes[t] < 1 || tree_sizes[t] > self->node_count - at)
            return prf_fail(err, PRF_ECORRUPT, "model: tree %u has %u nodes, more than there are", t, tree_sizes[t]);
        self->trees[t].root = (uint32_t)at;
        prf_status_t status = link_tree(self, (uint32_t)at, tree_sizes[t], feature_count, err);
        if (status)
            return status;
        at += tree_sizes[t];
    }
    if (at != self->node_count)
        return prf_fail(err, PRF_ECORRUPT, "model: %zu nodes belong to no tree", self->node_count - at);
    prf_ensemble_close(self);
    for (uint32_t t = 0; t < self->tree_count; t++)
        levels += self->trees[t].levels;
    if (levels > PRF_LEVELS)
        return prf_fail(err, PRF_ECORRUPT,
                        "model: its trees are too deep, more than %d levels in all: training makes no such trees", PRF_LEVELS);
    return PRF_OK;
}
