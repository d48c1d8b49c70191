// SPDX-License-Identifier: Apache-2.0
/* steps.c - the sweep: which layers to measure so that few of them tell each parameter's step width.
 *
 * Each swept parameter has a curve at each of a few base points (base_points.c). Every hypothesis - no step, or width s - is fitted
 * to every curve (fit.c), and a hypothesis is worth the sum of its BIC over the curves; a curve that shows no step may keep its
 * smooth fit, for something else may bound the latency there. The next layer measured is the one about which the hypotheses still
 * in the running disagree most. Among equal widths that halves the place where an edge can be, so it is bisection, but it also
 * tells widths and slopes apart and, once a width leads, measures both sides of the edges it predicts: a wrong leader is refuted
 * there. A parameter is done when one hypothesis has it; noise shows as nobody winning, and then the answer is width 1 with the
 * confidence that this has.
 *
 * Rejected: measuring every value (a range of 512 costs more than the campaign); repeating points under noise (a farm stores
 * one result for a point; other tiles tell more); autocorrelation and Fourier methods (they need the even grid). */
#include "pr/steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pr/base_points.h"
#include "pr/fit.h"

enum {
    BUDGET = 150,
    BUDGET_MAX = 100000,
    WIDTH_MAX = 256,
    VALUES_MIN = 8,   /* fewer cannot show a period */
    OPENING = 6,      /* points of a curve before anything is fitted */
    CURVE_MIN = 8,    /* points before a parameter may be said to have no steps */
    CURVE_STEPS = 11, /* ... and to have some */
    CURVE_MAX = 18,   /* after the opening */
    FIELD = 16        /* hypotheses whose predictions are compared */
};

#define SURE 0.99   /* posterior at which a parameter is done */
#define ACCEPT 0.95 /* ... at which a width is reported */
#define HIDDEN 5.0  /* BIC that a hypothesis pays for each curve on which its steps are said to be hidden */
#define INDIFFERENT 1e-9
#define SUPPORT 1.0 /* BIC a point by which a curve must itself prefer the steps: they leave a third of its error or less */

typedef struct {
    prf_layer_t base;
    size_t parameter; /* index into sweep.parameters */
    prf_curve_t curve;
    int32_t *values; /* owned: what the parameter may be set to here, rising; 0 once asked for */
    size_t value_count;
    int32_t first, last; /* of values */
    size_t asked;
    bool opened;
    prf_fit_t smooth, *steps; /* owned: by hypothesis */
} track_t;

typedef struct {
    prf_param_t param;
    int32_t *widths; /* owned: hypotheses, widths[0] == 1 */
    double *chance;  /* owned: their posterior */
    size_t count, best;
    bool done;
} parameter_t;

typedef struct {
    prf_layer_t layer;
    double latency; /* NaN: could not be measured */
} measured_t;

typedef struct {
    size_t track;
    size_t layer; /* index into sweep.measured, which the next feed fills */
    int32_t at;
} request_t;

struct prf_sweep {
    prf_space_t space;
    prf_steps_t given;
    parameter_t parameters[PRF_PARAMS];
    size_t parameter_count;
    track_t *tracks; /* owned */
    size_t track_count;
    measured_t *measured; /* owned, `budget` of them */
    size_t measured_count, fed_count, budget;
    prf_layer_t *round; /* owned, `budget` of them */
    size_t round_count;
    request_t requests[PRF_PARAMS * PRF_BASES * OPENING];
    size_t request_count;
    size_t at_once; /* parameters whose curves go on side by side */
    bool waiting;
};

void prf_steps_none(prf_steps_t *out)
{
    *out = (prf_steps_t){0};
    for (int i = 0; i < PRF_PARAMS; i++) {
        out->width[i] = 1;
        out->confidence[i] = 1;
    }
}

/* Right edge of the step that a value lies in. A value beyond the range (an estimate outside what was trained) is not held
 * back by the range's bound. */
static int32_t right_edge(const prf_dim_t *dim, int32_t value, int32_t width)
{
    if (width < 2 || value < 1)
        return value;
    int64_t edge = ((int64_t)value + width - 1) / width * width;
    if (value <= dim->hi && edge > dim->hi)
        edge = dim->hi;
    return edge > INT32_MAX ? value : (int32_t)edge;
}

