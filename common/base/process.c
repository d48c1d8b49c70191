// SPDX-License-Identifier: Apache-2.0
/* process.c - fork and exec by hand rather than posix_spawn, which has no parent-death signal. Between fork and exec only
 * async-signal-safe calls are made, because the parent has threads. A failed exec is told over a close-on-exec pipe, so that
 * prf_process_start knows at once. */
#define _GNU_SOURCE
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { CHILD_SOCKET = 3, ERROR_PIPE = 4, TICK_MS = 2 };

typedef struct {
    int socket[2], in[2], out[2], error[2];
    int log;
    bool merged;
} plumbing_t;

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0)
            close(pair[i]);
        pair[i] = -1;
    }
}

static void close_all(plumbing_t *p)
{
    close_pair(p->socket);
    close_pair(p->in);
    close_pair(p->out);
    close_pair(p->error);
    if (p->log >= 0)
        close(p->log);
    p->log = -1;
}

static prf_status_t plumb(plumbing_t *p, const prf_process_options_t *o, prf_error_t *err)
{
    *p = (plumbing_t){{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}, -1, o->merged};
    bool ok = pipe2(p->error, O_CLOEXEC) == 0;
    ok = ok && (!o->socket || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p->socket) == 0);
    ok = ok && (!o->pipes || (pipe2(p->in, O_CLOEXEC) == 0 && pipe2(p->out, O_CLOEXEC) == 0));
    if (!ok) {
        int e = errno;
        close_all(p);
        return prf_fail_sys(err, e, "pipes for a child process");
    }
    if (o->log && (p->log = open(o->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0) {
        int e = errno;
        close_all(p);
        return prf_fail_sys(err, e, "%s", o->log);
    }
    return PRF_OK;
}

/* Moves what the child keeps out of the way of descriptors 0..4 first, then into place. */
static int keep(int fd, int wanted)
{
    return fd < 0 ? 0 : (dup2(fd, wanted) < 0 ? -1 : 0);
}

static int out_of_the_way(int fd)
{
    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
}

static _Noreturn void child(const plumbing_t *p, const char *const argv[], pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int s = 1; s < 32; s++)
        signal(s, SIG_DFL);
    int in = out_of_the_way(p->in[0]), out = out_of_the_way(p->out[1]), sock = out_of_the_way(p->socket[1]),
        log = out_of_the_way(p->log), error = out_of_the_way(p->error[1]);
    if (in < 0)
        in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    keep(in, 0);
    keep(out >= 0 ? out : log, 1);
    keep(p->merged && out >= 0 ? out : log, 2);
    keep(sock, CHILD_SOCKET);
    keep(error, ERROR_PIPE);
    fcntl(ERROR_PIPE, F_SETFD, FD_CLOEXEC);
    if (sock < 0)
        close(CHILD_SOCKET);
    close_range(ERROR_PIPE + 1, ~0u, 0);
    /* exec takes the strings as they are; its prototype is older than const. */
    union {
        const char *const *given;
        char *const *taken;
    } words = {.given = argv};
    execvp(argv[0], words.taken);
    int e = errno;
    (void)!write(ERROR_PIPE, &e, sizeof e);
    _exit(127);
}

prf_status_t prf_process_start(prf_process_t *out, const char *const argv[], const prf_process_options_t *options, prf_error_t *err)
{
    plumbing_t p;
    prf_status_t status = plumb(&p, options, err);
    if (status)
        return status;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        int e = errno;
        close_all(&p);
        return prf_fail_sys(err, e, "%s: fork", argv[0]);
    }
    if (pid == 0)
        child(&p, argv, parent);
    setpgid(pid, pid);
    close(p.error[1]);
    p.error[1] = -1;
    int exec_errno = 0;
    ssize_t n;
    do
        n = read(p.error[0], &exec_errno, sizeof exec_errno);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        waitpid(pid, NULL, 0);
        close_all(&p);
        return prf_fail_sys(err, exec_errno, "%s: cannot be started", argv[0]);
    }
    prf_process_t started = {.pid = pid, .fd = p.socket[0], .in = p.in[1], .out = p.out[0]};
    p.socket[0] = p.in[1] = p.out[0] = -1;
    close_all(&p);
    *out = started;
    return PRF_OK;
}

bool prf_process_ended(prf_process_t *self, int *wait_status)
{
    if (self->pid == 0)
        return true;
    int status = 0;
    pid_t got = waitpid(self->pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR))
        return false;
    if (wait_status)
        *wait_status = status;
    /* Whatever the child itself had started goes with it. */
    kill(-self->pid, SIGKILL);
    self->pid = 0;
    return true;
}

bool prf_process_await(prf_process_t *self, uint64_t limit_ms, int *wait_status)
{
    uint64_t end = prf_clock_mono_ms() + limit_ms;
    while (!prf_process_ended(self, wait_status)) {
        if (prf_clock_mono_ms() >= end)
            return false;
        poll(NULL, 0, TICK_MS);
    }
    return true;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void prf_process_stop(prf_process_t *self, unsigned grace_ms)
{
    if (!self)
        return;
    if (self->pid > 0) {
        kill(-self->pid, grace_ms ? SIGTERM : SIGKILL);
        uint64_t end = prf_clock_mono_ms() + grace_ms;
        while (!prf_process_ended(self, NULL)) {
            if (prf_clock_mono_ms() >= end)
                kill(-self->pid, SIGKILL);
            poll(NULL, 0, TICK_MS);
        }
    }
    close_one(&self->fd);
    close_one(&self->in);
    close_one(&self->out);
}

void prf_process_describe(int wait_status, char *text, size_t cap)
{
    if (WIFEXITED(wait_status))
        snprintf(text, cap, "exit code %d", WEXITSTATUS(wait_status));
    else if (WIFSIGNALED(wait_status))
        snprintf(text, cap, "signal %d (%s)", WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    else
        snprintf(text, cap, "status %d", wait_status);
}

bool prf_process_minds_hangup(void)
{
    struct sigaction hangup;
    return sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN;
}

unsigned long long prf_process_raise_descriptors(unsigned long long most)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    limit.rlim_cur = limit.rlim_max < most ? limit.rlim_max : most;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

void prf_process_sibling(const char *name, char *path, size_t cap)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = '\0';
        char *slash = strrchr(self, '/');
        if (slash) {
            *slash = '\0';
            snprintf(path, cap, "%s/%s", self, name);
            if (access(path, X_OK) == 0)
                return;
        }
    }
    snprintf(path, cap, "%s", name);
}
