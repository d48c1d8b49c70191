// SPDX-License-Identifier: Apache-2.0
/* features.h - what a regressor sees of a layer: its parameters and what follows from them and from the board's step widths.
 * Pure; any thread; no allocation, so that an estimate has none. Source: METHOD section 2.4 (derived features), section 5 (tile
 * counts and their products beat sample count). docs/model-file.md lists the features one by one.
 *
 * The order and meaning of the features belong to the model file: any change of them raises PRF_FEATURES_VERSION. */
#ifndef PRF_LAYER_FEATURES_H
#define PRF_LAYER_FEATURES_H

#include "layer/layer.h"

enum { PRF_FEATURES = 128, PRF_FEATURES_EXTRAS = 8, PRF_FEATURES_VERSION = 2, PRF_FEATURE_NAME = 48 };

/* How features are made for one layer kind on one kind of board. */
typedef struct {
    prf_layer_kind_t kind;
    prf_dtype_t dtype;
    int32_t width[PRF_PARAMS]; /* step widths; 1 (or 0): no step */
    uint32_t extras;           /* extra columns taken as they are, at most PRF_FEATURES_EXTRAS */
} prf_recipe_t;

/* Writes the features of a complete layer of the recipe's kind and returns how many there are; the number depends on the recipe
 * only. `extras` holds recipe->extras values (NULL: all 0). Every value is finite. */
size_t prf_features_compute(const prf_recipe_t *recipe, const prf_layer_t *layer, const double *extras, float out[PRF_FEATURES]);
size_t prf_features_count(const prf_recipe_t *recipe);
/* "c", "log_macs", "tiles.k", ...; extras are "extra.0" and so on. `index` below the count. */
void prf_features_name(const prf_recipe_t *recipe, size_t index, char name[PRF_FEATURE_NAME]);

/* The work that a roofline charges for. `fill`: the share of their tiles that the stepped parameters use, above 0 and at most 1. */
typedef struct {
    double ops, bytes, fill;
} prf_work_t;
void prf_features_work(const prf_recipe_t *recipe, const prf_layer_t *layer, prf_work_t *out);

#endif
