// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/rng.h"
#include "scheduler.h"

enum { SLACK = 1000, DEADLINE = 5200, UNLISTED = 1 << 30 };

static prf_ledger_t *ledger;
static prf_sched_t *sched;
static uint32_t klass;

static void set_up(void)
{
    cr_assert_eq(prf_ledger_new(&ledger, NULL), PRF_OK);
    cr_assert_eq(prf_sched_new(&sched, 10000, 100, NULL), PRF_OK);
    cr_assert_eq(prf_sched_class(sched, "kind", "runtime", &klass, NULL), PRF_OK);
}

static void tear_down(void)
{
    prf_sched_destroy(&sched);
    prf_ledger_destroy(&ledger);
}

TestSuite(scheduler, .init = set_up, .fini = tear_down);

static prf_digest_t point(uint32_t number)
{
    prf_digest_t d;
    prf_digest(&d, &number, sizeof number);
    return d;
}

static prf_entry_t *entry(uint32_t number)
{
    prf_digest_t d = point(number);
    prf_entry_t *e;
    cr_assert_eq(prf_ledger_reach(ledger, &d, 0, &e, NULL), PRF_OK);
    return e;
}

static prf_entry_t *entry_of(const prf_job_t *job)
{
    return prf_ledger_find(ledger, &job->point, job->attempt);
}

static prf_status_t want_as(unsigned owner, uint32_t number)
{
    prf_block_t block;
    cr_assert_eq(prf_block_parse(&block, "fc in=64 out=64", NULL), PRF_OK);
    prf_job_t job = {.blocks = &block, .block_count = 1};
    return prf_sched_add(sched, klass, owner, entry(number), &job, NULL);
}

static void want(uint32_t from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        cr_assert_eq(want_as(0, from + i), PRF_OK);
}

static void join(uint32_t board)
{
    cr_assert_eq(prf_sched_join(sched, board, klass, NULL), PRF_OK);
}

static bool next(uint32_t board, uint64_t now, prf_job_t *job)
{
    return prf_sched_next(sched, board, now, SLACK, job);
}

static bool is(const prf_job_t *job, uint32_t number)
{
    prf_digest_t d = point(number);
    return prf_digest_compare(&job->point, &d) == 0;
}

typedef struct {
    int expired, given_up;
} count_t;

static bool count_expired(void *arg, prf_entry_t *e, uint32_t board, bool given_up)
{
    (void)e, (void)board;
    count_t *count = arg;
    count->expired++;
    count->given_up += given_up;
    return true;
}

static count_t expire(uint64_t now)
{
    count_t count = {0, 0};
    prf_sched_expire(sched, now, now, UNLISTED, count_expired, &count);
    return count;
}

Test(scheduler, jobs_are_leased_in_the_order_in_which_they_were_wanted_each_once)
{
    want(0, 5);
    join(0);
    join(1);
    for (uint32_t i = 0; i < 5; i++) {
        prf_job_t job;
        cr_assert(next(i % 2, 0, &job));
        cr_assert(is(&job, i));
    }
    prf_job_t job;
    cr_assert_not(next(0, 0, &job));
    cr_assert_eq(prf_sched_leases(sched, 0), 3);
    cr_assert_eq(prf_sched_leases(sched, 1), 2);
}

/* Every bit: of a single block, whose memory is used again and again, and of a chain. */
Test(scheduler, a_job_goes_out_with_the_blocks_that_were_wanted)
{
    static const char *const texts[] = {"fc in=64 out=32 dtype=i8", "conv2d c=3 k=8 h=7 w=9 r=3 s=3 pad=1 dtype=f16",
                                        "fc in=8 out=4 dtype=bf16", "fc in=9 out=5 dtype=f32"};
    enum { TEXTS = sizeof texts / sizeof *texts };
    prf_block_t blocks[TEXTS];
    for (size_t i = 0; i < TEXTS; i++)
        cr_assert_eq(prf_block_parse(&blocks[i], texts[i], NULL), PRF_OK, "%s", texts[i]);
    join(0);
    for (uint32_t round = 0; round < 3 * TEXTS; round++) {
        size_t first = round % TEXTS, count = round < 2 * TEXTS ? 1 : TEXTS - first;
        prf_job_t wanted = {.blocks = &blocks[first], .block_count = count}, job;
        cr_assert_eq(prf_sched_add(sched, klass, 0, entry(round), &wanted, NULL), PRF_OK);
        cr_assert(next(0, 0, &job));
        cr_assert_eq(job.block_count, count);
        for (size_t i = 0; i < count; i++) {
            char text[PRF_BLOCK_TEXT], right[PRF_BLOCK_TEXT];
            prf_block_format(&job.blocks[i], text);
            prf_block_format(&blocks[first + i], right);
            cr_expect_str_eq(text, right);
        }
        prf_sched_hold(sched, entry(round));
        prf_sched_done(sched, entry(round));
    }
}

