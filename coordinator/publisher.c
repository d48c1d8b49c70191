// SPDX-License-Identifier: Apache-2.0
/* publisher.c - a table of versions without their bytes. The file that was fetched last is kept in memory, because a fleet fetches
 * the same one at the same time. */
#include "publisher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/frames.h"

enum { MODEL_KEY = PRF_NAME + 16 };

typedef struct {
    prf_model_version_t version;
    bool durable;
} entry_t;

struct prf_publisher {
    prf_store_t *store;
    prf_commits_t *commits;
    prf_socket_t *broadcast;
    entry_t *entries; /* owned */
    size_t count, cap;
    prf_digest_t cached;
    void *cache; /* owned: bytes of `cached` */
    size_t cache_len;
};

static void model_key(char key[MODEL_KEY], const char *kind, uint32_t version)
{
    snprintf(key, MODEL_KEY, "%s/%010u", kind, version);
}

static prf_status_t append(prf_publisher_t *self, const entry_t *entry, prf_error_t *err)
{
    if (self->count == self->cap) {
        size_t cap = self->cap ? self->cap * 2 : 8;
        entry_t *entries = realloc(self->entries, cap * sizeof *entries);
        if (!entries)
            return prf_fail(err, PRF_ENOMEM, "%zu model versions", cap);
        self->entries = entries;
        self->cap = cap;
    }
    self->entries[self->count++] = *entry;
    return PRF_OK;
}

typedef struct {
    prf_publisher_t *self;
    prf_status_t status;
    prf_error_t *err;
} loading_t;

static bool load(void *arg, const char *key, const void *value, size_t len)
{
    loading_t *loading = arg;
    entry_t entry = {.durable = true};
    int end = 0;
    if (sscanf(key, "%63[^/]/%10u%n", entry.version.kind, &entry.version.version, &end) != 2 || key[end] ||
        entry.version.version == 0)
        return true;
    entry.version.bytes = len;
    prf_digest(&entry.version.digest, value, len);
    loading->status = append(loading->self, &entry, loading->err);
    return loading->status == PRF_OK;
}

prf_status_t prf_publisher_new(prf_publisher_t **out, prf_store_t *store, prf_commits_t *commits, prf_socket_t *broadcast,
                               prf_error_t *err)
{
    prf_publisher_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "publisher");
    *self = (prf_publisher_t){.store = store, .commits = commits, .broadcast = broadcast};
    loading_t loading = {self, PRF_OK, err};
    uint64_t damaged = 0;
    prf_status_t status = prf_store_scan(store, PRF_TABLE_MODEL, NULL, load, &loading, &damaged, err);
    if (!status)
        status = loading.status;
    if (status) {
        prf_publisher_destroy(&self);
        return status;
    }
    if (damaged)
        prf_log(PRF_LOG_WARN, "models_damaged count=%llu left_out=true", (unsigned long long)damaged);
    *out = self;
    return PRF_OK;
}

void prf_publisher_destroy(prf_publisher_t **self)
{
    if (!self || !*self)
        return;
    free((*self)->entries);
    free((*self)->cache);
    free(*self);
    *self = NULL;
}

static entry_t *find(const prf_publisher_t *self, const char *kind, uint32_t version)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->entries[i].version.version == version && strcmp(self->entries[i].version.kind, kind) == 0)
            return &self->entries[i];
    return NULL;
}

static entry_t *newest(const prf_publisher_t *self, const char *kind, bool durable)
{
    entry_t *best = NULL;
    for (size_t i = 0; i < self->count; i++) {
        entry_t *e = &self->entries[i];
        if (strcmp(e->version.kind, kind) == 0 && (e->durable || !durable) && (!best || e->version.version > best->version.version))
            best = e;
    }
    return best;
}

bool prf_publisher_newest(const prf_publisher_t *self, const char *kind, prf_model_version_t *out)
{
    const entry_t *e = newest(self, kind, true);
    if (e)
        *out = e->version;
    return e != NULL;
}

bool prf_publisher_version(const prf_publisher_t *self, const char *kind, uint32_t version, prf_model_version_t *out)
{
    const entry_t *e = find(self, kind, version);
    if (!e || !e->durable)
        return false;
    *out = e->version;
    return true;
}

typedef struct {
    prf_publisher_t *self;
    char kind[PRF_NAME];
    uint32_t version;
    prf_published_fn fn;
    void *arg;
} publishing_t;

