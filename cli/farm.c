// SPDX-License-Identifier: Apache-2.0
/* farm.c - one DEALER and one loop. A call sends a frame and runs the loop until the frame that answers it is there, a ticker
 * notices that time is up, or a signal came. Answers to calls that were given up arrive late and are dropped by their id. */
#include "farm.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/model.h"
#include "net/endpoint.h"
#include "net/frames.h"
#include "output.h"
#include "signals.h"
#include "wire/wire.h"

enum { QUEUE = 64, TICK_MS = 20 };

struct prf_farm {
    char name[3 * PRF_ENDPOINT];
    prf_socket_t *socket;
    prf_loop_t *loop;
    uint64_t last_id;
    /* The call in progress. */
    const prf_frame_t *sent; /* borrowed */
    prf_frame_t answer;      /* owned while `answered` */
    bool answered;
    uint64_t deadline_ms;
    prf_status_t trouble; /* PRF_EDENIED: we are not let in */
    prf_error_t why;
};

static bool answers(const prf_frame_t *got, const prf_frame_t *sent)
{
    if (got->type == PRF_FRAME_REFUSAL)
        return true;
    if (sent->type == PRF_FRAME_REQUEST)
        return got->type == PRF_FRAME_REPLY && got->u.reply.id == sent->u.request.id;
    return got->type == PRF_FRAME_CHUNK && got->u.chunk.offset == sent->u.fetch.offset &&
           prf_digest_compare(&got->u.chunk.digest, &sent->u.fetch.digest) == 0;
}

static void on_readable(void *arg)
{
    prf_farm_t *self = arg;
    uint8_t *bytes;
    size_t len;
    while (!self->answered && prf_socket_recv(self->socket, NULL, &bytes, &len, NULL) == PRF_OK) {
        prf_frame_t frame;
        prf_status_t status = prf_frame_decode(&frame, bytes, len, NULL);
        free(bytes);
        if (status)
            continue;
        if (self->sent && answers(&frame, self->sent)) {
            self->answer = frame;
            self->answered = true;
            prf_loop_stop(self->loop);
        } else {
            prf_frame_release(&frame);
        }
    }
}

static void on_tick(void *arg)
{
    prf_farm_t *self = arg;
    self->trouble = prf_socket_tend(self->socket, &self->why);
    if (self->trouble || prf_interrupted() || prf_clock_mono_ms() >= self->deadline_ms)
        prf_loop_stop(self->loop);
}

