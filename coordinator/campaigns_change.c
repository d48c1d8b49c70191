// SPDX-License-Identifier: Apache-2.0
/* campaigns_change.c - what clients do to a campaign, and its end: durable changes of its document.
 *
 * A change is written first and takes effect when it is committed; until then the campaign is `changing`, asks for nothing and
 * refuses further changes, so that a crash in between finds it in the one state or the other. The new document is made beside the
 * old one: a change that cannot be written has changed nothing. Whatever set it going, a campaign goes on in one way only: an
 * engine is built from its document and finds in the store what is known. So an edited, a paused and a killed campaign cannot
 * behave differently. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "campaigns_internal.h"

enum { CAMPAIGNS = 4096 /* at most, with those that are over */ };

/* A document on its way to the store. */
typedef struct {
    prf_campaigns_t *self;
    one_t *one;
    prf_campaign_event_t event;
    prf_campaign_state_t state; /* that it will be in */
    json_t *doc;                /* owned: as it will be */
    prf_engine_t *engine;       /* owned: what will run then; NULL: nothing */
    prf_reply_fn fn;            /* NULL: nobody asked */
    void *arg;
} change_t;

/* Who asked, and what for. */
typedef struct {
    prf_reply_fn fn;
    void *arg;
} asker_t;

static void change_free(change_t *change)
{
    prf_engine_destroy(&change->engine);
    json_decref(change->doc);
    free(change);
}

static json_t *reply_of(const one_t *one, bool created)
{
    return json_pack("{s:s, s:b, s:s}", "campaign", one->name, "created", created, "state",
                     prf_machine_campaign.states[one->state]);
}

/* An edited campaign's reply says how much of its new plan is known, as far as that can be told by now. */
static json_t *reply_of_edit(const one_t *one)
{
    json_t *reply = reply_of(one, false);
    size_t known = 0, lacking = 0;
    if (one->running) {
        prf_running_pump(one->running); /* takes what is known, and so comes to its next questions */
        prf_running_outlook(one->running, &known, &lacking);
    }
    json_object_set_new(reply, "updated", json_true());
    json_object_set_new(reply, "known", json_integer((json_int_t)known));
    json_object_set_new(reply, "new", json_integer((json_int_t)lacking));
    return reply;
}

static void refused(change_t *change, prf_status_t status)
{
    const char *why = status == PRF_ENOSPC ? "the disk that holds the coordinator's store is full: free some space, then try again"
                      : status == PRF_ECANCELLED ? "the coordinator is ending: try again when it is back"
                                                 : "the coordinator's store could not be written";
    if (change->fn)
        change->fn(change->arg, status, NULL, why);
    change->one->changing = false;
    if (!change->one->doc)
        campaigns_drop(change->self, change->one);
    change_free(change);
}

static void committed(void *arg, prf_status_t status)
{
    change_t *change = arg;
    one_t *one = change->one;
    if (status) {
        refused(change, status);
        return;
    }
    bool created = !one->doc;
    json_decref(one->doc);
    one->doc = change->doc;
    change->doc = NULL;
    one->changing = false;
    campaigns_stop(change->self, one);
    one->state = change->state;
    if (change->engine) {
        prf_engine_t *engine = change->engine;
        change->engine = NULL;
        campaigns_start(change->self, one, engine);
    }
    prf_log(PRF_LOG_INFO, "campaign_%s campaign=%s event=%s seconds=%.1f", prf_machine_campaign.states[one->state], one->name,
            prf_machine_campaign.events[change->event], campaigns_seconds(one));
    if (change->fn)
        change->fn(change->arg, PRF_OK, change->event == PRF_CAMPAIGN_EDIT ? reply_of_edit(one) : reply_of(one, created), NULL);
    change_free(change);
}

