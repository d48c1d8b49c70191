// SPDX-License-Identifier: Apache-2.0
/* sessions.c - a session is a live board of the fleet and the peer that speaks for it.
 *
 * A worker that comes back under its name takes its old session over, leases included, because it may still have the jobs; what it
 * does not list in its next heartbeats goes to others. A second worker under the same name is told so. Which of the two a Hello
 * is cannot be seen from the frame, so the newcomer is held back until the old peer has spoken (refused) or has been silent for
 * two heartbeats (takes over).
 *
 * Whether somebody is silent is judged by what was said until everybody was last heard, and whether a claim is contested by what
 * was said until the socket was last read empty: under load a worker's words wait behind others', and it is not silent because we
 * are slow. */
#include "sessions_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "board_facts.h"
#include "health.h"
#include "triage.h"

enum {
    READ_AT_ONCE = 512,   /* frames between two looks at the rest of the loop, */
    READ_MS = 5,          /* or that much time */
    MUTE_BEATS = 10,      /* with a full queue: the worker does not read */
    BROKEN_AT_MOST = 10,  /* malformed frames of a session */
    CLAIM_BEATS = 2,      /* silence after which a newcomer has the name */
    OFFER_AGAIN_MS = 3000 /* until a model that was not acknowledged is offered again */
};

static bool load_board(void *arg, const char *key, const void *value, size_t len)
{
    prf_sessions_t *self = arg;
    prf_error_t err = {0};
    if (prf_board_facts_decode(self->hub->fleet, key, value, len, &err)) {
        prf_log(PRF_LOG_WARN, "board_not_loaded board=%s error=\"%s\"", key, err.text);
        return false;
    }
    return true;
}

prf_status_t prf_sessions_new(prf_sessions_t **out, const prf_hub_t *hub, prf_results_t *results, size_t cap, uint64_t first,
                              prf_error_t *err)
{
    prf_sessions_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "sessions");
    *self = (prf_sessions_t){.hub = hub, .results = results, .cap = cap, .first = first, .last_session = first, .period = 1};
    self->ticked_ms = self->drained_ms = self->heard_all_ms = self->round_ms = prf_clock_mono_ms();
    prf_status_t status = prf_store_scan(hub->store, PRF_TABLE_BOARD, NULL, load_board, self, NULL, err);
    if (status) {
        free(self);
        return status;
    }
    sessions_settle(self, self->ticked_ms);
    *out = self;
    return PRF_OK;
}

void prf_sessions_destroy(prf_sessions_t **self)
{
    if (!self || !*self)
        return;
    free(*self);
    *self = NULL;
}

void sessions_refuse(prf_sessions_t *self, const prf_peer_t *peer, prf_status_t status, const char *text)
{
    prf_frame_t frame = {.type = PRF_FRAME_REFUSAL, .u.refusal.status = status};
    snprintf(frame.u.refusal.text, sizeof frame.u.refusal.text, "%s", text);
    sessions_send(self, peer, &frame);
}

static void drop_claim(prf_fleet_board_t *board)
{
    free(board->claim);
    board->claim = NULL;
}

/* The worker is gone: others get its jobs. */
static void lose(prf_sessions_t *self, prf_fleet_board_t *board, prf_session_event_t why)
{
    int state = board->live ? PRF_SESSION_LIVE : PRF_SESSION_NONE;
    if (!prf_machine_next(&prf_machine_session, (int)why, &state))
        return;
    size_t leases = prf_sched_leases(self->hub->sched, board->number);
    prf_sched_leave(self->hub->sched, board->number);
    sessions_fetch_end(self, board);
    prf_fleet_detach(self->hub->fleet, board);
    prf_log(PRF_LOG_INFO, "board_gone board=%s because=%s jobs_returned=%zu", board->facts.board, prf_machine_session.events[why],
            leases);
}

/* Whoever sent it, and whether or not it has a session. */
static void broken(prf_sessions_t *self, const prf_peer_t *peer, prf_status_t status, const char *text)
{
    self->broken++;
    prf_fleet_board_t *board = prf_fleet_peer(self->hub->fleet, peer);
    if (sessions_may_log(self))
        prf_log(PRF_LOG_WARN, "frame_refused board=%s error=\"%s\"", board ? board->facts.board : "?", text);
    sessions_refuse(self, peer, status, text);
    prf_guard_fault(&self->guard, peer, prf_clock_mono_ms());
    if (board && ++board->broken >= BROKEN_AT_MOST)
        lose(self, board, PRF_SESSION_EXPEL);
}

