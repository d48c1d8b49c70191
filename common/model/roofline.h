// SPDX-License-Identifier: Apache-2.0
/* roofline.h - the coarsest model of a machine: latency = overhead + max(operations / rate, bytes / bandwidth) (after Williams,
 * Waterman and Patterson 2009). What trees are asked for is how far a layer is from it. Pure. */
#ifndef PRF_MODEL_ROOFLINE_H
#define PRF_MODEL_ROOFLINE_H

#include <stddef.h>

typedef struct {
    double overhead_ns, ns_per_op, ns_per_byte; /* not negative, not all 0 */
} prf_roofline_t;

/* Above zero for ops, bytes >= 0. */
double prf_roofline_ns(const prf_roofline_t *self, double ops, double bytes);
/* Minimises the mean of |log(latency / roofline)|, which outliers do not pull. log_latency: natural logarithm of nanoseconds. */
void prf_roofline_fit(prf_roofline_t *out, const double *log_latency, const double *ops, const double *bytes, size_t count);

#endif
