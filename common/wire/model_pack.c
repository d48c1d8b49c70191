// SPDX-License-Identifier: Apache-2.0
/* model_pack.c - a model as bytes: messages point into the model and into one scratch for each layer. */
#include "wire/model_file.h"

#include <stdlib.h>
#include <string.h>

#include "wire/model_fusions.h"
#include "wire/model_header.h"

typedef struct {
    Prf__Model__Term term;
    uint8_t factors[2 * PRF_TERM_FACTORS];
    double arguments[PRF_TERM_FACTORS];
} packed_term_t;

typedef struct {
    Prf__Model__Layer layer;
    Prf__Model__Space space;
    Prf__Model__Dim dims[PRF_PARAMS], *dim_list[PRF_PARAMS];
    Prf__Model__Metrics validation;
    Prf__Model__Regressor regressor;
    Prf__Model__Roofline roofline;
    Prf__Model__Ensemble ensemble;
    Prf__Model__FurtherStep further[PRF_STEPS_FURTHER], *further_list[PRF_STEPS_FURTHER];
    uint32_t *tree_sizes; /* owned */
    uint8_t *features;    /* owned */
    float *values;        /* owned */
    Prf__Model__Gauss gauss;
    uint32_t columns[PRF_GAUSS_INPUTS];
    double shifts[PRF_GAUSS_INPUTS], scales[PRF_GAUSS_INPUTS];
    float *points; /* owned */
    Prf__Model__Terms terms;
    packed_term_t *term_store;     /* owned */
    Prf__Model__Term **term_lists; /* owned */
} packed_layer_t;

static void packed_layer_release(packed_layer_t *p)
{
    free(p->tree_sizes);
    free(p->features);
    free(p->values);
    free(p->points);
    free(p->term_store);
    free(p->term_lists);
}

static void pack_metrics(Prf__Model__Metrics *to, const prf_metrics_t *from)
{
    prf__model__metrics__init(to);
    to->count = from->count;
    to->mape_percent = from->mape_percent;
    to->rmspe_percent = from->rmspe_percent;
    to->median_percent = from->median_percent;
    to->r2 = from->r2;
    to->spearman = from->spearman;
    to->within_5_percent = from->within_5_percent;
    to->within_10_percent = from->within_10_percent;
}

static void pack_space(packed_layer_t *p, const prf_space_t *from)
{
    prf__model__space__init(&p->space);
    p->space.kind = (uint32_t)from->kind;
    p->space.dtype = (uint32_t)from->dtype;
    p->space.max_macs = from->max_macs;
    for (size_t i = 0; i < PRF_PARAMS; i++) {
        const prf_dim_t *dim = &from->dims[i];
        Prf__Model__Dim *to = p->dim_list[i] = &p->dims[i];
        prf__model__dim__init(to);
        to->kind = (uint32_t)dim->kind;
        to->lo = dim->lo;
        to->hi = dim->hi;
        to->log = dim->log;
        to->n_values = dim->value_count;
        to->values = (int32_t *)dim->values;
        to->source = (uint32_t)dim->source;
        to->divisor = dim->divisor;
    }
    p->space.n_dims = PRF_PARAMS;
    p->space.dims = p->dim_list;
}

static bool pack_ensemble(packed_layer_t *p, const prf_ensemble_t *from)
{
    p->tree_sizes = malloc(from->tree_count * sizeof *p->tree_sizes);
    p->features = malloc(from->node_count);
    p->values = malloc(from->node_count * sizeof *p->values);
    if (!p->tree_sizes || !p->features || !p->values)
        return false;
    for (uint32_t t = 0; t < from->tree_count; t++)
        p->tree_sizes[t] = (t + 1 < from->tree_count ? from->trees[t + 1].root : (uint32_t)from->node_count) - from->trees[t].root;
    for (size_t i = 0; i < from->node_count; i++) {
        p->features[i] = (uint8_t)(from->nodes[i].feature == PRF_LEAF ? 0 : from->nodes[i].feature + 1);
        p->values[i] = from->nodes[i].value;
    }
    prf__model__ensemble__init(&p->ensemble);
    p->ensemble.members = from->member_count;
    p->ensemble.start = from->base;
    p->ensemble.n_tree_sizes = from->tree_count;
    p->ensemble.tree_sizes = p->tree_sizes;
    p->ensemble.features = (ProtobufCBinaryData){from->node_count, p->features};
    p->ensemble.n_values = from->node_count;
    p->ensemble.values = p->values;
    p->regressor.ensemble = &p->ensemble;
    return true;
}

