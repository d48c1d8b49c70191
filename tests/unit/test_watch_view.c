// SPDX-License-Identifier: Apache-2.0
/* What the watching person's screen is made of. */
#include <criterion/criterion.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "progress.h"
#include "screen.h"
#include "signals.h"
#include "watch_view.h"

static void expect_line(bool unicode, const char *wanted, size_t count, const double *values)
{
    const prf_terminal_t terminal = {.unicode = unicode};
    char text[4 * 8 + 1];
    prf_watch_sparkline(&terminal, values, count, 8, text);
    cr_expect_str_eq(text, wanted, "'%s' is not '%s'", text, wanted);
}

Test(watch_view, a_sparkline_goes_from_the_lowest_to_the_highest_value)
{
    const double falling[] = {8, 6, 4, 2, 1}, level[] = {3, 3}, many[] = {100, 9, 8, 7, 6, 5, 4, 3, 2};
    expect_line(true, "█▆▄▂▁", 5, falling);
    expect_line(false, "86421", 5, falling);
    expect_line(true, "▁▁", 2, level);
    expect_line(true, "", 0, level);
    expect_line(false, "87654321", 9, many); /* the last that fit */
}

Test(watch_view, a_bar_has_its_width_in_either_alphabet)
{
    prf_terminal_t terminal = {.unicode = false};
    char text[4 * 4 + 1];
    prf_progress_bar(&terminal, 0.5, 4, text, sizeof text);
    cr_expect_str_eq(text, "##..");
    terminal.unicode = true;
    prf_progress_bar(&terminal, 2, 4, text, sizeof text);
    cr_expect_str_eq(text, "████");
    prf_progress_bar(&terminal, -1, 4, text, sizeof text);
    cr_expect_str_eq(text, "░░░░");
}

/* A program that has the screen and is ended by a third signal, which lets nothing else happen. */
static void be_ended(void)
{
    prf_screen_t screen;
    setenv("TERM", "xterm", 1);
    prf_signals_catch();
    if (!prf_screen_open(&screen, stdout))
        _exit(1);
    for (int i = 0; i < 3; i++)
        raise(SIGINT);
    _exit(2);
}

Test(watch_view, under_nohup_a_terminal_that_is_closed_interrupts_nothing)
{
    for (int ignored = 0; ignored < 2; ignored++) {
        int status;
        pid_t pid = fork();
        cr_assert(pid >= 0);
        if (pid == 0) {
            signal(SIGHUP, ignored ? SIG_IGN : SIG_DFL);
            prf_signals_catch();
            raise(SIGHUP);
            _exit(prf_interrupted() ? 1 : 0);
        }
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == !ignored);
    }
}

Test(watch_view, a_third_signal_ends_it_and_leaves_the_terminal_as_it_was)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    char bytes[1024];
    size_t len = 0;
    ssize_t n;
    int fd, status;
    pid_t pid = forkpty(&fd, NULL, NULL, &size);
    cr_assert(pid >= 0);
    if (pid == 0)
        be_ended();
    while (len + 1 < sizeof bytes && (n = read(fd, bytes + len, sizeof bytes - 1 - len)) > 0)
        len += (size_t)n;
    bytes[len] = '\0';
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 130);
    const char *entered = strstr(bytes, "\033[?1049h"), *left = strstr(bytes, "\033[?1049l");
    cr_expect(entered && left && left > entered && strstr(bytes, "\033[?25h"));
    close(fd);
}
