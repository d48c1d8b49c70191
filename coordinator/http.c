// SPDX-License-Identifier: Apache-2.0
/* http.c - the server: requests are read and judged by the library's callback, wait in one queue, and are done in the coordinator's
 * own time.
 *
 * The library runs without threads on an epoll descriptor that the loop watches. A request that was read whole is suspended and
 * queued; a turn does what is queued for TURN_MS at most, then lets the farm have its turn, as clients.c does with what it reads.
 * An operation that is answered when a commit is done stays suspended until then, which costs nothing. Where the library says that
 * it could go on at once, and when the queue is not empty, a descriptor of our own makes the loop come back.
 *
 * Files (http_assets.h) are answered as soon as they are asked for: they cost nothing. A viewer's stream (live.h) is suspended
 * while there is nothing to tell; a timer looks for news as long as there are viewers.
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
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http_access.h"
#include "http_assets.h"
#include "http_listen.h"
#include "http_request.h"

enum {
    HEADER_BYTES = 16 << 10, /* a connection's memory */
    SILENT_S = 10,
    STREAM_PIECE = 8 << 10,
    STREAM_AHEAD = 64 << 10, /* bytes on their way to a viewer */
    TURN_MS = 20
};

struct prf_http {
    struct MHD_Daemon *daemon; /* owned */
    prf_http_socket_t socket;  /* the daemon closes it */
    prf_http_access_t access;
    prf_http_means_t means;
    prf_http_peers_t peers;
    prf_loop_t *loop;                  /* borrowed; NULL: not watched yet */
    bool looking;                      /* a timer does, since there are viewers */
    int look_timer;                    /* that one */
    bool ending;                       /* viewers are told nothing more */
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

static const char *header(const prf_http_request_t *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static struct MHD_Response *text_response(prf_http_request_t *request)
{
    size_t len = request->answer.len;
    char *text = prf_text_take(&request->answer);
    struct MHD_Response *response = text ? MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE) : NULL;
    if (!response)
        free(text);
    return response;
}

/* The library's callback: the next piece of a stream. While there is none the connection is at rest, and costs nothing. */
static ssize_t read_stream(void *arg, uint64_t at, char *to, size_t cap)
{
    (void)at;
    prf_http_request_t *request = arg;
    if (request->server->ending)
        return MHD_CONTENT_READER_END_OF_STREAM;
    size_t len = prf_live_read(request->viewer, to, cap);
    if (len == 0)
        MHD_suspend_connection(request->connection);
    return (ssize_t)len;
}

/* What a viewer does not take is not to pile up in the kernel either, which would keep megabytes of what is no longer so. */
static struct MHD_Response *stream_response(prf_http_request_t *request)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int bytes = STREAM_AHEAD;
    if (info && setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) != 0)
        prf_log(PRF_LOG_DEBUG, "stream_not_limited error=\"%s\"", strerror(errno));
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_PIECE, read_stream, request, NULL);
}

static void add_headers(struct MHD_Response *response, const prf_http_request_t *request)
{
    static const char *const always[][2] = {
        {"X-Content-Type-Options", "nosniff"}, {"Content-Security-Policy", "default-src 'none'"}, {"Cache-Control", "no-store"}};
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, request->type);
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        MHD_add_response_header(response, always[i][0], always[i][1]);
    if (request->allow)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, request->allow);
    if (request->challenge)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (request->viewer)
        MHD_add_response_header(response, "X-Accel-Buffering", "no"); /* a proxy is to pass on what comes */
}

static struct MHD_Response *response_to(prf_http_request_t *request)
{
    if (request->asset && request->code == 0) {
        const prf_http_wish_t wish = {header(request, MHD_HTTP_HEADER_ACCEPT_ENCODING),
                                      header(request, MHD_HTTP_HEADER_IF_NONE_MATCH)};
        return prf_http_asset_response(request->asset, &wish, &request->code);
    }
    struct MHD_Response *response = request->viewer ? stream_response(request) : text_response(request);
    if (response)
        add_headers(response, request);
    return response;
}

static enum MHD_Result respond(prf_http_request_t *request)
{
    struct MHD_Response *response = response_to(request);
    if (!response)
        return MHD_NO; /* out of memory: the connection ends */
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

/* Has the library go on with a connection that is at rest. */
static void go_on(const prf_http_request_t *request)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED);
    if (!info || info->suspended == MHD_NO)
        return;
    MHD_resume_connection(request->connection);
    come_back(request->server); /* the library looks at it when it runs next, and does not say so */
}

void prf_http_answered(prf_http_request_t *request)
{
    request->answered = true;
    go_on(request);
}

