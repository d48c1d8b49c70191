// SPDX-License-Identifier: Apache-2.0
/* http_assets.h - the dashboard's files (assets.h) as answers. They hold no data, so that they take no token: a page has to be
 * there before a person can give it one. Loop thread only. */
#ifndef PRF_HTTP_ASSETS_H
#define PRF_HTTP_ASSETS_H

#include <microhttpd.h>
#include <stdbool.h>

#include "assets.h"

/* The file at a path; NULL: there is none. In a program that was built without them there is one at "/", which says so. */
const prf_asset_t *prf_http_asset_find(const char *path);

/* Headers of a request; NULL: it has none of that name. */
typedef struct {
    const char *accept_encoding, *if_none_match;
} prf_http_wish_t;

/* The file, packed if that is accepted, or with *code 304 nothing, because the other side has it. NULL: out of memory. The caller
 * queues and destroys it. */
struct MHD_Response *prf_http_asset_response(const prf_asset_t *asset, const prf_http_wish_t *wish, unsigned *code);

#endif
