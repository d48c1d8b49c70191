// SPDX-License-Identifier: Apache-2.0
/* campaigns.h - all campaigns that the store knows: submitted, edited, paused, resumed, cancelled, finished. Loop thread only. What
 * a client is told has been committed before. docs/states.md has a campaign's life. */
#ifndef PRF_CAMPAIGNS_H
#define PRF_CAMPAIGNS_H

#include <jansson.h>

#include "campaign_doc.h"
#include "hub.h"

typedef struct prf_campaigns prf_campaigns_t;

/* Called once for each request. `json` (NULL on failure) is handed over; `error` is borrowed. */
typedef void (*prf_reply_fn)(void *arg, prf_status_t status, json_t *json, const char *error);

/* Loads what the store has and resumes what was running. Errors: PRF_ENOMEM, PRF_EIO. */
PRF_CHECKED prf_status_t prf_campaigns_new(prf_campaigns_t **out, const prf_hub_t *hub, prf_error_t *err);
/* After the commits, whose closures know of it. */
void prf_campaigns_destroy(prf_campaigns_t **self);

/* The ops of docs/protocol.md. */
void prf_campaigns_submit(prf_campaigns_t *self, const json_t *args, prf_reply_fn fn, void *arg);
/* pause, resume, retry, cancel: where docs/states.md says they lead. */
void prf_campaigns_order(prf_campaigns_t *self, prf_campaign_event_t event, const char *name, prf_reply_fn fn, void *arg);
void prf_campaigns_refresh(prf_campaigns_t *self, const json_t *args, prf_reply_fn fn, void *arg);
/* Array of the campaign's, or (name NULL) of all campaigns' status; NULL when there is none of that name. New reference. */
json_t *prf_campaigns_status(const prf_campaigns_t *self, const char *name);
/* Content of summary.json. New reference; NULL when there is none of that name. */
json_t *prf_campaigns_summary(const prf_campaigns_t *self, const char *name);
/* The campaign as its file describes it; the caller releases *out. Errors: PRF_ENOTFOUND, those of prf_campaign_parse. */
PRF_CHECKED prf_status_t prf_campaigns_spec(const prf_campaigns_t *self, const char *name, prf_campaign_t *out, prf_error_t *err);
bool prf_campaigns_exists(const prf_campaigns_t *self, const char *name);
/* The running campaign, if any, that keeps boards of this kind with another runtime from its jobs; else NULL. */
const char *prf_campaigns_excluding(const prf_campaigns_t *self, const char *kind, const char *fingerprint);

/* The first space of layers that a running campaign, pinned to this kind and runtime, has for boards that run these layer kinds (a
 * bit each); else NULL. Borrowed. */
const prf_space_t *prf_campaigns_space(const prf_campaigns_t *self, const char *kind, const char *fingerprint, uint32_t kinds);

/* Does what is due; true when something was done. */
bool prf_campaigns_pump(prf_campaigns_t *self);
/* A point has its outcome in the index (prf_outcome_fn; arg is the prf_campaigns_t). */
void prf_campaigns_answer(void *arg, const prf_entry_t *entry);
/* When prf_trainer_fd is readable. */
void prf_campaigns_trained(prf_campaigns_t *self);
void prf_campaigns_tick(prf_campaigns_t *self); /* once a second */

#endif
