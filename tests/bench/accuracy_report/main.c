// SPDX-License-Identifier: Apache-2.0
/* main.c - how good prfarm's estimates are: whole campaigns on simulated boards, in one process, judged against the exact truth.
 *
 *   build/dev/tests/accuracy [--board NAME]... [--budget N]... [--seeds N] [--goals] [--verbose] [--report FOLDER]
 *   build/dev/tests/accuracy --real | --recorded DATA [--seeds N] [--report FOLDER]
 *
 * Without options it runs everything (noisy boards with 1,000 layers only), with --goals what there is a goal for, and exact boards
 * with up to 300 layers. With --report it writes FOLDER/accuracy.md and its figures. --real is about this machine's processor (let
 * nothing else run), --recorded about a GPU whose measurements were recorded. No part of ctest, because it takes minutes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench.h"

typedef struct {
    const case_t *boards[CASES];
    uint32_t sizes[16];
    size_t board_count, size_count, seeds;
    bool goals, verbose, real;
    const char *report, *recorded;
} options_t;

static void usage(void)
{
    fprintf(stderr, "usage: accuracy [--board NAME]... [--budget N]... [--seeds N] [--goals] [--verbose] [--report FOLDER]\n"
                    "       accuracy --real | --recorded DATA [--seeds N] [--report FOLDER]\nboards:");
    for (size_t i = 0; i < CASES; i++)
        fprintf(stderr, " %s", cases[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

static void read_options(options_t *o, int argc, char **argv)
{
    *o = (options_t){.seeds = 3};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        bool verbose = strcmp(argv[i], "--verbose") == 0, goals = strcmp(argv[i], "--goals") == 0;
        bool real = strcmp(argv[i], "--real") == 0;
        o->verbose = o->verbose || verbose;
        o->goals = o->goals || goals;
        o->real = o->real || real;
        if (verbose || goals || real)
            continue;
        i++;
        unsigned long number = strtoul(value, NULL, 10);
        const case_t *board = case_find(value);
        if (strcmp(argv[i - 1], "--board") == 0 && board && o->board_count < CASES)
            o->boards[o->board_count++] = board;
        else if (strcmp(argv[i - 1], "--budget") == 0 && number >= 8 && number <= 1000000 && o->size_count < 16)
            o->sizes[o->size_count++] = (uint32_t)number;
        else if (strcmp(argv[i - 1], "--seeds") == 0 && number >= 1 && number <= SEEDS_MOST)
            o->seeds = number;
        else if (strcmp(argv[i - 1], "--report") == 0 && *value)
            o->report = value;
        else if (strcmp(argv[i - 1], "--recorded") == 0 && *value)
            o->recorded = value;
        else
            usage();
    }
}

static void run(const case_t *which, uint32_t budget, uint64_t seed, outcome_t *out)
{
    drive_t drive;
    uint64_t begin = prf_clock_mono_ns();
    *out = (outcome_t){.of = which, .budget = budget, .seed = seed};
    drive_run(&drive, which, budget, seed);
    out->training_seconds = drive.training_seconds;
    out->seconds = (double)(prf_clock_mono_ns() - begin) / 1e9;
    judge(&drive, which, out);
    drive_release(&drive);
}

static bool has_goal(const case_t *which, uint32_t budget)
{
    for (size_t b = 0; b < BUDGETS; b++)
        if (budgets[b] == budget && which->goal[b] > 0)
            return true;
    return false;
}

/* Which budgets of the table make sense on a board: what noise costs is asked at one. */
static bool wanted(const options_t *o, const case_t *which, uint32_t budget)
{
    if (o->goals)
        return has_goal(which, budget) || (!which->noisy && budget <= 300);
    return o->size_count > 0 || !which->noisy || budget == 1000;
}

static void run_simulated(const options_t *o)
{
    outcome_t **outcomes = NULL;
    size_t count = 0;
    for (size_t b = 0; b < (o->board_count ? o->board_count : CASES); b++) {
        const case_t *which = o->board_count ? o->boards[b] : &cases[b];
        for (size_t s = 0; s < (o->size_count ? o->size_count : BUDGETS); s++) {
            uint32_t budget = o->size_count ? o->sizes[s] : budgets[s];
            for (uint64_t seed = 1; seed <= o->seeds && wanted(o, which, budget); seed++) {
                outcomes = must(realloc(outcomes, (count + 1) * sizeof *outcomes));
                outcomes[count] = must(calloc(1, sizeof **outcomes));
                run(which, budget, seed, outcomes[count]);
                print_outcome(outcomes[count++], o->verbose);
            }
        }
    }
    if (o->report)
        write_report(o->report, outcomes, count);
    for (size_t i = 0; i < count; i++)
        free(outcomes[i]);
    free(outcomes);
}

int main(int argc, char **argv)
{
    options_t o;
    read_options(&o, argc, argv);
    if (o.real)
        real_run(o.seeds, o.report);
    if (o.recorded)
        recorded_run(o.recorded, o.seeds, o.report);
    if (!o.real && !o.recorded)
        run_simulated(&o);
    return 0;
}
