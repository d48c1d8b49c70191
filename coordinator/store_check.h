// SPDX-License-Identifier: Apache-2.0
/* store_check.h - whether a store's files can be read at all. Called while the store is opened, by whoever holds its lock. */
#ifndef PRF_STORE_CHECK_H
#define PRF_STORE_CHECK_H

#include "base/status.h"

/* Reads everything that is in use in folder `dir`, whose data file may be missing, in a child process: LMDB trusts its pages, and
 * where they are damaged it may abort or touch memory that is not there. That then costs the child.
 * Errors: PRF_ECORRUPT, PRF_EIO. */
PRF_CHECKED prf_status_t prf_store_check(const char *dir, size_t map_bytes, prf_error_t *err);

#endif
