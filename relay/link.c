// SPDX-License-Identifier: Apache-2.0
/* link.c - a ring of encoded frames that waits for confirmation: the oldest are confirmed first, those before `sent` are on their
 * way. ZeroMQ drops what is under way when a connection breaks; here it is still, and goes out again over the next one. */
#include "link.h"

#include <stdlib.h>

enum { OWE_BYTES = 64 << 10, OWE_PARTS = 32 };

typedef struct {
    uint8_t *bytes; /* owned */
    size_t len;
} item_t;

struct prf_link {
    item_t *ring; /* owned */
    size_t head, count, cap;
    size_t sent;              /* of them */
    size_t bytes, sent_bytes; /* that all take with what they are kept in; of the frames that were sent */
    size_t limit;
    uint64_t confirmed; /* number of the last part that the peer has */
    uint64_t received;  /* and of the last that came from it */
    size_t owed_bytes, owed_parts;
};

prf_status_t prf_link_new(prf_link_t **out, size_t limit, prf_error_t *err)
{
    prf_link_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "link");
    self->limit = limit;
    *out = self;
    return PRF_OK;
}

static item_t *at(const prf_link_t *self, size_t i)
{
    size_t place = self->head + i;
    return &self->ring[place < self->cap ? place : place - self->cap];
}

static void drop_first(prf_link_t *self)
{
    item_t *item = at(self, 0);
    self->bytes -= sizeof *item + item->len;
    if (self->sent > 0) {
        self->sent--;
        self->sent_bytes -= item->len;
    }
    free(item->bytes);
    item->bytes = NULL;
    self->head = self->head + 1 < self->cap ? self->head + 1 : 0;
    self->count--;
    self->confirmed++;
}

void prf_link_clear(prf_link_t *self)
{
    while (self->count > 0)
        drop_first(self);
    free(self->ring);
    *self = (prf_link_t){.limit = self->limit};
}

void prf_link_destroy(prf_link_t **self)
{
    if (!*self)
        return;
    prf_link_clear(*self);
    free(*self);
    *self = NULL;
}

static prf_status_t make_room(prf_link_t *self, prf_error_t *err)
{
    if (self->count < self->cap)
        return PRF_OK;
    size_t cap = self->cap ? 2 * self->cap : 64;
    item_t *ring = malloc(cap * sizeof *ring);
    if (!ring)
        return prf_fail(err, PRF_ENOMEM, "a link with %zu parts", cap);
    for (size_t i = 0; i < self->count; i++)
        ring[i] = *at(self, i);
    free(self->ring);
    self->ring = ring;
    self->head = 0;
    self->cap = cap;
    return PRF_OK;
}

prf_status_t prf_link_queue(prf_link_t *self, const prf_part_t *part, prf_error_t *err)
{
    prf_frame_t frame = {.type = PRF_FRAME_LINK_PART, .u.part = *part};
    frame.u.part.number = self->confirmed + self->count + 1;
    item_t item;
    prf_status_t status = make_room(self, err);
    if (!status)
        status = prf_frame_encode(&frame, &item.bytes, &item.len, err);
    if (status)
        return status;
    *at(self, self->count++) = item;
    self->bytes += sizeof item + item.len;
    return PRF_OK;
}

const uint8_t *prf_link_next(const prf_link_t *self, size_t *len)
{
    if (self->sent == self->count || self->sent_bytes >= PRF_LINK_IN_FLIGHT)
        return NULL;
    const item_t *item = at(self, self->sent);
    *len = item->len;
    return item->bytes;
}

void prf_link_sent(prf_link_t *self)
{
    self->sent_bytes += at(self, self->sent)->len;
    self->sent++;
}

void prf_link_rewind(prf_link_t *self)
{
    self->sent = self->sent_bytes = 0;
}

prf_status_t prf_link_confirm(prf_link_t *self, uint64_t received, prf_error_t *err)
{
    if (received > self->confirmed + self->count)
        return prf_fail(err, PRF_EPEER, "the other relay confirms part %llu of %llu", (unsigned long long)received,
                        (unsigned long long)(self->confirmed + self->count));
    while (self->confirmed < received)
        drop_first(self);
    return PRF_OK;
}

prf_link_order_t prf_link_take(prf_link_t *self, const prf_part_t *part)
{
    if (part->number != self->received + 1)
        return part->number <= self->received ? PRF_LINK_KNOWN : PRF_LINK_GAP;
    self->received++;
    self->owed_parts++;
    self->owed_bytes += part->len;
    return PRF_LINK_NEXT;
}

uint64_t prf_link_received(prf_link_t *self)
{
    self->owed_parts = self->owed_bytes = 0;
    return self->received;
}

bool prf_link_owes(const prf_link_t *self)
{
    return self->owed_parts >= OWE_PARTS || self->owed_bytes >= OWE_BYTES;
}

size_t prf_link_bytes(const prf_link_t *self)
{
    return self->bytes;
}

bool prf_link_full(const prf_link_t *self)
{
    return self->bytes >= self->limit;
}
