// SPDX-License-Identifier: Apache-2.0
/* The store under use, and under SIGKILL. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "store.h"
#include "store_queue.h"
#include "tests/support/patience.h"
#include "tests/support/stores.h"

enum { SEED = 7700 };
static prf_error_t err;

TestSuite(store, .init = store_make_dir, .fini = store_remove_dir);

static void expect_scan(prf_store_t *s, prf_table_t table, const char *prefix, const char *wanted)
{
    char text[256] = "";
    uint64_t damaged = 99;
    cr_assert_eq(prf_store_scan(s, table, prefix, store_gather, text, &damaged, &err), PRF_OK, "%s", err.text);
    cr_expect_str_eq(text, wanted);
    cr_expect_eq(damaged, 0);
}

Test(store, what_was_answered_is_read_back_also_after_opening_again)
{
    prf_store_t *s = store_opened();
    cr_expect_eq(store_put(s, PRF_TABLE_DECISION, "c/vta/steps", "16"), PRF_OK);
    cr_expect_eq(store_put(s, PRF_TABLE_DECISION, "c/ncs2/steps", "32"), PRF_OK);
    cr_expect_eq(store_put(s, PRF_TABLE_DECISION, "d/ncs2/steps", ""), PRF_OK);
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "c", "one"), PRF_OK);
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "c", "two"), PRF_OK);
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "gone", "x"), PRF_OK);
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "gone", NULL), PRF_OK);
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "never", NULL), PRF_OK);
    cr_expect_eq(store_put(s, PRF_TABLE_EVENT, NULL, "{}"), PRF_OK);
    for (int i = 0; i < 2; i++) {
        store_expect_value(s, PRF_TABLE_CAMPAIGN, "c", "two");
        store_expect_value(s, PRF_TABLE_CAMPAIGN, "gone", NULL);
        store_expect_value(s, PRF_TABLE_DECISION, "d/ncs2/steps", "");
        store_expect_value(s, PRF_TABLE_EVENT, "1", "{}");
        store_expect_value(s, PRF_TABLE_EVENT, "2", NULL);
        store_expect_value(s, PRF_TABLE_MODEL, "", NULL);
        expect_scan(s, PRF_TABLE_DECISION, NULL, "c/ncs2/steps=32 c/vta/steps=16 d/ncs2/steps= ");
        expect_scan(s, PRF_TABLE_DECISION, "c/", "c/ncs2/steps=32 c/vta/steps=16 ");
        expect_scan(s, PRF_TABLE_DECISION, "x", "");
        expect_scan(s, PRF_TABLE_BOARD, NULL, "");
        expect_scan(s, PRF_TABLE_EVENT, NULL, "1={} ");
        prf_store_close(&s);
        s = store_opened();
    }
    cr_expect_eq(store_put(s, PRF_TABLE_BOARD, "stop", "1"), PRF_OK);
    cr_expect_eq(store_put(s, PRF_TABLE_BOARD, "then", "2"), PRF_OK);
    expect_scan(s, PRF_TABLE_BOARD, NULL, "stop=1 ");
    prf_store_close(&s);
    prf_store_close(&s);
}

Test(store, its_folder_is_private)
{
    cr_assert_eq(rmdir(store_dir), 0);
    prf_store_t *s = store_opened();
    struct stat st;
    cr_assert_eq(stat(store_dir, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0700);
    prf_store_close(&s);
}

static bool gather_records(void *arg, uint64_t sequence, const prf_record_t *record)
{
    uint64_t *next = arg;
    cr_expect_eq(sequence, *next);
    cr_expect_eq(record->attempt, (uint32_t)sequence * 10);
    ++*next;
    return *next != 6;
}

Test(store, records_are_numbered_on_across_openings)
{
    for (uint32_t i = 1; i <= 6; i++) {
        prf_store_t *s = store_opened();
        prf_record_t r = {.attempt = i * 10, .board = "b", .sample = {.latency_ns = i, .min_ns = i}};
        cr_assert_eq(prf_store_put_record(s, &r, i, &err), PRF_OK);
        cr_expect_eq(store_answer(s, i), PRF_OK);
        prf_store_close(&s);
    }
    prf_store_t *s = store_opened();
    uint64_t next = 3, damaged;
    cr_assert_eq(prf_store_scan_records(s, 3, gather_records, &next, &damaged, &err), PRF_OK);
    cr_expect_eq(next, 6, "the walk did not stop where it was told to");
    cr_expect_eq(damaged, 0);
    cr_expect_eq(store_put(s, PRF_TABLE_RESULT, NULL, "\xff no record"), PRF_OK);
    next = 6;
    cr_assert_eq(prf_store_scan_records(s, 6, gather_records, &next, &damaged, &err), PRF_OK);
    cr_expect_eq(damaged, 1);
    prf_store_close(&s);
}

Test(store, closing_commits_what_is_queued_and_token_0_is_not_answered)
{
    prf_store_t *s = store_opened();
    prf_store_done_t done;
    cr_assert_eq(prf_store_put(s, PRF_TABLE_EVENT, NULL, "a", 1, 0, &err), PRF_OK);
    cr_expect_eq(store_put(s, PRF_TABLE_EVENT, NULL, "b"), PRF_OK);
    cr_expect_eq(prf_store_done(s, &done, 1), 0);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(prf_store_put(s, PRF_TABLE_EVENT, NULL, "c", 1, 5, &err), PRF_OK);
    prf_store_close(&s);
    s = store_opened();
    store_expect_value(s, PRF_TABLE_EVENT, "1002", "c");
    store_expect_value(s, PRF_TABLE_EVENT, "1003", NULL);
    prf_store_close(&s);
}

Test(store, writes_that_gather_share_a_commit)
{
    enum { WRITES = 20000 };
    prf_store_t *s = store_opened();
    static prf_store_done_t done[WRITES];
    size_t answered = 0;
    for (uint64_t i = 1; i <= WRITES; i++)
        cr_assert_eq(prf_store_put(s, PRF_TABLE_EVENT, NULL, &i, sizeof i, i, &err), PRF_OK);
    while (answered < WRITES) {
        struct pollfd p = {.fd = prf_store_fd(s), .events = POLLIN};
        cr_assert_eq(poll(&p, 1, PATIENCE_MS), 1);
        answered += prf_store_done(s, done + answered, WRITES - answered);
    }
    for (uint64_t i = 0; i < WRITES; i++)
        cr_assert(done[i].token == i + 1 && done[i].status == PRF_OK);
    prf_store_close(&s);
    cr_expect_lt(store_transactions(), WRITES / 20);
}

static bool read_whole(void *arg, const char *key, const void *value, size_t len)
{
    size_t *total = arg;
    (void)key;
    for (size_t i = 0; i < len; i += 4096)
        cr_assert_eq(((const char *)value)[i], 'm');
    *total += len;
    return true;
}

Test(store, the_map_grows_while_readers_read)
{
    enum { ONE = 5 << 20, COUNT = 30 };
    char *value = malloc(ONE), key[16];
    memset(value, 'm', ONE);
    prf_store_t *s = store_opened();
    size_t total = 0;
    prf_store_done_t done[COUNT];
    for (uint64_t i = 1; i <= COUNT; i++) {
        snprintf(key, sizeof key, "m/%llu", (unsigned long long)i);
        prf_status_t status;
        while ((status = prf_store_put(s, PRF_TABLE_MODEL, key, value, ONE, i, &err)) == PRF_EBUSY) {
            cr_assert_eq(prf_store_scan(s, PRF_TABLE_MODEL, NULL, read_whole, &total, NULL, &err), PRF_OK);
            prf_store_done(s, done, COUNT);
        }
        cr_assert_eq(status, PRF_OK, "%s", err.text);
        if (i % 5 == 0)
            cr_assert_eq(prf_store_scan(s, PRF_TABLE_MODEL, NULL, read_whole, &total, NULL, &err), PRF_OK);
    }
    prf_store_close(&s);
    s = store_opened();
    total = 0;
    cr_assert_eq(prf_store_scan(s, PRF_TABLE_MODEL, NULL, read_whole, &total, NULL, &err), PRF_OK);
    cr_expect_eq(total, (size_t)COUNT * ONE);
    prf_store_close(&s);
    free(value);
}

Test(store, a_second_coordinator_is_told_who_has_it)
{
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    prf_store_t *s = store_opened();
    store_refuse_open(PRF_EBUSY, pid);
    store_refuse_open(PRF_EBUSY, "choose another folder");
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "c", "still mine"), PRF_OK);
    prf_store_close(&s);
    s = store_opened();
    prf_store_close(&s);
}

Test(store, keys_and_values_out_of_bounds_are_refused_alone)
{
    prf_store_t *s = store_opened();
    char key[PRF_STORE_KEY + 2];
    memset(key, 'k', sizeof key);
    key[PRF_STORE_KEY + 1] = '\0';
    cr_expect_eq(prf_store_put(s, PRF_TABLE_BOARD, key, "v", 1, 1, &err), PRF_EINVAL);
    cr_expect_eq(prf_store_put(s, PRF_TABLE_BOARD, "", "v", 1, 1, &err), PRF_EINVAL);
    cr_expect_eq(prf_store_put(s, PRF_TABLE_BOARD, NULL, "v", 1, 1, &err), PRF_EINVAL);
    cr_expect_eq(prf_store_put(s, PRF_TABLE_EVENT, "1", NULL, 0, 1, &err), PRF_EINVAL);
    cr_expect_eq(prf_store_put(s, PRF_TABLE_BOARD, "k", "v", PRF_STORE_VALUE + 1, 1, &err), PRF_EINVAL);
    key[PRF_STORE_KEY] = '\0';
    cr_expect_eq(store_put(s, PRF_TABLE_BOARD, key, "longest"), PRF_OK);
    store_expect_value(s, PRF_TABLE_BOARD, key, "longest");
    prf_store_close(&s);
}

/* --- SIGKILL --- */

