// SPDX-License-Identifier: Apache-2.0
/* proxy.c - a link a worker: a ROUTER and a PUB that it connects to, a DEALER that goes on to the coordinator. One SUB hears the
 * coordinator's broadcasts for all.
 *
 * A worker that comes back after a kill is a new peer of its ROUTER, and has to be one for the coordinator, too: the link's DEALER
 * is then made anew, and what waited to be sent on is forgotten, as a dead machine's packets are.
 *
 * Faults are drawn from a stream of random numbers a link and direction, so that one worker's traffic does not decide about
 * another's. Which message is hit still depends on how the programs ran; the storm's actions do not. */
#include "proxy.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"

enum { QUEUE = 2000, READ_AT_ONCE = 200, TICK_MS = 5, OVERTAKE_MS = 60, FARM_TEXT = 3 * PRF_ENDPOINT };
enum { UP, DOWN, BROADCAST, WAYS };

typedef struct {
    proxy_t *proxy; /* borrowed */
    size_t worker;
    prf_socket_t *front, *broadcast, *back;
    prf_peer_t peer; /* the worker as it is now */
    char farm[FARM_TEXT];
    prf_rng_t rng[WAYS];
    atomic_uint cut;
} link_t;

/* A message that waits for its time. */
typedef struct {
    uint64_t due_ms;
    link_t *link;
    int way;
    uint8_t *bytes;
    size_t len;
} parcel_t;

struct proxy {
    prf_endpoints_t coordinator;
    ledger_t *ledger;
    prf_loop_t *loop;
    prf_socket_t *sub;
    link_t *links;
    size_t count;
    char bind[PRF_ENDPOINT];
    parcel_t *parcels;
    size_t parcel_count, parcel_cap;
    pthread_mutex_t lock; /* of `faults` */
    proxy_faults_t faults;
    atomic_ullong faulted;
    atomic_bool stop;
    pthread_t thread;
    sem_t ready;
    prf_status_t status;
    prf_error_t err;
};

static void deliver(link_t *link, int way, const uint8_t *bytes, size_t len)
{
    /* Who is gone or does not read loses the message: that is the network's way, and what the protocol has to live with. */
    prf_status_t ignored = way == UP     ? prf_socket_send(link->back, NULL, bytes, len, NULL)
                           : way == DOWN ? prf_socket_send(link->front, &link->peer, bytes, len, NULL)
                                         : prf_socket_send(link->broadcast, NULL, bytes, len, NULL);
    (void)ignored;
}

static void hold_back(link_t *link, int way, const uint8_t *bytes, size_t len, uint64_t ms)
{
    proxy_t *self = link->proxy;
    if (self->parcel_count == self->parcel_cap) {
        size_t cap = self->parcel_cap ? 2 * self->parcel_cap : 64;
        parcel_t *parcels = realloc(self->parcels, cap * sizeof *parcels);
        if (!parcels)
            return;
        self->parcels = parcels;
        self->parcel_cap = cap;
    }
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy)
        return;
    memcpy(copy, bytes, len);
    self->parcels[self->parcel_count++] = (parcel_t){prf_clock_mono_ms() + ms, link, way, copy, len};
}

/* Decides a message's fate. */
static void pass(link_t *link, int way, const uint8_t *bytes, size_t len)
{
    proxy_t *self = link->proxy;
    if (atomic_load(&link->cut) & (way == UP ? PROXY_UP : PROXY_DOWN)) {
        atomic_fetch_add(&self->faulted, 1);
        return;
    }
    pthread_mutex_lock(&self->lock);
    proxy_faults_t f = self->faults;
    pthread_mutex_unlock(&self->lock);
    double fate = prf_rng_double(&link->rng[way]);
    uint64_t later = 1 + prf_rng_below(&link->rng[way], f.delay_ms + 1);
    if (fate >= f.drop + f.duplicate + f.delay + f.reorder) {
        deliver(link, way, bytes, len);
        return;
    }
    atomic_fetch_add(&self->faulted, 1);
    if (fate < f.drop)
        return;
    if (fate < f.drop + f.duplicate) {
        deliver(link, way, bytes, len);
        hold_back(link, way, bytes, len, later);
    } else {
        hold_back(link, way, bytes, len, fate < f.drop + f.duplicate + f.delay ? later : 1 + later % OVERTAKE_MS);
    }
}

