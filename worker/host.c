// SPDX-License-Identifier: Apache-2.0
/* host.c - a state machine moved by two things: the process's socket and a timer.
 *
 *   DOWN --start--> OPENING --Hello--> IDLE --submit--> BUSY --result--> IDLE
 *
 * From every state but DOWN the way back is `fall`: the process ended, overran, or sent what is no answer. It is killed and
 * reaped there, and what was asked of it is answered in its name. A board that was open before is started again at once, since
 * the crash cost its job and nothing else; one that cannot be opened is tried again with a delay that doubles up to half a minute.
 */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "pipe.h"

enum {
    TICK_MS = 20,
    OPEN_MS = 120000,
    JOB_MS = 600000,
    FIRST_DELAY_MS = 100,
    LAST_DELAY_MS = 30000,
    CLOSE_MS = 2000,
    END_MS = 200,
    TURN_MS = 12 * 3600 * 1000, /* others may hold theirs for as long as their jobs may take */
    ARGS = 20
};

typedef enum { DOWN, OPENING, IDLE, BUSY } host_state_t;

struct prf_host {
    prf_loop_t *loop; /* borrowed */
    prf_host_handler_t handler;
    int timer;
    char **argv; /* owned, NULL-terminated, and so are its strings */
    size_t argc;
    host_state_t state;
    prf_process_t process;
    prf_pipe_t pipe;
    uint64_t due_ms; /* DOWN: when to start; OPENING, BUSY: when patience ends */
    unsigned open_ms, delay_ms, job_ms;
    prf_result_t asked; /* BUSY: the job's identity */
    bool turns, cools;  /* boards of this host take turns; jobs wait until it is cool */
    bool waits;         /* one of these holds for this board, */
    bool begun;         /* BUSY: and it need wait no longer */
};

bool prf_host_idle(const prf_host_t *self)
{
    return self->state == IDLE;
}

static void disconnect(prf_host_t *self)
{
    if (self->process.fd < 0)
        return;
    prf_loop_remove_fd(self->loop, self->process.fd);
    prf_pipe_release(&self->pipe);
    close(self->process.fd);
    self->process.fd = -1;
}

static void stop_process(prf_host_t *self)
{
    disconnect(self);
    prf_process_stop(&self->process, 0);
}

/* Whatever the process was to do is answered with `why`; it is gone afterwards. */
static void fall(prf_host_t *self, const prf_error_t *why)
{
    host_state_t before = self->state;
    stop_process(self);
    self->state = DOWN;
    self->due_ms = prf_clock_mono_ms();
    if (before == OPENING) {
        self->delay_ms = self->delay_ms ? 2 * self->delay_ms : FIRST_DELAY_MS;
        if (self->delay_ms > LAST_DELAY_MS)
            self->delay_ms = LAST_DELAY_MS;
        self->due_ms += self->delay_ms;
        self->handler.refused(self->handler.arg, why, self->delay_ms);
    }
    if (before == BUSY) {
        prf_result_t result = self->asked;
        result.outcome = why->code;
        snprintf(result.error, sizeof result.error, "%.*s", PRF_ERROR_TEXT - 1, why->text);
        self->handler.result(self->handler.arg, &result);
    }
}

static const char *doing(const prf_host_t *self)
{
    return self->state == OPENING ? "while the board was opened"
           : self->state != BUSY  ? "while it was idle"
           : self->begun          ? "while it measured"
                                  : "while it waited for its turn or to cool down";
}

/* The socket is closed: the process has ended or is about to. Its wait status says more than the socket does. */
static void fall_dead(prf_host_t *self)
{
    char how[80] = "closed its connection";
    int status = 0;
    if (prf_process_await(&self->process, END_MS, &status))
        prf_process_describe(status, how, sizeof how);
    prf_error_t why;
    prf_fail(&why, PRF_ECRASH, "the backend's process ended %s: %s: see the worker's log, it is started again", doing(self), how);
    fall(self, &why);
}

