// SPDX-License-Identifier: Apache-2.0
/* measure.c - `prfarm measure`: a whole network on a board, its blocks back to back, and each block by itself.
 *
 * The board is one of a farm (--farm, or the live run in --dir) or one that is started for this (--backend), with its results kept
 * in --dir or in a temporary folder. Either way it is the coordinator that asks it, so that what was measured before is not
 * measured again. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "base/json.h"
#include "cli.h"
#include "networks.h"
#include "points.h"
#include "signals.h"

typedef struct {
    const char *file, *board, *backend, *dtype, *cache; /* borrowed */
    prf_words_t options;
    bool json;
    char temporary[64]; /* folder; "" when there is none */
    prf_where_t where;
    prf_access_t access;
    prf_network_t network;
} measure_t;

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info, (void)type, (void)where;
    return remove(path);
}

static prf_status_t make_temporary(measure_t *m, prf_error_t *err)
{
    snprintf(m->temporary, sizeof m->temporary, "/tmp/prfarm-measure-XXXXXX");
    if (mkdtemp(m->temporary))
        return PRF_OK;
    int e = errno;
    m->temporary[0] = '\0';
    return prf_fail_sys(err, e, "no folder can be made, name one with --dir: /tmp");
}

static prf_status_t start_board(measure_t *m, prf_error_t *err)
{
    const prf_private_board_t board = {
        .kind = m->board, .backend = m->backend, .options = m->options.items, .option_count = m->options.count, .workers = 1};
    prf_status_t status;
    if ((status = prf_name_check("--board", m->board, err)) || (status = prf_name_check("--backend", m->backend, err)))
        return status;
    return prf_private_add(m->access.own, &board, err);
}

static prf_status_t open_access(measure_t *m, prf_error_t *err)
{
    prf_status_t status;
    if (m->backend && m->where.farm)
        return prf_fail(err, PRF_EUSAGE, "--farm asks a farm's boards, --backend starts one: give one of them");
    if (m->backend) {
        if (!m->where.dir && (status = make_temporary(m, err)))
            return status;
        if ((status = prf_private_open(&m->access.own, m->where.dir ? m->where.dir : m->temporary, true, NULL, err)))
            return status;
        m->access.farm = prf_private_farm(m->access.own);
        return start_board(m, err);
    }
    status = prf_points_open(&m->access, &m->where, err);
    return status && m->where.dir ? prf_fail_prefix(err, status, "start a board with --backend, as in --backend onednn") : status;
}

/* The chain first, then every block. */
static json_t *chain_and_blocks(const measure_t *m)
{
    json_t *texts = prf_network_texts(&m->network), *items = json_array();
    json_array_append_new(items, json_pack("{s:O}", "blocks", texts));
    for (size_t i = 0; i < json_array_size(texts); i++)
        json_array_append_new(items, json_pack("{s:[O]}", "blocks", json_array_get(texts, i)));
    json_decref(texts);
    return items;
}

static json_t *to_json(const measure_t *m, const json_t *results)
{
    json_t *blocks = json_array();
    double sum = 0;
    for (size_t i = 0; i < m->network.block_count; i++) {
        const json_t *r = json_array_get(results, i + 1);
        char text[PRF_BLOCK_TEXT];
        prf_block_format(&m->network.blocks[i].block, text);
        double ns = prf_points_latency(r);
        sum += ns;
        json_array_append_new(blocks, json_pack("{s:s, s:s, s:o, s:s}", "name", m->network.blocks[i].name, "block", text,
                                                "latency_ns", prf_json_real(ns), "error", prf_json_text(r, "error", "")));
    }
    const json_t *chain = json_array_get(results, 0);
    double whole = prf_points_latency(chain);
    json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:o}", "network", m->network.name, "board", m->board, "cache", m->cache,
                            "chain_ns", prf_json_real(whole), "sum_ns", prf_json_real(sum));
    json_object_set_new(out, "sum_error_percent", prf_json_real(100 * (sum / whole - 1)));
    json_object_set_new(out, "chain_error", json_string(prf_json_text(chain, "error", "")));
    json_object_set_new(out, "blocks", blocks);
    return out;
}