void prf_steps_map(const prf_steps_t *steps, const prf_space_t *space, prf_layer_t *layer)
{
    if (layer->kind != space->kind)
        return;
    prf_space_t unlimited = *space;
    unlimited.max_macs = 0;
    prf_layer_t here = *layer, there = *layer, mapped = *layer;
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(space, params);
    for (size_t i = 0; i < count; i++)
        if (space->dims[params[i]].kind == PRF_DIM_RANGE)
            there.p[params[i]] = right_edge(&space->dims[params[i]], layer->p[params[i]], steps->width[params[i]]);
    if (prf_space_resolve(&unlimited, &here, NULL) || prf_space_resolve(&unlimited, &there, NULL))
        return;
    /* A layer of some network need not keep the space's ties (w: h): what did not follow does not follow now. */
    for (int i = 0; i < PRF_PARAMS; i++)
        if (layer->p[i] == here.p[i])
            mapped.p[i] = there.p[i];
    if (prf_layer_complete(&mapped, NULL))
        return;
    bool limited = space->max_macs > 0 && prf_layer_macs(layer) <= space->max_macs;
    if (!limited || prf_layer_macs(&mapped) <= space->max_macs)
        *layer = mapped;
}

/* --- hypotheses: what is compared for each parameter ----------------------------------------------------------------- */

static bool is_swept(const prf_sweep_t *self, const prf_knowledge_t *knowledge, prf_param_t param)
{
    const prf_dim_t *dim = &self->space.dims[param];
    return knowledge->kind != PRF_WHITE && knowledge->width[param] == 0 && dim->kind == PRF_DIM_RANGE &&
           dim->hi - dim->lo + 1 >= VALUES_MIN;
}

static prf_status_t check_knowledge(const prf_knowledge_t *knowledge, prf_error_t *err)
{
    if ((unsigned)knowledge->kind > PRF_BLACK)
        return prf_fail(err, PRF_EINVAL, "knowledge %d: use white, grey or black", (int)knowledge->kind);
    for (int i = 0; i < PRF_PARAMS; i++) {
        const char *name = prf_param_name((prf_param_t)i);
        if (knowledge->width[i] < 0)
            return prf_fail(err, PRF_EINVAL, "step width of %s: %d: use 1 (no step) or above", name, knowledge->width[i]);
        if (knowledge->candidate_count[i] > PRF_STEP_CANDIDATES)
            return prf_fail(err, PRF_EINVAL, "%s: %u candidate widths: give at most %d", name, knowledge->candidate_count[i],
                            (int)PRF_STEP_CANDIDATES);
        for (uint32_t j = 0; j < knowledge->candidate_count[i]; j++)
            if (knowledge->candidates[i][j] < 1)
                return prf_fail(err, PRF_EINVAL, "candidate width of %s: %d: use 1 or above", name, knowledge->candidates[i][j]);
    }
    return PRF_OK;
}

static bool known(const parameter_t *parameter, int32_t width)
{
    for (size_t i = 0; i < parameter->count; i++)
        if (parameter->widths[i] == width)
            return true;
    return false;
}

/* Two edges must lie in the window, or nothing tells a step from a knee. */
static prf_status_t add_parameter(prf_sweep_t *self, const prf_knowledge_t *knowledge, prf_param_t param, prf_error_t *err)
{
    parameter_t *parameter = &self->parameters[self->parameter_count++];
    int32_t from, to;
    prf_base_window(&self->space.dims[param], &from, &to);
    int32_t widest = to / 2 < WIDTH_MAX ? to / 2 : WIDTH_MAX;
    uint32_t candidates = knowledge->kind == PRF_GREY ? knowledge->candidate_count[param] : 0;
    parameter->param = param;
    parameter->widths = calloc(WIDTH_MAX, sizeof *parameter->widths);
    parameter->chance = calloc(WIDTH_MAX, sizeof *parameter->chance);
    if (!parameter->widths || !parameter->chance)
        return prf_fail(err, PRF_ENOMEM, "widths of %s", prf_param_name(param));
    parameter->widths[parameter->count++] = 1;
    for (uint32_t i = 0; i < candidates; i++)
        if (knowledge->candidates[param][i] <= widest && !known(parameter, knowledge->candidates[param][i]))
            parameter->widths[parameter->count++] = knowledge->candidates[param][i];
    for (int32_t width = 2; candidates == 0 && width <= widest; width++)
        parameter->widths[parameter->count++] = width;
    parameter->done = parameter->count == 1;
    return PRF_OK;
}

