// SPDX-License-Identifier: Apache-2.0
/* care.h - brings the machine into the state in which its board is to be measured, and back: settings, the clock, commands. What a
 * worker that was killed left behind the next one with its state folder puts back, or prfarm-worker --restore. The worker's main
 * thread, which has the folder's lock. */
#ifndef PRF_CARE_H
#define PRF_CARE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* All borrowed; NULL: nothing is done about it. */
typedef struct {
    const char *clock;           /* as in clock.h */
    const char *const *settings; /* "FILE=VALUE" */
    size_t setting_count;
    const char *before, *after; /* for /bin/sh, before anything else and when all is put back */
    const char *root, *state_dir;
} prf_care_t;

bool prf_care_wanted(const prf_care_t *self);
/* Does all of it, or nothing: what was done is put back when something fails. *settings is how many were changed. prf_care_end must
 * have been called before, for what is left over. Errors: PRF_EIO (the command), those of clock.h and journal.h. */
PRF_CHECKED prf_status_t prf_care_begin(const prf_care_t *self, size_t *settings, prf_error_t *err);

typedef struct {
    size_t settings, left; /* put back; left alone, since somebody else has changed them since */
    bool command;          /* one was run */
} prf_care_end_t;

/* Puts back what the journal in the state folder tells; nothing where there is none. Only root and state_dir count. Errors: as
 * above. What cannot be put back is tried again the next time; a command that fails is not. */
PRF_CHECKED prf_status_t prf_care_end(const prf_care_t *self, prf_care_end_t *told, prf_error_t *err);

#endif
