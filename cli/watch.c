// SPDX-License-Identifier: Apache-2.0
/* watch.c - `prfarm watch`: follows a campaign until it ends. Ctrl-C ends the watching, not the campaign. */
#include "access.h"
#include "cli.h"
#include "progress.h"
#include "signals.h"
#include "summary.h"

enum { POLL_MS = 500 };

/* The campaign to follow: the named one, or the only one there is. */
static prf_status_t choose(const json_t *status, const char *wanted, char name[PRF_NAME], prf_error_t *err)
{
    const json_t *campaigns = json_object_get(status, "campaigns");
    if (!wanted && json_array_size(campaigns) > 1)
        return prf_fail(err, PRF_EUSAGE, "there are %zu campaigns: name one, 'prfarm status' lists them",
                        json_array_size(campaigns));
    if (!wanted && json_array_size(campaigns) == 0)
        return prf_fail(err, PRF_ENOTFOUND, "there is no campaign to watch: begin one with 'prfarm submit' or 'prfarm run'");
    snprintf(name, PRF_NAME, "%s", wanted ? wanted : prf_json_text(json_array_get(campaigns, 0), "name", ""));
    if (!prf_progress_find(status, name))
        return prf_fail(err, PRF_ENOTFOUND, "there is no campaign '%s': 'prfarm status' lists them", name);
    return PRF_OK;
}

/* `state` receives what it ended in. */
static prf_status_t watch(prf_farm_t *farm, const char *wanted, char name[PRF_NAME], char state[16], prf_error_t *err)
{
    prf_progress_t progress;
    prf_progress_init(&progress, NULL);
    for (;;) {
        json_t *status;
        prf_status_t failed = prf_farm_call(farm, "status", NULL, PRF_CALL_MS, &status, err);
        if (failed)
            return failed;
        bool running = false;
        if (!(failed = choose(status, wanted, name, err))) {
            const json_t *campaign = prf_progress_find(status, name);
            prf_progress_show(&progress, status, campaign);
            running = prf_progress_goes_on(campaign);
            snprintf(state, 16, "%s", prf_json_text(campaign, "state", ""));
        }
        json_decref(status);
        if (failed || !running)
            return failed;
        prf_pause(-1, POLL_MS);
        if ((failed = prf_check_interrupted(err)))
            return failed;
    }
}

static const prf_usage_t usage = {
    .name = "watch",
    .synopsis = "[CAMPAIGN] [--farm FARM | --dir DIR]",
    .purpose = "Follows a campaign until it ends, then shows what it came to.",
    .text = "Without a name the only campaign there is. Ctrl-C ends the watching, the campaign goes\n"
            "on. The exit code is that of the campaign: 0 when it is done, 6 when it failed, 130 when\n"
            "it was cancelled.\n\n"
            "  prfarm watch --dir first\n",
    .most = 1,
};

int prf_cmd_watch(int argc, char **argv)
{
    bool json = false;
    const prf_option_t options[] = {
        {.name = "json", .help = "print the summary as JSON at the end", .flag = &json},
        {.name = NULL},
    };
    prf_words_t words;
    int code = 0;
    prf_access_t access;
    prf_error_t err = {0};
    if (!prf_access_start(&access, &usage, options, argc, argv, &words, &code))
        return code;
    char name[PRF_NAME], state[16] = "";
    json_t *summary = NULL;
    prf_status_t failed = watch(access.farm, words.count ? words.items[0] : NULL, name, state, &err);
    if (!failed)
        failed = prf_farm_call(access.farm, "summary", json_pack("{s:s}", "campaign", name), PRF_CALL_MS, &summary, &err);
    prf_access_close(&access);
    if (failed)
        return prf_report(&err);
    failed = prf_progress_verdict(name, state, summary, NULL, &err);
    if (json) {
        code = prf_print_json(summary);
    } else {
        prf_terminal_t terminal;
        prf_terminal_init(&terminal, stdout);
        prf_summary_print(summary, &terminal);
        json_decref(summary);
    }
    return failed ? prf_report(&err) : code;
}
