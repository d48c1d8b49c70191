// SPDX-License-Identifier: Apache-2.0
/* compare.c - `prfarm compare`: which board suits a network. Every model is asked for every network; only boards that answer for
 * all of a network's blocks are ranked, since a sum that lacks some is no latency of it. The document for --json comes first, and
 * the tables are printed from it. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "model_source.h"
#include "network/network.h"
#include "networks.h"

enum { MODELS = 64, UNRANKED = 0 };

typedef struct {
    prf_words_t networks, names; /* files; models as given. Borrowed */
    const char *dtype_name;      /* borrowed; NULL: each model's own */
    uint64_t batch;
    bool json;
    prf_where_t where;
    json_t *kinds; /* owned; the farm's, when no model was named */
    prf_model_file_t models[MODELS];
    size_t model_count;
} compare_t;

/* One model's answer for one network. */
typedef struct {
    const prf_model_file_t *model; /* borrowed */
    size_t index, blocks, covered, outside;
    double macs, covered_macs;
    double latency_ns, low_ns, high_ns, between_ns;
    unsigned rank; /* from 1; UNRANKED: some blocks lack */
} row_t;

static void release(compare_t *self)
{
    for (size_t i = 0; i < self->model_count; i++)
        prf_model_file_release(&self->models[i]);
    json_decref(self->kinds);
}

static prf_status_t take_models(compare_t *self, prf_error_t *err)
{
    prf_model_source_t source = {.where = &self->where};
    prf_status_t status = PRF_OK;
    const json_t *kind;
    size_t i;
    if (self->names.count == 0 && !(status = prf_model_source_kinds(&source, &self->kinds, err))) {
        if (json_array_size(self->kinds) > MODELS)
            status = prf_fail(err, PRF_EINVAL, "the farm has %zu models: name those to compare with --model KIND, %d at most",
                              json_array_size(self->kinds), (int)MODELS);
        json_array_foreach(self->kinds, i, kind)
        {
            if (self->names.count < PRF_OPTION_WORDS)
                self->names.items[self->names.count++] = json_string_value(kind);
        }
        if (!status && self->names.count == 0)
            status = prf_fail(err, PRF_ENOTFOUND,
                              "there are no models yet: carry a campaign out with 'prfarm run' or 'prfarm submit', "
                              "or name files with --model");
    }
    for (i = 0; i < self->names.count && !status; i++)
        if (!(status = prf_model_source_take(&source, self->names.items[i], &self->models[self->model_count], err)))
            self->model_count++;
    prf_model_source_close(&source);
    return status;
}

static prf_status_t choose_dtype(const compare_t *self, const prf_model_file_t *file, prf_dtype_t *out, prf_error_t *err)
{
    prf_model_layer_t layer;
    if (self->dtype_name)
        return prf_dtype_parse(self->dtype_name, out, err);
    if (prf_model_layer_count(file->model) == 0)
        return prf_fail(err, PRF_EINVAL, "%s: the model knows no layer: leave it out", file->path);
    prf_model_layer(file->model, 0, &layer);
    *out = layer.dtype;
    return PRF_OK;
}

static void sum_up(row_t *row, const prf_network_t *network, const prf_network_estimate_t *sum)
{
    row->blocks = network->block_count;
    row->covered = sum->covered;
    for (size_t i = 0; i < network->block_count; i++) {
        const prf_block_t *block = &network->blocks[i].block;
        bool covered = !isnan(sum->blocks[i].latency_ns);
        row->outside += covered && sum->blocks[i].outside;
        for (uint32_t k = 0; k < block->count; k++) {
            double macs = prf_layer_macs(&block->layers[k]);
            row->macs += macs;
            row->covered_macs += covered ? macs : 0;
        }
    }
    row->latency_ns = sum->covered ? sum->total_ns : NAN;
    row->low_ns = sum->covered ? sum->low_ns : NAN;
    row->high_ns = sum->covered ? sum->high_ns : NAN;
    row->between_ns = sum->between_ns;
}

