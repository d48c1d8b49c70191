// SPDX-License-Identifier: Apache-2.0
/* agent.c - everything hangs on three facts: is the board open (facts known), is there a session, which jobs are held.
 *
 * A job's way: queue (bounded by the credit that was granted) -> the backend's process -> outbox -> forgotten when the coordinator
 * has committed it. A new session changes nothing about that: jobs that are held stay held and are listed in the heartbeat,
 * results that are not confirmed are sent again. Only a coordinator that was started anew knows nothing of the jobs before it:
 * those that have not begun are dropped, and it gets the results before it is granted credit, so that it can plan with them.
 *
 * While nobody is there the board works through what it holds, and the results wait in the outbox and its spool, for hours if need
 * be. Credit is granted anew as jobs leave the board, not as they are committed, so
 * that the board never waits for the disk; but with a full outbox none is granted at all.
 *
 * The only timer ticks every 50 ms; what is due is decided by comparing times. */
#include "agent.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "host.h"
#include "measure/energy.h"
#include "models.h"
#include "net/frames.h"
#include "outbox.h"

enum {
    TICK_MS = 50,
    FIRST_HELLO_MS = 500, /* the longest wait before the first Hello of a session, */
    LAST_HELLO_MS = 8000, /* and between two that were sent and not answered */
    SAVE_MS = 2000,
    FETCH_MS = 2000,
    SILENT_PERIODS = 5,
    RESEND_PERIODS = 10,
    FAREWELL_MS = 2000,    /* for results to be committed when a signal has come */
    DENIED_LOG_MS = 30000, /* between two lines about the same */
    SOCKET_QUEUE = 1000,
    DEFAULT_HEARTBEAT_MS = 1000
};

typedef struct {
    const prf_agent_options_t *options;
    prf_loop_t *loop;
    prf_socket_t *dealer, *sub;
    prf_host_t *host;
    prf_outbox_t *outbox;
    prf_models_t *models;
    prf_hello_t facts; /* board "": not open yet */
    bool board_down;   /* its process could not be started again */
    bool was_ready, was_welcome;
    prf_waiting_t waiting;
    uint64_t running; /* id of the job on the board */
    bool busy;
    uint64_t session; /* 0: none */
    uint32_t heartbeat_ms;
    uint32_t open_credit;  /* granted and not used yet */
    prf_backoff_t backoff; /* between Hellos */
    uint64_t next_hello_ms, next_heartbeat_ms, heard_ms, fetch_ms, save_ms;
    uint64_t denied_ms;   /* when it was last logged that the farm does not let us in; 0: not since it did */
    bool disk_full;       /* results are kept in memory only */
    uint64_t farewell_ms; /* 0, or when to end whatever is unconfirmed */
    uint64_t worked_ms;   /* when it last had something to do; opening the board is that, too */
    prf_status_t end;     /* why it ended */
    prf_error_t why;
    prf_result_t batch[PRF_FRAME_JOBS];
} agent_t;

static void end_with(agent_t *self, const prf_error_t *why)
{
    self->end = why->code;
    self->why = *why;
    prf_loop_stop(self->loop);
}

static bool send_frame(agent_t *self, const prf_frame_t *frame)
{
    prf_error_t err;
    prf_status_t status = prf_frame_send(self->dealer, NULL, frame, &err);
    /* A full queue means that nobody is there; all that matters is sent again when somebody is. */
    if (status && status != PRF_EBUSY)
        prf_log(PRF_LOG_WARN, "send_failed frame=%s error=\"%s\"", prf_frame_name(frame->type), err.text);
    return status == PRF_OK;
}

/* The job on the board counts as a result, since it will be one. A Hello that could not leave, because nobody is there, is not one
 * that was not answered. */
static void send_hello(agent_t *self, uint64_t now)
{
    prf_frame_t frame = {.type = PRF_FRAME_HELLO, .u.hello = self->facts};
    frame.u.hello.model = *prf_models_current(self->models);
    frame.u.hello.spooled = (uint32_t)prf_outbox_count(self->outbox) + self->busy;
    if (!send_frame(self, &frame))
        prf_backoff_reset(&self->backoff);
    self->next_hello_ms = now + prf_backoff_next(&self->backoff);
}

