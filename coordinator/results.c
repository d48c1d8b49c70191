// SPDX-License-Identifier: Apache-2.0
/* results.c - the rule is: the first result that is committed for a wanted point is the one that counts, whichever lease it came
 * with. It is a true measurement of that point, and throwing it away would measure something twice.
 *
 * A result on its way to the store holds its job, so that no board gets it meanwhile; further results of the same point only wait
 * to be acknowledged with it. Failures count only from the board that has the lease now. */
#include "results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"

enum { ACKS = 4, STREAK = 5, FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 60000 };

typedef struct {
    prf_results_t *self;
    prf_record_t record;
    struct {
        uint32_t board;
        uint64_t job;
    } acks[ACKS]; /* who waits for the commit */
    size_t ack_count;
} open_t;

struct prf_results {
    const prf_hub_t *hub;
    prf_map_t open; /* point, attempt -> open_t *, owned by its commit */
    prf_outcome_fn outcome;
    prf_ack_fn ack;
    void *outcome_arg, *ack_arg;
};

prf_status_t prf_results_new(prf_results_t **out, const prf_hub_t *hub, prf_error_t *err)
{
    prf_results_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "results");
    self->hub = hub;
    prf_map_init(&self->open);
    *out = self;
    return PRF_OK;
}

void prf_results_destroy(prf_results_t **self)
{
    if (!self || !*self)
        return;
    prf_map_release(&(*self)->open);
    free(*self);
    *self = NULL;
}

void prf_results_notify(prf_results_t *self, prf_outcome_fn outcome, void *outcome_arg, prf_ack_fn ack, void *ack_arg)
{
    self->outcome = outcome;
    self->outcome_arg = outcome_arg;
    self->ack = ack;
    self->ack_arg = ack_arg;
}

static void add_ack(open_t *open, const prf_fleet_board_t *board, uint64_t job)
{
    for (size_t i = 0; i < open->ack_count; i++)
        if (open->acks[i].board == board->number && open->acks[i].job == job)
            return;
    /* Who finds no room sends again, and is told then. */
    if (open->ack_count < ACKS) {
        open->acks[open->ack_count].board = board->number;
        open->acks[open->ack_count++].job = job;
    }
}

/* How often a sample is worth taking again. An interval that stayed too wide in time will most likely do so again; what others
 * disturbed is another matter. */
static uint32_t doubts(const prf_sample_t *sample)
{
    return sample->taint == 0 ? 0 : sample->taint == PRF_TAINT_UNSTEADY ? 1 : 2;
}

/* A doubtful sample is taken again before it is believed; else the point has its outcome. */
static void settle(prf_results_t *self, const prf_record_t *record)
{
    prf_known_t known;
    bool good = record->outcome == PRF_OK && prf_index_get(self->hub->index, &record->point, record->attempt, &known);
    if (good && prf_sched_again(self->hub->sched, &record->point, record->attempt, doubts(&known.sample)))
        return;
    prf_sched_done(self->hub->sched, &record->point, record->attempt);
    self->outcome(self->outcome_arg, &record->point, record->attempt);
}

static void committed(void *arg, prf_status_t status)
{
    open_t *open = arg;
    prf_results_t *self = open->self;
    prf_map_remove(&self->open, &open->record.point, open->record.attempt);
    if (status == PRF_OK) {
        prf_error_t err = {0};
        if (prf_index_add(self->hub->index, &open->record, &err))
            prf_log(PRF_LOG_ERROR, "result_not_indexed error=\"%s\" it_is_stored=true", err.text);
        if (!open->record.duplicate)
            settle(self, &open->record);
        for (size_t i = 0; i < open->ack_count; i++)
            self->ack(self->ack_arg, open->acks[i].board, open->acks[i].job);
    }
    free(open);
}

