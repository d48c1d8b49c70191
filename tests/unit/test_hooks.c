// SPDX-License-Identifier: Apache-2.0
/* The file of power-cycle commands, and running them: without a shell, within their limits. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "hooks.h"
#include "tests/support/patience.h"

static prf_hook_list_t parse(const char *text)
{
    prf_hook_list_t list;
    prf_error_t err = {0};
    cr_assert_eq(prf_hook_list_parse(&list, text, strlen(text), "h.yaml", &err), PRF_OK, "%s", err.text);
    return list;
}

Test(hooks_file, the_documented_example_is_understood)
{
    prf_hook_list_t list;
    prf_error_t err = {0};
    cr_assert_eq(prf_hook_list_load(&list, PRF_SOURCE_DIR "/docs/examples/hooks.yaml", &err), PRF_OK, "%s", err.text);
    cr_assert_eq(list.count, 2);
    const prf_hook_t *rack = prf_hook_list_find(&list, "rack1-07"), *other = prf_hook_list_find(&list, "rack2-07");
    cr_assert_eq(rack, &list.items[0]);
    cr_assert_eq(other, &list.items[1]);
    cr_assert_eq(rack->timeout_s, 30);
    cr_assert_eq(rack->at_most_per_day, 3);
    cr_assert_eq(rack->delay_s, 45);
    cr_assert(rack->causes & PRF_HOOK_LOST);
    cr_assert_not(other->causes & PRF_HOOK_LOST);
    char **argv = prf_hook_argv(other, "rack2-07", "cpu");
    cr_assert_str_eq(argv[0], "ssh");
    cr_assert_str_eq(argv[1], "root@rack2-07");
    cr_assert_null(argv[3]);
    prf_hook_argv_free(argv);
    prf_hook_list_release(&list);
}

Test(hooks_file, what_the_page_on_board_care_shows_is_understood)
{
    char *page = NULL;
    size_t len;
    cr_assert_eq(prf_file_read(PRF_SOURCE_DIR "/docs/board-care.md", 1 << 20, &page, &len, NULL), PRF_OK);
    char *begin = strstr(page, "# USB"), *end = begin ? strstr(begin, "```") : NULL;
    cr_assert_not_null(end);
    *end = '\0';
    prf_hook_list_t list = parse(begin);
    cr_assert_eq(list.count, 4);
    char **argv = prf_hook_argv(prf_hook_list_find(&list, "node12"), "node12", "cpu");
    cr_expect_str_eq(argv[0], "ipmitool");
    cr_expect_str_eq(argv[4], "node12-bmc");
    prf_hook_argv_free(argv);
    prf_hook_list_release(&list);
    free(page);
}

Test(hooks_file, what_is_wrong_is_told_with_its_line)
{
    static const struct {
        const char *text, *begins, *holds;
    } bad[] = {
        {"boards: x\n", "h.yaml:1:", "list"},
        {"- boards: x\n", "h.yaml:1:", "command"},
        {"- command: [a]\n", "h.yaml:1:", "boards"},
        {"- {boards: x, command: []}\n", "h.yaml:1:", "1 to 64"},
        {"- {boards: x, command: ['', a]}\n", "h.yaml:1:", "empty"},
        {"- boards: x\n  command: reboot now\n", "h.yaml:2:", "command"},
        {"- boards: x\n  command: [a, '{host}']\n", "h.yaml:2:", "{board}"},
        {"- boards: x\n  command: [a]\n  on: [tuesday]\n", "h.yaml:3:", "tuesday"},
        {"- boards: x\n  command: [a]\n  timeout_s: 0\n", "h.yaml:3:", "timeout_s"},
        {"- boards: x\n  command: [a]\n  at_most: 3\n", "h.yaml:3:", "at_most_per_day"},
        {"- boards: x\n  command: [a]\n  delay_s: soon\n", "h.yaml:3:", "delay_s"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        prf_hook_list_t list = {.count = 99};
        prf_error_t err = {0};
        cr_expect_neq(prf_hook_list_parse(&list, bad[i].text, strlen(bad[i].text), "h.yaml", &err), PRF_OK, "%zu", i);
        cr_expect(strncmp(err.text, bad[i].begins, strlen(bad[i].begins)) == 0, "%zu: %s", i, err.text);
        cr_expect(strstr(err.text, bad[i].holds), "%zu: %s", i, err.text);
        cr_expect_eq(list.count, 99);
    }
}

typedef struct {
    unsigned ended;
    bool ok;
    char how[100], output[500];
    uint32_t delay_s;
} told_t;

static void note(void *arg, uint32_t number, bool ok, const char *how, const char *output, uint32_t delay_s)
{
    told_t *told = arg;
    (void)number;
    told->ended++;
    told->ok = ok;
    told->delay_s = delay_s;
    snprintf(told->how, sizeof told->how, "%s", how);
    snprintf(told->output, sizeof told->output, "%s", output);
}

static prf_hooks_t *runner(const char *text)
{
    prf_hook_list_t list = parse(text);
    prf_hooks_t *hooks;
    prf_error_t err = {0};
    cr_assert_eq(prf_hooks_new(&hooks, &list, &err), PRF_OK, "%s", err.text);
    return hooks;
}

/* Ticks with the test's time until so many have ended. */
static void run(prf_hooks_t *hooks, uint64_t now_ms, told_t *told, unsigned ended)
{
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (told->ended < ended) {
        prf_hooks_tick(hooks, now_ms, note, told);
        poll(NULL, 0, 2);
        cr_assert_lt(prf_clock_mono_ms(), until, "the hook did not end");
    }
}

