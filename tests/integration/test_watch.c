// SPDX-License-Identifier: Apache-2.0
/* prfarm watch on a terminal: what a person sees while a campaign goes on, that the terminal is left as it was, and that it does
 * without one. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/support/farm.h"
#include "tests/support/screen.h"

static farm_t farm;
static screen_t screen;

static void setup(void)
{
    farm_start(&farm, NULL);
}

static void teardown(void)
{
    screen_release(&screen);
    farm_stop(&farm);
}

TestSuite(watch, .init = setup, .fini = teardown);

static const char campaign[] = "campaign: seen\n"
                               "boards:\n  - {kind: vta}\n"
                               "layers:\n"
                               "  - {kind: fc, params: {in: 1..512, out: 1..512}, knowledge: white, steps: {in: 16, out: 16}}\n"
                               "budget: {samples: 40}\nvalidation: {layers: 10, repeats: 1}\nbaseline: false\n";

/* With a target out of reach each helping is judged: the error is seen to fall. */
static const char in_helpings[] =
    "campaign: seen\n"
    "boards:\n  - {kind: vta}\n"
    "layers:\n"
    "  - {kind: fc, params: {in: 1..512, out: 1..512}, knowledge: white, steps: {in: 16, out: 16}}\n"
    "budget: {samples: 120}\ntarget_mape_percent: 0.0001\nvalidation: {layers: 10, repeats: 1}\nbaseline: false\n";

static void open_view(int rows, int columns, const char *const *environment)
{
    screen_start(&screen, rows, columns, environment, (const char *const[]){"prfarm", "watch", "--farm", farm.name, NULL});
}

/* The campaign waits for a board, which a person is told; then one comes, and it is carried out. */
Test(watch, shows_stages_boards_and_events_and_leaves_the_terminal_as_it_was)
{
    json_decref(farm_submit(&farm, in_helpings));
    open_view(30, 110, NULL);
    screen_await(&screen, "no board of kind vta is connected");
    cr_expect(screen.alternate && screen.cursor_hidden && !screen_echoes(&screen));
    cr_expect(screen_shows(&screen, "seen  running"));
    cr_expect(screen_shows(&screen, "░"), "a bar");
    farm_add_worker(&farm, "a", "vta", "vta", "noise=1");
    screen_await(&screen, "MAPE ");
    screen_await(&screen, "error ");
    cr_expect(screen_shows(&screen, "  vta               1"), "boards by kind and state");
    screen_await(&screen, "Campaign seen");
    cr_expect_eq(screen_finish(&screen), 0);
    cr_expect(screen.was_alternate);
    cr_expect(!screen.alternate && !screen.cursor_hidden && screen_echoes(&screen), "the terminal is as it was");
    cr_expect(screen_shows(&screen, "Campaign seen"), "the summary is where the shell goes on");
}

Test(watch, is_drawn_in_place_and_follows_the_windows_size)
{
    json_decref(farm_submit(&farm, campaign));
    open_view(30, 110, NULL);
    screen_await(&screen, "seen  running");
    size_t before = screen.log_len;
    screen_resize(&screen, 20, 70);
    screen.log_len = 0;
    screen.log[0] = '\0';
    uint64_t deadline = prf_clock_mono_ms() + PATIENCE_MS;
    while (!strstr(screen.log, "\033[H") && prf_clock_mono_ms() < deadline)
        screen_await(&screen, "seen  running"), (void)screen_read(&screen);
    cr_expect(before > 0);
    char row[SCREEN_COLUMNS * 4 + 1];
    for (int r = 0; r < 20; r++)
        cr_expect(strlen(screen_row(&screen, r, row)) <= 4 * 70);
    cr_expect_null(strchr(screen.log, '\b'));
    screen_type(&screen, "\003");
    cr_expect_eq(screen_finish(&screen), 130, "Ctrl-C ends the watching");
    cr_expect(!screen.alternate && !screen.cursor_hidden && screen_echoes(&screen), "the terminal is as it was");
    json_t *entry = farm_campaign(&farm, "seen");
    cr_expect_str_eq(farm_text(entry, "state"), "running", "the campaign goes on");
    json_decref(entry);
}