static bool pack_gauss(packed_layer_t *p, const prf_gauss_t *from)
{
    size_t numbers = (size_t)from->point_count * from->input_count;
    p->points = malloc((numbers + 1) * sizeof *p->points);
    if (!p->points)
        return false;
    for (size_t i = 0; i < numbers; i++) /* point by point */
        p->points[i] = from->points[i % from->input_count * from->point_count + i / from->input_count];
    for (uint32_t i = 0; i < from->input_count; i++) {
        p->columns[i] = from->inputs[i].column;
        p->shifts[i] = from->inputs[i].shift;
        p->scales[i] = from->inputs[i].scale;
    }
    prf__model__gauss__init(&p->gauss);
    p->gauss.n_columns = p->gauss.n_shifts = p->gauss.n_scales = from->input_count;
    p->gauss.columns = p->columns;
    p->gauss.shifts = p->shifts;
    p->gauss.scales = p->scales;
    p->gauss.n_points = numbers;
    p->gauss.points = p->points;
    p->gauss.n_weights = from->point_count;
    p->gauss.weights = from->weights;
    p->gauss.mean = from->mean;
    p->gauss.amplitude = from->amplitude;
    p->regressor.gauss = &p->gauss;
    return true;
}

static bool pack_terms(packed_layer_t *p, const prf_terms_t *from)
{
    size_t count = from->count[0] + from->count[1];
    p->term_store = calloc(count + 1, sizeof *p->term_store);
    p->term_lists = calloc(count + 1, sizeof *p->term_lists);
    if (!p->term_store || !p->term_lists)
        return false;
    for (size_t i = 0; i < count; i++) {
        const prf_term_t *term = &from->terms[i];
        packed_term_t *to = &p->term_store[i];
        prf__model__term__init(&to->term);
        for (uint32_t f = 0; f < term->factor_count; f++) {
            to->factors[2 * f] = term->factors[f].quantity;
            to->factors[2 * f + 1] = term->factors[f].form;
            to->arguments[f] = term->factors[f].argument;
        }
        to->term.weight = term->weight;
        to->term.factors = (ProtobufCBinaryData){2 * term->factor_count, to->factors};
        to->term.n_arguments = term->factor_count;
        to->term.arguments = to->arguments;
        p->term_lists[i] = &to->term;
    }
    prf__model__terms__init(&p->terms);
    p->terms.n_first = from->count[0];
    p->terms.first = p->term_lists;
    p->terms.n_second = from->count[1];
    p->terms.second = p->term_lists + from->count[0];
    p->terms.least_ns = from->least_ns;
    p->terms.order = (uint32_t)from->blocking.order;
    p->terms.n_elements = from->blocking.order ? PRF_BUFFERS : 0;
    p->terms.elements = (double *)from->blocking.elements;
    p->terms.channel_step = from->blocking.order ? from->blocking.channel_step : 0;
    p->terms.column_step = from->blocking.order ? from->blocking.column_step : 0;
    p->regressor.terms = &p->terms;
    return true;
}

static void pack_further(packed_layer_t *p, const prf_steps_t *steps)
{
    for (uint32_t i = 0; i < steps->further_count; i++) {
        const prf_further_step_t *from = &steps->further[i];
        prf__model__further_step__init(&p->further[i]);
        p->further[i].of = from->of;
        p->further[i].width = from->width;
        p->further[i].confidence = from->confidence;
        p->further[i].share = from->share;
        p->further_list[i] = &p->further[i];
    }
    p->layer.n_further = steps->further_count;
    p->layer.further = p->further_list;
}

static bool pack_layer(packed_layer_t *p, const prf_model_part_t *part)
{
    prf__model__layer__init(&p->layer);
    pack_space(p, &part->space);
    pack_metrics(&p->validation, &part->validation);
    prf__model__regressor__init(&p->regressor);
    p->regressor.name = (char *)part->regressor.name;
    p->regressor.low = part->regressor.low;
    p->regressor.high = part->regressor.high;
    p->regressor.floor = part->regressor.floor;
    if (part->regressor.scale == PRF_SCALE_ROOFLINE) {
        prf__model__roofline__init(&p->roofline);
        p->roofline.overhead_ns = part->regressor.roofline.overhead_ns;
        p->roofline.ns_per_op = part->regressor.roofline.ns_per_op;
        p->roofline.ns_per_byte = part->regressor.roofline.ns_per_byte;
        p->roofline.fill_exponent = part->regressor.roofline.fill_exponent;
        p->regressor.roofline = &p->roofline;
    }
    p->layer.space = &p->space;
    p->layer.n_width = p->layer.n_confidence = PRF_PARAMS;
    p->layer.width = (int32_t *)part->steps.width;
    p->layer.confidence = (double *)part->steps.confidence;
    pack_further(p, &part->steps);
    p->layer.map_queries = part->map_queries;
    p->layer.samples = part->samples;
    p->layer.validation = &p->validation;
    p->layer.regressor = &p->regressor;
    bool ok = !part->regressor.gauss.point_count || pack_gauss(p, &part->regressor.gauss);
    ok = ok && (part->regressor.scale != PRF_SCALE_TERMS || pack_terms(p, &part->regressor.terms));
    return ok && (!part->regressor.ensemble.tree_count || pack_ensemble(p, &part->regressor.ensemble));
}

static void put_u32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

/* A reader that does not know a field would leave it out of its estimates. */
static uint32_t version_of(const Prf__Model__Model *message)
{
    return message->between_ns > 0 ? PRF_MODEL_VERSION : message->n_fusions ? 3 : 2;
}