static void fall_late(prf_host_t *self)
{
    prf_error_t why;
    prf_fail(&why, PRF_EHANG,
             "no answer within %u ms %s: the backend's process was killed: see the worker's log, it is started again",
             self->state == OPENING ? self->open_ms
             : self->begun          ? self->job_ms
                                    : TURN_MS,
             doing(self));
    fall(self, &why);
}

static void fall_wrong(prf_host_t *self, const prf_error_t *inner)
{
    prf_error_t why;
    prf_fail(&why, PRF_EPEER, "the backend's process sent what is no answer %s: %.200s: mend the backend, it is started again",
             doing(self), inner->text);
    fall(self, &why);
}

static bool answers(const prf_result_t *asked, const prf_result_t *got)
{
    return asked->id == got->id && asked->epoch == got->epoch && asked->attempt == got->attempt &&
           prf_digest_compare(&asked->point, &got->point) == 0;
}

static void on_frame(prf_host_t *self, const prf_frame_t *frame)
{
    if (self->state == OPENING && frame->type == PRF_FRAME_HELLO) {
        self->state = IDLE;
        self->delay_ms = 0;
        self->waits = self->cools || (self->turns && (frame->u.hello.flags & PRF_BOARD_HOST));
        self->handler.ready(self->handler.arg, &frame->u.hello);
        return;
    }
    if (self->state == OPENING && frame->type == PRF_FRAME_REFUSAL) {
        prf_error_t why;
        prf_fail(&why, frame->u.refusal.status, "%s", frame->u.refusal.text);
        fall(self, &why);
        return;
    }
    if (self->state == BUSY && !self->begun && frame->type == PRF_FRAME_HEARTBEAT) {
        self->begun = true;
        self->due_ms = prf_clock_mono_ms() + self->job_ms;
        return;
    }
    bool is_answer = self->state == BUSY && frame->type == PRF_FRAME_RESULT_BATCH && frame->u.results.count == 1 &&
                     answers(&self->asked, &frame->u.results.items[0]);
    if (!is_answer) {
        prf_error_t why;
        prf_fail(&why, PRF_EPEER, "a %s frame that nothing was asked for", prf_frame_name(frame->type));
        fall_wrong(self, &why);
        return;
    }
    prf_status_t outcome = frame->u.results.items[0].outcome;
    self->state = IDLE;
    if (prf_outcome_breaks(outcome)) {
        stop_process(self);
        self->state = DOWN;
        self->due_ms = 0;
    }
    self->handler.result(self->handler.arg, &frame->u.results.items[0]);
}

static void on_readable(void *arg)
{
    prf_host_t *self = arg;
    prf_frame_t frame;
    bool got = false;
    prf_error_t err;
    prf_status_t status = prf_pipe_receive(&self->pipe, &frame, &got, &err);
    if (status == PRF_ECRASH) {
        fall_dead(self);
    } else if (status) {
        fall_wrong(self, &err);
    } else if (got) {
        on_frame(self, &frame);
        prf_frame_release(&frame);
    }
}

static void start(prf_host_t *self)
{
    prf_error_t err;
    self->state = OPENING;
    self->due_ms = prf_clock_mono_ms() + self->open_ms;
    prf_status_t status =
        prf_process_start(&self->process, (const char *const *)self->argv, &(prf_process_options_t){.socket = true}, &err);
    if (!status) {
        prf_pipe_init(&self->pipe, self->process.fd);
        status = prf_loop_add_fd(self->loop, self->process.fd, on_readable, self, &err);
    }
    if (status)
        fall(self, &err);
}

static void on_tick(void *arg)
{
    prf_host_t *self = arg;
    bool due = prf_clock_mono_ms() >= self->due_ms;
    if (self->state == DOWN && due)
        start(self);
    else if ((self->state == OPENING || self->state == BUSY) && due)
        fall_late(self);
    else if (self->state == BUSY && prf_pipe_flush(&self->pipe, NULL))
        fall_dead(self);
}

