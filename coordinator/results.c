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

/* What a record is to its point: its outcome; a labelled duplicate; or, of a point that is given up, one of the failures before the
 * last, which is the outcome. */
typedef enum { OUTCOME, DUPLICATE, EVIDENCE } part_t;

/* On its way to the store. */
typedef struct prf_results_open {
    prf_results_t *self;
    prf_entry_t *entry; /* borrowed */
    part_t part;
    uint64_t epoch; /* of the lease that it came with; 0: none */
    struct {
        uint32_t board;
        uint64_t job;
    } acks[ACKS]; /* who waits for the commit */
    size_t ack_count;
    prf_record_t record; /* last: its texts are long, and filled as far as they go */
} open_t;

struct prf_results {
    const prf_hub_t *hub;
    prf_map_t late;   /* point, attempt -> open_t * of a labelled duplicate, owned by its commit; outcomes are in their entries */
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
static void settle(prf_results_t *self, prf_entry_t *entry, const prf_record_t *record)
{
    prf_known_t known;
    bool good = record->outcome == PRF_OK && prf_index_get(self->hub->index, entry, &known);
    if (good)
        prf_sched_pace(self->hub->sched, entry, known.sample.latency_ns);
    if (good && prf_sched_again(self->hub->sched, entry, doubts(&known.sample)))
        return;
    prf_sched_done(self->hub->sched, entry);
    self->outcome(self->outcome_arg, entry);
}

/* What a committed record changes in memory. */
static void learn(prf_results_t *self, prf_entry_t *entry, const prf_record_t *record)
{
    prf_error_t err = {0};
    if (prf_index_add(self->hub->index, entry, record, &err) || prf_poison_add(self->hub->poison, record, &err))
        prf_log(PRF_LOG_ERROR, "result_not_indexed error=\"%s\" it_is_stored=true", err.text);
}

/* Notes that it is on its way. */
static prf_status_t depart(prf_results_t *self, open_t *open, prf_error_t *err)
{
    if (open->part == DUPLICATE)
        return prf_map_put_pointer(&self->late, &open->record.point, open->record.attempt, open, err);
    if (open->part == OUTCOME)
        open->entry->open = open;
    return PRF_OK;
}

static void arrive(prf_results_t *self, const open_t *open)
{
    if (open->part == DUPLICATE)
        prf_map_remove(&self->late, &open->record.point, open->record.attempt);
    else if (open->entry->open == open)
        open->entry->open = NULL;
}

static void committed(void *arg, prf_status_t status)
{
    open_t *open = arg;
    prf_results_t *self = open->self;
    arrive(self, open);
    if (status == PRF_OK) {
        learn(self, open->entry, &open->record);
        if (open->part == OUTCOME)
            settle(self, open->entry, &open->record);
        for (size_t i = 0; i < open->ack_count; i++)
            self->ack(self->ack_arg, open->acks[i].board, open->acks[i].job, open->part == OUTCOME);
    }
    prf_pool_give(&self->pool, open);
}

/* Field by field, and no more of the texts than there is. */
static void fill(open_t *open, prf_results_t *self, prf_entry_t *entry, part_t part, const prf_fleet_board_t *board,
                 const prf_result_t *result)
{
    prf_record_t *record = &open->record;
    _Static_assert(sizeof record->error >= sizeof result->error && sizeof record->board >= sizeof board->facts.board, "fits");
    open->self = self;
    open->entry = entry;
    open->part = part;
    open->epoch = result->epoch;
    open->ack_count = 0;
    record->point = entry->point;
    record->attempt = entry->attempt;
    record->duplicate = part == DUPLICATE;
    record->outcome = result->outcome;
    record->sample = result->sample;
    record->sample.ci_percent = (double)(float)result->sample.ci_percent; /* as it is read again */
    memcpy(record->error, result->error, strlen(result->error) + 1);
    memcpy(record->board, board->facts.board, strlen(board->facts.board) + 1);
}

/* Sends what the board told of the entry's point to the store. `awaited`: the board waits to hear of it. False: it could not be
 * sent. */
static bool commit(prf_results_t *self, prf_entry_t *entry, part_t part, const prf_fleet_board_t *board, const prf_result_t *result,
                   bool awaited)
{
    prf_error_t err = {0};
    open_t *open = prf_pool_take(&self->pool);
    prf_status_t status = open ? PRF_OK : prf_fail(&err, PRF_ENOMEM, "a result");
    if (!status) {
        fill(open, self, entry, part, board, result);
        if (awaited)
            add_ack(open, board, result->id);
        status = depart(self, open, &err);
        if (!status && (status = prf_commits_record(self->hub->commits, &open->record, committed, open, &err)))
            arrive(self, open);
    }
    if (status) {
        prf_pool_give(&self->pool, open);
        prf_log(PRF_LOG_WARN, "result_not_taken board=%s error=\"%s\"%s", board->facts.board, err.text,
                awaited ? " the_board_sends_it_again=true" : "");
    }
    return status == PRF_OK;
}

/* The very result that is known, sent again because its acknowledgement was lost. */
static bool resent(const prf_known_t *known, const prf_fleet_board_t *board, const prf_result_t *result)
{
    return strcmp(known->board, board->facts.board) == 0 && known->sample.wall_ms == result->sample.wall_ms &&
           known->sample.busy_ns == result->sample.busy_ns && known->sample.latency_ns == result->sample.latency_ns;
}

static void forget(prf_results_t *self, const prf_fleet_board_t *board, uint64_t job)
{
    self->ack(self->ack_arg, board->number, job, false);
}

/* Its point has its outcome already, or soon will from a newer lease. */
static void keep_duplicate(prf_results_t *self, prf_entry_t *entry, const prf_fleet_board_t *board, const prf_result_t *result)
{
    if (entry->duplicate_kept || prf_map_get_pointer(&self->late, &result->point, result->attempt))
        forget(self, board, result->id);
    else
        commit(self, entry, DUPLICATE, board, result, true);
}

/* No campaign is waiting for it: known already, or of a campaign that is over or was not resumed yet. */
static void unexpected(prf_results_t *self, prf_entry_t *entry, const prf_fleet_board_t *board, const prf_result_t *result)
{
    prf_planned_t planned;
    if (prf_plan_find(self->hub->plan, entry, NULL, &planned) && strcmp(planned.kind, board->facts.kind) == 0)
        commit(self, entry, OUTCOME, board, result, true);
    else
        forget(self, board, result->id);
}

/* What a board told as a failure; of a latency that is not believed, why it is one. */
static prf_result_t failure_of(const prf_result_t *told)
{
    prf_result_t failure = *told;
    if (told->outcome == PRF_OK) {
        failure.outcome = PRF_EIMPLAUSIBLE;
        failure.sample = (prf_sample_t){0};
        snprintf(failure.error, sizeof failure.error,
                 "a latency of %.6g ns, which fits no similar layer and no other measurement of this one: look at the board",
                 told->sample.latency_ns);
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
static void tell_poisoned(prf_results_t *self, const prf_entry_t *entry, const prf_fleet_board_t *teller, const prf_result_t *last,
                          const prf_said_t *said, size_t count)
{
    char errors[300] = "", hex[PRF_DIGEST_HEX];
    size_t used = 0;
    bool alone = true;
    for (size_t i = 0; i < count && used < sizeof errors; i++) {
        const char *board = prf_fleet_at(self->hub->fleet, said[i].board)->facts.board;
        alone = alone && strcmp(board, teller->facts.board) == 0;
        used += (size_t)snprintf(errors + used, sizeof errors - used, "%s%s: %s", i ? ", " : "", board,
                                 prf_status_name(failure_of(&said[i].result).outcome));
    }
    prf_planned_t planned = {.kind = "?", .blocks = "?"};
    prf_plan_find(self->hub->plan, entry, NULL, &planned);
    prf_digest_hex(&entry->point, hex);
    prf_log(PRF_LOG_WARN, "point_given_up point=%s attempt=%u outcome=\"%s\" error=\"%s\" boards=\"%s\"", hex, entry->attempt,
            prf_status_name(last->outcome), last->error, errors);
    if (last->outcome != PRF_EUNSUPPORTED)
        prf_events_add(self->hub->events, "point_poisoned", planned.kind, "%.*s (%s)%s", (int)strcspn(planned.blocks, "\n"),
                       planned.blocks, errors, alone ? ": no other board tried it" : "");
}

/* The job is held. All failures are stored, of which `last`, told by `board`, is the point's outcome. `awaited`: the board waits to
 * hear of it. False: could not be stored, and is not acknowledged: the board sends it again. */
static bool give_up(prf_results_t *self, prf_entry_t *entry, const prf_fleet_board_t *board, const prf_result_t *last, bool awaited)
{
    size_t count;
    const prf_said_t *said = prf_trouble_of(self->trouble, &entry->point, entry->attempt, &count);
    tell_poisoned(self, entry, board, last, said, count);
    for (size_t i = 0; i < count; i++) {
        const prf_fleet_board_t *teller = prf_fleet_at(self->hub->fleet, said[i].board);
        prf_result_t failure = failure_of(&said[i].result);
        if (!awaited || teller != board || failure.id != last->id)
            commit(self, entry, EVIDENCE, teller, &failure, false);
    }
    return commit(self, entry, OUTCOME, board, last, awaited);
}

/* `final`: given up whatever the number of tries. */
static void fail(prf_results_t *self, prf_entry_t *entry, prf_fleet_board_t *board, const prf_result_t *told, bool final,
                 uint64_t now_ms)
{
    prf_result_t failure = failure_of(told);
    prf_trouble_add(self->trouble, board->number, told);
    if (prf_sched_fail(self->hub->sched, entry, board->number, final)) {
        if (told->outcome)
            forget(self, board, told->id);
        return;
    }
    if (entry->known) { /* a doubtful sample is better than none */
        prf_sched_done(self->hub->sched, entry);
        self->outcome(self->outcome_arg, entry);
        forget(self, board, told->id);
    } else if (!give_up(self, entry, board, &failure, true)) {
        prf_sched_unhold(self->hub->sched, entry);
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

static void failed(prf_results_t *self, prf_entry_t *entry, prf_fleet_board_t *board, const prf_result_t *result, uint64_t now_ms)
{
    prf_log(PRF_LOG_INFO, "job_failed board=%s job=%llu outcome=\"%s\" error=\"%s\"", board->facts.board,
            (unsigned long long)result->id, prf_status_name(result->outcome), result->error);
    bool unsupported = result->outcome == PRF_EUNSUPPORTED, trusted = board->trust.state == PRF_TRUSTED;
    bool again = failed_before(self, &result->point);
    if (trusted && !again && !unsupported)
        note_failed(self, &result->point);
    if (trusted || again || unsupported) {
        fail(self, entry, board, result, unsupported, now_ms);
    } else { /* it says nothing about the point */
        prf_sched_postpone(self->hub->sched, entry, board->number);
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
static void doubt(prf_results_t *self, prf_entry_t *entry, prf_fleet_board_t *board, const prf_result_t *result,
                  const prf_job_view_t *job, uint64_t now_ms)
{
    prf_log(PRF_LOG_INFO, "result_doubted board=%s job=%llu latency_ns=%.6g", board->facts.board, (unsigned long long)result->id,
            result->sample.latency_ns);
    prf_result_t failure = failure_of(result);
    if (board->trust.state != PRF_TRUSTED) {
        failed(self, entry, board, &failure, now_ms);
    } else if (job->state == PRF_JOB_LEASED && doubted(self, result) + 1 >= PRF_SCHED_TRIES) {
        fail(self, entry, board, result, true, now_ms);
    } else { /* one of a lease of the coordinator before is in the queue already */
        prf_trouble_add(self->trouble, board->number, result);
        prf_sched_postpone(self->hub->sched, entry, board->number);
    }
}

static void believe(prf_results_t *self, prf_entry_t *entry, prf_fleet_board_t *board, const prf_result_t *result,
                    const prf_job_view_t *job, uint64_t now_ms)
{
    if (!commit(self, entry, OUTCOME, board, result, true))
        return;
    if (job->block_count == 1)
        prf_plausible_note(self->hub->plausible, job->klass, job->blocks, result->sample.latency_ns);
    prf_triage_success(self->hub->triage, board, now_ms);
    prf_sched_hold(self->hub->sched, entry);
    resolve(self, result, now_ms);
}

/* The same result sent again while it is on its way to the store. */
static open_t *sent_again(prf_results_t *self, const prf_entry_t *entry, const prf_fleet_board_t *board, const prf_result_t *result)
{
    open_t *ways[] = {entry ? entry->open : NULL, prf_map_get_pointer(&self->late, &result->point, result->attempt)};
    for (size_t i = 0; i < 2; i++) {
        open_t *open = ways[i];
        if (open && open->epoch == result->epoch && open->record.outcome == result->outcome &&
            open->record.sample.latency_ns == result->sample.latency_ns && strcmp(open->record.board, board->facts.board) == 0)
            return open;
    }
    return NULL;
}

/* A plausible measurement; `job` NULL: nobody has asked for it, or ever did, which has no entry. */
static void measured(prf_results_t *self, prf_entry_t *entry, prf_fleet_board_t *board, const prf_result_t *result,
                     const prf_job_view_t *job, uint64_t now_ms)
{
    prf_known_t known;
    bool is_known = prf_index_get(self->hub->index, entry, &known);
    bool under_way = entry && entry->open;
    bool fenced = job && job->epoch != 0 && job->epoch != result->epoch;
    if (is_known && resent(&known, board, result)) {
        self->ack(self->ack_arg, board->number, result->id, true);
    } else if (fenced || under_way || (is_known && !job)) {
        keep_duplicate(self, entry, board, result);
    } else if (!job) {
        unexpected(self, entry, board, result);
    } else if (odd(self, result, job)) {
        doubt(self, entry, board, result, job, now_ms);
    } else {
        believe(self, entry, board, result, job, now_ms);
    }
}

/* What was told, as a failure. */
static prf_result_t impossible(const prf_fleet_board_t *board, const prf_result_t *told)
{
    prf_result_t failure = failure_of(told);
    if (told->outcome == PRF_ECANCELLED) /* means something else in a record */
        failure.outcome = PRF_EPEER;
    if (told->outcome == PRF_OK)
        snprintf(failure.error, sizeof failure.error,
                 "board %s told a latency of %g ns within %g %%, which cannot be: look at its backend", board->facts.board,
                 told->sample.latency_ns, told->sample.ci_percent);
    return failure;
}

void prf_results_take(prf_results_t *self, prf_fleet_board_t *board, const prf_result_t *result, uint64_t now_ms)
{
    prf_entry_t *entry = prf_ledger_find(self->hub->ledger, &result->point, result->attempt);
    open_t *open = sent_again(self, entry, board, result);
    if (open) {
        add_ack(open, board, result->id);
        return;
    }
    prf_job_view_t job;
    bool wanted = prf_sched_get(entry, &job);
    if (prf_trouble_knows(self->trouble, board->number, result)) {
        /* It waits for another measurement of its point, or for nothing any more. */
        if (!wanted) {
            prf_trouble_forget(self->trouble, &result->point, result->attempt);
            forget(self, board, result->id);
        }
        return;
    }
    prf_pace_note(&board->pace, result->outcome == PRF_OK ? &result->sample : NULL, now_ms);
    /* Of another class: the board's runtime changed under it, and the result is of no use to anybody. */
    bool usable = !wanted || job.klass == board->klass;
    bool held_here = wanted && job.state == PRF_JOB_LEASED && job.board == board->number && job.epoch == result->epoch;
    if (usable && result->outcome == PRF_OK && prf_sample_plausible(&result->sample)) {
        measured(self, entry, board, result, wanted ? &job : NULL, now_ms);
    } else if (usable && held_here) {
        prf_result_t failure = impossible(board, result);
        failed(self, entry, board, &failure, now_ms);
    } else {
        forget(self, board, result->id);
    }
}

/* Called from within the scheduler: commits only. */
static bool expired(void *arg, prf_entry_t *entry, uint32_t number, bool given_up)
{
    prf_results_t *self = arg;
    const prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, number);
    if (++self->expired <= EXPIRED_LINES)
        prf_log(PRF_LOG_WARN, "lease_expired board=%s given_up=%d", board->facts.board, given_up);
    if (!given_up)
        return true;
    prf_result_t failure = {.point = entry->point, .attempt = entry->attempt, .outcome = PRF_ETIMEOUT};
    snprintf(failure.error, sizeof failure.error, "no board brought a result in time, the last one was %s: look at that board",
             board->facts.board);
    bool stored = give_up(self, entry, board, &failure, false);
    if (stored)
        prf_trouble_forget(self->trouble, &entry->point, entry->attempt);
    return stored;
}

void prf_results_expire(prf_results_t *self, uint64_t now_ms, uint64_t heard_ms, uint64_t unlisted_ms)
{
    self->expired = 0;
    prf_sched_expire(self->hub->sched, now_ms, heard_ms, unlisted_ms, expired, self);
    if (self->expired > EXPIRED_LINES)
        prf_log(PRF_LOG_WARN, "leases_expired more=%u", self->expired - EXPIRED_LINES);
}
