// SPDX-License-Identifier: Apache-2.0
/* rack.c - every program is a member: its process, and whether it has said that it is ready. A program that was killed counts as
 * down until it says so again; the time in which any is down is what a storm may cost beyond its own slowness.
 *
 * The coordinator chooses its ports at its first start and is started again on the same. Programs are started through others that
 * set something for them (env, ip netns exec) and then become them, so that a member's process number is the program's own. */
#include "rack.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/farm.h"
#include "hosts.h"
#include "workload.h"

enum { ARGS = 48, LINE = 1024, START_MS = 60000, END_MS = 20000, TICK_MS = 5, ASK_MS = 3000, RESTARTS = 4096 };

typedef struct {
    char name[PRF_NAME];
    prf_process_t process;
    bool ready, frozen, wanted; /* wanted: it should run */
    bool down;                  /* killed and not ready again */
    uint64_t killed_ms;
    char said[LINE];
    size_t said_len;
} member_t;

struct rack {
    char dir[RACK_PATH], farm[3 * PRF_ENDPOINT];
    char preload[RACK_PATH + 16];
    uint64_t seed;
    bool hosts;
    ledger_t *ledger;
    proxy_t *proxy;
    prf_farm_t *client;
    size_t workers, down_count;
    uint64_t down_since_ms, downtime_ms;
    uint64_t restarts_ms[RESTARTS]; /* of the first so many */
    size_t restarts;
    member_t members[1 + RACK_WORKERS]; /* the coordinator, then the workers */
};

static member_t *member(rack_t *self, int who)
{
    return &self->members[1 + who];
}

static void set_down(rack_t *self, member_t *m, bool down)
{
    uint64_t now = prf_clock_mono_ms();
    if (m->down == down)
        return;
    m->down = down;
    if (down)
        m->killed_ms = now;
    else if (self->restarts < RESTARTS)
        self->restarts_ms[self->restarts++] = now - m->killed_ms;
    if (down && self->down_count++ == 0)
        self->down_since_ms = now;
    if (!down && --self->down_count == 0)
        self->downtime_ms += now - self->down_since_ms;
}

