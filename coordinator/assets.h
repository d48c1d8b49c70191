// SPDX-License-Identifier: Apache-2.0
/* assets.h - the dashboard's files, bundled and put into the program when it is built (dashboard/). Without npm there are none, and
 * the server says so at its '/'. Constant; any thread. */
#ifndef PRF_ASSETS_H
#define PRF_ASSETS_H

#include <stddef.h>

typedef struct {
    const char *path;          /* "/", "/assets/NAME" */
    const char *type;          /* its media type, with the character set where it is text */
    const char *etag;          /* in quotes, as HTTP has it: changes with the content */
    const unsigned char *gzip; /* the content, as gzip packs it */
    size_t gzip_len;
} prf_asset_t;

extern const prf_asset_t prf_assets[]; /* at least one entry long */
extern const size_t prf_assets_count;  /* 0: built without */

#endif
