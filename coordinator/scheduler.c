// SPDX-License-Identifier: Apache-2.0
/* scheduler.c - every job is in exactly one list: its class's queue, its board's leases, or the held ones. Its point's entry in the
 * ledger leads to it.
 *
 * A job that was lost with its board goes back to the head of the queue, because something may wait for it; one that failed goes
 * to the end, because whatever disturbed it may be over by then. A job is passed over for boards that it failed on, as long as
 * another one of its class is there. Rejected: a heap of deadlines. Leases are renewed far more often than they end, so they are
 * simply looked through on a timer. */
#include "scheduler.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"

enum {
    LOOK_AHEAD = 1000, /* jobs of a queue that are passed over before a board is told that there is nothing */
    DEADLINE_MS = 5000,
    DEADLINE_LIMITS = 10,
    DEADLINE_BLOCK_MS = 200,
    DEADLINE_BUILT_BLOCK_MS = 2000, /* of a network that a runtime optimises as a whole */
    DEADLINE_PACES = 4,
    DEADLINE_DOUBLINGS = 3,
    DEADLINE_MOST_MS = 6 * 3600 * 1000,
    KEPT = 4096, /* jobs' memory */
    AVOID = PRF_SCHED_TRIES + PRF_SCHED_EXPIRIES
};

typedef struct prf_sched_job {
    struct prf_sched_job *prev, *next;
    prf_entry_t *entry; /* borrowed; leads here */
    prf_job_state_t state;
    prf_job_t job; /* blocks and edges: those behind the struct */
    uint64_t owners;
    uint32_t klass, board;
    uint32_t avoid[AVOID]; /* boards that it failed on */
    uint32_t avoid_count, tries, expiries, again;
    double work; /* of its blocks: operations and bytes */
    uint64_t deadline, latest;
    uint64_t listed_ms; /* when its board last named it, or got it */
    bool listed;        /* in the heartbeat that is coming in */
    prf_block_t blocks[];
} job_t;

typedef struct {
    job_t *head, *tail;
    size_t count;
} list_t;

typedef struct {
    char kind[PRF_NAME], fingerprint[PRF_FINGERPRINT];
    list_t queue;
    size_t present;
    double ns_per_work; /* the slowest pace seen; 0: none yet */
} class_t;

typedef struct {
    bool present;
    uint32_t klass;
    list_t leases;
    uint64_t deadlines_ms; /* sum over its leases: how long it may take for all of them */
} board_t;

struct prf_sched {
    size_t cap, count;
    uint64_t last; /* id or epoch */
    class_t *classes;
    uint32_t class_count;
    board_t *boards; /* indexed by the caller's number */
    size_t board_cap;
    list_t held;
    prf_pool_t pool;              /* of jobs with one block, which most are */
    prf_sched_revoked_fn revoked; /* may be NULL */
    void *revoked_arg;
};

static void list_append(list_t *list, job_t *job)
{
    job->prev = list->tail;
    job->next = NULL;
    if (list->tail)
        list->tail->next = job;
    else
        list->head = job;
    list->tail = job;
    list->count++;
}

static void list_prepend(list_t *list, job_t *job)
{
    job->prev = NULL;
    job->next = list->head;
    if (list->head)
        list->head->prev = job;
    else
        list->tail = job;
    list->head = job;
    list->count++;
}

static void list_remove(list_t *list, job_t *job)
{
    if (job->prev)
        job->prev->next = job->next;
    else
        list->head = job->next;
    if (job->next)
        job->next->prev = job->prev;
    else
        list->tail = job->prev;
    job->prev = job->next = NULL;
    list->count--;
}

static size_t size_of(size_t blocks, size_t edges)
{
    return sizeof(job_t) + blocks * sizeof(prf_block_t) + edges * sizeof(prf_edge_t);
}

static bool is_small(size_t blocks, size_t edges)
{
    return blocks == 1 && edges == 0;
}

static job_t *job_new(prf_sched_t *self, size_t blocks, size_t edges)
{
    return is_small(blocks, edges) ? prf_pool_take(&self->pool) : malloc(size_of(blocks, edges));
}

static void job_free(prf_sched_t *self, job_t *job)
{
    if (is_small(job->job.block_count, job->job.edge_count))
        prf_pool_give(&self->pool, job);
    else
        free(job);
}

