// SPDX-License-Identifier: Apache-2.0
/* results.c - fencing: every lease of a point has a higher epoch than the one before, and a result counts only when its epoch is
 * the newest that was issued for its point, or when this coordinator has issued none (after a restart, which forgets leases, and
 * for points that nobody asks for just now). Whatever comes with an older epoch is a true measurement, but its board was given up,
 * and who knows in which state it was: it is stored once as a labelled duplicate, for people, and used for nothing.
 *
 * A result on its way to the store holds its job, so that no board gets it meanwhile; the same result sent again only waits to be
 * acknowledged with the first. Failures count only from the board that has the lease now. Rejected: to store leases, so that a
 * restart would not forget them. It costs a write a job, and a restart already costs no more than what boards had just begun. */
#include "results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "triage.h"

enum { ACKS = 4 };

typedef struct {
    prf_results_t *self;
    prf_record_t record;
    uint64_t epoch; /* of the lease that it came with; 0: none */
    struct {
        uint32_t board;
        uint64_t job;
    } acks[ACKS]; /* who waits for the commit */
    size_t ack_count;
} open_t;

struct prf_results {
    const prf_hub_t *hub;
    /* point, attempt -> open_t *, owned by its commit: the outcome that counts, and a labelled duplicate. */
    prf_map_t open, late;
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
    prf_map_init(&self->late);
    *out = self;
    return PRF_OK;
}

void prf_results_destroy(prf_results_t **self)
{
    if (!self || !*self)
        return;
    prf_map_release(&(*self)->open);
    prf_map_release(&(*self)->late);
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
    if (good)
        prf_sched_pace(self->hub->sched, &record->point, record->attempt, known.sample.latency_ns);
    if (good && prf_sched_again(self->hub->sched, &record->point, record->attempt, doubts(&known.sample)))
        return;
    prf_sched_done(self->hub->sched, &record->point, record->attempt);
    self->outcome(self->outcome_arg, &record->point, record->attempt);
}

static prf_map_t *under_way(prf_results_t *self, const prf_record_t *record)
{
    return record->duplicate ? &self->late : &self->open;
}

static void committed(void *arg, prf_status_t status)
{
    open_t *open = arg;
    prf_results_t *self = open->self;
    prf_map_remove(under_way(self, &open->record), &open->record.point, open->record.attempt);
    if (status == PRF_OK) {
        prf_error_t err = {0};
        if (prf_index_add(self->hub->index, &open->record, &err))
            prf_log(PRF_LOG_ERROR, "result_not_indexed error=\"%s\" it_is_stored=true", err.text);
        if (!open->record.duplicate)
            settle(self, &open->record);
        for (size_t i = 0; i < open->ack_count; i++)
            self->ack(self->ack_arg, open->acks[i].board, open->acks[i].job, !open->record.duplicate);
    }
    free(open);
}

