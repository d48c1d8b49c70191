// SPDX-License-Identifier: Apache-2.0
/* streams.c - one epoll set for all connections of a link; the loop sees it as one descriptor, so that thousands of connections
 * cost a turn nothing while they are quiet.
 *
 * A connection is in the set for reading while its window and the link have room, for writing while something waits, and else not
 * at all: what happens to it meanwhile is seen when it is in again. Windows begin at PRF_STREAM_WINDOW on both sides; the receiver
 * gives back what it has written, in halves. What ends is unhooked at once and freed when the turn is over, because a batch of
 * events may still name it. */
#include "streams.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "address.h"
#include "base/clock.h"
#include "base/map.h"
#include "greeting.h"

enum {
    EVENTS = 64,
    PATIENCE_MS = 5000 /* for a whole greeting; a connection to the coordinator; what is left when the other end is gone */
};

typedef struct stream {
    uint32_t id; /* 0: not opened over the link yet */
    uint32_t endpoint;
    int fd;
    size_t place; /* among all */
    prf_greeting_t greeting;
    bool connecting, ended; /* ended: nothing comes from the link any more */
    uint32_t events;        /* in the set; 0: not in it */
    uint64_t since_ms;      /* it is connecting, or ended, or there at all */
    size_t window;          /* bytes that may still go to the link */
    uint8_t *waiting;       /* owned; bytes for fd */
    size_t waiting_at, waiting_len, owed;
    struct stream *next_dead;
} stream_t;

struct prf_streams {
    prf_loop_t *loop;
    prf_streams_handler_t handler;
    int epoll;
    stream_t **all; /* owned */
    size_t cap;
    prf_map_t by_id;
    uint32_t last_id;
    stream_t *dead; /* owned; the turn's */
    bool asleep, draining;
    prf_streams_stats_t stats;
};

static void send_part(prf_streams_t *self, const stream_t *stream, prf_part_kind_t kind, uint32_t value)
{
    self->handler.send(self->handler.arg, &(prf_part_t){.stream = stream->id, .kind = kind, .value = value});
}

static void send_data(prf_streams_t *self, stream_t *stream, uint8_t *bytes, size_t len)
{
    stream->window -= len;
    self->stats.sent += len;
    self->handler.send(self->handler.arg, &(prf_part_t){.stream = stream->id, .kind = PRF_PART_DATA, .data = bytes, .len = len});
}

/* Puts it into the set for what it can do now. */
static void watch(prf_streams_t *self, stream_t *stream)
{
    uint32_t events = 0;
    if (!stream->ended && !stream->connecting && !self->asleep && !self->draining && stream->window > 0)
        events |= EPOLLIN;
    if (stream->connecting || stream->waiting_len > 0)
        events |= EPOLLOUT;
    if (events == stream->events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = stream};
    int op = !events ? EPOLL_CTL_DEL : (stream->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD);
    if (epoll_ctl(self->epoll, op, stream->fd, &event) == 0)
        stream->events = events;
}

static void close_stream(prf_streams_t *self, stream_t *stream)
{
    prf_digest_t key;
    prf_map_key(&key, &stream->id, sizeof stream->id);
    if (stream->id)
        prf_map_remove(&self->by_id, &key, 0);
    close(stream->fd); /* leaves the set with it */
    stream->fd = -1;
    self->all[stream->place] = self->all[--self->stats.open];
    self->all[stream->place]->place = stream->place;
    stream->next_dead = self->dead;
    self->dead = stream;
}

/* From here: its local end is gone, or it may not go on. */
static void end_stream(prf_streams_t *self, stream_t *stream)
{
    if (stream->id && !stream->ended)
        send_part(self, stream, PRF_PART_END, 0);
    close_stream(self, stream);
}

static void refuse(prf_streams_t *self, stream_t *stream)
{
    self->stats.refused++;
    end_stream(self, stream);
}

