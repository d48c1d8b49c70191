// SPDX-License-Identifier: Apache-2.0
/* clients.c - takes requests from the socket and hands them to the operation; the ticket remembers whom the answer is for. */
#include "clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/frames.h"

enum { READ_AT_ONCE = 128, READ_MS = 20, REPLY_BYTES = PRF_FRAME_BYTES - 4096 };

struct prf_clients {
    const prf_hub_t *hub; /* this and what follows is borrowed */
    prf_ops_t *ops;
    prf_guard_t *guard;
    uint64_t log_second;
};

/* Whom a reply is for. */
typedef struct {
    prf_clients_t *self;
    prf_peer_t peer;
    uint64_t id;
} ticket_t;

prf_status_t prf_clients_new(prf_clients_t **out, const prf_hub_t *hub, prf_ops_t *ops, prf_guard_t *guard, prf_error_t *err)
{
    prf_clients_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "clients");
    *self = (prf_clients_t){.hub = hub, .ops = ops, .guard = guard};
    *out = self;
    return PRF_OK;
}

void prf_clients_destroy(prf_clients_t **self)
{
    if (!self || !*self)
        return;
    free(*self);
    *self = NULL;
}

static void send_frame(prf_clients_t *self, const prf_peer_t *peer, const prf_frame_t *frame)
{
    prf_error_t err = {0};
    if (prf_frame_send(self->hub->clients, peer, frame, &err))
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

static void dispatch(prf_clients_t *self, const char *name, const json_t *args, ticket_t *ticket)
{
    prf_error_t err = {0};
    const prf_op_t *op = prf_op_find(name);
    prf_status_t status =
        op ? prf_auth_client(self->hub->auth, &ticket->peer, prf_op_role(op), &err)
           : prf_fail(&err, PRF_EUNSUPPORTED,
                      "this coordinator (prfarm " PRF_VERSION ") knows no request '%.32s': use the same version of prfarm on "
                      "both sides",
                      name);
    if (status)
        reply(ticket, status, NULL, err.text);
    else
        prf_ops_call(self->ops, op, args, reply, ticket);
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
        prf_fail(&err, PRF_EPARSE, "request %.32s: its JSON is no object (%.100s): send one, as in {\"campaign\": \"first\"}",
                 frame->u.request.op, args ? "another value" : where.text);
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
    prf_guard_fault(self->guard, peer, prf_clock_mono_ms());
    uint64_t second = prf_clock_mono_ms() / 1000;
    if (second != self->log_second) /* one line a second is enough to find out */
        prf_log(PRF_LOG_WARN, "request_refused count=%llu error=\"%s\"", (unsigned long long)self->guard->faults, text);
    self->log_second = second;
    refuse(self, peer, status, text);
}

static void fetch(prf_clients_t *self, const prf_peer_t *peer, const prf_frame_t *frame)
{
    prf_message_t *chunk;
    prf_error_t err = {0};
    prf_status_t status = prf_auth_client(self->hub->auth, peer, PRF_ROLE_VIEWER, &err);
    if (!status)
        status = prf_publisher_chunk(self->hub->publisher, &frame->u.fetch.digest, frame->u.fetch.offset, &chunk, &err);
    if (status) {
        refuse(self, peer, status, err.text);
        return;
    }
    if (prf_socket_send_message(self->hub->clients, peer, chunk, &err))
        prf_log(PRF_LOG_DEBUG, "chunk_not_sent error=\"%s\"", err.text);
}

void prf_clients_read(prf_clients_t *self)
{
    uint64_t now_ms = prf_clock_mono_ms(), until_ms = now_ms + READ_MS;
    for (int i = 0; i < READ_AT_ONCE && now_ms < until_ms; i++, now_ms = prf_clock_mono_ms()) {
        prf_peer_t peer;
        uint8_t *bytes;
        size_t len;
        if (prf_socket_recv(self->hub->clients, &peer, &bytes, &len, NULL))
            return;
        prf_frame_t frame;
        prf_error_t err = {0};
        bool ignored = prf_guard_ignores(self->guard, &peer, now_ms);
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
            broken(self, &peer, PRF_EPEER, "a client sends requests and fetches only: are both of the same version?");
        prf_frame_release(&frame);
    }
}
