// SPDX-License-Identifier: Apache-2.0
/* net.c - sockets: one message is one payload, in front of which a ROUTER has the peer's name.
 *
 * czmq owns context and sockets; messages go through libzmq's own calls, because czmq's message types assert where memory runs
 * out. Nothing here waits: a full queue is an error that the caller answers (backpressure), not a stop of its thread.
 *
 * ROUTER_MANDATORY makes a ROUTER tell of a peer that is gone instead of dropping what is sent to it. ROUTER_HANDOVER is left
 * off, so that nobody takes over a connected peer's name.
 *
 * A connection whose other end lost power is given up. Who connects has ZeroMQ ping the other side, which also finds out when
 * something in between died: a SUB, which never sends, would otherwise wait for ever. Who is connected to leaves that to the
 * kernel, for which a process that stands still and reads nothing for as long, its buffers full, is gone, too: it comes back. It
 * answers pings and sends none, and keeps no time of those that it gets: libzmq looks for a timer among those of all
 * connections, which took half a core with 10,000 of them.
 *
 * What ZeroMQ does not limit: the number of parts of one message. A hostile peer can make a ROUTER gather one without an end,
 * which is one reason for keys on every address but loopback. */
#include <czmq.h>

#include "net/endpoint.h"
#include "net/socket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    LINGER_MS = 300,
    RECONNECT_MS = 50,
    RECONNECT_MAX_MS = 1000,
    PING_MS = 10000,
    DEAD_MS = 20000,     /* without an answer */
    QUIET_S = 15,        /* until the kernel asks: longer than from ping to ping, so that it need not where there are pings; */
    PROBE_S = 5,         /* that long after it has asked, it is DEAD_MS */
    HANDSHAKE_MS = 5000, /* a connection that has not said who it is by then is closed */
    BACKLOG = 4096,
    REBIND_TRIES = 200, /* a millisecond each */
    DROPS_A_CALL = 256  /* a flood of malformed messages must not keep the loop from its other work */
};

/* libzmq counts the shares of a copied message itself, in whatever thread they end. */
struct prf_message {
    zmq_msg_t part;
};

static void init_czmq(void)
{
    zsys_handler_set(NULL);
    zsys_set_logstream(NULL);
    zsys_init();
}

void *prf_socket_context(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_czmq);
    return zsys_init();
}

void *prf_socket_handle(const prf_socket_t *self)
{
    return zsock_resolve(self->zsock);
}

bool prf_peer_same(const prf_peer_t *a, const prf_peer_t *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void set_options(zsock_t *zsock, prf_socket_type_t type, int queue, int64_t limit)
{
    zsock_set_linger(zsock, LINGER_MS);
    zsock_set_sndhwm(zsock, queue);
    zsock_set_rcvhwm(zsock, queue);
    zsock_set_maxmsgsize(zsock, (int)limit);
    zsock_set_backlog(zsock, BACKLOG);
    zsock_set_reconnect_ivl(zsock, RECONNECT_MS);
    zsock_set_reconnect_ivl_max(zsock, RECONNECT_MAX_MS);
    zsock_set_handshake_ivl(zsock, HANDSHAKE_MS);
    zsock_set_tcp_keepalive(zsock, 1);
    zsock_set_tcp_keepalive_idle(zsock, QUIET_S);
    zsock_set_tcp_keepalive_intvl(zsock, PROBE_S);
    zsock_set_tcp_maxrt(zsock, DEAD_MS);
    if (type == PRF_ROUTER)
        zsock_set_router_mandatory(zsock, 1);
    if (type == PRF_SUB)
        zsock_set_subscribe(zsock, "");
}

prf_status_t prf_socket_new(prf_socket_t **out, prf_socket_type_t type, int queue, int64_t limit, prf_error_t *err)
{
    static const int types[] = {[PRF_ROUTER] = ZMQ_ROUTER, [PRF_DEALER] = ZMQ_DEALER, [PRF_PUB] = ZMQ_PUB, [PRF_SUB] = ZMQ_SUB};
    prf_socket_context();
    if (queue < 1 || limit < 1 || limit > INT_MAX)
        return prf_fail(err, PRF_EINVAL, "socket with a queue of %d and frames of %lld bytes: use at least 1", queue,
                        (long long)limit);
    prf_socket_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "socket");
    self->type = type;
    self->zsock = zsock_new(types[type]);
    if (!self->zsock) {
        int e = errno;
        free(self);
        return prf_fail_sys(err, e, "socket");
    }
    set_options(self->zsock, type, queue, limit);
    *out = self;
    return PRF_OK;
}

