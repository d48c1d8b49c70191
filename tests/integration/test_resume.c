// SPDX-License-Identifier: Apache-2.0
/* The main promise: a campaign whose every process is killed, three times, ends in the same model files, byte for byte, as one that
 * was left alone, and measures no acknowledged point again. Real processes, real store. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "base/rng.h"
#include "base/text.h"

static const char campaign[] =
    "campaign: resume\n"
    "seed: 3\n"
    "boards:\n"
    "  - {kind: array, backend: sim, options: {board: ultratrail}, workers: 2}\n"
    "  - {kind: fpga, backend: sim, options: {board: zcu102}, workers: 2}\n"
    "layers:\n"
    "  - {kind: fc, boards: [array], params: {in: 1..128, out: 1..128}}\n"
    "  - {kind: conv2d, boards: [fpga], params: {c: 1..512, k: 1..512, h: [28, 56, 112], w: h, r: 3, pad: 1}}\n"
    "budget: {samples: 150}\n"
    "validation: {layers: 30, repeats: 2}\n";

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/prfarm-resume-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    char path[96];
    snprintf(path, sizeof path, "%s/campaign.yaml", folder);
    cr_assert_eq(prf_file_write(path, campaign, sizeof campaign - 1, NULL), PRF_OK);
}

static void remove_folder(void)
{
    const char *const argv[] = {"rm", "-rf", folder, NULL};
    prf_process_t rm;
    if (prf_process_start(&rm, argv, &(prf_process_options_t){0}, NULL) == PRF_OK)
        while (!prf_process_ended(&rm, NULL))
            poll(NULL, 0, 5);
}

static void start(prf_process_t *run, const char *out)
{
    char file[96], to[96], log[96];
    snprintf(file, sizeof file, "%s/campaign.yaml", folder);
    snprintf(to, sizeof to, "%s/%s", folder, out);
    snprintf(log, sizeof log, "%s/%s.log", folder, out);
    const char *const argv[] = {PRF_BIN_DIR "/prfarm", "run", file, "--out", to, NULL};
    prf_error_t err = {0};
    cr_assert_eq(prf_process_start(run, argv, &(prf_process_options_t){.pipes = true, .log = log}, &err), PRF_OK, "%s", err.text);
}

/* Everything that a program prints until it ends. Caller frees. */
static char *output_of(prf_process_t *run, int *status)
{
    prf_text_t text;
    char piece[4096];
    ssize_t n;
    prf_text_init(&text);
    while ((n = read(run->out, piece, sizeof piece)) > 0)
        prf_text_append(&text, piece, (size_t)n);
    while (!prf_process_ended(run, status))
        poll(NULL, 0, 2);
    prf_process_stop(run, 0);
    return prf_text_take(&text);
}

/* Results that the farm behind a folder has for the slow kind, by asking it; -1 while it cannot be asked. */
static json_int_t results_so_far(const char *out)
{
    char to[96], log[96], *text;
    int status = -1;
    prf_process_t ask;
    snprintf(to, sizeof to, "%s/%s", folder, out);
    snprintf(log, sizeof log, "%s/status.log", folder);
    const char *const argv[] = {PRF_BIN_DIR "/prfarm", "status", "--dir", to, "--json", NULL};
    cr_assert_eq(prf_process_start(&ask, argv, &(prf_process_options_t){.pipes = true, .log = log}, NULL), PRF_OK);
    text = output_of(&ask, &status);
    json_t *answer = json_loads(text, 0, NULL);
    free(text);
    json_t *board = json_array_get(json_object_get(json_array_get(json_object_get(answer, "campaigns"), 0), "boards"), 1);
    json_int_t have = -1;
    if (board)
        have = json_integer_value(json_object_get(board, "measured")) + json_integer_value(json_object_get(board, "reused"));
    json_decref(answer);
    return have;
}

/* Waits until the run has said something, so that asking meets it and not an empty folder. */
static void wait_for_first_line(const char *out)
{
    char path[96], *text = NULL;
    size_t len = 0;
    snprintf(path, sizeof path, "%s/%s.log", folder, out);
    while (len == 0) {
        free(text);
        text = NULL;
        poll(NULL, 0, 2);
        if (prf_file_read(path, 1 << 20, &text, &len, NULL))
            len = 0;
    }
    free(text);
    cr_assert_eq(remove(path), 0);
}

static json_t *finish(const char *out)
{
    prf_process_t run;
    int status = -1;
    start(&run, out);
    free(output_of(&run, &status));
    cr_assert_eq(status, 0, "prfarm run ended with status %d; see %s/%s.log", status, folder, out);
    char path[96];
    snprintf(path, sizeof path, "%s/%s/summary.json", folder, out);
    json_error_t error;
    json_t *summary = json_load_file(path, 0, &error);
    cr_assert_not_null(summary, "%s: %s", path, error.text);
    return summary;
}

static json_int_t number(json_t *board, const char *key)
{
    json_t *value = json_object_get(board, key);
    cr_assert(json_is_integer(value), "summary.json has no '%s'", key);
    return json_integer_value(value);
}

static void same_models(void)
{
    static const char *const kinds[] = {"array", "fpga"};
    for (size_t i = 0; i < 2; i++) {
        char a_path[128], b_path[128], *a, *b;
        size_t a_len, b_len;
        snprintf(a_path, sizeof a_path, "%s/calm/models/%s.prfm", folder, kinds[i]);
        snprintf(b_path, sizeof b_path, "%s/storm/models/%s.prfm", folder, kinds[i]);
        cr_assert_eq(prf_file_read(a_path, 1 << 28, &a, &a_len, NULL), PRF_OK);
        cr_assert_eq(prf_file_read(b_path, 1 << 28, &b, &b_len, NULL), PRF_OK);
        cr_assert_eq(a_len, b_len, "%s: %zu and %zu bytes", kinds[i], a_len, b_len);
        cr_assert_eq(memcmp(a, b, a_len), 0, "%s differs", kinds[i]);
        free(a);
        free(b);
    }
}

Test(resume, killed_three_times_it_measures_nothing_again_and_ends_in_the_same_bytes, .init = make_folder, .fini = remove_folder)
{
    json_t *calm = finish("calm");
    uint64_t seed = prf_clock_wall_ms();
    cr_log_info("seed %llu", (unsigned long long)seed);
    prf_rng_t rng;
    prf_rng_init(&rng, seed, 0);
    for (int kill_number = 0; kill_number < 3; kill_number++) {
        prf_process_t run;
        json_int_t enough = 70 * kill_number + (json_int_t)prf_rng_below(&rng, 60);
        start(&run, "storm");
        wait_for_first_line("storm");
        while (results_so_far("storm") < enough)
            cr_assert_not(prf_process_ended(&run, NULL), "seed %llu: the run ended by itself", (unsigned long long)seed);
        prf_process_stop(&run, 0); /* SIGKILL; its children die with it */
    }
    json_t *storm = finish("storm");
    for (size_t i = 0; i < 2; i++) {
        json_t *before = json_array_get(json_object_get(calm, "boards"), i);
        json_t *after = json_array_get(json_object_get(storm, "boards"), i);
        cr_assert_eq(number(after, "planned"), number(before, "planned"), "seed %llu", (unsigned long long)seed);
        cr_assert_eq(number(after, "measured") + number(after, "poisoned"), number(after, "planned"));
        cr_assert_eq(number(after, "reused"), 0, "what it measured before it was killed is its own");
    }
    same_models();
    json_decref(calm);
    json_decref(storm);
}
