// SPDX-License-Identifier: Apache-2.0
/* Boards that fail, with the real programs: quarantine and power-cycling; points that fail everywhere; values that cannot be. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "tests/support/farm.h"

static farm_t farm;

static void tear_down(void)
{
    farm_stop(&farm);
}

TestSuite(triage, .fini = tear_down);

/* Waits until the board is in this state. Returns its entry, a new reference. */
static json_t *wait_board(const char *name, const char *state)
{
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    for (;;) {
        json_t *board = farm_board(&farm, name);
        if (board && strcmp(farm_text(board, "state"), state) == 0)
            return board;
        char *all = board ? json_dumps(board, JSON_COMPACT) : NULL;
        cr_assert_lt(prf_clock_mono_ms(), until, "%s is not %s: %s", name, state, all ? all : "unknown");
        free(all);
        json_decref(board);
    }
}

/* How many events of this kind there are about the subject; *last (may be NULL) receives the text of the last one. */
static unsigned events(const char *what, const char *subject, char last[400])
{
    json_t *page = farm_ask(&farm, "events", NULL), *e;
    unsigned count = 0;
    size_t i;
    json_array_foreach(json_object_get(page, "events"), i, e)
    {
        if (strcmp(farm_text(e, "event"), what) != 0 || strcmp(farm_text(e, "subject"), subject) != 0)
            continue;
        count++;
        if (last)
            snprintf(last, 400, "%s", farm_text(e, "text"));
    }
    json_decref(page);
    return count;
}

static void wait_event(const char *what, const char *subject)
{
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (events(what, subject, NULL) == 0) {
        cr_assert_lt(prf_clock_mono_ms(), until, "no event %s about %s", what, subject);
        poll(NULL, 0, 5);
    }
}

static void write_file(char path[FARM_PATH + 32], const char *name, const char *content)
{
    prf_error_t err = {0};
    snprintf(path, FARM_PATH + 32, "%s/%s", farm.dir, name);
    cr_assert_eq(prf_file_write(path, content, strlen(content), &err), PRF_OK, "%s", err.text);
}

Test(triage, a_board_that_fails_everything_is_quarantined_power_cycled_within_limits_and_comes_back_when_it_is_well)
{
    char script[FARM_PATH + 32], hooks[FARM_PATH + 32], content[800], record[FARM_PATH + 32];
    farm_start(&farm, NULL);
    farm_kill_coordinator(&farm);
    snprintf(record, sizeof record, "%s/cycled", farm.dir);
    snprintf(content, sizeof content, "#!/bin/sh\necho \"$1 $2\" >> %s\necho done\n", record);
    write_file(script, "cycle.sh", content);
    cr_assert_eq(chmod(script, 0755), 0);
    snprintf(content, sizeof content, "- {boards: 'sick*', command: [%s, '{board}', '{kind}'], at_most_per_day: 1, delay_s: 1}\n",
             script);
    write_file(hooks, "hooks.yaml", content);
    const char *options[] = {"--hooks", hooks, "--quarantine-ms", "50", NULL};
    farm_start_coordinator(&farm, options);
    size_t place = farm_add_worker(&farm, "sick", "hand", "ultratrail", "crash=1");
    json_decref(farm_submit(&farm, farm_by_hand));
    json_t *board = wait_board("sick", "quarantined");
    cr_assert_geq(farm_number(json_object_get(board, "failures"), "crash"), 5);
    cr_assert_eq(farm_number(board, "failed"), farm_number(json_object_get(board, "failures"), "crash"));
    cr_assert(strstr(farm_text(board, "note"), "failed on 5 points in a row"), "%s", farm_text(board, "note"));
    json_decref(board);
    wait_event("board_power_cycled", "sick");
    wait_event("board_tried_in_vain", "sick"); /* more failures, no more power-cycles */
    char *recorded = NULL;
    size_t len;
    cr_assert_eq(prf_file_read(record, 1000, &recorded, &len, NULL), PRF_OK);
    cr_assert_str_eq(recorded, "sick hand\n");
    free(recorded);
    json_t *over = farm_campaign(&farm, "hand");
    cr_assert_str_eq(farm_text(over, "state"), "running");
    cr_assert_eq(farm_number(json_array_get(json_object_get(over, "boards"), 0), "poisoned"), 0,
                 "a board in quarantine says nothing about points");
    json_decref(over);
    /* Somebody repairs it. */
    farm_kill_worker(&farm, place);
    farm_add_worker(&farm, "sick", "hand", "ultratrail", NULL);
    over = farm_wait(&farm, "hand", farm_is_over);
    cr_assert_str_eq(farm_text(over, "state"), "done");
    json_decref(over);
    json_decref(wait_board("sick", "idle"));
    wait_event("board_released", "sick");
}

