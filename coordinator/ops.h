// SPDX-License-Identifier: Apache-2.0
/* ops.h - what people's programs may ask for (docs/protocol.md), however they connect: a table of operations by name, each with the
 * role it takes. Who asks is judged by the caller. Loop thread only. */
#ifndef PRF_OPS_H
#define PRF_OPS_H

#include "queries.h"

typedef struct prf_ops prf_ops_t;
typedef struct prf_op prf_op_t;

/* `shutdown` is called when that is asked for. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_ops_new(prf_ops_t **out, const prf_queries_t *queries, void (*shutdown)(void *arg), void *arg,
                                     prf_error_t *err);
/* After the commits, which still know of requests. */
void prf_ops_destroy(prf_ops_t **self);

/* NULL: there is none of that name. */
const prf_op_t *prf_op_find(const char *name);
prf_role_t prf_op_role(const prf_op_t *op);
/* Its arguments have a list, so that no query string can tell them. */
bool prf_op_takes_list(const prf_op_t *op);
/* Does it with a JSON object of arguments, borrowed. `fn` is called once: at once, or when what was changed is committed. */
void prf_ops_call(prf_ops_t *self, const prf_op_t *op, const json_t *args, prf_reply_fn fn, void *arg);

#endif
