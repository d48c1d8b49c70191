// SPDX-License-Identifier: Apache-2.0
/* site.c - dials the accepting relay, says LinkOpen until it is welcome, and dials anew when nothing is heard any more. The session
 * outlives its connections: after an outage it is resumed, and programs of the site have noticed nothing. When the other relay does
 * not know it any more (it was started anew, or the outage was too long), it is over, and so are the connections that it carried.
 *
 * Programs can dial only while they can be carried all the way: while the link is down or the coordinator is not there, they are
 * refused as the coordinator's own machine would refuse them, and try again by themselves. Who would take them in and let them wait
 * would have them believe that their keys are wrong. */
#include "site.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "end.h"
#include "net/frames.h"

enum {
    SOCKET_QUEUE = 1000,
    READ_AT_ONCE = 256,
    ACCEPT_AT_ONCE = 64,
    FIRST_OPEN_MS = 500, /* the longest wait before the first LinkOpen, and between two */
    LAST_OPEN_MS = 5000,
    REDIAL_MS = 10000,   /* without an answer to LinkOpen */
    LOG_AGAIN_MS = 30000 /* what goes on for long */
};

struct site;
typedef struct {
    struct site *site; /* borrowed */
    prf_listener_t listener;
    uint32_t endpoint;
    bool added, troubled; /* on the loop; its port is lost, and that was logged */
} door_t;

typedef struct site {
    const prf_site_options_t *options;
    prf_loop_t *loop;
    prf_socket_t *dealer;
    prf_end_t end;
    door_t doors[PRF_PART_ENDPOINTS];
    uint64_t session;
    bool resume; /* the session was welcome before */
    bool farm;   /* the coordinator can be reached, as far as the other relay knows */
    prf_backoff_t backoff;
    uint64_t next_open_ms, dialled_ms, denied_ms, starved_ms, farewell_ms;
} site_t;

static void new_session(site_t *self)
{
    do
        randombytes_buf(&self->session, sizeof self->session);
    while (self->session == 0);
    self->resume = false;
}

static void shut_door(door_t *door)
{
    prf_loop_remove_fd(door->site->loop, door->listener.fd);
    prf_listener_shut(&door->listener);
    door->added = false;
}

static bool log_again(uint64_t *logged_ms)
{
    uint64_t now = prf_clock_mono_ms();
    if (*logged_ms && now - *logged_ms < LOG_AGAIN_MS)
        return false;
    *logged_ms = now;
    return true;
}

/* Who cannot be taken in would have the loop turn for him without an end: the next tick opens again. */
static void on_starved(door_t *door, int failure)
{
    prf_error_t err = {0};
    (void)prf_fail_sys(&err, failure, "a connection to %s", door->listener.address.text);
    shut_door(door);
    if (log_again(&door->site->starved_ms))
        prf_log(PRF_LOG_ERROR, "connection_not_taken error=\"%s\" connections=%zu next=\"shuts the port for a moment\"", err.text,
                prf_streams_stats(door->site->end.streams)->open);
}

static void on_door(void *arg)
{
    door_t *door = arg;
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        int fd = prf_listener_accept(&door->listener);
        if (fd >= 0)
            prf_streams_accept(door->site->end.streams, fd, door->endpoint);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            on_starved(door, errno);
        if (fd < 0)
            return;
    }
}

static void open_door(site_t *self, door_t *door)
{
    prf_error_t err = {0};
    prf_status_t status = prf_listener_open(&door->listener, &err);
    if (!status)
        status = prf_loop_add_fd(self->loop, door->listener.fd, on_door, door, &err);
    door->added = !status;
    if (status && !door->troubled)
        prf_log(PRF_LOG_ERROR, "door_not_opened error=\"%s\" next=\"tries again\"", err.text);
    door->troubled = status;
}

/* Programs may dial exactly while they would be carried. */
static void tend_doors(site_t *self)
{
    bool open = self->end.up && self->farm && !self->farewell_ms;
    for (size_t i = 0; i < PRF_PART_ENDPOINTS; i++) {
        door_t *door = &self->doors[i];
        if (open && !door->added)
            open_door(self, door);
        if (!open && door->added)
            shut_door(door);
    }
}

/* The session stays, and with it all that it carries. */
static void lose_link(site_t *self, const char *why)
{
    uint64_t now = prf_clock_mono_ms();
    prf_log(PRF_LOG_WARN, "link_lost why=\"%s\" connections=%zu held_bytes=%zu next=\"dials again\"", why,
            prf_streams_stats(self->end.streams)->open, prf_link_bytes(self->end.link));
    prf_end_down(&self->end);
    prf_socket_redial(self->dealer);
    self->dialled_ms = now;
    prf_backoff_reset(&self->backoff);
    self->next_open_ms = now + prf_backoff_next(&self->backoff);
    tend_doors(self);
}