static void list_free(list_t *list)
{
    for (job_t *job = list->head, *next; job; job = next) {
        next = job->next;
        job->entry->job = NULL;
        free(job);
    }
}

prf_status_t prf_sched_new(prf_sched_t **out, size_t cap, uint64_t first, prf_error_t *err)
{
    prf_sched_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "scheduler");
    prf_pool_init(&self->pool, size_of(1, 0), KEPT);
    self->cap = cap;
    self->last = first;
    *out = self;
    return PRF_OK;
}

void prf_sched_destroy(prf_sched_t **self)
{
    if (!self || !*self)
        return;
    prf_sched_t *s = *self;
    for (uint32_t i = 0; i < s->class_count; i++)
        list_free(&s->classes[i].queue);
    for (size_t i = 0; i < s->board_cap; i++)
        list_free(&s->boards[i].leases);
    list_free(&s->held);
    prf_pool_release(&s->pool);
    free(s->classes);
    free(s->boards);
    free(s);
    *self = NULL;
}

prf_status_t prf_sched_class(prf_sched_t *self, const char *kind, const char *fingerprint, uint32_t *out, prf_error_t *err)
{
    for (uint32_t i = 0; i < self->class_count; i++)
        if (strcmp(self->classes[i].kind, kind) == 0 && strcmp(self->classes[i].fingerprint, fingerprint) == 0) {
            *out = i;
            return PRF_OK;
        }
    if (self->class_count == PRF_SCHED_CLASSES)
        return prf_fail(err, PRF_EBUSY, "%d kinds and runtimes of boards are known, no more fit: restart the coordinator",
                        PRF_SCHED_CLASSES);
    class_t *classes = realloc(self->classes, (self->class_count + 1) * sizeof *classes);
    if (!classes)
        return prf_fail(err, PRF_ENOMEM, "class of boards");
    self->classes = classes;
    class_t *klass = &classes[self->class_count];
    *klass = (class_t){0};
    snprintf(klass->kind, sizeof klass->kind, "%s", kind);
    snprintf(klass->fingerprint, sizeof klass->fingerprint, "%s", fingerprint);
    *out = self->class_count++;
    return PRF_OK;
}

size_t prf_sched_queued(const prf_sched_t *self, uint32_t klass)
{
    return self->classes[klass].queue.count;
}

size_t prf_sched_queued_all(const prf_sched_t *self)
{
    size_t count = 0;
    for (uint32_t i = 0; i < self->class_count; i++)
        count += self->classes[i].queue.count;
    return count;
}

bool prf_sched_waiting(const prf_sched_t *self)
{
    for (uint32_t i = 0; i < self->class_count; i++)
        if (self->classes[i].queue.count > 0)
            return true;
    return false;
}

size_t prf_sched_room(const prf_sched_t *self)
{
    return self->cap - self->count;
}

size_t prf_sched_count(const prf_sched_t *self)
{
    return self->count;
}

/* What a layer's time grows with, on whatever board: a pace in nanoseconds per unit of it is coarse, but the slowest one that a
 * class has shown bounds what the next layer takes. */
static double work_of(const prf_block_t *blocks, size_t count)
{
    double work = 0;
    for (size_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < blocks[i].count; k++)
            work += prf_layer_ops(&blocks[i].layers[k]) + prf_layer_bytes(&blocks[i].layers[k], blocks[i].dtype);
    return work;
}

static uint32_t deadline_of(const job_t *job, double ns_per_work)
{
    const prf_protocol_t *p = &job->job.protocol;
    double runs = (double)p->warmup_runs + p->min_repeats;
    double block_ms = job->job.edge_count > 0 ? DEADLINE_BUILT_BLOCK_MS : DEADLINE_BLOCK_MS;
    double ms = DEADLINE_MS + ((double)p->limit_ms + (double)p->energy_ms) * DEADLINE_LIMITS +
                (double)job->job.block_count * block_ms + DEADLINE_PACES * runs * job->work * ns_per_work / 1e6;
    uint32_t setbacks = job->tries + job->expiries;
    ms *= 1u << (setbacks < DEADLINE_DOUBLINGS ? setbacks : DEADLINE_DOUBLINGS);
    return ms < DEADLINE_MOST_MS ? (uint32_t)ms : DEADLINE_MOST_MS;
}

