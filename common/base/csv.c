// SPDX-License-Identifier: Apache-2.0
/* csv.c - zlib reads plain files as well as gzipped ones, so one path serves both. A buffer of two lines slides over the
 * stream; fields are split in place, so that a row costs no allocation. */
#include "base/csv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { BUFFER = 2 * PRF_CSV_LINE, NAMED = 200 };

struct prf_csv {
    gzFile file;
    char *path; /* owned */
    char where[NAMED + 24];
    size_t line_number, begin, end, columns;
    bool exhausted;
    char *header;                 /* owned: the first line, split */
    char *names[PRF_CSV_COLUMNS]; /* into header */
    char *fields[PRF_CSV_COLUMNS];
    char buffer[BUFFER + 1];
};

void prf_csv_close(prf_csv_t **self)
{
    if (!*self)
        return;
    if ((*self)->file)
        gzclose_r((*self)->file);
    free((*self)->path);
    free((*self)->header);
    free(*self);
    *self = NULL;
}

static prf_status_t fill(prf_csv_t *self, prf_error_t *err)
{
    memmove(self->buffer, self->buffer + self->begin, self->end - self->begin);
    self->end -= self->begin;
    self->begin = 0;
    int n = gzread(self->file, self->buffer + self->end, (unsigned)(BUFFER - self->end));
    int code = Z_OK;
    const char *why = gzerror(self->file, &code);
    if (n < 0 || code == Z_BUF_ERROR)
        return prf_fail(err, PRF_ECORRUPT, "%s: cannot be read to its end (%s): fetch or make the file again", self->path,
                        code == Z_BUF_ERROR ? "the gzip stream is cut off"
                        : code == Z_ERRNO   ? strerror(errno)
                                            : why);
    self->end += (size_t)n;
    self->exhausted = n == 0;
    return PRF_OK;
}

/* *line is NULL at the end of the file. Else it is NUL-terminated, without its newline. */
static prf_status_t next_line(prf_csv_t *self, char **line, prf_error_t *err)
{
    char *newline;
    while (!(newline = memchr(self->buffer + self->begin, '\n', self->end - self->begin)) && !self->exhausted &&
           self->end - self->begin <= PRF_CSV_LINE) {
        prf_status_t status = fill(self, err);
        if (status)
            return status;
    }
    snprintf(self->where, sizeof self->where, "%.*s:%zu", NAMED, self->path, ++self->line_number);
    size_t len = newline ? (size_t)(newline - (self->buffer + self->begin)) : self->end - self->begin;
    *line = self->buffer + self->begin;
    if (len > PRF_CSV_LINE)
        return prf_fail(err, PRF_EPARSE, "%s: a line of more than %d bytes: is this a table?", self->where, PRF_CSV_LINE);
    if (memchr(*line, '\0', len))
        return prf_fail(err, PRF_EPARSE, "%s: a zero byte: is this a text file?", self->where);
    if (!newline && len == 0) {
        *line = NULL;
        return PRF_OK;
    }
    self->begin += len + (newline != NULL);
    (*line)[len] = '\0';
    if (len > 0 && (*line)[len - 1] == '\r')
        (*line)[len - 1] = '\0';
    return PRF_OK;
}

/* Takes one field off the front of *rest and unquotes it in place. False when a quote is not closed. */
static bool take_field(char **rest, char **field, bool *last)
{
    char *from = *rest, *to = *rest;
    *field = to;
    if (*from == '"') {
        for (from++;; from++) {
            if (*from == '\0')
                return false;
            if (*from == '"' && *++from != '"')
                break;
            *to++ = *from;
        }
    } else {
        from += strcspn(from, ",");
        to = from;
    }
    if (*from != ',' && *from != '\0')
        return false;
    *last = *from == '\0';
    *to = '\0';
    *rest = from + 1;
    return true;
}

