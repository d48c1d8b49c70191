// SPDX-License-Identifier: Apache-2.0
/* http.c - the server: requests are read and judged by the library's callback, wait in one queue, and are done in the coordinator's
 * own time.
 *
 * The library runs without threads on an epoll descriptor that the loop watches. A request that was read whole is suspended and
 * queued; a turn does what is queued for TURN_MS at most, then lets the farm have its turn, as clients.c does with what it reads.
 * An operation that is answered when a commit is done stays suspended until then, which costs nothing. Where the library says that
 * it could go on at once, and when the queue is not empty, a descriptor of our own makes the loop come back.
 *
 * Limits: connections, connections of one address, header bytes (a connection's memory), body bytes, and time without progress,
 * after which a connection is closed. Refused early, before its body is read, is what cannot be answered anyway. */
#include "http.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "http_access.h"
#include "http_listen.h"
#include "http_request.h"

enum {
    CONNECTIONS = 256,
    CONNECTIONS_OF_ONE = 32, /* address */
    HEADER_BYTES = 16 << 10,
    SILENT_S = 10,
    TURN_MS = 20
};

struct prf_http {
    struct MHD_Daemon *daemon; /* owned */
    prf_http_socket_t socket;  /* the daemon closes it */
    prf_http_access_t access;
    prf_queries_t queries;
    prf_ops_t *ops;
    prf_loop_t *loop;                  /* borrowed; NULL: not watched yet */
    int epoll_fd;                      /* of the daemon */
    int again_fd;                      /* readable: there is more to do at once */
    prf_http_request_t *first, **last; /* read, not done yet */
};

static void queue(prf_http_t *self, prf_http_request_t *request)
{
    MHD_suspend_connection(request->connection);
    *self->last = request;
    self->last = &request->next;
}

static prf_http_request_t *next(prf_http_t *self)
{
    prf_http_request_t *request = self->first;
    self->first = request->next;
    if (!self->first)
        self->last = &self->first;
    return request;
}

static enum MHD_Result respond(prf_http_request_t *request)
{
    static const char *const always[][2] = {
        {"X-Content-Type-Options", "nosniff"}, {"Content-Security-Policy", "default-src 'none'"}, {"Cache-Control", "no-store"}};
    size_t len = request->answer.len;
    char *text = prf_text_take(&request->answer);
    struct MHD_Response *response = text ? MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE) : NULL;
    if (!response) {
        free(text);
        return MHD_NO; /* out of memory: the connection ends */
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, request->type);
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        MHD_add_response_header(response, always[i][0], always[i][1]);
    if (request->allow)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, request->allow);
    if (request->challenge)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    enum MHD_Result result = MHD_queue_response(request->connection, request->code, response);
    MHD_destroy_response(response);
    return result;
}

/* Makes the loop come back at once. */
static void come_back(prf_http_t *self)
{
    const uint64_t one = 1;
    if (write(self->again_fd, &one, sizeof one) < 0) {
        /* it is readable already */
    }
}

void prf_http_answered(prf_http_request_t *request)
{
    request->answered = true;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED);
    if (!info || info->suspended == MHD_NO)
        return;
    MHD_resume_connection(request->connection);
    come_back(request->server); /* the library looks at it when it runs next, and does not say so */
}

static const char *header(const prf_http_request_t *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* What a body may be is clear from the header: its length is told, and small enough. */
static void check_body(prf_http_request_t *request)
{
    const char *length = header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING))
        prf_http_refuse_as(request, MHD_HTTP_LENGTH_REQUIRED, PRF_EUSAGE, "a body in chunks: send its Content-Length instead");
    else if (length && strtoull(length, NULL, 10) > PRF_HTTP_BODY)
        prf_http_refuse_as(request, MHD_HTTP_CONTENT_TOO_LARGE, PRF_EINVAL, "the body may have 1 MiB at most");
}

static void judge(prf_http_t *self, prf_http_request_t *request, const char *method, const char *path)
{
    char address[PRF_HTTP_HOST] = "";
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info)
        prf_http_local_address(info->connect_fd, address);
    const prf_http_caller_t caller = {header(request, MHD_HTTP_HEADER_HOST), header(request, MHD_HTTP_HEADER_ORIGIN),
                                      header(request, MHD_HTTP_HEADER_AUTHORIZATION), address};
    prf_role_t role;
    prf_error_t err = {0};
    /* Whoever may not even read learns nothing of what there is. */
    if (prf_http_may(&self->access, &caller, PRF_ROLE_VIEWER, &request->challenge, &err) == PRF_OK &&
        (!prf_http_route(request, method, path, &role) ||
         prf_http_may(&self->access, &caller, role, &request->challenge, &err) == PRF_OK)) {
        if (!request->answered)
            check_body(request);
        return;
    }
    prf_http_refuse_as(request, request->challenge ? MHD_HTTP_UNAUTHORIZED : MHD_HTTP_FORBIDDEN, err.code, err.text);
}

