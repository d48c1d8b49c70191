// SPDX-License-Identifier: Apache-2.0
/* store_env.c - before LMDB sees a file, store_check.h has: LMDB trusts its pages.
 *
 * One process at a time writes: LMDB itself would let several coordinators in, so an flock on the file `owner` decides. It goes
 * away with its process, however that ends; what the file says is for messages only.
 *
 * The map (LMDB's address range, which bounds the file) begins small and is doubled when something does not fit. */
#include "store_env.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/lock.h"
#include "store_migrate.h"

enum { MAP_BYTES = 64 << 20, LOCK_BYTES = 16 << 10 };

/* A short write, which LMDB reports as EIO, is a disk that filled up; EFBIG a limit that says the same. */
static bool disk_full(const char *dir, int rc)
{
    struct statvfs fs;
    if (rc == ENOSPC || rc == EDQUOT || rc == EFBIG)
        return true;
    return rc == EIO && statvfs(dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < (1 << 20);
}

prf_status_t prf_store_env_fail(const char *dir, int rc, prf_error_t *err)
{
    if (disk_full(dir, rc))
        return prf_fail(err, PRF_ENOSPC, "store %s: the disk is full: make room and try again", dir);
    switch (rc) {
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_DBI:
        return prf_fail(
            err, PRF_ECORRUPT,
            "store %.100s is damaged (%s): 'prfarm fsck %.100s --salvage NEW' brings what is whole into a new store; or "
            "restore a backup",
            dir, mdb_strerror(rc), dir);
    case MDB_VERSION_MISMATCH:
        return prf_fail(err, PRF_EVERSION, "store %s was made by another LMDB: use the prfarm that made it, or another folder",
                        dir);
    default:
        if (rc > 0)
            return prf_fail_sys(err, rc, "store %s", dir);
        return prf_fail(err, PRF_EIO, "store %s: %s: see the system's log (dmesg), or try another folder", dir, mdb_strerror(rc));
    }
}

static prf_status_t path_of(const char *dir, const char *name, char path[PATH_MAX], prf_error_t *err)
{
    if (snprintf(path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
        return prf_fail(err, PRF_EINVAL, "store %.200s...: path too long: use a shorter one", dir);
    return PRF_OK;
}

prf_status_t prf_store_env_own(const char *dir, int *owner, prf_error_t *err)
{
    char path[PATH_MAX];
    long process = 0;
    prf_status_t status = path_of(dir, "owner", path, err);
    if (!status)
        status = prf_lock_take(owner, path, &process, err);
    if (status == PRF_EBUSY)
        return prf_fail(err, PRF_EBUSY, "store %s is in use by process %ld: stop that coordinator, or choose another folder", dir,
                        process);
    return status;
}

prf_status_t prf_store_env_check(const char *dir, const prf_store_visitor_t *visitor, prf_store_report_t *report,
                                 prf_pages_t *pages, prf_error_t *err)
{
    char path[PATH_MAX];
    prf_pages_t file = {0};
    prf_status_t status = path_of(dir, "data.mdb", path, err);
    if (!status)
        status = prf_pages_open(&file, path, err);
    if (status)
        return status;
    prf_store_check(&file, visitor, report);
    if (pages)
        *pages = file;
    else
        prf_pages_close(&file);
    return PRF_OK;
}

/* LMDB makes its lock file with holes and writes to them through its map: on a full disk that would kill the process. So the file
 * gets its blocks first, while an error can still be told; LMDB takes a file of this size as it is. */
static prf_status_t make_lock_file(const char *dir, prf_error_t *err)
{
    char path[PATH_MAX];
    prf_status_t status = path_of(dir, "lock.mdb", path, err);
    if (status)
        return status;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int rc = fd < 0 ? errno : posix_fallocate(fd, 0, LOCK_BYTES);
    if (fd >= 0)
        close(fd);
    return rc ? prf_store_env_fail(dir, rc, err) : PRF_OK;
}

/* Pages at the end that were given out and freed again were never written: the map shows them, the file lacks them, and touching
 * them would kill the process. */
static int pad_data(const prf_store_env_t *self)
{
    MDB_envinfo info;
    MDB_stat pages;
    struct stat st;
    int fd, rc = mdb_env_info(self->env, &info);
    if (!rc)
        rc = mdb_env_stat(self->env, &pages);
    if (!rc)
        rc = mdb_env_get_fd(self->env, &fd);
    if (rc)
        return rc;
    off_t needed = (off_t)((info.me_last_pgno + 1) * pages.ms_psize);
    return fstat(fd, &st) != 0 || (st.st_size < needed && ftruncate(fd, needed) != 0) ? errno : 0;
}

static size_t first_map(const prf_store_env_t *self)
{
    char path[PATH_MAX];
    struct stat st;
    size_t map = MAP_BYTES;
    if (path_of(self->dir, "data.mdb", path, NULL) || stat(path, &st) != 0)
        return map;
    while (map / 2 < (size_t)st.st_size && map <= SIZE_MAX / 4)
        map *= 2;
    return map;
}

static int open_lmdb(prf_store_env_t *self)
{
    int dead, rc = mdb_env_create(&self->env);
    if (!rc)
        rc = mdb_env_set_maxdbs(self->env, PRF_TABLES + 1);
    if (!rc)
        rc = mdb_env_set_mapsize(self->env, first_map(self));
    if (!rc)
        rc = mdb_env_open(self->env, self->dir, MDB_NOTLS, 0600);
    if (!rc)
        rc = pad_data(self);
    return rc ? rc : mdb_reader_check(self->env, &dead);
}

/* --- tables --- */

int prf_store_env_claim(MDB_txn *txn)
{
    static char format[] = PRF_META_FORMAT, created[] = PRF_META_CREATED, text[8];
    unsigned char sealed[PRF_VALUE_HEADER + sizeof "prfarm " PRF_VERSION - 1];
    MDB_dbi meta;
    MDB_val key = {sizeof format - 1, format}, value = {(size_t)snprintf(text, sizeof text, "%d", PRF_STORE_FORMAT), text};
    int rc = mdb_dbi_open(txn, PRF_META, MDB_CREATE, &meta);
    if (!rc)
        rc = mdb_put(txn, meta, &key, &value, 0);
    key = (MDB_val){sizeof created - 1, created};
    value = (MDB_val){sizeof sealed, sealed};
    memcpy(sealed + PRF_VALUE_HEADER, "prfarm " PRF_VERSION, sizeof sealed - PRF_VALUE_HEADER);
    prf_value_seal(sealed, sizeof sealed, PRF_VALUE_TABLE_META, created, key.mv_size, 0, false);
    return rc ? rc : mdb_put(txn, meta, &key, &value, 0);
}

/* Where numbering goes on. A last value that does not prove itself says nothing of that, its key may be damaged too: it goes. */
static int load_sequence(prf_store_env_t *self, MDB_txn *txn, prf_table_t table)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    prf_value_t proven;
    int rc = mdb_cursor_open(txn, self->tables[table], &cursor);
    if (rc)
        return rc;
    while (!(rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST))) {
        if (key.mv_size == PRF_SEQUENCE &&
            (prf_value_unseal(&proven, table, key.mv_data, key.mv_size, value.mv_data, value.mv_size) ||
             prf_value_unseal_old(&proven, value.mv_data, value.mv_size)))
            break;
        rc = mdb_cursor_del(cursor, 0);
        if (rc)
            break;
    }
    self->next[table] = rc ? 1 : prf_sequence_get(key.mv_data, key.mv_size) + 1;
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int open_tables(prf_store_env_t *self, bool claim)
{
    MDB_txn *txn;
    int rc = prf_store_env_begin(self, 0, &txn);
    if (rc)
        return rc;
    if (claim)
        rc = prf_store_env_claim(txn);
    for (int i = 0; !rc && i < PRF_TABLES; i++) {
        rc = mdb_dbi_open(txn, prf_store_table_names[i], MDB_CREATE, &self->tables[i]);
        if (!rc && prf_store_table_appended((prf_table_t)i))
            rc = load_sequence(self, txn, (prf_table_t)i);
    }
    if (!rc)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

/* --- opening --- */

static prf_status_t open_checked(prf_store_env_t *self, prf_store_report_t *report, prf_error_t *err)
{
    static const prf_store_visitor_t silent = {0};
    prf_status_t status = prf_store_env_check(self->dir, &silent, report, NULL, err);
    if (status == PRF_ENOTFOUND) {
        *report = (prf_store_report_t){.empty = true};
        status = PRF_OK;
    }
    if (!status)
        status = prf_store_usable(report, self->dir, err);
    if (!status)
        status = make_lock_file(self->dir, err);
    if (status)
        return status;
    self->writes = report->writes;
    int rc = open_lmdb(self);
    if (!rc)
        rc = open_tables(self, report->empty || (report->format == PRF_STORE_FORMAT && !report->created));
    if (rc)
        return prf_store_env_fail(self->dir, rc, err);
    bool old = !report->empty && (report->format == PRF_STORE_FORMAT_OLD || report->old_values > 0);
    return old ? prf_store_migrate(self, report, err) : PRF_OK;
}

prf_status_t prf_store_env_open(prf_store_env_t *out, const char *dir, prf_store_report_t *report, prf_error_t *err)
{
    prf_store_report_t unwanted;
    prf_store_env_t self = {.owner = -1, .dir = strdup(dir)};
    prf_status_t status = self.dir ? PRF_OK : prf_fail(err, PRF_ENOMEM, "store");
    if (!status && prf_file_mkdirs(dir, 0700, err))
        status = prf_fail_prefix(err, PRF_EIO, "store %s", dir);
    if (!status)
        status = prf_store_env_own(dir, &self.owner, err);
    if (!status)
        status = open_checked(&self, report ? report : &unwanted, err);
    if (status)
        prf_store_env_close(&self);
    else
        *out = self;
    return status;
}

void prf_store_env_close(prf_store_env_t *self)
{
    if (self->env)
        mdb_env_close(self->env);
    if (self->owner >= 0)
        close(self->owner);
    free(self->dir);
    *self = (prf_store_env_t){.owner = -1};
}

/* --- use --- */

int prf_store_env_begin(const prf_store_env_t *self, unsigned flags, MDB_txn **txn)
{
    return self->env ? mdb_txn_begin(self->env, NULL, flags, txn) : MDB_PANIC;
}

int prf_store_env_grow(prf_store_env_t *self)
{
    MDB_envinfo info;
    int rc = mdb_env_info(self->env, &info);
    if (rc)
        return rc;
    return info.me_mapsize > SIZE_MAX / 2 ? ENOMEM : mdb_env_set_mapsize(self->env, 2 * info.me_mapsize);
}

int prf_store_env_reopen(prf_store_env_t *self)
{
    if (self->env)
        mdb_env_close(self->env);
    self->env = NULL;
    int rc = open_lmdb(self);
    if (!rc)
        rc = open_tables(self, false);
    if (rc && self->env) {
        mdb_env_close(self->env);
        self->env = NULL;
    }
    return rc ? MDB_PANIC : 0;
}

int prf_store_env_put(const prf_store_env_t *self, MDB_txn *txn, prf_table_t table, const MDB_val *key, const MDB_val *value,
                      uint64_t write, bool erased, unsigned flags)
{
    MDB_val k = *key, v = *value;
    if (write >= PRF_VALUE_WRITES)
        return EOVERFLOW;
    prf_value_seal(v.mv_data, v.mv_size, table, k.mv_data, k.mv_size, write, erased);
    return mdb_put(txn, self->tables[table], &k, &v, flags);
}
