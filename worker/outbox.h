// SPDX-License-Identifier: Apache-2.0
/* outbox.h - results that the coordinator has not confirmed as committed. Loop thread only; time is an argument.
 *
 * A result stays here until its id is forgotten, however often it has to be sent. The box is bounded: a worker that finds it
 * full stops asking for jobs, so nothing is ever dropped. What is inside is also in the spool (spool.h), so that it outlives the
 * process; while the disk takes nothing, the box goes on in memory. */
#ifndef PRF_WORKER_OUTBOX_H
#define PRF_WORKER_OUTBOX_H

#include "spool.h"

/* Where the worker stops asking, and what there is room for: jobs that were on their way when a session ended come on top. */
enum { PRF_OUTBOX_FULL = 1000, PRF_OUTBOX_CAP = PRF_OUTBOX_FULL + 2 * PRF_FRAME_JOBS };

typedef struct prf_outbox prf_outbox_t;

PRF_CHECKED prf_status_t prf_outbox_new(prf_outbox_t **out, prf_error_t *err);
void prf_outbox_destroy(prf_outbox_t **self); /* NULL-safe; clears *self. What is inside stays in the spool */
/* From now on the box is that of `who`, kept in a folder: what an earlier run left there comes in. What was inside before was of
 * another runtime; it stays in that one's spool. Errors: those of prf_spool_open; then the box is as it was. */
PRF_CHECKED prf_status_t prf_outbox_keep(prf_outbox_t *self, const char *folder, const prf_hello_t *who, prf_spool_found_t *found,
                                         prf_error_t *err);
/* Keeps a copy, in the spool if that takes it; one of the same id and attempt replaces the older one.
 * Errors: PRF_EBUSY (at PRF_OUTBOX_CAP). */
PRF_CHECKED prf_status_t prf_outbox_add(prf_outbox_t *self, const prf_result_t *result, prf_error_t *err);
/* To be called now and then: writes what the spool has not taken yet, and has the disk confirm what was here at the last call
 * already (most results are gone by then, and cost the disk nothing). PRF_OK: all that is inside is in the spool.
 * Errors: PRF_ENOSPC, PRF_EIO. */
PRF_CHECKED prf_status_t prf_outbox_save(prf_outbox_t *self, prf_error_t *err);
void prf_outbox_forget(prf_outbox_t *self, const uint64_t *ids, size_t count);
size_t prf_outbox_count(const prf_outbox_t *self);
const prf_result_t *prf_outbox_at(const prf_outbox_t *self, size_t index); /* borrowed until the next change */
/* Copies up to `cap` results that were not sent since `before_ms` (never sent counts as 0), oldest first, and notes `now_ms`
 * for them. Returns how many. */
size_t prf_outbox_due(prf_outbox_t *self, uint64_t before_ms, uint64_t now_ms, prf_result_t *out, size_t cap);
/* After a new connection everything is due again. */
void prf_outbox_unsend(prf_outbox_t *self);

#endif
