// SPDX-License-Identifier: Apache-2.0
/* bins.c - cuts columns at quantiles. A bin never splits equal values, and a column with at most PRF_BINS different values
 * keeps them all apart, so that small data sets lose nothing. */
#include "model/bins.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 256 };

/* A value of a column with its row. */
typedef struct {
    uint32_t key; /* in the order of the values; alike for zeros of either sign */
    uint32_t row;
} entry_t;

static uint32_t key_of(float value)
{
    uint32_t bits;
    value += 0.0F; /* the one zero */
    memcpy(&bits, &value, sizeof bits);
    return bits >> 31 ? ~bits : bits | 0x80000000U;
}

/* Radix sort by a digit of 8 bits. False: they are in this order already. */
static bool sort_by_digit(const entry_t *from, entry_t *to, size_t n, unsigned shift)
{
    size_t place[DIGITS] = {0}, before = 0;
    for (size_t i = 0; i < n; i++)
        place[from[i].key >> shift & (DIGITS - 1)]++;
    if (place[from[0].key >> shift & (DIGITS - 1)] == n)
        return false;
    for (size_t d = 0; d < DIGITS; d++) {
        size_t count = place[d];
        place[d] = before;
        before += count;
    }
    for (size_t i = 0; i < n; i++)
        to[place[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
    return true;
}

/* Sorts `entries`, or what they are sorted into; equal values stay in the order of their rows. Returns where they are. */
static const entry_t *sort(entry_t *entries, entry_t *spare, size_t n)
{
    for (unsigned shift = 0; shift < 32; shift += 8)
        if (sort_by_digit(entries, spare, n, shift)) {
            entry_t *sorted = spare;
            spare = entries;
            entries = sorted;
        }
    return entries;
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

static void encode(prf_column_t *column, const entry_t *entries, const float *sorted, size_t n)
{
    uint16_t bin = 0;
    for (size_t i = 0; i < n; i++) {
        bin = (uint16_t)(bin + (sorted[i] > column->high[bin]));
        column->code[entries[i].row] = bin;
    }
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

/* Scratch for one column. */
typedef struct {
    float *sorted;            /* owned */
    entry_t *entries, *spare; /* owned */
} scratch_t;

static void scratch_release(scratch_t *scratch)
{
    free(scratch->sorted);
    free(scratch->entries);
    free(scratch->spare);
}

static bool add_column(prf_bins_t *self, const float *table, size_t feature_count, size_t feature, const scratch_t *scratch)
{
    size_t n = self->row_count;
    float *sorted = scratch->sorted;
    for (size_t i = 0; i < n; i++)
        scratch->entries[i] = (entry_t){key_of(table[i * feature_count + feature]), (uint32_t)i};
    const entry_t *entries = sort(scratch->entries, scratch->spare, n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = table[entries[i].row * feature_count + feature];
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
    encode(&column, entries, sorted, n);
    if (repeats(self, &column))
        column_release(&column);
    else
        self->columns[self->column_count++] = column;
    return true;
}

prf_status_t prf_bins_init(prf_bins_t *out, const float *table, size_t row_count, size_t feature_count, prf_error_t *err)
{
    prf_bins_t self = {.row_count = row_count};
    size_t room = row_count ? row_count : 1;
    scratch_t scratch = {malloc(room * sizeof *scratch.sorted), malloc(room * sizeof *scratch.entries),
                         malloc(room * sizeof *scratch.spare)};
    self.columns = calloc(feature_count ? feature_count : 1, sizeof *self.columns);
    bool ok = scratch.sorted && scratch.entries && scratch.spare && self.columns;
    for (size_t f = 0; ok && row_count && f < feature_count; f++)
        ok = add_column(&self, table, feature_count, f, &scratch);
    scratch_release(&scratch);
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
