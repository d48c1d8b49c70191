// SPDX-License-Identifier: Apache-2.0
/* models.c - <state>/models/<kind>.prfm is the model, <kind>.version beside it says which version it is and what its digest must
 * be. The model is written first: after a crash between the two the digests differ, and the model is fetched again. */
#include "models.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { NOTE_BYTES = 200 };

struct prf_models {
    char kind[PRF_NAME];
    char folder[PATH_MAX];
    prf_model_t *model; /* owned; NULL: none */
    prf_model_version_t current;
    prf_model_version_t wanted; /* bytes 0: nothing is being fetched */
    uint8_t *buffer;            /* owned; wanted.bytes long */
    size_t filled;
    prf_digest_t bad; /* the last offer that was no model */
    bool has_bad;
};

static prf_status_t path_of(const prf_models_t *self, const char *suffix, char path[PATH_MAX], prf_error_t *err)
{
    int len = snprintf(path, PATH_MAX, "%s/%s.%s", self->folder, self->kind, suffix);
    return len > 0 && len < PATH_MAX
               ? PRF_OK
               : prf_fail(err, PRF_EINVAL, "%.200s: path too long: choose another folder with --state", self->folder);
}

static prf_status_t decode(const prf_models_t *self, const void *bytes, size_t len, prf_model_t **out, prf_error_t *err)
{
    prf_model_t *model = NULL;
    prf_status_t status = prf_model_decode(&model, bytes, len, err);
    if (!status && strcmp(prf_model_kind(model), self->kind) != 0) {
        status = prf_fail(err, PRF_ECORRUPT, "it is a model of %s, not of %s: give this worker that --kind", prf_model_kind(model),
                          self->kind);
        prf_model_destroy(&model);
    }
    if (!status)
        *out = model;
    return status;
}

static prf_status_t read_note(const prf_models_t *self, prf_model_version_t *note, char hex[PRF_DIGEST_HEX], prf_error_t *err)
{
    char path[PATH_MAX], *text = NULL;
    size_t len;
    prf_status_t status = path_of(self, "version", path, err);
    if (!status)
        status = prf_file_read(path, NOTE_BYTES, &text, &len, err);
    if (status)
        return status;
    if (sscanf(text, "%u %32s", &note->version, hex) != 2 || note->version == 0)
        status = prf_fail(err, PRF_ECORRUPT, "%.200s: no version and digest: delete it", path);
    free(text);
    return status;
}

/* Takes up the model of an earlier run. PRF_ENOTFOUND: there was none. */
static prf_status_t load(prf_models_t *self, prf_error_t *err)
{
    prf_model_version_t note = {.version = 0};
    char expected[PRF_DIGEST_HEX] = "", found[PRF_DIGEST_HEX], path[PATH_MAX], *bytes = NULL;
    size_t len = 0;
    prf_status_t status = read_note(self, &note, expected, err);
    if (!status)
        status = path_of(self, "prfm", path, err);
    if (!status)
        status = prf_file_read(path, PRF_MODEL_MAX_BYTES, &bytes, &len, err);
    if (status)
        return status;
    prf_digest(&note.digest, bytes, len);
    prf_digest_hex(&note.digest, found);
    if (strcmp(expected, found) != 0)
        status = prf_fail(err, PRF_ECORRUPT, "its digest is not the one noted beside it: delete both");
    if (!status)
        status = decode(self, bytes, len, &self->model, err);
    free(bytes);
    if (status)
        return prf_fail_prefix(err, status, "%.200s", path);
    snprintf(note.kind, sizeof note.kind, "%s", self->kind);
    note.bytes = len;
    self->current = note;
    return PRF_OK;
}

prf_status_t prf_models_open(prf_models_t **out, const char *state_dir, const char *kind, prf_error_t *warning, prf_error_t *err)
{
    prf_models_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "models");
    snprintf(self->kind, sizeof self->kind, "%s", kind);
    int len = snprintf(self->folder, sizeof self->folder, "%s/models", state_dir);
    prf_status_t status = len > 0 && (size_t)len < sizeof self->folder
                              ? prf_file_mkdirs(self->folder, 0755, err)
                              : prf_fail(err, PRF_EINVAL, "state folder %.60s...: path too long: use a shorter one", state_dir);
    if (status) {
        prf_models_close(&self);
        return prf_fail_prefix(err, status, "the state folder cannot be made, choose another with --state");
    }
    warning->text[0] = '\0';
    if (load(self, warning) == PRF_ENOTFOUND)
        warning->text[0] = '\0';
    *out = self;
    return PRF_OK;
}

static void stop_fetching(prf_models_t *self)
{
    free(self->buffer);
    self->buffer = NULL;
    self->filled = 0;
    self->wanted = (prf_model_version_t){.version = 0};
}

void prf_models_close(prf_models_t **self)
{
    if (!*self)
        return;
    stop_fetching(*self);
    prf_model_destroy(&(*self)->model);
    free(*self);
    *self = NULL;
}

