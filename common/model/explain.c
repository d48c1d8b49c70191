// SPDX-License-Identifier: Apache-2.0
#include "model/explain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "model/parts.h"

/* The drawn layers as the regressor sees them. */
typedef struct {
    const prf_model_part_t *part; /* borrowed */
    prf_model_view_t *views;      /* owned, like all that follow */
    double *answers;              /* of the trees; 0 without */
    double *column;
    uint32_t *order;
} drawn_t;

static void drawn_release(drawn_t *self)
{
    free(self->views);
    free(self->answers);
    free(self->column);
    free(self->order);
}

static prf_status_t draw(drawn_t *out, const prf_model_part_t *part, prf_error_t *err)
{
    drawn_t self = {.part = part,
                    .views = calloc(PRF_EXPLAIN_LAYERS, sizeof *self.views),
                    .answers = calloc(PRF_EXPLAIN_LAYERS, sizeof *self.answers),
                    .column = calloc(PRF_EXPLAIN_LAYERS, sizeof *self.column),
                    .order = calloc(PRF_EXPLAIN_LAYERS, sizeof *self.order)};
    prf_status_t status = PRF_OK;
    if (!self.views || !self.answers || !self.column || !self.order)
        status = prf_fail(err, PRF_ENOMEM, "%d layers to explain a model by", PRF_EXPLAIN_LAYERS);
    prf_rng_t rng;
    prf_rng_init(&rng, 0, prf_rng_stream("explain layers"));
    for (uint32_t i = 0; i < PRF_EXPLAIN_LAYERS && !status; i++) {
        prf_layer_t layer;
        status = prf_space_draw(&part->space, &rng, &layer, err);
        if (!status)
            prf_model_part_view(part, &layer, NULL, &self.views[i]);
        self.order[i] = i;
    }
    if (status)
        drawn_release(&self);
    else
        *out = self;
    return status;
}

/* ---- terms: a share is what the term adds, of what its sum comes to where that sum is the larger one ---- */

static void count_share(prf_explanation_t *out, const double *values, double total, uint32_t sum)
{
    for (uint32_t i = 0; i < out->term_count; i++)
        if (out->terms[i].sum == sum)
            out->terms[i].share_percent += values[i] / total * 100 / PRF_EXPLAIN_LAYERS;
    out->rules_percent[sum] += 100.0 / PRF_EXPLAIN_LAYERS;
}

/* A board's least latency is a constant like any other; it appears once some layer has no other reason. */
static void count_least(prf_explanation_t *out, double least_ns)
{
    static const char text[] = "least latency";
    prf_explained_term_t *last = out->term_count ? &out->terms[out->term_count - 1] : NULL;
    if (!last || last->sum != PRF_TERM_SUMS) {
        if (out->term_count == PRF_TERMS)
            return;
        last = &out->terms[out->term_count++];
        *last = (prf_explained_term_t){.coefficient_ns = least_ns, .sum = PRF_TERM_SUMS};
        snprintf(last->text, sizeof last->text, "%s", text);
    }
    last->share_percent += 100.0 / PRF_EXPLAIN_LAYERS;
}

/* Whether the shares are shares of what the estimate is made of: an explanation that misses a part would be a wrong one. */
static prf_status_t check_total(const prf_terms_t *terms, const double *quantities, double total, prf_error_t *err)
{
    double ns = prf_terms_ns(terms, quantities);
    if (fabs(fmax(total, terms->least_ns) - ns) <= 1e-9 * ns || !isfinite(total))
        return PRF_OK;
    return prf_fail(err, PRF_EINTERNAL, "the terms come to %g ns, the estimate to %g ns", total, ns);
}

