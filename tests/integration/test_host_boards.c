// SPDX-License-Identifier: Apache-2.0
/* Boards that are this machine's own processor, through programs that keep a diary: they measure one at a time, whoever is killed,
 * and networks are built as a whole. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "tests/support/farm.h"

#define BOARD PRF_SOURCE_DIR "/tests/support/host_board.py"
#define NETWORK PRF_SOURCE_DIR "/docs/examples/networks/tcresnet8.onnx"
#define NETWORK_NS 12345678.0

static farm_t farm;
static char said[FARM_SAID], diary[FARM_PATH + 16], turns[FARM_PATH + 16];

static void set_up(void)
{
    farm_start(&farm, NULL);
    snprintf(diary, sizeof diary, "%s/diary", farm.dir);
    snprintf(turns, sizeof turns, "%s/turns", farm.dir);
    setenv("HOST_BOARD_DIARY", diary, 1);
    setenv("PRFARM_TURNS", turns, 1);
}

static void tear_down(void)
{
    farm_stop(&farm);
}

TestSuite(host_boards, .init = set_up, .fini = tear_down);

typedef struct {
    uint64_t ns;
    int process;
    char op[16];
} event_t;

static int by_time(const void *a, const void *b)
{
    const event_t *x = a, *y = b;
    return x->ns < y->ns ? -1 : x->ns > y->ns;
}

/* What the boards were asked and answered so far, in the order of time. Caller frees. */
static event_t *events(size_t *count)
{
    enum { MOST = 1 << 16 };
    event_t *all = calloc(MOST, sizeof *all);
    FILE *file = fopen(diary, "r");
    *count = 0;
    while (file && *count < MOST &&
           fscanf(file, "%" SCNu64 " %d %15s %*d", &all[*count].ns, &all[*count].process, all[*count].op) == 3)
        ++*count;
    if (file)
        fclose(file);
    qsort(all, *count, sizeof *all, by_time);
    return all;
}

/* From the moment in which a board prepares a layer until it has released it nobody else is asked for anything. Returns how often
 * the turn went from one board to another. */
static size_t expect_turns(void)
{
    size_t count, changes = 0, kernels = 0;
    int busy = 0;
    event_t *all = events(&count);
    cr_assert_gt(count, 0);
    for (size_t i = 0; i < count; i++) {
        const event_t *e = &all[i];
        if (strncmp(e->op, "describe", 8) == 0)
            continue;
        cr_assert(kernels == 0 || e->process == busy, "process %d was asked to %s while %d measured", e->process, e->op, busy);
        changes += busy != 0 && e->process != busy;
        busy = e->process;
        kernels += strcmp(e->op, "prepare") == 0 || strcmp(e->op, "network") == 0;
        kernels -= strcmp(e->op, "release+") == 0;
    }
    free(all);
    return changes;
}

static const char campaign[] = "campaign: hosts\n"
                               "boards:\n"
                               "  - {kind: one, backend: exec, options: {command: " BOARD "}}\n"
                               "  - {kind: two, backend: exec, options: {command: " BOARD "}}\n"
                               "layers:\n"
                               "  - kind: conv1d\n"
                               "    params: {c: 1..64, k: 1..64, w: 16..128, f: [1, 3, 9], stride: [1, 2], pad: f/2}\n"
                               "  - {kind: add, params: {c: 1..64, h: 1, w: 1..64}}\n"
                               "  - {kind: avgpool2d, params: {c: 1..64, h: 1, w: 2..32, r: 1, s: 2}}\n"
                               "  - {kind: fc, params: {in: 14..128, out: 1..128}}\n"
                               "measure: {warmup: 1, repeats: 5..7, ci_percent: 50}\n"
                               "budget: {samples: 96}\n"
                               "validation: {layers: 8, repeats: 2}\n"
                               "baseline: false\n"
                               "networks: [" NETWORK "]\n";

