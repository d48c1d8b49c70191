// SPDX-License-Identifier: Apache-2.0
/* address.h - plain connections: where the site's workers dial, and to the coordinator. All descriptors are non-blocking and closed
 * on exec. */
#ifndef PRF_RELAY_ADDRESS_H
#define PRF_RELAY_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "net/net.h"

typedef struct {
    struct sockaddr_storage bytes;
    socklen_t len;
    char text[PRF_ENDPOINT]; /* the endpoint */
} prf_address_t;

/* tcp://HOST:PORT or ipc://PATH; a host's name is looked up now, and not again: IPv4, or IPv6 in brackets. Errors: PRF_EINVAL,
 * PRF_ENOTFOUND, PRF_EIO. */
PRF_CHECKED prf_status_t prf_address_resolve(prf_address_t *out, const char *endpoint, prf_error_t *err);
/* A connection that is being made: writable once it is, or has failed (prf_address_failed). -1: it failed at once, errno says why.
 */
int prf_address_dial(const prf_address_t *address);
int prf_address_failed(int fd); /* the errno, 0: it is made */

/* A port that is kept, whether or not connections are taken: while they are not, who dials is refused at once, as if nobody were
 * there. */
typedef struct {
    prf_address_t address; /* with the port that the system chose */
    int fd;                /* -1: the port is lost, see prf_listener_open */
    bool open;
} prf_listener_t;

/* TCP only. Shut at first. Errors: PRF_EBUSY (in use), PRF_EINVAL, PRF_ENOTFOUND, PRF_EIO. */
PRF_CHECKED prf_status_t prf_listener_init(prf_listener_t *self, const char *endpoint, prf_error_t *err);
void prf_listener_release(prf_listener_t *self);
/* Errors: PRF_EBUSY (somebody else took the port meanwhile: call again later), PRF_EIO. */
PRF_CHECKED prf_status_t prf_listener_open(prf_listener_t *self, prf_error_t *err);
void prf_listener_shut(prf_listener_t *self);
/* The next connection. -1: none, errno says why. */
int prf_listener_accept(prf_listener_t *self);

#endif
