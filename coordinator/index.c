// SPDX-License-Identifier: Apache-2.0
/* index.c - one entry a point and attempt. Board names are few and long, so each is kept once; error texts are rare and kept
 * apart. A duplicate of a point whose first record was lost with a damaged page leaves an entry that knows nothing but that. */
#include "index.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

typedef struct {
    prf_sample_t sample;
    uint64_t busy_ns; /* of all its records */
    char *error;      /* owned; NULL: none */
    uint32_t board;
    uint16_t outcome;
    bool known; /* has a record that counts */
    bool duplicate_kept;
} entry_t;

struct prf_index {
    prf_map_t places; /* point, attempt -> index into entries */
    entry_t *entries; /* owned */
    size_t count, cap, known;
    prf_map_t names; /* key of a board's name -> index into boards */
    char **boards;   /* owned, each too */
    size_t board_count, board_cap;
};

prf_status_t prf_index_new(prf_index_t **out, prf_error_t *err)
{
    prf_index_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "index of results");
    prf_map_init(&self->places);
    prf_map_init(&self->names);
    *out = self;
    return PRF_OK;
}

void prf_index_destroy(prf_index_t **self)
{
    if (!self || !*self)
        return;
    prf_index_t *i = *self;
    for (size_t k = 0; k < i->count; k++)
        free(i->entries[k].error);
    for (size_t k = 0; k < i->board_count; k++)
        free(i->boards[k]);
    free(i->entries);
    free(i->boards);
    prf_map_release(&i->places);
    prf_map_release(&i->names);
    free(i);
    *self = NULL;
}

static prf_status_t intern(prf_index_t *self, const char *board, uint32_t *out, prf_error_t *err)
{
    prf_digest_t key;
    uint64_t at;
    prf_map_key(&key, board, strlen(board));
    if (prf_map_get(&self->names, &key, 0, &at)) {
        *out = (uint32_t)at;
        return PRF_OK;
    }
    if (self->board_count == self->board_cap) {
        size_t cap = self->board_cap ? self->board_cap * 2 : 16;
        char **boards = realloc(self->boards, cap * sizeof *boards);
        if (!boards)
            return prf_fail(err, PRF_ENOMEM, "board names of results");
        self->boards = boards;
        self->board_cap = cap;
    }
    char *copy = strdup(board);
    if (!copy)
        return prf_fail(err, PRF_ENOMEM, "board name of a result");
    prf_status_t status = prf_map_put(&self->names, &key, 0, self->board_count, err);
    if (status) {
        free(copy);
        return status;
    }
    *out = (uint32_t)self->board_count;
    self->boards[self->board_count++] = copy;
    return PRF_OK;
}

static prf_status_t place(prf_index_t *self, const prf_record_t *record, entry_t **out, prf_error_t *err)
{
    if (self->count == self->cap) {
        size_t cap = self->cap ? self->cap * 2 : 256;
        entry_t *entries = realloc(self->entries, cap * sizeof *entries);
        if (!entries)
            return prf_fail(err, PRF_ENOMEM, "index of %zu results", cap);
        self->entries = entries;
        self->cap = cap;
    }
    uint64_t *at;
    bool fresh;
    prf_status_t status = prf_map_reach(&self->places, &record->point, record->attempt, &at, &fresh, err);
    if (status)
        return status;
    if (fresh) {
        *at = self->count;
        self->entries[self->count++] = (entry_t){0};
    }
    *out = &self->entries[*at];
    return PRF_OK;
}

static bool better(const prf_record_t *record, const entry_t *entry)
{
    if (!entry->known)
        return true;
    if (record->outcome != PRF_OK || entry->outcome != PRF_OK)
        return record->outcome == PRF_OK && entry->outcome != PRF_OK;
    if ((record->sample.taint != 0) != (entry->sample.taint != 0))
        return record->sample.taint == 0;
    if (record->sample.taint != 0)
        return record->sample.latency_ns < entry->sample.latency_ns;
    return record->sample.ci_percent < entry->sample.ci_percent;
}

prf_status_t prf_index_add(prf_index_t *self, const prf_record_t *record, prf_error_t *err)
{
    uint32_t board;
    entry_t *entry;
    prf_status_t status = intern(self, record->board, &board, err);
    if (!status)
        status = place(self, record, &entry, err);
    if (status)
        return status;
    if (record->duplicate) {
        entry->duplicate_kept = true;
        return PRF_OK;
    }
    if (record->outcome == PRF_ECANCELLED) {
        bool failure = entry->known && entry->outcome != PRF_OK;
        self->known -= failure;
        entry->known = entry->known && !failure;
        return PRF_OK;
    }
    entry->busy_ns += record->sample.busy_ns;
    if (!better(record, entry))
        return PRF_OK;
    char *error = NULL;
    if (record->outcome != PRF_OK && !(error = strndup(record->error, sizeof record->error)))
        return prf_fail(err, PRF_ENOMEM, "index of results");
    free(entry->error);
    self->known += !entry->known;
    *entry = (entry_t){.sample = record->sample,
                       .busy_ns = entry->busy_ns,
                       .error = error,
                       .board = board,
                       .outcome = (uint16_t)record->outcome,
                       .known = true,
                       .duplicate_kept = entry->duplicate_kept};
    return PRF_OK;
}

bool prf_index_get(const prf_index_t *self, const prf_digest_t *point, uint32_t attempt, prf_known_t *out)
{
    uint64_t at;
    if (!prf_map_get(&self->places, point, attempt, &at) || !self->entries[at].known)
        return false;
    const entry_t *entry = &self->entries[at];
    *out = (prf_known_t){.outcome = (prf_status_t)entry->outcome,
                         .error = entry->error ? entry->error : "",
                         .board = self->boards[entry->board],
                         .sample = entry->sample,
                         .busy_ns = entry->busy_ns};
    return true;
}

bool prf_index_duplicated(const prf_index_t *self, const prf_digest_t *point, uint32_t attempt)
{
    uint64_t at;
    return prf_map_get(&self->places, point, attempt, &at) && self->entries[at].duplicate_kept;
}

size_t prf_index_count(const prf_index_t *self)
{
    return self->known;
}
