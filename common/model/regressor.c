// SPDX-License-Identifier: Apache-2.0
/* regressor.c - the candidates and the choice among them.
 *
 * Cross-validation predicts each row by a regressor that has not seen it: FOLDS-fold while that is cheap; with PLENTY of rows one
 * held-out part, judged by candidates that see SEEN of the others at most: which candidate suits a board shows well before that.
 * Terms come first: where a sum of them is exact, no tree is grown. The residuals of the winner calibrate the interval: the
 * residual is divided by the spread of the members (plus the median spread, so that rows on which all members agree do not blow
 * up), and the 5 % and 95 % quantiles of that ratio are kept (a split-conformal interval). Near ties (TIE of the best) go to the
 * candidate that stands first in the table; a sum stays until something beats it by a standard error of the difference, too
 * (Breiman, Friedman, Olshen and Stone 1984), so that noise does not decide for what says less about the board. Where nothing that
 * learns from what the sum leaves is the better for it, the sum leaves noise, which one of so many others follows by chance: trees
 * and processes of any sort must then win by four standard errors.
 *
 * Candidates that begin with another board's regressor see the rows through that board's recipe: there are two views of the data,
 * with the same rows in the same folds. They must win clearly (CLEARLY): there are many of them and few rows to judge them by, so
 * one that fits by chance would win too often, and a board that is nothing like the old one must not be the worse for it.
 */
#include "model/regressor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "base/rng.h"
#include "model/additive.h"
#include "model/bins.h"
#include "model/grow.h"
#include "model/parallel.h"
#include "model/transfer.h"

enum { FOLDS = 5, PLENTY = 2000, SEEN = 4000, HELD_OUT = 2000 };
#define TIE 1.01
#define UNSURE 1.0      /* standard errors by which a candidate must beat those before it, */
#define FAR_FETCHED 4.0 /* ... and a sum that leaves nothing to learn */
#define CLEARLY 0.7
#define TRUSTED 0.92 /* of many rows */
#define SAME 0.9     /* a fit to all rows is kept unless one to a part is better than this share of its error */
#define TINY 1e-9    /* half the least width of an interval, as a share: what rounding may do */

typedef enum { OWN = 0, PRIOR, VIEWS } view_t;

typedef struct {
    const char *name;
    prf_scale_t scale;
    prf_additive_t additive; /* of PRF_SCALE_TERMS; else PRF_ADDITIVES */
    prf_growth_t growth;     /* no members: no trees */
    bool gauss;              /* a Gaussian process, or with trees the mean of both */
    view_t view;
    prf_transfer_t transfer; /* of PRIOR, which makes the name and the scale; "boosted" puts trees on sums that had none */
} candidate_t;

#define FOREST                                                                                                                     \
    {                                                                                                                              \
        .members = 100, .rounds = 1, .shrink = 1, .row_share = 1, .bootstrap = true, .feature_share = 0.34, .min_leaf = 1          \
    }
#define EXTRA_TREES                                                                                                                \
    {                                                                                                                              \
        .members = 100, .rounds = 1, .shrink = 1, .row_share = 1, .random_cuts = true, .feature_share = 0.7, .min_leaf = 1         \
    }
#define BOOSTED                                                                                                                    \
    {                                                                                                                              \
        .members = 4, .rounds = 300, .shrink = 0.08, .row_share = 0.7, .feature_share = 0.5, .min_leaf = 3, .max_depth = 7         \
    }