/* `board` NULL: nobody waits for an acknowledgement. */
static bool commit(prf_results_t *self, const prf_record_t *record, const prf_fleet_board_t *board, uint64_t job)
{
    prf_error_t err = {0};
    open_t *open = malloc(sizeof *open);
    prf_status_t status = open ? PRF_OK : prf_fail(&err, PRF_ENOMEM, "a result");
    if (!status) {
        *open = (open_t){.self = self, .record = *record};
        if (board)
            add_ack(open, board, job);
        status = prf_map_put_pointer(&self->open, &record->point, record->attempt, open, &err);
        if (!status && (status = prf_commits_record(self->hub->commits, record, committed, open, &err)))
            prf_map_remove(&self->open, &record->point, record->attempt);
    }
    if (status) {
        free(open);
        prf_log(PRF_LOG_WARN, "result_not_taken error=\"%s\" the_board_sends_it_again=true", err.text);
    }
    return status == PRF_OK;
}

static void fill(prf_record_t *record, const prf_fleet_board_t *board, const prf_result_t *result)
{
    *record =
        (prf_record_t){.point = result->point, .attempt = result->attempt, .outcome = result->outcome, .sample = result->sample};
    snprintf(record->error, sizeof record->error, "%s", result->error);
    snprintf(record->board, sizeof record->board, "%s", board->facts.board);
}

/* The very result that is known, sent again because its acknowledgement was lost. */
static bool resent(const prf_known_t *known, const prf_record_t *record)
{
    return strcmp(known->board, record->board) == 0 && known->sample.wall_ms == record->sample.wall_ms &&
           known->sample.busy_ns == record->sample.busy_ns && known->sample.latency_ns == record->sample.latency_ns;
}

/* Nobody waits for it: known already, or of a campaign that is over or not resumed yet. */
static void unexpected(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *result, bool good)
{
    prf_record_t record;
    prf_known_t known;
    prf_planned_t planned;
    fill(&record, board, result);
    record.duplicate = prf_index_get(self->hub->index, &result->point, result->attempt, &known);
    bool worth = record.duplicate ? !known.duplicate_kept && !resent(&known, &record)
                                  : prf_plan_find(self->hub->plan, &result->point, result->attempt, NULL, &planned) &&
                                        strcmp(planned.kind, board->facts.kind) == 0;
    if (!good || !worth)
        self->ack(self->ack_arg, board->number, result->id);
    else
        commit(self, &record, board, result->id);
}

static void note_success(prf_fleet_board_t *board)
{
    board->done++;
    board->streak = 0;
    board->pause_ms = 0;
}

static void note_failure(prf_fleet_board_t *board, const prf_result_t *result, uint64_t now_ms)
{
    board->failed++;
    prf_log(PRF_LOG_INFO, "job_failed board=%s job=%llu outcome=\"%s\" error=\"%s\"", board->facts.board,
            (unsigned long long)result->id, prf_status_name(result->outcome), result->error);
    if (result->outcome == PRF_EUNSUPPORTED)
        return; /* the layer's fault, not the board's */
    if (board->streak > 0 && prf_digest_compare(&board->last_failed, &result->point) == 0)
        return;
    board->last_failed = result->point;
    if (++board->streak < STREAK)
        return;
    board->streak = STREAK - 1; /* the next failure pauses it again */
    board->pause_ms = board->pause_ms == 0                     ? FIRST_PAUSE_MS
                      : board->pause_ms * 2 < LONGEST_PAUSE_MS ? board->pause_ms * 2
                                                               : LONGEST_PAUSE_MS;
    board->paused_until_ms = now_ms + board->pause_ms;
    prf_log(PRF_LOG_WARN, "board_paused board=%s for_ms=%llu because=\"it failed on %d points in a row\"", board->facts.board,
            (unsigned long long)board->pause_ms, STREAK);
}

