// SPDX-License-Identifier: Apache-2.0
/* store.c - LMDB behind one writing thread. docs/store.md describes what is in it.
 *
 * Group commit: the thread takes everything that has gathered while the last group was being synced, writes it in one transaction
 * with one sync, then answers all tokens of the group. So groups grow with the load by themselves, and a lone write never waits
 * for company. A group holds or fails as a whole; what could make one write fail alone is checked before it is queued.
 *
 * When a group does not fit the map, it is grown (store_env.c). LMDB demands that no transaction is open then: readers hold
 * map_lock shared for as long as theirs lasts, growing takes it alone.
 *
 * What is erased leaves a tombstone: a salvager that finds the value's old copy in a damaged file would otherwise raise it again.
 */
#include "store.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store_env.h"
#include "store_queue.h"

enum { READERS_COMMITS = 64 /* how often readers that died are looked for */ };

struct prf_store {
    prf_store_env_t env;
    prf_store_report_t report; /* when it was opened */
    pthread_rwlock_t map_lock;
    prf_store_queue_t *queue;
    pthread_t thread;
    bool running;
};

/* --- the store's thread --- */

static int apply(prf_store_env_t *env, MDB_txn *txn, prf_write_t *write)
{
    unsigned char number[PRF_SEQUENCE];
    MDB_val key = {write->key_len, write->bytes};
    MDB_val value = {write->value_len, write->bytes + write->key_len};
    unsigned flags = 0;
    if (prf_store_table_appended(write->table)) {
        prf_sequence_put(number, env->next[write->table]++);
        key = (MDB_val){sizeof number, number};
        flags = MDB_APPEND;
    }
    return prf_store_env_put(env, txn, write->table, &key, &value, ++env->writes, write->erase, flags);
}

static int try_commit(prf_store_t *self, prf_write_t *group)
{
    prf_store_env_t after = self->env; /* its numbers hold once they are committed */
    MDB_txn *txn;
    int rc = prf_store_env_begin(&self->env, 0, &txn);
    if (rc)
        return rc;
    for (prf_write_t *write = group; write && !rc; write = write->next)
        rc = apply(&after, txn, write);
    if (rc) {
        mdb_txn_abort(txn);
        return rc;
    }
    rc = mdb_txn_commit(txn);
    if (!rc) {
        memcpy(self->env.next, after.next, sizeof after.next);
        self->env.writes = after.writes;
    }
    return rc;
}

/* With no reader in the way. */
static int alone(prf_store_t *self, int (*fn)(prf_store_env_t *env))
{
    pthread_rwlock_wrlock(&self->map_lock);
    int rc = fn(&self->env);
    pthread_rwlock_unlock(&self->map_lock);
    return rc;
}

/* A backup that was killed leaves its place in LMDB's table of readers, and while it stands no page is used again. */
static void forget_dead_readers(const prf_store_t *self)
{
    int dead;
    if (self->env.env)
        (void)mdb_reader_check(self->env.env, &dead);
}

static void *commit_groups(void *arg)
{
    prf_store_t *self = arg;
    prf_write_t *group;
    for (unsigned commits = 1; (group = prf_store_queue_take(self->queue)); commits++) {
        if (commits % READERS_COMMITS == 0)
            forget_dead_readers(self);
        int rc = try_commit(self, group);
        /* Where even the page that names the last commit could not be written (a full disk that copies on write), LMDB wants no
         * more of the environment. The file still holds the commit before. */
        if (rc == MDB_PANIC && !(rc = alone(self, prf_store_env_reopen)))
            rc = try_commit(self, group);
        while (rc == MDB_MAP_FULL) {
            rc = alone(self, prf_store_env_grow);
            if (!rc)
                rc = try_commit(self, group);
        }
        prf_store_queue_answer(self->queue, group, rc ? prf_store_env_fail(self->env.dir, rc, NULL) : PRF_OK);
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
        return prf_fail_sys(err, e, "store %s: its thread", self->env.dir);
    self->running = true;
    return PRF_OK;
}

prf_status_t prf_store_open(prf_store_t **out, const char *dir, prf_error_t *err)
{
    prf_store_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "store");
    self->env.owner = -1;
    pthread_rwlock_init(&self->map_lock, NULL);
    prf_status_t status = prf_store_env_open(&self->env, dir, &self->report, err);
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
    prf_store_env_close(&s->env);
    pthread_rwlock_destroy(&s->map_lock);
    free(s);
    *self = NULL;
}

