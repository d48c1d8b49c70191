// SPDX-License-Identifier: Apache-2.0
/* engine_choose.c - what a training finds out about sampling: which layers teach most on this board, and which to measure next.
 *
 * Whether Performance Representatives teach more than layers of the original space is not taken on faith. Models are trained on
 * equally many layers of each sort and of both, with the swept layers beside them; layers of the original space that none of them
 * saw judge, layer kind by layer kind. Representatives, or a mixture, must be clearly better, by more than the judging layers can
 * differ by chance: layers of the original space never mislead, and show widths that no sweep found, which multiples of other
 * widths hide; and a model that has not found a board's structure yet is off by anything. Where there are too few layers to
 * compare, or no step was found, they are taken. The last helping is not compared again: nothing is sampled after it.
 *
 * Whether an estimate should ask for a layer's representative is for each training to find out, by cross-validation
 * (model/train.h): on boards that slope within a step it should not.
 *
 * What is measured next are layers drawn from the original space (mapped, where representatives teach more), the more probably the
 * wider the model's interval around them is in proportion (within limits), and, where a campaign has a time budget, the less time
 * they cost. Drawn, not ranked: the very worst layers are neighbours, and the many that matter little to the model still matter to
 * its users. None are picked where the model is, or stands on, a sum of terms: what that is unsure of are layers that lack
 * something in the sum, and the search for it goes astray when they are most of what it sees (vta with 300 layers, three seeds:
 * 0.84, 0.15 and 1.43 % with picks, 0.24, 0.15 and 0.19 % without). */
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
#define NEGLIGIBLE 0.001 /* not by less than this: percent, */
#define SURE 2.0         /* and by so many standard errors of the difference, judging layer by judging layer */
#define LEAST_DOUBT 1e-4 /* an interval of no width */
/* No layer is drawn much less or much more often than the typical one: spread says little about single layers. */
#define LEAST_WORTH 0.5
#define MOST_WORTH 4.0

static const sampling_t trials[] = {SAMPLING_RANDOM, SAMPLING_MIXED, SAMPLING_REPRESENTATIVES};
enum { TRIALS = sizeof trials / sizeof *trials };

/* Representatives alone cannot tell whether others are like them. */
prf_mapping_t mapping_of(sampling_t sampling)
{
    return sampling == SAMPLING_REPRESENTATIVES ? PRF_MAP_ALWAYS : PRF_MAP_IF_BETTER;
}

/* Layers of each sort that a trial sees; 0: no trial. Half of the original ones judge. */
static size_t trial_size(const prf_training_t *t, const snapshot_t *s)
{
    if (s->choice.compared >= TRIAL_PLENTY || (t->last && s->choice.compared > 0))
        return 0;
    size_t n = s->original.count / 2 < s->representatives.count ? s->original.count / 2 : s->representatives.count;
    n = n < TRIAL_MOST ? n : TRIAL_MOST;
    return n >= TRIAL_LEAST && prf_steps_any(&s->steps) ? n : 0;
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

/* Percentage errors on the judging layers of a track, the same ones in every trial. */
typedef struct {
    size_t count; /* 0: there was no trial */
    double of[TRIAL_MOST];
} errors_t;

static prf_status_t judge(const prf_model_t *model, const snapshot_t *track, const observations_t *layers, errors_t *out,
                          prf_error_t *err)
{
    for (size_t i = 0; i < layers->count; i++) {
        prf_block_t block = {.dtype = track->space.dtype, .count = 1, .layers = {layers->items[i].layer}};
        prf_estimate_t e;
        prf_status_t status = prf_model_estimate(model, &block, NULL, &e, err);
        if (status)
            return status;
        out->of[out->count++] = 100 * fabs(e.latency_ns / layers->items[i].latency_ns - 1);
    }
    return PRF_OK;
}

/* Trains one trial's model of all tracks; errors[][which] receives each track's. */
static prf_status_t try_out(const prf_training_t *t, size_t which, errors_t (*errors)[TRIALS], prf_error_t *err)
{
    observations_t *parts = calloc(2 * t->track_count, sizeof *parts);
    lesson_t *lessons = calloc(t->track_count, sizeof *lessons);
    prf_status_t status = parts && lessons ? PRF_OK : prf_fail(err, PRF_ENOMEM, "training data");
    bool enough = false;
    for (size_t i = 0; !status && i < t->track_count; i++) {
        lessons[i] = (lesson_t){&parts[2 * i], &parts[2 * i + 1], mapping_of(trials[which]), NULL};
        status = divide(t, &t->tracks[i], trials[which], &parts[2 * i], &parts[2 * i + 1], err);
        enough = enough || parts[2 * i].count >= PRF_TRAIN_LEAST;
    }
    prf_model_t *model = NULL;
    if (!status && enough)
        status = teach(t, lessons, &model, err);
    for (size_t i = 0; !status && model && i < t->track_count; i++)
        if (parts[2 * i].count >= PRF_TRAIN_LEAST)
            status = judge(model, &t->tracks[i], &parts[2 * i + 1], &errors[i][which], err);
    prf_model_destroy(&model);
    for (size_t i = 0; parts && i < 2 * t->track_count; i++)
        free(parts[i].items);
    free(parts);
    free(lessons);
    return status;
}

static double mean(const errors_t *errors)
{
    double sum = 0;
    for (size_t i = 0; i < errors->count; i++)
        sum += errors->of[i];
    return sum / (double)errors->count;
}

static bool clearly_better(const errors_t *than, const errors_t *errors)
{
    double n = (double)errors->count, gain = mean(than) - mean(errors), squares = 0;
    for (size_t i = 0; i < errors->count; i++) {
        double beside = than->of[i] - errors->of[i] - gain;
        squares += beside * beside;
    }
    return n > 1 && gain > (1 - CLEAR) * mean(than) + NEGLIGIBLE && gain > SURE * sqrt(squares / (n - 1) / n);
}

/* What errs least of what is clearly better than layers of the original space. */
static void decide(choice_t *choice, const errors_t errors[TRIALS], size_t n)
{
    size_t best = 0;
    for (size_t i = 0; i < TRIALS; i++) {
        choice->error_percent[trials[i]] = mean(&errors[i]);
        if (clearly_better(&errors[0], &errors[i]) && mean(&errors[i]) < mean(&errors[best]))
            best = i;
    }
    choice->sampling = trials[best];
    choice->compared = n;
}

prf_status_t choose_sampling(prf_training_t *t, prf_error_t *err)
{
    errors_t(*errors)[TRIALS] = calloc(t->track_count, sizeof *errors);
    prf_status_t status = errors ? PRF_OK : prf_fail(err, PRF_ENOMEM, "training data");
    for (size_t k = 0; !status && k < TRIALS; k++)
        status = try_out(t, k, errors, err);
    for (size_t i = 0; !status && i < t->track_count; i++) {
        size_t n = trial_size(t, &t->tracks[i]);
        if (n > 0)
            decide(&t->tracks[i].choice, errors[i], n);
        else if (t->tracks[i].choice.compared == 0)
            t->tracks[i].choice = (choice_t){.sampling = SAMPLING_RANDOM, .error_percent = {NAN, NAN, NAN}};
    }
    free(errors);
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
    prf_model_layer_t layer;
    size_t n = s->all.count;
    if (s->room == 0 || n < SURE_FROM)
        return PRF_OK;
    if (prf_model_layer_find(t->model, s->space.kind, s->space.dtype, &layer) && layer.sums)
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
