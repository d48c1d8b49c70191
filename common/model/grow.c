// SPDX-License-Identifier: Apache-2.0
/* grow.c - trees are grown breadth first, which is the order that an ensemble stores them in: the list of nodes is the queue.
 *
 * The rows of a node are a stretch of one index array that splitting partitions in place. A row that was drawn several times stands
 * there once and weighs as much: that is a third less to look at, and nothing else changes. A node's targets are gathered once
 * into a dense array, then each column is looked at: for the best cut by counting rows and adding targets per bin (a bitmap of
 * occupied bins makes that cost proportional to the rows, however few), for a random cut by two passes without any bins. */
#include "model/grow.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "base/rng.h"
#include "model/parallel.h"

enum { WORDS = PRF_BINS / 64, SAMPLED = 1024, FEW_BITS = 5, FEW = 1 << FEW_BITS /* rows of a node that are sorted, not counted */ };
_Static_assert((PRF_BINS << FEW_BITS) <= INT16_MAX + 1, "a bin and one of a few rows fit a key");
#define SLACK 1.000000001 /* more than what rounding does to a score */

typedef struct {
    uint32_t begin, end, depth; /* rows of the node */
} span_t;

typedef struct {
    double sum; /* of targets */
    uint32_t count;
} bin_t;

typedef struct {
    const prf_bins_t *bins;
    const prf_growth_t *growth;
    prf_rng_t rng;
    uint32_t *rows, *spare;               /* owned; rows of the tree that grows, scratch for partitioning */
    uint32_t *drawn;                      /* owned; how often each row of the table was drawn for the tree */
    double *dense;                        /* owned; targets of the node's rows, times their weights */
    uint32_t *weights;                    /* owned; of the node's rows: how often they were drawn */
    uint16_t *codes;                      /* owned; bins of the node's rows in the column that is looked at */
    uint32_t *order;                      /* owned; columns, shuffled as far as needed */
    span_t *spans;                        /* owned; of the nodes of the tree that grows */
    prf_node_t *nodes;                    /* owned; all trees so far */
    size_t node_count, node_cap, tree_at; /* tree_at: where the growing tree begins */
    double *inverse;                      /* owned; 1 / i, from 1 to the number of rows */
    bin_t histogram[PRF_BINS];            /* all zero between columns */
    uint64_t occupied[WORDS];
} grower_t;

typedef struct {
    const prf_column_t *column;
    uint32_t last_left; /* last bin that goes left */
    float threshold;
    double score; /* sum of squares explained; larger is better */
} split_t;

static double score(double left, double right, double left_count, double right_count)
{
    return left * left / left_count + right * right / right_count;
}

static void fill_histogram(grower_t *g, const prf_column_t *column, span_t span)
{
    for (uint32_t i = span.begin; i < span.end; i++) {
        uint16_t bin = column->code[g->rows[i]];
        g->occupied[bin / 64] |= (uint64_t)1 << (bin % 64);
        g->histogram[bin].count += g->weights[i - span.begin];
        g->histogram[bin].sum += g->dense[i - span.begin];
    }
}

static float between(const prf_column_t *column, uint32_t left, uint32_t right)
{
    float low = column->high[left], high = column->low[right];
    float middle = low + (high - low) / 2;
    return middle < high ? middle : low;
}

/* A node whose columns are looked at for its best cut. */
typedef struct {
    span_t span;
    uint32_t rows;
    uint32_t weight; /* of its rows together */
    double total;    /* of its targets, times their weights */
} node_t;

/* What the score of a cut with a weight of `count` and a sum of targets to its left stays below, without dividing: few cuts need a
 * score.
 */
static inline double promise(const grower_t *g, const node_t *node, uint32_t count, double left)
{
    double right = node->total - left;
    return (left * left * g->inverse[count] + right * right * g->inverse[node->weight - count]) * SLACK;
}

/* The cut between two bins. */
static void look_at(const prf_column_t *column, const node_t *node, uint32_t bin, uint32_t next, uint32_t count, double left,
                    split_t *best)
{
    double s = score(left, node->total - left, count, node->weight - count);
    if (s > best->score)
        *best = (split_t){column, bin, between(column, bin, next), s};
}

