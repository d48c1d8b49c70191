// SPDX-License-Identifier: Apache-2.0
/* outbox.h - results that the coordinator has not confirmed as committed. Pure; loop thread only; time is an argument.
 *
 * A result stays here until its id is forgotten, however often it has to be sent. The box is bounded: a worker that finds it
 * full stops asking for jobs, so nothing is ever dropped. (What must outlive the process belongs behind this interface.) */
#ifndef PRF_WORKER_OUTBOX_H
#define PRF_WORKER_OUTBOX_H

#include "wire/wire.h"

/* Where the worker stops asking, and what there is room for: jobs that were on their way when a session ended come on top. */
enum { PRF_OUTBOX_FULL = 1000, PRF_OUTBOX_CAP = PRF_OUTBOX_FULL + 2 * PRF_FRAME_JOBS };

typedef struct prf_outbox prf_outbox_t;

PRF_CHECKED prf_status_t prf_outbox_new(prf_outbox_t **out, prf_error_t *err);
void prf_outbox_destroy(prf_outbox_t **self); /* NULL-safe; clears *self */
/* Keeps a copy; one of the same id and attempt replaces the older one. Errors: PRF_EBUSY (at PRF_OUTBOX_CAP). */
PRF_CHECKED prf_status_t prf_outbox_add(prf_outbox_t *self, const prf_result_t *result, prf_error_t *err);
void prf_outbox_forget(prf_outbox_t *self, const uint64_t *ids, size_t count);
size_t prf_outbox_count(const prf_outbox_t *self);
const prf_result_t *prf_outbox_at(const prf_outbox_t *self, size_t index); /* borrowed until the next change */
/* Copies up to `cap` results that were not sent since `before_ms` (never sent counts as 0), oldest first, and notes `now_ms`
 * for them. Returns how many. */
size_t prf_outbox_due(prf_outbox_t *self, uint64_t before_ms, uint64_t now_ms, prf_result_t *out, size_t cap);
/* After a new connection everything is due again. */
void prf_outbox_unsend(prf_outbox_t *self);

#endif
