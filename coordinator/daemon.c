// SPDX-License-Identifier: Apache-2.0
/* daemon.c - wires the parts together and runs the loop.
 *
 * Whatever has happened - a frame, a commit, a training, a timer - the loop ends by looking what is due now (`settle`): campaigns
 * take what they want, boards get jobs, acknowledgements go out. So no part has to tell another what to do next.
 *
 * The store is opened before anything is bound: its lock is what keeps two coordinators of one farm apart. At the end nothing new
 * is granted, what is on its way to the store is waited for, then everyone is told goodbye. */
#include "daemon.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/process.h"
#include "clients.h"
#include "health.h"
#include "http.h"
#include "net/endpoint.h"
#include "side.h"
#include "triage.h"

enum {
    WORKER_QUEUE = 256, /* messages that wait for one worker: what it does not read takes that much memory */
    CLIENT_QUEUE = 32,
    BROADCAST_QUEUE = 256,
    JOBS_AT_MOST = 200000, /* in the scheduler */
    ROUNDS = 64,           /* of settling before the sockets are looked at again */
    SECOND_MS = 1000,
    STORE_ANSWERS_MS = 30000,
    STOP_MS = 5000, /* for what is on its way to the store */
    TRAINER_STOP_MS = 2000,
    DESCRIPTORS = 1 << 20 /* more than any fleet needs; some systems allow a billion */
};

/* Two counters in one 64-bit number: of the coordinator's starts, and of what it numbered since. */
enum { INCARNATION_SHIFT = 40, INCARNATION_LOST = 1 << 23 };

typedef struct {
    prf_hub_t hub;
    prf_loop_t *loop;
    prf_socket_t *broadcast;
    prf_results_t *results;
    prf_campaigns_t *campaigns;
    prf_sessions_t *sessions;
    prf_guard_t clients_guard;
    prf_ops_t *ops;
    prf_clients_t *clients;
    prf_http_t *http; /* NULL: none */
    prf_endpoints_t bound;
    int incarnated; /* 1: stored, below 0: -prf_status_t */
    uint64_t first; /* ids, epochs and sessions of this incarnation are above it */
    uint64_t stop_by_ms;
    bool broadcast_down; /* it could not be bound again yet */
    bool stopped;
} daemon_t;

/* The last words, once nothing is left that could be lost. */
static void stop_if_due(daemon_t *d)
{
    bool blocked = prf_commits_blocked(d->hub.commits, NULL);
    bool late = prf_clock_mono_ms() >= d->stop_by_ms;
    if (d->stopped || (prf_commits_pending(d->hub.commits) > 0 && !blocked && !late))
        return;
    if (prf_commits_pending(d->hub.commits) > 0)
        prf_log(PRF_LOG_WARN, "stopping_with_writes_open count=%zu workers_keep_their_results=true",
                prf_commits_pending(d->hub.commits));
    d->stopped = true;
    prf_sessions_goodbye(d->sessions);
    prf_loop_stop(d->loop);
}

static void settle(daemon_t *d)
{
    for (int i = 0; i < ROUNDS; i++) {
        bool moved = prf_campaigns_pump(d->campaigns);
        moved = prf_sessions_grant(d->sessions) || moved;
        if (!moved)
            break;
    }
    prf_sessions_flush(d->sessions);
    if (d->hub.stopping)
        stop_if_due(d);
}

static void on_workers(void *arg)
{
    daemon_t *d = arg;
    prf_sessions_read(d->sessions);
    settle(d);
}

static void on_clients(void *arg)
{
    daemon_t *d = arg;
    prf_clients_read(d->clients);
    settle(d);
}

static void on_http(void *arg)
{
    daemon_t *d = arg;
    prf_http_turn(d->http);
    settle(d);
}

static void on_store(void *arg)
{
    daemon_t *d = arg;
    prf_commits_read(d->hub.commits);
    settle(d);
}

static void on_side(void *arg)
{
    daemon_t *d = arg;
    prf_side_read(d->hub.side);
    settle(d);
}

