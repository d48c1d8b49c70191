// SPDX-License-Identifier: Apache-2.0
/* question.c - what all questions have in common, and the shortest of them: what a model knows of itself. */
#include "question.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_json.h"
#include "side.h"

prf_status_t prf_question_about(prf_question_t *self, const prf_hub_t *hub, const prf_model_version_t *version, prf_error_t *err)
{
    if (self->share_count == PRF_QUESTION_MODELS)
        return prf_fail(err, PRF_EBUSY, "more than %d kinds of boards have a model: name one with \"kind\"",
                        (int)PRF_QUESTION_MODELS);
    prf_status_t status = prf_models_share(hub->models, version, &self->shares[self->share_count], err);
    self->share_count += status == PRF_OK;
    return status;
}

static bool has_kind(const prf_question_t *self, const char *kind)
{
    for (size_t i = self->share_count; i-- > 0;)
        if (strcmp(prf_model_share_version(self->shares[i])->kind, kind) == 0)
            return true;
    return false;
}

prf_status_t prf_question_about_current(prf_question_t *self, const prf_hub_t *hub, const char *kind, prf_error_t *err)
{
    prf_model_version_t any, current;
    prf_model_note_t note;
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && prf_publisher_next(hub->publisher, &i, &any, &note); i++)
        if ((!*kind || strcmp(kind, any.kind) == 0) && !has_kind(self, any.kind) &&
            prf_publisher_current(hub->publisher, any.kind, &current))
            status = prf_question_about(self, hub, &current, err);
    if (!status && *kind && self->share_count == 0)
        status =
            prf_fail(err, PRF_ENOTFOUND, "board kind '%.64s' has no model: 'prfarm model list' shows those that there are", kind);
    return status;
}

static void run(void *task)
{
    prf_question_t *self = task;
    if (self->answer(self, &self->out, &self->err) == PRF_OK && !self->out)
        (void)!prf_fail(&self->err, PRF_ENOMEM, "an answer");
}

static void done(void *task, bool ran)
{
    prf_question_t *self = task;
    if (!ran)
        (void)!prf_fail(&self->err, PRF_ECANCELLED, "the coordinator ends: ask again when it is back");
    self->fn(self->arg, self->err.code, self->out, self->err.text);
    for (size_t i = 0; i < self->share_count; i++)
        prf_model_share_drop(&self->shares[i]);
    self->release(self);
}

void prf_question_put(prf_question_t *self, const prf_hub_t *hub, prf_status_t status, const prf_error_t *err, prf_reply_fn fn,
                      void *arg)
{
    static const prf_side_work_t work = {run, done};
    self->fn = fn;
    self->arg = arg;
    if (status)
        self->err = *err;
    else
        status = prf_side_put(hub->side, &work, self, &self->err);
    if (status)
        done(self, true);
}

static prf_status_t tell_provenance(prf_question_t *self, json_t **out, prf_error_t *err)
{
    const prf_model_t *model;
    prf_status_t status = prf_model_share_get(self->shares[0], &model, err);
    if (status)
        return status;
    const prf_model_version_t *version = prf_model_share_version(self->shares[0]);
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(&version->digest, hex);
    *out = prf_model_json(model, hex, version->bytes);
    if (*out)
        json_object_set_new(*out, "version", json_integer(version->version));
    return PRF_OK;
}

static void free_it(prf_question_t *self)
{
    free(self);
}

void prf_ask_provenance(const prf_queries_t *queries, const json_t *args, prf_reply_fn fn, void *arg)
{
    const char *kind = json_string_value(json_object_get(args, "kind"));
    prf_model_version_t version;
    prf_error_t err = {0};
    prf_question_t *self = calloc(1, sizeof *self);
    if (!self) {
        fn(arg, PRF_ENOMEM, NULL, prf_status_name(PRF_ENOMEM));
        return;
    }
    *self = (prf_question_t){.answer = tell_provenance, .release = free_it};
    prf_status_t status = prf_query_version(queries, kind ? kind : "", json_object_get(args, "version"), &version, &err);
    if (!status)
        status = prf_question_about(self, queries->hub, &version, &err);
    prf_question_put(self, queries->hub, status, &err, fn, arg);
}