/* --- writing --- */

prf_status_t prf_store_put(prf_store_t *self, prf_table_t table, const char *key, const void *value, size_t len, uint64_t token,
                           prf_error_t *err)
{
    size_t key_len = prf_store_table_appended(table) || !key ? 0 : strlen(key);
    if (!prf_store_table_appended(table) && (key_len < 1 || key_len > PRF_STORE_KEY))
        return prf_fail(err, PRF_EINVAL, "store: a key of %zu bytes in table %s: use 1 to %d", key_len,
                        prf_store_table_names[table], PRF_STORE_KEY);
    if (prf_store_table_appended(table) && !value)
        return prf_fail(err, PRF_EINVAL, "store: table %s is only ever appended to", prf_store_table_names[table]);
    if (value && len > PRF_STORE_VALUE)
        return prf_fail(err, PRF_EINVAL, "store: a value of %zu bytes in table %s: use at most %d", len,
                        prf_store_table_names[table], PRF_STORE_VALUE);
    size_t value_len = PRF_VALUE_HEADER + (value ? len : 0);
    prf_write_t *write = prf_store_queue_write(self->queue, key_len + value_len);
    if (!write)
        return prf_fail(err, PRF_ENOMEM, "store: a value of %zu bytes", len);
    *write = (prf_write_t){.table = table, .token = token, .erase = !value, .key_len = key_len, .value_len = value_len};
    if (key_len)
        memcpy(write->bytes, key, key_len); // NOLINT(bugprone-not-null-terminated-result): keys are kept without their NUL
    if (value && len)
        memcpy(write->bytes + key_len + PRF_VALUE_HEADER, value, len);
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

uint64_t prf_store_damaged(const prf_store_t *self)
{
    uint64_t damaged = 0;
    for (int i = 0; i < PRF_TABLES; i++)
        damaged += self->report.damaged[i];
    return damaged;
}

uint64_t prf_store_writes(const prf_store_t *self)
{
    return self->report.writes;
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
    prf_value_t v;
    if (!prf_value_unseal(&v, scan->table, key->mv_data, key->mv_size, value->mv_data, value->mv_size)) {
        scan->damaged++;
        return PRF_OK;
    }
    if (v.erased)
        return PRF_OK;
    if (scan->record_fn) {
        prf_record_t record;
        if (prf_record_decode(&record, v.payload, v.len, NULL))
            scan->damaged++;
        else
            *more = scan->record_fn(scan->arg, prf_sequence_get(key->mv_data, key->mv_size), &record);
        return PRF_OK;
    }
    char name[PRF_STORE_KEY + 1];
    if (prf_store_table_appended(scan->table))
        snprintf(name, sizeof name, "%" PRIu64, prf_sequence_get(key->mv_data, key->mv_size));
    else
        snprintf(name, sizeof name, "%.*s", (int)key->mv_size, (const char *)key->mv_data);
    if (!copy_payload(&scan->buffer, &scan->cap, v.payload, v.len))
        return prf_fail(err, PRF_ENOMEM, "store: a value of %zu bytes", v.len);
    assert(scan->fn);
    *more = scan->fn(scan->arg, name, scan->buffer, v.len);
    return PRF_OK;
}

static bool has_prefix(const MDB_val *key, const char *prefix, size_t len)
{
    return key->mv_size >= len && (len == 0 || memcmp(key->mv_data, prefix, len) == 0);
}

/* Pages of the map that a scan has read stay in the system's cache; keeping them in the process as well would only make it larger.
 * They are let go each time that so many bytes were read. */
enum { SCAN_WINDOW = 8 << 20 };

typedef struct {
    uintptr_t low, high;
    size_t read; /* bytes of values */
} window_t;

static void look_through(window_t *window, const MDB_val *value)
{
    uintptr_t at = (uintptr_t)value->mv_data, end = at + value->mv_size, page = (uintptr_t)sysconf(_SC_PAGESIZE);
    window->low = window->high == 0 || at < window->low ? at : window->low;
    window->high = end > window->high ? end : window->high;
    window->read += value->mv_size;
    if (window->read < SCAN_WINDOW)
        return;
    uintptr_t first = window->low / page * page, last = window->high / page * page;
    (void)!madvise((void *)first, last - first, MADV_DONTNEED); // NOLINT(performance-no-int-to-ptr): a page's beginning
    *window = (window_t){0};
}

static prf_status_t walk(prf_store_t *self, MDB_txn *txn, scan_t *scan, prf_error_t *err)
{
    unsigned char number[PRF_SEQUENCE];
    size_t prefix_len = scan->prefix && !prf_store_table_appended(scan->table) ? strlen(scan->prefix) : 0;
    MDB_cursor *cursor;
    MDB_val key = {prefix_len, (void *)scan->prefix}, value;
    if (prf_store_table_appended(scan->table)) {
        prf_sequence_put(number, scan->from);
        key = (MDB_val){sizeof number, number};
    }
    int rc = mdb_cursor_open(txn, self->env.tables[scan->table], &cursor);
    if (rc)
        return prf_store_env_fail(self->env.dir, rc, err);
    rc = mdb_cursor_get(cursor, &key, &value, key.mv_size ? MDB_SET_RANGE : MDB_FIRST);
    prf_status_t status = PRF_OK;
    bool more = true;
    window_t window = {0};
    while (!rc && has_prefix(&key, scan->prefix, prefix_len)) {
        look_through(&window, &value);
        status = visit(scan, &key, &value, &more, err);
        if (status || !more)
            break;
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc && rc != MDB_NOTFOUND ? prf_store_env_fail(self->env.dir, rc, err) : status;
}

static prf_status_t run_scan(prf_store_t *self, scan_t *scan, uint64_t *damaged, prf_error_t *err)
{
    MDB_txn *txn;
    pthread_rwlock_rdlock(&self->map_lock);
    int rc = prf_store_env_begin(&self->env, MDB_RDONLY, &txn);
    prf_status_t status = rc ? prf_store_env_fail(self->env.dir, rc, err) : walk(self, txn, scan, err);
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
    if (prf_store_table_appended(table)) {
        prf_sequence_put(number, strtoull(name, NULL, 10));
        key = (MDB_val){sizeof number, number};
    }
    int rc = key.mv_size < 1 || key.mv_size > PRF_STORE_KEY ? MDB_NOTFOUND : mdb_get(txn, self->env.tables[table], &key, &value);
    prf_value_t v = {0};
    if (rc && rc != MDB_NOTFOUND)
        return prf_store_env_fail(self->env.dir, rc, err);
    if (!rc && !prf_value_unseal(&v, table, key.mv_data, key.mv_size, value.mv_data, value.mv_size))
        return prf_fail(err, PRF_ECORRUPT, "store %s: the checksum of %s '%.80s' does not hold: restore a backup", self->env.dir,
                        prf_store_table_names[table], name);
    if (rc || v.erased)
        return prf_fail(err, PRF_ENOTFOUND, "the store has no %s '%.80s'", prf_store_table_names[table], name);
    size_t cap = 0;
    char *copy = NULL;
    if (!copy_payload(&copy, &cap, v.payload, v.len))
        return prf_fail(err, PRF_ENOMEM, "store: a value of %zu bytes", v.len);
    *out = copy;
    *len = v.len;
    return PRF_OK;
}

prf_status_t prf_store_get(prf_store_t *self, prf_table_t table, const char *key, void **value, size_t *len, prf_error_t *err)
{
    MDB_txn *txn;
    pthread_rwlock_rdlock(&self->map_lock);
    int rc = prf_store_env_begin(&self->env, MDB_RDONLY, &txn);
    prf_status_t status = rc ? prf_store_env_fail(self->env.dir, rc, err) : get(self, txn, table, key, value, len, err);
    if (!rc)
        mdb_txn_abort(txn);
    pthread_rwlock_unlock(&self->map_lock);
    return status;
}