static void bury(prf_streams_t *self)
{
    while (self->dead) {
        stream_t *stream = self->dead;
        self->dead = stream->next_dead;
        free(stream->waiting);
        free(stream);
    }
}

/* Takes the descriptor over. NULL: no memory or no room, and it is closed. */
static stream_t *add(prf_streams_t *self, int fd, uint32_t id, uint32_t endpoint)
{
    stream_t *stream = self->stats.open < self->cap ? calloc(1, sizeof *stream) : NULL;
    prf_digest_t key;
    prf_map_key(&key, &id, sizeof id);
    if (!stream || (id && prf_map_put_pointer(&self->by_id, &key, 0, stream, NULL))) {
        self->stats.crowded++;
        free(stream);
        close(fd);
        return NULL;
    }
    *stream = (stream_t){.id = id,
                         .endpoint = endpoint,
                         .fd = fd,
                         .place = self->stats.open,
                         .since_ms = prf_clock_mono_ms(),
                         .window = PRF_STREAM_WINDOW};
    self->all[self->stats.open++] = stream;
    self->stats.carried++;
    return stream;
}

/* A program of the site has shown that it speaks ZeroMQ: from now on it is carried. False: it is gone. */
static bool open_stream(prf_streams_t *self, stream_t *stream)
{
    uint32_t id = self->last_id + 1;
    prf_digest_t key;
    prf_map_key(&key, &id, sizeof id);
    if (id == 0 || prf_map_put_pointer(&self->by_id, &key, 0, stream, NULL)) {
        self->stats.crowded++;
        close_stream(self, stream);
        return false;
    }
    self->last_id = stream->id = id;
    send_part(self, stream, PRF_PART_OPEN, stream->endpoint);
    send_data(self, stream, stream->greeting.bytes, stream->greeting.seen);
    return true;
}

/* What came from a program of the site. */
static void take_outgoing(prf_streams_t *self, stream_t *stream, uint8_t *bytes, size_t len)
{
    if (!prf_greeting_take(&stream->greeting, bytes, len))
        refuse(self, stream);
    else if (stream->id)
        send_data(self, stream, bytes, len);
    else if (prf_greeting_signed(&stream->greeting))
        open_stream(self, stream);
}

static void read_some(prf_streams_t *self, stream_t *stream)
{
    uint8_t bytes[PRF_PART_BYTES];
    size_t most = stream->id ? sizeof bytes : (size_t)PRF_GREETING_BYTES - stream->greeting.seen;
    most = most < stream->window ? most : stream->window;
    if (!self->handler.room(self->handler.arg)) {
        self->asleep = true;
        watch(self, stream);
        return;
    }
    ssize_t n = read(stream->fd, bytes, most);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        end_stream(self, stream);
    else if (self->handler.dial)
        send_data(self, stream, bytes, (size_t)n);
    else
        take_outgoing(self, stream, bytes, (size_t)n);
    if (stream->fd >= 0)
        watch(self, stream);
}

/* False: it is gone. */
static bool write_some(prf_streams_t *self, stream_t *stream)
{
    while (stream->waiting_len > 0) {
        ssize_t n = send(stream->fd, stream->waiting + stream->waiting_at, stream->waiting_len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            end_stream(self, stream);
            return false;
        }
        if (n < 0)
            break;
        stream->waiting_at += (size_t)n;
        stream->waiting_len -= (size_t)n;
        stream->owed += (size_t)n;
    }
    if (stream->waiting_len == 0) {
        free(stream->waiting);
        stream->waiting = NULL;
        stream->waiting_at = 0;
    }
    if (stream->ended && stream->waiting_len == 0) {
        close_stream(self, stream);
        return false;
    }
    if (stream->owed >= PRF_STREAM_WINDOW / 2 && !stream->ended) {
        send_part(self, stream, PRF_PART_ROOM, (uint32_t)stream->owed);
        stream->owed = 0;
    }
    watch(self, stream);
    return true;
}

