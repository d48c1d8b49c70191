// SPDX-License-Identifier: Apache-2.0
/* commits.c - a write is an entry in a table of slots; its token is the slot with a count of how often the slot was used, so that
 * a late answer cannot be taken for another write's. Entries that failed stand in a queue of their own. While it is not empty
 * everything new goes behind it, and one entry at a time is tried: the first that succeeds sets the rest going. */
#include "commits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { OPEN_AT_MOST = 200000, DONE_BATCH = 256, TELL_AGAIN_MS = 60000 };

#define NONE SIZE_MAX

typedef struct {
    bool used, parked;
    prf_commit_mode_t mode;
    uint32_t generation;
    prf_commits_fn fn;
    void *arg;
    const prf_record_t *record; /* borrowed; NULL: a value */
    prf_table_t table;
    char *key;   /* owned; may be NULL */
    void *value; /* owned; may be NULL */
    size_t len;
    size_t next; /* free list, or the queue of those that are kept */
} entry_t;

struct prf_commits {
    prf_store_t *store;
    entry_t *entries; /* owned */
    size_t cap, free_list, open;
    size_t first, last; /* queue of kept entries */
    size_t probe;       /* the one that is being tried, or NONE */
    bool blocked;
    bool told; /* the last block was logged for people */
    uint64_t told_ms;
    char dir[256], note[400];
};

prf_status_t prf_commits_new(prf_commits_t **out, prf_store_t *store, const char *dir, prf_error_t *err)
{
    prf_commits_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "table of commits");
    self->store = store;
    self->free_list = self->first = self->last = self->probe = NONE;
    snprintf(self->dir, sizeof self->dir, "%s", dir);
    *out = self;
    return PRF_OK;
}

static void release(prf_commits_t *self, size_t at)
{
    entry_t *e = &self->entries[at];
    free(e->key);
    free(e->value);
    *e = (entry_t){.generation = e->generation + 1, .next = self->free_list};
    self->free_list = at;
    self->open--;
}

void prf_commits_destroy(prf_commits_t **self)
{
    if (!self || !*self)
        return;
    prf_commits_t *c = *self;
    for (size_t i = 0; i < c->cap; i++)
        if (c->entries[i].used) {
            prf_commits_fn fn = c->entries[i].fn;
            void *arg = c->entries[i].arg;
            release(c, i);
            if (fn)
                fn(arg, PRF_ECANCELLED);
        }
    free(c->entries);
    free(c);
    *self = NULL;
}

static prf_status_t slot(prf_commits_t *self, size_t *out, prf_error_t *err)
{
    if (self->open >= OPEN_AT_MOST)
        return prf_fail(err, PRF_EBUSY,
                        "%zu writes wait for the store in %s, which is slower than the farm: move it to a faster disk", self->open,
                        self->dir);
    if (self->free_list == NONE) {
        size_t cap = self->cap ? self->cap * 2 : 64;
        entry_t *entries = realloc(self->entries, cap * sizeof *entries);
        if (!entries)
            return prf_fail(err, PRF_ENOMEM, "%zu writes to the store", cap);
        self->entries = entries;
        for (size_t i = cap; i-- > self->cap;) {
            entries[i] = (entry_t){.next = self->free_list};
            self->free_list = i;
        }
        self->cap = cap;
    }
    *out = self->free_list;
    self->free_list = self->entries[*out].next;
    entry_t *e = &self->entries[*out];
    *e = (entry_t){.used = true, .generation = e->generation, .next = NONE};
    self->open++;
    return PRF_OK;
}

static uint64_t token_of(const prf_commits_t *self, size_t at)
{
    return (uint64_t)self->entries[at].generation << 32 | (uint64_t)(at + 1);
}

static prf_status_t put(prf_commits_t *self, size_t at, prf_error_t *err)
{
    const entry_t *e = &self->entries[at];
    uint64_t token = token_of(self, at);
    if (e->record)
        return prf_store_put_record(self->store, e->record, token, err);
    return prf_store_put(self->store, e->table, e->key, e->value, e->len, token, err);
}

static void block(prf_commits_t *self, prf_status_t why)
{
    if (self->blocked)
        return;
    self->blocked = true;
    if (why == PRF_ENOSPC)
        snprintf(self->note, sizeof self->note, "the disk that holds %s is full: free some space; the campaign goes on by itself",
                 self->dir);
    else
        snprintf(
            self->note, sizeof self->note,
            "the store in %s cannot be written (%s): no new work is given out until it can; if that does not pass, restart the "
            "coordinator, nothing is lost",
            self->dir, prf_status_name(why));
    /* A nearly full disk takes a small write now and then: that is one event, not one a second. */
    uint64_t now_ms = prf_clock_mono_ms();
    self->told = self->told_ms == 0 || now_ms - self->told_ms > TELL_AGAIN_MS;
    if (self->told)
        self->told_ms = now_ms;
    prf_log(self->told ? PRF_LOG_ERROR : PRF_LOG_DEBUG, "store_blocked status=\"%s\" note=\"%s\"", prf_status_name(why),
            self->note);
}

static void park(prf_commits_t *self, size_t at, prf_status_t why)
{
    entry_t *e = &self->entries[at];
    block(self, why);
    e->parked = true;
    e->next = NONE;
    if (self->last == NONE)
        self->first = at;
    else
        self->entries[self->last].next = at;
    self->last = at;
}

