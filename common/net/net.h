// SPDX-License-Identifier: Apache-2.0
/* net.h - sockets, an event loop, and threads that talk by messages: all that prfarm uses of ZeroMQ. Nothing else includes czmq.
 * A socket and a loop belong to the thread that made them. Signals are left alone. */
#ifndef PRF_NET_H
#define PRF_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "net/keys.h"

enum { PRF_ENDPOINT = 256, PRF_PEER_BYTES = 32 };

typedef enum { PRF_ROUTER, PRF_DEALER, PRF_PUB, PRF_SUB } prf_socket_type_t;
typedef struct prf_socket prf_socket_t;

/* A ROUTER's name for one of its peers, and the key that the peer has proved to hold. */
typedef struct {
    uint8_t len; /* 0: none */
    uint8_t bytes[PRF_PEER_BYTES];
    bool keyed; /* false: the socket is without keys */
    prf_key_t key;
} prf_peer_t;

bool prf_peer_same(const prf_peer_t *a, const prf_peer_t *b); /* the same connection */

/* What many peers are sent: its bytes are there once, however many queues they wait in, and go when the last has sent them. Belongs
 * to one thread; the queues keep track of their own shares. */
typedef struct prf_message prf_message_t;
PRF_CHECKED prf_status_t prf_message_new(prf_message_t **out, const void *bytes, size_t len, prf_error_t *err); /* copies them */
void prf_message_destroy(prf_message_t **self); /* NULL-safe; clears *self. Queues keep what they have */

/* High-water marks are set (`queue` messages a peer), linger is short, frames above `limit` bytes are refused by libzmq
 * itself and the peer that sent one is dropped. SUB subscribes to everything. */
PRF_CHECKED prf_status_t prf_socket_new(prf_socket_t **out, prf_socket_type_t type, int queue, int64_t limit, prf_error_t *err);
/* Before prf_socket_bind: peers must know the pair's public key and be let in by the process's gate (net/gate.h), which has to be
 * there already; what is said is encrypted. The pair may be wiped after the call. Errors: PRF_EIO. */
PRF_CHECKED prf_status_t prf_socket_secure(prf_socket_t *self, const prf_keypair_t *pair, prf_error_t *err);
/* Before prf_socket_connect: who we are and which coordinator we trust. One that is not keyed (or NULL) changes nothing. It may be
 * wiped after the call. Errors: PRF_EIO. */
PRF_CHECKED prf_status_t prf_socket_identify(prf_socket_t *self, const prf_identity_t *identity, prf_error_t *err);
void prf_socket_destroy(prf_socket_t **self);
/* Endpoint as ZeroMQ writes it; tcp port 0 lets the system choose. `bound` (may be NULL) receives what it became.
 * Errors: PRF_EBUSY (port in use: names it and the remedy), PRF_EINVAL (malformed; address not of this machine; ipc path too
 * long), PRF_EIO. An ipc socket can be used by its owner only. */
PRF_CHECKED prf_status_t prf_socket_bind(prf_socket_t *self, const char *endpoint, char bound[PRF_ENDPOINT], prf_error_t *err);
/* Ends every connection of a bound socket and lets new ones in under its old endpoint; takes a few milliseconds.
 * Errors: PRF_EBUSY (the endpoint did not become free in time: it is not bound now, call again later), PRF_EIO. */
PRF_CHECKED prf_status_t prf_socket_rebind(prf_socket_t *self, const char *bound, prf_error_t *err);
/* Before connecting: messages are taken only while there is a connection, else refused (PRF_EBUSY). Nothing piles up for a peer
 * that is away, to fall on it all at once when it is back. */
void prf_socket_hold_nothing(prf_socket_t *self);
/* Connects in the background and reconnects with growing delay, one endpoint a socket. Errors: PRF_EINVAL, PRF_EIO. */
PRF_CHECKED prf_status_t prf_socket_connect(prf_socket_t *self, const char *endpoint, prf_error_t *err);
/* Drops the connection, with what waits to go over it, and connects anew: for who knows from the conversation that it is of no use.
 * libzmq itself never connects again after a peer that broke ZeroMQ's own protocol. */
void prf_socket_redial(prf_socket_t *self);
/* To be called every now and then on a socket that connects, because libzmq says nothing when the other side does not let us in,
 * and gives up: this tells it, and connects again after a while. PRF_OK: no trouble was seen since the last call. Otherwise
 * PRF_EDENIED, and the text says what seems to be wrong. */
