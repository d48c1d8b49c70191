// SPDX-License-Identifier: Apache-2.0
/* select.c - all sums run in a fixed order, so that the same columns give the same choice on every machine.
 *
 * Small systems are solved by modified Gram-Schmidt, twice over, on columns of length one: normal equations would lose half of the
 * digits, and a board that is a sum of terms exactly is recognised by a residual of 1e-9. */
#include "model/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/dot.h"

#define DEPENDENT 1e-9 /* a column shorter than this, of its length, once made orthogonal to others, says nothing new */
#define EXACT 1e-10    /* relative errors below are rounding */

static void take_off(double *from, double share, const double *what, size_t n)
{
    for (size_t i = 0; i < n; i++)
        from[i] -= share * what[i];
}

static void scale(double *v, double by, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i] *= by;
}

/* Q of length-one columns, orthogonal to each other, and R with columns = Q R. */
typedef struct {
    size_t rows;
    uint32_t count;
    double *q; /* owned: PRF_CHOSEN columns */
    double r[PRF_CHOSEN][PRF_CHOSEN];
    double *rest; /* owned: what is left of the target */
    double c[PRF_CHOSEN];
} basis_t;

static void basis_free(basis_t *b)
{
    if (!b)
        return;
    free(b->q);
    free(b->rest);
    free(b);
}

static basis_t *basis_new(const prf_columns_t *columns)
{
    basis_t *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->rows = columns->rows;
    b->q = malloc((PRF_CHOSEN * b->rows + 1) * sizeof *b->q);
    b->rest = malloc((b->rows + 1) * sizeof *b->rest);
    if (!b->q || !b->rest) {
        basis_free(b);
        return NULL;
    }
    memcpy(b->rest, columns->target, b->rows * sizeof *b->rest);
    return b;
}

/* False: the column lies in the span of those before. */
static bool basis_add(basis_t *b, const double *column)
{
    size_t n = b->rows;
    uint32_t k = b->count;
    double *v = b->q + k * n, length = sqrt(prf_dot(column, column, n));
    if (!(length > 0) || k == PRF_CHOSEN)
        return false;
    memcpy(v, column, n * sizeof *v);
    for (uint32_t j = 0; j < k; j++)
        b->r[j][k] = 0;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t j = 0; j < k; j++) {
            double share = prf_dot(b->q + j * n, v, n);
            take_off(v, share, b->q + j * n, n);
            b->r[j][k] += share;
        }
    double rest = sqrt(prf_dot(v, v, n));
    if (rest < DEPENDENT * length)
        return false;
    b->r[k][k] = rest;
    scale(v, 1 / rest, n);
    b->c[k] = 0;
    for (int pass = 0; pass < 2; pass++) {
        double share = prf_dot(v, b->rest, n);
        take_off(b->rest, share, v, n);
        b->c[k] += share;
    }
    b->count++;
    return true;
}

/* Coefficients by back substitution; the loss without column j is weight^2 over the j-th diagonal of (R' R)^-1. */
static void basis_solve(const basis_t *b, prf_choice_t *choice)
{
    uint32_t k = b->count;
    double inverse[PRF_CHOSEN][PRF_CHOSEN];
    for (uint32_t j = 0; j < k; j++)
        for (uint32_t i = j + 1; i-- > 0;) {
            double sum = i == j;
            for (uint32_t m = i + 1; m <= j; m++)
                sum -= b->r[i][m] * inverse[m][j];
            inverse[i][j] = sum / b->r[i][i];
        }
    for (uint32_t i = 0; i < k; i++) {
        double weight = 0, square = 0;
        for (uint32_t j = i; j < k; j++) {
            weight += inverse[i][j] * b->c[j];
            square += inverse[i][j] * inverse[i][j];
        }
        choice->weight[i] = weight;
        choice->loss[i] = weight * weight / square;
    }
    choice->squares = prf_dot(b->rest, b->rest, b->rows);
}

