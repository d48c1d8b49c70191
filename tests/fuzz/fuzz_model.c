// SPDX-License-Identifier: Apache-2.0
/* fuzz_model.c - a model file from a stranger: decoding, then estimates of layers inside and outside of the range that it claims,
 * as a worker or a program with libprfarm makes them; the model as C, and as another board's beginning. The digest in its header
 * keeps out damage, not malice: each input is tried as it is and with the digest that it should have. */
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "model/export_c.h"
#include "model/parts.h"
#include "model/transfer.h"

enum { DIGEST_AT = 16, HEADER = DIGEST_AT + PRF_DIGEST_BYTES, DRAWS = 2, LAYERS = 6 }; /* docs/model-file.md */

static void estimate(const prf_model_t *model, const prf_layer_t *layer, prf_dtype_t dtype)
{
    double extras[PRF_MODEL_EXTRAS] = {0, 1, -1, 1e300, -1e300, 1e-300, 7, 8};
    prf_block_t block = {.dtype = dtype, .count = 1, .layers = {*layer}};
    prf_estimate_t e;
    prf_error_t err;
    for (int fn = 0; fn < PRF_FN_COUNT; fn++) {
        prf_block_t activated = block;
        if (prf_block_activate(&activated, (prf_activation_t)fn))
            MUST(prf_model_estimate(model, &activated, extras, &e, &err) == PRF_OK && e.latency_ns >= 0, "%s", err.text);
    }
    MUST(prf_model_estimate(model, &block, extras, &e, &err) == PRF_OK, "%s", err.text);
    MUST(!isnan(e.latency_ns) && e.latency_ns >= 0 && e.low_ns <= e.latency_ns && e.latency_ns <= e.high_ns, "%g: %g to %g",
         e.latency_ns, e.low_ns, e.high_ns);
}

static void use_layers(const prf_model_t *model)
{
    prf_rng_t rng;
    prf_rng_init(&rng, 1, 0);
    for (size_t i = 0; i < prf_model_layer_count(model); i++) {
        prf_model_layer_t known;
        prf_layer_t layer;
        prf_model_layer(model, i, &known);
        for (int k = 0; k < DRAWS; k++)
            if (prf_space_draw(&known.space, &rng, &layer, NULL) == PRF_OK)
                estimate(model, &layer, known.dtype);
        size_t count;
        const prf_param_info_t *params = prf_layer_params(known.kind, &count);
        prf_layer_init(&layer, known.kind);
        for (size_t p = 0; p < count; p++)
            layer.p[params[p].param] = params[p].min + 1;
        if (prf_layer_complete(&layer, NULL) == PRF_OK)
            estimate(model, &layer, known.dtype);
    }
}

/* A new board's few layers, and what each way to begin with the part makes of them. */
static void begin_with(const prf_model_part_t *part)
{
    static const double no_extras[PRF_MODEL_EXTRAS];
    prf_rng_t rng;
    prf_dataset_t data;
    prf_error_t err;
    prf_rng_init(&rng, 2, 0);
    MUST(prf_dataset_init(&data, &part->recipe, &part->steps, LAYERS, &err) == PRF_OK, "%s", err.text);
    for (size_t i = 0; i < LAYERS; i++) {
        prf_layer_t layer;
        if (prf_space_draw(&part->space, &rng, &layer, NULL) != PRF_OK) {
            prf_dataset_release(&data);
            return;
        }
        prf_dataset_set(&data, i, &layer, no_extras, 1000 + 300 * (double)i);
    }
    for (prf_transfer_t how = PRF_TRANSFER_SCALED; how <= PRF_TRANSFER_FREE; how++) {
        prf_regressor_t made;
        bool fits;
        MUST(prf_transfer_fit(&made, &fits, &part->regressor, &data, how, &err) == PRF_OK, "%s", err.text);
        for (size_t i = 0; fits && i < LAYERS; i++) {
            double log_ns, spread, quantities[PRF_QUANTITIES];
            prf_dataset_quantities(&data, i, quantities);
            prf_regressor_predict(&made, &(prf_seen_t){data.table + i * data.feature_count, &data.work[i], quantities}, &log_ns,
                                  &spread);
            MUST(!isnan(log_ns), "%s", made.name);
        }
        if (fits)
            prf_regressor_release(&made);
    }
    prf_dataset_release(&data);
}