static void on_trained(void *arg)
{
    daemon_t *d = arg;
    prf_campaigns_trained(d->campaigns);
    settle(d);
}

static void on_beat(void *arg)
{
    daemon_t *d = arg;
    prf_sessions_read(d->sessions); /* before anybody is called silent */
    prf_sessions_tick(d->sessions);
    prf_health_tick(d->hub.health, prf_clock_mono_ms());
    if (d->http)
        prf_http_turn(d->http);
    settle(d);
}

/* A SUB says nothing, so a key that was removed would listen on for ever: all are cut off, those that may come back do. */
static void rebind_broadcast(daemon_t *d)
{
    prf_error_t err = {0};
    d->broadcast_down = prf_socket_rebind(d->broadcast, d->bound.broadcast, &err) != PRF_OK;
    if (d->broadcast_down)
        prf_log(PRF_LOG_WARN, "broadcast_not_rebound error=\"%s\" next=\"tries again in a second\"", err.text);
    else
        prf_log(PRF_LOG_INFO, "broadcast_rebound why=\"the list of keys has changed\"");
}

static void on_second(void *arg)
{
    daemon_t *d = arg;
    bool changed = prf_auth_tick(d->hub.auth);
    if (changed)
        prf_sessions_judge(d->sessions);
    if (changed || d->broadcast_down)
        rebind_broadcast(d);
    prf_commits_retry(d->hub.commits);
    prf_room_look(&d->hub.room);
    prf_campaigns_tick(d->campaigns);
    settle(d);
}

static void on_stop(void *arg)
{
    daemon_t *d = arg;
    if (d->hub.stopping)
        return;
    prf_log(PRF_LOG_INFO, "stopping writes_open=%zu", prf_commits_pending(d->hub.commits));
    prf_notify(PRF_NOTIFY_STOPPING, "waits for what is on its way to the store");
    d->hub.stopping = true;
    d->stop_by_ms = prf_clock_mono_ms() + STOP_MS;
    settle(d);
}

typedef struct {
    daemon_t *d;
    prf_status_t status;
    prf_error_t *err;
} loading_t;

static bool load_record(void *arg, uint64_t sequence, const prf_record_t *record)
{
    (void)sequence;
    loading_t *l = arg;
    prf_entry_t *entry;
    l->status = prf_ledger_reach(l->d->hub.ledger, &record->point, record->attempt, &entry, l->err);
    if (!l->status)
        l->status = prf_index_add(l->d->hub.index, entry, record, l->err);
    if (!l->status)
        l->status = prf_poison_add(l->d->hub.poison, record, l->err);
    return l->status == PRF_OK;
}

static bool load_decision(void *arg, const char *key, const void *value, size_t len)
{
    loading_t *l = arg;
    l->status = prf_plan_decode(l->d->hub.plan, key, value, len, l->err);
    return l->status == PRF_OK;
}

static prf_status_t load(daemon_t *d, prf_error_t *err)
{
    loading_t l = {d, PRF_OK, err};
    uint64_t damaged = 0, lost = 0;
    prf_status_t status = prf_store_scan_records(d->hub.store, 0, load_record, &l, &damaged, err);
    if (!status && !l.status)
        status = prf_store_scan(d->hub.store, PRF_TABLE_DECISION, NULL, load_decision, &l, &lost, err);
    if (damaged + lost > 0)
        prf_log(PRF_LOG_WARN, "store_damaged results=%" PRIu64 " decisions=%" PRIu64 " they_are_measured_again=true", damaged,
                lost);
    return status ? status : l.status;
}

static void incarnation_stored(void *arg, prf_status_t status)
{
    *(int *)arg = status == PRF_OK ? 1 : -(int)status;
}

