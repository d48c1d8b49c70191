// SPDX-License-Identifier: Apache-2.0
/* fusion.h - the rule of a pair (a layer, an activation behind it) out of layers that were measured alone and with it. Pure; any
 * thread; no allocation.
 *
 * What was added is t(a + b) - t(a), seen as a share of t(a + b). Its median over the layers decides: within the noise, the board
 * executes both as one. Else, where t(a + b) - t(a) - t(b) is within the noise in the median, b runs by itself. What it adds is
 * taken as fixed_ns + ns_per_element x elements by repeated medians (Siegel 1982: half of the layers may be disturbed), no
 * coefficient below zero. */
#ifndef PRF_MODEL_FUSION_H
#define PRF_MODEL_FUSION_H

#include "model/model.h"

enum { PRF_FUSION_LEAST = 3, PRF_FUSION_MOST = 16 /* layers of a pair */ };

/* One layer, with and without what follows it. */
typedef struct {
    double elements;         /* of the follower */
    double lead_ns, both_ns; /* above zero */
    double alone_ns;         /* the follower as a block of its own; NaN: not measured */
} prf_fused_t;

/* Shares of a latency below this cannot be told from noise, in percent. `repeatability_percent`: of two measurements of a layer;
 * NaN: unknown, a careful guess is taken. */
double prf_fusion_noise_percent(double repeatability_percent);
/* Whether the pair takes longer than its leading layer, so that it is worth measuring the follower alone. Between PRF_FUSION_LEAST
 * and PRF_FUSION_MOST items; with fewer, false. */
bool prf_fusion_adds(const prf_fused_t *items, size_t count, double noise_percent);
/* Fills everything in `out` but what the rule is about (lead, dtype, fn). False, and nothing filled: too few items. */
bool prf_fusion_learn(prf_fusion_t *out, const prf_fused_t *items, size_t count, double noise_percent);

const char *prf_fusion_verdict_name(prf_fusion_verdict_t verdict); /* "fused", "adds", "separate" */
/* The rule in plain words, for people: "adds 50 ns and 0.02 ns an element". `model`: the rule's. */
enum { PRF_FUSION_WORDS = 96 };
void prf_fusion_words(const prf_model_t *model, const prf_fusion_t *rule, char text[PRF_FUSION_WORDS]);

#endif
