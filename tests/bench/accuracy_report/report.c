// SPDX-License-Identifier: Apache-2.0
/* report.c - outcomes as lines on the terminal, and as docs/accuracy.md. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/order.h"
#include "bench.h"

static const char preface[] =
    "<!-- Written by tests/bench/accuracy --report docs. Do not edit. -->\n"
    "# How good the estimates are\n\n"
    "    tests/bench/accuracy --report docs\n\n"
    "runs every campaign of `tests/bench/accuracy_report/campaigns` in one process, without a farm: the "
    "same engine, the same measuring,\n"
    "the simulated boards of [backends.md](backends.md). A model is judged by 1,000 layers drawn from "
    "the campaign's ranges that nothing\n"
    "was trained on, and by whole networks, against the board's exact latencies. Sweeps are counted in "
    "the layers measured; step widths\n"
    "are found, except on ultratrail, whose design is published. Noisy boards have 2 % noise and are 20 "
    "to 45 % slower for 5 % of the\n"
    "time, in stretches of 50 runs. Numbers are medians over the seeds.\n"
    "Options for parts of it: `tests/bench/accuracy --help`. The tables hold what the last run was about.\n\n"
    "The *paper's forest* learns the latency itself from Performance Representatives alone, and is asked "
    "for a layer's representative; it\n"
    "gets the widths that our sweep found and the layers that it left. *Random layers* are our own "
    "features and candidates, trained on as\n"
    "many layers drawn at random as prfarm measured in all; the widths are a present to them.\n\n"
    "## Goals\n\n";

static void print_track(const track_score_t *t)
{
    char widths[160];
    int used = 0;
    for (int p = 0; p < PRF_PARAMS; p++)
        if (t->steps.width[p] > 1 && used < 120)
            used +=
                snprintf(widths + used, sizeof widths - (size_t)used, " %s=%d", prf_param_name((prf_param_t)p), t->steps.width[p]);
    widths[used] = 0;
    printf("    %-10s %4zu layers, %3zu swept: MAPE %9.4f  median %8.4f  cover %5.1f | paper %8.3f | random %9.4f | %s%s\n",
           prf_layer_kind_name(t->kind), t->samples, t->swept, t->ours.metrics.mape_percent, t->ours.metrics.median_percent,
           t->ours.coverage_percent, t->paper.metrics.mape_percent, t->random.metrics.mape_percent, t->regressor, widths);
}

void print_outcome(const outcome_t *o, bool verbose)
{
    const prf_metrics_t *m = &o->ours.metrics;
    printf("%-22s %5u seed %llu: MAPE %9.4f  median %8.4f  <5%% %5.1f  <10%% %5.1f  cover %5.1f | paper %8.3f | random %9.4f | "
           "widths %zu/%zu +%zu false | %zu layers, %zu swept | %.1f s\n",
           o->of->name, o->budget, (unsigned long long)o->seed, m->mape_percent, m->median_percent, m->within_5_percent,
           m->within_10_percent, o->ours.coverage_percent, o->paper.metrics.mape_percent, o->random.metrics.mape_percent,
           o->widths_found, o->widths_true, o->widths_false, o->samples, o->swept, o->seconds);
    for (size_t i = 0; verbose && i < o->track_count; i++)
        print_track(&o->tracks[i]);
    for (size_t i = 0; verbose && i < o->network_count; i++) {
        const network_score_t *n = &o->networks[i];
        printf("    %-12s %3zu of %3zu blocks, %+.4f %%\n", n->name, n->modelled, n->blocks,
               100 * (n->estimated_ns / n->exact_ns - 1));
    }
    fflush(stdout);
}

double ours_mape(const outcome_t *o)
{
    return o->ours.metrics.mape_percent;
}

double paper_mape(const outcome_t *o)
{
    return o->paper.metrics.mape_percent;
}

double random_mape(const outcome_t *o)
{
    return o->random.metrics.mape_percent;
}

double coverage(const outcome_t *o)
{
    return o->ours.coverage_percent;
}

static double ours_median(const outcome_t *o)
{
    return o->ours.metrics.median_percent;
}

static double within_5(const outcome_t *o)
{
    return o->ours.metrics.within_5_percent;
}

static double within_10(const outcome_t *o)
{
    return o->ours.metrics.within_10_percent;
}

static double swept(const outcome_t *o)
{
    return (double)o->swept;
}

/* The worst of its networks. */
static double network_error(const outcome_t *o)
{
    double worst = (double)NAN;
    for (size_t i = 0; i < o->network_count; i++)
        worst = fmax(worst, 100 * fabs(o->networks[i].estimated_ns / o->networks[i].exact_ns - 1));
    return worst;
}

