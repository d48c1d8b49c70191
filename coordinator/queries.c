// SPDX-License-Identifier: Apache-2.0
/* queries.c - everything that is read is in memory, except the rows of an export. What a person asks to have measured goes the same
 * way as a campaign's points, under an owner of its own. */
#include "queries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "layer/layer_json.h"
#include "measure_request.h"
#include "tally.h"

enum {
    POISONED = 200,                             /* points in a reply at most */
    MODELS = 1000,                              /* too */
    ROWS = 2000,                                /* of an export in a reply at most */
    ROWS_BYTES = PRF_FRAME_BYTES - (128 << 10), /* and the size that they may reach */
};

static const char *text_of(const json_t *args, const char *key)
{
    const char *text = json_string_value(json_object_get(args, key));
    return text ? text : "";
}

prf_status_t prf_query_version(const prf_queries_t *self, const char *kind, const json_t *version, prf_model_version_t *out,
                               prf_error_t *err)
{
    json_int_t number = json_integer_value(version);
    bool found = number == 0                          ? prf_publisher_current(self->hub->publisher, kind, out)
                 : number > 0 && number <= UINT32_MAX ? prf_publisher_version(self->hub->publisher, kind, (uint32_t)number, out)
                                                      : false;
    return found ? PRF_OK
                 : prf_fail(err, PRF_ENOTFOUND,
                            "no such model of board kind '%.64s': 'prfarm model list' shows those that there are", kind);
}

prf_status_t prf_query_model(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err)
{
    prf_model_version_t model;
    prf_status_t status = prf_query_version(self, text_of(args, "kind"), json_object_get(args, "version"), &model, err);
    if (status)
        return status;
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(&model.digest, hex);
    *out = json_pack("{s:s, s:I, s:s, s:I}", "kind", model.kind, "version", (json_int_t)model.version, "digest", hex, "bytes",
                     (json_int_t)model.bytes);
    return *out ? PRF_OK : prf_fail(err, PRF_ENOMEM, "model");
}

prf_status_t prf_query_models(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err)
{
    const char *kind = text_of(args, "kind");
    json_int_t after = json_integer_value(json_object_get(args, "after"));
    prf_tally_t tally;
    prf_status_t status = prf_tally_take(&tally, self->hub, self->sessions, err);
    if (status) {
        prf_tally_release(&tally);
        return status;
    }
    json_t *models = json_array();
    prf_model_version_t model, current;
    prf_model_note_t note;
    size_t i = after > 0 ? (size_t)after : 0;
    bool more = false;
    for (; (more = prf_publisher_next(self->hub->publisher, &i, &model, &note)) && json_array_size(models) < MODELS; i++) {
        if (*kind && strcmp(kind, model.kind) != 0)
            continue;
        const prf_tally_kind_t *boards = prf_tally_find(&tally, model.kind);
        prf_census_t census = {.workers = (uint32_t)boards->live, .current = prf_tally_run_by(boards, model.version)};
        current.version = boards->current;
        if (strcmp(boards->kind, model.kind) != 0) { /* it is among the others there */
            census = prf_fleet_census(self->hub->fleet, model.kind, "", model.version);
            prf_publisher_current(self->hub->publisher, model.kind, &current);
        }
        char hex[PRF_DIGEST_HEX];
        prf_digest_hex(&model.digest, hex);
        json_array_append_new(models, json_pack("{s:s, s:I, s:b, s:I, s:I, s:s, s:I, s:s, s:o, s:I}", "kind", model.kind, "version",
                                                (json_int_t)model.version, "current", current.version == model.version, "runs_on",
                                                (json_int_t)census.current, "workers", (json_int_t)census.workers, "digest", hex,
                                                "bytes", (json_int_t)model.bytes, "campaign", note.campaign, "mape_percent",
                                                prf_json_real(note.mape_percent), "published_ms", (json_int_t)note.published_ms));
    }
    prf_tally_release(&tally);
    *out = json_pack("{s:o, s:o}", "models", models, "next", more ? json_integer((json_int_t)i) : json_null());
    return *out ? PRF_OK : prf_fail(err, PRF_ENOMEM, "list of models");
}

