// SPDX-License-Identifier: Apache-2.0
/* regressor.h - from features to latency: what a candidate is, how one is fitted, judged and chosen. Pure.
 *
 * A regressor is a scale and what is learned on top of it: trees, a Gaussian process, or the mean of both, over the
 * logarithm of latency / scale; or nothing. The scale is 1 ns, the roofline of the board, or sums of terms. Adding a candidate is
 * adding an entry to the table in regressor.c. */
#ifndef PRF_MODEL_REGRESSOR_H
#define PRF_MODEL_REGRESSOR_H

#include <stdbool.h>

#include "model/dataset.h"
#include "model/ensemble.h"
#include "model/gauss.h"
#include "model/roofline.h"
#include "model/terms.h"

enum { PRF_REGRESSOR_NAME = 32, PRF_REGRESSOR_ROWS = 48 };
#define PRF_REGRESSOR_EXACT 1e-7 /* a mean error, as a share, that nothing can better */

typedef enum { PRF_SCALE_NONE = 0, PRF_SCALE_ROOFLINE, PRF_SCALE_TERMS } prf_scale_t;

/* What a regressor sees of a layer. Borrowed. */
typedef struct {
    const float *features;
    const prf_work_t *work;
    const double *quantities;
} prf_seen_t;

typedef struct {
    char name[PRF_REGRESSOR_NAME];
    prf_scale_t scale;
    prf_roofline_t roofline;
    prf_terms_t terms;       /* owned */
    prf_ensemble_t ensemble; /* owned; may be empty */
    prf_gauss_t gauss;       /* owned; may be empty; only where there is a scale */
    /* The 90 % interval: logarithm of the estimate + [low, high] x (spread of the members + floor), low <= 0 <= high. */
    double low, high, floor;
} prf_regressor_t;

void prf_regressor_release(prf_regressor_t *self); /* NULL-safe */
/* A row of the data as the regressor looks at it; `quantities` is room for them, filled in only where there are terms. */
prf_seen_t prf_regressor_see(const prf_regressor_t *self, const prf_dataset_t *data, size_t row, double quantities[PRF_QUANTITIES]);
/* Logarithm of the latency in nanoseconds, and the spread of the members around it. */
void prf_regressor_predict(const prf_regressor_t *self, const prf_seen_t *seen, double *log_ns, double *spread);

/* Likewise of many rows, PRF_REGRESSOR_ROWS at most, which costs less for each; the answers are the same to the bit. */
void prf_regressor_predict_many(const prf_regressor_t *self, const prf_seen_t seen[], size_t count, double log_ns[],
                                double spread[]);

/* What is learned from features on top of the scale, as a logarithm, and the spread around it (of the trees where there are both);
 * 0 without. */
void prf_regressor_rest(const prf_regressor_t *self, const float *features, double *log_ratio, double *spread);
bool prf_regressor_has_rest(const prf_regressor_t *self);

/* Another board's regressor to begin with. Borrowed. */
typedef struct {
    const prf_regressor_t *regressor;
    const prf_dataset_t *data; /* the same rows, seen by the other board's recipe and steps: so must estimates see a layer */
} prf_prior_t;

/* Fits every candidate to parts of the data and judges it on the rest (cross-validation by mean absolute percentage error);
 * the best is fitted to all of it. With a prior (else NULL) what it can be made into competes as well (transfer.h); *from_prior
 * tells that it won; *error is the winner's in cross-validation, a share. Errors: PRF_ENOMEM, PRF_EINVAL (too much data for a model
 * file). */
PRF_CHECKED prf_status_t prf_regressor_choose(prf_regressor_t *out, bool *from_prior, double *error, const prf_dataset_t *data,
                                              const prf_prior_t *prior, uint64_t seed, unsigned threads, prf_error_t *err);
/* Sets the interval from pairs of (logarithm of measured / estimated, spread), so that 90 % of them lie within it. */
PRF_CHECKED prf_status_t prf_regressor_calibrate(prf_regressor_t *self, const double *residuals, const double *spreads,
                                                 size_t count, prf_error_t *err);

#endif