Test(hooks, a_command_sees_names_as_plain_words_and_what_it_prints_is_told)
{
    prf_hooks_t *hooks = runner("- {boards: '*', command: [echo, 'x;$(id)', '<{board}>', '{kind}'], delay_s: 7}\n");
    told_t told = {0};
    prf_error_t err = {0};
    cr_assert_eq(prf_hooks_ask(hooks, 3, "b-3", "cpu", PRF_HOOK_QUARANTINED, 0, &err), PRF_OK, "%s", err.text);
    cr_assert(prf_hooks_open(hooks, 3));
    run(hooks, 0, &told, 1);
    cr_assert(told.ok, "%s", told.how);
    cr_assert_str_eq(told.output, "x;$(id) <b-3> cpu\n");
    cr_assert_eq(told.delay_s, 7);
    cr_assert_not(prf_hooks_open(hooks, 3));
    char text[100];
    prf_hooks_describe(hooks, 3, text, sizeof text);
    cr_assert_str_eq(text, "power-cycled 1 time, the last: exit code 0");
    prf_hooks_destroy(&hooks);
}

Test(hooks, limits_hold_for_each_board_and_end_with_the_day)
{
    prf_hooks_t *hooks = runner("- {boards: 'a*', command: ['true'], at_most_per_day: 2}\n");
    const uint64_t day_ms = 86400000;
    told_t told = {0};
    prf_error_t err = {0};
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(prf_hooks_ask(hooks, 0, "a0", "k", PRF_HOOK_QUARANTINED, 10 + i, NULL), PRF_OK);
        cr_assert_eq(prf_hooks_ask(hooks, 0, "a0", "k", PRF_HOOK_QUARANTINED, 10 + i, NULL), PRF_EBUSY, "it is open");
        run(hooks, 10, &told, i + 1);
    }
    cr_assert_eq(prf_hooks_ask(hooks, 0, "a0", "k", PRF_HOOK_BY_HAND, day_ms, &err), PRF_EBUSY);
    cr_assert(strstr(err.text, "2 times within a day"), "%s", err.text);
    cr_assert_eq(prf_hooks_ask(hooks, 1, "a1", "k", PRF_HOOK_QUARANTINED, day_ms, NULL), PRF_OK, "another board has its own");
    cr_assert_eq(prf_hooks_ask(hooks, 2, "b0", "k", PRF_HOOK_QUARANTINED, day_ms, NULL), PRF_ENOTFOUND);
    cr_assert_eq(prf_hooks_ask(hooks, 3, "a3", "k", PRF_HOOK_LOST, day_ms, NULL), PRF_ENOTFOUND, "not asked for when lost");
    cr_assert_eq(prf_hooks_ask(hooks, 0, "a0", "k", PRF_HOOK_QUARANTINED, day_ms + 10, NULL), PRF_OK);
    prf_hooks_destroy(&hooks);
}

