// SPDX-License-Identifier: Apache-2.0
/* accept.c - a key, a site. A site's session is kept while its link is down, with its connections to the coordinator, and is handed
 * to whoever resumes it under that key. A new session takes the place of the old one, since its relay was started anew; but not
 * while the old one speaks: then two relays have one key, and would take it from each other for ever.
 *
 * Whether the coordinator is there is seen when it is dialled. While it is not, it is dialled twice a second for nobody, and the
 * sites are told, so that their programs are refused there. */
#include "accept.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "end.h"
#include "net/access.h"
#include "net/frames.h"

enum {
    SOCKET_QUEUE = 1000,
    READ_AT_ONCE = 512,
    BROKEN_AT_MOST = 10, /* malformed frames of a session */
    PROBE_MS = 500,
    ACCESS_MS = 1000
};

struct accept;
typedef struct {
    struct accept *accept; /* borrowed */
    prf_key_t key;
    char name[PRF_NAME];
    uint64_t session;
    unsigned broken;
    bool here; /* it has a connection, as far as the log tells */
    prf_end_t end;
} site_t;

typedef struct accept {
    const prf_accept_options_t *options;
    prf_loop_t *loop;
    prf_access_t *access;
    prf_socket_t *router;
    prf_address_t farm[PRF_PART_ENDPOINTS];
    site_t *sites[PRF_ACCEPT_SITES]; /* owned */
    size_t count;
    int failure; /* errno of the last connection to the coordinator; 0: it is there, EINPROGRESS: none has been settled yet */
    int told;    /* what the sites and the log know of that */
    int probe;   /* a connection to it that is being made; -1: none */
    uint64_t probed_ms, access_ms, farewell_ms;
} accept_t;

static void send_to(accept_t *self, const prf_peer_t *peer, const prf_frame_t *frame)
{
    (void)!prf_frame_send(self->router, peer, frame, NULL); /* who is gone or does not read asks again */
}

static void refuse(accept_t *self, const prf_peer_t *peer, prf_status_t status, const char *text)
{
    prf_frame_t frame = {.type = PRF_FRAME_REFUSAL, .u.refusal.status = status};
    snprintf(frame.u.refusal.text, sizeof frame.u.refusal.text, "%s", text);
    send_to(self, peer, &frame);
}

static int dial(void *arg, uint32_t endpoint)
{
    const site_t *site = arg;
    return prf_address_dial(&site->accept->farm[endpoint]);
}

static void dialled(void *arg, int failure)
{
    ((site_t *)arg)->accept->failure = failure;
}

static void tell_sites(accept_t *self)
{
    if (self->told == self->failure)
        return;
    self->told = self->failure;
    if (self->failure)
        prf_log(PRF_LOG_WARN, "farm_reached=false at=%s why=\"%s\" next=\"tries again\"", self->farm[0].text,
                strerror(self->failure));
    else
        prf_log(PRF_LOG_INFO, "farm_reached=true at=%s", self->farm[0].text);
    for (size_t i = 0; i < self->count; i++) {
        self->sites[i]->end.farm = self->failure == 0;
        prf_end_beat(&self->sites[i]->end);
    }
}

static site_t *find_key(accept_t *self, const prf_key_t *key)
{
    for (size_t i = 0; i < self->count; i++)
        if (prf_key_same(&self->sites[i]->key, key))
            return self->sites[i];
    return NULL;
}

/* Whose link runs over this connection. */
static site_t *find_peer(accept_t *self, const prf_peer_t *peer)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->sites[i]->end.up && prf_peer_same(&self->sites[i]->end.peer, peer))
            return self->sites[i];
    return NULL;
}

static void drop_site(accept_t *self, site_t *site, const char *why)
{
    prf_log(PRF_LOG_INFO, "site_gone site=%s session=%016" PRIx64 " why=\"%s\" connections=%zu", site->name, site->session, why,
            prf_streams_stats(site->end.streams)->open);
    size_t place = 0;
    while (self->sites[place] != site)
        place++;
    self->sites[place] = self->sites[--self->count];
    prf_end_release(&site->end);
    free(site);
}