double median_of(outcome_t *const *outcomes, size_t count, const case_t *which, uint32_t budget, double (*of)(const outcome_t *))
{
    double values[SEEDS_MOST];
    size_t n = 0;
    for (size_t i = 0; i < count && n < SEEDS_MOST; i++)
        if (outcomes[i]->of == which && outcomes[i]->budget == budget)
            values[n++] = of(outcomes[i]);
    if (n == 0)
        return (double)NAN;
    return prf_median(values, n);
}

/* Percent; an error below it is that of the arithmetic, and printed as 0. */
#define ROUNDING 1e-4

/* Two leading digits are enough of an error. */
static void add_percent(prf_text_t *md, double value)
{
    if (isnan(value))
        prf_text_add(md, " |");
    else if (fabs(value) >= 10)
        prf_text_add(md, " %.1f |", value);
    else
        prf_text_add(md, " %.2g |", fabs(value) < ROUNDING ? 0.0 : value);
}

typedef struct {
    outcome_t *const *all;
    size_t count;
} results_t;

static double number(const results_t *r, const case_t *which, uint32_t budget, double (*of)(const outcome_t *))
{
    return median_of(r->all, r->count, which, budget, of);
}

static const char *verdict(double value, double goal)
{
    return goal == 0 || isnan(value) ? "" : value <= goal ? "yes" : "**no**";
}

static void write_goals(prf_text_t *md, const results_t *r)
{
    prf_text_add(md,
                 "| board | layers | MAPE %% | goal | reached | worst network %% | goal | reached | no worse than both rivals |\n"
                 "|---|---|---|---|---|---|---|---|---|\n");
    for (size_t c = 0; c < CASES; c++)
        for (size_t b = 0; b < BUDGETS; b++) {
            const case_t *which = &cases[c];
            double mape = number(r, which, budgets[b], ours_mape), net = number(r, which, budgets[b], network_error);
            double paper = number(r, which, budgets[b], paper_mape), random = number(r, which, budgets[b], random_mape);
            if (which->goal[b] == 0 || isnan(mape))
                continue;
            prf_text_add(md, "| %s | %u |", which->name, budgets[b]);
            add_percent(md, mape);
            prf_text_add(md, " %g | %s |", which->goal[b], verdict(mape, which->goal[b]));
            add_percent(md, net);
            if (which->network_goal[b] > 0)
                prf_text_add(md, " %g | %s |", which->network_goal[b], verdict(net, which->network_goal[b]));
            else
                prf_text_add(md, " | |");
            prf_text_add(md, " %s |\n", mape <= fmin(paper, random) + ROUNDING ? "yes" : "**no**");
        }
}

