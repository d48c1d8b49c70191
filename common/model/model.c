// SPDX-License-Identifier: Apache-2.0
/* model.c - estimating, and what can be asked of a model. */
#include "model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "model/parts.h"
#include "wire/model_file.h"

/* Blocks that are looked at together, on the stack: enough that the parts of a mixed network see many layers each. */
enum { CHUNK = 2 * PRF_REGRESSOR_ROWS };

_Static_assert((int)PRF_FEATURES_EXTRAS == (int)PRF_MODEL_EXTRAS, "a model's extra columns are its features'");

prf_model_t *prf_model_new(size_t part_count)
{
    prf_model_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->parts = calloc(part_count ? part_count : 1, sizeof *self->parts);
    if (!self->parts) {
        free(self);
        return NULL;
    }
    self->part_count = part_count;
    return self;
}

void prf_model_destroy(prf_model_t **self)
{
    if (!self || !*self)
        return;
    for (size_t i = 0; i < (*self)->part_count; i++)
        prf_regressor_release(&(*self)->parts[i].regressor);
    free((*self)->parts);
    free((*self)->fusions);
    prf_model_destroy(&(*self)->energy);
    free(*self);
    *self = NULL;
}

void prf_model_recipe(prf_model_part_t *part, uint32_t extra_count)
{
    part->recipe = (prf_recipe_t){.kind = part->space.kind, .dtype = part->space.dtype, .extras = extra_count};
    memcpy(part->recipe.width, part->steps.width, sizeof part->recipe.width);
}

prf_status_t prf_model_decode(prf_model_t **out, const void *bytes, size_t len, prf_error_t *err)
{
    return prf_model_file_unpack(out, bytes, len, err);
}

prf_status_t prf_model_encode(const prf_model_t *model, void **bytes, size_t *len, prf_error_t *err)
{
    return prf_model_file_pack(model, bytes, len, err);
}

prf_status_t prf_model_load(prf_model_t **out, const char *path, prf_error_t *err)
{
    char *bytes;
    size_t len;
    prf_status_t status = prf_file_read(path, PRF_MODEL_MAX_BYTES, &bytes, &len, err);
    if (status)
        return status;
    status = prf_model_decode(out, bytes, len, err);
    free(bytes);
    return status ? prf_fail_prefix(err, status, "%s", path) : PRF_OK;
}

const char *prf_model_kind(const prf_model_t *model)
{
    return model->kind;
}

const prf_provenance_t *prf_model_provenance(const prf_model_t *model)
{
    return &model->provenance;
}

size_t prf_model_layer_count(const prf_model_t *model)
{
    return model->part_count;
}

static void describe(const prf_model_part_t *part, prf_model_layer_t *out)
{
    *out = (prf_model_layer_t){.kind = part->space.kind,
                               .dtype = part->space.dtype,
                               .space = part->space,
                               .steps = part->steps,
                               .mapped = part->map_queries,
                               .regressor = part->regressor.name,
                               .sums = part->regressor.scale == PRF_SCALE_TERMS,
                               .samples = part->samples,
                               .validation = part->validation};
}

void prf_model_layer(const prf_model_t *model, size_t index, prf_model_layer_t *out)
{
    describe(&model->parts[index], out);
}

bool prf_model_layer_find(const prf_model_t *model, prf_layer_kind_t kind, prf_dtype_t dtype, prf_model_layer_t *out)
{
    const prf_model_part_t *part = prf_model_part_find(model, kind, dtype);
    if (part)
        describe(part, out);
    return part != NULL;
}

size_t prf_model_extras(const prf_model_t *model, const char *names[PRF_MODEL_EXTRAS])
{
    for (uint32_t i = 0; i < model->extra_count; i++)
        names[i] = model->extras[i];
    return model->extra_count;
}

/* The values that a parameter took in training; a default is one value (none, which is 0, where a value must be
 * given), a tied one goes as far as its source. */
static void trained_range(const prf_space_t *space, const prf_param_info_t *info, const prf_layer_t *layer, int32_t *low,
                          int32_t *high)
{
    const prf_dim_t *dim = &space->dims[info->param];
    switch (dim->kind) {
    case PRF_DIM_DEFAULT:
        *low = *high = info->fallback == PRF_REQUIRED ? 0
                       : info->fallback >= 0          ? info->fallback
                                                      : layer->p[PRF_LIKE(info->fallback)];
        break;
    case PRF_DIM_RANGE:
        *low = dim->lo;
        *high = dim->hi;
        break;
    case PRF_DIM_LIST:
        *low = dim->values[0];
        *high = dim->values[dim->value_count - 1];
        break;
    case PRF_DIM_TIED:
        prf_space_bounds(space, dim->source, low, high);
        *low /= dim->divisor;
        *high /= dim->divisor;
        break;
    }
}