/* Without one there is nothing to do: what was sent before may be answered by many refusals, and the next Hello has its time. */
static void lose_session(agent_t *self, const char *why)
{
    if (!self->session)
        return;
    prf_log(PRF_LOG_WARN, "session_lost why=\"%s\" unconfirmed=%zu next=\"says hello again\"", why, prf_outbox_count(self->outbox));
    prf_notify(PRF_NOTIFY_STATUS, "keeps its results until the coordinator is there again");
    self->session = 0;
    self->open_credit = 0;
    self->next_hello_ms = prf_clock_mono_ms() + prf_backoff_next(&self->backoff);
}

/* False when some could not leave. */
static bool send_results(agent_t *self, uint64_t now)
{
    uint64_t patience = (uint64_t)RESEND_PERIODS * self->heartbeat_ms;
    size_t count;
    while (self->session &&
           (count = prf_outbox_due(self->outbox, now > patience ? now - patience : 0, now, self->batch, PRF_FRAME_JOBS)) > 0)
        if (!send_frame(self, &(prf_frame_t){.type = PRF_FRAME_RESULT_BATCH, .u.results = {.items = self->batch, .count = count}}))
            return false;
    return true;
}

static uint32_t held_jobs(const agent_t *self)
{
    return (uint32_t)self->waiting.count + (self->busy ? 1 : 0);
}

/* How many jobs it takes beside `held` ones. */
static uint32_t room_beside(const agent_t *self, uint32_t held)
{
    uint32_t promised = (uint32_t)prf_outbox_count(self->outbox) + held;
    if (self->board_down || self->farewell_ms || promised >= PRF_OUTBOX_FULL || held >= self->options->credit)
        return 0;
    uint32_t room = PRF_OUTBOX_FULL - promised, more = self->options->credit - held;
    return more < room ? more : room;
}

/* Every job that is held or granted needs a place in the outbox one day. Results go first: the coordinator must not grant what is
 * measured already. */
static void grant_credit(agent_t *self)
{
    uint32_t held = held_jobs(self) + self->open_credit;
    /* In halves rather than one by one, so that jobs come in batches. */
    if (!self->session || held > self->options->credit / 2 || room_beside(self, held) == 0 ||
        !send_results(self, prf_clock_mono_ms()))
        return;
    prf_frame_t frame = {.type = PRF_FRAME_CREDIT, .u.credit = room_beside(self, held)};
    if (send_frame(self, &frame))
        self->open_credit += frame.u.credit;
}

static void finish_job(agent_t *self, const prf_result_t *result)
{
    prf_error_t err;
    prf_status_t status = prf_outbox_add(self->outbox, result, &err);
    if (status) /* cannot be: credit stops before; the lease will expire and the job is done again */
        prf_log(PRF_LOG_ERROR, "result_dropped job=%llu error=\"%s\"", (unsigned long long)result->id, err.text);
    send_results(self, prf_clock_mono_ms());
}

/* Hands the board its next job; a job that cannot even be handed over has failed. */
static void feed_board(agent_t *self)
{
    prf_job_t job;
    while (prf_host_idle(self->host) && prf_waiting_take(&self->waiting, &job)) {
        prf_error_t err = {0};
        prf_status_t status = prf_host_submit(self->host, &job, &err);
        free(job.blocks);
        if (!status) {
            self->busy = true;
            self->running = job.id;
            break;
        }
        prf_result_t failed = {.id = job.id, .epoch = job.epoch, .point = job.point, .attempt = job.attempt, .outcome = status};
        snprintf(failed.error, sizeof failed.error, "%.*s", PRF_ERROR_TEXT - 1, err.text);
        finish_job(self, &failed);
    }
    grant_credit(self);
}

