// SPDX-License-Identifier: Apache-2.0
/* diff.c - `prfarm diff`: what changed between two models, be they of one board at two times or of two boards. The document for
 * --json comes first (diff_document.h), and the tables are printed from it. */
#include "diff_document.h"

#include <math.h>
#include <string.h>

#include "cli.h"
#include "model_source.h"

enum { MOST_LAYERS = 5 };

/* How the numbers of a pair are written. */
typedef enum { PLAIN, PERCENT, NS } unit_t;

static const char *side(const json_t *value, unit_t unit, char text[PRF_HUMAN])
{
    if (json_is_string(value))
        return json_string_value(value);
    if (!json_is_number(value))
        return "-";
    if (unit == PERCENT)
        return prf_human_percent(json_number_value(value), text);
    if (unit == NS)
        return prf_human_ns(json_number_value(value), text);
    snprintf(text, PRF_HUMAN, "%.4g", json_number_value(value));
    return text;
}

static void print_facts(const json_t *document, const prf_terminal_t *terminal)
{
    static const struct {
        const char *key, *name;
        unit_t unit;
    } facts[] = {{"kind", "board", PLAIN},
                 {"fingerprint", "runtime", PLAIN},
                 {"campaign", "campaign", PLAIN},
                 {"from", "began with the model of", PLAIN},
                 {"samples", "layers measured", PLAIN},
                 {"sweep_samples", "of them to find steps", PLAIN},
                 {"mape_percent", "MAPE", PERCENT},
                 {"repeatability_percent", "repeatability", PERCENT},
                 {"random_baseline_mape_percent", "random sampling", PERCENT},
                 {"between_ns", "between blocks", NS}};
    const json_t *a = json_object_get(document, "a"), *b = json_object_get(document, "b");
    prf_table_t *table = prf_table_new("fact|A|B|changed");
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        const json_t *x = json_object_get(a, facts[i].key), *y = json_object_get(b, facts[i].key);
        char text[PRF_HUMAN];
        if (json_is_null(x) && json_is_null(y))
            continue;
        prf_table_cell(table, "%s", facts[i].name);
        prf_table_cell(table, "%.60s", side(x, facts[i].unit, text));
        prf_table_cell(table, "%.60s", side(y, facts[i].unit, text));
        prf_table_cell(table, "%s", json_equal(x, y) ? "" : "*");
    }
    prf_table_print(&table, terminal);
}

/* "c: 16 -> 8, k: none -> 32" */
static void steps_text(const json_t *steps, char text[PRF_CELL])
{
    const char *param;
    json_t *pair;
    size_t used = 0;
    text[0] = '\0';
    json_object_foreach((json_t *)steps, param, pair)
    {
        for (size_t k = 0; k < 2 && used < PRF_CELL; k++) {
            json_int_t width = json_integer_value(json_array_get(pair, k));
            used += (size_t)(k ? snprintf(text + used, PRF_CELL - used, " -> ")
                               : snprintf(text + used, PRF_CELL - used, "%s%s: ", used ? ", " : "", param));
            if (used < PRF_CELL && width > 1)
                used += (size_t)snprintf(text + used, PRF_CELL - used, "%lld", (long long)width);
            else if (used < PRF_CELL)
                used += (size_t)snprintf(text + used, PRF_CELL - used, "none");
        }
    }
}

static void pair_text(const json_t *pair, unit_t unit, char text[PRF_CELL])
{
    char a[PRF_HUMAN], b[PRF_HUMAN];
    const char *before = side(json_array_get(pair, 0), unit, a), *after = side(json_array_get(pair, 1), unit, b);
    if (strcmp(before, after) == 0)
        snprintf(text, PRF_CELL, "%s", before);
    else
        snprintf(text, PRF_CELL, "%s -> %s", before, after);
}

static const char *signed_percent(double percent, char text[PRF_HUMAN])
{
    if (isfinite(percent))
        snprintf(text, PRF_HUMAN, "%+.*f %%", fabs(percent) < 9.995 ? 2 : fabs(percent) < 99.95 ? 1 : 0, percent);
    else
        snprintf(text, PRF_HUMAN, "-");
    return text;
}

