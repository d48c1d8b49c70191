// SPDX-License-Identifier: Apache-2.0
/* The store under use, damage, full disks and SIGKILL. Damage is made with LMDB itself or in its file. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <lmdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "store.h"
#include "store_queue.h"

enum { GUARD_MS = 60000, SEED = 7700 };
static prf_error_t err;
static char dir[64];

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/prf-store-XXXXXX");
    cr_assert(mkdtemp(dir));
}

static void remove_dir(void)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "owner", "filler"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

TestSuite(store, .init = make_dir, .fini = remove_dir, .timeout = 120);

static prf_store_t *opened(void)
{
    prf_store_t *s = NULL;
    cr_assert_eq(prf_store_open(&s, dir, &err), PRF_OK, "%s", err.text);
    return s;
}

static void refuse_open(prf_status_t code, const char *why)
{
    prf_store_t *s = NULL;
    cr_expect_eq(prf_store_open(&s, dir, &err), code, "%s", prf_status_name(err.code));
    cr_expect(strstr(err.text, why), "'%s' does not say '%s'", err.text, why);
    cr_expect(strstr(err.text, dir), "'%s' does not name the store", err.text);
    cr_expect_null(s);
}

/* Waits for the answer of one token; others must not be outstanding. */
static prf_status_t answer(prf_store_t *s, uint64_t token)
{
    struct pollfd p = {.fd = prf_store_fd(s), .events = POLLIN};
    prf_store_done_t done;
    cr_assert_eq(poll(&p, 1, GUARD_MS), 1, "no answer");
    cr_assert_eq(prf_store_done(s, &done, 1), 1);
    cr_assert_eq(done.token, token);
    return done.status;
}

static prf_status_t put(prf_store_t *s, prf_table_t table, const char *key, const char *value)
{
    static uint64_t token;
    token++;
    cr_assert_eq(prf_store_put(s, table, key, value, value ? strlen(value) : 0, token, &err), PRF_OK, "%s", err.text);
    return answer(s, token);
}

static void expect_value(prf_store_t *s, prf_table_t table, const char *key, const char *wanted)
{
    void *value = NULL;
    size_t len = 0;
    prf_status_t status = prf_store_get(s, table, key, &value, &len, &err);
    cr_expect_eq(status, wanted ? PRF_OK : PRF_ENOTFOUND, "%s: %s", key, prf_status_name(status));
    if (wanted && value) {
        cr_expect_eq(len, strlen(wanted));
        cr_expect_str_eq(value, wanted);
    }
    free(value);
}

static bool gather(void *arg, const char *key, const void *value, size_t len)
{
    char *text = arg;
    size_t used = strlen(text);
    snprintf(text + used, 256 - used, "%s=%.*s ", key, (int)len, (const char *)value);
    return strcmp(key, "stop") != 0;
}

static void expect_scan(prf_store_t *s, prf_table_t table, const char *prefix, const char *wanted)
{
    char text[256] = "";
    uint64_t damaged = 99;
    cr_assert_eq(prf_store_scan(s, table, prefix, gather, text, &damaged, &err), PRF_OK, "%s", err.text);
    cr_expect_str_eq(text, wanted);
    cr_expect_eq(damaged, 0);
}

