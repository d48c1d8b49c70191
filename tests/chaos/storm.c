// SPDX-License-Identifier: Apache-2.0
/* storm.c - the command line of the chaos harness: an undisturbed campaign first, then the same one in each storm that was asked
 * for. docs/chaos.md tells what is done and how to read it. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/signals.h"
#include "hosts.h"
#include "tool.h"
#include "trial.h"

enum { SKIPPED = 77 }; /* what ctest takes for it */

typedef struct {
    const scenario_t *scenario; /* NULL: every one in turn */
    unsigned long kills, points, workers, rounds, hold_s, seed, minutes;
    bool keep;
} args_t;

static const char help[] = "usage: storm [OPTION]...\n"
                           "Starts a real farm, lets a campaign run on it undisturbed and then in storms, and holds the outcome "
                           "against what was promised.\n"
                           "\n"
                           "  --scenario NAME  the storm, 'all' of them in turn, or (the default) kills:\n";

static const char more_help[] =
    "  --kills N        SIGKILLs in a storm (default 40); half hit the coordinator\n"
    "  --seed S         of the first storm; each further one takes the next (default: from the clock, printed)\n"
    "  --points N       measurements of the campaign, about (default 20000)\n"
    "  --workers N      16 by default, of three kinds\n"
    "  --hold SECONDS   how long a partition or a full disk lasts (default 60)\n"
    "  --rounds N       storms of each scenario (default 1)\n"
    "  --minutes N      further storms with further seeds until this time is over\n"
    "  --keep           keeps every folder, not only those of breaches\n"
    "Exit codes: 0 everything held, 1 a breach, 2 usage, 77 the machine permits none of what was asked for.\n";

enum { SCENARIO = 1, KEEP, HELP, KILLS, SEED, POINTS, WORKERS, HOLD, ROUNDS, MINUTES };

static const struct option table[] = {{"scenario", required_argument, NULL, SCENARIO},
                                      {"kills", required_argument, NULL, KILLS},
                                      {"seed", required_argument, NULL, SEED},
                                      {"points", required_argument, NULL, POINTS},
                                      {"workers", required_argument, NULL, WORKERS},
                                      {"hold", required_argument, NULL, HOLD},
                                      {"rounds", required_argument, NULL, ROUNDS},
                                      {"minutes", required_argument, NULL, MINUTES},
                                      {"keep", no_argument, NULL, KEEP},
                                      {"help", no_argument, NULL, HELP},
                                      {NULL, 0, NULL, 0}};

static void print_help(void)
{
    fputs(help, stdout);
    for (size_t i = 0; i < scenario_count; i++)
        printf("                     %-10s %s\n", scenarios[i].name, scenarios[i].help);
    fputs(more_help, stdout);
}

static bool number(const char *text, unsigned long least, unsigned long most, unsigned long *out)
{
    char *end;
    *out = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && *out >= least && *out <= most;
}

static bool apply(int option, args_t *args)
{
    switch (option) {
    case SCENARIO:
        args->scenario = scenario_find(optarg);
        return args->scenario || strcmp(optarg, "all") == 0;
    case KILLS:
        return number(optarg, 0, 100000, &args->kills);
    case SEED:
        return number(optarg, 0, 1000000000000, &args->seed);
    case POINTS:
        return number(optarg, 500, 1000000, &args->points);
    case WORKERS:
        return number(optarg, 3, RACK_WORKERS, &args->workers);
    case HOLD:
        return number(optarg, 1, 3600, &args->hold_s);
    case ROUNDS:
        return number(optarg, 1, 1000, &args->rounds);
    case MINUTES:
        return number(optarg, 1, 100000, &args->minutes);
    case KEEP:
        args->keep = true;
        return true;
    default:
        return false;
    }
}

/* What this machine lets us do. */
typedef struct {
    bool private_machine, hosts;
    char why[sizeof((prf_error_t *)0)->text];
} permitted_t;

static permitted_t ask_permission(size_t workers)
{
    permitted_t p = {.private_machine = false};
    prf_error_t err = {0};
    p.private_machine = hosts_private(&err) == PRF_OK;
    p.hosts = p.private_machine && hosts_make(workers, &err) == PRF_OK;
    snprintf(p.why, sizeof p.why, "%s", err.text);
    return p;
}

static bool possible(const scenario_t *scenario, const permitted_t *permitted)
{
    bool ok = (!scenario->fills || permitted->private_machine) && (!scenario->unplugs || permitted->hosts);
    if (!ok)
        printf("SKIPPED %s: %s\n", scenario->name, permitted->why);
    return ok;
}

typedef struct {
    unsigned long held, broken, skipped;
} score_t;

static void storms(const args_t *args, const trial_options_t *options, const permitted_t *permitted, const calm_t *calm,
                   score_t *score)
{
    uint64_t end_ms = prf_clock_mono_ms() + args->minutes * 60000;
    for (unsigned long round = 0; round < args->rounds || prf_clock_mono_ms() < end_ms; round++)
        for (size_t i = 0; i < scenario_count && !prf_interrupted(); i++) {
            const scenario_t *scenario = &scenarios[i];
            if (args->scenario && args->scenario != scenario)
                continue;
            if (!possible(scenario, permitted)) {
                score->skipped++;
                continue;
            }
            if (trial_storm(scenario, options, args->seed + round, calm))
                score->held++;
            else
                score->broken++;
        }
}

static int run(const args_t *args)
{
    char root[64];
    prf_error_t err = {0};
    score_t score = {0};
    calm_t calm;
    snprintf(root, sizeof root, "/tmp/prf-storm-XXXXXX"); /* short: it holds sockets */
    if (!mkdtemp(root)) {
        perror(root);
        return 1;
    }
    permitted_t permitted = ask_permission(args->workers);
    trial_options_t options = {.root = root,
                               .kills = (unsigned)args->kills,
                               .hold_ms = (unsigned)args->hold_s * 1000,
                               .points = args->points,
                               .workers = args->workers,
                               .keep = args->keep};
    if (trial_calm(&calm, &options, &err)) {
        fprintf(stderr, "BREACH in calm: %s\n", err.text);
        return 1;
    }
    storms(args, &options, &permitted, &calm, &score);
    printf("%lu storms held, %lu broke something, %lu were not permitted here\n", score.held, score.broken, score.skipped);
    if (score.broken)
        return 1;
    if (!args->keep)
        tool_remove(root);
    return score.held ? 0 : SKIPPED;
}

int main(int argc, char **argv)
{
    args_t args = {.scenario = scenario_find("kills"),
                   .kills = 40,
                   .points = 20000,
                   .workers = 16,
                   .rounds = 1,
                   .hold_s = 60,
                   .seed = (unsigned long)(prf_clock_wall_ms() / 1000)};
    int option;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option == HELP) {
            print_help();
            return 0;
        }
        if (!apply(option, &args)) {
            fprintf(stderr, "storm: %s %s is not understood; see storm --help\n", argv[optind - 1], optarg ? optarg : "");
            return 2;
        }
    }
    printf("seed %lu\n", args.seed);
    fflush(stdout);
    prf_signals_catch();
    return run(&args);
}
