// SPDX-License-Identifier: Apache-2.0
/* widths.c - one width is added after another, as long as each makes the error much smaller. Each time every width of every side is
 * tried on a fit that holds all else: the terms found so far, joined by those that have the new width in them. The best of the best
 * sides are then fitted in full. On a board without noise a few dozen layers tell a width apart from its neighbours, because only
 * the true one makes the fit exact. */
#include "model/widths.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 300, PASSES = 8, NOMINEES = 3, PROFILE_TERMS = 24 };
#define WORTH 0.9 /* a width that leaves more than this of the error is not worth having */
#define MOST_WIDTH 1024
#define MOST_BUFFER 16777216

/* Which side of the layer a parameter, or what follows from several, is the size of; PRF_SIDES: none that has widths. */
static prf_side_t side_of(prf_layer_kind_t kind, prf_quantity_t quantity)
{
    bool product = kind == PRF_MATMUL;
    switch (quantity) {
    case PRF_P_C:
    case PRF_P_IN:
    case PRF_P_FEATURES:
        return PRF_SIDE_CHANNELS;
    case PRF_P_K:
        return product ? PRF_SIDE_CHANNELS : PRF_SIDE_COLUMNS;
    case PRF_P_OUT:
        return PRF_SIDE_COLUMNS;
    case PRF_P_N:
        return product ? PRF_SIDE_COLUMNS : PRF_SIDES;
    case PRF_P_M:
    case PRF_Q_OUT_H:
        return PRF_SIDE_OUT_H;
    case PRF_Q_OUT_W:
        return product ? PRF_SIDE_COLUMNS : PRF_SIDE_OUT_W;
    case PRF_Q_ROWS:
        return PRF_SIDE_ROWS;
    case PRF_Q_TERMS:
        return PRF_SIDE_TERMS;
    default:
        return PRF_SIDES;
    }
}

static void give(prf_widths_t *w, prf_layer_kind_t kind, prf_quantity_t quantity, int32_t width)
{
    prf_side_t side = side_of(kind, quantity);
    if (side != PRF_SIDES)
        (void)prf_widths_add(w, side, width);
}

static void widths_given(prf_widths_t *w, const prf_dataset_t *data)
{
    *w = (prf_widths_t){{0}, {{0}}};
    for (prf_quantity_t p = 0; p < PRF_PARAMS; p++)
        give(w, data->recipe.kind, p, data->recipe.width[p]);
    for (uint32_t i = 0; i < data->steps.further_count; i++)
        give(w, data->recipe.kind, data->steps.further[i].of, data->steps.further[i].width);
}

static bool has_width(const prf_widths_t *w, prf_side_t side, double width)
{
    for (uint32_t i = 0; i < w->count[side]; i++)
        if (w->width[side][i] == width)
            return true;
    return false;
}

static bool is_buffer(prf_side_t side)
{
    return side >= PRF_SIDE_INPUT_BUFFER;
}

/* All widths that are small, then ever fewer; buffers come in powers of two. */
static double next_width(prf_side_t side, double width)
{
    if (is_buffer(side))
        return width * 2;
    return width < 64 ? width + 1 : width < 128 ? width + 8 : width < 256 ? width + 32 : width * 2;
}

static double last_width(prf_side_t side, const prf_rows_t *rows)
{
    double most = 0;
    for (size_t i = 0; i < rows->rows; i++)
        most = fmax(most, rows->quantities[i * PRF_QUANTITIES + prf_side_quantity(side)]);
    return fmin(most - 1, is_buffer(side) ? MOST_BUFFER : MOST_WIDTH);
}

/* The state of the search: what is known, and how well it does. */
typedef struct {
    prf_rows_t rows;
    prf_widths_t widths;
    prf_sum_t sums[2];
    double error;
} search_t;

typedef struct {
    prf_side_t side;
    double width, squares; /* squares: what is left with it */
} nominee_t;

static prf_status_t profile(double *squares, search_t *s, int which, prf_side_t side, double width, prf_error_t *err)
{
    prf_dictionary_t *d = malloc(sizeof *d);
    prf_columns_t columns;
    prf_choice_t choice;
    double *store = NULL;
    if (!d)
        return prf_fail(err, PRF_ENOMEM, "widths over %zu layers", s->rows.rows);
    prf_dictionary_init(d, s->rows.quantities, s->rows.rows);
    prf_dictionary_scan(d, &s->widths, side, width);
    *squares = INFINITY;
    prf_status_t status = PRF_OK;
    if (d->term_count) {
        for (uint32_t i = 0; i < s->sums[which].count; i++)
            prf_dictionary_term_add(d, &s->sums[which].terms[i]);
        status = prf_rows_columns(&columns, &store, &s->rows, d, s->sums[1].count ? which : -1, err);
        if (!status)
            status = prf_select_nonnegative(&choice, &columns, PROFILE_TERMS, err);
        if (!status)
            *squares = choice.squares;
    }
    free(store);
    prf_dictionary_release(d);
    free(d);
    return status;
}

static int by_squares(const void *a, const void *b)
{
    const nominee_t *x = a, *y = b;
    return x->squares < y->squares ? -1 : x->squares > y->squares ? 1 : (x->side > y->side) - (x->side < y->side);
}