/* The one that was tried stays the first. */
static void park_first(prf_commits_t *self, size_t at)
{
    entry_t *e = &self->entries[at];
    e->parked = true;
    e->next = self->first;
    self->first = at;
    if (self->last == NONE)
        self->last = at;
}

static size_t unpark(prf_commits_t *self)
{
    size_t at = self->first;
    if (at == NONE)
        return NONE;
    entry_t *e = &self->entries[at];
    self->first = e->next;
    if (self->first == NONE)
        self->last = NONE;
    e->parked = false;
    e->next = NONE;
    return at;
}

/* Whether the same write may succeed later. Only its own size speaks against that; whatever else is wrong is wrong with the store,
 * and letting go of results because of it would lose them. */
static bool passing(prf_status_t status)
{
    return status != PRF_EINVAL && status != PRF_ECANCELLED;
}

/* A new entry to the store, or behind those that are kept. */
static prf_status_t submit(prf_commits_t *self, size_t at, prf_error_t *err)
{
    entry_t *e = &self->entries[at];
    if (self->blocked && e->mode == PRF_COMMIT_ONCE) {
        release(self, at);
        return prf_fail(err, PRF_ENOSPC, "%s", self->note);
    }
    if (self->blocked) {
        park(self, at, PRF_ENOSPC);
        return PRF_OK;
    }
    prf_error_t why = {0};
    prf_status_t status = put(self, at, &why);
    if (!status)
        return PRF_OK;
    if (e->mode == PRF_COMMIT_KEEP && passing(status)) {
        park(self, at, status);
        return PRF_OK;
    }
    release(self, at);
    return prf_fail(err, status, "%s", why.text);
}

prf_status_t prf_commits_record(prf_commits_t *self, const prf_record_t *record, prf_commits_fn fn, void *arg, prf_error_t *err)
{
    size_t at;
    prf_status_t status = slot(self, &at, err);
    if (status)
        return status;
    entry_t *e = &self->entries[at];
    e->mode = PRF_COMMIT_KEEP;
    e->fn = fn;
    e->arg = arg;
    e->record = record;
    return submit(self, at, err);
}

prf_status_t prf_commits_value(prf_commits_t *self, prf_table_t table, const char *key, const void *value, size_t len,
                               prf_commit_mode_t mode, prf_commits_fn fn, void *arg, prf_error_t *err)
{
    size_t at;
    prf_status_t status = slot(self, &at, err);
    if (status)
        return status;
    entry_t *e = &self->entries[at];
    e->mode = mode;
    e->fn = fn;
    e->arg = arg;
    e->table = table;
    e->len = len;
    e->key = key ? strdup(key) : NULL;
    e->value = value ? malloc(len ? len : 1) : NULL;
    if ((key && !e->key) || (value && !e->value)) {
        release(self, at);
        return prf_fail(err, PRF_ENOMEM, "a value of %zu bytes for the store", len);
    }
    if (value && len)
        memcpy(e->value, value, len);
    return submit(self, at, err);
}

static void settle(prf_commits_t *self, size_t at, prf_status_t status)
{
    prf_commits_fn fn = self->entries[at].fn;
    void *arg = self->entries[at].arg;
    release(self, at);
    if (fn)
        fn(arg, status);
}

static void unblock(prf_commits_t *self)
{
    self->blocked = false;
    prf_log(self->told ? PRF_LOG_INFO : PRF_LOG_DEBUG, "store_writable dir=\"%s\" kept=%zu", self->dir, self->open);
    size_t at;
    while (!self->blocked && (at = unpark(self)) != NONE) {
        prf_status_t status = put(self, at, NULL);
        if (status && passing(status))
            park(self, at, status);
        else if (status)
            settle(self, at, status);
    }
}

static void finish(prf_commits_t *self, size_t at, prf_status_t status)
{
    entry_t *e = &self->entries[at];
    bool probe = self->probe == at;
    if (probe)
        self->probe = NONE;
    if (status && e->mode == PRF_COMMIT_KEEP && passing(status)) {
        if (probe)
            park_first(self, at);
        else
            park(self, at, status);
        return;
    }
    if (probe && self->blocked)
        unblock(self);
    settle(self, at, status);
}

void prf_commits_read(prf_commits_t *self)
{
    prf_store_done_t done[DONE_BATCH];
    size_t count;
    while ((count = prf_store_done(self->store, done, DONE_BATCH)) > 0)
        for (size_t i = 0; i < count; i++) {
            size_t at = (size_t)(done[i].token & 0xffffffffu) - 1;
            if (at < self->cap && self->entries[at].used && !self->entries[at].parked && token_of(self, at) == done[i].token)
                finish(self, at, done[i].status);
        }
}

void prf_commits_retry(prf_commits_t *self)
{
    if (!self->blocked || self->probe != NONE)
        return;
    size_t at = unpark(self);
    if (at == NONE) {
        unblock(self);
        return;
    }
    prf_status_t status = put(self, at, NULL);
    if (status && passing(status))
        park_first(self, at);
    else if (status)
        settle(self, at, status);
    else
        self->probe = at;
}

size_t prf_commits_pending(const prf_commits_t *self)
{
    return self->open;
}

bool prf_commits_blocked(const prf_commits_t *self, const char **note)
{
    if (note)
        *note = self->blocked ? self->note : "";
    return self->blocked;
}
