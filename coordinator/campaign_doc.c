// SPDX-License-Identifier: Apache-2.0
/* campaign_doc.c - the text is kept as it was written and parsed again at every start, so that nothing stands in the store in a
 * second form that could disagree with it. */
#include "campaign_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

enum { HISTORY = 4 /* earlier files that are kept */, REFRESH_POINTS = 30, REFRESH_MOST = 10000 };

const char *prf_campaign_doc_text(const json_t *doc, const char *key)
{
    const char *text = json_string_value(json_object_get(doc, key));
    return text ? text : "";
}

/* "inputs" of all blocks, or of none: an earlier prfarm's. */
static prf_status_t parse_edges(prf_engine_network_t *out, const json_t *blocks, prf_error_t *err)
{
    size_t i, k, count = 0;
    const json_t *block, *input;
    json_array_foreach(blocks, i, block)
    {
        count += json_array_size(json_object_get(block, "inputs"));
    }
    if (count == 0)
        return PRF_OK;
    if (count > PRF_CHAIN_EDGES)
        return prf_fail(err, PRF_EINVAL, "%zu inputs of its blocks: use at most %d", count, PRF_CHAIN_EDGES);
    out->edges = calloc(count, sizeof *out->edges);
    if (!out->edges)
        return prf_fail(err, PRF_ENOMEM, "%zu inputs", count);
    json_array_foreach(blocks, i, block)
    {
        json_array_foreach(json_object_get(block, "inputs"), k, input)
        {
            json_int_t from = json_is_integer(input) ? json_integer_value(input) : INT32_MAX;
            out->edges[out->edge_count++] =
                (prf_edge_t){.to = (int32_t)i, .from = from < -1 || from > INT32_MAX ? INT32_MAX : (int32_t)from};
        }
    }
    const prf_chain_t chain = {
        .blocks = out->blocks, .count = out->block_count, .edges = out->edges, .edge_count = out->edge_count};
    return prf_chain_check(&chain, err);
}

static prf_status_t parse_network(prf_engine_network_t *out, const json_t *json, prf_error_t *err)
{
    const char *name = prf_campaign_doc_text(json, "name");
    const json_t *blocks = json_object_get(json, "blocks");
    size_t count = json_array_size(blocks);
    if (!*name || strlen(name) >= PRF_NAME)
        return prf_fail(err, PRF_EINVAL, "a network's name has %zu bytes: use 1 to %d", strlen(name), PRF_NAME - 1);
    if (count < 1 || count > PRF_CHAIN_BLOCKS)
        return prf_fail(err, PRF_EINVAL, "network %s has %zu blocks: use 1 to %d", name, count, PRF_CHAIN_BLOCKS);
    snprintf(out->name, sizeof out->name, "%s", name);
    out->blocks = calloc(count, sizeof *out->blocks);
    if (!out->blocks)
        return prf_fail(err, PRF_ENOMEM, "network %s", name);
    out->block_count = count;
    for (size_t i = 0; i < count; i++) {
        prf_status_t status = prf_block_parse(&out->blocks[i], prf_campaign_doc_text(json_array_get(blocks, i), "block"), err);
        if (status)
            return prf_fail_prefix(err, status, "network %s, block %zu", name, i + 1);
    }
    prf_status_t status = parse_edges(out, blocks, err);
    return status ? prf_fail_prefix(err, status, "network %s", name) : PRF_OK;
}

static prf_status_t parse_networks(const json_t *json, prf_engine_network_t **out, size_t *count, prf_error_t *err)
{
    size_t n = json_array_size(json);
    if (n > PRF_CAMPAIGN_NETWORKS)
        return prf_fail(err, PRF_EINVAL, "%zu networks: use at most %d", n, PRF_CAMPAIGN_NETWORKS);
    prf_engine_network_t *networks = calloc(n ? n : 1, sizeof *networks);
    if (!networks)
        return prf_fail(err, PRF_ENOMEM, "networks of a campaign");
    for (size_t i = 0; i < n; i++) {
        prf_status_t status = parse_network(&networks[i], json_array_get(json, i), err);
        if (status) {
            prf_engine_networks_free(networks, n);
            return status;
        }
    }
    *out = networks;
    *count = n;
    return PRF_OK;
}

static size_t board_named(const prf_campaign_t *campaign, const char *kind)
{
    size_t board = 0;
    while (board < campaign->board_count && strcmp(campaign->boards[board].kind, kind) != 0)
        board++;
    return board;
}

