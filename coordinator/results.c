// SPDX-License-Identifier: Apache-2.0
/* results.c - fencing: every lease of a point has a higher epoch than the one before, and a result counts only when its epoch is
 * the newest that was issued for its point, or when this coordinator has issued none (after a restart, which forgets leases, and
 * for points that nobody asks for just now). Whatever comes with an older epoch is a true measurement, but its board was given up,
 * and who knows in which state it was: it is stored once as a labelled duplicate, for people, and used for nothing.
 *
 * A result on its way to the store holds its job, so that no board gets it meanwhile; the same result sent again only waits to be
 * acknowledged with the first. Failures count only from the board that has the lease now.
 *
 * A latency that fits none of its neighbours (plausible.h) is neither stored nor acknowledged but measured again, elsewhere if
 * possible: two that agree are believed, else the odd one counts as a failure of its board. What is believed in the end does not
 * depend on the order in which results arrive, only how often a point is measured does.
 *
 * Rejected: to store leases, so that a
 * restart would not forget them. It costs a write a job, and a restart already costs no more than what boards had just begun. */
#include "results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/pool.h"
#include "triage.h"
#include "trouble.h"

enum {
    ACKS = 4,
    FAILED_POINTS = 100000 /* more are not remembered */,
    EXPIRED_LINES = 10 /* in the log, at a time */,
    KEPT = 4096 /* memory of results on their way */
};

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
    prf_pool_t pool;  /* of open_t */
    unsigned expired; /* leases, in the look at them that goes on */
    prf_map_t failed; /* points that a board failed on, whichever attempt; set only */
    prf_trouble_t *trouble;
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
    prf_map_init(&self->failed);
    prf_pool_init(&self->pool, sizeof(open_t), KEPT);
    prf_status_t status = prf_trouble_new(&self->trouble, err);
    if (status) {
        prf_results_destroy(&self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

void prf_results_destroy(prf_results_t **self)
{
    if (!self || !*self)
        return;
    prf_map_release(&(*self)->open);
    prf_map_release(&(*self)->late);
    prf_map_release(&(*self)->failed);
    prf_pool_release(&(*self)->pool);
    prf_trouble_destroy(&(*self)->trouble);
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

/* What a committed record changes in memory. */
static void learn(prf_results_t *self, const prf_record_t *record)
{
    prf_error_t err = {0};
    if (prf_index_add(self->hub->index, record, &err) || prf_poison_add(self->hub->poison, record, &err))
        prf_log(PRF_LOG_ERROR, "result_not_indexed error=\"%s\" it_is_stored=true", err.text);
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
        learn(self, &open->record);
        if (!open->record.duplicate)
            settle(self, &open->record);
        for (size_t i = 0; i < open->ack_count; i++)
            self->ack(self->ack_arg, open->acks[i].board, open->acks[i].job, !open->record.duplicate);
    }
    prf_pool_give(&self->pool, open);
}

/* `board` NULL: nobody waits for an acknowledgement. */
static bool commit(prf_results_t *self, const prf_record_t *record, uint64_t epoch, const prf_fleet_board_t *board, uint64_t job)
{
    prf_map_t *map = under_way(self, record);
    prf_error_t err = {0};
    open_t *open = prf_pool_take(&self->pool);
    prf_status_t status = open ? PRF_OK : prf_fail(&err, PRF_ENOMEM, "a result");
    if (!status) {
        *open = (open_t){.self = self, .record = *record, .epoch = epoch};
        if (board)
            add_ack(open, board, job);
        status = prf_map_put_pointer(map, &record->point, record->attempt, open, &err);
        if (!status && (status = prf_commits_record(self->hub->commits, &open->record, committed, open, &err)))
            prf_map_remove(map, &record->point, record->attempt);
    }
    if (status) {
        prf_pool_give(&self->pool, open);
        prf_log(PRF_LOG_WARN, "result_not_taken error=\"%s\" the_board_sends_it_again=true", err.text);
    }
    return status == PRF_OK;
}

static void fill(prf_record_t *record, const prf_fleet_board_t *board, const prf_result_t *result)
{
    *record =
        (prf_record_t){.point = result->point, .attempt = result->attempt, .outcome = result->outcome, .sample = result->sample};
    _Static_assert(sizeof record->error == sizeof result->error && sizeof record->board == sizeof board->facts.board,
                   "copied whole");
    memcpy(record->error, result->error, sizeof record->error);
    memcpy(record->board, board->facts.board, sizeof record->board);
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

/* One of several failures of a point that is given up; the last one is the point's outcome. */
typedef struct {
    prf_results_t *self;
    prf_record_t record;
} evidence_t;

static void evidence_committed(void *arg, prf_status_t status)
{
    evidence_t *evidence = arg;
    if (status == PRF_OK)
        learn(evidence->self, &evidence->record);
    free(evidence);
}

static void commit_evidence(prf_results_t *self, const prf_record_t *record)
{
    prf_error_t err = {0};
    evidence_t *evidence = malloc(sizeof *evidence);
    if (evidence)
        *evidence = (evidence_t){self, *record};
    if (!evidence || prf_commits_record(self->hub->commits, &evidence->record, evidence_committed, evidence, &err)) {
        free(evidence);
        prf_log(PRF_LOG_WARN, "failure_not_stored board=%s error=\"%s\"", record->board, err.text);
    }
}

/* What a board told as a failure; of a latency that is not believed, why it is one. */
static prf_result_t failure_of(const prf_result_t *told)
{
    prf_result_t failure = *told;
    if (told->outcome == PRF_OK) {
        failure.outcome = PRF_EIMPLAUSIBLE;
        failure.sample = (prf_sample_t){0};
        snprintf(failure.error, sizeof failure.error,
                 "a latency of %.6g ns, which fits no similar layer and no other measurement of this one", told->sample.latency_ns);
    }
    return failure;
}

/* A latency that no other measurement confirmed is its board's failure, and its worker need not keep it. */
static void disbelieve(prf_results_t *self, const prf_said_t *said, uint64_t now_ms)
{
    prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, said->board);
    prf_result_t failure = failure_of(&said->result);
    prf_log(PRF_LOG_WARN, "result_not_believed board=%s error=\"%s\"", board->facts.board, failure.error);
    forget(self, board, said->result.id);
    prf_triage_failure(self->hub->triage, board, false, failure.outcome, failure.error, now_ms);
}

/* The point has a latency that is believed: what was told before is settled by it. */
static void resolve(prf_results_t *self, const prf_result_t *believed, uint64_t now_ms)
{
    size_t count;
    const prf_said_t *said = prf_trouble_of(self->trouble, &believed->point, believed->attempt, &count);
    for (size_t i = 0; i < count; i++)
        if (said[i].result.outcome == PRF_OK && prf_plausible_agree(said[i].result.sample.latency_ns, believed->sample.latency_ns))
            forget(self, prf_fleet_at(self->hub->fleet, said[i].board), said[i].result.id);
        else if (said[i].result.outcome == PRF_OK)
            disbelieve(self, &said[i], now_ms);
    prf_trouble_forget(self->trouble, &believed->point, believed->attempt);
}

/* For people: what kind of layer it was and how each board failed on it. */
static void tell_poisoned(prf_results_t *self, const prf_record_t *last, const prf_said_t *said, size_t count)
{
    char errors[300] = "", hex[PRF_DIGEST_HEX];
    size_t used = 0;
    bool alone = true;
    for (size_t i = 0; i < count && used < sizeof errors; i++) {
        const char *board = prf_fleet_at(self->hub->fleet, said[i].board)->facts.board;
        alone = alone && strcmp(board, last->board) == 0;
        used += (size_t)snprintf(errors + used, sizeof errors - used, "%s%s: %s", i ? ", " : "", board,
                                 prf_status_name(failure_of(&said[i].result).outcome));
    }
    prf_planned_t planned = {.kind = "?", .blocks = "?"};
    prf_plan_find(self->hub->plan, &last->point, last->attempt, NULL, &planned);
    prf_digest_hex(&last->point, hex);
    prf_log(PRF_LOG_WARN, "point_given_up point=%s attempt=%u outcome=\"%s\" error=\"%s\" boards=\"%s\"", hex, last->attempt,
            prf_status_name(last->outcome), last->error, errors);
    if (last->outcome != PRF_EUNSUPPORTED)
        prf_events_add(self->hub->events, "point_poisoned", planned.kind, "%.*s (%s)%s", (int)strcspn(planned.blocks, "\n"),
                       planned.blocks, errors, alone ? ": no other board tried it" : "");
}

/* The job is held. All failures are stored, of which `last`, told by `board` (NULL: none), is the point's outcome. False: could not
 * be stored, and is not acknowledged: the board sends it again. */
static bool give_up(prf_results_t *self, const prf_record_t *last, const prf_fleet_board_t *board, uint64_t job)
{
    size_t count;
    const prf_said_t *said = prf_trouble_of(self->trouble, &last->point, last->attempt, &count);
    tell_poisoned(self, last, said, count);
    for (size_t i = 0; i < count; i++) {
        const prf_fleet_board_t *teller = prf_fleet_at(self->hub->fleet, said[i].board);
        prf_record_t record;
        prf_result_t failure = failure_of(&said[i].result);
        fill(&record, teller, &failure);
        if (teller != board || said[i].result.id != job)
            commit_evidence(self, &record);
    }
    return commit(self, last, 0, board, job);
}

/* `final`: given up whatever the number of tries. */
static void fail(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *told, bool final, uint64_t now_ms)
{
    prf_result_t failure = failure_of(told);
    prf_record_t record;
    fill(&record, board, &failure);
    prf_trouble_add(self->trouble, board->number, told);
    if (prf_sched_fail(self->hub->sched, &told->point, told->attempt, board->number, final)) {
        if (told->outcome)
            forget(self, board, told->id);
        return;
    }
    prf_known_t known;
    if (prf_index_get(self->hub->index, &told->point, told->attempt, &known)) { /* a doubtful sample is better than none */
        prf_sched_done(self->hub->sched, &told->point, told->attempt);
        self->outcome(self->outcome_arg, &told->point, told->attempt);
        forget(self, board, told->id);
    } else if (!give_up(self, &record, board, told->id)) {
        prf_sched_unhold(self->hub->sched, &told->point, told->attempt);
        return;
    }
    size_t count;
    const prf_said_t *said = prf_trouble_of(self->trouble, &told->point, told->attempt, &count);
    for (size_t i = 0; i < count; i++)
        if (said[i].result.outcome == PRF_OK)
            disbelieve(self, &said[i], now_ms);
    prf_trouble_forget(self->trouble, &told->point, told->attempt);
}

static bool failed_before(const prf_results_t *self, const prf_digest_t *point)
{
    uint64_t any;
    return prf_map_get(&self->failed, point, 0, &any);
}

static void note_failed(prf_results_t *self, const prf_digest_t *point)
{
    prf_error_t err = {0};
    if (self->failed.count < FAILED_POINTS && prf_map_put(&self->failed, point, 0, 1, &err))
        prf_log(PRF_LOG_WARN, "failed_point_not_noted error=\"%s\"", err.text);
}

static void failed(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *result, uint64_t now_ms)
{
    prf_log(PRF_LOG_INFO, "job_failed board=%s job=%llu outcome=\"%s\" error=\"%s\"", board->facts.board,
            (unsigned long long)result->id, prf_status_name(result->outcome), result->error);
    bool unsupported = result->outcome == PRF_EUNSUPPORTED, trusted = board->trust.state == PRF_TRUSTED;
    bool again = failed_before(self, &result->point);
    if (trusted && !again && !unsupported)
        note_failed(self, &result->point);
    if (trusted || again || unsupported) {
        fail(self, board, result, unsupported, now_ms);
    } else { /* it says nothing about the point */
        prf_sched_postpone(self->hub->sched, &result->point, result->attempt, board->number);
        forget(self, board, result->id);
    }
    prf_triage_failure(self->hub->triage, board, again, result->outcome, result->error, now_ms);
}

/* Fits no neighbour, and nobody has told the same of this point. A chain of blocks has no neighbours. */
static bool odd(prf_results_t *self, const prf_result_t *result, const prf_job_view_t *job)
{
    if (job->block_count != 1 || !prf_plausible_odd(self->hub->plausible, job->klass, job->blocks, result->sample.latency_ns))
        return false;
    size_t count;
    const prf_said_t *said = prf_trouble_of(self->trouble, &result->point, result->attempt, &count);
    for (size_t i = 0; i < count; i++)
        if (said[i].result.outcome == PRF_OK && prf_plausible_agree(said[i].result.sample.latency_ns, result->sample.latency_ns))
            return false;
    return true;
}

/* How many latencies of its point are not believed so far. */
static size_t doubted(const prf_results_t *self, const prf_result_t *result)
{
    size_t count, open = 0;
    const prf_said_t *said = prf_trouble_of(self->trouble, &result->point, result->attempt, &count);
    for (size_t i = 0; i < count; i++)
        open += said[i].result.outcome == PRF_OK;
    return open;
}

/* It is measured again before it is believed, and given up when no two of several agree. What the board is kept waiting for is its
 * acknowledgement. */
static void doubt(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *result, const prf_job_view_t *job,
                  uint64_t now_ms)
{
    prf_log(PRF_LOG_INFO, "result_doubted board=%s job=%llu latency_ns=%.6g", board->facts.board, (unsigned long long)result->id,
            result->sample.latency_ns);
    prf_result_t failure = failure_of(result);
    if (board->trust.state != PRF_TRUSTED) {
        failed(self, board, &failure, now_ms);
    } else if (job->state == PRF_JOB_LEASED && doubted(self, result) + 1 >= PRF_SCHED_TRIES) {
        fail(self, board, result, true, now_ms);
    } else { /* one of a lease of the coordinator before is in the queue already */
        prf_trouble_add(self->trouble, board->number, result);
        prf_sched_postpone(self->hub->sched, &result->point, result->attempt, board->number);
    }
}

static void believe(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *result, const prf_job_view_t *job,
                    uint64_t now_ms)
{
    prf_record_t record;
    fill(&record, board, result);
    if (!commit(self, &record, result->epoch, board, result->id))
        return;
    if (job->block_count == 1)
        prf_plausible_note(self->hub->plausible, job->klass, job->blocks, result->sample.latency_ns);
    prf_triage_success(self->hub->triage, board, now_ms);
    prf_sched_hold(self->hub->sched, &result->point, result->attempt);
    resolve(self, result, now_ms);
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
    } else if (odd(self, result, job)) {
        doubt(self, board, result, job, now_ms);
    } else {
        believe(self, board, result, job, now_ms);
    }
}

void prf_results_take(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *result, uint64_t now_ms)
{
    open_t *open = sent_again(self, board, result);
    if (open) {
        add_ack(open, board, result->id);
        return;
    }
    prf_job_view_t job;
    bool wanted = prf_sched_get(self->hub->sched, &result->point, result->attempt, &job);
    if (prf_trouble_knows(self->trouble, board->number, result)) {
        /* It waits for another measurement of its point, or for nothing any more. */
        if (!wanted) {
            prf_trouble_forget(self->trouble, &result->point, result->attempt);
            forget(self, board, result->id);
        }
        return;
    }
    prf_result_t judged = *result;
    if (judged.outcome == PRF_ECANCELLED) /* means something else in a record */
        judged.outcome = PRF_EPEER;
    if (judged.outcome == PRF_OK && !prf_sample_plausible(&judged.sample)) {
        judged.outcome = PRF_EIMPLAUSIBLE;
        snprintf(judged.error, sizeof judged.error, "board %s told a latency of %g ns, which cannot be", board->facts.board,
                 judged.sample.latency_ns);
    }
    /* Of another class: the board's runtime changed under it, and the result is of no use to anybody. */
    bool usable = !wanted || job.klass == board->klass;
    if (usable && judged.outcome == PRF_OK)
        measured(self, board, &judged, wanted ? &job : NULL, now_ms);
    else if (usable && wanted && job.state == PRF_JOB_LEASED && job.board == board->number && job.epoch == judged.epoch)
        failed(self, board, &judged, now_ms);
    else
        forget(self, board, judged.id);
}

/* Called from within the scheduler: commits only. */
static void expired(void *arg, const prf_digest_t *point, uint32_t attempt, uint32_t number, bool given_up)
{
    prf_results_t *self = arg;
    const prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, number);
    if (++self->expired <= EXPIRED_LINES)
        prf_log(PRF_LOG_WARN, "lease_expired board=%s given_up=%d", board->facts.board, given_up);
    if (!given_up)
        return;
    prf_record_t record = {.point = *point, .attempt = attempt, .outcome = PRF_ETIMEOUT};
    snprintf(record.error, sizeof record.error, "no board brought a result in time, the last one was %s", board->facts.board);
    snprintf(record.board, sizeof record.board, "%s", board->facts.board);
    if (!give_up(self, &record, NULL, 0))
        prf_log(PRF_LOG_ERROR, "failure_not_stored board=%s", board->facts.board);
    prf_trouble_forget(self->trouble, point, attempt);
}

void prf_results_expire(prf_results_t *self, uint64_t now_ms, uint64_t heard_ms, uint64_t unlisted_ms)
{
    self->expired = 0;
    prf_sched_expire(self->hub->sched, now_ms, heard_ms, unlisted_ms, expired, self);
    if (self->expired > EXPIRED_LINES)
        prf_log(PRF_LOG_WARN, "leases_expired more=%u", self->expired - EXPIRED_LINES);
}