Test(scheduler, a_network_goes_out_with_its_edges_and_has_time_to_be_built)
{
    prf_block_t blocks[2];
    prf_edge_t edges[] = {{0, -1}, {1, 0}, {1, -1}};
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(prf_block_parse(&blocks[i], "fc in=64 out=64", NULL), PRF_OK);
    prf_job_t chain = {.blocks = blocks, .block_count = 2}, network = chain, job;
    network.edges = edges;
    network.edge_count = 3;
    join(0);
    cr_assert_eq(prf_sched_add(sched, klass, 0, entry(1), &chain, NULL), PRF_OK);
    cr_assert_eq(prf_sched_add(sched, klass, 0, entry(2), &network, NULL), PRF_OK);
    cr_assert(next(0, 0, &job));
    cr_expect_eq(job.edge_count, 0);
    uint32_t chain_ms = job.deadline_ms;
    cr_assert(next(0, 0, &job));
    cr_assert_eq(job.edge_count, 3);
    cr_expect_eq(memcmp(job.edges, edges, sizeof edges), 0);
    cr_expect_geq(job.deadline_ms, chain_ms + 2 * 1000, "a second more a block at least");
}

Test(scheduler, a_point_wanted_twice_is_one_job)
{
    want(0, 1);
    want(0, 1);
    cr_assert_eq(prf_sched_count(sched), 1);
}

Test(scheduler, boards_of_another_class_get_nothing)
{
    uint32_t other;
    cr_assert_eq(prf_sched_class(sched, "kind", "another runtime", &other, NULL), PRF_OK);
    cr_assert_neq(other, klass);
    want(0, 1);
    prf_job_t job;
    cr_assert_eq(prf_sched_join(sched, 7, other, NULL), PRF_OK);
    cr_assert_not(next(7, 0, &job));
    cr_assert_not(next(8, 0, &job), "a board that never joined");
}

Test(scheduler, a_lost_boards_jobs_are_the_next_ones_in_their_old_order)
{
    want(0, 4);
    join(0);
    join(1);
    prf_job_t job;
    for (int i = 0; i < 3; i++)
        cr_assert(next(0, 0, &job));
    uint64_t epoch = job.epoch;
    prf_sched_leave(sched, 0);
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert(next(1, 0, &job));
        cr_assert(is(&job, i), "place %u", i);
        cr_assert_gt(job.epoch, epoch);
    }
}

Test(scheduler, a_lease_that_passes_is_given_to_another_board)
{
    want(0, 1);
    join(0);
    join(1);
    prf_job_t job;
    cr_assert(next(0, 0, &job));
    cr_assert_eq(expire(DEADLINE + SLACK - 1).expired, 0);
    cr_assert_eq(expire(DEADLINE + SLACK).expired, 1);
    cr_assert_not(next(0, 2000, &job), "the board that kept it comes last");
    cr_assert(next(1, 2000, &job));
}

/* Or an acknowledgement of the earlier lease's result would make a worker forget the later one's, and a worker that still lists the
 * earlier one would keep the later one, which it has not, alive. */
Test(scheduler, each_lease_has_an_id_of_its_own_and_word_of_an_earlier_one_does_not_renew_it)
{
    want(0, 1);
    join(0);
    prf_job_t first, second;
    cr_assert(next(0, 0, &first));
    cr_assert_eq(expire(DEADLINE + SLACK).expired, 1);
    cr_assert(next(0, 1000, &second));
    cr_assert_gt(second.id, first.id);
    uint64_t end = 1000 + second.deadline_ms + SLACK;
    prf_sched_renew(sched, 0, &first.id, 1, end - 1, SLACK);
    cr_assert_eq(expire(end).expired, 1);
}

