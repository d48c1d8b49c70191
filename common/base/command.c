// SPDX-License-Identifier: Apache-2.0
/* command.c - one poll over both pipes, so that neither side waits for the other whatever the sizes; the end of its output and its
 * own end are both awaited, under the same deadline. */
#include "base/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"

typedef struct {
    const prf_command_spec_t *spec; /* borrowed */
    prf_process_t process;
    prf_text_t said; /* owned until it is handed over */
    size_t written;  /* of the input */
    uint64_t until_ms;
} run_t;

static void close_input(run_t *self)
{
    if (self->process.in >= 0)
        close(self->process.in);
    self->process.in = -1;
}

/* A program that does not read its input is its own affair. */
static void write_input(run_t *self)
{
    const char *input = self->spec->input ? self->spec->input : "";
    size_t left = strlen(input) - self->written;
    ssize_t n = left ? write(self->process.in, input + self->written, left) : 0;
    if (n > 0)
        self->written += (size_t)n;
    if (!left || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_input(self);
}

/* False at the end of its output. */
static bool read_output(run_t *self)
{
    char some[4096];
    ssize_t n = read(self->process.out, some, sizeof some);
    if (n > 0)
        prf_text_append(&self->said, some, (size_t)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* The last line that it printed, which is where programs say why. */
static const char *last_line(prf_text_t *said)
{
    while (said->len && (said->data[said->len - 1] == '\n' || said->data[said->len - 1] == ' '))
        said->data[--said->len] = '\0';
    const char *text = prf_text_get(said), *line = strrchr(text, '\n');
    return line ? line + 1 : text;
}

static prf_status_t late(const run_t *self, prf_error_t *err)
{
    return prf_fail(err, PRF_ETIMEOUT, "%s: no end after %u s: is what it talks to there?", self->spec->argv[0],
                    self->spec->timeout_ms / 1000);
}

static prf_status_t talk(run_t *self, prf_error_t *err)
{
    const char *name = self->spec->argv[0];
    bool open = true;
    while (open) {
        uint64_t now = prf_clock_mono_ms();
        if (now >= self->until_ms)
            return late(self, err);
        struct pollfd fds[2] = {{.fd = self->process.out, .events = POLLIN}, {.fd = self->process.in, .events = POLLOUT}};
        if (poll(fds, 2, (int)(self->until_ms - now)) < 0 && errno != EINTR)
            return prf_fail_sys(err, errno, "%s: poll", name);
        if (fds[1].revents)
            write_input(self);
        if (fds[0].revents)
            open = read_output(self);
        if (self->said.len > self->spec->limit)
            return prf_fail(err, PRF_EINVAL, "%s: it printed more than %zu bytes: is it the right program?", name,
                            self->spec->limit);
    }
    return PRF_OK;
}

static prf_status_t await_end(run_t *self, int *wait_status, prf_error_t *err)
{
    uint64_t now = prf_clock_mono_ms(), left = now < self->until_ms ? self->until_ms - now : 0;
    return prf_process_await(&self->process, left, wait_status) ? PRF_OK : late(self, err);
}

/* While a pipe may have lost its reader, that is an error of write and no signal. */
static prf_status_t run(run_t *self, prf_error_t *err)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    int wait_status = 0;
    fcntl(self->process.out, F_SETFL, O_NONBLOCK);
    fcntl(self->process.in, F_SETFL, O_NONBLOCK);
    sigaction(SIGPIPE, &ignore, &before);
    prf_status_t status = talk(self, err);
    sigaction(SIGPIPE, &before, NULL);
    if (!status)
        status = await_end(self, &wait_status, err);
    if (!status && WIFEXITED(wait_status) && self->spec->exit_code) {
        *self->spec->exit_code = WEXITSTATUS(wait_status);
        return PRF_OK;
    }
    if (status || (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0))
        return status;
    char how[80];
    prf_process_describe(wait_status, how, sizeof how);
    return prf_fail(err, PRF_EIO, "%s: %s: it said: %.300s", self->spec->argv[0], how, last_line(&self->said));
}

prf_status_t prf_command_run(const prf_command_spec_t *spec, prf_text_t *out, prf_error_t *err)
{
    run_t self = {.spec = spec, .until_ms = prf_clock_mono_ms() + spec->timeout_ms};
    prf_status_t status =
        prf_process_start(&self.process, spec->argv, &(prf_process_options_t){.pipes = true, .merged = true}, err);
    if (status)
        return status;
    prf_text_init(&self.said);
    status = run(&self, err);
    prf_process_stop(&self.process, 0);
    if (!status && self.said.failed)
        status = prf_fail(err, PRF_ENOMEM, "what %s printed", spec->argv[0]);
    if (status)
        prf_text_release(&self.said);
    else
        *out = self.said;
    return status;
}
