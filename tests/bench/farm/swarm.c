// SPDX-License-Identifier: Apache-2.0
/* swarm.c - a descriptor of libzmq tells of a change, not of a state: after each call on a socket there may be something to read
 * that no event will tell of, and no event tells of the first message to a socket that was never read. So a peer that was woken, or
 * has said something, is listened to until it is silent. */
#include "swarm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>

#include "base/clock.h"

enum { EVENTS = 256, WAIT_MS = 1, SLICES = 100, SOCKETS = 65536, QUEUE = 100000, LINGER_MS = 0, OUTBOX = 1000 };
enum { SECOND_NS = 1000000000 };

struct swarm {
    load_t load;
    const player_t *player;             /* borrowed */
    char endpoint[256], broadcast[256]; /* broadcast: "" for none */
    void *context;
    int epoll;
    peer_t *peers; /* owned */
    peer_t radio;  /* hears broadcasts for all of them */
    counts_t counts;
    uint64_t beat_ns;
    size_t slice;
};

void die(const char *what, const char *why)
{
    fprintf(stderr, "prfarm-bench: %s: %s\n", what, why);
    _exit(1); /* czmq would wait for the connections at an orderly end */
}

static void listen_to(swarm_t *s, peer_t *peer);

static void tell_all(swarm_t *s, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < s->load.workers; i++) {
        s->player->hear(s, &s->peers[i], bytes, len);
        listen_to(s, &s->peers[i]);
    }
}

static void listen_to(swarm_t *s, peer_t *peer)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (zmq_msg_recv(&message, peer->socket, ZMQ_DONTWAIT) >= 0)
        if (peer == &s->radio)
            tell_all(s, zmq_msg_data(&message), zmq_msg_size(&message));
        else
            s->player->hear(s, peer, zmq_msg_data(&message), zmq_msg_size(&message));
    zmq_msg_close(&message);
}

static void watch_socket(swarm_t *s, peer_t *peer)
{
    int fd;
    size_t len = sizeof fd;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = peer};
    if (zmq_getsockopt(peer->socket, ZMQ_FD, &fd, &len) != 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll", strerror(errno));
}

static void connect_peer(swarm_t *s, peer_t *peer)
{
    int queue = QUEUE, linger = LINGER_MS;
    peer->socket = zmq_socket(s->context, ZMQ_DEALER);
    if (!peer->socket || zmq_setsockopt(peer->socket, ZMQ_SNDHWM, &queue, sizeof queue) != 0 ||
        zmq_setsockopt(peer->socket, ZMQ_RCVHWM, &queue, sizeof queue) != 0 ||
        zmq_setsockopt(peer->socket, ZMQ_LINGER, &linger, sizeof linger) != 0 || zmq_connect(peer->socket, s->endpoint) != 0)
        die("a connection", zmq_strerror(errno));
    watch_socket(s, peer);
    s->player->join(s, peer);
    listen_to(s, peer);
}

static void open_context(swarm_t *s)
{
    s->context = zmq_ctx_new();
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!s->context || s->epoll < 0 || zmq_ctx_set(s->context, ZMQ_MAX_SOCKETS, SOCKETS) != 0)
        die("the load", strerror(errno));
}

static void connect_radio(swarm_t *s)
{
    if (!s->broadcast[0])
        return;
    s->radio.socket = zmq_socket(s->context, ZMQ_SUB);
    if (!s->radio.socket || zmq_setsockopt(s->radio.socket, ZMQ_SUBSCRIBE, "", 0) != 0 ||
        zmq_connect(s->radio.socket, s->broadcast) != 0)
        die("the broadcast", zmq_strerror(errno));
    watch_socket(s, &s->radio);
    listen_to(s, &s->radio);
}

static void connect_all(swarm_t *s)
{
    connect_radio(s);
    for (size_t i = 0; i < s->load.workers; i++)
        connect_peer(s, &s->peers[i]);
}

