// SPDX-License-Identifier: Apache-2.0
#include "model/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

prf_status_t prf_dataset_init(prf_dataset_t *out, const prf_recipe_t *recipe, const prf_steps_t *steps, size_t count,
                              prf_error_t *err)
{
    size_t rows = count ? count : 1, width = prf_features_count(recipe);
    prf_dataset_t self = {.recipe = *recipe, .steps = *steps, .count = count, .feature_count = width};
    self.table = calloc(rows, width * sizeof *self.table);
    self.log_latency = calloc(rows, sizeof *self.log_latency);
    self.work = calloc(rows, sizeof *self.work);
    self.layers = calloc(rows, sizeof *self.layers);
    self.extras = calloc(rows, PRF_FEATURES_EXTRAS * sizeof *self.extras);
    if (!self.table || !self.log_latency || !self.work || !self.layers || !self.extras) {
        prf_dataset_release(&self);
        return prf_fail(err, PRF_ENOMEM, "%zu layers of %zu features", count, width);
    }
    *out = self;
    return PRF_OK;
}

void prf_dataset_release(prf_dataset_t *self)
{
    if (!self)
        return;
    free(self->table);
    free(self->log_latency);
    free(self->work);
    free(self->layers);
    free(self->extras);
    *self = (prf_dataset_t){.count = 0};
}

void prf_dataset_set(prf_dataset_t *self, size_t row, const prf_layer_t *layer, const double *extras, double latency_ns)
{
    float x[PRF_FEATURES];
    prf_features_compute(&self->recipe, layer, extras, x);
    memcpy(self->table + row * self->feature_count, x, self->feature_count * sizeof *x);
    prf_features_work(&self->recipe, layer, &self->work[row]);
    self->log_latency[row] = log(latency_ns);
    self->layers[row] = *layer;
    if (extras)
        memcpy(self->extras + row * PRF_FEATURES_EXTRAS, extras, self->recipe.extras * sizeof *extras);
}

void prf_dataset_quantities(const prf_dataset_t *self, size_t row, double out[PRF_QUANTITIES])
{
    prf_quantities_compute(&self->recipe, &self->layers[row], self->extras + row * PRF_FEATURES_EXTRAS, out);
}

prf_status_t prf_dataset_pick(prf_dataset_t *out, const prf_dataset_t *from, const uint32_t *rows, size_t count, prf_error_t *err)
{
    prf_status_t status = prf_dataset_init(out, &from->recipe, &from->steps, count, err);
    if (status)
        return status;
    size_t width = from->feature_count, extras = PRF_FEATURES_EXTRAS;
    for (size_t i = 0; i < count; i++) {
        memcpy(out->table + i * width, from->table + rows[i] * width, width * sizeof *out->table);
        memcpy(out->extras + i * extras, from->extras + rows[i] * extras, extras * sizeof *out->extras);
        out->log_latency[i] = from->log_latency[rows[i]];
        out->work[i] = from->work[rows[i]];
        out->layers[i] = from->layers[rows[i]];
    }
    return PRF_OK;
}