static bool gets_a_job(farm_peer_t *peer)
{
    prf_frame_t jobs;
    bool got = farm_peer_receive(peer, PRF_FRAME_JOB_BATCH, &jobs, 200);
    if (got)
        prf_frame_release(&jobs);
    return got;
}

Test(triage, a_quarantine_by_hand_returns_the_jobs_and_outlives_the_coordinator_until_it_is_released)
{
    farm_start(&farm, NULL);
    farm_peer_t a, b;
    farm_peer_connect(&a, &farm);
    farm_peer_connect(&b, &farm);
    farm_peer_hello(&a, "a", "hand");
    json_decref(farm_submit(&farm, farm_by_hand));
    farm_peer_credit(&a, 1);
    prf_frame_t mine, theirs;
    cr_assert(farm_peer_receive(&a, PRF_FRAME_JOB_BATCH, &mine, PATIENCE_MS));
    json_t *reply = farm_ask(&farm, "quarantine", json_pack("{s:s, s:s}", "board", "a", "why", "its fan is broken"));
    cr_assert_str_eq(farm_text(reply, "state"), "quarantined");
    json_decref(reply);
    farm_peer_hello(&b, "b", "hand");
    farm_peer_credit(&b, 1);
    cr_assert(farm_peer_receive(&b, PRF_FRAME_JOB_BATCH, &theirs, PATIENCE_MS));
    cr_assert_eq(prf_digest_compare(&mine.u.jobs.items[0].point, &theirs.u.jobs.items[0].point), 0, "its job went to b");
    prf_frame_release(&mine);
    prf_frame_release(&theirs);
    farm_peer_credit(&a, 10);
    cr_assert_not(gets_a_job(&a));

    farm_kill_coordinator(&farm);
    farm_start_coordinator(&farm, NULL);
    farm_peer_hello(&a, "a", "hand");
    farm_peer_hello(&b, "b", "hand"); /* both are back: nobody is waited for before jobs are granted */
    farm_peer_credit(&a, 10);
    cr_assert_not(gets_a_job(&a));
    json_t *board = farm_board(&farm, "a");
    cr_assert_str_eq(farm_text(board, "state"), "quarantined");
    cr_assert(strstr(farm_text(board, "note"), "its fan is broken"), "%s", farm_text(board, "note"));
    json_decref(board);
    char why[400];
    cr_assert_eq(events("board_quarantined", "a", why), 1, "events outlive the coordinator, too");
    cr_assert(strstr(why, "its fan is broken"), "%s", why);

    reply = farm_ask(&farm, "release", json_pack("{s:s}", "board", "a"));
    cr_assert_str_eq(farm_text(reply, "state"), "released");
    json_decref(reply);
    /* The other board is not back: work is granted again when it was waited for. */
    prf_frame_t jobs;
    farm_peer_take_jobs(&a, &jobs);
    prf_frame_release(&jobs);
    prf_status_t status;
    cr_assert_null(farm_request(&farm, "quarantine", json_pack("{s:s}", "board", "nobody"), &status, NULL));
    cr_assert_eq(status, PRF_ENOTFOUND);
    cr_assert_null(farm_request(&farm, "power-cycle", json_pack("{s:s}", "board", "a"), &status, NULL));
    cr_assert_eq(status, PRF_ENOTFOUND, "there is no hook");
    farm_peer_close(&a);
    farm_peer_close(&b);
}