static const prf_fleet_board_t *any_of(const prf_fleet_t *fleet, const char *kind)
{
    for (size_t i = 0; i < prf_fleet_count(fleet); i++) {
        const prf_fleet_board_t *b = prf_fleet_at(fleet, i);
        if (b->live && strcmp(b->facts.kind, kind) == 0)
            return b;
    }
    return NULL;
}

/* So that an export can say what the point was. */
static prf_status_t note_plan(const prf_hub_t *hub, prf_entry_t *entry, const prf_job_t *job, const char *kind, prf_error_t *err)
{
    prf_text_t text = {0};
    const char *texts = prf_plan_blocks(&text, job->blocks, job->block_count);
    if (!texts) {
        prf_text_release(&text);
        return prf_fail(err, PRF_ENOMEM, "blocks to be measured");
    }
    prf_planned_t planned = {.point = job->point, .campaign = PRF_PLAN_NOBODY, .kind = kind, .role = "request", .blocks = texts};
    prf_plan_page_t page = {0};
    bool fresh;
    prf_status_t status = prf_plan_add(hub->plan, entry, &planned, &fresh, err);
    if (!status && fresh) {
        prf_plan_page_add(&page, &planned);
        status = prf_hub_write_plan(hub, &page, err);
    }
    prf_plan_page_release(&page);
    prf_text_release(&text);
    return status;
}

static prf_status_t want(const prf_hub_t *hub, const prf_fleet_board_t *board, prf_job_t *job, json_t *points, size_t *reused,
                         prf_error_t *err)
{
    prf_entry_t *entry;
    prf_point_id(&job->point, board->facts.kind, board->facts.fingerprint, &job->protocol,
                 &(prf_chain_t){.blocks = job->blocks, .count = job->block_count});
    prf_status_t status = prf_ledger_reach(hub->ledger, &job->point, 0, &entry, err);
    bool known = !status && entry->known;
    *reused += known;
    if (!status && !known)
        status = prf_sched_add(hub->sched, board->klass, PRF_OWNER_REQUESTS, entry, job, err);
    if (!status && !known)
        status = note_plan(hub, entry, job, board->facts.kind, err);
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(&job->point, hex);
    if (!status && json_array_append_new(points, json_string(hex)) != 0)
        status = prf_fail(err, PRF_ENOMEM, "points");
    return status;
}

static prf_status_t want_all(const prf_hub_t *hub, const prf_measure_request_t *request, json_t *points, size_t *known,
                             prf_error_t *err)
{
    const prf_fleet_board_t *board = any_of(hub->fleet, request->kind);
    if (!board)
        return prf_fail(err, PRF_ENOTFOUND, "no board of kind '%.64s' is connected: 'prfarm boards' lists those that are",
                        request->kind);
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && i < request->count; i++)
        status = want(hub, board, &request->jobs[i], points, known, err);
    return status;
}

prf_status_t prf_query_measure(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err)
{
    prf_measure_request_t request;
    prf_status_t status = prf_measure_request_parse(&request, args, err);
    if (status)
        return status;
    json_t *points = json_array();
    size_t known = 0;
    status = want_all(self->hub, &request, points, &known, err);
    prf_measure_request_release(&request);
    if (status) {
        json_decref(points);
        return status;
    }
    *out = json_pack("{s:o, s:I}", "points", points, "known", (json_int_t)known);
    return *out ? PRF_OK : prf_fail(err, PRF_ENOMEM, "points");
}

static json_t *outcome_json(prf_status_t outcome, const char *error, const char *board, const prf_sample_t *s)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:o}", "outcome", prf_status_name(outcome), "error", error, "board",
                     board, "latency_ns", prf_json_real(s->latency_ns), "min_ns", prf_json_real(s->min_ns), "ci_percent",
                     prf_json_real(s->ci_percent), "repeats", (json_int_t)s->repeats, "taint", (json_int_t)s->taint, "energy_nj",
                     s->energy_nj > 0 ? json_real(s->energy_nj) : json_null());
}

