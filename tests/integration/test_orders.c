// SPDX-License-Identifier: Apache-2.0
/* What a person orders a farm to do, as the command line takes it: campaigns, models, boards. A real farm of simulated boards. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "tests/support/farm.h"

static farm_t farm;
static char said[FARM_SAID];

static void tear_down(void)
{
    farm_stop(&farm);
}

TestSuite(orders, .fini = tear_down);

static const char campaign[] = "campaign: nightly\n"
                               "boards:\n"
                               "  - {kind: array, backend: sim}\n"
                               "layers:\n"
                               "  - kind: fc\n"
                               "    params: {in: 1..128, out: 1..128}\n"
                               "    knowledge: white\n"
                               "    steps: {in: 8, out: 8}\n"
                               "budget: {samples: 60}\n"
                               "validation: {layers: 10, repeats: 2}\n"
                               "baseline: false\n";

/* prfarm COMMAND ... --farm: asserts the exit code and a word of what it says. */
#define EXPECT(exit_code, word, ...)                                                                                               \
    do {                                                                                                                           \
        int code_ = FARM_RUN(&farm, said, "prfarm", __VA_ARGS__, "--farm", farm.name);                                             \
        cr_assert_eq(code_, exit_code, "exit code %d: %s", code_, said);                                                           \
        cr_assert(strstr(said, word), "'%s' does not say '%s'", said, word);                                                       \
    } while (0)

static void submit_file(void)
{
    char path[FARM_PATH + 32];
    snprintf(path, sizeof path, "%s/nightly.yaml", farm.dir);
    cr_assert_eq(prf_file_write(path, campaign, strlen(campaign), NULL), PRF_OK);
    EXPECT(0, "accepted", "submit", path);
}

Test(orders, a_campaign_is_paused_before_its_board_is_there_and_resumed_to_its_end)
{
    farm_start(&farm, NULL);
    submit_file();
    EXPECT(0, "paused", "pause", "nightly");
    farm_add_worker(&farm, "array-1", "array", "ultratrail", NULL);
    EXPECT(0, "paused", "status", "nightly");
    EXPECT(0, "running", "resume", "nightly");
    EXPECT(0, "runs on", "watch", "nightly");
    EXPECT(4, "no campaign", "pause", "daily");
    EXPECT(4, "no campaign", "resume", "daily");
    EXPECT(0, "has given up no points", "poisoned", "nightly");
}

Test(orders, a_model_is_refreshed_and_rolled_back_and_a_board_is_kept_out_and_let_in)
{
    farm_start(&farm, NULL);
    farm_add_worker(&farm, "array-1", "array", "ultratrail", NULL);
    submit_file();
    EXPECT(0, "runs on", "watch", "nightly");
    EXPECT(0, "nightly", "refresh", "nightly", "--points", "10");
    EXPECT(0, "10 of 10 layers measured again take 1.000 times what they took, spread 0.0 %: the model holds", "watch", "nightly");
    EXPECT(0, "current", "model", "list", "array");
    EXPECT(0, "version 1 is the current model of array", "rollback", "array", "1");
    EXPECT(4, "has no model version 7", "rollback", "array", "7");
    EXPECT(2, "use a number from 1 on", "rollback", "array", "0");
    EXPECT(4, "no model of a board kind 'pigeon'", "model", "list", "pigeon");
    EXPECT(0, "nightly was over already, it is done: nothing was changed", "cancel", "nightly");
    EXPECT(4, "no campaign", "refresh", "daily");
    EXPECT(0, "array-1 is quarantined", "quarantine", "array-1", "--why", "the fan is loud");
    EXPECT(0, "the fan is loud", "boards");
    EXPECT(0, "array-1 is released", "release", "array-1");
    EXPECT(0, "board_quarantined", "events");
    EXPECT(4, "no board", "quarantine", "array-9");
}

