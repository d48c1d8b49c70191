// SPDX-License-Identifier: Apache-2.0
/* model_json.c - one form for all: `prfarm model show --json`, the coordinator's `provenance` and `summary`. */
#include "model/model_json.h"

#include "base/json.h"
#include "model/fusion.h"

json_t *prf_model_metrics_json(const prf_metrics_t *m)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "count", (json_int_t)m->count, "mape_percent",
                     prf_json_real(m->mape_percent), "rmspe_percent", prf_json_real(m->rmspe_percent), "median_percent",
                     prf_json_real(m->median_percent), "r2", prf_json_real(m->r2), "spearman", prf_json_real(m->spearman),
                     "within_5_percent", prf_json_real(m->within_5_percent), "within_10_percent",
                     prf_json_real(m->within_10_percent));
}

json_t *prf_model_range_json(const prf_model_layer_t *layer)
{
    json_t *range = json_object();
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(&layer->space, params);
    for (size_t i = 0; i < count; i++) {
        int32_t low, high;
        prf_space_bounds(&layer->space, params[i], &low, &high);
        json_object_set_new(range, prf_param_name(params[i]), json_pack("[i, i]", low, high));
    }
    return range;
}

json_t *prf_model_fusions_json(const prf_model_t *model, prf_layer_kind_t lead)
{
    json_t *rules = json_array();
    size_t count;
    const prf_fusion_t *rule = prf_model_fusions(model, &count);
    for (size_t i = 0; i < count; i++, rule++) {
        char words[PRF_FUSION_WORDS];
        if (lead != PRF_LAYER_KINDS && rule->lead != lead)
            continue;
        prf_fusion_words(model, rule, words);
        json_array_append_new(rules,
                              json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:o}", "layer", prf_layer_kind_name(rule->lead),
                                        "dtype", prf_dtype_name(rule->dtype), "follower", prf_activation_name(rule->fn), "verdict",
                                        prf_fusion_verdict_name(rule->verdict), "rule", words, "fixed_ns",
                                        prf_json_real(rule->fixed_ns), "ns_per_element", prf_json_real(rule->ns_per_element),
                                        "measured", (json_int_t)rule->layers, "added_percent", prf_json_real(rule->added_percent)));
    }
    return rules;
}

static json_t *layer_to_json(const prf_model_layer_t *l)
{
    json_t *steps = json_object();
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(&l->space, params);
    for (size_t i = 0; i < count; i++)
        json_object_set_new(steps, prf_param_name(params[i]), json_integer(l->steps.width[params[i]]));
    return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:o}", "layer", prf_layer_kind_name(l->kind), "dtype",
                     prf_dtype_name(l->dtype), "regressor", l->regressor, "samples", (json_int_t)l->samples, "steps", steps,
                     "range", prf_model_range_json(l), "validation", prf_model_metrics_json(&l->validation));
}

static json_t *layers_to_json(const prf_model_t *model)
{
    json_t *layers = json_array();
    for (size_t i = 0; i < prf_model_layer_count(model); i++) {
        prf_model_layer_t layer;
        prf_model_layer(model, i, &layer);
        json_array_append_new(layers, layer_to_json(&layer));
    }
    return layers;
}

static json_t *energy_to_json(const prf_model_t *energy)
{
    if (!energy)
        return json_null();
    const prf_provenance_t *p = prf_model_provenance(energy);
    return json_pack("{s:I, s:o, s:o, s:o, s:f}", "samples", (json_int_t)p->samples, "repeatability_percent",
                     prf_json_real(p->repeatability_percent), "validation", prf_model_metrics_json(&p->validation), "layers",
                     layers_to_json(energy), "between_nj", prf_model_between_ns(energy));
}

json_t *prf_model_json(const prf_model_t *model, const char *digest, size_t bytes)
{
    const prf_provenance_t *p = prf_model_provenance(model);
    json_t *extras = json_array();
    const char *names[PRF_MODEL_EXTRAS];
    size_t count = prf_model_extras(model, names);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(extras, json_string(names[i]));
    return json_pack("{s:s, s:s, s:I, s:s, s:o, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:o}", "kind",
                     prf_model_kind(model), "digest", digest, "bytes", (json_int_t)bytes, "campaign", p->campaign, "from",
                     p->from[0] ? json_string(p->from) : json_null(), "fingerprint", p->fingerprint, "seed", (json_int_t)p->seed,
                     "samples", (json_int_t)p->samples, "sweep_samples", (json_int_t)p->sweep_samples, "repeatability_percent",
                     prf_json_real(p->repeatability_percent), "random_baseline_mape_percent",
                     prf_json_real(p->random_baseline_percent), "validation", prf_model_metrics_json(&p->validation), "extras",
                     extras, "layers", layers_to_json(model), "fusion", prf_model_fusions_json(model, PRF_LAYER_KINDS),
                     "between_ns", prf_model_between_ns(model), "energy", energy_to_json(prf_model_energy(model)));
}
