// SPDX-License-Identifier: Apache-2.0
/* model.h - the latency model of one kind of board: for each layer kind its step widths, its feature recipe and a regressor
 * chosen among candidates. Loading and estimating are here (the worker and libprfarm need no more); training is in train.h.
 *
 * A loaded model is immutable: any number of threads may estimate at once, and an estimate allocates nothing. */
#ifndef PRF_MODEL_H
#define PRF_MODEL_H

#include "point/point.h"
#include "pr/space.h"
#include "pr/steps.h"

typedef struct prf_model prf_model_t;

enum { PRF_MODEL_MAX_BYTES = 64 << 20, PRF_MODEL_EXTRAS = 8 };

/* Quality on layers never trained on. Percentages; NaN where it was not measured. */
typedef struct {
    uint32_t count;
    double mape_percent, rmspe_percent, median_percent, r2, spearman, within_5_percent, within_10_percent;
} prf_metrics_t;

/* Where the model comes from. Holds no time and no host, so that equal campaigns give equal bytes. */
typedef struct {
    char campaign[PRF_NAME];
    char from[PRF_NAME]; /* kind of the board whose model this one began with; empty: none, or it was no help */
    char fingerprint[PRF_FINGERPRINT];
    uint64_t seed;
    uint32_t samples, sweep_samples;
    prf_metrics_t validation;       /* over all layer kinds */
    double repeatability_percent;   /* NaN: unknown */
    double random_baseline_percent; /* MAPE of the same recipe on as many random layers; NaN: unknown */
} prf_provenance_t;

/* What a model knows about one layer kind; borrowed from the model. */
typedef struct {
    prf_layer_kind_t kind;
    prf_dtype_t dtype;
    prf_space_t space; /* the range it was trained on */
    prf_steps_t steps;
    bool mapped;           /* a layer is estimated by its representative */
    const char *regressor; /* "forest", "forest/roofline", ... */
    bool sums;             /* it is, or stands on, a sum of terms */
    uint32_t samples;
    prf_metrics_t validation;
} prf_model_layer_t;

/* How a board executes an activation behind a layer, as measuring one, the other and both together told (fusion.h). */
typedef enum {
    PRF_FUSION_FREE = 0, /* with the layer, for nothing that can be told from noise */
    PRF_FUSION_ADDS,     /* it adds to the layer */
    PRF_FUSION_SEPARATE, /* it takes as long as on its own */
    PRF_FUSION_VERDICTS
} prf_fusion_verdict_t;

/* The rule of a leading layer's kind and an activation. */
typedef struct {
    prf_layer_kind_t lead;
    prf_dtype_t dtype;
    prf_activation_t fn;
    prf_fusion_verdict_t verdict;
    double fixed_ns, ns_per_element; /* what it adds: fixed, and for each of its elements; 0 where it is free */
    uint32_t layers;                 /* that were measured with and without it */
    double added_percent;            /* what it added to them, of both together: median */
} prf_fusion_t;

enum { PRF_MODEL_FUSIONS = PRF_LAYER_KINDS * PRF_DTYPES * PRF_FN_COUNT };

/* Of a model of energy (prf_model_energy) all numbers are nanojoules. */
typedef struct {
    double latency_ns;
    double low_ns, high_ns; /* 90 % interval from the spread of the trees and the validation residuals */
    bool outside;           /* some parameter lies outside the trained range */
} prf_estimate_t;

/* Decodes a model file; nothing in it is trusted: digest, version, counts, indices and values are checked.
 * Errors: PRF_ECORRUPT (digest, structure), PRF_EVERSION (newer), PRF_EPARSE (no model file), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_model_decode(prf_model_t **out, const void *bytes, size_t len, prf_error_t *err);
PRF_CHECKED prf_status_t prf_model_load(prf_model_t **out, const char *path, prf_error_t *err);
/* The bytes of the model file; equal models give equal bytes. Caller frees *bytes. */
PRF_CHECKED prf_status_t prf_model_encode(const prf_model_t *model, void **bytes, size_t *len, prf_error_t *err);
void prf_model_destroy(prf_model_t **self);

const char *prf_model_kind(const prf_model_t *model); /* the board kind */
const prf_provenance_t *prf_model_provenance(const prf_model_t *model);
size_t prf_model_layer_count(const prf_model_t *model);
void prf_model_layer(const prf_model_t *model, size_t index, prf_model_layer_t *out);
/* False: the model knows no such layers; then *out is untouched. */
bool prf_model_layer_find(const prf_model_t *model, prf_layer_kind_t kind, prf_dtype_t dtype, prf_model_layer_t *out);

/* Latency of a block. Its first layer leads; an activation after it adds what the model's rule says, and nothing where there is
 * none; any other layer adds its own estimate.
 * `extras`: values of the columns that the model was given beside the layer's parameters (NULL: none).
 * Errors: PRF_EUNSUPPORTED when the model has no regressor for the leading layer's kind and data type. */
PRF_CHECKED prf_status_t prf_model_estimate(const prf_model_t *model, const prf_block_t *block, const double *extras,
                                            prf_estimate_t *out, prf_error_t *err);
/* Likewise of many blocks, without extra columns, which costs less for each; the answers are the same to the bit. All numbers of a
 * block that the model does not cover are NaN. Takes some 110 KB of stack, however many they are. */
void prf_model_estimate_many(const prf_model_t *model, const prf_block_t *const blocks[], size_t count, prf_estimate_t out[]);
bool prf_model_covers(const prf_model_t *model, const prf_block_t *block);
/* False: some activation of the block is taken as free because no rule tells what it costs. */
bool prf_model_rules_cover(const prf_model_t *model, const prf_block_t *block);
/* The fusion rules, borrowed; one at most for a pair. */
const prf_fusion_t *prf_model_fusions(const prf_model_t *model, size_t *count);
/* What each block of a network after the first takes besides its own time (between.h); 0: nothing, or nobody found out. */
double prf_model_between_ns(const prf_model_t *model);
/* What `blocks` blocks that run one behind the other take besides their own times. */
double prf_model_between(const prf_model_t *model, size_t blocks);
/* The model of what the same layers take in energy, borrowed: it answers like any model, but in nanojoules where a model of latency
 * says nanoseconds, and its provenance tells how good it is at that. NULL: no energy was measured, or too little. */
const prf_model_t *prf_model_energy(const prf_model_t *model);
/* Makes *energy, which is taken over (also if NULL), what the model knows of energy. Before anybody else has the model. */
void prf_model_take_energy(prf_model_t *model, prf_model_t **energy);
/* Names of the extra columns, in the order that `extras` takes; at most PRF_MODEL_EXTRAS. */
size_t prf_model_extras(const prf_model_t *model, const char *names[PRF_MODEL_EXTRAS]);

/* Estimate against measurement, `count` pairs, all above zero. */
void prf_metrics_compute(const double *estimated, const double *measured, size_t count, prf_metrics_t *out);

#endif
