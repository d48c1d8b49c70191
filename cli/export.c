// SPDX-License-Identifier: Apache-2.0
/* export.c - `prfarm export`: what a farm knows as tables, a line of CSV or JSON each: every measurement, page by page, so that a
 * large store needs no memory; the points of the sweeps; the layers that models are judged by with what the models say of them.
 *
 * A CSV has one column for each parameter of every layer kind, empty where the kind has none, so that `prfarm train` and other
 * programs can read it without taking texts apart. A file appears whole or not at all. Formats with columns of their own (Parquet,
 * Arrow) need a library that Debian has not: the Python package writes them from this (docs/export.md). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "base/file.h"
#include "cli.h"
#include "export_rows.h"
#include "signals.h"

enum { PAGE = 1000 };

/* Where a table comes from: `campaign` alone, or all. Borrowed. */
typedef struct {
    prf_export_sink_t *sink;
    prf_farm_t *farm;
    const char *campaign;
} source_t;

static prf_status_t written(const source_t *s, prf_error_t *err)
{
    return ferror(s->sink->out) ? prf_fail_sys(err, errno ? errno : EIO, "writing %s", s->sink->table->rows) : PRF_OK;
}

/* What pages are of; results are of no kind of board alone. */
typedef struct {
    const source_t *source;
    const char *campaign, *kind;
} pages_t;

/* prf_page_fn */
static prf_status_t put_results_page(void *arg, const json_t *page, prf_error_t *err)
{
    const pages_t *of = arg;
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(page, "rows"), i, row)
    {
        prf_export_put_row(of->source->sink, row);
    }
    return written(of->source, err);
}

static prf_status_t put_results(const source_t *s, prf_error_t *err)
{
    pages_t of = {.source = s};
    json_t *in = json_pack("{s:i, s:s?}", "limit", PAGE, "campaign", s->campaign);
    return prf_farm_pages(s->farm, "export", in, 3 * PRF_CALL_MS, put_results_page, &of, err);
}

/* Of one kind of board in a campaign; `board` is its entry in the summary. */
typedef prf_status_t put_board_t(const source_t *s, const char *campaign, const json_t *board, prf_error_t *err);

static prf_status_t put_sweep(const source_t *s, const char *campaign, const json_t *board, prf_error_t *err)
{
    size_t i;
    const json_t *point;
    json_array_foreach(json_object_get(board, "sweeps"), i, point)
    {
        json_t *row = json_pack("{s:s, s:s, s:O}", "campaign", campaign, "kind", prf_json_text(board, "kind", "?"), "latency_ns",
                                json_object_get(point, "latency_ns"));
        prf_export_describe(row, prf_json_text(point, "layer", ""));
        prf_export_put_row(s->sink, row);
        json_decref(row);
    }
    return written(s, err);
}

/* prf_page_fn */
static prf_status_t put_judged_page(void *arg, const json_t *page, prf_error_t *err)
{
    const pages_t *of = arg;
    const json_t *version = json_object_get(page, "version");
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(page, "rows"), i, row)
    {
        char text[PRF_BLOCK_TEXT];
        snprintf(text, sizeof text, "%s", prf_json_text(row, "layer", ""));
        json_object_del(row, "layer_kind"); /* "layer", as in the other tables */
        json_object_set_new(row, "campaign", json_string(of->campaign));
        json_object_set_new(row, "kind", json_string(of->kind));
        json_object_set_new(row, "model_version", json_integer_value(version) ? json_deep_copy(version) : json_null());
        prf_export_describe(row, text);
        prf_export_put_row(of->source->sink, row);
    }
    return written(of->source, err);
}

static prf_status_t put_evaluation(const source_t *s, const char *campaign, const json_t *board, prf_error_t *err)
{
    pages_t of = {.source = s, .campaign = campaign, .kind = prf_json_text(board, "kind", "?")};
    json_t *in = json_pack("{s:s, s:s, s:i}", "campaign", campaign, "kind", of.kind, "limit", PAGE);
    return prf_farm_pages(s->farm, "evaluation", in, 3 * PRF_CALL_MS, put_judged_page, &of, err);
}

static prf_status_t put_campaign(const source_t *s, const char *campaign, put_board_t *put, prf_error_t *err)
{
    json_t *summary, *board;
    prf_status_t status =
        prf_farm_call(s->farm, "summary", json_pack("{s:s}", "campaign", campaign), 3 * PRF_CALL_MS, &summary, err);
    if (status)
        return status;
    size_t i;
    json_array_foreach(json_object_get(summary, "boards"), i, board)
    {
        status = status ? status : put(s, campaign, board, err);
    }
    json_decref(summary);
    return status;
}

