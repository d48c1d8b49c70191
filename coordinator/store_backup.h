// SPDX-License-Identifier: Apache-2.0
/* store_backup.h - a copy of a store, also while a coordinator works on it. Runs in a process of its own. */
#ifndef PRF_STORE_BACKUP_H
#define PRF_STORE_BACKUP_H

#include "store_check.h"

/* What is wrong with a folder (%s) that holds no store. */
#define PRF_STORE_MISSING "%s: no store is there: name the folder that is given to 'prfarm-coordinator --store'"

/* Makes the folder `to`, a store of its own, of what the last commit in `dir` holds. It appears whole and checked or not at all;
 * *report is of the copy. Errors: PRF_ENOTFOUND (no store there), PRF_EEXISTS (`to` is), PRF_ECORRUPT (the store is damaged),
 * PRF_ENOSPC, PRF_EIO. */
PRF_CHECKED prf_status_t prf_store_backup(const char *dir, const char *to, prf_store_report_t *report, prf_error_t *err);

#endif
