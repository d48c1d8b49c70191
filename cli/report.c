// SPDX-License-Identifier: Apache-2.0
/* report.c - `prfarm report`: the story of a campaign in one file, for a paper's appendix or a colleague. What is told is asked
 * once (report_doc.h); a form (report_html.h, report_md.h) only says it. The file appears whole or not at all. */
#include <errno.h>
#include <string.h>

#include "access.h"
#include "base/file.h"
#include "cli.h"
#include "report_doc.h"
#include "report_html.h"
#include "report_md.h"
#include "signals.h"

typedef struct {
    prf_where_t where;
    const char *campaign; /* NULL: the only one */
    const char *out;      /* NULL: standard output */
    bool markdown;
} request_t;

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static prf_status_t choose_format(request_t *r, const char *format, prf_error_t *err)
{
    if (r->out && strcmp(r->out, "-") == 0)
        r->out = NULL;
    if (format && strcmp(format, "html") != 0 && strcmp(format, "md") != 0)
        return prf_fail(err, PRF_EUSAGE, "--format '%.40s': use html or md", format);
    r->markdown = format ? strcmp(format, "md") == 0 : r->out && ends_with(r->out, ".md");
    return r->out ? prf_file_replaceable(r->out, err) : PRF_OK;
}

/* DIR [CAMPAIGN], or a campaign alone where --farm or --dir says where it is. */
static prf_status_t choose_campaign(request_t *r, const prf_words_t *words, prf_error_t *err)
{
    bool named = r->where.farm || r->where.dir;
    if (named && words->count > 1)
        return prf_fail(err, PRF_EUSAGE, "'%.80s': give a campaign's name alone where --farm or --dir is given", words->items[1]);
    if (!named && words->count)
        r->where.dir = words->items[0];
    if (words->count > (named ? 0 : 1))
        r->campaign = words->items[named ? 0 : 1];
    return PRF_OK;
}

static prf_status_t gather(const request_t *r, json_t **doc, prf_error_t *err)
{
    prf_access_t access;
    prf_status_t status = prf_access_open(&access, &r->where, err);
    if (status)
        return status;
    status = prf_report_doc(access.farm, r->campaign, doc, err);
    prf_access_close(&access);
    return status;
}

static prf_status_t write_out(const request_t *r, const prf_text_t *text, prf_error_t *err)
{
    if (r->out)
        return prf_file_write(r->out, text->data, text->len, err);
    return fwrite(text->data, 1, text->len, stdout) == text->len && fflush(stdout) == 0
               ? PRF_OK
               : prf_fail_sys(err, errno ? errno : EIO, "standard output");
}

static int report(const request_t *r)
{
    json_t *doc = NULL;
    prf_text_t text;
    prf_error_t err = {0};
    prf_text_init(&text);
    prf_signals_catch();
    prf_status_t status = gather(r, &doc, &err);
    if (!status)
        status = r->markdown ? prf_report_md(doc, &text, &err) : prf_report_html(doc, &text, &err);
    if (!status)
        status = write_out(r, &text, &err);
    if (!status && r->out)
        fprintf(stderr, "prfarm: the report on %s is in %s\n", prf_json_text(json_object_get(doc, "summary"), "campaign", "?"),
                r->out);
    json_decref(doc);
    prf_text_release(&text);
    return status ? prf_report(&err) : 0;
}

static const prf_usage_t usage = {
    .name = "report",
    .synopsis = "(DIR | --farm FARM) [CAMPAIGN] [--out FILE]",
    .purpose = "Writes what a campaign came to as one page, in figures.",
    .text = "Boards, staircases, accuracy beside repeatability and random sampling, fusion rules, networks,\n"
            "costs, failures, and how to do it again. The page is one file that loads nothing: it can be\n"
            "mailed, kept beside a paper, printed. DIR is the folder of a 'prfarm run', be it running or\n"
            "over; CAMPAIGN is needed where there are several.\n\n"
            "  prfarm report first --out report.html\n"
            "  prfarm report first --format md\n"
            "  prfarm report --farm tcp://rack:7700 nightly --out nightly.html\n",
    .complete = "/",
    .most = 2,
};

int prf_cmd_report(int argc, char **argv)
{
    request_t r = {.campaign = NULL};
    const char *format = NULL;
    const prf_option_t options[] = {
        {.name = "out", .letter = 'o', .value = "FILE", .help = "where to (default: standard output)", .text = &r.out},
        {.name = "format",
         .value = "FORM",
         .help = "html, or md for Markdown with tables and pictures made of text (default: as FILE ends, else html)",
         .complete = "html md",
         .text = &format},
        {.name = NULL},
    };
    prf_words_t words;
    int code = 0;
    if (!prf_where_parse(&r.where, &usage, options, argc, argv, &words, &code))
        return code;
    prf_error_t err = {0};
    prf_status_t status = choose_campaign(&r, &words, &err);
    if (!status)
        status = choose_format(&r, format, &err);
    return status ? prf_report(&err) : report(&r);
}
