// SPDX-License-Identifier: Apache-2.0
/* trainer.c - two mailboxes and a thread between them. One thread is enough: training itself uses all processors. A training cannot
 * be interrupted, so the end must not wait for the thread for ever: it leaves word in a third mailbox when it is about to end.
 * (pthread_clockjoin_np could wait as well, but ThreadSanitizer does not know it, and takes the thread for one that still runs.) */
#include "trainer.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "net/net.h"

enum { WAITING_AT_MOST = 4096 };

typedef struct {
    uint64_t owner;
    prf_training_t *task; /* owned */
} item_t;

struct prf_trainer {
    prf_mailbox_t *in, *out, *ended;
    pthread_t thread;
};

static void drop(void *arg)
{
    item_t *item = arg;
    prf_training_destroy(&item->task);
    free(item);
}

static void *work(void *arg)
{
    prf_trainer_t *self = arg;
    item_t *item;
    while ((item = prf_mailbox_take(self->in, -1))) {
        prf_training_run(item->task);
        if (prf_mailbox_put(self->out, item, NULL))
            drop(item);
    }
    (void)!prf_mailbox_put(self->ended, self, NULL);
    return NULL;
}

static void release(prf_trainer_t *self)
{
    prf_mailbox_destroy(&self->in, drop);
    prf_mailbox_destroy(&self->out, drop);
    prf_mailbox_destroy(&self->ended, NULL);
    free(self);
}

/* Signals are for the loop thread alone. */
static int start(prf_trainer_t *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&self->thread, NULL, work, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

prf_status_t prf_trainer_new(prf_trainer_t **out, prf_error_t *err)
{
    prf_trainer_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "trainer");
    prf_status_t status = prf_mailbox_new(&self->in, WAITING_AT_MOST, err);
    if (!status)
        status = prf_mailbox_new(&self->out, WAITING_AT_MOST, err);
    if (!status)
        status = prf_mailbox_new(&self->ended, 1, err);
    if (!status) {
        int error = start(self);
        if (error)
            status = prf_fail_sys(err, error, "the trainer's thread");
    }
    if (status) {
        release(self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

void prf_trainer_destroy(prf_trainer_t **self, unsigned grace_ms)
{
    if (!self || !*self)
        return;
    prf_trainer_t *t = *self;
    *self = NULL;
    item_t *item;
    while ((item = prf_mailbox_take(t->in, 0)))
        drop(item);
    prf_mailbox_close(t->in);
    prf_mailbox_close(t->out);
    if (prf_mailbox_take(t->ended, (int)grace_ms)) {
        pthread_join(t->thread, NULL);
        release(t);
    } else {
        pthread_detach(t->thread);
    }
}

prf_status_t prf_trainer_put(prf_trainer_t *self, uint64_t owner, prf_training_t *task, prf_error_t *err)
{
    item_t *item = malloc(sizeof *item);
    if (!item) {
        prf_training_destroy(&task);
        return prf_fail(err, PRF_ENOMEM, "a training task");
    }
    *item = (item_t){owner, task};
    /* A full mailbox would make the loop wait. */
    prf_status_t status =
        prf_mailbox_count(self->in) < WAITING_AT_MOST
            ? prf_mailbox_put(self->in, item, err)
            : prf_fail(err, PRF_EBUSY, "%d trainings are waiting, no more fit: wait until some are done", WAITING_AT_MOST);
    if (status)
        drop(item);
    return status;
}

int prf_trainer_fd(const prf_trainer_t *self)
{
    return prf_mailbox_fd(self->out);
}

bool prf_trainer_take(prf_trainer_t *self, uint64_t *owner, prf_training_t **task)
{
    item_t *item = prf_mailbox_take(self->out, 0);
    if (!item)
        return false;
    *owner = item->owner;
    *task = item->task;
    free(item);
    return true;
}