static void note(const link_t *link, const uint8_t *bytes, size_t len)
{
    prf_frame_t frame;
    if (prf_frame_decode(&frame, bytes, len, NULL))
        return; /* the programs judge it themselves */
    ledger_note(link->proxy->ledger, link->worker, &frame);
    prf_frame_release(&frame);
}

static void forget_parcels(proxy_t *self, const link_t *link)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->parcel_count; i++)
        if (!link || self->parcels[i].link == link)
            free(self->parcels[i].bytes);
        else
            self->parcels[kept++] = self->parcels[i];
    self->parcel_count = kept;
}

static void from_coordinator(void *arg)
{
    link_t *link = arg;
    uint8_t *bytes;
    size_t len;
    for (int i = 0; i < READ_AT_ONCE && prf_socket_recv(link->back, NULL, &bytes, &len, NULL) == PRF_OK; i++) {
        note(link, bytes, len);
        pass(link, DOWN, bytes, len);
        free(bytes);
    }
}

static prf_status_t connect_back(link_t *link, prf_error_t *err)
{
    proxy_t *self = link->proxy;
    prf_loop_remove_socket(self->loop, link->back);
    prf_socket_destroy(&link->back);
    prf_status_t status = prf_socket_new(&link->back, PRF_DEALER, QUEUE, PRF_FRAME_BYTES, err);
    if (!status)
        status = prf_socket_connect(link->back, self->coordinator.workers, err);
    return status ? status : prf_loop_add_socket(self->loop, link->back, from_coordinator, link, err);
}

static void from_worker(void *arg)
{
    link_t *link = arg;
    prf_peer_t peer;
    uint8_t *bytes;
    size_t len;
    for (int i = 0; i < READ_AT_ONCE && prf_socket_recv(link->front, &peer, &bytes, &len, NULL) == PRF_OK; i++) {
        if (!prf_peer_same(&peer, &link->peer)) {
            bool first = link->peer.len == 0;
            link->peer = peer;
            forget_parcels(link->proxy, link);
            if (!first && connect_back(link, &link->proxy->err)) {
                fprintf(stderr, "proxy: %s\n", link->proxy->err.text);
                abort();
            }
        }
        note(link, bytes, len);
        pass(link, UP, bytes, len);
        free(bytes);
    }
}

static void from_broadcast(void *arg)
{
    proxy_t *self = arg;
    uint8_t *bytes;
    size_t len;
    for (int i = 0; i < READ_AT_ONCE && prf_socket_recv(self->sub, NULL, &bytes, &len, NULL) == PRF_OK; i++) {
        for (size_t w = 0; w < self->count; w++)
            pass(&self->links[w], BROADCAST, bytes, len);
        free(bytes);
    }
}

static void on_tick(void *arg)
{
    proxy_t *self = arg;
    uint64_t now = prf_clock_mono_ms();
    size_t kept = 0;
    for (size_t i = 0; i < self->parcel_count; i++) {
        parcel_t *parcel = &self->parcels[i];
        if (parcel->due_ms > now) {
            self->parcels[kept++] = *parcel;
            continue;
        }
        deliver(parcel->link, parcel->way, parcel->bytes, parcel->len);
        free(parcel->bytes);
    }
    self->parcel_count = kept;
    if (atomic_load(&self->stop))
        prf_loop_stop(self->loop);
}

/* The two addresses that a worker connects to, as one word. */
static prf_status_t open_front(link_t *link, prf_error_t *err)
{
    const proxy_t *self = link->proxy;
    bool ipc = self->bind[0] == '/';
    char workers[PRF_ENDPOINT], broadcast[PRF_ENDPOINT];
    if (ipc) {
        snprintf(workers, sizeof workers, "ipc://%.80s/w%zu", self->bind, link->worker);
        snprintf(broadcast, sizeof broadcast, "ipc://%.80s/b%zu", self->bind, link->worker);
    } else {
        snprintf(workers, sizeof workers, "tcp://%.80s:*", self->bind);
        snprintf(broadcast, sizeof broadcast, "tcp://%.80s:*", self->bind);
    }
    char bound[PRF_ENDPOINT], bound_broadcast[PRF_ENDPOINT];
    prf_status_t status = prf_socket_new(&link->front, PRF_ROUTER, QUEUE, PRF_FRAME_BYTES, err);
    if (!status)
        status = prf_socket_new(&link->broadcast, PRF_PUB, QUEUE, PRF_FRAME_BYTES, err);
    if (!status)
        status = prf_socket_bind(link->front, workers, bound, err);
    if (!status)
        status = prf_socket_bind(link->broadcast, broadcast, bound_broadcast, err);
    if (status)
        return status;
    /* Workers use no clients' endpoint, but a farm's name has one: nobody listens there. */
    snprintf(link->farm, sizeof link->farm, "%.255s,ipc:///none,%.255s", bound, bound_broadcast);
    return prf_loop_add_socket(link->proxy->loop, link->front, from_worker, link, err);
}

