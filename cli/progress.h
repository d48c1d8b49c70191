// SPDX-License-Identifier: Apache-2.0
/* progress.h - a campaign on its way, from the coordinator's `status` answers: a block of lines that is redrawn on a terminal,
 * plain lines at changes of stage and now and then everywhere else. Written to standard error; main thread only. */
#ifndef PRF_CLI_PROGRESS_H
#define PRF_CLI_PROGRESS_H

#include <jansson.h>
#include <stdint.h>

#include "campaign/campaign.h"
#include "output.h"

typedef struct {
    prf_terminal_t terminal;
    uint64_t begin_ms, said_ms;
    int drawn;                           /* lines of the live block that are on the screen */
    char stage[PRF_CAMPAIGN_BOARDS][32]; /* the last one said, by the board's place */
    char note[200];                      /* the coordinator's last note that was said */
} prf_progress_t;

void prf_progress_init(prf_progress_t *out);
/* `status`: a whole answer; `campaign`: its entry of the campaign that is followed (borrowed). */
void prf_progress_show(prf_progress_t *self, const json_t *status, const json_t *campaign);
/* Takes the live block off the screen, so that something else can be written. */
void prf_progress_clear(prf_progress_t *self);
/* The campaign's entry of a `status` answer, or NULL. Borrowed. */
const json_t *prf_progress_find(const json_t *status, const char *campaign);
/* Not over: running, or paused. */
bool prf_progress_goes_on(const json_t *campaign);
/* "[#####.....]" of `width` cells; share 0 .. 1. */
void prf_progress_bar(double share, int width, char *text, size_t cap);

#endif
