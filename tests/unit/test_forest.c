// SPDX-License-Identifier: Apache-2.0
/* The trees under the model: binning, growing, linking. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model/bins.h"
#include "model/grow.h"
#include "model/roofline.h"

static const prf_growth_t one_tree = {.members = 1, .rounds = 1, .shrink = 1, .row_share = 1, .feature_share = 1, .min_leaf = 1};

static prf_ensemble_t grow(const float *x, size_t rows, size_t features, const double *y, const prf_growth_t *how, unsigned threads)
{
    prf_bins_t bins;
    prf_ensemble_t e;
    prf_error_t err = {0};
    cr_assert_eq(prf_bins_init(&bins, x, rows, features, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_ensemble_fit(&e, &bins, x, features, y, how, 7, threads, &err), PRF_OK, "%s", err.text);
    prf_bins_release(&bins);
    return e;
}

static double predict(const prf_ensemble_t *e, const float *x)
{
    double mean, spread;
    prf_ensemble_predict(e, x, &mean, &spread);
    return mean;
}

Test(forest, one_full_tree_repeats_its_training_data)
{
    enum { N = 300 };
    float x[N][2];
    double y[N];
    prf_rng_t rng;
    prf_rng_init(&rng, 1, 0);
    for (int i = 0; i < N; i++) {
        x[i][0] = (float)i;
        x[i][1] = (float)prf_rng_double(&rng);
        y[i] = prf_rng_normal(&rng);
    }
    prf_ensemble_t best = grow(*x, N, 2, y, &one_tree, 1);
    prf_growth_t random = one_tree;
    random.random_cuts = true;
    prf_ensemble_t extra = grow(*x, N, 2, y, &random, 1);
    for (int i = 0; i < N; i++) {
        cr_assert_float_eq(predict(&best, x[i]), y[i], 1e-6, "row %d", i);
        cr_assert_float_eq(predict(&extra, x[i]), y[i], 1e-6, "row %d", i);
    }
    prf_ensemble_release(&best);
    prf_ensemble_release(&extra);
}

Test(forest, the_best_cut_lies_in_the_middle_of_the_gap)
{
    const float x[] = {1, 2, 10, 11};
    const double y[] = {0, 0, 5, 5};
    prf_ensemble_t e = grow(x, 4, 1, y, &one_tree, 1);
    cr_assert_eq(e.node_count, 3);
    cr_assert_eq(e.nodes[0].value, 6);
    cr_assert_eq(predict(&e, (float[]){6}), 0);
    cr_assert_eq(predict(&e, (float[]){6.5f}), 5);
    prf_ensemble_release(&e);
}

Test(forest, columns_that_offer_nothing_new_are_left_out)
{
    enum { N = 50 };
    float x[N][4];
    for (int i = 0; i < N; i++) {
        x[i][0] = 3;
        x[i][1] = (float)(i % 10);
        x[i][2] = logf(1 + x[i][1]);
        x[i][3] = (float)i;
    }
    prf_bins_t bins;
    cr_assert_eq(prf_bins_init(&bins, *x, N, 4, NULL), PRF_OK);
    cr_assert_eq(bins.column_count, 2);
    cr_assert_eq(bins.columns[0].feature, 1);
    cr_assert_eq(bins.columns[0].bin_count, 10);
    cr_assert_eq(bins.columns[1].feature, 3);
    prf_bins_release(&bins);
}

Test(forest, bins_hold_every_value_once_and_in_order)
{
    enum { N = 5000 };
    float *x = malloc(N * sizeof *x);
    prf_rng_t rng;
    prf_rng_init(&rng, 2, 0);
    for (int i = 0; i < N; i++)
        x[i] = i % 3 ? (float)prf_rng_double(&rng) : 0.5f;
    prf_bins_t bins;
    cr_assert_eq(prf_bins_init(&bins, x, N, 1, NULL), PRF_OK);
    const prf_column_t *c = &bins.columns[0];
    cr_assert_leq(c->bin_count, PRF_BINS);
    cr_assert_gt(c->bin_count, PRF_BINS / 2);
    for (uint32_t b = 0; b < c->bin_count; b++) {
        cr_assert_leq(c->low[b], c->high[b]);
        cr_assert(b == 0 || c->high[b - 1] < c->low[b], "bins %u and %u overlap", b - 1, b);
    }
    for (int i = 0; i < N; i++)
        cr_assert(c->low[c->code[i]] <= x[i] && x[i] <= c->high[c->code[i]], "row %d", i);
    prf_bins_release(&bins);
    free(x);
}

static void wavy(float *x, double *y, size_t rows, uint64_t seed)
{
    prf_rng_t rng;
    prf_rng_init(&rng, seed, 0);
    for (size_t i = 0; i < rows; i++) {
        for (size_t f = 0; f < 3; f++)
            x[3 * i + f] = (float)prf_rng_double(&rng);
        y[i] = sin(6 * x[3 * i]) + x[3 * i + 1] * x[3 * i + 1];
    }
}

static double error_of(const prf_growth_t *how)
{
    enum { N = 2000, TEST = 500 };
    float *x = malloc(3 * (N + TEST) * sizeof *x);
    double *y = malloc((N + TEST) * sizeof *y), sum = 0;
    wavy(x, y, N + TEST, 3);
    prf_ensemble_t e = grow(x, N, 3, y, how, 2);
    for (size_t i = N; i < N + TEST; i++)
        sum += fabs(predict(&e, x + 3 * i) - y[i]) / TEST;
    prf_ensemble_release(&e);
    free(x);
    free(y);
    return sum;
}

Test(forest, every_kind_of_ensemble_learns_a_smooth_function)
{
    prf_growth_t forest = {
        .members = 50, .rounds = 1, .shrink = 1, .row_share = 1, .bootstrap = true, .feature_share = 0.7, .min_leaf = 1};
    prf_growth_t extra = {
        .members = 50, .rounds = 1, .shrink = 1, .row_share = 1, .random_cuts = true, .feature_share = 1, .min_leaf = 1};
    prf_growth_t boosted = {
        .members = 2, .rounds = 200, .shrink = 0.1, .row_share = 0.7, .feature_share = 1, .min_leaf = 3, .max_depth = 5};
    double single = error_of(&one_tree);
    double by_forest = error_of(&forest), by_extra = error_of(&extra), by_boosting = error_of(&boosted);
    cr_assert_lt(by_forest, 0.8 * single, "forest %g, one tree %g", by_forest, single);
    cr_assert_lt(by_extra, 0.8 * single, "extra trees %g, one tree %g", by_extra, single);
    cr_assert_lt(by_boosting, 0.8 * single, "boosted %g, one tree %g", by_boosting, single);
}

/* One row in twenty takes three times as long as its features tell: single rows that nothing explains. */
Test(forest, boosting_that_trusts_most_rows_follows_the_few_others_less)
{
    enum { N = 4000, TESTS = 500 };
    static float x[N][2];
    static double y[N];
    prf_rng_t rng;
    prf_rng_init(&rng, 11, 0);
    for (int i = 0; i < N; i++) {
        x[i][0] = (float)prf_rng_double(&rng);
        x[i][1] = (float)prf_rng_double(&rng);
        y[i] = sin(6 * (double)x[i][0]) + (double)x[i][1] + (prf_rng_double(&rng) < 0.05 ? log(3) : 0);
    }
    prf_growth_t all = {
        .members = 2, .rounds = 200, .shrink = 0.1, .row_share = 0.7, .feature_share = 1, .min_leaf = 3, .max_depth = 8};
    prf_growth_t most = all;
    most.trusted = 0.92;
    prf_ensemble_t a = grow(*x, N, 2, y, &all, 1), b = grow(*x, N, 2, y, &most, 1);
    double by_all = 0, by_most = 0;
    for (int i = 0; i < TESTS; i++) {
        float at[] = {(float)prf_rng_double(&rng), (float)prf_rng_double(&rng)};
        double truth = sin(6 * (double)at[0]) + (double)at[1];
        by_all += fabs(predict(&a, at) - truth) / TESTS;
        by_most += fabs(predict(&b, at) - truth) / TESTS;
    }
    cr_expect_lt(by_most, by_all / 2, "%g against %g", by_most, by_all);
    prf_ensemble_release(&a);
    prf_ensemble_release(&b);
}

