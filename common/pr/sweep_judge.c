// SPDX-License-Identifier: Apache-2.0
/* sweep_judge.c - what the measured points say for each hypothesis.
 *
 * Every hypothesis is fitted to every curve in use (fit.c). It is worth the sum of its BIC over the curves and the price of its
 * prior; a curve that shows no step may keep its smooth fit, for something else may bound the latency there. One curve settles
 * which hypothesis to confirm, a second one at another base confirms it, and a third decides where they disagree. A curve that
 * neither lines nor steps explain, while other parameters' curves are explained well, is not measured any longer: its
 * disorder is the board's own, not noise. */
#include <math.h>

#include "pr/sweep_internal.h"

enum {
    NONE_MIN = 7,      /* points of the first curve before it may be said to have no steps, */
    NONE_NOISY = 14,   /* ... where they are noisy, */
    STEPS_MIN = 10,    /* ... and to have some */
    DISORDER_MIN = 14, /* points of a curve before it may be given up */
    EDGES = 4,         /* the first ones of a width are the highest */
    SPARE = 6          /* points beyond a fit's parameters before what it leaves tells the noise */
};

#define SURE 0.99        /* posterior at which the curves in use have decided for steps */
#define SURE_NONE 0.95   /* ... and for none */
#define ACCEPT 0.95      /* ... at which a width is reported */
#define ACCEPT_EDGE 0.75 /* ... where one edge had to do, ... */
#define EDGE 0.9         /* ... and what is left of it then */
#define LONE 0.97        /* what is left of it where one curve had to do */
#define HIDDEN 5.0       /* BIC that a hypothesis pays for each curve on which its steps are said to be hidden */
#define DISORDER 4.0     /* times the noise: neither lines nor steps */
#define DOUBTFUL 2.5     /* ... and not yet lines */
#define CHANCE 1.3       /* standard deviations that an estimate of the noise may be too low */
#define NOISY 5.0        /* times the floor of a fit */
#define AS_NOISE 1.5     /* a fit that leaves this much of the noise explains everything */
#define LEVEL 0.9        /* share at which a single edge is one of level tiles */

/* Squared error that steps may leave of the smooth fit's, as BIC a point: a third; less where more could be fitted by chance. */
#define SUPPORT 1.0
#define SUPPORT_JOINT 2.0
#define SUPPORT_MINOR 3.0
#define SUPPORT_NOISY 0.3 /* enough where nothing but noise is left */

static track_t *first_track(const prf_sweep_t *self, const parameter_t *parameter)
{
    return self->tracks + parameter->first_track;
}

static bool is_judged(const track_t *track)
{
    return track->opened && isfinite(track->smooth.bic);
}

bool sweep_hidden(const track_t *track, size_t hypothesis)
{
    return hypothesis == 0 || track->steps[hypothesis].bic >= track->smooth.bic + HIDDEN;
}

/* A curve that ends before the first edge says nothing, and costs nothing. */
static bool has_edges(const track_t *track, const hypothesis_t *hypothesis)
{
    const int32_t *at = track->axes[hypothesis->axis];
    return (at[0] - 1) / hypothesis->width != (at[track->value_count - 1] - 1) / hypothesis->width;
}

/* Price of saying that a curve hides the steps. */
static double excuse(const parameter_t *parameter, const track_t *track, size_t h)
{
    return h > 0 && sweep_hidden(track, h) && has_edges(track, &parameter->hypotheses[h]) ? HIDDEN : 0;
}

static const prf_fit_t *fit_of(const track_t *track, size_t hypothesis)
{
    return sweep_hidden(track, hypothesis) ? &track->smooth : &track->steps[hypothesis];
}

/* Relative noise of this board: the least that the best fit leaves on another parameter's curve, or as much more as that may be
 * by chance. INFINITY: not known yet. */
static double noise_beside(const prf_sweep_t *self, const parameter_t *beside)
{
    double least = INFINITY;
    for (size_t i = 0; i < self->parameter_count; i++) {
        const parameter_t *parameter = &self->parameters[i];
        for (size_t t = 0; t < parameter->active && t < parameter->track_count && parameter != beside; t++) {
            const track_t *track = first_track(self, parameter) + t;
            const prf_fit_t *fit = is_judged(track) ? fit_of(track, parameter->best) : NULL;
            if (fit && (double)track->curve[0].count >= fit->spent + SPARE)
                least = fmin(least, fit->rms * (1 + CHANCE / sqrt(2 * ((double)track->curve[0].count - fit->spent))));
        }
    }
    return least;
}