static prf_status_t split(const prf_csv_t *self, char *line, char *fields[PRF_CSV_COLUMNS], size_t *count, prf_error_t *err)
{
    bool last = false;
    size_t n = 0;
    while (!last) {
        if (n == PRF_CSV_COLUMNS)
            return prf_fail(err, PRF_EPARSE, "%s: more than %d columns: leave out those that are not needed", self->where,
                            PRF_CSV_COLUMNS);
        if (!take_field(&line, &fields[n], &last))
            return prf_fail(
                err, PRF_EPARSE,
                "%s: field %zu: a quote that is not closed or not at the field's end: write \"\" for one within a field",
                self->where, n + 1);
        n++;
    }
    *count = n;
    return PRF_OK;
}

static prf_status_t read_header(prf_csv_t *self, prf_error_t *err)
{
    char *line;
    prf_status_t status = next_line(self, &line, err);
    if (status)
        return status;
    if (!line || *line == '\0')
        return prf_fail(err, PRF_EPARSE, "%s: the first line must name the columns", self->where);
    if (strncmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3;
    self->header = strdup(line);
    if (!self->header)
        return prf_fail(err, PRF_ENOMEM, "%s: header", self->where);
    status = split(self, self->header, self->names, &self->columns, err);
    for (size_t i = 0; !status && i < self->columns; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(self->names[i], self->names[j]) == 0)
                return prf_fail(err, PRF_EPARSE, "%s: two columns are called '%.40s': rename one", self->where, self->names[i]);
    return status;
}

prf_status_t prf_csv_open(prf_csv_t **out, const char *path, prf_error_t *err)
{
    prf_csv_t *self = calloc(1, sizeof *self);
    if (!self || !(self->path = strdup(path))) {
        prf_csv_close(&self);
        return prf_fail(err, PRF_ENOMEM, "%s: table", path);
    }
    errno = 0;
    self->file = gzopen(path, "rbe");
    prf_status_t status = self->file ? PRF_OK : prf_fail_sys(err, errno ? errno : ENOMEM, "%s", path);
    if (!status)
        status = read_header(self, err);
    if (status) {
        prf_csv_close(&self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

size_t prf_csv_columns(const prf_csv_t *self)
{
    return self->columns;
}

const char *prf_csv_name(const prf_csv_t *self, size_t column)
{
    return self->names[column];
}

prf_status_t prf_csv_find(const prf_csv_t *self, const char *name, size_t *column, prf_error_t *err)
{
    char known[240] = "";
    size_t used = 0;
    for (size_t i = 0; i < self->columns; i++) {
        if (strcmp(self->names[i], name) == 0) {
            *column = i;
            return PRF_OK;
        }
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%.40s", i ? ", " : "", self->names[i]);
    }
    return prf_fail(err, PRF_ENOTFOUND, "%.120s: no column '%.40s': use one of %s", self->path, name, known);
}

prf_status_t prf_csv_next(prf_csv_t *self, bool *more, prf_error_t *err)
{
    char *line;
    do {
        prf_status_t status = next_line(self, &line, err);
        if (status)
            return status;
    } while (line && *line == '\0');
    *more = line != NULL;
    if (!line)
        return PRF_OK;
    size_t count;
    prf_status_t status = split(self, line, self->fields, &count, err);
    if (!status && count != self->columns)
        return prf_fail(err, PRF_EPARSE, "%s: %zu fields, but the header names %zu columns: correct the line", self->where, count,
                        self->columns);
    return status;
}

const char *prf_csv_field(const prf_csv_t *self, size_t column)
{
    return self->fields[column];
}

prf_status_t prf_csv_number(const prf_csv_t *self, size_t column, double *out, prf_error_t *err)
{
    char *end;
    const char *text = self->fields[column];
    double value = strtod(text, &end);
    while (*end == ' ')
        end++;
    if (end == text || *end != '\0' || !isfinite(value))
        return prf_fail(err, PRF_EPARSE, "%s: %.40s: '%.40s' is no number: correct it, or leave the row out", self->where,
                        self->names[column], text);
    *out = value;
    return PRF_OK;
}

const char *prf_csv_where(const prf_csv_t *self)
{
    return self->where;
}