/* A stranger's model is checked as any other. */
static prf_status_t begin_with(prf_engine_t *engine, const json_t *entry, bool *given, prf_error_t *err)
{
    const prf_campaign_t *campaign = prf_engine_campaign(engine);
    const char *kind = prf_campaign_doc_text(entry, "board");
    const json_t *text = json_object_get(entry, "model");
    size_t board = board_named(campaign, kind), len;
    void *bytes;
    prf_model_t *old;
    if (board == campaign->board_count || !campaign->boards[board].from || given[board])
        return prf_fail(
            err, PRF_EINVAL,
            "a model for board '%.64s', which begins with none, or has one already: send one for each 'from' of the campaign",
            kind);
    prf_status_t status = json_is_string(text)
                              ? prf_base64_decode(&bytes, &len, json_string_value(text), json_string_length(text), err)
                              : prf_fail(err, PRF_EINVAL, "its bytes are missing: send them as \"model\", in base64");
    if (!status) {
        status = len > PRF_CAMPAIGN_OLD_BYTES ? prf_fail(err, PRF_EINVAL, "%zu bytes: use at most %d", len, PRF_CAMPAIGN_OLD_BYTES)
                                              : prf_model_decode(&old, bytes, len, err);
        free(bytes);
    }
    if (status)
        return prf_fail_prefix(err, status, "the model that board '%.64s' begins with", kind);
    prf_engine_begin_with(engine, board, old);
    given[board] = true;
    return PRF_OK;
}

/* Each board that the file has begin with a model must have it, and no other. */
static prf_status_t begin_all(prf_engine_t *engine, const json_t *models, prf_error_t *err)
{
    const prf_campaign_t *campaign = prf_engine_campaign(engine);
    bool given[PRF_CAMPAIGN_BOARDS] = {false};
    prf_status_t status = PRF_OK;
    if (json_array_size(models) > PRF_CAMPAIGN_OLDS)
        return prf_fail(err, PRF_EINVAL, "%zu boards begin with a model: at most %d may", json_array_size(models),
                        PRF_CAMPAIGN_OLDS);
    for (size_t i = 0; !status && i < json_array_size(models); i++)
        status = begin_with(engine, json_array_get(models, i), given, err);
    for (size_t i = 0; !status && i < campaign->board_count; i++)
        if (campaign->boards[i].from && !given[i])
            status =
                prf_fail(err, PRF_EINVAL, "board '%s' begins with %.200s, which was not handed in: use a prfarm of this version",
                         campaign->boards[i].kind, campaign->boards[i].from);
    return status;
}

static prf_status_t make_engine(const json_t *doc, prf_engine_t **out, prf_error_t *err)
{
    const json_t *text = json_object_get(doc, "text"), *networks_json = json_object_get(doc, "networks");
    const char *file = prf_campaign_doc_text(doc, "file");
    prf_engine_network_t *networks;
    size_t count;
    prf_campaign_t campaign;
    prf_status_t status =
        prf_campaign_parse(&campaign, json_string_value(text), json_string_length(text), *file ? file : "campaign", err);
    if (status)
        return status;
    status = parse_networks(networks_json, &networks, &count, err);
    if (status) {
        prf_campaign_release(&campaign);
        return status;
    }
    prf_engine_t *engine;
    status = prf_engine_new(&engine, &campaign, networks, count, err);
    if (status)
        return status;
    status = begin_all(engine, json_object_get(doc, "models"), err);
    if (status)
        prf_engine_destroy(&engine);
    else
        *out = engine;
    return status;
}

static json_t *copy_or_none(const json_t *list)
{
    return list ? json_deep_copy(list) : json_array();
}

prf_status_t prf_campaign_doc_submit(const json_t *args, json_t **doc, prf_engine_t **engine, prf_error_t *err)
{
    const json_t *text = json_object_get(args, "campaign");
    if (!json_is_string(text))
        return prf_fail(err, PRF_EINVAL, "submit: \"campaign\" must hold the text of the campaign file");
    json_t *json = json_object();
    json_object_set_new(json, "version", json_integer(1));
    json_object_set_new(json, "file", json_string(prf_campaign_doc_text(args, "file")));
    json_object_set_new(json, "text", json_deep_copy(text));
    json_object_set_new(json, "networks", copy_or_none(json_object_get(args, "networks")));
    json_object_set_new(json, "models", copy_or_none(json_object_get(args, "models")));
    json_object_set_new(json, "seconds", json_real(0));
    prf_campaign_doc_set_state(json, PRF_CAMPAIGN_RUNNING, "");
    prf_engine_t *made = NULL;
    prf_status_t status =
        json && json_object_size(json) == 8 ? make_engine(json, &made, err) : prf_fail(err, PRF_ENOMEM, "campaign");
    if (!status && json_object_set_new(json, "name", json_string(prf_engine_campaign(made)->name)) != 0)
        status = prf_fail(err, PRF_ENOMEM, "campaign");
    if (status) {
        json_decref(json);
        prf_engine_destroy(&made);
        return status;
    }
    *doc = json;
    *engine = made;
    return PRF_OK;
}

/* How many refreshes were asked for so far: they are counted through, whatever else changes, so that no number comes twice. */
static json_int_t refreshes_of(const json_t *doc)
{
    return json_integer_value(json_object_get(doc, "refreshes"));
}

/* Documents of earlier versions have none. */
static bool same_models(const json_t *a, const json_t *b)
{
    return (json_array_size(a) == 0 && json_array_size(b) == 0) || json_equal(a, b);
}

/* Without what each block reads, which documents of earlier versions do not tell. New reference. */
static json_t *without_inputs(const json_t *networks)
{
    json_t *copy = json_deep_copy(networks), *network, *block;
    size_t i, k;
    json_array_foreach(copy, i, network)
    {
        json_array_foreach(json_object_get(network, "blocks"), k, block)
        {
            json_object_del(block, "inputs");
        }
    }
    return copy;
}

