// SPDX-License-Identifier: Apache-2.0
/* poisoned.c - `prfarm poisoned`: the points that a campaign goes on without, and how each board failed on them. */
#include <string.h>

#include "access.h"
#include "cli.h"

static bool same_failure(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"board", "outcome", "error"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(prf_json_text(a, keys[i], ""), prf_json_text(b, keys[i], "")) != 0)
            return false;
    return true;
}

/* One row for each way in which a board failed on the point, however often. */
static void add_rows(prf_table_t *table, const json_t *point)
{
    const json_t *errors = json_object_get(point, "errors");
    const char *block = prf_json_text(point, "block", "");
    bool first = true;
    for (size_t i = 0; i < json_array_size(errors); i++) {
        const json_t *error = json_array_get(errors, i);
        size_t times = 0, before = 0;
        for (size_t k = 0; k < json_array_size(errors); k++)
            if (same_failure(error, json_array_get(errors, k))) {
                times++;
                before += k < i;
            }
        if (before)
            continue;
        prf_table_cell(table, "%s", !first ? "" : *block ? block : prf_json_text(point, "layer", "?"));
        prf_table_cell(table, "%s", first ? prf_json_text(point, "role", "?") : "");
        prf_table_cell(table, "%s", prf_json_text(error, "board", "?"));
        prf_table_cell(table, "%zu", times);
        prf_table_cell(table, "%s", prf_json_text(error, "outcome", "?"));
        prf_table_cell(table, "%s", prf_json_text(error, "error", ""));
        first = false;
    }
}

static void print_points(const json_t *points, const char *campaign)
{
    prf_terminal_t terminal;
    prf_terminal_init(&terminal, stdout);
    if (json_array_size(points) == 0) {
        printf("campaign %s has given up no points\n", campaign);
        return;
    }
    prf_table_t *table = prf_table_new("layer|wanted for|board|tries>|outcome|the board's words");
    size_t i;
    json_t *point;
    json_array_foreach(points, i, point)
    {
        add_rows(table, point);
    }
    prf_table_print(&table, &terminal);
    size_t count = json_array_size(points);
    printf("\n%zu point%s given up, the campaign goes on without; once what was wrong is put right: prfarm retry %s\n", count,
           count == 1 ? " was" : "s were", campaign);
}

static const prf_usage_t usage = {
    .name = "poisoned",
    .synopsis = "CAMPAIGN [--farm FARM | --dir DIR]",
    .purpose = "Lists the points that were given up after three failures, with every board's error.",
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
    print_points(points, words.items[0]);
    json_decref(points);
    return 0;
}
