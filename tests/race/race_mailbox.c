// SPDX-License-Identifier: Apache-2.0
/* race_mailbox.c - several threads put into one small mailbox, several take out of it, one polls its descriptor, and it is closed
 * while they are at it: every item that was put comes out once. */
#include <poll.h>
#include <pthread.h>

#include "net/net.h"
#include "tests/support/must.h"

enum { PUTTERS = 4, TAKERS = 3, ITEMS = 5000, CAP = 8 };

static prf_mailbox_t *box;
static unsigned char seen[PUTTERS * ITEMS]; /* an item is a pointer into it */

static void *put(void *arg)
{
    unsigned char *mine = arg;
    for (size_t i = 0; i < ITEMS; i++)
        MUST(prf_mailbox_put(box, mine + i, NULL) == PRF_OK, "item %zu", i);
    return NULL;
}

static void *take(void *arg)
{
    (void)arg;
    size_t count = 0;
    for (unsigned char *item; (item = prf_mailbox_take(box, -1)); count++)
        (*item)++;
    return NULL;
}

/* As a loop does: sleeps on the descriptor, then takes what there is. */
static void *watch(void *arg)
{
    (void)arg;
    struct pollfd fd = {.fd = prf_mailbox_fd(box), .events = POLLIN};
    for (int idle = 0; idle < 5;) {
        idle = poll(&fd, 1, 20) > 0 ? 0 : idle + 1;
        unsigned char *item = prf_mailbox_take(box, 0);
        if (item)
            (*item)++;
        prf_mailbox_count(box);
    }
    return NULL;
}

int main(void)
{
    pthread_t putters[PUTTERS], takers[TAKERS], watcher;
    prf_error_t err;
    MUST(prf_mailbox_new(&box, CAP, &err) == PRF_OK, "%s", err.text);
    for (size_t i = 0; i < PUTTERS; i++)
        MUST(pthread_create(&putters[i], NULL, put, seen + i * ITEMS) == 0, "thread");
    for (size_t i = 0; i < TAKERS; i++)
        MUST(pthread_create(&takers[i], NULL, take, NULL) == 0, "thread");
    MUST(pthread_create(&watcher, NULL, watch, NULL) == 0, "thread");
    for (size_t i = 0; i < PUTTERS; i++)
        pthread_join(putters[i], NULL);
    prf_mailbox_close(box);
    for (size_t i = 0; i < TAKERS; i++)
        pthread_join(takers[i], NULL);
    pthread_join(watcher, NULL);
    for (size_t i = 0; i < sizeof seen; i++)
        MUST(seen[i] == 1, "item %zu came out %u times", i, seen[i]);
    prf_mailbox_destroy(&box, NULL);
    return 0;
}
