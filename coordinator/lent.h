// SPDX-License-Identifier: Apache-2.0
/* lent.h - model files that clients hand in piece by piece, because a frame is smaller than many a model, until a campaign that is
 * to begin with them is submitted. In memory only: what is submitted is stored with the campaign. Loop thread only. */
#ifndef PRF_LENT_H
#define PRF_LENT_H

#include <jansson.h>

#include "base/digest.h"
#include "base/status.h"

typedef struct prf_lent prf_lent_t;

/* PRF_CAMPAIGN_OLDS are kept at once; the one that was touched longest ago makes way. */
enum { PRF_LENT_PIECE = 512 << 10 /* bytes at most */ };

PRF_CHECKED prf_status_t prf_lent_new(prf_lent_t **out, prf_error_t *err);
void prf_lent_destroy(prf_lent_t **self); /* NULL-safe; clears *self */

/* The op `lend` (docs/protocol.md): takes one piece; the answer says how much is there. Errors: PRF_EINVAL, PRF_EPARSE, PRF_ENOMEM.
 */
PRF_CHECKED prf_status_t prf_lent_take(prf_lent_t *self, const json_t *args, json_t **out, prf_error_t *err);
/* A client's `submit` with the digests of its "models" replaced by their bytes: a new reference, as campaign_doc.h takes it.
 * Errors: PRF_ENOTFOUND (not handed in, or not whole), PRF_EINVAL, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_lent_resolve(const prf_lent_t *self, const json_t *submit, json_t **out, prf_error_t *err);

#endif
