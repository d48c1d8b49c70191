// SPDX-License-Identifier: Apache-2.0
/* space.h - the layers that a campaign is about: one layer kind, a data type, and for each parameter what values it takes.
 * Pure; any thread; plain data without ownership. */
#ifndef PRF_PR_SPACE_H
#define PRF_PR_SPACE_H

#include "base/rng.h"
#include "layer/layer.h"

enum { PRF_SPACE_VALUES = 32 };

typedef enum {
    PRF_DIM_DEFAULT = 0, /* the kind's own default */
    PRF_DIM_RANGE,       /* every whole number from lo to hi; fixed when lo == hi */
    PRF_DIM_LIST,        /* one of values[] (rising); a discrete parameter */
    PRF_DIM_TIED         /* follows another parameter: value(source) / divisor, rounded down (w: h, pad: r/2) */
} prf_dim_kind_t;

typedef struct {
    prf_dim_kind_t kind;
    int32_t lo, hi; /* RANGE */
    bool log;       /* RANGE: drawn evenly on a logarithmic scale */
    uint32_t value_count;
    int32_t values[PRF_SPACE_VALUES]; /* LIST */
    prf_param_t source;               /* TIED; itself not tied */
    int32_t divisor;                  /* TIED; >= 1 */
} prf_dim_t;

typedef struct {
    prf_layer_kind_t kind;
    prf_dtype_t dtype;
    prf_dim_t dims[PRF_PARAMS]; /* indexed by prf_param_t */
    double max_macs;            /* layers above it are left out; 0: no limit */
} prf_space_t;

/* Dims within the kind's limits, ties resolvable, at least one valid layer found among 1000 draws.
 * Errors: PRF_EINVAL naming kind.parameter and what would be right. */
PRF_CHECKED prf_status_t prf_space_check(const prf_space_t *space, prf_error_t *err);
/* Completes a layer whose free (RANGE, LIST) parameters are set: ties, defaults, checks. Errors: PRF_EINVAL when such a layer
 * cannot exist (empty output, max_macs). */
PRF_CHECKED prf_status_t prf_space_resolve(const prf_space_t *space, prf_layer_t *layer, prf_error_t *err);
/* A layer drawn from the original space; invalid combinations are drawn again. Errors: PRF_EINVAL after 10000 vain draws. */
PRF_CHECKED prf_status_t prf_space_draw(const prf_space_t *space, prf_rng_t *rng, prf_layer_t *out, prf_error_t *err);
bool prf_space_contains(const prf_space_t *space, const prf_layer_t *layer);
/* The free parameters, in table order. Returns how many. */
size_t prf_space_free(const prf_space_t *space, prf_param_t params[PRF_PARAMS]);
/* Smallest and largest value that a free parameter takes. */
void prf_space_bounds(const prf_space_t *space, prf_param_t param, int32_t *lo, int32_t *hi);

#endif