/* Counts this start of the coordinator, durably, before anything is numbered by it. */
static prf_status_t incarnate(daemon_t *d, prf_error_t *err)
{
    uint64_t incarnation = 0;
    void *value;
    size_t len;
    prf_status_t status = prf_store_get(d->hub.store, PRF_TABLE_DECISION, PRF_STORE_INCARNATION, &value, &len, err);
    if (status && status != PRF_ENOTFOUND && status != PRF_ECORRUPT)
        return status;
    char text[24] = "";
    if (status) {
        /* Lost with a damaged page, or a new store. Each start wrote at least once, so this many there cannot have been. */
        uint64_t writes = prf_store_writes(d->hub.store);
        incarnation = writes < INCARNATION_LOST ? writes : INCARNATION_LOST;
        if (writes > 0)
            prf_log(PRF_LOG_WARN, "incarnation_lost counting_on_from=%" PRIu64, incarnation);
    } else {
        memcpy(text, value, len < sizeof text ? len : sizeof text - 1);
        free(value);
        incarnation = strtoull(text, NULL, 10);
    }
    d->first = ++incarnation << INCARNATION_SHIFT;
    snprintf(text, sizeof text, "%" PRIu64, incarnation);
    status = prf_commits_value(d->hub.commits, PRF_TABLE_DECISION, PRF_STORE_INCARNATION, text, strlen(text), PRF_COMMIT_ONCE,
                               incarnation_stored, &d->incarnated, err);
    if (status)
        return status;
    uint64_t until = prf_clock_mono_ms() + STORE_ANSWERS_MS;
    while (d->incarnated == 0 && prf_clock_mono_ms() < until) {
        struct pollfd fd = {.fd = prf_store_fd(d->hub.store), .events = POLLIN};
        poll(&fd, 1, SECOND_MS);
        prf_commits_read(d->hub.commits);
    }
    if (d->incarnated == 1)
        return PRF_OK;
    if (d->incarnated == -(int)PRF_ENOSPC)
        return prf_fail(err, PRF_ENOSPC, "the disk that holds %s is full: free some space, then start again", d->hub.dir);
    return prf_fail(err, d->incarnated ? (prf_status_t)-d->incarnated : PRF_ETIMEOUT,
                    "the store in %s cannot be written: see the log, and the system's (dmesg)", d->hub.dir);
}

static prf_status_t bind_one(daemon_t *d, prf_socket_t **socket, prf_socket_type_t type, int queue, const char *endpoint,
                             char bound[PRF_ENDPOINT], prf_error_t *err)
{
    prf_status_t status = prf_socket_new(socket, type, queue, PRF_FRAME_BYTES, err);
    if (!status)
        status = prf_auth_secure(d->hub.auth, *socket, err);
    return status ? status : prf_socket_bind(*socket, endpoint, bound, err);
}

static prf_status_t bind_all(daemon_t *d, const prf_endpoints_t *wanted, prf_error_t *err)
{
    prf_status_t status = bind_one(d, &d->hub.workers, PRF_ROUTER, WORKER_QUEUE, wanted->workers, d->bound.workers, err);
    if (!status)
        status = bind_one(d, &d->hub.clients, PRF_ROUTER, CLIENT_QUEUE, wanted->clients, d->bound.clients, err);
    if (!status)
        status = bind_one(d, &d->broadcast, PRF_PUB, BROADCAST_QUEUE, wanted->broadcast, d->bound.broadcast, err);
    prf_auth_forget_secret(d->hub.auth); /* the sockets have it */
    return status;
}

/* What everything else stands on: the store and what is known from it. */
static prf_status_t build_memory(daemon_t *d, prf_error_t *err)
{
    prf_hub_t *hub = &d->hub;
    prf_status_t status = prf_store_open(&hub->store, hub->dir, err);
    if (!status)
        status = prf_commits_new(&hub->commits, hub->store, hub->dir, err);
    if (!status)
        status = incarnate(d, err);
    if (!status)
        status = prf_ledger_new(&hub->ledger, err);
    if (!status)
        status = prf_index_new(&hub->index, err);
    if (!status)
        status = prf_plan_new(&hub->plan, hub->ledger, err);
    if (!status)
        status = prf_poison_new(&hub->poison, err);
    if (!status)
        status = prf_plausible_new(&hub->plausible, err);
    if (!status)
        status = load(d, err);
    if (!status)
        status = prf_events_new(&hub->events, hub->store, hub->commits, err);
    return status;
}