/* Looks at every cut between occupied bins, clears the histogram on the way. Returns whether there was any. */
static bool best_cut_of_many(grower_t *g, const prf_column_t *column, const node_t *node, split_t *best)
{
    double left = 0;
    uint32_t previous = 0, count = 0, least = g->growth->min_leaf; /* at least 1 */
    bool any = false;
    fill_histogram(g, column, node->span);
    for (uint32_t word = 0; word < WORDS; word++) {
        for (uint64_t bits = g->occupied[word]; bits; bits &= bits - 1) {
            uint32_t bin = word * 64 + (uint32_t)__builtin_ctzll(bits);
            if (count >= least && node->weight - count >= least) {
                any = true;
                if (promise(g, node, count, left) > best->score)
                    look_at(column, node, previous, bin, count, left, best);
            }
            count += g->histogram[bin].count;
            left += g->histogram[bin].sum;
            g->histogram[bin] = (bin_t){0};
            previous = bin;
        }
        g->occupied[word] = 0;
    }
    return any;
}

/* Sorts the rows' keys, which are all different, by counting for each how many are smaller: no branch, and many at once. */
static void sort_few(const int16_t *key, int16_t *sorted, uint32_t n)
{
    int16_t rank[FEW] = {0};
    for (uint32_t j = 0; j < n; j++)
        for (uint32_t i = 0; i < FEW; i++)
            rank[i] = (int16_t)(rank[i] + (key[j] < key[i]));
    for (uint32_t i = 0; i < n; i++)
        sorted[rank[i]] = key[i];
}

/* The number, or 0: without a branch, where nobody can foresee which. */
static inline double where(bool wanted, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    bits &= -(uint64_t)wanted;
    memcpy(&number, &bits, sizeof bits);
    return number;
}

/* Cuts before row i of a few: 1 where that row begins a bin, else 0; the weight and the sum of targets to the left; what the score
 * stays below. */
typedef struct {
    uint32_t weight[FEW];
    double begins[FEW], left[FEW], promise[FEW];
} cuts_t;

/* Additions come in the same order as with a histogram, so sums are the same to the bit. A factor instead of a branch that nobody
 * can foresee. */
static void sums_of_few(cuts_t *cuts, const grower_t *g, const int16_t *sorted, uint32_t n)
{
    uint32_t first = (uint32_t)sorted[0] & (FEW - 1), weight = g->weights[first];
    double left = 0, sum = g->dense[first]; /* sum: of the bin */
    for (uint32_t i = 1; i < n; i++)
        cuts->begins[i] = (sorted[i] ^ sorted[i - 1]) >> FEW_BITS ? 1 : 0;
    for (uint32_t i = 1; i < n; i++) {
        uint32_t row = (uint32_t)sorted[i] & (FEW - 1);
        left += sum * cuts->begins[i];
        sum = sum * (1 - cuts->begins[i]) + g->dense[row];
        cuts->left[i] = left;
        cuts->weight[i] = weight;
        weight += g->weights[row];
    }
}

/* The largest promise of cuts from `first` to `last`. */
static double promises_of_few(cuts_t *cuts, const double *inverse, const node_t *node, uint32_t first, uint32_t last)
{
    double total = node->total, most = 0;
    for (uint32_t i = first; i <= last; i++) {
        double left = cuts->left[i], right = total - left;
        cuts->promise[i] = (left * left * inverse[cuts->weight[i]] + right * right * inverse[node->weight - cuts->weight[i]]) *
                           (SLACK * cuts->begins[i]);
    }
    for (uint32_t i = first; i <= last; i++)
        most = cuts->promise[i] > most ? cuts->promise[i] : most;
    return most;
}

