// SPDX-License-Identifier: Apache-2.0
/* serve.c - one thread, one job at a time. It holds no state worth keeping: whatever happens to a driver, the worker starts this
 * process again. A board that reports itself broken (crash, hang, protocol) ends the process after its result was sent. */
#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/plugin.h"
#include "backends/registry.h"
#include "base/log.h"
#include "care/cool.h"
#include "care/pin.h"
#include "measure/measure.h"
#include "measure/sentinel.h"
#include "pipe.h"
#include "turns.h"

typedef struct {
    prf_pipe_t pipe;
    const prf_backend_t *backend;
    prf_board_t *board;
    prf_sentinel_t sentinel;
    prf_turns_t turns;
    prf_cool_t cool;
    const char *root; /* borrowed: of the system's files */
    bool broken;
} server_t;

static prf_status_t wait_until_flushed(prf_pipe_t *pipe)
{
    while (!prf_pipe_flushed(pipe)) {
        struct pollfd p = {.fd = pipe->fd, .events = POLLOUT};
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return PRF_EIO;
        prf_status_t status = prf_pipe_flush(pipe, NULL);
        if (status)
            return status;
    }
    return PRF_OK;
}

static prf_status_t tell(prf_pipe_t *pipe, const prf_frame_t *frame)
{
    prf_status_t status = prf_pipe_send(pipe, frame, NULL);
    return status ? status : wait_until_flushed(pipe);
}

/* The options of a plug-in are those that are left without path=. */
static prf_status_t open_plugin(server_t *self, const prf_serve_t *what, prf_error_t *err)
{
    const char *path = NULL, **rest = calloc(what->option_count + 1, sizeof *rest);
    size_t count = 0;
    if (!rest)
        return prf_fail(err, PRF_ENOMEM, "options");
    for (size_t i = 0; i < what->option_count; i++) {
        if (!path && strncmp(what->options[i], "path=", 5) == 0)
            path = what->options[i] + 5;
        else
            rest[count++] = what->options[i];
    }
    prf_status_t status = path ? prf_plugin_load(path, &self->backend, err)
                               : prf_fail(err, PRF_EINVAL, "plugin: give the shared object with path=FILE");
    if (!status)
        status = self->backend->open(rest, count, &self->board, err);
    free(rest);
    return status;
}

static prf_status_t unknown_backend(const char *name, prf_error_t *err)
{
    char known[200] = "plugin";
    const prf_backend_t *backend;
    for (size_t i = 0; (backend = prf_backend_at(i)); i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, ", %s", backend->name);
    }
    return prf_fail(err, PRF_ENOTFOUND, "backend '%.60s' is not part of this build: use one of %s", name, known);
}

/* Before the board is opened, whose threads are to stay there too. */
static prf_status_t take_care(server_t *self, const prf_serve_t *what, prf_error_t *err)
{
    prf_status_t status = what->cpus ? prf_pin(what->cpus, err) : PRF_OK;
    if (status || !what->cool_below)
        return status;
    self->cool = (prf_cool_t){.below_mc = (uint32_t)what->cool_below * 1000, .wait_ms = what->cool_wait_s * 1000};
    self->root = what->root;
    const prf_cool_world_t machine = prf_cool_machine(&self->root);
    if (machine.temperature_mc(machine.arg) == 0)
        return prf_fail(err, PRF_EUNSUPPORTED, "--cool-below: this system tells no temperature: leave it out");
    return PRF_OK;
}

static prf_status_t open_board(server_t *self, const prf_serve_t *what, prf_error_t *err)
{
    if (strcmp(what->backend, "plugin") == 0)
        return open_plugin(self, what, err);
    self->backend = prf_backend_find(what->backend);
    if (!self->backend)
        return unknown_backend(what->backend, err);
    return self->backend->open(what->options, what->option_count, &self->board, err);
}

/* A plug-in's facts are as little to be trusted as its board. */
static prf_status_t check_facts(const prf_backend_t *backend, const prf_board_facts_t *facts, prf_error_t *err)
{
    const char *print = facts->fingerprint;
    bool ok = print[0] != '\0' && memchr(print, '\0', sizeof facts->fingerprint);
    for (; ok && *print; print++)
        ok = *print >= 0x20 && *print < 0x7f;
    if (!ok)
        return prf_fail(err, PRF_EPEER, "the board's fingerprint must be 1 to %d printable characters: mend its backend",
                        PRF_FINGERPRINT - 1);
    if (facts->kinds == 0 || facts->kinds >> PRF_LAYER_KINDS || facts->dtypes == 0 || facts->dtypes >> PRF_DTYPES)
        return prf_fail(
            err, PRF_EPEER,
            "the board tells layer kinds %#x and data types %#x: let its backend tell at least one of each, and known ones",
            facts->kinds, facts->dtypes);
    if (facts->flags & ~(uint32_t)PRF_BOARD_FLAGS || (facts->flags & PRF_BOARD_NETWORKS && !backend->prepare_network))
        return prf_fail(
            err, PRF_EPEER,
            "the board tells flags %#x: let its backend tell those of backend.h, and networks only with a prepare_network",
            facts->flags);
    return PRF_OK;
}

static prf_status_t say_hello(server_t *self, const prf_serve_t *what, prf_error_t *err)
{
    prf_board_facts_t facts = {0};
    self->backend->describe(self->board, &facts);
    prf_status_t status = check_facts(self->backend, &facts, err);
    if (status)
        return status;
    prf_frame_t frame = {.type = PRF_FRAME_HELLO};
    prf_hello_t *hello = &frame.u.hello;
    snprintf(hello->board, sizeof hello->board, "%s", what->board);
    snprintf(hello->kind, sizeof hello->kind, "%s", what->kind);
    snprintf(hello->software, sizeof hello->software, "prfarm-%s", PRF_VERSION);
    memcpy(hello->fingerprint, facts.fingerprint, sizeof hello->fingerprint);
    hello->kinds = facts.kinds;
    hello->dtypes = facts.dtypes;
    hello->flags = facts.flags;
    if (what->turns && (facts.flags & PRF_BOARD_HOST))
        status = prf_turns_open(&self->turns, what->turns, err);
    return status ? status : tell(&self->pipe, &frame);
}