static const candidate_t candidates[] = {
    {.view = PRIOR, .transfer = PRF_TRANSFER_SCALED},
    {.view = PRIOR, .transfer = PRF_TRANSFER_SCALED_SUMS},
    {"terms", PRF_SCALE_TERMS, PRF_ADDITIVE_POSITIVE, {0}, false, OWN, 0},
    {"signed-terms", PRF_SCALE_TERMS, PRF_ADDITIVE_SIGNED, {0}, false, OWN, 0},
    {"max-terms", PRF_SCALE_TERMS, PRF_ADDITIVE_MAX_POSITIVE, {0}, false, OWN, 0},
    {"max-signed-terms", PRF_SCALE_TERMS, PRF_ADDITIVE_MAX_SIGNED, {0}, false, OWN, 0},
    {.view = PRIOR, .transfer = PRF_TRANSFER_NEAR},
    {.view = PRIOR, .transfer = PRF_TRANSFER_LOOSE},
    {.view = PRIOR, .transfer = PRF_TRANSFER_FREE},
    {"gauss/roofline", PRF_SCALE_ROOFLINE, PRF_ADDITIVES, {0}, true, OWN, 0},
    {"gauss/max-terms", PRF_SCALE_TERMS, PRF_ADDITIVE_MAX_POSITIVE, {0}, true, OWN, 0},
    {"forest", PRF_SCALE_NONE, PRF_ADDITIVES, FOREST, false, OWN, 0}, /* the paper's */
    {"forest/roofline", PRF_SCALE_ROOFLINE, PRF_ADDITIVES, FOREST, false, OWN, 0},
    {"extra-trees/roofline", PRF_SCALE_ROOFLINE, PRF_ADDITIVES, EXTRA_TREES, false, OWN, 0},
    {"boosted/roofline", PRF_SCALE_ROOFLINE, PRF_ADDITIVES, BOOSTED, false, OWN, 0},
    {"boosted/terms", PRF_SCALE_TERMS, PRF_ADDITIVE_POSITIVE, BOOSTED, false, OWN, 0},
    {"boosted/max-terms", PRF_SCALE_TERMS, PRF_ADDITIVE_MAX_POSITIVE, BOOSTED, false, OWN, 0},
    {"mixed/roofline", PRF_SCALE_ROOFLINE, PRF_ADDITIVES, BOOSTED, true, OWN, 0},
    {"mixed/max-terms", PRF_SCALE_TERMS, PRF_ADDITIVE_MAX_POSITIVE, BOOSTED, true, OWN, 0},
    {"boosted", .growth = BOOSTED, .view = PRIOR, .transfer = PRF_TRANSFER_NEAR},
};
enum { CANDIDATES = sizeof candidates / sizeof *candidates };

void prf_regressor_release(prf_regressor_t *self)
{
    if (!self)
        return;
    prf_terms_release(&self->terms);
    prf_ensemble_release(&self->ensemble);
    prf_gauss_release(&self->gauss);
    *self = (prf_regressor_t){0};
}

static double log_scale(const prf_regressor_t *self, const prf_seen_t *seen)
{
    switch (self->scale) {
    case PRF_SCALE_ROOFLINE:
        return log(prf_roofline_ns(&self->roofline, seen->work));
    case PRF_SCALE_TERMS:
        return log(prf_terms_ns(&self->terms, seen->quantities));
    default:
        return 0;
    }
}

bool prf_regressor_has_rest(const prf_regressor_t *self)
{
    return self->ensemble.member_count || self->gauss.point_count;
}

static double put_together(const prf_regressor_t *self, double by_trees, double by_gauss)
{
    return self->ensemble.member_count && self->gauss.point_count ? (by_trees + by_gauss) / 2 : by_trees + by_gauss;
}

void prf_regressor_rest(const prf_regressor_t *self, const float *features, double *log_ratio, double *spread)
{
    double by_gauss = 0;
    *log_ratio = *spread = 0;
    if (self->gauss.point_count)
        prf_gauss_predict(&self->gauss, features, &by_gauss, spread);
    if (self->ensemble.member_count)
        prf_ensemble_predict(&self->ensemble, features, log_ratio, spread);
    *log_ratio = put_together(self, *log_ratio, by_gauss);
}

void prf_regressor_predict(const prf_regressor_t *self, const prf_seen_t *seen, double *log_ns, double *spread)
{
    prf_regressor_rest(self, seen->features, log_ns, spread);
    *log_ns += log_scale(self, seen);
}

