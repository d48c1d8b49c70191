// SPDX-License-Identifier: Apache-2.0
/* side.h - a thread for what people ask that takes more than a moment: reading a network, asking models. One task after the other,
 * beside the loop, so that no question of anybody holds the farm up. Loop thread only, but for a task's `run`. */
#ifndef PRF_SIDE_H
#define PRF_SIDE_H

#include <stdbool.h>

#include "base/status.h"

typedef struct prf_side prf_side_t;

enum { PRF_SIDE_WAITING = 16 /* tasks */ };

/* What can be done with a task. */
typedef struct {
    void (*run)(void *task);            /* on the side thread; touches the task only */
    void (*done)(void *task, bool ran); /* back on the loop thread; frees it. Not run: the coordinator ends */
} prf_side_work_t;

/* Errors: PRF_ENOMEM, PRF_EIO. */
PRF_CHECKED prf_status_t prf_side_new(prf_side_t **out, prf_error_t *err);
/* Waits for the task that runs; every task is done then. NULL-safe; clears *self. */
void prf_side_destroy(prf_side_t **self);
/* Takes the task over; on failure it stays the caller's. Errors: PRF_EBUSY (too many wait), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_side_put(prf_side_t *self, const prf_side_work_t *work, void *task, prf_error_t *err);
int prf_side_fd(const prf_side_t *self); /* readable: prf_side_read has something to do */
void prf_side_read(prf_side_t *self);

#endif