/* What a peer may not do ends what it could do before. */
static void deny(prf_sessions_t *self, const prf_peer_t *peer, const char *text)
{
    prf_fleet_board_t *board = prf_fleet_peer(self->hub->fleet, peer);
    if (sessions_may_log(self))
        prf_log(PRF_LOG_WARN, "worker_denied key=%s board=%s error=\"%s\"", prf_auth_name(self->hub->auth, peer),
                board ? board->facts.board : "?", text);
    sessions_refuse(self, peer, PRF_EDENIED, text);
    prf_guard_fault(&self->guard, peer, prf_clock_mono_ms());
    if (board)
        lose(self, board, PRF_SESSION_DENY);
}

static bool printable(const char *text)
{
    for (const char *p = text; *p; p++)
        if (iscntrl((unsigned char)*p))
            return false;
    return *text;
}

static void store_facts(prf_sessions_t *self, const prf_fleet_board_t *board)
{
    char *text = prf_board_facts_encode(board);
    prf_error_t err = {0};
    prf_status_t status = text ? prf_commits_value(self->hub->commits, PRF_TABLE_BOARD, board->facts.board, text, strlen(text),
                                                   PRF_COMMIT_ONCE, NULL, NULL, &err)
                               : PRF_ENOMEM;
    if (status)
        prf_log(PRF_LOG_DEBUG, "board_not_stored board=%s error=\"%s\"", board->facts.board, err.text);
    free(text);
}

static bool same_model(const prf_model_version_t *a, const prf_model_version_t *b)
{
    return a->version == b->version && prf_digest_compare(&a->digest, &b->digest) == 0;
}

/* A board runs a version only when the bytes are ours: the store may be another one than last time. */
static void note_model(prf_sessions_t *self, prf_fleet_board_t *board, const prf_model_version_t *told)
{
    prf_model_version_t ours;
    bool known = told->version > 0 && prf_publisher_version(self->hub->publisher, board->facts.kind, told->version, &ours) &&
                 same_model(&ours, told);
    board->model = known ? *told : (prf_model_version_t){0};
}

/* One that was given up has no lease any more: what it has not begun yet, it need not begin. */
static void welcome(prf_sessions_t *self, prf_fleet_board_t *board, bool given_up, uint64_t now_ms)
{
    uint64_t first = given_up ? prf_sched_number(self->hub->sched) : self->first;
    prf_frame_t frame = {.type = PRF_FRAME_WELCOME,
                         .u.welcome = {.session = board->session, .heartbeat_ms = self->hub->heartbeat_ms, .first_epoch = first}};
    prf_publisher_current(self->hub->publisher, board->facts.kind, &frame.u.welcome.model);
    board->offered_ms = now_ms;
    sessions_tell(self, board, &frame);
}

static prf_status_t seat(prf_sessions_t *self, const prf_peer_t *peer, const prf_hello_t *hello, prf_fleet_board_t **out,
                         prf_error_t *err)
{
    prf_fleet_board_t *board = prf_fleet_find(self->hub->fleet, hello->board);
    if (!(board && board->live) && prf_fleet_live(self->hub->fleet) >= self->cap)
        return prf_fail(err, PRF_EBUSY, "%zu workers are connected, no more fit: try again later", self->cap);
    size_t sessions = prf_auth_sessions(self->hub->auth, peer);
    bool same = board && board->live && prf_key_same(&board->peer.key, &peer->key);
    if (!same && prf_fleet_sessions(self->hub->fleet, peer) >= sessions)
        return prf_fail(err, PRF_EBUSY,
                        "the key '%s' has %zu workers connected, no more are allowed: raise its sessions= in the list",
                        prf_auth_name(self->hub->auth, peer), sessions);
    uint32_t klass;
    prf_status_t status = prf_sched_class(self->hub->sched, hello->kind, hello->fingerprint, &klass, err);
    if (!status)
        status = prf_fleet_add(self->hub->fleet, hello->board, &board, err);
    if (!status) {
        sessions_fetch_end(self, board);
        status = prf_fleet_attach(self->hub->fleet, board, peer, err);
    }
    if (!status)
        status = prf_sched_join(self->hub->sched, board->number, klass, err);
    if (status)
        return status;
    board->klass = klass;
    *out = board;
    return PRF_OK;
}

