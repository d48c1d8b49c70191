// SPDX-License-Identifier: Apache-2.0
#include "store_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store_env.h"

prf_status_t prf_store_folder_begin(prf_store_folder_t *out, const char *to, prf_error_t *err)
{
    struct stat st;
    size_t len = strlen(to);
    while (len > 1 && to[len - 1] == '/')
        len--;
    if (len == 0 || len + 40 > PATH_MAX)
        return prf_fail(err, PRF_EINVAL, "'%.100s': no path for a folder: use another one", to);
    snprintf(out->to, sizeof out->to, "%.*s", (int)len, to);
    snprintf(out->partial, sizeof out->partial, "%.*s.partial-%ld", (int)len, to, (long)getpid());
    if (lstat(out->to, &st) == 0)
        return prf_fail(err, PRF_EEXISTS, "%s exists already: choose another name", out->to);
    return prf_file_mkdirs(out->partial, 0700, err);
}

prf_status_t prf_store_folder_drop(prf_store_folder_t *self, prf_status_t why)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "owner"};
    char path[PATH_MAX + 16];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", self->partial, names[i]);
        unlink(path);
    }
    rmdir(self->partial);
    return why;
}

static int sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return rc == EINVAL ? 0 : rc; /* some file systems refuse to sync a folder; the rename itself stands */
}

prf_status_t prf_store_folder_finish(prf_store_folder_t *self, prf_store_report_t *report, prf_error_t *err)
{
    static const prf_store_visitor_t silent = {0};
    char path[PATH_MAX + 16], parent[PATH_MAX];
    snprintf(path, sizeof path, "%s/data.mdb", self->partial);
    snprintf(parent, sizeof parent, "%s", self->to);
    prf_status_t status = prf_store_env_check(self->partial, &silent, report, NULL, err);
    if (!status)
        status = prf_store_usable(report, self->partial, err);
    int e = status ? 0 : sync_path(path);
    if (!e && !status)
        e = sync_path(self->partial);
    if (!e && !status && rename(self->partial, self->to) != 0)
        e = errno;
    if (e)
        status = prf_fail_sys(err, e, "%s", self->to);
    if (status)
        return prf_store_folder_drop(self, status);
    (void)sync_path(dirname(parent));
    return PRF_OK;
}
