// SPDX-License-Identifier: Apache-2.0
#include "export_rows.h"

#include <string.h>

#include "layer/layer_json.h"

static const char *const results_before[] = {"sequence", "campaign", "kind",  "board", "point", "attempt",
                                             "role",     "layer",    "dtype", "block", NULL};
static const char *const results_after[] = {"outcome", "latency_ns",     "min_ns",    "ci_percent",   "repeats",
                                            "taint",   "temperature_mc", "clock_khz", "load_percent", "wall_ms",
                                            "busy_ns", "duplicate",      "error",     "energy_nj",    NULL};
static const char *const sweeps_before[] = {"campaign", "kind", "layer", "dtype", "block", NULL};
static const char *const sweeps_after[] = {"latency_ns", NULL};
static const char *const evaluation_before[] = {"campaign", "kind", "model_version", "layer", "dtype", "block", NULL};
static const char *const evaluation_after[] = {"measured_ns", "repeats_ns", "estimated_ns", "low_ns", "high_ns", "outside", NULL};

const prf_export_table_t prf_export_results = {"results", "measurements", results_before, results_after};
const prf_export_table_t prf_export_sweeps = {"sweeps", "points of sweeps", sweeps_before, sweeps_after};
const prf_export_table_t prf_export_evaluation = {"evaluation", "validation layers", evaluation_before, evaluation_after};

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

static void put_number(FILE *out, const json_t *value)
{
    if (json_is_integer(value))
        fprintf(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        fprintf(out, "%.12g", json_real_value(value));
}

/* A list of numbers has spaces between them. */
static void put_field(FILE *out, const json_t *value)
{
    if (json_is_string(value))
        put_text(out, json_string_value(value));
    else if (json_is_boolean(value))
        fputs(json_is_true(value) ? "true" : "false", out);
    else if (json_is_array(value)) {
        size_t i;
        json_t *item;
        json_array_foreach(value, i, item)
        {
            if (i)
                fputc(' ', out);
            put_number(out, item);
        }
    } else
        put_number(out, value);
}

void prf_export_put_header(const prf_export_sink_t *sink)
{
    const char *const *name;
    if (!sink->csv)
        return;
    for (name = sink->table->before; *name; name++)
        fprintf(sink->out, "%s%s", name == sink->table->before ? "" : ",", *name);
    for (int p = 0; p < PRF_PARAMS; p++)
        fprintf(sink->out, ",%s", prf_param_name((prf_param_t)p));
    for (name = sink->table->after; *name; name++)
        fprintf(sink->out, ",%s", *name);
    fputc('\n', sink->out);
}

void prf_export_put_row(prf_export_sink_t *sink, const json_t *row)
{
    const char *const *name;
    const json_t *params = json_object_get(row, "params");
    sink->rows++;
    if (!sink->csv) {
        json_dumpf(row, sink->out, JSON_COMPACT | JSON_REAL_PRECISION(12));
        fputc('\n', sink->out);
        return;
    }
    for (name = sink->table->before; *name; name++) {
        if (name != sink->table->before)
            fputc(',', sink->out);
        put_field(sink->out, json_object_get(row, *name));
    }
    for (int p = 0; p < PRF_PARAMS; p++) {
        fputc(',', sink->out);
        put_field(sink->out, json_object_get(params, prf_param_name((prf_param_t)p)));
    }
    for (name = sink->table->after; *name; name++) {
        fputc(',', sink->out);
        put_field(sink->out, json_object_get(row, *name));
    }
    fputc('\n', sink->out);
}

void prf_export_describe(json_t *row, const char *block_text)
{
    prf_block_t block;
    bool known = prf_block_parse(&block, block_text, NULL) == PRF_OK;
    json_object_set_new(row, "block", json_string(block_text));
    json_object_set_new(row, "layer", json_string(known ? prf_layer_kind_name(block.layers[0].kind) : ""));
    json_object_set_new(row, "dtype", json_string(known ? prf_dtype_name(block.dtype) : ""));
    json_object_set_new(row, "params", known ? prf_layer_params_json(&block.layers[0]) : json_object());
}