static const double *column_at(const prf_columns_t *columns, size_t index)
{
    return columns->values + index * columns->rows;
}

prf_status_t prf_select_solve(prf_choice_t *choice, const prf_columns_t *columns, prf_error_t *err)
{
    basis_t *b = basis_new(columns);
    if (!b)
        return prf_fail(err, PRF_ENOMEM, "least squares over %zu layers", columns->rows);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < choice->count; i++)
        if (basis_add(b, column_at(columns, choice->column[i])))
            choice->column[kept++] = choice->column[i];
    choice->count = kept;
    basis_solve(b, choice);
    basis_free(b);
    return PRF_OK;
}

/* For each column its squared length orthogonal to the basis, and its product with what is left of the target. */
typedef struct {
    double length, orthogonal, along;
} standing_t;

static size_t best_column(const standing_t *standing, size_t count)
{
    double best = 0;
    size_t found = SIZE_MAX;
    for (size_t j = 0; j < count; j++) {
        const standing_t *s = &standing[j];
        if (s->orthogonal < 1e-9 * s->length)
            continue;
        double gain = s->along * s->along / s->orthogonal;
        if (gain > best * (1 + 1e-9)) { /* ties go to the one that stands first */
            best = gain;
            found = j;
        }
    }
    return found;
}

prf_status_t prf_select_forward(prf_choice_t *out, const prf_columns_t *columns, uint32_t most, prf_error_t *err)
{
    size_t n = columns->rows;
    basis_t *b = basis_new(columns);
    standing_t *standing = malloc((columns->count + 1) * sizeof *standing);
    prf_status_t status = b && standing ? PRF_OK : prf_fail(err, PRF_ENOMEM, "a choice among %zu terms", columns->count);
    for (size_t j = 0; !status && j < columns->count; j++) {
        const double *v = column_at(columns, j);
        double length = prf_dot(v, v, n);
        standing[j] = (standing_t){length, length, prf_dot(v, b->rest, n)};
    }
    *out = (prf_choice_t){0};
    while (!status && out->count < most && prf_dot(b->rest, b->rest, n) > EXACT * EXACT * (double)n) {
        size_t j = best_column(standing, columns->count);
        if (j == SIZE_MAX)
            break;
        if (!basis_add(b, column_at(columns, j))) {
            standing[j].orthogonal = 0;
            continue;
        }
        out->column[out->count++] = (uint32_t)j;
        const double *q = b->q + (b->count - 1) * n;
        for (size_t i = 0; i < columns->count; i++) {
            double share = prf_dot(column_at(columns, i), q, n);
            standing[i].orthogonal -= share * share;
            standing[i].along -= share * b->c[b->count - 1];
        }
        standing[j].orthogonal = 0;
    }
    if (!status)
        basis_solve(b, out);
    basis_free(b);
    free(standing);
    return status;
}

/* --- coefficients that are not negative ------------------------------------------------------------------------------ */

/* Works on inner products of columns scaled to length one; those of a column with all others are computed when it is first chosen.
 */
typedef struct {
    const prf_columns_t *columns;
    double *lengths, *along, *slope; /* owned, one a column: length; product with the target; with what is left of it */
    uint8_t *barred;                 /* owned: came back without having moved anything */
    double *products;                /* owned: for each place in `held` a row of products with all columns */
    uint32_t count, held[PRF_CHOSEN];
    double x[PRF_CHOSEN];
} active_t;

static void active_release(active_t *a)
{
    free(a->lengths);
    free(a->barred);
    free(a->products);
}