static bool supports(const parameter_t *parameter, const track_t *track, size_t h, double noise)
{
    const hypothesis_t *hypothesis = &parameter->hypotheses[h];
    const prf_fit_t *steps = &track->steps[h];
    const prf_fit_t *smooth = hypothesis->single ? &track->unbroken : &track->smooth; /* a single edge is a break */
    double points = (double)track->curve[0].count, gain = smooth->bic - steps->bic;
    bool joint = parameter->axes[hypothesis->axis] >= PRF_Q_ROWS;
    double need = steps->share < PRF_FIT_SHARE ? SUPPORT_MINOR : joint ? SUPPORT_JOINT : SUPPORT;
    if (need <= SUPPORT && steps->rms <= AS_NOISE * noise)
        need = SUPPORT_NOISY;
    return gain >= need * points;
}

/* Curves that ask for the steps of a hypothesis by themselves; *judged counts those that could. */
static size_t support_of(const prf_sweep_t *self, const parameter_t *parameter, size_t h, size_t *judged)
{
    double noise = noise_beside(self, parameter);
    size_t support = 0;
    *judged = 0;
    for (size_t t = 0; t < parameter->active && t < parameter->track_count; t++) {
        const track_t *track = first_track(self, parameter) + t;
        if (!is_judged(track))
            continue;
        ++*judged;
        support += supports(parameter, track, h, noise);
    }
    return support;
}

/* A product that is a multiple of the parameter on all curves in use says the same as the parameter itself, which is then
 * preferred. */
static bool is_echo(const prf_sweep_t *self, const parameter_t *parameter, const hypothesis_t *hypothesis)
{
    int32_t ratio = first_track(self, parameter)->ratio[hypothesis->axis];
    for (size_t t = 0; t < parameter->active && t < parameter->track_count; t++)
        if (hypothesis->axis == 0 ||
            (first_track(self, parameter)[t].opened && first_track(self, parameter)[t].ratio[hypothesis->axis] != ratio))
            return false;
    return ratio > 0 && hypothesis->width % ratio == 0;
}

/* Share of a curve's points that are left to judge by once the best fit has had its own. BIC counts all of them, and with ten
 * points and some hundred widths is far too sure. */
static double left_to_judge(const parameter_t *parameter, const track_t *track)
{
    double points = (double)track->curve[0].count;
    return fmax(points - fit_of(track, parameter->best)->spent, 1) / points;
}

/* -2 log posterior of a hypothesis, but for a constant. */
static double cost_of(const prf_sweep_t *self, const parameter_t *parameter, size_t h, bool cautious)
{
    if (is_echo(self, parameter, &parameter->hypotheses[h]))
        return INFINITY;
    double cost = parameter->hypotheses[h].price;
    for (size_t t = 0; t < parameter->active && t < parameter->track_count; t++) {
        const track_t *track = first_track(self, parameter) + t;
        if (is_judged(track))
            cost += excuse(parameter, track, h) + (cautious ? left_to_judge(parameter, track) : 1) * fit_of(track, h)->bic;
    }
    return cost;
}

/* Chance of many edges against a single break at one of them, such as another kernel from there on, on all curves alike. It has
 * the same prior, and of a width the first edges are the highest. */
static double against_break(const prf_sweep_t *self, const parameter_t *parameter)
{
    const track_t *tracks = first_track(self, parameter);
    const hypothesis_t *best = &parameter->hypotheses[parameter->best];
    if (parameter->best == 0 || best->single)
        return 1;
    int32_t edge = (tracks->axes[best->axis][0] + best->width - 1) / best->width * best->width;
    double least = INFINITY;
    for (int i = 0; i < EDGES; i++, edge += best->width) {
        double gain = 0;
        for (size_t t = 0; t < parameter->active && t < parameter->track_count; t++) {
            prf_fit_t broken = {.bic = INFINITY};
            if (is_judged(&tracks[t]))
                prf_fit_broken_at(&tracks[t].curve[best->axis], edge, &broken);
            if (isfinite(broken.bic))
                gain += left_to_judge(parameter, &tracks[t]) * (broken.bic - fit_of(&tracks[t], parameter->best)->bic);
        }
        least = fmin(least, gain);
    }
    return 1 / (1 + exp(-least / 2));
}

/* Posterior of each hypothesis. Without a curve that can be judged all stay at 0. */
static void weigh(const prf_sweep_t *self, parameter_t *parameter)
{
    double least = INFINITY, sum = 0;
    if (!is_judged(first_track(self, parameter)))
        return;
    size_t best = 0;
    for (size_t h = 0; h < parameter->count; h++) {
        double cost = cost_of(self, parameter, h, false);
        if (cost < least)
            least = cost, best = h;
    }
    parameter->best = best;
    for (size_t h = 0; h < parameter->count; h++) {
        parameter->chance[h] = cost_of(self, parameter, h, true);
        least = h == 0 ? parameter->chance[h] : fmin(least, parameter->chance[h]);
    }
    for (size_t h = 0; h < parameter->count; h++)
        sum += parameter->chance[h] = exp((least - parameter->chance[h]) / 2);
    for (size_t h = 0; h < parameter->count; h++)
        parameter->chance[h] /= sum;
}