static void write_boards(prf_text_t *md, const results_t *r)
{
    prf_text_add(md,
                 "| board | layers | of them swept | MAPE %% | median %% | within 5 %% | within 10 %% | in the 90 %% interval | "
                 "paper's forest | "
                 "random layers |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for (size_t c = 0; c < CASES; c++)
        for (size_t b = 0; b < BUDGETS; b++) {
            double (*const columns[])(const outcome_t *) = {ours_mape, ours_median, within_5,   within_10,
                                                            coverage,  paper_mape,  random_mape};
            if (isnan(number(r, &cases[c], budgets[b], ours_mape)))
                continue;
            prf_text_add(md, "| %s | %u | %.0f |", cases[c].name, budgets[b], number(r, &cases[c], budgets[b], swept));
            for (size_t k = 0; k < sizeof columns / sizeof *columns; k++)
                add_percent(md, number(r, &cases[c], budgets[b], columns[k]));
            prf_text_add(md, "\n");
        }
}

static void write_networks(prf_text_t *md, const results_t *r)
{
    prf_text_add(md, "| board | layers | network | blocks modelled | error %% of each seed |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < r->count; i++) {
        const outcome_t *first = r->all[i];
        if (first->seed != 1 || (first->budget != 300 && first->budget != 1000))
            continue;
        for (size_t n = 0; n < first->network_count; n++) {
            const network_score_t *net = &first->networks[n];
            prf_text_add(md, "| %s | %u | %s | %zu of %zu |", first->of->name, first->budget, net->name, net->modelled,
                         net->blocks);
            for (size_t k = 0; k < r->count; k++)
                if (r->all[k]->of == first->of && r->all[k]->budget == first->budget) {
                    double error = 100 * (r->all[k]->networks[n].estimated_ns / r->all[k]->networks[n].exact_ns - 1);
                    prf_text_add(md, " %+.2g", fabs(error) < ROUNDING ? 0.0 : error);
                }
            prf_text_add(md, " |\n");
        }
    }
}

static void write_widths(prf_text_t *md, const results_t *r)
{
    prf_text_add(md,
                 "| board | layers | widths it has | found, each seed | false ones, each seed | most layers swept for one kind |\n"
                 "|---|---|---|---|---|---|\n");
    for (size_t c = 0; c < CASES; c++)
        for (size_t b = 0; b < BUDGETS; b++) {
            const char *names = "";
            size_t most = 0, n = 0;
            prf_text_t found, wrong;
            prf_text_init(&found);
            prf_text_init(&wrong);
            for (size_t i = 0; i < r->count; i++) {
                const outcome_t *o = r->all[i];
                if (o->of != &cases[c] || o->budget != budgets[b] || o->tracks[0].given)
                    continue;
                names = o->of->name;
                n = o->widths_true;
                prf_text_add(&found, " %zu", o->widths_found);
                prf_text_add(&wrong, " %zu", o->widths_false);
                for (size_t t = 0; t < o->track_count; t++)
                    most = o->tracks[t].swept > most ? o->tracks[t].swept : most;
            }
            if (*names)
                prf_text_add(md, "| %s | %u | %zu |%s |%s | %zu |\n", names, budgets[b], n, prf_text_get(&found),
                             prf_text_get(&wrong), most);
            prf_text_release(&found);
            prf_text_release(&wrong);
        }
}

static void write_kinds(prf_text_t *md, const results_t *r)
{
    prf_text_add(md, "| board | layers | kind | of them | swept | MAPE %% | paper's forest | random layers | regressor |\n"
                     "|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < r->count; i++) {
        const outcome_t *o = r->all[i];
        if (o->seed != 1 || o->budget != (o->of->noisy ? 1000u : 300u))
            continue;
        for (size_t t = 0; t < o->track_count; t++) {
            const track_score_t *k = &o->tracks[t];
            prf_text_add(md, "| %s | %u | %s | %zu | %zu |", o->of->name, o->budget, prf_layer_kind_name(k->kind), k->samples,
                         k->swept);
            add_percent(md, k->ours.metrics.mape_percent);
            add_percent(md, k->paper.metrics.mape_percent);
            add_percent(md, k->random.metrics.mape_percent);
            prf_text_add(md, " %s |\n", k->regressor);
        }
    }
}

void write_report(const char *folder, outcome_t *const *outcomes, size_t count)
{
    results_t r = {outcomes, count};
    prf_text_t md;
    prf_error_t err = {0};
    char path[512];
    write_figures(folder, outcomes, count);
    prf_text_init(&md);
    prf_text_add(&md, "%s", preface);
    write_goals(&md, &r);
    prf_text_add(&md, "\n## Single layers\n\n![MAPE against measured layers](accuracy/mape.svg)\n\n");
    write_boards(&md, &r);
    prf_text_add(&md, "\n## Layer kinds\n\nThe first seed.\n\n");
    write_kinds(&md, &r);
    prf_text_add(&md, "\n## Step widths\n\n![Staircases found and true](accuracy/staircases.svg)\n\n");
    write_widths(&md, &r);
    prf_text_add(&md, "\n## Whole networks\n\n![Estimated against exact](accuracy/networks.svg)\n\n");
    write_networks(&md, &r);
    prf_text_add(&md, "\n## Intervals\n\n![Coverage](accuracy/coverage.svg)\n");
    size_t len = md.len;
    char *text = must(prf_text_take(&md));
    snprintf(path, sizeof path, "%s/accuracy.md", folder);
    if (prf_file_write(path, text, len, &err))
        die(&err, path);
    free(text);
}
