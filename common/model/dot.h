// SPDX-License-Identifier: Apache-2.0
/* dot.h - the sum of products that the fits spend their time in. */
#ifndef PRF_MODEL_DOT_H
#define PRF_MODEL_DOT_H

#include <stddef.h>
#include <string.h>

/* Eight sums side by side, in the same order whatever the processor has: that order, not the compiler, decides the last bit. */
typedef double prf_pair_t __attribute__((vector_size(16)));
enum { PRF_DOT_PAIRS = 4, PRF_DOT_LANES = 2 * PRF_DOT_PAIRS };

static inline double prf_dot(const double *a, const double *b, size_t n)
{
    prf_pair_t sum[PRF_DOT_PAIRS] = {{0}}, x[PRF_DOT_PAIRS], y[PRF_DOT_PAIRS];
    double rest = 0;
    size_t i = 0;
    for (; i + PRF_DOT_LANES <= n; i += PRF_DOT_LANES) {
        memcpy(x, a + i, sizeof x);
        memcpy(y, b + i, sizeof y);
        for (int k = 0; k < PRF_DOT_PAIRS; k++)
            sum[k] += x[k] * y[k];
    }
    for (; i < n; i++)
        rest += a[i] * b[i];
    prf_pair_t total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    return total[0] + total[1] + rest;
}

#endif