void prf_regressor_predict_many(const prf_regressor_t *self, const prf_seen_t seen[], size_t count, double log_ns[],
                                double spread[])
{
    const float *rows[PRF_REGRESSOR_ROWS];
    double by_trees[PRF_REGRESSOR_ROWS] = {0}, by_gauss = 0;
    for (size_t i = 0; i < count; i++) {
        rows[i] = seen[i].features;
        spread[i] = 0;
    }
    if (self->ensemble.member_count)
        prf_ensemble_predict_many(&self->ensemble, rows, count, by_trees, spread);
    for (size_t i = 0; i < count; i++) {
        double distant;
        if (self->gauss.point_count)
            prf_gauss_predict(&self->gauss, rows[i], &by_gauss, self->ensemble.member_count ? &distant : &spread[i]);
        log_ns[i] = put_together(self, by_trees[i], by_gauss) + log_scale(self, &seen[i]);
    }
}

prf_seen_t prf_regressor_see(const prf_regressor_t *self, const prf_dataset_t *data, size_t row, double quantities[PRF_QUANTITIES])
{
    if (self->scale == PRF_SCALE_TERMS)
        prf_dataset_quantities(data, row, quantities);
    return (prf_seen_t){data->table + row * data->feature_count, &data->work[row], quantities};
}

static bool has_rest(const candidate_t *candidate)
{
    return candidate->gauss || candidate->growth.members > 0;
}

/* Boosting may go deeper where there are rows enough to tell it from noise, and need not follow those that differ from their
 * neighbours for no reason that the features tell. With few rows these may be all that a structure shows of itself. */
static prf_growth_t growth_for(const candidate_t *candidate, size_t rows)
{
    prf_growth_t growth = candidate->growth;
    if (growth.rounds > 1 && rows > SEEN) {
        growth.rounds = 500;
        growth.max_depth = 10;
        growth.trusted = TRUSTED;
    }
    return growth;
}

/* What a regressor is fitted to: rows in one of the views. Borrowed. */
typedef struct {
    const prf_dataset_t *data;
    const prf_bins_t *bins;           /* of trees */
    const prf_terms_t *terms;         /* of OWN: the additive fits to the same data */
    const prf_regressor_t *regressor; /* of PRIOR */
    prf_gauss_effort_t effort;
} lesson_t;

static prf_status_t fit_gauss(prf_regressor_t *self, const lesson_t *lesson, const double *target, prf_error_t *err)
{
    const prf_dataset_t *data = lesson->data;
    prf_gauss_kernel_t kernel;
    prf_status_t status = prf_gauss_learn(&kernel, data->table, data->count, data->feature_count, target, lesson->effort, err);
    return status ? status : prf_gauss_fit(&self->gauss, &kernel, data->table, data->count, data->feature_count, target, err);
}

/* What the scale leaves over is learned from features. */
static prf_status_t fit_rest(prf_regressor_t *self, const candidate_t *candidate, const lesson_t *lesson, uint64_t seed,
                             unsigned threads, prf_error_t *err)
{
    const prf_dataset_t *data = lesson->data;
    double *target = malloc(data->count * sizeof *target), quantities[PRF_QUANTITIES];
    if (!target)
        return prf_fail(err, PRF_ENOMEM, "targets of %zu layers", data->count);
    for (size_t i = 0; i < data->count; i++) {
        prf_seen_t seen = prf_regressor_see(self, data, i, quantities);
        target[i] = data->log_latency[i] - log_scale(self, &seen);
    }
    prf_growth_t growth = growth_for(candidate, data->count);
    prf_status_t status = candidate->gauss ? fit_gauss(self, lesson, target, err) : PRF_OK;
    if (!status && growth.members)
        status =
            prf_ensemble_fit(&self->ensemble, lesson->bins, data->table, data->feature_count, target, &growth, seed, threads, err);
    free(target);
    return status;
}

static prf_status_t fit_scale(prf_regressor_t *self, bool *fits, const candidate_t *candidate, const lesson_t *lesson,
                              prf_error_t *err)
{
    const prf_dataset_t *data = lesson->data;
    *fits = true;
    if (candidate->view == PRIOR)
        return prf_transfer_fit(self, fits, lesson->regressor, data, candidate->transfer, err);
    self->scale = candidate->scale;
    snprintf(self->name, sizeof self->name, "%s", candidate->name);
    if (self->scale == PRF_SCALE_ROOFLINE)
        prf_roofline_fit(&self->roofline, data->log_latency, data->work, data->count);
    if (self->scale != PRF_SCALE_TERMS)
        return PRF_OK;
    const prf_terms_t *terms = &lesson->terms[candidate->additive];
    *fits = terms->terms != NULL;
    return *fits ? prf_terms_copy(&self->terms, terms, err) : PRF_OK;
}

