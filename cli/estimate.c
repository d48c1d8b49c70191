// SPDX-License-Identifier: Apache-2.0
/* estimate.c - `prfarm estimate`: what a network, or layers named on the command line, would take on the board of a model.
 * Layers on the command line become a network of their own, so that both ways end in the same tables and the same JSON. With
 * --measure-missing what the model cannot answer for is measured on a farm's boards, and nothing else. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "layer/layer_json.h"
#include "networks.h"
#include "points.h"
#include "signals.h"

typedef struct {
    const char *model_path, *board, *dtype_name, *network_path, *cache; /* borrowed */
    prf_words_t layers;
    uint64_t batch;
    bool measure_missing, json;
    prf_where_t where;
} request_t;

typedef struct {
    const request_t *request;
    prf_model_t *model;
    prf_dtype_t dtype;
    prf_network_t network;
    prf_network_estimate_t sum;
    prf_network_estimate_t energy; /* nanojoules; without blocks where the model has no energy */
    const char **measured; /* owned; for each block: NULL, "" (measured), or why the board could not (borrowed from results) */
    json_t *results;       /* owned; NULL: nothing was missing */
    size_t known;          /* of these, what the farm had measured before */
} answer_t;

static void release(answer_t *a)
{
    free(a->measured);
    json_decref(a->results);
    prf_network_estimate_release(&a->sum);
    prf_network_estimate_release(&a->energy);
    prf_network_release(&a->network);
    prf_model_destroy(&a->model);
}

static prf_status_t layers_named(const request_t *r, prf_network_t *out, prf_error_t *err)
{
    prf_status_t status = prf_network_of_texts(out, r->layers.items, r->layers.count, err);
    return status ? prf_fail_prefix(err, status, "--layer") : PRF_OK;
}

/* --dtype, or the one that the model was trained on. */
static prf_status_t choose_dtype(answer_t *a, prf_error_t *err)
{
    if (a->request->dtype_name)
        return prf_dtype_parse(a->request->dtype_name, &a->dtype, err);
    prf_model_layer_t layer;
    if (prf_model_layer_count(a->model) == 0)
        return prf_fail(err, PRF_EINVAL, "the model of %s knows no layer: train it on some, or use another one",
                        prf_model_kind(a->model));
    prf_model_layer(a->model, 0, &layer);
    a->dtype = layer.dtype;
    return PRF_OK;
}

/* The farm's current one of the kind. */
static prf_status_t fetch_model(answer_t *a, const prf_access_t *access, prf_error_t *err)
{
    void *bytes;
    size_t len;
    unsigned version = 0;
    prf_status_t status = prf_farm_model(access->farm, a->request->board, &version, &bytes, &len, err);
    if (status)
        return status;
    status = prf_model_decode(&a->model, bytes, len, err);
    free(bytes);
    return status ? prf_fail_prefix(err, status, "model of %s, version %u", a->request->board, version) : PRF_OK;
}

static bool missing(const prf_estimate_t *e)
{
    return isnan(e->latency_ns) || e->outside;
}

/* Results are in the order of the blocks that were missing. */
static void take_results(answer_t *a)
{
    size_t next = 0;
    for (size_t i = 0; i < a->sum.block_count; i++) {
        if (!missing(&a->sum.blocks[i]))
            continue;
        const json_t *result = json_array_get(a->results, next++);
        double ns = prf_points_latency(result);
        a->measured[i] = isnan(ns) ? prf_json_text(result, "error", "?") : "";
        if (!isnan(ns))
            prf_network_estimate_replace(&a->sum, i, ns);
    }
}

/* Has the board measure each block that the model does not cover or was not trained for. */
static prf_status_t measure_missing(answer_t *a, prf_access_t *access, prf_error_t *err)
{
    json_t *items = json_array();
    a->measured = calloc(a->sum.block_count + 1, sizeof *a->measured);
    if (!a->measured || !items) {
        json_decref(items);
        return prf_fail(err, PRF_ENOMEM, "blocks to measure");
    }
    for (size_t i = 0; i < a->sum.block_count; i++) {
        char text[PRF_BLOCK_TEXT];
        if (!missing(&a->sum.blocks[i]))
            continue;
        prf_block_format(&a->network.blocks[i].block, text);
        json_array_append_new(items, json_pack("{s:[s]}", "blocks", text));
    }
    if (json_array_size(items) == 0) {
        json_decref(items);
        return PRF_OK;
    }
    /* Only now is a live board needed: an ended run may have given the model. */
    prf_access_close(access);
    prf_status_t status = prf_points_open(access, &a->request->where, err);
    if (status)
        json_decref(items);
    else
        status = prf_points_measure(access, prf_model_kind(a->model), a->request->cache, items, &a->results, &a->known, err);
    if (!status)
        take_results(a);
    return status;
}

