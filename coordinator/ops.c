// SPDX-License-Identifier: Apache-2.0
/* ops.c - a table. Most operations are answered at once; those that change something are answered when it is committed, by whoever
 * commits it. */
#include "ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "lent.h"
#include "question.h"
#include "retry.h"
#include "triage.h"

typedef void (*op_fn)(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg);

struct prf_op {
    const char *name;
    prf_role_t role; /* that it takes */
    /* One of these: */
    op_fn fn;
    prf_query_fn query; /* answered at once */
    prf_ask_fn ask;     /* answered beside the loop */
    bool takes_list;    /* among its arguments */
};

struct prf_ops {
    prf_queries_t queries;
    prf_lent_t *lent; /* owned */
    void (*shutdown)(void *arg);
    void *shutdown_arg;
};

prf_status_t prf_ops_new(prf_ops_t **out, const prf_queries_t *queries, void (*shutdown)(void *arg), void *arg, prf_error_t *err)
{
    prf_ops_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "operations");
    *self = (prf_ops_t){.queries = *queries, .shutdown = shutdown, .shutdown_arg = arg};
    prf_status_t status = prf_lent_new(&self->lent, err);
    if (status) {
        free(self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

void prf_ops_destroy(prf_ops_t **self)
{
    if (!self || !*self)
        return;
    prf_lent_destroy(&(*self)->lent);
    free(*self);
    *self = NULL;
}

static const char *text_of(const json_t *args, const char *key)
{
    const char *text = json_string_value(json_object_get(args, key));
    return text ? text : "";
}

static void not_found(const char *name, prf_reply_fn fn, void *arg)
{
    prf_error_t err = {0};
    prf_fail(&err, PRF_ENOTFOUND, "no campaign is named '%.64s': 'prfarm status' lists those that there are", name);
    fn(arg, err.code, NULL, err.text);
}

static void op_submit(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    json_t *resolved;
    prf_error_t err = {0};
    if (prf_lent_resolve(self->lent, args, &resolved, &err)) {
        fn(arg, err.code, NULL, err.text);
        return;
    }
    prf_campaigns_submit(self->queries.campaigns, resolved, fn, arg);
    json_decref(resolved);
}

static void op_lend(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    json_t *out = NULL;
    prf_error_t err = {0};
    prf_status_t status = prf_lent_take(self->lent, args, &out, &err);
    fn(arg, status, out, err.text);
}

static void op_pause(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    prf_campaigns_order(self->queries.campaigns, PRF_CAMPAIGN_PAUSE, text_of(args, "campaign"), fn, arg);
}

static void op_resume(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    prf_campaigns_order(self->queries.campaigns, PRF_CAMPAIGN_RESUME, text_of(args, "campaign"), fn, arg);
}

static void op_refresh(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    prf_campaigns_refresh(self->queries.campaigns, args, fn, arg);
}

static void op_cancel(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    prf_campaigns_order(self->queries.campaigns, PRF_CAMPAIGN_CANCEL, text_of(args, "campaign"), fn, arg);
}

typedef struct {
    prf_reply_fn fn;
    void *arg;
    char kind[PRF_NAME];
    json_int_t version;
} rollback_t;

static void rolled_back(void *arg, prf_status_t status)
{
    rollback_t *r = arg;
    const char *why = status == PRF_ENOSPC ? "the disk that holds the coordinator's store is full: free some space, then try again"
                                           : "the coordinator's store could not be written: try again";
    r->fn(r->arg, status, status ? NULL : json_pack("{s:s, s:I}", "kind", r->kind, "version", r->version), why);
    free(r);
}

static void op_rollback(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    json_int_t version = json_integer_value(json_object_get(args, "version"));
    const char *kind = text_of(args, "kind");
    prf_error_t err = {0};
    rollback_t *r = malloc(sizeof *r);
    prf_status_t status = r ? PRF_OK : prf_fail(&err, PRF_ENOMEM, "a roll-back");
    if (!status) {
        *r = (rollback_t){.fn = fn, .arg = arg, .version = version};
        snprintf(r->kind, sizeof r->kind, "%s", kind);
        status = prf_publisher_roll_back(self->queries.hub->publisher, kind,
                                         version > 0 && version <= UINT32_MAX ? (uint32_t)version : 0, rolled_back, r, &err);
    }
    if (status) {
        free(r);
        fn(arg, status, NULL, err.text);
    }
}

static json_t *access_status(const prf_ops_t *self)
{
    const prf_auth_t *auth = self->queries.hub->auth;
    uint64_t ignored = self->queries.clients->ignored + prf_sessions_ignored(self->queries.sessions);
    return json_pack("{s:o, s:s, s:I, s:I}", "keys",
                     prf_auth_keyed(auth) ? json_integer((json_int_t)prf_auth_count(auth)) : json_null(), "trouble",
                     prf_auth_trouble(auth), "strangers", (json_int_t)prf_auth_refused(auth), "ignored", (json_int_t)ignored);
}

static void op_status(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    const prf_hub_t *hub = self->queries.hub;
    const char *name = json_string_value(json_object_get(args, "campaign")), *note;
    json_t *campaigns = prf_campaigns_status(self->queries.campaigns, name);
    if (!campaigns) {
        not_found(name, fn, arg);
        return;
    }
    bool granting = prf_hub_granting(hub, &note);
    uint64_t broken = self->queries.clients->faults + prf_sessions_broken(self->queries.sessions);
    json_t *coordinator = json_pack("{s:s, s:I, s:f, s:b, s:s, s:I, s:I, s:I, s:I, s:o}", "version", PRF_VERSION, "pid",
                                    (json_int_t)getpid(), "uptime_seconds", (double)(prf_clock_mono_ms() - hub->started_ms) / 1000,
                                    "granting", granting, "note", note, "workers", (json_int_t)prf_fleet_live(hub->fleet),
                                    "results", (json_int_t)prf_index_count(hub->index), "broken_frames", (json_int_t)broken,
                                    "damaged_values", (json_int_t)prf_store_damaged(hub->store), "access", access_status(self));
    fn(arg, PRF_OK, json_pack("{s:o, s:o}", "coordinator", coordinator, "campaigns", campaigns), NULL);
}

static void op_summary(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    json_t *summary = prf_campaigns_summary(self->queries.campaigns, text_of(args, "campaign"));
    if (summary)
        fn(arg, PRF_OK, summary, NULL);
    else
        not_found(text_of(args, "campaign"), fn, arg);
}

static void op_retry(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    prf_retry(self->queries.hub, self->queries.campaigns, text_of(args, "campaign"), fn, arg);
}

static void op_quarantine(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    prf_triage_quarantine(self->queries.hub->triage, text_of(args, "board"), text_of(args, "why"), fn, arg);
}

static void op_release(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    prf_triage_release(self->queries.hub->triage, text_of(args, "board"), fn, arg);
}

static void op_power_cycle(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    prf_triage_power_cycle(self->queries.hub->triage, text_of(args, "board"), fn, arg);
}

static void op_shutdown(prf_ops_t *self, const json_t *args, prf_reply_fn fn, void *arg)
{
    (void)args;
    fn(arg, PRF_OK, json_object(), NULL);
    self->shutdown(self->shutdown_arg);
}

static const prf_op_t ops[] = {
    {"status", PRF_ROLE_VIEWER, .fn = op_status},
    {"summary", PRF_ROLE_VIEWER, .fn = op_summary},
    {"fleet", PRF_ROLE_VIEWER, .query = prf_query_fleet},
    {"boards", PRF_ROLE_VIEWER, .query = prf_query_boards},
    {"model", PRF_ROLE_VIEWER, .query = prf_query_model},
    {"models", PRF_ROLE_VIEWER, .query = prf_query_models},
    {"results", PRF_ROLE_VIEWER, .query = prf_query_results, .takes_list = true},
    {"export", PRF_ROLE_VIEWER, .query = prf_query_export},
    {"events", PRF_ROLE_VIEWER, .query = prf_query_events},
    {"poisoned", PRF_ROLE_VIEWER, .query = prf_query_poisoned},
    {"estimate", PRF_ROLE_VIEWER, .ask = prf_ask_estimate, .takes_list = true},
    {"evaluation", PRF_ROLE_VIEWER, .ask = prf_ask_evaluation},
    {"provenance", PRF_ROLE_VIEWER, .ask = prf_ask_provenance},
    {"submit", PRF_ROLE_OPERATOR, .fn = op_submit},
    {"lend", PRF_ROLE_OPERATOR, .fn = op_lend},
    {"pause", PRF_ROLE_OPERATOR, .fn = op_pause},
    {"resume", PRF_ROLE_OPERATOR, .fn = op_resume},
    {"cancel", PRF_ROLE_OPERATOR, .fn = op_cancel},
    {"refresh", PRF_ROLE_OPERATOR, .fn = op_refresh},
    {"rollback", PRF_ROLE_OPERATOR, .fn = op_rollback},
    {"retry", PRF_ROLE_OPERATOR, .fn = op_retry},
    {"quarantine", PRF_ROLE_OPERATOR, .fn = op_quarantine},
    {"release", PRF_ROLE_OPERATOR, .fn = op_release},
    {"power-cycle", PRF_ROLE_OPERATOR, .fn = op_power_cycle},
    {"measure", PRF_ROLE_OPERATOR, .query = prf_query_measure},
    {"shutdown", PRF_ROLE_OPERATOR, .fn = op_shutdown},
};

const prf_op_t *prf_op_find(const char *name)
{
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strcmp(ops[i].name, name) == 0)
            return &ops[i];
    return NULL;
}

prf_role_t prf_op_role(const prf_op_t *op)
{
    return op->role;
}

bool prf_op_takes_list(const prf_op_t *op)
{
    return op->takes_list;
}

void prf_ops_call(prf_ops_t *self, const prf_op_t *op, const json_t *args, prf_reply_fn fn, void *arg)
{
    if (op->fn) {
        op->fn(self, args, fn, arg);
        return;
    }
    if (op->ask) {
        op->ask(&self->queries, args, fn, arg);
        return;
    }
    json_t *out = NULL;
    prf_error_t err = {0};
    prf_status_t status = op->query(&self->queries, args, &out, &err);
    fn(arg, status, out, err.text);
}