Test(orders, who_watches_a_cancelled_campaign_is_told_so)
{
    farm_start(&farm, NULL);
    submit_file();
    EXPECT(0, "is cancelled", "cancel", "nightly");
    EXPECT(130, "'nightly' was cancelled; submitted again it goes on", "watch", "nightly");
}

/* `prfarm watch` until it has said this. */
static void watch_until(const char *word)
{
    char log[FARM_PATH + 32], *text = NULL;
    size_t len;
    snprintf(log, sizeof log, "%s/watch.log", farm.dir);
    const char *const argv[] = {PRF_BIN_DIR "/prfarm", "watch", "nightly", "--farm", farm.name, NULL};
    prf_process_t watch;
    cr_assert_eq(prf_process_start(&watch, argv, &(prf_process_options_t){.pipes = true, .log = log}, NULL), PRF_OK);
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    for (bool found = false; !found; poll(NULL, 0, 20)) {
        cr_assert_lt(prf_clock_mono_ms(), until, "it does not say '%s': %s", word, text);
        free(text);
        text = NULL;
        found = prf_file_read(log, 1 << 20, &text, &len, NULL) == PRF_OK && strstr(text, word);
    }
    free(text);
    prf_process_stop(&watch, PATIENCE_MS);
}

static bool sick(json_t *entry)
{
    (void)entry;
    json_t *board = farm_board(&farm, "array-1");
    bool quarantined = board && strcmp(farm_text(board, "state"), "quarantined") == 0;
    json_decref(board);
    return quarantined;
}

Test(orders, who_waits_for_boards_that_are_not_there_or_may_not_work_is_told_so)
{
    farm_start(&farm, (const char *const[]){"--quarantine-ms", "3600000", NULL});
    submit_file();
    EXPECT(0, "nothing is measured: no board of kind array is connected: start one", "status");
    watch_until("no board of kind array is connected");
    farm_add_worker(&farm, "array-1", "array", "ultratrail", "crash=1");
    json_decref(farm_wait(&farm, "nightly", sick));
    EXPECT(0, "nothing is measured: every board of kind array is in quarantine: 'prfarm boards' tells why", "status");
    watch_until("every board of kind array is in quarantine");
    farm_add_worker(&farm, "array-2", "array", "ultratrail", NULL);
    EXPECT(0, "runs on", "watch", "nightly");
}

static json_int_t measured_by(const char *name)
{
    json_t *board = farm_board(&farm, name);
    json_int_t done = farm_number(board, "done");
    json_decref(board);
    return done;
}

/* Ten convolutions, which the model knows nothing of, a fully connected layer, which it does, and four that the board cannot run.
 */
Test(orders, an_estimate_has_measured_what_the_model_lacks_and_only_that_and_only_once)
{
    static const char network[] = PRF_SOURCE_DIR "/docs/examples/networks/tcresnet8.onnx";
    farm_start(&farm, NULL);
    farm_add_worker(&farm, "array-1", "array", "ultratrail", NULL);
    submit_file();
    EXPECT(0, "runs on", "watch", "nightly");
    EXPECT(0, "not in the model", "estimate", "--board", "array", network);
    json_int_t before = measured_by("array-1");
    EXPECT(0, "11 of 15 layers estimated", "estimate", "--board", "array", "--measure-missing", network);
    cr_assert(strstr(said, "measured because the model could not answer for them: 10 layers"), "%s", said);
    cr_assert_eq(measured_by("array-1") - before, 10);
    EXPECT(0, "11 of 15 layers estimated", "estimate", "--board", "array", "--measure-missing", network);
    cr_assert_eq(measured_by("array-1") - before, 10, "they were in the store");
    cr_assert(strstr(said, "known from before: 14 of the 14 that were asked for"), "%s", said);
    EXPECT(0, "nothing had to be measured", "estimate", "--board", "array", "--measure-missing", "--layer", "fc in=8 out=9");
    EXPECT(2, "--cache 'hot': use warm or semi-cold", "estimate", "--board", "array", "--cache", "hot", network);
    EXPECT(4, "no such model", "estimate", "--board", "pigeon", network);
}
