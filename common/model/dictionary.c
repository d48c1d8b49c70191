// SPDX-License-Identifier: Apache-2.0
/* dictionary.c - products are enumerated side by side; what makes no difference in the rows at hand (a batch that is always 1) is
 * left out of a product, so that many ways to say the same come to one term, and the simplest. */
#include "model/dictionary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NOTHING = UINT16_MAX, OPTIONS = 4 * PRF_WIDTHS + 16, OPTION_FACTORS = 3 };

prf_quantity_t prf_side_quantity(prf_side_t side)
{
    static const prf_quantity_t of[PRF_SIDES] = {PRF_Q_CHANNELS, PRF_Q_COLUMNS, PRF_Q_ROWS, PRF_Q_OUT_H, PRF_Q_OUT_W, PRF_Q_TERMS};
    return of[side];
}

bool prf_widths_add(prf_widths_t *self, prf_side_t side, double width)
{
    uint32_t *count = &self->count[side];
    for (uint32_t i = 0; i < *count; i++)
        if (self->width[side][i] == width)
            return true;
    if (*count == PRF_WIDTHS || width <= 1)
        return false;
    self->width[side][(*count)++] = width;
    return true;
}

void prf_dictionary_init(prf_dictionary_t *out, const double *quantities, size_t rows)
{
    *out = (prf_dictionary_t){.rows = rows, .quantities = quantities, .slot_count = 1 << 12};
    out->slots = calloc(out->slot_count, sizeof *out->slots);
    out->failed = !out->slots;
}

void prf_dictionary_release(prf_dictionary_t *self)
{
    for (size_t i = 0; i < self->factor_count; i++)
        free(self->columns[i]);
    free(self->terms);
    free(self->slots);
    *self = (prf_dictionary_t){0};
}

static double factor_at(const prf_factor_t *factor, double q)
{
    return factor->form == PRF_FACTOR_TILES    ? ceil(q / factor->argument)
           : factor->form == PRF_FACTOR_EQUALS ? (q == factor->argument ? 1 : 0)
                                               : q;
}

/* Index of the factor, or NOTHING when it is 1 in every row. A quantity that never varies is 1 as well: it belongs into the weight.
 */
static uint16_t factor(prf_dictionary_t *d, prf_factor_t wanted)
{
    for (size_t i = 0; i < d->factor_count; i++) {
        const prf_factor_t *f = &d->factors[i];
        if (f->quantity == wanted.quantity && f->form == wanted.form && f->argument == wanted.argument)
            return d->columns[i] ? (uint16_t)i : NOTHING;
    }
    if (d->factor_count == PRF_DICTIONARY_FACTORS)
        return NOTHING;
    double *column = malloc((d->rows + 1) * sizeof *column);
    if (!column) {
        d->failed = true;
        return NOTHING;
    }
    bool varies = false;
    for (size_t i = 0; i < d->rows; i++) {
        column[i] = factor_at(&wanted, d->quantities[i * PRF_QUANTITIES + wanted.quantity]);
        varies = varies || column[i] != column[0];
    }
    if (!varies) {
        free(column);
        column = NULL;
    }
    uint16_t index = (uint16_t)d->factor_count++;
    d->factors[index] = wanted;
    d->columns[index] = column;
    return column ? index : (uint16_t)NOTHING;
}

static size_t hash(const prf_product_t *p)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (uint8_t i = 0; i < p->count; i++)
        h = (h ^ p->factor[i]) * 0x100000001b3u;
    return (size_t)(h ^ (h >> 32));
}

static bool same(const prf_product_t *a, const prf_product_t *b)
{
    return a->count == b->count && memcmp(a->factor, b->factor, a->count * sizeof *a->factor) == 0;
}

static void enter(prf_dictionary_t *d, uint32_t term)
{
    size_t mask = d->slot_count - 1, slot = hash(&d->terms[term]) & mask;
    while (d->slots[slot])
        slot = (slot + 1) & mask;
    d->slots[slot] = term + 1;
}

static bool known(const prf_dictionary_t *d, const prf_product_t *p)
{
    size_t mask = d->slot_count - 1;
    for (size_t slot = hash(p) & mask; d->slots[slot]; slot = (slot + 1) & mask)
        if (same(&d->terms[d->slots[slot] - 1], p))
            return true;
    return false;
}

static bool make_room(prf_dictionary_t *d)
{
    if (d->term_count < d->term_cap)
        return true;
    size_t cap = d->term_cap ? 2 * d->term_cap : 512;
    prf_product_t *terms = realloc(d->terms, cap * sizeof *terms);
    if (!terms)
        return false;
    d->terms = terms;
    d->term_cap = cap;
    if (2 * cap <= d->slot_count)
        return true;
    uint32_t *slots = calloc(4 * cap, sizeof *slots);
    if (!slots)
        return false;
    free(d->slots);
    d->slots = slots;
    d->slot_count = 4 * cap;
    for (size_t i = 0; i < d->term_count; i++)
        enter(d, (uint32_t)i);
    return true;
}

