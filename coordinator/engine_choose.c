// SPDX-License-Identifier: Apache-2.0
/* engine_choose.c - what a training finds out about sampling: which layers teach most on this board, and which to measure next.
 *
 * Whether Performance Representatives teach more than layers of the original space is not taken on faith, and neither is that an
 * estimate should ask for a layer's representative: on boards that slope within a step it should not. Models are trained on equally
 * many layers of each sort and of both, with the swept layers beside them, with and without mapping; layers of the original space
 * that none of them saw judge, layer kind by layer kind. Representatives, or a mixture, must be clearly better: layers of the
 * original space never mislead, and show widths that no sweep found, which multiples of other widths hide. Where there are too few
 * layers to compare, or no step was found, they are taken. The last helping is not compared again: nothing is sampled after it.
 *
 * What is measured next are layers drawn from the original space (mapped, where representatives teach more), the more probably the
 * wider the model's interval around them is in proportion (within limits), and, where a campaign has a time budget, the less time
 * they cost. Drawn, not ranked: the very worst layers are neighbours, and the many that matter little to the model still matter to
 * its users. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "engine_training.h"
#include "pr/sample.h"

enum {
    TRIAL_LEAST = 6,   /* layers of each sort */
    TRIAL_PLENTY = 40, /* a comparison of so many is not repeated after the next helping */
    TRIAL_MOST = 120,  /* more would cost training time and say the same */
    SURE_FROM = 80     /* layers that a model needs before what it is unsure of tells anything */
};
#define CLEAR 0.95       /* share of the original layers' error that another sort must stay below, */
#define NEGLIGIBLE 0.001 /* and not by less than this: percent */
#define LEAST_DOUBT 1e-4 /* an interval of no width */
/* No layer is drawn much less or much more often than the typical one: spread says little about single layers. */
#define LEAST_WORTH 0.5
#define MOST_WORTH 4.0

/* One comparison: a sort of layers, mapped or not. */
typedef struct {
    sampling_t sampling;
    bool mapped;
} trial_t;
static const trial_t trials[] = {{SAMPLING_MIXED, false},
                                 {SAMPLING_MIXED, true},
                                 {SAMPLING_REPRESENTATIVES, true},
                                 {SAMPLING_RANDOM, false},
                                 {SAMPLING_RANDOM, true}};
enum { TRIALS = sizeof trials / sizeof *trials };

/* Layers of each sort that a trial sees; 0: no trial. Half of the original ones judge. */
static size_t trial_size(const prf_training_t *t, const snapshot_t *s)
{
    if (s->choice.compared >= TRIAL_PLENTY || (t->last && s->choice.compared > 0))
        return 0;
    size_t n = s->original.count / 2 < s->representatives.count ? s->original.count / 2 : s->representatives.count;
    n = n < TRIAL_MOST ? n : TRIAL_MOST;
    return n >= TRIAL_LEAST && steps_any(&s->steps) ? n : 0;
}

/* Every second original layer judges: *judge gets those, *learn what the trial is about. */
static prf_status_t divide(const prf_training_t *t, const snapshot_t *s, sampling_t sampling, observations_t *learn,
                           observations_t *judge, prf_error_t *err)
{
    size_t n = trial_size(t, s);
    if (n == 0)
        return PRF_OK;
    size_t representatives = sampling == SAMPLING_MIXED ? n / 2 : sampling == SAMPLING_REPRESENTATIVES ? n : 0;
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && i < s->swept.count; i++)
        status = observe(learn, &s->swept.items[i], err);
    for (size_t i = 0; !status && i < representatives; i++)
        status = observe(learn, &s->representatives.items[i], err);
    for (size_t i = 0; !status && i < n - representatives; i++)
        status = observe(learn, &s->original.items[2 * i], err);
    for (size_t i = 0; !status && 2 * i + 1 < s->original.count && i < TRIAL_MOST; i++)
        status = observe(judge, &s->original.items[2 * i + 1], err);
    return status;
}

/* Error of a model on one track's judging layers; NaN where it has none. */
static double error_on(const prf_model_t *model, const snapshot_t *track)
{
    for (size_t i = 0; i < prf_model_layer_count(model); i++) {
        prf_model_layer_t layer;
        prf_model_layer(model, i, &layer);
        if (layer.kind == track->space.kind && layer.dtype == track->space.dtype && layer.validation.count > 0)
            return layer.validation.mape_percent;
    }
    return (double)NAN;
}

/* Trains one trial's model of all tracks; errors[] receives each track's. */
static prf_status_t try_out(const prf_training_t *t, const trial_t *trial, double *errors, prf_error_t *err)
{
    observations_t *parts = calloc(2 * t->track_count, sizeof *parts);
    lesson_t *lessons = calloc(t->track_count, sizeof *lessons);
    prf_status_t status = parts && lessons ? PRF_OK : prf_fail(err, PRF_ENOMEM, "training data");
    bool enough = false;
    for (size_t i = 0; !status && i < t->track_count; i++) {
        errors[i] = (double)NAN;
        lessons[i] = (lesson_t){&parts[2 * i], &parts[2 * i + 1], trial->mapped};
        status = divide(t, &t->tracks[i], trial->sampling, &parts[2 * i], &parts[2 * i + 1], err);
        enough = enough || parts[2 * i].count >= PRF_TRAIN_LEAST;
    }
    prf_model_t *model = NULL;
    if (!status && enough)
        status = teach(t, lessons, &model, err);
    for (size_t i = 0; !status && model && i < t->track_count; i++)
        errors[i] = error_on(model, &t->tracks[i]);
    prf_model_destroy(&model);
    for (size_t i = 0; parts && i < 2 * t->track_count; i++)
        free(parts[i].items);
    free(parts);
    free(lessons);
    return status;
}

