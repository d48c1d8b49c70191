// SPDX-License-Identifier: Apache-2.0
/* export.c - `prfarm export`: every measurement as a line of CSV or JSON, page by page, so that a large store needs no memory.
 *
 * A CSV has one column for each parameter of every layer kind, empty where the kind has none, so that `prfarm train` and other
 * programs can read it without taking texts apart. A file appears whole or not at all. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "base/file.h"
#include "cli.h"
#include "layer/layer.h"

enum { PAGE = 1000 };

static const char *const before[] = {"sequence", "campaign", "kind",  "board", "point",
                                     "attempt",  "role",     "layer", "dtype", "block"};
static const char *const after[] = {"outcome",        "latency_ns", "min_ns",       "ci_percent", "repeats",   "taint",
                                    "temperature_mc", "clock_khz",  "load_percent", "wall_ms",    "duplicate", "error"};
enum { BEFORE = sizeof before / sizeof *before, AFTER = sizeof after / sizeof *after };

typedef struct {
    FILE *out; /* borrowed */
    bool csv;
    unsigned long long rows;
} sink_t;

static void put_text(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void put_field(FILE *out, const json_t *value)
{
    if (json_is_string(value))
        put_text(out, json_string_value(value));
    else if (json_is_integer(value))
        fprintf(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        fprintf(out, "%.12g", json_real_value(value));
    else if (json_is_boolean(value))
        fputs(json_is_true(value) ? "true" : "false", out);
}

static void put_header(FILE *out)
{
    for (size_t i = 0; i < BEFORE; i++)
        fprintf(out, "%s%s", i ? "," : "", before[i]);
    for (int p = 0; p < PRF_PARAMS; p++)
        fprintf(out, ",%s", prf_param_name((prf_param_t)p));
    for (size_t i = 0; i < AFTER; i++)
        fprintf(out, ",%s", after[i]);
    fputc('\n', out);
}

static void put_row(sink_t *sink, const json_t *row)
{
    sink->rows++;
    if (!sink->csv) {
        json_dumpf(row, sink->out, JSON_COMPACT | JSON_REAL_PRECISION(12));
        fputc('\n', sink->out);
        return;
    }
    for (size_t i = 0; i < BEFORE; i++) {
        if (i)
            fputc(',', sink->out);
        put_field(sink->out, json_object_get(row, before[i]));
    }
    for (int p = 0; p < PRF_PARAMS; p++) {
        fputc(',', sink->out);
        put_field(sink->out, json_object_get(json_object_get(row, "params"), prf_param_name((prf_param_t)p)));
    }
    for (size_t i = 0; i < AFTER; i++) {
        fputc(',', sink->out);
        put_field(sink->out, json_object_get(row, after[i]));
    }
    fputc('\n', sink->out);
}

static prf_status_t put_all(sink_t *sink, prf_farm_t *farm, const char *campaign, prf_error_t *err)
{
    json_int_t from = 0;
    if (sink->csv)
        put_header(sink->out);
    for (;;) {
        json_t *page, *row, *in = json_pack("{s:I, s:i, s:s?}", "after", from, "limit", PAGE, "campaign", campaign);
        prf_status_t status = prf_farm_call(farm, "export", in, 3 * PRF_CALL_MS, &page, err);
        if (status)
            return status;
        size_t i;
        json_array_foreach(json_object_get(page, "rows"), i, row)
        {
            put_row(sink, row);
        }
        const json_t *next = json_object_get(page, "next");
        json_int_t to = json_integer_value(next);
        bool more = json_is_integer(next) && to > from;
        json_decref(page);
        if (ferror(sink->out))
            return prf_fail_sys(err, errno ? errno : EIO, "writing the measurements");
        if (!more)
            return PRF_OK;
        from = to;
    }
}

/* Beside the target first, so that a failure leaves no half of a file behind. */
static prf_status_t to_file(sink_t *sink, prf_farm_t *farm, const char *campaign, const char *path, prf_error_t *err)
{
    char part[4096];
    prf_status_t status = prf_file_replaceable(path, err);
    if (status)
        return status;
    if (snprintf(part, sizeof part, "%s.tmp-%ld", path, (long)getpid()) >= (int)sizeof part)
        return prf_fail(err, PRF_EINVAL, "%.100s...: the path is too long: use a shorter one", path);
    sink->out = fopen(part, "we");
    if (!sink->out)
        return prf_fail_sys(err, errno, "%s", part);
    status = put_all(sink, farm, campaign, err);
    if (!status && (fflush(sink->out) != 0 || fsync(fileno(sink->out)) != 0))
        status = prf_fail_sys(err, errno, "%s", part);
    if (fclose(sink->out) != 0 && !status)
        status = prf_fail_sys(err, errno, "%s", part);
    if (!status && rename(part, path) != 0)
        status = prf_fail_sys(err, errno, "%s", path);
    if (status)
        unlink(part);
    return status;
}

static prf_status_t to_stdout(sink_t *sink, prf_farm_t *farm, const char *campaign, prf_error_t *err)
{
    sink->out = stdout;
    prf_status_t status = put_all(sink, farm, campaign, err);
    if (!status && fflush(stdout) != 0)
        status = prf_fail_sys(err, errno, "standard output");
    return status;
}

static const prf_usage_t usage = {
    .name = "export",
    .synopsis = "[--campaign NAME] [--farm FARM | --dir DIR] [--out FILE]",
    .purpose = "Writes measurements as CSV or as JSON lines, one measurement a line.",
    .text = "The CSV has a column for each parameter (c, k, h, ...), empty where a layer has none.\n\n"
            "  prfarm export --dir first --out first.csv\n"
            "  prfarm export --dir first --json | jq .latency_ns\n",
};

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
    prf_access_t access;
    prf_error_t err = {0};
    if (!prf_access_start(&access, &usage, options, argc, argv, NULL, &code))
        return code;
    sink_t sink = {.csv = !json};
    if (out && strcmp(out, "-") == 0)
        out = NULL;
    prf_status_t failed = out ? to_file(&sink, access.farm, campaign, out, &err) : to_stdout(&sink, access.farm, campaign, &err);
    prf_access_close(&access);
    if (failed)
        return prf_report(&err);
    if (out)
        fprintf(stderr, "prfarm: %llu measurements in %s\n", sink.rows, out);
    return 0;
}
