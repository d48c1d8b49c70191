// SPDX-License-Identifier: Apache-2.0
/* sample.c - spreading a sample over the grid of representatives, and drawing one at random.
 *
 * Representatives come from a Halton sequence with random digit permutations (a dimension for each range, and one for all
 * discrete parameters together, so that their combinations share the sample evenly): its points are spread well for every
 * prefix, which a design optimised for one size (maximin, Latin hypercube) is not. Each point is a layer of the original
 * space, drawn as prf_space_draw would, and then mapped; so a logarithmic range stays one, and what the space rules out is
 * left out. When most points fall on layers that are there already, the grid is nearly used up: its rest is then gone through
 * in shuffled order, if the grid is small enough, so that a sample may have all of it. */
#include "pr/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAMPLE_MAX = 1 << 24,
    DIGITS = 32,
    STALL = 512,         /* vain points after which a small grid is gone through */
    STALL_LARGE = 20000, /* ... and after which a large one is given up */
    GRID_MAX = 1 << 20
};

static const uint8_t primes[PRF_PARAMS] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61};

/* --- what is gathered ------------------------------------------------------------------------------------------------ */

/* Layers into out[], none twice and none of those taken: an open-addressing table of places in taken[] and then out[]. */
typedef struct {
    const prf_layer_t *taken; /* borrowed */
    size_t taken_count;
    prf_layer_t *out; /* borrowed */
    size_t got, count;
    uint32_t *slots; /* owned; 0: free, else place + 1 */
    size_t mask;
} sample_t;

static const prf_layer_t *layer_at(const sample_t *sample, uint32_t place)
{
    return place < sample->taken_count ? &sample->taken[place] : &sample->out[place - sample->taken_count];
}

/* Enters the layer as `place`, unless it is there already. */
static bool enter(sample_t *sample, const prf_layer_t *layer, size_t place)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < PRF_PARAMS; i++)
        hash = (hash ^ (uint32_t)layer->p[i]) * 0x100000001b3u;
    size_t slot = (size_t)(hash ^ (hash >> 32)) & sample->mask;
    for (; sample->slots[slot]; slot = (slot + 1) & sample->mask)
        if (prf_layer_equal(layer_at(sample, sample->slots[slot] - 1), layer))
            return false;
    sample->slots[slot] = (uint32_t)place + 1;
    return true;
}

static prf_status_t sample_init(sample_t *sample, const prf_layer_t *taken, size_t taken_count, prf_layer_t *out, size_t count,
                                prf_error_t *err)
{
    *sample = (sample_t){.taken = taken, .taken_count = taken_count, .out = out, .count = count};
    if (count > SAMPLE_MAX || taken_count > SAMPLE_MAX)
        return prf_fail(err, PRF_EINVAL, "sample of %zu layers beside %zu: use at most %d", count, taken_count, (int)SAMPLE_MAX);
    size_t size = 16;
    while (size < 2 * (taken_count + count))
        size *= 2;
    sample->slots = calloc(size, sizeof *sample->slots);
    if (!sample->slots)
        return prf_fail(err, PRF_ENOMEM, "sample of %zu layers", count);
    sample->mask = size - 1;
    for (size_t i = 0; i < taken_count; i++)
        (void)enter(sample, &taken[i], i);
    return PRF_OK;
}

static bool sample_add(sample_t *sample, const prf_layer_t *layer)
{
    if (!enter(sample, layer, sample->taken_count + sample->got))
        return false;
    sample->out[sample->got++] = *layer;
    return true;
}

/* --- the sequence ---------------------------------------------------------------------------------------------------- */

typedef struct {
    uint8_t digit[PRF_PARAMS][DIGITS][61]; /* permutation of each digit of each dimension */
} scramble_t;

