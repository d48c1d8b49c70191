// SPDX-License-Identifier: Apache-2.0
/* campaign.c - the engine says what it wants; this fetches it.
 *
 * Points are taken from the engine only as the boards need them (as many as they would take now, and a few), because what is still
 * with the engine can be skipped when the time budget is used up. What the index knows is answered at once and costs no board's
 * time. A write whose outcome matters to a campaign may outlive it: its closure keeps a shared handle that the campaign clears. */
#include "campaign.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define PIN "pin" /* the decision for which runtime a kind stands */

enum { QUEUE_SHORT = 32, PUBLISH_SECONDS = 60 };

/* Survives the campaign until the last closure lets go. */
typedef struct {
    prf_running_t *running; /* NULL once destroyed */
    unsigned references;
} handle_t;

typedef struct {
    bool pinning, pinned, deciding, publishing;
    unsigned offered_s; /* since when the model is on offer */
    uint32_t klass;
    json_int_t recalled; /* of what it measured itself, what came from the store when it went on */
    json_int_t measured; /* without these; at the last tick */
    double rate;         /* a second, smoothed; of the last time that boards had work */
} side_t;

struct prf_running {
    const prf_hub_t *hub;
    prf_engine_t *engine; /* owned */
    handle_t *handle;     /* shared */
    unsigned owner;
    uint64_t run;
    side_t *sides; /* owned, one a board of the campaign */
    size_t count;
    prf_text_t blocks;    /* of the point that is being planned */
    prf_plan_page_t page; /* points that are planned and not on their way to the store; empty between two feeds */
};

/* What a commit of this campaign is about. */
typedef struct {
    handle_t *handle;
    size_t board;
    char fingerprint[PRF_FINGERPRINT];
    uint32_t kinds, dtypes, flags;
    const char *decision; /* its name */
    char *text;           /* owned; of the decision */
} errand_t;

static errand_t *errand_new(prf_running_t *self, size_t board)
{
    errand_t *e = calloc(1, sizeof *e);
    if (e) {
        e->handle = self->handle;
        e->board = board;
        self->handle->references++;
    }
    return e;
}

static void handle_drop(handle_t *handle)
{
    if (--handle->references == 0)
        free(handle);
}

static void errand_free(errand_t *e)
{
    handle_drop(e->handle);
    free(e->text);
    free(e);
}

static const prf_campaign_t *campaign_of(const prf_running_t *self)
{
    return prf_engine_campaign(self->engine);
}

static void pin(prf_running_t *self, size_t board, const char *fingerprint, uint32_t kinds, uint32_t dtypes, uint32_t flags)
{
    const char *kind = campaign_of(self)->boards[board].kind;
    prf_error_t err = {0};
    side_t *side = &self->sides[board];
    prf_status_t status = prf_sched_class(self->hub->sched, kind, fingerprint, &side->klass, &err);
    if (status) {
        prf_log(PRF_LOG_ERROR, "kind_not_pinned campaign=%s kind=%s error=\"%s\"", campaign_of(self)->name, kind, err.text);
        return;
    }
    side->pinned = true;
    status = prf_engine_pin(self->engine, board, fingerprint, kinds, dtypes, flags, &err);
    if (status)
        prf_log(PRF_LOG_ERROR, "kind_failed campaign=%s kind=%s error=\"%s\"", campaign_of(self)->name, kind, err.text);
    else
        prf_log(PRF_LOG_INFO, "kind_pinned campaign=%s kind=%s fingerprint=\"%s\"", campaign_of(self)->name, kind, fingerprint);
}

static void decision_key(const prf_running_t *self, size_t board, const char *name, char key[PRF_PLAN_KEY])
{
    snprintf(key, PRF_PLAN_KEY, "%s/%s/%s", campaign_of(self)->name, campaign_of(self)->boards[board].kind, name);
}

/* What the engine decided in an earlier run of the coordinator. */
static prf_status_t load_decisions(prf_running_t *self, size_t board, prf_error_t *err)
{
    for (size_t i = 0; i < PRF_ENGINE_DECISIONS; i++) {
        char key[PRF_PLAN_KEY];
        void *text;
        size_t len;
        decision_key(self, board, prf_engine_decisions[i], key);
        prf_status_t status = prf_store_get(self->hub->store, PRF_TABLE_DECISION, key, &text, &len, err);
        if (status == PRF_ECORRUPT)
            prf_log(PRF_LOG_WARN, "decision_damaged key=%s decided_anew=true", key);
        if (status == PRF_ENOTFOUND || status == PRF_ECORRUPT)
            continue;
        if (status)
            return status;
        status = prf_engine_decide(self->engine, board, prf_engine_decisions[i], text, err);
        free(text);
        if (status)
            return status;
    }
    return PRF_OK;
}