/* Trees stand on their scale's name: "boosted/refit/terms". */
static void name_boosted(prf_regressor_t *self, const char *how)
{
    char scale[PRF_REGRESSOR_NAME];
    snprintf(scale, sizeof scale, "%s", self->name);
    snprintf(self->name, sizeof self->name, "%s/%.*s", how, (int)(sizeof self->name - strlen(how) - 2), scale);
}

/* *fits: false where the candidate cannot be fitted to so little, or to such a prior; then *out is untouched. */
static prf_status_t fit(prf_regressor_t *out, bool *fits, const candidate_t *candidate, const lesson_t *lesson, uint64_t seed,
                        unsigned threads, prf_error_t *err)
{
    prf_regressor_t self = {.scale = PRF_SCALE_NONE};
    prf_status_t status = fit_scale(&self, fits, candidate, lesson, err);
    if (!status && *fits && has_rest(candidate)) {
        if (candidate->view == PRIOR)
            name_boosted(&self, candidate->name);
        if (prf_regressor_has_rest(&self))
            *fits = false;
        else
            status = fit_rest(&self, candidate, lesson, seed, threads, err);
    }
    if (status || !*fits)
        prf_regressor_release(&self);
    else
        *out = self;
    return status;
}

/* One part of the data is held out, and predicted by regressors fitted to the rest. */
typedef struct {
    size_t begin, end; /* in the shuffled order */
    prf_dataset_t rest[VIEWS];
    prf_terms_t terms[PRF_ADDITIVES]; /* fitted to the rest */
    prf_status_t status;
    prf_error_t error;
} fold_t;

/* What cross-validation found out about every candidate, row by row; rows that were never held out keep a NaN residual. */
typedef struct {
    const prf_dataset_t *data[VIEWS]; /* borrowed; PRIOR is NULL without one */
    const prf_regressor_t *regressor; /* borrowed: the prior's */
    uint32_t *order;                  /* owned: rows, shuffled */
    size_t fold_count;
    fold_t folds[FOLDS];
    double *residuals[CANDIDATES], *spreads[CANDIDATES]; /* owned */
} trial_t;

static void trial_release(trial_t *trial)
{
    for (size_t f = 0; f < trial->fold_count; f++) {
        for (int t = 0; t < PRF_ADDITIVES; t++)
            prf_terms_release(&trial->folds[f].terms[t]);
        for (int v = 0; v < VIEWS; v++)
            prf_dataset_release(&trial->folds[f].rest[v]);
    }
    for (size_t c = 0; c < CANDIDATES; c++) {
        free(trial->residuals[c]);
        free(trial->spreads[c]);
    }
    free(trial->order);
}

static prf_status_t trial_init(trial_t *trial, const prf_dataset_t *data, const prf_prior_t *prior, uint64_t seed, prf_error_t *err)
{
    size_t n = data->count;
    *trial = (trial_t){.data = {data, prior ? prior->data : NULL}, .regressor = prior ? prior->regressor : NULL};
    trial->order = malloc(n * sizeof *trial->order);
    bool ok = trial->order;
    for (size_t c = 0; c < CANDIDATES; c++) {
        trial->residuals[c] = malloc(n * sizeof(double));
        trial->spreads[c] = calloc(n, sizeof(double));
        ok = ok && trial->residuals[c] && trial->spreads[c];
        for (size_t i = 0; trial->residuals[c] && i < n; i++)
            trial->residuals[c][i] = NAN;
    }
    if (!ok) {
        trial_release(trial);
        return prf_fail(err, PRF_ENOMEM, "cross-validation of %zu layers", n);
    }
    for (size_t i = 0; i < n; i++)
        trial->order[i] = (uint32_t)i;
    prf_rng_t rng;
    prf_rng_init(&rng, seed, prf_rng_stream("folds"));
    prf_rng_shuffle(&rng, trial->order, n, sizeof *trial->order);
    trial->fold_count = n >= PLENTY ? 1 : n < FOLDS ? n : FOLDS;
    size_t held_out = n / 5 < HELD_OUT ? n / 5 : HELD_OUT;
    for (size_t f = 0; f < trial->fold_count; f++) {
        trial->folds[f].begin = trial->fold_count == 1 ? 0 : f * n / trial->fold_count;
        trial->folds[f].end = trial->fold_count == 1 ? held_out : (f + 1) * n / trial->fold_count;
    }
    return PRF_OK;
}

