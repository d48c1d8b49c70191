// SPDX-License-Identifier: Apache-2.0
/* store_salvage.h - what is whole in a damaged store, brought into a new one. */
#ifndef PRF_STORE_SALVAGE_H
#define PRF_STORE_SALVAGE_H

#include "store_check.h"

typedef struct {
    uint64_t values[PRF_TABLES]; /* in the new store */
    uint64_t sifted;             /* of these: not where they should have been, found by their checksums */
} prf_salvaged_t;

/* Makes the store `to`, which must not exist, out of `pages`, of which `report` came from `dir` by prf_store_check. `to` appears
 * whole, checked and synced, or not at all. Errors: PRF_EEXISTS, PRF_ECORRUPT (nothing of a store is to be found), PRF_ENOSPC,
 * PRF_EIO, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_store_salvage(const prf_pages_t *pages, const prf_store_report_t *report, const char *to,
                                           prf_salvaged_t *out, prf_error_t *err);

#endif
