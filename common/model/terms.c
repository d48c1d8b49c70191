// SPDX-License-Identifier: Apache-2.0
#include "model/terms.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Quantities stay below 1e36 and coefficients, by prf_terms_check, below MOST_WEIGHT: six factors, 256 terms, still a double. */
#define MOST_WEIGHT 1e60
#define MOST_NS 1e300

void prf_terms_release(prf_terms_t *self)
{
    if (!self)
        return;
    free(self->terms);
    *self = (prf_terms_t){.terms = NULL};
}

prf_status_t prf_terms_copy(prf_terms_t *out, const prf_terms_t *from, prf_error_t *err)
{
    size_t count = from->count[0] + from->count[1];
    prf_term_t *terms = malloc((count + 1) * sizeof *terms);
    if (!terms)
        return prf_fail(err, PRF_ENOMEM, "%zu terms", count);
    memcpy(terms, from->terms, count * sizeof *terms);
    *out = *from;
    out->terms = terms;
    return PRF_OK;
}

static double factor_value(const prf_factor_t *f, const double *quantities)
{
    double q = quantities[f->quantity];
    switch ((prf_factor_form_t)f->form) {
    case PRF_FACTOR_TILES:
        return ceil(q / f->argument);
    case PRF_FACTOR_EQUALS:
        return q == f->argument ? 1 : 0;
    default:
        return q;
    }
}

double prf_term_value(const prf_term_t *term, const double *quantities)
{
    double product = 1;
    for (uint32_t i = 0; i < term->factor_count; i++)
        product *= factor_value(&term->factors[i], quantities);
    return product;
}

double prf_terms_sum(const prf_terms_t *self, size_t sum, const double *quantities)
{
    const prf_term_t *terms = self->terms + (sum ? self->count[0] : 0);
    double total = 0;
    for (uint32_t i = 0; i < self->count[sum]; i++)
        total += terms[i].weight * prf_term_value(&terms[i], quantities);
    return total;
}

static double larger_sum(const prf_terms_t *self, const double *quantities)
{
    double ns = prf_terms_sum(self, 0, quantities);
    return self->count[1] ? fmax(ns, prf_terms_sum(self, 1, quantities)) : ns;
}

double prf_terms_ns(const prf_terms_t *self, const double *quantities)
{
    double ns;
    if (self->blocking.order == PRF_ORDER_NONE) {
        ns = larger_sum(self, quantities);
    } else {
        double blocked[PRF_QUANTITIES];
        memcpy(blocked, quantities, sizeof blocked);
        prf_blocking_apply(&self->blocking, blocked);
        ns = larger_sum(self, blocked);
    }
    return fmin(fmax(ns, self->least_ns), MOST_NS);
}

static prf_status_t check_term(const prf_term_t *term, prf_error_t *err)
{
    if (!(fabs(term->weight) <= MOST_WEIGHT) || term->factor_count > PRF_TERM_FACTORS)
        return prf_fail(err, PRF_ECORRUPT, "model: a term of %u factors with coefficient %g", term->factor_count, term->weight);
    for (uint32_t i = 0; i < term->factor_count; i++) {
        const prf_factor_t *f = &term->factors[i];
        bool tiles = f->form == PRF_FACTOR_TILES;
        if (!prf_quantities_known(f->quantity) || f->form >= PRF_FACTOR_FORMS || !isfinite(f->argument) ||
            (tiles && f->argument < 1))
            return prf_fail(err, PRF_ECORRUPT, "model: a factor of quantity %u, form %u, argument %g", f->quantity, f->form,
                            f->argument);
    }
    return PRF_OK;
}

static bool is_step(double step)
{
    return step >= 1 && step < 1e9;
}

static prf_status_t check_blocking(const prf_blocking_t *b, prf_error_t *err)
{
    if (b->order == PRF_ORDER_NONE)
        return PRF_OK;
    if (b->order >= PRF_ORDERS || !is_step(b->channel_step) || !is_step(b->column_step))
        return prf_fail(err, PRF_ECORRUPT, "model: a blocking of order %d that cuts by %g and %g", (int)b->order, b->channel_step,
                        b->column_step);
    for (int i = 0; i < PRF_BUFFERS; i++)
        if (!(b->elements[i] >= 1))
            return prf_fail(err, PRF_ECORRUPT, "model: a blocking with a buffer of %g", b->elements[i]);
    return PRF_OK;
}

prf_status_t prf_terms_check(const prf_terms_t *self, prf_error_t *err)
{
    uint32_t total = self->count[0] + self->count[1];
    if (self->count[0] < 1 || self->count[0] > PRF_TERMS || self->count[1] > PRF_TERMS || total > PRF_TERMS ||
        !(self->least_ns > 0) || !(self->least_ns < MOST_NS))
        return prf_fail(err, PRF_ECORRUPT, "model: sums of %u and %u terms, %g ns at least", self->count[0], self->count[1],
                        self->least_ns);
    prf_status_t status = check_blocking(&self->blocking, err);
    if (status)
        return status;
    for (uint32_t i = 0; i < total; i++) {
        status = check_term(&self->terms[i], err);
        if (status)
            return status;
    }
    return PRF_OK;
}

void prf_term_format(const prf_term_t *term, char *text, size_t cap)
{
    size_t used = 0;
    snprintf(text, cap, "1");
    for (uint32_t i = 0; i < term->factor_count && used < cap; i++) {
        const prf_factor_t *f = &term->factors[i];
        const char *between = i ? " x " : "", *name = prf_quantities_name(f->quantity);
        int n = f->form == PRF_FACTOR_VALUE   ? snprintf(text + used, cap - used, "%s%s", between, name)
                : f->form == PRF_FACTOR_TILES ? snprintf(text + used, cap - used, "%sceil(%s/%.15g)", between, name, f->argument)
                                              : snprintf(text + used, cap - used, "%s[%s=%.15g]", between, name, f->argument);
        used += (size_t)n;
    }
}