Test(scheduler, heartbeats_renew_a_lease_but_not_for_ever)
{
    want(0, 1);
    join(0);
    prf_job_t job;
    cr_assert(next(0, 0, &job));
    uint64_t now = 0;
    for (; now < 2 * (DEADLINE + SLACK); now += 100) {
        cr_assert_eq(expire(now).expired, 0, "at %llu", (unsigned long long)now);
        prf_sched_renew(sched, 0, &job.id, 1, now, SLACK);
    }
    prf_sched_renew(sched, 0, &job.id, 1, now, SLACK);
    cr_assert_eq(expire(now).expired, 1);
}

Test(scheduler, a_heartbeat_that_does_not_list_a_job_does_not_renew_it)
{
    want(0, 1);
    join(0);
    prf_job_t job;
    cr_assert(next(0, 0, &job));
    uint64_t other = job.id + 1;
    prf_sched_renew(sched, 0, &other, 1, 1000, SLACK);
    cr_assert_eq(expire(DEADLINE + SLACK).expired, 1);
}

Test(scheduler, a_job_whose_leases_keep_passing_is_given_up)
{
    want(0, 1);
    join(0);
    uint64_t now = 0;
    for (int i = 1; i <= PRF_SCHED_EXPIRIES; i++) {
        prf_job_t job;
        cr_assert(next(0, now, &job));
        now += job.deadline_ms + SLACK;
        cr_assert_eq(expire(now - 1).expired, 0);
        count_t count = expire(now);
        cr_assert_eq(count.expired, 1);
        cr_assert_eq(count.given_up, i == PRF_SCHED_EXPIRIES);
    }
    prf_entry_t *p = entry(0);
    prf_job_view_t view;
    cr_assert(prf_sched_get(p, &view));
    cr_assert_eq(view.state, PRF_JOB_HELD);
}

static bool cannot_store(void *arg, prf_entry_t *e, uint32_t board, bool given_up)
{
    (void)e, (void)board;
    *(bool *)arg = given_up;
    return false;
}

Test(scheduler, a_job_whose_failure_could_not_be_stored_is_queued_again)
{
    want(0, 1);
    join(0);
    uint64_t now = 0;
    prf_job_t job;
    bool given_up = false;
    for (int i = 1; i <= PRF_SCHED_EXPIRIES; i++) {
        cr_assert(next(0, now, &job));
        now += job.deadline_ms + SLACK;
        prf_sched_expire(sched, now, now, UNLISTED, cannot_store, &given_up);
    }
    cr_assert(given_up);
    cr_assert(next(0, now, &job));
}

Test(scheduler, the_time_of_a_lease_follows_from_what_the_class_took_before_and_doubles_after_a_setback)
{
    want(0, 2);
    join(0);
    join(1);
    prf_job_t job;
    cr_assert(next(0, 0, &job));
    cr_assert_eq(job.deadline_ms, DEADLINE, "nothing is known of the class");
    prf_sched_pace(sched, entry_of(&job), 1e9);
    prf_sched_fail(sched, entry_of(&job), 0, false);
    prf_job_t wanted = {.protocol = {.warmup_runs = 3, .min_repeats = 5, .limit_ms = 1000}, .block_count = 1};
    prf_block_t block;
    cr_assert_eq(prf_block_parse(&block, "fc in=64 out=64", NULL), PRF_OK);
    wanted.blocks = &block;
    cr_assert_eq(prf_sched_add(sched, klass, 0, entry(7), &wanted, NULL), PRF_OK);
    cr_assert(next(0, 0, &job));
    cr_assert(is(&job, 1));
    cr_assert(next(0, 0, &job));
    cr_assert(is(&job, 7), "the one that failed here is for another board");
    cr_assert_eq(job.deadline_ms, DEADLINE + 10 * 1000 + 4 * 8 * 1000, "eight runs of a second each, four times");
    cr_assert(next(1, 0, &job));
    cr_assert(is(&job, 0));
    cr_assert_eq(job.deadline_ms, 2 * DEADLINE, "no repeats are asked of it, but it failed once");
}