/* --- curves ----------------------------------------------------------------------------------------------------------- */

static prf_status_t add_track(prf_sweep_t *self, size_t parameter, const prf_layer_t *base, prf_error_t *err)
{
    track_t *track = &self->tracks[self->track_count++];
    prf_param_t param = self->parameters[parameter].param;
    int32_t from, to;
    prf_base_window(&self->space.dims[param], &from, &to);
    track->base = *base;
    track->parameter = parameter;
    track->values = calloc((size_t)(to - from) + 1, sizeof *track->values);
    track->steps = calloc(self->parameters[parameter].count, sizeof *track->steps);
    if (!track->values || !track->steps)
        return prf_fail(err, PRF_ENOMEM, "sweep of %s", prf_param_name(param));
    for (int32_t at = from; at <= to; at++) {
        prf_layer_t layer = *base;
        layer.p[param] = at;
        if (prf_space_resolve(&self->space, &layer, NULL) == PRF_OK)
            track->values[track->value_count++] = at;
    }
    if (track->value_count > 0) {
        track->first = track->values[0];
        track->last = track->values[track->value_count - 1];
    }
    return PRF_OK;
}

static void release_track(track_t *track)
{
    free(track->values);
    free(track->steps);
    *track = (track_t){0};
}

/* Curves of one parameter. A base that repeats an earlier one (nothing else is free) or leaves too few values is dropped. */
static prf_status_t add_tracks(prf_sweep_t *self, size_t parameter, size_t bases, uint64_t seed, prf_error_t *err)
{
    prf_param_t param = self->parameters[parameter].param;
    for (size_t number = 0; number < bases && !self->parameters[parameter].done; number++) {
        prf_layer_t base;
        bool fresh = prf_base_find(&self->space, param, number, seed, &base);
        for (size_t i = 0; i < self->track_count && fresh; i++)
            fresh = self->tracks[i].parameter != parameter || !prf_layer_equal(&self->tracks[i].base, &base);
        if (!fresh)
            continue;
        prf_status_t status = add_track(self, parameter, &base, err);
        if (status)
            return status;
        if (self->tracks[self->track_count - 1].value_count < VALUES_MIN)
            release_track(&self->tracks[--self->track_count]);
    }
    return PRF_OK;
}

static prf_status_t build(prf_sweep_t *self, const prf_knowledge_t *knowledge, uint64_t seed, prf_error_t *err)
{
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(&self->space, params);
    for (size_t i = 0; i < count; i++) {
        bool range = self->space.dims[params[i]].kind == PRF_DIM_RANGE;
        if (range && knowledge->width[params[i]] > 0)
            self->given.width[params[i]] = knowledge->width[params[i]];
        prf_status_t status = is_swept(self, knowledge, params[i]) ? add_parameter(self, knowledge, params[i], err) : PRF_OK;
        if (status)
            return status;
        if (range && knowledge->kind != PRF_WHITE && knowledge->width[params[i]] == 0)
            self->given.confidence[params[i]] = 0;
    }
    self->tracks = calloc(self->parameter_count * PRF_BASES + 1, sizeof *self->tracks);
    self->measured = calloc(self->budget, sizeof *self->measured);
    self->round = calloc(self->budget, sizeof *self->round);
    if (!self->tracks || !self->measured || !self->round)
        return prf_fail(err, PRF_ENOMEM, "sweep of %zu layers", self->budget);
    /* A small budget buys fewer curves, then fewer parameters, rather than curves too short to tell anything. */
    size_t bases = PRF_BASES;
    while (bases > 1 && self->parameter_count * bases * (CURVE_MIN + 2) > self->budget)
        bases--;
    self->at_once = self->budget / (bases * CURVE_STEPS);
    for (size_t i = 0; i < self->parameter_count; i++) {
        prf_status_t status = add_tracks(self, i, bases, seed, err);
        if (status)
            return status;
    }
    return PRF_OK;
}

