// SPDX-License-Identifier: Apache-2.0
/* sweep_build.c - parameters, curves and hypotheses of a sweep.
 *
 * A parameter is swept along up to three curves. What may step along them is the parameter itself and the quantities that follow
 * from it (output height, output positions, terms of a sum): each is another axis over the same points. A quantity that is no
 * more than a multiple of the parameter on every curve says nothing of its own and is left out. Without candidates, every width
 * is a hypothesis that puts at least one edge on the first curve. The prior: even odds for "no step"; of the other half most for
 * the parameter itself and the output's size, which machines tile more often than products. */
#include <math.h>
#include <stdlib.h>

#include "pr/sweep_internal.h"

enum {
    VALUES_MIN = 8, /* fewer cannot show a period */
    WIDTH_MAX = 256,
    JOINT_MIN = 4 /* narrower tiles of a product are steps of every single value of the parameter */
};

#define OWN 0.7 /* share of the parameter's own widths in the prior of "some step" */

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

/* --- curves ----------------------------------------------------------------------------------------------------------- */

/* Quantities that may follow a parameter; two at most, PRF_Q_END for none. */
static void followers(prf_param_t param, prf_quantity_t out[SWEEP_AXES - 1])
{
    out[0] = out[1] = PRF_Q_END;
    switch (param) {
    case PRF_P_H:
        out[0] = PRF_Q_OUT_H, out[1] = PRF_Q_ROWS;
        break;
    case PRF_P_W:
        out[0] = PRF_Q_OUT_W, out[1] = PRF_Q_ROWS;
        break;
    case PRF_P_N:
    case PRF_P_M:
        out[0] = PRF_Q_ROWS;
        break;
    case PRF_P_C:
    case PRF_P_F:
        out[0] = PRF_Q_TERMS;
        break;
    default:
        break;
    }
}

void sweep_release_track(track_t *track)
{
    for (size_t axis = 0; axis < SWEEP_AXES; axis++)
        free(track->axes[axis]);
    free(track->taken);
    free(track->steps);
    *track = (track_t){0};
}

/* The ratio of a quantity to the parameter, if it is one and the same along the curve. */
static int32_t ratio_of(const track_t *track, size_t axis)
{
    int32_t ratio = track->axes[axis][0] / track->values[0];
    for (size_t i = 0; i < track->value_count; i++)
        if ((int64_t)ratio * track->values[i] != track->axes[axis][i])
            return 0;
    return ratio;
}

static void fill_values(const prf_sweep_t *self, const parameter_t *parameter, int32_t from, int32_t to, track_t *track)
{
    for (int32_t at = from; at <= to; at++) {
        prf_layer_t layer = track->base;
        layer.p[parameter->param] = at;
        if (prf_space_resolve(&self->space, &layer, NULL))
            continue;
        bool sane = true;
        for (size_t axis = 0; axis < parameter->axis_count; axis++) {
            int64_t value = prf_quantity_of(&layer, parameter->axes[axis]);
            sane = sane && value >= 1 && value <= INT32_MAX / 4;
            track->axes[axis][track->value_count] = sane ? (int32_t)value : 1;
        }
        track->value_count += sane;
    }
    for (size_t axis = 0; axis < parameter->axis_count && track->value_count > 0; axis++)
        track->ratio[axis] = ratio_of(track, axis);
}

static prf_status_t add_track(prf_sweep_t *self, parameter_t *parameter, const prf_layer_t *base, prf_error_t *err)
{
    track_t *track = &self->tracks[self->track_count++];
    int32_t from, to;
    prf_base_window(&self->space.dims[parameter->param], &from, &to);
    size_t room = (size_t)(to - from) + 1;
    track->base = *base;
    track->parameter = (size_t)(parameter - self->parameters);
    track->taken = calloc(room, sizeof *track->taken);
    bool ok = track->taken != NULL;
    for (size_t axis = 0; axis < SWEEP_AXES; axis++) {
        track->axes[axis] = calloc(room, sizeof *track->axes[axis]);
        ok = ok && track->axes[axis];
    }
    track->values = track->axes[0];
    if (!ok)
        return prf_fail(err, PRF_ENOMEM, "sweep of %s", prf_param_name(parameter->param));
    fill_values(self, parameter, from, to, track);
    if (track->value_count < VALUES_MIN)
        sweep_release_track(&self->tracks[--self->track_count]);
    else
        parameter->track_count++;
    return PRF_OK;
}

/* Curves of one parameter. A base that repeats an earlier one (nothing else is free) or leaves too few values is dropped. */
static prf_status_t add_tracks(prf_sweep_t *self, parameter_t *parameter, uint64_t seed, prf_error_t *err)
{
    parameter->first_track = self->track_count;
    for (size_t number = 0; number < PRF_BASES; number++) {
        prf_layer_t base;
        bool fresh = prf_base_find(&self->space, parameter->param, number, seed, &base);
        for (size_t i = parameter->first_track; i < self->track_count && fresh; i++)
            fresh = !prf_layer_equal(&self->tracks[i].base, &base);
        prf_status_t status = fresh ? add_track(self, parameter, &base, err) : PRF_OK;
        if (status)
            return status;
    }
    return PRF_OK;
}

/* --- hypotheses ------------------------------------------------------------------------------------------------------- */

/* Edges that a width puts on a curve: multiples of it below the last value. */
static int32_t edges_on(const track_t *track, size_t axis, int32_t width)
{
    int32_t first = track->axes[axis][0], last = track->axes[axis][track->value_count - 1];
    return (last - 1) / width - (first - 1) / width;
}

