// SPDX-License-Identifier: Apache-2.0
/* model.c - `prfarm model`: what a model file knows, how good it is and where it comes from; `list` is in versions.c. */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "cli.h"
#include "model/model.h"
#include "versions.h"

typedef struct {
    const char *path;
    prf_model_t *model;
    size_t bytes;
    char digest[PRF_DIGEST_HEX];
} shown_t;

static prf_status_t load(shown_t *s, prf_error_t *err)
{
    char *bytes;
    prf_status_t status = prf_file_read(s->path, PRF_MODEL_MAX_BYTES, &bytes, &s->bytes, err);
    if (status)
        return status;
    prf_digest_t digest;
    prf_digest(&digest, bytes, s->bytes);
    prf_digest_hex(&digest, s->digest);
    status = prf_model_decode(&s->model, bytes, s->bytes, err);
    free(bytes);
    return status ? prf_fail_prefix(err, status, "%s", s->path) : PRF_OK;
}

static json_t *metrics_to_json(const prf_metrics_t *m)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "count", (json_int_t)m->count, "mape_percent",
                     prf_json_real(m->mape_percent), "rmspe_percent", prf_json_real(m->rmspe_percent), "median_percent",
                     prf_json_real(m->median_percent), "r2", prf_json_real(m->r2), "spearman", prf_json_real(m->spearman),
                     "within_5_percent", prf_json_real(m->within_5_percent), "within_10_percent",
                     prf_json_real(m->within_10_percent));
}

static json_t *layer_to_json(const prf_model_layer_t *l)
{
    json_t *steps = json_object(), *range = json_object();
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(&l->space, params);
    for (size_t i = 0; i < count; i++) {
        int32_t low, high;
        prf_space_bounds(&l->space, params[i], &low, &high);
        json_object_set_new(range, prf_param_name(params[i]), json_pack("[i, i]", low, high));
        json_object_set_new(steps, prf_param_name(params[i]), json_integer(l->steps.width[params[i]]));
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:o}", "layer", prf_layer_kind_name(l->kind), "dtype",
                     prf_dtype_name(l->dtype), "regressor", l->regressor, "samples", (json_int_t)l->samples, "steps", steps,
                     "range", range, "validation", metrics_to_json(&l->validation));
}

static json_t *to_json(const shown_t *s)
{
    const prf_provenance_t *p = prf_model_provenance(s->model);
    json_t *layers = json_array(), *extras = json_array();
    for (size_t i = 0; i < prf_model_layer_count(s->model); i++) {
        prf_model_layer_t layer;
        prf_model_layer(s->model, i, &layer);
        json_array_append_new(layers, layer_to_json(&layer));
    }
    const char *names[PRF_MODEL_EXTRAS];
    size_t count = prf_model_extras(s->model, names);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(extras, json_string(names[i]));
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "kind", prf_model_kind(s->model),
                     "digest", s->digest, "bytes", (json_int_t)s->bytes, "campaign", p->campaign, "fingerprint", p->fingerprint,
                     "seed", (json_int_t)p->seed, "samples", (json_int_t)p->samples, "sweep_samples", (json_int_t)p->sweep_samples,
                     "repeatability_percent", prf_json_real(p->repeatability_percent), "random_baseline_mape_percent",
                     prf_json_real(p->random_baseline_percent), "validation", metrics_to_json(&p->validation), "extras", extras,
                     "layers", layers);
}

/* "c=16 k=8": the widths above 1 of the parameters that vary. */
static void format_steps(const prf_model_layer_t *l, char text[PRF_CELL])
{
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(&l->space, params), used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && used < PRF_CELL; i++)
        if (l->steps.width[params[i]] > 1)
            used += (size_t)snprintf(text + used, PRF_CELL - used, "%s%s=%d", used ? " " : "", prf_param_name(params[i]),
                                     l->steps.width[params[i]]);
    if (!used)
        snprintf(text, PRF_CELL, "none");
}

static void format_range(const prf_model_layer_t *l, char text[PRF_CELL])
{
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(&l->space, params), used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && used < PRF_CELL; i++) {
        int32_t low, high;
        prf_space_bounds(&l->space, params[i], &low, &high);
        used +=
            (size_t)snprintf(text + used, PRF_CELL - used, "%s%s=%d..%d", used ? " " : "", prf_param_name(params[i]), low, high);
    }
}

