// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "layer/features.h"

static prf_layer_t layer(const char *text)
{
    prf_block_t b;
    prf_error_t err = {0};
    cr_assert_eq(prf_block_parse(&b, text, &err), PRF_OK, "%s: %s", text, err.text);
    return b.layers[0];
}

/* The value of a feature by its name; fails when there is none of that name, or two. */
static double feature(const prf_recipe_t *recipe, const char *text, const double *extras, const char *name)
{
    prf_layer_t l = layer(text);
    float x[PRF_FEATURES];
    size_t found = 0, count = prf_features_compute(recipe, &l, extras, x);
    double value = NAN;
    for (size_t i = 0; i < count; i++) {
        char is[PRF_FEATURE_NAME];
        prf_features_name(recipe, i, is);
        if (strcmp(is, name) == 0) {
            value = x[i];
            found++;
        }
    }
    cr_assert_eq(found, 1, "%zu features are called '%s'", found, name);
    return value;
}

static const char conv[] = "conv2d c=65 k=96 h=28 w=30 r=3 pad=1";

Test(features, derived_values_agree_with_hand_arithmetic)
{
    prf_recipe_t r = {.kind = PRF_CONV2D, .dtype = PRF_I8};
    double macs = 28.0 * 30 * 96 * 65 * 9;
    double bytes = 65.0 * 28 * 30 + 96.0 * 65 * 9 + 96.0 * 28 * 30;
    cr_assert_float_eq(feature(&r, conv, NULL, "c"), 65, 0);
    cr_assert_float_eq(feature(&r, conv, NULL, "log_ops"), log(2 * macs + 1), 1e-5);
    cr_assert_float_eq(feature(&r, conv, NULL, "log_intensity"), log(2 * macs / bytes), 1e-5);
    cr_assert_float_eq(feature(&r, conv, NULL, "ops_per_output"), 2 * 65 * 9, 0);
    cr_assert_float_eq(feature(&r, conv, NULL, "out_w"), 30, 0);
    cr_assert_float_eq(feature(&r, conv, NULL, "rows"), 28 * 30, 0);
    cr_assert_float_eq(feature(&r, conv, NULL, "grid.64"), 14 * 2, 0);
    cr_assert_float_eq(feature(&r, conv, NULL, "aligned.k"), 5, 0);
    cr_assert_float_eq(feature(&r, conv, NULL, "aligned.c"), 0, 0);
}

Test(features, matrix_products_have_their_inner_dimension_as_channels)
{
    prf_recipe_t r = {.kind = PRF_MATMUL, .dtype = PRF_F32};
    const char *product = "matmul b=2 m=65 n=129 k=33";
    cr_assert_float_eq(feature(&r, product, NULL, "rows"), 2 * 65, 0);
    cr_assert_float_eq(feature(&r, product, NULL, "columns.64"), 3, 0);
    cr_assert_float_eq(feature(&r, product, NULL, "channels.32"), 2, 0);
}

Test(features, steps_become_tile_counts_and_fill)
{
    prf_recipe_t r = {.kind = PRF_CONV2D, .dtype = PRF_F32};
    r.width[PRF_P_C] = 16;
    r.width[PRF_P_K] = 32;
    double used = 65.0 / 80 * 96 / 96;
    cr_assert_float_eq(feature(&r, conv, NULL, "tiles.c"), 5, 0);
    cr_assert_float_eq(feature(&r, conv, NULL, "tiles.k"), 3, 0);
    cr_assert_float_eq(feature(&r, conv, NULL, "last_tile.c"), 1.0 / 16, 0);
    cr_assert_float_eq(feature(&r, conv, NULL, "last_tile.k"), 1, 0);
    cr_assert_float_eq(feature(&r, conv, NULL, "log_tiles"), log(16), 1e-6);
    cr_assert_float_eq(feature(&r, conv, NULL, "fill"), used, 1e-6);
    prf_layer_t l = layer(conv);
    prf_work_t work;
    prf_features_work(&r, &l, &work);
    cr_assert_eq(work.ops, prf_layer_ops(&l));
    cr_assert_eq(work.bytes, prf_layer_bytes(&l, PRF_F32));
    cr_assert_float_eq(work.fill, used, 1e-12);
}

Test(features, layers_of_one_tile_differ_in_no_tile_count)
{
    prf_recipe_t r = {.kind = PRF_FC, .dtype = PRF_F32};
    r.width[PRF_P_OUT] = 8;
    for (int out = 9; out <= 16; out++) {
        char text[64];
        snprintf(text, sizeof text, "fc in=7 out=%d", out);
        cr_assert_float_eq(feature(&r, text, NULL, "tiles.out"), 2, 0, "out = %d", out);
        cr_assert_float_eq(feature(&r, text, NULL, "log_filled_ops"), log(2.0 * 7 * 16 + 1), 1e-6, "out = %d", out);
    }
}

Test(features, every_kind_fits_and_the_count_depends_on_the_recipe_only)
{
    for (int kind = 0; kind < PRF_LAYER_KINDS; kind++) {
        prf_recipe_t r = {.kind = (prf_layer_kind_t)kind, .dtype = PRF_F32, .extras = PRF_FEATURES_EXTRAS};
        for (int p = 0; p < PRF_PARAMS; p++)
            r.width[p] = 16;
        size_t count = prf_features_count(&r), params;
        cr_assert_leq(count, PRF_FEATURES, "%s has %zu features", prf_layer_kind_name(r.kind), count);
        const prf_param_info_t *info = prf_layer_params(r.kind, &params);
        for (int v = 1; v <= 1024; v *= 4) {
            prf_layer_t l = {.kind = r.kind};
            for (size_t i = 0; i < params; i++)
                l.p[info[i].param] = v <= info[i].max ? v : info[i].max;
            l.p[PRF_P_GROUPS] = l.p[PRF_P_GROUPS] > 0;
            l.p[PRF_P_PAD] = 0;
            float x[PRF_FEATURES];
            if (prf_layer_outputs(&l) < 1)
                continue;
            cr_assert_eq(prf_features_compute(&r, &l, NULL, x), count, "%s", prf_layer_kind_name(r.kind));
            for (size_t i = 0; i < count; i++)
                cr_assert(isfinite(x[i]), "%s: feature %zu", prf_layer_kind_name(r.kind), i);
        }
    }
}

Test(features, extras_are_taken_as_they_are_but_stay_finite)
{
    prf_recipe_t r = {.kind = PRF_FC, .dtype = PRF_F32, .extras = 3};
    const double extras[PRF_FEATURES_EXTRAS] = {0.25, INFINITY, NAN};
    cr_assert_float_eq(feature(&r, "fc in=1 out=1", extras, "extra.0"), 0.25, 0);
    cr_assert_float_eq(feature(&r, "fc in=1 out=1", extras, "extra.1"), FLT_MAX, 0);
    cr_assert_float_eq(feature(&r, "fc in=1 out=1", extras, "extra.2"), 0, 0);
    cr_assert_float_eq(feature(&r, "fc in=1 out=1", NULL, "extra.0"), 0, 0);
}