/* errors[trial]. */
static void decide(choice_t *choice, const double errors[TRIALS], size_t n)
{
    bool mapped[SAMPLINGS] = {false};
    for (size_t s = 0; s < SAMPLINGS; s++)
        choice->error_percent[s] = (double)NAN;
    for (size_t i = 0; i < TRIALS; i++) {
        double *least = &choice->error_percent[trials[i].sampling];
        if (isfinite(errors[i]) && !(errors[i] >= *least - NEGLIGIBLE)) {
            *least = errors[i];
            mapped[trials[i].sampling] = trials[i].mapped;
        }
    }
    const double *error = choice->error_percent;
    double limit = CLEAR * error[SAMPLING_RANDOM] - NEGLIGIBLE;
    choice->sampling = SAMPLING_RANDOM;
    if (error[SAMPLING_MIXED] < limit)
        choice->sampling = SAMPLING_MIXED;
    if (error[SAMPLING_REPRESENTATIVES] < limit && error[SAMPLING_REPRESENTATIVES] < error[SAMPLING_MIXED])
        choice->sampling = SAMPLING_REPRESENTATIVES;
    choice->mapped = mapped[choice->sampling];
    choice->compared = n;
}

/* Before anything was compared: as the paper has it where the widths are certain, which is where nothing was swept. */
static void presume(snapshot_t *s)
{
    s->choice = (choice_t){
        .sampling = SAMPLING_RANDOM, .mapped = steps_any(&s->steps) && s->swept.count == 0, .error_percent = {NAN, NAN, NAN}};
}

prf_status_t choose_sampling(prf_training_t *t, prf_error_t *err)
{
    double(*errors)[TRIALS] = calloc(t->track_count, sizeof *errors);
    double *column = calloc(t->track_count, sizeof *column);
    prf_status_t status = errors && column ? PRF_OK : prf_fail(err, PRF_ENOMEM, "training data");
    for (size_t k = 0; !status && k < TRIALS; k++) {
        status = try_out(t, &trials[k], column, err);
        for (size_t i = 0; !status && i < t->track_count; i++)
            errors[i][k] = column[i];
    }
    for (size_t i = 0; !status && i < t->track_count; i++) {
        size_t n = trial_size(t, &t->tracks[i]);
        if (n > 0)
            decide(&t->tracks[i].choice, errors[i], n);
        else if (t->tracks[i].choice.compared == 0)
            presume(&t->tracks[i]);
    }
    free(errors);
    free(column);
    return status;
}

typedef struct {
    const prf_training_t *task;
    const snapshot_t *track;
    double typical_ns, typical_doubt; /* of the layers trained on: medians */
} promise_t;

/* How wide the interval is, in proportion. A model that is sure of everything has no favourites. */
static double doubt(const promise_t *p, const prf_layer_t *layer, double *latency_ns)
{
    prf_block_t block = {.dtype = p->track->space.dtype, .count = 1, .layers = {*layer}};
    prf_estimate_t e;
    if (prf_model_estimate(p->task->model, &block, NULL, &e, NULL))
        return 0;
    *latency_ns = e.latency_ns;
    return log(e.high_ns / e.low_ns) + LEAST_DOUBT;
}

static double promise(void *arg, const prf_layer_t *layer)
{
    const promise_t *p = arg;
    double latency_ns = 0, worth = doubt(p, layer, &latency_ns) / p->typical_doubt;
    worth = fmin(fmax(worth, LEAST_WORTH), MOST_WORTH);
    return p->task->timed ? worth / (1 + latency_ns / p->typical_ns) : worth;
}

static prf_status_t pick(const prf_training_t *t, snapshot_t *s, prf_error_t *err)
{
    choice_t *choice = &s->choice;
    size_t n = s->all.count;
    if (s->room == 0 || n < SURE_FROM)
        return PRF_OK;
    double *numbers = calloc(2 * n, sizeof *numbers), any;
    choice->picks = calloc(s->room, sizeof *choice->picks);
    if (!numbers || !choice->picks) {
        free(numbers);
        return prf_fail(err, PRF_ENOMEM, "layers to measure next");
    }
    double *doubts = numbers + n;
    promise_t p = {.task = t, .track = s};
    for (size_t i = 0; i < n; i++) {
        numbers[i] = s->all.items[i].latency_ns;
        doubts[i] = doubt(&p, &s->all.items[i].layer, &any);
    }
    prf_sort(numbers, n);
    prf_sort(doubts, n);
    p.typical_ns = numbers[n / 2];
    p.typical_doubt = fmax(doubts[n / 2], LEAST_DOUBT);
    free(numbers);
    const prf_steps_t *steps = choice->sampling == SAMPLING_REPRESENTATIVES ? &s->steps : NULL;
    return prf_sample_promising(&s->space, steps, s->seed, s->taken, s->taken_count, promise, &p, s->room, choice->picks,
                                &choice->pick_count, err);
}

prf_status_t choose_picks(prf_training_t *t, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && i < t->track_count; i++)
        status = pick(t, &t->tracks[i], err);
    return status;
}