static bool tells_inputs(const json_t *networks)
{
    const json_t *blocks = json_object_get(json_array_get(networks, 0), "blocks");
    return json_object_get(json_array_get(blocks, 0), "inputs") != NULL;
}

static bool same_networks(const json_t *a, const json_t *b)
{
    if (tells_inputs(a) == tells_inputs(b))
        return json_equal(a, b);
    json_t *x = without_inputs(a), *y = without_inputs(b);
    bool same = json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return same;
}

bool prf_campaign_doc_same(const json_t *a, const json_t *b)
{
    return strcmp(prf_campaign_doc_text(a, "text"), prf_campaign_doc_text(b, "text")) == 0 &&
           same_networks(json_object_get(a, "networks"), json_object_get(b, "networks")) &&
           same_models(json_object_get(a, "models"), json_object_get(b, "models"));
}

void prf_campaign_doc_replace(json_t *doc, const json_t *old, uint64_t now_ms)
{
    json_t *history = json_deep_copy(json_object_get(old, "history"));
    if (!history)
        history = json_array();
    while (json_array_size(history) >= HISTORY)
        json_array_remove(history, 0);
    json_array_append_new(history, json_pack("{s:s, s:s, s:I}", "file", prf_campaign_doc_text(old, "file"), "text",
                                             prf_campaign_doc_text(old, "text"), "replaced_ms", (json_int_t)now_ms));
    json_object_set_new(doc, "history", history);
    json_object_set_new(doc, "refreshes", json_integer(refreshes_of(old)));
    json_object_set(doc, "submitted_ms", json_object_get(old, "submitted_ms"));
}

prf_status_t prf_campaign_doc_refresh(json_t *doc, const json_t *args, prf_error_t *err)
{
    const json_t *points = json_object_get(args, "points"), *limit = json_object_get(args, "limit_percent");
    json_int_t count = points ? json_integer_value(points) : REFRESH_POINTS, number = refreshes_of(doc) + 1;
    double percent = json_number_value(limit);
    if (count < 1 || count > REFRESH_MOST)
        return prf_fail(err, PRF_EINVAL, "refresh: points: use a number from 1 to %d", REFRESH_MOST);
    if ((limit && !json_is_number(limit)) || !(percent >= 0 && percent <= 100))
        return prf_fail(err, PRF_EINVAL, "refresh: limit_percent: use a number from 0 (as the repeatability says) to 100");
    if (number > PRF_REFRESHES)
        return prf_fail(err, PRF_EINVAL, "refresh: the campaign was refreshed %d times: submit it under another name",
                        PRF_REFRESHES);
    json_object_set_new(doc, "refreshes", json_integer(number));
    json_object_set_new(doc, "refresh", json_pack("{s:I, s:I, s:f}", "number", number, "points", count, "limit_percent", percent));
    return PRF_OK;
}

/* The engine is told of the refresh that the document asks for, if any. */
static void pass_on_refresh(const json_t *doc, prf_engine_t *engine)
{
    const json_t *refresh = json_object_get(doc, "refresh");
    json_int_t number = json_integer_value(json_object_get(refresh, "number")),
               points = json_integer_value(json_object_get(refresh, "points"));
    if (number < 1 || number > PRF_REFRESHES || points < 1 || points > REFRESH_MOST)
        return;
    prf_refresh_t wanted = {.number = (uint32_t)number,
                            .points = (uint32_t)points,
                            .limit_percent = json_number_value(json_object_get(refresh, "limit_percent"))};
    prf_engine_refresh(engine, &wanted);
}

prf_status_t prf_campaign_doc_engine(const json_t *doc, prf_engine_t **out, prf_error_t *err)
{
    prf_status_t status = make_engine(doc, out, err);
    if (!status)
        pass_on_refresh(doc, *out);
    return status;
}

prf_status_t prf_campaign_doc_decode(const void *bytes, size_t len, json_t **doc, prf_campaign_state_t *state, prf_error_t *err)
{
    json_t *read = json_loadb(bytes, len, 0, NULL);
    const char *name = prf_campaign_doc_text(read, "state");
    for (int i = 0; i < PRF_CAMPAIGN_STATES; i++)
        if (strcmp(name, prf_machine_campaign.states[i]) == 0 && json_is_string(json_object_get(read, "text")) &&
            prf_name_check("campaign", prf_campaign_doc_text(read, "name"), NULL) == PRF_OK) {
            *doc = read;
            *state = (prf_campaign_state_t)i;
            return PRF_OK;
        }
    json_decref(read);
    return prf_fail(err, PRF_ECORRUPT, "a campaign in the store cannot be read: submit it again under another name");
}

void prf_campaign_doc_set_state(json_t *doc, prf_campaign_state_t state, const char *error)
{
    json_object_set_new(doc, "state", json_string(prf_machine_campaign.states[state]));
    if (error)
        json_object_set_new(doc, "error", json_string(error));
}
