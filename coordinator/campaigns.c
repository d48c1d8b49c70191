// SPDX-License-Identifier: Apache-2.0
/* campaigns.c - each campaign is a document (campaign_doc.h); a running one has an engine at work beside it (campaign.h).
 *
 * A change of state is written first and takes effect when it is committed; until then the campaign is `changing` and asks for
 * nothing, so that a crash in between finds it in the one state or the other. */
#include "campaigns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "campaign.h"
#include "campaign_doc.h"

enum { SAVE_SECONDS = 10, CAMPAIGNS = 4096 /* at most, with those that are over */ };

typedef struct {
    char name[PRF_NAME];
    json_t *doc; /* owned */
    prf_campaign_state_t state;
    bool changing;          /* a change of state is on its way to the store */
    bool fresh;             /* never committed yet */
    prf_running_t *running; /* owned; NULL unless it runs */
    prf_engine_t *next;     /* owned; what will run once the document is committed */
    double seconds;         /* of earlier runs of the coordinator */
    uint64_t since_ms;      /* it runs since */
} one_t;

struct prf_campaigns {
    const prf_hub_t *hub;
    one_t **ones; /* owned, each too; in order of submission */
    size_t count;
    uint64_t owners; /* bit set: number taken in the scheduler */
    uint64_t runs;
    unsigned ticks;
};

/* A document on its way to the store. */
typedef struct {
    prf_campaigns_t *self;
    one_t *one;
    prf_campaign_state_t state; /* that it will be in */
    bool created;
    prf_reply_fn fn; /* NULL: nobody asked */
    void *arg;
} change_t;

static one_t *find(const prf_campaigns_t *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->ones[i]->name, name) == 0)
            return self->ones[i];
    return NULL;
}

static double seconds_of(const one_t *one)
{
    return one->seconds + (one->running ? (double)(prf_clock_mono_ms() - one->since_ms) / 1000 : 0);
}

static void one_free(one_t *one)
{
    prf_running_destroy(&one->running);
    prf_engine_destroy(&one->next);
    json_decref(one->doc);
    free(one);
}

/* Puts an engine to work. On failure the campaign is failed with a message, in memory: a restart tries again. */
static void start(prf_campaigns_t *self, one_t *one, prf_engine_t *engine)
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

static void stop(prf_campaigns_t *self, one_t *one)
{
    if (!one->running)
        return;
    self->owners &= ~((uint64_t)1 << prf_running_owner(one->running));
    one->seconds = seconds_of(one);
    prf_running_destroy(&one->running);
}

static one_t *add(prf_campaigns_t *self, json_t *doc)
{
    one_t *one = calloc(1, sizeof *one);
    one_t **ones = realloc(self->ones, (self->count + 1) * sizeof(void *));
    if (ones)
        self->ones = ones;
    if (!one || !ones) {
        free(one);
        return NULL;
    }
    one->doc = doc;
    snprintf(one->name, sizeof one->name, "%s", prf_campaign_doc_text(doc, "name"));
    self->ones[self->count++] = one;
    return one;
}

static void drop(prf_campaigns_t *self, one_t *one)
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
    one_t *one = add(self, doc);
    if (!one) {
        json_decref(doc);
        return false;
    }
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
        one->seconds = strtod(text, NULL);
        free(value);
    }
    if (prf_campaign_doc_engine(one->doc, &engine, &err)) {
        one->state = PRF_CAMPAIGN_FAILED;
        prf_campaign_doc_set_state(one->doc, PRF_CAMPAIGN_FAILED, err.text);
        prf_log(PRF_LOG_ERROR, "campaign_not_resumed campaign=%s error=\"%s\"", one->name, err.text);
        return;
    }
    prf_log(PRF_LOG_INFO, "campaign_resumed campaign=%s", one->name);
    start(self, one, engine);
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

static void reply_campaign(const one_t *one, bool created, prf_reply_fn fn, void *arg)
{
    fn(arg, PRF_OK,
       json_pack("{s:s, s:b, s:s}", "campaign", one->name, "created", created, "state", prf_campaign_state_name(one->state)), NULL);
}

/* The change could not be written: everything as before. */
static void undo(change_t *change)
{
    one_t *one = change->one;
    one->changing = false;
    prf_engine_destroy(&one->next);
    if (one->fresh)
        drop(change->self, one);
    else
        prf_campaign_doc_set_state(one->doc, one->state, NULL);
}