static void print_layers(const shown_t *s, const prf_terminal_t *terminal)
{
    prf_table_t *table = prf_table_new("layer|dtype|samples>|MAPE>|within 10 %>|steps|model|trained on");
    for (size_t i = 0; i < prf_model_layer_count(s->model); i++) {
        prf_model_layer_t l;
        char mape[PRF_HUMAN], within[PRF_HUMAN], steps[PRF_CELL], range[PRF_CELL];
        prf_model_layer(s->model, i, &l);
        format_steps(&l, steps);
        format_range(&l, range);
        prf_table_cell(table, "%s", prf_layer_kind_name(l.kind));
        prf_table_cell(table, "%s", prf_dtype_name(l.dtype));
        prf_table_cell(table, "%u", l.samples);
        prf_table_cell(table, "%s", prf_human_percent(l.validation.mape_percent, mape));
        prf_table_cell(table, "%s", prf_human_percent(l.validation.within_10_percent, within));
        prf_table_cell(table, "%s", steps);
        prf_table_cell(table, "%s", l.regressor);
        prf_table_cell(table, "%s", range);
    }
    prf_table_print(&table, terminal);
}

static void print_model(const shown_t *s)
{
    const prf_provenance_t *p = prf_model_provenance(s->model);
    prf_terminal_t terminal;
    prf_terminal_init(&terminal, stdout);
    char mape[PRF_HUMAN], repeat[PRF_HUMAN], random[PRF_HUMAN], size[PRF_HUMAN];
    printf("%sModel of '%s'%s, %s, digest %s\n", prf_bold(&terminal), prf_model_kind(s->model), prf_plain(&terminal),
           prf_human_bytes((double)s->bytes, size), s->digest);
    printf("from campaign '%s' (seed %llu) on %s\n", p->campaign[0] ? p->campaign : "-", (unsigned long long)p->seed,
           p->fingerprint[0] ? p->fingerprint : "an unnamed runtime");
    printf("%u layers measured, %u of them to find the steps\n", p->samples, p->sweep_samples);
    printf("MAPE %s on %u layers never trained on; two measurements of one layer differ by %s; random sampling: %s\n\n",
           prf_human_percent(p->validation.mape_percent, mape), p->validation.count,
           prf_human_percent(p->repeatability_percent, repeat), prf_human_percent(p->random_baseline_percent, random));
    print_layers(s, &terminal);
}

static const prf_usage_t usage = {
    .name = "model",
    .synopsis = "show FILE.prfm | list [KIND] [--farm FARM | --dir DIR]",
    .purpose = "Shows what a model file knows; lists the versions that a farm has.",
    .text = "show: for each kind of layer how many were measured, the error on layers that the model\n"
            "never saw (MAPE: mean of |estimate - measured| / measured), the step widths found\n"
            "(c=16: the latency changes every 16 channels), and the range that was trained on.\n"
            "Outside that range estimates are marked and worth less.\n\n"
            "  prfarm model show first/models/cpu.prfm\n\n"
            "list: every version of a kind's model, where it comes from and which boards run it; the\n"
            "current one is what they are to run. 'prfarm rollback' makes another one the current.\n\n"
            "  prfarm model list cpu --dir first\n",
    .least = 1,
    .most = 2,
};

static int show(const char *path, bool json)
{
    prf_error_t err = {0};
    shown_t s = {.path = path};
    if (load(&s, &err) != PRF_OK)
        return prf_report(&err);
    int code = 0;
    if (json)
        code = prf_print_json(to_json(&s));
    else
        print_model(&s);
    prf_model_destroy(&s.model);
    return code;
}

int prf_cmd_model(int argc, char **argv)
{
    prf_where_t where;
    bool json = false;
    const prf_option_t options[] = {{.name = "json", .help = "print JSON", .flag = &json}, {.name = NULL}};
    prf_words_t words = {0};
    int code;
    if (!prf_where_parse(&where, &usage, options, argc, argv, &words, &code))
        return code;
    if (strcmp(words.items[0], "list") == 0)
        return prf_versions_list(words.count > 1 ? words.items[1] : "", &where, json);
    if (strcmp(words.items[0], "show") == 0 && words.count > 1)
        return show(words.items[1], json);
    prf_error_t err = {0};
    if (strcmp(words.items[0], "show") == 0)
        prf_fail(&err, PRF_EUSAGE, "too little for 'model show': name a file, as in 'model show FILE.prfm'");
    else
        prf_fail(&err, PRF_EUSAGE, "there is no 'model %.40s': use 'model show FILE.prfm' or 'model list [KIND]'", words.items[0]);
    return prf_report(&err);
}
