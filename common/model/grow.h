// SPDX-License-Identifier: Apache-2.0
/* grow.h - grows ensembles of regression trees: random forests (Breiman 2001), extremely randomised trees (Geurts, Ernst and
 * Wehenkel 2006) and boosted trees (Friedman 2001, squared error, or Huber's) with one piece of code. Pure; deterministic whatever
 * the number of threads: each member has its own random stream, and members are put together in their order. */
#ifndef PRF_MODEL_GROW_H
#define PRF_MODEL_GROW_H

#include <stdbool.h>

#include "model/bins.h"
#include "model/ensemble.h"

typedef struct {
    uint32_t members;     /* averaged */
    uint32_t rounds;      /* trees a member: 1 in a forest; more: each corrects what the ones before leave over */
    double shrink;        /* share of a tree's answer that is taken; 1 in a forest */
    double row_share;     /* rows that a tree sees, drawn without replacement; 1: all */
    bool bootstrap;       /* or drawn with replacement, as many as there are */
    bool random_cuts;     /* one random cut a column instead of its best one (extremely randomised trees) */
    double feature_share; /* columns looked at for a split */
    uint32_t min_leaf;    /* rows */
    uint32_t max_depth;   /* 0: no limit */
    double trusted;       /* of boosting: share of the rows that a round takes as they are; what the trees so far leave over of the
                           * others is cut to as much, so that single rows that nothing explains do not lead; 0: all */
} prf_growth_t;

/* Fits target[i] to row i of `table` (row_count x feature_count, the one that `bins` was made from). On success the caller
 * owns *out. Errors: PRF_ENOMEM, PRF_EINVAL (more nodes than a model file may hold). */
PRF_CHECKED prf_status_t prf_ensemble_fit(prf_ensemble_t *out, const prf_bins_t *bins, const float *table, size_t feature_count,
                                          const double *target, const prf_growth_t *growth, uint64_t seed, unsigned threads,
                                          prf_error_t *err);

#endif
