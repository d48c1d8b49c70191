// SPDX-License-Identifier: Apache-2.0
/* train.c - from measured layers to a model: checks what it was given, turns each layer kind into a dataset, lets the regressors
 * compete for it, and judges the outcome on the validation layers through the same path that an estimate takes. */
#include "model/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/parts.h"

enum { MOST_TRAIN = 20000000, CALIBRATE_FROM = 20, MAP_MOST = 2000 /* layers: more of them show what lies within a tile */ };
#define CLEARLY 0.9 /* share of the error that mapping must stay below: layers of one tile then are the same, fold or not */

static prf_status_t check_observations(const prf_train_layer_t *layer, const prf_observation_t *observations, size_t count,
                                       prf_error_t *err)
{
    const char *kind = prf_layer_kind_name(layer->space.kind);
    for (size_t i = 0; i < count; i++) {
        prf_block_t block = {.dtype = layer->space.dtype, .count = 1, .layers = {observations[i].layer}};
        prf_status_t status = prf_block_check(&block, err);
        if (status)
            return prf_fail_prefix(err, status, "%s layer %zu to train on", kind, i);
        if (block.layers[0].kind != layer->space.kind)
            return prf_fail(err, PRF_EINVAL, "layer %zu among the %s layers is a %s: leave it out", i, kind,
                            prf_layer_kind_name(block.layers[0].kind));
        if (!(observations[i].latency_ns > 0) || !isfinite(observations[i].latency_ns))
            return prf_fail(err, PRF_EINVAL, "%s layer %zu has a latency of %g ns: use values above zero", kind, i,
                            observations[i].latency_ns);
    }
    return PRF_OK;
}

static prf_status_t check_input(const prf_train_input_t *input, prf_error_t *err)
{
    prf_status_t status = prf_name_check("board kind", input->kind, err);
    if (status)
        return status;
    if (input->extra_count > PRF_MODEL_EXTRAS)
        return prf_fail(err, PRF_EINVAL, "%zu extra columns: use at most %d", input->extra_count, PRF_MODEL_EXTRAS);
    for (size_t i = 0; !status && i < input->extra_count; i++)
        status = prf_name_check("extra column", input->extra_names[i], err);
    for (size_t i = 0; !status && i < input->layer_count; i++) {
        const prf_train_layer_t *layer = &input->layers[i];
        for (size_t j = 0; j < i; j++)
            if (input->layers[j].space.kind == layer->space.kind && input->layers[j].space.dtype == layer->space.dtype)
                return prf_fail(err, PRF_EINVAL, "%s of data type %s is given twice: merge the two",
                                prf_layer_kind_name(layer->space.kind), prf_dtype_name(layer->space.dtype));
        if (layer->train_count > MOST_TRAIN)
            return prf_fail(err, PRF_EINVAL, "%zu layers to train on: use at most %d", layer->train_count, MOST_TRAIN);
        status = prf_space_check(&layer->space, err);
        if (!status)
            status = check_observations(layer, layer->train, layer->train_count, err);
        if (!status)
            status = check_observations(layer, layer->validation, layer->validation_count, err);
    }
    return status;
}

/* Layers are seen as estimates will see them: by their representative where the part maps its queries. */
static prf_status_t make_dataset(prf_dataset_t *out, const prf_model_part_t *part, const prf_observation_t *observations,
                                 size_t count, prf_error_t *err)
{
    prf_status_t status = prf_dataset_init(out, &part->recipe, &part->steps, count, err);
    for (size_t i = 0; !status && i < count; i++) {
        prf_layer_t layer = observations[i].layer;
        if (part->map_queries)
            prf_steps_map(&part->steps, &part->space, &layer);
        prf_dataset_set(out, i, &layer, observations[i].extras, observations[i].latency_ns);
    }
    return status;
}

/* Estimates of the validation layers of all parts, one after another, with what was measured. */
typedef struct {
    double *estimated, *measured; /* owned */
    size_t count;
} judgement_t;

/* Judges the part; with enough validation layers the interval is set by them, since they are drawn from the original space
 * while cross-validation saw training layers only. */
