// SPDX-License-Identifier: Apache-2.0
/* prfarm_facts.c - what kinds of layers there are, and what a model knows of itself. The table of parameters is made once, when it
 * is first asked for; a model's facts when it is read. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "prfarm_inside.h"

static prfarm_parameter parameters[PRF_LAYER_KINDS][PRF_PARAMS];
static size_t parameter_counts[PRF_LAYER_KINDS];

static void make_parameters(void)
{
    for (int kind = 0; kind < PRF_LAYER_KINDS; kind++) {
        const prf_param_info_t *info = prf_layer_params((prf_layer_kind_t)kind, &parameter_counts[kind]);
        for (size_t i = 0; i < parameter_counts[kind]; i++)
            parameters[kind][i] = (prfarm_parameter){
                .name = prf_param_name(info[i].param),
                .low = info[i].min,
                .high = info[i].max,
                .required = info[i].fallback == PRF_REQUIRED,
                .by_default = info[i].fallback >= 0 ? info[i].fallback : 0,
                .like = info[i].fallback < PRF_REQUIRED ? prf_param_name((prf_param_t)PRF_LIKE(info[i].fallback)) : NULL};
    }
}

const prfarm_parameter *prfarm_layer_parameter(const char *kind, size_t index)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    prf_layer_kind_t which;
    pthread_once(&once, make_parameters);
    if (prf_layer_kind_parse(kind, &which, NULL) != PRF_OK || index >= parameter_counts[which])
        return NULL;
    return &parameters[which][index];
}

const char *prfarm_layer_kind(size_t index)
{
    return index < PRF_LAYER_KINDS ? prf_layer_kind_name((prf_layer_kind_t)index) : NULL;
}

const char *prfarm_dtype(size_t index)
{
    return index < PRF_DTYPES ? prf_dtype_name((prf_dtype_t)index) : NULL;
}

const char *prfarm_activation(size_t index)
{
    return index < PRF_FN_COUNT ? prf_activation_name((prf_activation_t)index) : NULL;
}

static void collect_layer(prfarm_known_layer *to, const prf_model_layer_t *from)
{
    const prf_metrics_t *v = &from->validation;
    prf_param_t varied[PRF_PARAMS];
    to->facts = (prfarm_model_layer){.kind = prf_layer_kind_name(from->kind),
                                     .dtype = prf_dtype_name(from->dtype),
                                     .regressor = from->regressor,
                                     .mapped = from->mapped,
                                     .samples = from->samples,
                                     .validated = v->count,
                                     .mape_percent = v->mape_percent,
                                     .rmspe_percent = v->rmspe_percent,
                                     .median_percent = v->median_percent,
                                     .r2 = v->r2,
                                     .spearman = v->spearman,
                                     .within_5_percent = v->within_5_percent,
                                     .within_10_percent = v->within_10_percent};
    to->parameter_count = prf_space_free(&from->space, varied);
    for (size_t i = 0; i < to->parameter_count; i++) {
        prfarm_model_parameter *p = &to->parameters[i];
        p->name = prf_param_name(varied[i]);
        prf_space_bounds(&from->space, varied[i], &p->low, &p->high);
        p->step_width = from->steps.width[varied[i]];
        p->step_confidence = from->steps.confidence[varied[i]];
    }
}

prf_status_t prfarm_collect_facts(prfarm_model *self, prf_error_t *err)
{
    const prf_provenance_t *p = prf_model_provenance(self->model);
    const prf_metrics_t *v = &p->validation;
    self->facts = (prfarm_model_facts){.board = prf_model_kind(self->model),
                                       .digest = self->digest,
                                       .campaign = p->campaign,
                                       .fingerprint = p->fingerprint,
                                       .began_with = p->from,
                                       .seed = p->seed,
                                       .samples = p->samples,
                                       .sweep_samples = p->sweep_samples,
                                       .validated = v->count,
                                       .mape_percent = v->mape_percent,
                                       .rmspe_percent = v->rmspe_percent,
                                       .median_percent = v->median_percent,
                                       .r2 = v->r2,
                                       .spearman = v->spearman,
                                       .within_5_percent = v->within_5_percent,
                                       .within_10_percent = v->within_10_percent,
                                       .repeatability_percent = p->repeatability_percent,
                                       .random_baseline_percent = p->random_baseline_percent,
                                       .between_ns = prf_model_between_ns(self->model)};
    size_t count = prf_model_layer_count(self->model);
    self->layers = calloc(count + 1, sizeof *self->layers);
    if (!self->layers)
        return prf_fail(err, PRF_ENOMEM, "facts of a model");
    for (self->layer_count = 0; self->layer_count < count; self->layer_count++) {
        prf_model_layer_t layer;
        prf_model_layer(self->model, self->layer_count, &layer);
        collect_layer(&self->layers[self->layer_count], &layer);
    }
    return PRF_OK;
}

const char *prfarm_model_board(const prfarm_model *model)
{
    return model->facts.board;
}

const prfarm_model_facts *prfarm_model_get_facts(const prfarm_model *model)
{
    return &model->facts;
}

const prfarm_model_layer *prfarm_model_get_layer(const prfarm_model *model, size_t index)
{
    return index < model->layer_count ? &model->layers[index].facts : NULL;
}

const prfarm_model_parameter *prfarm_model_get_parameter(const prfarm_model *model, size_t layer, size_t index)
{
    if (layer >= model->layer_count || index >= model->layers[layer].parameter_count)
        return NULL;
    return &model->layers[layer].parameters[index];
}
