// SPDX-License-Identifier: Apache-2.0
/* What the watching person's screen is made of. */
#include <criterion/criterion.h>

#include "progress.h"
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