/* The outbox of the board that it turned out to be. False, and the worker ends, when it cannot be had. */
static bool open_outbox(agent_t *self, const prf_hello_t *facts)
{
    char folder[PATH_MAX];
    prf_spool_found_t found;
    prf_error_t err = {0};
    prf_status_t status =
        snprintf(folder, sizeof folder, "%s/spool", self->options->state_dir) < (int)sizeof folder
            ? prf_outbox_keep(self->outbox, folder, facts, &found, &err)
            : prf_fail(&err, PRF_EINVAL, "state folder %.60s...: path too long: use a shorter one", self->options->state_dir);
    if (status) {
        prf_fail_prefix(&err, status, "results cannot be kept, choose another folder with --state");
        end_with(self, &err);
        return false;
    }
    if (found.taken > 0)
        prf_log(PRF_LOG_INFO, "spool_taken_up results=%zu next=\"they are handed over\"", found.taken);
    if (found.damaged > 0)
        prf_log(PRF_LOG_WARN, "spool_damaged entries=%zu next=\"they are measured again\"", found.damaged);
    if (found.others > 0)
        prf_log(PRF_LOG_WARN,
                "spool_set_aside files=%zu one=\"%s/%s\" why=\"of another board, kind, runtime or prfarm\" next=\"start a worker "
                "as that one to hand them over, or delete them\"",
                found.others, folder, found.other);
    return true;
}

/* Somebody who measures this machine through several runtimes wants to know that they do not disturb one another. */
static void say_turns(const prf_agent_options_t *options)
{
    if (options->serve.turns)
        prf_log(PRF_LOG_INFO, "turns file=\"%s\" why=\"boards of this machine's processor measure one at a time\"",
                options->serve.turns);
    else if (options->turns_missing.code)
        prf_log(PRF_LOG_WARN, "no_turns error=\"%s\" next=\"measures whenever it likes; --turns names another file\"",
                options->turns_missing.text);
}

static void on_board_ready(void *arg, const prf_hello_t *facts)
{
    agent_t *self = arg;
    bool other = strcmp(facts->fingerprint, self->facts.fingerprint) != 0, changed = other || facts->kinds != self->facts.kinds;
    char energy[PRF_ENERGY_WORDS];
    prf_energy_words(facts->flags, "", energy);
    prf_log(self->was_ready && !changed ? PRF_LOG_DEBUG : PRF_LOG_INFO, "board_open backend=%s fingerprint=\"%s\" energy=\"%s\"",
            self->options->serve.backend, facts->fingerprint, energy);
    if ((changed || !self->was_ready) && (facts->flags & PRF_BOARD_HOST))
        say_turns(self->options);
    if (other && !open_outbox(self, facts))
        return;
    if (!self->was_ready) /* it measures what it is given, whether or not the coordinator is there just now */
        prf_notify(PRF_NOTIFY_READY, "has its board, looks for the coordinator");
    self->facts = *facts;
    self->board_down = false;
    if (changed && self->was_ready) {
        prf_waiting_clear(&self->waiting); /* of another runtime's points */
        lose_session(self, "the board came back with another fingerprint");
    }
    self->was_ready = true;
    feed_board(self);
}

/* What cannot be put right by trying again, when the board was never open. */
static bool hopeless(prf_status_t code)
{
    return code == PRF_EUSAGE || code == PRF_EINVAL || code == PRF_EPARSE || code == PRF_EVERSION || code == PRF_ENOTFOUND ||
           code == PRF_EUNSUPPORTED || code == PRF_EIO;
}

static void on_board_refused(void *arg, const prf_error_t *why, unsigned retry_ms)
{
    agent_t *self = arg;
    if (!self->was_ready && hopeless(why->code)) {
        end_with(self, why);
        return;
    }
    prf_log(PRF_LOG_ERROR, "board_not_opened error=\"%s\" next=\"tried again in %u ms\"", why->text, retry_ms);
    self->board_down = true;
    /* Others can measure these meanwhile. */
    prf_job_t job;
    while (prf_waiting_take(&self->waiting, &job)) {
        prf_result_t failed = {.id = job.id, .epoch = job.epoch, .point = job.point, .attempt = job.attempt, .outcome = PRF_ECRASH};
        snprintf(failed.error, sizeof failed.error, "the board cannot be opened: %.*s", PRF_ERROR_TEXT - 40, why->text);
        free(job.blocks);
        finish_job(self, &failed);
    }
}

