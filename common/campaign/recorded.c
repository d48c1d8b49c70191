// SPDX-License-Identifier: Apache-2.0
/* recorded.c - rows into layers.
 *
 * A layer counts once: rows that repeat one (same parameters, same extra columns) are dropped before the split, or the test part
 * would hold layers that were trained on. The first row stays. The split shuffles with the spec's seed, so it does not depend on
 * the file's order beyond that. A small budget is spent on layers far from one another (farthest-point sampling on the
 * logarithms of the parameters): a board would be asked for those, had it to be measured anew. A larger one takes what comes first,
 * as shuffled. Rejected: to choose the later layers where a model of the first is least sure. Of 1,000 of a recorded GPU that took
 * 1 % of the error off in one data type and added 1.5 % in another, whose cross-validation then judged by the hard layers. */
#include "campaign/recorded.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/map.h"
#include "base/rng.h"
#include "campaign/recorded_spec.h"

enum { LEAST_ROWS = 8, POOL = 200000000, APART_BELOW = 80 /* layers: with more, those drawn evenly are better to learn from */ };

/* Where in the data the spec's columns are. */
typedef struct {
    prf_csv_t *csv; /* owned */
    size_t where[PRF_RECORDED_WHERE], params[PRF_PARAMS], extras[PRF_MODEL_EXTRAS], latency;
} binding_t;

typedef struct {
    prf_observation_t *items; /* owned */
    size_t count, cap;
    prf_map_t seen;
    uint64_t rows, duplicates;
} gathered_t;

/* A column that is missing is the spec's mistake, so the message names its line. */
static prf_status_t bind_column(const binding_t *b, const char *column, const prf_yaml_node_t *node, size_t *out, prf_error_t *err)
{
    prf_status_t status = prf_csv_find(b->csv, column, out, err);
    return status ? prf_yaml_fail_prefix(node, err, status) : PRF_OK;
}

static prf_status_t bind(binding_t *b, const prf_recorded_spec_t *spec, const char *path, prf_error_t *err)
{
    prf_status_t status = prf_csv_open(&b->csv, path, err);
    for (size_t i = 0; !status && i < spec->where_count; i++)
        status = bind_column(b, spec->where[i].column, spec->where[i].node, &b->where[i], err);
    for (size_t i = 0; !status && i < PRF_PARAMS; i++)
        if (spec->params[i].kind == PRF_SOURCE_COLUMN)
            status = bind_column(b, spec->params[i].column, spec->params[i].node, &b->params[i], err);
    for (size_t i = 0; !status && i < spec->extra_count; i++)
        status = bind_column(b, spec->extras[i].column, spec->extras[i].node, &b->extras[i], err);
    return status ? status : bind_column(b, spec->latency.column, spec->latency.node, &b->latency, err);
}

/* "1" and "1.0" are the same value. */
static bool same_value(const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return true;
    char *end_a, *end_b;
    double x = strtod(a, &end_a), y = strtod(b, &end_b);
    return end_a != a && end_b != b && !*end_a && !*end_b && !(x < y) && !(x > y);
}

static bool is_wanted(const binding_t *b, const prf_recorded_spec_t *spec)
{
    for (size_t i = 0; i < spec->where_count; i++)
        if (!same_value(prf_csv_field(b->csv, b->where[i]), spec->where[i].value))
            return false;
    return true;
}

static prf_status_t read_param(const binding_t *b, const prf_source_t *source, size_t param, int32_t *out, prf_error_t *err)
{
    double value;
    if (source->kind == PRF_SOURCE_CONSTANT)
        *out = source->constant;
    if (source->kind != PRF_SOURCE_COLUMN)
        return PRF_OK;
    prf_status_t status = prf_csv_number(b->csv, b->params[param], &value, err);
    if (status)
        return status;
    if (value < 0 || value > 1e9 || value > floor(value))
        return prf_fail(err, PRF_EINVAL, "%s: %s is %.20s: use a whole number from 0 on", prf_csv_where(b->csv), source->column,
                        prf_csv_field(b->csv, b->params[param]));
    *out = (int32_t)value / source->divisor;
    return PRF_OK;
}

