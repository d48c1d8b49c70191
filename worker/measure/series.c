// SPDX-License-Identifier: Apache-2.0
/* series.c - values are kept sorted as they come: a series is short, and its interval is asked for after each. */
#include "measure/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

prf_status_t prf_series_init(prf_series_t *series, size_t cap, prf_error_t *err)
{
    double *values = calloc(cap ? cap : 1, sizeof *values);
    if (!values)
        return prf_fail(err, PRF_ENOMEM, "room for %zu timings", cap);
    *series = (prf_series_t){.values = values, .cap = cap};
    return PRF_OK;
}

void prf_series_release(prf_series_t *series)
{
    free(series->values);
    *series = (prf_series_t){0};
}

void prf_series_add(prf_series_t *series, double value)
{
    if (series->count == series->cap)
        return;
    size_t low = 0, high = series->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (series->values[middle] <= value)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(series->values + low + 1, series->values + low, (series->count - low) * sizeof *series->values);
    series->values[low] = value;
    series->count++;
}

double prf_series_median(const prf_series_t *series)
{
    size_t n = series->count;
    if (n == 0)
        return 0;
    return n % 2 ? series->values[n / 2] : (series->values[n / 2 - 1] + series->values[n / 2]) / 2;
}

/* How many values at either end lie outside the 95 % interval of the median of n: the largest r for which at most r - 1 of n
 * fair coins show heads with a probability of at most 2.5 %. 0: n is too small. Above 100, the normal approximation. */
static size_t interval_rank(size_t n)
{
    if (n > 100)
        return (size_t)floor((double)n / 2 - 0.98 * sqrt((double)n));
    double term = pow(0.5, (double)n), below = 0;
    size_t r = 0;
    while (below + term <= 0.025) {
        below += term;
        term *= (double)(n - r) / (double)(r + 1);
        r++;
    }
    return r;
}

double prf_series_ci_percent(const prf_series_t *series)
{
    size_t rank = interval_rank(series->count);
    double median = prf_series_median(series);
    if (rank == 0 || median <= 0)
        return 100;
    double width = series->values[series->count - rank] - series->values[rank - 1];
    return 50 * width / median;
}