Test(hooks, a_command_that_does_not_end_is_killed_and_one_that_cannot_start_is_told)
{
    prf_hooks_t *hooks = runner("- {boards: slow, command: [sh, -c, 'echo begun >&2; sleep 1000 & wait'], timeout_s: 5}\n"
                                "- {boards: endless, command: ['yes'], timeout_s: 1}\n"
                                "- {boards: none, command: [/no/such/program]}\n- {boards: bad, command: ['false']}\n");
    told_t told = {0};
    cr_assert_eq(prf_hooks_ask(hooks, 0, "slow", "k", PRF_HOOK_QUARANTINED, 0, NULL), PRF_OK);
    /* Its output shows that it runs. */
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    char text[100] = "";
    while (strcmp(text, "power-cycle running") != 0 && prf_clock_mono_ms() < until) {
        prf_hooks_tick(hooks, 0, note, &told);
        prf_hooks_describe(hooks, 0, text, sizeof text);
    }
    prf_hooks_tick(hooks, 4999, note, &told);
    cr_assert_eq(told.ended, 0, "%s", told.how);
    run(hooks, 5000, &told, 1);
    cr_assert_not(told.ok);
    cr_assert_str_eq(told.how, "killed after 5 s");
    cr_assert_eq(prf_hooks_ask(hooks, 1, "none", "k", PRF_HOOK_QUARANTINED, 0, NULL), PRF_OK);
    run(hooks, 0, &told, 2);
    cr_assert_not(told.ok);
    cr_assert(strstr(told.how, "/no/such/program"), "%s", told.how);
    cr_assert_eq(prf_hooks_ask(hooks, 2, "bad", "k", PRF_HOOK_QUARANTINED, 0, NULL), PRF_OK);
    run(hooks, 0, &told, 3);
    cr_assert_not(told.ok);
    cr_assert_str_eq(told.how, "exit code 1");
    cr_assert_eq(prf_hooks_ask(hooks, 3, "endless", "k", PRF_HOOK_QUARANTINED, 0, NULL), PRF_OK);
    prf_hooks_tick(hooks, 0, note, &told);
    run(hooks, 1000, &told, 4);
    cr_assert_str_eq(told.how, "killed after 1 s");
    prf_hooks_destroy(&hooks);
}

Test(hooks, few_run_at_once_and_all_run_in_the_end)
{
    prf_hooks_t *hooks = runner("- {boards: '*', command: [sh, -c, 'head -c 300000 /dev/zero | tr \"\\0\" x']}\n");
    told_t told = {0};
    for (uint32_t i = 0; i < 20; i++) {
        char board[10];
        snprintf(board, sizeof board, "b%u", i);
        cr_assert_eq(prf_hooks_ask(hooks, i, board, "k", PRF_HOOK_QUARANTINED, i, NULL), PRF_OK);
    }
    prf_hooks_tick(hooks, 0, note, &told);
    unsigned running = 0;
    for (uint32_t i = 0; i < 20; i++) {
        char text[100];
        prf_hooks_describe(hooks, i, text, sizeof text);
        running += strcmp(text, "power-cycle running") == 0;
    }
    cr_assert_leq(running, 4);
    run(hooks, 0, &told, 20);
    cr_assert(told.ok, "%s", told.how);
    cr_assert_lt(strlen(told.output), 500, "only the beginning of what it prints is kept");
    prf_hooks_destroy(&hooks);
}
