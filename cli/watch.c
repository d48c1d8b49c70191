// SPDX-License-Identifier: Apache-2.0
/* watch.c - `prfarm watch`: follows a campaign until it ends. Ctrl-C ends the watching, not the campaign.
 *
 * On a terminal the whole screen shows the campaign, the farm's boards and the latest events, and is left as it was; the summary
 * is printed below what was there before. On a small or dumb terminal, or in a pipe, it is what `prfarm run` shows. */
#include <math.h>

#include "access.h"
#include "cli.h"
#include "progress.h"
#include "signals.h"
#include "summary.h"
#include "watch_view.h"

enum { POLL_MS = 500, EVENTS = 200 };

/* The campaign to follow: the named one, or the only one there is. Once it is chosen (`name` is not "") others may come. */
static prf_status_t choose(const json_t *status, const char *wanted, char name[PRF_NAME], prf_error_t *err)
{
    const json_t *campaigns = json_object_get(status, "campaigns");
    if (!wanted && !*name && json_array_size(campaigns) > 1)
        return prf_fail(err, PRF_EUSAGE, "there are %zu campaigns: name one, 'prfarm status' lists them",
                        json_array_size(campaigns));
    if (!wanted && !*name && json_array_size(campaigns) == 0)
        return prf_fail(err, PRF_ENOTFOUND, "there is no campaign to watch: begin one with 'prfarm submit' or 'prfarm run'");
    if (!*name)
        snprintf(name, PRF_NAME, "%s", wanted ? wanted : prf_json_text(json_array_get(campaigns, 0), "name", ""));
    if (!prf_progress_find(status, name))
        return prf_fail(err, PRF_ENOTFOUND, "there is no campaign '%s': 'prfarm status' lists them", name);
    return PRF_OK;
}

/* How the watching goes on: on the whole screen where there is one, else as a block of lines, or as plain ones. */
typedef struct {
    prf_farm_t *farm; /* borrowed */
    bool alone;       /* nobody works there, so waiting would keep out whoever wants to */
    prf_progress_t progress;
    prf_screen_t screen;
    json_t *events; /* owned; the latest */
    json_int_t after;
} watch_t;

/* A coordinator of an earlier version has no such op: then that part of the view stays empty. */
static json_t *ask(prf_farm_t *farm, const char *op, json_t *in)
{
    json_t *answer = NULL;
    prf_error_t err;
    return prf_farm_call(farm, op, in, PRF_CALL_MS, &answer, &err) == PRF_OK ? answer : NULL;
}

/* What happened since the last look. */
static void look_at_events(watch_t *w)
{
    json_t *page = ask(w->farm, "events", json_pack("{s:I}", "after", w->after));
    const json_t *next = json_object_get(page, "next"), *news = json_object_get(page, "events");
    size_t i;
    json_t *e;
    json_array_foreach(news, i, e)
    {
        double number = prf_json_number(e, "number", 0);
        w->after = number > (double)w->after ? (json_int_t)number : w->after;
        json_array_append(w->events, e);
        if (json_array_size(w->events) > EVENTS)
            json_array_remove(w->events, 0);
    }
    if (json_is_integer(next) && json_integer_value(next) > w->after)
        w->after = json_integer_value(next);
    json_decref(page);
}

static void show(watch_t *w, const json_t *status, const json_t *campaign)
{
    if (!w->screen.open) {
        prf_progress_show(&w->progress, status, campaign);
        return;
    }
    look_at_events(w);
    json_t *fleet = ask(w->farm, "fleet", NULL);
    prf_watch_view_t view = {
        .farm = prf_farm_name(w->farm), .status = status, .campaign = campaign, .fleet = fleet, .events = w->events};
    view.seconds = prf_json_number(campaign, "seconds", NAN);
    prf_watch_draw(&w->screen, &view);
    json_decref(fleet);
}

/* `state` receives what it ended in. */
static prf_status_t follow(watch_t *w, const char *wanted, char name[PRF_NAME], char state[16], prf_error_t *err)
{
    for (;;) {
        json_t *status;
        prf_status_t failed = prf_farm_call(w->farm, "status", NULL, PRF_CALL_MS, &status, err);
        if (failed)
            return failed;
        bool running = false;
        if (!(failed = choose(status, wanted, name, err))) {
            const json_t *campaign = prf_progress_find(status, name);
            running = prf_progress_goes_on(campaign);
            if (running && w->alone)
                failed = prf_fail(err, PRF_ENOTFOUND, "%s: " PRF_RUN_STOPPED, name);
            else if (running || !w->screen.open)
                show(w, status, campaign);
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

static prf_status_t watch(const prf_access_t *access, const char *wanted, bool json, char name[PRF_NAME], char state[16],
                          prf_error_t *err)
{
    watch_t w = {.farm = access->farm, .alone = access->own, .events = json_array()};
    prf_progress_init(&w.progress, NULL);
    if (!json)
        (void)prf_screen_open(&w.screen, stdout);
    prf_status_t status = follow(&w, wanted, name, state, err);
    prf_screen_close(&w.screen);
    json_decref(w.events);
    return status;
}

static const prf_usage_t usage = {
    .name = "watch",
    .synopsis = "[CAMPAIGN] [--farm FARM | --dir DIR]",
    .purpose = "Follows a campaign until it ends, then shows what it came to.",
    .text = "On a terminal the whole screen shows the campaign's stages and how its error falls, the farm's\n"
            "boards by kind and state, and the latest events; in a pipe there are lines.\n"
            "Without a name the only campaign there is. Ctrl-C ends the watching, the campaign goes\n"
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
    char name[PRF_NAME] = "", state[16] = "";
    json_t *summary = NULL;
    prf_status_t failed = watch(&access, words.count ? words.items[0] : NULL, json, name, state, &err);
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