Test(watch, ascii_without_colours_where_that_is_asked_for)
{
    json_decref(farm_submit(&farm, campaign));
    open_view(30, 110, (const char *const[]){"LC_ALL=C", "NO_COLOR=1", NULL});
    screen_await(&screen, "seen  running");
    for (size_t i = 0; i < screen.log_len; i++)
        cr_assert((unsigned char)screen.log[i] < 0x80, "a byte beyond ASCII in a C locale");
    const char *colour = screen.log;
    while ((colour = strstr(colour, "\033[")) != NULL) {
        size_t len = strspn(colour + 2, "0123456789;?");
        cr_assert(colour[2 + len] != 'm', "an escape sequence for colours although NO_COLOR is set");
        colour += 2;
    }
    screen_type(&screen, "\003");
    cr_expect_eq(screen_finish(&screen), 130);
}

/* While it waits for a coordinator that hangs: it ends at once, and still leaves the terminal as it was. Signals, not keys: a key
 * that comes when the terminal is as it was already makes the system throw away what nobody has read yet. */
Test(watch, an_impatient_person_gets_the_terminal_back)
{
    json_decref(farm_submit(&farm, campaign));
    open_view(30, 110, NULL);
    screen_await(&screen, "seen  running");
    kill(farm.coordinator.pid, SIGSTOP);
    do
        kill(screen.pid, SIGINT);
    while (screen_read(&screen));
    cr_expect_eq(screen_finish(&screen), 130);
    kill(farm.coordinator.pid, SIGCONT);
    cr_expect(!screen.alternate && !screen.cursor_hidden && screen_echoes(&screen), "the terminal is as it was");
}

Test(watch, the_only_campaign_is_followed_on_when_another_comes)
{
    json_decref(farm_submit(&farm, campaign));
    open_view(30, 110, NULL);
    screen_await(&screen, "seen  running");
    json_decref(farm_submit(&farm, "campaign: other\nboards:\n  - {kind: dla}\n"
                                   "layers:\n  - {kind: fc, params: {in: 1..512, out: 1..512}}\n"
                                   "budget: {samples: 40}\nvalidation: {layers: 10, repeats: 1}\nbaseline: false\n"));
    farm_add_worker(&farm, "a", "vta", "vta", NULL);
    screen_await(&screen, "Campaign seen");
    cr_expect_eq(screen_finish(&screen), 0);
}

/* Here nobody could let it go on, so the system does not stop it; the terminal is left and taken again all the same. */
Test(watch, ctrl_z_gives_the_terminal_back_until_it_goes_on)
{
    json_decref(farm_submit(&farm, campaign));
    open_view(30, 110, NULL);
    for (int turn = 0; turn < 2; turn++) {
        screen_await(&screen, "seen  running");
        screen.log_len = 0;
        screen.log[0] = '\0';
        screen_type(&screen, "\032");
        uint64_t deadline = prf_clock_mono_ms() + PATIENCE_MS;
        while (!strstr(screen.log, "\033[?1049h") && prf_clock_mono_ms() < deadline)
            (void)screen_read(&screen);
        cr_expect(strstr(screen.log, "\033[?25h\033[?1049l"), "left");
        cr_expect(screen.alternate && screen.cursor_hidden && !screen_echoes(&screen), "taken again");
    }
    screen_await(&screen, "seen  running");
    screen_type(&screen, "\003");
    cr_expect_eq(screen_finish(&screen), 130);
    cr_expect(!screen.alternate && !screen.cursor_hidden && screen_echoes(&screen), "the terminal is as it was");
}

static void expect_lines(int rows, int columns, const char *const *environment)
{
    open_view(rows, columns, environment);
    screen_await(&screen, "seen");
    screen_type(&screen, "\003");
    cr_expect_eq(screen_finish(&screen), 130);
    cr_expect_not(screen.was_alternate);
    screen_release(&screen);
}

Test(watch, a_dumb_or_small_terminal_gets_lines)
{
    json_decref(farm_submit(&farm, campaign));
    open_view(30, 110, (const char *const[]){"TERM=dumb", NULL});
    screen_await(&screen, "vta: waiting");
    cr_expect_null(strchr(screen.log, '\033'), "no escape sequences on a dumb terminal");
    screen_type(&screen, "\003");
    cr_expect_eq(screen_finish(&screen), 130);
    screen_release(&screen);
    expect_lines(8, 110, NULL);
    expect_lines(30, 50, NULL);
    open_view(30, 110, NULL); /* for teardown */
}
