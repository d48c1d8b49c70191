// SPDX-License-Identifier: Apache-2.0
/* clients.c - a table of ops. Most are answered at once; those that change something are answered when it is committed, and the
 * ticket remembers whom. */
#include "clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard.h"
#include "lent.h"
#include "net/frames.h"
#include "retry.h"
#include "triage.h"

enum { READ_AT_ONCE = 128, READ_MS = 20, REPLY_BYTES = PRF_FRAME_BYTES - 4096 };

struct prf_clients {
    prf_queries_t queries;
    prf_lent_t *lent; /* owned */
    void (*shutdown)(void *arg);
    void *shutdown_arg;
    uint64_t broken, log_second;
    prf_guard_t guard;
};

/* Whom a reply is for. */
typedef struct {
    prf_clients_t *self;
    prf_peer_t peer;
    uint64_t id;
} ticket_t;

prf_status_t prf_clients_new(prf_clients_t **out, const prf_queries_t *queries, void (*shutdown)(void *arg), void *arg,
                             prf_error_t *err)
{
    prf_clients_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "clients");
    *self = (prf_clients_t){.queries = *queries, .shutdown = shutdown, .shutdown_arg = arg};
    prf_status_t status = prf_lent_new(&self->lent, err);
    if (status) {
        free(self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

void prf_clients_destroy(prf_clients_t **self)
{
    if (!self || !*self)
        return;
    prf_lent_destroy(&(*self)->lent);
    free(*self);
    *self = NULL;
}

static void send_frame(prf_clients_t *self, const prf_peer_t *peer, const prf_frame_t *frame)
{
    prf_error_t err = {0};
    if (prf_frame_send(self->queries.hub->clients, peer, frame, &err))
        prf_log(PRF_LOG_DEBUG, "reply_not_sent error=\"%s\"", err.text);
}

/* prf_reply_fn: takes the JSON and the ticket. */
static void reply(void *arg, prf_status_t status, json_t *json, const char *error)
{
    ticket_t *ticket = arg;
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (status == PRF_OK && (!text || strlen(text) > REPLY_BYTES)) {
        status = text ? PRF_EINVAL : PRF_ENOMEM;
        error = text ? "the reply would be larger than a frame: ask for less at once" : "out of memory for the reply";
    }
    char empty[] = "{}";
    prf_frame_t frame = {.type = PRF_FRAME_REPLY, .u.reply = {.id = ticket->id, .status = status, .json = empty}};
    if (status == PRF_OK)
        frame.u.reply.json = text;
    else
        snprintf(frame.u.reply.error, sizeof frame.u.reply.error, "%s", error ? error : prf_status_name(status));
    send_frame(ticket->self, &ticket->peer, &frame);
    free(text);
    free(ticket);
}

typedef void (*op_fn)(prf_clients_t *self, const json_t *args, ticket_t *ticket);

static const char *text_of(const json_t *args, const char *key)
{
    const char *text = json_string_value(json_object_get(args, key));
    return text ? text : "";
}

static void not_found(const char *name, ticket_t *ticket)
{
    prf_error_t err = {0};
    prf_fail(&err, PRF_ENOTFOUND, "no campaign is named '%.64s': 'prfarm status' lists those that there are", name);
    reply(ticket, err.code, NULL, err.text);
}

static void op_submit(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    json_t *resolved;
    prf_error_t err = {0};
    if (prf_lent_resolve(self->lent, args, &resolved, &err)) {
        reply(ticket, err.code, NULL, err.text);
        return;
    }
    prf_campaigns_submit(self->queries.campaigns, resolved, reply, ticket);
    json_decref(resolved);
}

static void op_lend(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    json_t *out = NULL;
    prf_error_t err = {0};
    prf_status_t status = prf_lent_take(self->lent, args, &out, &err);
    reply(ticket, status, out, err.text);
}

static void op_pause(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    prf_campaigns_order(self->queries.campaigns, PRF_CAMPAIGN_PAUSE, text_of(args, "campaign"), reply, ticket);
}

static void op_resume(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    prf_campaigns_order(self->queries.campaigns, PRF_CAMPAIGN_RESUME, text_of(args, "campaign"), reply, ticket);
}

static void op_refresh(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    prf_campaigns_refresh(self->queries.campaigns, args, reply, ticket);
}

static void op_cancel(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    prf_campaigns_order(self->queries.campaigns, PRF_CAMPAIGN_CANCEL, text_of(args, "campaign"), reply, ticket);
}

typedef struct {
    ticket_t *ticket;
    char kind[PRF_NAME];
    json_int_t version;
} rollback_t;

static void rolled_back(void *arg, prf_status_t status)
{
    rollback_t *r = arg;
    const char *why = status == PRF_ENOSPC ? "the disk that holds the coordinator's store is full: free some space, then try again"
                                           : "the coordinator's store could not be written: try again";
    reply(r->ticket, status, status ? NULL : json_pack("{s:s, s:I}", "kind", r->kind, "version", r->version), why);
    free(r);
}

static void op_rollback(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    json_int_t version = json_integer_value(json_object_get(args, "version"));
    const char *kind = text_of(args, "kind");
    prf_error_t err = {0};
    rollback_t *r = malloc(sizeof *r);
    prf_status_t status = r ? PRF_OK : prf_fail(&err, PRF_ENOMEM, "a roll-back");
    if (!status) {
        *r = (rollback_t){.ticket = ticket, .version = version};
        snprintf(r->kind, sizeof r->kind, "%s", kind);
        status = prf_publisher_roll_back(self->queries.hub->publisher, kind,
                                         version > 0 && version <= UINT32_MAX ? (uint32_t)version : 0, rolled_back, r, &err);
    }
    if (status) {
        free(r);
        reply(ticket, status, NULL, err.text);
    }
}

static json_t *access_status(const prf_clients_t *self)
{
    const prf_auth_t *auth = self->queries.hub->auth;
    uint64_t ignored = self->guard.ignored + prf_sessions_ignored(self->queries.sessions);
    return json_pack("{s:o, s:s, s:I, s:I}", "keys",
                     prf_auth_keyed(auth) ? json_integer((json_int_t)prf_auth_count(auth)) : json_null(), "trouble",
                     prf_auth_trouble(auth), "strangers", (json_int_t)prf_auth_refused(auth), "ignored", (json_int_t)ignored);
}

static void op_status(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    const prf_hub_t *hub = self->queries.hub;
    const char *name = json_string_value(json_object_get(args, "campaign")), *note;
    json_t *campaigns = prf_campaigns_status(self->queries.campaigns, name);
    if (!campaigns) {
        not_found(name, ticket);
        return;
    }
    bool granting = prf_hub_granting(hub, &note);
    uint64_t broken = self->broken + prf_sessions_broken(self->queries.sessions);
    json_t *coordinator = json_pack("{s:s, s:I, s:f, s:b, s:s, s:I, s:I, s:I, s:I, s:o}", "version", PRF_VERSION, "pid",
                                    (json_int_t)getpid(), "uptime_seconds", (double)(prf_clock_mono_ms() - hub->started_ms) / 1000,
                                    "granting", granting, "note", note, "workers", (json_int_t)prf_fleet_live(hub->fleet),
                                    "results", (json_int_t)prf_index_count(hub->index), "broken_frames", (json_int_t)broken,
                                    "damaged_values", (json_int_t)prf_store_damaged(hub->store), "access", access_status(self));
    reply(ticket, PRF_OK, json_pack("{s:o, s:o}", "coordinator", coordinator, "campaigns", campaigns), NULL);
}

static void op_summary(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    json_t *summary = prf_campaigns_summary(self->queries.campaigns, text_of(args, "campaign"));
    if (summary)
        reply(ticket, PRF_OK, summary, NULL);
    else
        not_found(text_of(args, "campaign"), ticket);
}

static void op_retry(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    prf_retry(self->queries.hub, self->queries.campaigns, text_of(args, "campaign"), reply, ticket);
}

static void op_quarantine(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    prf_triage_quarantine(self->queries.hub->triage, text_of(args, "board"), text_of(args, "why"), reply, ticket);
}

static void op_release(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    prf_triage_release(self->queries.hub->triage, text_of(args, "board"), reply, ticket);
}

static void op_power_cycle(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    prf_triage_power_cycle(self->queries.hub->triage, text_of(args, "board"), reply, ticket);
}

static void op_shutdown(prf_clients_t *self, const json_t *args, ticket_t *ticket)
{
    (void)args;
    reply(ticket, PRF_OK, json_object(), NULL);
    self->shutdown(self->shutdown_arg);
}

static const struct {
    const char *name;
    prf_role_t role; /* that it takes */
    op_fn fn;
    prf_query_fn query; /* where fn is NULL */
} ops[] = {
    {"status", PRF_ROLE_VIEWER, op_status, NULL},
    {"summary", PRF_ROLE_VIEWER, op_summary, NULL},
    {"boards", PRF_ROLE_VIEWER, NULL, prf_query_boards},
    {"model", PRF_ROLE_VIEWER, NULL, prf_query_model},
    {"models", PRF_ROLE_VIEWER, NULL, prf_query_models},
    {"results", PRF_ROLE_VIEWER, NULL, prf_query_results},
    {"export", PRF_ROLE_VIEWER, NULL, prf_query_export},
    {"events", PRF_ROLE_VIEWER, NULL, prf_query_events},
    {"poisoned", PRF_ROLE_VIEWER, NULL, prf_query_poisoned},
    {"submit", PRF_ROLE_OPERATOR, op_submit, NULL},
    {"lend", PRF_ROLE_OPERATOR, op_lend, NULL},
    {"pause", PRF_ROLE_OPERATOR, op_pause, NULL},
    {"resume", PRF_ROLE_OPERATOR, op_resume, NULL},
    {"cancel", PRF_ROLE_OPERATOR, op_cancel, NULL},
    {"refresh", PRF_ROLE_OPERATOR, op_refresh, NULL},
    {"rollback", PRF_ROLE_OPERATOR, op_rollback, NULL},
    {"retry", PRF_ROLE_OPERATOR, op_retry, NULL},
    {"quarantine", PRF_ROLE_OPERATOR, op_quarantine, NULL},
    {"release", PRF_ROLE_OPERATOR, op_release, NULL},
    {"power-cycle", PRF_ROLE_OPERATOR, op_power_cycle, NULL},
    {"measure", PRF_ROLE_OPERATOR, NULL, prf_query_measure},
    {"shutdown", PRF_ROLE_OPERATOR, op_shutdown, NULL},
};

static void dispatch(prf_clients_t *self, const char *op, const json_t *args, ticket_t *ticket)
{
    prf_error_t err = {0};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strcmp(ops[i].name, op) != 0)
            continue;
        if (prf_auth_client(self->queries.hub->auth, &ticket->peer, ops[i].role, &err)) {
            reply(ticket, err.code, NULL, err.text);
            return;
        }
        if (ops[i].fn) {
            ops[i].fn(self, args, ticket);
            return;
        }
        json_t *out = NULL;
        prf_status_t status = ops[i].query(&self->queries, args, &out, &err);
        reply(ticket, status, out, err.text);
        return;
    }
    prf_fail(&err, PRF_EUNSUPPORTED,
             "this coordinator (prfarm " PRF_VERSION ") knows no request '%.32s': use the same version of "
             "prfarm on both sides",
             op);
    reply(ticket, err.code, NULL, err.text);
}

