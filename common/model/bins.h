// SPDX-License-Identifier: Apache-2.0
/* bins.h - a table of features made ready for growing trees: every column cut into at most PRF_BINS ranges, so that a split is
 * found by counting instead of sorting. Immutable once made; any thread may read it. */
#ifndef PRF_MODEL_BINS_H
#define PRF_MODEL_BINS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { PRF_BINS = 1024 };

/* One column that is worth splitting on. Within bin b the values run from low[b] to high[b]; columns with few different values
 * have a bin for each. */
typedef struct {
    uint16_t feature; /* its index in the table that was handed in */
    uint32_t bin_count;
    float *low, *high; /* owned */
    uint16_t *code;    /* owned: the bin of each row */
} prf_column_t;

typedef struct {
    size_t row_count;
    size_t column_count; /* constant columns and copies of others are left out */
    prf_column_t *columns;
} prf_bins_t;

/* `table`: row_count x feature_count, row after row, finite. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_bins_init(prf_bins_t *out, const float *table, size_t row_count, size_t feature_count,
                                       prf_error_t *err);
void prf_bins_release(prf_bins_t *self); /* NULL-safe */

#endif
