// SPDX-License-Identifier: Apache-2.0
/* triage.h - which boards are trusted with work: keeps account of what they do, quarantines those that fail, has them power-cycled
 * and tries them again. trust.h decides; this carries out: leases go back, the state is made durable, hooks are run, people are
 * told. Loop thread only. */
#ifndef PRF_TRIAGE_H
#define PRF_TRIAGE_H

#include "campaigns.h"
#include "hooks.h"
#include "hub.h"

typedef struct prf_triage prf_triage_t;

/* Takes the hooks over, also on failure. `first_ms`: the first delay of a quarantine. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_triage_new(prf_triage_t **out, const prf_hub_t *hub, prf_hook_list_t *hooks, uint64_t first_ms,
                                        prf_error_t *err);
/* After the commits, whose closures know of it. Kills hooks that are running. */
void prf_triage_destroy(prf_triage_t **self);

/* A board has come: one in quarantine gets no part in its class. */
void prf_triage_here(prf_triage_t *self, prf_fleet_board_t *board, uint64_t now_ms);
/* It has fallen silent. */
void prf_triage_lost(prf_triage_t *self, const prf_fleet_board_t *board, uint64_t now_ms);
/* How many jobs a board may be given now; for one in quarantine at most one, when it is due to be tried. */
size_t prf_triage_most(prf_triage_t *self, prf_fleet_board_t *board, uint64_t now_ms);

void prf_triage_success(prf_triage_t *self, prf_fleet_board_t *board, uint64_t now_ms);
/* A board failed on a job, which is no longer leased to it. `again`: its point had failed before, here or elsewhere. */
void prf_triage_failure(prf_triage_t *self, prf_fleet_board_t *board, bool again, prf_status_t outcome, const char *error,
                        uint64_t now_ms);

/* Looks after hooks: every half heartbeat. */
void prf_triage_tick(prf_triage_t *self, uint64_t now_ms);

/* The ops of docs/protocol.md, answered once they are durable. */
void prf_triage_quarantine(prf_triage_t *self, const char *board, const char *why, prf_reply_fn fn, void *arg);
void prf_triage_release(prf_triage_t *self, const char *board, prf_reply_fn fn, void *arg);
void prf_triage_power_cycle(prf_triage_t *self, const char *board, prf_reply_fn fn, void *arg);

/* What there is to say about a board's quarantine and its power-cycles: "" when nothing. */
void prf_triage_note(const prf_triage_t *self, const prf_fleet_board_t *board, char *text, size_t cap);
/* Boards of a kind that are here and in quarantine; `fingerprint` not "": of that runtime only. */
size_t prf_triage_count(const prf_triage_t *self, const char *kind, const char *fingerprint);

#endif
