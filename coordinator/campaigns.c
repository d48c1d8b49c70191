// SPDX-License-Identifier: Apache-2.0
/* campaigns.c - each campaign is a document (campaign_doc.h); a running one has an engine at work beside it (campaign.h). How one
 * changes is in campaigns_change.c. */
#include "campaigns_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "health.h"
#include "triage.h"

enum { SAVE_SECONDS = 10 };

one_t *campaigns_find(const prf_campaigns_t *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->ones[i]->name, name) == 0)
            return self->ones[i];
    return NULL;
}

double campaigns_seconds(const one_t *one)
{
    return one->seconds + (one->running ? (double)(prf_clock_mono_ms() - one->since_ms) / 1000 : 0);
}

static void one_free(one_t *one)
{
    prf_running_destroy(&one->running);
    json_decref(one->doc);
    free(one);
}

void campaigns_start(prf_campaigns_t *self, one_t *one, prf_engine_t *engine)
{
    prf_error_t err = {0};
    unsigned owner = 0;
    while (owner < PRF_OWNER_REQUESTS && (self->owners >> owner & 1))
        owner++;
    prf_status_t status = PRF_OK;
    if (owner == PRF_OWNER_REQUESTS) {
        prf_engine_destroy(&engine);
        status = prf_fail(&err, PRF_EBUSY, "%d campaigns are running: wait for one to end or cancel one", PRF_OWNER_REQUESTS);
    } else {
        status = prf_running_new(&one->running, self->hub, engine, owner, ++self->runs, &err);
    }
    if (status) {
        one->state = PRF_CAMPAIGN_FAILED;
        prf_campaign_doc_set_state(one->doc, PRF_CAMPAIGN_FAILED, err.text);
        prf_log(PRF_LOG_ERROR, "campaign_not_started campaign=%s error=\"%s\"", one->name, err.text);
        return;
    }
    self->owners |= (uint64_t)1 << owner;
    one->state = PRF_CAMPAIGN_RUNNING;
    one->since_ms = prf_clock_mono_ms();
}

void campaigns_stop(prf_campaigns_t *self, one_t *one)
{
    if (!one->running)
        return;
    self->owners &= ~((uint64_t)1 << prf_running_owner(one->running));
    one->seconds = campaigns_seconds(one);
    prf_running_destroy(&one->running);
}

one_t *campaigns_add(prf_campaigns_t *self, const char *name)
{
    one_t *one = calloc(1, sizeof *one);
    one_t **ones = realloc(self->ones, (self->count + 1) * sizeof(void *));
    if (ones)
        self->ones = ones;
    if (!one || !ones) {
        free(one);
        return NULL;
    }
    snprintf(one->name, sizeof one->name, "%s", name);
    self->ones[self->count++] = one;
    return one;
}

void campaigns_drop(prf_campaigns_t *self, one_t *one)
{
    size_t at = 0;
    while (self->ones[at] != one)
        at++;
    memmove(&self->ones[at], &self->ones[at + 1], (--self->count - at) * sizeof(void *));
    one_free(one);
}

static bool load_one(void *arg, const char *key, const void *value, size_t len)
{
    prf_campaigns_t *self = arg;
    json_t *doc;
    prf_campaign_state_t state;
    prf_error_t err = {0};
    if (prf_campaign_doc_decode(value, len, &doc, &state, &err)) {
        prf_log(PRF_LOG_ERROR, "campaign_unreadable campaign=%s error=\"%s\"", key, err.text);
        return true;
    }
    one_t *one = campaigns_add(self, prf_campaign_doc_text(doc, "name"));
    if (!one) {
        json_decref(doc);
        return false;
    }
    one->doc = doc;
    one->state = state;
    one->seconds = json_number_value(json_object_get(doc, "seconds"));
    return true;
}

static int by_submission(const void *a, const void *b)
{
    const one_t *x = *(one_t *const *)a, *y = *(one_t *const *)b;
    json_int_t s = json_integer_value(json_object_get(x->doc, "submitted_ms")),
               t = json_integer_value(json_object_get(y->doc, "submitted_ms"));
    return s < t ? -1 : s > t ? 1 : strcmp(x->name, y->name);
}

static void seconds_key(const one_t *one, char key[PRF_PLAN_KEY])
{
    snprintf(key, PRF_PLAN_KEY, "%s/-/seconds", one->name);
}

