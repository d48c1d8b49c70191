// SPDX-License-Identifier: Apache-2.0
/* Gaussian processes, against closed forms and against what they are there for: smooth functions, few layers. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "model/bins.h"
#include "model/gauss.h"
#include "model/grow.h"

static double predict(const prf_gauss_t *g, const float *x, double *spread)
{
    double mean;
    prf_gauss_predict(g, x, &mean, spread);
    return mean;
}

/* Two layers one length apart, with k = Matern 5/2 at distance 1: half the difference of the targets is answered by
 * power (1 - k) / (power (1 - k) + noise) of itself. */
Test(gauss, two_layers_are_answered_as_the_closed_form_says)
{
    prf_gauss_kernel_t kernel = {.count = 1, .inputs = {{0, 0, 1}}, .amplitude = 2, .noise = 0.5};
    const float x[] = {0, (float)sinh(1)};
    const double y[] = {1, 3};
    prf_gauss_t g;
    prf_error_t err = {0};
    cr_assert_eq(prf_gauss_fit(&g, &kernel, x, 2, 1, y, &err), PRF_OK, "%s", err.text);
    double k = (1 + sqrt(5) + 5.0 / 3) * exp(-sqrt(5)), share = 4 * (1 - k) / (4 * (1 - k) + 0.25), spread;
    cr_expect_float_eq(predict(&g, &x[0], &spread), 2 - share, 1e-6);
    cr_expect_float_eq(spread, 0, 1e-3, "there is nothing unknown about a layer that was measured");
    cr_expect_float_eq(predict(&g, &x[1], &spread), 2 + share, 1e-6);
    const float far = 1e30F;
    cr_expect_float_eq(predict(&g, &far, &spread), 2, 1e-9, "far from all layers it is the mean");
    cr_expect_float_eq(spread, 2, 1e-9, "and all is unknown");
    prf_gauss_release(&g);
}

/* 1e-8 away rounding makes a layer more like the measured one than itself: an interval without a number came of it. */
Test(gauss, a_layer_next_to_a_measured_one_has_an_interval)
{
    prf_gauss_kernel_t kernel = {.count = 1, .inputs = {{0, 0, 1}}, .amplitude = 2, .noise = 0.5};
    const float x[] = {0, 1};
    const double y[] = {1, 3};
    prf_gauss_t g;
    prf_error_t err = {0};
    cr_assert_eq(prf_gauss_fit(&g, &kernel, x, 2, 1, y, &err), PRF_OK, "%s", err.text);
    for (float away = 1e-9F; away < 1e-6F; away *= 1.001F) {
        double spread;
        predict(&g, &away, &spread);
        cr_assert(spread >= 0 && spread < 1e-3, "%g away: %g", (double)away, spread);
    }
    prf_gauss_release(&g);
}

enum { ROWS = 150, UNSEEN = 200, FEATURES = 8 };
typedef struct {
    float x[ROWS + UNSEEN][FEATURES];
    double y[ROWS + UNSEEN];
} world_t;

/* Smooth in the logarithms of the first two of eight features; the others say nothing. */
static void fill(world_t *w, double noise)
{
    prf_rng_t rng;
    prf_rng_init(&rng, 5, 0);
    for (int i = 0; i < ROWS + UNSEEN; i++) {
        for (int f = 0; f < FEATURES; f++)
            w->x[i][f] = (float)exp(6 * prf_rng_double(&rng));
        double a = log((double)w->x[i][0]), b = log((double)w->x[i][1]);
        w->y[i] = 0.3 * sin(a) + 0.1 * a * b + noise * prf_rng_normal(&rng);
    }
}

static double error_of(const world_t *w, double (*answer)(const void *self, const float *x), const void *self)
{
    double sum = 0;
    for (int i = ROWS; i < ROWS + UNSEEN; i++)
        sum += fabs(answer(self, w->x[i]) - w->y[i]) / UNSEEN;
    return sum;
}

static double by_gauss(const void *self, const float *x)
{
    double spread;
    return predict(self, x, &spread);
}

static double by_trees(const void *self, const float *x)
{
    double mean, spread;
    prf_ensemble_predict(self, x, &mean, &spread);
    return mean;
}

