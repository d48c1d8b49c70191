// SPDX-License-Identifier: Apache-2.0
/* store.c - LMDB behind one writing thread. docs/store.md describes what is in it.
 *
 * Group commit: the thread takes everything that has gathered while the last group was being synced, writes it in one transaction
 * with one sync, then answers all tokens of the group. So groups grow with the load by themselves, and a lone write never waits
 * for company. A group holds or fails as a whole; what could make one write fail alone is checked before it is queued.
 *
 * The map (LMDB's address range, which bounds the file) begins small and is doubled when a group does not fit. LMDB demands that no
 * transaction is open then: readers hold map_lock shared for as long as theirs lasts, growing takes it alone.
 *
 * One process at a time: LMDB itself would let several coordinators in, so an flock on the file `owner` decides. It goes away with
 * its process, however that ends. */
#include "store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/lock.h"
#include "store_check.h"
#include "store_queue.h"
#include "store_value.h"

enum {
    FORMAT = 1, /* of the store as a whole */
    MAP_BYTES = 64 << 20,
    LOCK_BYTES = 16 << 10
};

static const char *const table_names[PRF_TABLES] = {"result", "campaign", "decision", "model", "board", "event"};

struct prf_store {
    char *dir;
    int owner; /* holds the flock; -1: none */
    MDB_env *env;
    MDB_dbi tables[PRF_TABLES];
    uint64_t next[PRF_TABLES]; /* of the appended tables; the store's thread only */
    pthread_rwlock_t map_lock;
    prf_store_queue_t *queue;
    pthread_t thread;
    bool running;
};

static bool appended(prf_table_t table)
{
    return table == PRF_TABLE_RESULT || table == PRF_TABLE_EVENT;
}

