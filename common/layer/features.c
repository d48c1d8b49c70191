// SPDX-License-Identifier: Apache-2.0
/* features.c - the feature recipe.
 *
 * One pass over the layer emits every feature with its label; computing, counting and naming are three readings of that pass,
 * so they cannot disagree. Four groups:
 *   1. the parameters as they are;
 *   2. derived sizes on a logarithmic scale (operations, elements, bytes, intensity, the layer seen as a matrix product);
 *   3. what a tiled machine makes of them without its tiles being known: powers of two that divide a size, tile counts of 8 to
 *      128, the extents in use on most of today's vector and matrix units, and how full vectors are;
 *   4. for parameters with a known step width: tile count, how full the last tile is, and the products over all of them.
 * Constant columns (a parameter that never varies) cost nothing: training drops them. */
#include "layer/features.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

enum { MOST_LANES = 32 /* of a vector unit */, LEAST_ARRAY = 32 /* rows or columns of a matrix unit */ };

typedef struct {
    float *out;    /* NULL: only count or name */
    size_t wanted; /* index to name; SIZE_MAX: none */
    char *name;
    size_t count;
} sink_t;

static void emit(sink_t *sink, const char *label, const char *of, double value)
{
    if (sink->out)
        sink->out[sink->count] = isnan(value) ? 0 : (float)fmin(fmax(value, -FLT_MAX), FLT_MAX);
    if (sink->count == sink->wanted)
        snprintf(sink->name, PRF_FEATURE_NAME, "%s%s%s", label, *label && *of ? "." : "", of);
    sink->count++;
}

static double log1(double x)
{
    return log(1 + x);
}

static double tiles(double size, double tile)
{
    return ceil(size / tile);
}

/* Sizes that machines tile; the others (stride, padding, dilation, kernel, function) are small and taken as they are. */
static bool is_extent(prf_param_t param)
{
    switch (param) {
    case PRF_P_N:
    case PRF_P_C:
    case PRF_P_K:
    case PRF_P_H:
    case PRF_P_W:
    case PRF_P_IN:
    case PRF_P_OUT:
    case PRF_P_M:
    case PRF_P_FEATURES:
        return true;
    default:
        return false;
    }
}

/* Exponent of the largest power of two that divides v, at most 7: vector units take such sizes without a rest. */
static double alignment(int32_t v)
{
    int e = 0;
    while (e < 7 && v > 0 && (v & 1) == 0) {
        v >>= 1;
        e++;
    }
    return e;
}

static void emit_parameters(sink_t *sink, const prf_layer_t *layer)
{
    size_t count;
    const prf_param_info_t *params = prf_layer_params(layer->kind, &count);
    for (size_t i = 0; i < count; i++)
        emit(sink, "", prf_param_name(params[i].param), layer->p[params[i].param]);
    for (size_t i = 0; i < count; i++)
        if (is_extent(params[i].param))
            emit(sink, "aligned", prf_param_name(params[i].param), alignment(layer->p[params[i].param]));
}

static void emit_sizes(sink_t *sink, const prf_recipe_t *recipe, const prf_layer_t *layer)
{
    prf_shape_t out = prf_layer_out_shape(layer);
    double ops = prf_layer_ops(layer), outputs = prf_layer_outputs(layer);
    emit(sink, "log_ops", "", log1(ops));
    emit(sink, "log_inputs", "", log1(prf_layer_inputs(layer)));
    emit(sink, "log_weights", "", log1(prf_layer_weights(layer)));
    emit(sink, "log_outputs", "", log1(outputs));
    emit(sink, "log_bytes", "", log1(prf_layer_bytes(layer, recipe->dtype)));
    emit(sink, "log_intensity", "", log(prf_layer_intensity(layer, recipe->dtype)));
    emit(sink, "out_h", "", (double)out.h);
    emit(sink, "out_w", "", (double)out.w);
    emit(sink, "ops_per_output", "", ops / outputs);
}