static prf_status_t active_init(active_t *a, const prf_columns_t *columns, prf_error_t *err)
{
    size_t m = columns->count, n = columns->rows;
    *a = (active_t){.columns = columns};
    a->lengths = malloc((3 * m + 1) * sizeof *a->lengths);
    a->barred = calloc(m + 1, 1);
    a->products = malloc((PRF_CHOSEN * m + 1) * sizeof *a->products);
    if (!a->lengths || !a->barred || !a->products) {
        active_release(a);
        return prf_fail(err, PRF_ENOMEM, "a choice among %zu terms", m);
    }
    a->along = a->lengths + m;
    a->slope = a->along + m;
    for (size_t j = 0; j < m; j++) {
        const double *v = column_at(columns, j);
        a->lengths[j] = sqrt(prf_dot(v, v, n));
        a->along[j] = a->lengths[j] > 0 ? prf_dot(v, columns->target, n) / a->lengths[j] : 0;
    }
    return PRF_OK;
}

static void active_put(active_t *a, uint32_t j)
{
    const prf_columns_t *columns = a->columns;
    double *row = a->products + a->count * columns->count;
    for (size_t i = 0; i < columns->count; i++)
        row[i] = a->lengths[i] > 0
                     ? prf_dot(column_at(columns, i), column_at(columns, j), columns->rows) / a->lengths[i] / a->lengths[j]
                     : 0;
    a->x[a->count] = 0;
    a->held[a->count++] = j;
}

static void active_drop(active_t *a, uint32_t place)
{
    size_t m = a->columns->count;
    a->count--;
    for (uint32_t i = place; i < a->count; i++) {
        a->held[i] = a->held[i + 1];
        a->x[i] = a->x[i + 1];
        memcpy(a->products + i * m, a->products + (i + 1) * m, m * sizeof *a->products);
    }
}

/* Solves for the columns held, by Cholesky. False when they depend on each other. */
static bool active_solve(const active_t *a, double *x)
{
    uint32_t k = a->count;
    double l[PRF_CHOSEN][PRF_CHOSEN];
    for (uint32_t i = 0; i < k; i++) {
        for (uint32_t j = 0; j <= i; j++) {
            double sum = a->products[i * a->columns->count + a->held[j]];
            for (uint32_t m = 0; m < j; m++)
                sum -= l[i][m] * l[j][m];
            if (i == j && sum < 1e-13)
                return false;
            l[i][j] = i == j ? sqrt(sum) : sum / l[j][j];
        }
        double sum = a->along[a->held[i]];
        for (uint32_t m = 0; m < i; m++)
            sum -= l[i][m] * x[m];
        x[i] = sum / l[i][i];
    }
    for (uint32_t i = k; i-- > 0;) {
        for (uint32_t m = i + 1; m < k; m++)
            x[i] -= l[m][i] * x[m];
        x[i] /= l[i][i];
    }
    return true;
}

/* Walks from x, nowhere negative, towards the solution until the first coefficient turns negative, gives that column up, and so on.
 * Lawson and Hanson, chapter 23. */
static void active_settle(active_t *a)
{
    double to[PRF_CHOSEN];
    while (a->count > 0) {
        if (!active_solve(a, to)) {
            active_drop(a, a->count - 1);
            return;
        }
        double step = 1;
        uint32_t first = UINT32_MAX;
        for (uint32_t i = 0; i < a->count; i++)
            if (to[i] <= 0 && a->x[i] / (a->x[i] - to[i]) < step) {
                step = a->x[i] / (a->x[i] - to[i]);
                first = i;
            }
        for (uint32_t i = 0; i < a->count; i++)
            a->x[i] += step * (to[i] - a->x[i]);
        if (first == UINT32_MAX)
            return;
        active_drop(a, first);
    }
}

/* The column that points best at what is left. */
static size_t active_steepest(active_t *a)
{
    size_t m = a->columns->count, found = SIZE_MAX;
    double best = 1e-13 * sqrt((double)a->columns->rows);
    memcpy(a->slope, a->along, m * sizeof *a->slope);
    for (uint32_t i = 0; i < a->count; i++)
        take_off(a->slope, a->x[i], a->products + i * m, m);
    for (uint32_t i = 0; i < a->count; i++)
        a->slope[a->held[i]] = 0;
    for (size_t j = 0; j < m; j++)
        if (!a->barred[j] && a->slope[j] > best * (1 + 1e-9)) {
            best = a->slope[j];
            found = j;
        }
    return found;
}