static void print_table(const prf_network_t *network, const json_t *answer)
{
    prf_terminal_t terminal;
    char text[PRF_HUMAN];
    prf_terminal_init(&terminal, stdout);
    prf_table_t *table = prf_table_new("layer|kind|parameters|latency>|share>");
    size_t i;
    json_t *block;
    double sum = prf_json_number(answer, "sum_ns", NAN);
    json_array_foreach(json_object_get(answer, "blocks"), i, block)
    {
        double ns = prf_json_number(block, "latency_ns", NAN);
        const char *error = prf_json_text(block, "error", "");
        char kind[PRF_CELL], params[PRF_CELL];
        prf_network_kind(&network->blocks[i].block, kind, sizeof kind);
        prf_network_params(&network->blocks[i].block.layers[0], params, sizeof params);
        prf_table_cell(table, "%.40s", prf_json_text(block, "name", "?"));
        prf_table_cell(table, "%s", kind);
        prf_table_cell(table, "%.90s", error[0] ? error : params);
        prf_table_cell(table, "%s", prf_human_ns(ns, text));
        prf_table_cell(table, "%s", prf_human_percent(100 * ns / sum, text));
    }
    prf_table_print(&table, &terminal);
    const char *error = prf_json_text(answer, "chain_error", "");
    printf("\nblocks one by one  %s\n", prf_human_ns(sum, text));
    printf("back to back       %s\n", error[0] ? error : prf_human_ns(prf_json_number(answer, "chain_ns", NAN), text));
    printf("difference         %s\n", prf_human_percent(prf_json_number(answer, "sum_error_percent", NAN), text));
}

static prf_status_t measure(measure_t *m, json_t **answer, prf_error_t *err)
{
    prf_dtype_t dtype;
    prf_status_t status;
    if ((status = prf_dtype_parse(m->dtype, &dtype, err)) || (status = prf_network_load(&m->network, m->file, dtype, 1, err)))
        return status;
    prf_network_left_out_warn(&m->network, m->file);
    if (m->network.block_count < 1 || m->network.block_count > PRF_CHAIN_BLOCKS)
        return prf_fail(err, PRF_EUNSUPPORTED, "%s: %zu blocks: a network may have 1 to %d", m->file, m->network.block_count,
                        (int)PRF_CHAIN_BLOCKS);
    json_t *results;
    if ((status = open_access(m, err)) ||
        (status = prf_points_measure(&m->access, m->board, m->cache, chain_and_blocks(m), &results, NULL, err)))
        return status;
    *answer = to_json(m, results);
    json_decref(results);
    return PRF_OK;
}

static const prf_usage_t usage = {
    .name = "measure",
    .synopsis = "NET.onnx --board KIND [--farm FARM | --dir DIR] [--backend NAME [--option K=V]...]",
    .purpose = "Measures a network on a board: its blocks back to back, and each by itself.",
    .text = "To compare with 'prfarm estimate'. The board is one of a farm, one of the live run in\n"
            "--dir, or, with --backend, one that is started for this on this machine; --dir then\n"
            "keeps the results.\n\n"
            "  prfarm measure docs/examples/networks/resnet18.onnx --board cpu --backend onednn\n",
    .least = 1,
    .most = 1,
};

int prf_cmd_measure(int argc, char **argv)
{
    measure_t m = {.dtype = "f32", .cache = "semi-cold"};
    const prf_option_t options[] = {
        {.name = "board", .value = "KIND", .help = "kind of board", .text = &m.board},
        {.name = "backend",
         .value = "NAME",
         .help = "start a board on this machine: onednn, sim, exec, ...",
         .complete = "onednn sim exec replay plugin",
         .text = &m.backend},
        {.name = "option", .value = "K=V", .help = "an option of the backend; may be given several times", .list = &m.options},
        {.name = "dtype", .value = "TYPE", .help = "f32 (default), f16, bf16, i8", .complete = "f32 f16 bf16 i8", .text = &m.dtype},
        {.name = "cache",
         .value = "STATE",
         .help = "semi-cold (default: as inside a network) or warm",
         .complete = "semi-cold warm",
         .text = &m.cache},
        {.name = "json", .help = "print JSON", .flag = &m.json},
        {.name = NULL},
    };
    prf_words_t words;
    int code = 0;
    if (!prf_where_parse(&m.where, &usage, options, argc, argv, &words, &code))
        return code;
    prf_error_t err = {0};
    if (!m.board)
        prf_fail(&err, PRF_EUSAGE, "--board KIND is missing: on which kind of board?");
    if (!m.board || prf_points_check_cache(m.cache, &err))
        return prf_report(&err);
    m.file = words.items[0];
    prf_signals_catch();
    json_t *answer = NULL;
    prf_status_t failed = measure(&m, &answer, &err);
    prf_access_close(&m.access);
    if (m.temporary[0])
        nftw(m.temporary, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    if (failed) {
        code = prf_report(&err);
    } else if (m.json) {
        code = prf_print_json(json_incref(answer));
    } else {
        print_table(&m.network, answer);
    }
    json_decref(answer);
    prf_network_release(&m.network);
    return code;
}