static int refuse(server_t *self, const prf_error_t *why)
{
    prf_frame_t frame = {.type = PRF_FRAME_REFUSAL, .u.refusal.status = why->code};
    snprintf(frame.u.refusal.text, sizeof frame.u.refusal.text, "%.*s", PRF_ERROR_TEXT - 1, why->text);
    return tell(&self->pipe, &frame) ? 1 : prf_exit_code(why->code);
}

bool prf_outcome_breaks(prf_status_t outcome)
{
    return outcome == PRF_ECRASH || outcome == PRF_EHANG || outcome == PRF_EPEER || outcome == PRF_EIMPLAUSIBLE;
}

static prf_status_t measure(server_t *self, const prf_job_t *job, prf_sample_t *out, prf_error_t *err)
{
    const prf_chain_t chain = prf_job_chain(job);
    prf_sentinel_before(&self->sentinel);
    prf_status_t status = prf_measure(self->backend, self->board, &job->protocol, &chain, out, err);
    if (!status && prf_sentinel_after(&self->sentinel))
        out->taint |= PRF_TAINT_SLOW;
    if (!status && !prf_sample_plausible(out))
        status =
            prf_fail(err, PRF_EIMPLAUSIBLE,
                     "the board answered with a latency of %.6g ns and an energy of %.6g nJ: values above 0, below an hour and "
                     "below a megawatt are possible",
                     out->latency_ns, out->energy_nj);
    return status;
}

/* False, once it has been told: it is as hot as before. */
static bool cool_down(server_t *self, const prf_job_t *job)
{
    const prf_cool_world_t machine = prf_cool_machine(&self->root);
    if (prf_cool_down(&self->cool, &machine))
        return true;
    prf_log(PRF_LOG_WARN, "not_cool job=%llu celsius=%.1f below=%.0f waited_s=%.0f next=\"measured all the same, as tainted\"",
            (unsigned long long)job->id, machine.temperature_mc(machine.arg) / 1e3, self->cool.below_mc / 1e3,
            (double)self->cool.wait_ms / 1e3);
    return false;
}

/* The whole job is one turn, the compiling of a runtime included: it would disturb whoever measures. The machine cools down within
 * it, since the next one's work would heat it again. */
static prf_status_t get_ready(server_t *self, const prf_job_t *job, bool *hot, prf_error_t *err)
{
    *hot = false;
    if (self->turns.fd < 0 && !self->cool.below_mc)
        return PRF_OK;
    uint64_t id = job->id;
    prf_status_t status = prf_turns_take(&self->turns, err);
    *hot = !status && !cool_down(self, job);
    return status ? status : tell(&self->pipe, &(prf_frame_t){.type = PRF_FRAME_HEARTBEAT, .u.ids = {.items = &id, .count = 1}});
}

static prf_status_t answer(server_t *self, const prf_frame_t *frame)
{
    if (frame->type != PRF_FRAME_JOB_BATCH || frame->u.jobs.count != 1)
        return PRF_EPEER;
    const prf_job_t *job = &frame->u.jobs.items[0];
    prf_result_t result = {.id = job->id, .epoch = job->epoch, .point = job->point, .attempt = job->attempt};
    prf_error_t err = {0};
    bool hot;
    result.outcome = get_ready(self, job, &hot, &err);
    if (!result.outcome)
        result.outcome = measure(self, job, &result.sample, &err);
    if (hot)
        result.sample.taint |= PRF_TAINT_HOT;
    prf_turns_give(&self->turns);
    if (result.outcome) {
        result.sample = (prf_sample_t){0};
        snprintf(result.error, sizeof result.error, "%.*s", PRF_ERROR_TEXT - 1, err.text);
        self->broken = prf_outcome_breaks(result.outcome);
    }
    return tell(&self->pipe, &(prf_frame_t){.type = PRF_FRAME_RESULT_BATCH, .u.results = {.items = &result, .count = 1}});
}

static void serve_jobs(server_t *self)
{
    prf_status_t status = PRF_OK;
    while (!status && !self->broken) {
        struct pollfd p = {.fd = self->pipe.fd, .events = POLLIN};
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return;
        prf_frame_t frame;
        bool got = false;
        status = prf_pipe_receive(&self->pipe, &frame, &got, NULL);
        if (!status && got) {
            status = answer(self, &frame);
            prf_frame_release(&frame);
        }
    }
}

int prf_serve(const prf_serve_t *what, int fd)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN); /* the worker says when: who ends all of a job's processes means it first, and it may need us still */
    dup2(STDERR_FILENO, STDOUT_FILENO);
    server_t self = {.turns = {.fd = -1}};
    prf_error_t err = {0};
    prf_pipe_init(&self.pipe, fd);
    int exit_code = 0;
    prf_log_init("prfarm-worker", PRF_LOG_INFO);
    prf_status_t status = take_care(&self, what, &err);
    if (!status)
        status = open_board(&self, what, &err);
    if (!status)
        status = say_hello(&self, what, &err);
    if (status)
        exit_code = refuse(&self, &err);
    else {
        prf_sentinel_init(&self.sentinel, self.backend, self.board);
        serve_jobs(&self);
    }
    if (self.board)
        self.backend->close(&self.board);
    prf_turns_close(&self.turns);
    prf_pipe_release(&self.pipe);
    return exit_code;
}
