// SPDX-License-Identifier: Apache-2.0
/* What carries an estimate: boards that are known sums, and one that listens to one parameter only. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "made_model.h"
#include "model/explain.h"

static const made_sort_t *sort(const char *name)
{
    for (size_t i = 0; i < MADE_SORTS; i++)
        if (strcmp(made_sorts[i].name, name) == 0)
            return &made_sorts[i];
    cr_assert_fail("no sort '%s'", name);
    return NULL;
}

/* A fully connected layer in tiles of 8 x 8, or the time that its weights take to come in. */
static double tiles_ns(const prf_layer_t *l)
{
    return 500 + 64 * ceil(l->p[PRF_P_IN] / 8.0) * ceil(l->p[PRF_P_OUT] / 8.0);
}

static double overlapped_ns(const prf_layer_t *l)
{
    double weights = (double)l->p[PRF_P_IN] * l->p[PRF_P_OUT];
    return fmax(tiles_ns(l), 100 + 2 * weights);
}

static double by_output_ns(const prf_layer_t *l)
{
    return 1000.0 * l->p[PRF_P_OUT];
}

static prf_explanation_t why;

static void explain(const char *name, double (*latency)(const prf_layer_t *))
{
    static const prf_dim_t to_300 = {.kind = PRF_DIM_RANGE, .lo = 1, .hi = 300, .log = true};
    prf_model_t *model = made_model("toy", 1);
    prf_model_part_t *part = &model->parts[0];
    prf_error_t err = {0};
    part->space = (prf_space_t){.kind = PRF_FC, .dtype = PRF_F32};
    part->space.dims[PRF_P_IN] = part->space.dims[PRF_P_OUT] = to_300;
    part->steps.width[PRF_P_IN] = part->steps.width[PRF_P_OUT] = 8;
    made_part(part, sort(name), latency, 200);
    cr_assert_eq(prf_model_explain(&why, model, 0, &err), PRF_OK, "%s", err.text);
    prf_model_destroy(&model);
}

static const prf_explained_term_t *term(const char *text)
{
    for (uint32_t i = 0; i < why.term_count; i++)
        if (strcmp(why.terms[i].text, text) == 0)
            return &why.terms[i];
    cr_assert_fail("no term '%s'", text);
    return NULL;
}

static double shares(void)
{
    double total = 0;
    for (uint32_t i = 0; i < why.term_count; i++)
        total += why.terms[i].share_percent;
    return total;
}

Test(explain, a_known_sum_shows_its_terms_and_their_shares)
{
    explain("terms", tiles_ns);
    cr_assert_eq(why.sum_count, 1);
    cr_assert_eq(why.term_count, 2);
    cr_assert_eq(why.feature_count, 0, "no trees");
    cr_assert_float_eq(term("ceil(C/8) x ceil(K/8)")->coefficient_ns, 64, 1e-6);
    cr_assert_float_eq(term("1")->coefficient_ns, 500, 1e-6);
    cr_assert_geq(fabs(why.terms[0].share_percent), fabs(why.terms[1].share_percent), "largest first");
    cr_assert_float_eq(shares(), 100, 1e-6);
    cr_assert_float_eq(why.rules_percent[0], 100, 1e-6);
    cr_assert_float_eq(why.low_percent, 100 * expm1(-0.01), 1e-6, "the interval is the floor's");
}

Test(explain, of_two_sums_each_rules_its_share_of_the_layers)
{
    explain("max-terms", overlapped_ns);
    cr_assert_eq(why.sum_count, 2);
    cr_assert_float_eq(why.rules_percent[0] + why.rules_percent[1], 100, 1e-6);
    cr_assert_gt(why.rules_percent[0], 5);
    cr_assert_gt(why.rules_percent[1], 5);
    cr_assert_float_eq(shares(), 100, 1e-6);
    double of_second = 0;
    for (uint32_t i = 0; i < why.term_count; i++)
        of_second += why.terms[i].sum == 1 ? why.terms[i].share_percent : 0;
    cr_assert_float_eq(of_second, why.rules_percent[1], 1e-6, "a sum that does not rule has no share");
}

Test(explain, a_roofline_is_two_sums)
{
    explain("boosted/roofline", overlapped_ns);
    cr_assert_eq(why.sum_count, 2);
    cr_assert_float_eq(shares(), 100, 1e-6);
    cr_assert_gt(term("bytes")->coefficient_ns, 0);
    cr_assert_eq(strncmp(why.terms[0].text, "o", 1), 0, "operations and overhead: '%s'", why.terms[0].text);
    cr_assert(isfinite(why.rest_percent));
}

Test(explain, trees_name_the_features_that_move_the_estimate)
{
    explain("forest", by_output_ns);
    cr_assert_eq(why.term_count, 0);
    cr_assert(isnan(why.rest_percent), "there is no scale that trees could change");
    cr_assert_gt(why.feature_count, 0);
    cr_assert_leq(why.feature_count, PRF_EXPLAIN_FEATURES);
    static const char *const of_output[] = {
        "out",        "log_outputs", "tiles.out",      "last_tile.out",   "columns.8",      "columns.16",
        "columns.32", "grid.32",     "fill.columns.8", "fill.columns.16", "fill.columns.32"};
    bool known = false;
    for (size_t i = 0; i < sizeof of_output / sizeof *of_output; i++)
        known = known || strcmp(why.features[0].name, of_output[i]) == 0;
    cr_assert(known, "'%s' says nothing of the outputs", why.features[0].name);
    for (uint32_t i = 1; i < why.feature_count; i++)
        cr_assert_leq(why.features[i].effect_percent, why.features[i - 1].effect_percent);
    for (uint32_t i = 0; i < why.feature_count; i++)
        cr_assert_str_neq(why.features[i].name, "in");
}

Test(explain, equal_models_are_explained_alike)
{
    explain("boosted/terms", overlapped_ns);
    prf_explanation_t first = why;
    explain("boosted/terms", overlapped_ns);
    cr_assert_eq(why.feature_count, first.feature_count);
    for (uint32_t i = 0; i < why.feature_count; i++) {
        cr_assert_str_eq(why.features[i].name, first.features[i].name);
        cr_assert_eq(why.features[i].effect_percent, first.features[i].effect_percent);
    }
}
