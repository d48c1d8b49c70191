// SPDX-License-Identifier: Apache-2.0
/* site.h - the relay at a site: takes its programs' connections as if it were the coordinator, and carries them over one outgoing
 * connection. Main thread only. */
#ifndef PRF_RELAY_SITE_H
#define PRF_RELAY_SITE_H

#include "net/endpoint.h"
#include "net/keys.h"

typedef struct {
    prf_endpoints_t farm; /* where programs of the site dial */
    const char *link;     /* endpoint of the accepting relay; borrowed */
    prf_identity_t identity;
    size_t streams, buffer_bytes;
} prf_site_options_t;

/* Runs until a signal comes; wipes the identity once it is in use. Errors: PRF_EBUSY, PRF_EINVAL, PRF_ENOTFOUND, PRF_EIO,
 * PRF_ENOMEM.
 */
PRF_CHECKED prf_status_t prf_site_run(prf_site_options_t *options, prf_error_t *err);

#endif