swarm_t *swarm_new(const char *endpoint, const load_t *load, const player_t *player)
{
    swarm_t *s = calloc(1, sizeof *s);
    peer_t *peers = calloc(load->workers, sizeof *peers);
    if (!s || !peers)
        die("the load", "out of memory");
    *s = (swarm_t){.load = *load, .player = player, .peers = peers};
    if (s->load.outbox == 0)
        s->load.outbox = OUTBOX;
    open_context(s);
    snprintf(s->endpoint, sizeof s->endpoint, "%s", endpoint);
    for (size_t i = 0; i < load->workers; i++)
        peers[i].number = i;
    connect_all(s);
    return s;
}

void swarm_tune_in(swarm_t *s, const char *broadcast)
{
    snprintf(s->broadcast, sizeof s->broadcast, "%s", broadcast);
    connect_radio(s);
}

/* Returns when all descriptors are closed, which may be too many to have twice. */
static void disconnect(swarm_t *s)
{
    for (size_t i = 0; i < s->load.workers; i++) {
        s->player->leave(&s->peers[i]);
        s->peers[i].player = NULL;
        zmq_close(s->peers[i].socket);
    }
    if (s->radio.socket)
        zmq_close(s->radio.socket);
    zmq_ctx_term(s->context);
    close(s->epoll);
}

void swarm_destroy(swarm_t *s)
{
    disconnect(s);
    free(s->counts.waits_ns);
    free(s->peers);
    free(s);
}

void swarm_reconnect(swarm_t *s)
{
    disconnect(s);
    s->counts.welcomed = s->counts.adopted = 0;
    open_context(s);
    connect_all(s);
}

const load_t *swarm_load(const swarm_t *s)
{
    return &s->load;
}

counts_t *swarm_counts(swarm_t *s)
{
    return &s->counts;
}

void swarm_say(peer_t *peer, const void *bytes, size_t len)
{
    if (zmq_send(peer->socket, bytes, len, ZMQ_DONTWAIT) < 0 && errno != EAGAIN)
        die("sending", zmq_strerror(errno));
}

static void beat_slice(swarm_t *s, uint64_t now_ns)
{
    for (size_t i = s->slice++ % SLICES; i < s->load.workers; i += SLICES) {
        s->player->beat(s, &s->peers[i], now_ns);
        listen_to(s, &s->peers[i]);
    }
}

/* A slice of the peers at a time, so that none of them has to wait for all the others. What was missed while the load had no time
 * is made up for: a server takes silence for death. */
static void beat(swarm_t *s, uint64_t now_ns)
{
    if (!s->player->beat)
        return;
    if (s->beat_ns + SECOND_NS < now_ns)
        s->beat_ns = now_ns - SECOND_NS;
    for (; s->beat_ns < now_ns; s->beat_ns += SECOND_NS / SLICES)
        beat_slice(s, now_ns);
}

static void work(swarm_t *s, uint64_t now_ns)
{
    if (s->load.job_ns == 0)
        return;
    for (size_t i = 0; i < s->load.workers; i++) {
        s->player->work(s, &s->peers[i], now_ns);
        listen_to(s, &s->peers[i]);
    }
}

bool swarm_play(swarm_t *s, const uint64_t *counter, uint64_t goal, unsigned ms)
{
    struct epoll_event events[EVENTS];
    uint64_t now = prf_clock_mono_ns(), until = now + (uint64_t)ms * 1000000;
    while ((!counter || *counter < goal) && now < until) {
        int count = epoll_wait(s->epoll, events, EVENTS, WAIT_MS);
        for (int i = 0; i < count; i++)
            listen_to(s, events[i].data.ptr);
        now = prf_clock_mono_ns();
        beat(s, now);
        work(s, now);
    }
    return counter && *counter >= goal;
}

void swarm_waited(counts_t *counts, uint64_t wait_ns)
{
    if (!counts->timing)
        return;
    if (counts->wait_count == counts->wait_cap) {
        counts->wait_cap = counts->wait_cap ? 2 * counts->wait_cap : 4096;
        counts->waits_ns = realloc(counts->waits_ns, counts->wait_cap * sizeof *counts->waits_ns);
        if (!counts->waits_ns)
            die("latencies", "out of memory");
    }
    counts->waits_ns[counts->wait_count++] = wait_ns;
}
