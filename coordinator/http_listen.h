// SPDX-License-Identifier: Apache-2.0
/* http_listen.h - the socket on which HTTP is served. */
#ifndef PRF_HTTP_LISTEN_H
#define PRF_HTTP_LISTEN_H

#include <stdbool.h>

#include "base/status.h"

enum { PRF_HTTP_HOST = 72, PRF_HTTP_URL = PRF_HTTP_HOST + 16 };

typedef struct {
    int fd;                 /* of whoever takes it */
    bool local;             /* no other machine can reach it */
    char url[PRF_HTTP_URL]; /* http://ADDRESS:PORT, with the port that the system chose */
} prf_http_socket_t;

/* Binds ADDRESS:PORT and listens: an IPv4 address, or an IPv6 one in brackets; PORT 0 or '*' lets the system choose. `open` allows
 * an address that others can reach. On failure *out is untouched. Errors: PRF_EUSAGE (the form, an address that others can reach),
 * PRF_EBUSY (port in use), PRF_EIO. */
PRF_CHECKED prf_status_t prf_http_listen(prf_http_socket_t *out, const char *where, bool open, prf_error_t *err);

/* The address that a connection came in at, as it stands in a URL: an IPv6 one in brackets. False: unknown. */
bool prf_http_local_address(int fd, char host[PRF_HTTP_HOST]);

#endif