Test(store, what_was_answered_is_read_back_also_after_opening_again)
{
    prf_store_t *s = opened();
    cr_expect_eq(put(s, PRF_TABLE_DECISION, "c/vta/steps", "16"), PRF_OK);
    cr_expect_eq(put(s, PRF_TABLE_DECISION, "c/ncs2/steps", "32"), PRF_OK);
    cr_expect_eq(put(s, PRF_TABLE_DECISION, "d/ncs2/steps", ""), PRF_OK);
    cr_expect_eq(put(s, PRF_TABLE_CAMPAIGN, "c", "one"), PRF_OK);
    cr_expect_eq(put(s, PRF_TABLE_CAMPAIGN, "c", "two"), PRF_OK);
    cr_expect_eq(put(s, PRF_TABLE_CAMPAIGN, "gone", "x"), PRF_OK);
    cr_expect_eq(put(s, PRF_TABLE_CAMPAIGN, "gone", NULL), PRF_OK);
    cr_expect_eq(put(s, PRF_TABLE_CAMPAIGN, "never", NULL), PRF_OK);
    cr_expect_eq(put(s, PRF_TABLE_EVENT, NULL, "{}"), PRF_OK);
    for (int i = 0; i < 2; i++) {
        expect_value(s, PRF_TABLE_CAMPAIGN, "c", "two");
        expect_value(s, PRF_TABLE_CAMPAIGN, "gone", NULL);
        expect_value(s, PRF_TABLE_DECISION, "d/ncs2/steps", "");
        expect_value(s, PRF_TABLE_EVENT, "1", "{}");
        expect_value(s, PRF_TABLE_EVENT, "2", NULL);
        expect_value(s, PRF_TABLE_MODEL, "", NULL);
        expect_scan(s, PRF_TABLE_DECISION, NULL, "c/ncs2/steps=32 c/vta/steps=16 d/ncs2/steps= ");
        expect_scan(s, PRF_TABLE_DECISION, "c/", "c/ncs2/steps=32 c/vta/steps=16 ");
        expect_scan(s, PRF_TABLE_DECISION, "x", "");
        expect_scan(s, PRF_TABLE_BOARD, NULL, "");
        expect_scan(s, PRF_TABLE_EVENT, NULL, "1={} ");
        prf_store_close(&s);
        s = opened();
    }
    cr_expect_eq(put(s, PRF_TABLE_BOARD, "stop", "1"), PRF_OK);
    cr_expect_eq(put(s, PRF_TABLE_BOARD, "then", "2"), PRF_OK);
    expect_scan(s, PRF_TABLE_BOARD, NULL, "stop=1 ");
    prf_store_close(&s);
    prf_store_close(&s);
}

Test(store, its_folder_is_private)
{
    cr_assert_eq(rmdir(dir), 0);
    prf_store_t *s = opened();
    struct stat st;
    cr_assert_eq(stat(dir, &st), 0);
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
        prf_store_t *s = opened();
        prf_record_t r = {.attempt = i * 10, .board = "b", .sample = {.latency_ns = i, .min_ns = i}};
        cr_assert_eq(prf_store_put_record(s, &r, i, &err), PRF_OK);
        cr_expect_eq(answer(s, i), PRF_OK);
        prf_store_close(&s);
    }
    prf_store_t *s = opened();
    uint64_t next = 3, damaged;
    cr_assert_eq(prf_store_scan_records(s, 3, gather_records, &next, &damaged, &err), PRF_OK);
    cr_expect_eq(next, 6, "the walk did not stop where it was told to");
    cr_expect_eq(damaged, 0);
    cr_expect_eq(put(s, PRF_TABLE_RESULT, NULL, "\xff no record"), PRF_OK);
    next = 6;
    cr_assert_eq(prf_store_scan_records(s, 6, gather_records, &next, &damaged, &err), PRF_OK);
    cr_expect_eq(damaged, 1);
    prf_store_close(&s);
}

Test(store, closing_commits_what_is_queued_and_token_0_is_not_answered)
{
    prf_store_t *s = opened();
    prf_store_done_t done;
    cr_assert_eq(prf_store_put(s, PRF_TABLE_EVENT, NULL, "a", 1, 0, &err), PRF_OK);
    cr_expect_eq(put(s, PRF_TABLE_EVENT, NULL, "b"), PRF_OK);
    cr_expect_eq(prf_store_done(s, &done, 1), 0);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(prf_store_put(s, PRF_TABLE_EVENT, NULL, "c", 1, 5, &err), PRF_OK);
    prf_store_close(&s);
    s = opened();
    expect_value(s, PRF_TABLE_EVENT, "1002", "c");
    expect_value(s, PRF_TABLE_EVENT, "1003", NULL);
    prf_store_close(&s);
}