static prf_status_t add_site(accept_t *self, const prf_allow_t *entry, site_t **out, prf_error_t *err)
{
    if (self->count == PRF_ACCEPT_SITES)
        return prf_fail(err, PRF_EBUSY, "%d sites are connected, no more fit: start another accepting relay", PRF_ACCEPT_SITES);
    site_t *site = calloc(1, sizeof *site);
    if (!site)
        return prf_fail(err, PRF_ENOMEM, "a site");
    site->accept = self;
    site->key = entry->key;
    snprintf(site->name, sizeof site->name, "%s", entry->name);
    const prf_end_options_t end = {.streams = self->options->streams,
                                   .buffer_bytes = self->options->buffer_bytes,
                                   .dial = dial,
                                   .dialled = dialled,
                                   .arg = site};
    prf_status_t status = prf_end_init(&site->end, self->loop, self->router, &end, err);
    if (status) {
        free(site);
        return status;
    }
    site->end.farm = self->failure == 0;
    *out = self->sites[self->count++] = site;
    return PRF_OK;
}

/* The site that the session belongs to from now on. Errors: PRF_ENOTFOUND, PRF_EEXISTS, those of add_site. */
static prf_status_t seat(accept_t *self, const prf_peer_t *peer, const prf_frame_t *open, site_t **out, prf_error_t *err)
{
    site_t *site = find_key(self, &peer->key);
    if (site && site->session == open->u.link.session) {
        *out = site;
        return PRF_OK;
    }
    if (open->u.link.resume)
        return prf_fail(err, PRF_ENOTFOUND, "the accepting relay does not know this session (any more): begin another");
    /* A connection that has ended is found to be so by what is sent over it. */
    if (site && site->end.up)
        prf_end_beat(&site->end);
    if (site && site->end.up)
        return prf_fail(err, PRF_EEXISTS,
                        "a relay with the key '%s' is connected already: give each site's relay a key of its own, or wait for %d s",
                        site->name, PRF_END_SILENT_MS / 1000);
    if (site)
        drop_site(self, site, "its relay was started anew");
    prf_status_t status = add_site(self, prf_access_entry(self->access, peer), out, err);
    if (!status)
        (*out)->session = open->u.link.session;
    return status;
}

static void on_open(accept_t *self, const prf_peer_t *peer, const prf_frame_t *open)
{
    prf_error_t err = {0};
    site_t *site;
    prf_status_t status = seat(self, peer, open, &site, &err);
    if (status) {
        prf_log(PRF_LOG_INFO, "link_refused key=%s error=\"%s\"", prf_access_entry(self->access, peer)->name, err.text);
        refuse(self, peer, status, err.text);
        return;
    }
    /* It has to be there before what goes out again. */
    send_to(self, peer,
            &(prf_frame_t){.type = PRF_FRAME_LINK_WELCOME, .u.link = {site->session, prf_link_received(site->end.link), false}});
    prf_log(PRF_LOG_INFO, "site_here site=%s session=%016" PRIx64 " resumed=%s connections=%zu held_bytes=%zu", site->name,
            site->session, open->u.link.resume ? "true" : "false", prf_streams_stats(site->end.streams)->open,
            prf_link_bytes(site->end.link));
    site->end.outages += open->u.link.resume;
    site->here = true;
    if (prf_end_up(&site->end, peer, open->u.link.received, &err)) {
        refuse(self, peer, PRF_EPEER, err.text);
        drop_site(self, site, err.text);
        return;
    }
    prf_end_beat(&site->end);
}

static void on_broken(accept_t *self, const prf_peer_t *peer, const prf_error_t *why)
{
    site_t *site = find_peer(self, peer);
    if (site && site->broken < BROKEN_AT_MOST)
        prf_log(PRF_LOG_WARN, "frame_refused site=%s error=\"%s\"", site->name, why->text);
    refuse(self, peer, PRF_EPEER, why->text);
    if (site && ++site->broken >= BROKEN_AT_MOST)
        drop_site(self, site, "too many malformed frames");
}

