// SPDX-License-Identifier: Apache-2.0
/* diff_estimates.c - layers are drawn from one model's ranges and kept when the other knows them, too: no range of both has to be
 * worked out, whatever lists and ties they consist of. */
#include "diff_estimates.h"

#include <math.h>
#include <stdlib.h>

#include "base/order.h"
#include "base/rng.h"

enum { TRIES = 30 /* for each layer that is wanted */ };

double prf_diff_percent(double a_ns, double b_ns)
{
    return 100 * (b_ns / a_ns - 1);
}

static double size_of(const prf_diff_layer_t *layer)
{
    return fabs(log(layer->b_ns / layer->a_ns));
}

static int by_size(const void *x, const void *y)
{
    double a = size_of(x), b = size_of(y);
    return (a < b) - (a > b);
}

static bool known_to(const prf_model_t *model, const prf_block_t *block, double *ns)
{
    prf_estimate_t e;
    if (prf_model_estimate(model, block, NULL, &e, NULL) || e.outside || !(e.latency_ns > 0))
        return false;
    *ns = e.latency_ns;
    return true;
}

static void summarise(const prf_diff_layer_t *layers, size_t count, double *ratios, prf_diff_change_t *out)
{
    *out =
        (prf_diff_change_t){.count = count, .median_percent = NAN, .p5_percent = NAN, .p95_percent = NAN, .largest_percent = NAN};
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        ratios[i] = prf_diff_percent(layers[i].a_ns, layers[i].b_ns);
    out->largest_percent = ratios[0]; /* layers are in this order */
    out->median_percent = prf_median(ratios, count);
    out->p5_percent = ratios[(count - 1) * 5 / 100];
    out->p95_percent = ratios[(count - 1) * 95 / 100];
}

prf_status_t prf_diff_estimate(const prf_model_t *a, const prf_model_t *b, const prf_model_layer_t *of_a,
                               const prf_model_layer_t *of_b, size_t count, uint64_t seed, prf_diff_layer_t **layers,
                               prf_diff_change_t *change, prf_error_t *err)
{
    prf_diff_layer_t *kept = calloc(count + 1, sizeof *kept);
    double *ratios = calloc(count + 1, sizeof *ratios);
    prf_rng_t rng;
    size_t found = 0;
    if (!kept || !ratios) {
        free(kept);
        free(ratios);
        return prf_fail(err, PRF_ENOMEM, "%zu layers to compare", count);
    }
    prf_rng_init(&rng, seed, prf_rng_stream(prf_layer_kind_name(of_a->kind)));
    for (size_t i = 0; i < TRIES * count && found < count; i++) {
        prf_diff_layer_t *item = &kept[found];
        item->block = (prf_block_t){.dtype = of_a->dtype, .count = 1};
        const prf_space_t *space = i % 2 ? &of_b->space : &of_a->space;
        if (prf_space_draw(space, &rng, &item->block.layers[0], NULL) == PRF_OK && known_to(a, &item->block, &item->a_ns) &&
            known_to(b, &item->block, &item->b_ns))
            found++;
    }
    qsort(kept, found, sizeof *kept, by_size);
    summarise(kept, found, ratios, change);
    free(ratios);
    *layers = kept;
    return PRF_OK;
}