static prf_status_t compute_with(answer_t *a, prf_access_t *access, prf_error_t *err)
{
    const request_t *r = a->request;
    prf_status_t status = r->board ? fetch_model(a, access, err) : prf_model_load(&a->model, r->model_path, err);
    if (!status)
        status = choose_dtype(a, err);
    if (!status && r->network_path)
        status = prf_network_load(&a->network, r->network_path, a->dtype, (uint32_t)r->batch, err);
    else if (!status)
        status = layers_named(r, &a->network, err);
    if (!status)
        status = prf_network_estimate(&a->sum, a->model, &a->network, err);
    if (!status && prf_model_energy(a->model))
        status = prf_network_estimate(&a->energy, prf_model_energy(a->model), &a->network, err);
    if (!status && r->measure_missing)
        status = measure_missing(a, access, err);
    if (!status && a->sum.covered == 0) {
        const prf_block_t *first = &a->network.blocks[0].block;
        status = prf_model_estimate(a->model, first, NULL, &a->sum.blocks[0], err); /* says what is missing */
        status = prf_fail_prefix(err, status, "nothing to estimate");
    }
    return status;
}

/* A farm is asked only where it is needed. */
static prf_status_t compute(answer_t *a, prf_error_t *err)
{
    const request_t *r = a->request;
    prf_access_t access = {.farm = NULL};
    prf_status_t status = PRF_OK;
    if (r->measure_missing || r->board)
        prf_signals_catch();
    if (r->board)
        status = prf_access_open(&access, &r->where, err);
    if (!status)
        status = compute_with(a, &access, err);
    prf_access_close(&access);
    return status;
}

/* Whole numbers as far as JSON readers keep them exactly. */
static json_t *macs_to_json(double macs)
{
    return macs < 9007199254740992.0 ? json_integer((json_int_t)macs) : json_real(macs);
}

static bool was_measured(const answer_t *a, size_t block)
{
    return a->measured && a->measured[block] && !*a->measured[block];
}

/* Blocks whose activation is taken as free because the model has no rule for it. */
static size_t count_unruled(const answer_t *a)
{
    size_t count = 0;
    for (size_t i = 0; i < a->sum.block_count; i++)
        count += !isnan(a->sum.blocks[i].latency_ns) && !was_measured(a, i) &&
                 !prf_model_rules_cover(a->model, &a->network.blocks[i].block);
    return count;
}

static json_t *nj_to_json(const char *what, double nj, double low_nj, double high_nj)
{
    return isnan(nj) ? json_null() : json_pack("{s:f, s:f, s:f}", what, nj, "low_nj", low_nj, "high_nj", high_nj);
}

/* Null where the model does not know it. */
static json_t *layer_energy_to_json(const answer_t *a, size_t block)
{
    const prf_estimate_t *e = a->energy.block_count ? &a->energy.blocks[block] : NULL;
    return e ? nj_to_json("estimate_nj", e->latency_ns, e->low_ns, e->high_ns) : json_null();
}

static json_t *energy_to_json(const prf_network_estimate_t *energy)
{
    if (energy->covered == 0)
        return json_null();
    json_t *out = nj_to_json("total_nj", energy->total_ns, energy->low_ns, energy->high_ns);
    json_object_set_new(out, "between_nj", prf_json_real(energy->between_ns));
    json_object_set_new(out, "covered", json_integer((json_int_t)energy->covered));
    return out;
}

static json_t *layer_to_json(const answer_t *a, size_t block)
{
    const prf_network_block_t *b = &a->network.blocks[block];
    const prf_estimate_t *e = &a->sum.blocks[block];
    json_t *with = json_array();
    for (uint32_t i = 1; i < b->block.count; i++) {
        const prf_layer_t *l = &b->block.layers[i];
        bool activation = l->kind == PRF_ACTIVATION;
        const char *name = activation ? prf_activation_name((prf_activation_t)l->p[PRF_P_FN]) : prf_layer_kind_name(l->kind);
        json_array_append_new(with, json_string(name));
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o}", "name", b->name, "kind",
                     prf_layer_kind_name(b->block.layers[0].kind), "params", prf_layer_params_json(&b->block.layers[0]), "with",
                     with, "macs", macs_to_json(prf_block_macs(&b->block)), "estimate_ns", prf_json_real(e->latency_ns), "low_ns",
                     prf_json_real(e->low_ns), "high_ns", prf_json_real(e->high_ns), "outside", (int)e->outside, "measured",
                     (int)was_measured(a, block), "energy", layer_energy_to_json(a, block));
}