static prf_status_t pick_rest(const trial_t *trial, fold_t *fold, prf_error_t *err)
{
    size_t kept = 0, n = trial->data[OWN]->count;
    uint32_t *rows = malloc(n * sizeof *rows);
    if (!rows)
        return prf_fail(err, PRF_ENOMEM, "a fold of %zu layers", n);
    for (size_t i = 0; i < n; i++)
        if ((i < fold->begin || i >= fold->end) && kept < SEEN)
            rows[kept++] = trial->order[i];
    prf_status_t status = PRF_OK;
    for (int v = 0; !status && v < VIEWS && trial->data[v]; v++)
        status = prf_dataset_pick(&fold->rest[v], trial->data[v], rows, kept, err);
    free(rows);
    return status;
}

static void fit_fold_terms(void *context, size_t index)
{
    const trial_t *trial = context;
    fold_t *fold = &((trial_t *)context)->folds[index];
    fold->status = pick_rest(trial, fold, &fold->error);
    if (!fold->status)
        fold->status = prf_additive_fit(fold->terms, &fold->rest[OWN], &fold->error);
}

/* A fold's rows, predicted by one candidate that has not seen them. */
static prf_status_t judge(trial_t *trial, const fold_t *fold, const prf_bins_t *bins, size_t c, uint64_t seed, unsigned threads,
                          prf_error_t *err)
{
    prf_regressor_t regressor;
    bool fits;
    view_t view = candidates[c].view;
    lesson_t lesson = {&fold->rest[view], &bins[view], fold->terms, trial->regressor, PRF_GAUSS_BRIEF};
    prf_status_t status = fit(&regressor, &fits, &candidates[c], &lesson, seed, threads, err);
    if (status || !fits)
        return status;
    for (size_t i = fold->begin; i < fold->end; i++) {
        uint32_t row = trial->order[i];
        double estimate, quantities[PRF_QUANTITIES];
        prf_seen_t seen = prf_regressor_see(&regressor, trial->data[view], row, quantities);
        prf_regressor_predict(&regressor, &seen, &estimate, &trial->spreads[c][row]);
        trial->residuals[c][row] = trial->data[view]->log_latency[row] - estimate;
    }
    prf_regressor_release(&regressor);
    return PRF_OK;
}

static bool is_mixed(const candidate_t *candidate)
{
    return candidate->gauss && candidate->growth.members;
}

static bool is_judged_by_itself(const trial_t *trial, const candidate_t *candidate)
{
    const prf_dataset_t *data = trial->data[candidate->view];
    return data && !is_mixed(candidate) && !(candidate->gauss && data->count > PRF_GAUSS_POINTS);
}

/* The mean of two has the mean of their errors. The members of the trees tell how far to trust it: better than distances do. */
static void judge_mixed(trial_t *trial, size_t mixed)
{
    const candidate_t *m = &candidates[mixed];
    size_t gauss = mixed, trees = mixed;
    for (size_t c = 0; c < CANDIDATES; c++)
        if (candidates[c].view == OWN && candidates[c].scale == m->scale && candidates[c].additive == m->additive) {
            gauss = candidates[c].gauss && !candidates[c].growth.members ? c : gauss;
            trees = !candidates[c].gauss && candidates[c].growth.rounds == m->growth.rounds ? c : trees;
        }
    for (size_t i = 0; i < trial->data[OWN]->count; i++) {
        trial->residuals[mixed][i] = (trial->residuals[gauss][i] + trial->residuals[trees][i]) / 2;
        trial->spreads[mixed][i] = trial->spreads[trees][i];
    }
}

