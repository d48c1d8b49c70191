// SPDX-License-Identifier: Apache-2.0
/* regressor.c - the candidates and the choice among them.
 *
 * Cross-validation predicts each row by a regressor that has not seen it: FOLDS-fold while that is cheap; with PLENTY of rows one
 * held-out part, judged by candidates that see PLENTY of the others: which candidate suits a board shows well before that. The
 * residuals of the winner calibrate the interval: the residual is divided by the spread of the members (plus the median spread, so
 * that rows on which all members agree do not blow up), and the 5 % and 95 % quantiles of that ratio are kept (a split-conformal
 * interval). Ties and near ties (TIE of the best) go to the candidate that stands first in the table, so that noise does not decide
 * and the paper's forest stays where nothing beats it. */
#include "model/regressor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model/bins.h"
#include "model/grow.h"

enum { FOLDS = 5, PLENTY = 8000, HELD_OUT = 2000 };
#define TIE 1.01

typedef struct {
    const char *name;
    bool scaled;
    prf_growth_t growth;
} candidate_t;

static const candidate_t candidates[] = {
    /* The paper's: a plain random forest. */
    {"forest",
     false,
     {.members = 100, .rounds = 1, .shrink = 1, .row_share = 1, .bootstrap = true, .feature_share = 0.34, .min_leaf = 1}},
    {"forest/roofline",
     true,
     {.members = 100, .rounds = 1, .shrink = 1, .row_share = 1, .bootstrap = true, .feature_share = 0.34, .min_leaf = 1}},
    {"extra-trees/roofline",
     true,
     {.members = 100, .rounds = 1, .shrink = 1, .row_share = 1, .random_cuts = true, .feature_share = 0.7, .min_leaf = 1}},
    {"boosted/roofline",
     true,
     {.members = 4, .rounds = 300, .shrink = 0.08, .row_share = 0.7, .feature_share = 0.5, .min_leaf = 3, .max_depth = 7}},
};
enum { CANDIDATES = sizeof candidates / sizeof *candidates };

void prf_regressor_release(prf_regressor_t *self)
{
    if (!self)
        return;
    prf_ensemble_release(&self->ensemble);
    *self = (prf_regressor_t){0};
}

static double log_scale(const prf_regressor_t *self, const prf_work_t *work)
{
    return self->scaled ? log(prf_roofline_ns(&self->roofline, work)) : 0;
}

void prf_regressor_predict(const prf_regressor_t *self, const float *x, const prf_work_t *work, double *log_ns, double *spread)
{
    prf_ensemble_predict(&self->ensemble, x, log_ns, spread);
    *log_ns += log_scale(self, work);
}

static prf_status_t fit(prf_regressor_t *out, const candidate_t *candidate, const prf_dataset_t *data, const prf_bins_t *bins,
                        uint64_t seed, unsigned threads, prf_error_t *err)
{
    prf_regressor_t self = {.scaled = candidate->scaled};
    snprintf(self.name, sizeof self.name, "%s", candidate->name);
    if (self.scaled)
        prf_roofline_fit(&self.roofline, data->log_latency, data->work, data->count);
    double *target = malloc(data->count * sizeof *target);
    if (!target)
        return prf_fail(err, PRF_ENOMEM, "targets of %zu layers", data->count);
    for (size_t i = 0; i < data->count; i++)
        target[i] = data->log_latency[i] - log_scale(&self, &data->work[i]);
    prf_status_t status =
        prf_ensemble_fit(&self.ensemble, bins, data->table, data->feature_count, target, &candidate->growth, seed, threads, err);
    free(target);
    if (!status)
        *out = self;
    return status;
}

/* What cross-validation found out about every candidate, row by row; rows that were never held out keep a NaN residual. */
typedef struct {
    double *residuals[CANDIDATES], *spreads[CANDIDATES]; /* owned */
} trial_t;

static prf_status_t judge(trial_t *trial, const prf_dataset_t *data, const uint32_t *order, size_t begin, size_t end, uint64_t seed,
                          unsigned threads, prf_error_t *err)
{
    size_t kept = 0;
    prf_dataset_t part = {0};
    prf_bins_t bins = {0};
    uint32_t *rows = malloc(data->count * sizeof *rows);
    if (!rows)
        return prf_fail(err, PRF_ENOMEM, "a fold of %zu layers", data->count);
    for (size_t i = 0; i < data->count; i++)
        if ((i < begin || i >= end) && kept < PLENTY)
            rows[kept++] = order[i];
    prf_status_t status = prf_dataset_pick(&part, data, rows, kept, err);
    free(rows);
    if (!status)
        status = prf_bins_init(&bins, part.table, part.count, part.feature_count, err);
    for (size_t c = 0; !status && c < CANDIDATES; c++) {
        prf_regressor_t regressor;
        status = fit(&regressor, &candidates[c], &part, &bins, seed, threads, err);
        for (size_t i = begin; !status && i < end; i++) {
            uint32_t row = order[i];
            double estimate;
            prf_regressor_predict(&regressor, data->table + row * data->feature_count, &data->work[row], &estimate,
                                  &trial->spreads[c][row]);
            trial->residuals[c][row] = data->log_latency[row] - estimate;
        }
        if (!status)
            prf_regressor_release(&regressor);
    }
    prf_bins_release(&bins);
    prf_dataset_release(&part);
    return status;
}

