// SPDX-License-Identifier: Apache-2.0
/* terms.h - an additive model of latency: the largest of one or two sums of terms, each a coefficient times a product of factors.
 * A factor is a quantity of the layer (layer/quantities.h), how many tiles of a width it makes, or whether it has a certain value.
 * Machines that work tile by tile are such sums exactly; where computing and moving data overlap, the longer of two sums counts
 * (after the roofline of Williams, Waterman and Patterson 2009). Immutable once made; any thread; evaluating allocates nothing. */
#ifndef PRF_MODEL_TERMS_H
#define PRF_MODEL_TERMS_H

#include "model/blocking.h"

enum { PRF_TERM_FACTORS = 6, PRF_TERM_SUMS = 2, PRF_TERMS = 256 };

typedef enum {
    PRF_FACTOR_VALUE = 0, /* the quantity */
    PRF_FACTOR_TILES,     /* ceil(quantity / argument) */
    PRF_FACTOR_EQUALS,    /* 1 where the quantity is the argument, else 0 */
    PRF_FACTOR_FORMS
} prf_factor_form_t;

typedef struct {
    uint8_t quantity; /* prf_quantity_t */
    uint8_t form;
    double argument;
} prf_factor_t;

typedef struct {
    double weight; /* nanoseconds */
    uint32_t factor_count;
    prf_factor_t factors[PRF_TERM_FACTORS];
} prf_term_t;

typedef struct {
    uint32_t count[PRF_TERM_SUMS]; /* terms of each sum; the second may be empty: then there is one sum */
    prf_term_t *terms;             /* owned; the first sum's, then the second's */
    double least_ns;               /* above 0: no layer is faster */
    prf_blocking_t blocking;       /* what terms that speak of pieces mean */
} prf_terms_t;

void prf_terms_release(prf_terms_t *self); /* NULL-safe */
PRF_CHECKED prf_status_t prf_terms_copy(prf_terms_t *out, const prf_terms_t *from, prf_error_t *err);
/* The product of the factors, without the coefficient. `quantities` here and below: PRF_QUANTITIES of them. */
double prf_term_value(const prf_term_t *term, const double *quantities);
/* Nanoseconds, above zero and finite. */
double prf_terms_ns(const prf_terms_t *self, const double *quantities);
/* One of the sums alone. */
double prf_terms_sum(const prf_terms_t *self, size_t sum, const double *quantities);
/* That every count, factor and number is as the types promise: for models that come out of a file. Errors: PRF_ECORRUPT. */
PRF_CHECKED prf_status_t prf_terms_check(const prf_terms_t *self, prf_error_t *err);
/* "ceil(C/8) x K x [stride=2]"; "1" for a constant. Cut to what fits. */
void prf_term_format(const prf_term_t *term, char *text, size_t cap);

#endif