/* The library's callback: first with the header, then with pieces of the body, at last without any; and again when the connection
 * goes on with its answer. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *bytes, size_t *len, void **place)
{
    (void)version;
    prf_http_t *self = arg;
    prf_http_request_t *request = *place;
    if (!request) {
        request = calloc(1, sizeof *request);
        if (!request)
            return MHD_NO;
        *place = request;
        request->connection = connection;
        request->server = self;
        judge(self, request, method, path);
        return request->answered ? respond(request) : MHD_YES;
    }
    if (*len > 0) {
        prf_text_append(&request->body, bytes, *len);
        *len = 0;
        return request->body.failed ? MHD_NO : MHD_YES;
    }
    if (request->answered)
        return respond(request);
    queue(self, request);
    return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **place, enum MHD_RequestTerminationCode why)
{
    (void)arg, (void)connection, (void)why;
    prf_http_request_t *request = *place;
    if (!request)
        return;
    prf_text_release(&request->body);
    prf_text_release(&request->answer);
    free(request);
    *place = NULL;
}

static prf_status_t start(prf_http_t *self, prf_error_t *err)
{
    self->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, self, MHD_OPTION_LISTEN_SOCKET, self->socket.fd,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, self, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_OF_ONE, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!self->daemon) {
        close(self->socket.fd);
        return prf_fail(
            err, PRF_EIO,
            "the HTTP server at %s could not be started: raise the limit of open files (ulimit -n), or leave --http out",
            self->socket.url);
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return prf_fail(err, PRF_EUNSUPPORTED, "libmicrohttpd was built without epoll: leave --http out, or use another build");
    self->epoll_fd = info->epoll_fd;
    return PRF_OK;
}

prf_status_t prf_http_new(prf_http_t **out, const char *address, const char *token_file, const prf_queries_t *queries,
                          prf_ops_t *ops, prf_error_t *err)
{
    prf_http_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "HTTP server");
    self->queries = *queries;
    self->ops = ops;
    self->last = &self->first;
    self->again_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    prf_status_t status = self->again_fd < 0 ? prf_fail_sys(err, errno, "HTTP server") : PRF_OK;
    if (!status && token_file)
        status = prf_http_token_load(&self->access, token_file, err);
    if (!status)
        status = prf_http_listen(&self->socket, address, token_file != NULL, err);
    if (!status) {
        self->access.local = self->socket.local;
        status = start(self, err);
    }
    if (status) {
        prf_http_destroy(&self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

void prf_http_destroy(prf_http_t **self)
{
    if (!self || !*self)
        return;
    prf_http_t *http = *self;
    if (http->loop) {
        prf_loop_remove_fd(http->loop, http->epoll_fd);
        prf_loop_remove_fd(http->loop, http->again_fd);
    }
    while (http->first)
        prf_http_refuse(next(http), PRF_ECANCELLED, "the coordinator ends: ask again when it is back");
    if (http->daemon) {
        MHD_run(http->daemon); /* the last answers */
        MHD_stop_daemon(http->daemon);
    }
    if (http->again_fd >= 0)
        close(http->again_fd);
    free(http);
    *self = NULL;
}

const char *prf_http_url(const prf_http_t *self)
{
    return self->socket.url;
}

prf_status_t prf_http_watch(prf_http_t *self, prf_loop_t *loop, prf_loop_fn fn, void *arg, prf_error_t *err)
{
    self->loop = loop;
    prf_status_t status = prf_loop_add_fd(loop, self->epoll_fd, fn, arg, err);
    return status ? status : prf_loop_add_fd(loop, self->again_fd, fn, arg, err);
}

void prf_http_turn(prf_http_t *self)
{
    uint64_t count, until_ms = prf_clock_mono_ms() + TURN_MS;
    if (read(self->again_fd, &count, sizeof count) < 0) {
        /* nothing was due, which is as well */
    }
    MHD_run(self->daemon);
    while (self->first && prf_clock_mono_ms() < until_ms)
        prf_http_perform(next(self), &self->queries, self->ops);
    MHD_UNSIGNED_LONG_LONG wait_ms;
    if (self->first || (MHD_get_timeout(self->daemon, &wait_ms) == MHD_YES && wait_ms == 0))
        come_back(self);
}
