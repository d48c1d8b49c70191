// SPDX-License-Identifier: Apache-2.0
#include "layer/layer_json.h"

json_t *prf_layer_params_json(const prf_layer_t *layer)
{
    json_t *params = json_object();
    size_t count;
    const prf_param_info_t *table = prf_layer_params(layer->kind, &count);
    for (size_t i = 0; i < count; i++)
        json_object_set_new(params, prf_param_name(table[i].param), json_integer(layer->p[table[i].param]));
    return params;
}