const prf_model_version_t *prf_models_current(const prf_models_t *self)
{
    return &self->current;
}

const prf_model_t *prf_models_get(const prf_models_t *self)
{
    return self->model;
}

bool prf_models_fetch(const prf_models_t *self, prf_digest_t *digest, uint64_t *offset)
{
    *digest = self->wanted.digest;
    *offset = self->filled;
    return self->wanted.bytes != 0;
}

static bool same(const prf_digest_t *a, const prf_digest_t *b)
{
    return prf_digest_compare(a, b) == 0;
}

static prf_status_t write_note(const prf_models_t *self, const prf_model_version_t *version, prf_error_t *err)
{
    char path[PATH_MAX], hex[PRF_DIGEST_HEX], note[NOTE_BYTES];
    prf_status_t status = path_of(self, "version", path, err);
    prf_digest_hex(&version->digest, hex);
    int len = snprintf(note, sizeof note, "%u %s\n", version->version, hex);
    return status ? status : prf_file_write(path, note, (size_t)len, err);
}

prf_status_t prf_models_offer(prf_models_t *self, const prf_model_version_t *offer, prf_models_step_t *step, prf_error_t *err)
{
    *step = PRF_MODELS_NOTHING;
    if (offer->version == 0 || strcmp(offer->kind, self->kind) != 0)
        return PRF_OK;
    if (self->model && same(&offer->digest, &self->current.digest)) {
        /* The same bytes under another number: published again, or rolled back to. */
        prf_status_t status = offer->version == self->current.version ? PRF_OK : write_note(self, offer, err);
        if (!status) {
            stop_fetching(self);
            self->current.version = offer->version;
            *step = PRF_MODELS_ACK;
        }
        return status;
    }
    if (self->has_bad && same(&offer->digest, &self->bad))
        return PRF_OK;
    if (self->wanted.bytes && same(&offer->digest, &self->wanted.digest)) {
        self->wanted.version = offer->version;
        return PRF_OK;
    }
    if (offer->bytes == 0 || offer->bytes > PRF_MODEL_MAX_BYTES)
        return prf_fail(err, PRF_EPEER, "a model of %llu bytes was offered: 1 to %d are possible", (unsigned long long)offer->bytes,
                        PRF_MODEL_MAX_BYTES);
    uint8_t *buffer = malloc(offer->bytes);
    if (!buffer)
        return prf_fail(err, PRF_ENOMEM, "a model of %llu bytes", (unsigned long long)offer->bytes);
    stop_fetching(self);
    self->wanted = *offer;
    self->buffer = buffer;
    *step = PRF_MODELS_FETCH;
    return PRF_OK;
}

static prf_status_t install(prf_models_t *self, prf_error_t *err)
{
    prf_digest_t digest;
    prf_model_t *model = NULL;
    char path[PATH_MAX];
    prf_digest(&digest, self->buffer, self->filled);
    prf_status_t status =
        same(&digest, &self->wanted.digest)
            ? decode(self, self->buffer, self->filled, &model, err)
            : prf_fail(err, PRF_ECORRUPT, "the bytes that came do not have the digest that was offered: restart the coordinator");
    self->has_bad = status != PRF_OK;
    self->bad = self->wanted.digest;
    if (!status)
        status = path_of(self, "prfm", path, err);
    if (!status)
        status = prf_file_write(path, self->buffer, self->filled, err);
    if (!status)
        status = write_note(self, &self->wanted, err);
    if (status) {
        prf_model_destroy(&model);
        return prf_fail_prefix(err, status, "model version %u of %s", self->wanted.version, self->kind);
    }
    prf_model_destroy(&self->model);
    self->model = model;
    self->current = self->wanted;
    return PRF_OK;
}

prf_status_t prf_models_chunk(prf_models_t *self, const prf_digest_t *digest, uint64_t offset, uint64_t total, const uint8_t *data,
                              size_t len, prf_models_step_t *step, prf_error_t *err)
{
    *step = PRF_MODELS_NOTHING;
    if (!self->wanted.bytes || !same(digest, &self->wanted.digest) || offset != self->filled)
        return PRF_OK;
    prf_status_t status = PRF_OK;
    if (total != self->wanted.bytes || len == 0 || len > self->wanted.bytes - offset)
        status = prf_fail(err, PRF_EPEER,
                          "model version %u of %s: a chunk of %zu bytes at %llu of %llu, but %llu were offered: is the coordinator "
                          "of this version?",
                          self->wanted.version, self->kind, len, (unsigned long long)offset, (unsigned long long)total,
                          (unsigned long long)self->wanted.bytes);
    if (!status) {
        memcpy(self->buffer + self->filled, data, len);
        self->filled += len;
        if (self->filled < self->wanted.bytes) {
            *step = PRF_MODELS_FETCH;
            return PRF_OK;
        }
        status = install(self, err);
    }
    stop_fetching(self);
    *step = status ? PRF_MODELS_NOTHING : PRF_MODELS_ACK;
    return status;
}
