// SPDX-License-Identifier: Apache-2.0
/* options.h - what follows a command's name on the command line, declared once and used for parsing and for --help alike.
 * Main thread only. Texts and lists are borrowed from argv. */
#ifndef PRF_CLI_OPTIONS_H
#define PRF_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { PRF_CLI_WORDS = 64 };

typedef struct {
    const char *items[PRF_CLI_WORDS]; /* borrowed */
    size_t count;
} prf_words_t;

/* One option; exactly one of the targets is set and tells what it takes. `--name value` and `--name=value` are the same. */
typedef struct {
    const char *name;  /* without the dashes; NULL ends the array */
    const char *value; /* what stands for its value in --help ("DIR"); NULL for a flag */
    const char *help;  /* one line */
    bool *flag;
    const char **text;
    uint64_t *number;  /* lo .. hi */
    double *real;      /* lo .. hi */
    prf_words_t *list; /* may be given several times */
    double lo, hi;
} prf_option_t;

typedef struct {
    const char *name;     /* of the command: "run" */
    const char *synopsis; /* "CAMPAIGN.yaml --out DIR"; options need not be repeated */
    const char *purpose;  /* one sentence */
    const char *text;     /* what a newcomer should know, with an example; lines of at most 80 characters */
    size_t least, most;   /* arguments that are no options */
} prf_usage_t;

/* Parses argv[1..]; --help prints the command's page. True: go on, with *words (may be NULL when most is 0) filled. False: end
 * with *exit_code; what was wrong has been said. */
PRF_CHECKED bool prf_options_parse(const prf_usage_t *usage, const prf_option_t *options, int argc, char **argv, prf_words_t *words,
                                   int *exit_code);

#endif
