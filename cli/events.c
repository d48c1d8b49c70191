// SPDX-License-Identifier: Apache-2.0
/* events.c - `prfarm events`: what happened to boards, points and campaigns, the oldest first. */
#include <time.h>

#include "access.h"
#include "cli.h"

/* Lines rather than a table: texts are long, and their ends matter. */
static void print_events(const json_t *events)
{
    if (json_array_size(events) == 0)
        printf("nothing has happened yet\n");
    size_t i;
    json_t *e;
    json_array_foreach(events, i, e)
    {
        char when[32] = "?";
        time_t seconds = (time_t)(prf_json_number(e, "wall_ms", 0) / 1000);
        struct tm local;
        if (localtime_r(&seconds, &local))
            strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local);
        printf("%s  %s %s: %s\n", when, prf_json_text(e, "event", "?"), prf_json_text(e, "subject", ""),
               prf_json_text(e, "text", ""));
    }
}

static const prf_usage_t usage = {
    .name = "events",
    .synopsis = "[--after NUMBER] [--farm FARM | --dir DIR]",
    .purpose = "Shows what happened to boards, points and campaigns: the last thousand events.",
    .text = "Quarantines and releases, points that were given up, power-cycles, boards that drift. With --json\n"
            "each event has a number; --after shows those behind it.\n\n"
            "  prfarm events --farm tcp://127.0.0.1:7700\n",
};

int prf_cmd_events(int argc, char **argv)
{
    uint64_t after = 0;
    bool json = false;
    const prf_option_t options[] = {
        {.name = "after", .value = "NUMBER", .help = "only later ones", .number = &after, .lo = 0, .hi = 1e15},
        {.name = "json", .help = "print JSON", .flag = &json},
        {.name = NULL},
    };
    int code = 0;
    prf_access_t access;
    prf_error_t err = {0};
    if (!prf_access_start(&access, &usage, options, argc, argv, NULL, &code))
        return code;
    json_t *events;
    prf_status_t failed =
        prf_farm_list(access.farm, "events", json_pack("{s:I}", "after", (json_int_t)after), "events", &events, &err);
    prf_access_close(&access);
    if (failed)
        return prf_report(&err);
    if (json)
        return prf_print_json(json_pack("{s:o}", "events", events));
    print_events(events);
    json_decref(events);
    return 0;
}