Test(host_boards, two_boards_of_this_host_never_measure_at_once_and_measure_a_network_as_a_whole)
{
    char file[FARM_PATH + 16], out[FARM_PATH + 16], path[FARM_PATH + 48];
    snprintf(file, sizeof file, "%s/hosts.yaml", farm.dir);
    snprintf(out, sizeof out, "%s/out", farm.dir);
    snprintf(path, sizeof path, "%s/summary.json", out);
    cr_assert_eq(prf_file_write(file, campaign, sizeof campaign - 1, NULL), PRF_OK);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "run", file, "--out", out), 0, "%s", said);
    cr_expect_gt(expect_turns(), 20, "both took their turns all the time");
    json_t *summary = json_load_file(path, 0, NULL), *network;
    size_t i;
    cr_assert_eq(json_array_size(json_object_get(summary, "networks")), 2, "one for each board: %s", said);
    json_array_foreach(json_object_get(summary, "networks"), i, network)
    {
        cr_expect(json_is_true(json_object_get(network, "whole")));
        cr_expect_eq(farm_number(network, "modelled_blocks"), 15);
        cr_expect_eq(json_number_value(json_object_get(network, "measured_ns")), NETWORK_NS);
    }
    json_decref(summary);
}

/* Asks for one layer on a kind of board. Returns the point's digest, good until the next. */
static const char *measure(const char *kind, const char *block)
{
    static char point[64];
    json_t *answer = farm_ask(&farm, "measure", json_pack("{s:s, s:[{s:[s]}]}", "kind", kind, "items", "blocks", block));
    snprintf(point, sizeof point, "%s", json_string_value(json_array_get(json_object_get(answer, "points"), 0)));
    json_decref(answer);
    return point;
}

static void await(bool (*there)(const void *what), const void *what, const char *name)
{
    uint64_t end = prf_clock_mono_ms() + PATIENCE_MS;
    while (!there(what)) {
        cr_assert_lt(prf_clock_mono_ms(), end, "%s does not come", name);
        poll(NULL, 0, 10);
    }
}

static bool is_prepared(const void *what)
{
    (void)what;
    size_t count;
    event_t *all = events(&count);
    bool found = false;
    for (size_t i = 0; i < count; i++)
        found = found || strcmp(all[i].op, "prepare") == 0;
    free(all);
    return found;
}

/* The last number that somebody took (turns.c). */
static int64_t last_number(void)
{
    int64_t last = 0;
    char *bytes = NULL;
    size_t len;
    if (prf_file_read(turns, 64, &bytes, &len, NULL) == PRF_OK && len == 16)
        memcpy(&last, bytes + 8, sizeof last);
    free(bytes);
    return last;
}

static bool has_number(const void *wanted)
{
    return last_number() >= *(const int64_t *)wanted;
}

static bool has_result(const void *point)
{
    json_t *answer = farm_ask(&farm, "results", json_pack("{s:[s]}", "points", (const char *)point));
    bool there = !json_is_null(json_array_get(json_object_get(answer, "results"), 0));
    json_decref(answer);
    return there;
}

Test(host_boards, when_the_worker_that_measures_is_killed_the_next_one_goes_on)
{
    size_t hanging = farm_add_board(&farm, "h1", "hanging", "exec", "command=" BOARD);
    farm_add_board(&farm, "w1", "waiting", "exec", "command=" BOARD);
    await(has_result, measure("hanging", "fc in=12 out=4 dtype=f32"), "the first result");
    const int64_t first = last_number(), third = first + 2;
    unlink(diary);
    measure("hanging", "fc in=13 out=4 dtype=f32");
    await(is_prepared, NULL, "the layer that hangs");
    const char *point = measure("waiting", "fc in=20 out=4 dtype=f32");
    await(has_number, &third, "the second board's number");
    cr_expect_not(has_result(point), "it measured while the other one did");
    expect_turns();
    kill(farm.workers[hanging].pid, SIGKILL); /* the worker alone: what it started has to end with it */
    await(has_result, point, "the next one's turn");
}
