// SPDX-License-Identifier: Apache-2.0
/* roofline.h - the coarsest model of a machine: latency = overhead + max(operations / rate, bytes / bandwidth) (after Williams,
 * Waterman and Patterson 2009). A machine that computes whole tiles does more operations than the layer has; how much of that
 * shows is an exponent between 0 (nothing) and 1 (all of it). What trees are asked for is how far a layer is from this. Pure. */
#ifndef PRF_MODEL_ROOFLINE_H
#define PRF_MODEL_ROOFLINE_H

#include "layer/features.h"

typedef struct {
    double overhead_ns, ns_per_op, ns_per_byte; /* above 0 */
    double fill_exponent;                       /* 0 .. 1: operations count as ops x fill^-fill_exponent */
} prf_roofline_t;

/* Above zero. */
double prf_roofline_ns(const prf_roofline_t *self, const prf_work_t *work);
/* Minimises the mean of |log(latency / roofline)|, which outliers do not pull. log_latency: natural logarithm of nanoseconds. */
void prf_roofline_fit(prf_roofline_t *out, const double *log_latency, const prf_work_t *work, size_t count);

#endif