static prf_status_t put_campaigns(const source_t *s, put_board_t *put, prf_error_t *err)
{
    json_t *state, *campaign;
    if (s->campaign)
        return put_campaign(s, s->campaign, put, err);
    prf_status_t status = prf_farm_call(s->farm, "status", NULL, PRF_CALL_MS, &state, err);
    if (status)
        return status;
    size_t i;
    json_array_foreach(json_object_get(state, "campaigns"), i, campaign)
    {
        status = status ? status : put_campaign(s, prf_json_text(campaign, "name", ""), put, err);
    }
    json_decref(state);
    return status;
}

static prf_status_t put_all(const source_t *s, prf_error_t *err)
{
    prf_export_put_header(s->sink);
    if (s->sink->table == &prf_export_results)
        return put_results(s, err);
    return put_campaigns(s, s->sink->table == &prf_export_sweeps ? put_sweep : put_evaluation, err);
}

/* Beside the target first, so that a failure leaves no half of a file behind. */
static prf_status_t to_file(const source_t *s, const char *path, prf_error_t *err)
{
    char part[4096];
    prf_status_t status = prf_file_replaceable(path, err);
    if (status)
        return status;
    if (snprintf(part, sizeof part, "%s.tmp-%ld", path, (long)getpid()) >= (int)sizeof part)
        return prf_fail(err, PRF_EINVAL, "%.100s...: the path is too long: use a shorter one", path);
    FILE *out = s->sink->out = fopen(part, "we");
    if (!out)
        return prf_fail_sys(err, errno, "%s", part);
    status = put_all(s, err);
    if (!status && (fflush(out) != 0 || fsync(fileno(out)) != 0))
        status = prf_fail_sys(err, errno, "%s", part);
    if (fclose(out) != 0 && !status)
        status = prf_fail_sys(err, errno, "%s", part);
    if (!status && rename(part, path) != 0)
        status = prf_fail_sys(err, errno, "%s", path);
    if (status)
        unlink(part);
    return status;
}

static prf_status_t to_stdout(const source_t *s, prf_error_t *err)
{
    s->sink->out = stdout;
    prf_status_t status = put_all(s, err);
    if (!status && fflush(stdout) != 0)
        status = prf_fail_sys(err, errno, "standard output");
    return status;
}

static const prf_usage_t usage = {
    .name = "export",
    .synopsis = "[results | sweeps | evaluation] [--campaign NAME] [--farm FARM | --dir DIR] [--out FILE]",
    .purpose = "Writes measurements, sweeps or a model's evaluation as CSV or as JSON lines.",
    .text = "results (default): one measurement a line. sweeps: the points that step widths were found by.\n"
            "evaluation: the layers that campaigns judge by, measured and as the current model estimates\n"
            "them, with its 90 % interval. docs/export.md has all columns with their units.\n\n"
            "The CSV has a column for each parameter (c, k, h, ...), empty where a layer has none.\n\n"
            "  prfarm export --dir first --out first.csv\n"
            "  prfarm export evaluation --dir first --json | jq .estimated_ns\n\n"
            "Parquet and Arrow are written by the Python package, with types and units in the file:\n\n"
            "  python -m prfarm.export results --dir first --out first.parquet\n",
    .most = 1,
};

static const prf_export_table_t *find_table(const char *name, prf_error_t *err)
{
    static const prf_export_table_t *const tables[] = {&prf_export_results, &prf_export_sweeps, &prf_export_evaluation};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (strcmp(tables[i]->name, name) == 0)
            return tables[i];
    (void)prf_fail(err, PRF_EUSAGE, "there is no 'export %.40s': use 'export results', 'export sweeps' or 'export evaluation'",
                   name);
    return NULL;
}

int prf_cmd_export(int argc, char **argv)
{
    const char *out = NULL, *campaign = NULL;
    bool json = false;
    const prf_option_t options[] = {
        {.name = "campaign", .value = "NAME", .help = "only what this campaign asked for (default: all)", .text = &campaign},
        {.name = "out", .value = "FILE", .help = "where to (default: standard output)", .text = &out},
        {.name = "json", .help = "JSON lines instead of CSV", .flag = &json},
        {.name = NULL},
    };
    int code = 0;
    prf_where_t where;
    prf_words_t words = {0};
    prf_access_t access;
    prf_error_t err = {0};
    if (!prf_where_parse(&where, &usage, options, argc, argv, &words, &code))
        return code;
    prf_export_sink_t sink = {.table = find_table(words.count ? words.items[0] : "results", &err), .csv = !json};
    if (!sink.table)
        return prf_report(&err);
    prf_signals_catch();
    if (prf_access_open(&access, &where, &err) != PRF_OK)
        return prf_report(&err);
    if (out && strcmp(out, "-") == 0)
        out = NULL;
    source_t source = {&sink, access.farm, campaign};
    prf_status_t failed = out ? to_file(&source, out, &err) : to_stdout(&source, &err);
    prf_access_close(&access);
    if (failed)
        return prf_report(&err);
    if (out)
        fprintf(stderr, "prfarm: %llu %s in %s\n", sink.rows, sink.table->rows, out);
    return 0;
}
