// SPDX-License-Identifier: Apache-2.0
/* report_doc.c - the operations that the dashboard asks, too. A kind without a model has no evaluation and no provenance: these are
 * left out, the report says so. What a large farm has plenty of (boards, events) is cut to what a reader looks at. */
#include "report_doc.h"

#include <string.h>

#include "base/clock.h"
#include "output.h"

enum { BOARDS = 50 /* of a kind */, EVENTS = 200 /* the newest */, POINTS = 100 /* poisoned */ };

static prf_status_t find_campaign(const json_t *all, const char *name, json_t **out, prf_error_t *err)
{
    size_t i;
    json_t *campaign;
    if (!name && json_array_size(all) == 0)
        return prf_fail(err, PRF_ENOTFOUND, "there is no campaign to report on: 'prfarm run' or 'prfarm submit' begin one");
    if (!name && json_array_size(all) > 1)
        return prf_fail(err, PRF_EUSAGE,
                        "there are %zu campaigns: name the one to report on behind DIR or FARM, 'prfarm status' lists them",
                        json_array_size(all));
    json_array_foreach(all, i, campaign)
    {
        if (!name || strcmp(prf_json_text(campaign, "name", ""), name) == 0) {
            *out = campaign;
            return PRF_OK;
        }
    }
    return prf_fail(err, PRF_ENOTFOUND, "no campaign is named '%.64s': 'prfarm status' lists those that there are", name);
}

/* Puts `value` (taken, may be NULL after a failure) into `doc`. */
static prf_status_t put(json_t *doc, const char *key, json_t *value, prf_status_t status, prf_error_t *err)
{
    if (!status && json_object_set_new(doc, key, value) != 0)
        status = prf_fail(err, PRF_ENOMEM, "a report");
    return status;
}

static prf_status_t put_answer(json_t *doc, const char *key, prf_farm_t *farm, const char *op, json_t *in, prf_error_t *err)
{
    json_t *answer = NULL;
    prf_status_t status = prf_farm_call(farm, op, in, 3 * PRF_CALL_MS, &answer, err);
    return put(doc, key, answer, status, err);
}

/* The validation layers of a kind under its model, and what that model knows of itself. */
static prf_status_t put_model(json_t *evaluation, json_t *provenance, prf_farm_t *farm, const char *campaign, const json_t *board,
                              prf_error_t *err)
{
    const char *kind = prf_json_text(board, "kind", "");
    json_int_t version = json_integer_value(json_object_get(board, "model_version"));
    json_t *rows = NULL;
    if (version < 1)
        return PRF_OK;
    prf_status_t status =
        prf_farm_list(farm, "evaluation", json_pack("{s:s, s:s}", "campaign", campaign, "kind", kind), "rows", &rows, err);
    status = put(evaluation, kind, rows, status, err);
    return status
               ? status
               : put_answer(provenance, kind, farm, "provenance", json_pack("{s:s, s:I}", "kind", kind, "version", version), err);
}

/* {kind: what `boards` answers for it}. */
static prf_status_t put_boards(json_t *boards, prf_farm_t *farm, const char *kind, prf_error_t *err)
{
    return put_answer(boards, kind, farm, "boards", json_pack("{s:s, s:i}", "kind", kind, "limit", BOARDS), err);
}

static prf_status_t put_kinds(json_t *doc, prf_farm_t *farm, const char *campaign, prf_error_t *err)
{
    json_t *evaluation = json_object(), *provenance = json_object(), *boards = json_object(), *board;
    prf_status_t status = PRF_OK;
    size_t i;
    json_array_foreach(json_object_get(json_object_get(doc, "summary"), "boards"), i, board)
    {
        if (!status)
            status = put_boards(boards, farm, prf_json_text(board, "kind", ""), err);
        if (!status)
            status = put_model(evaluation, provenance, farm, campaign, board, err);
    }
    json_object_set_new(doc, "evaluation", evaluation);
    json_object_set_new(doc, "provenance", provenance);
    json_object_set_new(doc, "boards", boards);
    return status;
}

