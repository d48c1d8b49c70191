// SPDX-License-Identifier: Apache-2.0
/* structure.c - one thing is added after another, as long as each makes the error much smaller. Each time every width of every side
 * is tried on a fit that holds all else: the terms found so far, joined by those that have the new width in them; so is a blocking,
 * buffer by buffer. The best few are then fitted in full, and the best of them stays. On a board without noise a few dozen layers
 * tell a width apart from its neighbours, because only the true one makes the fit exact. */
#include "model/structure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 300, PASSES = 8, NOMINEES = 3, PROFILE_TERMS = 24, ROUNDS = 3 };
#define WORTH 0.9      /* what leaves more than this of the error is not worth having, */
#define PROMISING 0.95 /* but may be on the way to what is */
#define MOST_WIDTH 1024
#define LEAST_BUFFER 256
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

/* All widths that are small, then ever fewer. */
static double next_width(double width)
{
    return width < 64 ? width + 1 : width < 128 ? width + 8 : width < 256 ? width + 32 : width * 2;
}

static double last_width(prf_side_t side, const prf_rows_t *rows)
{
    double most = 0;
    for (size_t i = 0; i < rows->rows; i++)
        most = fmax(most, rows->quantities[i * PRF_QUANTITIES + prf_side_quantity(side)]);
    return fmin(most - 1, MOST_WIDTH);
}

/* What a machine works on in tiles it stores and cuts in tiles. */
static void cut_by_widths(prf_structure_t *self)
{
    const prf_widths_t *w = &self->widths;
    self->blocking.channel_step = w->count[PRF_SIDE_CHANNELS] ? w->width[PRF_SIDE_CHANNELS][0] : 1;
    self->blocking.column_step = w->count[PRF_SIDE_COLUMNS] ? w->width[PRF_SIDE_COLUMNS][0] : 1;
}

void prf_structure_terms(const prf_structure_t *self, prf_dictionary_t *dictionary)
{
    prf_dictionary_add(dictionary, &self->widths);
    if (self->blocking.order != PRF_ORDER_NONE)
        prf_dictionary_add_pieces(dictionary, &self->widths);
}

/* The state of the search: what is known, and how well it does. */
typedef struct {
    prf_rows_t *rows; /* borrowed; the blocking is applied to them */
    prf_structure_t known;
    prf_sum_t sums[2];
    double error;
} search_t;

/* Something that might be added, and the squares that are left with it in a quick trial. */
typedef struct {
    prf_structure_t with;
    double squares;
} nominee_t;

static prf_dictionary_t *dictionary_new(const search_t *s, prf_error_t *err)
{
    prf_dictionary_t *d = malloc(sizeof *d);
    if (d)
        prf_dictionary_init(d, s->rows->quantities, s->rows->rows);
    else
        (void)prf_fail(err, PRF_ENOMEM, "terms over %zu layers", s->rows->rows);
    return d;
}

static void dictionary_destroy(prf_dictionary_t *d)
{
    prf_dictionary_release(d);
    free(d);
}

/* What is left of the rows of one side (all: -1) when the terms found so far join those of the dictionary. */
static prf_status_t profile(double *squares, search_t *s, prf_dictionary_t *d, int side, prf_error_t *err)
{
    prf_columns_t columns;
    prf_choice_t choice = {.count = 0};
    double *store = NULL;
    for (int which = 0; which < 2; which++)
        for (uint32_t i = 0; i < s->sums[which].count && (side < 0 || side == which); i++)
            prf_dictionary_term_add(d, &s->sums[which].terms[i]);
    prf_status_t status = prf_rows_columns(&columns, &store, s->rows, d, side, err);
    if (!status)
        status = prf_select_nonnegative(&choice, &columns, PROFILE_TERMS, err);
    if (!status)
        *squares = choice.squares;
    free(store);
    return status;
}

static prf_status_t profile_width(double *squares, search_t *s, int side, prf_side_t of, double width, prf_error_t *err)
{
    prf_dictionary_t *d = dictionary_new(s, err);
    if (!d)
        return PRF_ENOMEM;
    prf_dictionary_scan(d, &s->known.widths, of, width);
    *squares = INFINITY;
    prf_status_t status = d->term_count ? profile(squares, s, d, side, err) : PRF_OK;
    dictionary_destroy(d);
    return status;
}

static int by_squares(const void *a, const void *b)
{
    double x = ((const nominee_t *)a)->squares, y = ((const nominee_t *)b)->squares;
    return (x > y) - (x < y);
}