Test(forest, the_number_of_threads_changes_nothing)
{
    enum { N = 400 };
    float x[3 * N];
    double y[N];
    wavy(x, y, N, 4);
    prf_growth_t how = {.members = 8, .rounds = 3, .shrink = 0.5, .row_share = 0.7, .feature_share = 0.5, .min_leaf = 2};
    prf_ensemble_t one = grow(x, N, 3, y, &how, 1), many = grow(x, N, 3, y, &how, 5);
    cr_assert_eq(one.node_count, many.node_count);
    for (size_t i = 0; i < one.node_count; i++) {
        cr_assert_eq(one.nodes[i].value, many.nodes[i].value);
        cr_assert_eq(one.nodes[i].feature, many.nodes[i].feature);
        cr_assert_eq(one.nodes[i].child, many.nodes[i].child);
    }
    prf_ensemble_release(&one);
    prf_ensemble_release(&many);
}

Test(forest, many_rows_at_once_are_answered_as_each_alone)
{
    enum { N = 300, ASKED = 41 };
    float x[3 * N];
    double y[N];
    wavy(x, y, N, 6);
    const prf_growth_t sorts[] = {
        {.members = 37, .rounds = 1, .shrink = 1, .row_share = 1, .bootstrap = true, .feature_share = 0.5, .min_leaf = 1},
        {.members = 3, .rounds = 111, .shrink = 0.1, .row_share = 0.7, .feature_share = 1, .min_leaf = 3, .max_depth = 6}};
    for (size_t s = 0; s < 2; s++) {
        prf_ensemble_t e = grow(x, N, 3, y, &sorts[s], 1);
        const float *rows[ASKED];
        double mean[ASKED], spread[ASKED];
        for (size_t count = 1; count <= ASKED; count += 5) {
            for (size_t i = 0; i < count; i++)
                rows[i] = x + 3 * (7 * i % N);
            prf_ensemble_predict_many(&e, rows, count, mean, spread);
            for (size_t i = 0; i < count; i++) {
                double alone, alone_spread;
                prf_ensemble_predict(&e, rows[i], &alone, &alone_spread);
                cr_assert_eq(mean[i], alone, "row %zu of %zu", i, count);
                cr_assert_eq(spread[i], alone_spread, "row %zu of %zu", i, count);
            }
        }
        prf_ensemble_release(&e);
    }
}