static void print_layers(const json_t *layers, const prf_terminal_t *terminal)
{
    prf_table_t *table = prf_table_new("layer|dtype|in|model|MAPE|steps that changed|layers>|median>|9 of 10 within");
    size_t i;
    json_t *l;
    json_array_foreach(layers, i, l)
    {
        char text[PRF_CELL], low[PRF_HUMAN], high[PRF_HUMAN];
        prf_table_cell(table, "%s", prf_json_text(l, "layer", "?"));
        prf_table_cell(table, "%s", prf_json_text(l, "dtype", "?"));
        prf_table_cell(table, "%s", prf_json_text(l, "in", "?"));
        pair_text(json_object_get(l, "regressor"), PLAIN, text);
        prf_table_cell(table, "%s", text);
        pair_text(json_object_get(l, "mape_percent"), PERCENT, text);
        prf_table_cell(table, "%s", text);
        steps_text(json_object_get(l, "steps"), text);
        prf_table_cell(table, "%s", text);
        prf_table_cell(table, "%.0f", prf_json_number(l, "compared", 0));
        prf_table_cell(table, "%s", signed_percent(prf_json_number(l, "median_percent", NAN), low));
        if (prf_json_number(l, "compared", 0) > 0)
            prf_table_cell(table, "%s to %s", signed_percent(prf_json_number(l, "p5_percent", NAN), low),
                           signed_percent(prf_json_number(l, "p95_percent", NAN), high));
        else
            prf_table_cell(table, "-");
    }
    printf("\nlayers: B against A, on layers that both were trained on\n");
    prf_table_print(&table, terminal);
}

static void print_fusion(const json_t *fusion, const prf_terminal_t *terminal)
{
    prf_table_t *table = prf_table_new("layer|dtype|followed by|A|B");
    size_t i, changed = 0;
    json_t *rule;
    json_array_foreach(fusion, i, rule)
    {
        char text[PRF_HUMAN];
        if (!json_is_true(json_object_get(rule, "changed")))
            continue;
        changed++;
        prf_table_cell(table, "%s", prf_json_text(rule, "layer", "?"));
        prf_table_cell(table, "%s", prf_json_text(rule, "dtype", "?"));
        prf_table_cell(table, "%s", prf_json_text(rule, "follower", "?"));
        prf_table_cell(table, "%s", side(json_array_get(json_object_get(rule, "rule"), 0), PLAIN, text));
        prf_table_cell(table, "%s", side(json_array_get(json_object_get(rule, "rule"), 1), PLAIN, text));
    }
    if (changed) {
        printf("\nfusion rules that changed\n");
        prf_table_print(&table, terminal);
    }
    prf_table_destroy(&table);
}

/* Rows of estimates by both; `title` is the first column's. */
static void print_estimates(const json_t *rows, const char *title, const char *key, size_t most, const prf_terminal_t *terminal)
{
    char header[PRF_CELL], a[PRF_HUMAN], b[PRF_HUMAN], percent[PRF_HUMAN];
    snprintf(header, sizeof header, "change>|A>|B>|%s", title);
    prf_table_t *table = prf_table_new(header);
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (i == most)
            break;
        prf_table_cell(table, "%s", signed_percent(prf_json_number(row, "change_percent", NAN), percent));
        prf_table_cell(table, "%s", prf_human_ns(prf_json_number(row, "a_ns", NAN), a));
        prf_table_cell(table, "%s", prf_human_ns(prf_json_number(row, "b_ns", NAN), b));
        prf_table_cell(table, "%.90s", prf_json_text(row, key, "?"));
    }
    if (i) {
        fputc('\n', stdout);
        prf_table_print(&table, terminal);
    }
    prf_table_destroy(&table);
}

static void print_document(const json_t *document)
{
    prf_terminal_t terminal;
    prf_terminal_init(&terminal, stdout);
    const json_t *a = json_object_get(document, "a"), *b = json_object_get(document, "b");
    printf("A: %s, digest %s\nB: %s, digest %s\n", prf_json_text(a, "model", "?"), prf_json_text(a, "digest", "?"),
           prf_json_text(b, "model", "?"), prf_json_text(b, "digest", "?"));
    if (json_is_true(json_object_get(document, "identical"))) {
        printf("they are the same, byte for byte\n");
        return;
    }
    fputc('\n', stdout);
    print_facts(document, &terminal);
    print_layers(json_object_get(document, "layers"), &terminal);
    print_fusion(json_object_get(document, "fusion"), &terminal);
    print_estimates(json_object_get(document, "differ_most"), "layers that differ most", "layer", MOST_LAYERS, &terminal);
    print_estimates(json_object_get(document, "networks"), "network, as far as both know it", "network", SIZE_MAX, &terminal);
}

