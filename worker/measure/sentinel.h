// SPDX-License-Identifier: Apache-2.0
/* sentinel.h - layers that are timed beside every measurement. A shared machine has states that slow everything down by a tenth to
 * a half for seconds to minutes: all timings of one measurement agree then, and only layers that were timed before can tell
 * (docs/measuring.md). One lives on arithmetic, one on the last cache: neighbours may take away the one and leave the other. One
 * thread; belongs to the process that has the board open. */
#ifndef PRF_MEASURE_SENTINEL_H
#define PRF_MEASURE_SENTINEL_H

#include "backends/backend.h"

enum { PRF_SENTINELS = 2 };

typedef struct {
    const prf_backend_t *backend; /* borrowed, and the board */
    prf_board_t *board;
    bool off;                      /* the board is not this machine's processor, or cannot run the layers */
    double calm_ns[PRF_SENTINELS]; /* what each layer takes when nothing slows it down; 0: not timed yet */
    bool slow;                     /* at the last look */
    uint64_t last_ms;              /* when that was */
} prf_sentinel_t;

void prf_sentinel_init(prf_sentinel_t *out, const prf_backend_t *backend, prf_board_t *board);
/* Has a look, unless the last one was just now: right before a measurement. */
void prf_sentinel_before(prf_sentinel_t *self);
/* Has a look, right after it. True when the machine was slow before or after. */
bool prf_sentinel_after(prf_sentinel_t *self);
/* Takes note of one timing of one of the layers; whether it is a slow one. What a layer takes when calm is near the
 * least that was seen: a look that was a little faster counts for a part, since it may have been luck, and when it is not reached
 * any more it follows slowly. Pure. */
bool prf_sentinel_judge(prf_sentinel_t *self, size_t which, double ns);

#endif