/* Of what this campaign wanted in an earlier run: whether it has the outcome. */
static bool had(void *arg, const prf_digest_t *point, uint32_t attempt)
{
    const prf_running_t *self = arg;
    const prf_entry_t *entry = prf_ledger_find(self->hub->ledger, point, attempt);
    prf_planned_t planned;
    return entry && entry->known && prf_plan_find(self->hub->plan, entry, campaign_of(self)->name, &planned);
}

/* Decisions, pins and outcomes of an earlier run of the coordinator. */
static prf_status_t load(prf_running_t *self, prf_error_t *err)
{
    if (prf_index_count(self->hub->index) > 0)
        prf_engine_recall(self->engine, had, self);
    for (size_t i = 0; i < self->count; i++) {
        char key[PRF_PLAN_KEY];
        void *value;
        size_t len;
        prf_status_t status = load_decisions(self, i, err);
        if (status)
            return status;
        decision_key(self, i, PIN, key);
        status = prf_store_get(self->hub->store, PRF_TABLE_DECISION, key, &value, &len, err);
        if (status == PRF_ECORRUPT)
            prf_log(PRF_LOG_WARN, "pin_damaged campaign=%s kind=%s pinned_anew=true", campaign_of(self)->name,
                    campaign_of(self)->boards[i].kind);
        if (status == PRF_ENOTFOUND || status == PRF_ECORRUPT)
            continue;
        if (status)
            return status;
        json_t *json = json_loadb(value, len, 0, NULL);
        free(value);
        const char *fingerprint = json_string_value(json_object_get(json, "fingerprint"));
        if (fingerprint)
            pin(self, i, fingerprint, (uint32_t)json_integer_value(json_object_get(json, "kinds")),
                (uint32_t)json_integer_value(json_object_get(json, "dtypes")),
                (uint32_t)json_integer_value(json_object_get(json, "flags"))); /* earlier versions told none */
        json_decref(json);
    }
    return PRF_OK;
}