static void resume(prf_campaigns_t *self, one_t *one)
{
    prf_error_t err = {0};
    prf_engine_t *engine;
    char key[PRF_PLAN_KEY];
    void *value;
    size_t len;
    seconds_key(one, key);
    if (prf_store_get(self->hub->store, PRF_TABLE_DECISION, key, &value, &len, NULL) == PRF_OK) {
        char text[32] = "";
        memcpy(text, value, len < sizeof text ? len : sizeof text - 1);
        double saved = strtod(text, NULL); /* the document may have been written later, when it was paused */
        one->seconds = saved > one->seconds ? saved : one->seconds;
        free(value);
    }
    if (prf_campaign_doc_engine(one->doc, &engine, &err)) {
        one->state = PRF_CAMPAIGN_FAILED;
        prf_campaign_doc_set_state(one->doc, PRF_CAMPAIGN_FAILED, err.text);
        prf_log(PRF_LOG_ERROR, "campaign_not_resumed campaign=%s error=\"%s\"", one->name, err.text);
        return;
    }
    prf_log(PRF_LOG_INFO, "campaign_resumed campaign=%s", one->name);
    campaigns_start(self, one, engine);
}

prf_status_t prf_campaigns_new(prf_campaigns_t **out, const prf_hub_t *hub, prf_error_t *err)
{
    prf_campaigns_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "campaigns");
    self->hub = hub;
    uint64_t damaged = 0;
    prf_status_t status = prf_store_scan(hub->store, PRF_TABLE_CAMPAIGN, NULL, load_one, self, &damaged, err);
    if (status) {
        prf_campaigns_destroy(&self);
        return status;
    }
    if (damaged)
        prf_log(PRF_LOG_WARN, "campaigns_damaged count=%llu left_out=true", (unsigned long long)damaged);
    if (self->count)
        qsort(self->ones, self->count, sizeof(void *), by_submission);
    for (size_t i = 0; i < self->count; i++)
        if (self->ones[i]->state == PRF_CAMPAIGN_RUNNING)
            resume(self, self->ones[i]);
    *out = self;
    return PRF_OK;
}

void prf_campaigns_destroy(prf_campaigns_t **self)
{
    if (!self || !*self)
        return;
    for (size_t i = 0; i < (*self)->count; i++)
        one_free((*self)->ones[i]);
    free((*self)->ones);
    free(*self);
    *self = NULL;
}

static json_t *summary_of(const one_t *one)
{
    json_t *summary = prf_engine_summary(prf_running_engine(one->running));
    json_object_set_new(summary, "seconds", json_real(campaigns_seconds(one)));
    return summary;
}

/* What holds now, whenever the rest was noted: which model the kind's boards are to run, how many do, and how the boards are. */
static void note_models(const prf_campaigns_t *self, const one_t *one, json_t *boards)
{
    const prf_engine_t *engine = one->running ? prf_running_engine(one->running) : NULL;
    size_t i;
    json_t *board;
    json_array_foreach(boards, i, board)
    {
        const char *kind = prf_campaign_doc_text(board, "kind");
        const char *usable = engine ? prf_engine_fingerprint(engine, i) : "";
        prf_model_version_t current = {0};
        prf_publisher_current(self->hub->publisher, kind, &current);
        prf_census_t census = prf_fleet_census(self->hub->fleet, kind, "", current.version);
        json_object_set_new(board, "current_version", json_integer(current.version));
        json_object_set_new(board, "current_runs_on", json_integer(census.current));
        json_object_set_new(board, "boards_live", json_integer(census.workers));
        json_object_set_new(board, "quarantined", json_integer((json_int_t)prf_triage_count(self->hub->triage, kind, usable)));
        json_object_set_new(board, "stale", json_boolean(current.version > 0 && prf_health_flagged(self->hub->health, kind)));
    }
}

/* Its boards as they were when it stopped, but for what moved on by itself. */
static json_t *standing_still(const one_t *one)
{
    json_t *boards = json_deep_copy(json_object_get(one->doc, "boards")), *board;
    size_t i;
    json_array_foreach(boards, i, board)
    {
        json_object_set_new(board, "busy", json_integer(0));
        json_object_set_new(board, "rate_per_second", json_real(0));
        json_object_set_new(board, "seconds_left", json_null());
    }
    return boards ? boards : json_array();
}

json_t *prf_campaigns_status(const prf_campaigns_t *self, const char *name)
{
    if (name && !prf_campaigns_exists(self, name))
        return NULL;
    json_t *campaigns = json_array();
    for (size_t i = 0; i < self->count; i++) {
        const one_t *one = self->ones[i];
        if (!one->doc || (name && strcmp(one->name, name) != 0))
            continue;
        json_t *boards = one->running ? prf_running_status(one->running) : standing_still(one);
        note_models(self, one, boards);
        json_array_append_new(campaigns, json_pack("{s:s, s:s, s:f, s:s, s:o}", "name", one->name, "state",
                                                   prf_machine_campaign.states[one->state], "seconds", campaigns_seconds(one),
                                                   "error", prf_campaign_doc_text(one->doc, "error"), "boards", boards));
    }
    return campaigns;
}

json_t *prf_campaigns_summary(const prf_campaigns_t *self, const char *name)
{
    const one_t *one = campaigns_find(self, name);
    if (!one || !one->doc)
        return NULL;
    if (one->running)
        return summary_of(one);
    json_t *summary = json_object_get(one->doc, "summary");
    return summary ? json_incref(summary)
                   : json_pack("{s:s, s:[], s:[], s:f}", "campaign", one->name, "boards", "networks", "seconds", one->seconds);
}

