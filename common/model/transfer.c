// SPDX-License-Identifier: Apache-2.0
/* transfer.c - every coefficient of the old sums gets a ratio, new over old. The ratios are a small least-squares problem with
 * relative errors, of which a dozen layers leave much open: a ridge towards one common ratio closes it, so that what no layer tells
 * moves with the rest. Which of two sums counts where is not known beforehand (a new board may be bound by its bus where the old
 * one was not), so the layers go to and fro between the sums as in sums.c, beginning with either sum ever more weight. */
#include "model/transfer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "model/select.h"
#include "model/sums.h"

enum { ROWS = 400, ROUNDS = 12, LEAST_ROUNDS = 4 };

/* The old sums over the new board's layers. `share`: column after column, old coefficient times product, over what the sum should
 * be there; with the right ratios the larger sum is 1 in every row. */
typedef struct {
    const prf_terms_t *old; /* borrowed */
    size_t rows;
    double *share;                                    /* owned, like all arrays: terms x rows */
    double *ratio, *best;                             /* one a term */
    double *trust, *fitted, *scratch, *columns, *aim; /* `columns` and `aim`: the system of one sum, ridge included */
    uint8_t *side;
} refit_t;

static size_t term_count(const prf_terms_t *t)
{
    return t->count[0] + t->count[1];
}

/* --- the old estimate, times a factor --------------------------------------------------------------------------------- */

static prf_status_t common_factor(double *out, const prf_regressor_t *old, const prf_dataset_t *data, prf_error_t *err)
{
    double *off = malloc((data->count + 1) * sizeof *off), quantities[PRF_QUANTITIES], spread;
    if (!off)
        return prf_fail(err, PRF_ENOMEM, "an old model over %zu layers", data->count);
    for (size_t i = 0; i < data->count; i++) {
        prf_seen_t seen = prf_regressor_see(old, data, i, quantities);
        prf_regressor_predict(old, &seen, &off[i], &spread);
        off[i] = data->log_latency[i] - off[i];
    }
    *out = prf_median(off, data->count);
    free(off);
    return PRF_OK;
}

static void multiply(prf_regressor_t *self, double log_factor)
{
    double factor = exp(log_factor);
    switch (self->scale) {
    case PRF_SCALE_ROOFLINE:
        self->roofline.overhead_ns *= factor;
        self->roofline.ns_per_op *= factor;
        self->roofline.ns_per_byte *= factor;
        break;
    case PRF_SCALE_TERMS:
        for (size_t j = 0; j < term_count(&self->terms); j++)
            self->terms.terms[j].weight *= factor;
        self->terms.least_ns *= factor;
        break;
    default:
        self->ensemble.base += log_factor;
    }
}

/* What is left to the scale: latency over what was learned from features, as a logarithm. */
static double log_scale_wanted(const prf_regressor_t *old, const prf_dataset_t *data, size_t row)
{
    double log_ratio, spread;
    prf_regressor_rest(old, data->table + row * data->feature_count, &log_ratio, &spread);
    return data->log_latency[row] - log_ratio;
}

static prf_status_t refit_roofline(prf_regressor_t *self, const prf_dataset_t *data, prf_error_t *err)
{
    double *wanted = malloc((data->count + 1) * sizeof *wanted);
    if (!wanted)
        return prf_fail(err, PRF_ENOMEM, "a roofline over %zu layers", data->count);
    for (size_t i = 0; i < data->count; i++)
        wanted[i] = log_scale_wanted(self, data, i);
    prf_roofline_fit(&self->roofline, wanted, data->work, data->count);
    free(wanted);
    return PRF_OK;
}

/* --- sums of terms ---------------------------------------------------------------------------------------------------- */

static void refit_release(refit_t *r)
{
    free(r->share);
    free(r->ratio);
    free(r->trust);
    free(r->columns);
    free(r->side);
}

static prf_status_t refit_init(refit_t *out, const prf_regressor_t *old, const prf_dataset_t *data, prf_error_t *err)
{
    size_t n = data->count < ROWS ? data->count : ROWS, k = term_count(&old->terms);
    refit_t r = {.old = &old->terms, .rows = n};
    r.share = malloc((k * n + 1) * sizeof *r.share);
    r.ratio = malloc((2 * k + 1) * sizeof *r.ratio);
    r.trust = malloc((3 * n + 1) * sizeof *r.trust);
    r.columns = malloc(((k + 1) * (n + k) + 1) * sizeof *r.columns);
    r.side = calloc(n + 1, 1);
    if (!r.share || !r.ratio || !r.trust || !r.columns || !r.side) {
        refit_release(&r);
        return prf_fail(err, PRF_ENOMEM, "%zu terms over %zu layers", k, n);
    }
    r.best = r.ratio + k;
    r.fitted = r.trust + n;
    r.scratch = r.fitted + n;
    r.aim = r.columns + k * (n + k);
    for (size_t i = 0; i < n; i++) {
        size_t row = i * data->count / n;
        double q[PRF_QUANTITIES], wanted = exp(log_scale_wanted(old, data, row));
        prf_dataset_quantities(data, row, q);
        prf_blocking_apply(&old->terms.blocking, q);
        for (size_t j = 0; j < k; j++)
            r.share[j * n + i] = old->terms.terms[j].weight * prf_term_value(&old->terms.terms[j], q) / wanted;
    }
    *out = r;
    return PRF_OK;
}

