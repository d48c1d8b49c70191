// SPDX-License-Identifier: Apache-2.0
/* train.h - makes a model out of measured layers. Deterministic: the same input gives the same bytes, whatever the number of
 * threads. Blocks until done; any thread. */
#ifndef PRF_MODEL_TRAIN_H
#define PRF_MODEL_TRAIN_H

#include "model/between.h"
#include "model/fusion.h"

/* One measured layer. Blocks of one layer, or led by it. */
enum { PRF_TRAIN_LEAST = 4 /* layers of a kind that a regressor needs; kinds with fewer are left out */ };

/* Whether estimates ask for a layer's representative (METHOD section 1), and training sees layers so. */
typedef enum {
    PRF_MAP_NEVER = 0,
    PRF_MAP_ALWAYS,
    PRF_MAP_IF_BETTER /* where that errs clearly less in cross-validation, with few layers */
} prf_mapping_t;

typedef struct {
    prf_layer_t layer;
    double latency_ns;
    double extras[PRF_MODEL_EXTRAS];
} prf_observation_t;

/* Everything known about one layer kind of the board. Arrays are borrowed. */
typedef struct {
    prf_space_t space;
    prf_steps_t steps;
    const prf_observation_t *train;
    size_t train_count;
    const prf_observation_t *validation; /* may be empty; only judged on, never trained on */
    size_t validation_count;
    prf_mapping_t mapping;
} prf_train_layer_t;

/* Layers of one kind, measured with and without an activation behind them. At most PRF_FUSION_MOST items; borrowed. */
typedef struct {
    prf_layer_kind_t lead;
    prf_dtype_t dtype;
    prf_activation_t fn;
    const prf_fused_t *items;
    size_t count;
} prf_train_fusion_t;

typedef struct {
    const char *kind; /* board kind */
    const prf_train_layer_t *layers;
    size_t layer_count;
    const char *const *extra_names; /* extra columns, at most PRF_MODEL_EXTRAS */
    size_t extra_count;
    const prf_train_fusion_t *fusions; /* each pair once; those with fewer than PRF_FUSION_LEAST items get no rule */
    size_t fusion_count;
    const prf_between_t *chains; /* borrowed; with fewer than PRF_BETWEEN_LEAST networks are the sum of their blocks */
    size_t chain_count;
    const prf_model_t *from; /* borrowed: a model of another board that this one may be like; NULL: none */
    bool *taken_over;        /* one a layer, borrowed, filled in: its part began with that model; NULL: nobody asks */
    uint64_t seed;
    unsigned threads;            /* 0: as many as there are processors */
    prf_provenance_t provenance; /* its validation and origin are filled in by training */
} prf_train_input_t;

/* Whether that part of the input has a counterpart in its `from`: the same layer kind, data type and extra columns. */
bool prf_train_has_counterpart(const prf_train_input_t *input, size_t layer);
/* On success the caller owns *out. Layer kinds with a counterpart in `from` take over what helps (docs/models.md); if nothing does,
 * the model is the one that there would be without. Layer kinds with fewer than 4 training layers are left out of the model.
 * Errors: PRF_EINVAL (nothing to train on, latencies not above zero), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_model_train(prf_model_t **out, const prf_train_input_t *input, prf_error_t *err);

#endif