Test(gauss, a_smooth_function_is_learned_from_few_layers_better_than_by_trees)
{
    static world_t w;
    static const prf_growth_t boosted = {
        .members = 4, .rounds = 300, .shrink = 0.08, .row_share = 0.7, .feature_share = 0.5, .min_leaf = 3, .max_depth = 7};
    prf_error_t err = {0};
    prf_gauss_kernel_t kernel;
    prf_gauss_t g;
    prf_bins_t bins;
    prf_ensemble_t trees;
    fill(&w, 0);
    cr_assert_eq(prf_gauss_learn(&kernel, *w.x, ROWS, FEATURES, w.y, PRF_GAUSS_THOROUGH, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_gauss_fit(&g, &kernel, *w.x, ROWS, FEATURES, w.y, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_bins_init(&bins, *w.x, ROWS, FEATURES, &err), PRF_OK);
    cr_assert_eq(prf_ensemble_fit(&trees, &bins, *w.x, FEATURES, w.y, &boosted, 1, 1, &err), PRF_OK);
    double gauss = error_of(&w, by_gauss, &g), grown = error_of(&w, by_trees, &trees);
    cr_expect_lt(gauss, 0.2 * grown, "%g against %g", gauss, grown);
    prf_bins_release(&bins);
    prf_ensemble_release(&trees);
    prf_gauss_release(&g);
}

Test(gauss, features_that_say_nothing_matter_little)
{
    static world_t w;
    prf_error_t err = {0};
    prf_gauss_kernel_t kernel;
    fill(&w, 0.05);
    cr_assert_eq(prf_gauss_learn(&kernel, *w.x, ROWS, FEATURES, w.y, PRF_GAUSS_THOROUGH, &err), PRF_OK, "%s", err.text);
    double matters[FEATURES] = {0};
    for (uint32_t i = 0; i < kernel.count; i++)
        matters[kernel.inputs[i].column] = kernel.inputs[i].scale;
    for (int f = 2; f < FEATURES; f++)
        cr_expect_lt(matters[f], 0.25 * fmin(matters[0], matters[1]), "feature %d: %g, the others %g and %g", f, matters[f],
                     matters[0], matters[1]);
    cr_expect(kernel.noise > 0.025 && kernel.noise < 0.1, "noise of 0.05 is taken for %g", kernel.noise);
}

Test(gauss, what_never_varies_is_answered_as_it_is)
{
    static world_t w;
    prf_error_t err = {0};
    prf_gauss_kernel_t kernel;
    prf_gauss_t g;
    double spread;
    fill(&w, 0);
    for (int i = 0; i < ROWS; i++)
        w.y[i] = 7;
    cr_assert_eq(prf_gauss_learn(&kernel, *w.x, ROWS, FEATURES, w.y, PRF_GAUSS_THOROUGH, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_gauss_fit(&g, &kernel, *w.x, ROWS, FEATURES, w.y, &err), PRF_OK, "%s", err.text);
    cr_expect_float_eq(predict(&g, w.x[ROWS], &spread), 7, 1e-12);
    prf_gauss_release(&g);
    memset(w.x, 0, sizeof w.x);
    fill(&w, 0);
    for (int i = 0; i < ROWS; i++)
        memcpy(w.x[i], w.x[0], sizeof w.x[0]);
    cr_assert_eq(prf_gauss_learn(&kernel, *w.x, ROWS, FEATURES, w.y, PRF_GAUSS_THOROUGH, &err), PRF_OK, "%s", err.text);
    cr_expect_eq(kernel.count, 0, "all layers look alike");
    cr_assert_eq(prf_gauss_fit(&g, &kernel, *w.x, ROWS, FEATURES, w.y, &err), PRF_OK, "%s", err.text);
    cr_expect(isfinite(predict(&g, w.x[0], &spread)));
    prf_gauss_release(&g);
}

/* One break at a time in what is fine otherwise. */
Test(gauss, numbers_of_a_file_that_cannot_be_are_refused)
{
    prf_gauss_input_t input = {1, 0, 1};
    float points[] = {0, 1};
    double weights[] = {1, 2};
    const prf_gauss_t good = {1, 2, &input, points, weights, 0, 1};
    cr_expect_eq(prf_gauss_check(&good, 2, NULL), PRF_OK);
    cr_expect_eq(prf_gauss_check(&good, 1, NULL), PRF_ECORRUPT, "a feature that there is not");
    prf_gauss_t bad = good;
    bad.amplitude = -1;
    cr_expect_eq(prf_gauss_check(&bad, 2, NULL), PRF_ECORRUPT);
    bad = good;
    bad.mean = NAN;
    cr_expect_eq(prf_gauss_check(&bad, 2, NULL), PRF_ECORRUPT);
    points[1] = INFINITY;
    cr_expect_eq(prf_gauss_check(&good, 2, NULL), PRF_ECORRUPT);
    points[1] = 1;
    weights[0] = 1e300;
    cr_expect_eq(prf_gauss_check(&good, 2, NULL), PRF_ECORRUPT);
    weights[0] = 1;
    input.scale = NAN;
    cr_expect_eq(prf_gauss_check(&good, 2, NULL), PRF_ECORRUPT);
}