/* The layer as a product of a P x T and a T x K matrix: P output positions, K channels, T terms in each sum. */
static void emit_product(sink_t *sink, const prf_layer_t *layer)
{
    static const double tile[] = {8, 16, 32, 64, 128};
    static const char *const name[] = {"8", "16", "32", "64", "128"};
    prf_shape_t out = prf_layer_out_shape(layer);
    double macs = prf_layer_macs(layer), outputs = prf_layer_outputs(layer);
    bool matrix = layer->kind == PRF_MATMUL;
    double columns = (double)(matrix ? out.w : out.c), rows = outputs / columns, terms = macs / outputs;
    double channels = (double)(matrix ? layer->p[PRF_P_K] : prf_layer_in_shape(layer).c);
    emit(sink, "rows", "", rows);
    for (size_t i = 0; i < sizeof tile / sizeof *tile; i++) {
        double column_tiles = tiles(columns, tile[i]), channel_tiles = tiles(channels, tile[i]);
        if (tile[i] >= LEAST_ARRAY)
            emit(sink, "grid", name[i], tiles(rows, tile[i]) * column_tiles);
        emit(sink, "columns", name[i], column_tiles);
        emit(sink, "channels", name[i], channel_tiles);
        if (tile[i] > MOST_LANES)
            continue;
        emit(sink, "fill.columns", name[i], columns / (column_tiles * tile[i]));
        emit(sink, "fill.channels", name[i], channels / (channel_tiles * tile[i]));
    }
    emit(sink, "grid", "128x64", tiles(rows, 128) * tiles(columns, 64));
    emit(sink, "grid", "64x128", tiles(rows, 64) * tiles(columns, 128));
    double filled = tiles(rows, 64) * 64 * tiles(columns, 64) * 64 * tiles(channels, 16) * 16;
    double filled_lanes = rows * tiles(columns, 8) * 8 * tiles(channels, 8) * 8;
    emit(sink, "log_filled_8", "", log1(filled_lanes * terms / channels));
    emit(sink, "log_filled_64", "", log1(filled * terms / channels));
}

static double last_tile_share(int32_t value, int32_t width)
{
    int32_t rest = value % width;
    return rest ? (double)rest / width : 1;
}

/* Product over the stepped parameters of how much of their tiles is used: 1 on a Performance Representative. */
static double fill(const prf_recipe_t *recipe, const prf_layer_t *layer)
{
    size_t count;
    const prf_param_info_t *params = prf_layer_params(layer->kind, &count);
    double product = 1;
    for (size_t i = 0; i < count; i++) {
        int32_t width = recipe->width[params[i].param], value = layer->p[params[i].param];
        if (width > 1 && value > 0)
            product *= value / (tiles(value, width) * width);
    }
    return product;
}

static void emit_steps(sink_t *sink, const prf_recipe_t *recipe, const prf_layer_t *layer)
{
    size_t count, stepped = 0;
    const prf_param_info_t *params = prf_layer_params(layer->kind, &count);
    double product = 1;
    for (size_t i = 0; i < count; i++) {
        prf_param_t param = params[i].param;
        if (recipe->width[param] <= 1)
            continue;
        double n = tiles(layer->p[param], recipe->width[param]);
        emit(sink, "tiles", prf_param_name(param), n);
        emit(sink, "last_tile", prf_param_name(param), last_tile_share(layer->p[param], recipe->width[param]));
        product *= n;
        stepped++;
    }
    if (!stepped)
        return;
    double used = fill(recipe, layer);
    emit(sink, "log_tiles", "", log1(product));
    emit(sink, "fill", "", used);
    emit(sink, "log_filled_ops", "", log1(prf_layer_ops(layer) / used));
    emit(sink, "ops_per_tile", "", prf_layer_ops(layer) / used / product);
}

static void walk(sink_t *sink, const prf_recipe_t *recipe, const prf_layer_t *layer, const double *extras)
{
    static const char *const index[PRF_FEATURES_EXTRAS] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    emit_parameters(sink, layer);
    emit_sizes(sink, recipe, layer);
    if (prf_layer_macs(layer) > 0)
        emit_product(sink, layer);
    emit_steps(sink, recipe, layer);
    for (uint32_t i = 0; i < recipe->extras; i++)
        emit(sink, "extra", index[i], extras ? extras[i] : 0);
}

size_t prf_features_compute(const prf_recipe_t *recipe, const prf_layer_t *layer, const double *extras, float out[PRF_FEATURES])
{
    sink_t sink = {.out = out, .wanted = SIZE_MAX};
    walk(&sink, recipe, layer, extras);
    return sink.count;
}

/* The number and names depend on no value, so any layer of the kind with every parameter 1 serves. */
static prf_layer_t any_layer(prf_layer_kind_t kind)
{
    prf_layer_t layer = {.kind = kind};
    size_t count;
    const prf_param_info_t *params = prf_layer_params(kind, &count);
    for (size_t i = 0; i < count; i++)
        layer.p[params[i].param] = 1;
    return layer;
}

size_t prf_features_count(const prf_recipe_t *recipe)
{
    prf_layer_t layer = any_layer(recipe->kind);
    sink_t sink = {.wanted = SIZE_MAX};
    walk(&sink, recipe, &layer, NULL);
    return sink.count;
}

void prf_features_name(const prf_recipe_t *recipe, size_t index, char name[PRF_FEATURE_NAME])
{
    prf_layer_t layer = any_layer(recipe->kind);
    sink_t sink = {.wanted = index, .name = name};
    *name = '\0';
    walk(&sink, recipe, &layer, NULL);
}

void prf_features_work(const prf_recipe_t *recipe, const prf_layer_t *layer, prf_work_t *out)
{
    *out = (prf_work_t){prf_layer_ops(layer), prf_layer_bytes(layer, recipe->dtype), fill(recipe, layer)};
}
