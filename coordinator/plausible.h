// SPDX-License-Identifier: Apache-2.0
/* plausible.h - whether a latency fits what boards of the same class told of layers of about the same size. Pure; loop thread only.
 *
 * Two layers of a kind are compared by their work: one with r times the operations and bytes of another takes between as long and r
 * times as long; sqrt(r) times is what is expected. A latency is odd when it is PRF_PLAUSIBLE_TIMES off what every one of its
 * nearest neighbours lets expect. That is less than 100, so that a value which is 100 times off is found although its neighbours
 * were faster or slower by a step; being doubted costs a second measurement and nothing else. The smallest layers of a space have
 * neighbours on one side only, and some of theirs slip through. Rejected: the campaign's own model as the judge. There is none
 * while it is most needed, and it would judge its own training data. */
#ifndef PRF_PLAUSIBLE_H
#define PRF_PLAUSIBLE_H

#include "layer/layer.h"

typedef struct prf_plausible prf_plausible_t;

enum { PRF_PLAUSIBLE_TIMES = 30, PRF_PLAUSIBLE_NEIGHBOURS = 5 };

PRF_CHECKED prf_status_t prf_plausible_new(prf_plausible_t **out, prf_error_t *err);
void prf_plausible_destroy(prf_plausible_t **self); /* NULL-safe; clears *self */

/* A latency that is believed. The newest of each class, layer kind and data type are remembered, as far as memory is set aside. */
void prf_plausible_note(prf_plausible_t *self, uint32_t klass, const prf_block_t *block, double latency_ns);
/* False also while fewer than PRF_PLAUSIBLE_NEIGHBOURS are known: without neighbours everything is plausible. */
bool prf_plausible_odd(const prf_plausible_t *self, uint32_t klass, const prf_block_t *block, double latency_ns);
/* Two measurements of one point that tell the same: within a factor of 2. */
bool prf_plausible_agree(double a_ns, double b_ns);

#endif