prf_status_t prf_socket_secure(prf_socket_t *self, const prf_keypair_t *pair, prf_error_t *err)
{
    void *handle = prf_socket_handle(self);
    int on = 1;
    if (zmq_setsockopt(handle, ZMQ_CURVE_SERVER, &on, sizeof on) != 0 ||
        zmq_setsockopt(handle, ZMQ_CURVE_SECRETKEY, pair->secret, PRF_KEY_BYTES) != 0 ||
        zmq_setsockopt(handle, ZMQ_ZAP_DOMAIN, "prfarm", strlen("prfarm")) != 0)
        return prf_fail(err, PRF_EIO, "keys: %s: see the system's log (dmesg, journalctl)", zmq_strerror(errno));
    self->guarded = true;
    return PRF_OK;
}

prf_status_t prf_socket_identify(prf_socket_t *self, const prf_identity_t *identity, prf_error_t *err)
{
    void *handle = prf_socket_handle(self);
    if (!identity || !identity->keyed)
        return PRF_OK;
    if (zmq_setsockopt(handle, ZMQ_CURVE_SERVERKEY, identity->server.bytes, PRF_KEY_BYTES) != 0 ||
        zmq_setsockopt(handle, ZMQ_CURVE_PUBLICKEY, identity->pair.public_key.bytes, PRF_KEY_BYTES) != 0 ||
        zmq_setsockopt(handle, ZMQ_CURVE_SECRETKEY, identity->pair.secret, PRF_KEY_BYTES) != 0)
        return prf_fail(err, PRF_EIO, "keys: %s: see the system's log (dmesg, journalctl)", zmq_strerror(errno));
    self->keyed = true;
    return PRF_OK;
}

void prf_socket_destroy(prf_socket_t **self)
{
    if (!*self)
        return;
    prf_handshake_unwatch(*self);
    zsock_destroy(&(*self)->zsock);
    free(*self);
    *self = NULL;
}

uint64_t prf_socket_dropped(const prf_socket_t *self)
{
    return self->dropped;
}

static prf_status_t in_use(const char *endpoint, prf_error_t *err)
{
    return prf_fail(err, PRF_EBUSY, "%s is in use: another coordinator runs there, or choose another with --farm", endpoint);
}

/* libzmq removes whatever file has the path before it binds. So we look first: a socket that answers is somebody's, a file
 * that is no socket was not left by us. */
static prf_status_t check_ipc_free(const char *endpoint, prf_error_t *err)
{
    const char *path = endpoint + strlen("ipc://");
    struct stat st;
    if (*path == '@' || stat(path, &st) != 0)
        return PRF_OK;
    if (!S_ISSOCK(st.st_mode))
        return prf_fail(err, PRF_EINVAL, "%s: there is a file or folder of that name already: choose another path", endpoint);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return prf_fail_sys(err, errno, "%s", endpoint);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    bool alive = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
    close(fd);
    return alive ? in_use(endpoint, err) : PRF_OK;
}

static prf_status_t bind_failed(const char *endpoint, int e, prf_error_t *err)
{
    switch (e) {
    case EADDRINUSE:
        return in_use(endpoint, err);
    case ENODEV:
    case EADDRNOTAVAIL:
        return prf_fail(err, PRF_EINVAL, "%s: not an address of this machine: use one, or * for all", endpoint);
    case ENOENT:
    case ENOTDIR:
        return prf_fail(err, PRF_EINVAL, "%s: its folder does not exist: create it, or choose another path", endpoint);
    case EINVAL:
    case EPROTONOSUPPORT:
        return prf_fail(err, PRF_EINVAL, "%s: malformed: use tcp://HOST:PORT or ipc://PATH", endpoint);
    default:
        return prf_fail_sys(err, e, "cannot bind %s", endpoint);
    }
}

/* Only where an address asks for it: with it, libzmq would write IPv4 endpoints in their mapped form. */
static void allow_ipv6(prf_socket_t *self, const char *endpoint)
{
    if (strchr(endpoint, '['))
        zsock_set_ipv6(self->zsock, 1);
}

/* An ipc socket is made for its owner only. The mask is the process's; a file that another thread makes in this moment is for its
 * owner only, too. */
static int bind_private(prf_socket_t *self, const char *endpoint)
{
    mode_t before = umask(0177);
    int e = zmq_bind(prf_socket_handle(self), endpoint) == 0 ? 0 : errno;
    umask(before);
    return e;
}

