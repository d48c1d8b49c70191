// SPDX-License-Identifier: Apache-2.0
/* csv.h - reads a table row by row: comma-separated, the first line names the columns, fields may stand in double quotes (not
 * over several lines), the file may be gzipped. Nothing in it is trusted: lines, columns and the field count of each row are
 * checked. Not shared between threads. */
#ifndef PRF_BASE_CSV_H
#define PRF_BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { PRF_CSV_LINE = 64 << 10, PRF_CSV_COLUMNS = 256 };

typedef struct prf_csv prf_csv_t;

/* Opens the file and reads the names of its columns. `path` is copied. On failure *out is untouched.
 * Errors: PRF_ENOTFOUND, PRF_EIO, PRF_EPARSE (no header, two columns of one name, a line too long), PRF_ECORRUPT (broken gzip),
 * PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_csv_open(prf_csv_t **out, const char *path, prf_error_t *err);
void prf_csv_close(prf_csv_t **self); /* NULL-safe; clears *self */

size_t prf_csv_columns(const prf_csv_t *self);
const char *prf_csv_name(const prf_csv_t *self, size_t column); /* borrowed */
/* Errors: PRF_ENOTFOUND with the names that there are. */
PRF_CHECKED prf_status_t prf_csv_find(const prf_csv_t *self, const char *name, size_t *column, prf_error_t *err);

/* Steps to the next row that is not empty; *more is false behind the last one. Errors as `file:line: what`: PRF_EPARSE,
 * PRF_ECORRUPT. */
PRF_CHECKED prf_status_t prf_csv_next(prf_csv_t *self, bool *more, prf_error_t *err);
/* A field of the current row, borrowed until the next step. */
const char *prf_csv_field(const prf_csv_t *self, size_t column);
/* The same as a finite number. Errors: PRF_EPARSE as `file:line: column: what`. */
PRF_CHECKED prf_status_t prf_csv_number(const prf_csv_t *self, size_t column, double *out, prf_error_t *err);
/* "file:line", for messages about the current row; borrowed until the next step. */
const char *prf_csv_where(const prf_csv_t *self);

#endif
