// SPDX-License-Identifier: Apache-2.0
/* output.h - what a person or a program reads from prfarm: tables, numbers with units, JSON, and the one line that says what went
 * wrong. Results go to standard output, everything else to standard error. Main thread only. */
#ifndef PRF_CLI_OUTPUT_H
#define PRF_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/json.h"
#include "base/status.h"

/* Prints "prfarm: <text>" on standard error; returns the exit code (docs/manual/exit-codes.md). */
int prf_report(const prf_error_t *err);

/* Flushes standard output. Returns the exit code: a full disk is an error, a reader that went away is none. */
int prf_finish_stdout(void);

/* Prints the document on standard output, indented, and drops the reference. Returns the exit code: a reader that went away or a
 * full disk is an error. */
int prf_print_json(json_t *document);

/* A member's text or number, or what stands for it when it is missing or of another type. Borrowed. */
const char *prf_json_text(const json_t *object, const char *key, const char *otherwise);
double prf_json_number(const json_t *object, const char *key, double otherwise);

/* How the stream may be written to: colours and moving the cursor only on a terminal, colours not under NO_COLOR. */
typedef struct {
    FILE *stream; /* borrowed */
    bool live;    /* a terminal that can move its cursor */
    bool color;
    bool unicode; /* the locale's characters are UTF-8; else ASCII is all that may be drawn with */
    int columns;
} prf_terminal_t;

void prf_terminal_init(prf_terminal_t *out, FILE *stream);
/* The escape sequence, or "" without colours. */
const char *prf_bold(const prf_terminal_t *terminal);
const char *prf_dim(const prf_terminal_t *terminal);
const char *prf_plain(const prf_terminal_t *terminal);

/* Columns of text, as wide as their widest cell; numbers stand to the right. */
enum { PRF_TABLE_COLUMNS = 16, PRF_CELL = 96 };
typedef struct prf_table prf_table_t;
/* `header`: column titles separated by '|'; a title that ends in '>' is aligned to the right. NULL when memory ran out; the other
 * calls take that NULL and do nothing. */
prf_table_t *prf_table_new(const char *header);
void prf_table_cell(prf_table_t *self, const char *fmt, ...) PRF_PRINTF(2, 3); /* rows fill from the left */
void prf_table_print(prf_table_t **self, const prf_terminal_t *terminal);      /* and destroys it */
void prf_table_destroy(prf_table_t **self);

/* Numbers for people: "12.3 us", "4m10s", "1.25 %", "1.2 GB"; "-" for NaN. `text` has PRF_HUMAN bytes and is returned. */
enum { PRF_HUMAN = 32 };
char *prf_human_ns(double ns, char text[PRF_HUMAN]);
char *prf_human_nj(double nj, char text[PRF_HUMAN]); /* "1.25 mJ" */
char *prf_human_seconds(double seconds, char text[PRF_HUMAN]);
char *prf_human_percent(double percent, char text[PRF_HUMAN]);
char *prf_human_bytes(double bytes, char text[PRF_HUMAN]);

#endif