static void changed(void *arg, prf_status_t status)
{
    change_t *change = arg;
    prf_campaigns_t *self = change->self;
    one_t *one = change->one;
    if (status) {
        const char *why = status == PRF_ENOSPC
                              ? "the disk that holds the coordinator's store is full: free some space, then try again"
                          : status == PRF_ECANCELLED ? "the coordinator is ending: try again when it is back"
                                                     : "the coordinator's store could not be written";
        if (change->fn)
            change->fn(change->arg, status, NULL, why);
        undo(change);
        free(change);
        return;
    }
    one->changing = one->fresh = false;
    if (change->state != PRF_CAMPAIGN_RUNNING)
        stop(self, one);
    one->state = change->state;
    if (one->next) {
        prf_engine_t *engine = one->next;
        one->next = NULL;
        start(self, one, engine);
    }
    prf_log(PRF_LOG_INFO, "campaign_%s campaign=%s seconds=%.1f",
            one->state == PRF_CAMPAIGN_RUNNING ? "started" : prf_campaign_state_name(one->state), one->name, seconds_of(one));
    if (change->fn)
        reply_campaign(one, change->created, change->fn, change->arg);
    free(change);
}

/* Writes the document in its new state; `changed` goes on from there. On failure nothing has happened. */
static prf_status_t write_change(prf_campaigns_t *self, one_t *one, prf_campaign_state_t state, prf_commit_mode_t mode,
                                 prf_reply_fn fn, void *arg, prf_error_t *err)
{
    change_t *change = malloc(sizeof *change);
    if (change)
        *change = (change_t){self, one, state, one->fresh, fn, arg};
    json_object_set_new(one->doc, "seconds", json_real(seconds_of(one)));
    prf_campaign_doc_set_state(one->doc, state, NULL);
    char *text = json_dumps(one->doc, JSON_COMPACT);
    prf_status_t status = change && text ? PRF_OK : prf_fail(err, PRF_ENOMEM, "campaign %s", one->name);
    if (!status)
        status =
            prf_commits_value(self->hub->commits, PRF_TABLE_CAMPAIGN, one->name, text, strlen(text), mode, changed, change, err);
    free(text);
    if (status) {
        free(change);
        prf_campaign_doc_set_state(one->doc, one->state, NULL);
    } else {
        one->changing = true;
    }
    return status;
}

/* The same file again: what was cancelled or failed runs again, what runs or is done stays as it is. */
static void attach(prf_campaigns_t *self, one_t *one, const json_t *doc, prf_engine_t *engine, prf_reply_fn fn, void *arg)
{
    prf_error_t err = {0};
    if (strcmp(prf_campaign_doc_text(one->doc, "text"), prf_campaign_doc_text(doc, "text")) != 0) {
        prf_engine_destroy(&engine);
        prf_fail(&err, PRF_EEXISTS, "a campaign named %s exists with another specification: give this one another name", one->name);
        fn(arg, err.code, NULL, err.text);
    } else if (one->changing) {
        prf_engine_destroy(&engine);
        fn(arg, PRF_EBUSY, NULL, "the campaign is just changing its state: try again in a moment");
    } else if (one->state == PRF_CAMPAIGN_RUNNING || one->state == PRF_CAMPAIGN_DONE) {
        prf_engine_destroy(&engine);
        reply_campaign(one, false, fn, arg);
    } else {
        one->next = engine;
        prf_campaign_doc_set_state(one->doc, PRF_CAMPAIGN_RUNNING, "");
        json_object_del(one->doc, "summary");
        json_object_del(one->doc, "boards");
        if (write_change(self, one, PRF_CAMPAIGN_RUNNING, PRF_COMMIT_ONCE, fn, arg, &err)) {
            prf_engine_destroy(&one->next);
            fn(arg, err.code, NULL, err.text);
        }
    }
}

void prf_campaigns_submit(prf_campaigns_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    prf_error_t err = {0};
    json_t *doc = NULL;
    prf_engine_t *engine = NULL;
    if (prf_campaign_doc_submit(args, &doc, &engine, &err)) {
        fn(arg, err.code, NULL, err.text);
        return;
    }
    one_t *one = find(self, prf_campaign_doc_text(doc, "name"));
    if (one) {
        attach(self, one, doc, engine, fn, arg);
        json_decref(doc);
        return;
    }
    if (self->count >= CAMPAIGNS) {
        prf_fail(&err, PRF_EBUSY, "%zu campaigns are known, no more fit: begin another store", self->count);
        fn(arg, err.code, NULL, err.text);
        json_decref(doc);
        prf_engine_destroy(&engine);
        return;
    }
    json_object_set_new(doc, "submitted_ms", json_integer((json_int_t)prf_clock_wall_ms()));
    one = add(self, doc);
    if (!one) {
        json_decref(doc);
        prf_engine_destroy(&engine);
        fn(arg, PRF_ENOMEM, NULL, "out of memory for another campaign");
        return;
    }
    one->fresh = true;
    one->next = engine;
    if (write_change(self, one, PRF_CAMPAIGN_RUNNING, PRF_COMMIT_ONCE, fn, arg, &err)) {
        drop(self, one);
        fn(arg, err.code, NULL, err.text);
    }
}

