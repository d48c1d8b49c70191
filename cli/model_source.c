// SPDX-License-Identifier: Apache-2.0
#include "model_source.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "signals.h"

static prf_status_t open_access(prf_model_source_t *self, prf_error_t *err)
{
    if (self->open)
        return PRF_OK;
    prf_signals_catch();
    prf_status_t status = prf_access_open(&self->access, self->where, err);
    self->open = !status;
    return status;
}

void prf_model_source_close(prf_model_source_t *self)
{
    if (self->open)
        prf_access_close(&self->access);
    self->open = false;
}

/* "cpu@2": the version, 0 for the current one. False: what stands behind the '@' is none. */
static bool parse_kind(const char *text, char kind[PRF_NAME], unsigned *version)
{
    const char *at = strchr(text, '@');
    char *end = NULL;
    snprintf(kind, PRF_NAME, "%.*s", (int)(at ? (size_t)(at - text) : strlen(text)), text);
    *version = at ? (unsigned)strtoul(at + 1, &end, 10) : 0;
    return !at || (*version > 0 && !*end);
}

static prf_status_t fetch(prf_model_source_t *self, const char *text, prf_model_file_t *out, prf_error_t *err)
{
    char kind[PRF_NAME];
    unsigned version;
    void *bytes;
    size_t len;
    if (!parse_kind(text, kind, &version))
        return prf_fail(err, PRF_EUSAGE, "'%.80s': write a version as in cpu@2", text);
    prf_status_t status = open_access(self, err);
    if (!status)
        status = prf_farm_model(self->access.farm, kind, &version, &bytes, &len, err);
    if (status)
        return status;
    status = prf_model_file_decode(out, bytes, len, err);
    free(bytes);
    if (status)
        return prf_fail_prefix(err, status, "model of %s, version %u", kind, version);
    out->path = text;
    return PRF_OK;
}

prf_status_t prf_model_source_take(prf_model_source_t *self, const char *text, prf_model_file_t *out, prf_error_t *err)
{
    bool asks = self->where->farm || self->where->dir || getenv("PRFARM_FARM");
    if (strchr(text, '/') || strstr(text, ".prfm") || access(text, F_OK) == 0)
        return prf_model_file_open(out, text, err);
    if (asks)
        return fetch(self, text, out, err);
    return prf_fail(
        err, PRF_ENOTFOUND,
        "'%.80s' is no file: name a model file, or, for a farm's model of the kind, also the farm: --farm FARM or --dir DIR", text);
}

prf_status_t prf_model_source_kinds(prf_model_source_t *self, json_t **kinds, prf_error_t *err)
{
    json_t *models, *model;
    size_t i;
    prf_status_t status = open_access(self, err);
    if (!status)
        status = prf_farm_list(self->access.farm, "models", json_pack("{s:I}", "after", (json_int_t)0), "models", &models, err);
    if (status)
        return status;
    json_t *list = json_array();
    json_array_foreach(models, i, model)
    {
        if (json_is_true(json_object_get(model, "current")))
            json_array_append(list, json_object_get(model, "kind"));
    }
    json_decref(models);
    *kinds = list;
    return PRF_OK;
}
