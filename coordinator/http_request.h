// SPDX-License-Identifier: Apache-2.0
/* http_request.h - one request on its way through the server: read and judged (http.c), done (http_api.c), answered (http.c). */
#ifndef PRF_HTTP_REQUEST_H
#define PRF_HTTP_REQUEST_H

#include <microhttpd.h>

#include "assets.h"
#include "base/text.h"
#include "http_peers.h"
#include "live.h"

enum { PRF_HTTP_BODY = 1 << 20 /* bytes at most */ };

typedef enum {
    PRF_HTTP_ALIVE,
    PRF_HTTP_HEALTH,
    PRF_HTTP_METRICS,
    PRF_HTTP_DESCRIPTION,
    PRF_HTTP_LIVE,
    PRF_HTTP_OP
} prf_http_what_t;

/* What requests are done with; borrowed. */
typedef struct {
    prf_queries_t queries;
    prf_ops_t *ops;
    prf_live_t *live;
    prf_http_peers_t *peers;
} prf_http_means_t;

typedef struct prf_http_request {
    struct MHD_Connection *connection; /* of the library */
    const prf_asset_t *asset;          /* what is asked for; NULL: something that is no file */
    prf_http_what_t what;
    const prf_op_t *op; /* PRF_HTTP_OP */
    bool body_has_args; /* not the query string */
    prf_text_t body;
    bool answered;
    unsigned code;     /* of the answer, 200 ... */
    const char *type;  /* its media type */
    const char *allow; /* method to use instead; NULL: that is not the trouble */
    bool challenge;    /* a token would help */
    bool stranger;     /* who asks has not shown the token: is told no more than /healthz tells everybody */
    prf_text_t answer;
    prf_viewer_t *viewer;          /* owned: it is answered for as long as it lasts; NULL: once */
    struct prf_http *server;       /* borrowed */
    struct prf_http_request *next; /* waits behind it */
} prf_http_request_t;

/* False: it was answered with the methods that there are, "GET, POST". */
bool prf_http_method_fits(prf_http_request_t *request, const char *method, const char *allow);
/* Finds what is asked for; else answers the request: there is no such thing, or not by that method. *role is what it takes. */
bool prf_http_route(prf_http_request_t *request, const char *method, const char *path, prf_role_t *role);
/* Does it, with arguments from the query string or the body, and answers it, now or when what it changes is committed. */
void prf_http_perform(prf_http_request_t *request, const prf_http_means_t *means);

/* The answer is there (http.c). */
void prf_http_answered(prf_http_request_t *request);
/* Answers with an error as JSON: the code is that of the status. */
void prf_http_refuse(prf_http_request_t *request, prf_status_t status, const char *text);
/* The same with a code that HTTP has a word of its own for. */
void prf_http_refuse_as(prf_http_request_t *request, unsigned code, prf_status_t status, const char *text);

#endif
