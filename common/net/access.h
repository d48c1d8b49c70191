// SPDX-License-Identifier: Apache-2.0
/* access.h - the door of a daemon with keys: its own pair, the allow-list that it was given as a file, and the gate that lets in
 * those of the list whose role it serves. The file is followed, so that a key that is removed loses what it could do within a
 * second. One a process; one thread. */
#ifndef PRF_NET_ACCESS_H
#define PRF_NET_ACCESS_H

#include "net/allow_list.h"
#include "net/net.h"

typedef struct prf_access prf_access_t;

/* `roles`: bits (1 << role) of those that may connect. `list_file` is borrowed. Errors: those of prf_keypair_load and
 * prf_allow_list_parse, PRF_EDENIED (others could change the list), PRF_ENOMEM, PRF_EIO. */
PRF_CHECKED prf_status_t prf_access_new(prf_access_t **out, const char *key_file, const char *list_file, unsigned roles,
                                        prf_error_t *err);
/* After every socket that was secured is gone. */
void prf_access_destroy(prf_access_t **self);
/* To be called on each socket before it is bound. Errors: PRF_EIO. */
PRF_CHECKED prf_status_t prf_access_secure(const prf_access_t *self, prf_socket_t *socket, prf_error_t *err);
/* The secret key is of no use once the sockets are there. */
void prf_access_forget_secret(prf_access_t *self);
void prf_access_public(const prf_access_t *self, char text[PRF_KEY_TEXT]);

/* To be called once a second. PRF_OK: the list is as it was, or (*changed) a new one holds now. Otherwise the earlier one stays,
 * and the text says why; it is told once. */
PRF_CHECKED prf_status_t prf_access_tick(prf_access_t *self, bool *changed, prf_error_t *err);
/* To be called once a second: how many strangers were turned away that were not told yet, and the key of the last one. 0 when there
 * is nothing to tell: the same one is told once a minute. */
uint64_t prf_access_strangers(prf_access_t *self, char last[PRF_KEY_TEXT]);

/* What the list says of the peer's key. NULL: it is not on the list (any more). Borrowed until the next tick. */
const prf_allow_t *prf_access_entry(const prf_access_t *self, const prf_peer_t *peer);
size_t prf_access_count(const prf_access_t *self);     /* keys on the list */
uint64_t prf_access_refused(const prf_access_t *self); /* strangers turned away so far */

#endif
