// SPDX-License-Identifier: Apache-2.0
/* model_file.c - model <-> bytes.
 *
 * Header: 8 bytes magic, version and zero (u32, little endian), 16 bytes BLAKE2b over version and body; the body is one
 * protobuf message. The digest catches damage; it proves nothing about who wrote the file, so every count, index, enum and
 * number is checked again, and unpacking may allocate only so many bytes for each byte of the file. */
#include "wire/model_file.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "wire/model_fusions.h"

enum { MAGIC_BYTES = 8, HEADER_BYTES = MAGIC_BYTES + 8 + PRF_DIGEST_BYTES, DIGEST_AT = MAGIC_BYTES + 8 };
static const char magic[MAGIC_BYTES + 1] = "prfmodel";

/* The digest covers what stands between it and the magic, too. */
static void digest_of(prf_digest_t *out, const uint8_t *file, size_t len)
{
    prf_digest_t parts[2];
    prf_digest(&parts[0], file, DIGEST_AT);
    prf_digest(&parts[1], file + HEADER_BYTES, len - HEADER_BYTES);
    prf_digest(out, parts, sizeof parts);
}

/* ---- packing: messages point into the model and into one scratch for each layer ---- */

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
    Prf__Model__Terms terms;
    packed_term_t *term_store;     /* owned */
    Prf__Model__Term **term_lists; /* owned */
} packed_layer_t;