static json_t *kind_of(json_t *entry)
{
    return json_array_get(json_object_get(entry, "boards"), 0);
}

Test(triage, a_point_that_crashes_every_board_is_poisoned_with_each_ones_error_until_a_person_has_it_tried_again)
{
    farm_start(&farm, NULL);
    /* With a seed the same layers crash wherever they are tried. */
    size_t a = farm_add_worker(&farm, "a", "hand", "ultratrail", "crash=0.1 seed=5");
    size_t b = farm_add_worker(&farm, "b", "hand", "ultratrail", "crash=0.1 seed=5");
    json_decref(farm_submit(&farm, farm_by_hand));
    json_t *over = farm_wait(&farm, "hand", farm_is_over);
    cr_assert_str_eq(farm_text(over, "state"), "done", "the campaign goes on without them");
    json_int_t poisoned = farm_number(kind_of(over), "poisoned");
    cr_assert_gt(poisoned, 0, "no layer crashed: choose another seed");
    json_decref(over);
    for (int restart = 0; restart < 2; restart++) {
        json_t *page = farm_ask(&farm, "poisoned", json_pack("{s:s}", "campaign", "hand")), *point, *error;
        cr_assert_eq((json_int_t)json_array_size(json_object_get(page, "points")), poisoned);
        size_t i, k;
        json_array_foreach(json_object_get(page, "points"), i, point)
        {
            unsigned of_a = 0, of_b = 0;
            json_array_foreach(json_object_get(point, "errors"), k, error)
            {
                of_a += strcmp(farm_text(error, "board"), "a") == 0;
                of_b += strcmp(farm_text(error, "board"), "b") == 0;
                cr_assert_str_eq(farm_text(error, "outcome"), "crash");
                cr_assert(strstr(farm_text(error, "error"), "signal"), "%s", farm_text(error, "error"));
            }
            cr_assert(of_a > 0 && of_b > 0 && of_a + of_b == 3, "%u of a, %u of b", of_a, of_b);
            cr_assert(strstr(farm_text(point, "block"), "fc"), "%s", farm_text(point, "block"));
        }
        json_decref(page);
        if (restart == 0) {
            farm_kill_coordinator(&farm);
            farm_start_coordinator(&farm, NULL);
        }
    }
    cr_assert_eq(events("point_poisoned", "hand", NULL), poisoned);
    /* The boards are repaired. */
    farm_kill_worker(&farm, a);
    farm_kill_worker(&farm, b);
    farm_add_worker(&farm, "a", "hand", "ultratrail", NULL);
    json_t *reply = farm_ask(&farm, "retry", json_pack("{s:s}", "campaign", "hand"));
    cr_assert_eq(farm_number(reply, "cleared"), poisoned);
    cr_assert_str_eq(farm_text(reply, "state"), "running");
    json_decref(reply);
    farm_kill_coordinator(&farm);
    farm_start_coordinator(&farm, NULL);
    over = farm_wait(&farm, "hand", farm_is_over);
    cr_assert_str_eq(farm_text(over, "state"), "done");
    cr_assert_eq(farm_number(kind_of(over), "poisoned"), 0);
    json_decref(over);
    json_t *rows = farm_rows(&farm, "hand"), *once = json_object(), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        char key[64];
        if (strcmp(farm_text(row, "outcome"), "ok") != 0)
            continue;
        snprintf(key, sizeof key, "%s.%lld", farm_text(row, "point"), (long long)farm_number(row, "attempt"));
        cr_assert_not(json_object_get(once, key), "only those were to be measured again");
        json_object_set_new(once, key, json_true());
    }
    json_decref(rows);
    json_decref(once);
    reply = farm_ask(&farm, "retry", json_pack("{s:s}", "campaign", "hand"));
    cr_assert_eq(farm_number(reply, "cleared"), 0);
    json_decref(reply);
}