/* The best width of each side for one of the sums, best first. A side that a sweep has settled is left alone. */
static prf_status_t nominate(nominee_t best[PRF_SIDES], search_t *s, int which, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (int i = 0; !status && i < PRF_SIDES; i++) {
        prf_side_t side = (prf_side_t)i;
        bool settled = (side == PRF_SIDE_CHANNELS || side == PRF_SIDE_COLUMNS) && s->widths.count[side] > 0;
        double last = settled ? 0 : last_width(side, &s->rows), squares;
        best[i] = (nominee_t){side, 0, INFINITY};
        for (double width = is_buffer(side) ? 256 : 2; !status && width <= last; width = next_width(side, width)) {
            if (has_width(&s->widths, side, width))
                continue;
            status = profile(&squares, s, which, side, width, err);
            if (!status && squares < best[i].squares * (1 - 1e-9))
                best[i] = (nominee_t){side, width, squares};
        }
    }
    qsort(best, PRF_SIDES, sizeof *best, by_squares);
    return status;
}

/* Fits one sum and two; keeps what does better in s->sums and s->error, and the sides in s->rows. */
static prf_status_t fit(search_t *s, bool from_sides, prf_error_t *err)
{
    prf_dictionary_t *d = malloc(sizeof *d);
    prf_sum_t two[2];
    if (!d)
        return prf_fail(err, PRF_ENOMEM, "widths over %zu layers", s->rows.rows);
    prf_dictionary_init(d, s->rows.quantities, s->rows.rows);
    prf_dictionary_add(d, &s->widths);
    prf_status_t status = prf_sums_fit_one(s->sums, &s->rows, d, false, err);
    s->error = prf_rows_mean_error(&s->rows);
    if (!status && s->error > PRF_SUMS_EXACT) {
        status = prf_sums_fit_two(two, &s->rows, d, false, from_sides, err);
        double error = prf_rows_mean_error(&s->rows);
        if (!status && two[0].count && error < s->error) {
            s->error = error;
            memcpy(s->sums, two, sizeof two);
        }
    }
    prf_dictionary_release(d);
    free(d);
    return status;
}

/* Fits with each of the nominees; keeps the best, if it is worth having. */
static prf_status_t add_one(search_t *s, const nominee_t *nominees, size_t count, bool *added, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    search_t before = *s, best = *s;
    uint8_t *sides = malloc(2 * s->rows.rows + 1), *best_sides = sides + s->rows.rows;
    if (!sides)
        return prf_fail(err, PRF_ENOMEM, "widths over %zu layers", s->rows.rows);
    memcpy(sides, s->rows.side, s->rows.rows);
    memcpy(best_sides, sides, s->rows.rows);
    *added = false;
    for (size_t i = 0; !status && i < count && isfinite(nominees[i].squares) && best.error > PRF_SUMS_EXACT; i++) {
        *s = before;
        memcpy(s->rows.side, sides, s->rows.rows);
        if (!prf_widths_add(&s->widths, nominees[i].side, nominees[i].width))
            continue;
        status = fit(s, before.sums[1].count > 0, err);
        if (!status && s->error < WORTH * before.error && s->error < best.error) {
            best = *s;
            memcpy(best_sides, s->rows.side, s->rows.rows);
            *added = true;
        }
    }
    *s = best;
    memcpy(s->rows.side, best_sides, s->rows.rows);
    free(sides);
    return status;
}

static void take_out(prf_widths_t *w, prf_side_t side, uint32_t place)
{
    w->count[side]--;
    for (uint32_t i = place; i < w->count[side]; i++)
        w->width[side][i] = w->width[side][i + 1];
}

/* Gives up each found width that the others do as well without: it may have served to find them only. */
static prf_status_t give_up(search_t *s, const prf_widths_t *given, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    uint8_t *sides = malloc(s->rows.rows + 1);
    if (!sides)
        return prf_fail(err, PRF_ENOMEM, "widths over %zu layers", s->rows.rows);
    for (int side = 0; !status && side < PRF_SIDES; side++)
        for (uint32_t i = s->widths.count[side]; !status && i-- > given->count[side];) {
            search_t before = *s;
            memcpy(sides, s->rows.side, s->rows.rows);
            take_out(&s->widths, (prf_side_t)side, i);
            status = fit(s, before.sums[1].count > 0, err);
            if (status || s->error * WORTH > fmax(before.error, PRF_SUMS_EXACT)) {
                *s = before;
                memcpy(s->rows.side, sides, s->rows.rows);
            }
        }
    free(sides);
    return status;
}

prf_status_t prf_widths_find(prf_widths_t *out, const prf_dataset_t *data, prf_error_t *err)
{
    search_t s = {.error = 0};
    bool added = true;
    prf_widths_t given;
    widths_given(&given, data);
    s.widths = given;
    prf_status_t status = prf_rows_init(&s.rows, data, ROWS, err);
    if (status)
        return status;
    status = fit(&s, false, err);
    for (int pass = 0; !status && added && pass < PASSES && s.error > PRF_SUMS_EXACT; pass++) {
        nominee_t nominees[2 * PRF_SIDES];
        size_t count = NOMINEES;
        prf_rows_evaluate(&s.rows, s.sums);
        prf_rows_judge(&s.rows);
        status = nominate(nominees, &s, 0, err);
        if (!status && s.sums[1].count) {
            status = nominate(nominees + count, &s, 1, err);
            count++;
        }
        if (!status)
            status = add_one(&s, nominees, count, &added, err);
    }
    if (!status)
        status = give_up(&s, &given, err);
    *out = s.widths;
    prf_rows_release(&s.rows);
    return status;
}