static void fit_track(const parameter_t *parameter, track_t *track)
{
    track->smooth.bic = track->unbroken.bic = INFINITY;
    for (size_t axis = 0; axis < parameter->axis_count; axis++) {
        prf_fit_t fit;
        prf_fit_unbroken(&track->curve[axis], &fit);
        if (fit.bic < track->unbroken.bic)
            track->unbroken = fit;
        prf_fit_smooth(&track->curve[axis], &fit);
        if (fit.bic < track->smooth.bic)
            track->smooth = fit, track->smooth_axis = axis;
    }
    for (size_t h = 1; h < parameter->count; h++)
        prf_fit_steps(&track->curve[parameter->hypotheses[h].axis], parameter->hypotheses[h].width, &track->steps[h]);
    track->stale = false;
}

/* One curve shows none of the steps that another does: only a third can tell. */
static bool is_split(const prf_sweep_t *self, const parameter_t *parameter)
{
    const track_t *tracks = first_track(self, parameter);
    bool against = false;
    for (size_t t = 0; t < parameter->active && t < parameter->track_count && parameter->best > 0; t++)
        against = against || (is_judged(&tracks[t]) && tracks[t].steps[parameter->best].bic >= tracks[t].smooth.bic);
    return against && tracks[parameter->active - 1].curve[0].count >= STEPS_MIN;
}

/* Posterior that speaks for what leads: of "no step" with that of widths which are hidden on every curve in use, and of a single
 * edge, which cannot beat a break before a second curve has it in the same place, among the widths. */
static double lead_of(const prf_sweep_t *self, const parameter_t *parameter)
{
    double lead = parameter->chance[parameter->best] * against_break(self, parameter);
    if (parameter->hypotheses[parameter->best].single) {
        bool elsewhere = is_split(self, parameter) && parameter->active < parameter->track_count;
        return elsewhere || lead / (1 - parameter->chance[0]) >= ACCEPT ? 1 : 0;
    }
    for (size_t h = 1; h < parameter->count && parameter->best == 0; h++) {
        bool hidden = true;
        for (size_t t = 0; t < parameter->active && t < parameter->track_count; t++)
            hidden = hidden && sweep_hidden(first_track(self, parameter) + t, h);
        lead += hidden ? parameter->chance[h] : 0;
    }
    return lead;
}

/* The newest curve in use follows no hypothesis: what the best leaves is more than noise. */
static bool is_disorder(const prf_sweep_t *self, const parameter_t *parameter, double limit)
{
    const track_t *track = first_track(self, parameter) + parameter->active - 1;
    double noise = fmax(noise_beside(self, parameter), PRF_FIT_FLOOR);
    return is_judged(track) && fit_of(track, parameter->best)->rms > limit * noise;
}

/* Whether the curves in use agree and have points enough. */
static bool is_settled(const prf_sweep_t *self, const parameter_t *parameter)
{
    size_t judged, support = support_of(self, parameter, parameter->best, &judged), wanted = judged < 2 ? judged : 2;
    const track_t *first = first_track(self, parameter);
    if (judged < parameter->active || lead_of(self, parameter) < (parameter->best ? SURE : SURE_NONE))
        return false;
    if (parameter->best == 0) {
        size_t need = first->smooth.rms > NOISY * PRF_FIT_FLOOR ? NONE_NOISY : NONE_MIN;
        return first->curve[0].count >= need && !is_disorder(self, parameter, DOUBTFUL);
    }
    return first->curve[0].count >= STEPS_MIN && (support >= wanted || is_split(self, parameter));
}

/* An edge that one curve has sharper than any break is worth looking for on another, although one curve cannot tell it from
 * a break: the prior of so many widths is against it. */
static bool has_edge(const prf_sweep_t *self, const parameter_t *parameter)
{
    for (size_t h = 1; h < parameter->count; h++)
        for (size_t t = 0; t < parameter->active && t < parameter->track_count && parameter->hypotheses[h].single; t++) {
            const track_t *track = first_track(self, parameter) + t;
            if (is_judged(track) && track->steps[h].bic < track->smooth.bic)
                return true;
        }
    return false;
}

/* What leads, and is not sure, is not worth having either. */
static bool is_trifle(const parameter_t *parameter, const track_t *track)
{
    return parameter->best > 0 && !parameter->hypotheses[parameter->best].single &&
           fit_of(track, parameter->best)->share < PRF_FIT_SHARE;
}