static void scramble_init(scramble_t *scramble, uint64_t seed)
{
    for (size_t dim = 0; dim < PRF_PARAMS; dim++) {
        prf_rng_t rng;
        prf_rng_init(&rng, seed, prf_rng_stream("sample digits") + dim);
        for (size_t i = 0; i < DIGITS; i++) {
            for (uint8_t d = 0; d < primes[dim]; d++)
                scramble->digit[dim][i][d] = d;
            prf_rng_shuffle(&rng, scramble->digit[dim][i], primes[dim], 1);
        }
    }
}

/* Radical inverse of `index` in the dimension's base; the digits beyond its own are permuted, too. In [0, 1). */
static double halton(const scramble_t *scramble, size_t dim, uint64_t index)
{
    double sum = 0, unit = 1;
    for (size_t i = 0; i < DIGITS && unit > 0x1p-40; i++, index /= primes[dim]) {
        unit /= primes[dim];
        sum += unit * scramble->digit[dim][i][index % primes[dim]];
    }
    return sum < 1 ? sum : 0x1.fffffffffffffp-1;
}

static int32_t range_value(const prf_dim_t *dim, double u)
{
    double value = dim->lo + floor(u * ((double)dim->hi - dim->lo + 1));
    if (dim->log)
        value = floor(exp(log(dim->lo) + u * (log1p(dim->hi) - log(dim->lo))));
    return (int32_t)fmin(fmax(value, dim->lo), dim->hi);
}

static void point(const prf_space_t *space, const scramble_t *scramble, uint64_t index, prf_layer_t *layer)
{
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(space, params), ranges = 0;
    double discrete = halton(scramble, 0, index);
    prf_layer_init(layer, space->kind);
    for (size_t i = 0; i < count; i++) {
        const prf_dim_t *dim = &space->dims[params[i]];
        if (dim->kind == PRF_DIM_LIST) { /* one number for all lists: its leading part chooses here, the rest goes on */
            discrete *= dim->value_count;
            uint32_t choice = (uint32_t)discrete;
            discrete -= choice;
            layer->p[params[i]] = dim->values[choice];
        } else {
            ranges++;
            layer->p[params[i]] = range_value(dim, halton(scramble, ranges < PRF_PARAMS ? ranges : 0, index));
        }
    }
}

/* --- the grid -------------------------------------------------------------------------------------------------------- */

static int32_t width_of(const prf_steps_t *steps, prf_param_t param)
{
    return steps->width[param] > 1 ? steps->width[param] : 1;
}

static bool is_representative(const prf_space_t *space, const prf_steps_t *steps, const prf_layer_t *layer)
{
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(space, params);
    for (size_t i = 0; i < count; i++) {
        const prf_dim_t *dim = &space->dims[params[i]];
        int32_t value = layer->p[params[i]];
        if (dim->kind == PRF_DIM_RANGE && value % width_of(steps, params[i]) != 0 && value != dim->hi)
            return false;
    }
    return true;
}

/* How many places the grid has in one parameter. */
static uint64_t places(const prf_space_t *space, const prf_steps_t *steps, prf_param_t param)
{
    const prf_dim_t *dim = &space->dims[param];
    if (dim->kind == PRF_DIM_LIST)
        return dim->value_count;
    int64_t width = width_of(steps, param);
    return (uint64_t)((dim->hi + width - 1) / width - (dim->lo + width - 1) / width + 1);
}

static void grid_layer(const prf_space_t *space, const prf_steps_t *steps, uint32_t cell, prf_layer_t *layer)
{
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(space, params);
    prf_layer_init(layer, space->kind);
    for (size_t i = 0; i < count; i++) {
        const prf_dim_t *dim = &space->dims[params[i]];
        uint64_t total = places(space, steps, params[i]), place = cell % total;
        cell = (uint32_t)(cell / total);
        if (dim->kind == PRF_DIM_LIST) {
            layer->p[params[i]] = dim->values[place];
            continue;
        }
        int64_t width = width_of(steps, params[i]), value = ((dim->lo + width - 1) / width + (int64_t)place) * width;
        layer->p[params[i]] = (int32_t)(value < dim->hi ? value : dim->hi);
    }
}