static void end_session(site_t *self, const char *why)
{
    if (self->resume)
        prf_log(PRF_LOG_WARN, "session_over why=\"%s\" connections=%zu next=\"they are made anew, workers keep their results\"",
                why, prf_streams_stats(self->end.streams)->open);
    prf_end_over(&self->end);
    new_session(self);
}

static void break_session(site_t *self, const char *why)
{
    end_session(self, why);
    lose_link(self, why);
}

static void on_welcome(site_t *self, const prf_frame_t *frame)
{
    prf_error_t err = {0};
    if (self->end.up || frame->u.link.session != self->session)
        return; /* a second answer to a second question */
    size_t held = prf_link_bytes(self->end.link);
    self->denied_ms = 0;
    if (prf_end_up(&self->end, NULL, frame->u.link.received, &err)) {
        break_session(self, err.text);
        return;
    }
    prf_log(PRF_LOG_INFO, "link_up to=%s session=%016" PRIx64 " resumed=%s connections=%zu held_bytes=%zu", self->options->link,
            self->session, self->resume ? "true" : "false", prf_streams_stats(self->end.streams)->open, held);
    self->end.outages += self->resume;
    self->resume = true;
    prf_backoff_reset(&self->backoff);
}

/* Whatever is wrong, it may be mended at any time: the relay goes on trying, and a line now and then says what for. */
static void complain(site_t *self, const char *text)
{
    if (log_again(&self->denied_ms))
        prf_log(PRF_LOG_ERROR, "not_let_in error=\"%s\" next=\"tries again\"", text);
}

static void on_refusal(site_t *self, const prf_frame_t *frame)
{
    const char *text = frame->u.refusal.text;
    if (frame->u.refusal.status == PRF_ENOTFOUND) /* in answer to LinkOpen only */
        end_session(self, text);
    else if (frame->u.refusal.status != PRF_EPEER) /* that it does not know this connection is no fault */
        complain(self, text);
    if (self->end.up) /* ZeroMQ has made another connection by itself */
        lose_link(self, frame->u.refusal.status == PRF_EPEER ? "its connection ended" : text);
}

static void on_frame(site_t *self, const prf_frame_t *frame)
{
    prf_error_t err = {0};
    switch (frame->type) {
    case PRF_FRAME_LINK_WELCOME:
        on_welcome(self, frame);
        return;
    case PRF_FRAME_REFUSAL:
        on_refusal(self, frame);
        return;
    case PRF_FRAME_GOODBYE:
        break_session(self, "the accepting relay ended");
        return;
    default:
        break;
    }
    if (!self->end.up)
        return; /* of a connection before */
    if (prf_end_frame(&self->end, frame, &err)) {
        break_session(self, err.text);
        return;
    }
    if (frame->type == PRF_FRAME_LINK_BEAT && frame->u.beat.farm != self->farm) {
        self->farm = frame->u.beat.farm;
        prf_log(PRF_LOG_INFO, "farm_reached=%s", self->farm ? "true" : "false");
        tend_doors(self);
    }
}

static void on_dealer(void *arg)
{
    site_t *self = arg;
    for (int i = 0; i < READ_AT_ONCE; i++) {
        uint8_t *bytes;
        size_t len;
        prf_error_t err = {0};
        prf_frame_t frame;
        if (prf_socket_recv(self->dealer, NULL, &bytes, &len, &err))
            return;
        prf_status_t status = prf_frame_decode(&frame, bytes, len, &err);
        free(bytes);
        if (status) {
            break_session(self, err.text);
            continue;
        }
        on_frame(self, &frame);
        prf_frame_release(&frame);
    }
}

/* One that could not leave, because nobody is there, is not one that was not answered. */
static void send_open(site_t *self, uint64_t now)
{
    const prf_frame_t open = {.type = PRF_FRAME_LINK_OPEN,
                              .u.link = {self->session, self->resume ? prf_link_received(self->end.link) : 0, self->resume}};
    if (prf_frame_send(self->dealer, NULL, &open, NULL))
        prf_backoff_reset(&self->backoff);
    self->next_open_ms = now + prf_backoff_next(&self->backoff);
}

