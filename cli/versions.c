// SPDX-License-Identifier: Apache-2.0
/* versions.c - see versions.h. */
#include "versions.h"

#include <math.h>
#include <time.h>

#include "output.h"
#include "signals.h"

static void print_versions(const json_t *models)
{
    prf_terminal_t terminal;
    prf_terminal_init(&terminal, stdout);
    if (json_array_size(models) == 0) {
        printf("no models yet\n");
        return;
    }
    prf_table_t *table = prf_table_new("kind|version>||runs on>|campaign|MAPE>|size>|published|digest");
    size_t i;
    json_t *m;
    json_array_foreach(models, i, m)
    {
        char mape[PRF_HUMAN], size[PRF_HUMAN], date[32] = "-";
        time_t published = (time_t)(prf_json_number(m, "published_ms", 0) / 1000);
        struct tm parts;
        if (published > 0 && localtime_r(&published, &parts))
            strftime(date, sizeof date, "%Y-%m-%d %H:%M", &parts);
        prf_table_cell(table, "%s", prf_json_text(m, "kind", "?"));
        prf_table_cell(table, "v%.0f", prf_json_number(m, "version", 0));
        prf_table_cell(table, "%s", json_is_true(json_object_get(m, "current")) ? "current" : "");
        prf_table_cell(table, "%.0f of %.0f", prf_json_number(m, "runs_on", 0), prf_json_number(m, "workers", 0));
        prf_table_cell(table, "%s", prf_json_text(m, "campaign", "-"));
        prf_table_cell(table, "%s", prf_human_percent(prf_json_number(m, "mape_percent", NAN), mape));
        prf_table_cell(table, "%s", prf_human_bytes(prf_json_number(m, "bytes", 0), size));
        prf_table_cell(table, "%s", date);
        prf_table_cell(table, "%.8s", prf_json_text(m, "digest", "?"));
    }
    prf_table_print(&table, &terminal);
    prf_table_destroy(&table);
}

static int no_such_kind(const char *kind)
{
    prf_error_t err = {0};
    prf_fail(&err, PRF_ENOTFOUND, "there is no model of a board kind '%.63s': 'prfarm model list' shows those that there are",
             kind);
    return prf_report(&err);
}

int prf_versions_list(const char *kind, const prf_where_t *where, bool json)
{
    prf_signals_catch();
    prf_error_t err = {0};
    prf_access_t access;
    if (prf_access_open(&access, where, &err))
        return prf_report(&err);
    json_t *models = NULL;
    int code = 0;
    prf_status_t status = prf_farm_list(access.farm, "models", json_pack("{s:s}", "kind", kind), "models", &models, &err);
    prf_access_close(&access);
    if (status)
        code = prf_report(&err);
    else if (*kind && json_array_size(models) == 0)
        code = no_such_kind(kind);
    else if (json)
        code = prf_print_json(json_pack("{s:O}", "models", models));
    else
        print_versions(models);
    json_decref(models);
    return code;
}
