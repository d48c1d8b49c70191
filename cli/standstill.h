// SPDX-License-Identifier: Apache-2.0
/* standstill.h - why nothing is measured on a kind of board that has work: nobody says so by himself, since a farm simply waits
 * for a board that it may use. Pure. */
#ifndef PRF_CLI_STANDSTILL_H
#define PRF_CLI_STANDSTILL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { PRF_STANDSTILL = 320 };

/* How many boards of a kind are connected, and how many of them get no work. */
typedef struct {
    const char *kind; /* borrowed */
    double live;
    double other_runtime; /* another than the campaign's */
    double quarantined;   /* of all that are live */
} prf_standing_t;

/* Fills `text` with why the kind stands still and what to do; "" when some board may work. `where` is what a command needs to ask
 * the same farm: " --dir first", or "". */
void prf_standstill(const prf_standing_t *boards, const char *where, char text[PRF_STANDSTILL]);
/* The same for a campaign's entry of a `status` answer and one of its boards, while its stage needs a board. */
void prf_standstill_of(const json_t *campaign, const json_t *board, const char *where, char text[PRF_STANDSTILL]);

#endif
