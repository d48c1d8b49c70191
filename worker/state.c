// SPDX-License-Identifier: Apache-2.0
#include "state.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/lock.h"

enum { PATIENCE_MS = 1000, TICK_MS = 20 };

prf_status_t prf_state_lock(int *fd, const char *folder, prf_error_t *err)
{
    char path[PATH_MAX];
    long owner = 0;
    prf_status_t status = prf_file_mkdirs(folder, 0755, err);
    if (!status && snprintf(path, sizeof path, "%s/lock", folder) >= (int)sizeof path)
        status = prf_fail(err, PRF_EINVAL, "%.60s...: path too long: use a shorter one", folder);
    if (status)
        return prf_fail_prefix(err, status, "the state folder cannot be made, choose another with --state");
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while ((status = prf_lock_take(fd, path, &owner, err)) == PRF_EBUSY && prf_clock_mono_ms() < until)
        poll(NULL, 0, TICK_MS);
    if (status != PRF_EBUSY)
        return status;
    return prf_fail(err, PRF_EBUSY, "state folder %s is in use by process %ld: stop that worker, or give this one another --state",
                    folder, owner);
}
