// SPDX-License-Identifier: Apache-2.0
/* smoke.c - has anything become much slower? Shares of the floor's speed, in short rounds, beside those that are recorded in the
 * repository. A share is the floor's best round over our best: neighbours only ever slow a round, and they slow the floor, which
 * keeps both cores busy, more than us. A share that lost more than 40 % is measured a second time, later; when that is no better,
 * the smoke fails and says where to look. A share says less on another machine than on the one that recorded it, hence the wide
 * limit: 5 % are for counts of instructions (tests/bench/guard/check).
 *
 * prfarm-bench --smoke --record writes down what it sees. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "costs.h"
#include "swarm.h"

#define RECORD PRF_BENCH_DIR "/../guard/shares.txt"
#define LEFT 0.6   /* of a recorded share must be */
#define GAINED 1.4 /* of a recorded share is worth recording */
enum { NAME = 40, LINE = 256 };

/* Figures of one sort of round. */
typedef struct {
    void (*round)(const bench_options_t *options, costs_t costs[COSTS_MOST]);
    size_t rounds;
    const char *options, *look; /* what to run for a closer look */
    const char *names[COSTS_MOST];
} trial_t;

static const trial_t trials[] = {
    {throughput_costs,
     5,
     "--workers 64 --credit 256 --jobs 100000 --batch 1",
     "prfarm-bench throughput",
     {"results", "server-cpu"}},
    {throughput_costs,
     5,
     "--workers 64 --credit 256 --jobs 100000 --batch 16",
     "prfarm-bench throughput --batch 16",
     {"results-by-16", "server-cpu-by-16"}},
    {latency_costs, 10, "--workers 1 --credit 1 --jobs 1000", "prfarm-bench latency", {"latency"}},
    {resume_costs, 1, "--results 200000 --boards 64 --rounds 3", "prfarm-bench resume", {"resume"}},
    {model_costs, 5, "", "prfarm-bench train, prfarm-bench estimate", {"fitting", "asking"}},
};
enum { TRIALS = sizeof trials / sizeof *trials };

typedef struct {
    const trial_t *trial; /* the share'th of its figures */
    size_t share;
    double recorded, seen; /* 0: not yet */
} figure_t;

typedef struct {
    figure_t items[TRIALS * COSTS_MOST];
    size_t count;
} figures_t;

static void figures_init(figures_t *figures)
{
    *figures = (figures_t){.count = 0};
    for (size_t t = 0; t < TRIALS; t++)
        for (size_t s = 0; s < COSTS_MOST && trials[t].names[s]; s++)
            figures->items[figures->count++] = (figure_t){.trial = &trials[t], .share = s};
}

static const char *name_of(const figure_t *figure)
{
    return figure->trial->names[figure->share];
}

/* -- the record: a line a figure, its name and its share -- */

static void read_record(figures_t *figures)
{
    char name[NAME], line[LINE];
    double share;
    FILE *in = fopen(RECORD, "re");
    if (!in)
        die(RECORD, "cannot be read: --record makes it anew");
    while (fgets(line, sizeof line, in))
        if (line[0] != '#' && sscanf(line, "%39s %lf", name, &share) == 2)
            for (size_t i = 0; i < figures->count; i++)
                if (strcmp(name_of(&figures->items[i]), name) == 0)
                    figures->items[i].recorded = share;
    fclose(in);
}

static void write_record(const figures_t *figures)
{
    prf_text_t text;
    prf_error_t err = {0};
    prf_text_init(&text);
    prf_text_add(&text, "# SPDX-License-Identifier: Apache-2.0\n"
                        "# Shares of the floor's speed, written by prfarm-bench --smoke --record (tests/bench/farm/smoke.c).\n");
    for (size_t i = 0; i < figures->count; i++)
        prf_text_add(&text, "%-20s %.3g\n", name_of(&figures->items[i]), figures->items[i].seen);
    if (prf_file_write(RECORD, prf_text_get(&text), text.len, &err))
        die(RECORD, err.text);
    prf_text_release(&text);
    printf("\nrecorded in tests/bench/guard/shares.txt\n");
}

