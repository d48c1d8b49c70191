// SPDX-License-Identifier: Apache-2.0
/* scheduler.h (not sched.h, which is the system's) - which job an idle board gets next, and who has which. Pure: no I/O, no clock;
 * `now_ms` is monotonic time that the caller hands in. Loop thread only. docs/states.md has a job's life.
 *
 * Jobs wait in one queue a *class*: boards of one kind with one runtime, among which it makes no difference who measures. A board
 * is known here by a number that the caller chooses (small, kept for ever). A job is known by its point's entry in the ledger,
 * which has to outlive the scheduler; each time it is leased it gets a new id and a new epoch. Ids and epochs only rise, from the
 * number that the caller begins with. */
#ifndef PRF_SCHED_H
#define PRF_SCHED_H

#include "ledger.h"
#include "states.h"
#include "wire/wire.h"

typedef struct prf_sched prf_sched_t;

enum {
    PRF_SCHED_CLASSES = 1024,
    PRF_SCHED_TRIES = 3,    /* failures of a job before it is given up */
    PRF_SCHED_EXPIRIES = 5, /* leases of a job that may pass while their board is alive */
    PRF_SCHED_OWNERS = 64   /* campaigns (and single requests) that may want jobs at once */
};

typedef struct {
    prf_job_state_t state;
    uint64_t id, epoch;    /* epoch: the newest that was issued; 0: none */
    uint32_t klass, board; /* board only while it is leased */
    uint32_t tries, again;
    const prf_block_t *blocks; /* borrowed until the job ends */
    size_t block_count;
} prf_job_view_t;

/* A scheduler of at most `cap` jobs whose ids and epochs are above `first`. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_sched_new(prf_sched_t **out, size_t cap, uint64_t first, prf_error_t *err);
void prf_sched_destroy(prf_sched_t **self); /* NULL-safe; clears *self */

/* The class of these boards, made when it is new. Errors: PRF_EBUSY (too many classes), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_sched_class(prf_sched_t *self, const char *kind, const char *fingerprint, uint32_t *out,
                                         prf_error_t *err);
size_t prf_sched_queued(const prf_sched_t *self, uint32_t klass);
size_t prf_sched_queued_all(const prf_sched_t *self);
bool prf_sched_waiting(const prf_sched_t *self); /* some class has a job queued */
size_t prf_sched_room(const prf_sched_t *self);  /* jobs that may still be added */
size_t prf_sched_count(const prf_sched_t *self); /* jobs in any state */

/* A number that no job, lease or session has. */
uint64_t prf_sched_number(prf_sched_t *self);

/* Wants the entry's point measured by the protocol and with the blocks and edges (copied) of `job`, of which nothing else is taken.
 * A job that is there already only gets one more owner (0 .. PRF_SCHED_OWNERS - 1). Errors: PRF_EBUSY (full), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_sched_add(prf_sched_t *self, uint32_t klass, unsigned owner, prf_entry_t *entry, const prf_job_t *job,
                                       prf_error_t *err);
/* A board holds a job that it need not begin any more: nobody wants it, or its lease is over. `fn` must not call the scheduler. */
typedef void (*prf_sched_revoked_fn)(void *arg, uint32_t board, uint64_t id);
void prf_sched_notify(prf_sched_t *self, prf_sched_revoked_fn fn, void *arg);

/* This owner wants nothing more. Jobs that nobody wants are dropped, leased ones revoked. */
void prf_sched_disown(prf_sched_t *self, unsigned owner);

/* A board is here and takes jobs of a class; it may be of another class than the last time. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_sched_join(prf_sched_t *self, uint32_t board, uint32_t klass, prf_error_t *err);
/* It is gone, or gets no more work: its leases go back to the head of the queue at once, and are revoked. */
void prf_sched_leave(prf_sched_t *self, uint32_t board);
size_t prf_sched_leases(const prf_sched_t *self, uint32_t board);

/* Leases the next job to a board. Jobs that failed there wait for another board of the class while there is one. out->deadline_ms
 * is how long the board may take: what the protocol allows, and four times what the job's warm-up and repeats would take at the
 * slowest pace that its class has shown, doubled for each earlier failure or expiry. The lease holds for that and `slack_ms`.
 * out->blocks is borrowed until the job ends. False: nothing for it now. */
bool prf_sched_next(prf_sched_t *self, uint32_t board, uint64_t now_ms, uint64_t slack_ms, prf_job_t *out);
/* The last `count` jobs that were leased to the board never reached it: back to the head of the queue. */
void prf_sched_return(prf_sched_t *self, uint32_t board, size_t count);
/* The board has these jobs: their leases run from now. A lease cannot be renewed for ever: it ends at the latest when the board
 * could have worked through everything it held when the lease began, twice. */
void prf_sched_renew(prf_sched_t *self, uint32_t board, const uint64_t *ids, size_t count, uint64_t now_ms, uint64_t slack_ms);
/* How many jobs were granted to the board that it did not name in its last whole heartbeat, which ends with this call: they are
 * on their way, or lost. */
size_t prf_sched_unlisted(prf_sched_t *self, uint32_t board);
/* The board has begun anew and may have forgotten its jobs: from now on it has the usual time to name them. */
void prf_sched_doubt(prf_sched_t *self, uint32_t board, uint64_t now_ms);

/* Ends the leases that are over, and those that their board had not named for `unlisted_ms` when its last words were read, which
 * was at `heard_ms`: it never got them or lost them, which is not the job's fault. Each is told to `fn`, which must not call the
 * scheduler; with `given_up` the job is held (too many of its leases passed) and its failure is for `fn` to store, else it is
 * queued again, and so it is when `fn` says false: it could not. */
typedef bool (*prf_sched_expired_fn)(void *arg, prf_entry_t *entry, uint32_t board, bool given_up);
void prf_sched_expire(prf_sched_t *self, uint64_t now_ms, uint64_t heard_ms, uint64_t unlisted_ms, prf_sched_expired_fn fn,
                      void *arg);

/* A board of the job's class measured it: what the class's pace is known by. */
void prf_sched_pace(prf_sched_t *self, const prf_entry_t *entry, double latency_ns);

/* False: nobody waits for it (nor without an entry: NULL). */
bool prf_sched_get(const prf_entry_t *entry, prf_job_view_t *out);
/* Its outcome is being stored: no lease any more, no board gets it. */
void prf_sched_hold(prf_sched_t *self, prf_entry_t *entry);
/* The outcome could not be stored after all: back to the end of its queue. */
void prf_sched_unhold(prf_sched_t *self, prf_entry_t *entry);
/* A board failed on it. True: it was queued again, for another board if possible. False: it is held, and given up.
 * `final`: give it up whatever its number of tries. */
bool prf_sched_fail(prf_sched_t *self, prf_entry_t *entry, uint32_t board, bool final);
/* A held job goes to the end of its queue to be measured once more; false, and still held, when that was done `most` times. */
bool prf_sched_again(prf_sched_t *self, prf_entry_t *entry, uint32_t most);
/* What its board told of it does not count as a failure of the job: back to the end of its queue, for another board if
 * possible. */
void prf_sched_postpone(prf_sched_t *self, prf_entry_t *entry, uint32_t board);
/* It has its outcome: forgotten. */
void prf_sched_done(prf_sched_t *self, prf_entry_t *entry);

#endif
