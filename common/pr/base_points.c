// SPDX-License-Identifier: Apache-2.0
/* base_points.c - bases at which a step, where there is one, can be seen.
 *
 * Ranges stand in the middle part, where arithmetic rather than fixed costs bounds the latency and a layer does not take as
 * long as the largest, at another height for each base. A space limited in MACs has its bases made smaller until the swept
 * parameter can go to the end of its window, or at least to its middle. Of the combinations of discrete parameters those are
 * preferred whose output is as large as the input, so that a step in the output's height is one of the same width in h, and
 * among them those with most arithmetic for each byte at the size that they can have. The second base of a height or width has
 * an output of another size, where the space has one, to tell steps in the input from steps in the output. */
#include "pr/base_points.h"

#include <math.h>

enum { COMBINATIONS = 64, SHRINKS = 16, WINDOW = 1024, PLENTY = 64 };

/* The smallest layers are left out: there, fixed costs and special cases rule. */
void prf_base_window(const prf_dim_t *dim, int32_t *from, int32_t *to)
{
    int32_t skip = dim->hi / 16 < 64 ? dim->hi / 16 : 64;
    *from = dim->lo > skip ? dim->lo : skip;
    if (*from < 1)
        *from = 1;
    *to = dim->hi - *from < WINDOW ? dim->hi : *from + WINDOW - 1;
}

/* Output as large as the input first (or not: `alike`), then operations a byte; at PLENTY of them a board is hardly bound by
 * memory. */
static double worth(const prf_space_t *space, const prf_layer_t *layer, bool alike)
{
    prf_shape_t in = prf_layer_in_shape(layer), out = prf_layer_out_shape(layer);
    double intensity = prf_layer_intensity(layer, space->dtype);
    return intensity / (PLENTY + intensity) + ((in.h == out.h && in.w == out.w) == alike ? 1 : 0);
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

/* The largest layer with these discrete parameters that the space allows: ranges at `level` or below, `swept` at the end or
 * in the middle of its window. */
static bool fit_level(const prf_space_t *space, prf_param_t swept, double level, prf_layer_t *layer)
{
    int32_t from, to;
    prf_base_window(&space->dims[swept], &from, &to);
    int32_t middle = (int32_t)sqrt((double)from * to);
    for (int i = 0; i < SHRINKS; i++, level *= 0.8)
        if (set_level(space, swept, to, level, layer))
            return set_level(space, swept, middle, level, layer);
    return set_level(space, swept, middle, 0, layer);
}

bool prf_base_find(const prf_space_t *space, prf_param_t swept, size_t number, uint64_t seed, prf_layer_t *out)
{
    static const double levels[PRF_BASES] = {0.5, 0.35, 0.65};
    prf_layer_t found[COMBINATIONS], layer;
    double worths[COMBINATIONS] = {0};
    prf_rng_t rng;
    prf_rng_init(&rng, seed, prf_rng_stream("sweep base") + (uint64_t)swept * PRF_BASES + number);
    double level = levels[(number + (size_t)swept) % PRF_BASES] + 0.04 * (prf_rng_double(&rng) - 0.5);
    bool sized = swept == PRF_P_H || swept == PRF_P_W, alike = !sized || number != 1;
    size_t kept = 0;
    for (size_t i = 0; i < COMBINATIONS; i++) {
        draw_discrete(space, &rng, &layer);
        if (!fit_level(space, swept, level, &layer) || seen(found, kept, &layer))
            continue;
        double value = worth(space, &layer, alike);
        size_t k = kept++;
        for (; k > 0 && worths[k - 1] < value; k--) {
            found[k] = found[k - 1];
            worths[k] = worths[k - 1];
        }
        found[k] = layer;
        worths[k] = value;
    }
    if (kept == 0)
        return false;
    /* Each base its own combination, as long as it is as good in kind as the best; of heights and widths each the best. */
    size_t rank = sized || number > 1 ? 0 : number;
    while (rank > 0 && (rank >= kept || floor(worths[rank]) < floor(worths[0])))
        rank--;
    *out = found[rank];
    return true;
}