static size_t transactions(void)
{
    MDB_env *env;
    MDB_envinfo info;
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_open(env, dir, MDB_RDONLY, 0600), 0);
    mdb_env_info(env, &info);
    mdb_env_close(env);
    return info.me_last_txnid;
}

Test(store, writes_that_gather_share_a_commit)
{
    enum { WRITES = 20000 };
    prf_store_t *s = opened();
    static prf_store_done_t done[WRITES];
    size_t answered = 0;
    for (uint64_t i = 1; i <= WRITES; i++)
        cr_assert_eq(prf_store_put(s, PRF_TABLE_EVENT, NULL, &i, sizeof i, i, &err), PRF_OK);
    while (answered < WRITES) {
        struct pollfd p = {.fd = prf_store_fd(s), .events = POLLIN};
        cr_assert_eq(poll(&p, 1, GUARD_MS), 1);
        answered += prf_store_done(s, done + answered, WRITES - answered);
    }
    for (uint64_t i = 0; i < WRITES; i++)
        cr_assert(done[i].token == i + 1 && done[i].status == PRF_OK);
    prf_store_close(&s);
    cr_expect_lt(transactions(), WRITES / 20);
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
    prf_store_t *s = opened();
    size_t total = 0;
    for (uint64_t i = 1; i <= COUNT; i++) {
        snprintf(key, sizeof key, "m/%llu", (unsigned long long)i);
        prf_status_t status;
        while ((status = prf_store_put(s, PRF_TABLE_MODEL, key, value, ONE, i, &err)) == PRF_EBUSY)
            cr_assert_eq(prf_store_scan(s, PRF_TABLE_MODEL, NULL, read_whole, &total, NULL, &err), PRF_OK);
        cr_assert_eq(status, PRF_OK, "%s", err.text);
        if (i % 5 == 0)
            cr_assert_eq(prf_store_scan(s, PRF_TABLE_MODEL, NULL, read_whole, &total, NULL, &err), PRF_OK);
    }
    prf_store_close(&s);
    s = opened();
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
    prf_store_t *s = opened();
    refuse_open(PRF_EBUSY, pid);
    refuse_open(PRF_EBUSY, "choose another folder");
    cr_expect_eq(put(s, PRF_TABLE_CAMPAIGN, "c", "still mine"), PRF_OK);
    prf_store_close(&s);
    s = opened();
    prf_store_close(&s);
}

static void write_raw(const char *table, const char *key, const char *value)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val k = {strlen(key), (void *)key}, v = {strlen(value), (void *)value};
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_set_maxdbs(env, 10), 0);
    cr_assert_eq(mdb_env_open(env, dir, 0, 0600), 0);
    cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    cr_assert_eq(mdb_dbi_open(txn, table, MDB_CREATE, &dbi), 0);
    cr_assert_eq(mdb_put(txn, dbi, &k, &v, 0), 0);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

Test(store, a_newer_store_is_refused_and_left_as_it_is)
{
    prf_store_t *s = opened();
    cr_expect_eq(put(s, PRF_TABLE_CAMPAIGN, "c", "x"), PRF_OK);
    prf_store_close(&s);
    write_raw("meta", "format", "2");
    size_t before = transactions();
    refuse_open(PRF_EVERSION, "update prfarm");
    cr_expect_eq(transactions(), before);
    write_raw("meta", "format", "1");
    s = opened();
    expect_value(s, PRF_TABLE_CAMPAIGN, "c", "x");
    prf_store_close(&s);
    write_raw("meta", "format", "one");
    refuse_open(PRF_ECORRUPT, "damaged");
}