static void request(prf_clients_t *self, const prf_peer_t *peer, const prf_frame_t *frame)
{
    ticket_t *ticket = malloc(sizeof *ticket);
    if (!ticket)
        return;
    *ticket = (ticket_t){self, *peer, frame->u.request.id};
    const char *text = frame->u.request.json && *frame->u.request.json ? frame->u.request.json : "{}";
    json_error_t where;
    json_t *args = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    if (json_is_object(args)) {
        dispatch(self, frame->u.request.op, args, ticket);
    } else {
        prf_error_t err = {0};
        prf_fail(&err, PRF_EPARSE, "request %.32s: its JSON is no object (%.100s)", frame->u.request.op,
                 args ? "another value" : where.text);
        reply(ticket, err.code, NULL, err.text);
    }
    json_decref(args);
}

static void refuse(prf_clients_t *self, const prf_peer_t *peer, prf_status_t status, const char *text)
{
    prf_frame_t frame = {.type = PRF_FRAME_REFUSAL, .u.refusal.status = status};
    snprintf(frame.u.refusal.text, sizeof frame.u.refusal.text, "%s", text);
    send_frame(self, peer, &frame);
}

static void broken(prf_clients_t *self, const prf_peer_t *peer, prf_status_t status, const char *text)
{
    self->broken++;
    uint64_t second = prf_clock_mono_ms() / 1000;
    if (second != self->log_second) /* one line a second is enough to find out */
        prf_log(PRF_LOG_WARN, "request_refused count=%llu error=\"%s\"", (unsigned long long)self->broken, text);
    self->log_second = second;
    refuse(self, peer, status, text);
    prf_guard_fault(&self->guard, peer, prf_clock_mono_ms());
}

