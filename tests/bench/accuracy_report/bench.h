// SPDX-License-Identifier: Apache-2.0
/* bench.h - what the parts of the accuracy report share. A *case* is a simulated board with its campaign, an *outcome* one
 * campaign on it, judged against the board's exact latencies. One thread; out of memory and broken campaigns end the program
 * with a message, since there is nothing to carry on with. */
#ifndef PRF_BENCH_H
#define PRF_BENCH_H

#include "backends/backend.h"
#include "base/text.h"
#include "engine.h"
#include "model/train.h"

enum { TEST_LAYERS = 1000, BUDGETS = 4, SEEDS_MOST = 16, NETWORKS_MOST = 8, TRACKS_MOST = 8, CASES = 13, WIDTHS_MOST = 5 };
extern const uint32_t budgets[BUDGETS];

/* A width that the board has and a sweep can see. */
typedef struct {
    prf_layer_kind_t kind;
    prf_param_t param;
    int32_t width;
} width_t;

typedef struct {
    const char *name, *campaign; /* of the file below campaigns/, without .yaml */
    bool noisy;                  /* 2 % noise and 5 % slow states */
    const char *networks[NETWORKS_MOST];
    width_t widths[WIDTHS_MOST];
    double goal[BUDGETS], network_goal[BUDGETS]; /* MAPE in percent; 0: none */
} case_t;
extern const case_t cases[CASES];

/* Estimates of layers that nobody trained on, against the noise-free truth. */
typedef struct {
    prf_metrics_t metrics;
    double coverage_percent; /* of the 90 % interval; NaN for a rival without one */
} score_t;

typedef struct {
    const char *name; /* borrowed from the case */
    size_t blocks, modelled;
    double estimated_ns, exact_ns; /* of the modelled blocks */
} network_score_t;

typedef struct {
    prf_layer_kind_t kind;
    char regressor[64];
    size_t samples, swept;
    prf_steps_t steps;
    bool given; /* steps were not searched for */
    score_t ours, paper, random;
} track_score_t;

/* Latency over one parameter, the others as in the sweep: the truth, what the model makes of it, and what was measured. */
enum { STAIRCASE_MOST = 256 };
typedef struct {
    prf_layer_kind_t kind;
    prf_param_t param;
    size_t count, swept_count;
    double at[STAIRCASE_MOST], exact_ns[STAIRCASE_MOST], estimated_ns[STAIRCASE_MOST];
    double swept_at[STAIRCASE_MOST], swept_ns[STAIRCASE_MOST];
} staircase_t;

typedef struct {
    const case_t *of;
    uint32_t budget;
    uint64_t seed;
    score_t ours, paper, random;
    size_t samples, swept; /* measured layers in all, and those of them that sweeps asked for */
    size_t network_count, track_count, widths_true, widths_found, widths_false;
    network_score_t networks[NETWORKS_MOST];
    track_score_t tracks[TRACKS_MOST];
    staircase_t staircase; /* of the case's first width */
    double seconds, training_seconds;
} outcome_t;

/* A board to be asked, and what was measured on it. */
typedef struct {
    prf_board_t *board; /* owned */
    prf_protocol_t protocol;
} device_t;

void die(const prf_error_t *err, const char *what) __attribute__((noreturn));
void *must(void *memory); /* or the end */

/* cases.c */
const case_t *case_find(const char *name);

/* drive.c: one campaign from its file to its model. */
typedef struct {
    prf_engine_t *engine;           /* owned */
    const prf_campaign_t *campaign; /* the engine's */
    prf_model_t *model;             /* owned */
    prf_block_t *asked;             /* owned: every layer that was measured to train on */
    double *latency_ns;             /* owned: what came out, the first time */
    const char **roles;             /* owned; borrowed texts */
    size_t asked_count, asked_cap;
    double training_seconds;
    device_t device;
} drive_t;
void drive_run(drive_t *self, const case_t *which, uint32_t budget, uint64_t seed);
void drive_release(drive_t *self);
/* The exact twin of a case's board, or the board as it is. */
void device_open(device_t *self, const prf_campaign_t *campaign, bool noisy, uint64_t seed);
void device_close(device_t *self);
/* False: the board cannot run it. */
bool device_measure(device_t *self, const prf_block_t *block, double *latency_ns);

/* judge.c */
void judge(drive_t *drive, const case_t *which, outcome_t *out);
void score(const double *estimated, const double *exact, size_t count, score_t *out);

/* rivals.c: fitted to one track; estimates of `count` layers into out[]. */
/* The paper's: a forest on the latency itself, of representatives only, as many as the budget leaves beside the sweep. */
void rival_paper(drive_t *drive, const prf_model_layer_t *track, size_t budget, size_t swept, uint64_t seed,
                 const prf_layer_t *layers, size_t count, double *out);
/* Our own candidates and features, on random layers at the same total cost. */
void rival_random(drive_t *drive, const prf_model_layer_t *track, size_t budget, uint64_t seed, const prf_layer_t *layers,
                  size_t count, double *out);

/* networks.c: blocks of a network in the campaign's data type. NULL: there is none of that name. The caller frees. */
prf_block_t *network_blocks(const char *name, prf_dtype_t dtype, size_t *count);

/* real.c: campaigns on this machine's processor; FOLDER/accuracy-real.md where `report` is not NULL. */
void real_run(size_t seeds, const char *report);
/* recorded.c: models of a recorded board; FOLDER/accuracy-recorded.md likewise. */
void recorded_run(const char *data, size_t seeds, const char *report);

/* report.c */
void print_outcome(const outcome_t *o, bool verbose);
/* FOLDER/accuracy.md and its figures in FOLDER/accuracy/. */
void write_report(const char *folder, outcome_t *const *outcomes, size_t count);
/* Median over the seeds of a number that `of` takes from each outcome of a case at a budget; NaN: none. */
double median_of(outcome_t *const *outcomes, size_t count, const case_t *which, uint32_t budget, double (*of)(const outcome_t *));
double ours_mape(const outcome_t *o);
double paper_mape(const outcome_t *o);
double random_mape(const outcome_t *o);
double coverage(const outcome_t *o);

/* plots.c */
void write_figures(const char *folder, outcome_t *const *outcomes, size_t count);

#endif
