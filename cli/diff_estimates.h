// SPDX-License-Identifier: Apache-2.0
/* diff_estimates.h - what two models say about the same layers: drawn from the ranges that both were trained on, so that neither
 * has to guess. Pure; main thread only. */
#ifndef PRF_CLI_DIFF_ESTIMATES_H
#define PRF_CLI_DIFF_ESTIMATES_H

#include "model/model.h"

typedef struct {
    prf_block_t block; /* one layer */
    double a_ns, b_ns;
} prf_diff_layer_t;

/* Of one layer kind; changes are of B against A, in percent, NaN where nothing could be compared. */
typedef struct {
    size_t count;
    double median_percent, p5_percent, p95_percent;
    double largest_percent; /* of the largest change, whichever way it goes */
} prf_diff_change_t;

/* Draws up to `count` layers that both models were trained on, half from either's ranges, always the same ones for a seed, and has
 * both estimate them. *layers (the caller frees it) has the largest change first. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_diff_estimate(const prf_model_t *a, const prf_model_t *b, const prf_model_layer_t *of_a,
                                           const prf_model_layer_t *of_b, size_t count, uint64_t seed, prf_diff_layer_t **layers,
                                           prf_diff_change_t *change, prf_error_t *err);
double prf_diff_percent(double a_ns, double b_ns);

#endif
