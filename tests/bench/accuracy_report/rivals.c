// SPDX-License-Identifier: Apache-2.0
/* rivals.c - what our models are compared with, at the same number of measured layers of the same kind.
 *
 * The paper's forest learns the latency itself from representatives alone, and is asked for a layer's representative. It gets the
 * step widths that our sweep found, our features, and the rest of the budget: more than its authors may have given it. The random
 * baseline gets everything that ours has but the choice of layers; the widths are a present to it, and no sweep is charged. */
#include <math.h>
#include <stdlib.h>

#include "bench.h"
#include "layer/features.h"
#include "model/bins.h"
#include "model/grow.h"
#include "pr/sample.h"

/* Measures layers; those that the board cannot run are left out. */
static size_t measure(drive_t *drive, const prf_space_t *space, const prf_layer_t *layers, size_t count, prf_observation_t *out)
{
    size_t got = 0;
    for (size_t i = 0; i < count; i++) {
        prf_block_t block = {.dtype = space->dtype, .count = 1, .layers = {layers[i]}};
        out[got].layer = layers[i];
        got += device_measure(&drive->device, &block, &out[got].latency_ns);
    }
    return got;
}

static void unknown(double *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (double)NAN;
}

typedef struct {
    prf_recipe_t recipe;
    const prf_model_layer_t *track;
    size_t width;
} view_t;

static void see(const view_t *view, const prf_layer_t *layer, float *x)
{
    prf_layer_t mapped = *layer;
    prf_steps_map(&view->track->steps, &view->track->space, &mapped);
    prf_features_compute(&view->recipe, &mapped, NULL, x);
}

static void plant(const view_t *view, const prf_observation_t *data, size_t rows, uint64_t seed, prf_ensemble_t *forest)
{
    static const prf_growth_t growth = {
        .members = 100, .rounds = 1, .shrink = 1, .row_share = 1, .bootstrap = true, .feature_share = 0.34, .min_leaf = 1};
    prf_error_t err = {0};
    prf_bins_t bins = {0};
    float x[PRF_FEATURES], *table = must(calloc(rows * view->width + 1, sizeof *table));
    double *target = must(calloc(rows + 1, sizeof *target));
    for (size_t i = 0; i < rows; i++) {
        see(view, &data[i].layer, x);
        for (size_t f = 0; f < view->width; f++)
            table[i * view->width + f] = x[f];
        target[i] = data[i].latency_ns;
    }
    if (prf_bins_init(&bins, table, rows, view->width, &err) ||
        prf_ensemble_fit(forest, &bins, table, view->width, target, &growth, seed, 0, &err))
        die(&err, "the paper's forest");
    prf_bins_release(&bins);
    free(table);
    free(target);
}

void rival_paper(drive_t *drive, const prf_model_layer_t *track, size_t budget, size_t swept, uint64_t seed,
                 const prf_layer_t *layers, size_t count, double *out)
{
    prf_error_t err = {0};
    size_t wanted = budget > swept ? budget - swept : 0, got = 0;
    prf_layer_t *chosen = must(calloc(wanted + 1, sizeof *chosen));
    prf_observation_t *data = must(calloc(wanted + 1, sizeof *data));
    if (prf_sample_representatives(&track->space, &track->steps, seed ^ prf_rng_stream("paper"), layers, count, wanted, chosen,
                                   &got, &err))
        die(&err, "the paper's forest");
    size_t rows = measure(drive, &track->space, chosen, got, data);
    unknown(out, count);
    if (rows > 0) {
        view_t view = {.recipe = {.kind = track->kind, .dtype = track->dtype}, .track = track};
        for (size_t p = 0; p < PRF_PARAMS; p++)
            view.recipe.width[p] = track->steps.width[p];
        view.width = prf_features_count(&view.recipe);
        prf_ensemble_t forest = {0};
        plant(&view, data, rows, seed, &forest);
        for (size_t i = 0; i < count; i++) {
            float x[PRF_FEATURES];
            double spread;
            see(&view, &layers[i], x);
            prf_ensemble_predict(&forest, x, &out[i], &spread);
        }
        prf_ensemble_release(&forest);
    }
    free(chosen);
    free(data);
}

void rival_random(drive_t *drive, const prf_model_layer_t *track, size_t budget, uint64_t seed, const prf_layer_t *layers,
                  size_t count, double *out)
{
    prf_error_t err = {0};
    size_t got = 0;
    prf_layer_t *chosen = must(calloc(budget + 1, sizeof *chosen));
    prf_observation_t *data = must(calloc(budget + 1, sizeof *data));
    if (prf_sample_random(&track->space, seed ^ prf_rng_stream("rival"), layers, count, budget, chosen, &got, &err))
        die(&err, "the random baseline");
    size_t rows = measure(drive, &track->space, chosen, got, data);
    prf_train_layer_t layer = {.space = track->space, .steps = track->steps, .train = data, .train_count = rows};
    prf_train_input_t input = {.kind = "random", .layers = &layer, .layer_count = 1, .seed = seed};
    prf_model_t *model = NULL;
    unknown(out, count);
    if (rows >= PRF_TRAIN_LEAST && prf_model_train(&model, &input, &err))
        die(&err, "the random baseline");
    for (size_t i = 0; model && i < count; i++) {
        prf_block_t block = {.dtype = track->dtype, .count = 1, .layers = {layers[i]}};
        prf_estimate_t estimate;
        if (!prf_model_estimate(model, &block, NULL, &estimate, NULL))
            out[i] = estimate.latency_ns;
    }
    prf_model_destroy(&model);
    free(chosen);
    free(data);
}
