// SPDX-License-Identifier: Apache-2.0
#include "wire/model_fusions.h"

#include <math.h>
#include <stdlib.h>

bool packed_fusions_init(packed_fusions_t *out, const prf_model_t *model)
{
    out->items = calloc(model->fusion_count + 1, sizeof *out->items);
    out->list = calloc(model->fusion_count + 1, sizeof *out->list);
    if (!out->items || !out->list)
        return false;
    for (size_t i = 0; i < model->fusion_count; i++) {
        const prf_fusion_t *rule = &model->fusions[i];
        Prf__Model__Fusion *to = out->list[i] = &out->items[i];
        prf__model__fusion__init(to);
        to->lead = (uint32_t)rule->lead;
        to->dtype = (uint32_t)rule->dtype;
        to->fn = (uint32_t)rule->fn;
        to->verdict = (uint32_t)rule->verdict;
        to->fixed_ns = rule->fixed_ns;
        to->ns_per_element = rule->ns_per_element;
        to->layers = rule->layers;
        to->added_percent = rule->added_percent;
    }
    return true;
}

void packed_fusions_release(packed_fusions_t *self)
{
    free(self->items);
    free(self->list);
}

static bool cost(double ns)
{
    const double hour_ns = 3.6e12;
    return ns >= 0 && ns <= hour_ns;
}

static bool unpack_fusion(prf_fusion_t *to, const Prf__Model__Fusion *from)
{
    if (from->lead >= PRF_LAYER_KINDS || from->dtype >= PRF_DTYPES || from->fn >= PRF_FN_COUNT ||
        from->verdict >= PRF_FUSION_VERDICTS || !cost(from->fixed_ns) || !cost(from->ns_per_element) ||
        !isfinite(from->added_percent))
        return false;
    *to = (prf_fusion_t){.lead = (prf_layer_kind_t)from->lead,
                         .dtype = (prf_dtype_t)from->dtype,
                         .fn = (prf_activation_t)from->fn,
                         .verdict = (prf_fusion_verdict_t)from->verdict,
                         .fixed_ns = from->fixed_ns,
                         .ns_per_element = from->ns_per_element,
                         .layers = from->layers,
                         .added_percent = from->added_percent};
    return true;
}

bool unpack_fusions(prf_model_t *model, size_t count, Prf__Model__Fusion *const *from)
{
    if (count > PRF_MODEL_FUSIONS)
        return false;
    model->fusions = calloc(count + 1, sizeof *model->fusions);
    if (!model->fusions)
        return false;
    for (size_t i = 0; i < count; i++) {
        prf_fusion_t *rule = &model->fusions[i];
        if (!unpack_fusion(rule, from[i]))
            return false;
        for (size_t k = 0; k < i; k++)
            if (model->fusions[k].lead == rule->lead && model->fusions[k].dtype == rule->dtype && model->fusions[k].fn == rule->fn)
                return false;
        model->fusion_count++;
    }
    return true;
}
