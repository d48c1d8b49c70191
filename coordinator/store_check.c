// SPDX-License-Identifier: Apache-2.0
/* store_check.c - a dress rehearsal: every page that reading and writing will follow is followed once by somebody expendable.
 *
 * The child opens the environment by itself (one must not cross a fork), without LMDB's lock file, since nobody else has the store.
 * It walks the table of tables, each table, and the list of free pages, which writing takes its pages from. Values are read but not
 * judged: their checksums are, each time one is used. What has another reason than damage - no permission, no memory - is left to
 * the opening that follows, which can tell it better. */
#define _GNU_SOURCE
#include "store_check.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/digest.h"

enum { SOUND = 0, DAMAGED = 1, FREE_TABLE = 0, TABLES = 64, NAME = 64 };

typedef bool (*entry_fn)(void *arg, MDB_val *key, MDB_val *value);

/* A tree that is bent into a ring would never end: no table has more entries than it says. */
static int walk(MDB_txn *txn, MDB_dbi table, entry_fn fn, void *arg)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    MDB_stat stat;
    int rc = table == FREE_TABLE ? 0 : mdb_stat(txn, table, &stat);
    if (!rc)
        rc = mdb_cursor_open(txn, table, &cursor);
    if (rc)
        return rc;
    size_t seen = 0;
    rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (!rc) {
        if (!fn(arg, &key, &value) || (table != FREE_TABLE && ++seen > stat.ms_entries))
            rc = MDB_CORRUPTED;
        else
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND && (table == FREE_TABLE || seen == stat.ms_entries) ? 0 : (rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc);
}

static bool touch(void *arg, MDB_val *key, MDB_val *value)
{
    volatile uint32_t *sum = arg;
    *sum ^= prf_crc32(key->mv_data, key->mv_size) ^ prf_crc32(value->mv_data, value->mv_size);
    return true;
}

/* One transaction's freed pages: a count, then so many page numbers in falling order. */
static bool check_free(void *arg, MDB_val *key, MDB_val *value)
{
    const MDB_envinfo *info = arg;
    size_t words = value->mv_size / sizeof(size_t), count, page, last = info->me_last_pgno + 1;
    const char *bytes = value->mv_data;
    if (key->mv_size != sizeof(size_t) || words < 1)
        return false;
    memcpy(&count, bytes, sizeof count);
    if (count > words - 1)
        return false;
    for (size_t i = 1; i <= count; i++, last = page) {
        memcpy(&page, bytes + i * sizeof page, sizeof page);
        if (page < 2 || page >= last)
            return false;
    }
    return true;
}

typedef struct {
    char names[TABLES][NAME];
    size_t count;
} tables_t;

static bool gather(void *arg, MDB_val *key, MDB_val *value)
{
    tables_t *tables = arg;
    (void)value;
    if (tables->count == TABLES || key->mv_size >= NAME)
        return false;
    memcpy(tables->names[tables->count], key->mv_data, key->mv_size);
    tables->names[tables->count++][key->mv_size] = '\0';
    return true;
}

static int walk_all(MDB_env *env, MDB_txn *txn)
{
    static tables_t tables;
    MDB_envinfo info;
    MDB_dbi table;
    uint32_t sum = 0;
    int rc = mdb_env_info(env, &info);
    if (!rc)
        rc = walk(txn, FREE_TABLE, check_free, &info);
    if (!rc)
        rc = mdb_dbi_open(txn, NULL, 0, &table);
    if (!rc)
        rc = walk(txn, table, gather, &tables);
    for (size_t i = 0; !rc && i < tables.count; i++) {
        rc = mdb_dbi_open(txn, tables.names[i], 0, &table);
        if (!rc)
            rc = walk(txn, table, touch, &sum);
        if (rc == MDB_INCOMPATIBLE) /* a plain entry: somebody else's LMDB, which opening will tell */
            rc = 0;
    }
    return rc;
}

static _Noreturn void child(const char *dir, size_t map_bytes)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    struct rlimit no_core = {0, 0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &no_core);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        signal(deadly[i], SIG_DFL);
    int quiet = open("/dev/null", O_WRONLY);
    if (quiet >= 0)
        dup2(quiet, STDERR_FILENO);
    MDB_env *env;
    MDB_txn *txn;
    int rc = mdb_env_create(&env);
    if (!rc)
        rc = mdb_env_set_maxdbs(env, TABLES);
    if (!rc)
        rc = mdb_env_set_mapsize(env, map_bytes);
    if (!rc)
        rc = mdb_env_open(env, dir, MDB_RDONLY | MDB_NOTLS | MDB_NOLOCK, 0600);
    if (!rc)
        rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    if (!rc)
        rc = walk_all(env, txn);
    _exit(rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_CURSOR_FULL || rc == MDB_BAD_TXN ? DAMAGED : SOUND);
}

prf_status_t prf_store_check(const char *dir, size_t map_bytes, prf_error_t *err)
{
    int wait_status;
    pid_t pid = fork();
    if (pid < 0)
        return prf_fail_sys(err, errno, "store %s: a process to check it", dir);
    if (pid == 0)
        child(dir, map_bytes);
    while (waitpid(pid, &wait_status, 0) < 0)
        if (errno != EINTR)
            return prf_fail_sys(err, errno, "store %s: the process that checks it", dir);
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == SOUND)
        return PRF_OK;
    return prf_fail(err, PRF_ECORRUPT, "store %s is damaged: restore a backup, or choose another folder", dir);
}