static void product_put(prf_product_t *p, uint16_t index)
{
    if (index == NOTHING || p->count == PRF_TERM_FACTORS)
        return;
    uint8_t at = p->count++;
    for (; at > 0 && p->factor[at - 1] > index; at--)
        p->factor[at] = p->factor[at - 1];
    p->factor[at] = index;
}

static void add(prf_dictionary_t *d, const prf_product_t *p)
{
    if (d->failed || known(d, p))
        return;
    if (!make_room(d)) {
        d->failed = true;
        return;
    }
    d->terms[d->term_count] = *p;
    enter(d, (uint32_t)d->term_count++);
}

/* What one side may contribute: each option is up to three factors. */
typedef struct {
    size_t count;
    struct {
        uint16_t factor[OPTION_FACTORS];
    } options[OPTIONS];
} side_t;

static void option(side_t *side, uint16_t a, uint16_t b, uint16_t c)
{
    if (side->count == OPTIONS)
        return;
    uint16_t *factors = side->options[side->count++].factor;
    factors[0] = a;
    factors[1] = b;
    factors[2] = c;
}

static uint16_t value(prf_dictionary_t *d, prf_quantity_t quantity)
{
    return factor(d, (prf_factor_t){(uint8_t)quantity, PRF_FACTOR_VALUE, 0});
}

static uint16_t tiles(prf_dictionary_t *d, prf_side_t side, double width)
{
    return factor(d, (prf_factor_t){(uint8_t)prf_side_quantity(side), PRF_FACTOR_TILES, width});
}

/* 1, the size, and its tiles. */
static side_t plain_side(prf_dictionary_t *d, const prf_widths_t *w, prf_side_t which)
{
    side_t side = {0};
    option(&side, NOTHING, NOTHING, NOTHING);
    option(&side, value(d, prf_side_quantity(which)), NOTHING, NOTHING);
    for (uint32_t i = 0; i < w->count[which]; i++)
        option(&side, tiles(d, which, w->width[which][i]), NOTHING, NOTHING);
    return side;
}

/* Positions: none, all, in tiles; or tiles of rows, of columns, of both. */
static side_t place_side(prf_dictionary_t *d, const prf_widths_t *w)
{
    side_t side = plain_side(d, w, PRF_SIDE_ROWS);
    uint16_t rows = value(d, PRF_Q_OUT_H), columns = value(d, PRF_Q_OUT_W), images = value(d, PRF_Q_IMAGES);
    option(&side, value(d, PRF_Q_IN_POSITIONS), NOTHING, NOTHING);
    option(&side, images, NOTHING, NOTHING);
    option(&side, rows, images, NOTHING);
    for (uint32_t i = 0; i < w->count[PRF_SIDE_OUT_H]; i++)
        option(&side, tiles(d, PRF_SIDE_OUT_H, w->width[PRF_SIDE_OUT_H][i]), columns, images);
    for (uint32_t i = 0; i < w->count[PRF_SIDE_OUT_W]; i++)
        option(&side, tiles(d, PRF_SIDE_OUT_W, w->width[PRF_SIDE_OUT_W][i]), rows, images);
    for (uint32_t i = 0; i < w->count[PRF_SIDE_OUT_H]; i++)
        for (uint32_t j = 0; j < w->count[PRF_SIDE_OUT_W]; j++)
            option(&side, tiles(d, PRF_SIDE_OUT_H, w->width[PRF_SIDE_OUT_H][i]),
                   tiles(d, PRF_SIDE_OUT_W, w->width[PRF_SIDE_OUT_W][j]), images);
    return side;
}

static side_t tap_side(prf_dictionary_t *d)
{
    side_t side = {0};
    option(&side, NOTHING, NOTHING, NOTHING);
    option(&side, value(d, PRF_Q_TAPS), NOTHING, NOTHING);
    option(&side, value(d, PRF_Q_KERNEL_ROWS), NOTHING, NOTHING);
    return side;
}

/* Adds one product for each way to take an option from each side; with `must`, only those that contain that factor. */
static void multiply(prf_dictionary_t *d, const side_t *const *sides, size_t count, uint16_t must)
{
    size_t at[4] = {0};
    for (;;) {
        prf_product_t p = {0};
        bool has = must == NOTHING;
        for (size_t s = 0; s < count; s++)
            for (size_t f = 0; f < OPTION_FACTORS; f++) {
                uint16_t index = sides[s]->options[at[s]].factor[f];
                has = has || index == must;
                product_put(&p, index);
            }
        if (has)
            add(d, &p);
        size_t s = 0;
        while (s < count && ++at[s] == sides[s]->count)
            at[s++] = 0;
        if (s == count)
            return;
    }
}

