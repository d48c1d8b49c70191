// SPDX-License-Identifier: Apache-2.0
/* private.h - a farm of one's own in a folder: a coordinator and workers as child processes, over sockets that nobody else reaches.
 * Main thread only.
 *
 * The folder holds store/ (the coordinator's), models/, state/ (the workers'), logs/, lock (held while somebody works there) and
 * endpoint (where to ask a live one). Whatever dies at any moment, the folder can be opened again and continues. */
#ifndef PRF_CLI_PRIVATE_H
#define PRF_CLI_PRIVATE_H

#include <stdbool.h>

#include "farm.h"

enum { PRF_DIR = 3072 };                  /* a folder's path, NUL included */
#define PRF_PRIVATE_TOKEN "http.token"    /* in the folder, while there is a dashboard: what it takes */
#define PRF_PRIVATE_PAGE "dashboard.html" /* likewise, where it was opened: a page that leads there */

typedef struct prf_private prf_private_t;

/* Takes the folder (making it when `create`), starts its coordinator, waits until it is ready, connects. `http` is the ADDRESS:PORT
 * at which it serves the dashboard, with a token that is made for it; NULL: it does not.
 * Errors: PRF_EBUSY (somebody works there), PRF_ENOTFOUND (no such folder, or nothing was ever run in it), PRF_EIO, PRF_ENOSPC,
 * PRF_ECRASH and what else the coordinator ended with, PRF_ECANCELLED. */
PRF_CHECKED prf_status_t prf_private_open(prf_private_t **out, const char *dir, bool create, const char *http, prf_error_t *err);
const char *prf_private_url(const prf_private_t *self);   /* of the dashboard, borrowed; "": there is none */
const char *prf_private_token(const prf_private_t *self); /* that it takes, likewise */
/* A kind of board to start workers for; everything borrowed. */
typedef struct {
    const char *kind, *backend;
    const char *const *options; /* "key=value" */
    size_t option_count;
    const char *const *care; /* "key=value": options of the worker that leave their dashes out */
    size_t care_count;
    unsigned workers;
} prf_private_board_t;

/* Starts the board's workers, named kind-1, kind-2, ... Errors: PRF_EINVAL (too long a kind), PRF_ENOTFOUND (no prfarm-worker). */
PRF_CHECKED prf_status_t prf_private_add(prf_private_t *self, const prf_private_board_t *board, prf_error_t *err);
/* To be called now and then: starts workers again that died, later and later. Errors: the coordinator died, or a worker cannot
 * live at all (its message is its own last words and where its log is). */
PRF_CHECKED prf_status_t prf_private_tend(prf_private_t *self, prf_error_t *err);
/* The last line that the first worker of a kind logged, or what there is to say instead. */
void prf_private_last_words(const prf_private_t *self, const char *kind, char *text, size_t cap);
/* How many workers were started again so far. */
unsigned prf_private_restarts(const prf_private_t *self);
prf_farm_t *prf_private_farm(prf_private_t *self); /* borrowed */
/* Ends workers, then the coordinator, in order; frees the folder. */
void prf_private_close(prf_private_t **self);

/* Connects to the live prfarm that works in `dir`. Errors: PRF_EBUSY (it does not say where it can be asked). */
PRF_CHECKED prf_status_t prf_private_join(prf_farm_t **out, const char *dir, prf_error_t *err);

#endif