static prf_status_t judge_all(trial_t *trial, bool with_rest, uint64_t seed, unsigned threads, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (size_t f = 0; !status && f < trial->fold_count; f++) {
        const prf_dataset_t *rest = trial->folds[f].rest;
        prf_bins_t bins[VIEWS] = {0};
        for (int v = 0; !status && with_rest && v < VIEWS && trial->data[v]; v++)
            status = prf_bins_init(&bins[v], rest[v].table, rest[v].count, rest[v].feature_count, err);
        for (size_t c = 0; !status && c < CANDIDATES; c++)
            if (has_rest(&candidates[c]) == with_rest && is_judged_by_itself(trial, &candidates[c]))
                status = judge(trial, &trial->folds[f], bins, c, seed, threads, err);
        for (int v = 0; v < VIEWS; v++)
            prf_bins_release(&bins[v]);
    }
    for (size_t c = 0; !status && with_rest && c < CANDIDATES; c++)
        if (is_mixed(&candidates[c]))
            judge_mixed(trial, c);
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
    return n ? sum / (double)n + TINY : INFINITY;
}

/* Standard error of the difference between two candidates' mean errors: both were judged on the same rows. */
static double uncertainty(const double *a, const double *b, size_t count)
{
    double sum = 0, squares = 0;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(a[i]) || isnan(b[i]))
            continue;
        double difference = fabs(exp(-a[i]) - 1) - fabs(exp(-b[i]) - 1);
        sum += difference;
        squares += difference * difference;
        n++;
    }
    return n > 1 ? sqrt(fmax(0, squares - sum * sum / (double)n) / (double)(n - 1) / (double)n) : 0;
}

/* Whether what learns from what a sum leaves is none the better for it: the sum leaves noise. */
static bool leaves_noise(const double errors[CANDIDATES], size_t sum)
{
    bool tried = false;
    for (size_t c = 0; c < CANDIDATES; c++) {
        const candidate_t *on = &candidates[c];
        if (on->view != OWN || !has_rest(on) || on->scale != PRF_SCALE_TERMS || on->additive != candidates[sum].additive)
            continue;
        if (errors[c] < errors[sum])
            return false;
        tried = tried || isfinite(errors[c]);
    }
    return tried;
}

static bool is_sum(const candidate_t *candidate)
{
    return candidate->view == OWN && !has_rest(candidate);
}

/* The first candidate that is as good as the best, or a sum that may be; *least is how good that is. What is exact is not so by
 * chance. */
static size_t best_candidate(const trial_t *trial, double *least)
{
    double errors[CANDIDATES];
    size_t best = 0, count = trial->data[OWN]->count;
    *least = INFINITY;
    for (size_t c = 0; c < CANDIDATES; c++) {
        errors[c] = mean_percentage_error(trial->residuals[c], count);
        if (candidates[c].view == PRIOR)
            errors[c] /= CLEARLY;
        if (errors[c] < *least) {
            *least = errors[c];
            best = c;
        }
    }
    for (size_t c = 0; c < best; c++) {
        if (errors[c] <= TIE * *least)
            return c;
        if (!is_sum(&candidates[c]) || *least <= PRF_REGRESSOR_EXACT)
            continue;
        double unsure = has_rest(&candidates[best]) && leaves_noise(errors, c) ? FAR_FETCHED : UNSURE;
        if (errors[c] - *least < unsure * uncertainty(trial->residuals[c], trial->residuals[best], count))
            return c;
    }
    return best;
}

/* Trees are spared the trouble where a sum of terms is exact. */
static prf_status_t cross_validate(trial_t *trial, size_t *best, uint64_t seed, unsigned threads, prf_error_t *err)
{
    double least;
    prf_parallel(trial->fold_count, threads, fit_fold_terms, trial);
    for (size_t f = 0; f < trial->fold_count; f++)
        if (trial->folds[f].status) {
            if (err)
                *err = trial->folds[f].error;
            return trial->folds[f].status;
        }
    prf_status_t status = judge_all(trial, false, seed, threads, err);
    if (status)
        return status;
    *best = best_candidate(trial, &least);
    if (least < PRF_REGRESSOR_EXACT)
        return PRF_OK;
    status = judge_all(trial, true, seed, threads, err);
    if (!status)
        *best = best_candidate(trial, &least);
    return status;
}

