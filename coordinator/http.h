// SPDX-License-Identifier: Apache-2.0
/* http.h - the operations and the metrics over HTTP (docs/http.md, docs/api.yaml). Loop thread only: the library (libmicrohttpd)
 * has no thread of its own, it is given its turn by the coordinator's loop. */
#ifndef PRF_HTTP_H
#define PRF_HTTP_H

#include "ops.h"

typedef struct prf_http prf_http_t;

/* Listens at `address`, ADDRESS:PORT; `token_file` may be NULL. Queries are copied, operations borrowed. Errors: those of
 * prf_http_listen and prf_http_token_load, PRF_ENOMEM, PRF_EIO. */
PRF_CHECKED prf_status_t prf_http_new(prf_http_t **out, const char *address, const char *token_file, const prf_queries_t *queries,
                                      prf_ops_t *ops, prf_error_t *err);
/* After the commits, which still know of requests, and before the operations. */
void prf_http_destroy(prf_http_t **self); /* NULL-safe; clears *self */
/* http://ADDRESS:PORT, with the port that the system chose. Borrowed. */
const char *prf_http_url(const prf_http_t *self);
/* Has the loop call `fn` whenever there is something to do, which is to call prf_http_turn. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_http_watch(prf_http_t *self, prf_loop_t *loop, prf_loop_fn fn, void *arg, prf_error_t *err);
/* Takes what has come and does some of it, for a limited time. To be called now and then as well, for time-outs. */
void prf_http_turn(prf_http_t *self);

#endif