/* Takes `doc` and `engine` over, also on failure; then nothing has happened. */
static prf_status_t write_change(prf_campaigns_t *self, one_t *one, prf_campaign_event_t event, prf_campaign_state_t state,
                                 json_t *doc, prf_engine_t *engine, const asker_t *asker, prf_error_t *err)
{
    change_t *change = calloc(1, sizeof *change);
    char *text = NULL;
    if (change && doc) {
        *change = (change_t){self, one, event, state, doc, engine, asker ? asker->fn : NULL, asker ? asker->arg : NULL};
        json_object_set_new(doc, "seconds", json_real(campaigns_seconds(one)));
        prf_campaign_doc_set_state(doc, state, NULL);
        text = json_dumps(doc, JSON_COMPACT);
    } else {
        json_decref(doc);
        prf_engine_destroy(&engine);
    }
    prf_status_t status = text ? PRF_OK : prf_fail(err, PRF_ENOMEM, "campaign %s", one->name);
    /* What nobody asked for nobody would ask for again. */
    if (!status)
        status = prf_commits_value(self->hub->commits, PRF_TABLE_CAMPAIGN, one->name, text, strlen(text),
                                   asker ? PRF_COMMIT_ONCE : PRF_COMMIT_KEEP, committed, change, err);
    free(text);
    if (status && change)
        change_free(change);
    one->changing = one->changing || !status;
    return status;
}

/* The document of a campaign that sets out again: without what its last run came to. */
static json_t *afresh(const json_t *doc)
{
    json_t *copy = json_copy((json_t *)doc);
    json_object_del(copy, "summary");
    json_object_del(copy, "boards");
    json_object_set_new(copy, "error", json_string(""));
    return copy;
}

/* Goes where the table says, with the document that it is to have then (taken over). */
static void change(prf_campaigns_t *self, one_t *one, prf_campaign_event_t event, prf_campaign_state_t to, json_t *doc,
                   const asker_t *asker)
{
    prf_error_t err = {0};
    prf_engine_t *engine = NULL;
    prf_status_t status = PRF_OK;
    if (to == PRF_CAMPAIGN_RUNNING && (status = prf_campaign_doc_engine(doc, &engine, &err)))
        json_decref(doc);
    else
        status = write_change(self, one, event, to, doc, engine, asker, &err);
    if (status)
        asker->fn(asker->arg, status, NULL, err.text);
}

static bool leads(const one_t *one, prf_campaign_event_t event, prf_campaign_state_t *to)
{
    int state = (int)one->state;
    bool known = prf_machine_next(&prf_machine_campaign, (int)event, &state);
    *to = (prf_campaign_state_t)state;
    return known;
}

/* False: the asker has been told why not. */
static bool may(const one_t *one, const char *name, prf_campaign_event_t event, prf_campaign_state_t *to, const asker_t *asker)
{
    static const char *const remedies[PRF_CAMPAIGN_EVENTS] = {
        [PRF_CAMPAIGN_PAUSE] = "only a running one can be paused",
        [PRF_CAMPAIGN_RESUME] = "only a paused one can be resumed; submit the file again to set a cancelled or failed one going",
        [PRF_CAMPAIGN_REFRESH] = "only one that is done can be refreshed"};
    prf_error_t err = {0};
    prf_status_t status = PRF_OK;
    if (!one)
        status = prf_fail(&err, PRF_ENOTFOUND, "no campaign is named '%.64s': 'prfarm status' lists those that there are", name);
    else if (one->changing)
        status = prf_fail(&err, PRF_EBUSY, "the campaign is just changing its state: try again in a moment");
    else if (!leads(one, event, to))
        status = prf_fail(&err, PRF_EINVAL, "campaign %s is %s: %s", one->name, prf_machine_campaign.states[one->state],
                          remedies[event] ? remedies[event] : "that is not possible now");
    if (status)
        asker->fn(asker->arg, status, NULL, err.text);
    return status == PRF_OK;
}

/* The same file again attaches to its campaign; another one takes its place, but only when that is what the client wants. */
static void attach(prf_campaigns_t *self, one_t *one, json_t *doc, bool update, const asker_t *asker)
{
    prf_campaign_state_t to;
    bool same = prf_campaign_doc_same(one->doc, doc);
    prf_campaign_event_t event = same ? PRF_CAMPAIGN_SUBMIT : PRF_CAMPAIGN_EDIT;
    if (!may(one, one->name, event, &to, asker)) {
        json_decref(doc);
    } else if (same && to == one->state) {
        json_decref(doc);
        asker->fn(asker->arg, PRF_OK, reply_of(one, false), NULL);
    } else if (same) {
        json_decref(doc);
        change(self, one, event, to, afresh(one->doc), asker);
    } else if (update) {
        prf_campaign_doc_replace(doc, one->doc, prf_clock_wall_ms());
        change(self, one, event, to, doc, asker);
    } else {
        json_decref(doc);
        prf_error_t err = {0};
        prf_fail(&err, PRF_EEXISTS,
                 "a campaign named %s exists with another specification: add --update to put this one in its place, or give it "
                 "another name",
                 one->name);
        asker->fn(asker->arg, err.code, NULL, err.text);
    }
}