static bool is_outside(const prf_space_t *space, const prf_layer_t *layer)
{
    size_t count;
    const prf_param_info_t *params = prf_layer_params(layer->kind, &count);
    for (size_t i = 0; i < count; i++) {
        int32_t low, high, value = layer->p[params[i].param];
        trained_range(space, &params[i], layer, &low, &high);
        if (value < low || value > high)
            return true;
    }
    return false;
}

void prf_model_part_view(const prf_model_part_t *part, const prf_layer_t *layer, const double *extras, prf_model_view_t *out)
{
    prf_layer_t asked = *layer;
    if (part->map_queries)
        prf_steps_map(&part->steps, &part->space, &asked);
    *out = (prf_model_view_t){.work = {0}};
    if (prf_regressor_has_rest(&part->regressor))
        prf_features_compute(&part->recipe, &asked, extras, out->features);
    if (part->regressor.scale == PRF_SCALE_ROOFLINE)
        prf_features_work(&part->recipe, &asked, &out->work);
    if (part->regressor.scale == PRF_SCALE_TERMS)
        prf_quantities_compute(&part->recipe, &asked, extras, out->quantities);
}

void prf_model_part_predict(const prf_model_part_t *part, const prf_layer_t *layer, const double *extras, double *log_ns,
                            double *spread)
{
    prf_model_view_t view;
    prf_model_part_view(part, layer, extras, &view);
    prf_regressor_predict(&part->regressor, &(prf_seen_t){view.features, &view.work, view.quantities}, log_ns, spread);
}

static void conclude(const prf_model_part_t *part, const prf_layer_t *layer, double log_ns, double spread, prf_estimate_t *out)
{
    const prf_regressor_t *r = &part->regressor;
    out->latency_ns = exp(log_ns);
    out->low_ns = exp(log_ns + r->low * (spread + r->floor));
    out->high_ns = exp(log_ns + r->high * (spread + r->floor));
    out->outside = is_outside(&part->space, layer);
}

void prf_model_part_estimate(const prf_model_part_t *part, const prf_layer_t *layer, const double *extras, prf_estimate_t *out)
{
    double log_ns, spread;
    prf_model_part_predict(part, layer, extras, &log_ns, &spread);
    conclude(part, layer, log_ns, spread, out);
}

const prf_model_part_t *prf_model_part_find(const prf_model_t *model, prf_layer_kind_t kind, prf_dtype_t dtype)
{
    for (size_t i = 0; i < model->part_count; i++)
        if (model->parts[i].space.kind == kind && model->parts[i].space.dtype == dtype)
            return &model->parts[i];
    return NULL;
}

const prf_fusion_t *prf_model_fusions(const prf_model_t *model, size_t *count)
{
    *count = model->fusion_count;
    return model->fusions;
}

const prf_model_t *prf_model_energy(const prf_model_t *model)
{
    return model->energy;
}

void prf_model_take_energy(prf_model_t *model, prf_model_t **energy)
{
    prf_model_destroy(&model->energy);
    model->energy = *energy;
    *energy = NULL;
}

double prf_model_between_ns(const prf_model_t *model)
{
    return model->between_ns;
}

double prf_model_between(const prf_model_t *model, size_t blocks)
{
    return blocks > 1 ? (double)(blocks - 1) * model->between_ns : 0;
}

/* Whether the layer is estimated by its kind's own part: all but activations behind another layer, which have rules. */
static bool has_share(const prf_block_t *block, uint32_t index)
{
    return index == 0 || block->layers[index].kind != PRF_ACTIVATION;
}

/* NULL: nothing was measured. */
static const prf_fusion_t *find_fusion(const prf_model_t *model, const prf_block_t *block, const prf_layer_t *activation)
{
    for (size_t i = 0; i < model->fusion_count; i++) {
        const prf_fusion_t *rule = &model->fusions[i];
        if (rule->lead == block->layers[0].kind && rule->dtype == block->dtype &&
            rule->fn == (prf_activation_t)activation->p[PRF_P_FN])
            return rule;
    }
    return NULL;
}

bool prf_model_rules_cover(const prf_model_t *model, const prf_block_t *block)
{
    for (uint32_t i = 0; i < block->count; i++)
        if (!has_share(block, i) && !find_fusion(model, block, &block->layers[i]))
            return false;
    return true;
}

bool prf_model_covers(const prf_model_t *model, const prf_block_t *block)
{
    for (uint32_t i = 0; i < block->count; i++)
        if (has_share(block, i) && !prf_model_part_find(model, block->layers[i].kind, block->dtype))
            return false;
    return true;
}

/* What a block's estimate is the sum of. */
typedef struct {
    const prf_model_part_t *part; /* that has to be asked about the layer; NULL: the estimate is here */
    const prf_layer_t *layer;
    prf_estimate_t estimate;
} share_t;