/* Boards that miss the broadcast are told by their session. */
static void offer(prf_publisher_t *self, const prf_model_version_t *version)
{
    prf_frame_t frame = {.type = PRF_FRAME_MODEL_OFFER, .u.model = *version};
    prf_error_t err = {0};
    if (prf_frame_send(self->broadcast, NULL, &frame, &err))
        prf_log(PRF_LOG_WARN, "broadcast_failed kind=%s version=%u error=\"%s\" boards_are_told_one_by_one=true", version->kind,
                version->version, err.text);
}

static void stored(void *arg, prf_status_t status)
{
    publishing_t *p = arg;
    entry_t *e = find(p->self, p->kind, p->version);
    if (status == PRF_OK && e) {
        e->durable = true;
        prf_log(PRF_LOG_INFO, "model_published kind=%s version=%u bytes=%llu", p->kind, p->version,
                (unsigned long long)e->version.bytes);
        offer(p->self, &e->version);
    }
    p->fn(p->arg, status == PRF_OK ? p->version : 0);
    free(p);
}

prf_status_t prf_publisher_publish(prf_publisher_t *self, const char *kind, const void *bytes, size_t len, prf_published_fn fn,
                                   void *arg, prf_error_t *err)
{
    entry_t entry = {.version = {.version = 1, .bytes = len}};
    snprintf(entry.version.kind, sizeof entry.version.kind, "%s", kind);
    prf_digest(&entry.version.digest, bytes, len);
    for (size_t i = 0; i < self->count; i++) {
        const entry_t *e = &self->entries[i];
        if (strcmp(e->version.kind, kind) != 0 || prf_digest_compare(&e->version.digest, &entry.version.digest) != 0)
            continue;
        if (!e->durable)
            return prf_fail(err, PRF_EBUSY, "the same model of %s is being stored", kind);
        fn(arg, e->version.version);
        return PRF_OK;
    }
    const entry_t *last = newest(self, kind, false);
    if (last)
        entry.version.version = last->version.version + 1;
    publishing_t *p = malloc(sizeof *p);
    if (!p)
        return prf_fail(err, PRF_ENOMEM, "publishing a model of %s", kind);
    *p = (publishing_t){.self = self, .version = entry.version.version, .fn = fn, .arg = arg};
    snprintf(p->kind, sizeof p->kind, "%s", kind);
    char key[MODEL_KEY];
    model_key(key, kind, entry.version.version);
    prf_status_t status = append(self, &entry, err);
    if (!status) {
        status = prf_commits_value(self->commits, PRF_TABLE_MODEL, key, bytes, len, PRF_COMMIT_KEEP, stored, p, err);
        if (status)
            self->count--;
    }
    if (status)
        free(p);
    return status;
}

static prf_status_t cache(prf_publisher_t *self, const prf_digest_t *digest, prf_error_t *err)
{
    if (self->cache && prf_digest_compare(&self->cached, digest) == 0)
        return PRF_OK;
    for (size_t i = 0; i < self->count; i++) {
        const entry_t *e = &self->entries[i];
        if (!e->durable || prf_digest_compare(&e->version.digest, digest) != 0)
            continue;
        char key[MODEL_KEY];
        model_key(key, e->version.kind, e->version.version);
        void *bytes;
        size_t len;
        prf_status_t status = prf_store_get(self->store, PRF_TABLE_MODEL, key, &bytes, &len, err);
        if (status)
            return status;
        free(self->cache);
        self->cache = bytes;
        self->cache_len = len;
        self->cached = *digest;
        return PRF_OK;
    }
    return prf_fail(err, PRF_ENOTFOUND, "no model has this digest: ask for the newest version");
}

prf_status_t prf_publisher_chunk(prf_publisher_t *self, const prf_digest_t *digest, uint64_t offset, prf_frame_t *out,
                                 prf_error_t *err)
{
    prf_status_t status = cache(self, digest, err);
    if (status)
        return status;
    if (offset > self->cache_len)
        return prf_fail(err, PRF_EINVAL, "offset %llu lies behind the model's end at %zu", (unsigned long long)offset,
                        self->cache_len);
    size_t len = self->cache_len - (size_t)offset;
    if (len > PRF_CHUNK_BYTES)
        len = PRF_CHUNK_BYTES;
    uint8_t *data = malloc(len ? len : 1);
    if (!data)
        return prf_fail(err, PRF_ENOMEM, "a chunk of a model");
    memcpy(data, (const uint8_t *)self->cache + offset, len);
    *out = (prf_frame_t){.type = PRF_FRAME_CHUNK,
                         .u.chunk = {.digest = *digest, .offset = offset, .total = self->cache_len, .data = data, .len = len}};
    return PRF_OK;
}
