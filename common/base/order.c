// SPDX-License-Identifier: Apache-2.0
#include "base/order.h"

#include <stdlib.h>

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void prf_sort(double *values, size_t count)
{
    qsort(values, count, sizeof *values, rising);
}

double prf_median(double *values, size_t count)
{
    if (count == 0)
        return 0;
    prf_sort(values, count);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}