static bool try_file(const uint8_t *bytes, size_t len)
{
    prf_model_t *model;
    prf_error_t err;
    if (prf_model_decode(&model, bytes, len, &err))
        return false;
    use_layers(model);
    for (size_t i = 0; i < model->part_count; i++)
        begin_with(&model->parts[i]);
    void *again;
    size_t again_len;
    MUST(prf_model_encode(model, &again, &again_len, &err) == PRF_OK, "%s", err.text);
    prf_model_t *copy;
    MUST(prf_model_decode(&copy, again, again_len, &err) == PRF_OK, "%s", err.text);
    prf_model_destroy(&copy);
    free(again);
    char *source;
    size_t source_len;
    MUST(prf_model_export_c(model, "", &source, &source_len, &err) == PRF_OK, "%s", err.text);
    MUST(strlen(source) == source_len, "a NUL in a C source");
    free(source);
    prf_model_destroy(&model);
    return true;
}

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    if (try_file(bytes, len))
        return true;
    if (len < HEADER)
        return false;
    uint8_t *file = malloc(len);
    MUST(file, "%zu bytes", len);
    memcpy(file, bytes, len);
    prf_digest_t parts[2], digest;
    prf_digest(&parts[0], file, DIGEST_AT);
    prf_digest(&parts[1], file + HEADER, len - HEADER);
    prf_digest(&digest, parts, sizeof parts);
    memcpy(file + DIGEST_AT, digest.bytes, sizeof digest.bytes);
    bool ok = try_file(file, len);
    free(file);
    return ok;
}

/* The larger of two sums, of two terms and one. */
static void small_terms(prf_terms_t *t)
{
    static const prf_term_t terms[] = {
        {3, 2, {{PRF_Q_CHANNELS, PRF_FACTOR_TILES, 8}, {PRF_Q_COLUMNS, PRF_FACTOR_VALUE, 0}}},
        {-1, 1, {{PRF_P_STRIDE, PRF_FACTOR_EQUALS, 2}}},
        {0.5, 1, {{PRF_Q_PIECES_OF_LINES, PRF_FACTOR_VALUE, 0}}},
    };
    *t = (prf_terms_t){.count = {2, 1}, .least_ns = 1, .blocking = {PRF_ORDER_CHANNELS_FIRST, {512, 1024, INFINITY}, 16, 1}};
    t->terms = malloc(sizeof terms);
    MUST(t->terms, "terms");
    memcpy(t->terms, terms, sizeof terms);
}

/* Two trees of three nodes on top of a scale: what the trainer makes is a hundred times as large, and slows the fuzzer. */
static void small_gauss(prf_gauss_t *g)
{
    prf_error_t err;
    *g = (prf_gauss_t){.input_count = 2, .point_count = 2, .mean = 0.1, .amplitude = 0.2};
    MUST(prf_gauss_make_room(g, &err) == PRF_OK, "%s", err.text);
    for (uint32_t i = 0; i < 2; i++) {
        g->inputs[i] = (prf_gauss_input_t){(uint16_t)i, 1, 0.5};
        g->points[2 * i] = (float)i;
        g->points[2 * i + 1] = -1;
        g->weights[i] = 0.1;
    }
}