PRF_CHECKED prf_status_t prf_socket_tend(prf_socket_t *self, prf_error_t *err);
/* Never blocks. `to` only for ROUTER. Errors: PRF_EBUSY (the peer's queue is full), PRF_ENOTFOUND (peer gone), PRF_EIO. */
PRF_CHECKED prf_status_t prf_socket_send(prf_socket_t *self, const prf_peer_t *to, const void *bytes, size_t len, prf_error_t *err);
/* The same for a message that many are sent. */
PRF_CHECKED prf_status_t prf_socket_send_message(prf_socket_t *self, const prf_peer_t *to, prf_message_t *message,
                                                 prf_error_t *err);
/* Never blocks. *bytes (caller frees) holds one message's payload; a ROUTER tells its sender. Messages of a wrong number of
 * parts are dropped and counted. Errors: PRF_ETIMEOUT when there is nothing to read. */
PRF_CHECKED prf_status_t prf_socket_recv(prf_socket_t *self, prf_peer_t *from, uint8_t **bytes, size_t *len, prf_error_t *err);
uint64_t prf_socket_dropped(const prf_socket_t *self);

/* An event loop. Handlers run on the loop's thread; removing what is just being handled is allowed. */
typedef struct prf_loop prf_loop_t;
typedef void (*prf_loop_fn)(void *arg);
PRF_CHECKED prf_status_t prf_loop_new(prf_loop_t **out, prf_error_t *err);
void prf_loop_destroy(prf_loop_t **self);
/* `fn` is called while the socket (or descriptor) has something to read. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_loop_add_socket(prf_loop_t *self, prf_socket_t *socket, prf_loop_fn fn, void *arg, prf_error_t *err);
void prf_loop_remove_socket(prf_loop_t *self, prf_socket_t *socket);
PRF_CHECKED prf_status_t prf_loop_add_fd(prf_loop_t *self, int fd, prf_loop_fn fn, void *arg, prf_error_t *err);
void prf_loop_remove_fd(prf_loop_t *self, int fd);
/* Every `period_ms`, for ever; *id may be NULL. */
PRF_CHECKED prf_status_t prf_loop_add_timer(prf_loop_t *self, unsigned period_ms, prf_loop_fn fn, void *arg, int *id,
                                            prf_error_t *err);
void prf_loop_remove_timer(prf_loop_t *self, int id);
/* Tells the service manager's watchdog, if there is one (base/notify.h), that the loop turns: a handler that hangs is seen. */
PRF_CHECKED prf_status_t prf_loop_add_watchdog(prf_loop_t *self, prf_error_t *err);
/* SIGTERM, SIGINT and, unless it is ignored as under nohup, SIGHUP call `fn` on the loop (through a signalfd); SIGPIPE is ignored.
 * Call before any thread is started. */
PRF_CHECKED prf_status_t prf_loop_on_signals(prf_loop_t *self, prf_loop_fn fn, void *arg, prf_error_t *err);
/* Runs until prf_loop_stop is called from a handler. */
PRF_CHECKED prf_status_t prf_loop_run(prf_loop_t *self, prf_error_t *err);
void prf_loop_stop(prf_loop_t *self);

/* A queue of pointers between two threads: bounded, and readable on a loop. Ownership travels with the pointer. */
typedef struct prf_mailbox prf_mailbox_t;
PRF_CHECKED prf_status_t prf_mailbox_new(prf_mailbox_t **out, size_t cap, prf_error_t *err);
/* What is left inside is handed to `drop` (may be NULL when empty). */
void prf_mailbox_destroy(prf_mailbox_t **self, void (*drop)(void *item));
/* Any thread. Waits while it is full; PRF_ECANCELLED after prf_mailbox_close. */
PRF_CHECKED prf_status_t prf_mailbox_put(prf_mailbox_t *self, void *item, prf_error_t *err);
/* NULL when it is empty (timeout_ms 0), after timeout_ms without an item, or when it is closed and empty. -1: no time-out. */
void *prf_mailbox_take(prf_mailbox_t *self, int timeout_ms);
void prf_mailbox_close(prf_mailbox_t *self);
size_t prf_mailbox_count(prf_mailbox_t *self);
int prf_mailbox_fd(prf_mailbox_t *self); /* readable while something is inside (eventfd); for prf_loop_add_fd */

#endif
