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

enum { EVENTS = 256, WAIT_MS = 1, SLICES = 100, SOCKETS = 65536, QUEUE = 100000, LINGER_MS = 0 };

struct swarm {
    load_t load;
    const player_t *player; /* borrowed */
    char endpoint[256];
    void *context;
    int epoll;
    peer_t *peers; /* owned */
    counts_t counts;
    uint64_t beat_ns;
    size_t slice;
};

void die(const char *what, const char *why)
{
    fprintf(stderr, "prfarm-bench: %s: %s\n", what, why);
    exit(1);
}

static void listen_to(swarm_t *s, peer_t *peer)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (zmq_msg_recv(&message, peer->socket, ZMQ_DONTWAIT) >= 0)
        s->player->hear(s, peer, zmq_msg_data(&message), zmq_msg_size(&message));
    zmq_msg_close(&message);
}

static void connect_peer(swarm_t *s, peer_t *peer)
{
    int queue = QUEUE, linger = LINGER_MS, fd;
    size_t len = sizeof fd;
    peer->socket = zmq_socket(s->context, ZMQ_DEALER);
    if (!peer->socket || zmq_setsockopt(peer->socket, ZMQ_SNDHWM, &queue, sizeof queue) != 0 ||
        zmq_setsockopt(peer->socket, ZMQ_RCVHWM, &queue, sizeof queue) != 0 ||
        zmq_setsockopt(peer->socket, ZMQ_LINGER, &linger, sizeof linger) != 0 || zmq_connect(peer->socket, s->endpoint) != 0 ||
        zmq_getsockopt(peer->socket, ZMQ_FD, &fd, &len) != 0)
        die("a connection", zmq_strerror(errno));
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = peer};
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll", strerror(errno));
    s->player->join(s, peer);
    listen_to(s, peer);
}

swarm_t *swarm_new(const char *endpoint, const load_t *load, const player_t *player)
{
    swarm_t *s = calloc(1, sizeof *s);
    peer_t *peers = calloc(load->workers, sizeof *peers);
    if (!s || !peers)
        die("the load", "out of memory");
    *s = (swarm_t){.load = *load, .player = player, .peers = peers, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    s->context = zmq_ctx_new();
    if (!s->context || s->epoll < 0 || zmq_ctx_set(s->context, ZMQ_MAX_SOCKETS, SOCKETS) != 0)
        die("the load", strerror(errno));
    snprintf(s->endpoint, sizeof s->endpoint, "%s", endpoint);
    for (size_t i = 0; i < load->workers; i++) {
        peers[i].number = i;
        connect_peer(s, &peers[i]);
    }
    return s;
}

static void disconnect(swarm_t *s)
{
    for (size_t i = 0; i < s->load.workers; i++) {
        s->player->leave(&s->peers[i]);
        s->peers[i].player = NULL;
        zmq_close(s->peers[i].socket);
    }
}

void swarm_destroy(swarm_t *s)
{
    disconnect(s);
    zmq_ctx_term(s->context);
    close(s->epoll);
    free(s->counts.waits_ns);
    free(s->peers);
    free(s);
}

void swarm_reconnect(swarm_t *s)
{
    disconnect(s);
    s->counts.welcomed = s->counts.adopted = 0;
    for (size_t i = 0; i < s->load.workers; i++)
        connect_peer(s, &s->peers[i]);
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

/* A slice of the peers at a time, so that none of them has to wait for all the others. */
static void beat(swarm_t *s, uint64_t now_ns)
{
    if (!s->player->beat || now_ns < s->beat_ns)
        return;
    s->beat_ns = now_ns + UINT64_C(1000000000) / SLICES;
    size_t slice = s->slice++ % SLICES;
    for (size_t i = slice; i < s->load.workers; i += SLICES) {
        s->player->beat(s, &s->peers[i], now_ns);
        listen_to(s, &s->peers[i]);
    }
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