static prf_status_t submit_new(prf_campaigns_t *self, json_t *doc, prf_engine_t *engine, const asker_t *asker, prf_error_t *err)
{
    one_t *one = NULL;
    prf_status_t status = PRF_OK;
    if (self->count >= CAMPAIGNS)
        status = prf_fail(err, PRF_EBUSY, "%zu campaigns are known, no more fit: begin another store", self->count);
    else if (!(one = campaigns_add(self, prf_campaign_doc_text(doc, "name"))))
        status = prf_fail(err, PRF_ENOMEM, "another campaign");
    if (status) {
        json_decref(doc);
        prf_engine_destroy(&engine);
        return status;
    }
    json_object_set_new(doc, "submitted_ms", json_integer((json_int_t)prf_clock_wall_ms()));
    status = write_change(self, one, PRF_CAMPAIGN_SUBMIT, PRF_CAMPAIGN_RUNNING, doc, engine, asker, err);
    if (status)
        campaigns_drop(self, one);
    return status;
}

void prf_campaigns_submit(prf_campaigns_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    const asker_t asker = {fn, arg};
    prf_error_t err = {0};
    json_t *doc = NULL;
    prf_engine_t *engine = NULL;
    prf_status_t status = prf_campaign_doc_submit(args, &doc, &engine, &err);
    if (!status) {
        one_t *one = campaigns_find(self, prf_campaign_doc_text(doc, "name"));
        if (one) {
            prf_engine_destroy(&engine);
            attach(self, one, doc, json_is_true(json_object_get(args, "update")), &asker);
        } else {
            status = submit_new(self, doc, engine, &asker, &err);
        }
    }
    if (status)
        fn(arg, status, NULL, err.text);
}

void prf_campaigns_order(prf_campaigns_t *self, prf_campaign_event_t event, const char *name, prf_reply_fn fn, void *arg)
{
    const asker_t asker = {fn, arg};
    one_t *one = campaigns_find(self, name);
    prf_campaign_state_t to;
    if (!may(one, name, event, &to, &asker))
        return;
    /* A running one that is to ask for cleared points begins anew from its document. */
    if (to == one->state && !(event == PRF_CAMPAIGN_RETRY && one->running)) {
        fn(arg, PRF_OK, reply_of(one, false), NULL);
        return;
    }
    json_t *doc = to == PRF_CAMPAIGN_RUNNING ? afresh(one->doc) : json_copy(one->doc);
    if (one->running)
        json_object_set_new(doc, "boards", prf_running_status(one->running));
    change(self, one, event, to, doc, &asker);
}

/* What the campaign came to stays in its document until the refresh has come to more. */
void prf_campaigns_refresh(prf_campaigns_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    const asker_t asker = {fn, arg};
    const char *name = prf_campaign_doc_text(args, "campaign");
    one_t *one = campaigns_find(self, name);
    prf_campaign_state_t to;
    if (!may(one, name, PRF_CAMPAIGN_REFRESH, &to, &asker))
        return;
    prf_error_t err = {0};
    json_t *doc = json_copy(one->doc);
    if (prf_campaign_doc_refresh(doc, args, &err)) {
        json_decref(doc);
        fn(arg, err.code, NULL, err.text);
        return;
    }
    change(self, one, PRF_CAMPAIGN_REFRESH, to, doc, &asker);
}

void campaigns_finish(prf_campaigns_t *self, one_t *one)
{
    json_t *boards = prf_running_status(one->running), *board, *doc = json_copy(one->doc);
    bool any = false;
    size_t i;
    json_array_foreach(boards, i, board) any = any || strcmp(prf_campaign_doc_text(board, "stage"), "failed") != 0;
    json_object_set_new(doc, "boards", boards);
    json_object_set_new(doc, "summary", prf_campaigns_summary(self, one->name));
    prf_error_t err = {0};
    prf_campaign_event_t event = any ? PRF_CAMPAIGN_FINISH : PRF_CAMPAIGN_FAIL;
    prf_campaign_state_t to;
    if (!leads(one, event, &to))
        json_decref(doc);
    else if (write_change(self, one, event, to, doc, NULL, NULL, &err))
        prf_log(PRF_LOG_ERROR, "summary_not_stored campaign=%s error=\"%s\"", one->name, err.text);
}
