// SPDX-License-Identifier: Apache-2.0
/* loop.c - an event loop over zmq_poll.
 *
 * All that can happen - a socket, a descriptor, a timer - is a source in one array. A turn polls the sources that there were at
 * its beginning and calls the handlers of those that are ready. Removing marks a source dead, so that a handler may remove itself
 * or another one; the dead are swept when the turn is over. Polling is level-triggered: a handler that leaves something unread is
 * called again. czmq's zloop was passed over: it ends on an interrupted poll, logs by itself and asserts on allocation. */
#include <czmq.h>

#include "base/clock.h"
#include "base/notify.h"
#include "base/process.h"
#include "net/socket.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

typedef struct {
    prf_socket_t *socket; /* borrowed; NULL: fd or timer */
    int fd;               /* -1: none */
    int timer;            /* its id; 0: none */
    unsigned period_ms;
    uint64_t due_ms;
    prf_loop_fn fn; /* NULL: dead */
    void *arg;      /* borrowed */
} source_t;

struct prf_loop {
    source_t *sources;
    zmq_pollitem_t *items; /* as many as sources; those of timers stay unused */
    size_t count, cap;
    int last_timer;
    bool stop, dead, hung_up;
    int signal_fd; /* -1: none */
    sigset_t mask_before;
    prf_loop_fn on_signal;
    void *signal_arg;
};

prf_status_t prf_loop_new(prf_loop_t **out, prf_error_t *err)
{
    prf_loop_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "event loop");
    self->signal_fd = -1;
    *out = self;
    return PRF_OK;
}

void prf_loop_destroy(prf_loop_t **self)
{
    if (!*self)
        return;
    if ((*self)->signal_fd >= 0) {
        close((*self)->signal_fd);
        pthread_sigmask(SIG_SETMASK, &(*self)->mask_before, NULL);
    }
    free((*self)->sources);
    free((*self)->items);
    free(*self);
    *self = NULL;
}

static prf_status_t add(prf_loop_t *self, source_t source, prf_error_t *err)
{
    if (self->count == self->cap) {
        size_t cap = self->cap ? 2 * self->cap : 8;
        source_t *sources = realloc(self->sources, cap * sizeof *sources);
        if (sources)
            self->sources = sources;
        zmq_pollitem_t *items = sources ? realloc(self->items, cap * sizeof *items) : NULL;
        if (!items)
            return prf_fail(err, PRF_ENOMEM, "event loop of %zu sources", cap);
        self->items = items;
        self->cap = cap;
    }
    self->sources[self->count++] = source;
    return PRF_OK;
}

prf_status_t prf_loop_add_socket(prf_loop_t *self, prf_socket_t *socket, prf_loop_fn fn, void *arg, prf_error_t *err)
{
    return add(self, (source_t){.socket = socket, .fd = -1, .fn = fn, .arg = arg}, err);
}

prf_status_t prf_loop_add_fd(prf_loop_t *self, int fd, prf_loop_fn fn, void *arg, prf_error_t *err)
{
    return add(self, (source_t){.fd = fd, .fn = fn, .arg = arg}, err);
}

prf_status_t prf_loop_add_timer(prf_loop_t *self, unsigned period_ms, prf_loop_fn fn, void *arg, int *id, prf_error_t *err)
{
    source_t source = {.fd = -1, .timer = self->last_timer + 1, .period_ms = period_ms ? period_ms : 1, .fn = fn, .arg = arg};
    source.due_ms = prf_clock_mono_ms() + source.period_ms;
    prf_status_t status = add(self, source, err);
    if (status)
        return status;
    self->last_timer++;
    if (id)
        *id = source.timer;
    return PRF_OK;
}

static void tell_alive(void *arg)
{
    (void)arg;
    prf_notify(PRF_NOTIFY_ALIVE, NULL);
}

prf_status_t prf_loop_add_watchdog(prf_loop_t *self, prf_error_t *err)
{
    unsigned period_ms = prf_notify_alive_ms();
    return period_ms ? prf_loop_add_timer(self, period_ms, tell_alive, NULL, NULL, err) : PRF_OK;
}

static void kill_source(prf_loop_t *self, source_t *source)
{
    source->fn = NULL;
    self->dead = true;
}

void prf_loop_remove_socket(prf_loop_t *self, prf_socket_t *socket)
{
    for (size_t i = 0; i < self->count; i++)
        if (socket && self->sources[i].socket == socket)
            kill_source(self, &self->sources[i]);
}

