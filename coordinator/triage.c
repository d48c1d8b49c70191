// SPDX-License-Identifier: Apache-2.0
/* triage.c - a board in quarantine is out of its class in the scheduler, so that its jobs go to others at once and no job waits for
 * it. To be tried it joins for one job. A campaign all of whose boards are in quarantine waits, as it does when none is there. */
#include "triage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "board_facts.h"
#include "events.h"
#include "health.h"

struct prf_triage {
    const prf_hub_t *hub;
    prf_hooks_t *hooks;
    uint64_t first_ms;
};

/* A change by hand on its way to the store. */
typedef struct {
    prf_triage_t *self;
    prf_fleet_board_t *board;
    prf_reply_fn fn;
    void *arg;
} change_t;

prf_status_t prf_triage_new(prf_triage_t **out, const prf_hub_t *hub, prf_hook_list_t *hooks, uint64_t first_ms, prf_error_t *err)
{
    prf_triage_t *self = calloc(1, sizeof *self);
    if (!self) {
        prf_hook_list_release(hooks);
        return prf_fail(err, PRF_ENOMEM, "triage");
    }
    *self = (prf_triage_t){.hub = hub, .first_ms = first_ms};
    prf_status_t status = prf_hooks_new(&self->hooks, hooks, err);
    if (status) {
        free(self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

void prf_triage_destroy(prf_triage_t **self)
{
    if (!self || !*self)
        return;
    prf_hooks_destroy(&(*self)->hooks);
    free(*self);
    *self = NULL;
}

static prf_status_t store(prf_triage_t *self, const prf_fleet_board_t *board, prf_commit_mode_t mode, prf_commits_fn fn, void *arg,
                          prf_error_t *err)
{
    char *text = prf_board_facts_encode(board);
    prf_status_t status =
        text ? prf_commits_value(self->hub->commits, PRF_TABLE_BOARD, board->facts.board, text, strlen(text), mode, fn, arg, err)
             : prf_fail(err, PRF_ENOMEM, "board %s", board->facts.board);
    free(text);
    return status;
}

static void power_cycle(prf_triage_t *self, const prf_fleet_board_t *board, prf_hook_cause_t cause, uint64_t now_ms)
{
    prf_error_t err = {0};
    prf_status_t status = prf_hooks_ask(self->hooks, board->number, board->facts.board, board->facts.kind, cause, now_ms, &err);
    if (status && status != PRF_ENOTFOUND)
        prf_log(PRF_LOG_WARN, "not_power_cycled board=%s because=\"%s\"", board->facts.board, err.text);
}

/* Its jobs go to others; the state is kept over a restart. */
static void shut_out(prf_triage_t *self, prf_fleet_board_t *board)
{
    size_t leases = prf_sched_leases(self->hub->sched, board->number);
    prf_sched_leave(self->hub->sched, board->number);
    prf_log(PRF_LOG_WARN, "board_quarantined board=%s by_hand=%d for_ms=%" PRIu64 " jobs_returned=%zu because=\"%s\"",
            board->facts.board, board->trust.state == PRF_BARRED, board->trust.delay_ms, leases, board->trust.why);
}

static void let_in(prf_triage_t *self, prf_fleet_board_t *board)
{
    prf_error_t err = {0};
    if (board->live && prf_sched_join(self->hub->sched, board->number, board->klass, &err))
        prf_log(PRF_LOG_ERROR, "board_not_released board=%s error=\"%s\"", board->facts.board, err.text);
}

void prf_triage_here(prf_triage_t *self, prf_fleet_board_t *board, uint64_t now_ms)
{
    if (board->trust.state == PRF_TRUSTED)
        return;
    /* After a restart of the coordinator its delay begins anew. */
    if (board->trust.until_ms == 0)
        prf_trust_restart(&board->trust, now_ms);
    prf_sched_leave(self->hub->sched, board->number);
}

void prf_triage_lost(prf_triage_t *self, const prf_fleet_board_t *board, uint64_t now_ms)
{
    power_cycle(self, board, PRF_HOOK_LOST, now_ms);
}

size_t prf_triage_most(prf_triage_t *self, prf_fleet_board_t *board, uint64_t now_ms)
{
    if (board->trust.state == PRF_TRUSTED)
        return SIZE_MAX;
    bool due = prf_trust_probe_due(&board->trust, now_ms) && !prf_hooks_open(self->hooks, board->number);
    if (!due || prf_sched_leases(self->hub->sched, board->number) > 0)
        return 0;
    let_in(self, board);
    return 1;
}

void prf_triage_success(prf_triage_t *self, prf_fleet_board_t *board, uint64_t now_ms)
{
    board->done++;
    if (!prf_trust_success(&board->trust, now_ms))
        return;
    let_in(self, board);
    prf_error_t err = {0};
    if (store(self, board, PRF_COMMIT_KEEP, NULL, NULL, &err))
        prf_log(PRF_LOG_WARN, "release_not_stored board=%s error=\"%s\"", board->facts.board, err.text);
    prf_events_add(self->hub->events, "board_released", board->facts.board, "it measures again");
}

void prf_triage_failure(prf_triage_t *self, prf_fleet_board_t *board, bool again, prf_status_t outcome, const char *error,
                        uint64_t now_ms)
{
    prf_failure_t failure = prf_failure_of(outcome);
    bool was = board->trust.state != PRF_TRUSTED;
    board->failures[failure]++;
    if (failure == PRF_FAILURE_UNSUPPORTED) /* the layer's fault, not the board's */
        return;
    if (again) {
        prf_trust_no_news(&board->trust, now_ms);
        return;
    }
    if (!prf_trust_failure(&board->trust, error, self->first_ms, now_ms, prf_clock_wall_ms()))
        return;
    shut_out(self, board);
    prf_error_t err = {0};
    if (store(self, board, PRF_COMMIT_KEEP, NULL, NULL, &err))
        prf_log(PRF_LOG_WARN, "quarantine_not_stored board=%s error=\"%s\"", board->facts.board, err.text);
    prf_events_add(self->hub->events, was ? "board_tried_in_vain" : "board_quarantined", board->facts.board,
                   "%s; tried again in %.3g s", was ? error : board->trust.why, (double)board->trust.delay_ms / 1000);
    power_cycle(self, board, PRF_HOOK_QUARANTINED, now_ms);
}

static void hook_ended(void *arg, uint32_t number, bool ok, const char *how, const char *output, uint32_t delay_s)
{
    prf_triage_t *self = arg;
    prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, number);
    prf_trust_postpone(&board->trust, prf_clock_mono_ms() + delay_s * (uint64_t)1000);
    prf_log(ok ? PRF_LOG_INFO : PRF_LOG_WARN, "hook_ended board=%s outcome=\"%s\" output=\"%s\"", board->facts.board, how, output);
    prf_events_add(self->hub->events, ok ? "board_power_cycled" : "hook_failed", board->facts.board, "%s", how);
}

void prf_triage_tick(prf_triage_t *self, uint64_t now_ms)
{
    prf_hooks_tick(self->hooks, now_ms, hook_ended, self);
}

static prf_fleet_board_t *find(const prf_triage_t *self, const char *name, prf_error_t *err)
{
    prf_fleet_board_t *board = prf_fleet_find(self->hub->fleet, name);
    if (!board)
        prf_fail(err, PRF_ENOTFOUND, "no board is named '%.64s': 'prfarm boards' lists those that there are", name);
    return board;
}

static const char *state_of(const prf_fleet_board_t *board)
{
    return board->trust.state != PRF_TRUSTED ? "quarantined" : "released";
}

static void changed(void *arg, prf_status_t status)
{
    change_t *change = arg;
    prf_fleet_board_t *board = change->board;
    if (status)
        change->fn(change->arg, status, NULL,
                   "the coordinator's store could not be written, so it holds until the coordinator ends: see its log");
    else
        change->fn(change->arg, PRF_OK, json_pack("{s:s, s:s}", "board", board->facts.board, "state", state_of(board)), NULL);
    free(change);
}

/* A change by hand holds at once; who asked for it is answered when it is durable. */
static void answer_when_stored(prf_triage_t *self, prf_fleet_board_t *board, prf_reply_fn fn, void *arg)
{
    prf_error_t err = {0};
    change_t *change = malloc(sizeof *change);
    prf_status_t status = change ? PRF_OK : prf_fail(&err, PRF_ENOMEM, "board %s", board->facts.board);
    if (change) {
        *change = (change_t){self, board, fn, arg};
        status = store(self, board, PRF_COMMIT_KEEP, changed, change, &err);
    }
    if (status) {
        free(change);
        fn(arg, status, NULL, err.text);
    }
}

void prf_triage_quarantine(prf_triage_t *self, const char *name, const char *why, prf_reply_fn fn, void *arg)
{
    prf_error_t err = {0};
    prf_fleet_board_t *board = find(self, name, &err);
    if (!board) {
        fn(arg, err.code, NULL, err.text);
        return;
    }
    prf_trust_bar(&board->trust, why, prf_clock_wall_ms());
    shut_out(self, board);
    prf_events_add(self->hub->events, "board_quarantined", board->facts.board, "by hand: %s", board->trust.why);
    answer_when_stored(self, board, fn, arg);
}

void prf_triage_release(prf_triage_t *self, const char *name, prf_reply_fn fn, void *arg)
{
    prf_error_t err = {0};
    prf_fleet_board_t *board = find(self, name, &err);
    if (!board) {
        fn(arg, err.code, NULL, err.text);
        return;
    }
    prf_trust_release(&board->trust);
    prf_health_forget(self->hub->health, board);
    let_in(self, board);
    prf_events_add(self->hub->events, "board_released", board->facts.board, "by hand");
    answer_when_stored(self, board, fn, arg);
}

void prf_triage_power_cycle(prf_triage_t *self, const char *name, prf_reply_fn fn, void *arg)
{
    prf_error_t err = {0};
    const prf_fleet_board_t *board = find(self, name, &err);
    if (!board || prf_hooks_ask(self->hooks, board->number, board->facts.board, board->facts.kind, PRF_HOOK_BY_HAND,
                                prf_clock_mono_ms(), &err))
        fn(arg, err.code, NULL, err.text);
    else
        fn(arg, PRF_OK, json_pack("{s:s, s:s}", "board", board->facts.board, "state", "power-cycling"), NULL);
}

void prf_triage_note(const prf_triage_t *self, const prf_fleet_board_t *board, char *text, size_t cap)
{
    char hook[120];
    const prf_trust_t *trust = &board->trust;
    uint64_t now_ms = prf_clock_mono_ms(), left_ms = trust->until_ms > now_ms ? trust->until_ms - now_ms : 0;
    int used = 0;
    *text = '\0';
    prf_hooks_describe(self->hooks, board->number, hook, sizeof hook);
    if (trust->state == PRF_BARRED)
        used = snprintf(text, cap, "quarantined by hand: %s; 'prfarm release %s' ends it", trust->why, board->facts.board);
    else if (trust->state == PRF_QUARANTINED && left_ms)
        used = snprintf(text, cap, "%s; tried again in %.0f s", trust->why, (double)left_ms / 1000);
    else if (trust->state == PRF_QUARANTINED)
        used = snprintf(text, cap, "%s; the next job is to show whether it works again", trust->why);
    if (*hook && used >= 0 && (size_t)used < cap)
        snprintf(text + used, cap - (size_t)used, "%s%s", used ? "; " : "", hook);
}

size_t prf_triage_count(const prf_triage_t *self, const char *kind, const char *fingerprint)
{
    size_t count = 0;
    for (size_t i = 0; i < prf_fleet_count(self->hub->fleet); i++) {
        const prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, i);
        count += board->live && board->trust.state != PRF_TRUSTED && strcmp(board->facts.kind, kind) == 0 &&
                 (!*fingerprint || strcmp(board->facts.fingerprint, fingerprint) == 0);
    }
    return count;
}