prf_status_t prf_sched_add(prf_sched_t *self, uint32_t klass, unsigned owner, prf_entry_t *entry, const prf_job_t *wanted,
                           prf_error_t *err)
{
    job_t *job = entry->job;
    if (job) {
        job->owners |= (uint64_t)1 << owner;
        return PRF_OK;
    }
    if (self->count >= self->cap)
        return prf_fail(err, PRF_EBUSY, "%zu jobs are waiting, no more fit: wait until some are done", self->count);
    job = job_new(self, wanted->block_count, wanted->edge_count);
    if (!job)
        return prf_fail(err, PRF_ENOMEM, "a job of %zu blocks", wanted->block_count);
    *job = (job_t){.entry = entry, .job = *wanted, .state = PRF_JOB_QUEUED};
    for (size_t i = 0; i < wanted->block_count; i++) /* after it: they begin in the struct's padding */
        prf_block_copy(&job->blocks[i], &wanted->blocks[i]);
    job->job.point = entry->point;
    job->job.attempt = entry->attempt;
    job->job.blocks = job->blocks;
    job->job.edges = (prf_edge_t *)(job->blocks + wanted->block_count);
    if (wanted->edge_count > 0)
        memcpy(job->job.edges, wanted->edges, wanted->edge_count * sizeof *wanted->edges);
    job->work = work_of(job->blocks, wanted->block_count);
    job->job.id = job->job.epoch = 0; /* until it is leased */
    job->owners = (uint64_t)1 << owner;
    job->klass = klass;
    entry->job = job;
    list_append(&self->classes[klass].queue, job);
    self->count++;
    return PRF_OK;
}

/* The list that the job is in. */
static list_t *home(prf_sched_t *self, const job_t *job)
{
    switch (job->state) {
    case PRF_JOB_QUEUED:
        return &self->classes[job->klass].queue;
    case PRF_JOB_LEASED:
        return &self->boards[job->board].leases;
    default:
        return &self->held;
    }
}

static void leave_list(prf_sched_t *self, job_t *job)
{
    if (job->state == PRF_JOB_LEASED)
        self->boards[job->board].deadlines_ms -= job->job.deadline_ms;
    list_remove(home(self, job), job);
}

/* From one list to the next, as the table of states has it (states.h); `gone` frees the job. */
static void move(prf_sched_t *self, job_t *job, prf_job_event_t event)
{
    int state = (int)job->state;
    bool allowed = prf_machine_next(&prf_machine_job, (int)event, &state);
    assert(allowed);
    (void)allowed;
    leave_list(self, job);
    job->state = (prf_job_state_t)state;
    if (job->state == PRF_JOB_GONE) {
        job->entry->job = NULL;
        self->count--;
        job_free(self, job);
    } else if (event == PRF_JOB_LOSE) {
        list_prepend(home(self, job), job);
    } else {
        list_append(home(self, job), job);
    }
}

/* Back to its queue, unless nobody wants it any more. */
static void requeue(prf_sched_t *self, job_t *job, prf_job_event_t event)
{
    move(self, job, job->owners == 0 ? PRF_JOB_DISOWN : event);
}

void prf_sched_notify(prf_sched_t *self, prf_sched_revoked_fn fn, void *arg)
{
    self->revoked = fn;
    self->revoked_arg = arg;
}

static void revoke(const prf_sched_t *self, const job_t *job)
{
    if (self->revoked)
        self->revoked(self->revoked_arg, job->board, job->job.id);
}

void prf_sched_disown(prf_sched_t *self, unsigned owner)
{
    uint64_t others = ~((uint64_t)1 << owner);
    for (uint32_t i = 0; i < self->class_count; i++)
        for (job_t *job = self->classes[i].queue.head, *next; job; job = next) {
            next = job->next;
            job->owners &= others;
            if (job->owners == 0)
                move(self, job, PRF_JOB_DISOWN);
        }
    for (uint32_t i = 0; i < self->board_cap; i++)
        for (job_t *job = self->boards[i].leases.head, *next; job; job = next) {
            next = job->next;
            job->owners &= others;
            if (job->owners == 0) {
                revoke(self, job);
                move(self, job, PRF_JOB_DISOWN);
            }
        }
    for (job_t *job = self->held.head; job; job = job->next)
        job->owners &= others;
}