/* `board` NULL: nobody waits for an acknowledgement. */
static bool commit(prf_results_t *self, const prf_record_t *record, uint64_t epoch, const prf_fleet_board_t *board, uint64_t job)
{
    prf_map_t *map = under_way(self, record);
    prf_error_t err = {0};
    open_t *open = malloc(sizeof *open);
    prf_status_t status = open ? PRF_OK : prf_fail(&err, PRF_ENOMEM, "a result");
    if (!status) {
        *open = (open_t){.self = self, .record = *record, .epoch = epoch};
        if (board)
            add_ack(open, board, job);
        status = prf_map_put_pointer(map, &record->point, record->attempt, open, &err);
        if (!status && (status = prf_commits_record(self->hub->commits, record, committed, open, &err)))
            prf_map_remove(map, &record->point, record->attempt);
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

static void forget(prf_results_t *self, const prf_fleet_board_t *board, uint64_t job)
{
    self->ack(self->ack_arg, board->number, job, false);
}

/* Its point has its outcome already, or soon will from a newer lease. */
static void keep_duplicate(prf_results_t *self, prf_record_t *record, uint64_t epoch, const prf_fleet_board_t *board, uint64_t job)
{
    record->duplicate = true;
    if (prf_map_get_pointer(&self->late, &record->point, record->attempt) ||
        prf_index_duplicated(self->hub->index, &record->point, record->attempt))
        forget(self, board, job);
    else
        commit(self, record, epoch, board, job);
}

/* No campaign is waiting for it: known already, or of a campaign that is over or was not resumed yet. */
static void unexpected(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *result)
{
    prf_record_t record;
    prf_planned_t planned;
    fill(&record, board, result);
    if (prf_plan_find(self->hub->plan, &result->point, result->attempt, NULL, &planned) &&
        strcmp(planned.kind, board->facts.kind) == 0)
        commit(self, &record, result->epoch, board, result->id);
    else
        forget(self, board, result->id);
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
        if (!commit(self, record, 0, board, job))
            prf_sched_unhold(self->hub->sched, &record->point, record->attempt);
        return;
    }
    prf_sched_done(self->hub->sched, &record->point, record->attempt);
    self->outcome(self->outcome_arg, &record->point, record->attempt);
    if (board)
        forget(self, board, job);
}

static void failed(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *result, uint64_t now_ms)
{
    prf_log(PRF_LOG_INFO, "job_failed board=%s job=%llu outcome=\"%s\" error=\"%s\"", board->facts.board,
            (unsigned long long)result->id, prf_status_name(result->outcome), result->error);
    bool unsupported = result->outcome == PRF_EUNSUPPORTED, again = true;
    if (board->trust.state == PRF_TRUSTED || unsupported)
        again = prf_sched_fail(self->hub->sched, &result->point, result->attempt, board->number, unsupported);
    else /* it says nothing about the point */
        prf_sched_postpone(self->hub->sched, &result->point, result->attempt);
    prf_triage_failure(self->hub->triage, board, &result->point, result->outcome, result->error, now_ms);
    if (again) {
        forget(self, board, result->id);
        return;
    }
    prf_record_t record;
    fill(&record, board, result);
    give_up(self, &record, board, result->id);
}

/* The same result sent again while it is on its way to the store. */
static open_t *sent_again(prf_results_t *self, const prf_fleet_board_t *board, const prf_result_t *result)
{
    const prf_map_t *maps[] = {&self->open, &self->late};
    for (size_t i = 0; i < 2; i++) {
        open_t *open = prf_map_get_pointer(maps[i], &result->point, result->attempt);
        if (open && open->epoch == result->epoch && strcmp(open->record.board, board->facts.board) == 0)
            return open;
    }
    return NULL;
}

/* A plausible measurement; `job` NULL: nobody has asked for it. */
static void measured(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *result, const prf_job_view_t *job,
                     uint64_t now_ms)
{
    prf_record_t record;
    prf_known_t known;
    fill(&record, board, result);
    bool is_known = prf_index_get(self->hub->index, &result->point, result->attempt, &known);
    bool under_way = prf_map_get_pointer(&self->open, &result->point, result->attempt) != NULL;
    bool fenced = job && job->epoch != 0 && job->epoch != result->epoch;
    if (is_known && resent(&known, &record)) {
        self->ack(self->ack_arg, board->number, result->id, true);
    } else if (fenced || under_way || (is_known && !job)) {
        keep_duplicate(self, &record, result->epoch, board, result->id);
    } else if (!job) {
        unexpected(self, board, result);
    } else if (commit(self, &record, result->epoch, board, result->id)) {
        prf_triage_success(self->hub->triage, board, now_ms);
        prf_sched_hold(self->hub->sched, &result->point, result->attempt);
    }
}

void prf_results_take(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *result, uint64_t now_ms)
{
    open_t *open = sent_again(self, board, result);
    if (open) {
        add_ack(open, board, result->id);
        return;
    }
    prf_result_t judged = *result;
    if (judged.outcome == PRF_OK && !prf_sample_plausible(&judged.sample)) {
        judged.outcome = PRF_EIMPLAUSIBLE;
        snprintf(judged.error, sizeof judged.error, "board %s told a latency of %g ns, which cannot be", board->facts.board,
                 judged.sample.latency_ns);
    }
    prf_job_view_t job;
    bool wanted = prf_sched_get(self->hub->sched, &result->point, result->attempt, &job);
    /* Of another class: the board's runtime changed under it, and the result is of no use to anybody. */
    if (wanted && job.klass != board->klass)
        forget(self, board, judged.id);
    else if (judged.outcome == PRF_OK)
        measured(self, board, &judged, wanted ? &job : NULL, now_ms);
    else if (wanted && job.state == PRF_JOB_LEASED && job.board == board->number && job.epoch == judged.epoch)
        failed(self, board, &judged, now_ms);
    else
        forget(self, board, judged.id);
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
    if (!commit(self, &record, 0, NULL, 0))
        prf_log(PRF_LOG_ERROR, "failure_not_stored board=%s", board->facts.board);
}

void prf_results_expire(prf_results_t *self, uint64_t now_ms, uint64_t unlisted_ms)
{
    prf_sched_expire(self->hub->sched, now_ms, unlisted_ms, expired, self);
}
