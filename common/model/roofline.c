// SPDX-License-Identifier: Apache-2.0
/* roofline.c - fits the constants by pattern search (Hooke and Jeeves 1961), the first three on their logarithms: the loss has
 * kinks where the maximum changes sides, which a search without derivatives does not mind. At most ROWS rows are looked at. */
#include "model/roofline.h"

#include <math.h>

enum { ROWS = 2000, ROUNDS = 400, CONSTANTS = 4 };

typedef struct {
    const double *log_latency;
    const prf_work_t *work;
    size_t count, stride;
} rows_t;

double prf_roofline_ns(const prf_roofline_t *self, const prf_work_t *work)
{
    double ops = work->fill < 1 ? work->ops * pow(work->fill, -self->fill_exponent) : work->ops;
    return self->overhead_ns + fmax(ops * self->ns_per_op, work->bytes * self->ns_per_byte);
}

static prf_roofline_t roofline_at(const double x[CONSTANTS])
{
    return (prf_roofline_t){exp(x[0]), exp(x[1]), exp(x[2]), fmin(fmax(x[3], 0), 1)};
}

static double loss(const rows_t *rows, const double x[CONSTANTS])
{
    prf_roofline_t r = roofline_at(x);
    double sum = 0;
    for (size_t i = 0; i < rows->count; i += rows->stride)
        sum += fabs(rows->log_latency[i] - log(prf_roofline_ns(&r, &rows->work[i])));
    return sum;
}

/* From below: no layer is faster than the overhead, and some layer is nearly as fast as either rate allows. */
static void begin(const rows_t *rows, double x[CONSTANTS])
{
    x[0] = x[1] = x[2] = INFINITY;
    x[3] = 1;
    for (size_t i = 0; i < rows->count; i += rows->stride) {
        x[0] = fmin(x[0], rows->log_latency[i]);
        x[1] = fmin(x[1], rows->log_latency[i] - log(fmax(rows->work[i].ops, 1)));
        x[2] = fmin(x[2], rows->log_latency[i] - log(fmax(rows->work[i].bytes, 1)));
    }
}

void prf_roofline_fit(prf_roofline_t *out, const double *log_latency, const prf_work_t *work, size_t count)
{
    rows_t rows = {log_latency, work, count, count / ROWS + 1};
    double x[CONSTANTS];
    begin(&rows, x);
    double best = loss(&rows, x), step = 2;
    for (int round = 0; round < ROUNDS && step > 1e-4; round++) {
        double before = best;
        for (int i = 0; i < 2 * CONSTANTS; i++) {
            double *moved = &x[i / 2], kept = *moved;
            *moved += i % 2 ? -step : step;
            if (i / 2 == 3)
                *moved = fmin(fmax(*moved, 0), 1);
            double tried = loss(&rows, x);
            if (tried < best)
                best = tried;
            else
                *moved = kept;
        }
        if (!(best < before))
            step /= 2;
    }
    *out = roofline_at(x);
}