static prf_status_t read_row(const binding_t *b, const prf_recorded_spec_t *spec, prf_observation_t *out, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    *out = (prf_observation_t){0};
    prf_layer_init(&out->layer, spec->kind);
    for (size_t i = 0; !status && i < PRF_PARAMS; i++)
        status = read_param(b, &spec->params[i], i, &out->layer.p[i], err);
    for (size_t i = 0; !status && i < spec->extra_count; i++)
        status = prf_csv_number(b->csv, b->extras[i], &out->extras[i], err);
    if (!status)
        status = prf_csv_number(b->csv, b->latency, &out->latency_ns, err);
    if (status)
        return status;
    out->latency_ns *= spec->unit_ns;
    if (!(out->latency_ns > 0) || !isfinite(out->latency_ns))
        return prf_fail(err, PRF_EINVAL, "%s: %s is %.20s: use latencies above zero, or leave the row out with `where`",
                        prf_csv_where(b->csv), spec->latency.column, prf_csv_field(b->csv, b->latency));
    status = prf_layer_complete(&out->layer, err);
    return status ? prf_fail_prefix(err, status, "%s", prf_csv_where(b->csv)) : PRF_OK;
}

static prf_status_t keep(gathered_t *all, const prf_observation_t *one, const binding_t *b, prf_error_t *err)
{
    struct {
        prf_layer_t layer;
        double extras[PRF_MODEL_EXTRAS];
    } identity;
    memset(&identity, 0, sizeof identity);
    identity.layer = one->layer;
    memcpy(identity.extras, one->extras, sizeof identity.extras);
    prf_digest_t digest;
    prf_digest(&digest, &identity, sizeof identity);
    if (prf_map_get(&all->seen, &digest, 0, &(uint64_t){0})) {
        all->duplicates++;
        return PRF_OK;
    }
    if (all->count == PRF_RECORDED_LAYERS)
        return prf_fail(err, PRF_EINVAL, "%s: more than %d layers: narrow `where`", prf_csv_where(b->csv), PRF_RECORDED_LAYERS);
    if (all->count == all->cap) {
        size_t cap = all->cap ? 2 * all->cap : 1024;
        prf_observation_t *grown = realloc(all->items, cap * sizeof *grown);
        if (!grown)
            return prf_fail(err, PRF_ENOMEM, "%s: more than %zu layers, which a narrower `where` makes fewer",
                            prf_csv_where(b->csv), all->count);
        all->items = grown;
        all->cap = cap;
    }
    all->items[all->count++] = *one;
    return prf_map_put(&all->seen, &digest, 0, 1, err);
}

static prf_status_t gather(gathered_t *all, const binding_t *b, const prf_recorded_spec_t *spec, prf_error_t *err)
{
    for (;;) {
        bool more;
        prf_observation_t one;
        prf_status_t status = prf_csv_next(b->csv, &more, err);
        if (status || !more)
            return status;
        if (++all->rows > PRF_RECORDED_ROWS)
            return prf_fail(err, PRF_EINVAL, "%s: more than %d rows: cut the file into parts", prf_csv_where(b->csv),
                            PRF_RECORDED_ROWS);
        if (!is_wanted(b, spec))
            continue;
        status = read_row(b, spec, &one, err);
        if (!status)
            status = keep(all, &one, b, err);
        if (status)
            return status;
    }
}

