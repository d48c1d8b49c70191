// SPDX-License-Identifier: Apache-2.0
/* poisoned.c - `prfarm poisoned`: the points that a campaign goes on without, and how each board failed on them. */
#include "access.h"
#include "cli.h"

static void print_points(const json_t *points)
{
    prf_terminal_t terminal;
    prf_terminal_init(&terminal, stdout);
    if (json_array_size(points) == 0) {
        printf("no points are poisoned\n");
        return;
    }
    prf_table_t *table = prf_table_new("board|outcome|layer|error");
    size_t i, k;
    json_t *point, *error;
    json_array_foreach(points, i, point)
    {
        const char *block = prf_json_text(point, "block", "");
        json_array_foreach(json_object_get(point, "errors"), k, error)
        {
            prf_table_cell(table, "%s", prf_json_text(error, "board", "?"));
            prf_table_cell(table, "%s", prf_json_text(error, "outcome", "?"));
            prf_table_cell(table, "%s", k ? "" : *block ? block : prf_json_text(point, "layer", "?"));
            prf_table_cell(table, "%s", prf_json_text(error, "error", ""));
        }
    }
    prf_table_print(&table, &terminal);
}

static const prf_usage_t usage = {
    .name = "poisoned",
    .synopsis = "CAMPAIGN [--farm FARM | --dir DIR]",
    .purpose = "Lists the points that failed wherever they were tried, with every board's error.",
    .text = "The campaign goes on without them. Where all errors are of one board, no other was there to try.\n"
            "'prfarm retry' measures them again.\n\n"
            "  prfarm poisoned quickstart --farm tcp://127.0.0.1:7700\n",
    .least = 1,
    .most = 1,
};

int prf_cmd_poisoned(int argc, char **argv)
{
    bool json = false;
    const prf_option_t options[] = {
        {.name = "json", .help = "print JSON", .flag = &json},
        {.name = NULL},
    };
    prf_words_t words;
    int code = 0;
    prf_access_t access;
    prf_error_t err = {0};
    if (!prf_access_start(&access, &usage, options, argc, argv, &words, &code))
        return code;
    json_t *points;
    prf_status_t failed =
        prf_farm_list(access.farm, "poisoned", json_pack("{s:s}", "campaign", words.items[0]), "points", &points, &err);
    prf_access_close(&access);
    if (failed)
        return prf_report(&err);
    if (json)
        return prf_print_json(json_pack("{s:o}", "points", points));
    print_points(points);
    json_decref(points);
    return 0;
}
