// SPDX-License-Identifier: Apache-2.0
/* model_json.h - what a model knows of itself, as JSON. New references, NULL when memory ran out. Pure; any thread. */
#ifndef PRF_MODEL_JSON_H
#define PRF_MODEL_JSON_H

#include <jansson.h>

#include "model/model.h"

json_t *prf_model_metrics_json(const prf_metrics_t *metrics);
json_t *prf_model_range_json(const prf_model_layer_t *layer);
/* The fusion rules of a leading layer's kind, or (PRF_LAYER_KINDS) all of them. */
json_t *prf_model_fusions_json(const prf_model_t *model, prf_layer_kind_t lead);
/* All of it; `digest` (hexadecimal) and `bytes` are the file's. */
json_t *prf_model_json(const prf_model_t *model, const char *digest, size_t bytes);

#endif
