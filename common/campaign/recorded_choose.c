// SPDX-License-Identifier: Apache-2.0
/* recorded_choose.c - a first helping is drawn evenly (recorded.c). For each of the later ones a model is trained on what there is
 * so far, and two thirds are drawn from where it is least sure: the more probably the wider its interval there is, by a power that
 * comes near to ranking them and still does not take neighbours of the worst layer only; without replacement (Efraimidis and
 * Spirakis 2006). The last third is drawn evenly again, so that no part of the range is left out because a model is wrongly sure of
 * it. */
#include "campaign/recorded_choose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { LOOKED_AT = 20 /* candidates for each layer that is wanted */ };
#define EAGER 4.0        /* power of the interval's width */
#define LEAST_DOUBT 1e-4 /* an interval of no width */

prf_train_input_t prf_recorded_input(const prf_recorded_t *data, const char *names[PRF_MODEL_EXTRAS])
{
    for (size_t i = 0; i < data->extra_count; i++)
        names[i] = data->extras[i];
    return (prf_train_input_t){
        .kind = data->board,
        .layers = &data->layer,
        .layer_count = 1,
        .extra_names = names,
        .extra_count = data->extra_count,
        .seed = data->seed,
        .provenance = {.fingerprint = "recorded",
                       .seed = data->seed,
                       .samples = (uint32_t)data->train_count,
                       .repeatability_percent = NAN,
                       .random_baseline_percent = NAN},
    };
}

/* A candidate's place in a draw without replacement. */
typedef struct {
    double key;
    size_t row;
} drawn_t;

static int largest_first(const void *a, const void *b)
{
    const drawn_t *x = a, *y = b;
    return x->key > y->key ? -1 : x->key < y->key ? 1 : (x->row > y->row) - (x->row < y->row);
}

static double doubt(const prf_model_t *model, const prf_recorded_t *data, const prf_observation_t *row)
{
    prf_block_t block = {.dtype = data->layer.space.dtype, .count = 1, .layers = {row->layer}};
    prf_estimate_t e;
    if (prf_model_estimate(model, &block, row->extras, &e, NULL))
        return LEAST_DOUBT;
    return log(e.high_ns / e.low_ns) + LEAST_DOUBT;
}

/* Brings `wanted` of `count` rows to the front: those that a model is unsure of. */
static prf_status_t draw(prf_recorded_t *data, const prf_model_t *model, prf_observation_t *rows, size_t count, size_t wanted,
                         prf_rng_t *rng, prf_error_t *err)
{
    drawn_t *drawn = malloc((count + 1) * sizeof *drawn);
    prf_observation_t *sorted = malloc((count + 1) * sizeof *sorted);
    prf_status_t status = drawn && sorted ? PRF_OK : prf_fail(err, PRF_ENOMEM, "choosing among %zu layers", count);
    for (size_t i = 0; !status && i < count; i++)
        drawn[i] = (drawn_t){log(1 - prf_rng_double(rng)) / pow(doubt(model, data, &rows[i]), EAGER), i};
    if (!status) {
        qsort(drawn, count, sizeof *drawn, largest_first);
        /* The others stay in their order, which is shuffled. */
        for (size_t i = wanted; i < count; i++)
            drawn[i].key = 0;
        qsort(drawn + wanted, count - wanted, sizeof *drawn, largest_first);
        for (size_t i = 0; i < count; i++)
            sorted[i] = rows[drawn[i].row];
        memcpy(rows, sorted, count * sizeof *rows);
    }
    free(drawn);
    free(sorted);
    return status;
}

/* Lets the training part be its first `count` rows. */
static void take(prf_recorded_t *data, size_t count)
{
    data->spare_count += data->train_count;
    data->spare_count -= count;
    data->train_count = data->layer.train_count = count;
}

prf_status_t prf_recorded_choose(prf_recorded_t *data, unsigned threads, prf_error_t *err)
{
    static const double ends[] = {0.7, 1}; /* of the budget, the helpings after the first */
    size_t budget = data->train_count, all = budget + data->spare_count;
    prf_rng_t rng;
    prf_rng_init(&rng, data->seed, prf_rng_stream("budget"));
    prf_status_t status = PRF_OK;
    take(data, data->first_count);
    for (size_t i = 0; !status && i < sizeof ends / sizeof *ends && data->first_count < budget; i++) {
        const char *names[PRF_MODEL_EXTRAS];
        prf_train_input_t input = prf_recorded_input(data, names);
        prf_model_t *model = NULL;
        size_t have = data->train_count, end = (size_t)(ends[i] * (double)budget), wanted = end - have, left = all - have;
        input.threads = threads;
        status = prf_model_train(&model, &input, err);
        if (!status)
            status = draw(data, model, data->observations + have, left < LOOKED_AT * wanted ? left : LOOKED_AT * wanted,
                          2 * wanted / 3, &rng, err);
        prf_model_destroy(&model);
        take(data, end);
    }
    return status;
}
