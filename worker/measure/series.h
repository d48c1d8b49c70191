// SPDX-License-Identifier: Apache-2.0
/* series.h - repeated timings of one thing and what they say: median and its confidence interval. Pure; not shared between
 * threads. The interval is the distribution-free one from order statistics (David and Nagaraja, Order Statistics, 7.1): no
 * assumption about the noise, which on a shared machine is anything but normal. */
#ifndef PRF_MEASURE_SERIES_H
#define PRF_MEASURE_SERIES_H

#include <stddef.h>

#include "base/status.h"

typedef struct {
    double *values; /* owned, ascending */
    size_t count, cap;
} prf_series_t;

/* Room for `cap` values. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_series_init(prf_series_t *series, size_t cap, prf_error_t *err);
void prf_series_release(prf_series_t *series);
/* Beyond `cap` a value is dropped. */
void prf_series_add(prf_series_t *series, double value);
double prf_series_median(const prf_series_t *series); /* 0 while empty */
/* Half width of the median's 95 % interval in percent of the median; 100 while there are too few values (below 6) for one. */
double prf_series_ci_percent(const prf_series_t *series);

#endif
