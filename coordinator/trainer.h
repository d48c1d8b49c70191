// SPDX-License-Identifier: Apache-2.0
/* trainer.h - a thread that trains models, one task after the other, while the loop goes on serving boards. Loop thread only;
 * a task belongs to the trainer from put to take. */
#ifndef PRF_TRAINER_H
#define PRF_TRAINER_H

#include "engine.h"

typedef struct prf_trainer prf_trainer_t;

/* Errors: PRF_ENOMEM, PRF_EIO (no thread). */
PRF_CHECKED prf_status_t prf_trainer_new(prf_trainer_t **out, prf_error_t *err);
/* A training that is running is waited for, at most `grace_ms`; one that takes longer is abandoned, as the process is about to end:
 * then the trainer and its task stay allocated. Drops what waits. */
void prf_trainer_destroy(prf_trainer_t **self, unsigned grace_ms);
/* Takes the task over (also on failure). `owner` comes back with it. Errors: PRF_ENOMEM, PRF_EBUSY (too many wait). */
PRF_CHECKED prf_status_t prf_trainer_put(prf_trainer_t *self, uint64_t owner, prf_training_t *task, prf_error_t *err);
int prf_trainer_fd(const prf_trainer_t *self); /* readable while one is done */
/* A task that is done; the caller owns it. */
bool prf_trainer_take(prf_trainer_t *self, uint64_t *owner, prf_training_t **task);

#endif
