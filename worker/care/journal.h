// SPDX-License-Identifier: Apache-2.0
/* journal.h - what a worker changed of its machine, and how it was before: a file in the worker's state folder, written before each
 * change, so that it can be put back whatever became of the worker. One thread; whoever uses it has the state folder's lock. */
#ifndef PRF_CARE_JOURNAL_H
#define PRF_CARE_JOURNAL_H

#include <stddef.h>

#include "base/status.h"

enum { PRF_JOURNAL_FILE = 256, PRF_JOURNAL_VALUE = 128, PRF_JOURNAL_MOST = 4096, PRF_JOURNAL_COMMAND = 4096 };

typedef struct {
    char file[PRF_JOURNAL_FILE];                            /* below /sys/ or /proc/sys/ */
    char before[PRF_JOURNAL_VALUE], set[PRF_JOURNAL_VALUE]; /* how it was, how the worker made it */
} prf_setting_t;

typedef struct {
    const char *root, *path; /* borrowed: "" on a real machine; where the journal is kept */
    prf_setting_t *settings; /* owned, in the order of their being made */
    size_t count;
    char *command; /* owned; to be run once the settings are put back, or NULL */
} prf_journal_t;

/* Whether the file may be changed and the value can stand in a journal. Errors: PRF_EUSAGE. */
PRF_CHECKED prf_status_t prf_setting_check(const char *file, const char *value, prf_error_t *err);

/* Reads what is at `path`, nothing when there is no file. *out is to be released in any case. Errors: PRF_ECORRUPT (not written by
 * a worker), PRF_EIO (another user's, or others can write it: a command in it would be run), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_journal_read(prf_journal_t *out, const char *root, const char *path, prf_error_t *err);
void prf_journal_release(prf_journal_t *self);
/* Notes the command. Errors: PRF_EUSAGE, PRF_EIO, PRF_ENOSPC, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_journal_command(prf_journal_t *self, const char *command, prf_error_t *err);
/* Makes a setting, noted before; nothing happens where it is so already. `before` is what it is put back to, where another setting
 * has moved it since; NULL: as it stands. What the system made of it other than asked for is an error, and noted too. Errors: those
 * of prf_setting_check and prf_sysfile_write; PRF_ENOSPC, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_journal_set(prf_journal_t *self, const char *file, const char *before, const char *value,
                                         prf_error_t *err);
/* Puts all back, the last first. What somebody else has changed since is his, and left alone (*left counts those). Those that
 * cannot be put back stay in the journal; the first of them is the error. */
PRF_CHECKED prf_status_t prf_journal_put_back(prf_journal_t *self, size_t *left, prf_error_t *err);
/* The file is gone. Errors: PRF_EIO. */
PRF_CHECKED prf_status_t prf_journal_end(const prf_journal_t *self, prf_error_t *err);

#endif