static json_t *unsupported_to_json(const answer_t *a)
{
    json_t *list = prf_network_left_out(&a->network);
    for (size_t i = 0; i < a->sum.block_count; i++) {
        const prf_network_block_t *b = &a->network.blocks[i];
        if (isnan(a->sum.blocks[i].latency_ns))
            json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "op", prf_layer_kind_name(b->block.layers[0].kind), "name",
                                                  b->name, "treatment", "not in the model: left out of the total"));
    }
    return list;
}

static json_t *to_json(const answer_t *a)
{
    json_t *layers = json_array(), *notes = json_array();
    for (size_t i = 0; i < a->sum.block_count; i++)
        json_array_append_new(layers, layer_to_json(a, i));
    for (size_t i = 0; i < a->network.note_count; i++) {
        const prf_network_note_t *n = &a->network.notes[i];
        if (!n->unknown)
            json_array_append_new(notes, json_pack("{s:s, s:s, s:s}", "op", n->op, "name", n->name, "treatment", n->treatment));
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:f, s:f, s:o, s:I, s:I, s:o, s:o, s:o, s:o}", "network", a->network.name,
                     "kind", prf_model_kind(a->model), "dtype", prf_dtype_name(a->network.blocks[0].block.dtype), "batch",
                     (json_int_t)a->request->batch, "total_ns", a->sum.total_ns, "low_ns", a->sum.low_ns, "high_ns", a->sum.high_ns,
                     "between_ns", a->sum.between_ns, "total_macs", macs_to_json(a->network.total_macs), "covered",
                     (json_int_t)a->sum.covered, "without_rule", (json_int_t)count_unruled(a), "layers", layers, "unsupported",
                     unsupported_to_json(a), "notes", notes, "energy", energy_to_json(&a->energy));
}

static bool any_outside(const prf_network_estimate_t *sum)
{
    for (size_t i = 0; i < sum->block_count; i++)
        if (sum->blocks[i].outside)
            return true;
    return false;
}

/* So that the shares add up. */
static void add_between_row(prf_table_t *table, const answer_t *a, bool any_outside)
{
    char ns[PRF_HUMAN], each[PRF_HUMAN], share[PRF_HUMAN];
    if (!(a->sum.between_ns > 0))
        return;
    prf_table_cell(table, "between blocks");
    prf_table_cell(table, "-");
    prf_table_cell(table, "%zu times %s", a->sum.covered - 1, prf_human_ns(prf_model_between_ns(a->model), each));
    prf_table_cell(table, "%s%s", prf_human_ns(a->sum.between_ns, ns), any_outside ? "  " : "");
    prf_table_cell(table, "%s", prf_human_percent(100 * a->sum.between_ns / a->sum.total_ns, share));
    prf_table_cell(table, "-");
    if (a->energy.covered)
        prf_table_cell(table, "%s", prf_human_nj(a->energy.between_ns, ns));
}

/* Returns whether any layer lies outside what was trained on. */
static bool print_rows(const answer_t *a, const prf_terminal_t *terminal)
{
    bool any = any_outside(&a->sum); /* then all numbers make room for the mark */
    char columns[PRF_CELL];
    snprintf(columns, sizeof columns, "layer|kind|parameters|estimate%s>|share>|90 %% of cases%s", any ? "  " : "",
             a->energy.covered ? "|energy>" : "");
    prf_table_t *table = prf_table_new(columns);
    for (size_t i = 0; i < a->sum.block_count; i++) {
        const prf_network_block_t *b = &a->network.blocks[i];
        const prf_estimate_t *e = &a->sum.blocks[i];
        char kind[PRF_CELL], params[PRF_CELL], ns[PRF_HUMAN], share[PRF_HUMAN], low[PRF_HUMAN], high[PRF_HUMAN];
        prf_network_kind(&b->block, kind, sizeof kind);
        prf_network_params(&b->block.layers[0], params, sizeof params);
        prf_table_cell(table, "%.40s", b->name);
        prf_table_cell(table, "%s", kind);
        prf_table_cell(table, "%s", params);
        prf_table_cell(table, "%s%s", prf_human_ns(e->latency_ns, ns), e->outside ? " *" : any ? "  " : "");
        bool known = !isnan(e->latency_ns);
        prf_table_cell(table, "%s", known ? prf_human_percent(100 * e->latency_ns / a->sum.total_ns, share) : "-");
        if (!known || was_measured(a, i))
            prf_table_cell(table, "%s", known ? "measured" : "not in the model");
        else
            prf_table_cell(table, "%s to %s", prf_human_ns(e->low_ns, low), prf_human_ns(e->high_ns, high));
        if (a->energy.covered)
            prf_table_cell(table, "%s", prf_human_nj(a->energy.blocks[i].latency_ns, ns));
    }
    add_between_row(table, a, any);
    prf_table_print(&table, terminal);
    return any;
}