static void on_board_result(void *arg, const prf_result_t *result)
{
    agent_t *self = arg;
    self->busy = false;
    /* Whoever ends a whole group of processes, as Slurm does, ends the board's as well: that says nothing about the job, which the
     * coordinator gives to another board once we are gone. */
    if (self->farewell_ms && result->outcome == PRF_ECRASH)
        return;
    if (result->outcome)
        prf_log(result->outcome == PRF_EUNSUPPORTED ? PRF_LOG_INFO : PRF_LOG_WARN,
                "job_failed job=%llu outcome=\"%s\" error=\"%s\"", (unsigned long long)result->id, prf_status_name(result->outcome),
                result->error);
    finish_job(self, result);
    feed_board(self);
}

static void send_fetch(agent_t *self, uint64_t now)
{
    prf_frame_t frame = {.type = PRF_FRAME_FETCH};
    if (!self->session || !prf_models_fetch(self->models, &frame.u.fetch.digest, &frame.u.fetch.offset))
        return;
    self->fetch_ms = now;
    send_frame(self, &frame);
}

static void model_step(agent_t *self, prf_models_step_t step, prf_status_t status, const prf_error_t *err)
{
    if (status)
        prf_log(PRF_LOG_ERROR, "model_not_taken error=\"%s\" next=\"keeps version %u\"", err->text,
                prf_models_current(self->models)->version);
    else if (step == PRF_MODELS_FETCH)
        send_fetch(self, prf_clock_mono_ms());
    else if (step == PRF_MODELS_ACK)
        send_frame(self, &(prf_frame_t){.type = PRF_FRAME_MODEL_ACK, .u.model = *prf_models_current(self->models)});
}

static void on_offer(agent_t *self, const prf_model_version_t *offer)
{
    prf_error_t err;
    prf_models_step_t step = PRF_MODELS_NOTHING;
    prf_status_t status = prf_models_offer(self->models, offer, &step, &err);
    model_step(self, step, status, &err);
}

static void on_chunk(agent_t *self, const prf_frame_t *frame)
{
    prf_error_t err;
    prf_models_step_t step = PRF_MODELS_NOTHING;
    prf_status_t status = prf_models_chunk(self->models, &frame->u.chunk.digest, frame->u.chunk.offset, frame->u.chunk.total,
                                           frame->u.chunk.data, frame->u.chunk.len, &step, &err);
    if (!status && step == PRF_MODELS_ACK)
        prf_log(PRF_LOG_INFO, "model_taken kind=%s version=%u", prf_models_current(self->models)->kind,
                prf_models_current(self->models)->version);
    model_step(self, step, status, &err);
}

static void on_welcome(agent_t *self, const prf_frame_t *frame, uint64_t now)
{
    bool first = self->session == 0;
    self->denied_ms = 0;
    size_t dropped = prf_waiting_drop_until(&self->waiting, frame->u.welcome.first_epoch);
    if (dropped > 0)
        prf_log(PRF_LOG_INFO, "jobs_dropped count=%zu why=\"they had not begun, and the coordinator gives them to others\"",
                dropped);
    prf_backoff_reset(&self->backoff);
    self->session = frame->u.welcome.session;
    self->heartbeat_ms = frame->u.welcome.heartbeat_ms ? frame->u.welcome.heartbeat_ms : DEFAULT_HEARTBEAT_MS;
    self->open_credit = 0;
    self->next_heartbeat_ms = now;
    if (first) {
        prf_log(PRF_LOG_INFO, "welcome session=%llu unconfirmed=%zu held=%zu", (unsigned long long)self->session,
                prf_outbox_count(self->outbox), self->waiting.count + self->busy);
        prf_notify(PRF_NOTIFY_STATUS, "is board %s of kind %s", self->options->serve.board, self->options->serve.kind);
    }
    if (!self->was_welcome) {
        printf("ready board=%s kind=%s\n", self->options->serve.board, self->options->serve.kind);
        fflush(stdout);
    }
    self->was_welcome = true;
    prf_outbox_unsend(self->outbox);
    send_results(self, now);
    on_offer(self, &frame->u.welcome.model);
    feed_board(self);
}

