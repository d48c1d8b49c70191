// SPDX-License-Identifier: Apache-2.0
/* status.c - `prfarm status`: one look at campaigns, live or ended. */
#include <math.h>
#include <string.h>

#include "access.h"
#include "cli.h"
#include "progress.h"
#include "summary.h"

/* What a person may want to do something about. */
static void print_troubles(const json_t *campaign, const json_t *board, bool at_work, const prf_terminal_t *t)
{
    const char *name = prf_json_text(campaign, "name", "?"), *kind = prf_json_text(board, "kind", "?");
    double quarantined = prf_json_number(board, "quarantined", 0), poisoned = prf_json_number(board, "poisoned", 0);
    char still[PRF_STANDSTILL];
    prf_standstill_of(campaign, board, "", still);
    if (still[0] && !at_work)
        snprintf(still, sizeof still, "%s", PRF_RUN_STOPPED);
    if (poisoned > 0)
        fprintf(t->stream, "%s: %.0f points on %s were given up: 'prfarm poisoned %s' tells why, 'prfarm retry %s' tries again\n",
                name, poisoned, kind, name, name);
    if (still[0])
        fprintf(t->stream, "%s: nothing is measured: %s\n", name, still);
    else if (quarantined > 0)
        fprintf(t->stream, "%s: %.0f of %.0f boards of kind %s are in quarantine: 'prfarm boards' tells why\n", name, quarantined,
                prf_json_number(board, "boards_live", 0), kind);
    if (json_is_true(json_object_get(board, "stale")))
        fprintf(t->stream,
                "%s: the model of %s may be stale, since boards of the kind drift or differ ('prfarm boards'): "
                "'prfarm refresh %s' checks it\n",
                name, kind, name);
}

/* `at_work`: whose coordinator was asked is a farm or a run that goes on. */
static void print_status(const json_t *status, bool at_work, const prf_terminal_t *t)
{
    prf_table_t *table = prf_table_new("campaign|state|board|stage|done>|planned>|busy>|time left>|MAPE>|model|runs on>");
    size_t i, k, rows = 0;
    json_t *campaign, *board;
    json_array_foreach(json_object_get(status, "campaigns"), i, campaign)
    {
        json_array_foreach(json_object_get(campaign, "boards"), k, board)
        {
            char time[PRF_HUMAN], mape[PRF_HUMAN];
            prf_table_cell(table, "%s", k ? "" : prf_json_text(campaign, "name", "?"));
            prf_table_cell(table, "%s", k ? "" : prf_json_text(campaign, "state", "?"));
            prf_table_cell(table, "%s", prf_json_text(board, "kind", "?"));
            prf_table_cell(table, "%s", prf_json_text(board, "stage", "?"));
            prf_table_cell(table, "%.0f", prf_json_number(board, "measured", 0) + prf_json_number(board, "reused", 0));
            prf_table_cell(table, "%.0f", prf_json_number(board, "planned", 0));
            prf_table_cell(table, "%.0f/%.0f", prf_json_number(board, "busy", 0), prf_json_number(board, "workers", 0));
            prf_table_cell(table, "%s", prf_human_seconds(prf_json_number(board, "seconds_left", NAN), time));
            prf_table_cell(table, "%s", prf_human_percent(prf_json_number(board, "mape_percent", NAN), mape));
            double version = prf_json_number(board, "current_version", 0);
            prf_table_cell(table, version > 0 ? "v%.0f" : "-", version);
            prf_table_cell(table, "%.0f of %.0f", prf_json_number(board, "current_runs_on", 0),
                           prf_json_number(board, "boards_live", 0));
            rows++;
        }
    }
    if (rows == 0)
        fprintf(t->stream, "no campaigns yet: 'prfarm submit CAMPAIGN.yaml' hands one in\n");
    else
        prf_table_print(&table, t);
    prf_table_destroy(&table);
    json_array_foreach(json_object_get(status, "campaigns"), i, campaign)
    {
        json_array_foreach(json_object_get(campaign, "boards"), k, board)
        {
            print_troubles(campaign, board, at_work, t);
        }
    }
    const json_t *coordinator = json_object_get(status, "coordinator");
    const char *note = prf_json_text(coordinator, "note", "");
    if (note[0])
        fprintf(t->stream, "%s\n", note);
    const char *trouble = prf_json_text(json_object_get(coordinator, "access"), "trouble", "");
    if (trouble[0])
        fprintf(t->stream, "the list of keys was changed, but the earlier one is in use: %s\n", trouble);
}

/* The campaign's summary below its state, when it has come to an end. */
static prf_status_t print_summary(prf_farm_t *farm, const json_t *status, const char *name, const prf_terminal_t *t,
                                  prf_error_t *err)
{
    const json_t *campaign = prf_progress_find(status, name);
    if (strcmp(prf_json_text(campaign, "state", ""), "done") != 0)
        return PRF_OK;
    json_t *summary;
    prf_status_t failed = prf_farm_call(farm, "summary", json_pack("{s:s}", "campaign", name), PRF_CALL_MS, &summary, err);
    if (failed)
        return failed;
    fputc('\n', t->stream);
    prf_summary_print(summary, t);
    json_decref(summary);
    return PRF_OK;
}

static const prf_usage_t usage = {
    .name = "status",
    .synopsis = "[CAMPAIGN] [--farm FARM | --dir DIR]",
    .purpose = "Shows how far campaigns are, once; 'prfarm watch' keeps showing.",
    .text = "With --dir the folder of a 'prfarm run', be it running or over; otherwise a farm. With a\n"
            "campaign's name also what it came to.\n\n"
            "  prfarm status --dir first\n"
            "  prfarm status quickstart --dir first --json\n",
    .most = 1,
};

int prf_cmd_status(int argc, char **argv)
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
    json_t *status = NULL, *in = words.count ? json_pack("{s:s}", "campaign", words.items[0]) : json_object();
    prf_status_t failed = prf_farm_call(access.farm, "status", in, PRF_CALL_MS, &status, &err);
    if (!failed && json) {
        code = prf_print_json(json_incref(status));
    } else if (!failed) {
        prf_terminal_t terminal;
        prf_terminal_init(&terminal, stdout);
        print_status(status, !access.own, &terminal);
        if (words.count)
            failed = print_summary(access.farm, status, words.items[0], &terminal, &err);
    }
    json_decref(status);
    prf_access_close(&access);
    return failed ? prf_report(&err) : code;
}