static void multiply_all(prf_dictionary_t *d, const prf_widths_t *w, uint16_t must)
{
    side_t channels = plain_side(d, w, PRF_SIDE_CHANNELS), columns = plain_side(d, w, PRF_SIDE_COLUMNS);
    side_t places = place_side(d, w), taps = tap_side(d), used = {0}, depth = {0};
    multiply(d, (const side_t *[]){&channels, &columns, &places, &taps}, 4, must);
    option(&used, value(d, PRF_Q_USED_TAPS), NOTHING, NOTHING);
    multiply(d, (const side_t *[]){&channels, &columns, &used}, 3, must);
    for (uint32_t i = 0; i < w->count[PRF_SIDE_TERMS]; i++)
        option(&depth, tiles(d, PRF_SIDE_TERMS, w->width[PRF_SIDE_TERMS][i]), NOTHING, NOTHING);
    if (depth.count)
        multiply(d, (const side_t *[]){&depth, &columns, &places}, 3, must);
    static const prf_quantity_t elements[] = {PRF_Q_INPUTS,         PRF_Q_WEIGHTS,        PRF_Q_OUTPUTS, PRF_Q_FILLED_INPUTS,
                                              PRF_Q_FILLED_WEIGHTS, PRF_Q_FILLED_OUTPUTS, PRF_Q_BYTES,   PRF_Q_OPS};
    side_t moved = {0};
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        option(&moved, value(d, elements[i]), NOTHING, NOTHING);
    multiply(d, (const side_t *[]){&moved}, 1, must);
}

void prf_dictionary_add(prf_dictionary_t *self, const prf_widths_t *widths)
{
    multiply_all(self, widths, NOTHING);
}

/* What is begun once for each piece, with the kernel or without; inputs and weights, loaded once for each piece of the others. */
void prf_dictionary_add_pieces(prf_dictionary_t *self, const prf_widths_t *widths)
{
    uint16_t of_channels = value(self, PRF_Q_PIECES_OF_CHANNELS), of_lines = value(self, PRF_Q_PIECES_OF_LINES);
    uint16_t of_columns = value(self, PRF_Q_PIECES_OF_COLUMNS), taps = value(self, PRF_Q_TAPS);
    uint16_t span = value(self, PRF_Q_SPAN), loaded = value(self, PRF_Q_LOADED_LINES);
    side_t channels = plain_side(self, widths, PRF_SIDE_CHANNELS), columns = plain_side(self, widths, PRF_SIDE_COLUMNS);
    side_t begun = {0}, kernel = {0}, inputs = {0}, weights = {0};
    option(&begun, of_lines, of_columns, of_channels);
    option(&begun, of_lines, of_columns, NOTHING);
    option(&begun, of_lines, NOTHING, NOTHING);
    option(&begun, of_columns, NOTHING, NOTHING);
    option(&begun, of_channels, NOTHING, NOTHING);
    option(&kernel, NOTHING, NOTHING, NOTHING);
    option(&kernel, taps, NOTHING, NOTHING);
    multiply(self, (const side_t *[]){&begun, &kernel}, 2, NOTHING);
    option(&inputs, span, loaded, NOTHING);
    option(&inputs, span, loaded, of_columns);
    multiply(self, (const side_t *[]){&inputs, &channels}, 2, NOTHING);
    option(&weights, of_lines, taps, NOTHING);
    option(&weights, of_lines, NOTHING, NOTHING);
    multiply(self, (const side_t *[]){&weights, &channels, &columns}, 3, NOTHING);
}

void prf_dictionary_scan(prf_dictionary_t *self, const prf_widths_t *widths, prf_side_t side, double width)
{
    prf_widths_t with = *widths;
    if (with.count[side] == PRF_WIDTHS)
        with.count[side]--;
    if (!prf_widths_add(&with, side, width))
        return;
    uint16_t must = tiles(self, side, width);
    if (must != NOTHING)
        multiply_all(self, &with, must);
}

void prf_dictionary_split(prf_dictionary_t *self, const prf_product_t *products, size_t count, prf_quantity_t quantity,
                          double value)
{
    uint16_t here = factor(self, (prf_factor_t){(uint8_t)quantity, PRF_FACTOR_EQUALS, value});
    for (size_t i = 0; i < count && here != NOTHING; i++) {
        prf_product_t p = products[i];
        if (p.count == PRF_TERM_FACTORS)
            continue;
        product_put(&p, here);
        add(self, &p);
    }
}

void prf_dictionary_term_add(prf_dictionary_t *self, const prf_term_t *term)
{
    prf_product_t p = {0};
    for (uint32_t i = 0; i < term->factor_count; i++)
        product_put(&p, factor(self, term->factors[i]));
    add(self, &p);
}

void prf_dictionary_term(const prf_dictionary_t *self, size_t index, prf_term_t *out)
{
    const prf_product_t *p = &self->terms[index];
    *out = (prf_term_t){.factor_count = p->count};
    for (uint8_t i = 0; i < p->count; i++)
        out->factors[i] = self->factors[p->factor[i]];
}

void prf_dictionary_column(const prf_dictionary_t *self, size_t index, const double *scale, double *out)
{
    const prf_product_t *p = &self->terms[index];
    memcpy(out, scale, self->rows * sizeof *out);
    for (uint8_t f = 0; f < p->count; f++) {
        const double *column = self->columns[p->factor[f]];
        for (size_t i = 0; i < self->rows; i++)
            out[i] *= column[i];
    }
}
