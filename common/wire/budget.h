// SPDX-License-Identifier: Apache-2.0
/* budget.h - memory for what protobuf-c unpacks, up to a budget: a few bytes of a hostile file could ask for a large struct each.
 * What was unpacked may outlive the budget, since it is malloc's. Not shared between threads. */
#ifndef PRF_WIRE_BUDGET_H
#define PRF_WIRE_BUDGET_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

typedef struct {
    size_t left;
    bool exhausted; /* the budget was reached */
} prf_budget_t;

/* Borrows the budget. */
ProtobufCAllocator prf_budget_allocator(prf_budget_t *budget);

#endif
