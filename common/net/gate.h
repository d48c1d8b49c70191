// SPDX-License-Identifier: Apache-2.0
/* gate.h - decides which keys may connect to this process's secured sockets (prf_socket_secure). One a process; to be made before
 * such a socket is bound and destroyed after the last of them. Calls from one thread. */
#ifndef PRF_NET_GATE_H
#define PRF_NET_GATE_H

#include <stddef.h>

#include "net/keys.h"

typedef struct prf_gate prf_gate_t;

/* Lets nobody in at first. Starts a thread of its own: handshakes neither wait for the loop nor hold it up.
 * Errors: PRF_EEXISTS, PRF_EIO, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_gate_new(prf_gate_t **out, prf_error_t *err);
void prf_gate_destroy(prf_gate_t **self);
/* Only these from now on; connections that there are stay. Keys are copied. On failure the earlier ones stay. Errors: PRF_ENOMEM.
 */
PRF_CHECKED prf_status_t prf_gate_allow(prf_gate_t *self, const prf_key_t *keys, size_t count, prf_error_t *err);
/* How many were turned away so far; *last (may be NULL) is the key of the last one. */
uint64_t prf_gate_refused(prf_gate_t *self, prf_key_t *last);

#endif