Test(scheduler, a_board_that_returned_keeps_only_the_jobs_that_it_names)
{
    want(0, 2);
    join(0);
    prf_job_t first, second;
    cr_assert(next(0, 0, &first));
    cr_assert(next(0, 0, &second));
    join(0); /* again, same class */
    cr_assert_eq(prf_sched_leases(sched, 0), 2);
    prf_sched_doubt(sched, 0, 100);
    prf_sched_renew(sched, 0, &second.id, 1, 200, SLACK);
    count_t count = {0, 0};
    prf_sched_expire(sched, 399, 399, 300, count_expired, &count);
    cr_assert_eq(count.expired, 0);
    for (uint64_t now = 400, i = 0; i < PRF_SCHED_EXPIRIES; i++, now += 500) {
        prf_sched_renew(sched, 0, &second.id, 1, now, SLACK);
        prf_sched_expire(sched, now, now, 300, count_expired, &count);
        cr_assert_eq((uint64_t)count.expired, i + 1);
        cr_assert_eq(prf_sched_leases(sched, 0), 1);
        cr_assert(next(0, now, &first), "what was never heard of is not the job's fault: it is not given up");
    }
    cr_assert_eq(count.given_up, 0);
}

Test(scheduler, jobs_that_a_heartbeat_does_not_name_are_on_their_way)
{
    want(0, 3);
    join(0);
    prf_job_t jobs[3];
    for (int i = 0; i < 3; i++)
        cr_assert(next(0, 0, &jobs[i]));
    prf_sched_renew(sched, 0, &jobs[0].id, 1, 10, SLACK);
    prf_sched_renew(sched, 0, &jobs[2].id, 1, 10, SLACK); /* one heartbeat in two frames */
    cr_assert_eq(prf_sched_unlisted(sched, 0), 1);
    prf_sched_renew(sched, 0, &jobs[1].id, 1, 20, SLACK);
    cr_assert_eq(prf_sched_unlisted(sched, 0), 2, "each heartbeat counts anew");
}

Test(scheduler, a_failed_job_is_retried_on_other_boards_first_and_given_up_at_the_third_failure)
{
    want(0, 1);
    for (uint32_t b = 0; b < 2; b++)
        join(b);
    prf_entry_t *p = entry(0);
    prf_job_t job;
    cr_assert(next(0, 0, &job));
    cr_assert(prf_sched_fail(sched, p, 0, false));
    cr_assert_not(next(0, 0, &job), "another board is there");
    cr_assert(next(1, 0, &job));
    cr_assert(prf_sched_fail(sched, p, 1, false));
    cr_assert(next(0, 0, &job), "all failed on it: any board");
    cr_assert_not(prf_sched_fail(sched, p, 0, false));
    cr_assert_not(next(1, 0, &job), "given up");
    prf_sched_done(sched, p);
    cr_assert_eq(prf_sched_count(sched), 0);
}

Test(scheduler, the_only_board_gets_its_failed_job_again_and_others_before_it)
{
    want(0, 2);
    join(0);
    prf_entry_t *p = entry(0);
    prf_job_t job;
    cr_assert(next(0, 0, &job));
    cr_assert(prf_sched_fail(sched, p, 0, false));
    cr_assert(next(0, 0, &job));
    cr_assert(is(&job, 1));
    cr_assert(next(0, 0, &job));
    cr_assert(is(&job, 0));
}

Test(scheduler, what_can_never_run_is_given_up_at_once)
{
    want(0, 1);
    join(0);
    prf_entry_t *p = entry(0);
    prf_job_t job;
    cr_assert(next(0, 0, &job));
    cr_assert_not(prf_sched_fail(sched, p, 0, true));
}

Test(scheduler, a_doubtful_sample_is_measured_again_a_limited_number_of_times_under_a_new_id)
{
    want(0, 2);
    join(0);
    prf_entry_t *p = entry(0);
    prf_job_t job;
    uint64_t last = 0;
    for (int i = 0; i <= 2; i++) {
        do
            cr_assert(next(0, 0, &job));
        while (!is(&job, 0));
        cr_assert_gt(job.id, last);
        last = job.id;
        prf_sched_hold(sched, p);
        cr_assert_eq(prf_sched_again(sched, p, 2), i < 2);
    }
    prf_sched_done(sched, p);
    cr_assert_eq(prf_sched_leases(sched, 0), 1, "the other one");
}

Test(scheduler, a_held_job_is_given_to_nobody_and_loses_no_lease)
{
    want(0, 1);
    join(0);
    prf_entry_t *p = entry(0);
    prf_job_t job;
    cr_assert(next(0, 0, &job));
    prf_sched_hold(sched, p);
    cr_assert_eq(expire(1000000).expired, 0);
    prf_sched_leave(sched, 0);
    join(1);
    cr_assert_not(next(1, 0, &job));
}