static void on_frame(accept_t *self, const prf_peer_t *peer, const prf_frame_t *frame)
{
    prf_error_t err = {0};
    const prf_allow_t *entry = prf_access_entry(self->access, peer);
    if (!entry || entry->role != PRF_ROLE_RELAY) {
        refuse(self, peer, PRF_EDENIED,
               "this key is not (any more) a relay's on the list of the accepting relay: ask its operator");
        return;
    }
    if (frame->type == PRF_FRAME_LINK_OPEN) {
        on_open(self, peer, frame);
        return;
    }
    site_t *site = find_peer(self, peer);
    if (!site) {
        refuse(self, peer, PRF_EPEER, "there is no link over this connection: open one first");
        return;
    }
    if (frame->type == PRF_FRAME_GOODBYE)
        drop_site(self, site, "its relay ended");
    else if (prf_end_frame(&site->end, frame, &err)) {
        refuse(self, peer, PRF_EPEER, err.text);
        drop_site(self, site, err.text);
    }
}

static void on_router(void *arg)
{
    accept_t *self = arg;
    for (int i = 0; i < READ_AT_ONCE; i++) {
        prf_peer_t peer;
        uint8_t *bytes;
        size_t len;
        prf_frame_t frame;
        prf_error_t err = {0};
        if (prf_socket_recv(self->router, &peer, &bytes, &len, NULL))
            break;
        prf_status_t status = prf_frame_decode(&frame, bytes, len, &err);
        free(bytes);
        if (status) {
            on_broken(self, &peer, &err);
            continue;
        }
        on_frame(self, &peer, &frame);
        prf_frame_release(&frame);
    }
    tell_sites(self);
}

static void tick_site(accept_t *self, site_t *site, uint64_t now)
{
    prf_error_t err = {0};
    prf_status_t status = prf_end_tick(&site->end, now, &err);
    if (status && status != PRF_ETIMEOUT) {
        refuse(self, &site->end.peer, PRF_EPEER, err.text);
        drop_site(self, site, err.text);
        return;
    }
    if (status || (site->here && !site->end.up)) {
        prf_log(PRF_LOG_WARN, "site_lost site=%s why=\"%s\" connections=%zu held_bytes=%zu next=\"kept for %d s\"", site->name,
                status ? err.text : "its connection ended", prf_streams_stats(site->end.streams)->open,
                prf_link_bytes(site->end.link), PRF_END_HOLD_MS / 1000);
        prf_end_down(&site->end);
        site->here = false;
    }
    prf_end_log_traffic(&site->end, site->name, now);
    if (!site->end.up && now > site->end.down_ms + PRF_END_HOLD_MS)
        drop_site(self, site, "the link was down for too long");
}

/* Asks whether the coordinator is there, as long as it is not. */
static void probe(accept_t *self, uint64_t now)
{
    if (self->probe >= 0) {
        struct pollfd fd = {.fd = self->probe, .events = POLLOUT};
        bool settled = poll(&fd, 1, 0) > 0;
        if (!settled && now < self->probed_ms + PRF_END_SILENT_MS)
            return;
        if (self->failure) /* a site may have reached it meanwhile */
            self->failure = settled ? prf_address_failed(self->probe) : ETIMEDOUT;
        close(self->probe);
        self->probe = -1;
    }
    if (self->failure == 0 || now < self->probed_ms + PROBE_MS)
        return;
    self->probed_ms = now;
    self->probe = prf_address_dial(&self->farm[0]);
    if (self->probe < 0)
        self->failure = errno;
}

/* A key that was taken off the list ends its link. */
static void judge_sites(accept_t *self)
{
    for (size_t i = self->count; i > 0; i--) {
        site_t *site = self->sites[i - 1];
        const prf_peer_t peer = {.keyed = true, .key = site->key};
        const prf_allow_t *entry = prf_access_entry(self->access, &peer);
        if (entry && entry->role == PRF_ROLE_RELAY)
            continue;
        refuse(self, &site->end.peer, PRF_EDENIED, "this key was taken off the list of the accepting relay: ask its operator");
        drop_site(self, site, "its key is not on the list any more");
    }
}