Test(store, what_is_no_store_is_refused)
{
    char path[128], noise[20000];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    memset(noise, 'n', sizeof noise);
    for (size_t len = 1; len < sizeof noise; len = len * 4 + 1) {
        FILE *f = fopen(path, "w");
        cr_assert(f && fwrite(noise, 1, len, f) == len && fclose(f) == 0);
        refuse_open(PRF_ECORRUPT, "restore a backup");
    }
    unlink(path);
    write_raw("theirs", "k", "v");
    refuse_open(PRF_ECORRUPT, "no store of prfarm");
    remove_dir();
    FILE *f = fopen(dir, "w");
    cr_assert(f && fclose(f) == 0);
    refuse_open(PRF_EIO, "");
    unlink(dir);
}

/* Flips one bit of each occurrence of `what` in the data file. */
static int damage(const char *what)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    int fd = open(path, O_RDWR), hits = 0;
    struct stat st;
    cr_assert(fd >= 0 && fstat(fd, &st) == 0);
    size_t size = (size_t)st.st_size, len = strlen(what);
    char *all = malloc(size);
    cr_assert_eq(pread(fd, all, size, 0), (ssize_t)size);
    for (size_t i = 0; i + len <= size; i++)
        if (memcmp(all + i, what, len) == 0) {
            char bad = (char)(all[i] ^ 4);
            cr_assert_eq(pwrite(fd, &bad, 1, (off_t)i), 1);
            hits++;
        }
    free(all);
    close(fd);
    return hits;
}

Test(store, a_damaged_value_is_skipped_counted_and_never_handed_out)
{
    prf_store_t *s = opened();
    cr_expect_eq(put(s, PRF_TABLE_BOARD, "a", "first-value"), PRF_OK);
    cr_expect_eq(put(s, PRF_TABLE_BOARD, "b", "second-value"), PRF_OK);
    cr_expect_eq(put(s, PRF_TABLE_BOARD, "c", "third-value"), PRF_OK);
    prf_store_close(&s);
    cr_assert_gt(damage("second-value"), 0);
    s = opened();
    char text[256] = "";
    uint64_t damaged = 0;
    cr_assert_eq(prf_store_scan(s, PRF_TABLE_BOARD, NULL, gather, text, &damaged, &err), PRF_OK);
    cr_expect_str_eq(text, "a=first-value c=third-value ");
    cr_expect_eq(damaged, 1);
    void *value;
    size_t len;
    cr_expect_eq(prf_store_get(s, PRF_TABLE_BOARD, "b", &value, &len, &err), PRF_ECORRUPT);
    cr_expect(strstr(err.text, "checksum"), "%s", err.text);
    cr_expect_eq(put(s, PRF_TABLE_BOARD, "b", "again"), PRF_OK);
    expect_value(s, PRF_TABLE_BOARD, "b", "again");
    prf_store_close(&s);
}

static bool count_records(void *arg, uint64_t sequence, const prf_record_t *record)
{
    (void)sequence;
    (void)record;
    ++*(size_t *)arg;
    return true;
}

Test(store, a_file_that_was_cut_is_an_error_and_no_crash)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    prf_store_t *s = opened();
    prf_record_t r = {.board = "b", .sample = {.latency_ns = 1, .min_ns = 1}};
    for (uint64_t i = 1; i <= 5000; i++)
        cr_assert_eq(prf_store_put_record(s, &r, 0, &err), PRF_OK);
    prf_store_close(&s);
    cr_assert_eq(stat(path, &st), 0);
    for (off_t cut = st.st_size - 4096; cut > 8192; cut -= 8 * 4096 + 100) {
        cr_assert_eq(truncate(path, cut), 0);
        size_t found = 0;
        if (prf_store_open(&s, dir, &err)) {
            cr_expect_eq(err.code, PRF_ECORRUPT, "%s", err.text);
            continue;
        }
        prf_status_t status = prf_store_scan_records(s, 0, count_records, &found, NULL, &err);
        cr_expect(status == PRF_OK || status == PRF_ECORRUPT, "%s", err.text);
        prf_store_close(&s);
    }
}