/* A short write, which LMDB reports as EIO, is a disk that filled up; EFBIG a limit that says the same. */
static bool disk_full(const prf_store_t *self, int rc)
{
    struct statvfs fs;
    if (rc == ENOSPC || rc == EDQUOT || rc == EFBIG)
        return true;
    return rc == EIO && statvfs(self->dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < (1 << 20);
}

static prf_status_t lmdb_fail(prf_error_t *err, const prf_store_t *self, int rc)
{
    if (disk_full(self, rc))
        return prf_fail(err, PRF_ENOSPC, "store %s: the disk is full: make room and try again", self->dir);
    switch (rc) {
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_DBI:
        return prf_fail(err, PRF_ECORRUPT, "store %s is damaged or no store (%s): restore a backup, or choose another folder",
                        self->dir, mdb_strerror(rc));
    case MDB_VERSION_MISMATCH:
        return prf_fail(err, PRF_EVERSION, "store %s was made by another LMDB: use the prfarm that made it, or another folder",
                        self->dir);
    default:
        if (rc > 0)
            return prf_fail_sys(err, rc, "store %s", self->dir);
        return prf_fail(err, PRF_EIO, "store %s: %s", self->dir, mdb_strerror(rc));
    }
}

/* --- opening --- */

static prf_status_t path_of(const prf_store_t *self, const char *name, char path[PATH_MAX], prf_error_t *err)
{
    if (snprintf(path, PATH_MAX, "%s/%s", self->dir, name) >= PATH_MAX)
        return prf_fail(err, PRF_EINVAL, "store %.200s...: path too long", self->dir);
    return PRF_OK;
}

static prf_status_t lock_owner(prf_store_t *self, prf_error_t *err)
{
    char path[PATH_MAX];
    long owner = 0;
    prf_status_t status = path_of(self, "owner", path, err);
    if (!status)
        status = prf_lock_take(&self->owner, path, &owner, err);
    if (status == PRF_EBUSY)
        return prf_fail(err, PRF_EBUSY, "store %s is in use by process %ld: stop that coordinator, or choose another folder",
                        self->dir, owner);
    return status;
}

/* LMDB makes its lock file with holes and writes to them through its map: on a full disk that would kill the process. So the file
 * gets its blocks first, while an error can still be told; LMDB takes a file of this size as it is. */
static prf_status_t make_lock_file(const prf_store_t *self, prf_error_t *err)
{
    char path[PATH_MAX];
    prf_status_t status = path_of(self, "lock.mdb", path, err);
    if (status)
        return status;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int rc = fd < 0 ? errno : posix_fallocate(fd, 0, LOCK_BYTES);
    if (fd >= 0)
        close(fd);
    return rc ? lmdb_fail(err, self, rc) : PRF_OK;
}

/* A page that the data's map shows and the file lacks would kill the process, too: a file that was cut is padded, so that what is
 * missing reads as damage. */
static int pad_data(const prf_store_t *self)
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

static size_t first_map(const prf_store_t *self)
{
    char path[PATH_MAX];
    struct stat st;
    size_t map = MAP_BYTES;
    if (path_of(self, "data.mdb", path, NULL) || stat(path, &st) != 0)
        return map;
    while (map / 2 < (size_t)st.st_size && map <= SIZE_MAX / 4)
        map *= 2;
    return map;
}

static int open_lmdb(prf_store_t *self, size_t map)
{
    int rc = mdb_env_create(&self->env);
    if (!rc)
        rc = mdb_env_set_maxdbs(self->env, PRF_TABLES + 1);
    if (!rc)
        rc = mdb_env_set_mapsize(self->env, map);
    return rc ? rc : mdb_env_open(self->env, self->dir, MDB_NOTLS, 0600);
}

static prf_status_t open_env(prf_store_t *self, prf_error_t *err)
{
    size_t map = first_map(self);
    prf_status_t status = make_lock_file(self, err);
    if (!status)
        status = prf_store_check(self->dir, map, err);
    if (status)
        return status;
    int dead, rc = open_lmdb(self, map);
    if (!rc)
        rc = pad_data(self);
    if (!rc)
        rc = mdb_reader_check(self->env, &dead);
    return rc ? lmdb_fail(err, self, rc) : PRF_OK;
}

static prf_status_t check_format(prf_store_t *self, const MDB_val *value, prf_error_t *err)
{
    char text[16];
    size_t len = value->mv_size < sizeof text - 1 ? value->mv_size : sizeof text - 1;
    memcpy(text, value->mv_data, len);
    text[len] = '\0';
    char *end;
    long format = strtol(text, &end, 10);
    if (format < 1 || *end)
        return lmdb_fail(err, self, MDB_CORRUPTED);
    if (format > FORMAT)
        return prf_fail(err, PRF_EVERSION,
                        "store %s has format %ld, this prfarm knows up to %d: update prfarm, or choose another folder", self->dir,
                        format, FORMAT);
    return PRF_OK;
}

/* In a store that is new: says what it is. In one that exists: checks that. */
static prf_status_t open_meta(prf_store_t *self, MDB_txn *txn, prf_error_t *err)
{
    static char format_key[] = "format", creator_key[] = "created_by", format[8], creator[] = "prfarm " PRF_VERSION;
    MDB_val key = {sizeof format_key - 1, format_key}, value;
    MDB_dbi meta;
    MDB_stat all;
    int rc = mdb_dbi_open(txn, "meta", 0, &meta);
    if (!rc)
        rc = mdb_get(txn, meta, &key, &value);
    if (!rc)
        return check_format(self, &value, err);
    if (rc != MDB_NOTFOUND)
        return lmdb_fail(err, self, rc);
    rc = mdb_env_stat(self->env, &all);
    if (!rc && all.ms_entries > 0)
        return prf_fail(err, PRF_ECORRUPT, "store %s: the folder holds an LMDB that is no store of prfarm: choose another folder",
                        self->dir);
    int len = snprintf(format, sizeof format, "%d", FORMAT);
    value = (MDB_val){(size_t)len, format};
    if (!rc)
        rc = mdb_dbi_open(txn, "meta", MDB_CREATE, &meta);
    if (!rc)
        rc = mdb_put(txn, meta, &key, &value, 0);
    key = (MDB_val){sizeof creator_key - 1, creator_key};
    value = (MDB_val){sizeof creator - 1, creator};
    if (!rc)
        rc = mdb_put(txn, meta, &key, &value, 0);
    return rc ? lmdb_fail(err, self, rc) : PRF_OK;
}

static int load_sequence(prf_store_t *self, MDB_txn *txn, int table)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_cursor_open(txn, self->tables[table], &cursor);
    if (rc)
        return rc;
    rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    self->next[table] = rc ? 1 : prf_sequence_get(key.mv_data, key.mv_size) + 1;
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int begin(const prf_store_t *self, unsigned flags, MDB_txn **txn)
{
    return self->env ? mdb_txn_begin(self->env, NULL, flags, txn) : MDB_PANIC;
}

static prf_status_t open_tables(prf_store_t *self, prf_error_t *err)
{
    MDB_txn *txn;
    int rc = begin(self, 0, &txn);
    if (rc)
        return lmdb_fail(err, self, rc);
    prf_status_t status = open_meta(self, txn, err);
    for (int i = 0; !status && !rc && i < PRF_TABLES; i++) {
        rc = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &self->tables[i]);
        if (!rc && appended((prf_table_t)i))
            rc = load_sequence(self, txn, i);
    }
    if (status || rc)
        mdb_txn_abort(txn);
    else
        rc = mdb_txn_commit(txn);
    return status ? status : (rc ? lmdb_fail(err, self, rc) : PRF_OK);
}

