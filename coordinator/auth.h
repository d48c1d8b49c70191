// SPDX-License-Identifier: Apache-2.0
/* auth.h - who may do what. Every message is judged by the list as it is now, so that a key that is removed loses what it could do
 * with its next message, whatever it is connected to. Loop thread only.
 *
 * Without keys everybody who can connect may do everything: then the address (loopback) or the file's mode (ipc) is the limit. */
#ifndef PRF_AUTH_H
#define PRF_AUTH_H

#include "net/allow_list.h"
#include "net/net.h"

typedef struct prf_auth prf_auth_t;

/* Both files or neither (NULL). Errors: PRF_EUSAGE (one of them), those of prf_keypair_load and prf_allow_list_parse, PRF_EDENIED
 * (others could change the list), PRF_ENOMEM, PRF_EIO. */
PRF_CHECKED prf_status_t prf_auth_new(prf_auth_t **out, const char *key_file, const char *list_file, prf_error_t *err);
/* After every socket that was secured is gone. */
void prf_auth_destroy(prf_auth_t **self);
bool prf_auth_keyed(const prf_auth_t *self);
/* To be called on each socket before it is bound; changes nothing without keys. Errors: PRF_EIO. */
PRF_CHECKED prf_status_t prf_auth_secure(const prf_auth_t *self, prf_socket_t *socket, prf_error_t *err);
/* The secret key is of no use once the sockets are there. */
void prf_auth_forget_secret(prf_auth_t *self);

/* Looks whether the list has changed (once a second) and takes it. A list that cannot be taken is logged and shown by
 * prf_auth_trouble; the earlier one stays. True when what keys may do has changed: sessions and broadcasts have to follow. */
bool prf_auth_tick(prf_auth_t *self);

/* May the peer serve boards of this kind (NULL: of any)? Errors: PRF_EDENIED, with a text for the peer. */
PRF_CHECKED prf_status_t prf_auth_worker(const prf_auth_t *self, const prf_peer_t *peer, const char *kind, prf_error_t *err);
/* May the peer do what a viewer or an operator may? Errors: PRF_EDENIED. */
PRF_CHECKED prf_status_t prf_auth_client(const prf_auth_t *self, const prf_peer_t *peer, prf_role_t role, prf_error_t *err);
/* Sessions that the peer's key may have at once. */
size_t prf_auth_sessions(const prf_auth_t *self, const prf_peer_t *peer);
/* The name of the peer's key, for logs; "-" without keys, "?" when it is not on the list. */
const char *prf_auth_name(const prf_auth_t *self, const prf_peer_t *peer);

size_t prf_auth_count(const prf_auth_t *self);        /* keys on the list */
const char *prf_auth_trouble(const prf_auth_t *self); /* "" or why the newest list was not taken */
uint64_t prf_auth_refused(const prf_auth_t *self);    /* strangers turned away so far */

#endif