prf_status_t prf_host_submit(prf_host_t *self, const prf_job_t *job, prf_error_t *err)
{
    if (self->state != IDLE)
        return prf_fail(err, PRF_EBUSY, "the board is not idle: wait until it is");
    prf_job_t copy = *job;
    prf_frame_t frame = {.type = PRF_FRAME_JOB_BATCH, .u.jobs = {.items = &copy, .count = 1}};
    prf_status_t status = prf_pipe_send(&self->pipe, &frame, err);
    if (status && status != PRF_ECRASH)
        return status;
    /* A process that is gone already shows on its socket at the loop's next turn, and answers for the job there. */
    self->asked = (prf_result_t){.id = job->id, .epoch = job->epoch, .point = job->point, .attempt = job->attempt};
    self->job_ms = job->deadline_ms ? job->deadline_ms : JOB_MS;
    self->begun = !self->waits;
    self->due_ms = prf_clock_mono_ms() + (self->begun ? self->job_ms : TURN_MS);
    self->state = BUSY;
    return PRF_OK;
}

static bool push(prf_host_t *self, const char *text)
{
    self->argv[self->argc] = strdup(text);
    return self->argv[self->argc++] != NULL;
}

static bool push_number(prf_host_t *self, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return push(self, text);
}

static bool fill_argv(prf_host_t *self, const char *program, const prf_serve_t *what)
{
    self->argv = calloc(ARGS + 2 * what->option_count, sizeof *self->argv);
    bool ok = self->argv && push(self, program) && push(self, "--backend-host") && push(self, "--backend") &&
              push(self, what->backend) && push(self, "--board") && push(self, what->board) && push(self, "--kind") &&
              push(self, what->kind);
    if (ok && what->turns)
        ok = push(self, "--turns") && push(self, what->turns);
    if (ok && what->cpus)
        ok = push(self, "--cpu") && push(self, what->cpus);
    if (ok && what->cool_below)
        ok = push(self, "--cool-below") && push_number(self, what->cool_below) && push(self, "--cool-wait") &&
             push_number(self, what->cool_wait_s);
    if (ok && what->root && *what->root)
        ok = push(self, "--root") && push(self, what->root);
    for (size_t i = 0; ok && i < what->option_count; i++)
        ok = push(self, "--option") && push(self, what->options[i]);
    return ok;
}

prf_status_t prf_host_new(prf_host_t **out, prf_loop_t *loop, const char *program, const prf_serve_t *what, unsigned open_ms,
                          const prf_host_handler_t *handler, prf_error_t *err)
{
    prf_host_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "backend's process");
    *self = (prf_host_t){.loop = loop,
                         .open_ms = open_ms,
                         .handler = *handler,
                         .timer = -1,
                         .process = {.fd = -1, .in = -1, .out = -1},
                         .turns = what->turns != NULL,
                         .cools = what->cool_below > 0};
    prf_status_t status = PRF_OK;
    if (!fill_argv(self, program, what))
        status = prf_fail(err, PRF_ENOMEM, "backend's process");
    if (!status)
        status = prf_loop_add_timer(loop, TICK_MS, on_tick, self, &self->timer, err);
    if (status) {
        prf_host_destroy(&self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

void prf_host_destroy(prf_host_t **self)
{
    prf_host_t *host = *self;
    if (!host)
        return;
    if (host->timer >= 0)
        prf_loop_remove_timer(host->loop, host->timer);
    if (host->state == IDLE) {
        disconnect(host);
        (void)prf_process_await(&host->process, CLOSE_MS, NULL);
    }
    stop_process(host);
    for (size_t i = 0; host->argv && i < host->argc; i++)
        free(host->argv[i]);
    free(host->argv);
    free(host);
    *self = NULL;
}
