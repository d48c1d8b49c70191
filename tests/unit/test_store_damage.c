// SPDX-License-Identifier: Apache-2.0
/* Stores that are damaged, torn, foreign, or of another format. Damage is made with LMDB itself or in its file. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/rng.h"
#include "store_value.h"
#include "tests/support/stores.h"

enum { SEED = 7700 };
static prf_error_t err;

TestSuite(store_damage, .init = store_make_dir, .fini = store_remove_dir);

Test(store_damage, a_newer_store_is_refused_and_left_as_it_is)
{
    prf_store_t *s = store_opened();
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "c", "x"), PRF_OK);
    prf_store_close(&s);
    store_write_raw("meta", "format", "3", sizeof "3" - 1);
    store_refuse_open(PRF_ECORRUPT, "its format cannot be read"); /* what is sealed at its side says 2 */
    store_write_raw("meta", "created_by", "prfarm 9.9", sizeof "prfarm 9.9" - 1);
    size_t before = store_transactions();
    store_refuse_open(PRF_EVERSION, "update prfarm");
    cr_expect_eq(store_transactions(), before);
    store_write_raw("meta", "format", "2", sizeof "2" - 1);
    s = store_opened();
    store_expect_value(s, PRF_TABLE_CAMPAIGN, "c", "x");
    prf_store_close(&s);
    store_write_raw("meta", "format", "one", sizeof "one" - 1);
    store_refuse_open(PRF_ECORRUPT, "damaged");
}

Test(store_damage, what_is_no_store_is_refused)
{
    char path[128], noise[20000];
    snprintf(path, sizeof path, "%s/data.mdb", store_dir);
    memset(noise, 'n', sizeof noise);
    for (size_t len = 1; len < sizeof noise; len = len * 4 + 1) {
        FILE *f = fopen(path, "w");
        cr_assert(f && fwrite(noise, 1, len, f) == len && fclose(f) == 0);
        store_refuse_open(PRF_ECORRUPT, "restore a backup");
    }
    unlink(path);
    store_write_raw("theirs", "k", "v", sizeof "v" - 1);
    store_refuse_open(PRF_ECORRUPT, "no store of prfarm");
    store_remove_dir();
    FILE *f = fopen(store_dir, "w");
    cr_assert(f && fclose(f) == 0);
    store_refuse_open(PRF_EIO, "");
    unlink(store_dir);
}

/* Flips one bit of each occurrence of `what` in the data file. */
static int damage(const char *what)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", store_dir);
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

Test(store_damage, a_damaged_value_is_skipped_counted_and_never_handed_out)
{
    prf_store_t *s = store_opened();
    cr_expect_eq(store_put(s, PRF_TABLE_BOARD, "a", "first-value"), PRF_OK);
    cr_expect_eq(store_put(s, PRF_TABLE_BOARD, "b", "second-value"), PRF_OK);
    cr_expect_eq(store_put(s, PRF_TABLE_BOARD, "c", "third-value"), PRF_OK);
    prf_store_close(&s);
    cr_assert_gt(damage("second-value"), 0);
    s = store_opened();
    char text[256] = "";
    uint64_t damaged = 0;
    cr_assert_eq(prf_store_scan(s, PRF_TABLE_BOARD, NULL, store_gather, text, &damaged, &err), PRF_OK);
    cr_expect_str_eq(text, "a=first-value c=third-value ");
    cr_expect_eq(damaged, 1);
    void *value;
    size_t len;
    cr_expect_eq(prf_store_get(s, PRF_TABLE_BOARD, "b", &value, &len, &err), PRF_ECORRUPT);
    cr_expect(strstr(err.text, "checksum"), "%s", err.text);
    cr_expect_eq(store_put(s, PRF_TABLE_BOARD, "b", "again"), PRF_OK);
    store_expect_value(s, PRF_TABLE_BOARD, "b", "again");
    prf_store_close(&s);
}

Test(store_damage, a_file_that_was_cut_is_an_error_and_no_crash)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/data.mdb", store_dir);
    prf_store_t *s = store_opened();
    prf_record_t r = {.board = "b", .sample = {.latency_ns = 1, .min_ns = 1}};
    for (uint64_t i = 1; i <= 5000; i++)
        cr_assert_eq(prf_store_put_record(s, &r, 0, &err), PRF_OK);
    prf_store_close(&s);
    cr_assert_eq(stat(path, &st), 0);
    for (off_t cut = st.st_size - 4096; cut > 8192; cut -= 8 * 4096 + 100) {
        cr_assert_eq(truncate(path, cut), 0);
        size_t found = 0;
        if (prf_store_open(&s, store_dir, &err)) {
            cr_expect_eq(err.code, PRF_ECORRUPT, "%s", err.text);
            continue;
        }
        prf_status_t status = prf_store_scan_records(s, 0, store_count, &found, NULL, &err);
        cr_expect(status == PRF_OK || status == PRF_ECORRUPT, "%s", err.text);
        prf_store_close(&s);
    }
}

