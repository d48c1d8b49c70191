// SPDX-License-Identifier: Apache-2.0
/* A whole farm: the real coordinator with real workers, and with workers that misbehave by hand. */
#define _GNU_SOURCE /* prlimit */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/farm.h"

static farm_t farm;

static void tear_down(void)
{
    farm_stop(&farm);
}

TestSuite(farm, .fini = tear_down);

static const char two_kinds[] = "campaign: two\n"
                                "seed: 7\n"
                                "boards:\n"
                                "  - {kind: zcu, backend: sim}\n"
                                "  - {kind: ultra, backend: sim}\n"
                                "layers:\n"
                                "  - kind: conv2d\n"
                                "    boards: [zcu]\n"
                                "    params: {c: 1..128, k: 1..128, h: [14, 28], r: 3, pad: r/2}\n"
                                "  - kind: fc\n"
                                "    boards: [ultra]\n"
                                "    params: {in: 1..128, out: 1..128}\n"
                                "    knowledge: white\n"
                                "    steps: {in: 8, out: 8}\n"
                                "budget: {samples: 150}\n"
                                "validation: {layers: 40, repeats: 2}\n";

static void assert_state(json_t *campaign, const char *state)
{
    char *all = json_dumps(campaign, JSON_COMPACT);
    cr_assert_str_eq(farm_text(campaign, "state"), state, "%s", all);
    free(all);
}

static void run_to_the_end(const char *campaign)
{
    json_t *over = farm_wait(&farm, campaign, farm_is_over);
    assert_state(over, "done");
    json_decref(over);
}

static void digest_of(const char *kind, char out[64])
{
    json_t *model = farm_ask(&farm, "model", json_pack("{s:s}", "kind", kind));
    snprintf(out, 64, "%s", farm_text(model, "digest"));
    json_decref(model);
}

Test(farm, a_campaign_on_two_kinds_ends_in_models_that_every_worker_runs)
{
    farm_start(&farm, NULL);
    farm_add_worker(&farm, "zcu-1", "zcu", "zcu102", NULL);
    farm_add_worker(&farm, "zcu-2", "zcu", "zcu102", NULL);
    farm_add_worker(&farm, "ultra-1", "ultra", "ultratrail", NULL);
    json_decref(farm_submit(&farm, two_kinds));
    run_to_the_end("two");
    json_t *summary = farm_ask(&farm, "summary", json_pack("{s:s}", "campaign", "two"));
    json_t *boards = json_object_get(summary, "boards"), *board;
    size_t i;
    cr_assert_eq(json_array_size(boards), 2);
    json_array_foreach(boards, i, board)
    {
        cr_assert_eq(farm_number(board, "model_version"), 1);
        cr_assert_eq(farm_number(board, "workers"), i == 0 ? 2 : 1);
        cr_assert_eq(farm_number(board, "acknowledged"), farm_number(board, "workers"));
        cr_assert_eq(farm_number(board, "measured"), farm_number(board, "planned"));
        cr_assert_eq(farm_number(board, "reused"), 0);
    }
    cr_assert_gt(json_number_value(json_object_get(summary, "seconds")), 0);
    json_decref(summary);
    for (size_t w = 0; w < 3; w++) {
        json_t *one = farm_board(&farm, (const char *[]){"zcu-1", "zcu-2", "ultra-1"}[w]);
        cr_assert_eq(farm_number(one, "model_version"), 1);
        cr_assert_gt(farm_number(one, "done"), 0, "%s measured nothing", farm_text(one, "board"));
        json_decref(one);
    }
    cr_assert_eq(farm_end_coordinator(&farm), 0);
}

static bool has_measured_some(json_t *campaign)
{
    return farm_is_over(campaign) || farm_number(json_array_get(json_object_get(campaign, "boards"), 0), "measured") +
                                             farm_number(json_array_get(json_object_get(campaign, "boards"), 0), "reused") >
                                         60;
}

/* Every point that was planned counts once, whoever was killed when. */
static void assert_counted_once(const char *campaign)
{
    json_t *counted = farm_counted(&farm, campaign);
    json_t *summary = farm_ask(&farm, "summary", json_pack("{s:s}", "campaign", campaign)), *board;
    json_int_t planned = 0;
    size_t i;
    json_array_foreach(json_object_get(summary, "boards"), i, board)
    {
        planned += farm_number(board, "planned");
        cr_assert_eq(farm_number(board, "measured") + farm_number(board, "reused"), farm_number(board, "planned"));
    }
    cr_assert_eq((json_int_t)json_object_size(counted), planned);
    json_decref(summary);
    json_decref(counted);
}