static int by_value(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* A parameter that always is another one's value, or its half: w = h, pad = r / 2. */
static bool find_tie(prf_dim_t *dim, const gathered_t *all, const prf_space_t *space, prf_param_t param)
{
    for (size_t source = 0; source < PRF_PARAMS; source++) {
        if (source == param || space->dims[source].kind == PRF_DIM_DEFAULT || space->dims[source].kind == PRF_DIM_TIED)
            continue;
        for (int32_t divisor = 1; divisor <= 2; divisor++) {
            size_t i = 0;
            while (i < all->count && all->items[i].layer.p[param] == all->items[i].layer.p[source] / divisor)
                i++;
            if (i == all->count) {
                *dim = (prf_dim_t){.kind = PRF_DIM_TIED, .source = (prf_param_t)source, .divisor = divisor};
                return true;
            }
        }
    }
    return false;
}

static bool is_default(const gathered_t *all, const prf_param_info_t *info)
{
    if (info->fallback == PRF_REQUIRED)
        return false;
    for (size_t i = 0; i < all->count; i++) {
        const int32_t *p = all->items[i].layer.p;
        if (p[info->param] != (info->fallback >= 0 ? info->fallback : p[PRF_LIKE(info->fallback)]))
            return false;
    }
    return true;
}

/* Few values: a list of them; many: a range. `sorted` is scratch. */
static void describe(prf_dim_t *dim, const gathered_t *all, prf_param_t param, int32_t *sorted)
{
    for (size_t i = 0; i < all->count; i++)
        sorted[i] = all->items[i].layer.p[param];
    qsort(sorted, all->count, sizeof *sorted, by_value);
    size_t distinct = 0;
    for (size_t i = 0; i < all->count; i++)
        if (i == 0 || sorted[i] != sorted[i - 1])
            sorted[distinct++] = sorted[i];
    *dim = (prf_dim_t){.kind = PRF_DIM_RANGE, .lo = sorted[0], .hi = sorted[distinct - 1]};
    if (distinct > 1 && distinct <= PRF_SPACE_VALUES) {
        *dim = (prf_dim_t){.kind = PRF_DIM_LIST, .value_count = (uint32_t)distinct};
        memcpy(dim->values, sorted, distinct * sizeof *sorted);
    }
}

static prf_status_t find_space(prf_space_t *space, const gathered_t *all, const prf_recorded_spec_t *spec, prf_error_t *err)
{
    size_t count;
    const prf_param_info_t *params = prf_layer_params(spec->kind, &count);
    int32_t *sorted = malloc(all->count * sizeof *sorted);
    if (!sorted)
        return prf_fail(err, PRF_ENOMEM, "ranges of %zu layers", all->count);
    *space = (prf_space_t){.kind = spec->kind, .dtype = spec->dtype};
    for (size_t i = 0; i < count; i++) {
        prf_dim_t *dim = &space->dims[params[i].param];
        if (!is_default(all, &params[i]) && !find_tie(dim, all, space, params[i].param))
            describe(dim, all, params[i].param, sorted);
    }
    free(sorted);
    return PRF_OK;
}

static double distance(const prf_observation_t *a, const prf_observation_t *b, size_t extras)
{
    double sum = 0;
    for (size_t i = 0; i < PRF_PARAMS; i++) {
        double d = a->layer.p[i] == b->layer.p[i] ? 0 : log((1.0 + a->layer.p[i]) / (1.0 + b->layer.p[i]));
        sum += d * d;
    }
    for (size_t i = 0; i < extras; i++)
        sum += a->extras[i] < b->extras[i] || a->extras[i] > b->extras[i];
    return sum;
}

/* Brings `budget` far-apart layers to the front of `items`. Only as many candidates are looked at as keep it quick. */
static prf_status_t choose(prf_observation_t *items, size_t count, size_t budget, size_t extras, prf_error_t *err)
{
    size_t pool = POOL / budget > budget ? POOL / budget : budget;
    pool = pool < count ? pool : count;
    double *nearest = malloc(pool * sizeof *nearest);
    if (!nearest)
        return prf_fail(err, PRF_ENOMEM, "choosing among %zu layers", pool);
    for (size_t i = 0; i < pool; i++)
        nearest[i] = INFINITY;
    for (size_t taken = 0; taken < budget && taken < pool; taken++) {
        size_t best = taken;
        for (size_t i = taken + 1; i < pool; i++)
            if (nearest[i] > nearest[best])
                best = i;
        prf_observation_t chosen = items[best];
        items[best] = items[taken];
        items[taken] = chosen;
        nearest[best] = nearest[taken];
        for (size_t i = taken + 1; i < pool; i++)
            nearest[i] = fmin(nearest[i], distance(&items[i], &chosen, extras));
    }
    free(nearest);
    return PRF_OK;
}

static prf_status_t split(prf_recorded_t *self, gathered_t *all, const prf_recorded_spec_t *spec, prf_error_t *err)
{
    prf_rng_t rng;
    prf_rng_init(&rng, spec->seed, prf_rng_stream("split"));
    prf_rng_shuffle(&rng, all->items, all->count, sizeof *all->items);
    size_t test = (size_t)(spec->test_share * (double)all->count), train = all->count - test;
    size_t wanted = spec->budget && spec->budget < train ? spec->budget : train;
    if (wanted < train && wanted < APART_BELOW) {
        prf_status_t status = choose(all->items, train, wanted, spec->extra_count, err);
        if (status)
            return status;
    }
    self->train_count = wanted;
    self->spare_count = train - wanted;
    self->test_count = test;
    return PRF_OK;
}

static prf_status_t finish(prf_recorded_t *self, gathered_t *all, const prf_recorded_spec_t *spec, const char *path,
                           prf_error_t *err)
{
    if (all->count < LEAST_ROWS)
        return prf_fail(err, PRF_EINVAL,
                        "%s: %zu of %llu rows are left after `where` and without duplicates, at least %d are needed: widen "
                        "`where`, or record more",
                        path, all->count, (unsigned long long)all->rows, LEAST_ROWS);
    prf_status_t status = find_space(&self->layer.space, all, spec, err);
    if (!status)
        status = split(self, all, spec, err);
    if (status)
        return status;
    self->rows = all->rows;
    self->duplicates = all->duplicates;
    self->observations = all->items;
    all->items = NULL;
    prf_steps_none(&self->layer.steps);
    self->layer.train = self->observations;
    self->layer.train_count = self->train_count;
    self->layer.validation = self->observations + self->train_count + self->spare_count;
    self->layer.validation_count = self->test_count;
    snprintf(self->board, sizeof self->board, "%s", spec->board);
    self->seed = spec->seed;
    self->extra_count = spec->extra_count;
    for (size_t i = 0; i < spec->extra_count; i++)
        snprintf(self->extras[i], sizeof self->extras[i], "%s", spec->extras[i].column);
    return PRF_OK;
}

prf_status_t prf_recorded_load(prf_recorded_t *out, const prf_recorded_spec_t *spec, const char *path, prf_error_t *err)
{
    binding_t b = {0};
    gathered_t all = {0};
    prf_recorded_t self = {0};
    prf_map_init(&all.seen);
    prf_status_t status = bind(&b, spec, path, err);
    if (!status)
        status = gather(&all, &b, spec, err);
    if (!status)
        status = finish(&self, &all, spec, path, err);
    prf_csv_close(&b.csv);
    prf_map_release(&all.seen);
    free(all.items);
    if (!status)
        *out = self;
    return status;
}

void prf_recorded_release(prf_recorded_t *self)
{
    if (!self)
        return;
    free(self->observations);
    *self = (prf_recorded_t){0};
}

prf_train_input_t prf_recorded_input(const prf_recorded_t *self, const char *names[PRF_MODEL_EXTRAS])
{
    for (size_t i = 0; i < self->extra_count; i++)
        names[i] = self->extras[i];
    return (prf_train_input_t){
        .kind = self->board,
        .layers = &self->layer,
        .layer_count = 1,
        .extra_names = names,
        .extra_count = self->extra_count,
        .seed = self->seed,
        .provenance = {.fingerprint = "recorded",
                       .seed = self->seed,
                       .samples = (uint32_t)self->train_count,
                       .repeatability_percent = NAN,
                       .random_baseline_percent = NAN},
    };
}
