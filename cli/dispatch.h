// SPDX-License-Identifier: Apache-2.0
/* dispatch.h - a program or a command that has commands below it: `prfarm`, `prfarm fleet`. Finds the one that is meant, and
 * answers for those above it: their pages, what a shell completes, a slip of the pen. Main thread only. */
#ifndef PRF_CLI_DISPATCH_H
#define PRF_CLI_DISPATCH_H

#include "base/options.h"

typedef struct {
    const char *name;
    const char *summary;               /* one line for --help */
    int (*run)(int argc, char **argv); /* argv[0] is its name, returns the exit code; NULL: a heading */
} prf_command_t;

/* Runs the command that argv[1] names. `commands` ends with a NULL name; `usage` is that of what stands above them, without its
 * list of commands, which is made of the table. Returns the exit code. */
int prf_dispatch(const prf_usage_t *usage, const prf_command_t *commands, int argc, char **argv);

#endif
