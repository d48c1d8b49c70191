// SPDX-License-Identifier: Apache-2.0
/* sums.c - the larger of two sums is fitted by turns: each sum to the rows that it explains, then each row to the sum that is
 * larger there, until no row moves. Where that ends depends on where it begins, so it begins several times. */
#include "model/sums.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"

enum { ROBUST_ROUNDS = 4, ALTERNATIONS = 14, EXPLAINING = 5, LEAST_ROWS = 8 };

void prf_rows_release(prf_rows_t *self)
{
    free(self->quantities);
    free(self->latency);
    free(self->side);
    *self = (prf_rows_t){0};
}

static void trust_all(prf_rows_t *r)
{
    for (size_t i = 0; i < r->rows; i++)
        r->trust[i] = 1;
}

prf_status_t prf_rows_init(prf_rows_t *out, const prf_dataset_t *data, size_t most, prf_error_t *err)
{
    size_t n = data->count < most ? data->count : most;
    prf_rows_t r = {.rows = n};
    r.quantities = malloc((n + 1) * PRF_QUANTITIES * sizeof *r.quantities);
    r.latency = malloc(6 * (n + 1) * sizeof *r.latency);
    r.side = calloc(n + 1, 1);
    if (!r.quantities || !r.latency || !r.side) {
        prf_rows_release(&r);
        return prf_fail(err, PRF_ENOMEM, "terms over %zu layers", n);
    }
    r.trust = r.latency + n;
    r.scale = r.trust + n;
    r.target = r.scale + n;
    r.fitted = r.target + n;
    r.scratch = r.fitted + n;
    for (size_t i = 0; i < n; i++) {
        size_t row = i * data->count / n;
        prf_dataset_quantities(data, row, r.quantities + i * PRF_QUANTITIES);
        r.latency[i] = exp(data->log_latency[row]);
    }
    trust_all(&r);
    *out = r;
    return PRF_OK;
}

void prf_rows_block(prf_rows_t *self, const prf_blocking_t *blocking)
{
    for (size_t i = 0; i < self->rows; i++)
        prf_blocking_apply(blocking, self->quantities + i * PRF_QUANTITIES);
}

static double sum_at(const prf_sum_t *s, const double *quantities)
{
    double total = 0;
    for (uint32_t i = 0; i < s->count; i++)
        total += s->terms[i].weight * prf_term_value(&s->terms[i], quantities);
    return total;
}

void prf_rows_evaluate(prf_rows_t *self, const prf_sum_t sums[2])
{
    for (size_t i = 0; i < self->rows; i++) {
        const double *q = self->quantities + i * PRF_QUANTITIES;
        self->fitted[i] = sum_at(&sums[0], q);
        if (sums[1].count)
            self->fitted[i] = fmax(self->fitted[i], sum_at(&sums[1], q));
    }
}

void prf_rows_take_sides(prf_rows_t *self, const prf_sum_t sums[2])
{
    for (size_t i = 0; i < self->rows; i++) {
        const double *q = self->quantities + i * PRF_QUANTITIES;
        self->side[i] = sum_at(&sums[1], q) > sum_at(&sums[0], q);
    }
}

static double error_at(const prf_rows_t *r, size_t i)
{
    return fabs(r->fitted[i] / r->latency[i] - 1);
}

double prf_rows_median_error(prf_rows_t *self)
{
    for (size_t i = 0; i < self->rows; i++)
        self->scratch[i] = error_at(self, i);
    prf_sort(self->scratch, self->rows);
    return self->scratch[self->rows / 2];
}

double prf_rows_mean_error(const prf_rows_t *self)
{
    double sum = 0;
    for (size_t i = 0; i < self->rows; i++)
        sum += error_at(self, i);
    return sum / (double)self->rows;
}

void prf_rows_judge(prf_rows_t *self)
{
    double usual = fmax(PRF_SUMS_USUAL * prf_rows_median_error(self), PRF_SUMS_EXACT);
    for (size_t i = 0; i < self->rows; i++)
        self->trust[i] = error_at(self, i) <= usual ? 1 : usual / error_at(self, i);
}