prf_status_t prf_query_results(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err)
{
    const json_t *points = json_object_get(args, "points");
    size_t count = json_array_size(points);
    if (!json_is_array(points))
        return prf_fail(err, PRF_EINVAL, "results: \"points\" is no list: give one of digests");
    if (count > PRF_REQUEST_ITEMS)
        return prf_fail(err, PRF_EINVAL, "results: %zu points, use at most %d", count, PRF_REQUEST_ITEMS);
    json_t *results = json_array();
    for (size_t i = 0; i < count; i++) {
        const char *hex = json_string_value(json_array_get(points, i));
        prf_digest_t point;
        if (!hex || !prf_digest_parse(&point, hex)) {
            json_decref(results);
            return prf_fail(err, PRF_EINVAL, "results: point %zu is no digest: use %d hexadecimal digits", i + 1,
                            PRF_DIGEST_HEX - 1);
        }
        prf_known_t known;
        prf_job_view_t job;
        const prf_entry_t *entry = prf_ledger_find(self->hub->ledger, &point, 0);
        bool settled = prf_index_get(self->hub->index, entry, &known) && !prf_sched_get(entry, &job);
        json_array_append_new(results,
                              settled ? outcome_json(known.outcome, known.error, known.board, &known.sample) : json_null());
    }
    *out = json_pack("{s:o}", "results", results);
    return *out ? PRF_OK : prf_fail(err, PRF_ENOMEM, "results");
}

typedef struct {
    const prf_queries_t *self;
    const char *campaign; /* NULL: all */
    json_t *rows;
    size_t most, bytes;
    uint64_t last; /* sequence of the last record that was looked at */
    bool more;
} export_t;

/* The leading layer in columns; a network's chain of blocks has none of its own. */
static void describe(json_t *row, const char *texts)
{
    const char *end = strchr(texts, '\n');
    prf_block_t block;
    bool single = !end && *texts && prf_block_parse(&block, texts, NULL) == PRF_OK;
    json_t *params = single ? prf_layer_params_json(&block.layers[0]) : json_object();
    json_object_set_new(row, "layer",
                        single ? json_string(prf_layer_kind_name(block.layers[0].kind)) : json_string(end ? "chain" : ""));
    json_object_set_new(row, "dtype", json_string(single ? prf_dtype_name(block.dtype) : ""));
    json_object_set_new(row, "params", params);
    json_object_set_new(row, "block", json_string(single ? texts : ""));
}

static bool export_row(void *arg, uint64_t sequence, const prf_record_t *record)
{
    export_t *e = arg;
    prf_planned_t planned = {.campaign = "", .kind = "", .role = "", .blocks = ""};
    const prf_entry_t *entry = prf_ledger_find(e->self->hub->ledger, &record->point, record->attempt);
    bool known = prf_plan_find(e->self->hub->plan, entry, e->campaign, &planned);
    if (e->campaign && !known) {
        e->last = sequence;
        return true;
    }
    if (json_array_size(e->rows) >= e->most || e->bytes > ROWS_BYTES) {
        e->more = true;
        return false;
    }
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(&record->point, hex);
    const prf_sample_t *s = &record->sample;
    json_t *row = outcome_json(record->outcome, record->error, record->board, s);
    json_object_set_new(row, "sequence", json_integer((json_int_t)sequence));
    json_object_set_new(row, "campaign", json_string(strcmp(planned.campaign, PRF_PLAN_NOBODY) == 0 ? "" : planned.campaign));
    json_object_set_new(row, "kind", json_string(planned.kind));
    json_object_set_new(row, "point", json_string(hex));
    json_object_set_new(row, "attempt", json_integer(record->attempt));
    json_object_set_new(row, "role", json_string(planned.role));
    json_object_set_new(row, "duplicate", json_boolean(record->duplicate));
    json_object_set_new(row, "temperature_mc", json_integer(s->temperature_mc));
    json_object_set_new(row, "clock_khz", json_integer(s->clock_khz));
    json_object_set_new(row, "load_percent", json_integer(s->load_percent));
    json_object_set_new(row, "wall_ms", json_integer((json_int_t)s->wall_ms));
    json_object_set_new(row, "busy_ns", json_integer((json_int_t)s->busy_ns));
    describe(row, planned.blocks);
    e->bytes += 600 + 2 * strlen(planned.blocks) + strlen(record->error);
    json_array_append_new(e->rows, row ? row : json_null());
    e->last = sequence;
    return true;
}