static prf_status_t judge_part(prf_model_part_t *part, const prf_train_layer_t *layer, judgement_t *all, prf_error_t *err)
{
    size_t n = layer->validation_count;
    double *estimated = all->estimated + all->count, *measured = all->measured + all->count;
    double *residuals = calloc(2 * n + 1, sizeof *residuals);
    if (!residuals)
        return prf_fail(err, PRF_ENOMEM, "validation of %zu layers", n);
    double *spreads = residuals + n;
    for (size_t i = 0; i < n; i++) {
        double log_ns;
        prf_model_part_predict(part, &layer->validation[i].layer, layer->validation[i].extras, &log_ns, &spreads[i]);
        estimated[i] = exp(log_ns);
        measured[i] = layer->validation[i].latency_ns;
        residuals[i] = log(measured[i]) - log_ns;
    }
    all->count += n;
    prf_metrics_compute(estimated, measured, n, &part->validation);
    prf_status_t status = PRF_OK;
    if (n >= CALIBRATE_FROM)
        status = prf_regressor_calibrate(&part->regressor, residuals, spreads, n, err);
    free(residuals);
    return status;
}

static const prf_model_part_t *counterpart(const prf_train_input_t *input, const prf_space_t *space)
{
    const prf_model_t *from = input->from;
    if (!from || from->extra_count != input->extra_count)
        return NULL;
    for (size_t i = 0; i < input->extra_count; i++)
        if (strcmp(from->extras[i], input->extra_names[i]) != 0)
            return NULL;
    return prf_model_part_find(from, space->kind, space->dtype);
}

bool prf_train_has_counterpart(const prf_train_input_t *input, size_t layer)
{
    return counterpart(input, &input->layers[layer].space) != NULL;
}

/* The old part's regressor may win, and then sees layers as it did: by its steps, on the new part's space. */
static prf_status_t choose(prf_model_part_t *part, bool *from_old, double *error, const prf_train_input_t *input,
                           const prf_train_layer_t *layer, prf_error_t *err)
{
    const prf_model_part_t *old = counterpart(input, &layer->space);
    prf_model_part_t seen_by_old = *part;
    prf_dataset_t data = {.count = 0}, old_data = {.count = 0};
    prf_prior_t prior = {old ? &old->regressor : NULL, &old_data};
    prf_status_t status = make_dataset(&data, part, layer->train, layer->train_count, err);
    if (!status && old) {
        seen_by_old.recipe = old->recipe;
        seen_by_old.steps = old->steps;
        seen_by_old.map_queries = old->map_queries;
        status = make_dataset(&old_data, &seen_by_old, layer->train, layer->train_count, err);
    }
    if (!status)
        status =
            prf_regressor_choose(&part->regressor, from_old, error, &data, old ? &prior : NULL, input->seed, input->threads, err);
    if (!status && *from_old) {
        seen_by_old.regressor = part->regressor;
        *part = seen_by_old;
    }
    prf_dataset_release(&data);
    prf_dataset_release(&old_data);
    return status;
}

/* The same layers, seen by their representatives: where that is clearly better than `error`, it stays. */
static prf_status_t choose_mapping(prf_model_part_t *part, double error, const prf_train_input_t *input,
                                   const prf_train_layer_t *layer, prf_error_t *err)
{
    prf_model_part_t mapped = *part;
    prf_train_input_t own = *input;
    bool from_old;
    double error_mapped = INFINITY;
    if (layer->mapping != PRF_MAP_IF_BETTER || error < PRF_REGRESSOR_EXACT || layer->train_count > MAP_MOST ||
        !prf_steps_any(&part->steps))
        return PRF_OK;
    own.from = NULL; /* it was not better */
    mapped.map_queries = true;
    mapped.regressor = (prf_regressor_t){.scale = PRF_SCALE_NONE};
    prf_status_t status = choose(&mapped, &from_old, &error_mapped, &own, layer, err);
    if (status)
        return status;
    bool better = error_mapped < CLEARLY * error;
    prf_regressor_release(better ? &part->regressor : &mapped.regressor);
    if (better)
        *part = mapped;
    return PRF_OK;
}

