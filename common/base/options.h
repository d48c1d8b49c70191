// SPDX-License-Identifier: Apache-2.0
/* options.h - what may follow a program's (or a command's) name on the command line, declared once: parsed by it, and explained by
 * it in --help, in the manual pages (manual.h) and to the shell that completes it (complete.h). Main thread only. Texts and lists
 * are borrowed from argv. */
#ifndef PRF_BASE_OPTIONS_H
#define PRF_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { PRF_OPTION_WORDS = 64 };

typedef struct {
    const char *items[PRF_OPTION_WORDS]; /* borrowed */
    size_t count;
} prf_words_t;

/* One option; exactly one of the targets is set and tells what it takes. `--name value` and `--name=value` are the same, and `-l
 * value` where it has a letter. */
typedef struct {
    const char *name;     /* without the dashes; NULL ends the array */
    char letter;          /* that stands for it behind one dash, for what people are used to; 0: none */
    const char *value;    /* what stands for its value in --help ("DIR"); NULL for a flag */
    const char *help;     /* a phrase of any length, wrapped where it is shown; NULL: shown nowhere */
    const char *heading;  /* stands above it in --help; NULL: it belongs to those before it */
    const char *complete; /* what a shell may offer as its value, as in prf_usage_t; NULL: what `value` suggests */
    bool shared;          /* many commands have it: explained in one place of the manual */
    bool *flag;
    const char **text;
    uint64_t *number;  /* lo .. hi */
    double *real;      /* lo .. hi */
    prf_words_t *list; /* may be given several times */
    double lo, hi;
} prf_option_t;

/* A word and what it means; without a meaning it is the heading of those behind it. A NULL word ends an array. */
typedef struct {
    const char *word, *meaning;
} prf_word_t;

typedef struct {
    const char *program;  /* "prfarm-worker"; NULL: a command of prfarm */
    const char *name;     /* of the command: "run"; NULL: a program's own */
    const char *synopsis; /* "CAMPAIGN.yaml --out DIR"; options need not be repeated */
    const char *purpose;  /* one sentence */
    const char *text; /* what a newcomer should know: paragraphs with lines of at most 100 characters, examples indented by two */
    const char *complete; /* what a shell may offer as arguments: for each of them words, "/" (a folder), "*" (a file), ".onnx" (a
                           * file of that sort), apart by blanks; arguments are apart by ';', the last one's hold for all behind it.
                           * NULL: nothing */
    const prf_word_t *commands;    /* of a program that has some, else NULL */
    const prf_word_t *environment; /* variables it reads, or NULL */
    size_t least, most;            /* arguments that are no options */
} prf_usage_t;

/* "prfarm run" or "prfarm-worker". `text` has PRF_USAGE_NAME bytes and is returned. */
enum { PRF_USAGE_NAME = 64 };
char *prf_usage_name(const prf_usage_t *usage, char text[PRF_USAGE_NAME]);

/* Parses argv[1..]. True: go on, with *words (may be NULL when most is 0) filled. False: end with *exit_code; what was wrong has
 * been said. --help prints the page as text, --help=man and --help=markdown as sources of manuals, and --complete (the first of
 * argv) answers a shell; a program's own --version its version. */
PRF_CHECKED bool prf_options_parse(const prf_usage_t *usage, const prf_option_t *options, int argc, char **argv, prf_words_t *words,
                                   int *exit_code);

#endif
