// SPDX-License-Identifier: Apache-2.0
/* endpoint.h - the addresses of a farm: one word names a coordinator's three sockets (docs/protocol.md, Endpoints). Pure; any
 * thread; knows nothing of ZeroMQ, so that a wrong address is told in our words before a library sees it. */
#ifndef PRF_NET_ENDPOINT_H
#define PRF_NET_ENDPOINT_H

#include <stdbool.h>

#include "net/net.h"

#define PRF_FARM_DEFAULT "tcp://127.0.0.1:7700"

typedef struct {
    char workers[PRF_ENDPOINT], clients[PRF_ENDPOINT], broadcast[PRF_ENDPOINT];
} prf_endpoints_t;

/* The farm that was asked for: `given`, or that of PRFARM_FARM when it is NULL, or the default. Borrowed. */
const char *prf_farm_or_default(const char *given);
/* `farm` is tcp://HOST:PORT, ipc://PATH or three endpoints joined by commas. On failure *out is untouched.
 * Errors: PRF_EINVAL (says what is wrong and what would be right). */
PRF_CHECKED prf_status_t prf_endpoints_parse(prf_endpoints_t *out, const char *farm, prf_error_t *err);
/* The three joined by commas, as the ready line tells them. */
void prf_endpoints_format(const prf_endpoints_t *endpoints, char text[3 * PRF_ENDPOINT]);
/* True when no other machine can reach any of the three: ipc, or a loopback address. */
bool prf_endpoints_local(const prf_endpoints_t *endpoints);
/* The form of one endpoint: tcp://HOST:PORT (PORT 1 to 65535 or '*') or ipc://PATH short enough for a socket's name.
 * Errors: PRF_EINVAL. */
PRF_CHECKED prf_status_t prf_endpoint_check(const char *endpoint, prf_error_t *err);

#endif