static void fetch(prf_clients_t *self, const prf_peer_t *peer, const prf_frame_t *frame)
{
    prf_message_t *chunk;
    prf_error_t err = {0};
    prf_status_t status = prf_auth_client(self->queries.hub->auth, peer, PRF_ROLE_VIEWER, &err);
    if (!status)
        status = prf_publisher_chunk(self->queries.hub->publisher, &frame->u.fetch.digest, frame->u.fetch.offset, &chunk, &err);
    if (status) {
        refuse(self, peer, status, err.text);
        return;
    }
    if (prf_socket_send_message(self->queries.hub->clients, peer, chunk, &err))
        prf_log(PRF_LOG_DEBUG, "chunk_not_sent error=\"%s\"", err.text);
}

void prf_clients_read(prf_clients_t *self)
{
    uint64_t now_ms = prf_clock_mono_ms(), until_ms = now_ms + READ_MS;
    for (int i = 0; i < READ_AT_ONCE && now_ms < until_ms; i++, now_ms = prf_clock_mono_ms()) {
        prf_peer_t peer;
        uint8_t *bytes;
        size_t len;
        if (prf_socket_recv(self->queries.hub->clients, &peer, &bytes, &len, NULL))
            return;
        prf_frame_t frame;
        prf_error_t err = {0};
        bool ignored = prf_guard_ignores(&self->guard, &peer, now_ms);
        prf_status_t status = ignored ? PRF_OK : prf_frame_decode(&frame, bytes, len, &err);
        free(bytes);
        if (status)
            broken(self, &peer, status, err.text);
        if (status || ignored)
            continue;
        if (frame.type == PRF_FRAME_REQUEST)
            request(self, &peer, &frame);
        else if (frame.type == PRF_FRAME_FETCH)
            fetch(self, &peer, &frame);
        else
            broken(self, &peer, PRF_EPEER, "a client sends requests and fetches only");
        prf_frame_release(&frame);
    }
}