/* -- judging -- */

static bool is_lost(const figure_t *figure)
{
    return figure->seen < LEFT * figure->recorded;
}

static bool any_lost(const figures_t *figures, const trial_t *trial)
{
    bool lost = false;
    for (size_t i = 0; i < figures->count; i++)
        lost = lost || (figures->items[i].trial == trial && is_lost(&figures->items[i]));
    return lost;
}

static double least(double a, double b)
{
    return a > 0 && a < b ? a : b;
}

/* Of its tries the better one counts for each figure; when recording, the poorer one, which is what can be reached again. */
static void try_trial(figures_t *figures, const trial_t *trial, const bench_options_t *o)
{
    costs_t best[COSTS_MOST] = {{0, 0}}, costs[COSTS_MOST];
    bench_options_t options;
    options_init(&options, trial->options);
    options.scratch = o->scratch;
    for (size_t r = 0; r < trial->rounds; r++) {
        trial->round(&options, costs);
        for (size_t s = 0; s < COSTS_MOST; s++)
            best[s] = (costs_t){least(best[s].floor, costs[s].floor), least(best[s].ours, costs[s].ours)};
    }
    for (size_t i = 0; i < figures->count; i++) {
        figure_t *figure = &figures->items[i];
        double share = best[figure->share].floor / best[figure->share].ours;
        if (figure->trial == trial && (figure->seen <= 0 || (share > figure->seen) != o->record))
            figure->seen = share;
    }
}

static const char *verdict(const figure_t *figure)
{
    if (figure->recorded <= 0)
        return "no record";
    if (is_lost(figure))
        return "LOST";
    return figure->seen > GAINED * figure->recorded ? "gained: --record keeps it" : "";
}

static json_t *print(const figures_t *figures)
{
    json_t *json = json_object();
    printf("\n%-20s %10s %10s %10s   shares of the floor's speed\n", "", "recorded", "limit", "seen");
    for (size_t i = 0; i < figures->count; i++) {
        const figure_t *f = &figures->items[i];
        printf("%-20s %10.3g %10.3g %10.3g   %s\n", name_of(f), f->recorded, LEFT * f->recorded, f->seen, verdict(f));
        json_object_set_new(json, name_of(f), json_pack("{s:f, s:f}", "recorded", f->recorded, "seen", f->seen));
    }
    return json;
}

static bool judge(const figures_t *figures)
{
    bool passed = true;
    for (size_t i = 0; i < figures->count; i++) {
        const figure_t *f = &figures->items[i];
        if (f->recorded > 0 && !is_lost(f))
            continue;
        passed = false;
        if (f->recorded <= 0)
            fprintf(stderr, "prfarm-bench: %s was never recorded: prfarm-bench --smoke --record\n", name_of(f));
        else
            fprintf(stderr,
                    "prfarm-bench: %s is %.3g of the floor, in the better of two tries; %.3g is recorded, the limit is %.3g. For a "
                    "closer "
                    "look: %s. If it has to be so: prfarm-bench --smoke --record, and say why in the commit\n",
                    name_of(f), f->seen, f->recorded, LEFT * f->recorded, f->trial->look);
    }
    return passed;
}

json_t *bench_smoke(const bench_options_t *o)
{
    figures_t figures;
    figures_init(&figures);
    if (!o->record)
        read_record(&figures);
    for (size_t t = 0; t < TRIALS; t++)
        try_trial(&figures, &trials[t], o);
    for (size_t t = 0; t < TRIALS; t++)
        if (o->record || any_lost(&figures, &trials[t]))
            try_trial(&figures, &trials[t], o);
    json_t *json = print(&figures);
    if (o->record)
        write_record(&figures);
    json_object_set_new(json, "passed", json_boolean(o->record || judge(&figures)));
    return json;
}
