// SPDX-License-Identifier: Apache-2.0
/* http_access.h - who may do what over HTTP. A browser on this machine reaches a loopback address, too, on behalf of any page that
 * it shows: so a request has to be meant for this server (Host) and must not come from somebody else's page (Origin). Whatever
 * changes something takes a token, and so does everything on an address that other machines can reach. Loop thread only. */
#ifndef PRF_HTTP_ACCESS_H
#define PRF_HTTP_ACCESS_H

#include <stdbool.h>

#include "base/status.h"
#include "net/allow_list.h"

enum { PRF_HTTP_TOKEN_LEAST = 16, PRF_HTTP_TOKEN = 256 };

typedef struct {
    bool local;                 /* no other machine can reach the server */
    char token[PRF_HTTP_TOKEN]; /* zeros behind its end; "": there is none */
} prf_http_access_t;

/* Takes the file's first line. Errors: PRF_EDENIED (others can read it), PRF_EINVAL (too short or long, not printable),
 * PRF_ENOTFOUND, PRF_EIO. */
PRF_CHECKED prf_status_t prf_http_token_load(prf_http_access_t *self, const char *path, prf_error_t *err);

/* Headers of a request; NULL: it has none of that name. */
typedef struct {
    const char *host, *origin, *authorization;
    const char *local_address; /* that the connection came in at, as in a URL */
} prf_http_caller_t;

/* What is no secret takes no more than that the request is meant for this server and comes from no other's page.
 * Errors: PRF_EDENIED. */
PRF_CHECKED prf_status_t prf_http_meant(const prf_http_caller_t *caller, prf_error_t *err);

/* Errors: PRF_EDENIED; *challenge tells that a token would help. */
PRF_CHECKED prf_status_t prf_http_may(const prf_http_access_t *self, const prf_http_caller_t *caller, prf_role_t role,
                                      bool *challenge, prf_error_t *err);

#endif