prf_status_t prf_sched_join(prf_sched_t *self, uint32_t board, uint32_t klass, prf_error_t *err)
{
    if (board >= self->board_cap) {
        size_t cap = self->board_cap ? self->board_cap : 16;
        while (cap <= board)
            cap *= 2;
        board_t *boards = realloc(self->boards, cap * sizeof *boards);
        if (!boards)
            return prf_fail(err, PRF_ENOMEM, "%zu boards", cap);
        memset(boards + self->board_cap, 0, (cap - self->board_cap) * sizeof *boards);
        self->boards = boards;
        self->board_cap = cap;
    }
    board_t *b = &self->boards[board];
    if (b->present && b->klass == klass)
        return PRF_OK;
    prf_sched_leave(self, board);
    b->present = true;
    b->klass = klass;
    self->classes[klass].present++;
    return PRF_OK;
}

void prf_sched_leave(prf_sched_t *self, uint32_t board)
{
    if (board >= self->board_cap || !self->boards[board].present)
        return;
    board_t *b = &self->boards[board];
    b->present = false;
    self->classes[b->klass].present--;
    while (b->leases.tail) { /* from the end, so that they stand in their old order */
        revoke(self, b->leases.tail);
        requeue(self, b->leases.tail, PRF_JOB_LOSE);
    }
}

size_t prf_sched_leases(const prf_sched_t *self, uint32_t board)
{
    return board < self->board_cap ? self->boards[board].leases.count : 0;
}

static bool avoids(const job_t *job, uint32_t board)
{
    for (uint32_t i = 0; i < job->avoid_count; i++)
        if (job->avoid[i] == board)
            return true;
    return false;
}

static void avoid(job_t *job, uint32_t board)
{
    if (!avoids(job, board) && job->avoid_count < AVOID)
        job->avoid[job->avoid_count++] = board;
}

/* All boards of its class that are there have failed on it. */
static bool is_avoided_by_all(const prf_sched_t *self, const job_t *job)
{
    size_t others = self->classes[job->klass].present;
    for (uint32_t i = 0; i < job->avoid_count; i++) {
        const board_t *b = &self->boards[job->avoid[i]];
        others -= b->present && b->klass == job->klass;
    }
    return others == 0;
}

/* Work that the board has not failed on comes first: else what it failed on, once no other board is left for it, would be all that
 * it is given, and condemn it. */
static job_t *choose(const prf_sched_t *self, uint32_t board)
{
    job_t *last_resort = NULL, *job = self->classes[self->boards[board].klass].queue.head;
    for (int seen = 0; job && seen < LOOK_AHEAD; job = job->next, seen++) {
        if (!avoids(job, board))
            return job;
        if (!last_resort && is_avoided_by_all(self, job))
            last_resort = job;
    }
    return last_resort;
}

bool prf_sched_next(prf_sched_t *self, uint32_t board, uint64_t now_ms, uint64_t slack_ms, prf_job_t *out)
{
    if (board >= self->board_cap || !self->boards[board].present)
        return false;
    board_t *b = &self->boards[board];
    job_t *job = choose(self, board);
    if (!job)
        return false;
    job->board = board;
    job->job.id = ++self->last; /* so that an old lease's acknowledgement is not taken for the new one's */
    job->job.epoch = ++self->last;
    job->job.deadline_ms = deadline_of(job, self->classes[b->klass].ns_per_work);
    b->deadlines_ms += job->job.deadline_ms;
    job->listed = false;
    job->listed_ms = now_ms;
    job->deadline = now_ms + job->job.deadline_ms + slack_ms;
    job->latest = now_ms + 2 * (b->deadlines_ms + slack_ms);
    *out = job->job;
    move(self, job, PRF_JOB_GRANT);
    return true;
}

void prf_sched_return(prf_sched_t *self, uint32_t board, size_t count)
{
    for (job_t *job = self->boards[board].leases.tail, *before; job && count > 0; job = before, count--) {
        before = job->prev;
        requeue(self, job, PRF_JOB_LOSE);
    }
}

void prf_sched_renew(prf_sched_t *self, uint32_t board, const uint64_t *ids, size_t count, uint64_t now_ms, uint64_t slack_ms)
{
    if (board >= self->board_cap)
        return;
    for (job_t *job = self->boards[board].leases.head; job; job = job->next)
        for (size_t i = 0; i < count; i++)
            if (ids[i] == job->job.id) {
                uint64_t until = now_ms + job->job.deadline_ms + slack_ms;
                job->deadline = until < job->latest ? until : job->latest;
                job->listed = true;
                job->listed_ms = now_ms;
                break;
            }
}

