// SPDX-License-Identifier: Apache-2.0
/* sweep.c - the sweep: which layers to measure so that few of them tell each parameter's step width.
 *
 * The next layer measured on a curve is the one about which the hypotheses still in the running disagree most. Among equal widths
 * that halves the place where an edge can be, so it is bisection, but it also tells widths and slopes apart and, once a width
 * leads, measures both sides of the edges it predicts: a wrong leader is refuted there. The first curves of all parameters go on
 * side by side; a second curve is opened once the first has decided, or can tell no more. A small budget buys first curves before
 * second ones, and few parameters rather than curves too short to tell anything. Noise shows as nobody winning, and then the answer
 * is width 1 with the confidence that this has.
 *
 * Rejected: measuring every value (a range of 512 costs more than the campaign); repeating points under noise (a farm stores one
 * result for a point; neighbours in the same tile tell as much, and other tiles more); autocorrelation and Fourier methods (they
 * need the even grid); opening the second curve at the edges that the first one found (no fewer layers than evenly, and blind to
 * other widths). */
#include <math.h>
#include <stdlib.h>

#include "pr/sweep_internal.h"

enum {
    BUDGET = 150,
    BUDGET_MAX = 100000,
    CURVE_MIN = 10, /* layers that a first curve takes until it can show steps */
    FIELD = 16      /* hypotheses whose predictions are compared */
};

#define INDIFFERENT 1e-9
#define TEMPER 0.25

prf_status_t prf_sweep_new(prf_sweep_t **out, const prf_space_t *space, const prf_knowledge_t *knowledge, uint32_t budget,
                           uint64_t seed, prf_error_t *err)
{
    prf_status_t status = prf_space_check(space, err);
    if (status)
        return status;
    if (budget > BUDGET_MAX)
        return prf_fail(err, PRF_EINVAL, "sweep budget of %u layers: use at most %d", budget, (int)BUDGET_MAX);
    prf_sweep_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "sweep");
    self->space = *space;
    self->budget = budget ? budget : BUDGET;
    status = sweep_build(self, knowledge, seed, err);
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
        sweep_release_track(&(*self)->tracks[i]);
    for (size_t i = 0; i < (*self)->parameter_count; i++) {
        free((*self)->parameters[i].hypotheses);
        free((*self)->parameters[i].chance);
    }
    free((*self)->tracks);
    free((*self)->measured);
    free((*self)->round);
    free(*self);
    *self = NULL;
}

/* --- which value of a curve ------------------------------------------------------------------------------------------- */

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

/* How much the field disagrees about one value: variance of what it expects, relative to its mean. The posterior weighs, though not
 * as much as it would if the fits were as good as they look. */
static double dispute(const parameter_t *parameter, const track_t *track, const size_t *field, size_t count, size_t value)
{
    double weight = 0, mean = 0, square = 0;
    for (size_t k = 0; k < count; k++) {
        bool hidden = sweep_hidden(track, field[k]);
        size_t axis = hidden ? track->smooth_axis : parameter->hypotheses[field[k]].axis;
        double expected = prf_fit_predict(hidden ? &track->smooth : &track->steps[field[k]], track->axes[axis][value]);
        double w = pow(parameter->chance[field[k]], TEMPER) + 1e-3 / (1 + (double)k);
        weight += w;
        mean += w * expected;
        square += w * expected * expected;
    }
    mean /= weight;
    return (square / weight - mean * mean) / (mean * mean + 1e-300);
}

/* Distance on a logarithmic scale from the values asked for so far. */
static double gap(const track_t *track, size_t value)
{
    double least = INFINITY;
    for (size_t i = 0; i < track->curve[0].count; i++)
        least = fmin(least, fabs(log((double)track->values[value] / track->curve[0].at[i])));
    return least;
}

static bool choose(const prf_sweep_t *self, const track_t *track, size_t *value)
{
    const parameter_t *parameter = &self->parameters[track->parameter];
    size_t field[FIELD], count = field_of(parameter, field), best = 0, widest = 0;
    double most = -1, room = -1;
    bool judged = isfinite(track->smooth.bic);
    for (size_t i = 0; i < track->value_count; i++) {
        if (track->taken[i])
            continue;
        double d = judged ? dispute(parameter, track, field, count, i) : 0, g = gap(track, i);
        if (d > most)
            most = d, best = i;
        if (g > room)
            room = g, widest = i;
    }
    *value = most > INDIFFERENT ? best : widest;
    return room >= 0;
}

/* The value not asked for that is nearest to `target`. */
static bool nearest_value(const track_t *track, double target, size_t *value)
{
    size_t found = track->value_count;
    for (size_t i = 0; i < track->value_count; i++) {
        bool nearer = found == track->value_count || fabs(track->values[i] - target) < fabs(track->values[found] - target);
        if (!track->taken[i] && nearer)
            found = i;
    }
    *value = found;
    return found < track->value_count;
}

/* --- asking ----------------------------------------------------------------------------------------------------------- */

