// SPDX-License-Identifier: Apache-2.0
/* signals.c - handlers that only count. The signals are blocked except while prf_pause waits (ppoll opens them atomically), so
 * that one which comes between asking and waiting is not slept over. */
#define _GNU_SOURCE
#include "signals.h"

#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/process.h"

static volatile sig_atomic_t caught;
static void (*volatile parting)(void);

static void on_signal(int number)
{
    (void)number;
    if (caught >= 2) {
        void (*leave)(void) = parting;
        if (leave)
            leave();
        _exit(130);
    }
    caught = caught + 1;
}

void prf_signals_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (prf_process_minds_hangup())
        sigaction(SIGHUP, &action, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, NULL);
}

void prf_signals_parting(void (*leave)(void))
{
    parting = leave;
}

bool prf_interrupted(void)
{
    return caught > 0;
}

void prf_pause(int fd, unsigned ms)
{
    sigset_t mask, before;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &mask, &before);
    if (!caught) {
        struct pollfd item = {.fd = fd, .events = POLLIN};
        struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
        ppoll(&item, 1, &time, &before);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

prf_status_t prf_check_interrupted(prf_error_t *err)
{
    return caught ? prf_fail(err, PRF_ECANCELLED, "interrupted") : PRF_OK;
}
