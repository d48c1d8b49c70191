// SPDX-License-Identifier: Apache-2.0
/* sweep_internal.h - the parts of a sweep: parameters with their hypotheses, and the curves that tell them apart. Internal to pr/.
 *
 *   sweep_build.c  from a space and what is known of it: parameters, curves, hypotheses
 *   sweep_judge.c  from the latencies on the curves: what each hypothesis is worth, what is settled, the answer
 *   sweep.c        which layers to ask for next, and the public interface
 *
 * One thread at a time, as the sweep itself. */
#ifndef PRF_PR_SWEEP_INTERNAL_H
#define PRF_PR_SWEEP_INTERNAL_H

#include "pr/base_points.h"
#include "pr/fit.h"
#include "pr/steps.h"

enum {
    SWEEP_AXES = 3,      /* a parameter, and up to two quantities that change with it */
    SWEEP_OPENING = 6,   /* layers that open a curve */
    SWEEP_CURVE_MAX = 18 /* layers of one curve */
};

/* "The steps of this parameter lie behind the multiples of `width` of that quantity". Hypothesis 0: no step. */
typedef struct {
    size_t axis; /* of the parameter: 0 the parameter itself */
    int32_t width;
    double price; /* -2 log of its prior */
    bool single;  /* one edge only lies on the first curve */
} hypothesis_t;

/* A curve: latency over one parameter, the others held at a base. */
typedef struct {
    prf_layer_t base;
    size_t parameter;          /* index into sweep.parameters */
    int32_t *values;           /* owned: what the parameter may be set to here, rising */
    int32_t *axes[SWEEP_AXES]; /* owned: each axis' quantity at these values; axes[0] is `values`, not owned twice */
    int32_t ratio[SWEEP_AXES]; /* of the quantity to the parameter, where it is the same all along the curve; else 0 */
    bool *taken;               /* owned: values asked for */
    size_t value_count, asked;
    bool opened, stale;            /* stale: has points that were not judged */
    prf_curve_t curve[SWEEP_AXES]; /* the measured points over each axis */
    size_t smooth_axis;            /* over which it is smooth: at a stride of 2 the output grows at every other value */
    prf_fit_t smooth, unbroken;    /* no step; the same without a break */
    prf_fit_t *steps;              /* owned: by hypothesis */
} track_t;

typedef struct {
    prf_param_t param;
    prf_quantity_t axes[SWEEP_AXES];
    size_t axis_count;
    size_t first_track, track_count; /* in sweep.tracks; the first `active` of them are in use */
    size_t active;
    hypothesis_t *hypotheses; /* owned */
    double *chance;           /* owned: their posterior */
    size_t count, best;
    bool settled; /* the active curves agree on the best hypothesis */
    bool done;
} parameter_t;

typedef struct {
    prf_layer_t layer;
    double latency; /* NaN: could not be measured */
} measured_t;

typedef struct {
    size_t track;
    size_t layer; /* index into sweep.measured, which the next feed fills */
    size_t value; /* index into the track's values */
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
    request_t requests[PRF_PARAMS * SWEEP_OPENING];
    size_t request_count;
    bool waiting;
};

/* Errors: PRF_ENOMEM, PRF_EINVAL. On failure the caller destroys the sweep. */
PRF_CHECKED prf_status_t sweep_build(prf_sweep_t *self, const prf_knowledge_t *knowledge, uint64_t seed, prf_error_t *err);
void sweep_release_track(track_t *track);

/* Weighs every hypothesis of the parameters whose curves have new points, and moves them on: settled, next curve, done. */
void sweep_judge(prf_sweep_t *self);
/* Whether a curve shows no step of this hypothesis, so that its smooth fit stands for it there. */
bool sweep_hidden(const track_t *track, size_t hypothesis);

#endif
