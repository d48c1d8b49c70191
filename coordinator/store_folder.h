// SPDX-License-Identifier: Apache-2.0
/* store_folder.h - a store that is made by something else than a coordinator, a backup or a salvage: written beside its place,
 * checked, then renamed, so that a folder of its name is always a whole store. */
#ifndef PRF_STORE_FOLDER_H
#define PRF_STORE_FOLDER_H

#include <limits.h>

#include "store_check.h"

typedef struct {
    char to[PATH_MAX], partial[PATH_MAX];
} prf_store_folder_t;

/* Makes the folder `partial` (mode 0700). Errors: PRF_EEXISTS (there is something at `to`), PRF_EINVAL (path too long), PRF_EIO. */
PRF_CHECKED prf_status_t prf_store_folder_begin(prf_store_folder_t *out, const char *to, prf_error_t *err);
/* Checks what was written, syncs, gives it its name. Removes it on failure. Errors: PRF_ECORRUPT, PRF_ENOSPC, PRF_EIO. */
PRF_CHECKED prf_status_t prf_store_folder_finish(prf_store_folder_t *self, prf_store_report_t *report, prf_error_t *err);
/* Removes it; returns `why`. */
prf_status_t prf_store_folder_drop(prf_store_folder_t *self, prf_status_t why);

#endif