static prf_status_t explain_terms(prf_explanation_t *out, const drawn_t *drawn, prf_error_t *err)
{
    const prf_terms_t *terms = &drawn->part->regressor.terms;
    double values[PRF_TERMS] = {0};
    uint32_t count = terms->count[0] + terms->count[1];
    out->sum_count = terms->count[1] ? 2 : 1;
    out->term_count = count;
    for (uint32_t i = 0; i < count; i++) {
        out->terms[i] = (prf_explained_term_t){.coefficient_ns = terms->terms[i].weight, .sum = i >= terms->count[0]};
        prf_term_format(&terms->terms[i], out->terms[i].text, sizeof out->terms[i].text);
    }
    for (size_t l = 0; l < PRF_EXPLAIN_LAYERS; l++) {
        double q[PRF_QUANTITIES];
        memcpy(q, drawn->views[l].quantities, sizeof q);
        prf_blocking_apply(&terms->blocking, q);
        double first = prf_terms_sum(terms, 0, q), second = terms->count[1] ? prf_terms_sum(terms, 1, q) : first;
        for (uint32_t i = 0; i < count; i++)
            values[i] = terms->terms[i].weight * prf_term_value(&terms->terms[i], q);
        prf_status_t status = check_total(terms, q, fmax(first, second), err);
        if (status)
            return status;
        if (fmax(first, second) < terms->least_ns)
            count_least(out, terms->least_ns);
        else
            count_share(out, values, fmax(first, second), second > first);
    }
    return PRF_OK;
}

static bool has_steps(const prf_model_part_t *part)
{
    for (int i = 0; i < PRF_PARAMS; i++)
        if (part->recipe.width[i] > 1)
            return true;
    return false;
}

static void explain_roofline(prf_explanation_t *out, const drawn_t *drawn)
{
    const prf_roofline_t *r = &drawn->part->regressor.roofline;
    enum { OPS, OPS_OVERHEAD, BYTES, BYTES_OVERHEAD, PARTS };
    out->sum_count = 2;
    out->term_count = PARTS;
    out->terms[OPS] = (prf_explained_term_t){.coefficient_ns = r->ns_per_op};
    out->terms[BYTES] = (prf_explained_term_t){.text = "bytes", .coefficient_ns = r->ns_per_byte, .sum = 1};
    out->terms[OPS_OVERHEAD] = (prf_explained_term_t){.text = "overhead", .coefficient_ns = r->overhead_ns};
    out->terms[BYTES_OVERHEAD] = (prf_explained_term_t){.text = "overhead", .coefficient_ns = r->overhead_ns, .sum = 1};
    if (r->fill_exponent > 0 && has_steps(drawn->part))
        snprintf(out->terms[OPS].text, PRF_EXPLAIN_TEXT, "ops / fill^%.3g", r->fill_exponent);
    else
        snprintf(out->terms[OPS].text, PRF_EXPLAIN_TEXT, "ops");
    prf_roofline_t compute = *r, move = *r;
    compute.ns_per_byte = move.ns_per_op = 0;
    for (size_t l = 0; l < PRF_EXPLAIN_LAYERS; l++) {
        const prf_work_t *work = &drawn->views[l].work;
        double ops = prf_roofline_ns(&compute, work), bytes = prf_roofline_ns(&move, work);
        double values[PARTS] = {ops - r->overhead_ns, r->overhead_ns, bytes - r->overhead_ns, r->overhead_ns};
        count_share(out, values, fmax(ops, bytes), bytes > ops);
    }
}

/* ---- what is learned from features ---- */

static double answer(const drawn_t *drawn, size_t layer)
{
    double mean, spread;
    prf_regressor_rest(&drawn->part->regressor, drawn->views[layer].features, &mean, &spread);
    return mean;
}

static double as_percent(double log_ratio)
{
    return 100 * expm1(log_ratio);
}

/* Mean change of the answers when column `feature` is dealt out anew. Leaves the views as they were. */
static double effect(const drawn_t *drawn, size_t feature)
{
    double sum = 0;
    for (size_t i = 0; i < PRF_EXPLAIN_LAYERS; i++)
        drawn->column[i] = drawn->views[i].features[feature];
    for (size_t i = 0; i < PRF_EXPLAIN_LAYERS; i++) {
        float *x = &drawn->views[i].features[feature];
        *x = (float)drawn->column[drawn->order[i]];
        if (*x != (float)drawn->column[i])
            sum += fabs(answer(drawn, i) - drawn->answers[i]);
        *x = (float)drawn->column[i];
    }
    return sum / PRF_EXPLAIN_LAYERS;
}