uint64_t rack_downtime_ms(const rack_t *self)
{
    return self->downtime_ms + (self->down_count ? prf_clock_mono_ms() - self->down_since_ms : 0);
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void rack_restarts(rack_t *self, uint64_t *median_ms, uint64_t *longest_ms)
{
    qsort(self->restarts_ms, self->restarts, sizeof *self->restarts_ms, by_size);
    *median_ms = self->restarts ? self->restarts_ms[self->restarts / 2] : 0;
    *longest_ms = self->restarts ? self->restarts_ms[self->restarts - 1] : 0;
}

typedef struct {
    const char *words[ARGS];
    size_t count;
    char seed[64], host[32], store[RACK_PATH + 16], state[RACK_PATH + 80], heartbeat[16];
} command_t;

static void add(command_t *c, const char *word)
{
    if (c->count < ARGS - 1)
        c->words[c->count++] = word;
}

static void add_clock(command_t *c, const rack_t *self, int who)
{
    if (!self->preload[0])
        return;
    snprintf(c->seed, sizeof c->seed, "PRF_CLOCKJUMP_SEED=%llu", (unsigned long long)(self->seed * 1000 + (uint64_t)(who + 1)));
    add(c, "env");
    add(c, self->preload);
    add(c, c->seed);
    add(c, "ASAN_OPTIONS=verify_asan_link_order=0");
}

static void coordinator_command(command_t *c, const rack_t *self)
{
    snprintf(c->store, sizeof c->store, "%s/store", self->dir);
    snprintf(c->heartbeat, sizeof c->heartbeat, "%d", RACK_HEARTBEAT_MS);
    add_clock(c, self, RACK_COORDINATOR);
    const char *const words[] = {
        PRF_BIN_DIR "/prfarm-coordinator", "--farm", self->farm, "--store", c->store, "--heartbeat-ms", c->heartbeat};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        add(c, words[i]);
}

void rack_state(const rack_t *self, int who, char *path, size_t cap)
{
    snprintf(path, cap, "%s/state/%s", self->dir, self->members[1 + who].name);
}

static void worker_command(command_t *c, const rack_t *self, int who)
{
    const workload_board_t *board = &workload_boards[who % WORKLOAD_KINDS];
    rack_state(self, who, c->state, sizeof c->state);
    if (self->hosts) {
        hosts_name((size_t)who, c->host, sizeof c->host);
        add(c, "ip");
        add(c, "netns");
        add(c, "exec");
        add(c, c->host);
    }
    add_clock(c, self, who);
    const char *const words[] = {PRF_BIN_DIR "/prfarm-worker",
                                 "--farm",
                                 proxy_farm(self->proxy, (size_t)who),
                                 "--board",
                                 self->members[1 + who].name,
                                 "--kind",
                                 board->kind,
                                 "--backend",
                                 "sim",
                                 "--state",
                                 c->state};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        add(c, words[i]);
    for (size_t i = 0; i < WORKLOAD_OPTIONS && board->options[i]; i++) {
        add(c, "--option");
        add(c, board->options[i]);
    }
}

prf_status_t rack_start(rack_t *self, int who, prf_error_t *err)
{
    member_t *m = member(self, who);
    command_t command = {.count = 0};
    char log[RACK_PATH + PRF_NAME + 16];
    if (who == RACK_COORDINATOR)
        coordinator_command(&command, self);
    else
        worker_command(&command, self, who);
    snprintf(log, sizeof log, "%s/%s.log", self->dir, m->name);
    m->said_len = 0;
    m->wanted = true;
    ledger_say(self->ledger, "start %s", m->name);
    prf_status_t status = prf_process_start(&m->process, command.words, &(prf_process_options_t){.pipes = true, .log = log}, err);
    if (!status)
        fcntl(m->process.out, F_SETFL, O_NONBLOCK);
    return status;
}

/* Only the process itself: what it had started has to notice by itself. */
void rack_kill(rack_t *self, int who)
{
    member_t *m = member(self, who);
    if (m->process.pid == 0)
        return;
    ledger_say(self->ledger, "kill %s%s", m->name, m->ready ? "" : " while it starts");
    kill(m->process.pid, SIGKILL);
    while (!prf_process_ended(&m->process, NULL))
        poll(NULL, 0, 1);
    prf_process_stop(&m->process, 0);
    m->wanted = m->ready = m->frozen = false;
    set_down(self, m, true);
}

void rack_freeze(rack_t *self, int who)
{
    member_t *m = member(self, who);
    ledger_say(self->ledger, "freeze %s", m->name);
    m->frozen = m->process.pid > 0 && kill(m->process.pid, SIGSTOP) == 0;
}

void rack_thaw(rack_t *self, int who)
{
    member_t *m = member(self, who);
    ledger_say(self->ledger, "thaw %s", m->name);
    if (m->frozen && m->process.pid > 0)
        kill(m->process.pid, SIGCONT);
    m->frozen = false;
}

bool rack_up(const rack_t *self, int who)
{
    const member_t *m = &self->members[1 + who];
    return m->ready && !m->frozen;
}

static void listen_to(rack_t *self, member_t *m)
{
    ssize_t n;
    while (m->said_len < LINE - 1 && (n = read(m->process.out, m->said + m->said_len, LINE - 1 - m->said_len)) > 0)
        m->said_len += (size_t)n;
    m->said[m->said_len] = '\0';
    if (m->ready || strncmp(m->said, "ready ", 6) != 0 || !strchr(m->said, '\n'))
        return;
    m->ready = true;
    set_down(self, m, false);
    ledger_say(self->ledger, "ready %s", m->name);
    const char *farm = strstr(m->said, "farm=");
    if (farm)
        snprintf(self->farm, sizeof self->farm, "%.*s", (int)strcspn(farm + 5, "\n"), farm + 5);
}

prf_status_t rack_watch(rack_t *self, prf_error_t *err)
{
    for (size_t i = 0; i <= self->workers; i++) {
        member_t *m = &self->members[i];
        int how;
        if (!m->wanted)
            continue;
        listen_to(self, m);
        if (!prf_process_ended(&m->process, &how))
            continue;
        char text[80];
        prf_process_describe(how, text, sizeof text);
        prf_process_stop(&m->process, 0);
        m->wanted = m->ready = false;
        set_down(self, m, true);
        ledger_say(self->ledger, "ended %s by itself: %s", m->name, text);
        return prf_fail(err, PRF_EINTERNAL, "%s ended by itself: %s; its log is %s/%s.log", m->name, text, self->dir, m->name);
    }
    return PRF_OK;
}

/* Until `first` to `last` are ready. */
static prf_status_t wait_ready(rack_t *self, int first, int last, prf_error_t *err)
{
    uint64_t until = prf_clock_mono_ms() + START_MS;
    for (int who = first; who <= last; who++)
        while (!rack_up(self, who)) {
            prf_status_t status = rack_watch(self, err);
            if (status)
                return status;
            if (prf_clock_mono_ms() > until)
                return prf_fail(err, PRF_ETIMEOUT, "%s was not ready in time; its log is %s/%s.log", member(self, who)->name,
                                self->dir, member(self, who)->name);
            poll(NULL, 0, TICK_MS);
        }
    return PRF_OK;
}

static prf_status_t start_coordinator(rack_t *self, prf_error_t *err)
{
    snprintf(self->farm, sizeof self->farm, "tcp://127.0.0.1:*");
    prf_status_t status = rack_start(self, RACK_COORDINATOR, err);
    if (!status)
        status = wait_ready(self, RACK_COORDINATOR, RACK_COORDINATOR, err);
    return status ? status : prf_farm_connect(&self->client, self->farm, NULL, err);
}

static prf_status_t start_workers(rack_t *self, prf_error_t *err)
{
    char sockets[RACK_PATH + 8];
    prf_endpoints_t endpoints;
    snprintf(sockets, sizeof sockets, "%s/p", self->dir);
    prf_status_t status = prf_file_mkdirs(sockets, 0700, err);
    if (!status)
        status = prf_endpoints_parse(&endpoints, self->farm, err);
    if (!status)
        status = proxy_start(&self->proxy,
                             &(proxy_options_t){.coordinator = &endpoints,
                                                .bind = self->hosts ? HOSTS_ADDRESS : sockets,
                                                .workers = self->workers,
                                                .seed = self->seed,
                                                .ledger = self->ledger},
                             err);
    for (size_t i = 0; !status && i < self->workers; i++)
        status = rack_start(self, (int)i, err);
    return status ? status : wait_ready(self, 0, (int)self->workers - 1, err);
}

prf_status_t rack_new(rack_t **out, const rack_options_t *options, prf_error_t *err)
{
    char path[RACK_PATH + 16];
    rack_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "farm");
    self->workers = options->workers;
    self->seed = options->seed;
    self->hosts = options->hosts;
    snprintf(self->dir, sizeof self->dir, "%s", options->dir);
    if (options->clock_jumps)
        snprintf(self->preload, sizeof self->preload, "LD_PRELOAD=%s", options->clock_jumps);
    snprintf(self->members[0].name, sizeof self->members[0].name, "coordinator");
    for (size_t i = 0; i < self->workers; i++)
        snprintf(self->members[1 + i].name, PRF_NAME, "%s-%zu", workload_boards[i % WORKLOAD_KINDS].kind, i);
    for (size_t i = 0; i <= RACK_WORKERS; i++)
        self->members[i].process = (prf_process_t){.fd = -1, .in = -1, .out = -1};
    snprintf(path, sizeof path, "%s/ledger.log", self->dir);
    prf_status_t status = ledger_new(&self->ledger, path, self->workers, err);
    if (!status)
        status = start_coordinator(self, err);
    if (!status)
        status = start_workers(self, err);
    if (status) {
        rack_destroy(&self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

static void kill_all(rack_t *self)
{
    for (size_t i = 0; i <= self->workers; i++)
        prf_process_stop(&self->members[i].process, 0);
}

void rack_destroy(rack_t **self)
{
    if (!*self)
        return;
    kill_all(*self);
    prf_farm_destroy(&(*self)->client);
    proxy_stop(&(*self)->proxy);
    ledger_destroy(&(*self)->ledger);
    free(*self);
    *self = NULL;
}

/* SIGTERM, and the exit code has to be 0: sanitizers tell by it what they found, too. */
static prf_status_t end_member(rack_t *self, member_t *m, prf_error_t *err)
{
    uint64_t until = prf_clock_mono_ms() + END_MS;
    int how = 0;
    if (m->process.pid == 0)
        return PRF_OK;
    kill(m->process.pid, SIGTERM);
    while (!prf_process_ended(&m->process, &how)) {
        if (prf_clock_mono_ms() > until)
            return prf_fail(err, PRF_EINTERNAL, "%s does not end when asked to; its log is %s/%s.log", m->name, self->dir, m->name);
        poll(NULL, 0, TICK_MS);
    }
    char text[80];
    prf_process_describe(how, text, sizeof text);
    return how ? prf_fail(err, PRF_EINTERNAL, "%s ended with %s; its log is %s/%s.log", m->name, text, self->dir, m->name) : PRF_OK;
}

prf_status_t rack_end(rack_t *self, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (size_t i = 1; !status && i <= self->workers; i++)
        status = end_member(self, &self->members[i], err);
    if (!status)
        status = end_member(self, &self->members[0], err);
    kill_all(self);
    proxy_stop(&self->proxy);
    return status;
}

prf_status_t rack_ask(rack_t *self, const char *op, json_t *in, json_t **out, prf_error_t *err)
{
    return prf_farm_call(self->client, op, in, ASK_MS, out, err);
}

prf_status_t rack_model(rack_t *self, const char *kind, void **data, size_t *len, prf_error_t *err)
{
    return prf_farm_model(self->client, kind, NULL, data, len, err);
}

size_t rack_workers(const rack_t *self)
{
    return self->workers;
}

ledger_t *rack_ledger(rack_t *self)
{
    return self->ledger;
}

proxy_t *rack_proxy(rack_t *self)
{
    return self->proxy;
}

const char *rack_dir(const rack_t *self)
{
    return self->dir;
}
