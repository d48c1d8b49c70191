// SPDX-License-Identifier: Apache-2.0
#include "lent.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "campaign/campaign.h"

typedef struct {
    prf_digest_t digest; /* that it shall have */
    uint8_t *bytes;      /* owned; NULL: a free place */
    size_t total, have;
    uint64_t touched; /* counts pieces */
} model_t;

struct prf_lent {
    model_t models[PRF_CAMPAIGN_OLDS];
    uint64_t pieces;
};

prf_status_t prf_lent_new(prf_lent_t **out, prf_error_t *err)
{
    prf_lent_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "models that are handed in");
    *out = self;
    return PRF_OK;
}

void prf_lent_destroy(prf_lent_t **self)
{
    if (!self || !*self)
        return;
    for (size_t i = 0; i < PRF_CAMPAIGN_OLDS; i++)
        free((*self)->models[i].bytes);
    free(*self);
    *self = NULL;
}

static bool is_of(const model_t *model, const prf_digest_t *digest, size_t total)
{
    return model->bytes && model->total == total && prf_digest_compare(&model->digest, digest) == 0;
}

/* The model that a piece belongs to, begun when it is new. */
static prf_status_t place_for(prf_lent_t *self, const prf_digest_t *digest, size_t total, model_t **out, prf_error_t *err)
{
    model_t *place = NULL;
    for (size_t i = 0; i < PRF_CAMPAIGN_OLDS && !place; i++)
        place = is_of(&self->models[i], digest, total) ? &self->models[i] : NULL;
    if (!place) {
        uint8_t *bytes = malloc(total);
        if (!bytes)
            return prf_fail(err, PRF_ENOMEM, "a model of %zu bytes", total);
        place = &self->models[0];
        for (size_t i = 1; i < PRF_CAMPAIGN_OLDS; i++)
            if (self->models[i].touched < place->touched)
                place = &self->models[i];
        free(place->bytes);
        *place = (model_t){.digest = *digest, .bytes = bytes, .total = total};
    }
    place->touched = ++self->pieces;
    *out = place;
    return PRF_OK;
}

/* Pieces come in order; one that is there already, sent again because its answer was lost, changes nothing. */
static prf_status_t add(model_t *model, size_t offset, const json_t *data, prf_error_t *err)
{
    void *bytes;
    size_t len;
    prf_status_t status = prf_base64_decode(&bytes, &len, json_string_value(data), json_string_length(data), err);
    if (status)
        return prf_fail_prefix(err, status, "lend: data");
    if (len == 0 || len > PRF_LENT_PIECE || len > model->total - offset)
        status = prf_fail(err, PRF_EINVAL, "lend: a piece of %zu bytes: use 1 to %d, and no more than the model has", len,
                          PRF_LENT_PIECE);
    else if (offset == model->have) {
        memcpy(model->bytes + offset, bytes, len);
        model->have += len;
    }
    free(bytes);
    return status;
}

prf_status_t prf_lent_take(prf_lent_t *self, const json_t *args, json_t **out, prf_error_t *err)
{
    const char *hex = json_string_value(json_object_get(args, "digest"));
    const json_t *data = json_object_get(args, "data");
    json_int_t total = json_integer_value(json_object_get(args, "bytes")),
               offset = json_integer_value(json_object_get(args, "offset"));
    prf_digest_t digest;
    if (!hex || !prf_digest_parse(&digest, hex))
        return prf_fail(err, PRF_EINVAL, "lend: \"digest\" must be that of the whole model");
    if (total < 1 || total > PRF_CAMPAIGN_OLD_BYTES)
        return prf_fail(err, PRF_EINVAL, "lend: a model of %lld bytes: one to begin with may have %d", (long long)total,
                        PRF_CAMPAIGN_OLD_BYTES);
    if (!json_is_string(data) || offset < 0 || offset >= total)
        return prf_fail(err, PRF_EINVAL, "lend: \"data\" must be a piece, and \"offset\" where it belongs");
    model_t *model;
    prf_status_t status = place_for(self, &digest, (size_t)total, &model, err);
    if (!status)
        status = add(model, (size_t)offset, data, err);
    if (status)
        return status;
    *out = json_pack("{s:I}", "have", (json_int_t)model->have);
    return *out ? PRF_OK : prf_fail(err, PRF_ENOMEM, "models that are handed in");
}

/* {"board", "digest"} -> {"board", "model"}; what was handed in has to be what its digest says. */
static prf_status_t resolve_one(const prf_lent_t *self, const json_t *entry, json_t *to, prf_error_t *err)
{
    const char *board = json_string_value(json_object_get(entry, "board")),
               *hex = json_string_value(json_object_get(entry, "digest"));
    prf_digest_t digest, real;
    if (!board || !hex || !prf_digest_parse(&digest, hex))
        return prf_fail(err, PRF_EINVAL, "submit: each of \"models\" has a \"board\" and a \"digest\"");
    const model_t *model = NULL;
    for (size_t i = 0; i < PRF_CAMPAIGN_OLDS && !model; i++)
        if (self->models[i].have > 0 && is_of(&self->models[i], &digest, self->models[i].have))
            model = &self->models[i];
    if (!model)
        return prf_fail(err, PRF_ENOTFOUND, "the model that board '%.64s' begins with was not handed in: submit again", board);
    prf_digest(&real, model->bytes, model->total);
    if (prf_digest_compare(&real, &digest) != 0)
        return prf_fail(err, PRF_EINVAL, "the model that board '%.64s' begins with does not have its digest: submit again", board);
    char *text = prf_base64_encode(model->bytes, model->total);
    json_t *one = text ? json_pack("{s:s, s:s}", "board", board, "model", text) : NULL;
    free(text);
    return one && json_array_append_new(to, one) == 0 ? PRF_OK : prf_fail(err, PRF_ENOMEM, "models to begin with");
}

prf_status_t prf_lent_resolve(const prf_lent_t *self, const json_t *submit, json_t **out, prf_error_t *err)
{
    const json_t *models = json_object_get(submit, "models");
    json_t *copy = json_copy((json_t *)submit), *resolved = json_array();
    prf_status_t status = copy && resolved ? PRF_OK : prf_fail(err, PRF_ENOMEM, "models to begin with");
    if (!status && json_array_size(models) > PRF_CAMPAIGN_OLDS)
        status = prf_fail(err, PRF_EINVAL, "submit: %zu models to begin with: use at most %d", json_array_size(models),
                          PRF_CAMPAIGN_OLDS);
    for (size_t i = 0; !status && i < json_array_size(models); i++)
        status = resolve_one(self, json_array_get(models, i), resolved, err);
    if (status) {
        json_decref(copy);
        json_decref(resolved);
        return status;
    }
    json_object_set_new(copy, "models", resolved);
    *out = copy;
    return PRF_OK;
}
