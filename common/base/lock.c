// SPDX-License-Identifier: Apache-2.0
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

prf_status_t prf_lock_take(int *fd, const char *path, long *owner, prf_error_t *err)
{
    char text[32] = "";
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return prf_fail_sys(err, errno, "%s", path);
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        int e = errno;
        (void)!pread(file, text, sizeof text - 1, 0);
        *owner = atol(text);
        close(file);
        return e == EWOULDBLOCK
                   ? prf_fail(err, PRF_EBUSY, "%s is locked by process %ld: end that, or choose another place", path, *owner)
                   : prf_fail_sys(err, e, "%s", path);
    }
    /* For the message above only. */
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    (void)!ftruncate(file, 0);
    (void)!pwrite(file, text, (size_t)len, 0);
    *fd = file;
    return PRF_OK;
}