/* Cells of the grid, or 0 when there are too many to go through. */
static uint32_t grid_size(const prf_space_t *space, const prf_steps_t *steps)
{
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(space, params);
    uint64_t cells = 1;
    for (size_t i = 0; i < count && cells <= GRID_MAX; i++)
        cells *= places(space, steps, params[i]);
    return cells <= GRID_MAX ? (uint32_t)cells : 0;
}

static prf_status_t gather_rest(sample_t *sample, const prf_space_t *space, const prf_steps_t *steps, uint64_t seed,
                                prf_error_t *err)
{
    uint32_t cells = grid_size(space, steps);
    uint32_t *order = calloc(cells, sizeof *order);
    if (!order)
        return prf_fail(err, PRF_ENOMEM, "sample from %u layers", cells);
    for (uint32_t i = 0; i < cells; i++)
        order[i] = i;
    prf_rng_t rng;
    prf_rng_init(&rng, seed, prf_rng_stream("sample rest"));
    prf_rng_shuffle(&rng, order, cells, sizeof *order);
    for (uint32_t i = 0; i < cells && sample->got < sample->count; i++) {
        prf_layer_t layer;
        grid_layer(space, steps, order[i], &layer);
        if (prf_space_resolve(space, &layer, NULL) == PRF_OK)
            (void)sample_add(sample, &layer);
    }
    free(order);
    return PRF_OK;
}

static prf_status_t gather(sample_t *sample, const prf_space_t *space, const prf_steps_t *steps, uint64_t seed, prf_error_t *err)
{
    scramble_t *scramble = malloc(sizeof *scramble);
    if (!scramble)
        return prf_fail(err, PRF_ENOMEM, "sample");
    scramble_init(scramble, seed);
    bool small = grid_size(space, steps) > 0;
    size_t vain = 0, patience = small ? STALL : STALL_LARGE;
    for (uint64_t index = 0; sample->got < sample->count && vain < patience; index++) {
        prf_layer_t layer;
        point(space, scramble, index, &layer);
        bool found = prf_space_resolve(space, &layer, NULL) == PRF_OK;
        if (found)
            prf_steps_map(steps, space, &layer);
        found = found && is_representative(space, steps, &layer) && sample_add(sample, &layer);
        vain = found ? 0 : vain + 1;
    }
    free(scramble);
    return sample->got < sample->count && small ? gather_rest(sample, space, steps, seed, err) : PRF_OK;
}

prf_status_t prf_sample_representatives(const prf_space_t *space, const prf_steps_t *steps, uint64_t seed, const prf_layer_t *taken,
                                        size_t taken_count, size_t count, prf_layer_t *out, size_t *got, prf_error_t *err)
{
    sample_t sample;
    prf_status_t status = prf_space_check(space, err);
    if (status)
        return status;
    status = sample_init(&sample, taken, taken_count, out, count, err);
    if (!status)
        status = gather(&sample, space, steps, seed, err);
    free(sample.slots);
    if (!status)
        *got = sample.got;
    return status;
}

prf_status_t prf_sample_random(const prf_space_t *space, uint64_t seed, const prf_layer_t *taken, size_t taken_count, size_t count,
                               prf_layer_t *out, size_t *got, prf_error_t *err)
{
    sample_t sample;
    prf_status_t status = prf_space_check(space, err);
    if (status)
        return status;
    status = sample_init(&sample, taken, taken_count, out, count, err);
    prf_rng_t rng;
    prf_rng_init(&rng, seed, prf_rng_stream("sample random"));
    for (size_t vain = 0; !status && sample.got < count && vain < STALL_LARGE;) {
        prf_layer_t layer;
        status = prf_space_draw(space, &rng, &layer, err);
        vain = !status && sample_add(&sample, &layer) ? 0 : vain + 1;
    }
    free(sample.slots);
    if (!status)
        *got = sample.got;
    return status;
}

