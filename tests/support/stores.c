// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "tests/support/stores.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <lmdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char store_dir[64];
static prf_error_t err;

void store_make_dir(void)
{
    snprintf(store_dir, sizeof store_dir, "/tmp/prf-store-XXXXXX");
    cr_assert(mkdtemp(store_dir));
}

void store_make_fast_dir(void)
{
    snprintf(store_dir, sizeof store_dir, "/dev/shm/prf-store-XXXXXX");
    if (!mkdtemp(store_dir))
        store_make_dir();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

void store_remove_dir(void)
{
    nftw(store_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *store_path(const char *name, char path[STORE_PATH])
{
    snprintf(path, STORE_PATH, "%s/%s", store_dir, name);
    return path;
}

prf_store_t *store_opened(void)
{
    prf_store_t *s = NULL;
    cr_assert_eq(prf_store_open(&s, store_dir, &err), PRF_OK, "%s", err.text);
    return s;
}

void store_refuse_open(prf_status_t code, const char *why)
{
    prf_store_t *s = NULL;
    cr_expect_eq(prf_store_open(&s, store_dir, &err), code, "%s", prf_status_name(err.code));
    cr_expect(strstr(err.text, why), "'%s' does not say '%s'", err.text, why);
    cr_expect(strstr(err.text, store_dir), "'%s' does not name the store", err.text);
    cr_expect_null(s);
}

prf_status_t store_answer(prf_store_t *s, uint64_t token)
{
    struct pollfd p = {.fd = prf_store_fd(s), .events = POLLIN};
    prf_store_done_t done;
    cr_assert_eq(poll(&p, 1, PATIENCE_MS), 1, "no answer");
    cr_assert_eq(prf_store_done(s, &done, 1), 1);
    cr_assert_eq(done.token, token);
    return done.status;
}

prf_status_t store_put(prf_store_t *s, prf_table_t table, const char *key, const char *value)
{
    static uint64_t token;
    token++;
    cr_assert_eq(prf_store_put(s, table, key, value, value ? strlen(value) : 0, token, &err), PRF_OK, "%s", err.text);
    return store_answer(s, token);
}

void store_expect_value(prf_store_t *s, prf_table_t table, const char *key, const char *wanted)
{
    void *value = NULL;
    size_t len = 0;
    prf_status_t status = prf_store_get(s, table, key, &value, &len, &err);
    cr_expect_eq(status, wanted ? PRF_OK : PRF_ENOTFOUND, "%s: %s", key, prf_status_name(status));
    if (wanted && value) {
        cr_expect_eq(len, strlen(wanted));
        cr_expect_str_eq(value, wanted);
    }
    free(value);
}

bool store_gather(void *arg, const char *key, const void *value, size_t len)
{
    char *text = arg;
    size_t used = strlen(text);
    snprintf(text + used, 256 - used, "%s=%.*s ", key, (int)len, (const char *)value);
    return strcmp(key, "stop") != 0;
}

bool store_count(void *arg, uint64_t sequence, const prf_record_t *record)
{
    (void)sequence;
    (void)record;
    ++*(size_t *)arg;
    return true;
}

void store_write_raw(const char *table, const char *key, const void *value, size_t len)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val k = {strlen(key), (void *)key}, v = {len, (void *)value};
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_set_maxdbs(env, 10), 0);
    cr_assert_eq(mdb_env_open(env, store_dir, 0, 0600), 0);
    cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    cr_assert_eq(mdb_dbi_open(txn, table, MDB_CREATE, &dbi), 0);
    cr_assert_eq(mdb_put(txn, dbi, &k, &v, 0), 0);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

size_t store_transactions(void)
{
    MDB_env *env;
    MDB_envinfo info;
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_open(env, store_dir, MDB_RDONLY, 0600), 0);
    mdb_env_info(env, &info);
    mdb_env_close(env);
    return info.me_last_txnid;
}