static _Noreturn void put_until_killed(int out, uint32_t first)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prf_store_t *s = NULL;
    if (prf_store_open(&s, store_dir, NULL))
        _exit(1);
    prf_record_t r = {.board = "b", .sample = {.latency_ns = 1, .min_ns = 1}};
    for (uint32_t i = first;; i++) {
        prf_store_done_t done[64];
        size_t count;
        r.attempt = i;
        if (prf_store_put_record(s, &r, i, NULL) == PRF_EBUSY)
            i--;
        while ((count = prf_store_done(s, done, 64)) > 0)
            for (size_t k = 0; k < count; k++)
                if (done[k].status || write(out, &done[k].token, sizeof done[k].token) != (ssize_t)sizeof done[k].token)
                    _exit(1);
    }
}

static bool check_contiguous(void *arg, uint64_t sequence, const prf_record_t *record)
{
    uint32_t *last = arg;
    cr_assert_eq(record->attempt, *last + 1, "a record is missing or double");
    cr_assert_eq(sequence, record->attempt);
    *last = record->attempt;
    return true;
}

Test(store, a_killed_process_loses_nothing_that_was_answered)
{
    prf_rng_t rng;
    prf_rng_init(&rng, SEED, 0);
    uint32_t last = 0;
    for (int round = 0; round < 6; round++) {
        int ends[2];
        cr_assert_eq(pipe(ends), 0);
        pid_t child = fork();
        cr_assert(child >= 0);
        if (child == 0) {
            close(ends[0]);
            put_until_killed(ends[1], last + 1);
        }
        close(ends[1]);
        uint64_t token, acknowledged = 0, until = last + 1 + prf_rng_below(&rng, 2000);
        while (read(ends[0], &token, sizeof token) == (ssize_t)sizeof token) {
            acknowledged = token;
            if (token == until)
                kill(child, SIGKILL);
        }
        int wait_status;
        cr_assert_eq(waitpid(child, &wait_status, 0), child);
        cr_assert(WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL, "seed %d round %d: %d", SEED, round, wait_status);
        close(ends[0]);
        prf_store_t *s = store_opened();
        uint64_t damaged;
        last = 0;
        cr_assert_eq(prf_store_scan_records(s, 0, check_contiguous, &last, &damaged, &err), PRF_OK, "%s", err.text);
        cr_expect_eq(damaged, 0);
        cr_expect_geq(last, acknowledged, "seed %d round %d: %u of %llu", SEED, round, last, (unsigned long long)acknowledged);
        prf_store_close(&s);
    }
}

