// SPDX-License-Identifier: Apache-2.0
/* space.c - checking a space, completing layers in it, and drawing from it.
 *
 * A parameter of the kind is free (its value is chosen), fixed (a range or list of one value), tied (computed from another)
 * or left to the kind's default, which may itself follow another parameter (w like h). Ties are resolved by asking for the
 * source's value, which may lead through one default; the depth of that chain is bounded, so a circle is an error and not a
 * loop. Spaces also come out of model files: prf_space_check trusts no number in them, everything else assumes it was asked. */
#include "pr/space.h"

#include <math.h>
#include <string.h>

enum { DRAWS = 10000, CHECK_DRAWS = 1000, CHAIN = 4 };

static const prf_param_info_t *info_of(prf_layer_kind_t kind, prf_param_t param)
{
    size_t count;
    const prf_param_info_t *infos = prf_layer_params(kind, &count);
    for (size_t i = 0; i < count; i++)
        if (infos[i].param == param)
            return &infos[i];
    return NULL;
}

static bool is_fixed(const prf_dim_t *dim)
{
    return (dim->kind == PRF_DIM_RANGE && dim->lo == dim->hi) || (dim->kind == PRF_DIM_LIST && dim->value_count == 1);
}

static bool is_free(const prf_dim_t *dim)
{
    return (dim->kind == PRF_DIM_RANGE || dim->kind == PRF_DIM_LIST) && !is_fixed(dim);
}

/* Value of any parameter, given the free ones. PRF_UNSET when it cannot be told. */
static int32_t value_of(const prf_space_t *space, const prf_layer_t *layer, prf_param_t param, int depth)
{
    const prf_dim_t *dim = &space->dims[param];
    const prf_param_info_t *info = info_of(space->kind, param);
    if (!info || depth > CHAIN)
        return PRF_UNSET;
    int32_t source;
    switch (dim->kind) {
    case PRF_DIM_RANGE:
        return is_fixed(dim) ? dim->lo : layer->p[param];
    case PRF_DIM_LIST:
        return is_fixed(dim) ? dim->values[0] : layer->p[param];
    case PRF_DIM_TIED:
        source = value_of(space, layer, dim->source, depth + 1);
        return source == PRF_UNSET ? PRF_UNSET : source / dim->divisor;
    case PRF_DIM_DEFAULT:
        break;
    }
    if (info->fallback == PRF_REQUIRED)
        return PRF_UNSET;
    return info->fallback >= 0 ? info->fallback : value_of(space, layer, (prf_param_t)(PRF_LIKE(info->fallback)), depth + 1);
}

prf_status_t prf_space_resolve(const prf_space_t *space, prf_layer_t *layer, prf_error_t *err)
{
    size_t count;
    const prf_param_info_t *infos = prf_layer_params(space->kind, &count);
    prf_layer_t full;
    prf_layer_init(&full, space->kind);
    for (size_t i = 0; i < count; i++)
        full.p[infos[i].param] = value_of(space, layer, infos[i].param, 0);
    prf_status_t status = prf_layer_complete(&full, err);
    if (status)
        return status;
    double macs = prf_layer_macs(&full);
    if (space->max_macs > 0 && macs > space->max_macs)
        return prf_fail(err, PRF_EINVAL,
                        "%s: %.4g MACs are more than the space's max_macs = %.4g: raise it, or use a smaller layer",
                        prf_layer_kind_name(space->kind), macs, space->max_macs);
    *layer = full;
    return PRF_OK;
}

static int32_t draw_value(const prf_dim_t *dim, prf_rng_t *rng)
{
    if (dim->kind == PRF_DIM_LIST)
        return dim->values[prf_rng_below(rng, dim->value_count)];
    if (!dim->log)
        return dim->lo + (int32_t)prf_rng_below(rng, (uint64_t)(dim->hi - dim->lo) + 1);
    double low = log(dim->lo), high = log1p(dim->hi);
    int32_t value = (int32_t)exp(low + prf_rng_double(rng) * (high - low));
    return value < dim->lo ? dim->lo : value > dim->hi ? dim->hi : value;
}

static bool draw_once(const prf_space_t *space, prf_rng_t *rng, prf_layer_t *out)
{
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(space, params);
    prf_layer_t layer;
    prf_layer_init(&layer, space->kind);
    for (size_t i = 0; i < count; i++)
        layer.p[params[i]] = draw_value(&space->dims[params[i]], rng);
    if (prf_space_resolve(space, &layer, NULL) != PRF_OK)
        return false;
    *out = layer;
    return true;
}

