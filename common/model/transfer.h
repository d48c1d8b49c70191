// SPDX-License-Identifier: Apache-2.0
/* transfer.h - what an old board's regressor becomes when it is fitted to a few layers of a new board of its family. Boards of a
 * family share tiles, terms and buffers; clock, bus and overheads differ. So the structure stays, and the fewest numbers change
 * that do: one factor, a factor for each of two sums, or every coefficient. Pure; deterministic; one thread. */
#ifndef PRF_MODEL_TRANSFER_H
#define PRF_MODEL_TRANSFER_H

#include "model/regressor.h"

/* From few numbers that change to many. */
typedef enum {
    PRF_TRANSFER_SCALED = 0,  /* the old estimate times one factor: the median of measured / old */
    PRF_TRANSFER_SCALED_SUMS, /* a factor for each of two sums; a roofline is fitted anew */
    PRF_TRANSFER_NEAR,        /* all coefficients, held near to a common factor: ridge regression (Hoerl and Kennard 1970) ... */
    PRF_TRANSFER_LOOSE,       /* ... more loosely ... */
    PRF_TRANSFER_FREE,        /* ... or only where the layers leave them open */
} prf_transfer_t;

/* `data`: layers of the new board as the old part sees them (its recipe and steps). Trees of the old regressor stay as they are.
 * On success the caller owns *out; where `how` means nothing for such a regressor (or its numbers leave what a model file may
 * hold), *out is untouched and *fits false. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_transfer_fit(prf_regressor_t *out, bool *fits, const prf_regressor_t *old, const prf_dataset_t *data,
                                          prf_transfer_t how, prf_error_t *err);

#endif
