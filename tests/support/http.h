// SPDX-License-Identifier: Apache-2.0
/* http.h - HTTP by hand, over plain sockets, so that tests can also send what no client library would. Everything asserts through
 * Criterion; every wait has an end. */
#ifndef PRF_TESTS_HTTP_H
#define PRF_TESTS_HTTP_H

#include <jansson.h>
#include <stddef.h>

#include "base/text.h"
#include "farm.h"

typedef struct {
    unsigned code; /* 0: the connection ended without an answer */
    char *head;    /* status line and headers; owned */
    char *body;    /* owned, NUL-terminated */
    size_t len;
} http_answer_t;

void http_release(http_answer_t *answer);
/* A connection to the coordinator's HTTP server. */
int http_connect(const farm_t *farm);
void http_send(int fd, const void *bytes, size_t len);
/* Until the other side closes. */
http_answer_t http_receive(int fd);
/* True: the other side has closed, within `ms`. */
bool http_closed(int fd, unsigned ms);

/* One request on a connection of its own. `headers` (lines that end with "\r\n"; NULL: none) come after Host; `body` NULL: none. */
http_answer_t http_ask(const farm_t *farm, const char *method, const char *path, const char *headers, const char *body);
/* The value of a header, whatever its case; NULL: there is none. Borrowed until the next call. */
const char *http_header(const http_answer_t *answer, const char *name);
/* Asserts the code; the body as JSON, a new reference. Releases the answer. */
json_t *http_json(http_answer_t answer, unsigned code);

/* A viewer of /api/v1/live. It speaks HTTP/1.0, so that the stream comes as it is. */
typedef struct {
    int fd;
    prf_text_t text; /* behind the headers: what came and was not taken yet */
} http_stream_t;

/* Asserts that the stream begins. `headers` as above. */
void http_stream_open(http_stream_t *stream, const farm_t *farm, const char *headers);
void http_stream_close(http_stream_t *stream);
/* The data of the next event of that name, others passed over, a new reference; NULL: none came within `ms`. */
json_t *http_stream_next(http_stream_t *stream, const char *event, unsigned ms);
/* Goes on until one of them is enough; asserts that it comes in time. Its data, a new reference. */
json_t *http_stream_wait(http_stream_t *stream, const char *event, bool (*enough)(json_t *data));

#endif
