// SPDX-License-Identifier: Apache-2.0
/* publisher.c - a table of versions without their bytes. Files that are being fetched are kept in memory, ready to be sent.
 *
 * A roll-back is stored with the newest version that it turned away from, so that a newer one takes over by being there: no second
 * write has to follow a model into the store. */
#include "publisher.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "net/frames.h"
#include "shelf.h"

enum { MODEL_KEY = PRF_NAME + 32 };

typedef struct {
    prf_model_version_t version;
    prf_model_note_t note;
    bool durable;
} entry_t;

typedef struct {
    char kind[PRF_NAME];
    uint32_t version, instead_of;
} roll_back_t;

struct prf_publisher {
    prf_store_t *store;
    prf_commits_t *commits;
    prf_socket_t *broadcast;
    entry_t *entries; /* owned; versions of a kind in rising order */
    size_t count, cap;
    roll_back_t *roll_backs; /* owned; one a kind at most */
    size_t roll_back_count;
    uint64_t changes;
    prf_shelf_t shelf;
};

static void model_key(char key[MODEL_KEY], const char *kind, uint32_t version)
{
    snprintf(key, MODEL_KEY, "%s/%010u", kind, version);
}

static void note_key(char key[MODEL_KEY], const char *kind, uint32_t version)
{
    snprintf(key, MODEL_KEY, "-/%s/model/%010u", kind, version);
}

static void roll_back_key(char key[MODEL_KEY], const char *kind)
{
    snprintf(key, MODEL_KEY, "-/%s/current", kind);
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
    entry_t entry = {.durable = true, .note.mape_percent = (double)NAN};
    int end = 0;
    if (sscanf(key, "%63[^/]/%10u%n", entry.version.kind, &entry.version.version, &end) != 2 || key[end] ||
        entry.version.version == 0)
        return true;
    entry.version.bytes = len;
    prf_digest(&entry.version.digest, value, len);
    loading->status = append(loading->self, &entry, loading->err);
    return loading->status == PRF_OK;
}

static entry_t *find(const prf_publisher_t *self, const char *kind, uint32_t version)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->entries[i].version.version == version && strcmp(self->entries[i].version.kind, kind) == 0)
            return &self->entries[i];
    return NULL;
}

static prf_status_t set_roll_back(prf_publisher_t *self, const roll_back_t *roll_back, prf_error_t *err)
{
    for (size_t i = 0; i < self->roll_back_count; i++)
        if (strcmp(self->roll_backs[i].kind, roll_back->kind) == 0) {
            self->roll_backs[i] = *roll_back;
            return PRF_OK;
        }
    roll_back_t *all = realloc(self->roll_backs, (self->roll_back_count + 1) * sizeof *all);
    if (!all)
        return prf_fail(err, PRF_ENOMEM, "a roll-back of %s", roll_back->kind);
    all[self->roll_back_count++] = *roll_back;
    self->roll_backs = all;
    return PRF_OK;
}