static prf_status_t build_services(daemon_t *d, const prf_daemon_options_t *options, prf_hook_list_t *hooks, prf_error_t *err)
{
    prf_hub_t *hub = &d->hub;
    prf_status_t status = prf_sched_new(&hub->sched, JOBS_AT_MOST, d->first, err);
    if (!status)
        status = prf_fleet_new(&hub->fleet, 2 * options->sessions, err);
    if (!status)
        status = prf_publisher_new(&hub->publisher, hub->store, hub->commits, d->broadcast, err);
    if (!status)
        status = prf_trainer_new(&hub->trainer, err);
    if (!status)
        status = prf_models_new(&hub->models, hub->publisher, err);
    if (!status)
        status = prf_side_new(&hub->side, err);
    if (!status)
        status = prf_triage_new(&hub->triage, hub, hooks, options->quarantine_ms, err);
    if (!status)
        status = prf_health_new(&hub->health, hub, options->sentinel_ms, err);
    if (!status)
        status = prf_results_new(&d->results, hub, err);
    if (!status)
        status = prf_sessions_new(&d->sessions, hub, d->results, options->sessions, d->first, err);
    if (!status)
        status = prf_campaigns_new(&d->campaigns, hub, err);
    if (status)
        return status;
    prf_sched_notify(hub->sched, prf_sessions_revoke, d->sessions);
    prf_results_notify(d->results, prf_campaigns_answer, d->campaigns, prf_sessions_ack, d->sessions);
    prf_health_connect(hub->health, d->campaigns, prf_sessions_send_job, d->sessions);
    prf_queries_t queries = {hub, d->campaigns, d->sessions, &d->clients_guard};
    status = prf_ops_new(&d->ops, &queries, on_stop, d, err);
    if (!status)
        status = prf_clients_new(&d->clients, hub, d->ops, &d->clients_guard, err);
    if (!status && options->http)
        status = prf_http_new(&d->http, options->http, options->http_token, &queries, d->ops, err);
    return status;
}

static prf_status_t listen_to_all(daemon_t *d, prf_error_t *err)
{
    prf_status_t status = prf_loop_add_socket(d->loop, d->hub.workers, on_workers, d, err);
    if (!status)
        status = prf_loop_add_socket(d->loop, d->hub.clients, on_clients, d, err);
    if (!status && d->http)
        status = prf_http_watch(d->http, d->loop, on_http, d, err);
    if (!status)
        status = prf_loop_add_fd(d->loop, prf_store_fd(d->hub.store), on_store, d, err);
    if (!status)
        status = prf_loop_add_fd(d->loop, prf_trainer_fd(d->hub.trainer), on_trained, d, err);
    if (!status)
        status = prf_loop_add_fd(d->loop, prf_side_fd(d->hub.side), on_side, d, err);
    if (!status)
        status = prf_loop_add_timer(d->loop, d->hub.heartbeat_ms / 2, on_beat, d, NULL, err);
    if (!status)
        status = prf_loop_add_timer(d->loop, SECOND_MS, on_second, d, NULL, err);
    if (!status)
        status = prf_loop_add_watchdog(d->loop, err);
    return status;
}