static double terms_error(const prf_terms_t *terms, const prf_dataset_t *data)
{
    double sum = 0, quantities[PRF_QUANTITIES];
    for (size_t i = 0; i < data->count; i++) {
        prf_dataset_quantities(data, i, quantities);
        sum += fabs(prf_terms_ns(terms, quantities) / exp(data->log_latency[i]) - 1);
    }
    return sum / (double)data->count;
}

/* The search for terms can end in a dead end. So one more fit, to all rows, competes with those that the folds have. */
static prf_status_t best_terms(prf_terms_t *out, const trial_t *trial, prf_additive_t additive, prf_error_t *err)
{
    prf_terms_t all[PRF_ADDITIVES] = {{.terms = NULL}};
    prf_status_t status = prf_additive_fit(all, trial->data[OWN], err);
    if (status)
        return status;
    const prf_terms_t *best = &all[additive];
    double least = best->terms ? SAME * terms_error(best, trial->data[OWN]) : INFINITY;
    for (size_t f = 0; f < trial->fold_count; f++) {
        const prf_terms_t *terms = &trial->folds[f].terms[additive];
        double error = terms->terms ? terms_error(terms, trial->data[OWN]) : INFINITY;
        if (error < least) {
            least = error;
            best = terms;
        }
    }
    status = prf_terms_copy(out, best, err);
    for (int t = 0; t < PRF_ADDITIVES; t++)
        prf_terms_release(&all[t]);
    return status;
}

static prf_status_t fit_to_all(prf_regressor_t *out, trial_t *trial, size_t c, uint64_t seed, unsigned threads, prf_error_t *err)
{
    const candidate_t *candidate = &candidates[c];
    const prf_dataset_t *data = trial->data[candidate->view];
    prf_terms_t terms[PRF_ADDITIVES] = {{.terms = NULL}};
    prf_bins_t bins = {0};
    bool fits = false;
    prf_status_t status = PRF_OK;
    if (candidate->growth.members)
        status = prf_bins_init(&bins, data->table, data->count, data->feature_count, err);
    if (!status && candidate->scale == PRF_SCALE_TERMS)
        status = best_terms(&terms[candidate->additive], trial, candidate->additive, err);
    lesson_t lesson = {data, &bins, terms, trial->regressor, PRF_GAUSS_THOROUGH};
    if (!status)
        status = fit(out, &fits, candidate, &lesson, seed, threads, err);
    for (int t = 0; t < PRF_ADDITIVES; t++)
        prf_terms_release(&terms[t]);
    prf_bins_release(&bins);
    return status || fits ? status
                          : prf_fail(err, PRF_EINVAL, "%zu layers that no model can be fitted to: measure more", data->count);
}

prf_status_t prf_regressor_choose(prf_regressor_t *out, bool *from_prior, double *error, const prf_dataset_t *data,
                                  const prf_prior_t *prior, uint64_t seed, unsigned threads, prf_error_t *err)
{
    trial_t trial;
    prf_regressor_t self = {0};
    size_t best = 0;
    prf_status_t status = trial_init(&trial, data, prior, seed, err);
    if (status)
        return status;
    status = cross_validate(&trial, &best, seed, threads, err);
    if (!status)
        status = fit_to_all(&self, &trial, best, seed, threads, err);
    *error = status ? 0 : mean_percentage_error(trial.residuals[best], data->count);
    if (!status)
        status = prf_regressor_calibrate(&self, trial.residuals[best], trial.spreads[best], data->count, err);
    trial_release(&trial);
    if (status) {
        prf_regressor_release(&self);
        return status;
    }
    *from_prior = candidates[best].view == PRIOR;
    *out = self;
    return PRF_OK;
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
        prf_sort(ratios, n);
        self->floor = fmax(ratios[n / 2], 1e-6);
        n = 0;
        for (size_t i = 0; i < count; i++)
            if (!isnan(residuals[i]))
                ratios[n++] = residuals[i] / (spreads[i] + self->floor);
        prf_sort(ratios, n);
        self->low = fmin(-TINY / self->floor, quantile(ratios, n, 0.05, false));
        self->high = fmax(TINY / self->floor, quantile(ratios, n, 0.95, true));
    }
    free(ratios);
    return PRF_OK;
}
