// SPDX-License-Identifier: Apache-2.0
/* layer_json.h - a layer's parameters as JSON. Pure; any thread. */
#ifndef PRF_LAYER_JSON_H
#define PRF_LAYER_JSON_H

#include <jansson.h>

#include "layer/layer.h"

/* {"c": 16, ...}: all that its kind has. New reference. */
json_t *prf_layer_params_json(const prf_layer_t *layer);

#endif
