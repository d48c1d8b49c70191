// SPDX-License-Identifier: Apache-2.0
/* model_unpack.c - bytes as a model. The digest catches damage; it proves nothing about who wrote the file, so every count, index,
 * enum and number is checked again, and unpacking may allocate only so many bytes for each byte of the file. */
#include "wire/model_file.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/between.h"
#include "wire/budget.h"
#include "wire/model_fusions.h"
#include "wire/model_header.h"

static prf_status_t corrupt(prf_error_t *err, const char *what)
{
    return prf_fail(err, PRF_ECORRUPT, "model file: %s", what);
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
    e.nodes = calloc(e.node_count, sizeof *e.nodes);
    e.trees = malloc((e.tree_count + 1) * sizeof *e.trees);
    prf_status_t status = PRF_OK;
    if (!e.nodes || !e.trees)
        status = prf_fail(err, PRF_ENOMEM, "%zu tree nodes", e.node_count);
    for (size_t i = 0; !status && i < e.node_count; i++) {
        uint8_t feature = from->features.data[i]; /* 0: a leaf; else one more than the index, which linking checks */
        e.nodes[i].value = from->values[i];
        e.nodes[i].feature = feature == 0 ? PRF_LEAF : feature <= PRF_LEAF ? (feature - 1U) & (PRF_LEAF - 1U) : UINT8_MAX;
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
        g.points[i % inputs * points + i / inputs] = from->points[i];
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
    t.blocking.channel_step = from->channel_step;
    t.blocking.column_step = from->column_step;
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

/* What a file says of latency, or of energy. */
typedef struct {
    size_t layer_count;
    Prf__Model__Layer *const *layers;
    size_t fusion_count;
    Prf__Model__Fusion *const *fusions;
    double between_ns;
} target_t;

static prf_status_t unpack_target(prf_model_t *model, const target_t *from, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && i < from->layer_count; i++)
        status = unpack_layer(model, i, from->layers[i], err);
    if (!status && !unpack_fusions(model, from->fusion_count, from->fusions))
        return corrupt(err, "a fusion rule that cannot be");
    if (!status && !(from->between_ns >= 0 && from->between_ns <= PRF_BETWEEN_LIMIT_NS))
        return corrupt(err, "a time between blocks that cannot be");
    model->between_ns = from->between_ns;
    return status;
}

/* It is a model of the same board, from the same campaign. */
static prf_status_t unpack_energy(prf_model_t *model, const Prf__Model__Energy *from, prf_error_t *err)
{
    if (from->n_layers > PRF_MODEL_LAYERS)
        return corrupt(err, "more layer kinds than there can be");
    prf_model_t *energy = model->energy = prf_model_new(from->n_layers);
    if (!energy)
        return prf_fail(err, PRF_ENOMEM, "a model of %zu layer kinds", from->n_layers);
    memcpy(energy->kind, model->kind, sizeof energy->kind);
    memcpy(energy->extras, model->extras, sizeof energy->extras);
    energy->extra_count = model->extra_count;
    energy->provenance = model->provenance;
    energy->provenance.from[0] = '\0';
    energy->provenance.samples = from->samples;
    energy->provenance.repeatability_percent = from->repeatability_percent;
    energy->provenance.random_baseline_percent = (double)NAN;
    unpack_metrics(&energy->provenance.validation, from->validation);
    return unpack_target(energy, &(target_t){from->n_layers, from->layers, from->n_fusions, from->fusions, from->between_ns}, err);
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
    if (!status)
        status =
            unpack_target(model, &(target_t){from->n_layers, from->layers, from->n_fusions, from->fusions, from->between_ns}, err);
    return status || !from->energy ? status : unpack_energy(model, from->energy, err);
}

static prf_status_t unpack_message(prf_model_t **out, const Prf__Model__Model *message, prf_error_t *err)
{
    if (message->features > PRF_FEATURES_VERSION)
        return prf_fail(err, PRF_EVERSION, "model file: its features (recipe %u) were made by a newer prfarm: update this one",
                        message->features);
    if (message->features != PRF_FEATURES_VERSION)
        return prf_fail(err, PRF_EVERSION,
                        "model file: an older prfarm made it (features of recipe %u, this one has %d): train it anew",
                        message->features, PRF_FEATURES_VERSION);
    if (message->n_extras > PRF_MODEL_EXTRAS || message->n_layers > PRF_MODEL_LAYERS)
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
    if (len < MODEL_HEADER_BYTES || memcmp(file, model_magic, MODEL_MAGIC_BYTES) != 0)
        return prf_fail(err, PRF_EPARSE, "not a model file (%zu bytes that do not begin with '%s')", len, model_magic);
    if (len > PRF_MODEL_MAX_BYTES)
        return corrupt(err, "larger than a model file may be");
    if (get_u32(file + MODEL_MAGIC_BYTES) > PRF_MODEL_VERSION)
        return prf_fail(err, PRF_EVERSION, "model file: version %u was written by a newer prfarm (this one reads up to %d): update",
                        get_u32(file + MODEL_MAGIC_BYTES), PRF_MODEL_VERSION);
    prf_digest_t digest;
    model_digest(&digest, file, len);
    if (get_u32(file + MODEL_MAGIC_BYTES) == 0 || memcmp(digest.bytes, file + MODEL_DIGEST_AT, sizeof digest.bytes) != 0)
        return corrupt(err, "its digest does not fit, so it is truncated or damaged");
    return PRF_OK;
}

static prf_status_t unpack_file(prf_model_t **out, const void *bytes, size_t len, prf_error_t *err)
{
    const uint8_t *file = bytes;
    prf_status_t status = check_header(file, len, err);
    if (status)
        return status;
    prf_budget_t budget = {.left = 65536 + 8 * len};
    ProtobufCAllocator allocator = prf_budget_allocator(&budget);
    Prf__Model__Model *message = prf__model__model__unpack(&allocator, len - MODEL_HEADER_BYTES, file + MODEL_HEADER_BYTES);
    if (!message)
        return corrupt(err, "its body is no model");
    status = unpack_message(out, message, err);
    prf__model__model__free_unpacked(message, &allocator);
    return status;
}

prf_status_t prf_model_file_unpack(prf_model_t **out, const void *bytes, size_t len, prf_error_t *err)
{
    prf_status_t status = unpack_file(out, bytes, len, err);
    return status == PRF_ECORRUPT || status == PRF_EPARSE ? prf_fail_remedy(err, status, "make or fetch it again") : status;
}
