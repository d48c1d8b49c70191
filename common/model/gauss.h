// SPDX-License-Identifier: Apache-2.0
/* gauss.h - a Gaussian process over features: what stands for a few hundred layers better than trees do, where latency is smooth
 * (Rasmussen and Williams 2006: chapter 2; the kernel is Matern's with 5/2, section 4.2.1; lengths by marginal likelihood, section
 * 5.4.1). Immutable once made; any thread; predicting allocates nothing. */
#ifndef PRF_MODEL_GAUSS_H
#define PRF_MODEL_GAUSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { PRF_GAUSS_INPUTS = 64, PRF_GAUSS_POINTS = 1024 };

/* How near two layers are: a feature x counts as (asinh(x) - shift) * scale, which is a logarithm for what is large. */
typedef struct {
    uint16_t column; /* of the features */
    double shift, scale;
} prf_gauss_input_t;

/* What is learned before any layer has a weight. */
typedef struct {
    uint32_t count; /* inputs; 0: there is nothing to tell layers apart by */
    prf_gauss_input_t inputs[PRF_GAUSS_INPUTS];
    double amplitude, noise; /* standard deviations of the target: over the space, and of one measurement */
} prf_gauss_kernel_t;

typedef struct {
    uint32_t input_count, point_count; /* no points: none is used */
    prf_gauss_input_t *inputs;         /* owned */
    float *points;                     /* owned: the layers as the inputs see them: all of one input, then of the next */
    double *weights;                   /* owned: of each point */
    double mean;                       /* far from all points */
    double amplitude;                  /* how much is unknown there */
} prf_gauss_t;

/* How much time learning may take: to be judged, or to be used. */
typedef enum { PRF_GAUSS_BRIEF = 0, PRF_GAUSS_THOROUGH } prf_gauss_effort_t;

/* Learns from some hundred of the rows, evenly chosen, which features matter, and how far. `table` is row_count x feature_count.
 * Deterministic. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_gauss_learn(prf_gauss_kernel_t *out, const float *table, size_t row_count, size_t feature_count,
                                         const double *target, prf_gauss_effort_t effort, prf_error_t *err);
/* Fits target[i] to row i, of PRF_GAUSS_POINTS rows at most. The caller owns *out. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_gauss_fit(prf_gauss_t *out, const prf_gauss_kernel_t *kernel, const float *table, size_t row_count,
                                       size_t feature_count, const double *target, prf_error_t *err);
void prf_gauss_release(prf_gauss_t *self); /* NULL-safe */
/* Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_gauss_copy(prf_gauss_t *out, const prf_gauss_t *from, prf_error_t *err);
/* Makes room for input_count inputs and point_count points, not set yet. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_gauss_make_room(prf_gauss_t *self, prf_error_t *err);
/* Mean, and how much the nearest point leaves unknown. */
void prf_gauss_predict(const prf_gauss_t *self, const float *features, double *mean, double *spread);
/* For one that comes out of a file. Errors: PRF_ECORRUPT. */
PRF_CHECKED prf_status_t prf_gauss_check(const prf_gauss_t *self, size_t feature_count, prf_error_t *err);

#endif
