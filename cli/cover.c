// SPDX-License-Identifier: Apache-2.0
/* cover.c - parameter by parameter, ties before lists: a tie says more, and keeps the space small. */
#include "cover.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const prf_layer_t *layers;
    size_t count;
} sample_t;

static bool all_are(const sample_t *s, prf_param_t param, int32_t value)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->layers[i].p[param] != value)
            return false;
    return true;
}

static bool follows(const sample_t *s, prf_param_t param, prf_param_t source, int32_t divisor)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->layers[i].p[param] != s->layers[i].p[source] / divisor)
            return false;
    return true;
}

/* What a network is scaled by: of these any value may come, and boards have steps in them. */
static bool is_size(prf_layer_kind_t kind, prf_param_t param)
{
    switch (param) {
    case PRF_P_C:
    case PRF_P_K:
    case PRF_P_IN:
    case PRF_P_OUT:
    case PRF_P_M:
    case PRF_P_FEATURES:
        return true;
    case PRF_P_N:
        return kind == PRF_MATMUL;
    default:
        return false;
    }
}

static bool is_default(const sample_t *s, const prf_param_info_t *info)
{
    if (info->fallback >= 0)
        return all_are(s, info->param, info->fallback);
    return info->fallback < PRF_REQUIRED && follows(s, info->param, (prf_param_t)PRF_LIKE(info->fallback), 1);
}

/* Ties that networks are built by. The source must have values of its own, so it is looked at before. */
static bool find_tie(const sample_t *s, const prf_space_t *space, prf_param_t param, prf_dim_t *out)
{
    static const struct {
        prf_param_t param, source;
        int32_t divisor;
    } usual[] = {{PRF_P_W, PRF_P_H, 1}, {PRF_P_PAD, PRF_P_R, 2},    {PRF_P_PAD, PRF_P_F, 2},   {PRF_P_S, PRF_P_R, 1},
                 {PRF_P_R, PRF_P_H, 1}, {PRF_P_STRIDE, PRF_P_R, 1}, {PRF_P_GROUPS, PRF_P_C, 1}};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        prf_dim_kind_t source = space->dims[usual[i].source].kind;
        if (usual[i].param != param || (source != PRF_DIM_RANGE && source != PRF_DIM_LIST) ||
            !follows(s, param, usual[i].source, usual[i].divisor))
            continue;
        *out = (prf_dim_t){.kind = PRF_DIM_TIED, .source = usual[i].source, .divisor = usual[i].divisor};
        return true;
    }
    return false;
}

static int by_value(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The values that occur, rising; more than a list holds: false, and only the bounds are known. */
static bool collect(const sample_t *s, prf_param_t param, prf_dim_t *out)
{
    bool fits = true;
    *out = (prf_dim_t){.kind = PRF_DIM_LIST, .lo = INT32_MAX, .hi = INT32_MIN};
    for (size_t i = 0; i < s->count; i++) {
        int32_t value = s->layers[i].p[param];
        bool known = false;
        for (uint32_t k = 0; k < out->value_count; k++)
            known = known || out->values[k] == value;
        if (!known && out->value_count < PRF_SPACE_VALUES)
            out->values[out->value_count++] = value;
        else if (!known)
            fits = false;
        out->lo = value < out->lo ? value : out->lo;
        out->hi = value > out->hi ? value : out->hi;
    }
    qsort(out->values, out->value_count, sizeof *out->values, by_value);
    return fits;
}

static prf_dim_t cover_param(const sample_t *s, const prf_space_t *space, const prf_param_info_t *info)
{
    prf_dim_t dim = {.kind = PRF_DIM_DEFAULT};
    if (is_default(s, info))
        return dim;
    bool few = collect(s, info->param, &dim);
    prf_dim_t range = {.kind = PRF_DIM_RANGE, .lo = dim.lo, .hi = dim.hi, .log = dim.lo != dim.hi && dim.lo > 0};
    if (dim.lo == dim.hi)
        return range;
    if (find_tie(s, space, info->param, &dim))
        return dim;
    return few && !is_size(space->kind, info->param) ? dim : range;
}

/* A space of a single layer becomes one around it. */
static void widen(prf_space_t *space)
{
    size_t count;
    const prf_param_info_t *infos = prf_layer_params(space->kind, &count);
    for (size_t i = 0; i < count; i++) {
        prf_dim_t *dim = &space->dims[infos[i].param];
        if (!is_size(space->kind, infos[i].param) || dim->kind != PRF_DIM_RANGE)
            continue;
        dim->lo = dim->lo / 4 > infos[i].min ? dim->lo / 4 : infos[i].min;
        dim->hi = dim->hi <= infos[i].max / 2 ? dim->hi * 2 : infos[i].max;
        dim->log = true;
    }
}

/* To two digits that count, so that a person can read it, and never below. */
static double round_up(double macs)
{
    double unit = pow(10, floor(log10(macs)) - 1);
    return ceil(macs / unit * (1 - 1e-12)) * unit;
}

void prf_cover(const prf_layer_t *layers, size_t count, prf_dtype_t dtype, prf_space_t *out)
{
    const sample_t sample = {layers, count};
    size_t params;
    const prf_param_info_t *infos = prf_layer_params(layers[0].kind, &params);
    *out = (prf_space_t){.kind = layers[0].kind, .dtype = dtype};
    for (size_t i = 0; i < params; i++)
        out->dims[infos[i].param] = cover_param(&sample, out, &infos[i]);
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, prf_layer_macs(&layers[i]));
    prf_param_t free_ones[PRF_PARAMS];
    if (prf_space_free(out, free_ones) == 0) {
        widen(out);
        most *= 4;
    }
    out->max_macs = most >= 1 ? round_up(most) : 0;
}

static int put_value(char *text, size_t cap, prf_param_t param, int32_t value)
{
    return param == PRF_P_FN ? snprintf(text, cap, "%s", prf_activation_name((prf_activation_t)value))
                             : snprintf(text, cap, "%d", value);
}

static void put_list(const prf_dim_t *dim, prf_param_t param, char text[PRF_COVER_TEXT])
{
    size_t used = 0;
    for (uint32_t i = 0; i < dim->value_count; i++) {
        used += (size_t)snprintf(text + used, PRF_COVER_TEXT - used, "%s", i ? ", " : "[");
        used += (size_t)put_value(text + used, PRF_COVER_TEXT - used, param, dim->values[i]);
    }
    snprintf(text + used, PRF_COVER_TEXT - used, "]");
}

void prf_cover_format(const prf_dim_t *dim, prf_param_t param, char text[PRF_COVER_TEXT])
{
    text[0] = '\0';
    if (dim->kind == PRF_DIM_TIED && dim->divisor > 1)
        snprintf(text, PRF_COVER_TEXT, "%s/%d", prf_param_name(dim->source), dim->divisor);
    else if (dim->kind == PRF_DIM_TIED)
        snprintf(text, PRF_COVER_TEXT, "%s", prf_param_name(dim->source));
    else if (dim->kind == PRF_DIM_LIST)
        put_list(dim, param, text);
    else if (dim->kind == PRF_DIM_RANGE && dim->lo == dim->hi)
        put_value(text, PRF_COVER_TEXT, param, dim->lo);
    else if (dim->kind == PRF_DIM_RANGE && dim->log)
        snprintf(text, PRF_COVER_TEXT, "{from: %d, to: %d, scale: log}", dim->lo, dim->hi);
    else if (dim->kind == PRF_DIM_RANGE)
        snprintf(text, PRF_COVER_TEXT, "%d..%d", dim->lo, dim->hi);
}