Test(forest, limits_of_growth_are_kept)
{
    enum { N = 500 };
    float x[3 * N];
    double y[N];
    wavy(x, y, N, 5);
    prf_growth_t how = one_tree;
    how.max_depth = 3;
    prf_ensemble_t shallow = grow(x, N, 3, y, &how, 1);
    cr_assert_leq(shallow.node_count, 15);
    how.max_depth = 0;
    how.min_leaf = 100;
    prf_ensemble_t coarse = grow(x, N, 3, y, &how, 1);
    cr_assert_leq(coarse.node_count, 2 * (N / 100) - 1);
    cr_assert_gt(coarse.node_count, 1);
    prf_ensemble_release(&shallow);
    prf_ensemble_release(&coarse);
}

/* A tree that cannot split answers with the mean of what it drew: as many rows as there are, the first of them k times. */
Test(forest, a_row_that_is_drawn_several_times_counts_as_often)
{
    enum { N = 64, TREES = 200 };
    float x[N] = {0};
    double y[N] = {1}, drawn = 0;
    prf_growth_t how = one_tree;
    how.bootstrap = true;
    how.members = TREES;
    bool often = false;
    prf_ensemble_t e = grow(x, N, 1, y, &how, 1);
    cr_assert_eq(e.node_count, TREES);
    for (int t = 0; t < TREES; t++) {
        double k = N * ((double)e.nodes[t].value + e.base);
        cr_assert_float_eq(k, round(k), 1e-5, "tree %d: %g times", t, k);
        often = often || k > 1.5;
        drawn += k;
    }
    cr_assert(often);
    cr_assert_float_eq(drawn, TREES, 4 * sqrt(TREES));
    prf_ensemble_release(&e);
}

Test(forest, equal_targets_make_one_leaf)
{
    const float x[] = {1, 2, 3};
    const double y[] = {4, 4, 4};
    prf_ensemble_t e = grow(x, 3, 1, y, &one_tree, 1);
    double mean, spread;
    prf_ensemble_predict(&e, (float[]){9}, &mean, &spread);
    cr_assert_eq(e.node_count, 1);
    cr_assert_eq(mean, 4);
    cr_assert_eq(spread, 0);
    prf_ensemble_release(&e);
}

Test(forest, the_spread_is_the_standard_deviation_of_the_members)
{
    prf_tree_t trees[] = {{.root = 0}, {.root = 1}};
    prf_node_t nodes[] = {{.value = 1, .feature = PRF_LEAF}, {.value = 3, .feature = PRF_LEAF}};
    prf_ensemble_t e = {.member_count = 2, .tree_count = 2, .trees = trees, .nodes = nodes, .node_count = 2, .base = 10};
    double mean, spread;
    prf_ensemble_predict(&e, (float[]){0}, &mean, &spread);
    cr_assert_eq(mean, 12);
    cr_assert_eq(spread, 1);
}

