// SPDX-License-Identifier: Apache-2.0
/* sums.h - fits one sum of a dictionary's terms, or the larger of two, to measured layers. Private to additive.c and structure.c.
 *
 * Errors are relative: every row is divided by its latency. Rows far off from what most have count by the size of their error, not
 * its square (Huber 1964): a slow state of a machine must not bend the sum. */
#ifndef PRF_MODEL_SUMS_H
#define PRF_MODEL_SUMS_H

#include "model/dataset.h"
#include "model/dictionary.h"
#include "model/select.h"

#define PRF_SUMS_EXACT 1e-9 /* a relative error that no board has by chance */
/* Errors beyond so many times the median one count by their size, not its square (Huber 1964): 1.345 standard deviations of normal
 * noise are 95 % efficient, and 1.4826 medians are one. */
#define PRF_SUMS_USUAL (1.345 * 1.4826)

/* Some rows of a dataset, ready for least squares. */
typedef struct {
    size_t rows;
    double *quantities; /* owned: rows x PRF_QUANTITIES */
    double *latency;    /* owned, like all that follow: nanoseconds */
    double *trust;      /* 0 .. 1: how much the row's error counts */
    double *scale;      /* sqrt(trust) / latency */
    double *target;     /* sqrt(trust) */
    double *fitted;     /* nanoseconds, by prf_rows_evaluate */
    double *scratch;
    uint8_t *side; /* the sum that explains the row */
} prf_rows_t;

typedef struct {
    uint32_t count;
    prf_term_t terms[PRF_CHOSEN];
} prf_sum_t;

/* At most `most` rows, evenly spread. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_rows_init(prf_rows_t *out, const prf_dataset_t *data, size_t most, prf_error_t *err);
void prf_rows_release(prf_rows_t *self);
/* Applies a blocking to all rows' quantities. */
void prf_rows_block(prf_rows_t *self, const prf_blocking_t *blocking);
/* Sets fitted[] to the larger of two sums, or to the first where the second is empty. */
void prf_rows_evaluate(prf_rows_t *self, const prf_sum_t sums[2]);
/* Sets side[] to the sum that is larger. */
void prf_rows_take_sides(prf_rows_t *self, const prf_sum_t sums[2]);
double prf_rows_mean_error(const prf_rows_t *self);
double prf_rows_median_error(prf_rows_t *self);
/* Sets trust[] by what fitted[] is off. */
void prf_rows_judge(prf_rows_t *self);
/* The dictionary's columns over the rows of one side (all: -1), weighed. The caller frees *store. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_rows_columns(prf_columns_t *out, double **store, prf_rows_t *self, const prf_dictionary_t *dictionary,
                                          int side, prf_error_t *err);

/* The fits leave fitted[] and, if there are two sums, side[] behind. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_sums_fit_one(prf_sum_t sums[2], prf_rows_t *rows, const prf_dictionary_t *dictionary,
                                          bool signed_weights, prf_error_t *err);
/* With `from_sides` beginning with side[] as it is, else from several beginnings. Both sums empty: too few rows. */
PRF_CHECKED prf_status_t prf_sums_fit_two(prf_sum_t sums[2], prf_rows_t *rows, const prf_dictionary_t *dictionary,
                                          bool signed_weights, bool from_sides, prf_error_t *err);

#endif
