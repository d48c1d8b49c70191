// SPDX-License-Identifier: Apache-2.0
/* store_migrate.c - from format 1, whose values bear the CRC-32 of their payload, to format 2 (store_value.h).
 *
 * First the store says that it is of format 2, so that no older prfarm takes it for its own any more; then the values are sealed
 * anew in several transactions, lest one that is as large as the store hold up the disk. A value says itself which format it has:
 * after a kill those that are left are found by that. Values that were damaged stay as they are, and stay damaged. */
#include "store_migrate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { BATCH_VALUES = 5000, BATCH_BYTES = 32 << 20 };

typedef struct {
    unsigned char key[PRF_STORE_KEY + 16]; /* where to go on */
    size_t key_len;                        /* 0: from the first */
    uint64_t write;
    size_t count, bytes;
    bool more;
} batch_t;

static int seal_anew(const prf_store_env_t *env, MDB_txn *txn, prf_table_t table, const MDB_val *key, const prf_value_t *old,
                     uint64_t write)
{
    size_t len = PRF_VALUE_HEADER + old->len;
    unsigned char *bytes = malloc(len);
    if (!bytes)
        return ENOMEM;
    memcpy(bytes + PRF_VALUE_HEADER, old->payload, old->len);
    MDB_val value = {len, bytes};
    int rc = prf_store_env_put(env, txn, table, key, &value, write, false, 0);
    free(bytes);
    return rc;
}

static int seal_batch(const prf_store_env_t *env, MDB_txn *txn, prf_table_t table, batch_t *batch)
{
    MDB_cursor *cursor;
    MDB_val key = {batch->key_len, batch->key}, value;
    int rc = mdb_cursor_open(txn, env->tables[table], &cursor);
    if (rc)
        return rc;
    batch->count = batch->bytes = 0;
    rc = mdb_cursor_get(cursor, &key, &value, batch->key_len ? MDB_SET_RANGE : MDB_FIRST);
    while (!rc && batch->count < BATCH_VALUES && batch->bytes < BATCH_BYTES) {
        prf_value_t old;
        batch->key_len = key.mv_size < sizeof batch->key ? key.mv_size : sizeof batch->key;
        memcpy(batch->key, key.mv_data, batch->key_len);
        key = (MDB_val){batch->key_len, batch->key};
        if (prf_value_unseal_old(&old, value.mv_data, value.mv_size)) {
            batch->count++;
            batch->bytes += value.mv_size;
            rc = seal_anew(env, txn, table, &key, &old, ++batch->write);
        }
        if (!rc)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    batch->more = rc == 0;
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* One transaction; table -1: the format. Tried again in a larger map when it does not fit. */
static int commit(prf_store_env_t *env, int table, batch_t *batch)
{
    for (;;) {
        MDB_txn *txn;
        batch_t tried = *batch;
        int rc = prf_store_env_begin(env, 0, &txn);
        if (rc)
            return rc;
        rc = table < 0 ? prf_store_env_claim(txn) : seal_batch(env, txn, (prf_table_t)table, &tried);
        if (rc)
            mdb_txn_abort(txn);
        else
            rc = mdb_txn_commit(txn);
        if (!rc) {
            *batch = tried;
            env->writes = batch->write;
            return 0;
        }
        if (rc != MDB_MAP_FULL || (rc = prf_store_env_grow(env)))
            return rc;
    }
}

prf_status_t prf_store_migrate(prf_store_env_t *env, const prf_store_report_t *report, prf_error_t *err)
{
    prf_log(PRF_LOG_INFO, "store_migrating dir=\"%s\" from=%d to=%d values=%" PRIu64, env->dir, PRF_STORE_FORMAT_OLD,
            PRF_STORE_FORMAT, report->old_values);
    batch_t batch = {.write = env->writes};
    int rc = report->format == PRF_STORE_FORMAT_OLD ? commit(env, -1, &batch) : 0;
    for (int table = 0; !rc && table < PRF_TABLES; table++) {
        batch = (batch_t){.write = env->writes, .more = true};
        while (!rc && batch.more)
            rc = commit(env, table, &batch);
    }
    if (rc)
        return prf_store_env_fail(env->dir, rc, err);
    prf_log(PRF_LOG_INFO, "store_migrated dir=\"%s\" format=%d", env->dir, PRF_STORE_FORMAT);
    return PRF_OK;
}
