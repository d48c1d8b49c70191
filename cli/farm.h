// SPDX-License-Identifier: Apache-2.0
/* farm.h - a client's connection to a coordinator: requests and their replies (docs/protocol.md), model files. One request at a
 * time; main thread only. A signal (signals.h) ends every wait with PRF_ECANCELLED. */
#ifndef PRF_CLI_FARM_H
#define PRF_CLI_FARM_H

#include <jansson.h>

#include "base/digest.h"
#include "base/status.h"
#include "net/keys.h"

enum { PRF_CALL_MS = 5000 };

typedef struct prf_farm prf_farm_t;

/* `farm` as in docs/protocol.md, `identity` NULL for a farm without keys (borrowed for the call); connecting itself happens in the
 * background, so a coordinator that is not there is noticed by the first call. On failure *out is untouched. Errors: PRF_EINVAL,
 * PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_farm_connect(prf_farm_t **out, const char *farm, const prf_identity_t *identity, prf_error_t *err);
void prf_farm_destroy(prf_farm_t **self);
const char *prf_farm_name(const prf_farm_t *self);

/* One request. `in` (a reference that is taken; NULL: {}) is its JSON. *out, a new reference to an object, is untouched on failure.
 * Errors: what the coordinator answered, PRF_ETIMEOUT (says whom nobody answered for), PRF_EPEER, PRF_ECANCELLED, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_farm_call(prf_farm_t *self, const char *op, json_t *in, unsigned timeout_ms, json_t **out,
                                       prf_error_t *err);
/* All pages of what an op lists, one at a time: `in` (a reference that is taken) is sent again with "after" where the last page
 * told the next one. Errors: those of prf_farm_call, and of `fn`, which ends it. */
typedef prf_status_t (*prf_page_fn)(void *arg, const json_t *page, prf_error_t *err);
PRF_CHECKED prf_status_t prf_farm_pages(prf_farm_t *self, const char *op, json_t *in, unsigned timeout_ms, prf_page_fn fn,
                                        void *arg, prf_error_t *err);
/* The same in one: *out, a new reference, is the arrays named `rows` of all pages. Errors: those of prf_farm_call. */
PRF_CHECKED prf_status_t prf_farm_list(prf_farm_t *self, const char *op, json_t *in, const char *rows, json_t **out,
                                       prf_error_t *err);
/* The newest model file of a kind, or `version` if that is above 0: fetched in chunks, its digest checked. Caller frees *data.
 * `version` (may be NULL) receives which one it is. Errors: also PRF_ENOTFOUND, PRF_ECORRUPT. */
PRF_CHECKED prf_status_t prf_farm_model(prf_farm_t *self, const char *kind, unsigned *version, void **data, size_t *len,
                                        prf_error_t *err);

#endif
