// SPDX-License-Identifier: Apache-2.0
/* poison.h - the points that were given up, and how every board failed on them. Filled from the store's records at start, then as
 * commits succeed, like the index; pure; loop thread only.
 *
 * When a point is given up, one failure record is written for each board that failed on it. A sample that comes later, or a person
 * (`prfarm retry`, a record with outcome PRF_ECANCELLED), clears it. */
#ifndef PRF_POISON_H
#define PRF_POISON_H

#include "wire/record.h"

typedef struct prf_poison prf_poison_t;

enum { PRF_POISON_ERRORS = 8 };

typedef struct {
    char board[PRF_NAME];
    prf_status_t outcome;
    char text[PRF_ERROR_TEXT];
} prf_poison_error_t;

typedef struct {
    prf_digest_t point;
    uint32_t attempt;
    size_t count;
    prf_poison_error_t errors[PRF_POISON_ERRORS];
} prf_poisoned_t;

PRF_CHECKED prf_status_t prf_poison_new(prf_poison_t **out, prf_error_t *err);
void prf_poison_destroy(prf_poison_t **self); /* NULL-safe; clears *self */
/* Takes a committed record into account. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_poison_add(prf_poison_t *self, const prf_record_t *record, prf_error_t *err);
/* Those that are poisoned stand at 0 .. count - 1, in no order that lasts. NULL behind the last. Borrowed until the next change. */
const prf_poisoned_t *prf_poison_at(const prf_poison_t *self, size_t index);
size_t prf_poison_count(const prf_poison_t *self);

#endif
