// SPDX-License-Identifier: Apache-2.0
/* additive.c - structure first, from a few hundred layers; then terms and coefficients, variant by variant, from a thousand. */
#include "model/additive.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/structure.h"

enum { ROWS = 1000 };
#define LEAST 1e-3 /* of the fastest layer seen: what a sum that falls below zero is taken for */

static prf_status_t keep(prf_terms_t *out, const prf_rows_t *rows, const prf_sum_t sums[2], prf_error_t *err)
{
    prf_terms_t t = {.count = {sums[0].count, sums[1].count}, .least_ns = INFINITY};
    t.terms = malloc((t.count[0] + t.count[1] + 1) * sizeof *t.terms);
    if (!t.terms)
        return prf_fail(err, PRF_ENOMEM, "a sum of terms");
    memcpy(t.terms, sums[0].terms, t.count[0] * sizeof *t.terms);
    memcpy(t.terms + t.count[0], sums[1].terms, t.count[1] * sizeof *t.terms);
    for (size_t i = 0; i < rows->rows; i++)
        t.least_ns = fmin(t.least_ns, rows->latency[i] * LEAST);
    *out = t;
    return PRF_OK;
}

/* With `from_sides` two sums begin with the rows' sides. */
static prf_status_t fit_variants(prf_terms_t out[PRF_ADDITIVES], prf_rows_t *rows, const prf_dictionary_t *d,
                                 const prf_blocking_t *blocking, bool from_sides, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (int how = 0; !status && how < PRF_ADDITIVES; how++) {
        prf_sum_t sums[2];
        bool is_signed = how == PRF_ADDITIVE_SIGNED || how == PRF_ADDITIVE_MAX_SIGNED;
        if (how == PRF_ADDITIVE_MAX_POSITIVE || how == PRF_ADDITIVE_MAX_SIGNED) /* the latter begins where the former ended */
            status = prf_sums_fit_two(sums, rows, d, is_signed, is_signed || from_sides, err);
        else
            status = prf_sums_fit_one(sums, rows, d, is_signed, err);
        if (!status && sums[0].count)
            status = keep(&out[how], rows, sums, err);
        else if (!status && how >= PRF_ADDITIVE_MAX_POSITIVE &&
                 out[how - PRF_ADDITIVE_MAX_POSITIVE].terms) /* where there are no two, one stands for both */
            status = prf_terms_copy(&out[how], &out[how - PRF_ADDITIVE_MAX_POSITIVE], err);
        out[how].blocking = *blocking;
    }
    return status;
}

prf_status_t prf_additive_fit(prf_terms_t out[PRF_ADDITIVES], const prf_dataset_t *data, prf_error_t *err)
{
    prf_terms_t found[PRF_ADDITIVES] = {{.terms = NULL}};
    prf_structure_t structure;
    prf_sum_t begun[2];
    prf_rows_t rows = {0};
    prf_dictionary_t *d = malloc(sizeof *d);
    if (!d)
        return prf_fail(err, PRF_ENOMEM, "terms over %zu layers", data->count);
    prf_status_t status = prf_rows_init(&rows, data, ROWS, err);
    prf_dictionary_init(d, rows.quantities, rows.rows);
    if (!status)
        status = prf_structure_find(&structure, begun, data, err);
    if (!status) {
        prf_rows_block(&rows, &structure.blocking);
        prf_structure_terms(&structure, d);
        prf_rows_take_sides(&rows, begun);
        status = fit_variants(found, &rows, d, &structure.blocking, begun[1].count > 0, err);
    }
    for (int how = 0; how < PRF_ADDITIVES; how++)
        if (status)
            prf_terms_release(&found[how]);
        else
            out[how] = found[how];
    prf_dictionary_release(d);
    free(d);
    prf_rows_release(&rows);
    return status;
}
