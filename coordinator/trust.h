// SPDX-License-Identifier: Apache-2.0
/* trust.h - whether a board may be given work: quarantine as a state machine (states.h), and when a board in quarantine is tried
 * again. Pure: no clock, no I/O; `now_ms` is monotonic.
 *
 * A board is tried with one ordinary job. What fails in quarantine says nothing about the point. A board that a person has barred
 * stays so until a person releases it. */
#ifndef PRF_TRUST_H
#define PRF_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include "states.h"

enum { PRF_TRUST_STREAK = 5, PRF_TRUST_LONGEST_MS = 3600000, PRF_TRUST_WHY = 160 };

typedef struct {
    int state; /* prf_trust_state_t */
    char why[PRF_TRUST_WHY];
    uint64_t since_ms; /* wall clock, for people */
    uint64_t delay_ms; /* the last one */
    uint64_t until_ms; /* monotonic: not tried before; not of a barred one */
    uint32_t streak;   /* failures in a row, on points that nobody had failed on */
} prf_trust_t;

/* A job was done. True: that ended its quarantine. One that was given out before the quarantine does not. */
bool prf_trust_success(prf_trust_t *self, uint64_t now_ms);
/* A job failed in a way that may be the board's fault: nobody had failed on its point before. True: the board is in quarantine from
 * now on, or for longer; `first_ms` is the first delay. `why` is the failure's text. */
bool prf_trust_failure(prf_trust_t *self, const char *why, uint64_t first_ms, uint64_t now_ms, uint64_t wall_ms);
/* A job failed whose point had failed before, here or elsewhere: that is the point's doing, and tells nothing of the board. One
 * that was tried with it is tried again after the same delay. */
void prf_trust_no_news(prf_trust_t *self, uint64_t now_ms);
/* By hand; `why` "": what it was in quarantine for stays the reason. */
void prf_trust_bar(prf_trust_t *self, const char *why, uint64_t wall_ms);
void prf_trust_release(prf_trust_t *self);
/* After a restart: the delay begins anew. */
void prf_trust_restart(prf_trust_t *self, uint64_t now_ms);
/* It is not tried before. */
void prf_trust_postpone(prf_trust_t *self, uint64_t until_ms);
/* Whether it may be tried with one job. */
bool prf_trust_probe_due(const prf_trust_t *self, uint64_t now_ms);

#endif