size_t prf_sched_unlisted(prf_sched_t *self, uint32_t board)
{
    size_t count = 0;
    if (board >= self->board_cap)
        return 0;
    for (job_t *job = self->boards[board].leases.head; job; job = job->next) {
        count += !job->listed;
        job->listed = false;
    }
    return count;
}

void prf_sched_doubt(prf_sched_t *self, uint32_t board, uint64_t now_ms)
{
    if (board >= self->board_cap)
        return;
    for (job_t *job = self->boards[board].leases.head; job; job = job->next)
        job->listed_ms = now_ms;
}

void prf_sched_expire(prf_sched_t *self, uint64_t now_ms, uint64_t heard_ms, uint64_t unlisted_ms, prf_sched_expired_fn fn,
                      void *arg)
{
    for (uint32_t i = 0; i < self->board_cap; i++)
        for (job_t *job = self->boards[i].leases.head, *next; job; job = next) {
            next = job->next;
            bool over = job->deadline <= now_ms;
            if (!over && heard_ms < job->listed_ms + unlisted_ms)
                continue;
            prf_entry_t *entry = job->entry;
            revoke(self, job);
            if (over) {
                avoid(job, i);
                job->expiries++;
            }
            bool given_up = job->expiries >= PRF_SCHED_EXPIRIES && job->owners != 0;
            if (given_up)
                move(self, job, PRF_JOB_HOLD);
            else
                requeue(self, job, PRF_JOB_LOSE);
            if (!fn(arg, entry, i, given_up))
                prf_sched_unhold(self, entry);
        }
}

void prf_sched_pace(prf_sched_t *self, const prf_entry_t *entry, double latency_ns)
{
    const job_t *job = entry->job;
    if (!job || job->work <= 0)
        return;
    class_t *klass = &self->classes[job->klass];
    double pace = latency_ns / job->work;
    klass->ns_per_work = pace > klass->ns_per_work ? pace : klass->ns_per_work;
}

bool prf_sched_get(const prf_entry_t *entry, prf_job_view_t *out)
{
    const job_t *job = entry ? entry->job : NULL;
    if (!job)
        return false;
    *out = (prf_job_view_t){.state = job->state,
                            .id = job->job.id,
                            .epoch = job->job.epoch,
                            .klass = job->klass,
                            .board = job->board,
                            .tries = job->tries,
                            .again = job->again,
                            .blocks = job->blocks,
                            .block_count = job->job.block_count};
    return true;
}

void prf_sched_hold(prf_sched_t *self, prf_entry_t *entry)
{
    job_t *job = entry->job;
    if (job && job->state != PRF_JOB_HELD)
        move(self, job, PRF_JOB_HOLD);
}

void prf_sched_unhold(prf_sched_t *self, prf_entry_t *entry)
{
    job_t *job = entry->job;
    if (job && job->state == PRF_JOB_HELD)
        requeue(self, job, PRF_JOB_AGAIN);
}

uint64_t prf_sched_number(prf_sched_t *self)
{
    return ++self->last;
}

bool prf_sched_fail(prf_sched_t *self, prf_entry_t *entry, uint32_t board, bool final)
{
    job_t *job = entry->job;
    if (!job || job->state != PRF_JOB_LEASED)
        return false;
    avoid(job, board);
    bool given_up = ++job->tries >= PRF_SCHED_TRIES || final;
    if (given_up)
        move(self, job, PRF_JOB_HOLD);
    else
        requeue(self, job, PRF_JOB_FAIL);
    return !given_up;
}

void prf_sched_postpone(prf_sched_t *self, prf_entry_t *entry, uint32_t board)
{
    job_t *job = entry->job;
    if (!job || job->state != PRF_JOB_LEASED)
        return;
    avoid(job, board);
    requeue(self, job, PRF_JOB_FAIL);
}

bool prf_sched_again(prf_sched_t *self, prf_entry_t *entry, uint32_t most)
{
    job_t *job = entry->job;
    if (!job || job->state != PRF_JOB_HELD || job->again >= most || job->owners == 0)
        return false;
    job->again++;
    move(self, job, PRF_JOB_AGAIN);
    return true;
}

void prf_sched_done(prf_sched_t *self, prf_entry_t *entry)
{
    job_t *job = entry->job;
    if (job)
        move(self, job, PRF_JOB_STORE);
}
