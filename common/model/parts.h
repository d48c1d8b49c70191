// SPDX-License-Identifier: Apache-2.0
/* parts.h - what a model is made of. Private to common/model and to the model file's codec in common/wire; everybody else uses
 * model.h. */
#ifndef PRF_MODEL_PARTS_H
#define PRF_MODEL_PARTS_H

#include "layer/features.h"
#include "model/model.h"
#include "model/regressor.h"

enum { PRF_MODEL_LAYERS = PRF_LAYER_KINDS * PRF_DTYPES };

/* One layer kind and data type. */
typedef struct {
    prf_recipe_t recipe;
    prf_space_t space;
    prf_steps_t steps;
    bool map_queries; /* estimate a layer by its Performance Representative */
    uint32_t samples;
    prf_metrics_t validation;
    prf_regressor_t regressor; /* owned */
} prf_model_part_t;

struct prf_model {
    char kind[PRF_NAME];
    prf_provenance_t provenance;
    uint32_t extra_count;
    char extras[PRF_MODEL_EXTRAS][PRF_NAME];
    size_t part_count;
    prf_model_part_t *parts; /* owned */
    size_t fusion_count;
    prf_fusion_t *fusions; /* owned */
    double between_ns;
    struct prf_model *energy; /* owned: the same of energy, its numbers nanojoules; NULL: none */
};

/* A model with `part_count` empty parts. NULL when memory runs out. */
prf_model_t *prf_model_new(size_t part_count);
/* The recipe follows from the rest of the part. */
void prf_model_recipe(prf_model_part_t *part, uint32_t extra_count);
/* NULL: the model has none. */
const prf_model_part_t *prf_model_part_find(const prf_model_t *model, prf_layer_kind_t kind, prf_dtype_t dtype);
/* What a regressor sees of a layer. */
typedef struct {
    float features[PRF_FEATURES];
    prf_work_t work;
    double quantities[PRF_QUANTITIES];
} prf_model_view_t;
/* Of the layer, or of its Performance Representative where the part maps queries. What the part's regressor does not look at is 0.
 */
void prf_model_part_view(const prf_model_part_t *part, const prf_layer_t *layer, const double *extras, prf_model_view_t *out);
/* Estimate of one layer by one part. */
void prf_model_part_estimate(const prf_model_part_t *part, const prf_layer_t *layer, const double *extras, prf_estimate_t *out);
/* Logarithm of the estimate and spread of the members, before any interval. */
void prf_model_part_predict(const prf_model_part_t *part, const prf_layer_t *layer, const double *extras, double *log_ns,
                            double *spread);

#endif