prf_status_t prf_space_draw(const prf_space_t *space, prf_rng_t *rng, prf_layer_t *out, prf_error_t *err)
{
    for (int i = 0; i < DRAWS; i++)
        if (draw_once(space, rng, out))
            return PRF_OK;
    return prf_fail(err, PRF_EINVAL, "%s: none of %d layers drawn from the space can exist: widen its ranges or raise max_macs",
                    prf_layer_kind_name(space->kind), (int)DRAWS);
}

bool prf_space_contains(const prf_space_t *space, const prf_layer_t *layer)
{
    if (layer->kind != space->kind)
        return false;
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(space, params);
    for (size_t i = 0; i < count; i++) {
        const prf_dim_t *dim = &space->dims[params[i]];
        int32_t value = layer->p[params[i]];
        bool listed = false;
        for (uint32_t j = 0; dim->kind == PRF_DIM_LIST && j < dim->value_count; j++)
            listed = listed || dim->values[j] == value;
        if (dim->kind == PRF_DIM_LIST ? !listed : value < dim->lo || value > dim->hi)
            return false;
    }
    prf_layer_t same = *layer;
    return prf_space_resolve(space, &same, NULL) == PRF_OK && prf_layer_equal(&same, layer);
}

size_t prf_space_free(const prf_space_t *space, prf_param_t params[PRF_PARAMS])
{
    size_t count, found = 0;
    const prf_param_info_t *infos = prf_layer_params(space->kind, &count);
    for (size_t i = 0; i < count; i++)
        if (is_free(&space->dims[infos[i].param]))
            params[found++] = infos[i].param;
    return found;
}

void prf_space_bounds(const prf_space_t *space, prf_param_t param, int32_t *lo, int32_t *hi)
{
    const prf_dim_t *dim = &space->dims[param];
    bool list = dim->kind == PRF_DIM_LIST;
    *lo = list ? dim->values[0] : dim->lo;
    *hi = list ? dim->values[dim->value_count - 1] : dim->hi;
}

static prf_status_t check_value(const char *kind, const prf_param_info_t *info, int32_t value, prf_error_t *err)
{
    if (value >= info->min && value <= info->max)
        return PRF_OK;
    return prf_fail(err, PRF_EINVAL, "%s.%s: %d is outside %d..%d: use one within", kind, prf_param_name(info->param), value,
                    info->min, info->max);
}

static prf_status_t check_range(const char *kind, const prf_param_info_t *info, const prf_dim_t *dim, prf_error_t *err)
{
    const char *name = prf_param_name(info->param);
    prf_status_t status = check_value(kind, info, dim->lo, err);
    if (!status)
        status = check_value(kind, info, dim->hi, err);
    if (status)
        return status;
    if (dim->lo > dim->hi)
        return prf_fail(err, PRF_EINVAL, "%s.%s: %d..%d is upside down: write %d..%d", kind, name, dim->lo, dim->hi, dim->hi,
                        dim->lo);
    if (dim->log && dim->lo < 1)
        return prf_fail(err, PRF_EINVAL, "%s.%s: a logarithmic range starts at 1 or above, not at %d: raise it", kind, name,
                        dim->lo);
    return PRF_OK;
}

static prf_status_t check_list(const char *kind, const prf_param_info_t *info, const prf_dim_t *dim, prf_error_t *err)
{
    const char *name = prf_param_name(info->param);
    if (dim->value_count < 1 || dim->value_count > PRF_SPACE_VALUES)
        return prf_fail(err, PRF_EINVAL, "%s.%s: %u values: list 1 to %d, or give a range", kind, name, dim->value_count,
                        (int)PRF_SPACE_VALUES);
    for (uint32_t i = 0; i < dim->value_count; i++) {
        prf_status_t status = check_value(kind, info, dim->values[i], err);
        if (status)
            return status;
        if (i > 0 && dim->values[i] <= dim->values[i - 1])
            return prf_fail(err, PRF_EINVAL, "%s.%s: %d after %d: list each value once, rising", kind, name, dim->values[i],
                            dim->values[i - 1]);
    }
    return PRF_OK;
}

