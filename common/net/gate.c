// SPDX-License-Identifier: Apache-2.0
/* gate.c - the handler that libzmq asks about each CURVE handshake (ZAP, rfc.zeromq.org/spec/27): a request is seven parts, the
 * last the peer's public key, which libzmq has checked the peer to hold the secret of. What is answered as the user's id comes with
 * each message of that connection; it is the key in hexadecimal.
 *
 * czmq's zauth was passed over: it reads keys from a folder of certificates, asserts on allocation and takes no list at run time.
 * The requests come over inproc from libzmq's own threads; nothing here trusts their form more than a peer's. */
#include "net/gate.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "net/socket.h"

enum { PARTS = 7, PART_BYTES = 256 };

struct prf_gate {
    void *socket; /* the thread's once it runs */
    int stop;     /* eventfd */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    prf_key_t *keys;      /* owned, sorted */
    size_t count;
    uint64_t refused;
    prf_key_t last_refused;
};

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(prf_key_t));
}

static bool admits(prf_gate_t *self, const prf_key_t *key)
{
    pthread_mutex_lock(&self->lock);
    bool found = self->count > 0 && bsearch(key, self->keys, self->count, sizeof *key, compare);
    if (!found) {
        self->refused++;
        self->last_refused = *key;
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

typedef struct {
    size_t len;
    uint8_t bytes[PART_BYTES];
} part_t;

/* Returns the number of parts, 0 when there is no request (any more). */
static size_t take(void *socket, part_t parts[PARTS])
{
    size_t count = 0;
    for (int more = 1; more;) {
        part_t ignored, *part = count < PARTS ? &parts[count] : &ignored;
        int len = zmq_recv(socket, part->bytes, PART_BYTES, count ? 0 : ZMQ_DONTWAIT);
        if (len < 0)
            return 0;
        part->len = (size_t)len < PART_BYTES ? (size_t)len : PART_BYTES;
        size_t size = sizeof more;
        zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
        count++;
    }
    return count;
}

static void answer(void *socket, const part_t *id, const char *code, const char *text, const char *user)
{
    zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(socket, id->bytes, id->len, ZMQ_SNDMORE);
    zmq_send(socket, code, strlen(code), ZMQ_SNDMORE);
    zmq_send(socket, text, strlen(text), ZMQ_SNDMORE);
    zmq_send(socket, user, strlen(user), ZMQ_SNDMORE);
    zmq_send(socket, "", 0, 0);
}

static void serve_one(prf_gate_t *self, part_t parts[PARTS], size_t count)
{
    prf_key_t key;
    bool curve = count == PARTS && parts[5].len == 5 && memcmp(parts[5].bytes, "CURVE", 5) == 0 && parts[6].len == sizeof key;
    if (curve)
        memcpy(&key, parts[6].bytes, sizeof key);
    if (curve && admits(self, &key)) {
        char user[PRF_KEY_TEXT];
        prf_key_format(&key, user);
        answer(self->socket, &parts[1], "200", "", user);
    } else {
        if (count < 2)
            parts[1].len = 0;
        answer(self->socket, &parts[1], "400", "not on the list", "");
    }
}

static void *run(void *arg)
{
    prf_gate_t *self = arg;
    part_t parts[PARTS];
    zmq_pollitem_t items[] = {{.socket = self->socket, .events = ZMQ_POLLIN}, {.fd = self->stop, .events = ZMQ_POLLIN}};
    while (!(items[1].revents & ZMQ_POLLIN)) {
        if (zmq_poll(items, 2, -1) < 0 && errno != EINTR)
            break;
        size_t count = take(self->socket, parts);
        if (count > 0)
            serve_one(self, parts, count);
    }
    zmq_close(self->socket);
    return NULL;
}

static prf_status_t start(prf_gate_t *self, prf_error_t *err)
{
    self->stop = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->stop < 0)
        return prf_fail_sys(err, errno, "gate");
    self->socket = zmq_socket(prf_socket_context(), ZMQ_REP);
    if (!self->socket)
        return prf_fail(err, PRF_EIO, "gate: %s: see the system's log (dmesg, journalctl)", zmq_strerror(errno));
    if (zmq_bind(self->socket, "inproc://zeromq.zap.01") != 0)
        return prf_fail(err, errno == EADDRINUSE ? PRF_EEXISTS : PRF_EIO, "gate: %s: see the system's log (dmesg, journalctl)",
                        zmq_strerror(errno));
    int e = pthread_create(&self->thread, NULL, run, self);
    return e ? prf_fail_sys(err, e, "gate") : PRF_OK;
}

prf_status_t prf_gate_new(prf_gate_t **out, prf_error_t *err)
{
    prf_gate_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "gate");
    pthread_mutex_init(&self->lock, NULL);
    prf_status_t status = start(self, err);
    if (status) {
        if (self->socket)
            zmq_close(self->socket);
        if (self->stop >= 0)
            close(self->stop);
        pthread_mutex_destroy(&self->lock);
        free(self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

void prf_gate_destroy(prf_gate_t **self)
{
    prf_gate_t *g = *self;
    if (!g)
        return;
    (void)!eventfd_write(g->stop, 1);
    pthread_join(g->thread, NULL);
    close(g->stop);
    pthread_mutex_destroy(&g->lock);
    free(g->keys);
    free(g);
    *self = NULL;
}

prf_status_t prf_gate_allow(prf_gate_t *self, const prf_key_t *keys, size_t count, prf_error_t *err)
{
    prf_key_t *copy = malloc(count ? count * sizeof *copy : 1);
    if (!copy)
        return prf_fail(err, PRF_ENOMEM, "%zu keys", count);
    if (count)
        memcpy(copy, keys, count * sizeof *copy);
    qsort(copy, count, sizeof *copy, compare);
    pthread_mutex_lock(&self->lock);
    prf_key_t *before = self->keys;
    self->keys = copy;
    self->count = count;
    pthread_mutex_unlock(&self->lock);
    free(before);
    return PRF_OK;
}

uint64_t prf_gate_refused(prf_gate_t *self, prf_key_t *last)
{
    pthread_mutex_lock(&self->lock);
    uint64_t refused = self->refused;
    if (last)
        *last = self->last_refused;
    pthread_mutex_unlock(&self->lock);
    return refused;
}
