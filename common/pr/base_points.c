// SPDX-License-Identifier: Apache-2.0
/* base_points.c - bases at which a step, where there is one, can be seen.
 *
 * Ranges stand in the upper part, where arithmetic bounds the latency rather than memory or fixed costs, at another height for
 * each base. Of the combinations of discrete parameters those are preferred whose output is as large as the input, so that a
 * step in the output's height is one of the same width in h, and among them those with most arithmetic for each byte. A space
 * limited in MACs has its bases made smaller until the swept parameter can go to the end of its window. */
#include "pr/base_points.h"

#include <math.h>

enum { COMBINATIONS = 64, SHRINKS = 16, WINDOW = 1024 };

/* The smallest layers are left out: there, fixed costs and special cases rule. */
void prf_base_window(const prf_dim_t *dim, int32_t *from, int32_t *to)
{
    int32_t skip = dim->hi / 16 < 64 ? dim->hi / 16 : 64;
    *from = dim->lo > skip ? dim->lo : skip;
    if (*from < 1)
        *from = 1;
    *to = dim->hi - *from < WINDOW ? dim->hi : *from + WINDOW - 1;
}

static double worth(const prf_space_t *space, const prf_layer_t *layer)
{
    prf_shape_t in = prf_layer_in_shape(layer), out = prf_layer_out_shape(layer);
    double intensity = prf_layer_intensity(layer, space->dtype);
    return intensity / (1 + intensity) + (in.h == out.h && in.w == out.w ? 1 : 0);
}

/* Ranges at `level` (0 .. 1) of their extent, `swept` at `at`; discrete parameters stay as they are. */
static bool set_level(const prf_space_t *space, prf_param_t swept, int32_t at, double level, prf_layer_t *layer)
{
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(space, params);
    for (size_t i = 0; i < count; i++) {
        const prf_dim_t *dim = &space->dims[params[i]];
        if (dim->kind == PRF_DIM_RANGE)
            layer->p[params[i]] = dim->lo + (int32_t)lround(level * (double)(dim->hi - dim->lo));
    }
    layer->p[swept] = at;
    return prf_space_resolve(space, layer, NULL) == PRF_OK;
}

static void draw_discrete(const prf_space_t *space, prf_rng_t *rng, prf_layer_t *layer)
{
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(space, params);
    prf_layer_init(layer, space->kind);
    for (size_t i = 0; i < count; i++) {
        const prf_dim_t *dim = &space->dims[params[i]];
        if (dim->kind == PRF_DIM_LIST)
            layer->p[params[i]] = dim->values[prf_rng_below(rng, dim->value_count)];
    }
}

static bool seen(const prf_layer_t *layers, size_t count, const prf_layer_t *layer)
{
    for (size_t i = 0; i < count; i++)
        if (prf_layer_equal(&layers[i], layer))
            return true;
    return false;
}

/* Combinations of the discrete parameters, best first, as layers at `level`. Returns how many. */
static size_t rank_discrete(const prf_space_t *space, prf_param_t swept, int32_t at, double level, prf_rng_t *rng,
                            prf_layer_t found[COMBINATIONS], double worths[COMBINATIONS])
{
    size_t kept = 0;
    for (size_t i = 0; i < COMBINATIONS; i++) {
        prf_layer_t layer;
        draw_discrete(space, rng, &layer);
        if (!set_level(space, swept, at, level, &layer) || seen(found, kept, &layer))
            continue;
        double value = worth(space, &layer);
        size_t k = kept++;
        for (; k > 0 && worths[k - 1] < value; k--) {
            found[k] = found[k - 1];
            worths[k] = worths[k - 1];
        }
        found[k] = layer;
        worths[k] = value;
    }
    return kept;
}

bool prf_base_find(const prf_space_t *space, prf_param_t swept, size_t number, uint64_t seed, prf_layer_t *out)
{
    static const double levels[PRF_BASES] = {0.8, 0.6, 0.95};
    prf_layer_t found[COMBINATIONS];
    double worths[COMBINATIONS];
    int32_t from, to;
    prf_base_window(&space->dims[swept], &from, &to);
    prf_rng_t rng;
    prf_rng_init(&rng, seed, prf_rng_stream("sweep base") + (uint64_t)swept * PRF_BASES + number);
    double level = levels[(number + (size_t)swept) % PRF_BASES] + 0.04 * (prf_rng_double(&rng) - 0.5);
    prf_space_t unlimited = *space; /* the combination is chosen first, then made as small as it must be */
    unlimited.max_macs = 0;
    size_t count = rank_discrete(&unlimited, swept, to, level, &rng, found, worths), rank = number;
    if (count == 0)
        return false;
    while (rank > 0 && (rank >= count || floor(worths[rank]) < floor(worths[0])))
        rank--;
    *out = found[rank];
    for (int i = 0; i < SHRINKS; i++, level *= 0.8)
        if (set_level(space, swept, to, level, out))
            return true;
    return set_level(space, swept, from, 0, out);
}