Test(farm, a_killed_and_resumed_campaign_counts_nothing_twice_and_ends_in_the_same_bytes)
{
    char undisturbed[2][64], resumed[2][64];
    farm_start(&farm, NULL);
    farm_add_worker(&farm, "zcu-1", "zcu", "zcu102", NULL);
    farm_add_worker(&farm, "ultra-1", "ultra", "ultratrail", NULL);
    json_decref(farm_submit(&farm, two_kinds));
    run_to_the_end("two");
    digest_of("zcu", undisturbed[0]);
    digest_of("ultra", undisturbed[1]);
    farm_stop(&farm);

    farm_start(&farm, NULL);
    farm_add_worker(&farm, "zcu-1", "zcu", "zcu102", NULL);
    farm_add_worker(&farm, "ultra-1", "ultra", "ultratrail", NULL);
    json_decref(farm_submit(&farm, two_kinds));
    for (int kill = 0; kill < 3; kill++) {
        json_decref(farm_wait(&farm, "two", has_measured_some));
        farm_kill_coordinator(&farm);
        if (kill == 1) {
            farm_kill_worker(&farm, 0);
            farm_kill_worker(&farm, 1);
        }
        farm_start_coordinator(&farm, NULL);
        if (kill == 1) {
            farm_add_worker(&farm, "zcu-1", "zcu", "zcu102", NULL);
            farm_add_worker(&farm, "ultra-1", "ultra", "ultratrail", NULL);
        }
    }
    run_to_the_end("two");
    digest_of("zcu", resumed[0]);
    digest_of("ultra", resumed[1]);
    cr_assert_str_eq(resumed[0], undisturbed[0]);
    cr_assert_str_eq(resumed[1], undisturbed[1]);
    assert_counted_once("two");
}

