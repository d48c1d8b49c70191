// SPDX-License-Identifier: Apache-2.0
/* points.h - has blocks and chains of blocks measured on a farm's boards and waits for the outcome (ops `measure` and `results`,
 * docs/protocol.md). What the farm has measured before comes from its store. Main thread only. */
#ifndef PRF_CLI_POINTS_H
#define PRF_CLI_POINTS_H

#include <jansson.h>

#include "access.h"

/* prf_access_open, for boards: also PRF_ENOTFOUND when it is a run that is over. */
PRF_CHECKED prf_status_t prf_points_open(prf_access_t *out, const prf_where_t *where, prf_error_t *err);

/* Judges what was given as --cache. Errors: PRF_EUSAGE. */
PRF_CHECKED prf_status_t prf_points_check_cache(const char *name, prf_error_t *err);

/* One result for each of `items` (a reference that is taken; [{"blocks": [text, ...]}, ...]), in their order: a new reference.
 * `cache` is a prf_cache_name. `known` (may be NULL) receives how many of them the farm had already. Shows on the terminal how far
 * it is, says when boards stand still, tends a private farm meanwhile. Waits as long as it takes. Errors: PRF_ENOTFOUND (no board
 * of the kind is there), those of prf_farm_call and prf_private_tend, PRF_ECANCELLED. */
PRF_CHECKED prf_status_t prf_points_measure(const prf_access_t *access, const char *kind, const char *cache, json_t *items,
                                            json_t **results, size_t *known, prf_error_t *err);
/* Nanoseconds; NaN when the board could not run it, and why is in its "error". */
double prf_points_latency(const json_t *result);

#endif
