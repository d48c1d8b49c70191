// SPDX-License-Identifier: Apache-2.0
/* manual.c - three forms of one page. The manual page is in the macros of man(7), which every man, groff and mandoc reads; Markdown
 * is a section of docs/manual/prfarm.md, whose prose goes on where this ends. */
#include "base/manual.h"

#include <ctype.h>
#include <string.h>

enum { WIDTH = 100, LEFT = 26 };

prf_status_t prf_manual_parse(const char *name, prf_manual_t *out, prf_error_t *err)
{
    static const char *const names[] = {"text", "man", "markdown"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (prf_manual_t)i;
            return PRF_OK;
        }
    }
    return prf_fail(err, PRF_EUSAGE,
                    "--help=%.40s: use --help, --help=man (as in 'prfarm run --help=man | man -l -') or --help=markdown", name);
}

static void put_left(char *left, size_t cap, const prf_option_t *o)
{
    char letter[8] = "";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, cap, "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
}

/* `text` in lines that fit beside a column of LEFT, words whole. */
static void put_wrapped(FILE *out, const char *left, const char *text)
{
    int at = fprintf(out, "  %-*s ", LEFT - 3, left);
    if (at > LEFT) {
        fprintf(out, "\n%*s", LEFT, "");
        at = LEFT;
    }
    bool first = true;
    while (*text) {
        int len = (int)strcspn(text, " ");
        if (!first && at + 1 + len > WIDTH) {
            fprintf(out, "\n%*s", LEFT, "");
            at = LEFT;
            first = true;
        }
        at += fprintf(out, "%s%.*s", first ? "" : " ", len, text);
        first = false;
        text += len;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void put_terms(FILE *out, const char *heading, const prf_word_t *terms)
{
    if (terms)
        fprintf(out, "\n%s:\n", heading);
    for (; terms && terms->word; terms++) {
        if (terms->meaning)
            put_wrapped(out, terms->word, terms->meaning);
        else
            fprintf(out, "\n %s\n", terms->word);
    }
}

static void put_text(FILE *out, const prf_usage_t *usage, const prf_option_t *options)
{
    char name[PRF_USAGE_NAME], left[96];
    fprintf(out, "Usage: %s %s\n\n%s\n\n%s", prf_usage_name(usage, name), usage->synopsis, usage->purpose, usage->text);
    put_terms(out, "Commands", usage->commands);
    fputs("\nOptions:\n", out);
    for (const prf_option_t *o = options; o->name; o++) {
        if (o->heading)
            fprintf(out, "\n%s:\n", o->heading);
        if (!o->help)
            continue;
        put_left(left, sizeof left, o);
        put_wrapped(out, left, o->help);
    }
    if (!usage->name)
        put_wrapped(out, "--version", "the version");
    put_wrapped(out, "--help", "this text; --help=man prints a manual page");
    put_terms(out, "Environment", usage->environment);
}

/* What roff would take for its own: backslashes, a dot or quote that begins a line, dashes that are to stay dashes. */
static void put_roff(FILE *out, const char *text, size_t len)
{
    if (len && (*text == '.' || *text == '\''))
        fputs("\\&", out);
    for (; len; len--, text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else if (*text == '\'')
            fputs("\\(aq", out);
        else if (*text == '~')
            fputs("\\(ti", out);
        else if (*text == '^')
            fputs("\\(ha", out);
        else if (*text == '`')
            fputs("\\(ga", out);
        else
            fputc(*text, out);
    }
}

static void put_roff_text(FILE *out, const char *text)
{
    put_roff(out, text, strlen(text));
}

typedef enum { NOTHING, PROSE, EXAMPLE } flow_t;

static void begin_flow(FILE *out, flow_t *at, flow_t next, bool *parted)
{
    if (next == *at && !*parted)
        return;
    if (*at == EXAMPLE && next == EXAMPLE) {
        fputc('\n', out);
        *parted = false;
        return;
    }
    if (*at == EXAMPLE)
        fputs(".fi\n.RE\n", out);
    if (next == EXAMPLE)
        fputs(*at == NOTHING ? ".RS 4\n.nf\n" : ".PP\n.RS 4\n.nf\n", out);
    else if (next == PROSE && *at != NOTHING)
        fputs(".PP\n", out);
    *at = next;
    *parted = false;
}

/* Paragraphs are filled anew; lines that are indented are examples, and stay as they are. */
static void put_roff_paragraphs(FILE *out, const char *text)
{
    flow_t at = NOTHING;
    bool parted = false;
    while (*text) {
        size_t len = strcspn(text, "\n"), indent = strspn(text, " ");
        if (len == 0) {
            parted = true;
        } else {
            bool example = indent >= 2;
            begin_flow(out, &at, example ? EXAMPLE : PROSE, &parted);
            size_t skip = example ? 2 : 0;
            put_roff(out, text + skip, len - skip);
            fputc('\n', out);
        }
        text += len + (text[len] == '\n');
    }
    begin_flow(out, &at, NOTHING, &parted);
}

static void put_roff_option(FILE *out, char letter, const char *name, const char *value, const char *help)
{
    fputs(".TP\n", out);
    if (letter)
        fprintf(out, "\\fB\\-%c\\fR, ", letter);
    fputs("\\fB\\-\\-", out);
    put_roff_text(out, name);
    fputs("\\fR", out);
    if (value) {
        fputs(" \\fI", out);
        put_roff_text(out, value);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    put_roff_text(out, help);
    fputc('\n', out);
}

static void put_roff_terms(FILE *out, const char *heading, const prf_word_t *terms)
{
    if (terms)
        fprintf(out, ".SH %s\n", heading);
    for (; terms && terms->word; terms++) {
        fputs(terms->meaning ? ".TP\n\\fB" : ".SS ", out);
        put_roff_text(out, terms->word);
        fputs(terms->meaning ? "\\fR\n" : "", out);
        put_roff_text(out, terms->meaning ? terms->meaning : "");
        fputc('\n', out);
    }
}

/* Every exit code that there is, with the names of all that it stands for. */
static void put_roff_exit_codes(FILE *out)
{
    fputs(".SH EXIT STATUS\n", out);
    for (int code = 0; code < 256; code++) {
        bool any = false;
        for (prf_status_t s = PRF_OK; s < PRF_STATUS_COUNT; s++) {
            if (prf_exit_code(s) != code)
                continue;
            if (any)
                fprintf(out, ", %s", prf_status_name(s));
            else
                fprintf(out, ".TP\n\\fB%d\\fR\n%s", code, prf_status_name(s));
            any = true;
        }
        if (any)
            fputc('\n', out);
    }
}

/* "prfarm-run": a page's name has dashes where the command line has blanks. */
static char *page_name(const prf_usage_t *usage, char page[PRF_USAGE_NAME])
{
    prf_usage_name(usage, page);
    for (char *c = page; (c = strchr(c, ' '));)
        *c = '-';
    return page;
}

static void put_see_also(FILE *out, const prf_usage_t *usage)
{
    static const char *const programs[] = {"prfarm", "prfarm-coordinator", "prfarm-worker"};
    char page[PRF_USAGE_NAME];
    bool first = true;
    fputs(".SH SEE ALSO\n", out);
    for (const prf_word_t *c = usage->commands; c && c->word; c++) {
        if (!c->meaning)
            continue;
        fputs(first ? "\\fB" : ",\n\\fB", out);
        put_roff_text(out, page_name(usage, page));
        fputs("\\-", out);
        put_roff_text(out, c->word);
        fputs("\\fR(1)", out);
        first = false;
    }
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        if (usage->program && strcmp(programs[i], usage->program) == 0)
            continue;
        fputs(first ? "\\fB" : ",\n\\fB", out);
        put_roff_text(out, programs[i]);
        fputs("\\fR(1)", out);
        first = false;
    }
    fputc('\n', out);
}

static void put_man(FILE *out, const prf_usage_t *usage, const prf_option_t *options)
{
    char name[PRF_USAGE_NAME], page[PRF_USAGE_NAME];
    prf_usage_name(usage, name);
    page_name(usage, page);
    fputs(".TH ", out);
    for (const char *c = page; *c; c++)
        fputc(toupper((unsigned char)*c), out);
    fprintf(out, " 1 %s \"prfarm %s\" \"prfarm manual\"\n.SH NAME\n", PRF_MANUAL_DATE, PRF_VERSION);
    put_roff_text(out, page);
    fputs(" \\- ", out);
    size_t len = strlen(usage->purpose);
    put_roff(out, usage->purpose, len && usage->purpose[len - 1] == '.' ? len - 1 : len);
    fputs("\n.SH SYNOPSIS\n\\fB", out);
    put_roff_text(out, name);
    fputs("\\fR ", out);
    put_roff_text(out, usage->synopsis);
    fputs("\n.SH DESCRIPTION\n", out);
    put_roff_paragraphs(out, usage->text);
    put_roff_terms(out, "COMMANDS", usage->commands);
    fputs(".SH OPTIONS\n", out);
    for (const prf_option_t *o = options; o->name; o++) {
        if (o->heading) {
            fputs(".SS ", out);
            put_roff_text(out, o->heading);
            fputc('\n', out);
        }
        if (o->help)
            put_roff_option(out, o->letter, o->name, o->value, o->help);
    }
    if (!usage->name)
        put_roff_option(out, 0, "version", NULL, "the version");
    put_roff_option(out, 0, "help", NULL, "this page as text");
    put_roff_terms(out, "ENVIRONMENT", usage->environment);
    if (usage->program)
        put_roff_exit_codes(out);
    put_see_also(out, usage);
}

static void put_cell(FILE *out, const char *text)
{
    for (; *text; text++)
        fprintf(out, "%s%c", *text == '|' ? "\\" : "", *text);
}

static void put_markdown(FILE *out, const prf_usage_t *usage, const prf_option_t *options)
{
    char name[PRF_USAGE_NAME], left[96];
    bool shared = false;
    fprintf(out, "### %s %s\n\n%s\n\n| option | meaning |\n|---|---|\n", prf_usage_name(usage, name), usage->synopsis,
            usage->purpose);
    for (const prf_option_t *o = options; o->name; o++) {
        shared = shared || o->shared;
        if (!o->help || o->shared)
            continue;
        put_left(left, sizeof left, o);
        fputs("| `", out);
        put_cell(out, left);
        fputs("` | ", out);
        put_cell(out, o->help);
        fputs(" |\n", out);
    }
    if (shared)
        fputs("| `--farm`, `--dir`, `--key`, `--server` | [whom the command asks](#whom-a-command-asks) |\n", out);
    fputs("| `--help` | the command explained, with an example; `--help=man`: as a manual page |\n", out);
}

void prf_manual_print(FILE *out, prf_manual_t form, const prf_usage_t *usage, const prf_option_t *options)
{
    if (form == PRF_MANUAL_MAN)
        put_man(out, usage, options);
    else if (form == PRF_MANUAL_MARKDOWN)
        put_markdown(out, usage, options);
    else
        put_text(out, usage, options);
}