/* The list of keys may be mended at any time, so the worker goes on trying; one line now and then tells what for. */
static void on_denied(agent_t *self, const char *text, uint64_t now)
{
    if (!self->denied_ms || now - self->denied_ms >= DENIED_LOG_MS) {
        prf_log(PRF_LOG_ERROR, "not_let_in error=\"%s\" next=\"tries again\"", text);
        self->denied_ms = now;
    }
}

static void on_refusal(agent_t *self, const prf_frame_t *frame, uint64_t now)
{
    prf_error_t why = {0};
    prf_status_t status = frame->u.refusal.status;
    prf_fail(&why, status, "the coordinator refuses this worker: %s", frame->u.refusal.text);
    if (status == PRF_EEXISTS || status == PRF_EVERSION)
        end_with(self, &why);
    else if (status == PRF_ENOTFOUND || status == PRF_EBUSY || status == PRF_EDENIED) {
        if (status == PRF_EDENIED)
            on_denied(self, frame->u.refusal.text, now);
        lose_session(self, frame->u.refusal.text);
    } else
        prf_log(PRF_LOG_WARN, "refused status=\"%s\" text=\"%s\"", prf_status_name(status), frame->u.refusal.text);
}

static bool holds(const agent_t *self, uint64_t id)
{
    for (size_t i = 0; i < prf_outbox_count(self->outbox); i++)
        if (prf_outbox_at(self->outbox, i)->id == id)
            return true;
    return prf_waiting_has(&self->waiting, id) || (self->busy && self->running == id);
}

/* Takes jobs over from the frame as far as the queue reaches; a coordinator that sends more than it was granted gets those back by
 * the end of their leases. */
static void on_jobs(agent_t *self, prf_frame_t *frame)
{
    for (size_t i = 0; i < frame->u.jobs.count; i++) {
        prf_job_t *job = &frame->u.jobs.items[i];
        self->open_credit -= self->open_credit > 0;
        if (holds(self, job->id))
            continue;
        if (!prf_waiting_push(&self->waiting, job))
            prf_log(PRF_LOG_WARN, "job_ignored job=%llu why=\"more jobs than were granted\"", (unsigned long long)job->id);
    }
    feed_board(self);
}

static void on_frame(agent_t *self, prf_frame_t *frame, uint64_t now)
{
    switch (frame->type) {
    case PRF_FRAME_WELCOME:
        on_welcome(self, frame, now);
        break;
    case PRF_FRAME_REFUSAL:
        on_refusal(self, frame, now);
        break;
    case PRF_FRAME_JOB_BATCH:
        on_jobs(self, frame);
        break;
    case PRF_FRAME_COMMITTED:
    case PRF_FRAME_FORGET:
        prf_outbox_forget(self->outbox, frame->u.ids.items, frame->u.ids.count);
        grant_credit(self);
        break;
    case PRF_FRAME_REVOKE: /* what is on the board already goes on: a result is never thrown away */
        prf_waiting_drop(&self->waiting, frame->u.ids.items, frame->u.ids.count);
        grant_credit(self);
        break;
    case PRF_FRAME_HEARTBEAT:
        break; /* hearing it was all */
    case PRF_FRAME_MODEL_OFFER:
        on_offer(self, &frame->u.model);
        break;
    case PRF_FRAME_CHUNK:
        on_chunk(self, frame);
        break;
    case PRF_FRAME_GOODBYE:
        lose_session(self, "the coordinator said goodbye");
        break;
    default:
        prf_log(PRF_LOG_WARN, "frame_ignored type=%s", prf_frame_name(frame->type));
    }
}

/* Every message of one turn, up to a limit, so that a flood cannot starve the board. */
static void read_socket(agent_t *self, prf_socket_t *socket)
{
    for (int i = 0; i < 100 && !self->end; i++) {
        uint8_t *bytes = NULL;
        size_t len = 0;
        prf_error_t err;
        if (prf_socket_recv(socket, NULL, &bytes, &len, &err))
            return;
        prf_frame_t frame;
        uint64_t now = prf_clock_mono_ms();
        prf_status_t status = prf_frame_decode(&frame, bytes, len, &err);
        free(bytes);
        if (status) {
            prf_log(PRF_LOG_WARN, "frame_refused error=\"%s\"", err.text);
            continue;
        }
        if (socket == self->dealer)
            self->heard_ms = now;
        on_frame(self, &frame, now);
        prf_frame_release(&frame);
    }
}