size_t prf_sample_room(const prf_space_t *space, size_t most)
{
    prf_steps_t none;
    prf_steps_none(&none);
    uint32_t cells = grid_size(space, &none);
    size_t found = cells > 0 ? 0 : most;
    for (uint32_t i = 0; i < cells && found < most; i++) {
        prf_layer_t layer;
        grid_layer(space, &none, i, &layer);
        found += prf_space_resolve(space, &layer, NULL) == PRF_OK;
    }
    return found;
}

/* --- what promises most ---------------------------------------------------------------------------------------------- */

enum { POOL_TIMES = 12, POOL_LEAST = 400 }; /* layers looked at for each that is chosen, and at least */

typedef struct {
    double key;
    size_t place;
} ranked_t;

static int by_key(const void *a, const void *b)
{
    const ranked_t *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* Distinct layers as the original space has them, mapped where there are steps. */
static prf_status_t draw_pool(sample_t *pool, const prf_space_t *space, const prf_steps_t *steps, prf_rng_t *rng, prf_error_t *err)
{
    for (size_t vain = 0; pool->got < pool->count && vain < STALL;) {
        prf_layer_t layer;
        prf_status_t status = prf_space_draw(space, rng, &layer, err);
        if (status)
            return status;
        if (steps)
            prf_steps_map(steps, space, &layer);
        vain = sample_add(pool, &layer) ? 0 : vain + 1;
    }
    return PRF_OK;
}

/* Weighted drawing without replacement (Efraimidis and Spirakis, 2006): the smallest of exponential variates of rate `promise`. */
static size_t choose(const sample_t *pool, prf_rng_t *rng, prf_promise_fn promise, void *arg, ranked_t *ranked, size_t count,
                     prf_layer_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < pool->got; i++) {
        double worth = promise(arg, &pool->out[i]), exponential = -log1p(-prf_rng_double(rng));
        if (worth > 0 && isfinite(worth))
            ranked[n++] = (ranked_t){exponential / worth, i};
    }
    qsort(ranked, n, sizeof *ranked, by_key);
    n = n < count ? n : count;
    for (size_t i = 0; i < n; i++)
        out[i] = pool->out[ranked[i].place];
    return n;
}

prf_status_t prf_sample_promising(const prf_space_t *space, const prf_steps_t *steps, uint64_t seed, const prf_layer_t *taken,
                                  size_t taken_count, prf_promise_fn promise, void *arg, size_t count, prf_layer_t *out,
                                  size_t *got, prf_error_t *err)
{
    prf_status_t status = prf_space_check(space, err);
    if (status)
        return status;
    if (count > SAMPLE_MAX / POOL_TIMES)
        return prf_fail(err, PRF_EINVAL, "sample of %zu layers: use at most %d", count, (int)SAMPLE_MAX / POOL_TIMES);
    size_t size = count * POOL_TIMES > POOL_LEAST ? count * POOL_TIMES : POOL_LEAST;
    prf_layer_t *layers = calloc(size, sizeof *layers);
    ranked_t *ranked = calloc(size, sizeof *ranked);
    sample_t pool = {.slots = NULL};
    prf_rng_t rng;
    prf_rng_init(&rng, seed, prf_rng_stream("sample promising"));
    status = layers && ranked ? PRF_OK : prf_fail(err, PRF_ENOMEM, "sample of %zu layers", count);
    if (!status)
        status = sample_init(&pool, taken, taken_count, layers, size, err);
    if (!status)
        status = draw_pool(&pool, space, steps, &rng, err);
    if (!status)
        *got = choose(&pool, &rng, promise, arg, ranked, count, out);
    free(pool.slots);
    free(ranked);
    free(layers);
    return status;
}
