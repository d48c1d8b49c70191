// SPDX-License-Identifier: Apache-2.0
/* outbox.c - one array in order of arrival, each entry with its slot in the spool. With a thousand entries at most, walking it is
 * cheaper than any index. */
#include "outbox.h"

#include <stdlib.h>

enum { NO_SLOT = PRF_OUTBOX_CAP };

typedef struct {
    prf_result_t result;
    uint64_t sent_ms; /* 0: not yet */
    uint32_t slot;    /* of the spool; NO_SLOT: not written */
    bool old;         /* it was here when the box was last saved */
} entry_t;

struct prf_outbox {
    prf_spool_t *spool; /* owned; NULL: the board is not open yet */
    size_t count;
    bool taken[PRF_OUTBOX_CAP]; /* slots */
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
    if (!self || !*self)
        return;
    prf_spool_close(&(*self)->spool);
    free(*self);
    *self = NULL;
}

static void take_up(void *arg, const prf_result_t *result, uint32_t slot)
{
    prf_outbox_t *self = arg;
    self->taken[slot] = true;
    self->entries[self->count++] = (entry_t){.result = *result, .slot = slot};
}

prf_status_t prf_outbox_keep(prf_outbox_t *self, const char *folder, const prf_hello_t *who, prf_spool_found_t *found,
                             prf_error_t *err)
{
    prf_outbox_t *fresh;
    prf_status_t status = prf_outbox_new(&fresh, err);
    if (status)
        return status;
    status = prf_spool_open(&fresh->spool, folder, who, PRF_OUTBOX_CAP, take_up, fresh, found, err);
    if (!status) {
        prf_spool_close(&self->spool);
        *self = *fresh;
        fresh->spool = NULL;
    }
    prf_outbox_destroy(&fresh);
    return status;
}

static void drop_slot(prf_outbox_t *self, entry_t *entry)
{
    if (entry->slot == NO_SLOT)
        return;
    prf_spool_clear(self->spool, entry->slot);
    self->taken[entry->slot] = false;
    entry->slot = NO_SLOT;
}

/* A box has as many slots as places, so that there is a free one. */
static prf_status_t write_entry(prf_outbox_t *self, entry_t *entry, prf_error_t *err)
{
    uint32_t slot = entry->slot == NO_SLOT ? 0 : entry->slot;
    while (entry->slot == NO_SLOT && self->taken[slot])
        slot++;
    prf_status_t status = prf_spool_put(self->spool, slot, &entry->result, err);
    if (!status) {
        self->taken[slot] = true;
        entry->slot = slot;
    }
    return status;
}

prf_status_t prf_outbox_add(prf_outbox_t *self, const prf_result_t *result, prf_error_t *err)
{
    size_t i = 0;
    while (i < self->count && (self->entries[i].result.id != result->id || self->entries[i].result.attempt != result->attempt))
        i++;
    if (i == PRF_OUTBOX_CAP)
        return prf_fail(err, PRF_EBUSY, "%d results wait for the coordinator's commit: is its disk too slow?", PRF_OUTBOX_CAP);
    entry_t *entry = &self->entries[i];
    *entry = (entry_t){.result = *result, .slot = i < self->count ? entry->slot : NO_SLOT};
    if (i == self->count)
        self->count++;
    if (self->spool && write_entry(self, entry, NULL))
        drop_slot(self, entry); /* what it has there is not this result; the next save tries again */
    return PRF_OK;
}

prf_status_t prf_outbox_save(prf_outbox_t *self, prf_error_t *err)
{
    bool sync = false;
    prf_status_t status = PRF_OK;
    for (size_t i = 0; self->spool && !status && i < self->count; i++) {
        entry_t *entry = &self->entries[i];
        if (entry->slot == NO_SLOT)
            status = write_entry(self, entry, err);
        sync = sync || entry->old;
        entry->old = true;
    }
    return !status && sync ? prf_spool_sync(self->spool, err) : status;
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
    for (size_t i = 0; i < self->count; i++) {
        if (listed(self->entries[i].result.id, ids, count))
            drop_slot(self, &self->entries[i]);
        else
            self->entries[kept++] = self->entries[i];
    }
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