static prf_status_t train_part(prf_model_part_t *part, bool *from_old, const prf_train_input_t *input,
                               const prf_train_layer_t *layer, judgement_t *all, prf_error_t *err)
{
    part->space = layer->space;
    part->steps = layer->steps;
    part->map_queries = layer->mapping == PRF_MAP_ALWAYS;
    part->samples = (uint32_t)layer->train_count;
    prf_model_recipe(part, (uint32_t)input->extra_count);
    double error = 0;
    prf_status_t status = choose(part, from_old, &error, input, layer, err);
    if (!status && !*from_old)
        status = choose_mapping(part, error, input, layer, err);
    if (!status)
        status = judge_part(part, layer, all, err);
    return status ? prf_fail_prefix(err, status, "%s", prf_layer_kind_name(layer->space.kind)) : PRF_OK;
}

static prf_status_t train_parts(prf_model_t *model, const prf_train_input_t *input, prf_error_t *err)
{
    size_t rows = 0, trained = 0;
    judgement_t all = {0};
    prf_status_t status = PRF_OK;
    for (size_t i = 0; i < input->layer_count; i++)
        rows += input->layers[i].validation_count;
    all.estimated = calloc(rows + 1, sizeof *all.estimated);
    all.measured = calloc(rows + 1, sizeof *all.measured);
    if (!all.estimated || !all.measured)
        status = prf_fail(err, PRF_ENOMEM, "validation of %zu layers", rows);
    for (size_t i = 0; !status && i < input->layer_count; i++) {
        bool from_old = false;
        if (input->layers[i].train_count >= PRF_TRAIN_LEAST)
            status = train_part(&model->parts[trained++], &from_old, input, &input->layers[i], &all, err);
        if (input->taken_over)
            input->taken_over[i] = from_old;
        if (from_old)
            snprintf(model->provenance.from, sizeof model->provenance.from, "%s", input->from->kind);
    }
    if (!status)
        prf_metrics_compute(all.estimated, all.measured, all.count, &model->provenance.validation);
    free(all.estimated);
    free(all.measured);
    return status;
}

static prf_status_t learn_fusions(prf_model_t *model, const prf_train_input_t *input, double noise, prf_error_t *err)
{
    model->fusions = calloc(input->fusion_count + 1, sizeof *model->fusions);
    if (!model->fusions)
        return prf_fail(err, PRF_ENOMEM, "%zu fusion rules", input->fusion_count);
    for (size_t i = 0; i < input->fusion_count; i++) {
        const prf_train_fusion_t *pair = &input->fusions[i];
        prf_fusion_t *rule = &model->fusions[model->fusion_count];
        *rule = (prf_fusion_t){.lead = pair->lead, .dtype = pair->dtype, .fn = pair->fn};
        model->fusion_count += prf_fusion_learn(rule, pair->items, pair->count, noise);
    }
    return PRF_OK;
}

prf_status_t prf_model_train(prf_model_t **out, const prf_train_input_t *input, prf_error_t *err)
{
    prf_status_t status = check_input(input, err);
    if (status)
        return status;
    size_t trainable = 0;
    for (size_t i = 0; i < input->layer_count; i++)
        trainable += input->layers[i].train_count >= PRF_TRAIN_LEAST;
    if (trainable == 0)
        return prf_fail(err, PRF_EINVAL, "nothing to train on: measure at least %d layers of a kind", PRF_TRAIN_LEAST);
    prf_model_t *self = prf_model_new(trainable);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "a model of %zu layer kinds", trainable);
    snprintf(self->kind, sizeof self->kind, "%s", input->kind);
    self->provenance = input->provenance;
    self->extra_count = (uint32_t)input->extra_count;
    for (size_t i = 0; i < input->extra_count; i++)
        snprintf(self->extras[i], sizeof self->extras[i], "%s", input->extra_names[i]);
    status = train_parts(self, input, err);
    /* What blocks cost beside their leading layers is judged by the same noise as the model. */
    double noise = prf_fusion_noise_percent(input->provenance.repeatability_percent);
    if (!status)
        status = learn_fusions(self, input, noise, err);
    if (status) {
        prf_model_destroy(&self);
        return status;
    }
    self->between_ns = prf_between_learn(input->chains, input->chain_count, noise);
    *out = self;
    return PRF_OK;
}
