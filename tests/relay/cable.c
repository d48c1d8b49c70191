// SPDX-License-Identifier: Apache-2.0
#include "cable.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LANES = 64, TICK_MS = 5, CHUNK = 16384, SPOILED_BYTE = 7 };

typedef struct {
    int in, out; /* who dialled, and what was dialled for it; -1: free */
} lane_t;

struct cable {
    int listener;
    char end[64];
    struct sockaddr_in to;
    lane_t lanes[LANES];
    pthread_t thread;
    atomic_bool stop, cut, spoiled;
    atomic_uint hold, spoil, connections;
    atomic_ullong bytes;
};

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void close_lane(cable_t *self, lane_t *lane)
{
    close(lane->in);
    close(lane->out);
    *lane = (lane_t){-1, -1};
    atomic_fetch_sub(&self->connections, 1);
}

static void take_in(cable_t *self)
{
    int in = accept(self->listener, NULL, NULL), out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    lane_t *lane = NULL;
    for (size_t i = 0; i < LANES; i++)
        if (self->lanes[i].in < 0)
            lane = &self->lanes[i];
    if (in < 0 || !lane || connect(out, (const struct sockaddr *)&self->to, sizeof self->to) != 0) {
        if (in >= 0)
            close(in);
        close(out);
        return;
    }
    *lane = (lane_t){in, out};
    atomic_fetch_add(&self->connections, 1);
}

/* False: the lane is at its end. */
static bool carry(cable_t *self, int from, int to, unsigned direction)
{
    char bytes[CHUNK];
    ssize_t n = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return true;
    if (n <= 0)
        return false;
    atomic_fetch_add(&self->bytes, (unsigned long long)n);
    if ((atomic_load(&self->spoil) & direction) && n > 2 * SPOILED_BYTE) {
        bytes[n - SPOILED_BYTE] ^= 1; /* behind any length in front */
        atomic_store(&self->spoil, 0);
        atomic_store(&self->spoiled, true);
    }
    return send(to, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

static void serve(cable_t *self)
{
    struct pollfd fds[1 + 2 * LANES] = {{.fd = self->listener, .events = POLLIN}};
    unsigned hold = atomic_load(&self->hold);
    for (size_t i = 0; i < LANES; i++) {
        fds[1 + 2 * i] = (struct pollfd){.fd = hold & CABLE_UP ? -1 : self->lanes[i].in, .events = POLLIN};
        fds[2 + 2 * i] = (struct pollfd){.fd = hold & CABLE_DOWN ? -1 : self->lanes[i].out, .events = POLLIN};
    }
    poll(fds, 1 + 2 * LANES, TICK_MS);
    bool cut = atomic_exchange(&self->cut, false);
    for (size_t i = 0; i < LANES; i++) {
        lane_t *lane = &self->lanes[i];
        if (lane->in < 0)
            continue;
        bool up = !fds[1 + 2 * i].revents || carry(self, lane->in, lane->out, CABLE_UP);
        bool down = !fds[2 + 2 * i].revents || carry(self, lane->out, lane->in, CABLE_DOWN);
        if (cut || !up || !down)
            close_lane(self, lane);
    }
    if (fds[0].revents && !hold)
        take_in(self);
}

static void *run(void *arg)
{
    cable_t *self = arg;
    while (!atomic_load(&self->stop))
        serve(self);
    for (size_t i = 0; i < LANES; i++)
        if (self->lanes[i].in >= 0)
            close_lane(self, &self->lanes[i]);
    close(self->listener);
    return NULL;
}

cable_t *cable_lay(const char *to)
{
    cable_t *self = calloc(1, sizeof *self);
    cr_assert(self);
    const char *port = strrchr(to, ':');
    cr_assert(port, "%s", to);
    self->to = loopback((uint16_t)atoi(port + 1));
    for (size_t i = 0; i < LANES; i++)
        self->lanes[i] = (lane_t){-1, -1};
    struct sockaddr_in at = loopback(0);
    socklen_t len = sizeof at;
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(self->listener, (const struct sockaddr *)&at, len) == 0 && listen(self->listener, LANES) == 0 &&
              getsockname(self->listener, (struct sockaddr *)&at, &len) == 0);
    snprintf(self->end, sizeof self->end, "tcp://127.0.0.1:%u", ntohs(at.sin_port));
    cr_assert_eq(pthread_create(&self->thread, NULL, run, self), 0);
    return self;
}

void cable_take_up(cable_t **self)
{
    if (!*self)
        return;
    atomic_store(&(*self)->stop, true);
    pthread_join((*self)->thread, NULL);
    free(*self);
    *self = NULL;
}

const char *cable_end(const cable_t *self)
{
    return self->end;
}

void cable_hold(cable_t *self, unsigned directions)
{
    atomic_store(&self->hold, directions);
}

void cable_spoil(cable_t *self, unsigned direction)
{
    atomic_store(&self->spoiled, false);
    atomic_store(&self->spoil, direction);
}

bool cable_spoiled(const cable_t *self)
{
    return atomic_load(&self->spoiled);
}

void cable_cut(cable_t *self)
{
    atomic_store(&self->cut, true);
}

unsigned cable_connections(const cable_t *self)
{
    return atomic_load(&self->connections);
}

uint64_t cable_bytes(const cable_t *self)
{
    return atomic_load(&self->bytes);
}