static void tend_link(site_t *self, uint64_t now)
{
    prf_error_t why = {0};
    if (prf_socket_tend(self->dealer, &why)) {
        complain(self, why.text);
        self->dialled_ms = now; /* it dials again by itself */
        if (self->end.up)
            lose_link(self, why.text);
    }
    prf_status_t status = prf_end_tick(&self->end, now, &why);
    if (status == PRF_ETIMEOUT)
        lose_link(self, why.text);
    else if (status)
        break_session(self, why.text);
    if (self->end.up)
        return;
    if (self->resume && now > self->end.down_ms + PRF_END_HOLD_MS)
        end_session(self, "the link was down for too long");
    if (now >= self->dialled_ms + REDIAL_MS) {
        prf_socket_redial(self->dealer);
        self->dialled_ms = now;
    }
    if (now >= self->next_open_ms)
        send_open(self, now);
}

static void on_tick(void *arg)
{
    site_t *self = arg;
    uint64_t now = prf_clock_mono_ms();
    tend_link(self, now);
    tend_doors(self);
    prf_end_log_traffic(&self->end, self->options->link, now);
    if (self->farewell_ms && (now >= self->farewell_ms || prf_end_drained(&self->end)))
        prf_loop_stop(self->loop);
}

static void on_signal(void *arg)
{
    site_t *self = arg;
    if (!prf_end_farewell(&self->farewell_ms, self->loop))
        return;
    prf_log(PRF_LOG_INFO, "stopping connections=%zu held_bytes=%zu", prf_streams_stats(self->end.streams)->open,
            prf_link_bytes(self->end.link));
    prf_end_drain(&self->end);
    on_tick(self);
}

static prf_status_t open_doors(site_t *self, prf_error_t *err)
{
    const prf_endpoints_t *farm = &self->options->farm;
    const char *const at[PRF_PART_ENDPOINTS] = {farm->workers, farm->clients, farm->broadcast};
    for (uint32_t i = 0; i < PRF_PART_ENDPOINTS; i++) {
        self->doors[i].endpoint = i;
        prf_status_t status = prf_listener_init(&self->doors[i].listener, at[i], err);
        if (status)
            return status;
    }
    return PRF_OK;
}

static prf_status_t dial(site_t *self, prf_site_options_t *options, prf_error_t *err)
{
    prf_status_t status = prf_socket_new(&self->dealer, PRF_DEALER, SOCKET_QUEUE, PRF_LINK_FRAME, err);
    if (!status) {
        prf_socket_hold_nothing(self->dealer);
        status = prf_socket_identify(self->dealer, &options->identity, err);
        prf_identity_wipe(&options->identity);
    }
    if (!status)
        status = prf_socket_connect(self->dealer, options->link, err);
    self->dialled_ms = prf_clock_mono_ms();
    return status ? status : prf_loop_add_socket(self->loop, self->dealer, on_dealer, self, err);
}

static prf_status_t set_up(site_t *self, prf_site_options_t *options, prf_error_t *err)
{
    prf_status_t status = prf_loop_new(&self->loop, err);
    if (!status)
        status = prf_loop_on_signals(self->loop, on_signal, self, err);
    if (!status)
        status = prf_loop_add_watchdog(self->loop, err);
    if (!status)
        status = open_doors(self, err);
    if (!status)
        status = dial(self, options, err);
    const prf_end_options_t end = {.streams = options->streams, .buffer_bytes = options->buffer_bytes};
    if (!status)
        status = prf_end_init(&self->end, self->loop, self->dealer, &end, err);
    return status ? status : prf_loop_add_timer(self->loop, PRF_END_TICK_MS, on_tick, self, NULL, err);
}

static void tear_down(site_t *self)
{
    if (self->end.up)
        (void)!prf_end_send(&self->end, &(prf_frame_t){.type = PRF_FRAME_GOODBYE});
    prf_end_release(&self->end);
    for (size_t i = 0; i < PRF_PART_ENDPOINTS; i++)
        prf_listener_release(&self->doors[i].listener);
    prf_socket_destroy(&self->dealer);
    prf_loop_destroy(&self->loop);
    free(self);
}

prf_status_t prf_site_run(prf_site_options_t *options, prf_error_t *err)
{
    site_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "relay");
    self->options = options;
    for (size_t i = 0; i < PRF_PART_ENDPOINTS; i++)
        self->doors[i] = (door_t){.site = self, .listener.fd = -1};
    new_session(self);
    prf_backoff_init(&self->backoff, self->session, FIRST_OPEN_MS, LAST_OPEN_MS);
    prf_status_t status = set_up(self, options, err);
    if (!status) {
        printf("ready farm=%s,%s,%s\n", self->doors[0].listener.address.text, self->doors[1].listener.address.text,
               self->doors[2].listener.address.text);
        fflush(stdout);
        prf_notify(PRF_NOTIFY_READY, "the site's programs dial %s", self->doors[0].listener.address.text);
        status = prf_loop_run(self->loop, err);
    }
    tear_down(self);
    return status;
}