static void small_part(prf_model_part_t *part, prf_layer_kind_t kind)
{
    static const prf_node_t nodes[] = {{.value = 8}, {.value = 1, .feature = PRF_LEAF}, {.value = 2, .feature = PRF_LEAF}};
    static const uint32_t sizes[] = {3, 3};
    static const prf_dim_t range = {.kind = PRF_DIM_RANGE, .lo = 1, .hi = 64};
    static const prf_dim_t list = {.kind = PRF_DIM_LIST, .value_count = 2, .values = {1, 3}};
    part->space = (prf_space_t){.kind = kind, .dtype = PRF_F32, .max_macs = 1e9};
    if (kind == PRF_FC) {
        part->space.dims[PRF_P_IN] = part->space.dims[PRF_P_OUT] = range;
    } else {
        part->space.dims[PRF_P_C] = part->space.dims[PRF_P_H] = range;
        if (kind == PRF_CONV2D)
            part->space.dims[PRF_P_K] = range;
        if (kind != PRF_ADD) {
            part->space.dims[PRF_P_R] = list;
            part->space.dims[PRF_P_PAD] = (prf_dim_t){.kind = PRF_DIM_TIED, .source = PRF_P_R, .divisor = 2};
        }
    }
    prf_steps_none(&part->steps);
    part->steps.width[kind == PRF_FC ? PRF_P_IN : PRF_P_C] = 8;
    part->steps.further_count = 1;
    part->steps.further[0] = (prf_further_step_t){PRF_Q_ROWS, 32, 0.97, 1};
    part->map_queries = true;
    part->samples = 40;
    prf_regressor_t *r = &part->regressor;
    *r = (prf_regressor_t){.name = "forest/roofline", .scale = PRF_SCALE_ROOFLINE, .low = -1, .high = 1, .floor = 0.01};
    r->roofline = (prf_roofline_t){100, 0.1, 0.2, 0.5};
    if (kind == PRF_ADD)
        r->scale = PRF_SCALE_NONE;
    if (kind == PRF_FC || kind == PRF_MAXPOOL2D) {
        r->scale = PRF_SCALE_TERMS;
        small_terms(&r->terms);
    }
    if (kind == PRF_MAXPOOL2D)
        return; /* terms alone */
    if (kind == PRF_FC)
        small_gauss(&r->gauss);
    r->ensemble = (prf_ensemble_t){.member_count = 2, .tree_count = 2, .node_count = 6, .base = 5};
    r->ensemble.nodes = calloc(6, sizeof *nodes);
    r->ensemble.trees = calloc(3, sizeof *r->ensemble.trees);
    MUST(r->ensemble.nodes && r->ensemble.trees, "nodes");
    memcpy(r->ensemble.nodes, nodes, sizeof nodes);
    memcpy(r->ensemble.nodes + 3, nodes, sizeof nodes);
    prf_error_t err;
    MUST(prf_ensemble_link(&r->ensemble, sizes, 2, &err) == PRF_OK, "%s", err.text);
}

/* One of each verdict. */
static void small_rules(prf_model_t *model)
{
    static const prf_fusion_t rules[] = {{PRF_FC, PRF_F32, PRF_FN_RELU, PRF_FUSION_FREE, 0, 0, 4, 0.1},
                                         {PRF_CONV2D, PRF_F32, PRF_FN_GELU, PRF_FUSION_ADDS, 50, 0.02, 4, 3},
                                         {PRF_ADD, PRF_F32, PRF_FN_RELU, PRF_FUSION_SEPARATE, 7, 0.1, 5, 30}};
    model->fusion_count = sizeof rules / sizeof *rules;
    model->fusions = malloc(sizeof rules);
    MUST(model->fusions, "rules");
    memcpy(model->fusions, rules, sizeof rules);
}

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    static const prf_layer_kind_t kinds[] = {PRF_FC, PRF_CONV2D, PRF_MAXPOOL2D,
                                             PRF_ADD}; /* one for each scale, one without trees */
    enum { KINDS = sizeof kinds / sizeof *kinds };
    prf_model_t *model = prf_model_new(KINDS);
    void *bytes;
    size_t len;
    prf_error_t err;
    MUST(model, "a model");
    for (size_t i = 0; i < KINDS; i++)
        small_part(&model->parts[i], kinds[i]);
    small_rules(model);
    model->extra_count = 1;
    snprintf(model->kind, sizeof model->kind, "cpu");
    snprintf(model->extras[0], sizeof model->extras[0], "fused");
    snprintf(model->provenance.campaign, sizeof model->provenance.campaign, "c");
    snprintf(model->provenance.from, sizeof model->provenance.from, "old");
    MUST(prf_model_encode(model, &bytes, &len, &err) == PRF_OK, "%s", err.text);
    add(arg, bytes, len);
    free(bytes);
    prf_model_destroy(&model);
}