/* For a script: whether they agree as far as was asked. Errors: PRF_EDIFFERS, PRF_EUNSUPPORTED (they have nothing in common). */
static prf_status_t judge(const json_t *document, double limit, prf_error_t *err)
{
    size_t i, compared = 0;
    json_t *row;
    json_array_foreach(json_object_get(document, "layers"), i, row)
    {
        double median = prf_json_number(row, "median_percent", NAN);
        compared += isfinite(median) ? 1 : 0;
        if (fabs(median) > limit)
            return prf_fail(err, PRF_EDIFFERS, "%s %s: the median differs by %+.3g %%, more than --check %g allows",
                            prf_json_text(row, "layer", "?"), prf_json_text(row, "dtype", "?"), median, limit);
    }
    json_array_foreach(json_object_get(document, "networks"), i, row)
    {
        double change = prf_json_number(row, "change_percent", NAN);
        compared += isfinite(change) ? 1 : 0;
        if (fabs(change) > limit)
            return prf_fail(err, PRF_EDIFFERS, "%s: the latency differs by %+.3g %%, more than --check %g allows",
                            prf_json_text(row, "network", "?"), change, limit);
    }
    return compared ? PRF_OK
                    : prf_fail(err, PRF_EUNSUPPORTED,
                               "the models have no layers in common, so --check has nothing to judge: compare models "
                               "of the same layers and data type");
}

typedef struct {
    prf_words_t networks;
    uint64_t layers, seed;
    double limit; /* NaN: none */
    bool json;
    prf_where_t where;
} request_t;

static int answer(const request_t *r, const prf_words_t *models)
{
    prf_error_t err = {0};
    prf_model_file_t files[2] = {{.path = NULL}, {.path = NULL}};
    prf_model_source_t source = {.where = &r->where};
    json_t *document = NULL;
    int code = 0;
    prf_status_t status = PRF_OK;
    for (size_t i = 0; i < 2 && !status; i++)
        status = prf_model_source_take(&source, models->items[i], &files[i], &err);
    prf_model_source_close(&source);
    const prf_diff_request_t request = {&files[0], &files[1], &r->networks, (size_t)r->layers, r->seed, r->limit};
    if (!status)
        status = prf_diff_document(&request, &document, &err);
    if (status)
        code = prf_report(&err);
    else if (r->json)
        code = prf_print_json(json_incref(document));
    else
        print_document(document);
    if (!status && !code && !isnan(r->limit) && !json_is_true(json_object_get(document, "identical")) &&
        judge(document, r->limit, &err) != PRF_OK)
        code = prf_report(&err);
    json_decref(document);
    for (size_t i = 0; i < 2; i++)
        prf_model_file_release(&files[i]);
    return code;
}

static const prf_usage_t usage = {
    .name = "diff",
    .synopsis = "A.prfm B.prfm [--network NET.onnx]... [--check PERCENT]",
    .purpose = "Shows what changed between two models: of one board at two times, or of two boards.",
    .text = "Where they come from, which kinds of layers one of them has more, steps and fusion rules that\n"
            "changed, and what they estimate: for each kind of layer on layers that both were trained on,\n"
            "and for networks. With --farm or --dir also KIND, or KIND@VERSION, is a model.\n\n"
            "  prfarm diff old/models/cpu.prfm new/models/cpu.prfm --network resnet18.onnx\n"
            "  prfarm diff cpu@1 cpu@2 --dir first\n\n"
            "However much they differ, it ends with 0, unless with --check: when the median of a kind of\n"
            "layer, or the latency of a network, differs by more than PERCENT, it ends with 1.\n\n"
            "  prfarm diff reference.prfm first/models/cpu.prfm --check 5 || echo 'the board has changed'\n",
    .complete = ".prfm",
    .least = 2,
    .most = 2,
};

int prf_cmd_diff(int argc, char **argv)
{
    request_t r = {.layers = 200, .seed = 1, .limit = NAN};
    const prf_option_t options[] = {
        {.name = "network",
         .value = "NET.onnx",
         .help = "also compare what they estimate for this network; may be given several times",
         .list = &r.networks},
        {.name = "check",
         .value = "PERCENT",
         .help = "end with 1 when a median, or a network, differs by more than this",
         .real = &r.limit,
         .lo = 0,
         .hi = 1e6},
        {.name = "layers",
         .value = "N",
         .help = "layers to compare of each kind (200)",
         .number = &r.layers,
         .lo = 1,
         .hi = 100000},
        {.name = "seed", .value = "N", .help = "another one draws other layers (1)", .number = &r.seed, .lo = 0, .hi = 1e15},
        {.name = "json", .help = "print JSON", .flag = &r.json},
        {.name = NULL},
    };
    prf_words_t words;
    int code = 0;
    if (!prf_where_parse(&r.where, &usage, options, argc, argv, &words, &code))
        return code;
    return answer(&r, &words);
}
