// SPDX-License-Identifier: Apache-2.0
/* explain.h - what carries a model's estimates: the shares of its terms, and the features that its trees or its Gaussian process
 * listen to. Both are means over layers drawn from the trained range, always the same ones, so that equal models are explained
 * alike. Extra columns of the model are 0 in all of them. Any thread.
 *
 * Features are judged by what they do, not by how often trees ask for them: permutation importance (Breiman 2001), measured on the
 * estimate instead of its error, since the drawn layers have no measured latency. */
#ifndef PRF_MODEL_EXPLAIN_H
#define PRF_MODEL_EXPLAIN_H

#include "layer/features.h"
#include "model/model.h"
#include "model/terms.h"

enum { PRF_EXPLAIN_LAYERS = 300, PRF_EXPLAIN_FEATURES = 10, PRF_EXPLAIN_TEXT = 128 };

/* A part of the scale that the estimate is a multiple of: a term of the sums, or a part of the roofline. */
typedef struct {
    char text[PRF_EXPLAIN_TEXT]; /* "ceil(C/8) x K" */
    double coefficient_ns;
    double share_percent; /* mean over the drawn layers; 0 where another sum rules. All shares add up to 100 */
    uint32_t sum;         /* 0 or 1; PRF_TERM_SUMS: the least latency, where both sums are below it */
} prf_explained_term_t;

typedef struct {
    char name[PRF_FEATURE_NAME];
    double effect_percent; /* by how much the estimate changes, on average, when a layer gets the feature of another one */
} prf_explained_feature_t;

typedef struct {
    uint32_t sum_count; /* 0: no scale; 2: the larger one counts. Of a roofline: 0 operations, 1 bytes */
    uint32_t term_count;
    prf_explained_term_t terms[PRF_TERMS];                  /* first by sum, then largest share first */
    double rules_percent[PRF_TERM_SUMS];                    /* how many of the layers each sum rules */
    uint32_t feature_count;                                 /* 0: none is looked at */
    prf_explained_feature_t features[PRF_EXPLAIN_FEATURES]; /* largest effect first */
    double rest_percent;                                    /* by how much they change the scale, on average; NaN: no scale */
    double low_percent, high_percent;                       /* median of the 90 % intervals, around the estimate */
    bool mapped;                                            /* a layer is estimated by its Performance Representative */
} prf_explanation_t;

/* `index` below prf_model_layer_count. On failure *out holds nothing of use. Errors: PRF_ENOMEM, PRF_EINVAL (no layer can be
 * drawn from the range), PRF_EINTERNAL. */
PRF_CHECKED prf_status_t prf_model_explain(prf_explanation_t *out, const prf_model_t *model, size_t index, prf_error_t *err);

#endif
