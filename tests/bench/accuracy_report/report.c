// SPDX-License-Identifier: Apache-2.0
/* report.c - outcomes as lines on the terminal. */
#include <math.h>
#include <stdio.h>

#include "bench.h"

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
