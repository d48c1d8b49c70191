// SPDX-License-Identifier: Apache-2.0
/* additive.h - finds a sum of terms, or the larger of two sums, that explains measured layers: which terms, their coefficients, and
 * tile widths and buffer sizes that no sweep found. Pure; deterministic; one thread. */
#ifndef PRF_MODEL_ADDITIVE_H
#define PRF_MODEL_ADDITIVE_H

#include "model/dataset.h"
#include "model/terms.h"

/* Whether coefficients may be negative (what a board skips), and whether the larger of two sums counts. */
typedef enum {
    PRF_ADDITIVE_POSITIVE = 0,
    PRF_ADDITIVE_SIGNED,
    PRF_ADDITIVE_MAX_POSITIVE,
    PRF_ADDITIVE_MAX_SIGNED,
    PRF_ADDITIVES
} prf_additive_t;

/* Fits all variants; one that cannot be fitted to so few layers is left empty. On success the caller owns out[], else it is
 * untouched. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_additive_fit(prf_terms_t out[PRF_ADDITIVES], const prf_dataset_t *data, prf_error_t *err);

#endif
