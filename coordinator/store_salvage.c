// SPDX-License-Identifier: Apache-2.0
/* store_salvage.c - where the pages are sound, what they lead to and proves itself is the store's content; only what is missing
 * there is looked for elsewhere. Where they are not, a reference may lead to an old page as well as to a new one: then all of the
 * file is sifted for values that prove themselves, and of each key the one that was written last is taken. Sifting believes no page
 * header and no reference, so damage there costs nothing; it also finds old copies on free pages, which a store keeps until it
 * needs the place.
 *
 * What a coordinator was writing when it was killed may come to light as well: it was measured, nobody was told yet.
 *
 * Values of format 1 do not know their key: of such a store only what the pages lead to is taken.
 *
 * The count of the coordinator's starts is left out unless sound pages led to it: an older one would number jobs twice
 * (daemon.c then counts from a number that cannot have been used). */
#include "store_salvage.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "store_env.h"
#include "store_folder.h"

enum { BATCH_BYTES = 32 << 20, BATCH_VALUES = 50000 };

typedef struct {
    prf_table_t table;
    const unsigned char *key, *value; /* borrowed from the pages */
    size_t key_len, value_len;
    uint64_t write;
    bool settled; /* nothing that is found later is better */
    bool sifted, old;
} found_t;

typedef struct {
    const prf_store_report_t *report;
    prf_map_t places; /* digest of table and key -> index into found */
    found_t *found;   /* owned */
    size_t count, cap;
    prf_status_t status;
    prf_error_t *err;
} salvage_t;

static prf_status_t append(salvage_t *s, const prf_digest_t *place, const found_t *found)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 1024;
        found_t *larger = realloc(s->found, cap * sizeof *larger);
        if (!larger)
            return prf_fail(s->err, PRF_ENOMEM, "%zu values of a store", cap);
        s->found = larger;
        s->cap = cap;
    }
    prf_status_t status = prf_map_put(&s->places, place, (uint32_t)found->table, s->count, s->err);
    if (!status)
        s->found[s->count++] = *found;
    return status;
}

static void add(salvage_t *s, const found_t *found)
{
    prf_digest_t place;
    uint64_t at;
    prf_digest(&place, found->key, found->key_len);
    if (s->status)
        return;
    if (!prf_map_get(&s->places, &place, (uint32_t)found->table, &at))
        s->status = append(s, &place, found);
    else if (!s->found[at].settled && found->write > s->found[at].write)
        s->found[at] = *found;
}

static bool is_incarnation(prf_table_t table, const prf_pages_entry_t *entry)
{
    return table == PRF_TABLE_DECISION && entry->key_len == strlen(PRF_STORE_INCARNATION) &&
           memcmp(entry->key, PRF_STORE_INCARNATION, entry->key_len) == 0;
}

static void on_value(void *arg, prf_table_t table, const prf_pages_entry_t *entry, const prf_value_t *value)
{
    salvage_t *s = arg;
    if (!s->report->sound && is_incarnation(table, entry))
        return;
    bool old = prf_value_table(entry->value, entry->value_len) < 0;
    found_t found = {table, entry->key, entry->value, entry->key_len, entry->value_len, value->write, s->report->sound, false, old};
    add(s, &found);
}

static void on_sifted(void *arg, const prf_pages_entry_t *entry)
{
    salvage_t *s = arg;
    prf_value_t value;
    int table = prf_value_table(entry->value, entry->value_len);
    if (table < 0 || table >= PRF_TABLES || entry->key_len > PRF_STORE_KEY ||
        (prf_store_table_appended((prf_table_t)table) && entry->key_len != PRF_SEQUENCE) ||
        !prf_value_unseal(&value, (unsigned)table, entry->key, entry->key_len, entry->value, entry->value_len))
        return;
    found_t found = {(prf_table_t)table, entry->key, entry->value, entry->key_len, entry->value_len,
                     value.write,        false,      true,         false};
    if (!is_incarnation((prf_table_t)table, entry))
        add(s, &found);
}

