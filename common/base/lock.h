// SPDX-License-Identifier: Apache-2.0
/* lock.h - one process at a time: an flock on a file, which goes away with its process, however that ends. Any thread. */
#ifndef PRF_BASE_LOCK_H
#define PRF_BASE_LOCK_H

#include "base/status.h"

/* Locks the file at `path`, made when it is missing. On success the caller closes *fd to unlock; on failure it is untouched.
 * Errors: PRF_EBUSY (another process has it: *owner is its number, for the caller's message), PRF_ENOSPC, PRF_EIO. */
PRF_CHECKED prf_status_t prf_lock_take(int *fd, const char *path, long *owner, prf_error_t *err);

#endif
