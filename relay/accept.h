// SPDX-License-Identifier: Apache-2.0
/* accept.h - the relay beside the coordinator: takes the links of sites' relays, and makes a connection to the coordinator for each
 * that they carry. Main thread only. */
#ifndef PRF_RELAY_ACCEPT_H
#define PRF_RELAY_ACCEPT_H

#include <stddef.h>

#include "net/endpoint.h"

enum { PRF_ACCEPT_SITES = 256 };

typedef struct {
    const char *at;                   /* endpoint that sites' relays dial; borrowed, as the next two */
    const char *key_file, *list_file; /* of this relay; of the keys that may open a link */
    prf_endpoints_t farm;             /* the coordinator */
    size_t streams, buffer_bytes;     /* of one site */
} prf_accept_options_t;

/* Runs until a signal comes. Errors: those of prf_access_new, prf_socket_bind and prf_address_resolve, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_accept_run(const prf_accept_options_t *options, prf_error_t *err);

#endif