/* The best width of each side of the layer for one of the sums, best first. What a sweep has settled is left alone. */
static prf_status_t nominate_widths(nominee_t best[PRF_SIDES], search_t *s, int which, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (int i = 0; !status && i < PRF_SIDES; i++) {
        prf_side_t side = (prf_side_t)i;
        bool settled = (side == PRF_SIDE_CHANNELS || side == PRF_SIDE_COLUMNS) && s->known.widths.count[side] > 0;
        double last = settled ? 0 : last_width(side, s->rows), squares;
        best[i] = (nominee_t){s->known, INFINITY};
        for (double width = 2; !status && width <= last; width = next_width(width)) {
            if (has_width(&s->known.widths, side, width))
                continue;
            status = profile_width(&squares, s, s->sums[1].count ? which : -1, side, width, err);
            if (status || !(squares < best[i].squares * (1 - 1e-9)))
                continue;
            best[i] = (nominee_t){s->known, squares};
            if (!prf_widths_add(&best[i].with.widths, side, width))
                best[i].squares = INFINITY;
            cut_by_widths(&best[i].with);
        }
    }
    qsort(best, PRF_SIDES, sizeof *best, by_squares);
    return status;
}

static prf_status_t profile_blocking(double *squares, search_t *s, const prf_blocking_t *blocking, prf_error_t *err)
{
    prf_rows_block(s->rows, blocking);
    prf_dictionary_t *d = dictionary_new(s, err);
    if (!d)
        return PRF_ENOMEM;
    prf_dictionary_add_pieces(d, &s->known.widths);
    prf_status_t status = profile(squares, s, d, -1, err);
    dictionary_destroy(d);
    return status;
}

/* Buffer by buffer, all others as they are, until none changes any more. */
static prf_status_t nominate_blocking(nominee_t *best, search_t *s, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    *best = (nominee_t){s->known, INFINITY};
    for (int order = PRF_ORDER_NONE + 1; !status && order < PRF_ORDERS; order++) {
        nominee_t now = {s->known, INFINITY};
        now.with.blocking = (prf_blocking_t){.order = (prf_order_t)order, .elements = {INFINITY, INFINITY, INFINITY}};
        cut_by_widths(&now.with);
        bool changed = true;
        for (int round = 0; !status && changed && round < ROUNDS; round++) {
            changed = false;
            for (int buffer = 0; buffer < PRF_BUFFERS; buffer++)
                for (double elements = LEAST_BUFFER; !status && elements <= MOST_BUFFER; elements *= 2) {
                    prf_blocking_t with = now.with.blocking;
                    double squares = INFINITY;
                    with.elements[buffer] = elements;
                    status = profile_blocking(&squares, s, &with, err);
                    if (status || !(squares < now.squares * (1 - 1e-9)))
                        continue;
                    now.squares = squares;
                    now.with.blocking = with;
                    changed = true;
                }
        }
        if (now.squares < best->squares)
            *best = now;
    }
    prf_rows_block(s->rows, &s->known.blocking);
    return status;
}

/* Fits one sum and two; keeps what does better in s->sums and s->error, and the sides in s->rows-> */
static prf_status_t fit(search_t *s, bool from_sides, prf_error_t *err)
{
    prf_sum_t two[2];
    prf_rows_block(s->rows, &s->known.blocking);
    prf_dictionary_t *d = dictionary_new(s, err);
    if (!d)
        return PRF_ENOMEM;
    prf_structure_terms(&s->known, d);
    prf_status_t status = prf_sums_fit_one(s->sums, s->rows, d, false, err);
    s->error = prf_rows_mean_error(s->rows);
    if (!status && s->error > PRF_SUMS_EXACT) {
        status = prf_sums_fit_two(two, s->rows, d, false, from_sides, err);
        double error = prf_rows_mean_error(s->rows);
        if (!status && two[0].count && error < s->error) {
            s->error = error;
            memcpy(s->sums, two, sizeof two);
        }
    }
    dictionary_destroy(d);
    return status;
}

/* Sides belong to the rows, which copies of a search share: they are kept apart. The caller frees. */
static uint8_t *copy_sides(const search_t *s, prf_error_t *err)
{
    uint8_t *side = malloc(s->rows->rows + 1);
    if (side)
        memcpy(side, s->rows->side, s->rows->rows);
    else
        (void)prf_fail(err, PRF_ENOMEM, "terms over %zu layers", s->rows->rows);
    return side;
}

static void go_back(search_t *s, const search_t *to, const uint8_t *side)
{
    *s = *to;
    memcpy(s->rows->side, side, s->rows->rows);
    prf_rows_block(s->rows, &s->known.blocking);
}

/* Fits with each of the nominees; keeps the best, if it is worth having. */
static prf_status_t add_one(search_t *s, const nominee_t *nominees, size_t count, bool *added, prf_error_t *err)
{
    search_t before = *s, best = *s;
    uint8_t *side = copy_sides(s, err), *best_side = copy_sides(s, err);
    prf_status_t status = side && best_side ? PRF_OK : PRF_ENOMEM;
    *added = false;
    for (size_t i = 0; !status && i < count && best.error > PRF_SUMS_EXACT; i++) {
        if (!isfinite(nominees[i].squares))
            continue;
        go_back(s, &before, side);
        s->known = nominees[i].with;
        bool other_pieces = s->known.blocking.order != before.known.blocking.order;
        status = fit(s, s->sums[1].count > 0 && !other_pieces, err);
        if (!status && s->error < PROMISING * before.error && s->error < best.error) {
            best = *s;
            memcpy(best_side, s->rows->side, s->rows->rows);
            *added = true;
        }
    }
    if (side && best_side)
        go_back(s, &best, best_side);
    free(side);
    free(best_side);
    return status;
}