static bool concerns(const json_t *doc, const char *campaign, const char *subject)
{
    const char *kind;
    json_t *boards, *board;
    size_t i;
    if (strcmp(subject, campaign) == 0)
        return true;
    json_object_foreach(json_object_get(doc, "boards"), kind, boards)
    {
        if (strcmp(subject, kind) == 0)
            return true;
        json_array_foreach(json_object_get(boards, "boards"), i, board)
        {
            if (strcmp(subject, prf_json_text(board, "board", "")) == 0)
                return true;
        }
    }
    return false;
}

static prf_status_t put_events(json_t *doc, prf_farm_t *farm, const char *campaign, prf_error_t *err)
{
    json_t *all = NULL, *ours = json_array(), *event;
    size_t i;
    prf_status_t status = prf_farm_list(farm, "events", json_object(), "events", &all, err);
    json_array_foreach(all, i, event)
    {
        if (concerns(doc, campaign, prf_json_text(event, "subject", "")))
            json_array_append(ours, event);
        if (json_array_size(ours) > EVENTS)
            json_array_remove(ours, 0);
    }
    json_decref(all);
    return put(doc, "events", ours, PRF_OK, err) ? PRF_ENOMEM : status;
}

static prf_status_t put_poisoned(json_t *doc, prf_farm_t *farm, const char *campaign, prf_error_t *err)
{
    json_t *all = NULL;
    prf_status_t status = prf_farm_list(farm, "poisoned", json_pack("{s:s}", "campaign", campaign), "points", &all, err);
    size_t count = json_array_size(all);
    while (json_array_size(all) > POINTS)
        json_array_remove(all, json_array_size(all) - 1);
    status = put(doc, "poisoned", all, status, err);
    return status ? status : put(doc, "poisoned_count", json_integer((json_int_t)count), PRF_OK, err);
}

/* When the first layer that the campaign asked for was measured, and by which versions of the models that was published. */
static prf_status_t put_times(json_t *doc, prf_farm_t *farm, const char *campaign, prf_error_t *err)
{
    json_t *page, *models = NULL, *ours = json_array(), *model;
    prf_status_t status =
        prf_farm_call(farm, "export", json_pack("{s:s, s:i}", "campaign", campaign, "limit", 1), 3 * PRF_CALL_MS, &page, err);
    if (!status) {
        const json_t *first = json_array_get(json_object_get(page, "rows"), 0);
        double began = prf_json_number(first, "wall_ms", 0);
        json_object_set_new(doc, "began_ms", began > 0 ? json_real(began) : json_null());
        json_decref(page);
        status = prf_farm_list(farm, "models", json_object(), "models", &models, err);
    }
    size_t i;
    json_array_foreach(models, i, model)
    {
        if (strcmp(prf_json_text(model, "campaign", ""), campaign) == 0)
            json_array_append(ours, model);
    }
    json_decref(models);
    return put(doc, "models", ours, PRF_OK, err) ? PRF_ENOMEM : status;
}

static prf_status_t fill(json_t *doc, prf_farm_t *farm, const json_t *status_of, prf_error_t *err)
{
    const char *name = prf_json_text(status_of, "name", "");
    json_object_set_new(doc, "made_ms", json_integer((json_int_t)prf_clock_wall_ms()));
    json_object_set_new(doc, "version", json_string(PRF_VERSION));
    json_object_set(doc, "status", (json_t *)status_of);
    prf_status_t status = put_answer(doc, "summary", farm, "summary", json_pack("{s:s}", "campaign", name), err);
    if (!status)
        status = put_kinds(doc, farm, name, err);
    if (!status)
        status = put_events(doc, farm, name, err);
    if (!status)
        status = put_poisoned(doc, farm, name, err);
    return status ? status : put_times(doc, farm, name, err);
}

prf_status_t prf_report_doc(prf_farm_t *farm, const char *name, json_t **out, prf_error_t *err)
{
    json_t *answer = NULL, *campaign = NULL, *doc = json_object();
    prf_status_t status = prf_farm_call(farm, "status", json_object(), 3 * PRF_CALL_MS, &answer, err);
    if (!status)
        status = find_campaign(json_object_get(answer, "campaigns"), name, &campaign, err);
    if (!status)
        status = fill(doc, farm, campaign, err);
    json_decref(answer);
    if (status)
        json_decref(doc);
    else
        *out = doc;
    return status;
}