/* Damage anywhere: the store opens or is refused, reads and writes answer, nothing crashes. */
Test(store, bits_that_flip_anywhere_never_crash_the_coordinator)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    prf_store_t *s = opened();
    prf_record_t r = {.board = "b", .sample = {.latency_ns = 1, .min_ns = 1}};
    for (int i = 0; i < 1000; i++) {
        char key[32];
        snprintf(key, sizeof key, "c/%d", i);
        cr_assert_eq(prf_store_put_record(s, &r, 0, &err), PRF_OK);
        cr_assert_eq(prf_store_put(s, PRF_TABLE_DECISION, key, key, 5, 0, &err), PRF_OK);
    }
    prf_store_close(&s);
    struct stat st;
    int fd = open(path, O_RDWR);
    cr_assert(fd >= 0 && fstat(fd, &st) == 0);
    size_t size = (size_t)st.st_size;
    char *good = malloc(size), *bad = malloc(size);
    cr_assert_eq(pread(fd, good, size, 0), (ssize_t)size);
    prf_rng_t rng;
    prf_rng_init(&rng, SEED, 1);
    int refused = 0;
    for (int round = 0; round < 50; round++) {
        memcpy(bad, good, size);
        for (int i = 0; i < 20; i++)
            bad[prf_rng_below(&rng, size)] ^= (char)(1 << prf_rng_below(&rng, 8));
        cr_assert_eq(pwrite(fd, bad, size, 0), (ssize_t)size);
        if (prf_store_open(&s, dir, &err)) {
            cr_expect(err.code == PRF_ECORRUPT || err.code == PRF_EVERSION, "seed %d round %d: %s", SEED, round, err.text);
            refused++;
            continue;
        }
        char text[256] = "";
        size_t found = 0;
        prf_status_t status = prf_store_scan(s, PRF_TABLE_DECISION, NULL, gather, text, NULL, &err);
        cr_expect(status == PRF_OK || status == PRF_ECORRUPT, "seed %d round %d: %s", SEED, round, err.text);
        status = prf_store_scan_records(s, 0, count_records, &found, NULL, &err);
        cr_expect(status == PRF_OK || status == PRF_ECORRUPT, "seed %d round %d: %s", SEED, round, err.text);
        cr_assert_eq(prf_store_put_record(s, &r, 0, &err), PRF_OK);
        prf_store_close(&s);
    }
    cr_expect_gt(refused, 0, "no round damaged what LMDB trusts");
    free(good);
    free(bad);
    close(fd);
}

Test(store, keys_and_values_out_of_bounds_are_refused_alone)
{
    prf_store_t *s = opened();
    char key[PRF_STORE_KEY + 2];
    memset(key, 'k', sizeof key);
    key[PRF_STORE_KEY + 1] = '\0';
    cr_expect_eq(prf_store_put(s, PRF_TABLE_BOARD, key, "v", 1, 1, &err), PRF_EINVAL);
    cr_expect_eq(prf_store_put(s, PRF_TABLE_BOARD, "", "v", 1, 1, &err), PRF_EINVAL);
    cr_expect_eq(prf_store_put(s, PRF_TABLE_BOARD, NULL, "v", 1, 1, &err), PRF_EINVAL);
    cr_expect_eq(prf_store_put(s, PRF_TABLE_EVENT, "1", NULL, 0, 1, &err), PRF_EINVAL);
    cr_expect_eq(prf_store_put(s, PRF_TABLE_BOARD, "k", "v", PRF_STORE_VALUE + 1, 1, &err), PRF_EINVAL);
    key[PRF_STORE_KEY] = '\0';
    cr_expect_eq(put(s, PRF_TABLE_BOARD, key, "longest"), PRF_OK);
    expect_value(s, PRF_TABLE_BOARD, key, "longest");
    prf_store_close(&s);
}

/* --- full disk --- */

