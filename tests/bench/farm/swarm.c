// SPDX-License-Identifier: Apache-2.0
/* swarm.c - all workers share one socket that connects as many times as there are workers: a ROUTER, which knows a connection by
 * the name that it was given. So a connection takes one descriptor, as it does at the server; a DEALER each would take two, and a
 * process may have too few. The server cannot tell the difference. */
#include "swarm.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "base/clock.h"

enum { READ_AT_ONCE = 1000, WAIT_MS = 1, SLICES = 100, QUEUE = 100000, LINGER_MS = 0, OUTBOX = 1000 };
enum { SECOND_NS = 1000000000 };

/* What the socket calls a connection; no name may begin with a zero. */
typedef struct {
    char mark;
    uint8_t number[sizeof(uint32_t)];
} name_t;

struct swarm {
    load_t load;
    const player_t *player;             /* borrowed */
    char endpoint[256], broadcast[256]; /* broadcast: "" for none */
    void *context, *socket;
    void *radio;   /* hears broadcasts for all of them; NULL: nobody does */
    peer_t *peers; /* owned */
    counts_t counts;
    uint64_t beat_ns;
    size_t slice;
};

void die(const char *what, const char *why)
{
    fprintf(stderr, "prfarm-bench: %s: %s\n", what, why);
    _exit(1); /* czmq would wait for the connections at an orderly end */
}

/* False: there was nothing. */
static bool hear_radio(swarm_t *s)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    bool heard = s->radio && zmq_msg_recv(&message, s->radio, ZMQ_DONTWAIT) >= 0;
    for (size_t i = 0; heard && i < s->load.workers; i++)
        s->player->hear(s, &s->peers[i], zmq_msg_data(&message), zmq_msg_size(&message));
    zmq_msg_close(&message);
    return heard;
}

static bool hear_one(swarm_t *s)
{
    name_t name;
    uint32_t number;
    zmq_msg_t message;
    if (zmq_recv(s->socket, &name, sizeof name, ZMQ_DONTWAIT) < 0)
        return false;
    memcpy(&number, name.number, sizeof number);
    zmq_msg_init(&message);
    if (zmq_msg_recv(&message, s->socket, ZMQ_DONTWAIT) < 0)
        die("receiving", zmq_strerror(errno));
    s->player->hear(s, &s->peers[number], zmq_msg_data(&message), zmq_msg_size(&message));
    zmq_msg_close(&message);
    return true;
}

static void hear_all(swarm_t *s)
{
    while (hear_radio(s))
        ;
    for (int i = 0; i < READ_AT_ONCE && hear_one(s); i++)
        ;
}

static name_t name_of(const peer_t *peer)
{
    name_t name = {.mark = 'w'};
    memcpy(name.number, &peer->number, sizeof name.number);
    return name;
}

static void connect_peer(swarm_t *s, peer_t *peer)
{
    name_t name = name_of(peer);
    if (zmq_setsockopt(s->socket, ZMQ_CONNECT_ROUTING_ID, &name, sizeof name) != 0 || zmq_connect(s->socket, s->endpoint) != 0)
        die("a connection", zmq_strerror(errno));
    peer->socket = s->socket;
    s->player->join(s, peer);
}

static void connect_radio(swarm_t *s)
{
    if (!s->broadcast[0])
        return;
    s->radio = zmq_socket(s->context, ZMQ_SUB);
    if (!s->radio || zmq_setsockopt(s->radio, ZMQ_SUBSCRIBE, "", 0) != 0 || zmq_connect(s->radio, s->broadcast) != 0)
        die("the broadcast", zmq_strerror(errno));
}

/* Messages that come from all connections at once need much memory, which is not to be had from the system, cleared, each time. */
static void keep_memory(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
}

static void connect_all(swarm_t *s)
{
    int queue = QUEUE, linger = LINGER_MS;
    s->context = zmq_ctx_new();
    s->socket = s->context ? zmq_socket(s->context, ZMQ_ROUTER) : NULL;
    if (!s->socket || zmq_setsockopt(s->socket, ZMQ_SNDHWM, &queue, sizeof queue) != 0 ||
        zmq_setsockopt(s->socket, ZMQ_RCVHWM, &queue, sizeof queue) != 0 ||
        zmq_setsockopt(s->socket, ZMQ_LINGER, &linger, sizeof linger) != 0)
        die("the load", zmq_strerror(errno));
    connect_radio(s);
    for (size_t i = 0; i < s->load.workers; i++)
        connect_peer(s, &s->peers[i]);
}

swarm_t *swarm_new(const char *endpoint, const load_t *load, const player_t *player)
{
    keep_memory();
    swarm_t *s = calloc(1, sizeof *s);
    peer_t *peers = calloc(load->workers, sizeof *peers);
    if (!s || !peers)
        die("the load", "out of memory");
    *s = (swarm_t){.load = *load, .player = player, .peers = peers};
    if (s->load.outbox == 0)
        s->load.outbox = OUTBOX;
    snprintf(s->endpoint, sizeof s->endpoint, "%s", endpoint);
    for (size_t i = 0; i < load->workers; i++)
        peers[i].number = (uint32_t)i;
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
    }
    zmq_close(s->socket);
    if (s->radio)
        zmq_close(s->radio);
    s->radio = NULL;
    zmq_ctx_term(s->context);
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
    name_t name = name_of(peer);
    if (zmq_send(peer->socket, &name, sizeof name, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        zmq_send(peer->socket, bytes, len, ZMQ_DONTWAIT) < 0)
        die("sending", zmq_strerror(errno));
}

static void beat_slice(swarm_t *s, uint64_t now_ns)
{
    for (size_t i = s->slice++ % SLICES; i < s->load.workers; i += SLICES)
        s->player->beat(s, &s->peers[i], now_ns);
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
    for (size_t i = 0; i < s->load.workers; i++)
        s->player->work(s, &s->peers[i], now_ns);
}

bool swarm_play(swarm_t *s, const uint64_t *counter, uint64_t goal, unsigned ms)
{
    zmq_pollitem_t items[] = {{.socket = s->socket, .events = ZMQ_POLLIN}, {.socket = s->radio, .events = ZMQ_POLLIN}};
    uint64_t now = prf_clock_mono_ns(), until = now + (uint64_t)ms * 1000000;
    while ((!counter || *counter < goal) && now < until) {
        if (zmq_poll(items, s->radio ? 2 : 1, WAIT_MS) > 0)
            hear_all(s);
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
