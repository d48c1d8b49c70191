// SPDX-License-Identifier: Apache-2.0
/* watch_view.h - what `prfarm watch` shows of a farm and a campaign on a whole screen. Main thread only. */
#ifndef PRF_CLI_WATCH_VIEW_H
#define PRF_CLI_WATCH_VIEW_H

#include "screen.h"

/* Answers of the coordinator, borrowed; NULL: not known. */
typedef struct {
    const char *farm;       /* its name */
    const json_t *status;   /* op status */
    const json_t *campaign; /* its entry of the campaign that is followed */
    const json_t *fleet;    /* op fleet */
    const json_t *events;   /* [event, ...], the oldest first */
    double seconds;         /* that the campaign has taken so far */
} prf_watch_view_t;

void prf_watch_draw(prf_screen_t *screen, const prf_watch_view_t *view);
/* How a series fell or rose, a character a value, the last `width` of them: "▇▅▃▁", or "7531" where there is ASCII only. `text` has
 * 4 * width + 1 bytes. */
void prf_watch_sparkline(const prf_terminal_t *terminal, const double *values, size_t count, size_t width, char *text);

#endif