static void admit(prf_sessions_t *self, const prf_peer_t *peer, const prf_hello_t *hello, uint64_t now_ms)
{
    prf_error_t err = {0};
    prf_fleet_board_t *board;
    /* One peer speaks for one board. */
    prf_fleet_board_t *before = prf_fleet_peer(self->hub->fleet, peer);
    if (before && strcmp(before->facts.board, hello->board) != 0)
        lose(self, before, PRF_SESSION_LEAVE);
    const prf_fleet_board_t *known = prf_fleet_find(self->hub->fleet, hello->board);
    bool given_up = !known || !known->live;
    prf_status_t status = seat(self, peer, hello, &board, &err);
    if (status) {
        sessions_refuse(self, peer, status, err.text);
        return;
    }
    bool changed = memcmp(&board->facts, hello, offsetof(prf_hello_t, model)) != 0;
    board->facts = *hello;
    board->session = ++self->last_session;
    board->broken = 0;
    board->unread = 0;
    board->owed = hello->spooled;
    if (given_up && board->silent_ms > 0)
        sessions_settle_board(self, board, now_ms);
    board->heard_ms = now_ms;
    drop_claim(board);
    prf_triage_here(self->hub->triage, board, now_ms);
    prf_sched_doubt(self->hub->sched, board->number, now_ms);
    note_model(self, board, &hello->model);
    if (changed)
        store_facts(self, board);
    prf_log(PRF_LOG_INFO, "board_here board=%s kind=%s session=%llu spooled=%u fingerprint=\"%s\"", hello->board, hello->kind,
            (unsigned long long)board->session, hello->spooled, hello->fingerprint);
    welcome(self, board, given_up, now_ms);
}

static prf_status_t beat(prf_sessions_t *self, prf_fleet_board_t *board)
{
    return sessions_tell(self, board, &(prf_frame_t){.type = PRF_FRAME_HEARTBEAT, .u.ids.session = board->session});
}

/* Whether somebody else than this peer speaks for the board. One whose connection has ended does not: all workers of a fleet that
 * was cut off are back at once, however much there is to read. */
static bool taken(prf_sessions_t *self, prf_fleet_board_t *board, const prf_peer_t *peer)
{
    return board && board->live && !prf_peer_same(&board->peer, peer) && beat(self, board) != PRF_ENOTFOUND;
}

static void hello(prf_sessions_t *self, const prf_peer_t *peer, const prf_hello_t *hello, uint64_t now_ms)
{
    prf_error_t err = {0};
    prf_status_t status = prf_name_check("board", hello->board, &err);
    if (!status)
        status = prf_name_check("board kind", hello->kind, &err);
    if (!status && !printable(hello->fingerprint))
        status =
            prf_fail(&err, PRF_EPEER, "board %s tells no printable fingerprint of its runtime: mend its backend", hello->board);
    if (status) {
        broken(self, peer, status, err.text);
        return;
    }
    if (prf_auth_worker(self->hub->auth, peer, hello->kind, &err)) {
        deny(self, peer, err.text);
        return;
    }
    prf_fleet_board_t *board = prf_fleet_find(self->hub->fleet, hello->board);
    bool repeated = board && board->claim && prf_peer_same(&board->claimant, peer);
    if (repeated) /* nobody is asked again because of it */
        return;
    if (!taken(self, board, peer)) {
        admit(self, peer, hello, now_ms);
        return;
    }
    if (!board->claim && !(board->claim = malloc(sizeof *board->claim)))
        return;
    *board->claim = *hello;
    board->claimant = *peer;
    board->claimed_ms = now_ms;
}

/* The old peer is alive: the newcomer has to find another name. */
static void defend(prf_sessions_t *self, prf_fleet_board_t *board)
{
    char text[PRF_ERROR_TEXT];
    snprintf(text, sizeof text, "a worker for board %s is connected already: give this one another --board name",
             board->facts.board);
    sessions_refuse(self, &board->claimant, PRF_EEXISTS, text);
    if (sessions_may_log(self))
        prf_log(PRF_LOG_WARN, "name_taken board=%s second_worker_refused=true", board->facts.board);
    drop_claim(board);
}

/* Whatever it says, with what it holds a board gets no more than PRF_SESSIONS_CREDIT. */
static void set_credit(prf_sessions_t *self, prf_fleet_board_t *board, size_t jobs)
{
    size_t held = prf_sched_leases(self->hub->sched, board->number);
    size_t room = held < PRF_SESSIONS_CREDIT ? PRF_SESSIONS_CREDIT - held : 0;
    prf_fleet_set_credit(self->hub->fleet, board, (uint32_t)(jobs < room ? jobs : room));
}

static void results(prf_sessions_t *self, prf_fleet_board_t *board, const prf_frame_t *frame, uint64_t now_ms)
{
    board->owed -= frame->u.results.count < board->owed ? (uint32_t)frame->u.results.count : board->owed;
    for (size_t i = 0; i < frame->u.results.count; i++)
        if (prf_health_take(self->hub->health, board, &frame->u.results.items[i]))
            prf_sessions_ack(self, board->number, frame->u.results.items[i].id, false);
        else
            prf_results_take(self->results, board, &frame->u.results.items[i], now_ms);
}