void prf_campaigns_cancel(prf_campaigns_t *self, const char *name, prf_reply_fn fn, void *arg)
{
    one_t *one = find(self, name);
    prf_error_t err = {0};
    if (!one || one->fresh) {
        prf_fail(&err, PRF_ENOTFOUND, "no campaign is named '%.64s': 'prfarm status' lists those that there are", name);
        fn(arg, err.code, NULL, err.text);
    } else if (one->changing) {
        fn(arg, PRF_EBUSY, NULL, "the campaign is just changing its state: try again in a moment");
    } else if (one->state != PRF_CAMPAIGN_RUNNING) {
        reply_campaign(one, false, fn, arg);
    } else {
        json_object_set_new(one->doc, "boards", prf_running_status(one->running));
        if (write_change(self, one, PRF_CAMPAIGN_CANCELLED, PRF_COMMIT_ONCE, fn, arg, &err))
            fn(arg, err.code, NULL, err.text);
    }
}

static json_t *summary_of(const one_t *one)
{
    json_t *summary = prf_engine_summary(prf_running_engine(one->running));
    json_object_set_new(summary, "seconds", json_real(seconds_of(one)));
    return summary;
}

/* Over when every kind is; failed only when none came to a model. */
static void finish(prf_campaigns_t *self, one_t *one)
{
    json_t *boards = prf_running_status(one->running), *board;
    bool any = false;
    size_t i;
    json_array_foreach(boards, i, board) any = any || strcmp(prf_campaign_doc_text(board, "stage"), "failed") != 0;
    json_object_set_new(one->doc, "boards", boards);
    json_object_set_new(one->doc, "summary", summary_of(one));
    prf_error_t err = {0};
    if (write_change(self, one, any ? PRF_CAMPAIGN_DONE : PRF_CAMPAIGN_FAILED, PRF_COMMIT_KEEP, NULL, NULL, &err))
        prf_log(PRF_LOG_ERROR, "summary_not_stored campaign=%s error=\"%s\"", one->name, err.text);
}

json_t *prf_campaigns_status(const prf_campaigns_t *self, const char *name)
{
    if (name && !prf_campaigns_exists(self, name))
        return NULL;
    json_t *campaigns = json_array();
    for (size_t i = 0; i < self->count; i++) {
        const one_t *one = self->ones[i];
        if (one->fresh || (name && strcmp(one->name, name) != 0))
            continue;
        json_t *boards = json_object_get(one->doc, "boards");
        boards = one->running ? prf_running_status(one->running) : boards ? json_incref(boards) : json_array();
        json_array_append_new(campaigns, json_pack("{s:s, s:s, s:f, s:s, s:o}", "name", one->name, "state",
                                                   prf_campaign_state_name(one->state), "seconds", seconds_of(one), "error",
                                                   prf_campaign_doc_text(one->doc, "error"), "boards", boards));
    }
    return campaigns;
}

json_t *prf_campaigns_summary(const prf_campaigns_t *self, const char *name)
{
    const one_t *one = find(self, name);
    if (!one || one->fresh)
        return NULL;
    if (one->running)
        return summary_of(one);
    json_t *summary = json_object_get(one->doc, "summary");
    return summary ? json_incref(summary)
                   : json_pack("{s:s, s:[], s:[], s:f}", "campaign", one->name, "boards", "networks", "seconds", one->seconds);
}

bool prf_campaigns_exists(const prf_campaigns_t *self, const char *name)
{
    const one_t *one = find(self, name);
    return one && !one->fresh;
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

bool prf_campaigns_pump(prf_campaigns_t *self)
{
    if (self->hub->stopping || prf_commits_blocked(self->hub->commits, NULL))
        return false;
    bool moved = false;
    for (size_t i = 0; i < self->count; i++) {
        one_t *one = self->ones[i];
        if (!one->running || one->changing)
            continue;
        moved = prf_running_pump(one->running) || moved;
        if (prf_running_finished(one->running))
            finish(self, one);
    }
    return moved;
}

void prf_campaigns_answer(void *arg, const prf_digest_t *point, uint32_t attempt)
{
    prf_campaigns_t *self = arg;
    for (size_t i = 0; i < self->count; i++)
        if (self->ones[i]->running)
            prf_running_answer(self->ones[i]->running, point, attempt);
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
    snprintf(text, sizeof text, "%.3f", seconds_of(one));
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
