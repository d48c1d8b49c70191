// SPDX-License-Identifier: Apache-2.0
/* boards.c - `prfarm boards`: who is there, what they do, which model they run. */
#include <math.h>

#include "access.h"
#include "cli.h"

/* "7 (5 crash, 2 hang)" */
static void failures_cell(prf_table_t *table, const json_t *board)
{
    char text[PRF_CELL];
    size_t used = (size_t)snprintf(text, sizeof text, "%.0f", prf_json_number(board, "failed", 0)), kinds = 0;
    const char *name;
    json_t *count;
    json_object_foreach(json_object_get(board, "failures"), name, count) if (json_integer_value(count) > 0 && used < sizeof text)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld %s", kinds++ ? ", " : " (",
                                 (long long)json_integer_value(count), name);
    if (kinds && used < sizeof text - 1)
        snprintf(text + used, sizeof text - used, ")");
    prf_table_cell(table, "%s", text);
}

static void print_boards(const json_t *answer, bool filtered)
{
    prf_terminal_t terminal;
    prf_terminal_init(&terminal, stdout);
    const json_t *boards = json_object_get(answer, "boards");
    if (json_array_size(boards) == 0) {
        printf(filtered ? "no boards are like that: 'prfarm boards' lists all\n"
                        : "no boards have joined: start one with prfarm-worker\n");
        return;
    }
    prf_table_t *table = prf_table_new("board|kind|state|model>|current>|done>|failed>|silent>|runtime");
    size_t i;
    json_t *b;
    json_array_foreach(boards, i, b)
    {
        char time[PRF_HUMAN];
        prf_table_cell(table, "%s", prf_json_text(b, "board", "?"));
        prf_table_cell(table, "%s", prf_json_text(b, "kind", "?"));
        prf_table_cell(table, "%s", prf_json_text(b, "state", "?"));
        for (int k = 0; k < 2; k++) {
            double version = prf_json_number(b, k ? "current_version" : "model_version", 0);
            if (version > 0)
                prf_table_cell(table, "v%.0f", version);
            else
                prf_table_cell(table, "-");
        }
        prf_table_cell(table, "%.0f", prf_json_number(b, "done", 0));
        failures_cell(table, b);
        prf_table_cell(table, "%s", prf_human_seconds(prf_json_number(b, "seconds_silent", NAN), time));
        prf_table_cell(table, "%.60s", prf_json_text(b, "fingerprint", ""));
    }
    prf_table_print(&table, &terminal);
    json_array_foreach(boards, i, b)
    {
        const char *note = prf_json_text(b, "note", "");
        if (note[0])
            printf("%s: %s\n", prf_json_text(b, "board", "?"), note);
    }
}

static const prf_usage_t usage = {
    .name = "boards",
    .synopsis = "[--kind KIND] [--state STATE] [--farm FARM | --dir DIR]",
    .purpose = "Lists the boards of a farm: what each does and which version of its model it runs.",
    .text = "A board is idle, busy, quarantined (it failed on one layer after the other, or by hand) or lost\n"
            "(silent for too long; its jobs went to others). Its model is up to date when the columns model\n"
            "and current agree.\n\n"
            "  prfarm boards --farm tcp://127.0.0.1:7700\n",
};

/* All pages as one. */
static prf_status_t list(prf_farm_t *farm, const char *kind, const char *state, const char *search, json_t **out, prf_error_t *err)
{
    json_t *in = json_object(), *boards;
    if (kind)
        json_object_set_new(in, "kind", json_string(kind));
    if (state)
        json_object_set_new(in, "state", json_string(state));
    if (search)
        json_object_set_new(in, "search", json_string(search));
    prf_status_t status = prf_farm_list(farm, "boards", in, "boards", &boards, err);
    if (!status)
        *out = json_pack("{s:I, s:o}", "total", (json_int_t)json_array_size(boards), "boards", boards);
    return status;
}

int prf_cmd_boards(int argc, char **argv)
{
    bool json = false;
    const char *kind = NULL, *state = NULL, *search = NULL;
    const prf_option_t options[] = {
        {.name = "kind", .value = "KIND", .help = "only boards of this kind", .text = &kind},
        {.name = "state",
         .value = "STATE",
         .help = "only those that are idle, busy, quarantined or lost",
         .complete = "idle busy quarantined lost",
         .text = &state},
        {.name = "search", .value = "TEXT", .help = "only those whose name, kind or runtime has this in it", .text = &search},
        {.name = "json", .help = "print JSON", .flag = &json},
        {.name = NULL},
    };
    int code = 0;
    prf_access_t access;
    prf_error_t err = {0};
    if (!prf_access_start(&access, &usage, options, argc, argv, NULL, &code))
        return code;
    json_t *answer;
    prf_status_t failed = list(access.farm, kind, state, search, &answer, &err);
    prf_access_close(&access);
    if (failed)
        return prf_report(&err);
    if (json)
        return prf_print_json(answer);
    print_boards(answer, kind || state || search);
    json_decref(answer);
    return 0;
}