/* Keeps the list sorted, the largest first; what falls off the end is gone. */
static void insert(prf_explanation_t *out, const prf_explained_feature_t *feature)
{
    uint32_t at = out->feature_count;
    while (at > 0 && out->features[at - 1].effect_percent < feature->effect_percent)
        at--;
    if (at == PRF_EXPLAIN_FEATURES)
        return;
    if (out->feature_count < PRF_EXPLAIN_FEATURES)
        out->feature_count++;
    for (uint32_t i = out->feature_count - 1; i > at; i--)
        out->features[i] = out->features[i - 1];
    out->features[at] = *feature;
}

static void explain_rest(prf_explanation_t *out, const drawn_t *drawn)
{
    const prf_ensemble_t *trees = &drawn->part->regressor.ensemble;
    const prf_gauss_t *gauss = &drawn->part->regressor.gauss;
    bool asked[PRF_FEATURES] = {false};
    for (uint32_t i = 0; i < gauss->input_count; i++)
        asked[gauss->inputs[i].column] = true;
    for (size_t i = 0; i < trees->node_count; i++)
        if (trees->nodes[i].feature != PRF_LEAF)
            asked[trees->nodes[i].feature] = true;
    double change = 0;
    for (size_t i = 0; i < PRF_EXPLAIN_LAYERS; i++) {
        drawn->answers[i] = answer(drawn, i);
        change += fabs(drawn->answers[i]);
    }
    if (out->sum_count)
        out->rest_percent = as_percent(change / PRF_EXPLAIN_LAYERS);
    prf_rng_t rng;
    prf_rng_init(&rng, 0, prf_rng_stream("explain features"));
    prf_rng_shuffle(&rng, drawn->order, PRF_EXPLAIN_LAYERS, sizeof *drawn->order);
    for (size_t f = 0; f < prf_features_count(&drawn->part->recipe); f++) {
        prf_explained_feature_t feature;
        if (!asked[f])
            continue;
        feature.effect_percent = as_percent(effect(drawn, f));
        prf_features_name(&drawn->part->recipe, f, feature.name);
        if (feature.effect_percent > 0)
            insert(out, &feature);
    }
}

static void explain_interval(prf_explanation_t *out, const drawn_t *drawn)
{
    const prf_regressor_t *r = &drawn->part->regressor;
    for (size_t i = 0; i < PRF_EXPLAIN_LAYERS; i++) {
        const prf_model_view_t *v = &drawn->views[i];
        double log_ns;
        prf_regressor_predict(r, &(prf_seen_t){v->features, &v->work, v->quantities}, &log_ns, &drawn->column[i]);
    }
    prf_sort(drawn->column, PRF_EXPLAIN_LAYERS);
    double spread = drawn->column[PRF_EXPLAIN_LAYERS / 2] + r->floor;
    out->low_percent = as_percent(r->low * spread);
    out->high_percent = as_percent(r->high * spread);
}

static int by_sum_and_share(const void *a, const void *b)
{
    const prf_explained_term_t *x = a, *y = b;
    if (x->sum != y->sum)
        return x->sum < y->sum ? -1 : 1;
    double xs = fabs(x->share_percent), ys = fabs(y->share_percent);
    return (xs < ys) - (xs > ys);
}

prf_status_t prf_model_explain(prf_explanation_t *out, const prf_model_t *model, size_t index, prf_error_t *err)
{
    const prf_model_part_t *part = &model->parts[index];
    drawn_t drawn;
    prf_status_t status = draw(&drawn, part, err);
    if (status)
        return prf_fail_prefix(err, status, "%s", prf_layer_kind_name(part->space.kind));
    *out = (prf_explanation_t){.rest_percent = NAN, .mapped = part->map_queries};
    if (part->regressor.scale == PRF_SCALE_TERMS)
        status = explain_terms(out, &drawn, err);
    if (part->regressor.scale == PRF_SCALE_ROOFLINE)
        explain_roofline(out, &drawn);
    if (prf_regressor_has_rest(&part->regressor))
        explain_rest(out, &drawn);
    explain_interval(out, &drawn);
    qsort(out->terms, out->term_count, sizeof *out->terms, by_sum_and_share);
    drawn_release(&drawn);
    return status;
}