/* --- the store's thread --- */

static int apply(prf_store_t *self, MDB_txn *txn, const prf_write_t *write, uint64_t next[PRF_TABLES])
{
    unsigned char number[PRF_SEQUENCE];
    MDB_val key = {write->key_len, (void *)write->bytes};
    MDB_val value = {write->value_len, (void *)(write->bytes + write->key_len)};
    if (write->erase) {
        int rc = mdb_del(txn, self->tables[write->table], &key, NULL);
        return rc == MDB_NOTFOUND ? 0 : rc;
    }
    if (!appended(write->table))
        return mdb_put(txn, self->tables[write->table], &key, &value, 0);
    prf_sequence_put(number, next[write->table]++);
    key = (MDB_val){sizeof number, number};
    return mdb_put(txn, self->tables[write->table], &key, &value, MDB_APPEND);
}

static int try_commit(prf_store_t *self, const prf_write_t *group)
{
    uint64_t next[PRF_TABLES];
    MDB_txn *txn;
    memcpy(next, self->next, sizeof next);
    int rc = begin(self, 0, &txn);
    if (rc)
        return rc;
    for (const prf_write_t *write = group; write && !rc; write = write->next)
        rc = apply(self, txn, write, next);
    if (rc) {
        mdb_txn_abort(txn);
        return rc;
    }
    rc = mdb_txn_commit(txn);
    if (!rc)
        memcpy(self->next, next, sizeof next);
    return rc;
}

static int grow(prf_store_t *self)
{
    MDB_envinfo info;
    pthread_rwlock_wrlock(&self->map_lock);
    int rc = mdb_env_info(self->env, &info);
    if (!rc)
        rc = info.me_mapsize > SIZE_MAX / 2 ? ENOMEM : mdb_env_set_mapsize(self->env, 2 * info.me_mapsize);
    pthread_rwlock_unlock(&self->map_lock);
    return rc;
}

/* Where even the page that names the last commit could not be written (a full disk that copies on write), LMDB wants no more of the
 * environment. The file still holds the commit before. */
