// SPDX-License-Identifier: Apache-2.0
/* queries.h - the ops that are about single points, boards and models (docs/protocol.md). Each takes the request's JSON object and
 * gives the reply's. Loop thread only. */
#ifndef PRF_QUERIES_H
#define PRF_QUERIES_H

#include <jansson.h>

#include "campaigns.h"
#include "guard.h"
#include "sessions.h"

typedef struct {
    const prf_hub_t *hub;
    prf_campaigns_t *campaigns;
    const prf_sessions_t *sessions;
    const prf_guard_t *clients; /* counts what they did wrong */
} prf_queries_t;

/* On success *out is a new reference. Errors: PRF_EINVAL (the request), PRF_ENOTFOUND, PRF_EBUSY, PRF_ENOMEM, the store's. */
typedef prf_status_t (*prf_query_fn)(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err);

/* query_boards.c */
prf_status_t prf_query_fleet(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err);
prf_status_t prf_query_boards(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err);
/* queries.c */
/* The version of a kind's model that a request means: the current one, if it names none. Errors: PRF_ENOTFOUND. */
PRF_CHECKED prf_status_t prf_query_version(const prf_queries_t *self, const char *kind, const json_t *version,
                                           prf_model_version_t *out, prf_error_t *err);
prf_status_t prf_query_model(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err);
prf_status_t prf_query_models(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err);
prf_status_t prf_query_measure(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err);
prf_status_t prf_query_results(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err);
prf_status_t prf_query_export(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err);
prf_status_t prf_query_poisoned(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err);
prf_status_t prf_query_events(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err);

#endif