static prf_status_t link_of(const prf_node_t *nodes, size_t count, uint32_t size, uint32_t trees)
{
    prf_node_t copy[8];
    prf_tree_t linked[8];
    uint32_t sizes[8] = {size, size};
    memcpy(copy, nodes, count * sizeof *nodes);
    prf_ensemble_t e = {.member_count = 1, .tree_count = trees, .trees = linked, .nodes = copy, .node_count = count};
    return prf_ensemble_link(&e, sizes, 2, NULL);
}

Test(forest, linking_refuses_trees_that_loop_or_leave_their_bounds)
{
    const prf_node_t inner = {.value = 1, .feature = 0}, leaf = {.feature = PRF_LEAF};
    const prf_node_t foreign = {.value = 1, .feature = 2}, endless = {.value = INFINITY, .feature = 0};
    cr_assert_eq(link_of((prf_node_t[]){inner, leaf, leaf}, 3, 3, 1), PRF_OK);
    cr_assert_eq(link_of((prf_node_t[]){leaf, leaf}, 2, 1, 2), PRF_OK);
    cr_assert_eq(link_of((prf_node_t[]){inner, inner, leaf, leaf, leaf}, 5, 5, 1), PRF_OK);
    cr_assert_eq(link_of((prf_node_t[]){leaf, inner, leaf}, 3, 3, 1), PRF_ECORRUPT, "a child at or before its parent");
    cr_assert_eq(link_of((prf_node_t[]){inner, leaf}, 2, 2, 1), PRF_ECORRUPT, "a child beyond the end");
    cr_assert_eq(link_of((prf_node_t[]){leaf, leaf}, 2, 2, 1), PRF_ECORRUPT, "nodes that nobody reaches");
    cr_assert_eq(link_of((prf_node_t[]){foreign, leaf, leaf}, 3, 3, 1), PRF_ECORRUPT, "an unknown feature");
    cr_assert_eq(link_of((prf_node_t[]){endless, leaf, leaf}, 3, 3, 1), PRF_ECORRUPT, "an infinite threshold");
    cr_assert_eq(link_of((prf_node_t[]){leaf}, 1, 2, 1), PRF_ECORRUPT, "a tree larger than the ensemble");
    cr_assert_eq(link_of((prf_node_t[]){leaf, leaf, leaf}, 3, 1, 2), PRF_ECORRUPT, "nodes of no tree");
    cr_assert_eq(link_of((prf_node_t[]){leaf}, 1, 0, 1), PRF_ECORRUPT, "an empty tree");
}

/* One long branch: each inner node has a leaf and the next inner one. */
static prf_status_t link_chain(uint32_t levels)
{
    uint32_t size = 2 * levels + 1;
    prf_tree_t tree;
    prf_node_t *nodes = calloc(size, sizeof *nodes);
    for (uint32_t i = 0; i < size; i++)
        nodes[i].feature = i == 0 || (i % 2 == 1 && i + 2 < size) ? 0 : PRF_LEAF;
    prf_ensemble_t e = {.member_count = 1, .tree_count = 1, .trees = &tree, .nodes = nodes, .node_count = size};
    prf_status_t status = prf_ensemble_link(&e, &size, 2, NULL);
    free(nodes);
    return status;
}

Test(forest, linking_refuses_trees_that_would_take_an_answer_for_ever)
{
    cr_assert_eq(link_chain(PRF_LEVELS), PRF_OK);
    cr_assert_eq(link_chain(PRF_LEVELS + 1), PRF_ECORRUPT);
}

Test(roofline, constants_are_found_again_despite_outliers)
{
    enum { N = 400 };
    const prf_roofline_t truth = {5000, 0.002, 0.1, 0.6};
    double log_latency[N];
    prf_work_t work[N];
    prf_rng_t rng;
    prf_rng_init(&rng, 6, 0);
    for (int i = 0; i < N; i++) {
        work[i].ops = exp(10 + 12 * prf_rng_double(&rng));
        work[i].bytes = exp(6 + 12 * prf_rng_double(&rng));
        work[i].fill = 0.1 + 0.9 * prf_rng_double(&rng);
        log_latency[i] = log(prf_roofline_ns(&truth, &work[i])) + (i % 20 ? 0 : 3);
    }
    prf_roofline_t found;
    prf_roofline_fit(&found, log_latency, work, N);
    cr_assert_float_eq(found.overhead_ns / truth.overhead_ns, 1, 0.02);
    cr_assert_float_eq(found.ns_per_op / truth.ns_per_op, 1, 0.02);
    cr_assert_float_eq(found.ns_per_byte / truth.ns_per_byte, 1, 0.02);
    cr_assert_float_eq(found.fill_exponent, truth.fill_exponent, 0.02);
}