static int reopen(prf_store_t *self)
{
    pthread_rwlock_wrlock(&self->map_lock);
    if (self->env)
        mdb_env_close(self->env);
    self->env = NULL;
    int rc = open_lmdb(self, first_map(self));
    if (!rc && open_tables(self, NULL))
        rc = MDB_PANIC;
    if (rc && self->env) {
        mdb_env_close(self->env);
        self->env = NULL;
    }
    pthread_rwlock_unlock(&self->map_lock);
    return rc;
}

static void *commit_groups(void *arg)
{
    prf_store_t *self = arg;
    prf_write_t *group;
    while ((group = prf_store_queue_take(self->queue))) {
        int rc = try_commit(self, group);
        if (rc == MDB_PANIC && !(rc = reopen(self)))
            rc = try_commit(self, group);
        while (rc == MDB_MAP_FULL) {
            rc = grow(self);
            if (!rc)
                rc = try_commit(self, group);
        }
        prf_store_queue_answer(self->queue, group, rc ? lmdb_fail(NULL, self, rc) : PRF_OK);
    }
    return NULL;
}

static prf_status_t start_thread(prf_store_t *self, prf_error_t *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int e = pthread_create(&self->thread, NULL, commit_groups, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (e)
        return prf_fail_sys(err, e, "store %s: its thread", self->dir);
    self->running = true;
    return PRF_OK;
}

prf_status_t prf_store_open(prf_store_t **out, const char *dir, prf_error_t *err)
{
    prf_store_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "store");
    self->owner = -1;
    pthread_rwlock_init(&self->map_lock, NULL);
    self->dir = strdup(dir);
    prf_status_t status = self->dir ? PRF_OK : prf_fail(err, PRF_ENOMEM, "store");
    if (!status && prf_file_mkdirs(dir, 0700, err))
        status = prf_fail_prefix(err, PRF_EIO, "store %s", dir);
    if (!status)
        status = lock_owner(self, err);
    if (!status)
        status = open_env(self, err);
    if (!status)
        status = open_tables(self, err);
    if (!status)
        status = prf_store_queue_new(&self->queue, err);
    if (!status)
        status = start_thread(self, err);
    if (status)
        prf_store_close(&self);
    else
        *out = self;
    return status;
}

void prf_store_close(prf_store_t **self)
{
    prf_store_t *s = *self;
    if (!s)
        return;
    if (s->running) {
        prf_store_queue_close(s->queue);
        pthread_join(s->thread, NULL);
    }
    prf_store_queue_destroy(&s->queue);
    if (s->env)
        mdb_env_close(s->env);
    if (s->owner >= 0)
        close(s->owner);
    pthread_rwlock_destroy(&s->map_lock);
    free(s->dir);
    free(s);
    *self = NULL;
}

/* --- writing --- */

prf_status_t prf_store_put(prf_store_t *self, prf_table_t table, const char *key, const void *value, size_t len, uint64_t token,
                           prf_error_t *err)
{
    size_t key_len = appended(table) || !key ? 0 : strlen(key);
    if (!appended(table) && (key_len < 1 || key_len > PRF_STORE_KEY))
        return prf_fail(err, PRF_EINVAL, "store: a key of %zu bytes in table %s: use 1 to %d", key_len, table_names[table],
                        PRF_STORE_KEY);
    if (appended(table) && !value)
        return prf_fail(err, PRF_EINVAL, "store: table %s is only ever appended to", table_names[table]);
    if (value && len > PRF_STORE_VALUE)
        return prf_fail(err, PRF_EINVAL, "store: a value of %zu bytes in table %s: use at most %d", len, table_names[table],
                        PRF_STORE_VALUE);
    size_t value_len = value ? PRF_VALUE_HEADER + len : 0;
    prf_write_t *write = malloc(sizeof *write + key_len + value_len);
    if (!write)
        return prf_fail(err, PRF_ENOMEM, "store: a value of %zu bytes", len);
    *write = (prf_write_t){.table = table, .token = token, .erase = !value, .key_len = key_len, .value_len = value_len};
    if (key_len)
        memcpy(write->bytes, key, key_len); // NOLINT(bugprone-not-null-terminated-result): keys are kept without their NUL
    if (value)
        prf_value_seal(write->bytes + key_len, value, len);
    return prf_store_queue_put(self->queue, write, err);
}

