// SPDX-License-Identifier: Apache-2.0
#include "store_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Writes and answers under way at most; one value of the greatest size always fits an empty queue. */
enum { WAITING_BYTES = PRF_STORE_VALUE + (64 << 20), WAITING_WRITES = 1 << 17 };

struct prf_store_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled; /* or closed */
    prf_write_t *first, **last;
    size_t bytes;    /* of writes not yet answered */
    size_t promised; /* answers set aside: writes with a token not yet answered */
    prf_store_done_t *done;
    size_t done_first;           /* those before it were fetched */
    size_t done_count, done_cap; /* done_count + promised <= done_cap */
    size_t writes;               /* not yet answered */
    prf_write_t *spent; /* answered; freed by the thread that made them, since memory that wanders between threads is dear */
    bool closed;
    int fd; /* holds 1 exactly while there are answers */
};

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
    self->last = &self->first;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->filled, NULL);
    *out = self;
    return PRF_OK;
}

static void free_all(prf_write_t *writes)
{
    while (writes) {
        prf_write_t *next = writes->next;
        free(writes);
        writes = next;
    }
}

void prf_store_queue_destroy(prf_store_queue_t **self)
{
    if (!*self)
        return;
    free_all((*self)->spent);
    pthread_cond_destroy(&(*self)->filled);
    pthread_mutex_destroy(&(*self)->lock);
    close((*self)->fd);
    free((*self)->done);
    free(*self);
    *self = NULL;
}

static size_t size_of(const prf_write_t *write)
{
    return sizeof *write + write->key_len + write->value_len;
}

/* Under the lock. */
static prf_status_t make_room(prf_store_queue_t *self, const prf_write_t *write, prf_error_t *err)
{
    if (self->bytes + size_of(write) > WAITING_BYTES || self->writes + self->done_count >= WAITING_WRITES)
        return prf_fail(err, PRF_EBUSY, "%zu writes wait for the disk, which is too slow: try again later", self->writes);
    if (write->token == 0 || self->done_count + self->promised < self->done_cap)
        return PRF_OK;
    size_t cap = self->done_cap ? 2 * self->done_cap : 64;
    prf_store_done_t *done = realloc(self->done, cap * sizeof *done);
    if (!done)
        return prf_fail(err, PRF_ENOMEM, "store queue of %zu answers", cap);
    self->done = done;
    self->done_cap = cap;
    return PRF_OK;
}

/* Under the lock. */
static prf_write_t *take_spent(prf_store_queue_t *self)
{
    prf_write_t *spent = self->spent;
    self->spent = NULL;
    return spent;
}

prf_status_t prf_store_queue_put(prf_store_queue_t *self, prf_write_t *write, prf_error_t *err)
{
    pthread_mutex_lock(&self->lock);
    prf_status_t status = make_room(self, write, err);
    if (!status) {
        write->next = NULL;
        *self->last = write;
        self->last = &write->next;
        self->bytes += size_of(write);
        self->writes++;
        self->promised += write->token != 0;
        pthread_cond_signal(&self->filled);
    }
    prf_write_t *spent = take_spent(self);
    pthread_mutex_unlock(&self->lock);
    free_all(spent);
    if (status)
        free(write);
    return status;
}

prf_write_t *prf_store_queue_take(prf_store_queue_t *self)
{
    pthread_mutex_lock(&self->lock);
    while (!self->first && !self->closed)
        pthread_cond_wait(&self->filled, &self->lock);
    prf_write_t *group = self->first;
    self->first = NULL;
    self->last = &self->first;
    pthread_mutex_unlock(&self->lock);
    return group;
}

void prf_store_queue_answer(prf_store_queue_t *self, prf_write_t *group, prf_status_t status)
{
    pthread_mutex_lock(&self->lock);
    size_t before = self->done_count;
    if (self->done_first > 0)
        memmove(self->done, self->done + self->done_first, self->done_count * sizeof *self->done);
    self->done_first = 0;
    for (prf_write_t *write = group, *next; write; write = next) {
        next = write->next;
        self->bytes -= size_of(write);
        self->writes--;
        if (write->token != 0) {
            self->promised--;
            self->done[self->done_count++] = (prf_store_done_t){.token = write->token, .status = status};
        }
        write->next = self->spent;
        self->spent = write;
    }
    if (before == 0 && self->done_count > 0)
        (void)!eventfd_write(self->fd, 1);
    pthread_mutex_unlock(&self->lock);
}

void prf_store_queue_close(prf_store_queue_t *self)
{
    pthread_mutex_lock(&self->lock);
    self->closed = true;
    pthread_cond_signal(&self->filled);
    pthread_mutex_unlock(&self->lock);
}

size_t prf_store_queue_done(prf_store_queue_t *self, prf_store_done_t *out, size_t cap)
{
    pthread_mutex_lock(&self->lock);
    size_t count = self->done_count < cap ? self->done_count : cap;
    if (count) {
        memcpy(out, self->done + self->done_first, count * sizeof *out);
        self->done_first += count;
        self->done_count -= count;
    }
    if (count && self->done_count == 0) {
        eventfd_t value;
        (void)!eventfd_read(self->fd, &value);
    }
    prf_write_t *spent = take_spent(self);
    pthread_mutex_unlock(&self->lock);
    free_all(spent);
    return count;
}

int prf_store_queue_fd(const prf_store_queue_t *self)
{
    return self->fd;
}
