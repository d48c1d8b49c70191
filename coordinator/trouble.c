// SPDX-License-Identifier: Apache-2.0
#include "trouble.h"

#include <stdlib.h>

#include "base/map.h"

typedef struct {
    size_t count;
    prf_said_t said[PRF_TROUBLE_SAID];
} entry_t;

struct prf_trouble {
    prf_map_t places; /* point, attempt -> entry_t *, owned */
};

prf_status_t prf_trouble_new(prf_trouble_t **out, prf_error_t *err)
{
    prf_trouble_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "failures of points");
    prf_map_init(&self->places);
    *out = self;
    return PRF_OK;
}

void prf_trouble_destroy(prf_trouble_t **self)
{
    if (!self || !*self)
        return;
    prf_map_t *map = &(*self)->places;
    for (size_t i = 0; i < map->cap; i++)
        if (map->entries[i].used)
            free(prf_map_get_pointer(map, &map->entries[i].digest, map->entries[i].number));
    prf_map_release(map);
    free(*self);
    *self = NULL;
}

void prf_trouble_add(prf_trouble_t *self, uint32_t board, const prf_result_t *result)
{
    entry_t *entry = prf_map_get_pointer(&self->places, &result->point, result->attempt);
    if (!entry && self->places.count < PRF_TROUBLE_POINTS && (entry = calloc(1, sizeof *entry)) &&
        prf_map_put_pointer(&self->places, &result->point, result->attempt, entry, NULL)) {
        free(entry);
        return;
    }
    if (entry && entry->count < PRF_TROUBLE_SAID)
        entry->said[entry->count++] = (prf_said_t){board, *result};
}

const prf_said_t *prf_trouble_of(const prf_trouble_t *self, const prf_digest_t *point, uint32_t attempt, size_t *count)
{
    const entry_t *entry = prf_map_get_pointer(&self->places, point, attempt);
    *count = entry ? entry->count : 0;
    return entry ? entry->said : NULL;
}

bool prf_trouble_knows(const prf_trouble_t *self, uint32_t board, const prf_result_t *result)
{
    size_t count;
    const prf_said_t *said = prf_trouble_of(self, &result->point, result->attempt, &count);
    for (size_t i = 0; i < count; i++)
        if (said[i].board == board && said[i].result.id == result->id && said[i].result.epoch == result->epoch)
            return true;
    return false;
}

void prf_trouble_forget(prf_trouble_t *self, const prf_digest_t *point, uint32_t attempt)
{
    free(prf_map_get_pointer(&self->places, point, attempt));
    prf_map_remove(&self->places, point, attempt);
}