prf_status_t prf_rows_columns(prf_columns_t *out, double **store, prf_rows_t *self, const prf_dictionary_t *dictionary, int side,
                              prf_error_t *err)
{
    size_t n = self->rows, count = dictionary->term_count;
    double *values = dictionary->failed ? NULL : malloc((count + 1) * (n + 1) * sizeof *values);
    if (!values)
        return prf_fail(err, PRF_ENOMEM, "%zu terms over %zu layers", count, n);
    for (size_t i = 0; i < n; i++) {
        self->target[i] = side >= 0 && self->side[i] != side ? 0 : sqrt(self->trust[i]);
        self->scale[i] = self->target[i] / self->latency[i];
    }
    for (size_t t = 0; t < count; t++)
        prf_dictionary_column(dictionary, t, self->scale, values + t * n);
    *store = values;
    *out = (prf_columns_t){n, count, values, self->target};
    return PRF_OK;
}

/* --- one sum --------------------------------------------------------------------------------------------------------- */

static uint32_t most_terms(size_t rows)
{
    return rows < 8 ? 2 : rows > 160 ? 40 : (uint32_t)(rows / 4);
}

static prf_status_t fit_side(prf_sum_t *out, prf_rows_t *r, const prf_dictionary_t *d, int side, bool signed_weights, uint32_t most,
                             prf_error_t *err)
{
    prf_columns_t columns;
    prf_choice_t choice = {.count = 0};
    double *store = NULL;
    prf_status_t status = prf_rows_columns(&columns, &store, r, d, side, err);
    if (!status)
        status = (signed_weights ? prf_select_forward : prf_select_nonnegative)(&choice, &columns, most, err);
    if (!status)
        status = prf_select_prune(&choice, &columns, err);
    out->count = 0;
    for (uint32_t i = 0; !status && i < choice.count; i++) {
        prf_dictionary_term(d, choice.column[i], &out->terms[i]);
        out->terms[i].weight = choice.weight[i];
        out->count++;
    }
    free(store);
    return status;
}

prf_status_t prf_sums_fit_one(prf_sum_t sums[2], prf_rows_t *rows, const prf_dictionary_t *dictionary, bool signed_weights,
                              prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    sums[1].count = 0;
    trust_all(rows);
    for (int round = 0; !status && round < ROBUST_ROUNDS; round++) {
        status = fit_side(&sums[0], rows, dictionary, -1, signed_weights, most_terms(rows->rows), err);
        prf_rows_evaluate(rows, sums);
        if (!status && prf_rows_median_error(rows) < PRF_SUMS_EXACT)
            break;
        prf_rows_judge(rows);
    }
    return status;
}

/* --- two sums -------------------------------------------------------------------------------------------------------- */

typedef struct {
    double key;
    size_t row;
} keyed_t;

static int by_key(const void *a, const void *b)
{
    const keyed_t *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key ? 1 : (x->row > y->row) - (x->row < y->row);
}

/* How to begin: the share of rows with the smallest key is explained by the second sum. Layers that are bound by moving data do few
 * operations a byte, take the least time a byte, or much time an operation. */
typedef enum { BY_INTENSITY, BY_TIME_A_BYTE, BY_TIME_AN_OPERATION } order_key_t;

typedef struct {
    order_key_t key;
    double share;
} beginning_t;

static const beginning_t beginnings[] = {
    {BY_INTENSITY, 0.1},   {BY_INTENSITY, 0.35},  {BY_INTENSITY, 0.7},          {BY_TIME_A_BYTE, 0.1},       {BY_TIME_A_BYTE, 0.3},
    {BY_TIME_A_BYTE, 0.6}, {BY_TIME_A_BYTE, 0.8}, {BY_TIME_AN_OPERATION, 0.15}, {BY_TIME_AN_OPERATION, 0.5},
};
enum { BEGINNINGS = sizeof beginnings / sizeof *beginnings };