static void follow_list(accept_t *self, uint64_t now)
{
    if (now < self->access_ms + ACCESS_MS)
        return;
    self->access_ms = now;
    char last[PRF_KEY_TEXT];
    bool changed;
    prf_error_t err = {0};
    uint64_t strangers = prf_access_strangers(self->access, last);
    if (strangers > 0)
        prf_log(PRF_LOG_WARN, "strangers_refused count=%" PRIu64 " last_key=%s why=\"no relay's on the list\"", strangers, last);
    if (prf_access_tick(self->access, &changed, &err))
        prf_log(PRF_LOG_ERROR, "allow_list_not_taken error=\"%s\" next=\"the earlier list stays\"", err.text);
    if (!changed)
        return;
    prf_log(PRF_LOG_INFO, "allow_list_taken file=\"%s\" entries=%zu", self->options->list_file, prf_access_count(self->access));
    judge_sites(self);
}

static bool drained(const accept_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        if (!prf_end_drained(&self->sites[i]->end))
            return false;
    return true;
}

static void on_tick(void *arg)
{
    accept_t *self = arg;
    uint64_t now = prf_clock_mono_ms();
    for (size_t i = self->count; i > 0; i--)
        tick_site(self, self->sites[i - 1], now);
    probe(self, now);
    tell_sites(self);
    follow_list(self, now);
    if (self->farewell_ms && (now >= self->farewell_ms || drained(self)))
        prf_loop_stop(self->loop);
}

static void on_signal(void *arg)
{
    accept_t *self = arg;
    if (!prf_end_farewell(&self->farewell_ms, self->loop))
        return;
    prf_log(PRF_LOG_INFO, "stopping sites=%zu", self->count);
    for (size_t i = 0; i < self->count; i++)
        prf_end_drain(&self->sites[i]->end);
    on_tick(self);
}

static prf_status_t set_up(accept_t *self, char bound[PRF_ENDPOINT], prf_error_t *err)
{
    const prf_accept_options_t *options = self->options;
    const char *const at[PRF_PART_ENDPOINTS] = {options->farm.workers, options->farm.clients, options->farm.broadcast};
    prf_status_t status = PRF_OK;
    for (size_t i = 0; !status && i < PRF_PART_ENDPOINTS; i++)
        status = prf_address_resolve(&self->farm[i], at[i], err);
    if (!status)
        status = prf_loop_new(&self->loop, err);
    if (!status)
        status = prf_loop_on_signals(self->loop, on_signal, self, err);
    if (!status)
        status = prf_loop_add_watchdog(self->loop, err);
    if (!status)
        status = prf_access_new(&self->access, options->key_file, options->list_file, 1U << PRF_ROLE_RELAY, err);
    if (!status)
        status = prf_socket_new(&self->router, PRF_ROUTER, SOCKET_QUEUE, PRF_LINK_FRAME, err);
    if (!status)
        status = prf_access_secure(self->access, self->router, err);
    if (!status)
        status = prf_socket_bind(self->router, options->at, bound, err);
    if (!status)
        status = prf_loop_add_socket(self->loop, self->router, on_router, self, err);
    if (!status)
        status = prf_loop_add_timer(self->loop, PRF_END_TICK_MS, on_tick, self, NULL, err);
    if (status)
        return status;
    char key[PRF_KEY_TEXT];
    prf_access_public(self->access, key);
    prf_access_forget_secret(self->access);
    prf_log(PRF_LOG_INFO, "keys public=%s list=\"%s\" entries=%zu", key, options->list_file, prf_access_count(self->access));
    return PRF_OK;
}

static void tear_down(accept_t *self)
{
    while (self->count > 0) {
        site_t *site = self->sites[self->count - 1];
        if (site->end.up)
            send_to(self, &site->end.peer, &(prf_frame_t){.type = PRF_FRAME_GOODBYE});
        drop_site(self, site, "this relay ends");
    }
    if (self->probe >= 0)
        close(self->probe);
    prf_socket_destroy(&self->router);
    prf_access_destroy(&self->access);
    prf_loop_destroy(&self->loop);
    free(self);
}

prf_status_t prf_accept_run(const prf_accept_options_t *options, prf_error_t *err)
{
    accept_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "relay");
    self->options = options;
    self->probe = -1;
    self->failure = self->told = EINPROGRESS;
    char bound[PRF_ENDPOINT];
    prf_status_t status = set_up(self, bound, err);
    if (!status) {
        printf("ready accept=%s\n", bound);
        fflush(stdout);
        prf_notify(PRF_NOTIFY_READY, "sites dial %s", bound);
        status = prf_loop_run(self->loop, err);
    }
    tear_down(self);
    return status;
}
