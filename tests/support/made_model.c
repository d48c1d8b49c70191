// SPDX-License-Identifier: Apache-2.0
#include "made_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define FOREST                                                                                                                     \
    {                                                                                                                              \
        .members = 20, .rounds = 1, .shrink = 1, .row_share = 1, .bootstrap = true, .feature_share = 0.5, .min_leaf = 1            \
    }
#define BOOSTED                                                                                                                    \
    {                                                                                                                              \
        .members = 3, .rounds = 30, .shrink = 0.2, .row_share = 0.7, .feature_share = 0.5, .min_leaf = 3, .max_depth = 5           \
    }

const made_sort_t made_sorts[MADE_SORTS] = {
    {"terms", PRF_SCALE_TERMS, PRF_ADDITIVE_POSITIVE, {0}, false},
    {"max-terms", PRF_SCALE_TERMS, PRF_ADDITIVE_MAX_POSITIVE, {0}, false},
    {"forest", PRF_SCALE_NONE, PRF_ADDITIVES, FOREST, false},
    {"forest/roofline", PRF_SCALE_ROOFLINE, PRF_ADDITIVES, FOREST, false},
    {"boosted/roofline", PRF_SCALE_ROOFLINE, PRF_ADDITIVES, BOOSTED, false},
    {"boosted/terms", PRF_SCALE_TERMS, PRF_ADDITIVE_POSITIVE, BOOSTED, false},
    {"gauss/roofline", PRF_SCALE_ROOFLINE, PRF_ADDITIVES, {0}, true},
    {"mixed/max-terms", PRF_SCALE_TERMS, PRF_ADDITIVE_MAX_POSITIVE, BOOSTED, true},
};

static void must(prf_status_t status, const prf_error_t *err)
{
    if (status) {
        fprintf(stderr, "made model: %s\n", err->text);
        abort();
    }
}

static void fit_gauss(prf_regressor_t *r, const prf_dataset_t *data, const double *target)
{
    prf_error_t err = {0};
    prf_gauss_kernel_t kernel;
    must(prf_gauss_learn(&kernel, data->table, data->count, data->feature_count, target, PRF_GAUSS_BRIEF, &err), &err);
    must(prf_gauss_fit(&r->gauss, &kernel, data->table, data->count, data->feature_count, target, &err), &err);
}

static void fit_trees(prf_regressor_t *r, const made_sort_t *sort, const prf_dataset_t *data, const double *target)
{
    prf_error_t err = {0};
    prf_bins_t bins;
    must(prf_bins_init(&bins, data->table, data->count, data->feature_count, &err), &err);
    must(prf_ensemble_fit(&r->ensemble, &bins, data->table, data->feature_count, target, &sort->growth, 1, 1, &err), &err);
    prf_bins_release(&bins);
}

static void fit_rest(prf_regressor_t *r, const made_sort_t *sort, const prf_dataset_t *data)
{
    double *target = calloc(data->count, sizeof *target);
    if (!target)
        abort();
    for (size_t i = 0; i < data->count; i++) {
        double log_ns, spread, quantities[PRF_QUANTITIES];
        prf_dataset_quantities(data, i, quantities);
        prf_regressor_predict(r, &(prf_seen_t){NULL, &data->work[i], quantities}, &log_ns, &spread);
        target[i] = data->log_latency[i] - log_ns;
    }
    if (sort->growth.members)
        fit_trees(r, sort, data, target);
    if (sort->gauss)
        fit_gauss(r, data, target);
    free(target);
}

static void fit(prf_regressor_t *out, const made_sort_t *sort, const prf_dataset_t *data)
{
    prf_error_t err = {0};
    *out = (prf_regressor_t){.scale = sort->scale, .low = -1, .high = 1.5, .floor = 0.01};
    snprintf(out->name, sizeof out->name, "%s", sort->name);
    if (sort->scale == PRF_SCALE_ROOFLINE)
        prf_roofline_fit(&out->roofline, data->log_latency, data->work, data->count);
    if (sort->scale == PRF_SCALE_TERMS) {
        prf_terms_t terms[PRF_ADDITIVES];
        must(prf_additive_fit(terms, data, &err), &err);
        must(prf_terms_copy(&out->terms, &terms[sort->additive], &err), &err);
        for (int i = 0; i < PRF_ADDITIVES; i++)
            prf_terms_release(&terms[i]);
    }
    fit_rest(out, sort, data);
}

void made_part(prf_model_part_t *part, const made_sort_t *sort, double (*latency)(const prf_layer_t *layer), size_t count)
{
    prf_error_t err = {0};
    prf_dataset_t data;
    prf_rng_t rng;
    prf_model_recipe(part, 0);
    prf_rng_init(&rng, 1, 0);
    must(prf_dataset_init(&data, &part->recipe, &part->steps, count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        prf_layer_t layer;
        must(prf_space_draw(&part->space, &rng, &layer, &err), &err);
        if (part->map_queries)
            prf_steps_map(&part->steps, &part->space, &layer);
        prf_dataset_set(&data, i, &layer, NULL, latency(&layer));
    }
    fit(&part->regressor, sort, &data);
    part->samples = (uint32_t)count;
    prf_dataset_release(&data);
}

prf_model_t *made_model(const char *kind, size_t part_count)
{
    prf_model_t *model = prf_model_new(part_count);
    if (!model)
        abort();
    snprintf(model->kind, sizeof model->kind, "%s", kind);
    for (size_t i = 0; i < part_count; i++)
        prf_steps_none(&model->parts[i].steps);
    model->provenance.repeatability_percent = model->provenance.random_baseline_percent = NAN;
    return model;
}
