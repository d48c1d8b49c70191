// SPDX-License-Identifier: Apache-2.0
/* spool.h - the outbox's file: results that must outlive the worker's process. Loop thread only; one process at a time (the lock
 * on the worker's state folder sees to that).
 *
 * What is promised: a result that was put survives the end of this process, however it ends. A power cut or a crash of the system
 * may cost what was put since the last prf_spool_sync; such results are measured again, since nobody was told that they are safe.
 * docs/spool.md has the file's bytes. */
#ifndef PRF_WORKER_SPOOL_H
#define PRF_WORKER_SPOOL_H

#include "wire/wire.h"

enum { PRF_SPOOL_SLOT = 512 }; /* bytes of a result in the file */

typedef struct prf_spool prf_spool_t;

/* What lay in the folder. */
typedef struct {
    size_t taken;    /* results of an earlier run */
    size_t damaged;  /* entries that did not hold; each is one result, which is measured again */
    size_t others;   /* spools of another board, kind or runtime, or of another format: left alone */
    char other[256]; /* the name of one of them */
} prf_spool_found_t;

/* Opens the spool of `who` in a folder, which is made when it is missing, with a place for `slots` results, and hands over what an
 * earlier run left in it, oldest first, each with the slot that it has. A disk that is full is no error: then putting fails until
 * there is room. Errors: PRF_EIO, PRF_EINVAL (path too long), PRF_ENOMEM. */
typedef void (*prf_spool_fn)(void *arg, const prf_result_t *result, uint32_t slot);
PRF_CHECKED prf_status_t prf_spool_open(prf_spool_t **out, const char *folder, const prf_hello_t *who, uint32_t slots,
                                        prf_spool_fn fn, void *arg, prf_spool_found_t *found, prf_error_t *err);
/* A file without results is removed. NULL-safe; clears *self. */
void prf_spool_close(prf_spool_t **self);
/* Writes a result into a slot (0 .. slots - 1). Errors: PRF_ENOSPC, PRF_EIO, PRF_EINVAL (it cannot be sent either). */
PRF_CHECKED prf_status_t prf_spool_put(prf_spool_t *self, uint32_t slot, const prf_result_t *result, prf_error_t *err);
/* Empties a slot. One that the disk keeps against our will is handed over once more some day, which does no harm. */
void prf_spool_clear(prf_spool_t *self, uint32_t slot);
/* Waits until all that was put is on the disk. Errors: PRF_ENOSPC, PRF_EIO. */
PRF_CHECKED prf_status_t prf_spool_sync(prf_spool_t *self, prf_error_t *err);

typedef enum { PRF_SLOT_EMPTY, PRF_SLOT_USED, PRF_SLOT_DAMAGED } prf_slot_t;
/* The bytes of one slot, in either direction; pure. A slot of another identity counts as damaged. */
PRF_CHECKED prf_status_t prf_spool_encode(uint8_t slot[PRF_SPOOL_SLOT], const prf_digest_t *identity, uint64_t sequence,
                                          const prf_result_t *result, prf_error_t *err);
prf_slot_t prf_spool_decode(const uint8_t slot[PRF_SPOOL_SLOT], const prf_digest_t *identity, uint64_t *sequence,
                            prf_result_t *result);

#endif
