// SPDX-License-Identifier: Apache-2.0
/* trouble.h - what boards told of points that have no outcome yet: how they failed, and latencies that are not believed so far.
 * Pure; loop thread only.
 *
 * None of it is stored or acknowledged before the point has its outcome: a worker keeps a result until it is told what became of
 * it, and tells it again to a coordinator that was restarted. */
#ifndef PRF_TROUBLE_H
#define PRF_TROUBLE_H

#include "wire/wire.h"

typedef struct prf_trouble prf_trouble_t;

enum { PRF_TROUBLE_SAID = 8, PRF_TROUBLE_POINTS = 20000 };

typedef struct {
    uint32_t board;      /* number in the fleet */
    prf_result_t result; /* PRF_OK: a sample that is not believed */
} prf_said_t;

PRF_CHECKED prf_status_t prf_trouble_new(prf_trouble_t **out, prf_error_t *err);
void prf_trouble_destroy(prf_trouble_t **self); /* NULL-safe; clears *self */
/* Remembers; beyond PRF_TROUBLE_SAID of a point or PRF_TROUBLE_POINTS points it does not. */
void prf_trouble_add(prf_trouble_t *self, uint32_t board, const prf_result_t *result);
/* All that was told of the point, in order; NULL and 0 when nothing. Borrowed until the next change. */
const prf_said_t *prf_trouble_of(const prf_trouble_t *self, const prf_digest_t *point, uint32_t attempt, size_t *count);
/* Whether this very result is among it: sent again. */
bool prf_trouble_knows(const prf_trouble_t *self, uint32_t board, const prf_result_t *result);
void prf_trouble_forget(prf_trouble_t *self, const prf_digest_t *point, uint32_t attempt);

#endif