/* Credit that came by itself can be lost with the connection, and so can jobs: the heartbeat tells anew how many the worker takes,
 * on top of those that it names. Those that it does not name may still be on their way. */
static void heartbeat(prf_sessions_t *self, prf_fleet_board_t *board, const prf_frame_t *frame, uint64_t now_ms)
{
    prf_sched_renew(self->hub->sched, board->number, frame->u.ids.items, frame->u.ids.count, now_ms, sessions_slack_ms(self));
    if (frame->u.ids.takes == 0)
        return;
    size_t takes = frame->u.ids.takes - 1, coming = prf_sched_unlisted(self->hub->sched, board->number);
    set_credit(self, board, takes > coming ? takes - coming : 0);
}

static void handle(prf_sessions_t *self, const prf_peer_t *peer, const prf_frame_t *frame, uint64_t now_ms)
{
    if (frame->type == PRF_FRAME_HELLO) {
        hello(self, peer, &frame->u.hello, now_ms);
        return;
    }
    prf_fleet_board_t *board = prf_fleet_peer(self->hub->fleet, peer);
    prf_error_t err = {0};
    if (prf_auth_worker(self->hub->auth, peer, board ? board->facts.kind : NULL, &err)) {
        deny(self, peer, err.text);
        return;
    }
    if (!board) {
        if (frame->type != PRF_FRAME_GOODBYE)
            sessions_refuse(self, peer, PRF_ENOTFOUND, "there is no session with this worker: say hello first");
        return;
    }
    board->heard_ms = now_ms;
    if (board->claim && self->drained_ms > board->claimed_ms) /* else it may have said that before it was cut off */
        defend(self, board);
    switch (frame->type) {
    case PRF_FRAME_CREDIT:
        set_credit(self, board, (size_t)board->credit + frame->u.credit);
        break;
    case PRF_FRAME_RESULT_BATCH:
        results(self, board, frame, now_ms);
        break;
    case PRF_FRAME_HEARTBEAT:
        if (frame->u.ids.session == board->session)
            heartbeat(self, board, frame, now_ms);
        break;
    case PRF_FRAME_MODEL_ACK:
        note_model(self, board, &frame->u.model);
        sessions_fetch_end(self, board);
        sessions_send_chunks(self, now_ms);
        break;
    case PRF_FRAME_FETCH:
        sessions_fetch(self, board, &frame->u.fetch.digest, frame->u.fetch.offset, now_ms);
        break;
    case PRF_FRAME_GOODBYE:
        lose(self, board, PRF_SESSION_LEAVE);
        break;
    default: {
        char text[PRF_ERROR_TEXT];
        snprintf(text, sizeof text, "a worker does not send %s", prf_frame_name(frame->type));
        broken(self, peer, PRF_EPEER, text);
    }
    }
}

/* The socket is read from its connections in turn. So when there have been as many frames as there can be connections, at most an
 * old and a new one a board, everybody was heard who had something to say when that began. */
static void count_frame(prf_sessions_t *self, uint64_t now_ms)
{
    if (++self->round_frames < 2 * prf_fleet_count(self->hub->fleet) + READ_AT_ONCE)
        return;
    self->heard_all_ms = self->round_ms;
    self->round_ms = now_ms;
    self->round_frames = 0;
}

void prf_sessions_read(prf_sessions_t *self)
{
    uint64_t now_ms = prf_clock_mono_ms(), until_ms = now_ms + READ_MS;
    for (int i = 0; i < READ_AT_ONCE && now_ms < until_ms; i++, now_ms = prf_clock_mono_ms()) {
        prf_peer_t peer;
        uint8_t *bytes;
        size_t len;
        if (prf_socket_recv(self->hub->workers, &peer, &bytes, &len, NULL)) {
            self->drained_ms = self->heard_all_ms = self->round_ms = now_ms;
            self->round_frames = 0;
            return;
        }
        count_frame(self, now_ms);
        prf_frame_t frame;
        prf_error_t err = {0};
        bool ignored = prf_guard_ignores(&self->guard, &peer, now_ms);
        prf_status_t status = ignored ? PRF_OK : prf_frame_decode(&frame, bytes, len, &err);
        free(bytes);
        if (status)
            broken(self, &peer, status, err.text);
        if (status || ignored)
            continue;
        handle(self, &peer, &frame, now_ms);
        prf_frame_release(&frame);
    }
}