prf_status_t prf_farm_connect(prf_farm_t **out, const char *farm, const prf_identity_t *identity, prf_error_t *err)
{
    prf_endpoints_t endpoints;
    prf_status_t status = prf_endpoints_parse(&endpoints, farm, err);
    if (status)
        return status;
    prf_farm_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "%s", farm);
    snprintf(self->name, sizeof self->name, "%s", farm);
    if ((status = prf_socket_new(&self->socket, PRF_DEALER, QUEUE, PRF_FRAME_BYTES, err)) ||
        (status = prf_socket_identify(self->socket, identity, err)) ||
        (status = prf_socket_connect(self->socket, endpoints.clients, err)) || (status = prf_loop_new(&self->loop, err)) ||
        (status = prf_loop_add_socket(self->loop, self->socket, on_readable, self, err)) ||
        (status = prf_loop_add_timer(self->loop, TICK_MS, on_tick, self, NULL, err))) {
        prf_farm_destroy(&self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

void prf_farm_destroy(prf_farm_t **self)
{
    if (!*self)
        return;
    prf_loop_destroy(&(*self)->loop);
    prf_socket_destroy(&(*self)->socket);
    free(*self);
    *self = NULL;
}

const char *prf_farm_name(const prf_farm_t *self)
{
    return self->name;
}

/* Sends and waits; on success self->answer is the caller's to release. */
static prf_status_t exchange(prf_farm_t *self, const prf_frame_t *frame, unsigned timeout_ms, prf_frame_t *out, prf_error_t *err)
{
    prf_status_t status = prf_frame_send(self->socket, NULL, frame, err);
    if (status)
        return status;
    self->sent = frame;
    self->answered = false;
    self->deadline_ms = prf_clock_mono_ms() + timeout_ms;
    status = prf_loop_run(self->loop, err);
    self->sent = NULL;
    if (self->answered) {
        self->answered = false;
        if (self->answer.type == PRF_FRAME_REFUSAL)
            return prf_fail(err, self->answer.u.refusal.status, "%s", self->answer.u.refusal.text);
        *out = self->answer;
        return PRF_OK;
    }
    if (status || (status = prf_check_interrupted(err)))
        return status;
    if (self->trouble) {
        if (err)
            *err = self->why;
        return self->trouble;
    }
    return prf_fail(
        err, PRF_ETIMEOUT,
        "no coordinator answered at %.200s within %u s: is prfarm-coordinator running there? Name another farm with --farm, "
        "or a run's folder with --dir",
        self->name, timeout_ms / 1000);
}

static prf_status_t parse_reply(const prf_frame_t *answer, const char *op, json_t **out, prf_error_t *err)
{
    if (answer->u.reply.status)
        return prf_fail(err, answer->u.reply.status, "%s", answer->u.reply.error);
    json_t *object = json_loads(answer->u.reply.json ? answer->u.reply.json : "{}", JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return prf_fail(err, PRF_EPEER, "the coordinator's answer to '%s' is malformed: are both of the same version?", op);
    }
    *out = object;
    return PRF_OK;
}

prf_status_t prf_farm_call(prf_farm_t *self, const char *op, json_t *in, unsigned timeout_ms, json_t **out, prf_error_t *err)
{
    prf_frame_t frame = {.type = PRF_FRAME_REQUEST}, answer;
    frame.u.request.id = ++self->last_id;
    snprintf(frame.u.request.op, sizeof frame.u.request.op, "%s", op);
    frame.u.request.json = in ? json_dumps(in, JSON_COMPACT) : strdup("{}");
    json_decref(in);
    if (!frame.u.request.json)
        return prf_fail(err, PRF_ENOMEM, "request '%s'", op);
    prf_status_t status = exchange(self, &frame, timeout_ms, &answer, err);
    free(frame.u.request.json);
    if (status)
        return status;
    status = parse_reply(&answer, op, out, err);
    prf_frame_release(&answer);
    return status;
}

prf_status_t prf_farm_pages(prf_farm_t *self, const char *op, json_t *in, unsigned timeout_ms, prf_page_fn fn, void *arg,
                            prf_error_t *err)
{
    json_int_t after = json_integer_value(json_object_get(in, "after"));
    json_t *page;
    prf_status_t status;
    bool more = true;
    while (more && !(status = prf_farm_call(self, op, json_incref(in), timeout_ms, &page, err))) {
        const json_t *next = json_object_get(page, "next");
        more = json_is_integer(next) && json_integer_value(next) > after;
        after = json_integer_value(next);
        json_object_set_new(in, "after", json_integer(after));
        status = fn(arg, page, err);
        json_decref(page);
        if (status)
            break;
    }
    json_decref(in);
    return status;
}

typedef struct {
    const char *rows;
    json_t *all;
} list_t;

/* prf_page_fn */
static prf_status_t add_page(void *arg, const json_t *page, prf_error_t *err)
{
    (void)err;
    const list_t *list = arg;
    json_array_extend(list->all, json_object_get(page, list->rows));
    return PRF_OK;
}

prf_status_t prf_farm_list(prf_farm_t *self, const char *op, json_t *in, const char *rows, json_t **out, prf_error_t *err)
{
    list_t list = {rows, json_array()};
    prf_status_t status = prf_farm_pages(self, op, in, PRF_CALL_MS, add_page, &list, err);
    if (status)
        json_decref(list.all);
    else
        *out = list.all;
    return status;
}

/* Fills `data` (of `total` bytes) chunk by chunk. */
static prf_status_t fetch(prf_farm_t *self, const prf_digest_t *digest, uint8_t *data, size_t total, prf_error_t *err)
{
    size_t have = 0;
    while (have < total) {
        prf_frame_t frame = {.type = PRF_FRAME_FETCH}, answer;
        frame.u.fetch.digest = *digest;
        frame.u.fetch.offset = have;
        prf_status_t status = exchange(self, &frame, PRF_CALL_MS, &answer, err);
        if (status)
            return status;
        size_t len = answer.u.chunk.len;
        bool fits = answer.u.chunk.total == total && len > 0 && len <= total - have;
        if (fits)
            memcpy(data + have, answer.u.chunk.data, len);
        prf_frame_release(&answer);
        if (!fits)
            return prf_fail(err, PRF_EPEER,
                            "the coordinator sent a piece of the model that does not fit: are both of the same version?");
        have += len;
    }
    prf_digest_t check;
    prf_digest(&check, data, total);
    if (prf_digest_compare(&check, digest) != 0)
        return prf_fail(err, PRF_ECORRUPT, "the fetched model does not have its digest: fetch it again");
    return PRF_OK;
}

prf_status_t prf_farm_model(prf_farm_t *self, const char *kind, unsigned *version, void **data, size_t *len, prf_error_t *err)
{
    json_t *in = json_pack("{s:s}", "kind", kind), *info;
    if (version && *version)
        json_object_set_new(in, "version", json_integer(*version));
    prf_status_t status = prf_farm_call(self, "model", in, PRF_CALL_MS, &info, err);
    if (status)
        return status;
    prf_digest_t digest;
    json_int_t bytes = json_integer_value(json_object_get(info, "bytes"));
    bool ok = bytes > 0 && bytes <= PRF_MODEL_MAX_BYTES && prf_digest_parse(&digest, prf_json_text(info, "digest", ""));
    unsigned got = (unsigned)json_integer_value(json_object_get(info, "version"));
    json_decref(info);
    if (!ok)
        return prf_fail(err, PRF_EPEER,
                        "the coordinator's answer about the model of '%s' is malformed: are both of the same version?", kind);
    uint8_t *buffer = malloc((size_t)bytes);
    if (!buffer)
        return prf_fail(err, PRF_ENOMEM, "model of %lld bytes", (long long)bytes);
    if ((status = fetch(self, &digest, buffer, (size_t)bytes, err))) {
        free(buffer);
        return status;
    }
    if (version)
        *version = got;
    *data = buffer;
    *len = (size_t)bytes;
    return PRF_OK;
}
