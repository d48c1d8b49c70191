// SPDX-License-Identifier: Apache-2.0
/* dictionary.h - the terms that an additive model may be made of: products with one factor from each side of a layer.
 *
 * A layer is a sum for each output position and column over channels and taps (layer/quantities.h). A machine works on each of the
 * four sides one by one, tile by tile, or not at all: a side contributes its size, its number of tiles, or 1. What a machine moves
 * it moves once, or again for each piece of something else that a buffer cannot hold at once. Nothing here knows any board: widths
 * and buffer sizes are looked for (structure.h). */
#ifndef PRF_MODEL_DICTIONARY_H
#define PRF_MODEL_DICTIONARY_H

#include "model/terms.h"

enum { PRF_WIDTHS = 8, PRF_DICTIONARY_FACTORS = 1024 };

/* Where widths may be found. */
typedef enum {
    PRF_SIDE_CHANNELS = 0,
    PRF_SIDE_COLUMNS,
    PRF_SIDE_ROWS,
    PRF_SIDE_OUT_H,
    PRF_SIDE_OUT_W,
    PRF_SIDE_TERMS,
    PRF_SIDES
} prf_side_t;

typedef struct {
    uint32_t count[PRF_SIDES];
    double width[PRF_SIDES][PRF_WIDTHS];
} prf_widths_t;

prf_quantity_t prf_side_quantity(prf_side_t side);
/* False when there is no room left. Widths that are there already stay as they are. */
bool prf_widths_add(prf_widths_t *self, prf_side_t side, double width);

typedef struct {
    uint8_t count;
    uint16_t factor[PRF_TERM_FACTORS]; /* rising */
} prf_product_t;

typedef struct {
    size_t rows, factor_count, term_count, term_cap;
    prf_factor_t factors[PRF_DICTIONARY_FACTORS];
    double *columns[PRF_DICTIONARY_FACTORS]; /* owned: the factor's value in each row */
    prf_product_t *terms;                    /* owned */
    uint32_t *slots;                         /* owned: open addressing over terms, so that none is there twice */
    size_t slot_count;
    const double *quantities; /* borrowed: rows x PRF_QUANTITIES */
    bool failed;              /* out of memory */
} prf_dictionary_t;

/* `quantities`: row after row; they decide which factors vary at all. */
void prf_dictionary_init(prf_dictionary_t *out, const double *quantities, size_t rows);
void prf_dictionary_release(prf_dictionary_t *self);
/* Every product with the widths given. */
void prf_dictionary_add(prf_dictionary_t *self, const prf_widths_t *widths);
/* Every product that speaks of pieces; the rows' blocking is applied. */
void prf_dictionary_add_pieces(prf_dictionary_t *self, const prf_widths_t *widths);
/* Every product that has a tile count of this side and width in it; the other sides as in `widths`. */
void prf_dictionary_scan(prf_dictionary_t *self, const prf_widths_t *widths, prf_side_t side, double width);
/* The products, times 1 for rows where the quantity has the value and 0 for all others. */
void prf_dictionary_split(prf_dictionary_t *self, const prf_product_t *products, size_t count, prf_quantity_t quantity,
                          double value);
/* The product that a term is of. */
void prf_dictionary_term_add(prf_dictionary_t *self, const prf_term_t *term);
void prf_dictionary_term(const prf_dictionary_t *self, size_t index, prf_term_t *out);
/* The term's value in each row, times scale[row]. */
void prf_dictionary_column(const prf_dictionary_t *self, size_t index, const double *scale, double *out);

#endif