static void on_dealer(void *arg)
{
    read_socket(arg, ((agent_t *)arg)->dealer);
}

static void on_sub(void *arg)
{
    read_socket(arg, ((agent_t *)arg)->sub);
}

/* Lists every job that is held, in as many frames as that takes, and at least one. False when there is no connection. */
static bool send_heartbeat(agent_t *self, uint64_t now)
{
    uint64_t ids[PRF_FRAME_JOBS];
    size_t count = 0, results = prf_outbox_count(self->outbox), total = self->waiting.count + self->busy + results;
    for (size_t i = 0; i < total; i++) {
        if (i < results)
            ids[count++] = prf_outbox_at(self->outbox, i)->id;
        else
            ids[count++] = i - results < self->waiting.count ? self->waiting.jobs[i - results].id : self->running;
        if (count == PRF_FRAME_JOBS && i + 1 < total) {
            send_frame(self, &(prf_frame_t){.type = PRF_FRAME_HEARTBEAT,
                                            .u.ids = {.session = self->session, .items = ids, .count = count}});
            count = 0;
        }
    }
    self->next_heartbeat_ms = now + self->heartbeat_ms;
    /* Credit that was lost with a connection is told anew; what is on its way already, the coordinator takes off. */
    self->open_credit = room_beside(self, held_jobs(self));
    return send_frame(
        self, &(prf_frame_t){.type = PRF_FRAME_HEARTBEAT,
                             .u.ids = {.session = self->session, .takes = 1 + self->open_credit, .items = ids, .count = count}});
}

/* A full disk is told once, and once when it is over. */
static void save_outbox(agent_t *self, uint64_t now)
{
    prf_error_t err;
    bool failed = prf_outbox_save(self->outbox, &err) != PRF_OK;
    self->save_ms = now;
    if (failed && !self->disk_full)
        prf_log(PRF_LOG_ERROR,
                "spool_not_written error=\"%s\" next=\"up to %d results are kept in memory; tried again every %d ms\"", err.text,
                PRF_OUTBOX_FULL, SAVE_MS);
    if (!failed && self->disk_full)
        prf_log(PRF_LOG_INFO, "spool_written_again results=%zu", prf_outbox_count(self->outbox));
    self->disk_full = failed;
}

static void bid_farewell(agent_t *self, const char *why)
{
    prf_log(PRF_LOG_INFO, "stopping why=\"%s\" unconfirmed=%zu", why, prf_outbox_count(self->outbox));
    prf_notify(PRF_NOTIFY_STOPPING, "hands over its last results");
    self->farewell_ms = prf_clock_mono_ms() + FAREWELL_MS;
}

/* A worker that is paid for, in a queue where others wait, goes when there is nothing for it to do. Results that nobody has taken
 * are something to do: so are those of a coordinator that is away. */
static void watch_idleness(agent_t *self, uint64_t now)
{
    if (!self->was_ready || held_jobs(self) > 0 || prf_outbox_count(self->outbox) > 0)
        self->worked_ms = now;
    if (self->options->idle_exit_ms && !self->farewell_ms && now - self->worked_ms >= self->options->idle_exit_ms)
        bid_farewell(self, "there was nothing to do");
}

static void on_tick(void *arg)
{
    agent_t *self = arg;
    uint64_t now = prf_clock_mono_ms();
    prf_error_t why = {0};
    if (prf_socket_tend(self->dealer, &why) || prf_socket_tend(self->sub, &why))
        on_denied(self, why.text, now);
    watch_idleness(self, now);
    if (self->farewell_ms && (now >= self->farewell_ms || !self->session || prf_outbox_count(self->outbox) == 0)) {
        prf_loop_stop(self->loop);
        return;
    }
    if (self->session && now - self->heard_ms > (uint64_t)SILENT_PERIODS * self->heartbeat_ms)
        lose_session(self, "nothing was heard of the coordinator");
    if (!self->session && self->was_ready && now >= self->next_hello_ms)
        send_hello(self, now);
    if (now - self->save_ms >= SAVE_MS)
        save_outbox(self, now);
    if (self->session && now >= self->next_heartbeat_ms && !send_heartbeat(self, now))
        lose_session(self, "there is no connection to the coordinator");
    if (!self->session)
        return;
    send_results(self, now);
    if (now - self->fetch_ms >= FETCH_MS)
        send_fetch(self, now);
    grant_credit(self);
}