static void note_revoked(void *arg, uint32_t board, uint64_t id)
{
    cr_assert_eq(board, 0);
    *(uint64_t *)arg = id;
}

Test(scheduler, a_lease_that_is_over_is_revoked)
{
    want(0, 1);
    join(0);
    prf_job_t job;
    uint64_t revoked = 0;
    prf_sched_notify(sched, note_revoked, &revoked);
    cr_assert(next(0, 0, &job));
    cr_assert_eq(expire(DEADLINE + SLACK).expired, 1);
    cr_assert_eq(revoked, job.id);
}

Test(scheduler, jobs_live_as_long_as_someone_wants_them)
{
    want(0, 3); /* owner 0 */
    cr_assert_eq(want_as(1, 1), PRF_OK);
    join(0);
    prf_job_t job;
    cr_assert(next(0, 0, &job)); /* point 0, leased */
    uint64_t revoked = 0;
    prf_sched_notify(sched, note_revoked, &revoked);
    prf_sched_disown(sched, 0);
    cr_assert_eq(revoked, job.id, "its board need not begin it");
    cr_assert_eq(prf_sched_count(sched), 1, "the one that owner 1 wants");
    cr_assert(next(0, 0, &job));
    cr_assert(is(&job, 1));
}

Test(scheduler, a_job_that_could_not_be_sent_is_the_next_one_again)
{
    want(0, 2);
    join(0);
    prf_job_t job;
    cr_assert(next(0, 0, &job));
    prf_sched_return(sched, 0, 1);
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert(next(0, 0, &job));
        cr_assert(is(&job, i));
    }
    prf_sched_return(sched, 0, 2);
    cr_assert(next(0, 0, &job));
    cr_assert(is(&job, 0), "a frame's jobs keep their order");
}

Test(scheduler, takes_no_more_jobs_than_it_was_made_for)
{
    for (uint32_t i = 0; i < 10000; i++)
        cr_assert_eq(want_as(0, i), PRF_OK);
    cr_assert_eq(want_as(0, 10000), PRF_EBUSY);
    cr_assert_eq(want_as(3, 5), PRF_OK, "known ones only get an owner");
}

/* Random events; in the end every job has come out exactly once. */
Test(scheduler, whatever_happens_no_job_is_lost_or_doubled)
{
    enum { JOBS = 300, BOARDS = 6, STEPS = 20000 };
    uint64_t seed = 12345;
    prf_rng_t rng;
    prf_rng_init(&rng, seed, 0);
    want(0, JOBS);
    uint64_t now = 0;
    size_t done = 0;
    for (int step = 0; step < STEPS && done < JOBS; step++) {
        uint32_t board = (uint32_t)prf_rng_below(&rng, BOARDS);
        prf_job_t job;
        now += prf_rng_below(&rng, 50);
        switch (prf_rng_below(&rng, 12)) {
        case 0:
            prf_sched_leave(sched, board);
            break;
        case 1:
            prf_sched_doubt(sched, board, now);
            break;
        case 2:
        case 3:
            join(board);
            break;
        default:
            if (!next(board, now, &job))
                break;
            if (prf_rng_below(&rng, 3) == 0) {
                prf_sched_hold(sched, entry_of(&job));
                prf_sched_done(sched, entry_of(&job));
                done++;
            } else if (prf_rng_below(&rng, 10) == 0 && !prf_sched_fail(sched, entry_of(&job), board, false)) {
                prf_sched_done(sched, entry_of(&job));
                done++;
            }
        }
        if (step % 100 == 99) { /* held ones of leases that passed too often */
            prf_sched_expire(sched, now, now, 10, count_expired, &(count_t){0, 0});
            for (uint32_t i = 0; i < JOBS; i++) {
                prf_entry_t *p = entry(i);
                prf_job_view_t view;
                if (prf_sched_get(p, &view) && view.state == PRF_JOB_HELD) {
                    prf_sched_done(sched, p);
                    done++;
                }
            }
        }
        cr_assert_eq(prf_sched_count(sched), JOBS - done, "seed %llu, step %d", (unsigned long long)seed, step);
    }
    cr_assert_eq(done, JOBS, "seed %llu", (unsigned long long)seed);
}