static void add_point(const prf_sweep_t *self, track_t *track, size_t value, double latency)
{
    size_t count = track->curve[0].count;
    if (!isfinite(latency) || latency <= 0 || count == PRF_FIT_POINTS)
        return;
    for (size_t axis = 0; axis < self->parameters[track->parameter].axis_count; axis++) {
        track->curve[axis].at[count] = track->axes[axis][value];
        track->curve[axis].y[count] = latency;
        track->curve[axis].count = count + 1;
    }
    track->stale = true;
}

/* Asks for one layer, unless it is known from another curve or asked for in this round already. False: the budget is spent. */
static bool ask(prf_sweep_t *self, track_t *track, size_t value)
{
    prf_layer_t layer = track->base;
    layer.p[self->parameters[track->parameter].param] = track->values[value];
    track->taken[value] = true;
    track->asked++;
    if (prf_space_resolve(&self->space, &layer, NULL))
        return true;
    size_t i = 0;
    while (i < self->measured_count && !prf_layer_equal(&self->measured[i].layer, &layer))
        i++;
    if (i < self->fed_count) {
        add_point(self, track, value, self->measured[i].latency);
        return true;
    }
    if (i == self->measured_count) {
        if (self->measured_count == self->budget)
            return false;
        self->measured[self->measured_count++] = (measured_t){.layer = layer, .latency = NAN};
        self->round[self->round_count++] = layer;
    }
    self->requests[self->request_count++] = (request_t){.track = (size_t)(track - self->tracks), .layer = i, .value = value};
    return true;
}

/* Evenly on a logarithmic scale. Each curve of a parameter starts elsewhere: where they share a shape, other values tell more of
 * it. */
static void open_evenly(prf_sweep_t *self, track_t *track, size_t number)
{
    double first = track->values[0], last = track->values[track->value_count - 1];
    track->opened = true;
    for (size_t i = 0; i < SWEEP_OPENING; i++) {
        size_t value;
        double part = ((double)i + ((double)number + 0.5) / PRF_BASES) / SWEEP_OPENING;
        if (nearest_value(track, first * pow(last / first, part), &value))
            (void)ask(self, track, value); /* open_track saw to it that the budget has room */
    }
}

/* Layers that first curves under way are still owed. */
static size_t reserved(const prf_sweep_t *self)
{
    size_t sum = 0;
    for (size_t i = 0; i < self->parameter_count; i++) {
        const parameter_t *parameter = &self->parameters[i];
        const track_t *track = &self->tracks[parameter->first_track];
        if (!parameter->done && !parameter->settled && parameter->active == 1 && track->opened && track->asked < CURVE_MIN)
            sum += CURVE_MIN - track->asked;
    }
    return sum;
}

/* Opens the newest curve in use. False: the budget has no room for it. */
static bool open_track(prf_sweep_t *self, const parameter_t *parameter)
{
    bool first = parameter->active == 1;
    if (self->budget < self->measured_count + reserved(self) + (first ? CURVE_MIN : SWEEP_OPENING))
        return false;
    open_evenly(self, &self->tracks[parameter->first_track + parameter->active - 1], parameter->active - 1);
    return true;
}

/* What the curves of one parameter ask for this round. False: nothing for now. */
static bool ask_parameter(prf_sweep_t *self, parameter_t *parameter)
{
    track_t *track = &self->tracks[parameter->first_track + parameter->active - 1];
    size_t value;
    if (track->opened && !parameter->settled && track->asked < SWEEP_CURVE_MAX && choose(self, track, &value))
        return ask(self, track, value);
    if (!track->opened)
        return open_track(self, parameter);
    if (parameter->active == parameter->track_count) {
        parameter->done = true;
        return false;
    }
    parameter->active++;
    if (open_track(self, parameter))
        return true;
    parameter->active--;
    return false;
}

/* One round of asking: first curves, then others. Returns whether any curve had a question, be it one whose answer is known
 * already. */
static bool ask_more(prf_sweep_t *self)
{
    bool any = false, first[PRF_PARAMS] = {0};
    for (size_t i = 0; i < self->parameter_count; i++)
        first[i] = self->parameters[i].active == 1 && !self->parameters[i].settled;
    for (int turn = 1; turn >= 0; turn--)
        for (size_t i = 0; i < self->parameter_count; i++)
            if (!self->parameters[i].done && first[i] == (turn == 1))
                any = ask_parameter(self, &self->parameters[i]) || any;
    return any;
}

prf_status_t prf_sweep_round(prf_sweep_t *self, const prf_layer_t **layers, size_t *count, prf_error_t *err)
{
    if (self->waiting)
        return prf_fail(err, PRF_EINVAL, "sweep: a round of %zu layers still waits for its latencies", self->round_count);
    self->round_count = self->request_count = 0;
    while (self->round_count == 0 && ask_more(self))
        if (self->round_count == 0)
            sweep_judge(self); /* what was asked for was known from other curves */
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
        add_point(self, &self->tracks[request->track], request->value, self->measured[request->layer].latency);
    }
    self->waiting = false;
    sweep_judge(self);
    return PRF_OK;
}
