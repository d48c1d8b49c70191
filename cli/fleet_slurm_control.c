// SPDX-License-Identifier: Apache-2.0
/* fleet_slurm_control.c - both sides are asked before anything is done: half a view would start workers that are there already, or
 * take back those that are needed. */
#include "fleet_slurm_control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "wire/printable.h"

/* A round in the making. */
typedef struct {
    prf_slurm_control_t *control; /* borrowed */
    uint64_t now_ms;
    prf_slurm_seen_t seen[PRF_SLURM_KINDS];
    prf_slurm_jobs_t jobs;
    uint64_t *known; /* what will be known after it; owned until it is handed over */
    size_t known_count, known_cap;
} round_t;

/* The kind's place in the file; PRF_SLURM_KINDS: none of ours. */
static size_t find_kind(const prf_slurm_file_t *file, const char *kind)
{
    for (size_t k = 0; k < file->count; k++)
        if (strcmp(file->kinds[k].kind, kind) == 0)
            return k;
    return PRF_SLURM_KINDS;
}

static size_t whole(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (size_t)value : 0;
}

static void take_campaign(round_t *self, const json_t *campaign)
{
    size_t i;
    json_t *board;
    if (strcmp(prf_json_text(campaign, "state", ""), "running") != 0)
        return;
    json_array_foreach(json_object_get(campaign, "boards"), i, board)
    {
        size_t k = find_kind(self->control->file, prf_json_text(board, "kind", ""));
        if (k == PRF_SLURM_KINDS)
            continue;
        self->seen[k].queued += whole(board, "open");
        self->seen[k].waits = self->seen[k].waits || strcmp(prf_json_text(board, "stage", ""), "waiting") == 0;
    }
}

/* The farm is named by the file here, not by options. */
static prf_status_t fail_farm(const round_t *self, prf_status_t status, prf_error_t *err)
{
    if (status == PRF_ETIMEOUT)
        return prf_fail(err, status,
                        "no coordinator answered at %.200s: look whether it runs, and whether 'farm' in the file is right",
                        prf_farm_name(self->control->farm));
    return status == PRF_EDENIED ? prf_fail_remedy(err, status, "'server' is what the file says") : status;
}