/* What failed stands at the end of the queue, so in the end nothing else is left. */
Test(triage, points_that_failed_before_are_given_up_and_condemn_no_board_though_nothing_else_is_left)
{
    farm_start(&farm, NULL);
    farm_add_worker(&farm, "alone", "hand", "ultratrail", "crash=0.2 seed=5");
    json_decref(farm_submit(&farm, farm_by_hand));
    json_t *over = farm_wait(&farm, "hand", farm_is_over);
    cr_assert_str_eq(farm_text(over, "state"), "done");
    cr_assert_gt(farm_number(kind_of(over), "poisoned"), 5, "too few layers crashed to show anything: choose another seed");
    json_decref(over);
    cr_assert_eq(events("board_quarantined", "alone", NULL), 0);
    json_t *summary = farm_ask(&farm, "summary", json_pack("{s:s}", "campaign", "hand"));
    const char *note = farm_text(kind_of(summary), "note");
    cr_assert(strstr(note, "points were given up ('prfarm poisoned hand' tells why), the last one: the backend"), "%s", note);
    json_decref(summary);
}

/* The peer's next job; what it points to is gone. */
static prf_job_t take_one(farm_peer_t *peer)
{
    prf_frame_t jobs;
    farm_peer_credit(peer, 1);
    cr_assert(farm_peer_receive(peer, PRF_FRAME_JOB_BATCH, &jobs, PATIENCE_MS), "no job came");
    prf_job_t job = jobs.u.jobs.items[0];
    prf_frame_release(&jobs);
    return job;
}

static void answer(farm_peer_t *peer, const prf_job_t *job, double latency_ns)
{
    farm_peer_result(peer, job, PRF_OK, latency_ns);
    farm_peer_committed(peer, job->id);
}

/* What the store has for the point; NaN: nothing yet. */
static double stored(const prf_digest_t *point)
{
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(point, hex);
    json_t *results = farm_ask(&farm, "results", json_pack("{s:[s]}", "points", hex));
    json_t *result = json_array_get(json_object_get(results, "results"), 0);
    double ns = json_is_object(result) ? json_number_value(json_object_get(result, "latency_ns")) : 0;
    json_decref(results);
    return ns;
}

Test(triage, a_latency_far_off_is_measured_elsewhere_before_it_is_believed)
{
    farm_start(&farm, (const char *[]){"--heartbeat-ms", "10000", NULL}); /* while one board works, the other says nothing */
    farm_peer_t a, b;
    farm_peer_connect(&a, &farm);
    farm_peer_connect(&b, &farm);
    farm_peer_hello(&a, "a", "hand");
    farm_peer_hello(&b, "b", "hand");
    json_decref(farm_submit(&farm, farm_by_hand));
    for (int i = 0; i < 8; i++) {
        prf_job_t job = take_one(&a);
        answer(&a, &job, 1000 + i);
    }
    /* One that the other board will not confirm, and one that it will. */
    prf_job_t nonsense = take_one(&a), cliff = take_one(&a);
    farm_peer_result(&a, &nonsense, PRF_OK, 1e9);
    farm_peer_result(&a, &cliff, PRF_OK, 1e9);
    /* One on which both fail before they see a cliff, as far from the first as from all others: being doubted is no failure that
     * poisons it. */
    prf_job_t rough = take_one(&a);
    farm_peer_result(&a, &rough, PRF_ECRASH, 0);
    int rough_tries = 0;
    for (int seen = 0; seen < 3;) {
        cr_assert(seen > 0 || stored(&nonsense.point) == 0, "it was believed");
        prf_job_t job = take_one(&b);
        bool is_cliff = prf_digest_compare(&job.point, &cliff.point) == 0,
             is_rough = prf_digest_compare(&job.point, &rough.point) == 0;
        seen += is_cliff || prf_digest_compare(&job.point, &nonsense.point) == 0;
        if (is_rough && rough_tries < 2) {
            farm_peer_result(&b, &job, rough_tries == 0 ? PRF_ECRASH : PRF_OK, 1e6);
            rough_tries++;
            continue;
        }
        seen += is_rough;
        answer(&b, &job, is_rough ? 1e6 : is_cliff ? 1.2e9 : 1000);
    }
    cr_assert_eq(stored(&rough.point), 1e6);
    cr_assert_eq(stored(&nonsense.point), 1000);
    cr_assert_eq(stored(&cliff.point), 1.2e9);
    json_t *board = farm_board(&farm, "a");
    cr_assert_eq(farm_number(json_object_get(board, "failures"), "implausible"), 1, "the cliff was no failure");
    cr_assert_eq(farm_number(board, "done"), 8);
    json_decref(board);
    farm_peer_close(&a);
    farm_peer_close(&b);
}