static int in_order(const void *a, const void *b)
{
    const found_t *x = a, *y = b;
    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    int order = memcmp(x->key, y->key, x->key_len < y->key_len ? x->key_len : y->key_len);
    return order ? order : (x->key_len < y->key_len ? -1 : x->key_len > y->key_len);
}

/* --- the new store --- */

static int put(prf_store_env_t *env, MDB_txn *txn, const found_t *found)
{
    MDB_val key = {found->key_len, (void *)found->key}, value = {found->value_len, (void *)found->value};
    if (!found->old)
        return mdb_put(txn, env->tables[found->table], &key, &value, MDB_APPEND);
    prf_value_t old;
    if (!prf_value_unseal_old(&old, found->value, found->value_len))
        return MDB_CORRUPTED;
    unsigned char *sealed = malloc(PRF_VALUE_HEADER + old.len);
    if (!sealed)
        return MDB_PANIC;
    memcpy(sealed + PRF_VALUE_HEADER, old.payload, old.len);
    value = (MDB_val){PRF_VALUE_HEADER + old.len, sealed};
    int rc = prf_store_env_put(env, txn, found->table, &key, &value, ++env->writes, false, MDB_APPEND);
    free(sealed);
    return rc;
}

/* Commits as many as one transaction should hold; *done is how many are in the store. */
static int write_batch(prf_store_env_t *env, const salvage_t *s, size_t *done)
{
    MDB_txn *txn;
    size_t i = *done, bytes = 0, until = s->count - i < BATCH_VALUES ? s->count : i + BATCH_VALUES;
    int rc = prf_store_env_begin(env, 0, &txn);
    if (rc)
        return rc;
    for (; !rc && i < until && bytes < BATCH_BYTES; i++) {
        rc = put(env, txn, &s->found[i]);
        bytes += s->found[i].value_len;
    }
    if (rc) {
        mdb_txn_abort(txn);
        return rc;
    }
    rc = mdb_txn_commit(txn);
    if (!rc)
        *done = i;
    return rc;
}

static prf_status_t write_store(const salvage_t *s, const char *dir, prf_error_t *err)
{
    prf_store_env_t env;
    prf_status_t status = prf_store_env_open(&env, dir, NULL, err);
    if (status)
        return status;
    int rc = 0;
    for (size_t done = 0; !rc && done < s->count;) {
        rc = write_batch(&env, s, &done);
        if (rc == MDB_MAP_FULL)
            rc = prf_store_env_grow(&env);
    }
    if (rc)
        status = prf_store_env_fail(dir, rc, err);
    prf_store_env_close(&env);
    return status;
}

static prf_status_t make_store(const salvage_t *s, const char *to, prf_error_t *err)
{
    prf_store_folder_t folder;
    prf_store_report_t report;
    prf_status_t status = prf_store_folder_begin(&folder, to, err);
    if (status)
        return status;
    status = write_store(s, folder.partial, err);
    return status ? prf_store_folder_drop(&folder, status) : prf_store_folder_finish(&folder, &report, err);
}

prf_status_t prf_store_salvage(const prf_pages_t *pages, const prf_store_report_t *report, const char *to, prf_salvaged_t *out,
                               prf_error_t *err)
{
    salvage_t s = {.report = report, .err = err};
    const prf_store_visitor_t visitor = {&s, NULL, on_value};
    prf_store_report_t again;
    prf_map_init(&s.places);
    prf_store_check(pages, &visitor, &again);
    prf_pages_sift(pages, on_sifted, &s);
    prf_status_t status = s.status;
    if (!status && s.count == 0)
        status = prf_fail(err, PRF_ECORRUPT, "nothing of a store is to be found in it: restore a backup");
    if (!status) {
        qsort(s.found, s.count, sizeof *s.found, in_order);
        status = make_store(&s, to, err);
    }
    *out = (prf_salvaged_t){0};
    for (size_t i = 0; !status && i < s.count; i++) {
        out->values[s.found[i].table]++;
        out->sifted += s.found[i].sifted;
    }
    prf_map_release(&s.places);
    free(s.found);
    return status;
}
