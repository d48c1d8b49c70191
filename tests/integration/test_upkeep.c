// SPDX-License-Identifier: Apache-2.0
/* A store that is damaged, mended, copied and restored around a campaign that ends in the same model whatever happens; and a disk
 * that is nearly full. Real programs. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "tests/support/farm.h"

enum { PAGE = 4096, LEAF = 2 };

static const char campaign[] = "campaign: upkeep\n"
                               "seed: 5\n"
                               "boards:\n"
                               "  - {kind: array, backend: sim, options: {board: ultratrail}, workers: 2}\n"
                               "layers:\n"
                               "  - {kind: fc, boards: [array], params: {in: 1..128, out: 1..128}}\n"
                               "budget: {samples: 800}\n"
                               "validation: {layers: 30, repeats: 2}\n";

static char folder[64];

static const char *in_folder(const char *name, char path[FARM_PATH])
{
    snprintf(path, FARM_PATH, "%s/%s", folder, name);
    return path;
}

static void make_folder(void)
{
    char path[FARM_PATH];
    snprintf(folder, sizeof folder, "/tmp/prfarm-upkeep-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(prf_file_write(in_folder("campaign.yaml", path), campaign, sizeof campaign - 1, NULL), PRF_OK);
}

/* Runs a program to its end; *out (may be NULL; caller frees) is what it printed, its errors among that. */
static int run(const char *const argv[], char **out)
{
    prf_process_t process;
    prf_error_t err = {0};
    char log[FARM_PATH];
    int status = -1;
    remove(in_folder("run.log", log));
    cr_assert_eq(prf_process_start(&process, argv, &(prf_process_options_t){.log = log}, &err), PRF_OK, "%s", err.text);
    while (!prf_process_ended(&process, &status))
        poll(NULL, 0, 2);
    prf_process_stop(&process, 0);
    size_t len;
    char *text = NULL;
    cr_assert_eq(prf_file_read(log, 1 << 24, &text, &len, &err), PRF_OK, "%s", err.text);
    if (out)
        *out = text;
    else
        free(text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void remove_folder(void)
{
    const char *const argv[] = {"rm", "-rf", folder, NULL};
    prf_process_t rm;
    if (prf_process_start(&rm, argv, &(prf_process_options_t){0}, NULL) == PRF_OK)
        while (!prf_process_ended(&rm, NULL))
            poll(NULL, 0, 5);
}

TestSuite(upkeep, .init = make_folder, .fini = remove_folder);

static int run_campaign(const char *name, char **out)
{
    char file[FARM_PATH], to[FARM_PATH];
    const char *const argv[] = {PRF_BIN_DIR "/prfarm", "run", in_folder("campaign.yaml", file), "--out", in_folder(name, to), NULL};
    return run(argv, out);
}

static void start_campaign(prf_process_t *process, const char *name)
{
    char file[FARM_PATH], to[FARM_PATH], log[FARM_PATH];
    prf_error_t err = {0};
    const char *const argv[] = {PRF_BIN_DIR "/prfarm", "run", in_folder("campaign.yaml", file), "--out", in_folder(name, to), NULL};
    cr_assert_eq(prf_process_start(process, argv, &(prf_process_options_t){.log = in_folder("live.log", log)}, &err), PRF_OK, "%s",
                 err.text);
}

/* Until the store of a run has a good part of its results; reads the file's size, which grows with them. */
static void wait_for_results(prf_process_t *process, const char *name)
{
    char rest[64], path[FARM_PATH];
    struct stat st = {0};
    snprintf(rest, sizeof rest, "%s/store/data.mdb", name);
    in_folder(rest, path);
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while ((stat(path, &st) != 0 || st.st_size < 40 * PAGE) && prf_clock_mono_ms() < until) {
        cr_assert_not(prf_process_ended(process, NULL), "the run ended by itself");
        poll(NULL, 0, 5);
    }
    cr_assert_geq(st.st_size, 40 * PAGE);
}

static void same_model(const char *a_name, const char *b_name)
{
    char rest[64], path[FARM_PATH], *a, *b;
    size_t a_len, b_len;
    snprintf(rest, sizeof rest, "%s/models/array.prfm", a_name);
    cr_assert_eq(prf_file_read(in_folder(rest, path), 1 << 28, &a, &a_len, NULL), PRF_OK);
    snprintf(rest, sizeof rest, "%s/models/array.prfm", b_name);
    cr_assert_eq(prf_file_read(in_folder(rest, path), 1 << 28, &b, &b_len, NULL), PRF_OK);
    cr_assert(a_len == b_len && memcmp(a, b, a_len) == 0, "the models differ");
    free(a);
    free(b);
}

/* Turns every third leaf page of a store into something else. Returns how many. */
static int break_leaves(const char *path)
{
    int fd = open(path, O_RDWR), leaves = 0, broken = 0;
    unsigned char page[PAGE];
    cr_assert(fd >= 0);
    for (off_t at = 2 * PAGE; pread(fd, page, PAGE, at) == PAGE; at += PAGE)
        if (page[10] == LEAF && page[11] == 0 && ++leaves % 3 == 0) {
            page[10] ^= 0x10;
            cr_assert_eq(pwrite(fd, page, PAGE, at), PAGE);
            broken++;
        }
    close(fd);
    return broken;
}

Test(upkeep, a_campaign_resumes_on_the_salvaged_store_and_ends_in_the_same_model)
{
    char store[FARM_PATH], mended[FARM_PATH], data[FARM_PATH], *text;
    cr_assert_eq(run_campaign("calm", NULL), 0);
    prf_process_t live;
    start_campaign(&live, "storm");
    wait_for_results(&live, "storm");
    prf_process_stop(&live, 0);
    cr_assert_gt(break_leaves(in_folder("storm/store/data.mdb", data)), 3);
    cr_assert_eq(run_campaign("storm", &text), 3, "%s", text);
    cr_assert(strstr(text, "prfarm fsck") && strstr(text, "--salvage"), "%s", text);
    free(text);
    in_folder("storm/store", store);
    in_folder("mended", mended);
    const char *const fsck[] = {PRF_BIN_DIR "/prfarm", "fsck", store, "--salvage", mended, NULL};
    cr_assert_eq(run(fsck, &text), 3, "%s", text);
    cr_assert(strstr(text, "is no leaf page") && strstr(text, "salvaged into"), "%s", text);
    free(text);
    const char *const again[] = {PRF_BIN_DIR "/prfarm", "fsck", mended, NULL};
    cr_assert_eq(run(again, &text), 0, "%s", text);
    free(text);
    cr_assert_eq(rename(store, in_folder("broken", data)), 0);
    cr_assert_eq(rename(mended, store), 0);
    cr_assert_eq(run_campaign("storm", &text), 0, "%s", text);
    free(text);
    same_model("calm", "storm");
}

Test(upkeep, a_backup_of_a_running_campaign_resumes_to_the_same_model)
{
    char store[FARM_PATH], to[FARM_PATH], path[FARM_PATH], *text;
    cr_assert_eq(run_campaign("calm", NULL), 0);
    prf_process_t live;
    start_campaign(&live, "storm");
    wait_for_results(&live, "storm");
    in_folder("storm/store", store);
    in_folder("copy", to);
    const char *const backup[] = {PRF_BIN_DIR "/prfarm", "backup", store, to, NULL};
    cr_assert_eq(run(backup, &text), 0, "%s", text);
    cr_assert(strstr(text, "checked: sound"), "%s", text);
    free(text);
    const char *const fsck[] = {PRF_BIN_DIR "/prfarm", "fsck", store, NULL};
    cr_assert_eq(run(fsck, &text), 5, "%s", text);
    cr_assert(strstr(text, "prfarm backup"), "%s", text);
    free(text);
    prf_process_stop(&live, 0);
    /* As docs/store.md says. */
    cr_assert_eq(mkdir(in_folder("restored", path), 0755), 0);
    const char *const copy[] = {"cp", "-r", to, in_folder("restored/store", path), NULL};
    cr_assert_eq(run(copy, NULL), 0);
    cr_assert_eq(run_campaign("restored", &text), 0, "%s", text);
    free(text);
    same_model("calm", "restored");
}

/* --- room on the disk --- */

static farm_t farm;

static void end_farm(void)
{
    farm_stop(&farm);
    remove_folder();
}

static bool granting(char note[400])
{
    json_t *status = farm_ask(&farm, "status", NULL), *coordinator = json_object_get(status, "coordinator");
    bool yes = json_is_true(json_object_get(coordinator, "granting"));
    snprintf(note, 400, "%s", json_string_value(json_object_get(coordinator, "note")));
    json_decref(status);
    return yes;
}

static void wait_for_granting(bool wanted, char note[400])
{
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (granting(note) != wanted)
        cr_assert_lt(prf_clock_mono_ms(), until, "granting is %s: %s", wanted ? "false" : "true", note);
}

/* Files of zeros in the store's folder until so much is left. */
static void fill_disk(const char *path, size_t bytes)
{
    static char block[1 << 16];
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    cr_assert(fd >= 0);
    for (size_t written = 0; written < bytes; written += sizeof block)
        cr_assert_eq(write(fd, block, sizeof block), (ssize_t)sizeof block);
    close(fd);
}

Test(upkeep, a_nearly_full_disk_stops_the_granting_until_there_is_room, .fini = end_farm)
{
    static const char *const options[] = {"--low-space-mb", "8", NULL};
    char note[400], store[FARM_PATH + 16], filler[FARM_PATH + 32];
    farm_start(&farm, options);
    farm_kill_coordinator(&farm);
    snprintf(store, sizeof store, "%s/store", farm.dir);
    snprintf(filler, sizeof filler, "%s/filler", store);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", store, "tmpfs", 0, "size=24m,mode=700") != 0) {
        end_farm(); /* a test that skips exits, and would wait for its open sockets */
        cr_skip_test("a small disk needs the right to mount");
    }
    fill_disk(filler, 17 << 20);
    farm_start_coordinator(&farm, options);
    wait_for_granting(false, note);
    cr_expect(strstr(note, store) && strstr(note, "below 8 MiB: free some space; from 10 MiB on"), "%s", note);
    farm_add_worker(&farm, "array-1", "array", "ultratrail", NULL);
    json_decref(farm_submit(&farm, campaign));
    cr_expect_not(granting(note));
    json_t *rows = farm_rows(&farm, NULL);
    cr_expect_eq(json_array_size(rows), 0, "work was given out");
    json_decref(rows);
    cr_assert_eq(unlink(filler), 0);
    wait_for_granting(true, note);
    cr_expect_str_empty(note);
    json_t *over = farm_wait(&farm, "upkeep", farm_is_over);
    cr_expect_str_eq(json_string_value(json_object_get(over, "state")), "done");
    json_decref(over);
    cr_expect_eq(farm_end_coordinator(&farm), 0);
    umount2(store, MNT_DETACH);
}

/* Without the right to mount: no disk has a million MiB. */
Test(upkeep, a_mark_above_the_disk_grants_nothing_and_says_so, .fini = end_farm)
{
    static const char *const options[] = {"--low-space-mb", "1000000000", NULL};
    char note[400];
    farm_start(&farm, options);
    cr_expect_not(granting(note));
    cr_expect(strstr(note, "free some space"), "%s", note);
    farm_kill_coordinator(&farm);
    farm_start_coordinator(&farm, NULL);
    cr_expect(granting(note));
}

/* Flips a bit of the value of each copy of a key: the byte behind the value's header. */
static int break_value(const char *path, const char *key)
{
    enum { HEADER = 16 };
    char *all;
    size_t len, key_len = strlen(key);
    int hits = 0, fd = open(path, O_RDWR);
    cr_assert(fd >= 0);
    cr_assert_eq(prf_file_read(path, 1 << 28, &all, &len, NULL), PRF_OK);
    for (size_t i = 0; i + key_len + HEADER < len; i++)
        if (memcmp(all + i, key, key_len) == 0) {
            char bad = (char)(all[i + key_len + HEADER] ^ 1);
            cr_assert_eq(pwrite(fd, &bad, 1, (off_t)(i + key_len + HEADER)), 1);
            hits++;
        }
    close(fd);
    free(all);
    return hits;
}

Test(upkeep, a_coordinator_that_meets_a_damaged_value_carries_on_and_counts_it, .fini = end_farm)
{
    char data[FARM_PATH + 32];
    farm_start(&farm, NULL);
    farm_add_worker(&farm, "array-1", "array", "ultratrail", NULL);
    json_decref(farm_submit(&farm, campaign));
    json_decref(farm_wait(&farm, "upkeep", farm_is_over));
    cr_assert_eq(farm_end_coordinator(&farm), 0);
    snprintf(data, sizeof data, "%s/store/data.mdb", farm.dir);
    cr_assert_gt(break_value(data, "-/-/incarnation"), 0);
    for (int damaged = 1; damaged >= 0; damaged--) { /* the next start finds what the first one wrote in its place */
        farm_start_coordinator(&farm, NULL);
        json_t *status = farm_ask(&farm, "status", NULL);
        cr_expect_eq(json_integer_value(json_object_get(json_object_get(status, "coordinator"), "damaged_values")), damaged);
        cr_expect_eq(json_array_size(json_object_get(status, "campaigns")), 1);
        json_decref(status);
        cr_assert_eq(farm_end_coordinator(&farm), 0);
    }
}
