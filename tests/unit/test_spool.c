// SPDX-License-Identifier: Apache-2.0
/* The worker's spool: what it gives back after a kill, a cut, flipped bits, a full disk, and to whom. Through the outbox, as the
 * worker uses it. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "worker/outbox.h"

enum { FILE_BYTES = PRF_OUTBOX_CAP * PRF_SPOOL_SLOT };

static char dir[64], spool_path[200];
static prf_outbox_t *box;
static prf_spool_found_t found;
static prf_error_t err;
static const prf_hello_t me = {.board = "b1", .kind = "k1", .fingerprint = "driver 1.0"};

static void open_as(const prf_hello_t *who)
{
    cr_assert_eq(prf_outbox_new(&box, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_outbox_keep(box, dir, who, &found, &err), PRF_OK, "%s", err.text);
}

static void open_again(void)
{
    prf_outbox_destroy(&box);
    open_as(&me);
}

/* The file that the folder has while it has one. */
static void find_file(void)
{
    char command[160];
    snprintf(command, sizeof command, "ls -d %s/b1-k1-*.v1", dir);
    FILE *list = popen(command, "r");
    cr_assert(list && fgets(spool_path, sizeof spool_path, list), "no spool in %s", dir);
    spool_path[strcspn(spool_path, "\n")] = '\0';
    pclose(list);
}

static void set_up(void)
{
    snprintf(dir, sizeof dir, "/tmp/prf-spool-XXXXXX");
    cr_assert(mkdtemp(dir));
    open_as(&me);
    find_file();
}

static void tear_down(void)
{
    char command[100];
    prf_outbox_destroy(&box);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(spool, .init = set_up, .fini = tear_down);

static prf_result_t result_of(uint64_t id)
{
    prf_result_t result = {.id = id,
                           .epoch = id + 100,
                           .attempt = (uint32_t)id % 3,
                           .sample = {.latency_ns = 1000.0 * (double)id, .min_ns = 7, .repeats = 9, .wall_ms = 1700000000000 + id}};
    prf_digest(&result.point, &id, sizeof id);
    return result;
}

static void add(uint64_t id)
{
    prf_result_t result = result_of(id);
    cr_assert_eq(prf_outbox_add(box, &result, &err), PRF_OK, "%s", err.text);
}

static void forget(uint64_t id)
{
    prf_outbox_forget(box, &id, 1);
}

/* Whether the box has exactly these, in this order and unchanged. */
static void holds(const uint64_t *ids, size_t count)
{
    cr_assert_eq(prf_outbox_count(box), count, "%zu results instead of %zu", prf_outbox_count(box), count);
    for (size_t i = 0; i < count; i++) {
        const prf_result_t *got = prf_outbox_at(box, i);
        prf_result_t want = result_of(ids[i]);
        cr_assert(got->id == want.id && got->epoch == want.epoch && got->attempt == want.attempt &&
                      prf_digest_compare(&got->point, &want.point) == 0 &&
                      memcmp(&got->sample, &want.sample, sizeof want.sample) == 0,
                  "result %llu stands where %llu should", (unsigned long long)got->id, (unsigned long long)ids[i]);
    }
}
#define HOLDS(...) holds((const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static uint8_t *file_bytes(size_t *len)
{
    char *bytes = NULL;
    cr_assert_eq(prf_file_read(spool_path, 1 << 24, &bytes, len, &err), PRF_OK, "%s", err.text);
    return (uint8_t *)bytes;
}

static void rewrite_file(const uint8_t *bytes, size_t len)
{
    int fd = open(spool_path, O_WRONLY | O_CREAT, 0600); /* not emptied first: some file systems write such a file at once */
    cr_assert_eq(pwrite(fd, bytes, len, 0), (ssize_t)len);
    cr_assert_eq(ftruncate(fd, (off_t)len), 0);
    close(fd);
}

Test(spool, results_come_back_in_their_order_and_what_was_forgotten_does_not)
{
    for (uint64_t id = 1; id <= 5; id++)
        add(id);
    forget(2);
    add(6); /* into the slot of 2: order is not that of the slots */
    forget(1);
    open_again();
    cr_assert_eq(found.taken, 4);
    cr_assert(found.damaged == 0 && found.others == 0);
    HOLDS(3, 4, 5, 6);
    add(7);
    open_again();
    HOLDS(3, 4, 5, 6, 7);
}

Test(spool, a_failure_keeps_its_error)
{
    prf_result_t failed = {.id = 3, .outcome = PRF_EHANG};
    memset(failed.error, 'e', sizeof failed.error - 1);
    cr_assert_eq(prf_outbox_add(box, &failed, &err), PRF_OK);
    open_again();
    cr_assert_eq(prf_outbox_count(box), 1);
    cr_assert_eq(prf_outbox_at(box, 0)->outcome, PRF_EHANG);
    cr_assert_str_eq(prf_outbox_at(box, 0)->error, failed.error);
}

Test(spool, the_largest_result_fits_its_slot)
{
    uint8_t slot[PRF_SPOOL_SLOT];
    prf_digest_t identity = {{1}};
    prf_result_t big = {.id = UINT64_MAX, .epoch = UINT64_MAX, .attempt = UINT32_MAX, .outcome = PRF_EINTERNAL}, back;
    memset(big.error, 'x', sizeof big.error - 1);
    memset(&big.point, 0xff, sizeof big.point);
    cr_assert_eq(prf_spool_encode(slot, &identity, UINT64_MAX, &big, &err), PRF_OK, "%s", err.text);
    uint64_t sequence;
    cr_assert_eq(prf_spool_decode(slot, &identity, &sequence, &back), PRF_SLOT_USED);
    cr_assert_eq(sequence, UINT64_MAX);
    cr_assert_str_eq(back.error, big.error);
}

Test(spool, a_killed_process_loses_nothing)
{
    prf_outbox_destroy(&box);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        open_as(&me);
        for (uint64_t id = 1; id <= 100; id++)
            add(id);
        for (uint64_t id = 1; id <= 97; id++)
            forget(id);
        kill(getpid(), SIGKILL);
    }
    waitpid(child, NULL, 0);
    open_as(&me);
    HOLDS(98, 99, 100);
}