/* Of an activation behind another layer. One that takes as long as on its own is known best by the part of activations. */
static share_t share_of_activation(const prf_model_t *model, const prf_block_t *block, const prf_layer_t *activation)
{
    const prf_fusion_t *rule = find_fusion(model, block, activation);
    double ns = rule ? rule->fixed_ns + rule->ns_per_element * prf_layer_outputs(activation) : 0;
    bool separate = rule && rule->verdict == PRF_FUSION_SEPARATE;
    return (share_t){.part = separate ? prf_model_part_find(model, PRF_ACTIVATION, block->dtype) : NULL,
                     .layer = activation,
                     .estimate = {.latency_ns = ns, .low_ns = ns, .high_ns = ns}};
}

/* One for each layer. Returns the layer that the model does not know, or NULL. */
static const prf_layer_t *find_shares(share_t shares[PRF_BLOCK_LAYERS], const prf_model_t *model, const prf_block_t *block)
{
    for (uint32_t i = 0; i < block->count; i++) {
        const prf_layer_t *layer = &block->layers[i];
        if (!has_share(block, i)) {
            shares[i] = share_of_activation(model, block, layer);
            continue;
        }
        shares[i] = (share_t){.part = prf_model_part_find(model, layer->kind, block->dtype), .layer = layer};
        if (!shares[i].part)
            return layer;
    }
    return NULL;
}

static void add_up(const share_t *shares, size_t count, prf_estimate_t *out)
{
    *out = (prf_estimate_t){0};
    for (size_t i = 0; i < count; i++) {
        const prf_estimate_t *one = &shares[i].estimate;
        out->latency_ns += one->latency_ns;
        out->low_ns += one->low_ns;
        out->high_ns += one->high_ns;
        out->outside = out->outside || one->outside;
    }
}

prf_status_t prf_model_estimate(const prf_model_t *model, const prf_block_t *block, const double *extras, prf_estimate_t *out,
                                prf_error_t *err)
{
    share_t shares[PRF_BLOCK_LAYERS];
    const prf_layer_t *unknown = find_shares(shares, model, block);
    if (unknown)
        return prf_fail(err, PRF_EUNSUPPORTED,
                        "the model of '%s' knows no %s of data type %s: train it on some, or leave the layer out", model->kind,
                        prf_layer_kind_name(unknown->kind), prf_dtype_name(block->dtype));
    for (uint32_t i = 0; i < block->count; i++)
        if (shares[i].part)
            prf_model_part_estimate(shares[i].part, shares[i].layer, i == 0 ? extras : NULL, &shares[i].estimate);
    add_up(shares, block->count, out);
    return PRF_OK;
}

static void ask_part(const prf_model_part_t *part, share_t *const asked[], size_t count)
{
    prf_model_view_t views[PRF_REGRESSOR_ROWS];
    prf_seen_t seen[PRF_REGRESSOR_ROWS];
    double log_ns[PRF_REGRESSOR_ROWS], spread[PRF_REGRESSOR_ROWS];
    for (size_t i = 0; i < count; i++) {
        prf_model_part_view(part, asked[i]->layer, NULL, &views[i]);
        seen[i] = (prf_seen_t){views[i].features, &views[i].work, views[i].quantities};
    }
    prf_regressor_predict_many(&part->regressor, seen, count, log_ns, spread);
    for (size_t i = 0; i < count; i++)
        conclude(part, asked[i]->layer, log_ns[i], spread[i], &asked[i]->estimate);
}

/* Part by part, so that each sees its layers together. */
static void ask_parts(const prf_model_t *model, share_t *shares, size_t count)
{
    share_t *asked[PRF_REGRESSOR_ROWS];
    for (size_t p = 0; p < model->part_count; p++) {
        size_t n = 0;
        for (size_t i = 0; i < count; i++) {
            if (shares[i].part != &model->parts[p])
                continue;
            asked[n++] = &shares[i];
            if (n == PRF_REGRESSOR_ROWS) {
                ask_part(&model->parts[p], asked, n);
                n = 0;
            }
        }
        if (n)
            ask_part(&model->parts[p], asked, n);
    }
}

/* CHUNK blocks at most. */
static void estimate_chunk(const prf_model_t *model, const prf_block_t *const blocks[], size_t count, prf_estimate_t out[])
{
    share_t shares[CHUNK * PRF_BLOCK_LAYERS];
    size_t share_count = 0, used = 0;
    for (size_t i = 0; i < count; i++)
        if (!find_shares(shares + share_count, model, blocks[i]))
            share_count += blocks[i]->count;
    ask_parts(model, shares, share_count);
    for (size_t i = 0; i < count; i++) {
        out[i] = (prf_estimate_t){.latency_ns = NAN, .low_ns = NAN, .high_ns = NAN};
        if (used == share_count || shares[used].layer != blocks[i]->layers)
            continue;
        add_up(shares + used, blocks[i]->count, &out[i]);
        used += blocks[i]->count;
    }
}

void prf_model_estimate_many(const prf_model_t *model, const prf_block_t *const blocks[], size_t count, prf_estimate_t out[])
{
    for (size_t begin = 0, n; begin < count; begin += n) {
        n = count - begin < CHUNK ? count - begin : CHUNK;
        estimate_chunk(model, blocks + begin, n, out + begin);
    }
}