typedef struct {
    const prf_network_note_t *note; /* borrowed */
} remark_t;

static int by_treatment(const void *a, const void *b)
{
    const prf_network_note_t *x = ((const remark_t *)a)->note, *y = ((const remark_t *)b)->note;
    int order = strcmp(x->op, y->op);
    return order ? order : strcmp(x->treatment, y->treatment);
}

/* One line for each operator and treatment, with how often it occurs. */
static void print_unknown(const prf_network_t *net)
{
    remark_t *unknown = malloc((net->note_count + 1) * sizeof *unknown);
    size_t count = 0;
    if (!unknown)
        return;
    for (size_t i = 0; i < net->note_count; i++)
        if (net->notes[i].unknown)
            unknown[count++].note = &net->notes[i];
    qsort(unknown, count, sizeof *unknown, by_treatment);
    for (size_t i = 0, same; i < count; i += same) {
        for (same = 1; i + same < count && by_treatment(&unknown[i], &unknown[i + same]) == 0; same++)
            continue;
        printf("%zu %s: %s\n", same, unknown[i].note->op, unknown[i].note->treatment);
    }
    if (net->note_count > count)
        printf("%zu operators were folded, cost nothing, only copy data or are simplified: --json lists them\n",
               net->note_count - count);
    free(unknown);
}

static void print_measured(const answer_t *a)
{
    size_t count = 0;
    for (size_t i = 0; i < a->sum.block_count; i++)
        count += was_measured(a, i);
    if (!a->results) {
        printf("nothing had to be measured: the model answers for all layers\n");
        return;
    }
    printf("measured because the model could not answer for them: %zu layers\n", count);
    if (a->known)
        printf("known from before: %zu of the %zu that were asked for\n", a->known, json_array_size(a->results));
    for (size_t i = 0; i < a->sum.block_count; i++)
        if (a->measured[i] && *a->measured[i])
            printf("not measured: %s: %s\n", a->network.blocks[i].name, a->measured[i]);
}

static int print_table(const answer_t *a)
{
    prf_terminal_t terminal;
    prf_terminal_init(&terminal, stdout);
    bool outside = print_rows(a, &terminal);
    char ns[PRF_HUMAN], low[PRF_HUMAN], high[PRF_HUMAN];
    printf("\n%s%s on %s: %s%s (%s to %s), %.0f MACs, %zu of %zu layers estimated\n", prf_bold(&terminal), a->network.name,
           prf_model_kind(a->model), prf_human_ns(a->sum.total_ns, ns), prf_plain(&terminal), prf_human_ns(a->sum.low_ns, low),
           prf_human_ns(a->sum.high_ns, high), a->network.total_macs, a->sum.covered, a->sum.block_count);
    if (a->energy.covered)
        printf("energy: %s (%s to %s), %zu of %zu layers estimated\n", prf_human_nj(a->energy.total_ns, ns),
               prf_human_nj(a->energy.low_ns, low), prf_human_nj(a->energy.high_ns, high), a->energy.covered,
               a->energy.block_count);
    size_t unruled = count_unruled(a);
    if (unruled)
        printf("%zu layer%s an activation behind %s that the model has no rule for: taken as free\n", unruled,
               unruled == 1 ? " has" : "s have", unruled == 1 ? "it" : "them");
    if (outside)
        printf("* outside the range that the model was trained on: expect a larger error\n");
    if (a->measured)
        print_measured(a);
    print_unknown(&a->network);
    return 0;
}