void prf_loop_remove_fd(prf_loop_t *self, int fd)
{
    for (size_t i = 0; i < self->count; i++)
        if (fd >= 0 && self->sources[i].fd == fd)
            kill_source(self, &self->sources[i]);
}

void prf_loop_remove_timer(prf_loop_t *self, int id)
{
    for (size_t i = 0; i < self->count; i++)
        if (id > 0 && self->sources[i].timer == id)
            kill_source(self, &self->sources[i]);
}

static void read_signals(void *arg)
{
    prf_loop_t *self = arg;
    struct signalfd_siginfo info;
    while (read(self->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP && self->hung_up)
            continue; /* shell and kernel both tell of one terminal that is closed */
        self->hung_up = self->hung_up || info.ssi_signo == SIGHUP;
        self->on_signal(self->signal_arg);
    }
}

prf_status_t prf_loop_on_signals(prf_loop_t *self, prf_loop_fn fn, void *arg, prf_error_t *err)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    if (prf_process_minds_hangup()) /* a descriptor knows nothing of signals that are ignored */
        sigaddset(&mask, SIGHUP);
    if (self->signal_fd >= 0)
        return prf_fail(err, PRF_EEXISTS, "the loop handles signals already");
    signal(SIGPIPE, SIG_IGN);
    int e = pthread_sigmask(SIG_BLOCK, &mask, &self->mask_before);
    if (e)
        return prf_fail_sys(err, e, "signals");
    int fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    prf_status_t status = fd < 0 ? prf_fail_sys(err, errno, "signals") : prf_loop_add_fd(self, fd, read_signals, self, err);
    if (status) {
        if (fd >= 0)
            close(fd);
        pthread_sigmask(SIG_SETMASK, &self->mask_before, NULL);
        return status;
    }
    self->signal_fd = fd;
    self->on_signal = fn;
    self->signal_arg = arg;
    return PRF_OK;
}

static void sweep(prf_loop_t *self)
{
    size_t kept = 0;
    for (size_t i = 0; self->dead && i < self->count; i++)
        if (self->sources[i].fn)
            self->sources[kept++] = self->sources[i];
    if (self->dead)
        self->count = kept;
    self->dead = false;
}

/* Fills the poll items; timers come as items that are never ready. Returns how long to wait, -1 for ever. */
static long prepare(prf_loop_t *self)
{
    uint64_t now = prf_clock_mono_ms(), next = UINT64_MAX;
    for (size_t i = 0; i < self->count; i++) {
        const source_t *source = &self->sources[i];
        bool polled = source->socket || source->fd >= 0;
        self->items[i] = (zmq_pollitem_t){.socket = source->socket ? prf_socket_handle(source->socket) : NULL,
                                          .fd = source->fd,
                                          .events = polled ? ZMQ_POLLIN : 0};
        if (source->timer && source->due_ms < next)
            next = source->due_ms;
    }
    return next == UINT64_MAX ? -1 : (next <= now ? 0 : (long)(next - now));
}

/* A timer that is late by several periods fires once. */
static bool timer_due(source_t *source, uint64_t now)
{
    if (!source->timer || source->due_ms > now)
        return false;
    source->due_ms += source->period_ms;
    if (source->due_ms <= now)
        source->due_ms = now + source->period_ms;
    return true;
}

static void dispatch(prf_loop_t *self, size_t count)
{
    uint64_t now = prf_clock_mono_ms();
    for (size_t i = 0; i < count && !self->stop; i++) {
        source_t *source = &self->sources[i];
        if (!source->fn)
            continue;
        /* A hung-up descriptor is readable too: its handler reads the end. */
        bool ready = source->timer ? timer_due(source, now) : self->items[i].revents != 0;
        if (ready)
            source->fn(source->arg);
    }
}

prf_status_t prf_loop_run(prf_loop_t *self, prf_error_t *err)
{
    self->stop = false;
    while (!self->stop) {
        sweep(self);
        size_t count = self->count;
        long wait_ms = prepare(self);
        int ready = zmq_poll(self->items, (int)count, wait_ms);
        if (ready < 0 && errno != EINTR)
            return prf_fail(err, PRF_EIO, "event loop: %s: see the system's log (dmesg, journalctl)", zmq_strerror(errno));
        if (ready < 0)
            continue;
        dispatch(self, count);
    }
    return PRF_OK;
}

void prf_loop_stop(prf_loop_t *self)
{
    self->stop = true;
}