static prf_status_t ask_coordinator(round_t *self, prf_error_t *err)
{
    json_t *status = NULL, *fleet = NULL, *item;
    size_t i;
    prf_status_t failed = prf_farm_call(self->control->farm, "status", NULL, PRF_CALL_MS, &status, err);
    if (!failed)
        failed = prf_farm_call(self->control->farm, "fleet", NULL, PRF_CALL_MS, &fleet, err);
    json_array_foreach(failed ? NULL : json_object_get(status, "campaigns"), i, item)
    {
        take_campaign(self, item);
    }
    json_array_foreach(failed ? NULL : json_object_get(fleet, "kinds"), i, item)
    {
        size_t k = find_kind(self->control->file, prf_json_text(item, "kind", ""));
        if (k == PRF_SLURM_KINDS)
            continue;
        self->seen[k].live = whole(item, "live");
        self->seen[k].done = whole(item, "done");
    }
    json_decref(status);
    json_decref(fleet);
    return fail_farm(self, failed, err);
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool was_known(const prf_slurm_control_t *self, uint64_t id)
{
    return self->known_count && bsearch(&id, self->known, self->known_count, sizeof *self->known, compare_ids);
}

static void remember(round_t *self, uint64_t id)
{
    if (self->known_count < self->known_cap)
        self->known[self->known_count++] = id;
}

/* Counts our jobs, and notes what became of those that have ended since the last round. */
static void count_jobs(round_t *self)
{
    prf_slurm_control_t *control = self->control;
    for (size_t k = 0; k < control->file->count; k++)
        prf_slurm_note_done(&control->memory[k], self->seen[k].done, self->now_ms);
    for (size_t i = 0; i < self->jobs.count; i++) {
        const prf_slurm_job_t *job = &self->jobs.items[i];
        prf_slurm_seen_t *seen = &self->seen[job->kind];
        bool pending = job->state == PRF_SLURM_PENDING, running = job->state == PRF_SLURM_RUNNING;
        seen->pending += pending;
        seen->running += running;
        seen->staying += job->stays && (pending || running);
        seen->settled += running && job->ran_ms >= PRF_SLURM_SETTLED_MS;
        if (job->state != PRF_SLURM_ENDED)
            remember(self, job->id);
        else if (was_known(control, job->id))
            prf_slurm_note_end(&control->memory[job->kind], job->end, job->ran_ms, self->now_ms);
    }
}

static prf_status_t look(round_t *self, prf_error_t *err)
{
    prf_status_t status = ask_coordinator(self, err);
    if (!status)
        status = prf_slurm_jobs(&self->jobs, self->control->file, err);
    if (status)
        return status;
    self->known_cap = self->jobs.count + self->control->file->count * PRF_SLURM_BURST;
    self->known = calloc(self->known_cap, sizeof *self->known);
    if (!self->known)
        return prf_fail(err, PRF_ENOMEM, "a list of %zu jobs", self->known_cap);
    count_jobs(self);
    return PRF_OK;
}

/* The ids of new jobs; the first that is refused ends it. */
static json_t *submit(round_t *self, size_t k, const prf_slurm_plan_t *plan, prf_error_t *err)
{
    json_t *ids = json_array();
    for (size_t i = 0; i < plan->submit && !self->control->dry; i++) {
        uint64_t id;
        if (prf_slurm_submit(self->control->file, &self->control->file->kinds[k], i < plan->stay, &id, err)) {
            prf_slurm_note_refusal(&self->control->memory[k], self->now_ms);
            break;
        }
        remember(self, id);
        json_array_append_new(ids, json_integer((json_int_t)id));
    }
    return ids;
}

/* Takes back the newest ones, which would have waited for longest. */
static json_t *cancel(const round_t *self, size_t k, const prf_slurm_plan_t *plan, prf_error_t *err)
{
    json_t *ids = json_array();
    uint64_t *items = calloc(plan->cancel + 1, sizeof *items);
    size_t count = 0;
    for (size_t i = self->jobs.count; items && i-- > 0 && count < plan->cancel;) {
        const prf_slurm_job_t *job = &self->jobs.items[i];
        if (job->kind == k && job->state == PRF_SLURM_PENDING && !job->stays)
            items[count++] = job->id;
    }
    if (count && !self->control->dry && prf_slurm_cancel(items, count, err) == PRF_OK)
        for (size_t i = 0; i < count; i++)
            json_array_append_new(ids, json_integer((json_int_t)items[i]));
    free(items);
    return ids;
}

/* What a reader should know; "" for nothing. */
static void note(const prf_slurm_plan_t *plan, const prf_slurm_seen_t *seen, const prf_slurm_memory_t *memory, bool logged,
                 char *text, size_t cap)
{
    text[0] = '\0';
    if (plan->verdict == PRF_SLURM_HOLD)
        snprintf(text, cap, "%u failures in a row: submits no more for %llu s%s", memory->failures,
                 (unsigned long long)(plan->hold_ms + 999) / 1000, logged ? "" : "; give 'log' in the file to see what jobs say");
    else if (plan->verdict == PRF_SLURM_UNJOINED)
        snprintf(text, cap,
                 "%zu workers run and the coordinator hears none of this kind: are 'farm', 'key' and 'server' right as seen "
                 "from the nodes, and what do the jobs' logs say?",
                 seen->settled);
}

static const char *why_pending(const round_t *self, size_t k)
{
    for (size_t i = 0; i < self->jobs.count; i++)
        if (self->jobs.items[i].kind == k && self->jobs.items[i].state == PRF_SLURM_PENDING)
            return self->jobs.items[i].reason;
    return "";
}

static json_t *deal_with(round_t *self, size_t k)
{
    const prf_slurm_seen_t *seen = &self->seen[k];
    prf_slurm_memory_t *memory = &self->control->memory[k];
    prf_error_t err = {0};
    prf_slurm_plan_t plan = prf_slurm_plan(&self->control->file->kinds[k], seen, memory, self->now_ms);
    json_t *cancelled = cancel(self, k, &plan, &err), *submitted = submit(self, k, &plan, &err);
    char text[240], error[sizeof err.text];
    note(&plan, seen, memory, self->control->file->log != NULL, text, sizeof text);
    prf_printable_copy(error, sizeof error, err.text);
    return json_pack("{s:s, s:I, s:b, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:o, s:o, s:s, s:s}", "kind",
                     self->control->file->kinds[k].kind, "queued", (json_int_t)seen->queued, "waits", (int)seen->waits, "wanted",
                     (json_int_t)plan.wanted, "running", (json_int_t)seen->running, "pending", (json_int_t)seen->pending, "joined",
                     (json_int_t)seen->live, "pending_why", why_pending(self, k), "done", (json_int_t)seen->done, "to_submit",
                     (json_int_t)plan.submit, "to_cancel", (json_int_t)plan.cancel, "submitted", submitted, "cancelled", cancelled,
                     "note", text, "error", error);
}

static void release(round_t *self)
{
    prf_slurm_jobs_release(&self->jobs);
    free(self->known);
}

prf_status_t prf_slurm_round(prf_slurm_control_t *self, uint64_t now_ms, json_t **out, prf_error_t *err)
{
    round_t round = {.control = self, .now_ms = now_ms};
    prf_status_t status = look(&round, err);
    json_t *kinds = json_array();
    for (size_t k = 0; !status && k < self->file->count; k++)
        json_array_append_new(kinds, deal_with(&round, k));
    if (!status) {
        free(self->known);
        self->known = round.known;
        self->known_count = round.known_count;
        round.known = NULL;
        qsort(self->known, self->known_count, sizeof *self->known, compare_ids);
        *out = json_pack("{s:s, s:O}", "fleet", self->file->fleet, "kinds", kinds);
        if (!*out)
            status = prf_fail(err, PRF_ENOMEM, "what a round came to");
    }
    json_decref(kinds);
    release(&round);
    return status;
}

void prf_slurm_control_release(prf_slurm_control_t *self)
{
    free(self->known);
    self->known = NULL;
}