/* Notes and roll-backs, which stand among the decisions; a damaged one is as good as none. */
static bool load_beside(void *arg, const char *key, const void *value, size_t len)
{
    loading_t *loading = arg;
    char kind[PRF_NAME], wanted[MODEL_KEY];
    uint32_t version;
    json_t *json = json_loadb(value, len, 0, NULL);
    if (sscanf(key, "-/%63[^/]/model/%10u", kind, &version) == 2) {
        entry_t *e = find(loading->self, kind, version);
        if (e) {
            const char *campaign = json_string_value(json_object_get(json, "campaign"));
            const json_t *mape = json_object_get(json, "mape_percent");
            snprintf(e->note.campaign, sizeof e->note.campaign, "%s", campaign ? campaign : "");
            e->note.mape_percent = json_is_number(mape) ? json_number_value(mape) : (double)NAN;
            e->note.published_ms = (uint64_t)json_integer_value(json_object_get(json, "published_ms"));
        }
    } else if (sscanf(key, "-/%63[^/]/", kind) == 1) {
        roll_back_t one = {.version = (uint32_t)json_integer_value(json_object_get(json, "version")),
                           .instead_of = (uint32_t)json_integer_value(json_object_get(json, "instead_of"))};
        roll_back_key(wanted, kind);
        memcpy(one.kind, kind, sizeof one.kind);
        if (strcmp(key, wanted) == 0 && find(loading->self, kind, one.version))
            loading->status = set_roll_back(loading->self, &one, loading->err);
    }
    json_decref(json);
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
    uint64_t damaged = 0, lost = 0;
    prf_status_t status = prf_store_scan(store, PRF_TABLE_MODEL, NULL, load, &loading, &damaged, err);
    if (!status && !loading.status)
        status = prf_store_scan(store, PRF_TABLE_DECISION, "-/", load_beside, &loading, &lost, err);
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
    free((*self)->roll_backs);
    prf_shelf_release(&(*self)->shelf);
    free(*self);
    *self = NULL;
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

bool prf_publisher_current(const prf_publisher_t *self, const char *kind, prf_model_version_t *out)
{
    const entry_t *e = newest(self, kind, true);
    for (size_t i = 0; e && i < self->roll_back_count; i++) {
        const roll_back_t *r = &self->roll_backs[i];
        if (strcmp(r->kind, kind) == 0 && e->version.version <= r->instead_of)
            return prf_publisher_version(self, kind, r->version, out);
    }
    if (e)
        *out = e->version;
    return e != NULL;
}

bool prf_publisher_next(const prf_publisher_t *self, size_t *index, prf_model_version_t *out, prf_model_note_t *note)
{
    while (*index < self->count && !self->entries[*index].durable)
        ++*index;
    if (*index >= self->count)
        return false;
    *out = self->entries[*index].version;
    *note = self->entries[*index].note;
    return true;
}

size_t prf_publisher_count(const prf_publisher_t *self)
{
    return self->count;
}

uint64_t prf_publisher_changes(const prf_publisher_t *self)
{
    return self->changes;
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
    self->changes++;
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

/* The version that the campaign published last, if it has these bytes. Of versions without a note only the bytes tell, which hold
 * the campaign's name. */
static const entry_t *published_already(const prf_publisher_t *self, const entry_t *fresh)
{
    for (size_t i = self->count; i-- > 0;) {
        const entry_t *e = &self->entries[i];
        if (strcmp(e->version.kind, fresh->version.kind) != 0 ||
            (e->note.campaign[0] && strcmp(e->note.campaign, fresh->note.campaign) != 0))
            continue;
        if (prf_digest_compare(&e->version.digest, &fresh->version.digest) == 0)
            return e;
        if (e->note.campaign[0])
            return NULL;
    }
    return NULL;
}

/* Goes before the model, so that a version that is there has its note. */
static prf_status_t store_note(prf_publisher_t *self, const entry_t *entry, prf_error_t *err)
{
    char key[MODEL_KEY];
    note_key(key, entry->version.kind, entry->version.version);
    double mape = entry->note.mape_percent;
    json_t *json = json_pack("{s:s, s:o, s:I}", "campaign", entry->note.campaign, "mape_percent", prf_json_real(mape),
                             "published_ms", (json_int_t)entry->note.published_ms);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    prf_status_t status =
        text ? prf_commits_value(self->commits, PRF_TABLE_DECISION, key, text, strlen(text), PRF_COMMIT_KEEP, NULL, NULL, err)
             : prf_fail(err, PRF_ENOMEM, "publishing a model of %s", entry->version.kind);
    free(text);
    return status;
}

prf_status_t prf_publisher_publish(prf_publisher_t *self, const char *kind, const void *bytes, size_t len,
                                   const prf_model_note_t *note, prf_published_fn fn, void *arg, prf_error_t *err)
{
    entry_t entry = {.version = {.version = 1, .bytes = len}, .note = *note};
    snprintf(entry.version.kind, sizeof entry.version.kind, "%s", kind);
    prf_digest(&entry.version.digest, bytes, len);
    const entry_t *same = published_already(self, &entry);
    if (same && !same->durable)
        return prf_fail(err, PRF_EBUSY, "the same model of %s is being stored: try again in a moment", kind);
    if (same) {
        fn(arg, same->version.version);
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
    prf_status_t status = store_note(self, &entry, err);
    if (!status)
        status = append(self, &entry, err);
    if (!status) {
        status = prf_commits_value(self->commits, PRF_TABLE_MODEL, key, bytes, len, PRF_COMMIT_KEEP, stored, p, err);
        if (status)
            self->count--;
    }
    if (status)
        free(p);
    return status;
}

typedef struct {
    prf_publisher_t *self;
    roll_back_t roll_back;
    prf_commits_fn fn;
    void *arg;
} rolling_back_t;

static void rolled_back(void *arg, prf_status_t status)
{
    rolling_back_t *r = arg;
    prf_error_t err = {0};
    const entry_t *e = find(r->self, r->roll_back.kind, r->roll_back.version);
    if (!status && (status = set_roll_back(r->self, &r->roll_back, &err)))
        prf_log(PRF_LOG_ERROR, "model_not_rolled_back kind=%s error=\"%s\" a_restart_does_it=true", r->roll_back.kind, err.text);
    if (!status && e) {
        prf_log(PRF_LOG_INFO, "model_rolled_back kind=%s version=%u instead_of=%u", r->roll_back.kind, r->roll_back.version,
                r->roll_back.instead_of);
        offer(r->self, &e->version);
    }
    r->fn(r->arg, status);
    free(r);
}

/* "1, 2, 3": as many of the newest as fit. */
static void list_versions(const prf_publisher_t *self, const char *kind, char *text, size_t cap)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = self->count; i-- > 0 && used + 16 < cap;)
        if (self->entries[i].durable && strcmp(self->entries[i].version.kind, kind) == 0)
            used += (size_t)snprintf(text + used, cap - used, "%s%u", used ? ", " : "", self->entries[i].version.version);
}

prf_status_t prf_publisher_roll_back(prf_publisher_t *self, const char *kind, uint32_t version, prf_commits_fn fn, void *arg,
                                     prf_error_t *err)
{
    const entry_t *e = find(self, kind, version), *last = newest(self, kind, true);
    char versions[200];
    list_versions(self, kind, versions, sizeof versions);
    if (!last)
        return prf_fail(err, PRF_ENOTFOUND, "board kind '%.64s' has no model: 'prfarm model list' shows those that there are",
                        kind);
    if (!e || !e->durable)
        return prf_fail(err, PRF_ENOTFOUND, "board kind %s has no model version %u: use one of %s", kind, version, versions);
    rolling_back_t *r = malloc(sizeof *r);
    json_t *json = json_pack("{s:I, s:I}", "version", (json_int_t)version, "instead_of", (json_int_t)last->version.version);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL, key[MODEL_KEY];
    json_decref(json);
    prf_status_t status = r && text ? PRF_OK : prf_fail(err, PRF_ENOMEM, "a roll-back of %s", kind);
    if (!status) {
        *r = (rolling_back_t){self, {.version = version, .instead_of = last->version.version}, fn, arg};
        memcpy(r->roll_back.kind, e->version.kind, sizeof r->roll_back.kind);
        roll_back_key(key, kind);
        status =
            prf_commits_value(self->commits, PRF_TABLE_DECISION, key, text, strlen(text), PRF_COMMIT_ONCE, rolled_back, r, err);
    }
    free(text);
    if (status)
        free(r);
    return status;
}

prf_status_t prf_publisher_file(const prf_publisher_t *self, const prf_model_version_t *version, void **bytes, size_t *len,
                                prf_error_t *err)
{
    char key[MODEL_KEY];
    model_key(key, version->kind, version->version);
    return prf_store_get(self->store, PRF_TABLE_MODEL, key, bytes, len, err);
}

/* The file with this digest, from the store when it does not stand on the shelf yet. */
static prf_status_t take_down(prf_publisher_t *self, const prf_digest_t *digest, prf_shelf_file_t **out, prf_error_t *err)
{
    if ((*out = prf_shelf_find(&self->shelf, digest)))
        return PRF_OK;
    for (size_t i = 0; i < self->count; i++) {
        const entry_t *e = &self->entries[i];
        if (!e->durable || prf_digest_compare(&e->version.digest, digest) != 0)
            continue;
        void *bytes;
        size_t len;
        prf_status_t status = prf_publisher_file(self, &e->version, &bytes, &len, err);
        if (status)
            return status;
        status = prf_shelf_put(&self->shelf, digest, bytes, len, out, err);
        free(bytes);
        return status;
    }
    return prf_fail(err, PRF_ENOTFOUND, "no model has this digest: ask for the newest version");
}

prf_status_t prf_publisher_chunk(prf_publisher_t *self, const prf_digest_t *digest, uint64_t offset, prf_message_t **out,
                                 prf_error_t *err)
{
    prf_shelf_file_t *file;
    prf_status_t status = take_down(self, digest, &file, err);
    return status ? status : prf_shelf_chunk(file, offset, out, err);
}
