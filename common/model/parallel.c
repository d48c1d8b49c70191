// SPDX-License-Identifier: Apache-2.0
#include "model/parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { MOST_THREADS = 64 };

typedef struct {
    atomic_size_t next;
    size_t count;
    void (*work)(void *context, size_t index);
    void *context;
} queue_t;

static void *serve(void *arg)
{
    queue_t *queue = arg;
    for (size_t i = atomic_fetch_add(&queue->next, 1); i < queue->count; i = atomic_fetch_add(&queue->next, 1))
        queue->work(queue->context, i);
    return NULL;
}

void prf_parallel(size_t count, unsigned threads, void (*work)(void *context, size_t index), void *context)
{
    queue_t queue = {.count = count, .work = work, .context = context};
    if (threads == 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        threads = online > 0 ? (unsigned)online : 1;
    }
    if (threads > MOST_THREADS)
        threads = MOST_THREADS;
    pthread_t helpers[MOST_THREADS];
    unsigned started = 0;
    while (started + 1 < threads && started + 1 < count && pthread_create(&helpers[started], NULL, serve, &queue) == 0)
        started++;
    serve(&queue);
    for (unsigned i = 0; i < started; i++)
        pthread_join(helpers[i], NULL);
}