/* Likewise for a few rows, in order of their bins. */
static bool best_cut_of_few(const grower_t *g, const prf_column_t *column, const node_t *node, split_t *best)
{
    int16_t key[FEW] = {0}, sorted[FEW] = {0};
    cuts_t cuts;
    uint32_t n = node->rows, least = g->growth->min_leaf, first = 1, last = n - 1;
    for (uint32_t i = 0; i < n; i++)
        key[i] = (int16_t)((uint32_t)column->code[g->rows[node->span.begin + i]] << FEW_BITS | i);
    assert(n > 1);
    sort_few(key, sorted, n);
    sums_of_few(&cuts, g, sorted, n);
    while (first <= last && cuts.weight[first] < least)
        first++;
    while (first <= last && node->weight - cuts.weight[last] < least)
        last--;
    if (first > last || (sorted[first - 1] ^ sorted[last]) >> FEW_BITS == 0)
        return false;
    if (promises_of_few(&cuts, g->inverse, node, first, last) <= best->score)
        return true;
    for (uint32_t i = first; i <= last; i++)
        if (cuts.promise[i] > best->score && cuts.begins[i] > 0)
            look_at(column, node, (uint32_t)sorted[i - 1] >> FEW_BITS, (uint32_t)sorted[i] >> FEW_BITS, cuts.weight[i],
                    cuts.left[i], best);
    return true;
}

/* Likewise; every third node that is split has two rows. */
static bool best_cut_of_two(const grower_t *g, const prf_column_t *column, const node_t *node, split_t *best)
{
    uint32_t a = column->code[g->rows[node->span.begin]], b = column->code[g->rows[node->span.begin + 1]];
    uint32_t left = g->weights[a > b], least = g->growth->min_leaf;
    if (a == b || left < least || node->weight - left < least)
        return false;
    look_at(column, node, a < b ? a : b, a < b ? b : a, left, g->dense[a > b], best);
    return true;
}

/* The last bin that begins at or below `value`, from `first` on. */
static uint32_t bin_at(const prf_column_t *column, uint32_t first, uint32_t last, float value)
{
    const float *low = column->low + first;
    for (uint32_t left = last - first + 1; left > 1;) { /* bins that it may be */
        uint32_t half = left / 2;
        low += low[half] <= value ? half : 0;
        left -= half;
    }
    return (uint32_t)(low - column->low);
}

/* Sum and weight of the targets at or below the cut. Four lanes, so that one addition need not wait for the one before; the
 * order of additions is fixed all the same. */
