// SPDX-License-Identifier: Apache-2.0
/* order.h - numbers in their order. Pure; any thread; no allocation. No NaN among them. */
#ifndef PRF_BASE_ORDER_H
#define PRF_BASE_ORDER_H

#include <stddef.h>

/* Rising. */
void prf_sort(double *values, size_t count);
/* Sorts them; the mean of the two in the middle where their number is even, 0 where there are none. */
double prf_median(double *values, size_t count);

#endif