/* The job is held: what is known of it already is its outcome, or else this failure. */
static void give_up(prf_results_t *self, const prf_record_t *record, const prf_fleet_board_t *board, uint64_t job)
{
    prf_known_t known;
    if (!prf_index_get(self->hub->index, &record->point, record->attempt, &known)) {
        char hex[PRF_DIGEST_HEX];
        prf_digest_hex(&record->point, hex);
        prf_log(PRF_LOG_WARN, "point_given_up point=%s attempt=%u outcome=\"%s\" error=\"%s\"", hex, record->attempt,
                prf_status_name(record->outcome), record->error);
        /* What could not be stored is not acknowledged: the board sends it again. */
        if (!commit(self, record, board, job))
            prf_sched_unhold(self->hub->sched, &record->point, record->attempt);
        return;
    }
    prf_sched_done(self->hub->sched, &record->point, record->attempt);
    self->outcome(self->outcome_arg, &record->point, record->attempt);
    if (board)
        self->ack(self->ack_arg, board->number, job);
}

static void failed(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *result, uint64_t now_ms)
{
    note_failure(board, result, now_ms);
    if (prf_sched_fail(self->hub->sched, &result->point, result->attempt, board->number, result->outcome == PRF_EUNSUPPORTED)) {
        self->ack(self->ack_arg, board->number, result->id);
        return;
    }
    prf_record_t record;
    fill(&record, board, result);
    give_up(self, &record, board, result->id);
}

bool prf_results_take(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *result, uint64_t now_ms)
{
    open_t *open = prf_map_get_pointer(&self->open, &result->point, result->attempt);
    if (open) {
        add_ack(open, board, result->id);
        return true;
    }
    prf_result_t judged = *result;
    if (judged.outcome == PRF_OK && !prf_sample_plausible(&judged.sample)) {
        judged.outcome = PRF_EINVAL;
        snprintf(judged.error, sizeof judged.error, "board %s told a latency of %g ns, which cannot be", board->facts.board,
                 judged.sample.latency_ns);
    }
    prf_job_view_t job;
    if (!prf_sched_get(self->hub->sched, &result->point, result->attempt, &job)) {
        unexpected(self, board, &judged, judged.outcome == PRF_OK);
        return true;
    }
    if (job.klass != board->klass) {
        /* Its runtime changed under it: the result is of no use to anybody, and it is not to be sent for ever. */
        self->ack(self->ack_arg, board->number, judged.id);
        return true;
    }
    if (judged.outcome == PRF_OK) {
        prf_record_t record;
        prf_known_t known;
        fill(&record, board, &judged);
        if (prf_index_get(self->hub->index, &judged.point, judged.attempt, &known) && resent(&known, &record)) {
            self->ack(self->ack_arg, board->number, judged.id);
            return true;
        }
        if (commit(self, &record, board, judged.id)) {
            note_success(board);
            prf_sched_hold(self->hub->sched, &judged.point, judged.attempt);
        }
        return true;
    }
    if (job.state == PRF_JOB_LEASED && job.board == board->number && job.epoch == judged.epoch)
        failed(self, board, &judged, now_ms);
    else
        self->ack(self->ack_arg, board->number, judged.id);
    return true;
}

/* Called from within the scheduler: commits only. */
static void expired(void *arg, const prf_digest_t *point, uint32_t attempt, uint32_t number, bool given_up)
{
    prf_results_t *self = arg;
    const prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, number);
    prf_log(PRF_LOG_WARN, "lease_expired board=%s given_up=%d", board->facts.board, given_up);
    if (!given_up)
        return;
    prf_record_t record = {.point = *point, .attempt = attempt, .outcome = PRF_ETIMEOUT};
    snprintf(record.error, sizeof record.error, "no board brought a result in time, the last one was %s", board->facts.board);
    snprintf(record.board, sizeof record.board, "%s", board->facts.board);
    if (!commit(self, &record, NULL, 0))
        prf_log(PRF_LOG_ERROR, "failure_not_stored board=%s", board->facts.board);
}

void prf_results_expire(prf_results_t *self, uint64_t now_ms)
{
    prf_sched_expire(self->hub->sched, now_ms, expired, self);
}