Test(store_queue, refuses_what_goes_beyond_its_limit_and_answers_the_rest)
{
    prf_store_queue_t *q = NULL;
    cr_assert_eq(prf_store_queue_new(&q, &err), PRF_OK);
    uint64_t accepted = 0;
    prf_status_t status;
    do {
        prf_write_t *write = prf_store_queue_write(q, 0);
        *write = (prf_write_t){.token = accepted + 1};
        status = prf_store_queue_put(q, write, &err);
        accepted += status == PRF_OK;
    } while (status == PRF_OK && accepted < 10000000);
    cr_expect_eq(status, PRF_EBUSY);
    prf_write_t *group = prf_store_queue_take(q);
    prf_store_queue_answer(q, group, PRF_ENOSPC);
    prf_store_done_t done[1000];
    uint64_t next = 1;
    for (size_t count; (count = prf_store_queue_done(q, done, 1000)) > 0;)
        for (size_t i = 0; i < count; i++, next++)
            cr_assert(done[i].token == next && done[i].status == PRF_ENOSPC);
    cr_expect_eq(next, accepted + 1);
    for (uint64_t i = 0; i < 3 * accepted; i++) { /* that nobody waits for */
        prf_write_t *write = prf_store_queue_write(q, 0);
        *write = (prf_write_t){.token = 0};
        cr_assert_eq(prf_store_queue_put(q, write, &err), PRF_OK, "%s", err.text);
        if (i % 1000 == 0)
            prf_store_queue_answer(q, prf_store_queue_take(q), PRF_OK);
    }
    prf_store_queue_answer(q, prf_store_queue_take(q), PRF_OK);
    cr_expect_eq(prf_store_queue_done(q, done, 1000), 0);
    prf_store_queue_close(q);
    cr_expect_null(prf_store_queue_take(q));
    prf_store_queue_destroy(&q);
}