prf_status_t prf_sweep_new(prf_sweep_t **out, const prf_space_t *space, const prf_knowledge_t *knowledge, uint32_t budget,
                           uint64_t seed, prf_error_t *err)
{
    prf_status_t status = prf_space_check(space, err);
    if (!status)
        status = check_knowledge(knowledge, err);
    if (status)
        return status;
    if (budget > BUDGET_MAX)
        return prf_fail(err, PRF_EINVAL, "sweep budget of %u layers: use at most %d", budget, (int)BUDGET_MAX);
    prf_sweep_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "sweep");
    self->space = *space;
    self->budget = budget ? budget : BUDGET;
    prf_steps_none(&self->given);
    status = build(self, knowledge, seed, err);
    if (status) {
        prf_sweep_destroy(&self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

void prf_sweep_destroy(prf_sweep_t **self)
{
    if (!self || !*self)
        return;
    for (size_t i = 0; i < (*self)->track_count; i++)
        release_track(&(*self)->tracks[i]);
    for (size_t i = 0; i < (*self)->parameter_count; i++) {
        free((*self)->parameters[i].widths);
        free((*self)->parameters[i].chance);
    }
    free((*self)->tracks);
    free((*self)->measured);
    free((*self)->round);
    free(*self);
    *self = NULL;
}

/* --- judging --------------------------------------------------------------------------------------------------------- */

/* BIC of a hypothesis on one curve: its steps, or that something else hides them here. */
static double track_bic(const track_t *track, size_t hypothesis)
{
    if (hypothesis == 0)
        return track->smooth.bic;
    return fmin(track->steps[hypothesis].bic, track->smooth.bic + HIDDEN);
}

static bool is_judged(const track_t *track, size_t parameter)
{
    return track->parameter == parameter && isfinite(track->smooth.bic);
}

/* Enough curves must themselves ask for the steps: two of them, where there are two. */
static bool is_supported(const prf_sweep_t *self, size_t parameter, size_t hypothesis)
{
    size_t curves = 0, support = 0;
    for (size_t i = 0; i < self->track_count; i++) {
        const track_t *track = &self->tracks[i];
        if (!is_judged(track, parameter))
            continue;
        curves++;
        support += track->steps[hypothesis].bic <= track->smooth.bic - SUPPORT * (double)track->curve.count;
    }
    return support >= (curves < 2 ? 1 : 2);
}

/* Posterior of each hypothesis: even odds for "no step", the other half shared among the widths. Without a curve that can be
 * judged all stay at 0. */
static void weigh(prf_sweep_t *self, size_t index)
{
    parameter_t *parameter = &self->parameters[index];
    double least = INFINITY, sum = 0;
    bool any = false;
    for (size_t i = 0; i < self->track_count; i++)
        any = any || is_judged(&self->tracks[i], index);
    if (!any)
        return;
    for (size_t h = 0; h < parameter->count; h++) {
        double bic = h > 0 ? 2 * log((double)parameter->count - 1) : 0;
        for (size_t i = 0; i < self->track_count; i++)
            if (is_judged(&self->tracks[i], index))
                bic += track_bic(&self->tracks[i], h);
        parameter->chance[h] = bic;
        if (bic < least) {
            least = bic;
            parameter->best = h;
        }
    }
    for (size_t h = 0; h < parameter->count; h++)
        sum += parameter->chance[h] = exp((least - parameter->chance[h]) / 2);
    for (size_t h = 0; h < parameter->count; h++)
        parameter->chance[h] /= sum;
}

static void judge(prf_sweep_t *self)
{
    for (size_t index = 0; index < self->parameter_count; index++) {
        parameter_t *parameter = &self->parameters[index];
        if (parameter->done)
            continue;
        size_t fewest = PRF_FIT_POINTS;
        for (size_t i = 0; i < self->track_count; i++) {
            track_t *track = &self->tracks[i];
            if (track->parameter != index)
                continue;
            prf_fit_smooth(&track->curve, &track->smooth);
            for (size_t h = 1; h < parameter->count; h++)
                prf_fit_steps(&track->curve, parameter->widths[h], &track->steps[h]);
            fewest = track->curve.count < fewest ? track->curve.count : fewest;
        }
        weigh(self, index);
        bool enough =
            parameter->best == 0 ? fewest >= CURVE_MIN : fewest >= CURVE_STEPS && is_supported(self, index, parameter->best);
        parameter->done = enough && parameter->chance[parameter->best] >= SURE;
    }
}

/* --- asking ---------------------------------------------------------------------------------------------------------- */

/* The hypotheses most in the running, best first; "no step" always among them. Returns how many. */
static size_t field_of(const parameter_t *parameter, size_t field[FIELD])
{
    size_t count = 0;
    for (size_t h = 0; h < parameter->count; h++) {
        size_t k = count < FIELD ? count : FIELD - 1;
        if (count == FIELD && parameter->chance[h] <= parameter->chance[field[k]])
            continue;
        for (; k > 0 && parameter->chance[field[k - 1]] < parameter->chance[h]; k--)
            field[k] = field[k - 1];
        field[k] = h;
        count += count < FIELD;
    }
    for (size_t k = 0; k < count; k++)
        if (field[k] == 0)
            return count;
    field[count - 1] = 0;
    return count;
}

/* How much the field disagrees about one value: variance of what it expects, relative to its mean, weighted by rank. */
static double dispute(const track_t *track, const size_t *field, size_t count, int32_t at)
{
    double weight = 0, mean = 0, square = 0;
    for (size_t k = 0; k < count; k++) {
        bool hidden = field[k] == 0 || track->steps[field[k]].bic >= track->smooth.bic + HIDDEN;
        double expected = prf_fit_predict(hidden ? &track->smooth : &track->steps[field[k]], at);
        double w = 1 / (1 + (double)k);
        weight += w;
        mean += w * expected;
        square += w * expected * expected;
    }
    mean /= weight;
    return (square / weight - mean * mean) / (mean * mean + 1e-300);
}

/* Distance on a logarithmic scale from the values measured so far. */
static double gap(const prf_curve_t *curve, int32_t at)
{
    double least = INFINITY;
    for (size_t i = 0; i < curve->count; i++)
        least = fmin(least, fabs(log((double)at / curve->at[i])));
    return least;
}

static bool choose(const prf_sweep_t *self, track_t *track, int32_t *at)
{
    const parameter_t *parameter = &self->parameters[track->parameter];
    size_t field[FIELD], count = field_of(parameter, field), best = 0, widest = 0;
    double most = -1, room = -1;
    bool judged = isfinite(track->smooth.bic);
    for (size_t i = 0; i < track->value_count; i++) {
        if (track->values[i] == 0)
            continue;
        double d = judged ? dispute(track, field, count, track->values[i]) : 0, g = gap(&track->curve, track->values[i]);
        if (d > most)
            most = d, best = i;
        if (g > room)
            room = g, widest = i;
    }
    if (room < 0)
        return false;
    size_t pick = most > INDIFFERENT ? best : widest;
    *at = track->values[pick];
    track->values[pick] = 0;
    return true;
}

/* The value nearest to a part (0 .. 1) of the curve on a logarithmic scale. */
static bool open_value(track_t *track, int32_t first, int32_t last, double part, int32_t *at)
{
    double target = first * pow((double)last / first, part), nearest = INFINITY;
    size_t pick = track->value_count;
    for (size_t i = 0; i < track->value_count; i++) {
        double distance = fabs(track->values[i] - target);
        if (track->values[i] == 0 || distance >= nearest)
            continue;
        nearest = distance;
        pick = i;
    }
    if (pick == track->value_count)
        return false;
    *at = track->values[pick];
    track->values[pick] = 0;
    return true;
}

static void add_point(track_t *track, int32_t at, double latency)
{
    if (!isfinite(latency) || latency <= 0 || track->curve.count == PRF_FIT_POINTS)
        return;
    track->curve.at[track->curve.count] = at;
    track->curve.y[track->curve.count++] = latency;
}

/* Asks for one layer, unless it is known from another curve or asked for in this round already. False: the budget is spent. */
static bool ask(prf_sweep_t *self, size_t index, int32_t at)
{
    track_t *track = &self->tracks[index];
    prf_layer_t layer = track->base;
    layer.p[self->parameters[track->parameter].param] = at;
    if (prf_space_resolve(&self->space, &layer, NULL))
        return true;
    size_t i = 0;
    while (i < self->measured_count && !prf_layer_equal(&self->measured[i].layer, &layer))
        i++;
    if (i < self->fed_count) {
        add_point(track, at, self->measured[i].latency);
        return true;
    }
    if (i == self->measured_count) {
        if (self->measured_count == self->budget)
            return false;
        self->measured[self->measured_count++] = (measured_t){.layer = layer, .latency = NAN};
        self->round[self->round_count++] = layer;
    }
    self->requests[self->request_count++] = (request_t){.track = index, .layer = i, .at = at};
    return true;
}

/* Opens a curve. Each curve of a parameter starts elsewhere: where they share a shape, other values tell more of it. False: the
 * budget is spent. */
static bool ask_opening(prf_sweep_t *self, size_t index)
{
    track_t *track = &self->tracks[index];
    for (size_t number = 0; number < OPENING; number++) {
        double part = ((double)number + ((double)(index % PRF_BASES) + 0.5) / PRF_BASES) / OPENING;
        int32_t at;
        if (open_value(track, track->first, track->last, part, &at) && !ask(self, index, at))
            return false;
    }
    track->opened = true;
    return true;
}

/* What the curves of one parameter ask for this round. False: they have nothing more to ask, or the budget is spent. */
static bool ask_parameter(prf_sweep_t *self, size_t parameter)
{
    bool any = false;
    for (size_t i = 0; i < self->track_count; i++) {
        track_t *track = &self->tracks[i];
        int32_t at;
        if (track->parameter != parameter || track->asked == CURVE_MAX)
            continue;
        if (!track->opened) {
            if (self->budget - self->measured_count < CURVE_STEPS)
                continue;
            if (!ask_opening(self, i))
                return any;
        } else if (choose(self, track, &at)) {
            track->asked++;
            if (!ask(self, i, at))
                return any;
        } else
            continue;
        any = true;
    }
    return any;
}

/* One round of asking. Returns whether any curve had a question, be it one whose answer is known already. */
static bool ask_more(prf_sweep_t *self)
{
    bool any = false;
    size_t open = 0;
    for (size_t i = 0; i < self->parameter_count && open < self->at_once; i++) {
        parameter_t *parameter = &self->parameters[i];
        if (parameter->done)
            continue;
        bool asked = ask_parameter(self, i);
        parameter->done = !asked;
        open += asked;
        any = any || asked;
    }
    return any;
}

prf_status_t prf_sweep_round(prf_sweep_t *self, const prf_layer_t **layers, size_t *count, prf_error_t *err)
{
    if (self->waiting)
        return prf_fail(err, PRF_EINVAL, "sweep: a round of %zu layers still waits for its latencies", self->round_count);
    self->round_count = self->request_count = 0;
    while (self->round_count == 0 && ask_more(self))
        if (self->round_count == 0)
            judge(self); /* what was asked for was known from other curves */
    self->waiting = self->round_count > 0;
    *layers = self->round;
    *count = self->round_count;
    return PRF_OK;
}

prf_status_t prf_sweep_feed(prf_sweep_t *self, const double *latency_ns, size_t count, prf_error_t *err)
{
    if (!self->waiting || count != self->round_count)
        return prf_fail(err, PRF_EINVAL, "sweep: %zu latencies for a round of %zu layers", count,
                        self->waiting ? self->round_count : (size_t)0);
    for (size_t i = 0; i < count; i++)
        self->measured[self->fed_count + i].latency = latency_ns[i];
    self->fed_count += count;
    for (size_t i = 0; i < self->request_count; i++) {
        const request_t *request = &self->requests[i];
        add_point(&self->tracks[request->track], request->at, self->measured[request->layer].latency);
    }
    self->waiting = false;
    judge(self);
    return PRF_OK;
}

void prf_sweep_steps(const prf_sweep_t *self, prf_steps_t *out)
{
    *out = self->given;
    for (size_t i = 0; i < self->parameter_count; i++) {
        const parameter_t *parameter = &self->parameters[i];
        bool found = parameter->best > 0 && parameter->chance[parameter->best] >= ACCEPT && is_supported(self, i, parameter->best);
        size_t answer = found ? parameter->best : 0;
        out->width[parameter->param] = parameter->widths[answer];
        out->confidence[parameter->param] = parameter->chance[answer];
    }
}