static void active_search(active_t *a, uint32_t most)
{
    for (size_t round = 0; round < 4 * PRF_CHOSEN && a->count < most; round++) {
        size_t j = active_steepest(a);
        if (j == SIZE_MAX)
            return;
        active_put(a, (uint32_t)j);
        active_settle(a);
        bool stayed = a->count > 0 && a->held[a->count - 1] == j;
        if (stayed)
            memset(a->barred, 0, a->columns->count);
        else
            a->barred[j] = 1;
    }
}

prf_status_t prf_select_nonnegative(prf_choice_t *out, const prf_columns_t *columns, uint32_t most, prf_error_t *err)
{
    active_t a;
    prf_status_t status = active_init(&a, columns, err);
    if (status)
        return status;
    active_search(&a, most);
    *out = (prf_choice_t){.count = a.count};
    memcpy(out->column, a.held, a.count * sizeof *a.held);
    active_release(&a);
    return prf_select_solve(out, columns, err);
}

double prf_select_criterion(double squares, size_t rows, uint32_t chosen, size_t among)
{
    double n = (double)rows, noise = squares / n + EXACT * EXACT;
    return n * log(noise) + chosen * (log(n) + log((double)(among ? among : 1)));
}

static void leave_out(prf_choice_t *choice, uint32_t place)
{
    choice->count--;
    for (uint32_t i = place; i < choice->count; i++)
        choice->column[i] = choice->column[i + 1];
}

/* Gives up columns of a small problem that has as many rows as columns; `rest` is what no column can explain, of `rows` rows. */
static prf_status_t prune_small(prf_choice_t *choice, const prf_columns_t *small, double rest, size_t rows, size_t among,
                                prf_error_t *err)
{
    prf_status_t status = prf_select_solve(choice, small, err);
    while (!status && choice->count > 1) {
        uint32_t weakest = 0;
        for (uint32_t i = 1; i < choice->count; i++)
            if (choice->loss[i] < choice->loss[weakest])
                weakest = i;
        double squares = rest + choice->squares;
        if (prf_select_criterion(squares + choice->loss[weakest], rows, choice->count - 1, among) >
            prf_select_criterion(squares, rows, choice->count, among))
            break;
        leave_out(choice, weakest);
        status = prf_select_solve(choice, small, err);
    }
    return status;
}

/* With columns = Q R, the columns of R and Q' target pose the same problem in as many rows as there are columns. */
prf_status_t prf_select_prune(prf_choice_t *choice, const prf_columns_t *columns, prf_error_t *err)
{
    prf_choice_t kept = {.count = 0};
    basis_t *b = basis_new(columns);
    double *values = calloc(PRF_CHOSEN, sizeof b->r[0]);
    prf_status_t status = b && values ? PRF_OK : prf_fail(err, PRF_ENOMEM, "least squares over %zu layers", columns->rows);
    for (uint32_t i = 0; !status && i < choice->count; i++)
        if (basis_add(b, column_at(columns, choice->column[i])))
            choice->column[kept.count++] = choice->column[i];
    if (!status) {
        uint32_t k = kept.count;
        for (uint32_t j = 0; j < k; j++)
            for (uint32_t i = 0; i <= j; i++)
                values[j * k + i] = b->r[i][j];
        for (uint32_t i = 0; i < k; i++)
            kept.column[i] = i;
        const prf_columns_t small = {k, k, values, b->c};
        status = prune_small(&kept, &small, prf_dot(b->rest, b->rest, b->rows), b->rows, columns->count, err);
    }
    for (uint32_t i = 0; i < kept.count; i++)
        kept.column[i] = choice->column[kept.column[i]];
    if (!status)
        *choice = kept;
    free(values);
    basis_free(b);
    return status ? status : prf_select_solve(choice, columns, err);
}
