// SPDX-License-Identifier: Apache-2.0
/* index.c - what is known of a point stands in its entry of the ledger. Board names are few and long, so each is kept once, here. A
 * duplicate of a point whose first record was lost with a damaged page leaves an entry that knows nothing but that. */
#include "index.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

struct prf_index {
    size_t known;
    prf_map_t names; /* key of a board's name -> index into boards */
    char **boards;   /* owned, each too */
    size_t board_count, board_cap;
};

prf_status_t prf_index_new(prf_index_t **out, prf_error_t *err)
{
    prf_index_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "index of results");
    prf_map_init(&self->names);
    *out = self;
    return PRF_OK;
}

void prf_index_destroy(prf_index_t **self)
{
    if (!self || !*self)
        return;
    prf_index_t *i = *self;
    for (size_t k = 0; k < i->board_count; k++)
        free(i->boards[k]);
    free(i->boards);
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

static bool better(const prf_record_t *record, const prf_entry_t *entry)
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

prf_status_t prf_index_add(prf_index_t *self, prf_entry_t *entry, const prf_record_t *record, prf_error_t *err)
{
    uint32_t board;
    prf_status_t status = intern(self, record->board, &board, err);
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
    entry->known = true;
    entry->outcome = (uint16_t)record->outcome;
    entry->board = board;
    entry->error = error;
    entry->sample = record->sample;
    return PRF_OK;
}

bool prf_index_get(const prf_index_t *self, const prf_entry_t *entry, prf_known_t *out)
{
    if (!entry || !entry->known)
        return false;
    *out = (prf_known_t){.outcome = (prf_status_t)entry->outcome,
                         .error = entry->error ? entry->error : "",
                         .board = self->boards[entry->board],
                         .sample = entry->sample,
                         .busy_ns = entry->busy_ns};
    return true;
}

size_t prf_index_count(const prf_index_t *self)
{
    return self->known;
}
