// SPDX-License-Identifier: Apache-2.0
/* store_queue.h - what waits between the loop thread and the store's thread: writes one way, the same writes with their answers the
 * other. So memory stays with the thread that made it, and the lock is held for a few pointers only. Bounded: a write that would go
 * beyond the limits is refused; it counts until its answer was read. */
#ifndef PRF_STORE_QUEUE_H
#define PRF_STORE_QUEUE_H

#include "store.h"

/* One write; `bytes` holds the key and, behind it, the value as it is stored. */
typedef struct prf_write {
    struct prf_write *next;
    prf_table_t table;
    uint64_t token;      /* 0: nobody waits for the answer */
    prf_status_t status; /* the answer */
    bool erase;
    size_t key_len, value_len;
    unsigned char bytes[];
} prf_write_t;

typedef struct prf_store_queue prf_store_queue_t;

PRF_CHECKED prf_status_t prf_store_queue_new(prf_store_queue_t **out, prf_error_t *err);
/* Nothing may be waiting any more. NULL-safe. */
void prf_store_queue_destroy(prf_store_queue_t **self);
/* Of the loop thread: */
/* A write with room for so many bytes, to be filled and put. NULL: out of memory. */
prf_write_t *prf_store_queue_write(prf_store_queue_t *self, size_t bytes);
/* Takes `write` over; on failure too. Errors: PRF_EBUSY (full). */
PRF_CHECKED prf_status_t prf_store_queue_put(prf_store_queue_t *self, prf_write_t *write, prf_error_t *err);
size_t prf_store_queue_done(prf_store_queue_t *self, prf_store_done_t *out, size_t cap);
int prf_store_queue_fd(const prf_store_queue_t *self);
void prf_store_queue_close(prf_store_queue_t *self);

/* Of the store's thread: */
/* Waits, then takes all writes that have gathered, in order; NULL once the queue is closed and empty. */
prf_write_t *prf_store_queue_take(prf_store_queue_t *self);
/* Answers what prf_store_queue_take handed out, and gives it back. */
void prf_store_queue_answer(prf_store_queue_t *self, prf_write_t *group, prf_status_t status);

#endif