/* prf_live_wake_fn */
static void wake(void *viewer_arg)
{
    go_on(viewer_arg);
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

/* Finds what is asked for, as far as the caller may know of it. */
static prf_status_t admit(const prf_http_t *self, prf_http_request_t *request, const prf_http_caller_t *caller, const char *method,
                          const char *path, prf_error_t *err)
{
    prf_role_t role;
    request->asset = prf_http_asset_find(path);
    if (request->asset) {
        prf_status_t status = prf_http_meant(caller, err);
        if (!status)
            (void)prf_http_method_fits(request, method, "GET");
        return status;
    }
    /* Whoever may not even read learns nothing of what there is, but whether the coordinator lives and gives out work: supervisors
     * carry no token. */
    prf_status_t status = prf_http_may(&self->access, caller, PRF_ROLE_VIEWER, &request->challenge, err);
    if (request->challenge && (strcmp(path, "/healthz") == 0 || strcmp(path, "/livez") == 0)) {
        request->challenge = false;
        request->stranger = true;
        (void)prf_http_route(request, method, path, &role);
        return PRF_OK;
    }
    if (!status && prf_http_route(request, method, path, &role))
        status = prf_http_may(&self->access, caller, role, &request->challenge, err);
    return status;
}

static void judge(const prf_http_t *self, prf_http_request_t *request, const char *method, const char *path)
{
    char address[PRF_HTTP_HOST] = "";
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info)
        prf_http_local_address(info->connect_fd, address);
    const prf_http_caller_t caller = {header(request, MHD_HTTP_HEADER_HOST), header(request, MHD_HTTP_HEADER_ORIGIN),
                                      header(request, MHD_HTTP_HEADER_AUTHORIZATION), address};
    prf_error_t err = {0};
    if (admit(self, request, &caller, method, path, &err))
        prf_http_refuse_as(request, request->challenge ? MHD_HTTP_UNAUTHORIZED : MHD_HTTP_FORBIDDEN, err.code, err.text);
    else if (!request->answered)
        check_body(request);
}

static void refuse_at_the_end(prf_http_request_t *request)
{
    prf_http_refuse(request, PRF_ECANCELLED, "the coordinator ends: ask again when it is back");
}

/* The library's callback: first with the header, then with pieces of the body, at last without any; and again when the connection
 * goes on with its answer. At the end nothing comes to rest any more: the library would abort. */
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
    if (self->ending && !request->answered && !request->asset)
        refuse_at_the_end(request);
    if (request->answered || request->asset)
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
    prf_live_leave(&request->viewer);
    free(request);
    *place = NULL;
}

/* MHD_AcceptPolicyCallback */
static enum MHD_Result on_knock(void *arg, const struct sockaddr *address, socklen_t len)
{
    (void)len;
    prf_http_t *self = arg;
    return prf_http_peers_may(&self->peers, address) ? MHD_YES : MHD_NO;
}

/* MHD_NotifyConnectionCallback */
static void on_connection(void *arg, struct MHD_Connection *connection, void **place, enum MHD_ConnectionNotificationCode what)
{
    (void)place;
    prf_http_t *self = arg;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info)
        (what == MHD_CONNECTION_NOTIFY_STARTED ? prf_http_peers_add : prf_http_peers_remove)(&self->peers, info->client_addr);
}

static prf_status_t start(prf_http_t *self, prf_error_t *err)
{
    self->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, on_knock, self, on_request, self, MHD_OPTION_LISTEN_SOCKET, self->socket.fd,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, self, MHD_OPTION_NOTIFY_CONNECTION, on_connection, self,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)PRF_HTTP_PEERS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENT_S,
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
    self->means = (prf_http_means_t){.queries = *queries, .ops = ops, .peers = &self->peers};
    self->last = &self->first;
    self->again_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    prf_status_t status = self->again_fd < 0 ? prf_fail_sys(err, errno, "HTTP server") : PRF_OK;
    if (!status)
        status = prf_live_new(&self->means.live, queries, ops, wake, err);
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
    http->ending = true;
    if (http->looking)
        prf_loop_remove_timer(http->loop, http->look_timer);
    if (http->means.live)
        prf_live_end(http->means.live);
    while (http->first)
        refuse_at_the_end(next(http));
    if (http->daemon) {
        MHD_run(http->daemon); /* the last answers */
        MHD_stop_daemon(http->daemon);
    }
    prf_live_destroy(&http->means.live);
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

static void look(void *arg)
{
    prf_http_t *self = arg;
    prf_live_look(self->means.live, prf_clock_mono_ms());
}

/* The timer is there as long as there are viewers. */
static void look_while_watched(prf_http_t *self)
{
    bool watched = prf_live_viewers(self->means.live) > 0;
    if (watched == self->looking)
        return;
    if (self->looking)
        prf_loop_remove_timer(self->loop, self->look_timer);
    prf_error_t err = {0};
    self->looking = watched && prf_loop_add_timer(self->loop, PRF_LIVE_MS, look, self, &self->look_timer, &err) == PRF_OK;
    if (watched && !self->looking)
        prf_log(PRF_LOG_WARN, "live_view_stands_still error=\"%s\" next=\"tries again\"", err.text);
}

void prf_http_turn(prf_http_t *self)
{
    uint64_t count, until_ms = prf_clock_mono_ms() + TURN_MS;
    if (read(self->again_fd, &count, sizeof count) < 0) {
        /* nothing was due, which is as well */
    }
    MHD_run(self->daemon);
    while (self->first && prf_clock_mono_ms() < until_ms)
        prf_http_perform(next(self), &self->means);
    look_while_watched(self);
    MHD_UNSIGNED_LONG_LONG wait_ms;
    if (self->first || (MHD_get_timeout(self->daemon, &wait_ms) == MHD_YES && wait_ms == 0))
        come_back(self);
}