/* Damage anywhere: the store opens or is refused, reads and writes answer, nothing crashes. */
Test(store_damage, bits_that_flip_anywhere_never_crash_the_coordinator)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data.mdb", store_dir);
    prf_store_t *s = store_opened();
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
        if (prf_store_open(&s, store_dir, &err)) {
            cr_expect(err.code == PRF_ECORRUPT || err.code == PRF_EVERSION, "seed %d round %d: %s", SEED, round, err.text);
            refused++;
            continue;
        }
        char text[256] = "";
        size_t found = 0;
        prf_status_t status = prf_store_scan(s, PRF_TABLE_DECISION, NULL, store_gather, text, NULL, &err);
        cr_expect(status == PRF_OK || status == PRF_ECORRUPT, "seed %d round %d: %s", SEED, round, err.text);
        status = prf_store_scan_records(s, 0, store_count, &found, NULL, &err);
        cr_expect(status == PRF_OK || status == PRF_ECORRUPT, "seed %d round %d: %s", SEED, round, err.text);
        cr_assert_eq(prf_store_put_record(s, &r, 0, &err), PRF_OK);
        prf_store_close(&s);
    }
    cr_expect_gt(refused, 0, "no round damaged what LMDB trusts");
    free(good);
    free(bad);
    close(fd);
}

/* --- torn commits --- */

/* Of the meta page that the newest commit is in. */
static off_t newest_meta(void)
{
    return (off_t)(store_transactions() % 2) * 4096;
}

static void copy_page(const void *bytes, off_t at)
{
    char path[STORE_PATH];
    int fd = open(store_path("data.mdb", path), O_WRONLY);
    cr_assert(fd >= 0 && pwrite(fd, bytes, 4096, at) == 4096 && close(fd) == 0);
}

Test(store_damage, a_commit_whose_last_page_never_reached_the_disk_is_as_if_it_had_not_been)
{
    char path[STORE_PATH], before[4096];
    prf_store_t *s = store_opened();
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "c", "one"), PRF_OK);
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "c", "two"), PRF_OK);
    off_t at = 4096 - newest_meta(); /* where the next commit goes */
    int fd = open(store_path("data.mdb", path), O_RDONLY);
    cr_assert(fd >= 0 && pread(fd, before, sizeof before, at) == (ssize_t)sizeof before && close(fd) == 0);
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "c", "three"), PRF_OK);
    prf_store_close(&s);
    copy_page(before, at);
    s = store_opened();
    store_expect_value(s, PRF_TABLE_CAMPAIGN, "c", "two");
    cr_expect_eq(prf_store_damaged(s), 0);
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "c", "four"), PRF_OK);
    prf_store_close(&s);
}

Test(store_damage, a_meta_page_of_zeros_is_refused_with_the_remedy)
{
    static const char zeros[4096];
    prf_store_t *s = store_opened();
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "c", "one"), PRF_OK);
    prf_store_close(&s);
    copy_page(zeros, newest_meta());
    store_refuse_open(PRF_ECORRUPT, "--salvage");
}

Test(store_damage, lost_lock_and_owner_files_do_not_matter)
{
    static const char *const names[] = {"lock.mdb", "owner"};
    for (size_t i = 0; i < 4; i++) {
        char path[STORE_PATH];
        prf_store_t *s = store_opened();
        cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "c", "kept"), PRF_OK);
        prf_store_close(&s);
        store_path(names[i / 2], path);
        if (i % 2) {
            int fd = open(path, O_WRONLY | O_TRUNC);
            cr_assert(fd >= 0 && write(fd, "\xff\xff nonsense", 11) == 11 && close(fd) == 0);
        } else {
            cr_assert_eq(unlink(path), 0);
        }
        s = store_opened();
        store_expect_value(s, PRF_TABLE_CAMPAIGN, "c", "kept");
        prf_store_close(&s);
    }
}

Test(store_damage, numbering_goes_on_behind_a_last_result_whose_number_was_damaged)
{
    prf_store_t *s = store_opened();
    for (int i = 0; i < 3; i++)
        cr_expect_eq(store_put(s, PRF_TABLE_EVENT, NULL, "e"), PRF_OK);
    prf_store_close(&s);
    store_write_raw("event", "\xff\x01\x01\x01\x01\x01\x01\x01", "unproven", 8);
    s = store_opened();
    cr_expect_eq(prf_store_damaged(s), 1);
    cr_expect_eq(store_put(s, PRF_TABLE_EVENT, NULL, "next"), PRF_OK);
    store_expect_value(s, PRF_TABLE_EVENT, "4", "next");
    prf_store_close(&s);
}

/* --- the format before --- */

enum { OLD_EVENTS = 30000, OLD_DECISIONS = 3000 };

static size_t old_value(unsigned char *out, const char *payload)
{
    size_t len = strlen(payload);
    uint32_t crc = prf_crc32(payload, len);
    out[0] = 1;
    for (int i = 0; i < 4; i++)
        out[1 + i] = (unsigned char)(crc >> (8 * i));
    memcpy(out + PRF_VALUE_OLD_HEADER, payload, len); // NOLINT(bugprone-not-null-terminated-result): values have no NUL
    return PRF_VALUE_OLD_HEADER + len;
}

