// SPDX-License-Identifier: Apache-2.0
/* side.c - two mailboxes and a thread between them. Unlike a training a task is short, since its size is limited, so the end waits
 * for it. */
#include "side.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "net/net.h"

typedef struct {
    const prf_side_work_t *work;
    void *task;
} item_t;

struct prf_side {
    prf_mailbox_t *in, *out;
    pthread_t thread;
    bool started;
    size_t count; /* of tasks that were taken over and are not done */
};

static void *work(void *arg)
{
    prf_side_t *self = arg;
    item_t *item;
    while ((item = prf_mailbox_take(self->in, -1))) {
        item->work->run(item->task);
        (void)!prf_mailbox_put(self->out, item, NULL); /* has room for all, and is closed after this thread */
    }
    return NULL;
}

/* Signals are for the loop thread alone. */
static int start(prf_side_t *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&self->thread, NULL, work, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    self->started = error == 0;
    return error;
}

prf_status_t prf_side_new(prf_side_t **out, prf_error_t *err)
{
    prf_side_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "side thread");
    prf_status_t status = prf_mailbox_new(&self->in, PRF_SIDE_WAITING, err);
    if (!status)
        status = prf_mailbox_new(&self->out, PRF_SIDE_WAITING, err);
    if (!status) {
        int error = start(self);
        if (error)
            status = prf_fail_sys(err, error, "side thread");
    }
    if (status) {
        prf_side_destroy(&self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

static void finish(prf_side_t *self, item_t *item, bool ran)
{
    self->count--;
    item->work->done(item->task, ran);
    free(item);
}

void prf_side_destroy(prf_side_t **self)
{
    if (!self || !*self)
        return;
    prf_side_t *side = *self;
    item_t *item;
    while (side->in && (item = prf_mailbox_take(side->in, 0)))
        finish(side, item, false);
    if (side->in)
        prf_mailbox_close(side->in);
    if (side->started)
        pthread_join(side->thread, NULL);
    if (side->out)
        prf_side_read(side);
    prf_mailbox_destroy(&side->in, NULL);
    prf_mailbox_destroy(&side->out, NULL);
    free(side);
    *self = NULL;
}

prf_status_t prf_side_put(prf_side_t *self, const prf_side_work_t *work, void *task, prf_error_t *err)
{
    if (self->count == PRF_SIDE_WAITING)
        return prf_fail(err, PRF_EBUSY, "%d questions wait to be answered: ask again in a moment", (int)PRF_SIDE_WAITING);
    item_t *item = malloc(sizeof *item);
    if (!item)
        return prf_fail(err, PRF_ENOMEM, "a question");
    *item = (item_t){work, task};
    prf_status_t status = prf_mailbox_put(self->in, item, err);
    if (status)
        free(item);
    else
        self->count++;
    return status;
}

int prf_side_fd(const prf_side_t *self)
{
    return prf_mailbox_fd(self->out);
}

void prf_side_read(prf_side_t *self)
{
    item_t *item;
    while ((item = prf_mailbox_take(self->out, 0)))
        finish(self, item, true);
}