static double key_of(order_key_t key, const double *q, double latency)
{
    switch (key) {
    case BY_TIME_A_BYTE:
        return latency / q[PRF_Q_BYTES];
    case BY_TIME_AN_OPERATION:
        return -latency / q[PRF_Q_OPS];
    default:
        return q[PRF_Q_OPS] / q[PRF_Q_BYTES];
    }
}

static prf_status_t begin(prf_rows_t *r, const beginning_t *how, prf_error_t *err)
{
    keyed_t *order = malloc((r->rows + 1) * sizeof *order);
    if (!order)
        return prf_fail(err, PRF_ENOMEM, "two sums over %zu layers", r->rows);
    for (size_t i = 0; i < r->rows; i++)
        order[i] = (keyed_t){key_of(how->key, r->quantities + i * PRF_QUANTITIES, r->latency[i]), i};
    qsort(order, r->rows, sizeof *order, by_key);
    for (size_t i = 0; i < r->rows; i++)
        r->side[order[i].row] = (double)i < how->share * (double)r->rows;
    free(order);
    return PRF_OK;
}

/* Moves each row to the sum that is larger there, or at first to the one that explains it better: a sum that is right already then
 * takes its rows away from one that is not. Returns how many changed sides. */
static size_t move_rows(prf_rows_t *r, const prf_sum_t sums[2], bool at_first)
{
    size_t moved = 0;
    for (size_t i = 0; i < r->rows; i++) {
        const double *q = r->quantities + i * PRF_QUANTITIES;
        double first = sum_at(&sums[0], q), second = sum_at(&sums[1], q);
        uint8_t to = at_first ? fabs(second - r->latency[i]) < fabs(first - r->latency[i]) : second > first;
        moved += to != r->side[i];
        r->side[i] = to;
    }
    return moved;
}

static prf_status_t alternate(prf_sum_t sums[2], prf_rows_t *r, const prf_dictionary_t *d, bool signed_weights, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    sums[0].count = sums[1].count = 0;
    for (int round = 0; !status && round < ALTERNATIONS; round++) {
        size_t second = 0;
        for (size_t i = 0; i < r->rows; i++)
            second += r->side[i];
        size_t first = r->rows - second;
        if (first < LEAST_ROWS || second < LEAST_ROWS)
            break;
        status = fit_side(&sums[0], r, d, 0, signed_weights, most_terms(first), err);
        if (!status)
            status = fit_side(&sums[1], r, d, 1, signed_weights, most_terms(second) / 2, err);
        bool at_first = round < EXPLAINING;
        if (status || (!move_rows(r, sums, at_first) && !at_first))
            break;
        prf_rows_evaluate(r, sums);
        prf_rows_judge(r);
    }
    prf_rows_evaluate(r, sums);
    return status;
}

prf_status_t prf_sums_fit_two(prf_sum_t sums[2], prf_rows_t *rows, const prf_dictionary_t *dictionary, bool signed_weights,
                              bool from_sides, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    uint8_t *side = calloc(rows->rows + 1, 1); /* of the best so far */
    double least = INFINITY;
    if (!side)
        return prf_fail(err, PRF_ENOMEM, "two sums over %zu layers", rows->rows);
    sums[0].count = sums[1].count = 0;
    for (int s = 0; !status && s < (from_sides ? 1 : BEGINNINGS) && least > PRF_SUMS_EXACT; s++) {
        prf_sum_t found[2];
        trust_all(rows);
        status = from_sides ? PRF_OK : begin(rows, &beginnings[s], err);
        if (!status)
            status = alternate(found, rows, dictionary, signed_weights, err);
        if (!status && found[0].count && prf_rows_mean_error(rows) < least) {
            least = prf_rows_mean_error(rows);
            memcpy(sums, found, sizeof found);
            memcpy(side, rows->side, rows->rows);
        }
    }
    memcpy(rows->side, side, rows->rows);
    prf_rows_evaluate(rows, sums);
    free(side);
    return status;
}
