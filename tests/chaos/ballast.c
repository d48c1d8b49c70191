// SPDX-License-Identifier: Apache-2.0
#include "ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void name(const char *dir, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/ballast", dir);
}

prf_status_t ballast_fill(const char *dir, prf_error_t *err)
{
    static const char block[64 << 10];
    char path[PATH_MAX];
    name(dir, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 && errno == ENOSPC)
        return PRF_OK;
    if (fd < 0)
        return prf_fail_sys(err, errno, "%s", path);
    /* The last blocks may be smaller than ours. */
    for (size_t size = sizeof block; size > 0;)
        if (write(fd, block, size) < 0) {
            if (errno == EINTR)
                continue;
            if (errno != ENOSPC) {
                int e = errno;
                close(fd);
                return prf_fail_sys(err, e, "%s", path);
            }
            size /= 2;
        }
    close(fd);
    return PRF_OK;
}

void ballast_free(const char *dir)
{
    char path[PATH_MAX];
    name(dir, path);
    unlink(path);
}