Test(spool, it_is_as_bounded_as_the_outbox_and_its_file_does_not_grow)
{
    struct stat st;
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t id = 1; id <= PRF_OUTBOX_CAP; id++)
            add(round * PRF_OUTBOX_CAP + id);
        prf_result_t more = result_of(9999999);
        cr_assert_eq(prf_outbox_add(box, &more, &err), PRF_EBUSY);
        open_again();
        cr_assert_eq(prf_outbox_count(box), PRF_OUTBOX_CAP);
        cr_assert_eq(stat(spool_path, &st), 0);
        cr_assert_eq(st.st_size, FILE_BYTES);
        for (uint64_t id = 1; id <= PRF_OUTBOX_CAP; id++)
            forget(round * PRF_OUTBOX_CAP + id);
    }
}

Test(spool, an_empty_one_leaves_no_file)
{
    add(1);
    forget(1);
    prf_outbox_destroy(&box);
    cr_assert_neq(access(spool_path, F_OK), 0);
}

Test(spool, a_file_cut_at_any_byte_loses_only_what_was_cut)
{
    size_t len;
    for (uint64_t id = 1; id <= 3; id++)
        add(id);
    prf_outbox_destroy(&box);
    uint8_t *bytes = file_bytes(&len);
    for (size_t cut = 0; cut <= 3 * PRF_SPOOL_SLOT; cut++) {
        rewrite_file(bytes, cut);
        open_as(&me);
        size_t whole = cut / PRF_SPOOL_SLOT, end = PRF_SPOOL_SLOT; /* what is behind a result in its slot is nothing */
        while (end > 0 && bytes[whole * PRF_SPOOL_SLOT + end - 1] == 0)
            end--;
        whole += whole < 3 && cut % PRF_SPOOL_SLOT >= end;
        cr_assert_eq(found.taken, whole, "cut at %zu: %zu results", cut, found.taken);
        cr_assert_leq(found.damaged, 1);
        holds((const uint64_t[]){1, 2, 3}, found.taken);
        if (cut % 97 == 0)
            add(4); /* it goes on; not each time, because closing waits for the disk then */
        prf_outbox_destroy(&box);
    }
    free(bytes);
}

