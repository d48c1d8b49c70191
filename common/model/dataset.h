// SPDX-License-Identifier: Apache-2.0
/* dataset.h - measured layers as numbers: what regressors are fitted to. Pure; owned by its maker. */
#ifndef PRF_MODEL_DATASET_H
#define PRF_MODEL_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "layer/quantities.h"
#include "pr/steps.h"

typedef struct {
    prf_recipe_t recipe; /* how features and quantities are made */
    prf_steps_t steps;
    size_t count, feature_count;
    float *table;        /* owned: count x feature_count, row after row */
    double *log_latency; /* owned: natural logarithm of nanoseconds */
    prf_work_t *work;    /* owned: what the roofline charges for */
    prf_layer_t *layers; /* owned */
    double *extras;      /* owned: count x PRF_FEATURES_EXTRAS */
} prf_dataset_t;

/* Room for `count` rows, all zero. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_dataset_init(prf_dataset_t *out, const prf_recipe_t *recipe, const prf_steps_t *steps, size_t count,
                                          prf_error_t *err);
/* Fills a row in. */
void prf_dataset_set(prf_dataset_t *self, size_t row, const prf_layer_t *layer, const double *extras, double latency_ns);
/* The quantities of a row. */
void prf_dataset_quantities(const prf_dataset_t *self, size_t row, double out[PRF_QUANTITIES]);
void prf_dataset_release(prf_dataset_t *self); /* NULL-safe */
/* The rows of the given indices. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_dataset_pick(prf_dataset_t *out, const prf_dataset_t *from, const uint32_t *rows, size_t count,
                                          prf_error_t *err);

#endif