static prf_status_t check_tie(const prf_space_t *space, const char *kind, const prf_param_info_t *info, prf_error_t *err)
{
    const prf_dim_t *dim = &space->dims[info->param];
    const char *name = prf_param_name(info->param);
    if ((unsigned)dim->source >= PRF_PARAMS || !info_of(space->kind, dim->source))
        return prf_fail(err, PRF_EINVAL, "%s.%s: tied to '%s', which %s does not have: tie it to one that it has", kind, name,
                        prf_param_name(dim->source), kind);
    if (dim->source == info->param || space->dims[dim->source].kind == PRF_DIM_TIED)
        return prf_fail(err, PRF_EINVAL, "%s.%s: tied to '%s', which is tied itself: tie it to a parameter with values", kind, name,
                        prf_param_name(dim->source));
    if (dim->divisor < 1)
        return prf_fail(err, PRF_EINVAL, "%s.%s: divisor %d: use 1 or above", kind, name, dim->divisor);
    return PRF_OK;
}

static prf_status_t check_dim(const prf_space_t *space, prf_param_t param, prf_error_t *err)
{
    const char *kind = prf_layer_kind_name(space->kind), *name = prf_param_name(param);
    const prf_param_info_t *info = info_of(space->kind, param);
    const prf_dim_t *dim = &space->dims[param];
    if (!info && dim->kind != PRF_DIM_DEFAULT)
        return prf_fail(err, PRF_EINVAL, "%s has no parameter '%s': leave it out", kind, name);
    if (!info)
        return PRF_OK;
    switch (dim->kind) {
    case PRF_DIM_DEFAULT:
        if (info->fallback == PRF_REQUIRED)
            return prf_fail(err, PRF_EINVAL, "%s.%s is missing: give a range, a list or a value", kind, name);
        return PRF_OK;
    case PRF_DIM_RANGE:
        return check_range(kind, info, dim, err);
    case PRF_DIM_LIST:
        return check_list(kind, info, dim, err);
    case PRF_DIM_TIED:
        return check_tie(space, kind, info, err);
    }
    return prf_fail(err, PRF_EINVAL, "%s.%s: kind of values %d is unknown to this version: update prfarm", kind, name,
                    (int)dim->kind);
}

/* Every parameter must have a value once the free ones have theirs: a tie to a default that follows the tie has none. */
static prf_status_t check_ties_end(const prf_space_t *space, prf_error_t *err)
{
    prf_layer_t probe = {.kind = space->kind};
    size_t count;
    const prf_param_info_t *infos = prf_layer_params(space->kind, &count);
    for (size_t i = 0; i < count; i++)
        if (value_of(space, &probe, infos[i].param, 0) == PRF_UNSET)
            return prf_fail(err, PRF_EINVAL, "%s.%s follows itself in a circle: give it a range, a list or a value",
                            prf_layer_kind_name(space->kind), prf_param_name(infos[i].param));
    return PRF_OK;
}

prf_status_t prf_space_check(const prf_space_t *space, prf_error_t *err)
{
    if ((unsigned)space->kind >= PRF_LAYER_KINDS)
        return prf_fail(err, PRF_EINVAL, "layer kind %d is unknown to this version: update prfarm", (int)space->kind);
    if ((unsigned)space->dtype >= PRF_DTYPES)
        return prf_fail(err, PRF_EINVAL, "data type %d is unknown to this version: update prfarm", (int)space->dtype);
    const char *kind = prf_layer_kind_name(space->kind);
    if (!(space->max_macs >= 0)) /* catches NaN */
        return prf_fail(err, PRF_EINVAL, "%s: max_macs = %g: use 0 (no limit) or above", kind, space->max_macs);
    for (int param = 0; param < PRF_PARAMS; param++) {
        prf_status_t status = check_dim(space, (prf_param_t)param, err);
        if (status)
            return status;
    }
    prf_status_t status = check_ties_end(space, err);
    if (status)
        return status;
    prf_rng_t rng;
    prf_rng_init(&rng, 0, prf_rng_stream("space check"));
    prf_layer_t layer;
    for (int i = 0; i < CHECK_DRAWS; i++)
        if (draw_once(space, &rng, &layer))
            return PRF_OK;
    return prf_fail(err, PRF_EINVAL,
                    "%s: none of %d layers drawn from the space can exist: let the kernel fit into the input and groups "
                    "divide c and k, or raise max_macs",
                    kind, (int)CHECK_DRAWS);
}