Test(farm, a_finished_campaign_is_told_about_after_a_restart_and_a_second_one_measures_nothing_again)
{
    farm_start(&farm, NULL);
    farm_add_worker(&farm, "ultra-1", "ultra", "ultratrail", NULL);
    static const char small[] = "campaign: %s\nboards:\n  - {kind: ultra, backend: sim}\nlayers:\n  - kind: fc\n"
                                "    params: {in: 1..64, out: 1..64}\n    knowledge: white\n    steps: {in: 8, out: 8}\n"
                                "budget: {samples: 20}\nvalidation: {layers: 5, repeats: 1}\n";
    char first[400], second[400], digest[64], again[64];
    snprintf(first, sizeof first, small, "first");
    snprintf(second, sizeof second, small, "second");
    json_decref(farm_submit(&farm, first));
    run_to_the_end("first");
    json_t *before = farm_ask(&farm, "summary", json_pack("{s:s}", "campaign", "first"));
    digest_of("ultra", digest);
    farm_kill_coordinator(&farm);
    farm_start_coordinator(&farm, NULL);
    json_t *after = farm_ask(&farm, "summary", json_pack("{s:s}", "campaign", "first"));
    cr_assert(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    digest_of("ultra", again);
    cr_assert_str_eq(digest, again);

    json_t *reply = farm_submit(&farm, first);
    cr_assert(json_is_false(json_object_get(reply, "created")));
    json_decref(reply);
    json_decref(farm_submit(&farm, second));
    run_to_the_end("second");
    json_t *summary = farm_ask(&farm, "summary", json_pack("{s:s}", "campaign", "second"));
    json_t *board = json_array_get(json_object_get(summary, "boards"), 0);
    cr_assert_eq(farm_number(board, "measured"), 0);
    cr_assert_eq(farm_number(board, "reused"), farm_number(board, "planned"));
    json_decref(summary);
    prf_status_t status;
    char other[420];
    snprintf(other, sizeof other, "%s# changed\n", first);
    cr_assert_null(farm_request(&farm, "submit", json_pack("{s:s}", "campaign", other), &status, NULL));
    cr_assert_eq(status, PRF_EEXISTS);
}

Test(farm, only_the_newest_lease_of_a_point_counts_and_what_others_bring_is_a_labelled_duplicate)
{
    farm_start(&farm, NULL);
    farm_peer_t a, b;
    farm_peer_connect(&a, &farm);
    farm_peer_connect(&b, &farm);
    farm_peer_hello(&a, "a", "hand");
    json_decref(farm_submit(&farm, farm_by_hand));
    farm_peer_credit(&a, 1);
    prf_frame_t jobs, again;
    cr_assert_eq(farm_peer_take_jobs(&a, &jobs), 1, "no more than the credit");
    prf_job_t job = jobs.u.jobs.items[0];
    /* a leaves with the job; b gets the same one under a newer epoch. */
    farm_peer_send(&a, &(prf_frame_t){.type = PRF_FRAME_GOODBYE});
    farm_peer_hello(&b, "b", "hand");
    farm_peer_credit(&b, 1);
    cr_assert_eq(farm_peer_take_jobs(&b, &again), 1);
    cr_assert_eq(prf_digest_compare(&again.u.jobs.items[0].point, &job.point), 0);
    cr_assert_gt(again.u.jobs.items[0].epoch, job.epoch);
    /* a comes back and is first, but its lease is not the newest; b's result counts; a second one of a's is not even kept. */
    farm_peer_hello(&a, "a", "hand");
    farm_peer_result(&a, &job, PRF_OK, 2000);
    farm_peer_told(&a, PRF_FRAME_FORGET, job.id);
    farm_peer_result(&b, &again.u.jobs.items[0], PRF_OK, 1000);
    farm_peer_committed(&b, again.u.jobs.items[0].id);
    farm_peer_result(&a, &job, PRF_OK, 3000);
    farm_peer_told(&a, PRF_FRAME_FORGET, job.id);
    json_t *rows = farm_rows(&farm, "hand");
    cr_assert_eq(json_array_size(rows), 2, "the result and one duplicate");
    cr_assert(json_is_true(json_object_get(json_array_get(rows, 0), "duplicate")));
    cr_assert_str_eq(farm_text(json_array_get(rows, 0), "board"), "a");
    cr_assert(json_is_false(json_object_get(json_array_get(rows, 1), "duplicate")));
    cr_assert_str_eq(farm_text(json_array_get(rows, 1), "board"), "b");
    json_decref(rows);
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(&job.point, hex);
    json_t *results = farm_ask(&farm, "results", json_pack("{s:[s]}", "points", hex));
    json_t *result = json_array_get(json_object_get(results, "results"), 0);
    cr_assert_eq(json_number_value(json_object_get(result, "latency_ns")), 1000);
    json_decref(results);
    prf_frame_release(&jobs);
    prf_frame_release(&again);
    farm_peer_close(&a);
    farm_peer_close(&b);
}

Test(farm, a_silent_worker_is_lost_and_its_jobs_go_to_another)
{
    farm_start(&farm, (const char *[]){"--heartbeat-ms", "500", NULL});
    farm_peer_t silent, other;
    farm_peer_connect(&silent, &farm);
    farm_peer_connect(&other, &farm);
    json_decref(farm_submit(&farm, farm_by_hand));
    farm_peer_hello(&silent, "silent", "hand");
    farm_peer_credit(&silent, 24);
    prf_frame_t mine, theirs;
    farm_peer_take_jobs(&silent, &mine);
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    const char *state = "";
    while (strcmp(state, "lost") != 0) {
        json_t *board = farm_board(&farm, "silent");
        state = strcmp(farm_text(board, "state"), "lost") == 0 ? "lost" : "";
        json_decref(board);
        cr_assert_lt(prf_clock_mono_ms(), until);
    }
    farm_peer_hello(&other, "other", "hand");
    farm_peer_credit(&other, 1);
    farm_peer_take_jobs(&other, &theirs);
    cr_assert_eq(prf_digest_compare(&theirs.u.jobs.items[0].point, &mine.u.jobs.items[0].point), 0, "the first one comes first");
    /* The lost one is told so when it speaks again. */
    prf_frame_t refusal;
    farm_peer_heartbeat(&silent, NULL, 0);
    cr_assert(farm_peer_receive(&silent, PRF_FRAME_REFUSAL, &refusal, PATIENCE_MS));
    cr_assert_eq(refusal.u.refusal.status, PRF_ENOTFOUND);
    prf_frame_release(&refusal);
    prf_frame_release(&mine);
    prf_frame_release(&theirs);
    farm_peer_close(&silent);
    farm_peer_close(&other);
}

Test(farm, a_live_board_keeps_its_name_and_a_silent_one_is_taken_over)
{
    farm_start(&farm, (const char *[]){"--heartbeat-ms", "2000", NULL});
    farm_peer_t first, second;
    farm_peer_connect(&first, &farm);
    farm_peer_connect(&second, &farm);
    farm_peer_hello(&first, "same", "hand");
    farm_peer_send_hello(&second, "same", "hand");
    prf_frame_t frame;
    bool refused = false;
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (!refused && prf_clock_mono_ms() < until) {
        farm_peer_heartbeat(&first, NULL, 0);
        refused = farm_peer_receive(&second, PRF_FRAME_REFUSAL, &frame, 50);
    }
    cr_assert(refused);
    cr_assert_eq(frame.u.refusal.status, PRF_EEXISTS);
    cr_assert(strstr(frame.u.refusal.text, "same"), "%s", frame.u.refusal.text);
    prf_frame_release(&frame);
    /* From now on the first one is silent. */
    uint64_t before = first.session;
    farm_peer_hello(&second, "same", "hand");
    cr_assert_gt(second.session, before);
    farm_peer_heartbeat(&first, NULL, 0);
    cr_assert(farm_peer_receive(&first, PRF_FRAME_REFUSAL, &frame, PATIENCE_MS));
    cr_assert_eq(frame.u.refusal.status, PRF_ENOTFOUND);
    prf_frame_release(&frame);
    farm_peer_close(&first);
    farm_peer_close(&second);
}

/* Nobody waits for two heartbeats for one that cannot speak any more. */
Test(farm, a_board_whose_connection_ended_is_taken_over_at_once)
{
    enum { BEAT_MS = 8000 };
    farm_start(&farm, (const char *[]){"--heartbeat-ms", "8000", NULL});
    farm_peer_t first, second;
    farm_peer_connect(&first, &farm);
    farm_peer_connect(&second, &farm);
    farm_peer_hello(&first, "same", "hand");
    uint64_t before = first.session, began = prf_clock_mono_ms();
    farm_peer_close(&first);
    farm_peer_hello(&second, "same", "hand");
    cr_expect_gt(second.session, before);
    cr_expect_lt(prf_clock_mono_ms() - began, BEAT_MS);
    farm_peer_close(&second);
}

Test(farm, a_point_that_fails_three_times_is_given_up_and_stays_so_after_a_restart)
{
    farm_start(&farm, NULL);
    farm_peer_t peers[2];
    const char *names[2] = {"a", "b"};
    for (int i = 0; i < 2; i++) {
        farm_peer_connect(&peers[i], &farm);
        farm_peer_hello(&peers[i], names[i], "hand");
    }
    json_decref(farm_submit(&farm, farm_by_hand));
    prf_digest_t bad;
    for (int try = 0; try < 3; try++) {
        prf_frame_t jobs;
        farm_peer_t *peer = &peers[try % 2];
        farm_peer_heartbeat(&peers[0], NULL, 0);
        farm_peer_heartbeat(&peers[1], NULL, 0);
        /* All that is there, so that the failed one is among them. */
        bool found = false;
        while (!found) {
            farm_peer_credit(peer, 1);
            farm_peer_take_jobs(peer, &jobs);
            prf_job_t *job = &jobs.u.jobs.items[0];
            if (try == 0)
                bad = job->point;
            found = prf_digest_compare(&job->point, &bad) == 0;
            farm_peer_result(peer, job, found ? PRF_ECRASH : PRF_OK, 1000);
            farm_peer_told(peer, found && try < 2 ? PRF_FRAME_FORGET : PRF_FRAME_COMMITTED, job->id);
            prf_frame_release(&jobs);
        }
    }
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(&bad, hex);
    for (int restart = 0; restart < 2; restart++) {
        json_t *results = farm_ask(&farm, "results", json_pack("{s:[s]}", "points", hex));
        json_t *result = json_array_get(json_object_get(results, "results"), 0);
        cr_assert_str_eq(farm_text(result, "outcome"), prf_status_name(PRF_ECRASH));
        cr_assert_str_eq(farm_text(result, "error"), "as the test says");
        json_decref(results);
        json_t *campaign = farm_campaign(&farm, "hand");
        cr_assert_eq(farm_number(json_array_get(json_object_get(campaign, "boards"), 0), "poisoned"), 1);
        json_decref(campaign);
        if (restart == 0) {
            farm_kill_coordinator(&farm);
            farm_start_coordinator(&farm, NULL);
        }
    }
    farm_peer_close(&peers[0]);
    farm_peer_close(&peers[1]);
}

/* Nothing of it may reach the store: JSON has no such numbers, and what is stored is told for ever. */
Test(farm, an_interval_that_cannot_be_is_a_failure)
{
    static const double intervals[] = {1e300, INFINITY, NAN, -1};
    farm_start(&farm, NULL);
    farm_peer_t peer;
    farm_peer_connect(&peer, &farm);
    farm_peer_hello(&peer, "a", "hand");
    json_decref(farm_submit(&farm, farm_by_hand));
    for (size_t i = 0; i < 2 * sizeof intervals / sizeof *intervals; i++) {
        prf_frame_t jobs;
        farm_peer_credit(&peer, 1);
        farm_peer_take_jobs(&peer, &jobs);
        const prf_job_t *job = &jobs.u.jobs.items[0];
        prf_result_t result = {
            .id = job->id,
            .epoch = job->epoch,
            .point = job->point,
            .attempt = job->attempt,
            .sample = {.latency_ns = 1000, .min_ns = 1000, .repeats = 5, .ci_percent = i % 2 ? 0.5 : intervals[i / 2]}};
        farm_peer_send(&peer, &(prf_frame_t){.type = PRF_FRAME_RESULT_BATCH, .u.results = {.items = &result, .count = 1}});
        farm_peer_told(&peer, i % 2 ? PRF_FRAME_COMMITTED : PRF_FRAME_FORGET, job->id);
        prf_frame_release(&jobs);
    }
    json_t *rows = farm_rows(&farm, NULL);
    cr_assert_eq(json_array_size(rows), sizeof intervals / sizeof *intervals);
    json_decref(rows);
    farm_peer_close(&peer);
}

Test(farm, a_result_from_before_a_restart_is_taken_and_its_point_not_measured_again)
{
    farm_start(&farm, NULL);
    farm_peer_t peer;
    farm_peer_connect(&peer, &farm);
    farm_peer_hello(&peer, "a", "hand");
    json_decref(farm_submit(&farm, farm_by_hand));
    farm_peer_credit(&peer, 1);
    prf_frame_t jobs, refusal;
    farm_peer_take_jobs(&peer, &jobs);
    prf_job_t job = jobs.u.jobs.items[0];
    farm_kill_coordinator(&farm);
    farm_start_coordinator(&farm, NULL);
    farm_peer_result(&peer, &job, PRF_OK, 1234);
    cr_assert(farm_peer_receive(&peer, PRF_FRAME_REFUSAL, &refusal, PATIENCE_MS), "the new coordinator knows no session");
    cr_assert_eq(refusal.u.refusal.status, PRF_ENOTFOUND);
    prf_frame_release(&refusal);
    farm_peer_hello(&peer, "a", "hand");
    farm_peer_result(&peer, &job, PRF_OK, 1234);
    farm_peer_committed(&peer, job.id);
    for (int i = 0; i < 10; i++) {
        prf_frame_t more;
        farm_peer_credit(&peer, 1);
        farm_peer_take_jobs(&peer, &more);
        cr_assert_neq(prf_digest_compare(&more.u.jobs.items[0].point, &job.point), 0);
        cr_assert_gt(more.u.jobs.items[0].id, job.id, "ids do not repeat");
        prf_frame_release(&more);
    }
    prf_frame_release(&jobs);
    farm_peer_close(&peer);
}

Test(farm, a_doubtful_sample_is_measured_again_and_the_better_one_kept)
{
    farm_start(&farm, NULL);
    farm_peer_t peer;
    farm_peer_connect(&peer, &farm);
    farm_peer_hello(&peer, "a", "hand");
    json_decref(farm_submit(&farm, farm_by_hand));
    prf_digest_t doubtful = {{0}};
    bool again = false;
    for (int i = 0; !again; i++) {
        cr_assert_lt(i, 100, "the doubtful one did not come again");
        prf_frame_t jobs;
        farm_peer_credit(&peer, 1);
        farm_peer_take_jobs(&peer, &jobs);
        prf_job_t *job = &jobs.u.jobs.items[0];
        prf_result_t result = {.id = job->id, .epoch = job->epoch, .point = job->point, .attempt = job->attempt};
        result.sample = (prf_sample_t){.latency_ns = 100 + i, .min_ns = 100, .ci_percent = 1, .repeats = 5};
        if (i == 0) {
            doubtful = job->point;
            result.sample.taint = PRF_TAINT_SWITCHED;
        }
        again = i > 0 && prf_digest_compare(&job->point, &doubtful) == 0;
        if (again)
            result.sample.latency_ns = 500;
        farm_peer_send(&peer, &(prf_frame_t){.type = PRF_FRAME_RESULT_BATCH, .u.results = {.items = &result, .count = 1}});
        farm_peer_committed(&peer, job->id);
        prf_frame_release(&jobs);
    }
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(&doubtful, hex);
    json_t *results = farm_ask(&farm, "results", json_pack("{s:[s]}", "points", hex));
    json_t *result = json_array_get(json_object_get(results, "results"), 0);
    cr_assert_eq(json_number_value(json_object_get(result, "latency_ns")), 500);
    json_decref(results);
    farm_peer_close(&peer);
}

Test(farm, malformed_frames_are_answered_and_counted_and_end_the_session_but_not_the_daemon)
{
    farm_start(&farm, NULL);
    farm_peer_t peer;
    farm_peer_connect(&peer, &farm);
    farm_peer_hello(&peer, "rude", "hand");
    prf_frame_t frame;
    for (int i = 0; i < 9; i++)
        farm_peer_send_bytes(&peer, "no frame at all", 15);
    farm_peer_send(&peer, &(prf_frame_t){.type = PRF_FRAME_WELCOME, .u.welcome = {.session = 1, .heartbeat_ms = 1}});
    for (int i = 0; i < 10; i++) {
        cr_assert(farm_peer_receive(&peer, PRF_FRAME_REFUSAL, &frame, PATIENCE_MS), "answer %d", i);
        prf_frame_release(&frame);
    }
    json_t *board = farm_board(&farm, "rude");
    cr_assert_str_eq(farm_text(board, "state"), "lost");
    json_decref(board);
    json_t *status = farm_ask(&farm, "status", NULL);
    cr_assert_geq(farm_number(json_object_get(status, "coordinator"), "broken_frames"), 10);
    json_decref(status);
    farm_peer_t again; /* this connection is not listened to for a while; another start is possible */
    farm_peer_connect(&again, &farm);
    farm_peer_hello(&again, "rude", "hand");
    farm_peer_close(&again);
    farm_peer_close(&peer);
}

Test(farm, senseless_requests_get_one_clear_refusal)
{
    farm_start(&farm, NULL);
    prf_status_t status;
    char error[480];
    struct {
        const char *op;
        json_t *in;
        prf_status_t status;
        const char *says;
    } bad[] = {
        {"fly", NULL, PRF_EUNSUPPORTED, "fly"},
        {"status", json_pack("{s:s}", "campaign", "none"), PRF_ENOTFOUND, "none"},
        {"summary", json_pack("{s:s}", "campaign", "none"), PRF_ENOTFOUND, "none"},
        {"cancel", NULL, PRF_ENOTFOUND, "prfarm status"},
        {"submit", NULL, PRF_EINVAL, "campaign"},
        {"submit", json_pack("{s:s, s:s}", "campaign", "boards: 7\n", "file", "x.yaml"), PRF_EINVAL, "x.yaml:"},
        {"submit", json_pack("{s:s, s:[{s:s, s:[]}]}", "campaign", farm_by_hand, "networks", "name", "n", "blocks"), PRF_EINVAL,
         "blocks"},
        {"model", json_pack("{s:s}", "kind", "none"), PRF_ENOTFOUND, "none"},
        {"measure", NULL, PRF_EINVAL, "items"},
        {"measure", json_pack("{s:s, s:[{s:[s]}]}", "kind", "none", "items", "blocks", "fc in=1 out=1"), PRF_ENOTFOUND, "none"},
        {"measure", json_pack("{s:[{}], s:{s:i}}", "items", "protocol", "limit_ms", -1), PRF_EINVAL, "limit_ms"},
        {"results", json_pack("{s:[s]}", "points", "xyz"), PRF_EINVAL, "digest"},
        {"export", json_pack("{s:i}", "after", -1), PRF_EINVAL, "after"},
        {"export", json_pack("{s:s}", "campaign", "none"), PRF_ENOTFOUND, "none"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *out = farm_request(&farm, bad[i].op, bad[i].in, &status, error);
        cr_assert_null(out, "%zu: %s was accepted", i, bad[i].op);
        cr_assert_eq(status, bad[i].status, "%zu: %s: %s", i, prf_status_name(status), error);
        cr_assert(strstr(error, bad[i].says), "%zu: '%s' does not say '%s'", i, error, bad[i].says);
    }
}

Test(farm, a_cancelled_campaign_stops_and_goes_on_when_it_is_submitted_again)
{
    farm_start(&farm, NULL);
    farm_peer_t peer;
    farm_peer_connect(&peer, &farm);
    farm_peer_hello(&peer, "a", "hand");
    json_decref(farm_submit(&farm, farm_by_hand));
    prf_frame_t jobs;
    farm_peer_credit(&peer, 1);
    farm_peer_take_jobs(&peer, &jobs);
    prf_job_t job = jobs.u.jobs.items[0];
    json_t *reply = farm_ask(&farm, "cancel", json_pack("{s:s}", "campaign", "hand"));
    cr_assert_str_eq(farm_text(reply, "state"), "cancelled");
    json_decref(reply);
    farm_kill_coordinator(&farm);
    farm_start_coordinator(&farm, NULL);
    json_t *campaign = farm_campaign(&farm, "hand");
    assert_state(campaign, "cancelled");
    json_decref(campaign);
    farm_peer_hello(&peer, "a", "hand");
    farm_peer_result(&peer, &job, PRF_OK, 77); /* was measured: it is kept */
    farm_peer_committed(&peer, job.id);
    json_decref(farm_submit(&farm, farm_by_hand));
    campaign = farm_campaign(&farm, "hand");
    assert_state(campaign, "running");
    const json_t *board = json_array_get(json_object_get(campaign, "boards"), 0);
    cr_assert_eq(farm_number(board, "measured"), 1, "it is the campaign's own");
    cr_assert_eq(farm_number(board, "reused"), 0);
    json_decref(campaign);
    prf_frame_release(&jobs);
    farm_peer_close(&peer);
}

Test(farm, a_full_disk_stops_the_granting_and_the_campaign_goes_on_by_itself_when_there_is_room)
{
    farm_start(&farm, NULL);
    farm_peer_t peer;
    farm_peer_connect(&peer, &farm);
    farm_peer_hello(&peer, "a", "hand");
    json_decref(farm_submit(&farm, farm_by_hand));
    prf_frame_t jobs;
    farm_peer_credit(&peer, 1);
    farm_peer_take_jobs(&peer, &jobs);
    prf_job_t job = jobs.u.jobs.items[0];
    /* LMDB's first two pages exist and are written in place; nothing behind them can be. */
    struct rlimit before, full = {.rlim_cur = 8192, .rlim_max = RLIM_INFINITY};
    cr_assert_eq(prlimit(farm.coordinator.pid, RLIMIT_FSIZE, NULL, &before), 0);
    full.rlim_max = before.rlim_max;
    cr_assert_eq(prlimit(farm.coordinator.pid, RLIMIT_FSIZE, &full, NULL), 0);
    farm_peer_result(&peer, &job, PRF_OK, 1000);
    farm_peer_credit(&peer, 4);
    bool granting = true;
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (granting && prf_clock_mono_ms() < until) {
        json_t *status = farm_ask(&farm, "status", NULL), *coordinator = json_object_get(status, "coordinator");
        granting = json_is_true(json_object_get(coordinator, "granting"));
        cr_assert(granting || strstr(farm_text(coordinator, "note"), "free some space"), "%s", farm_text(coordinator, "note"));
        json_decref(status);
        farm_peer_heartbeat(&peer, NULL, 0);
    }
    cr_assert_not(granting);
    prf_status_t status;
    char error[480], other[600];
    snprintf(other, sizeof other, "%s", farm_by_hand);
    memcpy(strstr(other, "hand"), "next", 4);
    cr_assert_null(farm_request(&farm, "submit", json_pack("{s:s}", "campaign", other), &status, error));
    cr_assert_eq(status, PRF_ENOSPC, "%s", error);
    cr_assert_eq(prlimit(farm.coordinator.pid, RLIMIT_FSIZE, &before, NULL), 0);
    farm_peer_committed(&peer, job.id);
    prf_frame_t more;
    farm_peer_credit(&peer, 1);
    farm_peer_take_jobs(&peer, &more);
    prf_frame_release(&more);
    prf_frame_release(&jobs);
    farm_peer_close(&peer);
}

Test(farm, workers_with_another_runtime_get_no_jobs_of_a_campaign_and_it_says_so)
{
    farm_start(&farm, NULL);
    farm_peer_t peer;
    farm_peer_connect(&peer, &farm);
    farm_peer_hello(&peer, "a", "hand");
    json_decref(farm_submit(&farm, farm_by_hand));
    prf_frame_t jobs;
    farm_peer_credit(&peer, 1);
    farm_peer_take_jobs(&peer, &jobs);
    prf_frame_release(&jobs);
    farm_peer_t other;
    farm_peer_connect(&other, &farm);
    prf_frame_t hello = {.type = PRF_FRAME_HELLO,
                         .u.hello = {.board = "b", .kind = "hand", .fingerprint = "newer", .kinds = 0xfff, .dtypes = 1}};
    farm_peer_send(&other, &hello);
    prf_frame_t welcome;
    cr_assert(farm_peer_receive(&other, PRF_FRAME_WELCOME, &welcome, PATIENCE_MS));
    prf_frame_release(&welcome);
    farm_peer_credit(&other, 10);
    json_t *board = farm_board(&farm, "b");
    cr_assert(strstr(farm_text(board, "note"), "another runtime"), "%s", farm_text(board, "note"));
    cr_assert_eq(farm_number(board, "running"), 0);
    json_decref(board);
    json_t *campaign = farm_campaign(&farm, "hand"), *kind = json_array_get(json_object_get(campaign, "boards"), 0);
    cr_assert_eq(farm_number(kind, "workers"), 1);
    cr_assert_eq(farm_number(kind, "other_runtime"), 1);
    json_decref(campaign);
    cr_assert_not(farm_peer_receive(&other, PRF_FRAME_JOB_BATCH, &jobs, 100));
    farm_peer_close(&peer);
    farm_peer_close(&other);
}

Test(farm, single_layers_are_measured_on_request_and_only_once)
{
    farm_start(&farm, NULL);
    farm_add_worker(&farm, "zcu-1", "zcu", "zcu102", NULL);
    json_t *ask = json_pack("{s:s, s:[{s:[s]}]}", "kind", "zcu", "items", "blocks", "conv2d c=64 k=64 h=56 r=3 pad=1 dtype=i8");
    json_t *points = farm_ask(&farm, "measure", json_incref(ask));
    json_t *result = NULL;
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (!json_is_object(result)) {
        json_decref(result);
        json_t *reply = farm_ask(&farm, "results", json_incref(points));
        result = json_incref(json_array_get(json_object_get(reply, "results"), 0));
        json_decref(reply);
        cr_assert_lt(prf_clock_mono_ms(), until);
    }
    cr_assert_float_eq(json_number_value(json_object_get(result, "latency_ns")), 197028.53, 0.01);
    json_decref(result);
    json_decref(points);
    json_decref(farm_ask(&farm, "measure", ask));
    json_t *board = farm_board(&farm, "zcu-1");
    cr_assert_eq(farm_number(board, "done"), 1);
    json_decref(board);
    json_t *rows = farm_rows(&farm, NULL), *row = json_array_get(rows, 0);
    cr_assert_str_eq(farm_text(row, "layer"), "conv2d");
    cr_assert_eq(farm_number(json_object_get(row, "params"), "k"), 64);
    cr_assert_str_eq(farm_text(row, "role"), "request");
    json_decref(rows);
}

Test(farm, the_command_line_refuses_what_is_wrong_with_documented_codes)
{
    farm_start(&farm, NULL);
    char store[FARM_PATH + 16], busy[FARM_PATH + 16];
    snprintf(store, sizeof store, "%s/other", farm.dir);
    snprintf(busy, sizeof busy, "%s/store", farm.dir);
    cr_assert_eq(FARM_RUN(&farm, NULL, "prfarm-coordinator", "--wings"), 2);
    cr_assert_eq(FARM_RUN(&farm, NULL, "prfarm-coordinator", "more"), 2);
    cr_assert_eq(FARM_RUN(&farm, NULL, "prfarm-coordinator", "--heartbeat-ms", "1"), 2);
    cr_assert_eq(FARM_RUN(&farm, NULL, "prfarm-coordinator", "--log", "loud"), 2);
    cr_assert_eq(FARM_RUN(&farm, NULL, "prfarm-coordinator", "--farm", "tcp://*:*", "--store", store), 2, "others could reach it");
    cr_assert_eq(FARM_RUN(&farm, NULL, "prfarm-coordinator", "--farm", "pigeon", "--store", store), 3);
    cr_assert_eq(FARM_RUN(&farm, NULL, "prfarm-coordinator", "--farm", "tcp://127.0.0.1:*", "--store", busy), 5,
                 "the store is in use");
    cr_assert_eq(FARM_RUN(&farm, NULL, "prfarm-coordinator", "--help"), 0);
    cr_assert_eq(FARM_RUN(&farm, NULL, "prfarm-coordinator", "--version"), 0);
    cr_assert_neq(access(store, F_OK), 0, "nothing is made before the address is accepted");
}