prf_status_t prf_running_new(prf_running_t **out, const prf_hub_t *hub, prf_engine_t *engine, unsigned owner, uint64_t run,
                             prf_error_t *err)
{
    prf_running_t *self = calloc(1, sizeof *self);
    handle_t *handle = calloc(1, sizeof *handle);
    size_t count = prf_engine_campaign(engine)->board_count;
    side_t *sides = calloc(count, sizeof *sides);
    if (!self || !handle || !sides) {
        free(self);
        free(handle);
        free(sides);
        prf_engine_destroy(&engine);
        return prf_fail(err, PRF_ENOMEM, "campaign");
    }
    *handle = (handle_t){self, 1};
    *self =
        (prf_running_t){.hub = hub, .engine = engine, .handle = handle, .owner = owner, .run = run, .sides = sides, .count = count};
    prf_status_t status = load(self, err);
    if (status) {
        prf_running_destroy(&self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

void prf_running_destroy(prf_running_t **self)
{
    if (!self || !*self)
        return;
    prf_running_t *r = *self;
    r->handle->running = NULL;
    handle_drop(r->handle);
    prf_sched_disown(r->hub->sched, r->owner);
    prf_engine_destroy(&r->engine);
    free(r->sides);
    prf_text_release(&r->blocks);
    prf_plan_page_release(&r->page);
    free(r);
    *self = NULL;
}

const prf_engine_t *prf_running_engine(const prf_running_t *self)
{
    return self->engine;
}

uint64_t prf_running_run(const prf_running_t *self)
{
    return self->run;
}

unsigned prf_running_owner(const prf_running_t *self)
{
    return self->owner;
}

bool prf_running_finished(const prf_running_t *self)
{
    return prf_engine_finished(self->engine);
}

static void pin_stored(void *arg, prf_status_t status)
{
    errand_t *e = arg;
    if (status == PRF_OK && e->handle->running) {
        e->handle->running->sides[e->board].pinning = false;
        pin(e->handle->running, e->board, e->fingerprint, e->kinds, e->dtypes, e->flags);
    }
    errand_free(e);
}

/* The decision is durable before it is used, so that a resumed campaign asks for the same points. */
static void pin_to(prf_running_t *self, size_t board, const prf_hello_t *facts)
{
    errand_t *e = errand_new(self, board);
    json_t *json = json_pack("{s:s, s:I, s:I, s:I}", "fingerprint", facts->fingerprint, "kinds", (json_int_t)facts->kinds, "dtypes",
                             (json_int_t)facts->dtypes, "flags", (json_int_t)facts->flags);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (e && text) {
        char key[PRF_PLAN_KEY];
        decision_key(self, board, PIN, key);
        memcpy(e->fingerprint, facts->fingerprint, sizeof e->fingerprint);
        e->kinds = facts->kinds;
        e->dtypes = facts->dtypes;
        e->flags = facts->flags;
        if (prf_commits_value(self->hub->commits, PRF_TABLE_DECISION, key, text, strlen(text), PRF_COMMIT_KEEP, pin_stored, e,
                              NULL) == PRF_OK) {
            self->sides[board].pinning = true;
            e = NULL;
        }
    }
    free(text);
    if (e)
        errand_free(e); /* the next pump tries again */
}

static void pin_if_possible(prf_running_t *self, size_t board)
{
    if (self->sides[board].pinned || self->sides[board].pinning)
        return;
    for (size_t i = 0; i < prf_fleet_count(self->hub->fleet); i++) {
        const prf_fleet_board_t *b = prf_fleet_at(self->hub->fleet, i);
        if (b->live && strcmp(b->facts.kind, campaign_of(self)->boards[board].kind) == 0) {
            pin_to(self, board, &b->facts);
            return;
        }
    }
}

static void answer(prf_running_t *self, const prf_entry_t *entry, const prf_known_t *known, bool reused, const char *error)
{
    prf_error_t err = {0};
    prf_sample_t sample = {0};
    bool measured = false;
    if (known && known->outcome == PRF_OK) {
        measured = true;
        sample = known->sample;
        sample.busy_ns = known->busy_ns; /* what the time budget is charged */
    }
    if (prf_engine_answer(self->engine, &entry->point, entry->attempt, measured ? &sample : NULL, reused,
                          known ? known->error : error, &err))
        prf_log(PRF_LOG_ERROR, "kind_failed campaign=%s error=\"%s\"", campaign_of(self)->name, err.text);
}

void prf_running_answer(prf_running_t *self, const prf_entry_t *entry)
{
    prf_known_t known;
    bool there = prf_index_get(self->hub->index, entry, &known);
    answer(self, entry, there ? &known : NULL, false,
           "its result could not be stored: see the coordinator's log, then 'prfarm retry'");
}

static void write_page(prf_running_t *self)
{
    prf_error_t err = {0};
    if (prf_hub_write_plan(self->hub, &self->page, &err))
        prf_log(PRF_LOG_WARN, "plan_not_stored error=\"%s\" export_lacks=%zu", err.text, self->page.count);
    prf_plan_page_clear(&self->page);
}

/* What the digest stands for, for people (export); written once. True: the campaign owes the result to others. What it measured
 * itself before it was paused or killed is no news either, but its own. */
static bool note_plan(prf_running_t *self, prf_entry_t *entry, const prf_want_t *want, bool known)
{
    const char *blocks = prf_plan_blocks(&self->blocks, want->blocks, want->block_count);
    if (!blocks) {
        prf_log(PRF_LOG_WARN, "plan_not_noted error=\"out of memory\" export_lacks_a_layer=true");
        return known;
    }
    prf_planned_t planned = {.point = want->point,
                             .attempt = want->attempt,
                             .campaign = campaign_of(self)->name,
                             .kind = campaign_of(self)->boards[want->board].kind,
                             .role = want->role ? want->role : "",
                             .blocks = blocks,
                             .known = known};
    bool fresh = false;
    prf_error_t err = {0};
    if (prf_plan_add(self->hub->plan, entry, &planned, &fresh, &err))
        prf_log(PRF_LOG_WARN, "plan_not_noted error=\"%s\" export_lacks_a_layer=true", err.text);
    if (fresh)
        prf_plan_page_add(&self->page, &planned);
    if (self->page.value.len >= PRF_PLAN_PAGE_BYTES)
        write_page(self);
    return planned.known;
}

static void fetch(prf_running_t *self, const prf_want_t *want)
{
    prf_known_t known;
    prf_entry_t *entry;
    prf_error_t err = {0};
    if (prf_ledger_reach(self->hub->ledger, &want->point, want->attempt, &entry, &err)) {
        answer(self, &(prf_entry_t){.point = want->point, .attempt = want->attempt}, NULL, false, err.text);
        return;
    }
    bool is_known = prf_index_get(self->hub->index, entry, &known);
    bool reused = note_plan(self, entry, want, is_known);
    if (is_known) {
        if (known.outcome == PRF_OK && want->block_count == 1)
            prf_plausible_note(self->hub->plausible, self->sides[want->board].klass, want->blocks, known.sample.latency_ns);
        self->sides[want->board].recalled += !reused && known.outcome == PRF_OK;
        answer(self, entry, &known, reused, NULL);
        return;
    }
    prf_job_t job = {.protocol = want->protocol,
                     .blocks = (prf_block_t *)want->blocks, /* only read */
                     .block_count = want->block_count,
                     .edges = (prf_edge_t *)want->edges,
                     .edge_count = want->edge_count};
    if (prf_sched_add(self->hub->sched, self->sides[want->board].klass, self->owner, entry, &job, &err))
        answer(self, entry, NULL, false, err.text);
}

/* As many as the boards would take now, and a few for those that come next. */
static bool feed(prf_running_t *self, size_t board)
{
    const side_t *side = &self->sides[board];
    prf_want_t want;
    bool moved = false;
    if (!side->pinned)
        return false;
    size_t wanted = QUEUE_SHORT + prf_fleet_credit(self->hub->fleet, side->klass);
    while (prf_sched_queued(self->hub->sched, side->klass) < wanted && prf_sched_room(self->hub->sched) > 0 &&
           prf_engine_next_on(self->engine, board, &want)) {
        fetch(self, &want);
        moved = true;
    }
    write_page(self);
    return moved;
}

static bool is_known(void *arg, const prf_digest_t *point, uint32_t attempt)
{
    const prf_running_t *self = arg;
    const prf_entry_t *entry = prf_ledger_find(self->hub->ledger, point, attempt);
    return entry && entry->known;
}

static void decision_stored(void *arg, prf_status_t status)
{
    errand_t *e = arg;
    prf_running_t *self = e->handle->running;
    prf_error_t err = {0};
    if (status == PRF_OK && self) {
        self->sides[e->board].deciding = false;
        prf_log(PRF_LOG_INFO, "campaign_decided campaign=%s kind=%s decision=%s text=\"%.200s\"", campaign_of(self)->name,
                campaign_of(self)->boards[e->board].kind, e->decision, e->text);
        if (prf_engine_decide(self->engine, e->board, e->decision, e->text, &err))
            prf_log(PRF_LOG_ERROR, "kind_failed campaign=%s error=\"%s\"", campaign_of(self)->name, err.text);
    }
    errand_free(e);
}

/* A decision that is due is stored; the engine goes on from it when it is. */
static void decide(prf_running_t *self, size_t board)
{
    const char *name;
    char *text = self->sides[board].deciding ? NULL : prf_engine_decision(self->engine, board, is_known, self, &name);
    if (!text)
        return;
    errand_t *e = errand_new(self, board);
    if (!e) {
        free(text);
        return;
    }
    e->decision = name;
    e->text = text;
    char key[PRF_PLAN_KEY];
    decision_key(self, board, name, key);
    if (prf_commits_value(self->hub->commits, PRF_TABLE_DECISION, key, text, strlen(text), PRF_COMMIT_KEEP, decision_stored, e,
                          NULL) == PRF_OK)
        self->sides[board].deciding = true;
    else
        errand_free(e); /* the next pump tries again */
}

static bool train(prf_running_t *self)
{
    bool moved = false;
    prf_training_t *task;
    while ((task = prf_engine_training(self->engine))) {
        prf_error_t err = {0};
        moved = true;
        size_t board = prf_training_board(task);
        if (prf_trainer_put(self->hub->trainer, self->run, task, &err)) {
            prf_engine_fail(self->engine, board, err.text);
            prf_log(PRF_LOG_ERROR, "training_not_started campaign=%s error=\"%s\"", campaign_of(self)->name, err.text);
        }
    }
    return moved;
}

void prf_running_trained(prf_running_t *self, prf_training_t *task)
{
    prf_error_t err = {0};
    if (prf_engine_trained(self->engine, task, &err))
        prf_log(PRF_LOG_ERROR, "training_failed campaign=%s error=\"%s\"", campaign_of(self)->name, err.text);
}

static void published(void *arg, uint32_t version)
{
    errand_t *e = arg;
    prf_running_t *self = e->handle->running;
    if (self) {
        self->sides[e->board].publishing = false;
        if (version > 0)
            prf_engine_published(self->engine, e->board, version);
    }
    errand_free(e);
}

static bool publish(prf_running_t *self, size_t board)
{
    size_t len;
    uint32_t version;
    const char *kind = campaign_of(self)->boards[board].kind;
    const void *bytes = prf_engine_model(self->engine, board, &len, &version);
    if (!bytes || self->sides[board].publishing)
        return false;
    if (version == 0) {
        errand_t *e = errand_new(self, board);
        if (!e)
            return false;
        self->sides[board].publishing = true;
        prf_error_t err = {0};
        prf_model_note_t note = {.mape_percent = prf_engine_mape(self->engine, board), .published_ms = prf_clock_wall_ms()};
        snprintf(note.campaign, sizeof note.campaign, "%s", campaign_of(self)->name);
        prf_status_t status = prf_publisher_publish(self->hub->publisher, kind, bytes, len, &note, published, e, &err);
        if (status) {
            errand_free(e);
            self->sides[board].publishing = false;
            /* Anything but "just now somebody else does" would fail again and again. */
            if (status != PRF_EBUSY) {
                prf_engine_fail(self->engine, board, err.text);
                prf_log(PRF_LOG_ERROR, "model_not_published campaign=%s kind=%s error=\"%s\"", campaign_of(self)->name, kind,
                        err.text);
            }
            return false;
        }
        return true;
    }
    if (prf_engine_stage(self->engine, board) != PRF_STAGE_PUBLISH)
        return false;
    /* Somebody may have published, or rolled back, since: what counts is that the fleet runs what it should. */
    prf_model_version_t current = {0};
    prf_publisher_current(self->hub->publisher, kind, &current);
    prf_census_t census = prf_fleet_census(self->hub->fleet, kind, "", current.version);
    prf_engine_acknowledged(self->engine, board, census.workers, census.current, self->sides[board].offered_s > PUBLISH_SECONDS);
    return prf_engine_stage(self->engine, board) != PRF_STAGE_PUBLISH;
}

bool prf_running_pump(prf_running_t *self)
{
    bool moved = false;
    for (size_t i = 0; i < self->count; i++) {
        pin_if_possible(self, i);
        moved = feed(self, i) || moved;
        decide(self, i);
    }
    moved = train(self) || moved;
    for (size_t i = 0; i < self->count; i++)
        moved = publish(self, i) || moved;
    return moved;
}

void prf_running_outlook(const prf_running_t *self, size_t *have, size_t *lack)
{
    prf_engine_outlook(self->engine, is_known, (void *)self, have, lack);
}

void prf_running_tick(prf_running_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        side_t *side = &self->sides[i];
        prf_engine_count_t count = prf_engine_count(self->engine, i);
        json_int_t measured = (json_int_t)count.measured - side->recalled;
        /* While nothing is to be measured (a training) it is no pace of the boards. */
        if (count.open > 0)
            side->rate += 0.2 * ((double)(measured - side->measured) - side->rate);
        side->measured = measured;
        bool offered = prf_engine_stage(self->engine, i) == PRF_STAGE_PUBLISH && !side->publishing;
        side->offered_s = offered ? side->offered_s + 1 : 0;
    }
}

json_t *prf_running_status(const prf_running_t *self)
{
    json_t *boards = prf_engine_status(self->engine);
    for (size_t i = 0; i < self->count; i++) {
        json_t *board = json_array_get(boards, i);
        const char *kind = campaign_of(self)->boards[i].kind;
        prf_census_t census = prf_fleet_census(self->hub->fleet, kind, prf_engine_fingerprint(self->engine, i), 0);
        json_int_t busy = 0, open = json_integer_value(json_object_get(board, "open"));
        for (size_t b = 0; b < prf_fleet_count(self->hub->fleet); b++) {
            const prf_fleet_board_t *one = prf_fleet_at(self->hub->fleet, b);
            busy += one->live && strcmp(one->facts.kind, kind) == 0 && prf_sched_leases(self->hub->sched, one->number) > 0;
        }
        double rate = self->sides[i].rate;
        bool known = rate > 1e-3 && open > 0;
        uint32_t others = self->sides[i].pinned ? census.workers - census.same : 0;
        json_object_set_new(board, "workers", json_integer(census.workers - others));
        json_object_set_new(board, "other_runtime", json_integer(others));
        json_object_set_new(board, "busy", json_integer(busy));
        json_object_set_new(board, "rate_per_second", json_real(known ? rate : 0));
        json_object_set_new(board, "seconds_left", known ? json_real(ceil((double)open / rate)) : json_null());
    }
    return boards;
}