static const prf_usage_t usage = {
    .name = "estimate",
    .synopsis = "(--model FILE.prfm | --board KIND) (NET.onnx | --layer TEXT) [--measure-missing]",
    .purpose = "Estimates the latency of a network, or of single layers, on the board of a model.",
    .complete = ".onnx",
    .most = 2,
    .text = "A model file is what 'prfarm run' leaves in DIR/models, one for each kind of board;\n"
            "with --board the farm's current model of the kind is asked.\n"
            "The network is split into the blocks that a board executes as one (a convolution\n"
            "with its bias, batch norm and activation), each is estimated, and the sum printed.\n"
            "Operators that are not known, and layers that the model was not trained on, are\n"
            "listed and left out of the total; docs/networks.md tells what is done with each.\n\n"
            "  prfarm estimate --model first/models/cpu.prfm resnet18.onnx\n"
            "  prfarm estimate --model cpu.prfm --layer 'conv2d c=64 k=64 h=56 r=3 pad=1'\n"
            "  prfarm estimate --board zcu102 --measure-missing mobilenetv2.onnx\n\n"
            "With --measure-missing a board of the farm measures the layers that the model does not\n"
            "cover or was not trained for, and no others; their latencies stand in the sum.\n"
            "In --layer, what is left out has its usual default (n=1, w=h, s=r, stride=1,\n"
            "dtype=f32); ' + ' joins layers of one block: 'fc in=64 out=10 + relu'.\n",
};

static int answer(const request_t *request)
{
    answer_t a = {.request = request};
    prf_error_t err = {0};
    int code;
    if (compute(&a, &err) != PRF_OK)
        code = prf_report(&err);
    else if (request->json)
        code = prf_print_json(to_json(&a));
    else
        code = print_table(&a);
    release(&a);
    return code;
}

int prf_cmd_estimate(int argc, char **argv)
{
    request_t r = {.batch = 1, .cache = prf_cache_name(PRF_CACHE_SEMI_COLD)};
    const prf_option_t options[] = {
        {.name = "model", .value = "FILE.prfm", .help = "the model to ask", .text = &r.model_path},
        {.name = "board", .value = "KIND", .help = "ask the farm's current model of this kind of board", .text = &r.board},
        {.name = "measure-missing", .help = "measure on the farm what the model cannot answer for", .flag = &r.measure_missing},
        {.name = "cache",
         .value = "STATE",
         .help = "how to measure: semi-cold (default) or warm",
         .complete = "semi-cold warm",
         .text = &r.cache},
        {.name = "layer", .value = "TEXT", .help = "a layer or block instead of a network; may be repeated", .list = &r.layers},
        {.name = "batch",
         .value = "N",
         .help = "size of a batch dimension that the network leaves open (1)",
         .number = &r.batch,
         .lo = 1,
         .hi = 65536},
        {.name = "dtype",
         .value = "TYPE",
         .help = "the network's data type: f32, f16, bf16 or i8 (default: the model's)",
         .complete = "f32 f16 bf16 i8",
         .text = &r.dtype_name},
        {.name = "json", .help = "print JSON", .flag = &r.json},
        {.name = NULL},
    };
    prf_words_t words = {0};
    int code;
    if (!prf_where_parse(&r.where, &usage, options, argc, argv, &words, &code))
        return code;
    r.network_path = words.count ? words.items[0] : NULL;
    prf_error_t err = {0};
    const char *model = !r.model_path && words.count && strstr(words.items[0], ".prfm") ? words.items[0] : NULL;
    if (model)
        prf_fail(&err, PRF_EUSAGE, "%.200s is a model: give it with --model, as in prfarm estimate --model %.200s %s", model, model,
                 words.count > 1 ? words.items[1] : "NET.onnx");
    else if (words.count > 1)
        prf_fail(&err, PRF_EUSAGE, "'%.80s' is one too many: one network at a time; prfarm compare takes several", words.items[1]);
    else if (!r.model_path == !r.board)
        prf_fail(&err, PRF_EUSAGE, "give --model FILE or --board KIND, one of the two: prfarm estimate %s", usage.synopsis);
    else if (!r.network_path == !r.layers.count)
        prf_fail(&err, PRF_EUSAGE, "give a network or --layer, one of the two");
    else if (prf_points_check_cache(r.cache, &err) == PRF_OK)
        return answer(&r);
    return prf_report(&err);
}