static prf_status_t open_all(proxy_t *self, prf_error_t *err)
{
    prf_status_t status = prf_loop_new(&self->loop, err);
    if (!status)
        status = prf_loop_add_timer(self->loop, TICK_MS, on_tick, self, NULL, err);
    if (!status)
        status = prf_socket_new(&self->sub, PRF_SUB, QUEUE, PRF_FRAME_BYTES, err);
    if (!status)
        status = prf_socket_connect(self->sub, self->coordinator.broadcast, err);
    if (!status)
        status = prf_loop_add_socket(self->loop, self->sub, from_broadcast, self, err);
    for (size_t i = 0; !status && i < self->count; i++)
        if (!(status = open_front(&self->links[i], err)))
            status = connect_back(&self->links[i], err);
    return status;
}

/* Sockets belong to the thread that made them. */
static void *run(void *arg)
{
    proxy_t *self = arg;
    self->status = open_all(self, &self->err);
    sem_post(&self->ready);
    if (!self->status && prf_loop_run(self->loop, &self->err))
        fprintf(stderr, "proxy: %s\n", self->err.text);
    forget_parcels(self, NULL);
    for (size_t i = 0; i < self->count; i++) {
        prf_socket_destroy(&self->links[i].front);
        prf_socket_destroy(&self->links[i].broadcast);
        prf_socket_destroy(&self->links[i].back);
    }
    prf_socket_destroy(&self->sub);
    prf_loop_destroy(&self->loop);
    return NULL;
}

static void dispose(proxy_t *self)
{
    sem_destroy(&self->ready);
    pthread_mutex_destroy(&self->lock);
    free(self->parcels);
    free(self->links);
    free(self);
}

prf_status_t proxy_start(proxy_t **out, const proxy_options_t *options, prf_error_t *err)
{
    proxy_t *self = calloc(1, sizeof *self);
    if (self)
        self->links = calloc(options->workers, sizeof *self->links);
    if (!self || !self->links) {
        free(self);
        return prf_fail(err, PRF_ENOMEM, "proxy");
    }
    self->coordinator = *options->coordinator;
    self->ledger = options->ledger;
    self->count = options->workers;
    snprintf(self->bind, sizeof self->bind, "%s", options->bind);
    for (size_t i = 0; i < self->count; i++) {
        self->links[i].proxy = self;
        self->links[i].worker = i;
        for (size_t way = 0; way < WAYS; way++)
            prf_rng_init(&self->links[i].rng[way], options->seed, prf_rng_stream("proxy") + i * WAYS + way);
    }
    pthread_mutex_init(&self->lock, NULL);
    sem_init(&self->ready, 0, 0);
    if (pthread_create(&self->thread, NULL, run, self) != 0) {
        dispose(self);
        return prf_fail(err, PRF_EIO, "proxy: no thread");
    }
    while (sem_wait(&self->ready) != 0)
        ;
    if (self->status) {
        prf_status_t status = self->status;
        pthread_join(self->thread, NULL);
        if (err)
            *err = self->err;
        dispose(self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

void proxy_stop(proxy_t **self)
{
    if (!*self)
        return;
    atomic_store(&(*self)->stop, true);
    pthread_join((*self)->thread, NULL);
    dispose(*self);
    *self = NULL;
}

const char *proxy_farm(const proxy_t *self, size_t worker)
{
    return self->links[worker].farm;
}

void proxy_fault(proxy_t *self, const proxy_faults_t *faults)
{
    pthread_mutex_lock(&self->lock);
    self->faults = *faults;
    pthread_mutex_unlock(&self->lock);
}

void proxy_cut(proxy_t *self, size_t worker, unsigned directions)
{
    atomic_store(&self->links[worker].cut, directions);
}

uint64_t proxy_faulted(proxy_t *self)
{
    return atomic_load(&self->faulted);
}
