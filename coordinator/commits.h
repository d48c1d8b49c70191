// SPDX-License-Identifier: Apache-2.0
/* commits.h - what is on its way to the store, and what is to happen once it is there. Loop thread only.
 *
 * Nothing is acknowledged before it is committed: whoever writes hands in a function that is called when the write is durable.
 * When the disk is full, writes that must not be lost are kept here, in their order, and tried again until there is room;
 * meanwhile no new work is granted, so that what is kept stays small. */
#ifndef PRF_COMMITS_H
#define PRF_COMMITS_H

#include "store.h"

typedef struct prf_commits prf_commits_t;

/* PRF_OK: durable. PRF_ECANCELLED: the coordinator ends first. What could succeed later (a full disk) is told only for writes that
 * are tried once. */
typedef void (*prf_commits_fn)(void *arg, prf_status_t status);

typedef enum {
    PRF_COMMIT_ONCE, /* failure is told to fn */
    PRF_COMMIT_KEEP  /* tried again until it succeeds */
} prf_commit_mode_t;

/* The store is borrowed; `dir` names it in notes. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_commits_new(prf_commits_t **out, prf_store_t *store, const char *dir, prf_error_t *err);
/* Calls the functions of all that is still open with PRF_ECANCELLED. */
void prf_commits_destroy(prf_commits_t **self);

/* fn may be NULL; it is called from prf_commits_read, never from within these. A record is borrowed until fn, which
 * it must have, is called; all else is copied.
 * Errors (fn is not called then): PRF_ENOMEM, PRF_EBUSY (too many are kept), PRF_ENOSPC for ONCE while the disk is full. */
PRF_CHECKED prf_status_t prf_commits_record(prf_commits_t *self, const prf_record_t *record, prf_commits_fn fn, void *arg,
                                            prf_error_t *err);
PRF_CHECKED prf_status_t prf_commits_value(prf_commits_t *self, prf_table_t table, const char *key, const void *value, size_t len,
                                           prf_commit_mode_t mode, prf_commits_fn fn, void *arg, prf_error_t *err);
/* When prf_store_fd is readable. */
void prf_commits_read(prf_commits_t *self);
/* Now and then: tries the first of those that are kept. */
void prf_commits_retry(prf_commits_t *self);

size_t prf_commits_pending(const prf_commits_t *self); /* open in any way */
/* Whether writes are being kept; *note (may be NULL, borrowed) then tells a person why and what to do. */
bool prf_commits_blocked(const prf_commits_t *self, const char **note);

#endif
