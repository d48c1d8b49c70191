// SPDX-License-Identifier: Apache-2.0
/* tool.h - runs a program to its end; removes a folder with all that is in it. Main thread only. */
#ifndef PRF_CHAOS_TOOL_H
#define PRF_CHAOS_TOOL_H

#include "base/status.h"

enum { TOOL_WORDS = 24 };

/* `argv` ends with NULL; what it prints goes to the file `log` (NULL: to ours). `code` receives its exit code.
 * Errors: PRF_ENOTFOUND, PRF_EIO (a signal ended it). */
PRF_CHECKED prf_status_t tool_run(const char *const argv[], const char *log, int *code, prf_error_t *err);
void tool_remove(const char *dir);

#endif