prf_status_t prf_store_put_record(prf_store_t *self, const prf_record_t *record, uint64_t token, prf_error_t *err)
{
    uint8_t bytes[PRF_RECORD_BYTES];
    size_t len = prf_record_encode(record, bytes);
    return prf_store_put(self, PRF_TABLE_RESULT, NULL, bytes, len, token, err);
}

int prf_store_fd(const prf_store_t *self)
{
    return prf_store_queue_fd(self->queue);
}

size_t prf_store_done(prf_store_t *self, prf_store_done_t *out, size_t cap)
{
    return prf_store_queue_done(self->queue, out, cap);
}

/* --- reading --- */

/* Copies a value's payload, with a NUL behind it, into *buffer, which grows. False: out of memory. */
static bool copy_payload(char **buffer, size_t *cap, const unsigned char *payload, size_t len)
{
    if (len > PRF_STORE_VALUE)
        return false; /* nothing so large was ever put */
    if (!*buffer || len + 1 > *cap) {
        size_t wanted = len + 1 > 2 * *cap ? len + 1 : 2 * *cap;
        char *larger = realloc(*buffer, wanted);
        if (!larger)
            return false;
        *buffer = larger;
        *cap = wanted;
    }
    memcpy(*buffer, payload, len);
    (*buffer)[len] = '\0';
    return true;
}

typedef struct {
    prf_table_t table;
    const char *prefix;
    uint64_t from;
    prf_store_fn fn; /* or record_fn */
    prf_store_record_fn record_fn;
    void *arg;
    uint64_t damaged;
    char *buffer;
    size_t cap;
} scan_t;

/* Hands one value to the caller. *more: whether to go on. */
static prf_status_t visit(scan_t *scan, const MDB_val *key, const MDB_val *value, bool *more, prf_error_t *err)
{
    size_t len;
    const unsigned char *payload = prf_value_unseal(value->mv_data, value->mv_size, &len);
    if (!payload || key->mv_size > PRF_STORE_KEY) {
        scan->damaged++;
        return PRF_OK;
    }
    if (scan->record_fn) {
        prf_record_t record;
        if (prf_record_decode(&record, payload, len, NULL))
            scan->damaged++;
        else
            *more = scan->record_fn(scan->arg, prf_sequence_get(key->mv_data, key->mv_size), &record);
        return PRF_OK;
    }
    char name[PRF_STORE_KEY + 1];
    if (appended(scan->table))
        snprintf(name, sizeof name, "%" PRIu64, prf_sequence_get(key->mv_data, key->mv_size));
    else
        snprintf(name, sizeof name, "%.*s", (int)key->mv_size, (const char *)key->mv_data);
    if (!copy_payload(&scan->buffer, &scan->cap, payload, len))
        return prf_fail(err, PRF_ENOMEM, "store: a value of %zu bytes", len);
    assert(scan->fn);
    *more = scan->fn(scan->arg, name, scan->buffer, len);
    return PRF_OK;
}

static bool has_prefix(const MDB_val *key, const char *prefix, size_t len)
{
    return key->mv_size >= len && (len == 0 || memcmp(key->mv_data, prefix, len) == 0);
}

