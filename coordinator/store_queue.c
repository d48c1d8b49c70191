// SPDX-License-Identifier: Apache-2.0
#include "store_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/pool.h"

enum {
    WAITING_BYTES = PRF_STORE_VALUE + (64 << 20), /* one value of the greatest size always fits an empty queue */
    WAITING_WRITES = 1 << 17,
    SMALL = 192, /* bytes of a write whose memory is kept: most are results */
    KEPT = 1 << 15
};

typedef struct {
    prf_write_t *first, **last;
} chain_t;

struct prf_store_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled; /* or closed */
    chain_t waiting, answered;
    chain_t spent; /* done, and nobody waits to hear of it */
    bool closed;
    bool signalled; /* fd holds 1: answers are not read */
    int fd;
    /* The loop thread's own: */
    prf_write_t *reading; /* taken from `answered` */
    size_t bytes, writes; /* put, and neither their answer read nor settled without one */
    prf_pool_t pool;      /* of writes of SMALL bytes */
};

static void chain_init(chain_t *chain)
{
    *chain = (chain_t){NULL, &chain->first};
}

static void chain_add(chain_t *chain, prf_write_t *first, prf_write_t **last)
{
    *chain->last = first;
    chain->last = last;
}

static prf_write_t *chain_take(chain_t *chain)
{
    prf_write_t *first = chain->first;
    chain_init(chain);
    return first;
}

prf_status_t prf_store_queue_new(prf_store_queue_t **out, prf_error_t *err)
{
    prf_store_queue_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "store queue");
    self->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->fd < 0) {
        int e = errno;
        free(self);
        return prf_fail_sys(err, e, "store queue");
    }
    chain_init(&self->waiting);
    chain_init(&self->answered);
    chain_init(&self->spent);
    prf_pool_init(&self->pool, SMALL, KEPT);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->filled, NULL);
    *out = self;
    return PRF_OK;
}

static size_t size_of(const prf_write_t *write)
{
    return sizeof *write + write->key_len + write->value_len;
}

prf_write_t *prf_store_queue_write(prf_store_queue_t *self, size_t bytes)
{
    size_t size = sizeof(prf_write_t) + bytes;
    return size <= SMALL ? prf_pool_take(&self->pool) : malloc(size);
}

static void drop(prf_store_queue_t *self, prf_write_t *write)
{
    if (size_of(write) <= SMALL)
        prf_pool_give(&self->pool, write);
    else
        free(write);
}

/* It counts no longer. */
static void settle(prf_store_queue_t *self, prf_write_t *write)
{
    self->bytes -= size_of(write);
    self->writes--;
    drop(self, write);
}

static void settle_all(prf_store_queue_t *self, prf_write_t *writes)
{
    while (writes) {
        prf_write_t *next = writes->next;
        settle(self, writes);
        writes = next;
    }
}

void prf_store_queue_destroy(prf_store_queue_t **self)
{
    if (!*self)
        return;
    settle_all(*self, (*self)->reading);
    settle_all(*self, chain_take(&(*self)->answered));
    settle_all(*self, chain_take(&(*self)->spent));
    prf_pool_release(&(*self)->pool);
    pthread_cond_destroy(&(*self)->filled);
    pthread_mutex_destroy(&(*self)->lock);
    close((*self)->fd);
    free(*self);
    *self = NULL;
}

static bool fits(const prf_store_queue_t *self, size_t size)
{
    return self->bytes + size <= WAITING_BYTES && self->writes < WAITING_WRITES;
}

static void settle_spent(prf_store_queue_t *self)
{
    pthread_mutex_lock(&self->lock);
    prf_write_t *spent = chain_take(&self->spent);
    pthread_mutex_unlock(&self->lock);
    settle_all(self, spent);
}

prf_status_t prf_store_queue_put(prf_store_queue_t *self, prf_write_t *write, prf_error_t *err)
{
    size_t size = size_of(write);
    if (!fits(self, size))
        settle_spent(self);
    if (!fits(self, size)) {
        drop(self, write);
        return prf_fail(err, PRF_EBUSY, "%zu writes wait for the disk, which is too slow: try again later", self->writes);
    }
    write->next = NULL;
    self->bytes += size;
    self->writes++;
    pthread_mutex_lock(&self->lock);
    bool first = !self->waiting.first;
    chain_add(&self->waiting, write, &write->next);
    pthread_mutex_unlock(&self->lock);
    if (first) /* else the other thread knows */
        pthread_cond_signal(&self->filled);
    return PRF_OK;
}

prf_write_t *prf_store_queue_take(prf_store_queue_t *self)
{
    pthread_mutex_lock(&self->lock);
    while (!self->waiting.first && !self->closed)
        pthread_cond_wait(&self->filled, &self->lock);
    prf_write_t *group = chain_take(&self->waiting);
    pthread_mutex_unlock(&self->lock);
    return group;
}

void prf_store_queue_answer(prf_store_queue_t *self, prf_write_t *group, prf_status_t status)
{
    chain_t awaited, others;
    chain_init(&awaited);
    chain_init(&others);
    for (prf_write_t *write = group, *next; write; write = next) {
        next = write->next;
        write->next = NULL;
        write->status = status;
        chain_add(write->token ? &awaited : &others, write, &write->next);
    }
    pthread_mutex_lock(&self->lock);
    if (others.first)
        chain_add(&self->spent, others.first, others.last);
    if (awaited.first) {
        chain_add(&self->answered, awaited.first, awaited.last);
        if (!self->signalled)
            (void)!eventfd_write(self->fd, 1);
        self->signalled = true;
    }
    pthread_mutex_unlock(&self->lock);
}

void prf_store_queue_close(prf_store_queue_t *self)
{
    pthread_mutex_lock(&self->lock);
    self->closed = true;
    pthread_cond_signal(&self->filled);
    pthread_mutex_unlock(&self->lock);
}

/* What was answered since the last time, so that something is being read unless nothing is left. */
static void refill(prf_store_queue_t *self)
{
    eventfd_t value;
    if (self->reading)
        return;
    pthread_mutex_lock(&self->lock);
    prf_write_t *spent = chain_take(&self->spent);
    self->reading = chain_take(&self->answered);
    if (!self->reading && self->signalled) {
        self->signalled = false;
        (void)!eventfd_read(self->fd, &value);
    }
    pthread_mutex_unlock(&self->lock);
    settle_all(self, spent);
}

size_t prf_store_queue_done(prf_store_queue_t *self, prf_store_done_t *out, size_t cap)
{
    size_t count = 0;
    refill(self);
    while (self->reading && count < cap) {
        prf_write_t *write = self->reading;
        out[count++] = (prf_store_done_t){.token = write->token, .status = write->status};
        self->reading = write->next;
        settle(self, write);
        refill(self);
    }
    return count;
}

int prf_store_queue_fd(const prf_store_queue_t *self)
{
    return self->fd;
}
