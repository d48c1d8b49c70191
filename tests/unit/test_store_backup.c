// SPDX-License-Identifier: Apache-2.0
/* Copies of a store while it is written, on a full disk, and killed halfway. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_backup.h"
#include "tests/support/stores.h"

static prf_error_t err;

TestSuite(store_backup, .init = store_make_dir, .fini = store_remove_dir);

/* Writes results numbered from 1 and tells each that was answered. */
static _Noreturn void write_until_killed(int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prf_store_t *s = NULL;
    char dir[STORE_PATH];
    if (prf_store_open(&s, store_path("live", dir), NULL))
        _exit(1);
    prf_record_t r = {.board = "b", .sample = {.latency_ns = 1, .min_ns = 1}};
    for (uint32_t i = 1;; i++) {
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
    uint64_t *last = arg;
    cr_assert_eq(record->attempt, *last + 1);
    *last = sequence;
    return true;
}

static uint64_t acknowledged_until(int in, uint64_t least)
{
    uint64_t token = 0;
    while (token < least)
        cr_assert_eq(read(in, &token, sizeof token), (ssize_t)sizeof token);
    return token;
}

Test(store_backup, is_whole_and_has_all_that_was_acknowledged_while_a_coordinator_writes)
{
    enum { ROUNDS = 4 };
    char live[STORE_PATH], to[STORE_PATH], name[16];
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        close(ends[0]);
        write_until_killed(ends[1]);
    }
    close(ends[1]);
    uint64_t acknowledged = 0;
    for (int i = 0; i < ROUNDS; i++) {
        acknowledged = acknowledged_until(ends[0], acknowledged + 2000);
        snprintf(name, sizeof name, "copy%d", i);
        prf_store_report_t report;
        cr_assert_eq(prf_store_backup(store_path("live", live), store_path(name, to), &report, &err), PRF_OK, "%s", err.text);
        cr_expect_eq(report.damages, 0);
        cr_expect_geq(report.values[PRF_TABLE_RESULT], acknowledged);
        prf_store_t *copy = NULL;
        uint64_t last = 0;
        cr_assert_eq(prf_store_open(&copy, to, &err), PRF_OK, "%s", err.text);
        cr_assert_eq(prf_store_scan_records(copy, 0, check_contiguous, &last, NULL, &err), PRF_OK);
        cr_expect_eq(last, report.values[PRF_TABLE_RESULT]);
        prf_store_close(&copy);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ends[0]);
}

Test(store_backup, refuses_a_name_that_is_taken_and_a_folder_without_a_store)
{
    char to[STORE_PATH];
    prf_store_report_t report;
    cr_expect_eq(prf_store_backup(store_dir, store_path("copy", to), &report, &err), PRF_ENOTFOUND);
    prf_store_t *s = store_opened();
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "c", "x"), PRF_OK);
    prf_store_close(&s);
    cr_assert_eq(mkdir(to, 0700), 0);
    cr_expect_eq(prf_store_backup(store_dir, to, &report, &err), PRF_EEXISTS);
    cr_assert_eq(rmdir(to), 0);
    cr_expect_eq(prf_store_backup(store_dir, to, &report, &err), PRF_OK, "%s", err.text);
}

Test(store_backup, on_a_full_disk_leaves_nothing_behind)
{
    char small[STORE_PATH], to[STORE_PATH];
    static char value[1 << 20];
    memset(value, 'v', sizeof value - 1);
    store_path("small", small);
    cr_assert_eq(mkdir(small, 0700), 0);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", small, "tmpfs", 0, "size=512k,mode=700") != 0)
        cr_skip_test("a small disk needs the right to mount");
    prf_store_t *s = store_opened();
    cr_expect_eq(store_put(s, PRF_TABLE_MODEL, "m/1", value), PRF_OK);
    prf_store_report_t report;
    cr_expect_eq(prf_store_backup(store_dir, store_path("small/copy", to), &report, &err), PRF_ENOSPC, "%s", err.text);
    cr_expect_eq(rmdir(to), -1);
    prf_store_close(&s);
    umount2(small, MNT_DETACH);
    cr_assert_eq(rmdir(small), 0);
}

/* Reads like a backup, and dies of it. */
static _Noreturn void read_and_be_killed(int out)
{
    MDB_env *env;
    MDB_txn *txn;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (mdb_env_create(&env) || mdb_env_open(env, store_dir, MDB_RDONLY | MDB_NOTLS, 0600) ||
        mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) || write(out, "r", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

Test(store_backup, that_was_killed_does_not_keep_pages_from_being_used_again)
{
    enum { WRITES = 2000 };
    char path[STORE_PATH], ready;
    int ends[2];
    struct stat st;
    prf_store_t *s = store_opened();
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "c", "x"), PRF_OK);
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0)
        read_and_be_killed(ends[1]);
    cr_assert_eq(read(ends[0], &ready, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (int i = 0; i < WRITES; i++)
        cr_assert_eq(store_put(s, PRF_TABLE_CAMPAIGN, "c", i % 2 ? "x" : "y"), PRF_OK);
    cr_assert_eq(stat(store_path("data.mdb", path), &st), 0);
    cr_expect_lt(st.st_size, (off_t)WRITES * 4096, "%lld bytes", (long long)st.st_size);
    prf_store_close(&s);
}