static double sum_left(const grower_t *g, uint32_t n, uint32_t cut, uint32_t *count)
{
    double lane[4] = {0};
    uint32_t left = 0, i = 0;
    for (; i + 4 <= n; i += 4)
        for (uint32_t k = 0; k < 4; k++) {
            bool goes = g->codes[i + k] <= cut;
            left += g->weights[i + k] * goes;
            lane[k] += where(goes, g->dense[i + k]);
        }
    for (; i < n; i++) {
        bool goes = g->codes[i] <= cut;
        left += g->weights[i] * goes;
        lane[0] += where(goes, g->dense[i]);
    }
    *count = left;
    return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

static bool random_cut(grower_t *g, const prf_column_t *column, const node_t *node, split_t *best)
{
    uint16_t first = UINT16_MAX, last = 0;
    uint32_t n = node->rows, left_count;
    for (uint32_t i = 0; i < n; i++) {
        uint16_t bin = g->codes[i] = column->code[g->rows[node->span.begin + i]];
        first = bin < first ? bin : first;
        last = bin > last ? bin : last;
    }
    if (first == last)
        return false;
    double low = column->low[first], high = column->low[last];
    float at = (float)(low + prf_rng_double(&g->rng) * (high - low));
    if (at >= column->low[last])
        at = column->low[first];
    uint32_t cut = bin_at(column, first, last, at);
    double left = sum_left(g, n, cut, &left_count);
    if (left_count < g->growth->min_leaf || node->weight - left_count < g->growth->min_leaf)
        return false;
    double s = score(left, node->total - left, left_count, node->weight - left_count);
    if (s > best->score)
        *best = (split_t){column, cut, fmaxf(at, column->high[cut]), s};
    return true;
}

static bool cut(grower_t *g, const prf_column_t *column, const node_t *node, split_t *best)
{
    if (g->growth->random_cuts)
        return random_cut(g, column, node, best);
    if (node->rows == 2)
        return best_cut_of_two(g, column, node, best);
    return node->rows <= FEW ? best_cut_of_few(g, column, node, best) : best_cut_of_many(g, column, node, best);
}

/* Columns are drawn until enough of them offered a cut; those that are constant within the node do not count. */
static bool find_split(grower_t *g, const node_t *node, split_t *best)
{
    size_t columns = g->bins->column_count;
    size_t wanted = (size_t)ceil(g->growth->feature_share * (double)columns), seen = 0;
    *best = (split_t){.score = -INFINITY};
    for (size_t i = 0; i < columns && seen < wanted; i++) {
        size_t j = i + (size_t)prf_rng_below(&g->rng, columns - i);
        uint32_t chosen = g->order[j];
        g->order[j] = g->order[i];
        g->order[i] = chosen;
        seen += cut(g, &g->bins->columns[chosen], node, best);
    }
    return best->column != NULL;
}

static uint32_t partition(grower_t *g, span_t span, const split_t *split)
{
    uint32_t left = span.begin, right = 0;
    for (uint32_t i = span.begin; i < span.end; i++) {
        uint32_t row = g->rows[i];
        bool goes = split->column->code[row] <= split->last_left;
        g->rows[left] = g->spare[right] = row; /* one of them counts: no branch that nobody can foresee */
        left += goes;
        right += !goes;
    }
    memcpy(g->rows + left, g->spare, right * sizeof *g->rows);
    return left;
}

static bool add_node(grower_t *g, span_t span)
{
    if (g->node_count == PRF_NODES)
        return false;
    if (g->node_count == g->node_cap) {
        size_t cap = g->node_cap ? 2 * g->node_cap : 1024;
        prf_node_t *grown = realloc(g->nodes, cap * sizeof *grown);
        if (!grown)
            return false;
        g->nodes = grown;
        g->node_cap = cap;
    }
    g->spans[g->node_count - g->tree_at] = span;
    g->nodes[g->node_count++] = (prf_node_t){.feature = PRF_LEAF};
    return true;
}

/* Gathers the node's targets; true when they differ enough to be worth a split. */
static bool gather(grower_t *g, const double *target, node_t *node)
{
    double low = INFINITY, high = -INFINITY;
    for (uint32_t i = 0; i < node->rows; i++) {
        uint32_t row = g->rows[node->span.begin + i], weight = g->drawn[row];
        double y = target[row];
        g->weights[i] = weight;
        g->dense[i] = weight * y;
        low = y < low ? y : low;
        high = y > high ? y : high;
        node->weight += weight;
        node->total += weight * y;
    }
    return high - low > 1e-9;
}

/* Grows one tree over the first `row_count` entries of g->rows. Roots and children count from the grower's first node. */
static bool grow_tree(grower_t *g, const double *target, uint32_t row_count)
{
    const prf_growth_t *how = g->growth;
    g->tree_at = g->node_count;
    if (!add_node(g, (span_t){0, row_count, 0}))
        return false;
    for (size_t i = g->tree_at; i < g->node_count; i++) {
        span_t span = g->spans[i - g->tree_at];
        node_t node = {.span = span, .rows = span.end - span.begin};
        split_t split;
        bool varied = gather(g, target, &node);
        if (!varied || node.weight < 2 * how->min_leaf || (how->max_depth && span.depth == how->max_depth) ||
            !find_split(g, &node, &split)) {
            g->nodes[i].value = (float)(how->shrink * node.total / node.weight);
            continue;
        }
        uint32_t middle = partition(g, span, &split);
        g->nodes[i] = (prf_node_t){split.threshold, split.column->feature & (PRF_LEAF - 1), g->node_count & (PRF_NODES - 1)};
        if (!add_node(g, (span_t){span.begin, middle, span.depth + 1}) || !add_node(g, (span_t){middle, span.end, span.depth + 1}))
            return false;
    }
    return true;
}

/* How many different ones there are. */
static uint32_t draw_rows(grower_t *g)
{
    uint32_t n = (uint32_t)g->bins->row_count, count = 0;
    bool all = g->growth->row_share >= 1 && !g->growth->bootstrap;
    for (uint32_t i = 0; i < n; i++)
        g->drawn[i] = all || (!g->growth->bootstrap && prf_rng_double(&g->rng) < g->growth->row_share);
    for (uint32_t i = 0; i < n && g->growth->bootstrap; i++)
        g->drawn[prf_rng_below(&g->rng, n)]++;
    for (uint32_t i = 0; i < n; i++)
        if (g->drawn[i])
            g->rows[count++] = i;
    if (count == 0) {
        g->rows[count++] = (uint32_t)prf_rng_below(&g->rng, n);
        g->drawn[g->rows[0]] = 1;
    }
    return count;
}

static void grower_release(grower_t *g)
{
    free(g->rows);
    free(g->spare);
    free(g->drawn);
    free(g->dense);
    free(g->weights);
    free(g->codes);
    free(g->inverse);
    free(g->order);
    free(g->spans);
    free(g->nodes);
    free(g);
}

static grower_t *grower_new(const prf_bins_t *bins, const prf_growth_t *growth, uint64_t seed, uint64_t stream)
{
    grower_t *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    size_t n = bins->row_count;
    g->bins = bins;
    g->growth = growth;
    prf_rng_init(&g->rng, seed, stream);
    g->rows = malloc(n * sizeof *g->rows);
    g->spare = malloc(n * sizeof *g->spare);
    g->drawn = malloc(n * sizeof *g->drawn);
    g->dense = malloc(n * sizeof *g->dense);
    g->weights = malloc(n * sizeof *g->weights);
    g->codes = malloc(n * sizeof *g->codes);
    g->inverse = malloc((n + 1) * sizeof *g->inverse);
    g->order = malloc((bins->column_count + 1) * sizeof *g->order);
    g->spans = malloc(2 * n * sizeof *g->spans);
    if (!g->rows || !g->spare || !g->drawn || !g->dense || !g->weights || !g->codes || !g->inverse || !g->order || !g->spans) {
        grower_release(g);
        return NULL;
    }
    for (uint32_t i = 0; i < bins->column_count; i++)
        g->order[i] = i;
    for (size_t i = 1; i <= n; i++)
        g->inverse[i] = 1 / (double)i;
    return g;
}

/* One member's outcome, made by one thread. */
typedef struct {
    prf_node_t *nodes; /* owned; children count from the member's first node; NULL: failed */
    size_t node_count; /* PRF_NODES and failed: it would have had more */
    uint32_t *roots;   /* owned, one a round, likewise */
    bool failed;
} member_t;

typedef struct {
    const prf_bins_t *bins;
    const float *table;
    size_t feature_count;
    const double *target;
    const prf_growth_t *growth;
    uint64_t seed;
    double base;
    member_t *members;
} fit_t;

static double leaf_value(const prf_node_t *nodes, uint32_t at, const float *x)
{
    while (nodes[at].feature != PRF_LEAF)
        at = (uint32_t)nodes[at].child + !(x[nodes[at].feature] <= nodes[at].value);
    return nodes[at].value;
}

/* The size that `trusted` of them do not exceed, by a thousand of them. */
static double usual_size(const double *rest, size_t n, double trusted)
{
    double sizes[SAMPLED];
    size_t count = 0, step = n / SAMPLED + 1;
    for (size_t i = 0; i < n; i += step)
        sizes[count++] = fabs(rest[i]);
    prf_sort(sizes, count);
    double usual = sizes[(size_t)(trusted * (double)(count - 1))];
    return usual > 0 ? usual : sizes[count - 1]; /* where most is explained, the rest is not noise */
}

static void cut_to(double *out, const double *rest, size_t n, double size)
{
    for (size_t i = 0; i < n; i++)
        out[i] = fmax(-size, fmin(rest[i], size));
}

/* `rest` is what the trees so far leave over; each tree is fitted to it and then taken off. `seen` is room for as many. */
static bool grow_member(const fit_t *fit, grower_t *g, member_t *member, double *rest, double *seen)
{
    size_t n = fit->bins->row_count;
    bool cuts = fit->growth->trusted > 0;
    for (size_t i = 0; i < n; i++)
        rest[i] = fit->target[i] - fit->base;
    for (uint32_t round = 0; round < fit->growth->rounds; round++) {
        if (cuts)
            cut_to(seen, rest, n, usual_size(rest, n, fit->growth->trusted));
        if (!grow_tree(g, cuts ? seen : rest, draw_rows(g)))
            return false;
        member->roots[round] = (uint32_t)g->tree_at;
        for (size_t i = 0; i < n && round + 1 < fit->growth->rounds; i++)
            rest[i] -= leaf_value(g->nodes, member->roots[round], fit->table + i * fit->feature_count);
    }
    return true;
}

static void fit_member(void *context, size_t index)
{
    const fit_t *fit = context;
    member_t *member = &fit->members[index];
    grower_t *g = grower_new(fit->bins, fit->growth, fit->seed, index);
    size_t n = fit->bins->row_count;
    double *rest = malloc(2 * n * sizeof *rest);
    member->roots = malloc(fit->growth->rounds * sizeof *member->roots);
    member->failed = !g || !rest || !member->roots || !grow_member(fit, g, member, rest, rest + n);
    member->node_count = g ? g->node_count : 0;
    if (!member->failed) {
        member->nodes = g->nodes;
        g->nodes = NULL;
    }
    free(rest);
    if (g)
        grower_release(g);
}

/* Puts the members one after another. */
static prf_status_t assemble(prf_ensemble_t *out, const fit_t *fit, prf_error_t *err)
{
    const prf_growth_t *growth = fit->growth;
    prf_ensemble_t e = {.member_count = growth->members,
                        .tree_count = growth->members * growth->rounds,
                        .feature_count = fit->feature_count,
                        .base = fit->base};
    for (uint32_t m = 0; m < growth->members; m++) {
        bool failed = fit->members[m].failed;
        if (failed && fit->members[m].node_count < PRF_NODES)
            return prf_fail(err, PRF_ENOMEM, "growing trees over %zu layers", fit->bins->row_count);
        e.node_count += fit->members[m].node_count + failed;
    }
    if (e.node_count > PRF_NODES)
        return prf_fail(err, PRF_EINVAL, "trees over %zu layers grow beyond %d nodes: train on fewer layers", fit->bins->row_count,
                        PRF_NODES);
    e.nodes = malloc((e.node_count + 1) * sizeof *e.nodes);
    e.trees = malloc(e.tree_count * sizeof *e.trees);
    if (!e.nodes || !e.trees) {
        prf_ensemble_release(&e);
        return prf_fail(err, PRF_ENOMEM, "%zu tree nodes", e.node_count);
    }
    uint32_t at = 0;
    for (uint32_t m = 0; m < growth->members; m++) {
        const member_t *member = &fit->members[m];
        for (uint32_t r = 0; r < growth->rounds; r++)
            e.trees[m * growth->rounds + r].root = at + member->roots[r];
        for (size_t i = 0; i < member->node_count; i++) {
            e.nodes[at + i] = member->nodes[i];
            if (member->nodes[i].feature != PRF_LEAF)
                e.nodes[at + i].child = (member->nodes[i].child + at) & (PRF_NODES - 1);
        }
        at += (uint32_t)member->node_count;
    }
    prf_ensemble_close(&e);
    *out = e;
    return PRF_OK;
}

prf_status_t prf_ensemble_fit(prf_ensemble_t *out, const prf_bins_t *bins, const float *table, size_t feature_count,
                              const double *target, const prf_growth_t *growth, uint64_t seed, unsigned threads, prf_error_t *err)
{
    fit_t fit = {bins, table, feature_count, target, growth, seed, 0, NULL};
    for (size_t i = 0; i < bins->row_count; i++)
        fit.base += target[i] / (double)bins->row_count;
    fit.members = calloc(growth->members, sizeof *fit.members);
    if (!fit.members)
        return prf_fail(err, PRF_ENOMEM, "an ensemble of %u members", growth->members);
    prf_parallel(growth->members, threads, fit_member, &fit);
    prf_status_t status = assemble(out, &fit, err);
    for (uint32_t m = 0; m < growth->members; m++) {
        free(fit.members[m].nodes);
        free(fit.members[m].roots);
    }
    free(fit.members);
    return status;
}