prf_status_t prf_campaigns_spec(const prf_campaigns_t *self, const char *name, prf_campaign_t *out, prf_error_t *err)
{
    const one_t *one = campaigns_find(self, name);
    if (!one || !one->doc)
        return prf_fail(err, PRF_ENOTFOUND, "no campaign is named '%.64s': 'prfarm status' lists those that there are", name);
    const json_t *text = json_object_get(one->doc, "text");
    return prf_campaign_parse(out, json_string_value(text), json_string_length(text), name, err);
}

bool prf_campaigns_exists(const prf_campaigns_t *self, const char *name)
{
    const one_t *one = campaigns_find(self, name);
    return one && one->doc;
}

const char *prf_campaigns_excluding(const prf_campaigns_t *self, const char *kind, const char *fingerprint)
{
    for (size_t i = 0; i < self->count; i++) {
        if (!self->ones[i]->running)
            continue;
        const prf_engine_t *engine = prf_running_engine(self->ones[i]->running);
        const prf_campaign_t *campaign = prf_engine_campaign(engine);
        for (size_t b = 0; b < campaign->board_count; b++) {
            const char *pinned = prf_engine_fingerprint(engine, b);
            if (strcmp(campaign->boards[b].kind, kind) == 0 && *pinned && strcmp(pinned, fingerprint) != 0)
                return self->ones[i]->name;
        }
    }
    return NULL;
}

static const prf_space_t *space_of(const prf_engine_t *engine, const char *kind, const char *fingerprint, uint32_t kinds)
{
    const prf_campaign_t *campaign = prf_engine_campaign(engine);
    for (size_t b = 0; b < campaign->board_count; b++) {
        if (strcmp(campaign->boards[b].kind, kind) != 0 || strcmp(prf_engine_fingerprint(engine, b), fingerprint) != 0)
            continue;
        for (size_t i = 0; i < campaign->layer_count; i++)
            if (campaign->layers[i].boards >> b & 1 && kinds >> campaign->layers[i].space.kind & 1)
                return &campaign->layers[i].space;
    }
    return NULL;
}

const prf_space_t *prf_campaigns_space(const prf_campaigns_t *self, const char *kind, const char *fingerprint, uint32_t kinds)
{
    const prf_space_t *space = NULL;
    for (size_t i = 0; i < self->count && !space; i++)
        if (self->ones[i]->running)
            space = space_of(prf_running_engine(self->ones[i]->running), kind, fingerprint, kinds);
    return space;
}

bool prf_campaigns_pump(prf_campaigns_t *self)
{
    if (!prf_hub_granting(self->hub, NULL))
        return false;
    bool moved = false;
    self->turn++; /* the first fills the queue, so all take turns */
    for (size_t i = 0; i < self->count; i++) {
        one_t *one = self->ones[(self->turn + i) % self->count];
        if (!one->running || one->changing)
            continue;
        moved = prf_running_pump(one->running) || moved;
        if (prf_running_finished(one->running))
            campaigns_finish(self, one);
    }
    return moved;
}

void prf_campaigns_answer(void *arg, const prf_entry_t *entry)
{
    prf_campaigns_t *self = arg;
    for (size_t i = 0; i < self->count; i++)
        if (self->ones[i]->running)
            prf_running_answer(self->ones[i]->running, entry);
}

void prf_campaigns_trained(prf_campaigns_t *self)
{
    uint64_t run;
    prf_training_t *task;
    while (prf_trainer_take(self->hub->trainer, &run, &task)) {
        one_t *one = NULL;
        for (size_t i = 0; i < self->count && !one; i++)
            if (self->ones[i]->running && prf_running_run(self->ones[i]->running) == run)
                one = self->ones[i];
        if (one)
            prf_running_trained(one->running, task);
        else
            prf_training_destroy(&task); /* of a campaign that was cancelled meanwhile */
    }
}

/* So that a campaign's time does not shrink when the coordinator is killed. */
static void save_seconds(prf_campaigns_t *self, const one_t *one)
{
    char key[PRF_PLAN_KEY], text[32];
    seconds_key(one, key);
    snprintf(text, sizeof text, "%.3f", campaigns_seconds(one));
    if (prf_commits_value(self->hub->commits, PRF_TABLE_DECISION, key, text, strlen(text), PRF_COMMIT_ONCE, NULL, NULL, NULL))
        prf_log(PRF_LOG_DEBUG, "seconds_not_saved campaign=%s", one->name);
}

void prf_campaigns_tick(prf_campaigns_t *self)
{
    bool save = ++self->ticks % SAVE_SECONDS == 0;
    for (size_t i = 0; i < self->count; i++)
        if (self->ones[i]->running) {
            prf_running_tick(self->ones[i]->running);
            if (save)
                save_seconds(self, self->ones[i]);
        }
}
