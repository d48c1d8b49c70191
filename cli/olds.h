// SPDX-License-Identifier: Apache-2.0
/* olds.h - the models that a campaign's boards begin with (`from` in the campaign file): read and checked here, handed in to the
 * coordinator before the campaign is submitted, piece by piece. Main thread only. */
#ifndef PRF_CLI_OLDS_H
#define PRF_CLI_OLDS_H

#include <jansson.h>

#include "campaign/campaign.h"
#include "farm.h"

typedef struct {
    struct {
        const char *kind; /* borrowed from the campaign */
        void *bytes;      /* owned */
        size_t len;
    } items[PRF_CAMPAIGN_OLDS];
    size_t count;
} prf_olds_t;

/* `campaign_path` is where relative paths start. On failure *out is empty. Errors: PRF_EINVAL (too many, too large), those of
 * prf_model_load. */
PRF_CHECKED prf_status_t prf_olds_load(prf_olds_t *out, const prf_campaign_t *campaign, const char *campaign_path,
                                       prf_error_t *err);
void prf_olds_release(prf_olds_t *self);
/* Hands them in. *models, a new reference, is what `submit` takes. Errors: those of prf_farm_call. */
PRF_CHECKED prf_status_t prf_olds_lend(const prf_olds_t *self, prf_farm_t *farm, json_t **models, prf_error_t *err);

#endif
