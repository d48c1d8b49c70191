// SPDX-License-Identifier: Apache-2.0
#include "model/between.h"

#include <math.h>

#include "base/order.h"

double prf_between_learn(const prf_between_t *chains, size_t count, double noise_percent)
{
    double added[PRF_BETWEEN_MOST], percent[PRF_BETWEEN_MOST];
    if (count < PRF_BETWEEN_LEAST || count > PRF_BETWEEN_MOST)
        return 0;
    for (size_t i = 0; i < count; i++) {
        double more = chains[i].chain_ns - chains[i].sum_ns;
        added[i] = more / (double)(chains[i].blocks - 1);
        percent[i] = 100 * more / chains[i].chain_ns;
    }
    return prf_median(percent, count) > noise_percent ? fmin(fmax(prf_median(added, count), 0), PRF_BETWEEN_LIMIT_NS) : 0;
}
