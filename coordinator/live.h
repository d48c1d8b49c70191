// SPDX-License-Identifier: Apache-2.0
/* live.h - what people who watch are told as it changes: the farm's state in topics, each rendered once however many watch
 * (docs/http.md, Live). Without viewers nothing is rendered and nothing is kept. Loop thread only.
 *
 * A viewer takes pieces as its connection has room for them. One that is slow is not waited for and nothing is kept for it: when it
 * has taken what it is at, it goes on with the newest state of whatever has changed since, and never sees what was in between. */
#ifndef PRF_LIVE_H
#define PRF_LIVE_H

#include "ops.h"

typedef struct prf_live prf_live_t;
typedef struct prf_viewer prf_viewer_t;

enum {
    PRF_LIVE_VIEWERS = 64,
    PRF_LIVE_MS = 500 /* between two looks */
};

/* There is something for a viewer that got nothing when it asked last. */
typedef void (*prf_live_wake_fn)(void *viewer_arg);

/* Queries are copied, operations borrowed. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_live_new(prf_live_t **out, const prf_queries_t *queries, prf_ops_t *ops, prf_live_wake_fn wake,
                                      prf_error_t *err);
void prf_live_destroy(prf_live_t **self); /* after its viewers; NULL-safe; clears *self */

/* A viewer that is told everything once, and then what changes. Errors: PRF_EBUSY (there are too many), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_live_join(prf_live_t *self, prf_viewer_t **out, void *viewer_arg, prf_error_t *err);
void prf_live_leave(prf_viewer_t **viewer); /* NULL-safe; clears *viewer */
size_t prf_live_viewers(const prf_live_t *self);

/* To be called every PRF_LIVE_MS while there are viewers: finds out what has changed and wakes those who wait. */
void prf_live_look(prf_live_t *self, uint64_t now_ms);
/* Wakes all, whatever there is, because nothing more will come. */
void prf_live_end(prf_live_t *self);
/* The next bytes for this viewer, text/event-stream, at most `cap`; 0: nothing now, it is woken when there is. */
size_t prf_live_read(prf_viewer_t *viewer, char *to, size_t cap);

#endif
