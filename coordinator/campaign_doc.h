// SPDX-License-Identifier: Apache-2.0
/* campaign_doc.h - a campaign as the store keeps it: one JSON object with the file's text, the networks as the client folded them,
 * how it stands and, once it is over, what came out. docs/store.md. Pure. */
#ifndef PRF_CAMPAIGN_DOC_H
#define PRF_CAMPAIGN_DOC_H

#include "engine.h"
#include "states.h"

/* Makes a document out of a client's `submit`, and the engine of the campaign that it describes; both are the caller's.
 * Errors: PRF_EINVAL, PRF_EPARSE (the campaign file's own messages), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_campaign_doc_submit(const json_t *args, json_t **doc, prf_engine_t **engine, prf_error_t *err);
/* Whether two documents ask for the same: file, networks and models to begin with. */
bool prf_campaign_doc_same(const json_t *a, const json_t *b);
/* `doc`, just submitted, takes the place of `old`: it inherits what does not hang on the file, and remembers the last files. */
void prf_campaign_doc_replace(json_t *doc, const json_t *old, uint64_t now_ms);
/* A client's `refresh`: the document asks for one. Errors: PRF_EINVAL. */
PRF_CHECKED prf_status_t prf_campaign_doc_refresh(json_t *doc, const json_t *args, prf_error_t *err);
/* The engine that a document stands for. Errors: as above. */
PRF_CHECKED prf_status_t prf_campaign_doc_engine(const json_t *doc, prf_engine_t **out, prf_error_t *err);
/* Reads what the store had. Caller owns *doc. Errors: PRF_ECORRUPT. */
PRF_CHECKED prf_status_t prf_campaign_doc_decode(const void *bytes, size_t len, json_t **doc, prf_campaign_state_t *state,
                                                 prf_error_t *err);
/* Sets "state" (and "error" when it is not NULL). */
void prf_campaign_doc_set_state(json_t *doc, prf_campaign_state_t state, const char *error);
const char *prf_campaign_doc_text(const json_t *doc, const char *key); /* "" when there is none */

#endif