/* A file system of 1 MiB at `dir` that only this process sees; false where that is not allowed. */
static bool tiny_disk(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=700") == 0;
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void fill_disk(bool tiny)
{
    char path[128], block[4096] = {0};
    if (!tiny) {
        struct stat st;
        snprintf(path, sizeof path, "%s/data.mdb", dir);
        cr_assert_eq(stat(path, &st), 0);
        limit_files((rlim_t)st.st_size); /* a write across the limit would be a short one, which no full disk explains */
        return;
    }
    snprintf(path, sizeof path, "%s/filler", dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    cr_assert(fd >= 0);
    while (write(fd, block, sizeof block) > 0)
        ;
    close(fd);
}

static void make_room(bool tiny)
{
    char path[128];
    snprintf(path, sizeof path, "%s/filler", dir);
    if (tiny)
        unlink(path);
    else
        limit_files(RLIM_INFINITY);
}

Test(store, a_full_disk_fails_the_group_and_a_retry_after_making_room_succeeds)
{
    bool tiny = tiny_disk();
    signal(SIGXFSZ, SIG_IGN);
    static char value[100000];
    memset(value, 'v', sizeof value - 1);
    prf_store_t *s = opened();
    cr_expect_eq(put(s, PRF_TABLE_CAMPAIGN, "before", "kept"), PRF_OK);
    fill_disk(tiny);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(put(s, PRF_TABLE_MODEL, "m/1", value), PRF_ENOSPC);
    expect_value(s, PRF_TABLE_CAMPAIGN, "before", "kept");
    expect_value(s, PRF_TABLE_MODEL, "m/1", NULL);
    prf_store_close(&s);
    s = opened();
    expect_value(s, PRF_TABLE_CAMPAIGN, "before", "kept");
    cr_expect_eq(put(s, PRF_TABLE_MODEL, "m/1", value), PRF_ENOSPC);
    make_room(tiny);
    cr_expect_eq(put(s, PRF_TABLE_MODEL, "m/1", value), PRF_OK);
    expect_value(s, PRF_TABLE_MODEL, "m/1", value);
    prf_store_close(&s);
    if (tiny)
        umount2(dir, MNT_DETACH);
}

/* Not even pages that exist can be written, as on a full disk that copies on write: LMDB itself gives up then. */
Test(store, goes_on_after_a_disk_that_took_nothing_at_all)
{
    signal(SIGXFSZ, SIG_IGN);
    prf_store_t *s = opened();
    cr_expect_eq(put(s, PRF_TABLE_CAMPAIGN, "before", "kept"), PRF_OK);
    limit_files(1);
    for (int i = 0; i < 3; i++)
        cr_expect_neq(put(s, PRF_TABLE_CAMPAIGN, "lost", "value"), PRF_OK);
    limit_files(RLIM_INFINITY);
    cr_expect_eq(put(s, PRF_TABLE_CAMPAIGN, "after", "written"), PRF_OK);
    expect_value(s, PRF_TABLE_CAMPAIGN, "before", "kept");
    expect_value(s, PRF_TABLE_CAMPAIGN, "after", "written");
    prf_store_close(&s);
    s = opened();
    expect_value(s, PRF_TABLE_CAMPAIGN, "after", "written");
    prf_store_close(&s);
}

Test(store, a_full_disk_is_told_when_a_store_is_to_be_made)
{
    if (!tiny_disk())
        cr_skip_test("a tiny disk needs the right to mount");
    fill_disk(true);
    refuse_open(PRF_ENOSPC, "");
    umount2(dir, MNT_DETACH);
}

/* --- SIGKILL --- */

static _Noreturn void put_until_killed(int out, uint32_t first)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prf_store_t *s = NULL;
    if (prf_store_open(&s, dir, NULL))
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
        prf_store_t *s = opened();
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
        prf_write_t *write = calloc(1, sizeof *write);
        write->token = accepted + 1;
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
    prf_store_queue_close(q);
    cr_expect_null(prf_store_queue_take(q));
    prf_store_queue_destroy(&q);
}
