// SPDX-License-Identifier: Apache-2.0
/* http_assets.c - the files lie packed in the program and go out as they lie there; who cannot unpack gets them unpacked for the
 * occasion. Browsers keep them and ask with the tag whether they still hold, so that a new coordinator's page is seen at once.
 *
 * The page may load what this server has and connect to nothing else; nothing may frame it, and no script may stand in it. */
#include "http_assets.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/text.h"

enum {
    PIECE = 16 << 10,
    UNPACKED_MOST = 16 << 20, /* bytes of a file */
    ANY_FORMAT = 32 + MAX_WBITS
};

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri "
    "'none'; form-action 'none'; frame-ancestors 'none'";

static const prf_asset_t absent = {.path = "/", .type = "text/plain; charset=utf-8", .etag = "\"none\""};
static const char absent_text[] =
    "This coordinator was built without its dashboard, because npm was not there or could not fetch what it takes: install npm\n"
    "(Debian: apt-get install npm), see to a network, then configure and build again. cmake --preset release says what is amiss.\n"
    "The API is there all the same: /api/v1/openapi.yaml describes it.\n";

const prf_asset_t *prf_http_asset_find(const char *path)
{
    for (size_t i = 0; i < prf_assets_count; i++)
        if (strcmp(prf_assets[i].path, path) == 0)
            return &prf_assets[i];
    return prf_assets_count == 0 && strcmp(path, absent.path) == 0 ? &absent : NULL;
}

/* The next element of a list apart by commas, without the spaces around it; NULL: that was all. */
static const char *next_element(const char **list, size_t *len)
{
    const char *at = *list + strspn(*list, " \t,");
    *len = strcspn(at, ",");
    *list = at + *len;
    while (*len > 0 && strchr(" \t", at[*len - 1]))
        --*len;
    return *at ? at : NULL;
}

/* "gzip", "gzip;q=0.5", not "gzip;q=0". */
static bool takes_gzip(const char *accepted)
{
    const char *element;
    size_t len;
    while (accepted && (element = next_element(&accepted, &len))) {
        size_t name = strcspn(element, " \t;,");
        const char *quality = memchr(element, '=', len);
        if ((name == 4 && strncasecmp(element, "gzip", 4) == 0) || (name == 1 && *element == '*'))
            return !quality || strtod(quality + 1, NULL) > 0;
    }
    return false;
}

static bool has_it(const char *tags, const char *etag)
{
    const char *element;
    size_t len, wanted = strlen(etag);
    while (tags && (element = next_element(&tags, &len))) {
        size_t weak = len > 2 && memcmp(element, "W/", 2) == 0 ? 2 : 0; /* a proxy may have packed it itself */
        if ((len - weak == wanted && memcmp(element + weak, etag, wanted) == 0) || (len == 1 && *element == '*'))
            return true;
    }
    return false;
}

static bool unpack(const prf_asset_t *asset, prf_text_t *out)
{
    z_stream stream = {.next_in = (z_const Bytef *)asset->gzip, .avail_in = (uInt)asset->gzip_len};
    unsigned char piece[PIECE];
    if (inflateInit2(&stream, ANY_FORMAT) != Z_OK)
        return false;
    int went = Z_OK;
    while (went == Z_OK && out->len < UNPACKED_MOST) {
        stream.next_out = piece;
        stream.avail_out = sizeof piece;
        went = inflate(&stream, Z_NO_FLUSH);
        prf_text_append(out, piece, sizeof piece - stream.avail_out);
    }
    inflateEnd(&stream);
    return went == Z_STREAM_END && !out->failed;
}

static struct MHD_Response *of_constant(const void *bytes, size_t len)
{
    return MHD_create_response_from_buffer(len, (void *)bytes, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *unpacked(const prf_asset_t *asset)
{
    prf_text_t text = {0};
    bool ok = unpack(asset, &text);
    size_t len = text.len;
    char *bytes = ok ? prf_text_take(&text) : NULL;
    struct MHD_Response *response = bytes ? MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE) : NULL;
    if (!response)
        free(bytes);
    prf_text_release(&text);
    return response;
}

static struct MHD_Response *body_of(const prf_asset_t *asset, const prf_http_wish_t *wish, unsigned code, bool *packed)
{
    if (code == MHD_HTTP_NOT_MODIFIED)
        return of_constant("", 0);
    if (asset == &absent)
        return of_constant(absent_text, sizeof absent_text - 1);
    *packed = takes_gzip(wish->accept_encoding);
    return *packed ? of_constant(asset->gzip, asset->gzip_len) : unpacked(asset);
}

struct MHD_Response *prf_http_asset_response(const prf_asset_t *asset, const prf_http_wish_t *wish, unsigned *code)
{
    bool packed = false;
    *code = has_it(wish->if_none_match, asset->etag) ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
    struct MHD_Response *response = body_of(asset, wish, *code, &packed);
    if (!response)
        return NULL;
    const char *const headers[][2] = {{MHD_HTTP_HEADER_CONTENT_TYPE, asset->type},
                                      {MHD_HTTP_HEADER_ETAG, asset->etag},
                                      {MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache"}, /* kept, and asked about */
                                      {MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING},
                                      {"Content-Security-Policy", policy},
                                      {"Referrer-Policy", "no-referrer"},
                                      {"X-Content-Type-Options", "nosniff"}};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
    if (packed)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    return response;
}
