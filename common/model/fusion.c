// SPDX-License-Identifier: Apache-2.0
#include "model/fusion.h"

#include <math.h>
#include <stdio.h>

#include "base/order.h"
#include "model/parts.h"

#define LEAST_NOISE_PERCENT 1e-6  /* of boards that are exact: rounding */
#define GUESSED_NOISE_PERCENT 3.0 /* of boards that nobody measured twice */

double prf_fusion_noise_percent(double repeatability_percent)
{
    return isnan(repeatability_percent) ? GUESSED_NOISE_PERCENT : fmax(repeatability_percent, LEAST_NOISE_PERCENT);
}

/* Percent of both together. */
static double median_added(const prf_fused_t *items, size_t count)
{
    double added[PRF_FUSION_MOST];
    for (size_t i = 0; i < count; i++)
        added[i] = 100 * (items[i].both_ns - items[i].lead_ns) / items[i].both_ns;
    return prf_median(added, count);
}

static bool enough(size_t count)
{
    return count >= PRF_FUSION_LEAST && count <= PRF_FUSION_MOST;
}

bool prf_fusion_adds(const prf_fused_t *items, size_t count, double noise_percent)
{
    return enough(count) && median_added(items, count) > noise_percent;
}

static bool is_separate(const prf_fused_t *items, size_t count, double noise_percent)
{
    double missing[PRF_FUSION_MOST];
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (!isnan(items[i].alone_ns))
            missing[n++] = 100 * (items[i].both_ns - items[i].lead_ns - items[i].alone_ns) / items[i].both_ns;
    return n >= PRF_FUSION_LEAST && fabs(prf_median(missing, n)) <= noise_percent;
}

/* Median of the slopes to all others; false where all have as many elements. */
static bool slope_at(const prf_fused_t *items, size_t count, size_t at, double *slope)
{
    double slopes[PRF_FUSION_MOST];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        double run = items[i].elements - items[at].elements;
        if (run != 0)
            slopes[n++] = (items[i].both_ns - items[i].lead_ns - (items[at].both_ns - items[at].lead_ns)) / run;
    }
    *slope = prf_median(slopes, n);
    return n > 0;
}

static double rate_of(const prf_fused_t *items, size_t count)
{
    double rates[PRF_FUSION_MOST];
    for (size_t i = 0; i < count; i++)
        rates[i] = (items[i].both_ns - items[i].lead_ns) / items[i].elements;
    return fmax(prf_median(rates, count), 0);
}

static double rest_of(const prf_fused_t *items, size_t count, double slope)
{
    double rests[PRF_FUSION_MOST];
    for (size_t i = 0; i < count; i++)
        rests[i] = items[i].both_ns - items[i].lead_ns - slope * items[i].elements;
    return prf_median(rests, count);
}

static void fit_line(prf_fusion_t *out, const prf_fused_t *items, size_t count)
{
    double slopes[PRF_FUSION_MOST];
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += slope_at(items, count, i, &slopes[n]);
    double slope = n ? fmax(prf_median(slopes, n), 0) : rate_of(items, count), rest = rest_of(items, count, slope);
    *out = (prf_fusion_t){.lead = out->lead, .dtype = out->dtype, .fn = out->fn, .ns_per_element = slope, .fixed_ns = rest};
    if (rest < 0 || n == 0) { /* without a fixed part then */
        out->ns_per_element = rate_of(items, count);
        out->fixed_ns = 0;
    }
}

bool prf_fusion_learn(prf_fusion_t *out, const prf_fused_t *items, size_t count, double noise_percent)
{
    if (!enough(count))
        return false;
    if (prf_fusion_adds(items, count, noise_percent)) {
        fit_line(out, items, count);
        out->verdict = is_separate(items, count, noise_percent) ? PRF_FUSION_SEPARATE : PRF_FUSION_ADDS;
    } else {
        *out = (prf_fusion_t){.lead = out->lead, .dtype = out->dtype, .fn = out->fn, .verdict = PRF_FUSION_FREE};
    }
    out->layers = (uint32_t)count;
    out->added_percent = median_added(items, count);
    return true;
}

const char *prf_fusion_verdict_name(prf_fusion_verdict_t verdict)
{
    static const char *const names[PRF_FUSION_VERDICTS] = {"fused", "adds", "separate"};
    return (unsigned)verdict < PRF_FUSION_VERDICTS ? names[verdict] : "?";
}

void prf_fusion_words(const prf_model_t *model, const prf_fusion_t *rule, char text[PRF_FUSION_WORDS])
{
    bool modelled = prf_model_part_find(model, PRF_ACTIVATION, rule->dtype) != NULL;
    const char *how = rule->verdict == PRF_FUSION_SEPARATE ? "runs by itself:" : "adds";
    if (rule->verdict == PRF_FUSION_FREE)
        snprintf(text, PRF_FUSION_WORDS, "fused: free");
    else if (rule->verdict == PRF_FUSION_SEPARATE && modelled)
        snprintf(text, PRF_FUSION_WORDS, "%s as long as an activation alone", how);
    else if (rule->fixed_ns == 0)
        snprintf(text, PRF_FUSION_WORDS, "%s %.4g ns an element", how, rule->ns_per_element);
    else if (rule->ns_per_element == 0)
        snprintf(text, PRF_FUSION_WORDS, "%s %.4g ns", how, rule->fixed_ns);
    else
        snprintf(text, PRF_FUSION_WORDS, "%s %.4g ns and %.4g ns an element", how, rule->fixed_ns, rule->ns_per_element);
}
