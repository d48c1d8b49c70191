// SPDX-License-Identifier: Apache-2.0
/* mailbox.c - a ring of pointers under one lock. The eventfd holds 1 exactly while the ring holds something, and is changed
 * under the lock, so that a loop never sleeps over an item nor wakes for none. */
#include "net/net.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct prf_mailbox {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* filled, emptied by one, or closed */
    void **items;           /* ring; its pointers are owned by whoever takes them */
    size_t first, count, cap;
    bool closed;
    int fd;
};

prf_status_t prf_mailbox_new(prf_mailbox_t **out, size_t cap, prf_error_t *err)
{
    if (cap < 1)
        return prf_fail(err, PRF_EINVAL, "mailbox of %zu: use at least 1", cap);
    prf_mailbox_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "mailbox");
    self->items = calloc(cap, sizeof *self->items);
    self->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!self->items || self->fd < 0) {
        int e = self->items ? errno : ENOMEM;
        if (self->fd >= 0)
            close(self->fd);
        free(self->items);
        free(self);
        return prf_fail_sys(err, e, "mailbox of %zu", cap);
    }
    self->cap = cap;
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &attr);
    pthread_condattr_destroy(&attr);
    *out = self;
    return PRF_OK;
}

void prf_mailbox_destroy(prf_mailbox_t **self, void (*drop)(void *item))
{
    prf_mailbox_t *m = *self;
    if (!m)
        return;
    for (size_t i = 0; drop && i < m->count; i++)
        drop(m->items[(m->first + i) % m->cap]);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    close(m->fd);
    free(m->items);
    free(m);
    *self = NULL;
}

prf_status_t prf_mailbox_put(prf_mailbox_t *self, void *item, prf_error_t *err)
{
    pthread_mutex_lock(&self->lock);
    while (self->count == self->cap && !self->closed)
        pthread_cond_wait(&self->changed, &self->lock);
    bool closed = self->closed;
    if (!closed) {
        self->items[(self->first + self->count) % self->cap] = item;
        if (self->count++ == 0)
            (void)!eventfd_write(self->fd, 1);
        pthread_cond_broadcast(&self->changed);
    }
    pthread_mutex_unlock(&self->lock);
    return closed ? prf_fail(err, PRF_ECANCELLED, "the mailbox is closed") : PRF_OK;
}

/* False when the time is up. */
static bool wait_until(prf_mailbox_t *self, const struct timespec *deadline)
{
    if (!deadline)
        return pthread_cond_wait(&self->changed, &self->lock) == 0;
    return pthread_cond_timedwait(&self->changed, &self->lock, deadline) == 0;
}

static struct timespec after(int timeout_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

void *prf_mailbox_take(prf_mailbox_t *self, int timeout_ms)
{
    struct timespec deadline = after(timeout_ms > 0 ? timeout_ms : 0);
    void *item = NULL;
    pthread_mutex_lock(&self->lock);
    bool waiting = timeout_ms != 0;
    while (self->count == 0 && !self->closed && waiting)
        waiting = wait_until(self, timeout_ms < 0 ? NULL : &deadline);
    if (self->count > 0) {
        item = self->items[self->first];
        self->first = (self->first + 1) % self->cap;
        if (--self->count == 0) {
            eventfd_t value;
            (void)!eventfd_read(self->fd, &value);
        }
        pthread_cond_broadcast(&self->changed);
    }
    pthread_mutex_unlock(&self->lock);
    return item;
}

void prf_mailbox_close(prf_mailbox_t *self)
{
    pthread_mutex_lock(&self->lock);
    self->closed = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

size_t prf_mailbox_count(prf_mailbox_t *self)
{
    pthread_mutex_lock(&self->lock);
    size_t count = self->count;
    pthread_mutex_unlock(&self->lock);
    return count;
}

int prf_mailbox_fd(prf_mailbox_t *self)
{
    return self->fd;
}
