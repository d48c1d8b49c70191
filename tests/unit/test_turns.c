// SPDX-License-Identifier: Apache-2.0
/* One at a time, in the order of coming, whoever is killed: real processes that share a file. */
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/patience.h"
#include "worker/turns.h"

enum { LAST = 8 /* where the file says which number was the last */ };

static char file[32];
static int heard[2]; /* a pipe: whose turn has come */
static int go_on[2]; /* whoever reads a byte gives its turn */
static prf_turns_t own;

static void set_up(void)
{
    prf_error_t err;
    snprintf(file, sizeof file, "/tmp/prf-turns-XXXXXX");
    int fd = mkstemp(file);
    cr_assert(fd >= 0 && close(fd) == 0 && unlink(file) == 0 && pipe(heard) == 0 && pipe(go_on) == 0);
    cr_assert_eq(prf_turns_open(&own, file, &err), PRF_OK, "%s", err.text);
}

static void tear_down(void)
{
    prf_turns_close(&own);
    unlink(file);
}

TestSuite(turns, .init = set_up, .fini = tear_down);

static int64_t last_number(void)
{
    int64_t last = 0;
    return pread(own.fd, &last, sizeof last, LAST) == (ssize_t)sizeof last ? last : 0;
}

/* A process that takes its turn, says so and gives it when told. Returns once its number is taken. */
static pid_t come(char name)
{
    int64_t before = last_number();
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        prf_turns_t turns;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (prf_turns_open(&turns, file, NULL) || prf_turns_take(&turns, NULL) || write(heard[1], &name, 1) != 1 ||
            read(go_on[0], &name, 1) != 1)
            _exit(1);
        prf_turns_give(&turns);
        pause();
        _exit(0);
    }
    uint64_t end = prf_clock_mono_ms() + PATIENCE_MS;
    while (last_number() == before)
        cr_assert_lt(prf_clock_mono_ms(), end, "process %c takes no number", name);
    return pid;
}

/* Whose turn has come within `ms`; 0: nobody's. */
static char turn_of(int ms)
{
    struct pollfd p = {.fd = heard[0], .events = POLLIN};
    char name = 0;
    return poll(&p, 1, ms) == 1 && read(heard[0], &name, 1) == 1 ? name : 0;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void take(void)
{
    prf_error_t err;
    cr_assert_eq(prf_turns_take(&own, &err), PRF_OK, "%s", err.text);
}

Test(turns, come_in_the_order_of_asking_one_at_a_time)
{
    take();
    pid_t all[] = {come('a'), come('b'), come('c')};
    cr_expect_eq(turn_of(100), 0, "somebody else has it");
    prf_turns_give(&own);
    for (char name = 'a'; name <= 'c'; name++) {
        cr_assert_eq(turn_of(PATIENCE_MS), name);
        cr_expect_eq(turn_of(50), 0, "while %c has it", name);
        cr_assert_eq(write(go_on[1], "", 1), 1);
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        end(all[i]);
}

Test(turns, whoever_had_it_last_is_behind_those_that_wait)
{
    take();
    pid_t other = come('a');
    cr_assert_eq(write(go_on[1], "", 1), 1);
    prf_turns_give(&own);
    take(); /* at once again, and waits until the other has given it */
    cr_assert_eq(turn_of(0), 'a');
    end(other);
}

Test(turns, one_that_is_killed_in_its_turn_gives_it_to_the_next)
{
    pid_t a = come('a'), b = come('b');
    cr_assert_eq(turn_of(PATIENCE_MS), 'a');
    cr_expect_eq(turn_of(50), 0);
    end(a);
    cr_assert_eq(turn_of(PATIENCE_MS), 'b');
    end(b);
}

Test(turns, one_that_is_killed_while_it_waits_lets_nobody_in_early)
{
    take();
    pid_t a = come('a'), b = come('b');
    end(a);
    cr_expect_eq(turn_of(200), 0, "b came in before the turn was given");
    prf_turns_give(&own);
    cr_assert_eq(turn_of(PATIENCE_MS), 'b');
    end(b);
}

Test(turns, a_file_with_nonsense_in_it_costs_nobody_his_turn)
{
    static const int64_t nonsense[] = {INT64_MAX, INT64_MIN, -1, INT64_MAX / 2};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        cr_assert_eq(pwrite(own.fd, &nonsense[i], sizeof nonsense[i], LAST), (ssize_t)sizeof nonsense[i]);
        take();
        cr_expect_eq(last_number(), 1);
        prf_turns_give(&own);
    }
}

Test(turns, the_file_is_for_everybody_and_a_folder_that_is_not_there_is_told)
{
    struct stat found;
    prf_turns_t none = {.fd = -1};
    prf_error_t err = {0};
    cr_assert_eq(stat(file, &found), 0);
    cr_expect_eq(found.st_mode & 0777, 0666);
    cr_expect_eq(prf_turns_open(&none, "/nowhere/turns", &err), PRF_ENOTFOUND);
    cr_expect(strstr(err.text, "/nowhere/turns: "), "%s", err.text);
    prf_turns_give(&none);
    prf_turns_close(&none);
}
