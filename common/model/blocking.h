// SPDX-License-Identifier: Apache-2.0
/* blocking.h - how a machine with small buffers cuts a layer into pieces. Pure; any thread.
 *
 * It keeps a piece of the input, of the weights and of the output at a time. What fits decides how many pieces there are, and with
 * them how often inputs and weights are loaded: inputs once for each piece of columns, weights once for each piece of lines, and
 * the lines where pieces overlap twice. Which sizes the buffers have, and what the input's buffer is filled with first, is looked
 * for (structure.h); that machines work this way at all is the common denominator of accelerators with scratchpads (see for
 * instance Parashar et al., Timeloop, ISPASS 2019). */
#ifndef PRF_MODEL_BLOCKING_H
#define PRF_MODEL_BLOCKING_H

#include "layer/quantities.h"

typedef enum {
    PRF_ORDER_NONE = 0,       /* no blocking: everything is one piece */
    PRF_ORDER_CHANNELS_FIRST, /* as many channels as fit with one line, then as many lines */
    PRF_ORDER_LINES_FIRST,    /* as many lines as fit with one step of channels, then as many channels */
    PRF_ORDERS
} prf_order_t;

typedef enum { PRF_BUFFER_INPUTS = 0, PRF_BUFFER_WEIGHTS, PRF_BUFFER_OUTPUTS, PRF_BUFFERS } prf_buffer_t;

typedef struct {
    prf_order_t order;
    double elements[PRF_BUFFERS];     /* capacity; above 0, may be infinite */
    double channel_step, column_step; /* widths that channels and columns are cut and stored by; at least 1 */
} prf_blocking_t;

/* Sets PRF_Q_PIECES_OF_CHANNELS to PRF_Q_LOADED_LINES of a layer's quantities; without an order, nothing. */
void prf_blocking_apply(const prf_blocking_t *self, double *quantities);

#endif