static void settle_dial(prf_streams_t *self, stream_t *stream, int failure)
{
    self->handler.dialled(self->handler.arg, failure);
    stream->connecting = false;
    if (failure)
        end_stream(self, stream);
    else
        write_some(self, stream);
}

static void on_event(prf_streams_t *self, stream_t *stream, uint32_t events)
{
    if (stream->connecting) {
        settle_dial(self, stream, prf_address_failed(stream->fd));
        return;
    }
    if ((events & EPOLLOUT) && !write_some(self, stream))
        return;
    /* A connection that failed is read for the sake of its end; one that is not to be read yet is not. */
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && (stream->events & EPOLLIN))
        read_some(self, stream);
}

static void on_epoll(void *arg)
{
    prf_streams_t *self = arg;
    struct epoll_event events[EVENTS];
    int count = epoll_wait(self->epoll, events, EVENTS, 0);
    for (int i = 0; i < count; i++) {
        stream_t *stream = events[i].data.ptr;
        if (stream->fd >= 0)
            on_event(self, stream, events[i].events);
    }
    bury(self);
}

prf_status_t prf_streams_new(prf_streams_t **out, prf_loop_t *loop, const prf_streams_handler_t *handler, size_t cap,
                             prf_error_t *err)
{
    prf_streams_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "connections");
    *self = (prf_streams_t){.loop = loop, .handler = *handler, .cap = cap};
    prf_map_init(&self->by_id);
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->all = calloc(cap, sizeof *self->all);
    prf_status_t status = PRF_OK;
    if (self->epoll < 0)
        status = prf_fail_sys(err, errno, "connections");
    else if (!self->all)
        status = prf_fail(err, PRF_ENOMEM, "%zu connections", cap);
    if (!status)
        status = prf_loop_add_fd(loop, self->epoll, on_epoll, self, err);
    if (status)
        prf_streams_destroy(&self);
    else
        *out = self;
    return status;
}

void prf_streams_destroy(prf_streams_t **self)
{
    if (!*self)
        return;
    prf_loop_remove_fd((*self)->loop, (*self)->epoll);
    if ((*self)->all)
        prf_streams_end(*self);
    if ((*self)->epoll >= 0)
        close((*self)->epoll);
    prf_map_release(&(*self)->by_id);
    free((*self)->all);
    free(*self);
    *self = NULL;
}

void prf_streams_accept(prf_streams_t *self, int fd, uint32_t endpoint)
{
    stream_t *stream = add(self, fd, 0, endpoint);
    if (stream)
        watch(self, stream);
}

/* NULL: it failed at once, or there is no room. */
static stream_t *dial(prf_streams_t *self, const prf_part_t *part)
{
    if (self->stats.open >= self->cap) {
        self->stats.crowded++;
        return NULL;
    }
    int fd = self->handler.dial(self->handler.arg, part->value);
    if (fd < 0) {
        self->handler.dialled(self->handler.arg, errno);
        return NULL;
    }
    return add(self, fd, part->stream, part->value);
}

/* The other relay has a new connection: one to the coordinator is to be its other half. */
static prf_status_t take_open(prf_streams_t *self, const prf_part_t *part, prf_error_t *err)
{
    if (!self->handler.dial || part->stream <= self->last_id)
        return prf_fail(err, PRF_EPEER, "the other relay opens connection %u out of turn", part->stream);
    self->last_id = part->stream;
    stream_t *stream = dial(self, part);
    if (!stream) {
        self->handler.send(self->handler.arg, &(prf_part_t){.stream = part->stream, .kind = PRF_PART_END});
        return PRF_OK;
    }
    stream->connecting = true;
    watch(self, stream);
    return PRF_OK;
}

