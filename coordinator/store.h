// SPDX-License-Identifier: Apache-2.0
/* store.h - the farm's memory: LMDB, written by one thread in groups, nothing acknowledged before its commit. docs/store.md
 * describes tables, keys, values and versions.
 *
 * One thread, the loop's, puts writes and reads answers; the store's own thread commits as many writes as have gathered. Reading
 * (prf_store_scan, prf_store_get) is done by the caller's thread in a read transaction of its own and copies what it hands out. */
#ifndef PRF_STORE_H
#define PRF_STORE_H

#include "wire/record.h"

typedef struct prf_store prf_store_t;

/* Stored: numbers are never used again. */
typedef enum {
    PRF_TABLE_RESULT = 0, /* appended: key is a sequence number that the store gives; value: record.proto Record */
    PRF_TABLE_CAMPAIGN,   /* name -> specification and state */
    PRF_TABLE_DECISION,   /* campaign/board kind/stage -> what was decided */
    PRF_TABLE_MODEL,      /* kind/version -> the model file */
    PRF_TABLE_BOARD,      /* board name -> facts */
    PRF_TABLE_EVENT,      /* appended: audit trail, JSON text */
    PRF_TABLES
} prf_table_t;

enum {
    PRF_STORE_KEY = 500,        /* bytes of a key at most */
    PRF_STORE_VALUE = 64 << 20, /* and of a value */
};

/* How often a coordinator was started on the store, in PRF_TABLE_DECISION. */
#define PRF_STORE_INCARNATION "-/-/incarnation"

/* Opens or makes the store in folder `dir`; starts its thread. Errors: PRF_EBUSY (another coordinator has it), PRF_EVERSION
 * (made by a newer prfarm), PRF_ECORRUPT, PRF_ENOSPC, PRF_EIO: each says which store and the remedy. */
PRF_CHECKED prf_status_t prf_store_open(prf_store_t **out, const char *dir, prf_error_t *err);
/* As the check at opening found them: values whose checksum does not hold, and the greatest number of a write. Every value gets one
 * that is greater than all before; a store to which nothing was written has 0. */
uint64_t prf_store_damaged(const prf_store_t *self);
uint64_t prf_store_writes(const prf_store_t *self);
/* Commits what is queued, joins the thread. */
void prf_store_close(prf_store_t **self);

/* One write of a group, which counts as waiting until its answer was read. `key` is ignored (may be NULL) for the appended tables;
 * value NULL deletes, except there. Copied. Never waits. Errors: PRF_EINVAL (key or value too long), PRF_EBUSY (more is waiting
 * than the limit: the disk does not keep up), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_store_put(prf_store_t *self, prf_table_t table, const char *key, const void *value, size_t len,
                                       uint64_t token, prf_error_t *err);
PRF_CHECKED prf_status_t prf_store_put_record(prf_store_t *self, const prf_record_t *record, uint64_t token, prf_error_t *err);

/* Tokens whose writes are durable (PRF_OK) or failed; token 0 is not answered. Readable on a loop through prf_store_fd.
 * A full disk fails the group with PRF_ENOSPC and leaves the store usable. */
typedef struct {
    uint64_t token;
    prf_status_t status;
} prf_store_done_t;
int prf_store_fd(const prf_store_t *self);
size_t prf_store_done(prf_store_t *self, prf_store_done_t *out, size_t cap);

/* Calls `fn` for every value of a table in key order until it returns false. A value whose checksum fails is counted in
 * *damaged (may be NULL) and skipped. key is NUL-terminated (appended tables: the number as text, counted from 1; `prefix`,
 * which may be NULL, does not apply to them); value is a copy that lasts until `fn` returns, with a NUL behind its `len` bytes.
 * `fn` may put and get. */
typedef bool (*prf_store_fn)(void *arg, const char *key, const void *value, size_t len);
typedef bool (*prf_store_record_fn)(void *arg, uint64_t sequence, const prf_record_t *record);
PRF_CHECKED prf_status_t prf_store_scan(prf_store_t *self, prf_table_t table, const char *prefix, prf_store_fn fn, void *arg,
                                        uint64_t *damaged, prf_error_t *err);
PRF_CHECKED prf_status_t prf_store_scan_records(prf_store_t *self, uint64_t from, prf_store_record_fn fn, void *arg,
                                                uint64_t *damaged, prf_error_t *err);
/* Caller frees *value, which has a NUL behind its *len bytes. Errors: PRF_ENOTFOUND, PRF_ECORRUPT. */
PRF_CHECKED prf_status_t prf_store_get(prf_store_t *self, prf_table_t table, const char *key, void **value, size_t *len,
                                       prf_error_t *err);

#endif