/* Commits first: their closures know of all the others. Then what people asked, for they are to be answered. */
static void demolish(daemon_t *d)
{
    prf_commits_destroy(&d->hub.commits);
    prf_side_destroy(&d->hub.side);
    prf_models_destroy(&d->hub.models);
    prf_http_destroy(&d->http);
    prf_clients_destroy(&d->clients);
    prf_ops_destroy(&d->ops);
    prf_campaigns_destroy(&d->campaigns);
    prf_sessions_destroy(&d->sessions);
    prf_results_destroy(&d->results);
    prf_triage_destroy(&d->hub.triage);
    prf_health_destroy(&d->hub.health);
    prf_events_destroy(&d->hub.events);
    prf_trainer_destroy(&d->hub.trainer, TRAINER_STOP_MS);
    prf_publisher_destroy(&d->hub.publisher);
    prf_store_close(&d->hub.store);
    prf_fleet_destroy(&d->hub.fleet);
    prf_sched_destroy(&d->hub.sched);
    prf_plan_destroy(&d->hub.plan);
    prf_poison_destroy(&d->hub.poison);
    prf_plausible_destroy(&d->hub.plausible);
    prf_index_destroy(&d->hub.index);
    prf_ledger_destroy(&d->hub.ledger);
    prf_loop_destroy(&d->loop);
    prf_socket_destroy(&d->hub.workers);
    prf_socket_destroy(&d->hub.clients);
    prf_socket_destroy(&d->broadcast);
    prf_auth_destroy(&d->hub.auth);
}

static prf_status_t serve(daemon_t *d, const prf_daemon_options_t *options, const prf_endpoints_t *wanted, prf_error_t *err)
{
    prf_hook_list_t hooks = {.count = 0};
    prf_status_t status = options->hooks ? prf_hook_list_load(&hooks, options->hooks, err) : PRF_OK;
    if (!status)
        status = prf_loop_new(&d->loop, err);
    if (!status)
        status = prf_loop_on_signals(d->loop, on_stop, d, err);
    if (!status)
        status = prf_auth_new(&d->hub.auth, options->key_file, options->allow_file, err);
    if (!status)
        status = build_memory(d, err);
    if (!status)
        status = bind_all(d, wanted, err);
    if (!status)
        status = build_services(d, options, &hooks, err);
    prf_hook_list_release(&hooks);
    if (!status)
        status = listen_to_all(d, err);
    if (status)
        return status;
    char farm[3 * PRF_ENDPOINT];
    prf_endpoints_format(&d->bound, farm);
    const char *http = d->http ? prf_http_url(d->http) : NULL;
    prf_log(PRF_LOG_INFO, "ready farm=%s store=\"%s\" incarnation=%" PRIu64 " results=%zu http=%s", farm, d->hub.dir,
            d->first >> INCARNATION_SHIFT, prf_index_count(d->hub.index), http ? http : "off");
    printf("ready farm=%s%s%s\n", farm, http ? " http=" : "", http ? http : "");
    fflush(stdout);
    prf_notify(PRF_NOTIFY_READY, "listens at %s%s%s", farm, http ? ", serves " : "", http ? http : "");
    prf_room_look(&d->hub.room);
    settle(d);
    return prf_loop_run(d->loop, err);
}

prf_status_t prf_daemon_run(const prf_daemon_options_t *options, prf_error_t *err)
{
    prf_endpoints_t wanted;
    prf_status_t status = prf_endpoints_parse(&wanted, options->farm, err);
    if (status)
        return status;
    if (options->http_token && !options->http)
        return prf_fail(err, PRF_EUSAGE, "--http-token belongs to --http: give both");
    if (!prf_endpoints_local(&wanted) && !options->insecure && !options->key_file)
        return prf_fail(
            err, PRF_EUSAGE,
            "other machines could reach %s, and whoever can reach it can use the farm: give it keys (--key, --allow), bind "
            "tcp://127.0.0.1:PORT or ipc://PATH, or add --insecure when the network is trusted",
            options->farm);
    /* Each connection takes one, and strangers may hold some for the seconds that a handshake may take. */
    prf_log(PRF_LOG_INFO, "descriptors limit=%llu", prf_process_raise_descriptors(DESCRIPTORS));
    daemon_t d = {.hub = {.dir = options->store,
                          .heartbeat_ms = options->heartbeat_ms,
                          .started_ms = prf_clock_mono_ms(),
                          .started_wall_ms = prf_clock_wall_ms()}};
    prf_room_init(&d.hub.room, options->store, options->low_space_mb);
    status = serve(&d, options, &wanted, err);
    demolish(&d);
    if (!status)
        prf_log(PRF_LOG_INFO, "ended store=\"%s\"", options->store);
    return status;
}
