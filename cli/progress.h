// SPDX-License-Identifier: Apache-2.0
/* progress.h - a campaign on its way, from the coordinator's `status` answers: a block of lines that is redrawn on a terminal,
 * plain lines at changes of stage and now and then everywhere else. Written to standard error; main thread only. */
#ifndef PRF_CLI_PROGRESS_H
#define PRF_CLI_PROGRESS_H

#include <jansson.h>
#include <stdint.h>

#include "campaign/campaign.h"
#include "output.h"
#include "standstill.h"

typedef struct {
    prf_terminal_t terminal;
    uint64_t begin_ms, said_ms;
    int drawn;                           /* lines of the live block that are on the screen */
    char stage[PRF_CAMPAIGN_BOARDS][32]; /* the last one said, by the board's place */
    char note[200];                      /* the coordinator's last note that was said */
    const char *dir; /* borrowed; of a run whose boards are our own: they are looked after elsewhere; else NULL */
    struct {
        char text[PRF_STANDSTILL]; /* why the kind stands still, "": it does not */
        uint64_t since_ms;
        bool said;
    } still[PRF_CAMPAIGN_BOARDS];
} prf_progress_t;

/* `dir`: the folder of one's own run, or NULL. */
void prf_progress_init(prf_progress_t *out, const char *dir);
/* `status`: a whole answer; `campaign`: its entry of the campaign that is followed (borrowed). */
void prf_progress_show(prf_progress_t *self, const json_t *status, const json_t *campaign);
/* Takes the live block off the screen, so that something else can be written. */
void prf_progress_clear(prf_progress_t *self);
/* The campaign's entry of a `status` answer, or NULL. Borrowed. */
const json_t *prf_progress_find(const json_t *status, const char *campaign);
/* Not over: running, or paused. */
bool prf_progress_goes_on(const json_t *campaign);
/* What a campaign that is over came to: PRF_OK when it is done; else the error says what ended it, and `logs` (may be NULL) where
 * to read more. Errors: PRF_ECANCELLED, PRF_EUNSUPPORTED (it failed). */
PRF_CHECKED prf_status_t prf_progress_verdict(const char *name, const char *state, const json_t *summary, const char *logs,
                                              prf_error_t *err);
/* A bar of `width` cells; share 0 .. 1. */
void prf_progress_bar(const prf_terminal_t *terminal, double share, int width, char *text, size_t cap);
/* Of a campaign's board (status): how much of what is planned is done, 0 .. 1; the stage, or that it is paused; and all numbers in
 * one line, "212/330, 8.1/s, 15s left, 1/1 busy, MAPE 2.3 %, v1 on 1 of 1". */
double prf_progress_share(const json_t *board);
const char *prf_progress_stage(const json_t *campaign, const json_t *board);
void prf_progress_describe(const json_t *board, char *text, size_t cap);

#endif
