// SPDX-License-Identifier: Apache-2.0
/* outbox.c - one array in order of arrival. With a thousand entries at most, walking it is cheaper than any index. */
#include "outbox.h"

#include <stdlib.h>

typedef struct {
    prf_result_t result;
    uint64_t sent_ms; /* 0: not yet */
} entry_t;

struct prf_outbox {
    size_t count;
    entry_t entries[PRF_OUTBOX_CAP];
};

prf_status_t prf_outbox_new(prf_outbox_t **out, prf_error_t *err)
{
    prf_outbox_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "outbox");
    *out = self;
    return PRF_OK;
}

void prf_outbox_destroy(prf_outbox_t **self)
{
    free(*self);
    *self = NULL;
}

prf_status_t prf_outbox_add(prf_outbox_t *self, const prf_result_t *result, prf_error_t *err)
{
    size_t i = 0;
    while (i < self->count && (self->entries[i].result.id != result->id || self->entries[i].result.attempt != result->attempt))
        i++;
    if (i == PRF_OUTBOX_CAP)
        return prf_fail(err, PRF_EBUSY, "%d results wait for the coordinator's commit", PRF_OUTBOX_CAP);
    self->entries[i] = (entry_t){.result = *result};
    if (i == self->count)
        self->count++;
    return PRF_OK;
}

static bool listed(uint64_t id, const uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

void prf_outbox_forget(prf_outbox_t *self, const uint64_t *ids, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++)
        if (!listed(self->entries[i].result.id, ids, count))
            self->entries[kept++] = self->entries[i];
    self->count = kept;
}

size_t prf_outbox_count(const prf_outbox_t *self)
{
    return self->count;
}

const prf_result_t *prf_outbox_at(const prf_outbox_t *self, size_t index)
{
    return &self->entries[index].result;
}

size_t prf_outbox_due(prf_outbox_t *self, uint64_t before_ms, uint64_t now_ms, prf_result_t *out, size_t cap)
{
    size_t taken = 0;
    for (size_t i = 0; i < self->count && taken < cap; i++) {
        entry_t *entry = &self->entries[i];
        if (entry->sent_ms != 0 && entry->sent_ms >= before_ms)
            continue;
        entry->sent_ms = now_ms;
        out[taken++] = entry->result;
    }
    return taken;
}

void prf_outbox_unsend(prf_outbox_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        self->entries[i].sent_ms = 0;
}
