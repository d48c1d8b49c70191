// SPDX-License-Identifier: Apache-2.0
/* The coordinator is gone while boards measure, and workers die meanwhile: what they measured is handed over, counts once, and is
 * not measured again. Slow boards (sim's pace=real), so that something is always running. Heartbeats are long: a restarted
 * coordinator waits two of them for its boards, or until all are back, and here they shall be. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "tests/support/farm.h"

enum { WORKERS = 3, SLOT = 512, SLOT_FRAME = 36, SPOOL_BYTES = 4 << 20 }; /* docs/spool.md */

static farm_t farm;
static const char *const names[WORKERS] = {"w0", "w1", "w2"};
static const char *const slow_beat[] = {"--heartbeat-ms", "10000", NULL};

static const char campaign[] = "campaign: outage\n"
                               "boards:\n"
                               "  - {kind: slow, backend: sim}\n"
                               "layers:\n"
                               "  - kind: conv2d\n"
                               "    params: {c: 64..256, k: 64..256, h: 28, w: h, r: 3, pad: 1}\n"
                               "    knowledge: white\n"
                               "    steps: {c: 16, k: 16}\n"
                               "budget: {samples: 60}\n"
                               "validation: {layers: 10, repeats: 2}\n"
                               "baseline: false\n";

static void tear_down(void)
{
    farm_stop(&farm);
}

TestSuite(outage, .fini = tear_down);

static size_t add_worker(size_t i)
{
    return farm_add_worker(&farm, names[i], "slow", "vta", "pace=real speed=5");
}

static json_int_t wanted;

static bool has_enough(json_t *status)
{
    const json_t *board = json_array_get(json_object_get(status, "boards"), 0);
    return farm_number(board, "measured") >= wanted;
}

static void wait_for(json_int_t measured)
{
    wanted = measured;
    json_decref(farm_wait(&farm, "outage", has_enough));
}

/* The results in a worker's spool, read by its documented bytes; the file may be written meanwhile. */
static size_t spooled(const char *worker, prf_result_t *out, size_t cap)
{
    char command[FARM_PATH + 64], path[FARM_PATH + 200] = "", *bytes = NULL;
    size_t len = 0, count = 0;
    snprintf(command, sizeof command, "ls -d %s/%s/spool/*.v1 2>/dev/null", farm.dir, worker);
    FILE *list = popen(command, "r");
    bool found = list && fgets(path, sizeof path, list);
    pclose(list);
    path[strcspn(path, "\n")] = '\0';
    if (!found || prf_file_read(path, SPOOL_BYTES, &bytes, &len, NULL))
        return 0;
    for (size_t at = 0; at + SLOT <= len && count < cap; at += SLOT) {
        const uint8_t *slot = (const uint8_t *)bytes + at;
        size_t frame_len = slot[8] | (size_t)slot[9] << 8;
        prf_frame_t frame;
        if (memcmp(slot, "prs1", 4) != 0 || frame_len > SLOT - SLOT_FRAME ||
            prf_frame_decode(&frame, slot + SLOT_FRAME, frame_len, NULL))
            continue;
        out[count++] = frame.u.results.items[0];
        prf_frame_release(&frame);
    }
    free(bytes);
    return count;
}

static void run_to_the_end(void)
{
    json_t *over = farm_wait(&farm, "outage", farm_is_over);
    cr_assert_str_eq(json_string_value(json_object_get(over, "state")), "done");
    json_decref(over);
}

static bool same_row(const json_t *a, const json_t *b)
{
    return strcmp(json_string_value(json_object_get(a, "point")), json_string_value(json_object_get(b, "point"))) == 0 &&
           farm_number(a, "attempt") == farm_number(b, "attempt");
}

/* No point has two results that count. Returns how many were measured in vain, which the store keeps labelled. */
static size_t assert_counted_once(const json_t *rows)
{
    size_t duplicates = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (json_is_true(json_object_get(row, "duplicate"))) {
            duplicates++;
            continue;
        }
        for (size_t j = 0; j < i; j++) {
            const json_t *other = json_array_get(rows, j);
            cr_assert(json_is_true(json_object_get(other, "duplicate")) || !same_row(row, other), "point %s counts twice",
                      json_string_value(json_object_get(row, "point")));
        }
    }
    return duplicates;
}

/* The result counts: its row is the very measurement that the worker kept. */
static void assert_credited(const json_t *rows, const prf_result_t *result, const char *board)
{
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(&result->point, hex);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (strcmp(json_string_value(json_object_get(row, "point")), hex) != 0 || farm_number(row, "attempt") != result->attempt)
            continue;
        if (!json_is_true(json_object_get(row, "duplicate")) && farm_number(row, "wall_ms") == (json_int_t)result->sample.wall_ms &&
            strcmp(json_string_value(json_object_get(row, "board")), board) == 0)
            return;
    }
    cr_assert_fail("the result of point %s that %s kept was not taken", hex, board);
}

