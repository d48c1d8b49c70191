// SPDX-License-Identifier: Apache-2.0
/* output.c - tables keep their cells until they are printed, because a column is as wide as its widest cell. */
#include "output.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/complain.h"

int prf_report(const prf_error_t *err)
{
    if (err->sys_errno != EPIPE) /* a reader that has seen enough, as in `prfarm export | head`, wants no complaint */
        prf_complain("prfarm", err->text[0] ? err->text : prf_status_name(err->code));
    return prf_exit_code(err->code);
}

/* What failed may be a write of long ago, whose errno is lost; that nobody reads any more can still be seen. */
static int why_not_written(int e)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR))
        return EPIPE;
    return e ? e : EIO;
}

int prf_finish_stdout(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    prf_error_t err = {0};
    prf_fail_sys(&err, why_not_written(errno), "standard output");
    return prf_report(&err);
}

int prf_print_json(json_t *document)
{
    prf_error_t err = {0};
    int code = 0;
    errno = 0;
    if (!document) {
        prf_fail(&err, PRF_ENOMEM, "the answer as JSON");
        code = prf_report(&err);
    } else if (json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) != 0) {
        prf_fail_sys(&err, why_not_written(errno), "standard output");
        code = prf_report(&err);
    } else {
        putchar('\n');
        code = prf_finish_stdout();
    }
    json_decref(document);
    return code;
}

const char *prf_json_text(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : otherwise;
}

double prf_json_number(const json_t *object, const char *key, double otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

/* As setlocale(3) would decide; what we print ourselves needs no locale. */
static bool speaks_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "UTF8") || strstr(value, "utf-8");
    }
    return false;
}

void prf_terminal_init(prf_terminal_t *out, FILE *stream)
{
    *out = (prf_terminal_t){.stream = stream, .columns = 80};
    out->live = prf_stream_is_live(stream);
    out->color = prf_stream_has_color(stream);
    out->unicode = speaks_utf8();
    struct winsize size;
    if (out->live && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
        out->columns = size.ws_col;
}

const char *prf_bold(const prf_terminal_t *terminal)
{
    return terminal->color ? "\033[1m" : "";
}

const char *prf_dim(const prf_terminal_t *terminal)
{
    return terminal->color ? "\033[2m" : "";
}

const char *prf_plain(const prf_terminal_t *terminal)
{
    return terminal->color ? "\033[0m" : "";
}

struct prf_table {
    size_t columns, cells, cap;
    bool right[PRF_TABLE_COLUMNS];
    char (*cell)[PRF_CELL]; /* owned; row by row, the header first */
};

prf_table_t *prf_table_new(const char *header)
{
    prf_table_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->columns = PRF_TABLE_COLUMNS;
    size_t columns = 0;
    while (*header && columns < PRF_TABLE_COLUMNS) {
        size_t len = strcspn(header, "|");
        bool right = len && header[len - 1] == '>';
        prf_table_cell(self, "%.*s", (int)(len - right), header);
        self->right[columns++] = right;
        header += len + (header[len] == '|');
    }
    self->columns = columns;
    return self;
}

void prf_table_cell(prf_table_t *self, const char *fmt, ...)
{
    if (!self)
        return;
    if (self->cells == self->cap) {
        size_t cap = self->cap ? self->cap * 2 : 64;
        void *grown = realloc(self->cell, cap * sizeof *self->cell);
        if (!grown)
            return;
        self->cell = grown;
        self->cap = cap;
    }
    va_list args;
    va_start(args, fmt);
    vsnprintf(self->cell[self->cells++], PRF_CELL, fmt, args);
    va_end(args);
}

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static int width(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void prf_table_print(prf_table_t **self, const prf_terminal_t *terminal)
{
    prf_table_t *t = *self;
    if (!t)
        return;
    int widths[PRF_TABLE_COLUMNS] = {0};
    for (size_t i = 0; i < t->cells; i++) {
        int w = width(t->cell[i]);
        if (w > widths[i % t->columns])
            widths[i % t->columns] = w;
    }
    for (size_t i = 0; i < t->cells; i++) {
        size_t c = i % t->columns;
        bool last = c + 1 == t->columns || i + 1 == t->cells;
        int pad = widths[c] - width(t->cell[i]);
        fprintf(terminal->stream, "%s%s%*s%s%*s%s%s", c ? "  " : "", i < t->columns ? prf_bold(terminal) : "",
                t->right[c] ? pad : 0, "", t->cell[i], t->right[c] || last ? 0 : pad, "", i < t->columns ? prf_plain(terminal) : "",
                last ? "\n" : "");
    }
    prf_table_destroy(self);
}

void prf_table_destroy(prf_table_t **self)
{
    if (*self)
        free((*self)->cell);
    free(*self);
    *self = NULL;
}

/* Three or four digits that count. */
static int decimals(double value)
{
    double size = fabs(value);
    return size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
}

/* A number of billionths. */
static char *human_nano(double value, const char *const units[4], char text[PRF_HUMAN])
{
    size_t unit = 0;
    if (!isfinite(value)) {
        snprintf(text, PRF_HUMAN, "-");
        return text;
    }
    while (fabs(value) >= 999.5 && unit < 3) {
        value /= 1000;
        unit++;
    }
    snprintf(text, PRF_HUMAN, "%.*f %s", decimals(value), value, units[unit]);
    return text;
}

char *prf_human_ns(double ns, char text[PRF_HUMAN])
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    return human_nano(ns, units, text);
}

char *prf_human_nj(double nj, char text[PRF_HUMAN])
{
    static const char *const units[] = {"nJ", "uJ", "mJ", "J"};
    return human_nano(nj, units, text);
}

char *prf_human_seconds(double seconds, char text[PRF_HUMAN])
{
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e9)
        snprintf(text, PRF_HUMAN, "-");
    else if (seconds < 59.5)
        snprintf(text, PRF_HUMAN, "%.0fs", seconds);
    else if (seconds < 3600)
        snprintf(text, PRF_HUMAN, "%dm%02ds", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(text, PRF_HUMAN, "%dh%02dm", (int)seconds / 3600, (int)seconds / 60 % 60);
    return text;
}

char *prf_human_percent(double percent, char text[PRF_HUMAN])
{
    if (isfinite(percent))
        snprintf(text, PRF_HUMAN, "%.*f %%", decimals(percent), percent);
    else
        snprintf(text, PRF_HUMAN, "-");
    return text;
}

char *prf_human_bytes(double bytes, char text[PRF_HUMAN])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes >= 999.5 && unit < 4) {
        bytes /= 1000;
        unit++;
    }
    snprintf(text, PRF_HUMAN, "%.*f %s", unit ? decimals(bytes) : 0, bytes, units[unit]);
    return text;
}