static const char two_kinds[] = "campaign: health\n"
                                "boards:\n"
                                "  - {kind: exact, backend: sim}\n"
                                "  - {kind: noisy, backend: sim}\n"
                                "layers:\n"
                                "  - kind: fc\n"
                                "    params: {in: 1..64, out: 1..64}\n"
                                "    knowledge: white\n"
                                "    steps: {in: 8, out: 8}\n"
                                "budget: {samples: 20}\n"
                                "validation: {layers: 4, repeats: 1}\n"
                                "baseline: false\n";

static bool noted(const char *name, const char *words)
{
    json_t *board = farm_board(&farm, name);
    bool found = board && strstr(farm_text(board, "note"), words);
    json_decref(board);
    return found;
}

static void wait_note(const char *name, const char *words)
{
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (!noted(name, words)) {
        cr_assert_lt(prf_clock_mono_ms(), until, "%s is not noted as '%s'", name, words);
        poll(NULL, 0, 5);
    }
}

Test(triage, boards_that_drift_or_differ_are_flagged_over_restarts_and_honest_noisy_ones_are_not)
{
    const char *options[] = {"--sentinel-s", "0.05", "--heartbeat-ms", "100", NULL};
    farm_start(&farm, options);
    farm_add_worker(&farm, "steady-1", "exact", "ultratrail", NULL);
    farm_add_worker(&farm, "steady-2", "exact", "ultratrail", NULL);
    farm_add_worker(&farm, "odd", "exact", "ultratrail", "speed=1.2");
    farm_add_worker(&farm, "drifting", "exact", "ultratrail", "drift=4 drift_after=80");
    farm_add_worker(&farm, "noisy", "noisy", "ultratrail", "noise=5");
    json_decref(farm_submit(&farm, two_kinds));
    wait_note("odd", "differs from its siblings");
    wait_note("drifting", "drifts: ");
    json_t *over = farm_wait(&farm, "health", farm_is_over);
    cr_assert_str_eq(farm_text(over, "state"), "done");
    json_decref(over);
    over = farm_campaign(&farm, "health");
    cr_assert(json_is_true(json_object_get(kind_of(over), "stale")));
    json_decref(over);
    const char *well[] = {"steady-1", "steady-2", "noisy"};
    for (int i = 0; i < 3; i++) {
        cr_assert_not(noted(well[i], "drifts"), "%s", well[i]);
        cr_assert_not(noted(well[i], "differs"), "%s", well[i]);
    }
    /* Sentinels are in no table of results. */
    json_t *rows = farm_rows(&farm, NULL), *row;
    size_t i;
    json_array_foreach(rows, i, row) cr_assert_str_neq(farm_text(row, "campaign"), "", "a measurement that no campaign asked for");
    json_decref(rows);
    wait_event("board_drifts", "drifting");
    wait_event("board_odd", "odd");
    farm_kill_coordinator(&farm);
    farm_start_coordinator(&farm, options);
    wait_note("odd", "differs from its siblings");
    wait_note("drifting", "drifts: ");
    json_decref(farm_ask(&farm, "release", json_pack("{s:s}", "board", "drifting")));
    cr_assert_not(noted("drifting", "drifts: "), "what it is now is its normal");
}
