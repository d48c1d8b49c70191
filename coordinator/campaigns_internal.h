// SPDX-License-Identifier: Apache-2.0
/* campaigns_internal.h - what the two files of campaigns.h share. campaigns.c: all campaigns, at work and told about.
 * campaigns_change.c: how one of them changes. */
#ifndef PRF_CAMPAIGNS_INTERNAL_H
#define PRF_CAMPAIGNS_INTERNAL_H

#include "campaign.h"
#include "campaign_doc.h"
#include "campaigns.h"

typedef struct {
    char name[PRF_NAME];
    json_t *doc; /* owned: as the store has it; NULL: not committed for the first time yet, nobody is told of it */
    prf_campaign_state_t state;
    bool changing;          /* a change is on its way to the store */
    prf_running_t *running; /* owned; NULL unless it runs */
    double seconds;         /* of earlier runs of the coordinator */
    uint64_t since_ms;      /* it runs since */
} one_t;

struct prf_campaigns {
    const prf_hub_t *hub;
    one_t **ones;       /* owned, each too; in order of submission */
    size_t count, turn; /* whose turn it is to be the first that takes boards */
    uint64_t owners;    /* bit set: number taken in the scheduler */
    uint64_t runs;
    unsigned ticks;
};

/* campaigns.c */
one_t *campaigns_find(const prf_campaigns_t *self, const char *name); /* also one that is not committed yet */
one_t *campaigns_add(prf_campaigns_t *self, const char *name);        /* NULL: out of memory */
void campaigns_drop(prf_campaigns_t *self, one_t *one);
double campaigns_seconds(const one_t *one);
/* Puts an engine to work (takes it over). On failure the campaign is failed with a message, in memory: a restart tries again. */
void campaigns_start(prf_campaigns_t *self, one_t *one, prf_engine_t *engine);
void campaigns_stop(prf_campaigns_t *self, one_t *one);

/* campaigns_change.c */
/* Its engine is through: done, or failed when no kind came to a model. */
void campaigns_finish(prf_campaigns_t *self, one_t *one);

#endif