/* The first signal lets results be committed, without which the farm would measure them again; a second one ends at once. */
static void on_signal(void *arg)
{
    agent_t *self = arg;
    if (self->farewell_ms) {
        prf_loop_stop(self->loop);
        return;
    }
    bid_farewell(self, "a signal came");
    on_tick(self);
}

static prf_status_t connect_farm(agent_t *self, prf_error_t *err)
{
    const prf_endpoints_t *farm = &self->options->farm;
    prf_status_t status = prf_socket_new(&self->dealer, PRF_DEALER, SOCKET_QUEUE, PRF_FRAME_BYTES, err);
    if (!status) {
        prf_socket_hold_nothing(self->dealer);
        status = prf_socket_new(&self->sub, PRF_SUB, SOCKET_QUEUE, PRF_FRAME_BYTES, err);
    }
    if (!status)
        status = prf_socket_identify(self->dealer, &self->options->identity, err);
    if (!status)
        status = prf_socket_identify(self->sub, &self->options->identity, err);
    if (!status)
        status = prf_socket_connect(self->dealer, farm->workers, err);
    if (!status)
        status = prf_socket_connect(self->sub, farm->broadcast, err);
    if (!status)
        status = prf_loop_add_socket(self->loop, self->dealer, on_dealer, self, err);
    return status ? status : prf_loop_add_socket(self->loop, self->sub, on_sub, self, err);
}

static prf_status_t set_up(agent_t *self, prf_error_t *err)
{
    prf_error_t warning = {0};
    const prf_host_handler_t handler = {self, on_board_ready, on_board_refused, on_board_result};
    prf_status_t status = prf_loop_new(&self->loop, err);
    if (!status)
        status = prf_loop_on_signals(self->loop, on_signal, self, err);
    if (!status)
        status = prf_loop_add_watchdog(self->loop, err);
    if (!status)
        status = prf_outbox_new(&self->outbox, err);
    if (!status)
        status = prf_models_open(&self->models, self->options->state_dir, self->options->serve.kind, &warning, err);
    if (!status && warning.text[0])
        prf_log(PRF_LOG_WARN, "model_not_loaded error=\"%s\" next=\"waits for the coordinator's\"", warning.text);
    if (!status)
        status = connect_farm(self, err);
    if (!status)
        status = prf_loop_add_timer(self->loop, TICK_MS, on_tick, self, NULL, err);
    return status ? status
                  : prf_host_new(&self->host, self->loop, self->options->program, &self->options->serve, PRF_HOST_OPEN_MS, &handler,
                                 err);
}

static void tear_down(agent_t *self)
{
    if (self->session)
        send_frame(self, &(prf_frame_t){.type = PRF_FRAME_GOODBYE});
    prf_host_destroy(&self->host);
    prf_socket_destroy(&self->dealer);
    prf_socket_destroy(&self->sub);
    prf_models_close(&self->models);
    prf_outbox_destroy(&self->outbox);
    prf_waiting_clear(&self->waiting);
    prf_loop_destroy(&self->loop);
    free(self);
}

prf_status_t prf_agent_run(const prf_agent_options_t *options, prf_error_t *err)
{
    agent_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "worker");
    self->options = options;
    prf_backoff_init(&self->backoff, prf_clock_mono_ns() ^ prf_rng_stream(options->serve.board), FIRST_HELLO_MS, LAST_HELLO_MS);
    self->heartbeat_ms = DEFAULT_HEARTBEAT_MS;
    self->worked_ms = prf_clock_mono_ms();
    prf_status_t status = set_up(self, err);
    if (!status)
        status = prf_loop_run(self->loop, err);
    if (!status && self->end) {
        status = self->end;
        if (err)
            *err = self->why;
    }
    tear_down(self);
    return status;
}
