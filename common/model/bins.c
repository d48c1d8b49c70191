// SPDX-License-Identifier: Apache-2.0
/* bins.c - cuts columns at quantiles. A bin never splits equal values, and a column with at most PRF_BINS different values
 * keeps them all apart, so that small data sets lose nothing. */
#include "model/bins.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static uint32_t distinct(const float *sorted, size_t n)
{
    uint32_t count = 1;
    for (size_t i = 1; i < n; i++)
        count += sorted[i] != sorted[i - 1];
    return count;
}

/* A bin is closed when it has its share of what was left when it was opened; with few distinct values, at each new value. */
static void cut(prf_column_t *column, const float *sorted, size_t n)
{
    bool each = distinct(sorted, n) <= PRF_BINS;
    uint32_t bin = 0;
    size_t begin = 0;
    column->low[0] = sorted[0];
    for (size_t i = 1; i < n; i++) {
        if (sorted[i] == sorted[i - 1])
            continue;
        size_t share = (n - begin + (PRF_BINS - bin) - 1) / (PRF_BINS - bin);
        if (!each && (i - begin < share || bin + 1 == PRF_BINS))
            continue;
        column->high[bin] = sorted[i - 1];
        column->low[++bin] = sorted[i];
        begin = i;
    }
    column->high[bin] = sorted[n - 1];
    column->bin_count = bin + 1;
}

static uint16_t find(const prf_column_t *column, float value)
{
    uint32_t left = 0, right = column->bin_count - 1;
    while (left < right) {
        uint32_t middle = (left + right) / 2;
        if (value <= column->high[middle])
            right = middle;
        else
            left = middle + 1;
    }
    return (uint16_t)left;
}

/* Two columns that order all rows alike (a logarithm of the other, say) offer the same splits: the first one is enough. */
static bool repeats(const prf_bins_t *self, const prf_column_t *column)
{
    for (size_t i = 0; i < self->column_count; i++)
        if (self->columns[i].bin_count == column->bin_count &&
            memcmp(self->columns[i].code, column->code, self->row_count * sizeof *column->code) == 0)
            return true;
    return false;
}

static void column_release(prf_column_t *column)
{
    free(column->low);
    free(column->high);
    free(column->code);
    *column = (prf_column_t){0};
}

/* `sorted` is scratch for one column. */
static bool add_column(prf_bins_t *self, const float *table, size_t feature_count, size_t feature, float *sorted)
{
    size_t n = self->row_count;
    for (size_t i = 0; i < n; i++)
        sorted[i] = table[i * feature_count + feature];
    qsort(sorted, n, sizeof *sorted, by_value);
    if (sorted[0] == sorted[n - 1])
        return true;
    prf_column_t column = {.feature = (uint16_t)feature};
    column.low = malloc(PRF_BINS * sizeof *column.low);
    column.high = malloc(PRF_BINS * sizeof *column.high);
    column.code = malloc(n * sizeof *column.code);
    if (!column.low || !column.high || !column.code) {
        column_release(&column);
        return false;
    }
    cut(&column, sorted, n);
    for (size_t i = 0; i < n; i++)
        column.code[i] = find(&column, table[i * feature_count + feature]);
    if (repeats(self, &column))
        column_release(&column);
    else
        self->columns[self->column_count++] = column;
    return true;
}

prf_status_t prf_bins_init(prf_bins_t *out, const float *table, size_t row_count, size_t feature_count, prf_error_t *err)
{
    prf_bins_t self = {.row_count = row_count};
    float *sorted = calloc(row_count ? row_count : 1, sizeof *sorted);
    self.columns = calloc(feature_count ? feature_count : 1, sizeof *self.columns);
    bool ok = sorted && self.columns;
    for (size_t f = 0; ok && row_count && f < feature_count; f++)
        ok = add_column(&self, table, feature_count, f, sorted);
    free(sorted);
    if (!ok) {
        prf_bins_release(&self);
        return prf_fail(err, PRF_ENOMEM, "features of %zu layers", row_count);
    }
    *out = self;
    return PRF_OK;
}

void prf_bins_release(prf_bins_t *self)
{
    if (!self)
        return;
    for (size_t i = 0; self->columns && i < self->column_count; i++)
        column_release(&self->columns[i]);
    free(self->columns);
    *self = (prf_bins_t){0};
}
