// SPDX-License-Identifier: Apache-2.0
#include "model/blocking.h"

#include <math.h>

/* How much of `all`, in whole steps and at least one, fits where there is room for `room`. */
static double part(double all, double step, double room)
{
    return fmin(all, fmax(floor(room / step), 1) * step);
}

/* Output lines whose input lines fit. */
static double lines_within(const double *q, double input_lines)
{
    return fmin(q[PRF_Q_LINES], fmax(floor((input_lines - q[PRF_Q_REACH]) / q[PRF_Q_STRIDE]) + 1, 1));
}

void prf_blocking_apply(const prf_blocking_t *self, double *q)
{
    if (self->order == PRF_ORDER_NONE)
        return;
    double step = self->channel_step, inputs = self->elements[PRF_BUFFER_INPUTS], channels, lines;
    double all_channels = ceil(q[PRF_Q_CHANNELS] / step) * step;
    double all_columns = ceil(q[PRF_Q_COLUMNS] / self->column_step) * self->column_step;
    if (self->order == PRF_ORDER_LINES_FIRST) {
        lines = lines_within(q, floor(inputs / (step * q[PRF_Q_SPAN])));
        double loaded = (lines - 1) * q[PRF_Q_STRIDE] + q[PRF_Q_REACH];
        channels = part(all_channels, step, inputs / (loaded * q[PRF_Q_SPAN]));
    } else {
        channels = part(all_channels, step, inputs / (q[PRF_Q_REACH] * q[PRF_Q_SPAN]));
        lines = lines_within(q, floor(inputs / (channels * q[PRF_Q_SPAN])));
    }
    double line = q[PRF_Q_ROWS] / q[PRF_Q_LINES] / q[PRF_Q_IMAGES];
    double room =
        fmin(self->elements[PRF_BUFFER_WEIGHTS] / (channels * q[PRF_Q_TAPS]), self->elements[PRF_BUFFER_OUTPUTS] / (lines * line));
    double columns = part(all_columns, self->column_step, room);
    double pieces = ceil(q[PRF_Q_LINES] / lines);
    q[PRF_Q_PIECES_OF_CHANNELS] = ceil(all_channels / channels);
    q[PRF_Q_PIECES_OF_LINES] = q[PRF_Q_IMAGES] * pieces;
    q[PRF_Q_PIECES_OF_COLUMNS] = ceil(all_columns / columns);
    q[PRF_Q_LOADED_LINES] = q[PRF_Q_IMAGES] * ((q[PRF_Q_LINES] - pieces) * q[PRF_Q_STRIDE] + pieces * q[PRF_Q_REACH]);
}
