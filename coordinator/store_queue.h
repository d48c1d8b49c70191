// SPDX-License-Identifier: Apache-2.0
/* store_queue.h - what waits between the loop thread and the store's thread: writes one way, answers the other. Any thread.
 *
 * Bounded in both directions: a write that would go beyond the limits is refused, and the place of its answer is set aside when it
 * is accepted, so that the store's thread can always answer. */
#ifndef PRF_STORE_QUEUE_H
#define PRF_STORE_QUEUE_H

#include "store.h"

/* One write; `bytes` holds the key and, behind it, the value as it is stored. */
typedef struct prf_write {
    struct prf_write *next;
    prf_table_t table;
    uint64_t token; /* 0: nobody waits for the answer */
    bool erase;
    size_t key_len, value_len;
    unsigned char bytes[];
} prf_write_t;

typedef struct prf_store_queue prf_store_queue_t;

PRF_CHECKED prf_status_t prf_store_queue_new(prf_store_queue_t **out, prf_error_t *err);
/* Nothing may be waiting any more. NULL-safe. */
void prf_store_queue_destroy(prf_store_queue_t **self);
/* Takes `write` (from malloc) over; on failure too, which frees it. Errors: PRF_EBUSY (full), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_store_queue_put(prf_store_queue_t *self, prf_write_t *write, prf_error_t *err);
/* Waits, then takes all writes that have gathered, in order; NULL once the queue is closed and empty. */
prf_write_t *prf_store_queue_take(prf_store_queue_t *self);
/* Answers what prf_store_queue_take handed out, and takes it back. */
void prf_store_queue_answer(prf_store_queue_t *self, prf_write_t *group, prf_status_t status);
void prf_store_queue_close(prf_store_queue_t *self);
size_t prf_store_queue_done(prf_store_queue_t *self, prf_store_done_t *out, size_t cap);
int prf_store_queue_fd(const prf_store_queue_t *self);

#endif
