// SPDX-License-Identifier: Apache-2.0
/* hooks.c - an account for each board that ever asked, and a few places for commands that run.
 *
 * A command's output comes through a pipe and is read on each tick; of a talkative one the beginning is kept. How often a board was
 * power-cycled is counted from the coordinator's start only: that a restarted coordinator begins anew costs a few power-cycles
 * more, while a count that follows the wall clock would be wrong whenever that clock jumps. */
#include "hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"

enum { AT_ONCE = 4, OUTPUT = 400, READS = 32, DAY_MS = 86400000 };

typedef struct {
    bool open, running;
    const prf_hook_t *hook; /* borrowed from the list; of what is open */
    char board[PRF_NAME], kind[PRF_NAME];
    uint64_t asked_ms;
    uint64_t day_ms; /* when the day began that `today` counts */
    uint32_t today, runs;
    char last[80];
} account_t;

typedef struct {
    prf_process_t process;
    bool used;
    uint32_t number;
    uint64_t until_ms;
    char output[OUTPUT];
    size_t len;
} place_t;

struct prf_hooks {
    prf_hook_list_t list;
    account_t *accounts; /* owned, by the boards' numbers */
    size_t count;
    place_t places[AT_ONCE];
};

prf_status_t prf_hooks_new(prf_hooks_t **out, prf_hook_list_t *list, prf_error_t *err)
{
    prf_hooks_t *self = calloc(1, sizeof *self);
    if (!self) {
        prf_hook_list_release(list);
        return prf_fail(err, PRF_ENOMEM, "hooks");
    }
    self->list = *list;
    *list = (prf_hook_list_t){.count = 0};
    *out = self;
    return PRF_OK;
}

void prf_hooks_destroy(prf_hooks_t **self)
{
    if (!self || !*self)
        return;
    for (int i = 0; i < AT_ONCE; i++)
        if ((*self)->places[i].used)
            prf_process_stop(&(*self)->places[i].process, 0);
    prf_hook_list_release(&(*self)->list);
    free((*self)->accounts);
    free(*self);
    *self = NULL;
}

static account_t *account(prf_hooks_t *self, uint32_t number)
{
    if (number >= self->count) {
        size_t count = (size_t)number + 1;
        account_t *accounts = realloc(self->accounts, count * sizeof *accounts);
        if (!accounts)
            return NULL;
        memset(accounts + self->count, 0, (count - self->count) * sizeof *accounts);
        self->accounts = accounts;
        self->count = count;
    }
    return &self->accounts[number];
}

prf_status_t prf_hooks_ask(prf_hooks_t *self, uint32_t number, const char *board, const char *kind, prf_hook_cause_t cause,
                           uint64_t now_ms, prf_error_t *err)
{
    const prf_hook_t *hook = prf_hook_list_find(&self->list, board);
    if (!hook || !(hook->causes & cause))
        return prf_fail(err, PRF_ENOTFOUND,
                        "no hook is there to power-cycle board %s: add one to the file that prfarm-coordinator --hooks names",
                        board);
    account_t *a = account(self, number);
    if (!a)
        return prf_fail(err, PRF_ENOMEM, "hook of board %s", board);
    if (a->open)
        return prf_fail(err, PRF_EBUSY, "board %s is being power-cycled already: wait until that has ended", board);
    if (a->today == 0 || now_ms - a->day_ms >= DAY_MS) {
        a->day_ms = now_ms;
        a->today = 0;
    }
    if (a->today >= hook->at_most_per_day)
        return prf_fail(err, PRF_EBUSY,
                        "board %s was power-cycled %u times within a day, all that its hook allows: look at the board, or raise "
                        "at_most_per_day",
                        board, a->today);
    a->today++;
    a->open = true;
    a->hook = hook;
    a->asked_ms = now_ms;
    snprintf(a->board, sizeof a->board, "%s", board);
    snprintf(a->kind, sizeof a->kind, "%s", kind);
    return PRF_OK;
}

