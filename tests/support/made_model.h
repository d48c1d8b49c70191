// SPDX-License-Identifier: Apache-2.0
/* made_model.h - models with a regressor of a test's choice, where training would choose by itself. */
#ifndef PRF_TESTS_MADE_MODEL_H
#define PRF_TESTS_MADE_MODEL_H

#include "model/additive.h"
#include "model/grow.h"
#include "model/parts.h"

typedef struct {
    const char *name; /* as in the model file */
    prf_scale_t scale;
    prf_additive_t additive; /* of PRF_SCALE_TERMS */
    prf_growth_t growth;     /* no members: no trees */
    bool gauss;              /* a Gaussian process */
} made_sort_t;

enum { MADE_SORTS = 8 };
extern const made_sort_t made_sorts[MADE_SORTS]; /* one of each way to put a regressor together */

/* Fits a part to `count` layers drawn from its space (and mapped, where the part maps queries), which take what `latency` says. The
 * part's space, steps and map_queries are given. Aborts when it cannot be made. */
void made_part(prf_model_part_t *part, const made_sort_t *sort, double (*latency)(const prf_layer_t *layer), size_t count);
/* Widths of 1 to begin with. The caller owns it. */
prf_model_t *made_model(const char *kind, size_t part_count);

#endif
