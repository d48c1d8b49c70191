// SPDX-License-Identifier: Apache-2.0
/* select.h - least squares over a few of many columns. Pure; deterministic.
 *
 * Columns are chosen forward by orthogonal least squares (Chen, Billings and Luo 1989): always the one that, made orthogonal to
 * those chosen before, explains most of what is left; or, where coefficients must not be negative, by the active set of Lawson and
 * Hanson (1974). Then they are given up backward while the extended information criterion (Chen and Chen 2008) gets better, which
 * charges for each column what the choice among all of them is worth. */
#ifndef PRF_MODEL_SELECT_H
#define PRF_MODEL_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { PRF_CHOSEN = 48 };

/* `values`: column after column, `rows` each; borrowed. The target is a column, too. */
typedef struct {
    size_t rows, count;
    const double *values, *target;
} prf_columns_t;

typedef struct {
    uint32_t count;
    uint32_t column[PRF_CHOSEN];
    double weight[PRF_CHOSEN];
    double loss[PRF_CHOSEN]; /* by how much the sum of squares grows without the column */
    double squares;          /* left over */
} prf_choice_t;

/* Sets weight, loss and squares of the columns that `choice` names; those that add nothing to the others are taken out of it. */
PRF_CHECKED prf_status_t prf_select_solve(prf_choice_t *choice, const prf_columns_t *columns, prf_error_t *err);
/* Chooses at most `most` columns (at most PRF_CHOSEN). */
PRF_CHECKED prf_status_t prf_select_forward(prf_choice_t *out, const prf_columns_t *columns, uint32_t most, prf_error_t *err);
PRF_CHECKED prf_status_t prf_select_nonnegative(prf_choice_t *out, const prf_columns_t *columns, uint32_t most, prf_error_t *err);
/* Gives columns up while prf_select_criterion falls. */
PRF_CHECKED prf_status_t prf_select_prune(prf_choice_t *choice, const prf_columns_t *columns, prf_error_t *err);
double prf_select_criterion(double squares, size_t rows, uint32_t chosen, size_t among);

#endif
