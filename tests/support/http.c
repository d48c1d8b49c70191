// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "http.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

void http_release(http_answer_t *answer)
{
    free(answer->head);
    free(answer->body);
    *answer = (http_answer_t){0};
}

int http_connect(const farm_t *farm)
{
    const char *colon = strrchr(farm->http, ':');
    cr_assert(colon && strchr(farm->http, '.'), "no HTTP on an IPv4 address: '%s'", farm->http);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0, "%s", farm->http);
    return fd;
}

/* The other side may have answered and closed before it read all. */
void http_send(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        at += n;
        len -= (size_t)n;
    }
}

static bool wait_for(int fd, unsigned ms)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    return poll(&item, 1, (int)ms) > 0;
}

bool http_closed(int fd, unsigned ms)
{
    char bytes[4096];
    while (wait_for(fd, ms))
        if (recv(fd, bytes, sizeof bytes, 0) <= 0)
            return true;
    return false;
}

http_answer_t http_receive(int fd)
{
    prf_text_t text = {0};
    char bytes[65536];
    ssize_t n;
    do {
        cr_assert(wait_for(fd, PATIENCE_MS), "no answer in time");
        n = recv(fd, bytes, sizeof bytes, 0);
        if (n > 0)
            prf_text_append(&text, bytes, (size_t)n);
    } while (n > 0);
    http_answer_t answer = {0};
    const char *all = prf_text_get(&text), *end = strstr(all, "\r\n\r\n");
    if (end) {
        cr_assert_eq(sscanf(all, "HTTP/1.%*d %3u", &answer.code), 1, "%.100s", all);
        answer.head = strndup(all, (size_t)(end + 2 - all));
        answer.len = text.len - (size_t)(end + 4 - all);
        answer.body = calloc(1, answer.len + 1);
        memcpy(answer.body, end + 4, answer.len);
    }
    prf_text_release(&text);
    return answer;
}

http_answer_t http_ask(const farm_t *farm, const char *method, const char *path, const char *headers, const char *body)
{
    prf_text_t text = {0};
    prf_text_add(&text, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s", method, path, headers ? headers : "");
    if (body)
        prf_text_add(&text, "Content-Length: %zu\r\n", strlen(body));
    prf_text_add(&text, "\r\n%s", body ? body : "");
    int fd = http_connect(farm);
    http_send(fd, text.data, text.len);
    prf_text_release(&text);
    http_answer_t answer = http_receive(fd);
    close(fd);
    return answer;
}

const char *http_header(const http_answer_t *answer, const char *name)
{
    static char value[512];
    size_t len = strlen(name);
    for (const char *line = strstr(answer->head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) != 0 || line[2 + len] != ':')
            continue;
        const char *at = line + 2 + len + 1 + strspn(line + 2 + len + 1, " ");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
        return value;
    }
    return NULL;
}

json_t *http_json(http_answer_t answer, unsigned code)
{
    cr_assert_eq(answer.code, code, "%u instead of %u: %s", answer.code, code, answer.body ? answer.body : "no answer");
    cr_assert_str_eq(http_header(&answer, "Content-Type"), "application/json");
    json_error_t where;
    json_t *json = json_loads(answer.body, 0, &where);
    cr_assert(json, "%s: %s", where.text, answer.body);
    http_release(&answer);
    return json;
}

/* More of it, within `ms`. False: nothing came, or it has ended. */
static bool read_more(http_stream_t *stream, unsigned ms)
{
    char bytes[65536];
    ssize_t n = wait_for(stream->fd, ms) ? recv(stream->fd, bytes, sizeof bytes, 0) : 0;
    if (n > 0)
        prf_text_append(&stream->text, bytes, (size_t)n);
    return n > 0;
}

static void drop(prf_text_t *text, size_t len)
{
    memmove(text->data, text->data + len, text->len - len + 1);
    text->len -= len;
}

void http_stream_open(http_stream_t *stream, const farm_t *farm, const char *headers)
{
    *stream = (http_stream_t){.fd = http_connect(farm)};
    prf_text_t request = {0};
    prf_text_add(&request, "GET /api/v1/live HTTP/1.0\r\nHost: localhost\r\n%s\r\n", headers ? headers : "");
    http_send(stream->fd, request.data, request.len);
    prf_text_release(&request);
    const char *end = NULL;
    while (!(end = strstr(prf_text_get(&stream->text), "\r\n\r\n")))
        cr_assert(read_more(stream, PATIENCE_MS), "no stream: %s", prf_text_get(&stream->text));
    cr_assert(strstr(stream->text.data, " 200 ") && strcasestr(stream->text.data, "content-type: text/event-stream"), "%s",
              stream->text.data);
    drop(&stream->text, (size_t)(end + 4 - stream->text.data));
}

void http_stream_close(http_stream_t *stream)
{
    close(stream->fd);
    prf_text_release(&stream->text);
}

/* The next event that is there, whole, or a comment. NULL: it is not. The caller frees it. */
static char *take_event(http_stream_t *stream)
{
    const char *all = prf_text_get(&stream->text), *end = strstr(all, "\n\n");
    if (!end)
        return NULL;
    char *event = strndup(all, (size_t)(end - all));
    drop(&stream->text, (size_t)(end + 2 - all));
    return event;
}

json_t *http_stream_next(http_stream_t *stream, const char *event, unsigned ms)
{
    uint64_t until = prf_clock_mono_ms() + ms, now;
    char head[64];
    snprintf(head, sizeof head, "event: %s\ndata: ", event);
    for (;;) {
        char *text = take_event(stream);
        if (text) {
            bool wanted = strncmp(text, head, strlen(head)) == 0;
            json_error_t where;
            json_t *data = wanted ? json_loads(text + strlen(head), 0, &where) : NULL;
            cr_assert(!wanted || data, "%s: %s", where.text, text);
            free(text);
            if (data)
                return data;
            continue;
        }
        if ((now = prf_clock_mono_ms()) >= until || !read_more(stream, (unsigned)(until - now)))
            return NULL;
    }
}

json_t *http_stream_wait(http_stream_t *stream, const char *event, bool (*enough)(json_t *data))
{
    for (;;) {
        json_t *data = http_stream_next(stream, event, PATIENCE_MS);
        cr_assert(data, "no event '%s' came in time, or the stream ended", event);
        if (enough(data))
            return data;
        json_decref(data);
    }
}
