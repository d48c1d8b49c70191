// SPDX-License-Identifier: Apache-2.0
/* retry.h - op `retry`: a campaign's poisoned points are cleared by hand and measured again. Loop thread only. */
#ifndef PRF_RETRY_H
#define PRF_RETRY_H

#include "campaigns.h"

/* Answers once the points are durably cleared and the campaign goes on, also one that was over. */
void prf_retry(const prf_hub_t *hub, prf_campaigns_t *campaigns, const char *name, prf_reply_fn fn, void *arg);

#endif
