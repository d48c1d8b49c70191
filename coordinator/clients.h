// SPDX-License-Identifier: Apache-2.0
/* clients.h - requests of people's programs and their replies (docs/protocol.md), and the chunks of models they fetch. Loop thread
 * only. A client has no session: what is malformed is counted, answered and logged, and nothing more is kept of it. */
#ifndef PRF_CLIENTS_H
#define PRF_CLIENTS_H

#include "guard.h"
#include "ops.h"

typedef struct prf_clients prf_clients_t;

/* What it is given is borrowed; the guard counts what could not be understood. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_clients_new(prf_clients_t **out, const prf_hub_t *hub, prf_ops_t *ops, prf_guard_t *guard,
                                         prf_error_t *err);
/* After the commits, which still know of requests. */
void prf_clients_destroy(prf_clients_t **self);
/* Takes what has come, a limited number of requests at once. */
void prf_clients_read(prf_clients_t *self);

#endif