/* Two curves that agree are enough, and where there is no order it need not be looked for any further. */
static void move_on(const prf_sweep_t *self, parameter_t *parameter)
{
    parameter->settled = is_settled(self, parameter);
    bool more = is_split(self, parameter) || (parameter->best == 0 && has_edge(self, parameter));
    size_t enough = parameter->track_count < 2 || more ? parameter->track_count : 2;
    const track_t *newest = first_track(self, parameter) + parameter->active - 1;
    if (parameter->settled)
        parameter->done = parameter->active >= enough;
    else
        parameter->done =
            newest->curve[0].count >= DISORDER_MIN && (is_disorder(self, parameter, DISORDER) || is_trifle(parameter, newest));
}

void sweep_judge(prf_sweep_t *self)
{
    for (size_t i = 0; i < self->parameter_count; i++) {
        parameter_t *parameter = &self->parameters[i];
        bool fresh = false;
        for (size_t t = 0; t < parameter->track_count && !parameter->done; t++) {
            track_t *track = first_track(self, parameter) + t;
            if (track->stale) {
                fit_track(parameter, track);
                fresh = true;
            }
        }
        if (fresh)
            weigh(self, parameter);
    }
    for (size_t i = 0; i < self->parameter_count; i++)
        if (!self->parameters[i].done)
            move_on(self, &self->parameters[i]);
}

/* --- the answer ------------------------------------------------------------------------------------------------------- */

static void add_further(prf_steps_t *out, prf_further_step_t step)
{
    for (uint32_t i = 0; i < out->further_count; i++)
        if (out->further[i].of == step.of && out->further[i].width == step.width) {
            out->further[i].confidence = fmax(out->further[i].confidence, step.confidence);
            return;
        }
    uint32_t at = out->further_count < PRF_STEPS_FURTHER ? out->further_count++ : PRF_STEPS_FURTHER - 1;
    for (; at > 0 && out->further[at - 1].confidence < step.confidence; at--)
        out->further[at] = out->further[at - 1];
    out->further[at] = step;
}

/* What the curves that ask for the steps say of them: the mean share of the growth, and the steps within them that all of these
 * curves have; 0: none. */
static void describe(const prf_sweep_t *self, const parameter_t *parameter, double *share, int32_t *inner)
{
    double noise = noise_beside(self, parameter), sum = 0, curves = 0;
    size_t told = 0; /* curves with points enough for steps within steps */
    for (size_t t = 0; t < parameter->active && t < parameter->track_count; t++) {
        const track_t *track = first_track(self, parameter) + t;
        const prf_fit_t *fit = &track->steps[parameter->best];
        if (!is_judged(track) || !supports(parameter, track, parameter->best, noise))
            continue;
        int32_t within = fit->tiled ? 0 : fit->inner;
        if (track->curve[0].count >= PRF_FIT_NESTED)
            *inner = told == 0 || *inner == within ? within : 0, told++;
        sum += fit->share;
        curves++;
    }
    *share = sum / fmax(curves, 1);
}

static void report(const prf_sweep_t *self, const parameter_t *parameter, double confidence, prf_steps_t *out)
{
    const hypothesis_t *found = &parameter->hypotheses[parameter->best];
    prf_quantity_t of = parameter->axes[found->axis];
    double share = 0;
    int32_t inner = 0;
    describe(self, parameter, &share, &inner);
    int32_t width = inner ? inner : found->width;
    bool alike = found->axis == 0; /* or the output as large as the input: a step in the one is one in the other */
    for (size_t t = 0; t < parameter->active && t < parameter->track_count; t++)
        alike = alike || (of < PRF_Q_ROWS && first_track(self, parameter)[t].ratio[found->axis] == 1);
    bool maps = alike && share >= (found->single ? LEVEL : PRF_FIT_SHARE);
    if (maps) {
        out->width[parameter->param] = width;
        out->confidence[parameter->param] = confidence;
    }
    if (!maps || found->axis > 0)
        add_further(out, (prf_further_step_t){of, width, confidence, share});
    if (inner)
        add_further(out, (prf_further_step_t){of, found->width, confidence, share});
}

void prf_sweep_steps(const prf_sweep_t *self, prf_steps_t *out)
{
    *out = self->given;
    for (size_t i = 0; i < self->parameter_count; i++) {
        const parameter_t *parameter = &self->parameters[i];
        const hypothesis_t *best = &parameter->hypotheses[parameter->best];
        size_t judged, support = support_of(self, parameter, parameter->best, &judged);
        size_t need = best->single || parameter->active > 1 ? 2 : 1;
        double accept = best->single ? ACCEPT_EDGE : ACCEPT;
        double chance = parameter->chance[parameter->best] * against_break(self, parameter);
        double confidence = chance * (judged < 2 ? LONE : 1) * (best->single ? EDGE : 1);
        out->confidence[parameter->param] = parameter->chance[0];
        if (parameter->best > 0 && support >= need && chance >= accept)
            report(self, parameter, confidence, out);
    }
}
