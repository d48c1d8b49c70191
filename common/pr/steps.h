// SPDX-License-Identifier: Apache-2.0
/* steps.h - finds the step widths of a board for one layer kind by sweeping one parameter at a time, and maps layers to
 * their Performance Representatives. Pure: it says which layers it wants measured, and is fed what came out.
 * One thread at a time. METHOD section 2: sweep by bisection, decide by BIC among no step and widths, from several base points;
 * section 5: steps can be joint. docs/steps.md. */
#ifndef PRF_PR_STEPS_H
#define PRF_PR_STEPS_H

#include "layer/quantity.h"
#include "pr/space.h"

typedef enum { PRF_WHITE = 0, PRF_GREY, PRF_BLACK } prf_knowledge_kind_t;

enum { PRF_STEP_CANDIDATES = 16 };

/* What is known before measuring. white: width[] is the answer, nothing is swept. grey: for parameters with candidates one of
 * them or 1; where width[] is set it is taken as it is; others are searched as in black. black: all are searched. */
typedef struct {
    prf_knowledge_kind_t kind;
    int32_t width[PRF_PARAMS]; /* 0: not given */
    uint32_t candidate_count[PRF_PARAMS];
    int32_t candidates[PRF_PARAMS][PRF_STEP_CANDIDATES];
} prf_knowledge_t;

/* One more step that a board has, besides those that layers are mapped by. */
typedef struct {
    prf_quantity_t of;
    int32_t width;     /* >= 2; edges lie behind its multiples */
    double confidence; /* 0 .. 1, as below */
    double share;      /* 0 .. 1: how much of the growth in this quantity happens at its edges; 1: level steps */
} prf_further_step_t;

enum { PRF_STEPS_FURTHER = 8 };

/* Step widths of one board and layer kind. width[] is what layers are mapped to representatives by; 1: no step (for parameters
 * that are not free, too). further[] is what a model may use as terms besides, ceil(quantity / width), and a mapping must not:
 * steps in products of parameters or in the output's size, widths nested in (or around) a parameter's width, and steps that are a
 * small share of the growth or seen by one edge only. A quantity is there several times when widths are nested. */
typedef struct {
    int32_t width[PRF_PARAMS];
    double confidence[PRF_PARAMS]; /* 0 .. 1; 1 where given or not free */
    uint32_t further_count;
    prf_further_step_t further[PRF_STEPS_FURTHER]; /* most confident first */
} prf_steps_t;

/* A width of 1 of less confidence does not say that there is no step: nobody could tell. */
#define PRF_STEPS_SURE 0.5

void prf_steps_none(prf_steps_t *out);
bool prf_steps_any(const prf_steps_t *self); /* some width is above 1 */

/* METHOD section 1: p -> min(ceil(p / s) * s, upper bound), parameter by parameter, ties and defaults resolved after. For
 * discrete and tied parameters the value stays. A layer whose representative cannot exist stays as it is. */
void prf_steps_map(const prf_steps_t *steps, const prf_space_t *space, prf_layer_t *layer);

typedef struct prf_sweep prf_sweep_t;

/* A finding in progress. `budget` bounds the layers that will be asked for in all (0: a default). Deterministic: the same
 * arguments and the same latencies give the same requests. Errors: PRF_ENOMEM, PRF_EINVAL. */
PRF_CHECKED prf_status_t prf_sweep_new(prf_sweep_t **out, const prf_space_t *space, const prf_knowledge_t *knowledge,
                                       uint32_t budget, uint64_t seed, prf_error_t *err);
void prf_sweep_destroy(prf_sweep_t **self);
/* The next layers to measure (borrowed until the next call); *count = 0 when the sweep is finished. */
PRF_CHECKED prf_status_t prf_sweep_round(prf_sweep_t *self, const prf_layer_t **layers, size_t *count, prf_error_t *err);
/* Latencies of the layers of the last round, in its order; NaN for one that could not be measured. */
PRF_CHECKED prf_status_t prf_sweep_feed(prf_sweep_t *self, const double *latency_ns, size_t count, prf_error_t *err);
/* Once finished. */
void prf_sweep_steps(const prf_sweep_t *self, prf_steps_t *out);

#endif
