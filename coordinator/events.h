// SPDX-License-Identifier: Apache-2.0
/* events.h - what happened to boards, points and campaigns that a person will want to know the next morning: the store's `event`
 * table. Loop thread only.
 *
 * The table is only ever appended to. It stays small because few things are events and because a burst of them is cut short: over
 * time one in ten seconds at most, 50 at once; how many were left out is an event, too. The newest PRF_EVENTS are kept in memory,
 * so that showing them costs no reading. Only what is durable is shown. */
#ifndef PRF_EVENTS_H
#define PRF_EVENTS_H

#include <jansson.h>

#include "commits.h"

typedef struct prf_events prf_events_t;

enum { PRF_EVENTS = 1000 };

/* Reads what the store has. Both are borrowed. Errors: PRF_ENOMEM, PRF_EIO. */
PRF_CHECKED prf_status_t prf_events_new(prf_events_t **out, prf_store_t *store, prf_commits_t *commits, prf_error_t *err);
/* After the commits, whose closures know of it. */
void prf_events_destroy(prf_events_t **self);

/* Writes an event: `what` happened ("board_quarantined"), to whom (the name of a board, kind or campaign), and more for people.
 * While the disk is full events are only logged. */
void prf_events_add(prf_events_t *self, const char *what, const char *subject, const char *fmt, ...) PRF_PRINTF(4, 5);

/* Op `events` of docs/protocol.md: those with a number above `after`, at most `limit` (0: as many as fit). New reference. */
json_t *prf_events_page(const prf_events_t *self, uint64_t after, size_t limit);
/* The number of the newest; 0: there was none yet. */
uint64_t prf_events_newest(const prf_events_t *self);

#endif