prf_status_t prf_socket_bind(prf_socket_t *self, const char *endpoint, char bound[PRF_ENDPOINT], prf_error_t *err)
{
    prf_status_t status = prf_endpoint_check(endpoint, err);
    if (!status && strncmp(endpoint, "ipc://", 6) == 0)
        status = check_ipc_free(endpoint, err);
    if (status)
        return status;
    allow_ipv6(self, endpoint);
    int e = bind_private(self, endpoint);
    if (e)
        return bind_failed(endpoint, e, err);
    size_t len = PRF_ENDPOINT;
    if (bound && zmq_getsockopt(prf_socket_handle(self), ZMQ_LAST_ENDPOINT, bound, &len) != 0)
        return prf_fail_sys(err, errno, "%s", endpoint);
    return PRF_OK;
}

/* The old listener closes in ZeroMQ's own thread: until then a port is in use. An ipc path is not: its file is replaced. */
prf_status_t prf_socket_rebind(prf_socket_t *self, const char *bound, prf_error_t *err)
{
    int e = EADDRINUSE;
    zmq_unbind(prf_socket_handle(self), bound); /* fails when an earlier call has done it */
    for (int i = 0; i < REBIND_TRIES && e == EADDRINUSE; i++) {
        e = bind_private(self, bound);
        if (e == EADDRINUSE)
            poll(NULL, 0, 1);
    }
    return e ? bind_failed(bound, e, err) : PRF_OK;
}

void prf_socket_hold_nothing(prf_socket_t *self)
{
    zsock_set_immediate(self->zsock, 1);
}

prf_status_t prf_socket_connect(prf_socket_t *self, const char *endpoint, prf_error_t *err)
{
    prf_status_t status = prf_endpoint_check(endpoint, err);
    if (!status)
        status = prf_handshake_watch(self, err);
    if (status)
        return status;
    allow_ipv6(self, endpoint);
    zsock_set_heartbeat_ivl(self->zsock, PING_MS);
    zsock_set_heartbeat_timeout(self->zsock, DEAD_MS);
    if (zmq_connect(prf_socket_handle(self), endpoint) != 0)
        return prf_fail(err, PRF_EINVAL, "cannot connect to %s: %s: is it tcp://HOST:PORT or ipc://PATH?", endpoint,
                        zmq_strerror(errno));
    snprintf(self->endpoint, sizeof self->endpoint, "%s", endpoint);
    return PRF_OK;
}

/* libzmq hears that a peer has read what was sent to it only now and then when it sends, once in a million cycles; asking for a
 * socket's state makes it listen. So what looks like a full queue may not be one. */
static void hear_readers(prf_socket_t *self)
{
    int events;
    size_t len = sizeof events;
    (void)zmq_getsockopt(prf_socket_handle(self), ZMQ_EVENTS, &events, &len);
}

static int try_send(prf_socket_t *self, zmq_msg_t *part, int flags)
{
    int rc;
    do
        rc = zmq_msg_send(part, prf_socket_handle(self), ZMQ_DONTWAIT | flags);
    while (rc < 0 && errno == EINTR);
    return rc;
}

/* The part is the socket's when it was sent, and closed when it was not. */
static prf_status_t send_part(prf_socket_t *self, zmq_msg_t *part, int flags, prf_error_t *err)
{
    int rc = try_send(self, part, flags);
    if (rc < 0 && errno == EAGAIN) {
        hear_readers(self);
        rc = try_send(self, part, flags);
    }
    if (rc >= 0)
        return PRF_OK;
    int e = errno;
    zmq_msg_close(part);
    if (e == EAGAIN)
        return prf_fail(err, PRF_EBUSY, "the peer's queue is full, or it is not connected");
    if (e == EHOSTUNREACH)
        return prf_fail(err, PRF_ENOTFOUND, "the peer is gone");
    return prf_fail(err, PRF_EIO, "sending: %s: see the system's log (dmesg, journalctl)", zmq_strerror(e));
}

static prf_status_t fill_part(zmq_msg_t *part, const void *bytes, size_t len, prf_error_t *err)
{
    if (zmq_msg_init_size(part, len) != 0)
        return prf_fail(err, PRF_ENOMEM, "a message of %zu bytes", len);
    if (len)
        memcpy(zmq_msg_data(part), bytes, len);
    return PRF_OK;
}

/* A ROUTER's messages begin with the peer's name. */
static prf_status_t address(prf_socket_t *self, const prf_peer_t *to, prf_error_t *err)
{
    if (self->type != PRF_ROUTER)
        return PRF_OK;
    if (!to || to->len == 0 || to->len > PRF_PEER_BYTES)
        return prf_fail(err, PRF_ENOTFOUND, "the peer is gone");
    zmq_msg_t name;
    prf_status_t status = fill_part(&name, to->bytes, to->len, err);
    return status ? status : send_part(self, &name, ZMQ_SNDMORE, err);
}

