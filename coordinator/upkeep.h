// SPDX-License-Identifier: Apache-2.0
/* upkeep.h - what `prfarm fsck` and `prfarm backup` do: this program alone knows the store. Prints the outcome on standard output.
 */
#ifndef PRF_UPKEEP_H
#define PRF_UPKEEP_H

#include <stdbool.h>

#include "base/status.h"

/* Checks the store in `dir`; `salvage` (NULL: not) is where to bring what is whole. Errors: PRF_ECORRUPT (it is damaged, also when
 * a salvage succeeded), PRF_EVERSION, PRF_EBUSY (a coordinator works on it), PRF_ENOTFOUND, those of prf_store_salvage. */
PRF_CHECKED prf_status_t prf_upkeep_fsck(const char *dir, const char *salvage, bool json, prf_error_t *err);
/* Errors: those of prf_store_backup. */
PRF_CHECKED prf_status_t prf_upkeep_backup(const char *dir, const char *to, bool json, prf_error_t *err);

#endif