static double sum_at(const refit_t *r, int sum, const double *ratio, size_t row)
{
    size_t first = sum ? r->old->count[0] : 0;
    double total = 0;
    for (size_t j = first; j < first + r->old->count[sum]; j++)
        total += (ratio ? ratio[j] : 1) * r->share[j * r->rows + row];
    return total;
}

/* The factor that makes the old sum right for the rows that it explains; if there are none, the largest with which it rules
 * nowhere: the layers say no more, and those near the edge are likely to be near it. */
static double factor_of(refit_t *r, int sum)
{
    size_t count = 0;
    double most = INFINITY;
    for (size_t i = 0; i < r->rows; i++) {
        double old = sum_at(r, sum, NULL, i);
        if (!(old > 0))
            continue;
        most = fmin(most, 1 / old);
        if (r->side[i] == sum)
            r->scratch[count++] = 1 / old;
    }
    return count ? prf_median(r->scratch, count) : isinf(most) ? 1 : most;
}

/* Ratio = factor x (1 + d), with the smallest sum of squared errors + ridge x sum of d^2. */
static prf_status_t fit_sum(refit_t *r, int sum, double ridge, prf_error_t *err)
{
    size_t first = sum ? r->old->count[0] : 0, k = r->old->count[sum], rows = r->rows + k;
    double factor = factor_of(r, sum);
    for (size_t j = 0; j < k; j++)
        r->ratio[first + j] = factor;
    if (isinf(ridge))
        return PRF_OK;
    memset(r->columns, 0, k * rows * sizeof *r->columns);
    memset(r->aim, 0, rows * sizeof *r->aim);
    prf_choice_t choice = {.count = (uint32_t)k};
    for (size_t i = 0; i < r->rows; i++)
        if (r->side[i] == sum)
            r->aim[i] = sqrt(r->trust[i]) * (1 - factor * sum_at(r, sum, NULL, i));
    for (size_t j = 0; j < k; j++) {
        for (size_t i = 0; i < r->rows; i++)
            if (r->side[i] == sum)
                r->columns[j * rows + i] = sqrt(r->trust[i]) * factor * r->share[(first + j) * r->rows + i];
        r->columns[j * rows + r->rows + j] = sqrt(ridge);
        choice.column[j] = (uint32_t)j;
    }
    prf_status_t status = prf_select_solve(&choice, &(prf_columns_t){rows, k, r->columns, r->aim}, err);
    for (uint32_t c = 0; !status && c < choice.count; c++)
        r->ratio[first + choice.column[c]] = factor * (1 + choice.weight[c]);
    return status;
}

/* Moves each row to the sum that is larger there; false when all are there already. */
static bool take_sides(refit_t *r)
{
    bool moved = false;
    for (size_t i = 0; i < r->rows; i++) {
        double first = sum_at(r, 0, r->ratio, i), second = r->old->count[1] ? sum_at(r, 1, r->ratio, i) : -INFINITY;
        uint8_t to = second > first;
        moved = moved || to != r->side[i];
        r->side[i] = to;
        r->fitted[i] = fmax(first, second);
    }
    return moved;
}

static double mean_error(const refit_t *r)
{
    double sum = 0;
    for (size_t i = 0; i < r->rows; i++)
        sum += fabs(r->fitted[i] - 1);
    return sum / (double)r->rows;
}

/* Rows far off from what most have count by the size of their error, not its square (Huber 1964). */
static void judge_rows(refit_t *r)
{
    for (size_t i = 0; i < r->rows; i++)
        r->scratch[i] = fabs(r->fitted[i] - 1);
    double usual = fmax(PRF_SUMS_USUAL * prf_median(r->scratch, r->rows), PRF_SUMS_EXACT);
    for (size_t i = 0; i < r->rows; i++) {
        double error = fabs(r->fitted[i] - 1);
        r->trust[i] = error <= usual ? 1 : usual / error;
    }
}

/* From where the second sum counts `tilt` times as much as the first. */
static prf_status_t refit_from(refit_t *r, double factor, double tilt, double ridge, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (size_t j = 0; j < term_count(r->old); j++)
        r->ratio[j] = factor * (j < r->old->count[0] ? 1 : tilt);
    for (size_t i = 0; i < r->rows; i++)
        r->trust[i] = 1;
    take_sides(r);
    for (int round = 0; !status && round < ROUNDS; round++) {
        for (int sum = 0; !status && sum < PRF_TERM_SUMS; sum++)
            if (r->old->count[sum])
                status = fit_sum(r, sum, ridge, err);
        if (!take_sides(r) && (isinf(ridge) || round >= LEAST_ROUNDS))
            break;
        judge_rows(r);
    }
    return status;
}

