// SPDX-License-Identifier: Apache-2.0
/* sessions_send.c - what goes out to workers: frames, which jobs are committed or may be forgotten, and jobs.
 *
 * After a start nothing is granted for up to two heartbeats, until the boards that the store knows are back and have handed over
 * what they kept: a result that only waits in somebody's spool is not to be measured again. The same holds for the class of a board
 * that comes back after it was given up: a site that was cut off comes back as a whole, and its boards must not be given what their
 * neighbours have measured meanwhile.
 *
 * Grants go round: no board gets more than its share of what is queued, so that a stage's last jobs are not all on one board. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/frames.h"
#include "sessions_internal.h"
#include "triage.h"

enum {
    FRAME_BLOCKS = 2048, /* blocks in a frame of jobs: well within its bytes */
    EDGES_A_BLOCK = 64,  /* of a network take no more bytes than a block */
    SETTLE_BEATS = 2,    /* for known boards to come back after a start */
    QUIET_BEATS = 2,     /* without a word from a board, until it says one */
    LOOK_MS = 10,        /* between two looks at all boards, while some of them are to hand over */
    LOGS_A_SECOND = 10
};

bool sessions_may_log(prf_sessions_t *self)
{
    uint64_t second = prf_clock_mono_ms() / 1000;
    if (second != self->log_second) {
        if (self->logged > LOGS_A_SECOND)
            prf_log(PRF_LOG_WARN, "log_lines_left_out count=%u", self->logged - LOGS_A_SECOND);
        self->log_second = second;
        self->logged = 0;
    }
    return self->logged++ < LOGS_A_SECOND;
}

prf_status_t sessions_send(prf_sessions_t *self, const prf_peer_t *peer, const prf_frame_t *frame)
{
    prf_error_t err = {0};
    prf_status_t status = prf_frame_send(self->hub->workers, peer, frame, &err);
    if (status && sessions_may_log(self))
        prf_log(PRF_LOG_DEBUG, "frame_not_sent frame=%s error=\"%s\"", prf_frame_name(frame->type), err.text);
    return status;
}

prf_status_t sessions_tell(prf_sessions_t *self, prf_fleet_board_t *board, const prf_frame_t *frame)
{
    prf_status_t status = sessions_send(self, &board->peer, frame);
    if (!status)
        board->told = self->period;
    return status;
}

uint64_t sessions_slack_ms(const prf_sessions_t *self)
{
    return (uint64_t)PRF_SESSIONS_SILENT * self->hub->heartbeat_ms + 1000;
}

void sessions_settle(prf_sessions_t *self, uint64_t now_ms)
{
    self->known = prf_fleet_count(self->hub->fleet);
    if (self->known > 0)
        self->settled_ms = now_ms + SETTLE_BEATS * (uint64_t)self->hub->heartbeat_ms;
}

void sessions_settle_board(prf_sessions_t *self, prf_fleet_board_t *board, uint64_t now_ms)
{
    if (board->silent_ms > self->wave_ms + PRF_SESSIONS_SILENT * (uint64_t)self->hub->heartbeat_ms || now_ms >= self->owing_ms)
        self->owing_ms = now_ms + SETTLE_BEATS * (uint64_t)self->hub->heartbeat_ms;
    self->wave_ms = board->silent_ms;
    self->looked_ms = 0;
}

static bool hands_over(const prf_sessions_t *self, prf_fleet_board_t *board)
{
    uint64_t wave = PRF_SESSIONS_SILENT * (uint64_t)self->hub->heartbeat_ms;
    if (board->silent_ms == 0 || board->silent_ms + wave < self->wave_ms || board->silent_ms > self->wave_ms + wave)
        return false;
    if (board->live && board->owed == 0)
        board->silent_ms = 0;
    return board->silent_ms > 0;
}

/* Whether boards of the class are still to hand over. */
static bool owing(prf_sessions_t *self, uint32_t klass, uint64_t now_ms)
{
    if (now_ms >= self->owing_ms)
        return false;
    if (now_ms >= self->looked_ms + LOOK_MS) {
        self->looked_ms = now_ms;
        memset(self->owing, 0, sizeof self->owing);
        for (size_t i = 0; i < prf_fleet_count(self->hub->fleet); i++) {
            prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, i);
            if (hands_over(self, board))
                self->owing[board->klass] = true;
        }
    }
    return self->owing[klass];
}

/* Who finds no room asks again, or sends again, and is told then. */
static void list_id(struct prf_fleet_ids *ids, uint64_t job)
{
    if (!ids->items && !(ids->items = calloc(PRF_FLEET_ACKS, sizeof *ids->items)))
        return;
    if (ids->count < PRF_FLEET_ACKS)
        ids->items[ids->count++] = job;
}

/* It sends its results again when it is back, and is told then. */
static void tell(prf_sessions_t *self, prf_fleet_board_t *board, struct prf_fleet_ids *ids, uint64_t job)
{
    if (!board->live)
        return;
    list_id(ids, job);
    prf_fleet_list(self->hub->fleet, PRF_FLEET_TOLD, board);
}

void prf_sessions_ack(void *arg, uint32_t number, uint64_t job, bool durable)
{
    prf_sessions_t *self = arg;
    prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, number);
    tell(self, board, durable ? &board->committed : &board->forget, job);
}

void prf_sessions_revoke(void *arg, uint32_t number, uint64_t job)
{
    prf_sessions_t *self = arg;
    prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, number);
    tell(self, board, &board->revoke, job);
}

/* What finds a full queue stays. What finds no connection is forgotten: such a worker sends its results again when it is
 * back, and is told then. */
