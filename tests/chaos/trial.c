// SPDX-License-Identifier: Apache-2.0
/* trial.c - the calm run and the storm are the same farm, proxy included, so that their times can be compared; the storm has a
 * schedule, the calm one has none.
 *
 * Whatever keeps a storm from its end - a program that ended by itself, a campaign that stands still - is a breach like any other.
 */
#include "trial.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "damage.h"
#include "hosts.h"
#include "tool.h"
#include "verdict.h"
#include "weather.h"
#include "workload.h"

enum {
    TICK_MS = 5,
    ASK_EVERY_MS = 300,
    SAY_EVERY_MS = 10000,
    STALL_MS = 180000, /* training takes a while, on a machine that has other work, too */
    STANDS_MS = 5000,  /* then the campaign is asked for before it can be done */
    DISK_MIB = 256,    /* a coordinator gives no work out below 64 */
    JUDGED_MS = 60000,
    SLOWEST_PERCENT = 150 /* of the undisturbed time, restarts aside */
};

typedef struct {
    const trial_options_t *options;
    const calm_t *reference;    /* NULL: this is the calm run */
    const schedule_t *schedule; /* NULL: the same */
    char dir[RACK_PATH], store[RACK_PATH + 16];
    rack_t *rack;
    weather_t *weather;
    verdict_t *verdict;
    uint64_t ms, down_ms, faulted;
    size_t lost; /* records that damage may have taken */
} trial_t;

static prf_status_t submit(const trial_t *t, prf_error_t *err)
{
    char text[WORKLOAD_TEXT];
    json_t *in, *reply;
    workload_write(text, t->options->points, 1);
    in = json_pack("{s:s, s:s, s:[]}", "campaign", text, "file", "storm.yaml", "networks");
    prf_status_t status = rack_ask(t->rack, "submit", in, &reply, err);
    if (!status)
        json_decref(reply);
    return status;
}

/* Whether the campaign is done. While the coordinator does not answer it is not. A campaign that damage took is submitted anew, as
 * the manual says. Errors: PRF_EINTERNAL (it ended otherwise). */
static prf_status_t ask_done(const trial_t *t, bool *done, prf_error_t *err)
{
    char state[32];
    json_t *reply;
    *done = false;
    if (!rack_up(t->rack, RACK_COORDINATOR))
        return PRF_OK;
    prf_status_t status = rack_ask(t->rack, "status", json_pack("{s:s}", "campaign", WORKLOAD_NAME), &reply, err);
    if (status == PRF_ENOTFOUND && t->weather && weather_damages(t->weather) > 0)
        return submit(t, err);
    if (status)
        return status == PRF_ETIMEOUT ? PRF_OK : status;
    snprintf(state, sizeof state, "%s", prf_json_text(json_array_get(json_object_get(reply, "campaigns"), 0), "state", ""));
    json_decref(reply);
    *done = strcmp(state, "done") == 0;
    return *done || strcmp(state, "running") == 0 ? PRF_OK : prf_fail(err, PRF_EINTERNAL, "the campaign is '%s'", state);
}

typedef struct {
    uint64_t asked_ms, said_ms, moved_ms;
    size_t acked, measured;
} watch_t;

/* Says how far it is now and then. Errors: PRF_ETIMEOUT (it stands still). */
static prf_status_t note_progress(const trial_t *t, watch_t *w, prf_error_t *err)
{
    uint64_t now = prf_clock_mono_ms();
    size_t acked = ledger_acked(rack_ledger(t->rack)), measured = ledger_measured(rack_ledger(t->rack));
    if (acked != w->acked || measured != w->measured)
        w->moved_ms = now;
    w->acked = acked;
    w->measured = measured;
    if (now - w->moved_ms > STALL_MS + (t->reference ? t->options->hold_ms : 0))
        return prf_fail(err, PRF_ETIMEOUT, "nothing was acknowledged for %d s, %zu measurements were before", STALL_MS / 1000,
                        acked);
    if (now - w->said_ms > SAY_EVERY_MS) {
        printf("  %zu measured, %zu acknowledged, %" PRIu64 " s with a killed program not ready\n", measured, acked,
               rack_downtime_ms(t->rack) / 1000);
        fflush(stdout);
        w->said_ms = now;
    }
    return PRF_OK;
}

static prf_status_t run_campaign(const trial_t *t, prf_error_t *err)
{
    uint64_t begin = prf_clock_mono_ms();
    watch_t w = {.said_ms = begin, .moved_ms = begin};
    bool done = false;
    prf_status_t status = submit(t, err);
    while (!status && !done) {
        poll(NULL, 0, TICK_MS);
        status = rack_watch(t->rack, err);
        if (!status && t->weather)
            status = weather_step(t->weather, err);
        if (!status)
            status = note_progress(t, &w, err);
        if (!status)
            status = prf_check_interrupted(err);
        bool due = prf_clock_mono_ms() - w.asked_ms >= ASK_EVERY_MS;
        bool stands = prf_clock_mono_ms() - w.moved_ms > STANDS_MS;
        bool early = t->weather && (w.measured < t->reference->measured || !weather_over(t->weather));
        if (status || !due || (early && !stands))
            continue;
        status = ask_done(t, &done, err);
        w.asked_ms = prf_clock_mono_ms();
    }
    return status;
}