static prf_status_t refit(refit_t *r, double factor, double ridge, prf_error_t *err)
{
    static const double tilts[] = {1, 0.5, 2, 0.25, 4, 0.125, 8};
    size_t k = term_count(r->old), beginnings = r->old->count[1] ? sizeof tilts / sizeof *tilts : 1;
    double least = INFINITY;
    prf_status_t status = PRF_OK;
    for (size_t j = 0; j < k; j++)
        r->best[j] = factor;
    for (size_t b = 0; !status && b < beginnings && least > PRF_SUMS_EXACT; b++) {
        status = refit_from(r, factor, tilts[b], ridge, err);
        double error = mean_error(r);
        if (!status && error < least) {
            least = error;
            memcpy(r->best, r->ratio, k * sizeof *r->best);
        }
    }
    return status;
}

static prf_status_t refit_terms(prf_regressor_t *self, const prf_dataset_t *data, double log_factor, double ridge, prf_error_t *err)
{
    refit_t r;
    prf_status_t status = refit_init(&r, self, data, err);
    if (status)
        return status;
    status = refit(&r, exp(log_factor), ridge, err);
    for (size_t j = 0; !status && j < term_count(&self->terms); j++)
        self->terms.terms[j].weight *= r.best[j];
    self->terms.least_ns *= exp(log_factor);
    refit_release(&r);
    return status;
}

/* --- in all ----------------------------------------------------------------------------------------------------------- */

static bool applies(const prf_regressor_t *old, prf_transfer_t how)
{
    const uint32_t *count = old->terms.count;
    bool sums = old->scale == PRF_SCALE_TERMS && count[0] <= PRF_CHOSEN && count[1] <= PRF_CHOSEN;
    if (how == PRF_TRANSFER_SCALED)
        return true;
    if (how == PRF_TRANSFER_SCALED_SUMS)
        return old->scale == PRF_SCALE_ROOFLINE || (sums && count[1] > 0);
    return sums;
}

/* What the model file's reader would refuse was no model to begin with. */
static bool holds(const prf_regressor_t *self)
{
    const prf_roofline_t *r = &self->roofline;
    if (self->scale == PRF_SCALE_TERMS)
        return prf_terms_check(&self->terms, NULL) == PRF_OK;
    if (self->scale == PRF_SCALE_ROOFLINE)
        return r->overhead_ns > 0 && isfinite(r->overhead_ns) && isfinite(r->ns_per_op) && isfinite(r->ns_per_byte);
    return isfinite(self->ensemble.base);
}

/* "scaled/max-terms"; a transfer of a transfer keeps the last one's word only. */
static void name(prf_regressor_t *self, const char *old, prf_transfer_t how)
{
    static const char *const words[] = {"refit/", "scaled-sums/", "scaled/"};
    char rest[PRF_REGRESSOR_NAME];
    snprintf(rest, sizeof rest, "%s", old);
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        for (char *at; (at = strstr(rest, words[w])) != NULL;)
            memmove(at, at + strlen(words[w]), strlen(at + strlen(words[w])) + 1);
    const char *word = words[how == PRF_TRANSFER_SCALED ? 2 : how == PRF_TRANSFER_SCALED_SUMS ? 1 : 0];
    snprintf(self->name, sizeof self->name, "%s%.*s", word, (int)(sizeof self->name - strlen(word) - 1), rest);
}

prf_status_t prf_transfer_fit(prf_regressor_t *out, bool *fits, const prf_regressor_t *old, const prf_dataset_t *data,
                              prf_transfer_t how, prf_error_t *err)
{
    static const double ridges[] = {[PRF_TRANSFER_SCALED_SUMS] = INFINITY,
                                    [PRF_TRANSFER_NEAR] = 1e-2,
                                    [PRF_TRANSFER_LOOSE] = 1e-4,
                                    [PRF_TRANSFER_FREE] = 1e-12};
    prf_regressor_t self = {.scale = old->scale, .roofline = old->roofline};
    double log_factor = 0;
    *fits = false;
    if (!applies(old, how))
        return PRF_OK;
    name(&self, old->name, how);
    prf_status_t status = common_factor(&log_factor, old, data, err);
    if (!status && self.scale == PRF_SCALE_TERMS)
        status = prf_terms_copy(&self.terms, &old->terms, err);
    if (!status && old->ensemble.member_count)
        status = prf_ensemble_copy(&self.ensemble, &old->ensemble, err);
    if (!status && old->gauss.point_count)
        status = prf_gauss_copy(&self.gauss, &old->gauss, err);
    if (!status && how == PRF_TRANSFER_SCALED)
        multiply(&self, log_factor);
    else if (!status && self.scale == PRF_SCALE_ROOFLINE)
        status = refit_roofline(&self, data, err);
    else if (!status)
        status = refit_terms(&self, data, log_factor, ridges[how], err);
    *fits = !status && holds(&self);
    if (*fits)
        *out = self;
    else
        prf_regressor_release(&self);
    return status;
}