Test(spool, any_flipped_bit_costs_at_most_the_result_it_hits)
{
    size_t len;
    for (uint64_t id = 1; id <= 3; id++)
        add(id);
    prf_outbox_destroy(&box);
    uint8_t *bytes = file_bytes(&len);
    len = 3 * PRF_SPOOL_SLOT; /* the rest is zeros, and opening adds it */
    for (size_t at = 0; at < len; at++) {
        uint8_t *slot = bytes + at / PRF_SPOOL_SLOT * PRF_SPOOL_SLOT;
        bytes[at] ^= (uint8_t)(1 << at % 8);
        rewrite_file(bytes, len);
        open_as(&me);
        size_t hit = at / PRF_SPOOL_SLOT + 1, expected = 0;
        cr_assert_eq(found.taken + found.damaged, 3, "byte %zu", at);
        cr_assert_leq(found.damaged, 1);
        for (size_t id = 1; id <= 3; id++) {
            if (found.damaged && id == hit)
                continue;
            const prf_result_t *got = prf_outbox_at(box, expected++);
            cr_assert(got->id == id && got->sample.latency_ns == 1000.0 * (double)id, "byte %zu", at);
        }
        prf_outbox_destroy(&box);
        bytes[at] ^= (uint8_t)(1 << at % 8);
        cr_assert_eq(slot[0], 'p');
    }
    free(bytes);
}

/* All bits of a slot, without a file: found, or without effect. */
Test(spool, no_flipped_bit_changes_a_result)
{
    uint8_t slot[PRF_SPOOL_SLOT];
    prf_digest_t identity = {{1}};
    prf_result_t want = result_of(77), got;
    uint64_t sequence;
    size_t damaged = 0;
    cr_assert_eq(prf_spool_encode(slot, &identity, 5, &want, &err), PRF_OK);
    for (size_t bit = 0; bit < PRF_SPOOL_SLOT * 8; bit++) {
        slot[bit / 8] ^= (uint8_t)(1 << bit % 8);
        prf_slot_t state = prf_spool_decode(slot, &identity, &sequence, &got);
        slot[bit / 8] ^= (uint8_t)(1 << bit % 8);
        damaged += state == PRF_SLOT_DAMAGED;
        cr_assert_neq(state, PRF_SLOT_EMPTY);
        if (state == PRF_SLOT_USED)
            cr_assert(sequence == 5 && got.id == 77 && memcmp(&got.sample, &want.sample, sizeof want.sample) == 0, "bit %zu", bit);
    }
    cr_assert_gt(damaged, 36 * 8, "nothing covers the slot");
}

Test(spool, damage_is_told_once)
{
    add(1);
    add(2);
    prf_outbox_destroy(&box);
    int fd = open(spool_path, O_WRONLY);
    cr_assert_eq(pwrite(fd, "?", 1, 40), 1);
    close(fd);
    open_as(&me);
    cr_assert_eq(found.damaged, 1);
    HOLDS(2);
    open_again();
    cr_assert_eq(found.damaged, 0);
    HOLDS(2);
}

Test(spool, others_results_are_set_aside_and_wait_for_their_owner)
{
    static const prf_hello_t others[] = {{.board = "b2", .kind = "k1", .fingerprint = "driver 1.0"},
                                         {.board = "b1", .kind = "k2", .fingerprint = "driver 1.0"},
                                         {.board = "b1", .kind = "k1", .fingerprint = "driver 1.1"}};
    add(1);
    for (size_t i = 0; i < 3; i++) {
        prf_outbox_destroy(&box);
        open_as(&others[i]);
        cr_assert_eq(prf_outbox_count(box), 0);
        cr_assert_eq(found.others, 1);
        cr_assert(strstr(found.other, "b1-k1-"), "%s", found.other);
    }
    open_again();
    HOLDS(1);
}

