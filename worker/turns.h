// SPDX-License-Identifier: Apache-2.0
/* turns.h - boards that are this machine's own processor measure one at a time: whoever would measure takes a number and waits
 * until all lower ones are given back. Between processes of any user, through a file that they share. Used by the backend's
 * process, on its only thread. */
#ifndef PRF_WORKER_TURNS_H
#define PRF_WORKER_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
    int fd;         /* the shared file; -1: there is nobody to take turns with */
    int64_t number; /* the one that was taken; 0: none */
} prf_turns_t;

/* Where the workers of this machine meet unless they are told another place: the same for all users. */
const char *prf_turns_place(void);

/* Opens the file, made when it is missing, for everybody. *out is untouched on failure. Errors: PRF_EIO, PRF_ENOTFOUND (no such
 * folder), PRF_EDENIED. */
PRF_CHECKED prf_status_t prf_turns_open(prf_turns_t *out, const char *path, prf_error_t *err);
/* Waits for the turn, however long that takes. Errors: PRF_EIO (the file's system knows no locks). */
PRF_CHECKED prf_status_t prf_turns_take(prf_turns_t *self, prf_error_t *err);
/* The next one's turn. Fine without one. */
void prf_turns_give(prf_turns_t *self);
void prf_turns_close(prf_turns_t *self);

#endif
