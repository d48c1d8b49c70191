// SPDX-License-Identifier: Apache-2.0
#include "wire/budget.h"

#include <stdlib.h>

static void *take(void *data, size_t size)
{
    prf_budget_t *budget = data;
    if (size > budget->left) {
        budget->exhausted = true;
        return NULL;
    }
    budget->left -= size;
    return malloc(size);
}

static void give_back(void *data, void *pointer)
{
    (void)data;
    free(pointer);
}

ProtobufCAllocator prf_budget_allocator(prf_budget_t *budget)
{
    return (ProtobufCAllocator){take, give_back, budget};
}