/* A file that somebody renamed. */
Test(spool, the_name_alone_does_not_make_results_ones_own)
{
    char copy[240];
    static const prf_hello_t updated = {.board = "b1", .kind = "k1", .fingerprint = "driver 1.1"};
    size_t len;
    add(1);
    prf_outbox_destroy(&box);
    uint8_t *bytes = file_bytes(&len);
    cr_assert_eq(unlink(spool_path), 0);
    open_as(&updated);
    find_file();
    prf_outbox_destroy(&box);
    rewrite_file(bytes, len);
    snprintf(copy, sizeof copy, "%s", spool_path);
    open_as(&updated);
    cr_assert(found.taken == 0 && found.damaged == 1);
    free(bytes);
}

Test(spool, a_newer_format_is_left_alone)
{
    char newer[240];
    add(1);
    prf_outbox_destroy(&box);
    snprintf(newer, sizeof newer, "%.*s2", (int)strlen(spool_path) - 1, spool_path);
    cr_assert_eq(rename(spool_path, newer), 0);
    open_as(&me);
    cr_assert(found.taken == 0 && found.others == 1);
    add(2);
    prf_outbox_destroy(&box);
    cr_assert_eq(access(newer, F_OK), 0);
}

Test(spool, when_the_runtime_changes_the_box_changes_with_it)
{
    static const prf_hello_t updated = {.board = "b1", .kind = "k1", .fingerprint = "driver 1.1"};
    add(1);
    cr_assert_eq(prf_outbox_keep(box, dir, &updated, &found, &err), PRF_OK);
    cr_assert_eq(prf_outbox_count(box), 0);
    add(2);
    cr_assert_eq(prf_outbox_keep(box, dir, &me, &found, &err), PRF_OK);
    HOLDS(1);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
}

Test(spool, on_a_full_disk_it_goes_on_in_memory_and_writes_when_there_is_room)
{
    signal(SIGXFSZ, SIG_IGN);
    add(1);
    limit_files(PRF_SPOOL_SLOT);
    add(2);
    add(3);
    cr_assert_neq(prf_outbox_save(box, &err), PRF_OK);
    cr_assert(strstr(err.text, spool_path), "%s", err.text);
    HOLDS(1, 2, 3);
    forget(2);
    limit_files(RLIM_INFINITY);
    cr_assert_eq(prf_outbox_save(box, &err), PRF_OK, "%s", err.text);
    open_again();
    HOLDS(1, 3);
}

Test(spool, a_disk_that_is_full_from_the_start_is_no_reason_to_fail)
{
    signal(SIGXFSZ, SIG_IGN);
    prf_outbox_destroy(&box);
    limit_files(0);
    open_as(&me);
    add(1);
    cr_assert_neq(prf_outbox_save(box, &err), PRF_OK);
    HOLDS(1);
    limit_files(RLIM_INFINITY);
    cr_assert_eq(prf_outbox_save(box, &err), PRF_OK, "%s", err.text);
    open_again();
    HOLDS(1);
}

/* Half a result on the disk must not stand in for the one in memory. */
Test(spool, a_replaced_result_that_does_not_fit_leaves_no_old_one)
{
    signal(SIGXFSZ, SIG_IGN);
    prf_result_t second = result_of(1);
    second.sample.latency_ns = 5;
    add(1);
    limit_files(0);
    cr_assert_eq(prf_outbox_add(box, &second, &err), PRF_OK);
    limit_files(RLIM_INFINITY);
    cr_assert_eq(prf_outbox_save(box, &err), PRF_OK);
    open_again();
    cr_assert_eq(prf_outbox_count(box), 1);
    cr_assert_eq(prf_outbox_at(box, 0)->sample.latency_ns, 5);
}

Test(spool, a_folder_that_cannot_be_is_told)
{
    prf_outbox_t *other;
    cr_assert_eq(prf_outbox_new(&other, &err), PRF_OK);
    cr_assert_eq(prf_outbox_keep(other, spool_path, &me, &found, &err), PRF_EIO);
    cr_assert(strstr(err.text, spool_path), "%s", err.text);
    prf_outbox_destroy(&other);
}