/* `left_out` becomes the network's operators that no model can know, if it is not set already. */
static prf_status_t ask(const compare_t *self, const prf_model_file_t *file, const char *path, row_t *row, json_t **left_out,
                        prf_error_t *err)
{
    prf_dtype_t dtype;
    prf_network_t network;
    prf_network_estimate_t sum;
    *row = (row_t){.model = file, .index = (size_t)(file - self->models)};
    prf_status_t status = choose_dtype(self, file, &dtype, err);
    if (status || (status = prf_network_load(&network, path, dtype, (uint32_t)self->batch, err)))
        return status;
    status = prf_network_estimate(&sum, file->model, &network, err);
    if (!status) {
        sum_up(row, &network, &sum);
        prf_network_estimate_release(&sum);
    }
    if (!*left_out)
        *left_out = prf_network_left_out(&network);
    prf_network_release(&network);
    return status;
}

/* Whole answers first, the fastest before; then those that cover more. */
static int by_suitability(const void *a, const void *b)
{
    const row_t *x = a, *y = b;
    bool whole_x = x->covered == x->blocks, whole_y = y->covered == y->blocks;
    if (whole_x != whole_y)
        return whole_x ? -1 : 1;
    if (!whole_x && x->covered != y->covered)
        return x->covered > y->covered ? -1 : 1;
    if (whole_x && x->latency_ns != y->latency_ns)
        return x->latency_ns < y->latency_ns ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* The kind's name; the file's where several models are of one kind. */
static const char *name_of(const compare_t *self, const prf_model_file_t *file)
{
    size_t same = 0;
    for (size_t i = 0; i < self->model_count; i++)
        same += strcmp(prf_model_kind(self->models[i].model), prf_model_kind(file->model)) == 0;
    return same > 1 ? file->path : prf_model_kind(file->model);
}

static json_t *row_to_json(const compare_t *self, const row_t *r)
{
    double share = r->macs > 0 ? 100 * r->covered_macs / r->macs : 100.0 * (double)r->covered / (double)(r->blocks ? r->blocks : 1);
    return json_pack("{s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:f, s:I, s:f, s:I}", "rank",
                     r->rank ? json_integer((json_int_t)r->rank) : json_null(), "board", name_of(self, r->model), "kind",
                     prf_model_kind(r->model->model), "model", r->model->path, "digest", r->model->digest, "latency_ns",
                     prf_json_real(r->latency_ns), "low_ns", prf_json_real(r->low_ns), "high_ns", prf_json_real(r->high_ns),
                     "between_ns", r->between_ns, "covered_blocks", (json_int_t)r->covered, "covered_macs_percent", share,
                     "outside_blocks", (json_int_t)r->outside);
}

/* Neighbours in the ranking whose intervals overlap: either may be the faster one. */
static json_t *unsure_to_json(const compare_t *self, const row_t *rows, size_t count)
{
    json_t *pairs = json_array();
    for (size_t i = 0; i + 1 < count && rows[i + 1].rank; i++)
        if (rows[i + 1].low_ns <= rows[i].high_ns)
            json_array_append_new(pairs, json_pack("[s, s]", name_of(self, rows[i].model), name_of(self, rows[i + 1].model)));
    return pairs;
}

static prf_status_t compare_one(const compare_t *self, const char *path, json_t *networks, prf_error_t *err)
{
    row_t rows[MODELS] = {{.model = NULL}};
    json_t *left_out = NULL;
    prf_status_t status = PRF_OK;
    for (size_t i = 0; i < self->model_count && !status; i++)
        status = ask(self, &self->models[i], path, &rows[i], &left_out, err);
    if (status) {
        json_decref(left_out);
        return status;
    }
    qsort(rows, self->model_count, sizeof *rows, by_suitability);
    json_t *boards = json_array();
    for (size_t i = 0; i < self->model_count; i++) {
        rows[i].rank = rows[i].covered == rows[i].blocks ? (unsigned)i + 1 : UNRANKED;
        json_array_append_new(boards, row_to_json(self, &rows[i]));
    }
    const char *slash = strrchr(path, '/');
    json_array_append_new(networks, json_pack("{s:s, s:s, s:I, s:f, s:o, s:o, s:o}", "network", slash ? slash + 1 : path, "file",
                                              path, "blocks", (json_int_t)rows[0].blocks, "macs", rows[0].macs, "boards", boards,
                                              "unsure", unsure_to_json(self, rows, self->model_count), "unsupported", left_out));
    return PRF_OK;
}

static prf_status_t compare(compare_t *self, json_t **document, prf_error_t *err)
{
    json_t *networks = json_array();
    prf_status_t status = PRF_OK;
    for (size_t i = 0; i < self->networks.count && !status; i++) /* before anybody is asked */
        if (access(self->networks.items[i], R_OK) != 0)
            status = prf_fail_sys(err, errno, "%.200s", self->networks.items[i]);
    if (!status && (status = take_models(self, err)) && !self->names.count)
        status = prf_fail_remedy(err, status, "or name model files with --model");
    for (size_t i = 0; i < self->networks.count && !status; i++)
        status = compare_one(self, self->networks.items[i], networks, err);
    if (status)
        json_decref(networks);
    else
        *document = json_pack("{s:o}", "networks", networks);
    return status;
}

static void print_ranking(const json_t *network, const prf_terminal_t *terminal)
{
    prf_table_t *table = prf_table_new("|board|latency>|90 % of cases|times the first>|blocks>|of the MACs>|outside>");
    double best = NAN;
    size_t i;
    json_t *b;
    json_array_foreach(json_object_get(network, "boards"), i, b)
    {
        char ns[PRF_HUMAN], low[PRF_HUMAN], high[PRF_HUMAN], share[PRF_HUMAN];
        double rank = prf_json_number(b, "rank", 0), latency = prf_json_number(b, "latency_ns", NAN);
        best = rank == 1 ? latency : best;
        if (rank > 0)
            prf_table_cell(table, "%.0f", rank);
        else
            prf_table_cell(table, "-");
        prf_table_cell(table, "%.60s", prf_json_text(b, "board", "?"));
        prf_table_cell(table, "%s", prf_human_ns(latency, ns));
        prf_table_cell(table, "%s to %s", prf_human_ns(prf_json_number(b, "low_ns", NAN), low),
                       prf_human_ns(prf_json_number(b, "high_ns", NAN), high));
        if (rank > 0)
            prf_table_cell(table, "%.2f", latency / best);
        else
            prf_table_cell(table, "-");
        prf_table_cell(table, "%.0f of %.0f", prf_json_number(b, "covered_blocks", 0), prf_json_number(network, "blocks", 0));
        prf_table_cell(table, "%s", prf_human_percent(prf_json_number(b, "covered_macs_percent", NAN), share));
        prf_table_cell(table, "%.0f", prf_json_number(b, "outside_blocks", 0));
    }
    prf_table_print(&table, terminal);
}

/* What the numbers do not say by themselves. */
static void print_doubts(const json_t *network)
{
    size_t i, lacking = 0, outside = 0;
    json_t *pair, *b;
    json_array_foreach(json_object_get(network, "unsure"), i, pair)
    {
        printf("not sure: %s before %s, their intervals overlap\n", json_string_value(json_array_get(pair, 0)),
               json_string_value(json_array_get(pair, 1)));
    }
    json_array_foreach(json_object_get(network, "boards"), i, b)
    {
        lacking += json_is_null(json_object_get(b, "rank"));
        outside += prf_json_number(b, "outside_blocks", 0) > 0;
    }
    if (lacking)
        printf("not ranked: %zu whose model does not know all blocks; their latency is that of the blocks that it knows\n",
               lacking);
    if (outside)
        printf("outside: blocks beyond what the model was trained on: expect a larger error\n");
    prf_text_t text;
    prf_text_init(&text);
    prf_network_left_out_say(json_object_get(network, "unsupported"), &text);
    if (text.len)
        printf("lacking on all boards: %s\n", prf_text_get(&text));
    prf_text_release(&text);
}

/* Boards down, networks across; the fastest of each network is marked. */
static void print_matrix(const json_t *networks, const prf_terminal_t *terminal)
{
    char header[PRF_CELL * PRF_TABLE_COLUMNS] = "board";
    size_t used = strlen(header), i, k, count = json_array_size(networks);
    const json_t *first = json_object_get(json_array_get(networks, 0), "boards");
    json_t *network, *board, *b;
    bool partial = false;
    json_array_foreach(networks, i, network)
    {
        used += (size_t)snprintf(header + used, sizeof header - used, "|%.40s>", prf_json_text(network, "network", "?"));
    }
    prf_table_t *table = prf_table_new(header);
    json_array_foreach(first, k, board)
    {
        const char *name = prf_json_text(board, "board", "?");
        prf_table_cell(table, "%.60s", name);
        for (i = 0; i < count; i++) {
            char ns[PRF_HUMAN];
            size_t at;
            json_array_foreach(json_object_get(json_array_get(networks, i), "boards"), at, b)
            {
                if (strcmp(prf_json_text(b, "board", ""), name) != 0)
                    continue;
                double rank = prf_json_number(b, "rank", 0);
                partial = partial || rank == 0;
                prf_table_cell(table, "%s %s", prf_human_ns(prf_json_number(b, "latency_ns", NAN), ns),
                               rank == 1  ? "<"
                               : rank > 0 ? " "
                                          : "~");
                break;
            }
        }
    }
    prf_table_print(&table, terminal);
    printf("\n< the fastest%s\n", partial ? "; ~ not all blocks are known, so this is less than the latency" : "");
}

static void print_document(const json_t *document)
{
    prf_terminal_t terminal;
    prf_terminal_init(&terminal, stdout);
    const json_t *networks = json_object_get(document, "networks");
    bool several = json_array_size(networks) > 1;
    size_t i;
    json_t *network;
    if (several && json_array_size(networks) < PRF_TABLE_COLUMNS)
        print_matrix(networks, &terminal);
    json_array_foreach(networks, i, network)
    {
        printf("%s%s%s%s, %.0f MACs\n", several ? "\n" : "", prf_bold(&terminal), prf_json_text(network, "network", "?"),
               prf_plain(&terminal), prf_json_number(network, "macs", 0));
        print_ranking(network, &terminal);
        print_doubts(network);
    }
}

static const prf_usage_t usage = {
    .name = "compare",
    .synopsis = "NET.onnx... [--model FILE.prfm]... [--farm FARM | --dir DIR]",
    .purpose = "Compares boards by what a network would take on each of them: a ranked table.",
    .text = "The boards are those of the model files; with --farm or --dir also KIND, or KIND@VERSION, is a\n"
            "model, and without --model all current ones of the farm or the run are compared. A board whose\n"
            "model does not know all blocks of the network is listed, but not ranked. Where the intervals of\n"
            "two neighbours overlap, the table says that their order is not sure. With several networks a\n"
            "matrix of boards and networks comes first.\n\n"
            "  prfarm compare resnet18.onnx --dir simulated\n"
            "  prfarm compare *.onnx --model cpu.prfm --model zcu102.prfm --json\n",
    .complete = ".onnx",
    .least = 1,
    .most = PRF_OPTION_WORDS,
};

int prf_cmd_compare(int argc, char **argv)
{
    compare_t self = {.batch = 1};
    const prf_option_t options[] = {
        {.name = "model",
         .value = "FILE.prfm",
         .help = "a model to compare, or KIND or KIND@VERSION of the farm; may be given several times",
         .list = &self.names},
        {.name = "batch",
         .value = "N",
         .help = "size of a batch dimension that the network leaves open (1)",
         .number = &self.batch,
         .lo = 1,
         .hi = 65536},
        {.name = "dtype",
         .value = "TYPE",
         .help = "the networks' data type: f32, f16, bf16 or i8 (default: each model's)",
         .complete = "f32 f16 bf16 i8",
         .text = &self.dtype_name},
        {.name = "json", .help = "print JSON", .flag = &self.json},
        {.name = NULL},
    };
    int code = 0;
    prf_error_t err = {0};
    json_t *document = NULL;
    if (!prf_where_parse(&self.where, &usage, options, argc, argv, &self.networks, &code))
        return code;
    if (compare(&self, &document, &err) != PRF_OK)
        code = prf_report(&err);
    else if (self.json)
        code = prf_print_json(json_incref(document));
    else
        print_document(document);
    json_decref(document);
    release(&self);
    return code;
}
