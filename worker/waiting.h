// SPDX-License-Identifier: Apache-2.0
/* waiting.h - jobs that the worker holds and the board has not begun, in the order in which they came. Pure; loop thread only. */
#ifndef PRF_WORKER_WAITING_H
#define PRF_WORKER_WAITING_H

#include "wire/wire.h"

enum { PRF_WAITING_CAP = 256 };

/* A queue that is all zeros is empty. */
typedef struct {
    size_t count;
    prf_job_t jobs[PRF_WAITING_CAP]; /* their blocks owned */
} prf_waiting_t;

/* Takes the job over, blocks and all: `job` has none afterwards. False, and the job untouched, when the queue is full. */
bool prf_waiting_push(prf_waiting_t *self, prf_job_t *job);
/* The first job, whose blocks the caller frees. False when there is none. */
bool prf_waiting_take(prf_waiting_t *self, prf_job_t *out);
bool prf_waiting_has(const prf_waiting_t *self, uint64_t id);
/* Drops these jobs, those of the epochs up to `last_epoch`, or all. Returns how many that were. */
size_t prf_waiting_drop(prf_waiting_t *self, const uint64_t *ids, size_t count);
size_t prf_waiting_drop_until(prf_waiting_t *self, uint64_t last_epoch);
size_t prf_waiting_clear(prf_waiting_t *self);

#endif
