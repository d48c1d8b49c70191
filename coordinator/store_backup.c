// SPDX-License-Identifier: Apache-2.0
/* store_backup.c - LMDB lets other processes read: the copy is made in a read transaction, a snapshot of the last commit, without
 * asking the coordinator, who goes on writing. Free pages are left out. A copy that is killed leaves its place in the table of
 * readers, which the coordinator clears (store.c), and a folder NAME.partial-PID.
 *
 * While nobody owns the store it is checked first, since LMDB may abort on a damaged one. A coordinator has done that at its start.
 */
#include "store_backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_env.h"
#include "store_folder.h"

static int copy_to(MDB_env *env, int fd)
{
    int rc;
    /* The coordinator may enlarge the map between our opening and our transaction. */
    while ((rc = mdb_env_copyfd2(env, fd, MDB_CP_COMPACT)) == MDB_MAP_RESIZED) {
        rc = mdb_env_set_mapsize(env, 0);
        if (rc || ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
            return rc ? rc : errno;
    }
    return rc;
}

static prf_status_t copy(const char *dir, const char *partial, prf_error_t *err)
{
    char path[PATH_MAX + 16];
    MDB_env *env = NULL;
    snprintf(path, sizeof path, "%s/data.mdb", partial);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return prf_fail_sys(err, errno, "%s", path);
    int rc = mdb_env_create(&env);
    if (!rc)
        rc = mdb_env_open(env, dir, MDB_RDONLY | MDB_NOTLS, 0600);
    prf_status_t status = rc ? prf_store_env_fail(dir, rc, err) : PRF_OK;
    if (!status && (rc = copy_to(env, fd)))
        status = prf_store_env_fail(partial, rc, err);
    if (env)
        mdb_env_close(env);
    if (close(fd) != 0 && !status)
        status = prf_fail_sys(err, errno, "%s", path);
    return status;
}

/* Holds the store while nobody else does, and has it checked. *owner is -1 when a coordinator works on it. */
static prf_status_t look_first(const char *dir, int *owner, prf_error_t *err)
{
    static const prf_store_visitor_t silent = {0};
    prf_store_report_t report;
    *owner = -1;
    prf_status_t status = prf_store_env_own(dir, owner, err);
    if (status == PRF_EBUSY)
        return PRF_OK;
    if (!status)
        status = prf_store_env_check(dir, &silent, &report, NULL, err);
    return status ? status : prf_store_usable(&report, dir, err);
}

prf_status_t prf_store_backup(const char *dir, const char *to, prf_store_report_t *report, prf_error_t *err)
{
    char path[PATH_MAX + 16];
    struct stat st;
    int owner;
    prf_store_folder_t folder;
    snprintf(path, sizeof path, "%.4000s/data.mdb", dir);
    if (stat(path, &st) != 0)
        return prf_fail(err, PRF_ENOTFOUND, PRF_STORE_MISSING, dir);
    prf_status_t status = look_first(dir, &owner, err);
    if (!status)
        status = prf_store_folder_begin(&folder, to, err);
    if (!status) {
        status = copy(dir, folder.partial, err);
        status = status ? prf_store_folder_drop(&folder, status) : prf_store_folder_finish(&folder, report, err);
    }
    if (owner >= 0)
        close(owner);
    return status;
}