/* Goes back to what is known without one thing, if that does as well: it may have served to find the others only. */
static prf_status_t try_without(search_t *s, const prf_structure_t *without, prf_error_t *err)
{
    search_t before = *s;
    uint8_t *side = copy_sides(s, err);
    if (!side)
        return PRF_ENOMEM;
    s->known = *without;
    prf_status_t status = fit(s, s->sums[1].count > 0, err);
    if (status || s->error * WORTH > fmax(before.error, PRF_SUMS_EXACT))
        go_back(s, &before, side);
    free(side);
    return status;
}

static prf_status_t give_up(search_t *s, const prf_widths_t *given, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (int side = 0; !status && side < PRF_SIDES; side++)
        for (uint32_t i = s->known.widths.count[side]; !status && i-- > given->count[side];) {
            prf_structure_t without = s->known;
            without.widths.count[side]--;
            for (uint32_t j = i; j < without.widths.count[side]; j++)
                without.widths.width[side][j] = without.widths.width[side][j + 1];
            cut_by_widths(&without);
            status = try_without(s, &without, err);
        }
    if (!status && s->known.blocking.order != PRF_ORDER_NONE) {
        prf_structure_t without = s->known;
        without.blocking = (prf_blocking_t){.order = PRF_ORDER_NONE};
        status = try_without(s, &without, err);
    }
    return status;
}

/* One more thing, if there is any that is worth it. */
static prf_status_t extend(search_t *s, bool *added, prf_error_t *err)
{
    nominee_t nominees[2 * PRF_SIDES + 1];
    size_t count = NOMINEES;
    prf_rows_evaluate(s->rows, s->sums);
    prf_rows_judge(s->rows);
    prf_status_t status = nominate_widths(nominees, s, 0, err);
    if (!status && s->sums[1].count) {
        status = nominate_widths(nominees + count, s, 1, err);
        count++;
    }
    if (!status && s->known.blocking.order == PRF_ORDER_NONE)
        status = nominate_blocking(&nominees[count++], s, err);
    return status ? status : add_one(s, nominees, count, added, err);
}

/* One thing after another. Two may help together only: small steps are taken, too, and taken back in the end if those after them
 * did not make up for it. */
static prf_status_t grow(search_t *s, prf_error_t *err)
{
    search_t settled = *s;
    uint8_t *side = copy_sides(s, err);
    prf_status_t status = side ? PRF_OK : PRF_ENOMEM;
    bool added = true;
    double bar = s->error;
    for (int pass = 0; !status && added && pass < PASSES && s->error > PRF_SUMS_EXACT; pass++) {
        status = extend(s, &added, err);
        bar *= added ? WORTH : 1;
        if (status || !added || s->error > bar)
            continue;
        settled = *s;
        bar = s->error;
        memcpy(side, s->rows->side, s->rows->rows);
    }
    if (!status)
        go_back(s, &settled, side);
    free(side);
    return status;
}

/* From nothing but widths. */
static prf_status_t begin(search_t *s, const prf_widths_t *widths, prf_error_t *err)
{
    s->known = (prf_structure_t){.widths = *widths};
    cut_by_widths(&s->known);
    prf_status_t status = fit(s, false, err);
    return status ? status : grow(s, err);
}

/* Widths of channels and columns that were found late, after a blocking or other widths had taken their part, are where to begin
 * anew: the one of the two ends that errs less stays. */
static prf_status_t begin_anew(search_t *s, const prf_widths_t *given, prf_error_t *err)
{
    search_t before = *s;
    prf_widths_t widths = *given;
    for (int side = PRF_SIDE_CHANNELS; side <= PRF_SIDE_COLUMNS; side++)
        for (uint32_t i = 0; i < s->known.widths.count[side]; i++)
            (void)prf_widths_add(&widths, (prf_side_t)side, s->known.widths.width[side][i]);
    if (memcmp(widths.count, given->count, sizeof widths.count) == 0 || s->error < PRF_SUMS_EXACT)
        return PRF_OK;
    uint8_t *side = copy_sides(s, err);
    if (!side)
        return PRF_ENOMEM;
    prf_status_t status = begin(s, &widths, err);
    if (status || s->error >= before.error)
        go_back(s, &before, side);
    free(side);
    return status;
}

prf_status_t prf_structure_find(prf_structure_t *out, prf_sum_t sums[2], const prf_dataset_t *data, prf_error_t *err)
{
    prf_rows_t rows;
    search_t s = {.rows = &rows};
    prf_widths_t given;
    widths_given(&given, data);
    prf_status_t status = prf_rows_init(&rows, data, ROWS, err);
    if (status)
        return status;
    status = begin(&s, &given, err);
    if (!status)
        status = begin_anew(&s, &given, err);
    if (!status)
        status = give_up(&s, &given, err);
    *out = s.known;
    memcpy(sums, s.sums, sizeof s.sums);
    prf_rows_release(&rows);
    return status;
}