static prf_status_t walk(prf_store_t *self, MDB_txn *txn, scan_t *scan, prf_error_t *err)
{
    unsigned char number[PRF_SEQUENCE];
    size_t prefix_len = scan->prefix && !appended(scan->table) ? strlen(scan->prefix) : 0;
    MDB_cursor *cursor;
    MDB_val key = {prefix_len, (void *)scan->prefix}, value;
    if (appended(scan->table)) {
        prf_sequence_put(number, scan->from);
        key = (MDB_val){sizeof number, number};
    }
    int rc = mdb_cursor_open(txn, self->tables[scan->table], &cursor);
    if (rc)
        return lmdb_fail(err, self, rc);
    rc = mdb_cursor_get(cursor, &key, &value, key.mv_size ? MDB_SET_RANGE : MDB_FIRST);
    prf_status_t status = PRF_OK;
    bool more = true;
    while (!rc && has_prefix(&key, scan->prefix, prefix_len)) {
        status = visit(scan, &key, &value, &more, err);
        if (status || !more)
            break;
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc && rc != MDB_NOTFOUND ? lmdb_fail(err, self, rc) : status;
}

static prf_status_t run_scan(prf_store_t *self, scan_t *scan, uint64_t *damaged, prf_error_t *err)
{
    MDB_txn *txn;
    pthread_rwlock_rdlock(&self->map_lock);
    int rc = begin(self, MDB_RDONLY, &txn);
    prf_status_t status = rc ? lmdb_fail(err, self, rc) : walk(self, txn, scan, err);
    if (!rc)
        mdb_txn_abort(txn);
    pthread_rwlock_unlock(&self->map_lock);
    free(scan->buffer);
    if (damaged)
        *damaged = scan->damaged;
    return status;
}

prf_status_t prf_store_scan(prf_store_t *self, prf_table_t table, const char *prefix, prf_store_fn fn, void *arg, uint64_t *damaged,
                            prf_error_t *err)
{
    scan_t scan = {.table = table, .prefix = prefix, .fn = fn, .arg = arg};
    return run_scan(self, &scan, damaged, err);
}

prf_status_t prf_store_scan_records(prf_store_t *self, uint64_t from, prf_store_record_fn fn, void *arg, uint64_t *damaged,
                                    prf_error_t *err)
{
    scan_t scan = {.table = PRF_TABLE_RESULT, .from = from, .record_fn = fn, .arg = arg};
    return run_scan(self, &scan, damaged, err);
}

static prf_status_t get(prf_store_t *self, MDB_txn *txn, prf_table_t table, const char *name, void **out, size_t *len,
                        prf_error_t *err)
{
    unsigned char number[PRF_SEQUENCE];
    MDB_val key = {strlen(name), (void *)name}, value;
    if (appended(table)) {
        prf_sequence_put(number, strtoull(name, NULL, 10));
        key = (MDB_val){sizeof number, number};
    }
    int rc = key.mv_size < 1 || key.mv_size > PRF_STORE_KEY ? MDB_NOTFOUND : mdb_get(txn, self->tables[table], &key, &value);
    if (rc == MDB_NOTFOUND)
        return prf_fail(err, PRF_ENOTFOUND, "the store has no %s '%.80s'", table_names[table], name);
    if (rc)
        return lmdb_fail(err, self, rc);
    size_t cap = 0, size;
    char *copy = NULL;
    const unsigned char *payload = prf_value_unseal(value.mv_data, value.mv_size, &size);
    if (!payload)
        return prf_fail(err, PRF_ECORRUPT, "store %s: the checksum of %s '%.80s' does not hold: restore a backup", self->dir,
                        table_names[table], name);
    if (!copy_payload(&copy, &cap, payload, size))
        return prf_fail(err, PRF_ENOMEM, "store: a value of %zu bytes", size);
    *out = copy;
    *len = size;
    return PRF_OK;
}

prf_status_t prf_store_get(prf_store_t *self, prf_table_t table, const char *key, void **value, size_t *len, prf_error_t *err)
{
    MDB_txn *txn;
    pthread_rwlock_rdlock(&self->map_lock);
    int rc = begin(self, MDB_RDONLY, &txn);
    prf_status_t status = rc ? lmdb_fail(err, self, rc) : get(self, txn, table, key, value, len, err);
    if (!rc)
        mdb_txn_abort(txn);
    pthread_rwlock_unlock(&self->map_lock);
    return status;
}