static void finish(account_t *a, uint32_t number, bool ok, const char *how, const char *output, prf_hooks_fn fn, void *arg)
{
    a->open = a->running = false;
    a->runs++;
    snprintf(a->last, sizeof a->last, "%s", how);
    fn(arg, number, ok, how, output, a->hook->delay_s);
}

static void read_output(place_t *place)
{
    char some[4096];
    ssize_t n = 1;
    /* One that prints without end must not hold the loop. */
    for (int i = 0; i < READS && (n = read(place->process.out, some, sizeof some)) > 0; i++) {
        size_t room = OUTPUT - 1 - place->len, kept = (size_t)n < room ? (size_t)n : room;
        memcpy(place->output + place->len, some, kept);
        place->len += kept;
    }
}

static void start(prf_hooks_t *self, place_t *place, uint32_t number, uint64_t now_ms, prf_hooks_fn fn, void *arg)
{
    account_t *a = &self->accounts[number];
    prf_error_t err = {0};
    char **argv = prf_hook_argv(a->hook, a->board, a->kind);
    prf_process_options_t options = {.pipes = true, .merged = true};
    prf_status_t status = argv ? prf_process_start(&place->process, (const char *const *)argv, &options, &err)
                               : prf_fail(&err, PRF_ENOMEM, "hook of board %s", a->board);
    prf_hook_argv_free(argv);
    if (status) {
        finish(a, number, false, err.text, "", fn, arg);
        return;
    }
    fcntl(place->process.out, F_SETFL, O_NONBLOCK);
    a->running = place->used = true;
    place->number = number;
    place->len = 0;
    place->until_ms = now_ms + a->hook->timeout_s * (uint64_t)1000;
}

static void look_after(prf_hooks_t *self, place_t *place, uint64_t now_ms, prf_hooks_fn fn, void *arg)
{
    account_t *a = &self->accounts[place->number];
    int status = 0;
    char how[80];
    bool ended = prf_process_ended(&place->process, &status), late = !ended && now_ms >= place->until_ms;
    read_output(place);
    if (!ended && !late)
        return;
    if (late)
        snprintf(how, sizeof how, "killed after %u s", a->hook->timeout_s);
    else
        prf_process_describe(status, how, sizeof how);
    prf_process_stop(&place->process, 0);
    place->used = false;
    place->output[place->len] = '\0';
    finish(a, place->number, ended && WIFEXITED(status) && WEXITSTATUS(status) == 0, how, place->output, fn, arg);
}

/* The one that has waited longest. */
static bool next(const prf_hooks_t *self, uint32_t *number)
{
    bool found = false;
    for (size_t i = 0; i < self->count; i++) {
        const account_t *a = &self->accounts[i];
        if (a->open && !a->running && (!found || a->asked_ms < self->accounts[*number].asked_ms)) {
            *number = (uint32_t)i;
            found = true;
        }
    }
    return found;
}

void prf_hooks_tick(prf_hooks_t *self, uint64_t now_ms, prf_hooks_fn fn, void *arg)
{
    for (int i = 0; i < AT_ONCE; i++) {
        place_t *place = &self->places[i];
        uint32_t number;
        if (place->used)
            look_after(self, place, now_ms, fn, arg);
        if (!place->used && next(self, &number))
            start(self, place, number, now_ms, fn, arg);
    }
}

bool prf_hooks_open(const prf_hooks_t *self, uint32_t number)
{
    return number < self->count && self->accounts[number].open;
}

void prf_hooks_describe(const prf_hooks_t *self, uint32_t number, char *text, size_t cap)
{
    const account_t *a = number < self->count ? &self->accounts[number] : NULL;
    *text = '\0';
    if (a && a->running)
        snprintf(text, cap, "power-cycle running");
    else if (a && a->open)
        snprintf(text, cap, "power-cycle waiting");
    else if (a && a->runs)
        snprintf(text, cap, "power-cycled %u time%s, the last: %s", a->runs, a->runs == 1 ? "" : "s", a->last);
}