/* The payload is there before its address goes out, so that running out of memory leaves no message begun. Takes it over. */
static prf_status_t send_payload(prf_socket_t *self, const prf_peer_t *to, zmq_msg_t *payload, prf_error_t *err)
{
    prf_status_t status = address(self, to, err);
    if (!status)
        return send_part(self, payload, 0, err);
    zmq_msg_close(payload);
    return status;
}

prf_status_t prf_socket_send(prf_socket_t *self, const prf_peer_t *to, const void *bytes, size_t len, prf_error_t *err)
{
    zmq_msg_t payload;
    prf_status_t status = fill_part(&payload, bytes, len, err);
    return status ? status : send_payload(self, to, &payload, err);
}

prf_status_t prf_socket_send_message(prf_socket_t *self, const prf_peer_t *to, prf_message_t *message, prf_error_t *err)
{
    zmq_msg_t share;
    zmq_msg_init(&share);
    if (zmq_msg_copy(&share, &message->part) != 0)
        return prf_fail(err, PRF_EIO, "sending: %s: see the system's log (dmesg, journalctl)", zmq_strerror(errno));
    return send_payload(self, to, &share, err);
}

prf_status_t prf_message_new(prf_message_t **out, const void *bytes, size_t len, prf_error_t *err)
{
    prf_message_t *self = malloc(sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "a message");
    prf_status_t status = fill_part(&self->part, bytes, len, err);
    if (status)
        free(self);
    else
        *out = self;
    return status;
}

void prf_message_destroy(prf_message_t **self)
{
    if (!*self)
        return;
    zmq_msg_close(&(*self)->part);
    free(*self);
    *self = NULL;
}

/* Takes the rest of a message that is not wanted. */
static void skip_parts(void *handle)
{
    zmq_msg_t part;
    bool more = true;
    while (more) {
        zmq_msg_init(&part);
        more = zmq_msg_recv(&part, handle, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
}

typedef enum { TAKEN, DROPPED, EMPTY, NO_MEMORY, BROKEN } outcome_t;

static outcome_t take_payload(zmq_msg_t *part, uint8_t **bytes, size_t *len)
{
    size_t size = zmq_msg_size(part);
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return NO_MEMORY;
    if (size)
        memcpy(copy, zmq_msg_data(part), size);
    *bytes = copy;
    *len = size;
    return TAKEN;
}

/* One message, or what is wrong with it. libzmq hands over whole messages only: once there is a first part, all are there. */
static outcome_t receive(prf_socket_t *self, prf_peer_t *from, zmq_msg_t *part, uint8_t **bytes, size_t *len)
{
    void *handle = prf_socket_handle(self);
    int rc = zmq_msg_recv(part, handle, ZMQ_DONTWAIT);
    if (rc < 0)
        return errno == EAGAIN ? EMPTY : (errno == EINTR ? DROPPED : BROKEN);
    prf_peer_t peer = {0};
    if (self->type == PRF_ROUTER) {
        size_t size = zmq_msg_size(part);
        bool named = size >= 1 && size <= PRF_PEER_BYTES;
        bool more = zmq_msg_more(part);
        if (named) {
            peer.len = (uint8_t)size;
            memcpy(peer.bytes, zmq_msg_data(part), size);
        }
        if (!named || !more || zmq_msg_recv(part, handle, ZMQ_DONTWAIT) < 0) {
            self->dropped++;
            if (more)
                skip_parts(handle);
            return DROPPED;
        }
    }
    if (zmq_msg_more(part)) {
        self->dropped++;
        skip_parts(handle);
        return DROPPED;
    }
    const char *user = self->guarded ? zmq_msg_gets(part, "User-Id") : NULL;
    peer.keyed = user && prf_key_parse(&peer.key, user); /* as the gate wrote it */
    outcome_t outcome = take_payload(part, bytes, len);
    if (outcome == TAKEN && from)
        *from = peer;
    return outcome;
}

prf_status_t prf_socket_recv(prf_socket_t *self, prf_peer_t *from, uint8_t **bytes, size_t *len, prf_error_t *err)
{
    outcome_t outcome = DROPPED;
    for (int i = 0; i < DROPS_A_CALL && outcome == DROPPED; i++) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        outcome = receive(self, from, &part, bytes, len);
        zmq_msg_close(&part);
    }
    switch (outcome) {
    case TAKEN:
        return PRF_OK;
    case NO_MEMORY:
        return prf_fail(err, PRF_ENOMEM, "a received message");
    case BROKEN:
        return prf_fail(err, PRF_EIO, "receiving: %s: see the system's log (dmesg, journalctl)", zmq_strerror(errno));
    default:
        return prf_fail(err, PRF_ETIMEOUT, "nothing to read");
    }
}