static void packed_layer_release(packed_layer_t *p)
{
    free(p->tree_sizes);
    free(p->features);
    free(p->values);
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
        p->tree_sizes[t] = (t + 1 < from->tree_count ? from->roots[t + 1] : (uint32_t)from->node_count) - from->roots[t];
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

static void pack_gauss(packed_layer_t *p, const prf_gauss_t *from)
{
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
    p->gauss.n_points = (size_t)from->point_count * from->input_count;
    p->gauss.points = from->points;
    p->gauss.n_weights = from->point_count;
    p->gauss.weights = from->weights;
    p->gauss.mean = from->mean;
    p->gauss.amplitude = from->amplitude;
    p->regressor.gauss = &p->gauss;
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
    if (part->regressor.gauss.point_count)
        pack_gauss(p, &part->regressor.gauss);
    bool ok = part->regressor.scale != PRF_SCALE_TERMS || pack_terms(p, &part->regressor.terms);
    return ok && (!part->regressor.ensemble.tree_count || pack_ensemble(p, &part->regressor.ensemble));
}

static void put_u32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

static prf_status_t write_file(const Prf__Model__Model *message, void **bytes, size_t *len, prf_error_t *err)
{
    size_t body = prf__model__model__get_packed_size(message);
    if (body > PRF_MODEL_MAX_BYTES - HEADER_BYTES)
        return prf_fail(err, PRF_EINVAL, "a model of %zu bytes is larger than a model file may be (%d): train on fewer layers",
                        body, PRF_MODEL_MAX_BYTES);
    uint8_t *file = malloc(HEADER_BYTES + body);
    if (!file)
        return prf_fail(err, PRF_ENOMEM, "a model file of %zu bytes", body);
    memcpy(file, magic, MAGIC_BYTES);
    put_u32(file + MAGIC_BYTES, message->n_fusions ? PRF_MODEL_VERSION : PRF_MODEL_VERSION - 1);
    put_u32(file + MAGIC_BYTES + 4, 0);
    prf__model__model__pack(message, file + HEADER_BYTES);
    prf_digest_t digest;
    digest_of(&digest, file, HEADER_BYTES + body);
    memcpy(file + DIGEST_AT, digest.bytes, sizeof digest.bytes);
    *bytes = file;
    *len = HEADER_BYTES + body;
    return PRF_OK;
}

/* Text in a message is not declared const; nothing writes to it while packing. */
static void pack_provenance(Prf__Model__Provenance *to, Prf__Model__Metrics *validation, const prf_provenance_t *from)
{
    prf__model__provenance__init(to);
    pack_metrics(validation, &from->validation);
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

prf_status_t prf_model_file_pack(const prf_model_t *model, void **bytes, size_t *len, prf_error_t *err)
{
    Prf__Model__Model message = PRF__MODEL__MODEL__INIT;
    Prf__Model__Provenance provenance;
    Prf__Model__Metrics validation;
    Prf__Model__Layer *layers[PRF_MODEL_LAYERS];
    char *extras[PRF_MODEL_EXTRAS];
    packed_layer_t *packed = calloc(model->part_count + 1, sizeof *packed);
    packed_fusions_t fusions;
    bool ok = packed_fusions_init(&fusions, model) && packed;
    for (size_t i = 0; ok && i < model->part_count; i++) {
        ok = pack_layer(&packed[i], &model->parts[i]);
        layers[i] = &packed[i].layer;
    }
    for (uint32_t i = 0; i < model->extra_count; i++)
        extras[i] = (char *)model->extras[i];
    pack_provenance(&provenance, &validation, &model->provenance);
    message.features = PRF_FEATURES_VERSION;
    message.kind = (char *)model->kind;
    message.provenance = &provenance;
    message.n_extras = model->extra_count;
    message.extras = extras;
    message.n_layers = model->part_count;
    message.layers = layers;
    message.n_fusions = model->fusion_count;
    message.fusions = fusions.list;
    prf_status_t status = ok ? write_file(&message, bytes, len, err) : prf_fail(err, PRF_ENOMEM, "packing a model");
    for (size_t i = 0; packed && i < model->part_count; i++)
        packed_layer_release(&packed[i]);
    free(packed);
    packed_fusions_release(&fusions);
    return status;
}

/* ---- unpacking ---- */

/* A few bytes of a hostile file could ask for a large struct each: the sum is bounded by the file's size. */
typedef struct {
    size_t left;
} budget_t;

static void *budget_alloc(void *data, size_t size)
{
    budget_t *budget = data;
    if (size > budget->left)
        return NULL;
    budget->left -= size;
    return malloc(size);
}

static void budget_free(void *data, void *pointer)
{
    (void)data;
    free(pointer);
}

static prf_status_t corrupt(prf_error_t *err, const char *what)
{
    return prf_fail(err, PRF_ECORRUPT, "model file: %s; make or fetch it again", what);
}

static bool copy_text(char *to, size_t cap, const char *from)
{
    size_t len = strlen(from);
    if (len >= cap)
        return false;
    for (size_t i = 0; i < len; i++)
        if (iscntrl((unsigned char)from[i]))
            return false;
    memcpy(to, from, len + 1);
    return true;
}

static void unpack_metrics(prf_metrics_t *to, const Prf__Model__Metrics *from)
{
    *to = (prf_metrics_t){0, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (from)
        *to = (prf_metrics_t){from->count, from->mape_percent, from->rmspe_percent,    from->median_percent,
                              from->r2,    from->spearman,     from->within_5_percent, from->within_10_percent};
}

static bool unpack_dim(prf_dim_t *to, const Prf__Model__Dim *from)
{
    if (from->kind > PRF_DIM_TIED || from->n_values > PRF_SPACE_VALUES || from->source >= PRF_PARAMS)
        return false;
    *to = (prf_dim_t){.kind = (prf_dim_kind_t)from->kind,
                      .lo = from->lo,
                      .hi = from->hi,
                      .log = from->log,
                      .value_count = (uint32_t)from->n_values,
                      .source = (prf_param_t)from->source,
                      .divisor = from->divisor};
    for (size_t i = 0; i < from->n_values; i++)
        to->values[i] = from->values[i];
    return true;
}

static prf_status_t unpack_space(prf_space_t *to, const Prf__Model__Space *from, prf_error_t *err)
{
    *to = (prf_space_t){0};
    if (!from || from->kind >= PRF_LAYER_KINDS || from->dtype >= PRF_DTYPES || from->n_dims > PRF_PARAMS)
        return corrupt(err, "a layer kind or data type that this version does not know");
    to->kind = (prf_layer_kind_t)from->kind;
    to->dtype = (prf_dtype_t)from->dtype;
    to->max_macs = from->max_macs;
    for (size_t i = 0; i < from->n_dims; i++)
        if (!unpack_dim(&to->dims[i], from->dims[i]))
            return corrupt(err, "a parameter range that cannot be");
    return prf_space_check(to, err) ? corrupt(err, "a range of layers that cannot be") : PRF_OK;
}

static prf_status_t unpack_steps(prf_steps_t *to, const Prf__Model__Layer *from, prf_error_t *err)
{
    prf_steps_none(to);
    if (from->n_width > PRF_PARAMS || from->n_confidence > PRF_PARAMS || from->n_further > PRF_STEPS_FURTHER)
        return corrupt(err, "steps of parameters that this version does not know");
    for (size_t i = 0; i < from->n_width; i++) {
        if (from->width[i] < 0)
            return corrupt(err, "a step width below zero");
        to->width[i] = from->width[i];
    }
    for (size_t i = 0; i < from->n_confidence; i++)
        to->confidence[i] = from->confidence[i];
    for (size_t i = 0; i < from->n_further; i++) {
        const Prf__Model__FurtherStep *step = from->further[i];
        bool shares = step->confidence >= 0 && step->confidence <= 1 && step->share >= 0 && step->share <= 1;
        if (!prf_quantity_known(step->of) || step->width < 2 || !shares)
            return corrupt(err, "a step that cannot be, or in what this version does not know");
        to->further[i] = (prf_further_step_t){step->of, step->width, step->confidence, step->share};
    }
    to->further_count = (uint32_t)from->n_further;
    return PRF_OK;
}

static prf_status_t unpack_ensemble(prf_ensemble_t *to, const Prf__Model__Ensemble *from, size_t feature_count, prf_error_t *err)
{
    if (!from || from->n_values == 0 || from->n_values != from->features.len || from->n_values > PRF_NODES ||
        from->n_tree_sizes > PRF_TREES)
        return corrupt(err, "trees without nodes, or too many");
    prf_ensemble_t e = {.member_count = from->members, .tree_count = (uint32_t)from->n_tree_sizes, .base = from->start};
    e.node_count = from->n_values;
    e.nodes = malloc(e.node_count * sizeof *e.nodes);
    e.roots = malloc((e.tree_count + 1) * sizeof *e.roots);
    prf_status_t status = PRF_OK;
    if (!e.nodes || !e.roots)
        status = prf_fail(err, PRF_ENOMEM, "%zu tree nodes", e.node_count);
    for (size_t i = 0; !status && i < e.node_count; i++) {
        uint8_t feature = from->features.data[i];
        e.nodes[i] = (prf_node_t){.value = from->values[i], .feature = (uint16_t)(feature ? feature - 1 : PRF_LEAF)};
    }
    if (!status)
        status = prf_ensemble_link(&e, from->tree_sizes, feature_count, err);
    if (status)
        prf_ensemble_release(&e);
    else
        *to = e;
    return status;
}

static prf_status_t unpack_gauss(prf_gauss_t *to, const Prf__Model__Gauss *from, size_t feature_count, prf_error_t *err)
{
    size_t inputs = from->n_columns, points = from->n_weights;
    if (inputs > PRF_GAUSS_INPUTS || points == 0 || points > PRF_GAUSS_POINTS || from->n_shifts != inputs ||
        from->n_scales != inputs || from->n_points != points * inputs)
        return corrupt(err, "a Gaussian process without layers, or with too many");
    prf_gauss_t g = {
        .input_count = (uint32_t)inputs, .point_count = (uint32_t)points, .mean = from->mean, .amplitude = from->amplitude};
    prf_status_t status = prf_gauss_make_room(&g, err);
    if (status)
        return status;
    for (size_t i = 0; i < inputs; i++)
        g.inputs[i] = (prf_gauss_input_t){(uint16_t)(from->columns[i] < UINT16_MAX ? from->columns[i] : UINT16_MAX),
                                          from->shifts[i], from->scales[i]};
    for (size_t i = 0; i < from->n_points; i++)
        g.points[i] = from->points[i];
    for (size_t i = 0; i < points; i++)
        g.weights[i] = from->weights[i];
    status = prf_gauss_check(&g, feature_count, err);
    if (status)
        prf_gauss_release(&g);
    else
        *to = g;
    return status;
}

static bool unpack_term(prf_term_t *to, const Prf__Model__Term *from)
{
    size_t count = from->n_arguments;
    if (count > PRF_TERM_FACTORS || from->factors.len != 2 * count)
        return false;
    *to = (prf_term_t){.weight = from->weight, .factor_count = (uint32_t)count};
    for (size_t i = 0; i < count; i++)
        to->factors[i] = (prf_factor_t){from->factors.data[2 * i], from->factors.data[2 * i + 1], from->arguments[i]};
    return true;
}

static prf_status_t unpack_terms(prf_terms_t *to, const Prf__Model__Terms *from, prf_error_t *err)
{
    if (from->n_first > PRF_TERMS || from->n_second > PRF_TERMS)
        return corrupt(err, "more terms than there can be");
    if (from->order >= PRF_ORDERS || from->n_elements != (from->order ? PRF_BUFFERS : 0))
        return corrupt(err, "a blocking that this version does not know");
    prf_terms_t t = {.count = {(uint32_t)from->n_first, (uint32_t)from->n_second}, .least_ns = from->least_ns};
    size_t count = from->n_first + from->n_second;
    t.blocking.order = (prf_order_t)from->order;
    for (size_t i = 0; i < from->n_elements; i++)
        t.blocking.elements[i] = from->elements[i];
    t.terms = malloc((count + 1) * sizeof *t.terms);
    prf_status_t status = t.terms ? PRF_OK : prf_fail(err, PRF_ENOMEM, "%zu terms", count);
    for (size_t i = 0; !status && i < count; i++)
        if (!unpack_term(&t.terms[i], i < from->n_first ? from->first[i] : from->second[i - from->n_first]))
            status = corrupt(err, "a term with more factors than it can have");
    if (!status)
        status = prf_terms_check(&t, err);
    if (status)
        prf_terms_release(&t);
    else
        *to = t;
    return status;
}

static bool rate(double v)
{
    return isfinite(v) && v >= 0;
}

static prf_status_t unpack_regressor(prf_regressor_t *to, const Prf__Model__Regressor *from, size_t feature_count, prf_error_t *err)
{
    if (!from || !copy_text(to->name, sizeof to->name, from->name))
        return corrupt(err, "a layer kind without a regressor");
    if (from->roofline) {
        const Prf__Model__Roofline *r = from->roofline;
        if (!rate(r->overhead_ns) || !rate(r->ns_per_op) || !rate(r->ns_per_byte) || !(r->overhead_ns > 0) ||
            !rate(r->fill_exponent) || r->fill_exponent > 1)
            return corrupt(err, "a roofline with a rate that cannot be");
        to->scale = PRF_SCALE_ROOFLINE;
        to->roofline = (prf_roofline_t){r->overhead_ns, r->ns_per_op, r->ns_per_byte, r->fill_exponent};
    }
    if (!rate(-from->low) || !rate(from->high) || !rate(from->floor))
        return corrupt(err, "an interval that cannot be");
    to->low = from->low;
    to->high = from->high;
    to->floor = from->floor;
    prf_status_t status = PRF_OK;
    if (from->terms) {
        if (from->roofline)
            return corrupt(err, "a regressor with two scales");
        to->scale = PRF_SCALE_TERMS;
        status = unpack_terms(&to->terms, from->terms, err);
    }
    if (!status && from->gauss) {
        if (!from->terms && !from->roofline)
            return corrupt(err, "a Gaussian process without a scale");
        status = unpack_gauss(&to->gauss, from->gauss, feature_count, err);
    }
    if (!status && (from->ensemble || (!from->terms && !from->gauss)))
        status = unpack_ensemble(&to->ensemble, from->ensemble, feature_count, err);
    return status;
}

static prf_status_t unpack_layer(prf_model_t *model, size_t index, const Prf__Model__Layer *from, prf_error_t *err)
{
    prf_model_part_t *part = &model->parts[index];
    prf_status_t status = unpack_space(&part->space, from->space, err);
    if (!status)
        status = unpack_steps(&part->steps, from, err);
    if (status)
        return status;
    for (size_t i = 0; i < index; i++)
        if (model->parts[i].space.kind == part->space.kind && model->parts[i].space.dtype == part->space.dtype)
            return corrupt(err, "a layer kind stands in it twice");
    part->map_queries = from->map_queries;
    part->samples = from->samples;
    unpack_metrics(&part->validation, from->validation);
    prf_model_recipe(part, model->extra_count);
    return unpack_regressor(&part->regressor, from->regressor, prf_features_count(&part->recipe), err);
}

static prf_status_t unpack_provenance(prf_provenance_t *to, const Prf__Model__Provenance *from, prf_error_t *err)
{
    if (!from || !copy_text(to->campaign, sizeof to->campaign, from->campaign) ||
        !copy_text(to->fingerprint, sizeof to->fingerprint, from->fingerprint) || !copy_text(to->from, sizeof to->from, from->from))
        return corrupt(err, "its provenance is missing or too long");
    to->seed = from->seed;
    to->samples = from->samples;
    to->sweep_samples = from->sweep_samples;
    to->repeatability_percent = from->repeatability_percent;
    to->random_baseline_percent = from->random_baseline_percent;
    unpack_metrics(&to->validation, from->validation);
    return PRF_OK;
}

static prf_status_t unpack_model(prf_model_t *model, const Prf__Model__Model *from, prf_error_t *err)
{
    prf_status_t status = prf_name_check("board kind", from->kind, err);
    if (status || !copy_text(model->kind, sizeof model->kind, from->kind))
        return corrupt(err, "the name of the board kind");
    status = unpack_provenance(&model->provenance, from->provenance, err);
    for (size_t i = 0; !status && i < from->n_extras; i++) {
        if (prf_name_check("extra column", from->extras[i], NULL) || !copy_text(model->extras[i], PRF_NAME, from->extras[i]))
            return corrupt(err, "the name of an extra column");
        model->extra_count++;
    }
    for (size_t i = 0; !status && i < from->n_layers; i++)
        status = unpack_layer(model, i, from->layers[i], err);
    if (!status && !unpack_fusions(model, from))
        return corrupt(err, "a fusion rule that cannot be");
    return status;
}

static prf_status_t unpack_message(prf_model_t **out, const Prf__Model__Model *message, prf_error_t *err)
{
    if (message->features > PRF_FEATURES_VERSION)
        return prf_fail(err, PRF_EVERSION, "model file: its features (recipe %u) were made by a newer prfarm: update this one",
                        message->features);
    if (message->features != PRF_FEATURES_VERSION || message->n_extras > PRF_MODEL_EXTRAS || message->n_layers > PRF_MODEL_LAYERS)
        return corrupt(err, "more layer kinds or columns than there can be");
    prf_model_t *model = prf_model_new(message->n_layers);
    if (!model)
        return prf_fail(err, PRF_ENOMEM, "a model of %zu layer kinds", message->n_layers);
    prf_status_t status = unpack_model(model, message, err);
    if (status)
        prf_model_destroy(&model);
    else
        *out = model;
    return status;
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static prf_status_t check_header(const uint8_t *file, size_t len, prf_error_t *err)
{
    if (len < HEADER_BYTES || memcmp(file, magic, MAGIC_BYTES) != 0)
        return prf_fail(err, PRF_EPARSE, "not a model file (%zu bytes that do not begin with '%s')", len, magic);
    if (len > PRF_MODEL_MAX_BYTES)
        return corrupt(err, "larger than a model file may be");
    if (get_u32(file + MAGIC_BYTES) > PRF_MODEL_VERSION)
        return prf_fail(err, PRF_EVERSION, "model file: version %u was written by a newer prfarm (this one reads up to %d): update",
                        get_u32(file + MAGIC_BYTES), PRF_MODEL_VERSION);
    prf_digest_t digest;
    digest_of(&digest, file, len);
    if (get_u32(file + MAGIC_BYTES) == 0 || memcmp(digest.bytes, file + DIGEST_AT, sizeof digest.bytes) != 0)
        return corrupt(err, "its digest does not fit, so it is truncated or damaged");
    return PRF_OK;
}

prf_status_t prf_model_file_unpack(prf_model_t **out, const void *bytes, size_t len, prf_error_t *err)
{
    const uint8_t *file = bytes;
    prf_status_t status = check_header(file, len, err);
    if (status)
        return status;
    budget_t budget = {.left = 65536 + 8 * len};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
    Prf__Model__Model *message = prf__model__model__unpack(&allocator, len - HEADER_BYTES, file + HEADER_BYTES);
    if (!message)
        return corrupt(err, "its body is no model");
    status = unpack_message(out, message, err);
    prf__model__model__free_unpacked(message, &allocator);
    return status;
}
