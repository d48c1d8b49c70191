// SPDX-License-Identifier: Apache-2.0
#include "poison.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

struct prf_poison {
    prf_map_t places;        /* point, attempt -> index into points */
    prf_poisoned_t **points; /* owned, each too */
    size_t count, cap;
};

prf_status_t prf_poison_new(prf_poison_t **out, prf_error_t *err)
{
    prf_poison_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "list of poisoned points");
    prf_map_init(&self->places);
    *out = self;
    return PRF_OK;
}

void prf_poison_destroy(prf_poison_t **self)
{
    if (!self || !*self)
        return;
    for (size_t i = 0; i < (*self)->count; i++)
        free((*self)->points[i]);
    free((*self)->points);
    prf_map_release(&(*self)->places);
    free(*self);
    *self = NULL;
}

static prf_poisoned_t *find(const prf_poison_t *self, const prf_digest_t *point, uint32_t attempt)
{
    uint64_t at;
    return prf_map_get(&self->places, point, attempt, &at) ? self->points[at] : NULL;
}

static prf_poisoned_t *make(prf_poison_t *self, const prf_record_t *record)
{
    if (self->count == self->cap) {
        size_t cap = self->cap ? 2 * self->cap : 16;
        prf_poisoned_t **points = realloc(self->points, cap * sizeof(void *));
        if (!points)
            return NULL;
        self->points = points;
        self->cap = cap;
    }
    prf_poisoned_t *p = calloc(1, sizeof *p);
    if (!p || prf_map_put(&self->places, &record->point, record->attempt, self->count, NULL)) {
        free(p);
        return NULL;
    }
    p->point = record->point;
    p->attempt = record->attempt;
    self->points[self->count++] = p;
    return p;
}

/* The last one takes its place. */
static void clear(prf_poison_t *self, const prf_digest_t *point, uint32_t attempt)
{
    uint64_t at;
    if (!prf_map_get(&self->places, point, attempt, &at))
        return;
    prf_map_remove(&self->places, point, attempt);
    free(self->points[at]);
    prf_poisoned_t *last = self->points[--self->count];
    if (at == self->count)
        return;
    self->points[at] = last;
    prf_status_t status = prf_map_put(&self->places, &last->point, last->attempt, at, NULL);
    assert(status == PRF_OK); /* it has its place already, only what stands there changes */
    (void)status;
}

prf_status_t prf_poison_add(prf_poison_t *self, const prf_record_t *record, prf_error_t *err)
{
    if (record->duplicate)
        return PRF_OK;
    if (record->outcome == PRF_OK || record->outcome == PRF_ECANCELLED) {
        clear(self, &record->point, record->attempt);
        return PRF_OK;
    }
    prf_poisoned_t *p = find(self, &record->point, record->attempt);
    if (!p && !(p = make(self, record)))
        return prf_fail(err, PRF_ENOMEM, "list of poisoned points");
    if (p->count == PRF_POISON_ERRORS)
        return PRF_OK;
    prf_poison_error_t *e = &p->errors[p->count++];
    e->outcome = record->outcome;
    snprintf(e->board, sizeof e->board, "%s", record->board);
    snprintf(e->text, sizeof e->text, "%s", record->error);
    return PRF_OK;
}

const prf_poisoned_t *prf_poison_at(const prf_poison_t *self, size_t index)
{
    return index < self->count ? self->points[index] : NULL;
}

size_t prf_poison_count(const prf_poison_t *self)
{
    return self->count;
}
