// SPDX-License-Identifier: Apache-2.0
/* metrics.c - prf_metrics_compute of model.h: how estimates compare with measurements. R2 is on latencies, Spearman on ranks
 * with ties at their mean rank. */
#include <math.h>
#include <stdlib.h>

#include "model/model.h"

static const prf_metrics_t unknown = {0, NAN, NAN, NAN, NAN, NAN, NAN, NAN};

typedef struct {
    double value;
    size_t index;
} ranked_t;

static int by_value(const void *a, const void *b)
{
    double x = ((const ranked_t *)a)->value, y = ((const ranked_t *)b)->value;
    return (x > y) - (x < y);
}

static void rank(const double *values, ranked_t *scratch, double *ranks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        scratch[i] = (ranked_t){values[i], i};
    qsort(scratch, n, sizeof *scratch, by_value);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && !(scratch[end].value > scratch[i].value);)
            end++;
        for (size_t j = i; j < end; j++)
            ranks[scratch[j].index] = (double)(i + end - 1) / 2;
    }
}

static double correlation(const double *a, const double *b, size_t n)
{
    double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        mean_a += a[i] / (double)n;
        mean_b += b[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        ab += (a[i] - mean_a) * (b[i] - mean_b);
        aa += (a[i] - mean_a) * (a[i] - mean_a);
        bb += (b[i] - mean_b) * (b[i] - mean_b);
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

static double r_squared(const double *estimated, const double *measured, size_t n)
{
    double mean = 0, rest = 0, all = 0;
    for (size_t i = 0; i < n; i++)
        mean += measured[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        rest += (estimated[i] - measured[i]) * (estimated[i] - measured[i]);
        all += (measured[i] - mean) * (measured[i] - mean);
    }
    return all > 0 ? 1 - rest / all : NAN;
}

/* Relative errors and their summary; `errors` is scratch of n. */
static void summarise(const double *estimated, const double *measured, ranked_t *errors, size_t n, prf_metrics_t *out)
{
    double sum = 0, squares = 0;
    size_t within_5 = 0, within_10 = 0;
    for (size_t i = 0; i < n; i++) {
        double e = fabs(estimated[i] / measured[i] - 1);
        errors[i] = (ranked_t){e, i};
        sum += e;
        squares += e * e;
        within_5 += e <= 0.05;
        within_10 += e <= 0.10;
    }
    qsort(errors, n, sizeof *errors, by_value);
    double count = (double)n;
    out->mape_percent = 100 * sum / count;
    out->rmspe_percent = 100 * sqrt(squares / count);
    out->median_percent = 50 * (errors[(n - 1) / 2].value + errors[n / 2].value);
    out->within_5_percent = 100 * (double)within_5 / count;
    out->within_10_percent = 100 * (double)within_10 / count;
}

void prf_metrics_compute(const double *estimated, const double *measured, size_t count, prf_metrics_t *out)
{
    *out = unknown;
    if (count == 0 || count > UINT32_MAX)
        return;
    ranked_t *scratch = malloc(count * sizeof *scratch);
    double *ranks = malloc(2 * count * sizeof *ranks);
    if (scratch && ranks) {
        out->count = (uint32_t)count;
        summarise(estimated, measured, scratch, count, out);
        out->r2 = r_squared(estimated, measured, count);
        rank(estimated, scratch, ranks, count);
        rank(measured, scratch, ranks + count, count);
        out->spearman = correlation(ranks, ranks + count, count);
    }
    free(scratch);
    free(ranks);
}
