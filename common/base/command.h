// SPDX-License-Identifier: Apache-2.0
/* command.h - runs another program to its end, with a limit on its time and on what it prints: sbatch, squeue. Blocks; any thread
 * that may have children. */
#ifndef PRF_BASE_COMMAND_H
#define PRF_BASE_COMMAND_H

#include "base/text.h"

typedef struct {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH. All borrowed */
    const char *input;       /* for its standard input; NULL: nothing */
    unsigned timeout_ms;
    size_t limit; /* bytes that it may print, errors among them */
} prf_command_spec_t;

/* *out receives what it printed, standard output and errors as they came, when it ended with exit code 0. On failure *out is
 * untouched, and the text says what the program said last. Errors: PRF_ENOTFOUND (no such program), PRF_EIO (another exit code, or
 * it cannot be started), PRF_ETIMEOUT (it was killed), PRF_EINVAL (it printed more than the limit), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_command_run(const prf_command_spec_t *spec, prf_text_t *out, prf_error_t *err);

#endif