static prf_status_t write_file(const Prf__Model__Model *message, void **bytes, size_t *len, prf_error_t *err)
{
    size_t body = prf__model__model__get_packed_size(message);
    if (body > PRF_MODEL_MAX_BYTES - MODEL_HEADER_BYTES)
        return prf_fail(err, PRF_EINVAL, "a model of %zu bytes is larger than a model file may be (%d): train on fewer layers",
                        body, PRF_MODEL_MAX_BYTES);
    uint8_t *file = malloc(MODEL_HEADER_BYTES + body);
    if (!file)
        return prf_fail(err, PRF_ENOMEM, "a model file of %zu bytes", body);
    memcpy(file, model_magic, MODEL_MAGIC_BYTES);
    put_u32(file + MODEL_MAGIC_BYTES, version_of(message));
    put_u32(file + MODEL_MAGIC_BYTES + 4, 0);
    prf__model__model__pack(message, file + MODEL_HEADER_BYTES);
    prf_digest_t digest;
    model_digest(&digest, file, MODEL_HEADER_BYTES + body);
    memcpy(file + MODEL_DIGEST_AT, digest.bytes, sizeof digest.bytes);
    *bytes = file;
    *len = MODEL_HEADER_BYTES + body;
    return PRF_OK;
}

/* Text in a message is not declared const; nothing writes to it while packing. */
static void pack_provenance(Prf__Model__Provenance *to, Prf__Model__Metrics *validation, const prf_provenance_t *from)
{
    prf__model__provenance__init(to);
    to->campaign = (char *)from->campaign;
    to->from = (char *)from->from;
    to->fingerprint = (char *)from->fingerprint;
    to->seed = from->seed;
    to->samples = from->samples;
    to->sweep_samples = from->sweep_samples;
    to->validation = validation;
    to->repeatability_percent = from->repeatability_percent;
    to->random_baseline_percent = from->random_baseline_percent;
}

/* What a model knows of its target, latency or energy. */
typedef struct {
    Prf__Model__Metrics validation;
    Prf__Model__Layer *layers[PRF_MODEL_LAYERS];
    size_t count;
    packed_layer_t *packed; /* owned, `count` of them */
    packed_fusions_t fusions;
} packed_target_t;

/* False when memory runs out. Release it in either case. */
static bool packed_target_init(packed_target_t *out, const prf_model_t *model)
{
    *out = (packed_target_t){.count = model->part_count};
    out->packed = calloc(model->part_count + 1, sizeof *out->packed);
    bool ok = packed_fusions_init(&out->fusions, model) && out->packed;
    for (size_t i = 0; ok && i < model->part_count; i++) {
        ok = pack_layer(&out->packed[i], &model->parts[i]);
        out->layers[i] = &out->packed[i].layer;
    }
    pack_metrics(&out->validation, &model->provenance.validation);
    return ok;
}

static void packed_target_release(packed_target_t *self)
{
    for (size_t i = 0; self->packed && i < self->count; i++)
        packed_layer_release(&self->packed[i]);
    free(self->packed);
    packed_fusions_release(&self->fusions);
}

static void pack_energy(Prf__Model__Energy *to, packed_target_t *target, const prf_model_t *from)
{
    prf__model__energy__init(to);
    to->samples = from->provenance.samples;
    to->validation = &target->validation;
    to->repeatability_percent = from->provenance.repeatability_percent;
    to->n_layers = target->count;
    to->layers = target->layers;
    to->n_fusions = from->fusion_count;
    to->fusions = target->fusions.list;
    to->between_ns = from->between_ns;
}

prf_status_t prf_model_file_pack(const prf_model_t *model, void **bytes, size_t *len, prf_error_t *err)
{
    Prf__Model__Model message = PRF__MODEL__MODEL__INIT;
    Prf__Model__Provenance provenance;
    Prf__Model__Energy energy;
    packed_target_t latency, of_energy = {.count = 0};
    char *extras[PRF_MODEL_EXTRAS];
    bool ok = packed_target_init(&latency, model) && (!model->energy || packed_target_init(&of_energy, model->energy));
    for (uint32_t i = 0; i < model->extra_count; i++)
        extras[i] = (char *)model->extras[i];
    pack_provenance(&provenance, &latency.validation, &model->provenance);
    message.features = PRF_FEATURES_VERSION;
    message.kind = (char *)model->kind;
    message.provenance = &provenance;
    message.n_extras = model->extra_count;
    message.extras = extras;
    message.n_layers = model->part_count;
    message.layers = latency.layers;
    message.n_fusions = model->fusion_count;
    message.fusions = latency.fusions.list;
    message.between_ns = model->between_ns;
    if (model->energy) {
        pack_energy(&energy, &of_energy, model->energy);
        message.energy = &energy;
    }
    prf_status_t status = ok ? write_file(&message, bytes, len, err) : prf_fail(err, PRF_ENOMEM, "packing a model");
    packed_target_release(&latency);
    packed_target_release(&of_energy);
    return status;
}