static void trial_release(trial_t *trial)
{
    for (size_t c = 0; c < CANDIDATES; c++) {
        free(trial->residuals[c]);
        free(trial->spreads[c]);
    }
}

static prf_status_t trial_init(trial_t *trial, size_t count, prf_error_t *err)
{
    bool ok = true;
    *trial = (trial_t){{0}, {0}};
    for (size_t c = 0; c < CANDIDATES; c++) {
        trial->residuals[c] = malloc(count * sizeof(double));
        trial->spreads[c] = calloc(count, sizeof(double));
        ok = ok && trial->residuals[c] && trial->spreads[c];
        for (size_t i = 0; trial->residuals[c] && i < count; i++)
            trial->residuals[c][i] = NAN;
    }
    if (ok)
        return PRF_OK;
    trial_release(trial);
    return prf_fail(err, PRF_ENOMEM, "cross-validation of %zu layers", count);
}

static prf_status_t cross_validate(trial_t *trial, const prf_dataset_t *data, uint64_t seed, unsigned threads, prf_error_t *err)
{
    size_t n = data->count;
    uint32_t *order = malloc(n * sizeof *order);
    if (!order)
        return prf_fail(err, PRF_ENOMEM, "folds of %zu layers", n);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    prf_rng_t rng;
    prf_rng_init(&rng, seed, prf_rng_stream("folds"));
    prf_rng_shuffle(&rng, order, n, sizeof *order);
    size_t folds = n >= PLENTY ? 1 : n < FOLDS ? n : FOLDS;
    size_t held_out = n / 5 < HELD_OUT ? n / 5 : HELD_OUT;
    prf_status_t status = PRF_OK;
    for (size_t f = 0; !status && f < folds; f++) {
        size_t begin = folds == 1 ? 0 : f * n / folds, end = folds == 1 ? held_out : (f + 1) * n / folds;
        status = judge(trial, data, order, begin, end, seed, threads, err);
    }
    free(order);
    return status;
}

static double mean_percentage_error(const double *residuals, size_t count)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(residuals[i]))
            continue;
        sum += fabs(exp(-residuals[i]) - 1);
        n++;
    }
    return sum / (double)n;
}

static size_t best_candidate(const trial_t *trial, size_t count)
{
    double errors[CANDIDATES], least = INFINITY;
    for (size_t c = 0; c < CANDIDATES; c++) {
        errors[c] = mean_percentage_error(trial->residuals[c], count);
        least = fmin(least, errors[c]);
    }
    for (size_t c = 0; c < CANDIDATES; c++)
        if (errors[c] <= TIE * least)
            return c;
    return 0;
}

prf_status_t prf_regressor_choose(prf_regressor_t *out, const prf_dataset_t *data, uint64_t seed, unsigned threads,
                                  prf_error_t *err)
{
    trial_t trial;
    prf_bins_t bins = {0};
    prf_regressor_t self = {0};
    prf_status_t status = trial_init(&trial, data->count, err);
    if (status)
        return status;
    status = cross_validate(&trial, data, seed, threads, err);
    if (!status)
        status = prf_bins_init(&bins, data->table, data->count, data->feature_count, err);
    size_t best = status ? 0 : best_candidate(&trial, data->count);
    if (!status)
        status = fit(&self, &candidates[best], data, &bins, seed, threads, err);
    if (!status)
        status = prf_regressor_calibrate(&self, trial.residuals[best], trial.spreads[best], data->count, err);
    prf_bins_release(&bins);
    trial_release(&trial);
    if (status)
        prf_regressor_release(&self);
    else
        *out = self;
    return status;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Calibration wants the quantile to err on the safe side: the next value outwards. */
static double quantile(const double *sorted, size_t count, double share, bool outwards_up)
{
    double at = share * (double)(count - 1);
    return sorted[(size_t)(outwards_up ? ceil(at) : floor(at))];
}

prf_status_t prf_regressor_calibrate(prf_regressor_t *self, const double *residuals, const double *spreads, size_t count,
                                     prf_error_t *err)
{
    size_t n = 0;
    double *ratios = malloc((count ? count : 1) * sizeof *ratios);
    if (!ratios)
        return prf_fail(err, PRF_ENOMEM, "an interval over %zu layers", count);
    for (size_t i = 0; i < count; i++)
        if (!isnan(residuals[i]))
            ratios[n++] = spreads[i];
    if (n > 0) {
        qsort(ratios, n, sizeof *ratios, by_value);
        self->floor = fmax(ratios[n / 2], 1e-6);
        n = 0;
        for (size_t i = 0; i < count; i++)
            if (!isnan(residuals[i]))
                ratios[n++] = residuals[i] / (spreads[i] + self->floor);
        qsort(ratios, n, sizeof *ratios, by_value);
        self->low = fmin(0, quantile(ratios, n, 0.05, false));
        self->high = fmax(0, quantile(ratios, n, 0.95, true));
    }
    free(ratios);
    return PRF_OK;
}
