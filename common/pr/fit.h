// SPDX-License-Identifier: Apache-2.0
/* fit.h - how well "no step" and "steps of width s" explain a latency curve over one parameter, as BIC (Schwarz, 1978).
 * Internal to pr/. Pure; any thread; no allocation. */
#ifndef PRF_PR_FIT_H
#define PRF_PR_FIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PRF_FIT_POINTS = 64, PRF_FIT_TERMS = 6, PRF_FIT_NESTED = 7 /* points from which on steps are looked for within steps */ };

/* The part of a curve's growth that happens at the edges of a staircase: at least SHARE, for one worth mapping layers to; a MINOR
 * one is believed where it explains nearly all that the smooth curve leaves. */
#define PRF_FIT_SHARE 0.1
#define PRF_FIT_MINOR 0.005
/* Relative error below which fits are equally good. */
#define PRF_FIT_FLOOR 3e-4

/* Measured points of one curve. */
typedef struct {
    size_t count;
    int32_t at[PRF_FIT_POINTS]; /* value of the parameter, or of a quantity that follows from it; >= 1 */
    double y[PRF_FIT_POINTS];   /* latency, > 0 */
} prf_curve_t;

typedef struct {
    double bic;    /* INFINITY: too few points, or the curve cannot be such a staircase */
    int32_t width; /* 1: smooth */
    unsigned terms;
    double coef[PRF_FIT_TERMS];
    int32_t knee;  /* smooth: last value before another line takes over; 0: one line */
    bool scaled;   /* the steps grow with the parameter */
    bool tiled;    /* a height of its own for each tile seen; coef is then the best staircase */
    int32_t inner; /* steps of this width within those of `width`; 0: none */
    double share;  /* of the growth that happens at the edges (of `width`, or of it and `inner` together), 0 .. 1 */
    double spent;  /* parameters that it cost */
    double rms;    /* relative error that the fit leaves, a degree of freedom */
} prf_fit_t;

/* A line or a square; and these, or two of them with a break between. */
void prf_fit_unbroken(const prf_curve_t *curve, prf_fit_t *out);
void prf_fit_smooth(const prf_curve_t *curve, prf_fit_t *out);
/* Two lines with a break behind value `place`, which was known beforehand and is not charged for. */
void prf_fit_broken_at(const prf_curve_t *curve, int32_t place, prf_fit_t *out);
void prf_fit_steps(const prf_curve_t *curve, int32_t width, prf_fit_t *out);
/* Latency that a fit expects at parameter value `at`. */
double prf_fit_predict(const prf_fit_t *fit, int32_t at);

#endif
