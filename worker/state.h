// SPDX-License-Identifier: Apache-2.0
/* state.h - the folder in which a worker keeps its model and its spool, for itself alone. */
#ifndef PRF_WORKER_STATE_H
#define PRF_WORKER_STATE_H

#include "base/status.h"

/* Makes the folder if it is missing and locks it until *fd is closed or the process ends: two workers in one folder would take each
 * other's results for their own. A worker that was just killed is given a moment to be gone.
 * Errors: PRF_EBUSY (a worker has it), PRF_EINVAL, PRF_EIO. */
PRF_CHECKED prf_status_t prf_state_lock(int *fd, const char *folder, prf_error_t *err);

#endif
