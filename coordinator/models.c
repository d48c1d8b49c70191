// SPDX-License-Identifier: Apache-2.0
/* models.c - a few places, the one that was asked for longest ago makes way. Counts of shares are the loop thread's alone: it gives
 * them out, and drops them when a task is done, so that they need no lock. */
#include "models.h"

#include <stdlib.h>
#include <string.h>

enum { PLACES = 32, BYTES_MOST = 64 << 20 /* of files in all */ };

struct prf_model_share {
    unsigned users;
    prf_model_version_t version;
    size_t len;
    /* Of the side thread, once it was given out: */
    void *bytes;        /* owned; NULL: decoded */
    prf_model_t *model; /* owned */
    prf_error_t error;  /* it could not be */
};

struct prf_models {
    const prf_publisher_t *publisher;
    prf_model_share_t *places[PLACES]; /* a share of each; the one asked for last comes first */
    size_t count;
};

prf_status_t prf_models_new(prf_models_t **out, const prf_publisher_t *publisher, prf_error_t *err)
{
    prf_models_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "models");
    self->publisher = publisher;
    *out = self;
    return PRF_OK;
}

void prf_model_share_drop(prf_model_share_t **share)
{
    if (!share || !*share)
        return;
    prf_model_share_t *s = *share;
    *share = NULL;
    if (--s->users > 0)
        return;
    free(s->bytes);
    prf_model_destroy(&s->model);
    free(s);
}

void prf_models_destroy(prf_models_t **self)
{
    if (!self || !*self)
        return;
    for (size_t i = 0; i < (*self)->count; i++)
        prf_model_share_drop(&(*self)->places[i]);
    free(*self);
    *self = NULL;
}

static void make_room(prf_models_t *self, size_t len)
{
    size_t bytes = len, keep = 0;
    while (keep < self->count && keep + 1 < PLACES && (bytes += self->places[keep]->len) <= BYTES_MOST)
        keep++;
    while (self->count > keep)
        prf_model_share_drop(&self->places[--self->count]);
}

static prf_status_t load(prf_models_t *self, const prf_model_version_t *version, prf_model_share_t **out, prf_error_t *err)
{
    prf_model_share_t *share = calloc(1, sizeof *share);
    if (!share)
        return prf_fail(err, PRF_ENOMEM, "a model of %s", version->kind);
    *share = (prf_model_share_t){.users = 1, .version = *version};
    prf_status_t status = prf_publisher_file(self->publisher, version, &share->bytes, &share->len, err);
    if (status) {
        free(share);
        return status;
    }
    *out = share;
    return PRF_OK;
}

static bool is_version(const prf_model_share_t *share, const prf_model_version_t *version)
{
    return share->version.version == version->version && strcmp(share->version.kind, version->kind) == 0;
}

prf_status_t prf_models_share(prf_models_t *self, const prf_model_version_t *version, prf_model_share_t **out, prf_error_t *err)
{
    size_t at = 0;
    while (at < self->count && !is_version(self->places[at], version))
        at++;
    prf_model_share_t *share = at < self->count ? self->places[at] : NULL;
    if (!share) {
        prf_status_t status = load(self, version, &share, err);
        if (status)
            return status;
        make_room(self, share->len);
        at = self->count++;
    }
    for (; at > 0; at--)
        self->places[at] = self->places[at - 1];
    self->places[0] = share;
    share->users++;
    *out = share;
    return PRF_OK;
}

prf_status_t prf_model_share_get(prf_model_share_t *share, const prf_model_t **out, prf_error_t *err)
{
    if (share->bytes && prf_model_decode(&share->model, share->bytes, share->len, &share->error) == PRF_OK)
        share->error = (prf_error_t){0};
    free(share->bytes);
    share->bytes = NULL;
    if (!share->model)
        return prf_fail(err, share->error.code, "model of %s, version %u: %s", share->version.kind, share->version.version,
                        share->error.text);
    *out = share->model;
    return PRF_OK;
}

const prf_model_version_t *prf_model_share_version(const prf_model_share_t *share)
{
    return &share->version;
}