static prf_status_t take_data(prf_streams_t *self, stream_t *stream, const prf_part_t *part, prf_error_t *err)
{
    if (part->len > PRF_STREAM_WINDOW - stream->waiting_len)
        return prf_fail(err, PRF_EPEER, "the other relay sends more than connection %u has room for", part->stream);
    self->stats.arrived += part->len;
    if (self->handler.dial && !prf_greeting_take(&stream->greeting, part->data, part->len)) {
        refuse(self, stream);
        return PRF_OK;
    }
    if (stream->waiting_at > 0)
        memmove(stream->waiting, stream->waiting + stream->waiting_at, stream->waiting_len);
    stream->waiting_at = 0;
    uint8_t *grown = realloc(stream->waiting, stream->waiting_len + part->len);
    if (!grown) {
        end_stream(self, stream);
        return PRF_OK;
    }
    memcpy(grown + stream->waiting_len, part->data, part->len);
    stream->waiting = grown;
    stream->waiting_len += part->len;
    if (!stream->connecting)
        write_some(self, stream);
    return PRF_OK;
}

static prf_status_t take(prf_streams_t *self, const prf_part_t *part, prf_error_t *err)
{
    if (part->kind == PRF_PART_OPEN)
        return take_open(self, part, err);
    prf_digest_t key;
    prf_map_key(&key, &part->stream, sizeof part->stream);
    stream_t *stream = prf_map_get_pointer(&self->by_id, &key, 0);
    if (!stream && part->stream > self->last_id)
        return prf_fail(err, PRF_EPEER, "the other relay names connection %u, which was never opened", part->stream);
    if (!stream || stream->ended) /* it ended here while this was on its way */
        return PRF_OK;
    if (part->kind == PRF_PART_DATA)
        return take_data(self, stream, part, err);
    if (part->kind == PRF_PART_ROOM) {
        if (part->value > PRF_STREAM_WINDOW - stream->window)
            return prf_fail(err, PRF_EPEER, "the other relay takes more of connection %u than it may", part->stream);
        stream->window += part->value;
        watch(self, stream);
        return PRF_OK;
    }
    stream->ended = true;
    stream->since_ms = prf_clock_mono_ms();
    if (!stream->connecting)
        write_some(self, stream);
    return PRF_OK;
}

prf_status_t prf_streams_part(prf_streams_t *self, const prf_part_t *part, prf_error_t *err)
{
    prf_status_t status = take(self, part, err);
    bury(self);
    return status == PRF_EPEER ? prf_fail_remedy(err, status, "are both relays of the same version?") : status;
}

static void watch_all(prf_streams_t *self)
{
    for (size_t i = 0; i < self->stats.open; i++)
        watch(self, self->all[i]);
}

void prf_streams_wake(prf_streams_t *self)
{
    if (!self->asleep || !self->handler.room(self->handler.arg))
        return;
    self->asleep = false;
    watch_all(self);
}

void prf_streams_tick(prf_streams_t *self, uint64_t now_ms)
{
    for (size_t i = self->stats.open; i > 0; i--) { /* the last one takes the place of one that ends */
        stream_t *stream = self->all[i - 1];
        if (now_ms <= stream->since_ms + PATIENCE_MS)
            continue;
        if (stream->ended)
            close_stream(self, stream);
        else if (stream->connecting)
            settle_dial(self, stream, ETIMEDOUT);
        else if (!prf_greeting_whole(&stream->greeting))
            refuse(self, stream);
    }
    bury(self);
}

void prf_streams_drain(prf_streams_t *self)
{
    self->draining = true;
    watch_all(self);
}

bool prf_streams_written(const prf_streams_t *self)
{
    for (size_t i = 0; i < self->stats.open; i++)
        if (self->all[i]->waiting_len > 0)
            return false;
    return true;
}

void prf_streams_end(prf_streams_t *self)
{
    while (self->stats.open > 0)
        close_stream(self, self->all[self->stats.open - 1]);
    bury(self);
    self->last_id = 0;
    self->asleep = false;
}

const prf_streams_stats_t *prf_streams_stats(const prf_streams_t *self)
{
    return &self->stats;
}
