// SPDX-License-Identifier: Apache-2.0
/* hooks_file.h - the file that says how boards are power-cycled (--hooks FILE, docs/examples/hooks.yaml). Pure apart from reading
 * the file; every error is `file:line: what is wrong and what would be right`. */
#ifndef PRF_HOOKS_FILE_H
#define PRF_HOOKS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "point/point.h"

enum { PRF_HOOKS = 1024, PRF_HOOK_WORDS = 64, PRF_HOOK_WORD = 512, PRF_HOOKS_BYTES = 256 << 10 };

typedef enum { PRF_HOOK_QUARANTINED = 1 << 0, PRF_HOOK_LOST = 1 << 1, PRF_HOOK_BY_HAND = 1 << 2 } prf_hook_cause_t;

/* How some boards are power-cycled. */
typedef struct {
    char boards[PRF_NAME]; /* pattern of board names, as in a shell: rack1-* */
    char **command;        /* owned words; {board} and {kind} stand for the board's */
    size_t word_count;
    uint32_t timeout_s;       /* then it is killed */
    uint32_t at_most_per_day; /* runs for one board in 24 hours */
    uint32_t delay_s;         /* that the board needs afterwards: it is not tried before */
    uint32_t causes;          /* PRF_HOOK_*; by hand always */
} prf_hook_t;

typedef struct {
    prf_hook_t *items; /* owned */
    size_t count;
} prf_hook_list_t;

/* `name` stands for the file in messages. On failure *out is untouched. Errors: PRF_EPARSE, PRF_EINVAL, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_hook_list_parse(prf_hook_list_t *out, const char *text, size_t len, const char *name,
                                             prf_error_t *err);
/* Errors: also those of prf_file_read. */
PRF_CHECKED prf_status_t prf_hook_list_load(prf_hook_list_t *out, const char *path, prf_error_t *err);
void prf_hook_list_release(prf_hook_list_t *self);

/* The first one whose pattern the board's name matches; NULL: none. Borrowed. */
const prf_hook_t *prf_hook_list_find(const prf_hook_list_t *self, const char *board);
/* Its command for a board, NULL-terminated, to be freed by prf_hook_argv_free. NULL: out of memory. */
char **prf_hook_argv(const prf_hook_t *hook, const char *board, const char *kind);
void prf_hook_argv_free(char **argv); /* NULL-safe */

#endif