static void flush_ids(prf_sessions_t *self, prf_fleet_board_t *board, prf_frame_type_t type, struct prf_fleet_ids *ids)
{
    size_t sent = 0;
    prf_status_t status = PRF_OK;
    while (!status && sent < ids->count) {
        size_t count = ids->count - sent < PRF_FRAME_JOBS ? ids->count - sent : PRF_FRAME_JOBS;
        status = sessions_tell(self, board, &(prf_frame_t){.type = type, .u.ids = {.items = ids->items + sent, .count = count}});
        if (status != PRF_EBUSY)
            sent += count;
    }
    if (sent > 0)
        memmove(ids->items, ids->items + sent, (ids->count - sent) * sizeof *ids->items);
    ids->count -= sent;
}

void prf_sessions_flush(prf_sessions_t *self)
{
    for (size_t left = prf_fleet_listed(self->hub->fleet, PRF_FLEET_TOLD); left > 0; left--) {
        prf_fleet_board_t *board = prf_fleet_next(self->hub->fleet, PRF_FLEET_TOLD);
        flush_ids(self, board, PRF_FRAME_COMMITTED, &board->committed);
        flush_ids(self, board, PRF_FRAME_FORGET, &board->forget);
        flush_ids(self, board, PRF_FRAME_REVOKE, &board->revoke);
        if (board->committed.count + board->forget.count + board->revoke.count > 0) /* its queue is full */
            prf_fleet_list(self->hub->fleet, PRF_FLEET_TOLD, board);
    }
}

/* One frame of jobs, up to `most`. Returns how many went out. */
static size_t grant_board(prf_sessions_t *self, prf_fleet_board_t *board, size_t most, uint64_t now_ms)
{
    prf_job_t jobs[PRF_FRAME_JOBS];
    size_t count = 0, blocks = 0;
    while (count < most && count < PRF_FRAME_JOBS && blocks < FRAME_BLOCKS - PRF_CHAIN_BLOCKS &&
           prf_sched_next(self->hub->sched, board->number, now_ms, sessions_slack_ms(self), &jobs[count])) {
        blocks += jobs[count].block_count + jobs[count].edge_count / EDGES_A_BLOCK;
        count++;
    }
    if (count == 0)
        return 0;
    prf_frame_t frame = {.type = PRF_FRAME_JOB_BATCH, .u.jobs = {.items = jobs, .count = count}};
    if (sessions_tell(self, board, &frame)) {
        prf_sched_return(self->hub->sched, board->number, count);
        prf_fleet_set_credit(self->hub->fleet, board, 0); /* it does not read; its next credit shows that it does again */
        return 0;
    }
    prf_fleet_set_credit(self->hub->fleet, board, board->credit - (uint32_t)count);
    return count;
}

/* Likely on the way to be given up. What it was granted now would be lost, and with it what others, or itself, bring of the same
 * points under their leases before. */
static bool falls_silent(const prf_sessions_t *self, const prf_fleet_board_t *board)
{
    return self->heard_all_ms >= board->heard_ms + QUIET_BEATS * (uint64_t)self->hub->heartbeat_ms;
}

/* What the board may have of its class's queue. */
static bool grant_share(prf_sessions_t *self, prf_fleet_board_t *board, uint64_t now_ms)
{
    size_t queued = prf_sched_queued(self->hub->sched, board->klass);
    if (queued == 0 || falls_silent(self, board) || owing(self, board->klass, now_ms))
        return false;
    size_t share = queued / prf_fleet_live(self->hub->fleet) + 1, most = prf_triage_most(self->hub->triage, board, now_ms);
    most = share < most ? share : most;
    return grant_board(self, board, most < board->credit ? most : board->credit, now_ms) > 0;
}

bool prf_sessions_send_job(void *arg, prf_fleet_board_t *board, const prf_job_t *job)
{
    prf_sessions_t *self = arg;
    prf_job_t copy = *job;
    prf_frame_t frame = {.type = PRF_FRAME_JOB_BATCH, .u.jobs = {.items = &copy, .count = 1}};
    if (board->credit == 0 || sessions_tell(self, board, &frame))
        return false;
    prf_fleet_set_credit(self->hub->fleet, board, board->credit - 1);
    return true;
}

/* Whether boards may still come back with what would be measured again. */
static bool settling(prf_sessions_t *self)
{
    if (self->settled_ms == 0)
        return false;
    size_t back = 0;
    for (size_t i = 0; i < self->known; i++) {
        const prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, i);
        back += board->heard_ms > 0 && board->owed == 0;
    }
    if (back < self->known && prf_clock_mono_ms() < self->settled_ms)
        return true;
    self->settled_ms = 0;
    prf_log(PRF_LOG_INFO, "settled boards=%zu back=%zu", self->known, back);
    return false;
}

bool prf_sessions_grant(prf_sessions_t *self)
{
    if (!prf_hub_granting(self->hub, NULL) || settling(self))
        return false;
    /* A worker passes over a job that it still has a result of: it must hear first that it may forget that one. */
    prf_sessions_flush(self);
    uint64_t now_ms = prf_clock_mono_ms();
    bool any = false;
    for (size_t left = prf_fleet_listed(self->hub->fleet, PRF_FLEET_TAKING); left > 0 && prf_sched_waiting(self->hub->sched);
         left--) {
        prf_fleet_board_t *board = prf_fleet_next(self->hub->fleet, PRF_FLEET_TAKING);
        if (board->credit == 0)
            continue;
        any = grant_share(self, board, now_ms) || any;
        if (board->credit > 0)
            prf_fleet_list(self->hub->fleet, PRF_FLEET_TAKING, board);
    }
    return any;
}
