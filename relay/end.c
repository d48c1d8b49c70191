// SPDX-License-Identifier: Apache-2.0
/* end.c - connections on the one side, numbered parts on the other. A part goes into the link first and from there to the socket,
 * so that one that finds no connection is no special case. Beats confirm what has come: once a second, and at once when it is much.
 */
#include "end.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "net/frames.h"

static void lose_connection(prf_end_t *self)
{
    self->up = false;
    self->peer.len = 0;
    self->down_ms = prf_clock_mono_ms();
}

prf_status_t prf_end_send(prf_end_t *self, const prf_frame_t *frame)
{
    if (!self->up)
        return PRF_ENOTFOUND;
    prf_status_t status = prf_frame_send(self->socket, &self->peer, frame, NULL);
    if (status == PRF_ENOTFOUND)
        lose_connection(self);
    return status;
}

/* What finds a full queue waits for the next confirmation, or the next tick. */
static void pump(prf_end_t *self)
{
    size_t len;
    const uint8_t *bytes;
    while (self->up && (bytes = prf_link_next(self->link, &len))) {
        prf_status_t status = prf_socket_send(self->socket, &self->peer, bytes, len, NULL);
        if (status == PRF_ENOTFOUND)
            lose_connection(self);
        if (status)
            return;
        prf_link_sent(self->link);
    }
}

/* A full link stops data, and nothing else: who opens connections and confirms nothing would have ends of them queued for ever. */
static void send_part(void *arg, const prf_part_t *part)
{
    prf_end_t *self = arg;
    if (self->broken.text[0] || prf_link_queue(self->link, part, &self->broken))
        return; /* the next tick tells */
    size_t bytes = prf_link_bytes(self->link);
    if (bytes > 2 * self->options.buffer_bytes + PRF_LINK_IN_FLIGHT)
        (void)prf_fail(&self->broken, PRF_EPEER,
                       "the other relay leaves %zu bytes unconfirmed: are both relays of the same version?", bytes);
    pump(self);
}

static bool has_room(void *arg)
{
    return !prf_link_full(((prf_end_t *)arg)->link);
}

static int dial(void *arg, uint32_t endpoint)
{
    prf_end_t *self = arg;
    return self->options.dial(self->options.arg, endpoint);
}

static void dialled(void *arg, int failure)
{
    prf_end_t *self = arg;
    self->options.dialled(self->options.arg, failure);
}

prf_status_t prf_end_init(prf_end_t *self, prf_loop_t *loop, prf_socket_t *socket, const prf_end_options_t *options,
                          prf_error_t *err)
{
    *self = (prf_end_t){.options = *options, .socket = socket};
    self->down_ms = self->traffic_ms = prf_clock_mono_ms();
    const prf_streams_handler_t handler = {self, send_part, has_room, options->dial ? dial : NULL, options->dial ? dialled : NULL};
    prf_status_t status = prf_link_new(&self->link, options->buffer_bytes, err);
    if (!status)
        status = prf_streams_new(&self->streams, loop, &handler, options->streams, err);
    if (status)
        prf_end_release(self);
    return status;
}

void prf_end_release(prf_end_t *self)
{
    prf_streams_destroy(&self->streams);
    prf_link_destroy(&self->link);
}

static prf_status_t confirm(prf_end_t *self, uint64_t received, prf_error_t *err)
{
    prf_status_t status = prf_link_confirm(self->link, received, err);
    if (status)
        return prf_fail_remedy(err, status, "are both relays of the same version?");
    pump(self);
    prf_streams_wake(self->streams);
    return PRF_OK;
}

prf_status_t prf_end_up(prf_end_t *self, const prf_peer_t *peer, uint64_t received, prf_error_t *err)
{
    if (peer)
        self->peer = *peer;
    self->up = true;
    self->heard_ms = prf_clock_mono_ms();
    prf_link_rewind(self->link);
    return confirm(self, received, err);
}

void prf_end_down(prf_end_t *self)
{
    if (self->up)
        lose_connection(self);
}

void prf_end_over(prf_end_t *self)
{
    prf_streams_end(self->streams);
    prf_link_clear(self->link);
    self->broken.text[0] = '\0';
    self->outages = 0;
}