/* A board that does not run its kind's current model is told again, until it does. */
static void offer(prf_sessions_t *self, prf_fleet_board_t *board, uint64_t now_ms)
{
    prf_frame_t frame = {.type = PRF_FRAME_MODEL_OFFER};
    if (now_ms - board->offered_ms < OFFER_AGAIN_MS ||
        !prf_publisher_current(self->hub->publisher, board->facts.kind, &frame.u.model) ||
        same_model(&frame.u.model, &board->model))
        return;
    board->offered_ms = now_ms;
    sessions_tell(self, board, &frame);
}

static void tick_board(prf_sessions_t *self, prf_fleet_board_t *board, bool due, bool stalled, uint64_t now_ms)
{
    uint64_t period = self->hub->heartbeat_ms;
    if (stalled)
        board->heard_ms = board->claimed_ms = now_ms;
    if (board->claim && (self->drained_ms >= board->claimed_ms + CLAIM_BEATS * period || !taken(self, board, &board->claimant))) {
        prf_hello_t claim = *board->claim;
        prf_peer_t claimant = board->claimant;
        admit(self, &claimant, &claim, now_ms);
        return;
    }
    if (self->heard_all_ms >= board->heard_ms + PRF_SESSIONS_SILENT * period) {
        lose(self, board, PRF_SESSION_SILENT);
        board->silent_ms = now_ms;
        prf_triage_lost(self->hub->triage, board, now_ms);
        return;
    }
    if (due) {
        bool mute = board->told != self->period && beat(self, board) == PRF_EBUSY;
        board->unread = mute ? board->unread + 1 : 0;
    }
    if (board->unread >= MUTE_BEATS) {
        lose(self, board, PRF_SESSION_MUTE);
        return;
    }
    offer(self, board, now_ms);
    sessions_fetch_tick(self, board, now_ms);
}

void prf_sessions_tick(prf_sessions_t *self)
{
    uint64_t now_ms = prf_clock_mono_ms();
    /* When this process itself stood still, the workers' words wait in the socket: nobody was silent. */
    bool stalled = now_ms - self->ticked_ms > 2 * (uint64_t)self->hub->heartbeat_ms;
    bool due = now_ms - self->beat_ms >= self->hub->heartbeat_ms;
    self->ticked_ms = now_ms;
    if (due)
        self->beat_ms = now_ms;
    for (size_t i = 0; i < prf_fleet_count(self->hub->fleet); i++) {
        prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, i);
        if (board->live || board->claim)
            tick_board(self, board, due, stalled, now_ms);
    }
    self->period += due;
    sessions_send_chunks(self, now_ms);
    prf_triage_tick(self->hub->triage, now_ms);
    /* While the store takes nothing, leases stay: their results may be what waits for it. */
    if (!stalled && !prf_commits_blocked(self->hub->commits, NULL))
        prf_results_expire(self->results, now_ms, self->drained_ms, (uint64_t)PRF_SESSIONS_SILENT * self->hub->heartbeat_ms);
}

void prf_sessions_judge(prf_sessions_t *self)
{
    for (size_t i = 0; i < prf_fleet_count(self->hub->fleet); i++) {
        prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, i);
        prf_error_t err = {0};
        prf_peer_t peer = board->peer; /* losing the session clears it */
        if (board->claim && prf_auth_worker(self->hub->auth, &board->claimant, board->claim->kind, NULL))
            drop_claim(board);
        if (board->live && prf_auth_worker(self->hub->auth, &peer, board->facts.kind, &err))
            deny(self, &peer, err.text);
    }
}

void prf_sessions_goodbye(prf_sessions_t *self)
{
    prf_frame_t frame = {.type = PRF_FRAME_GOODBYE};
    for (size_t i = 0; i < prf_fleet_count(self->hub->fleet); i++) {
        prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, i);
        if (board->live)
            sessions_tell(self, board, &frame);
    }
}

prf_board_state_t prf_sessions_state(const prf_sessions_t *self, const prf_fleet_board_t *board)
{
    if (!board->live)
        return PRF_BOARD_LOST;
    if (board->trust.state != PRF_TRUSTED)
        return PRF_BOARD_QUARANTINED;
    return prf_sched_leases(self->hub->sched, board->number) > 0 ? PRF_BOARD_BUSY : PRF_BOARD_IDLE;
}

const char *prf_board_state_name(prf_board_state_t state)
{
    static const char *const names[PRF_BOARD_STATES] = {"idle", "busy", "quarantined", "lost"};
    return names[state];
}

uint64_t prf_sessions_broken(const prf_sessions_t *self)
{
    return self->broken;
}

uint64_t prf_sessions_ignored(const prf_sessions_t *self)
{
    return self->guard.ignored;
}