Test(outage, results_of_a_worker_killed_while_nobody_listened_are_credited_once)
{
    static prf_result_t kept[2000];
    farm_start(&farm, slow_beat);
    size_t first = add_worker(0);
    add_worker(1);
    json_decref(farm_submit(&farm, campaign));
    wait_for(5);
    kill(farm.coordinator.pid, SIGSTOP);
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (spooled(names[0], kept, 2000) < 2) {
        cr_assert_lt(prf_clock_mono_ms(), until, "nothing was spooled");
        usleep(10000);
    }
    farm_kill_worker(&farm, first);
    size_t count = spooled(names[0], kept, 2000);
    farm_kill_coordinator(&farm);
    farm_start_coordinator(&farm, slow_beat);
    add_worker(0);
    run_to_the_end();
    json_t *rows = farm_rows(&farm, "outage");
    assert_counted_once(rows);
    for (size_t i = 0; i < count; i++)
        assert_credited(rows, &kept[i], names[0]);
    json_decref(rows);
}

Test(outage, a_coordinator_killed_while_boards_measure_gets_their_results_and_no_point_counts_twice)
{
    enum { KILLS = 3 };
    farm_start(&farm, slow_beat);
    for (size_t i = 0; i < WORKERS; i++)
        add_worker(i);
    json_decref(farm_submit(&farm, campaign));
    for (json_int_t i = 1; i <= KILLS; i++) {
        wait_for(i * 4);
        farm_kill_coordinator(&farm);
        farm_start_coordinator(&farm, slow_beat);
    }
    run_to_the_end();
    json_t *rows = farm_rows(&farm, "outage");
    size_t duplicates = assert_counted_once(rows);
    /* A board that began its next job just before it was welcomed may measure it in vain, one a restart. */
    cr_assert_leq(duplicates, (size_t)(KILLS * WORKERS), "%zu of %zu were measured in vain", duplicates, json_array_size(rows));
    json_decref(rows);
}

/* By hand: a board that is known and not heard yet is waited for, and then its result is not asked of another one. */
Test(outage, work_is_granted_when_known_boards_are_back_and_have_handed_over)
{
    farm_start(&farm, slow_beat);
    farm_peer_t peers[2];
    for (size_t i = 0; i < 2; i++) {
        farm_peer_connect(&peers[i], &farm);
        farm_peer_hello(&peers[i], names[i], "slow");
    }
    json_decref(farm_submit(&farm, campaign));
    prf_frame_t jobs, none;
    farm_peer_credit(&peers[0], 1);
    cr_assert(farm_peer_receive(&peers[0], PRF_FRAME_JOB_BATCH, &jobs, PATIENCE_MS));
    prf_job_t job = jobs.u.jobs.items[0];
    farm_kill_coordinator(&farm);
    farm_start_coordinator(&farm, slow_beat);
    farm_peer_hello(&peers[1], names[1], "slow");
    farm_peer_credit(&peers[1], 1);
    cr_assert_not(farm_peer_receive(&peers[1], PRF_FRAME_JOB_BATCH, &none, 500), "w0 was not waited for");
    prf_frame_t hello = {.type = PRF_FRAME_HELLO,
                         .u.hello = {.kind = "slow", .fingerprint = "by hand", .kinds = 0xfff, .dtypes = 0xf, .spooled = 1}};
    snprintf(hello.u.hello.board, sizeof hello.u.hello.board, "%s", names[0]);
    farm_peer_send(&peers[0], &hello);
    prf_frame_t welcome;
    cr_assert(farm_peer_receive(&peers[0], PRF_FRAME_WELCOME, &welcome, PATIENCE_MS));
    cr_assert_geq(welcome.u.welcome.first_epoch, job.epoch);
    prf_frame_release(&welcome);
    cr_assert_not(farm_peer_receive(&peers[1], PRF_FRAME_JOB_BATCH, &none, 500), "its result was not waited for");
    farm_peer_result(&peers[0], &job, PRF_OK, 1e6);
    prf_frame_t more;
    cr_assert(farm_peer_receive(&peers[1], PRF_FRAME_JOB_BATCH, &more, PATIENCE_MS));
    cr_assert_gt(more.u.jobs.items[0].epoch, job.epoch);
    cr_assert_neq(prf_digest_compare(&more.u.jobs.items[0].point, &job.point), 0, "measured once more");
    prf_frame_release(&more);
    prf_frame_release(&jobs);
    for (size_t i = 0; i < 2; i++)
        farm_peer_close(&peers[i]);
}

Test(outage, a_board_that_stays_away_is_not_waited_for_longer_than_two_heartbeats)
{
    farm_start(&farm, NULL);
    farm_peer_t peers[2];
    for (size_t i = 0; i < 2; i++) {
        farm_peer_connect(&peers[i], &farm);
        farm_peer_hello(&peers[i], names[i], "slow");
    }
    json_decref(farm_submit(&farm, campaign));
    farm_kill_coordinator(&farm);
    farm_start_coordinator(&farm, NULL);
    farm_peer_hello(&peers[1], names[1], "slow");
    farm_peer_credit(&peers[1], 1);
    prf_frame_t jobs;
    farm_peer_take_jobs(&peers[1], &jobs);
    prf_frame_release(&jobs);
    for (size_t i = 0; i < 2; i++)
        farm_peer_close(&peers[i]);
}