void prf_end_beat(prf_end_t *self)
{
    const prf_frame_t beat = {.type = PRF_FRAME_LINK_BEAT,
                              .u.beat = {.received = prf_link_received(self->link), .farm = self->farm}};
    self->told_ms = prf_clock_mono_ms();
    (void)!prf_end_send(self, &beat); /* a full queue or a lost connection is the tick's to see */
}

prf_status_t prf_end_frame(prf_end_t *self, const prf_frame_t *frame, prf_error_t *err)
{
    self->heard_ms = prf_clock_mono_ms();
    if (frame->type == PRF_FRAME_LINK_BEAT)
        return confirm(self, frame->u.beat.received, err);
    if (frame->type != PRF_FRAME_LINK_PART)
        return prf_fail(err, PRF_EPEER, "a relay does not send %s: are both relays of the same version?",
                        prf_frame_name(frame->type));
    prf_status_t status = PRF_OK;
    switch (prf_link_take(self->link, &frame->u.part)) {
    case PRF_LINK_NEXT:
        status = prf_streams_part(self->streams, &frame->u.part, err);
        break;
    case PRF_LINK_KNOWN:
        break;
    case PRF_LINK_GAP:
        status = prf_fail(err, PRF_EPEER, "part %" PRIu64 " comes out of turn: are both relays of the same version?",
                          frame->u.part.number);
    }
    if (prf_link_owes(self->link))
        prf_end_beat(self);
    return status;
}

prf_status_t prf_end_tick(prf_end_t *self, uint64_t now_ms, prf_error_t *err)
{
    prf_streams_tick(self->streams, now_ms);
    pump(self);
    if (self->up && now_ms >= self->told_ms + PRF_END_BEAT_MS)
        prf_end_beat(self);
    if (self->broken.text[0]) {
        *err = self->broken;
        return err->code;
    }
    if (self->up && now_ms > self->heard_ms + PRF_END_SILENT_MS)
        return prf_fail(err, PRF_ETIMEOUT, "nothing was heard of the other relay for %d s", PRF_END_SILENT_MS / 1000);
    return PRF_OK;
}

void prf_end_log_traffic(prf_end_t *self, const char *who, uint64_t now_ms)
{
    const prf_streams_stats_t *stats = prf_streams_stats(self->streams);
    if (stats->refused != self->logged_refused && now_ms >= self->refused_ms) { /* strangers may come often */
        self->refused_ms = now_ms + PRF_END_REFUSED_MS;
        prf_log(PRF_LOG_WARN, "connections_refused link=%s count=%" PRIu64 " why=\"not ZeroMQ with keys (CURVE), or too slow\"",
                who, stats->refused - self->logged_refused);
        self->logged_refused = stats->refused;
    }
    if (now_ms < self->traffic_ms + PRF_END_TRAFFIC_MS ||
        (stats->carried == self->logged_carried && stats->sent + stats->arrived == self->logged_bytes))
        return;
    self->traffic_ms = now_ms;
    self->logged_carried = stats->carried;
    self->logged_bytes = stats->sent + stats->arrived;
    prf_log(PRF_LOG_INFO,
            "traffic link=%s up=%s connections=%zu carried=%" PRIu64 " refused=%" PRIu64 " crowded=%" PRIu64 " sent_bytes=%" PRIu64
            " arrived_bytes=%" PRIu64 " held_bytes=%zu outages=%u",
            who, self->up ? "true" : "false", stats->open, stats->carried, stats->refused, stats->crowded, stats->sent,
            stats->arrived, prf_link_bytes(self->link), self->outages);
}

bool prf_end_farewell(uint64_t *farewell_ms, prf_loop_t *loop)
{
    if (*farewell_ms) {
        prf_loop_stop(loop);
        return false;
    }
    prf_notify(PRF_NOTIFY_STOPPING, "lets out what is under way");
    *farewell_ms = prf_clock_mono_ms() + PRF_END_DRAIN_MS;
    return true;
}

void prf_end_drain(prf_end_t *self)
{
    prf_streams_drain(self->streams);
}

bool prf_end_drained(const prf_end_t *self)
{
    return prf_streams_written(self->streams) && (!self->up || prf_link_bytes(self->link) == 0);
}
