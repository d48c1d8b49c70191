// SPDX-License-Identifier: Apache-2.0
/* completion_scripts.h - cli/completion/prfarm.SHELL as texts; their source is made by the build. */
#ifndef PRF_CLI_COMPLETION_SCRIPTS_H
#define PRF_CLI_COMPLETION_SCRIPTS_H

enum { PRF_COMPLETION_SCRIPTS = 3 };

extern const struct prf_completion_script {
    const char *shell, *text;
} prf_completion_scripts[PRF_COMPLETION_SCRIPTS];

#endif