prf_status_t prf_query_export(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err)
{
    json_int_t after = json_integer_value(json_object_get(args, "after"));
    json_int_t limit = json_integer_value(json_object_get(args, "limit"));
    const char *campaign = json_string_value(json_object_get(args, "campaign"));
    if (after < 0 || limit < 0)
        return prf_fail(err, PRF_EINVAL, "export: \"after\" and \"limit\": use whole numbers of at least 0");
    if (campaign && !prf_campaigns_exists(self->campaigns, campaign))
        return prf_fail(err, PRF_ENOTFOUND, "no campaign is named '%.64s': 'prfarm status' lists those that there are", campaign);
    export_t e = {.self = self, .campaign = campaign, .rows = json_array(), .last = (uint64_t)after};
    e.most = limit > 0 && limit < ROWS ? (size_t)limit : ROWS;
    uint64_t damaged = 0;
    prf_status_t status = prf_store_scan_records(self->hub->store, (uint64_t)after + 1, export_row, &e, &damaged, err);
    if (status) {
        json_decref(e.rows);
        return status;
    }
    *out = json_pack("{s:o, s:o, s:I}", "rows", e.rows, "next", e.more ? json_integer((json_int_t)e.last) : json_null(), "damaged",
                     (json_int_t)damaged);
    return *out ? PRF_OK : prf_fail(err, PRF_ENOMEM, "rows");
}

prf_status_t prf_query_events(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err)
{
    json_int_t after = json_integer_value(json_object_get(args, "after"));
    json_int_t limit = json_integer_value(json_object_get(args, "limit"));
    if (after < 0 || limit < 0)
        return prf_fail(err, PRF_EINVAL, "events: \"after\" and \"limit\": use whole numbers of at least 0");
    *out = prf_events_page(self->hub->events, (uint64_t)after, (size_t)limit);
    return *out ? PRF_OK : prf_fail(err, PRF_ENOMEM, "events");
}

static json_t *poisoned_json(const prf_poisoned_t *p, const prf_planned_t *planned)
{
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(&p->point, hex);
    json_t *errors = json_array();
    for (size_t i = 0; i < p->count; i++)
        json_array_append_new(errors, json_pack("{s:s, s:s, s:s}", "board", p->errors[i].board, "outcome",
                                                prf_status_name(p->errors[i].outcome), "error", p->errors[i].text));
    json_t *json = json_pack("{s:s, s:I, s:s, s:s, s:o}", "point", hex, "attempt", (json_int_t)p->attempt, "kind", planned->kind,
                             "role", planned->role, "errors", errors);
    describe(json, planned->blocks);
    return json;
}

prf_status_t prf_query_poisoned(const prf_queries_t *self, const json_t *args, json_t **out, prf_error_t *err)
{
    const char *campaign = text_of(args, "campaign");
    json_int_t after = json_integer_value(json_object_get(args, "after"));
    if (after < 0)
        return prf_fail(err, PRF_EINVAL, "poisoned: \"after\": use a whole number of at least 0");
    if (!prf_campaigns_exists(self->campaigns, campaign))
        return prf_fail(err, PRF_ENOTFOUND, "no campaign is named '%.64s': 'prfarm status' lists those that there are", campaign);
    json_t *points = json_array();
    size_t i = (size_t)after;
    const prf_poisoned_t *p;
    for (; (p = prf_poison_at(self->hub->poison, i)) && json_array_size(points) < POISONED; i++) {
        prf_planned_t planned;
        if (prf_plan_find(self->hub->plan, prf_ledger_find(self->hub->ledger, &p->point, p->attempt), campaign, &planned))
            json_array_append_new(points, poisoned_json(p, &planned));
    }
    *out = json_pack("{s:o, s:o}", "points", points, "next", p ? json_integer((json_int_t)i) : json_null());
    return *out ? PRF_OK : prf_fail(err, PRF_ENOMEM, "poisoned points");
}
