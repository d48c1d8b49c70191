// SPDX-License-Identifier: Apache-2.0
/* store_env.h - the LMDB environment of a store's folder: who owns it, opening it, letting it grow. The folder's other users are
 * store.c (a coordinator's reads and writes), store_migrate.c, store_salvage.c and store_backup.c; nobody else includes lmdb.h.
 * One thread at a time. */
#ifndef PRF_STORE_ENV_H
#define PRF_STORE_ENV_H

#include <lmdb.h>

#include "store_check.h"

typedef struct {
    char *dir;    /* owned */
    int owner;    /* holds the flock; -1: none */
    MDB_env *env; /* NULL: LMDB wants no more of it */
    MDB_dbi tables[PRF_TABLES];
    uint64_t next[PRF_TABLES]; /* number of the next value of an appended table */
    uint64_t writes;           /* the last write number that was given */
} prf_store_env_t;

/* Takes the folder `dir`, making it when needed, checks what it holds and opens it, of the newest format. *report (may be NULL) is
 * what the check found. Errors: those of prf_store_open. On failure nothing is held. */
PRF_CHECKED prf_status_t prf_store_env_open(prf_store_env_t *out, const char *dir, prf_store_report_t *report, prf_error_t *err);
void prf_store_env_close(prf_store_env_t *self);

/* Takes the folder without opening it: *owner holds the lock until it is closed. Errors: PRF_EBUSY, PRF_ENOTFOUND, PRF_EIO. */
PRF_CHECKED prf_status_t prf_store_env_own(const char *dir, int *owner, prf_error_t *err);
/* Has prf_store_check look at the folder's data file; `pages` stays open when it is given. */
PRF_CHECKED prf_status_t prf_store_env_check(const char *dir, const prf_store_visitor_t *visitor, prf_store_report_t *report,
                                             prf_pages_t *pages, prf_error_t *err);

/* What an error of LMDB's means. */
prf_status_t prf_store_env_fail(const char *dir, int rc, prf_error_t *err);
/* All below return LMDB's codes. No transaction may be open while it grows or is opened again. */
int prf_store_env_begin(const prf_store_env_t *self, unsigned flags, MDB_txn **txn);
int prf_store_env_grow(prf_store_env_t *self);
int prf_store_env_reopen(prf_store_env_t *self);
/* Writes into `meta` that the store is of the present format. */
int prf_store_env_claim(MDB_txn *txn);
/* Seals and puts one value, whose payload stands behind the header's place. */
int prf_store_env_put(const prf_store_env_t *self, MDB_txn *txn, prf_table_t table, const MDB_val *key, const MDB_val *value,
                      uint64_t write, bool erased, unsigned flags);

#endif