static void put_old(MDB_txn *txn, MDB_dbi dbi, const void *key, size_t key_len, const char *payload)
{
    unsigned char value[128];
    MDB_val k = {key_len, (void *)key}, v = {old_value(value, payload), value};
    cr_assert_eq(mdb_put(txn, dbi, &k, &v, 0), 0);
}

/* A store as the first prfarm wrote it: more values than one transaction of the migration takes. */
static void make_old_store(void)
{
    static const char *const tables[] = {"result", "campaign", "decision", "model", "board", "event"};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi[6], meta;
    char text[64];
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_set_maxdbs(env, 10), 0);
    cr_assert_eq(mdb_env_set_mapsize(env, 64 << 20), 0);
    cr_assert_eq(mdb_env_open(env, store_dir, MDB_NOTLS, 0600), 0);
    cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(mdb_dbi_open(txn, tables[i], MDB_CREATE, &dbi[i]), 0);
    cr_assert_eq(mdb_dbi_open(txn, "meta", MDB_CREATE, &meta), 0);
    MDB_val k = {6, (void *)"format"}, v = {1, (void *)"1"};
    cr_assert_eq(mdb_put(txn, meta, &k, &v, 0), 0);
    for (uint64_t i = 1; i <= OLD_EVENTS; i++) {
        unsigned char number[PRF_SEQUENCE];
        prf_sequence_put(number, i);
        snprintf(text, sizeof text, "event %" PRIu64, i);
        put_old(txn, dbi[5], number, sizeof number, text);
    }
    for (int i = 0; i < OLD_DECISIONS; i++) {
        snprintf(text, sizeof text, "c/k/plan/%d", i);
        put_old(txn, dbi[2], text, strlen(text), text);
    }
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static bool check_event(void *arg, const char *key, const void *value, size_t len)
{
    char text[64];
    size_t *count = arg;
    int wanted = snprintf(text, sizeof text, "event %zu", ++*count);
    cr_assert_str_eq(key, text + 6);
    cr_assert(len == (size_t)wanted && memcmp(value, text, len) == 0, "event %zu", *count);
    return true;
}

static bool check_decision(void *arg, const char *key, const void *value, size_t len)
{
    ++*(size_t *)arg;
    cr_assert(len == strlen(key) && memcmp(value, key, len) == 0, "%s", key);
    return true;
}

static void expect_all_brought_up(prf_store_t *s)
{
    size_t events = 0, decisions = 0;
    uint64_t damaged = 9;
    cr_assert_eq(prf_store_scan(s, PRF_TABLE_EVENT, NULL, check_event, &events, &damaged, &err), PRF_OK);
    cr_expect_eq(damaged, 0);
    cr_assert_eq(prf_store_scan(s, PRF_TABLE_DECISION, NULL, check_decision, &decisions, &damaged, &err), PRF_OK);
    cr_expect_eq(damaged, 0);
    cr_expect_eq(events, OLD_EVENTS);
    cr_expect_eq(decisions, OLD_DECISIONS);
}

Test(store_damage, a_store_of_the_format_before_is_brought_up_when_it_is_opened)
{
    make_old_store();
    prf_store_t *s = store_opened();
    expect_all_brought_up(s);
    cr_expect_eq(store_put(s, PRF_TABLE_EVENT, NULL, "event 30001"), PRF_OK);
    prf_store_close(&s);
    s = store_opened();
    cr_expect_eq(prf_store_writes(s), OLD_EVENTS + OLD_DECISIONS + 1);
    store_expect_value(s, PRF_TABLE_EVENT, "30001", "event 30001");
    prf_store_close(&s);
}

/* Killed after each commit in turn: the next opening goes on, and an older prfarm already refuses the store. */
Test(store_damage, bringing_a_store_up_goes_on_where_it_was_killed)
{
    make_old_store();
    size_t commits = store_transactions();
    for (int kills = 0; kills < 20; kills++) {
        pid_t child = fork();
        cr_assert(child >= 0);
        if (child == 0) {
            prf_store_t *s = NULL;
            _exit(prf_store_open(&s, store_dir, NULL) ? 1 : 0);
        }
        while (store_transactions() == commits && waitpid(child, NULL, WNOHANG) == 0)
            ;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        commits = store_transactions();
    }
    prf_store_t *s = store_opened();
    expect_all_brought_up(s);
    prf_store_close(&s);
}

Test(store_damage, a_value_of_the_format_before_that_was_damaged_is_not_brought_up)
{
    make_old_store();
    cr_assert_gt(damage("event 17"), 0); /* and 170 to 179, 1700 to 1799, 17000 to 17999 */
    prf_store_t *s = store_opened();
    cr_expect_eq(prf_store_damaged(s), 1111);
    void *value;
    size_t len;
    cr_expect_eq(prf_store_get(s, PRF_TABLE_EVENT, "17", &value, &len, &err), PRF_ECORRUPT);
    store_expect_value(s, PRF_TABLE_EVENT, "18", "event 18");
    prf_store_close(&s);
}