/* From the campaign's submission to the orderly end of every program. */
static prf_status_t carry_out(trial_t *t, prf_error_t *err)
{
    prf_status_t status = verdict_new(&t->verdict, err);
    if (!status && t->schedule)
        status = weather_new(&t->weather, t->rack, t->schedule, err);
    uint64_t begin = prf_clock_mono_ms();
    if (!status)
        status = run_campaign(t, err);
    t->ms = prf_clock_mono_ms() - begin;
    t->down_ms = rack_downtime_ms(t->rack);
    t->faulted = proxy_faulted(rack_proxy(t->rack));
    if (t->weather)
        t->lost = weather_damages(t->weather) * DAMAGE_RECORDS;
    if (!status && t->weather)
        status = weather_judge(t->weather, err);
    if (!status)
        status = verdict_collect(t->verdict, t->rack, err);
    return status ? status : rack_end(t->rack, err);
}

static void end_trial(trial_t *t, bool keep)
{
    weather_destroy(&t->weather);
    verdict_destroy(&t->verdict);
    rack_destroy(&t->rack);
    if (keep)
        return;
    hosts_unmount_disk(t->store); /* if there is one */
    tool_remove(t->dir);
}

static prf_status_t begin_trial(trial_t *t, const char *name, const rack_options_t *rack, bool disk, prf_error_t *err)
{
    rack_options_t options = *rack;
    snprintf(t->dir, sizeof t->dir, "%.100s/%.60s", t->options->root, name);
    snprintf(t->store, sizeof t->store, "%s/store", t->dir);
    options.dir = t->dir;
    options.workers = t->options->workers;
    prf_status_t status = prf_file_mkdirs(t->dir, 0755, err);
    if (!status && disk)
        status = hosts_mount_disk(t->store, DISK_MIB, err);
    return status ? status : rack_new(&t->rack, &options, err);
}

prf_status_t trial_calm(calm_t *out, const trial_options_t *options, prf_error_t *err)
{
    trial_t t = {.options = options};
    prf_status_t status = begin_trial(&t, "calm", &(rack_options_t){.hosts = false}, false, err);
    if (!status)
        status = carry_out(&t, err);
    if (!status) {
        out->measured = ledger_measured(rack_ledger(t.rack));
        out->ms = t.ms;
        snprintf(out->dir, sizeof out->dir, "%s", t.dir);
        printf("calm: %.1f s\n", (double)t.ms / 1000);
        verdict_print(t.verdict, rack_ledger(t.rack));
        if (verdict_of_results(t.verdict, rack_ledger(t.rack), 0) > 0)
            status = prf_fail(err, PRF_EINTERNAL, "even the undisturbed farm broke its word");
    }
    end_trial(&t, true);
    return status;
}

/* Time is judged where kills alone disturbed, and long enough for the moods of a machine not to decide. */
static size_t verdict_of_time(const trial_t *t, bool judged)
{
    double own = (double)(t->ms - t->down_ms) / 1000, undisturbed = (double)t->reference->ms / 1000;
    uint64_t median, longest;
    rack_restarts(t->rack, &median, &longest);
    printf("  a killed program was ready again after %" PRIu64 " ms (median), %" PRIu64 " ms (longest)\n", median, longest);
    printf("  %.1f s, of them %.1f s with a killed program not ready again; the rest is %.2f times the undisturbed %.1f s\n",
           (double)t->ms / 1000, (double)t->down_ms / 1000, own / undisturbed, undisturbed);
    if (!judged || t->reference->ms < JUDGED_MS || own * 100 <= undisturbed * SLOWEST_PERCENT)
        return 0;
    fprintf(stderr, "BREACH slower than %d %% of the undisturbed time and the restarts\n", SLOWEST_PERCENT);
    return 1;
}

static size_t judge(const trial_t *t, const scenario_t *scenario)
{
    const ledger_t *ledger = rack_ledger(t->rack);
    printf("  %zu deeds, of them %zu kills; %" PRIu64 " messages hit\n", t->schedule->count, t->schedule->kills, t->faulted);
    verdict_print(t->verdict, ledger);
    return verdict_of_results(t->verdict, ledger, t->lost) + verdict_of_models(t->dir, t->reference->dir) +
           verdict_of_time(t, scenario->kill_percent == 100);
}

bool trial_storm(const scenario_t *scenario, const trial_options_t *options, uint64_t seed, const calm_t *reference)
{
    schedule_t schedule = {.count = 0};
    trial_t t = {.options = options, .reference = reference, .schedule = &schedule};
    prf_error_t err = {0};
    char name[64];
    snprintf(name, sizeof name, "%s-%" PRIu64, scenario->name, seed);
    printf("%s, seed %" PRIu64 "; again: storm --scenario %s --seed %" PRIu64 " --kills %u --points %zu --workers %zu --hold %u\n",
           scenario->name, seed, scenario->name, seed, options->kills, options->points, options->workers, options->hold_ms / 1000);
    fflush(stdout);
    prf_status_t status = schedule_make(&schedule,
                                        &(schedule_options_t){.scenario = scenario,
                                                              .kills = options->kills,
                                                              .points = reference->measured,
                                                              .workers = options->workers,
                                                              .hold_ms = options->hold_ms,
                                                              .seed = seed},
                                        &err);
    if (!status)
        status =
            begin_trial(&t, name,
                        &(rack_options_t){
                            .seed = seed, .hosts = scenario->unplugs, .clock_jumps = scenario->clock_jumps ? PRF_CLOCKJUMP : NULL},
                        scenario->fills, &err);
    if (!status)
        status = carry_out(&t, &err);
    if (status)
        fprintf(stderr, "BREACH %s\n", err.text);
    size_t breaches = status ? 1 : judge(&t, scenario);
    printf("%s, seed %" PRIu64 ": %s\n", scenario->name, seed, breaches ? "BREACH" : "held");
    if (breaches || options->keep)
        printf("  logs, ledger, store and models are in %s\n", t.dir);
    end_trial(&t, breaches > 0 || options->keep);
    schedule_release(&schedule);
    fflush(stdout);
    return breaches == 0;
}
