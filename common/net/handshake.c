// SPDX-License-Identifier: Apache-2.0
/* handshake.c - what becomes of the handshakes of a socket that connects, and of a connection whose bytes were tampered with.
 *
 * Three things can be wrong with keys, and libzmq passes over each in silence: the other side does not know our key (it tells
 * libzmq so), one of the two has keys and the other has not (the mechanisms differ), or we expect another key of it than it has
 * (it hangs up in the middle of the handshake). After the first two, and after bytes that do not decrypt, libzmq never connects
 * again. So each such socket has a monitor whose events are taken here, and is connected anew after a while: a list of keys may be
 * mended.
 *
 * A connection that ends in the handshake may also have been a coordinator that was just killed; only several in a row count.
 * The monitor's thread waits when its events are not taken, which is why only the few that a handshake ends in are asked for. */
#include "net/socket.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "base/clock.h"

enum {
    AGAIN_MS = 1000, /* after the first failure, then twice as long each time */
    AGAIN_MOST_MS = 30000,
    HUNG_UP_TIMES = 3,
    EVENTS_A_CALL = 64,
    EVENTS = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
             ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
};

prf_status_t prf_handshake_watch(prf_socket_t *self, prf_error_t *err)
{
    /* libzmq gives a name free some time after its monitor has ended, so none may come back, as an address would. */
    static atomic_uint last;
    char name[64];
    snprintf(name, sizeof name, "inproc://handshakes-%u", atomic_fetch_add(&last, 1));
    if (zmq_socket_monitor(prf_socket_handle(self), name, EVENTS) == 0)
        self->monitor = zmq_socket(prf_socket_context(), ZMQ_PAIR);
    if (!self->monitor || zmq_connect(self->monitor, name) != 0)
        return prf_fail(err, PRF_EIO, "cannot watch a connection: %s: see the system's log (dmesg, journalctl)",
                        zmq_strerror(errno));
    return PRF_OK;
}

void prf_handshake_unwatch(prf_socket_t *self)
{
    if (!self->monitor)
        return;
    zmq_socket_monitor(prf_socket_handle(self), NULL, 0);
    zmq_close(self->monitor);
    self->monitor = NULL;
}

typedef struct {
    uint16_t number;
    uint32_t value; /* of a breach of the protocol: which */
} event_t;

/* False: there is none. */
static bool next_event(void *monitor, event_t *event)
{
    struct {
        uint8_t number[2], value[4];
    } body;
    char address[PRF_ENDPOINT];
    if (zmq_recv(monitor, &body, sizeof body, ZMQ_DONTWAIT) != (int)sizeof body)
        return false;
    zmq_recv(monitor, address, sizeof address, ZMQ_DONTWAIT);
    memcpy(&event->number, body.number, sizeof body.number);
    memcpy(&event->value, body.value, sizeof body.value);
    return true;
}

static prf_status_t explain(const prf_socket_t *self, const event_t *event, prf_error_t *err)
{
    /* This one also ends connections that had been made. */
    if (event->number == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL && event->value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)
        return prf_fail(err, PRF_EDENIED,
                        "what came from %s was changed on its way, or is of somebody who has not its key: look at what is between",
                        self->endpoint);
    if (event->number == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return prf_fail(err, PRF_EDENIED,
                        "the farm at %s does not let this key in: its operator has to add the public key to the --allow list there",
                        self->endpoint);
    /* Where the mechanisms differ, either side may notice first and hang up. */
    if (event->number == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL || !self->keyed)
        return prf_fail(
            err, PRF_EDENIED,
            "%s and this program do not agree about keys: a farm with keys needs --key and --server, one without takes neither",
            self->endpoint);
    return prf_fail(err, PRF_EDENIED,
                    "%s hangs up before it says who it is: is --server the public key of what runs there, and has it keys?",
                    self->endpoint);
}

void prf_socket_redial(prf_socket_t *self)
{
    self->again_ms = 0;
    zmq_disconnect(prf_socket_handle(self), self->endpoint); /* may be gone already */
    zmq_connect(prf_socket_handle(self), self->endpoint);
}

static void connect_again(prf_socket_t *self)
{
    if (!self->again_ms || prf_clock_mono_ms() < self->again_ms)
        return;
    prf_socket_redial(self);
}

static uint64_t delay_ms(unsigned failures)
{
    unsigned doublings = failures > 7 ? 7 : (failures ? failures - 1 : 0);
    uint64_t delay = (uint64_t)AGAIN_MS << doublings;
    return delay < AGAIN_MOST_MS ? delay : AGAIN_MOST_MS;
}

prf_status_t prf_socket_tend(prf_socket_t *self, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    event_t event;
    for (int i = 0; self->monitor && i < EVENTS_A_CALL && next_event(self->monitor, &event); i++) {
        if (event.number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            self->failures = 0;
            status = PRF_OK;
            continue;
        }
        self->failures++;
        if (event.number != ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
            self->again_ms = prf_clock_mono_ms() + delay_ms(self->failures);
        if (event.number != ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL || self->failures >= HUNG_UP_TIMES)
            status = explain(self, &event, err);
    }
    connect_again(self);
    return status;
}