static bool known(const parameter_t *parameter, size_t axis, int32_t width)
{
    for (size_t i = 0; i < parameter->count; i++)
        if (parameter->hypotheses[i].axis == axis && parameter->hypotheses[i].width == width)
            return true;
    return false;
}

static void add_width(const prf_sweep_t *self, parameter_t *parameter, size_t axis, int32_t width)
{
    const track_t *track = &self->tracks[parameter->first_track];
    int32_t edges = edges_on(track, axis, width);
    if (edges >= 1)
        parameter->hypotheses[parameter->count++] = (hypothesis_t){.axis = axis, .width = width, .single = edges == 1};
}

static bool says_something(const prf_sweep_t *self, const parameter_t *parameter, size_t axis)
{
    const track_t *tracks = &self->tracks[parameter->first_track];
    for (size_t i = 0; i < parameter->track_count; i++)
        if (tracks[i].ratio[axis] == 0 || tracks[i].ratio[axis] != tracks[0].ratio[axis])
            return true;
    return false;
}

static void set_prices(parameter_t *parameter)
{
    double count[2] = {0};
    for (size_t h = 1; h < parameter->count; h++)
        count[parameter->axes[parameter->hypotheses[h].axis] >= PRF_Q_ROWS]++;
    for (size_t h = 1; h < parameter->count; h++) {
        bool joint = parameter->axes[parameter->hypotheses[h].axis] >= PRF_Q_ROWS;
        double share = count[1] == 0 ? 1 : joint ? 1 - OWN : count[0] == 0 ? 1 : OWN;
        parameter->hypotheses[h].price = -2 * log(share / count[joint]);
    }
}

static prf_status_t add_hypotheses(prf_sweep_t *self, const prf_knowledge_t *knowledge, parameter_t *parameter, prf_error_t *err)
{
    uint32_t candidates = knowledge->kind == PRF_GREY ? knowledge->candidate_count[parameter->param] : 0;
    parameter->hypotheses = calloc((size_t)SWEEP_AXES * WIDTH_MAX + PRF_STEP_CANDIDATES + 1, sizeof *parameter->hypotheses);
    if (!parameter->hypotheses)
        return prf_fail(err, PRF_ENOMEM, "widths of %s", prf_param_name(parameter->param));
    parameter->hypotheses[parameter->count++] = (hypothesis_t){.width = 1};
    for (uint32_t i = 0; i < candidates && parameter->track_count > 0; i++) {
        int32_t width = knowledge->candidates[parameter->param][i];
        if (width > 1 && !known(parameter, 0, width))
            add_width(self, parameter, 0, width);
    }
    for (size_t axis = 0; axis < parameter->axis_count && candidates == 0 && parameter->track_count > 0; axis++)
        for (int32_t width = axis ? JOINT_MIN : 2; width <= WIDTH_MAX && (!axis || says_something(self, parameter, axis)); width++)
            add_width(self, parameter, axis, width);
    set_prices(parameter);
    parameter->done = parameter->count == 1;
    parameter->chance = calloc(parameter->count, sizeof *parameter->chance);
    bool ok = parameter->chance != NULL;
    for (size_t i = 0; i < parameter->track_count; i++) {
        track_t *track = &self->tracks[parameter->first_track + i];
        track->steps = calloc(parameter->count, sizeof *track->steps);
        ok = ok && track->steps;
    }
    return ok ? PRF_OK : prf_fail(err, PRF_ENOMEM, "fits of %s", prf_param_name(parameter->param));
}

static prf_status_t add_parameter(prf_sweep_t *self, const prf_knowledge_t *knowledge, prf_param_t param, uint64_t seed,
                                  prf_error_t *err)
{
    parameter_t *parameter = &self->parameters[self->parameter_count++];
    prf_quantity_t follow[SWEEP_AXES - 1];
    *parameter = (parameter_t){.param = param, .axes = {param}, .axis_count = 1, .active = 1};
    followers(param, follow);
    prf_layer_t any;
    for (size_t i = 0; i < SWEEP_AXES - 1; i++)
        if (follow[i] != PRF_Q_END && prf_base_find(&self->space, param, 0, seed, &any) && prf_quantity_of(&any, follow[i]) > 0)
            parameter->axes[parameter->axis_count++] = follow[i];
    prf_status_t status = add_tracks(self, parameter, seed, err);
    return status ? status : add_hypotheses(self, knowledge, parameter, err);
}

prf_status_t sweep_build(prf_sweep_t *self, const prf_knowledge_t *knowledge, uint64_t seed, prf_error_t *err)
{
    prf_status_t status = check_knowledge(knowledge, err);
    if (status)
        return status;
    self->tracks = calloc((size_t)PRF_PARAMS * PRF_BASES, sizeof *self->tracks);
    self->measured = calloc(self->budget, sizeof *self->measured);
    self->round = calloc(self->budget, sizeof *self->round);
    if (!self->tracks || !self->measured || !self->round)
        return prf_fail(err, PRF_ENOMEM, "sweep of %zu layers", self->budget);
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(&self->space, params);
    prf_steps_none(&self->given);
    for (size_t i = 0; i < count && !status; i++) {
        bool range = self->space.dims[params[i]].kind == PRF_DIM_RANGE;
        if (range && knowledge->width[params[i]] > 0)
            self->given.width[params[i]] = knowledge->width[params[i]];
        else if (range && knowledge->kind != PRF_WHITE)
            self->given.confidence[params[i]] = 0;
        if (is_swept(self, knowledge, params[i]))
            status = add_parameter(self, knowledge, params[i], seed, err);
    }
    return status;
}
