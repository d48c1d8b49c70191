// SPDX-License-Identifier: Apache-2.0
/* address.c - sockets by hand: ZeroMQ would read what only passes through here.
 *
 * A listener that is shut is a socket that is bound and does not listen. Closing it would give the port away; taking connections
 * and closing them would look to workers like a farm that hangs up on their keys. */
#define _GNU_SOURCE /* accept4 */
#include "address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/endpoint.h"

enum {
    BACKLOG = 4096,
    QUIET_S = 15, /* as sockets of net/net.c: a connection whose other end lost power is given up after 20 s */
    PROBE_S = 5,
    DEAD_MS = 20000
};

/* "host:port" behind tcp://, brackets and '*' as getaddrinfo does not know them. True: there were brackets. */
static bool split(const char *rest, char host[PRF_ENDPOINT], char port[8])
{
    const char *colon = strrchr(rest, ':');
    size_t len = (size_t)(colon - rest);
    bool bracketed = len > 2 && rest[0] == '[';
    snprintf(host, PRF_ENDPOINT, "%.*s", (int)(bracketed ? len - 2 : len), bracketed ? rest + 1 : rest);
    snprintf(port, 8, "%s", strcmp(colon + 1, "*") == 0 ? "0" : colon + 1);
    return bracketed;
}

static prf_status_t resolve_tcp(prf_address_t *out, const char *endpoint, prf_error_t *err)
{
    char host[PRF_ENDPOINT], port[8];
    bool bracketed = split(endpoint + strlen("tcp://"), host, port);
    const struct addrinfo hints = {.ai_family = bracketed ? AF_INET6 : AF_INET, /* as ZeroMQ in the other programs (net/net.c) */
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int e = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints, &found);
    if (e)
        return prf_fail(err, PRF_ENOTFOUND, "%s: %s: give an address, or a name that is known here", endpoint, gai_strerror(e));
    memcpy(&out->bytes, found->ai_addr, found->ai_addrlen);
    out->len = found->ai_addrlen;
    freeaddrinfo(found);
    return PRF_OK;
}

static void resolve_ipc(prf_address_t *out, const char *endpoint)
{
    const char *path = endpoint + strlen("ipc://");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path); /* prf_endpoint_check has seen that it fits */
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    memcpy(&out->bytes, &address, sizeof address);
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] != '@'));
}

prf_status_t prf_address_resolve(prf_address_t *out, const char *endpoint, prf_error_t *err)
{
    prf_address_t address = {.len = 0};
    prf_status_t status = prf_endpoint_check(endpoint, err);
    if (!status && strncmp(endpoint, "tcp://", 6) == 0)
        status = resolve_tcp(&address, endpoint, err);
    else if (!status)
        resolve_ipc(&address, endpoint);
    if (status)
        return status;
    snprintf(address.text, sizeof address.text, "%s", endpoint);
    *out = address;
    return PRF_OK;
}

static void set_options(int fd)
{
    const int on = 1, quiet = QUIET_S, probe = PROBE_S, dead = DEAD_MS;
    /* They fail on an ipc socket, which needs none of them. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &quiet, sizeof quiet);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &probe, sizeof probe);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof dead);
}

int prf_address_dial(const prf_address_t *address)
{
    int fd = socket(address->bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    set_options(fd);
    if (connect(fd, (const struct sockaddr *)&address->bytes, address->len) == 0 || errno == EINPROGRESS)
        return fd;
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

int prf_address_failed(int fd)
{
    int e = 0;
    socklen_t len = sizeof e;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) == 0 ? e : errno;
}

static prf_status_t bind_it(prf_listener_t *self, prf_error_t *err)
{
    const int on = 1;
    prf_address_t *address = &self->address;
    int fd = socket(address->bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return prf_fail_sys(err, errno, "%s", address->text);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&address->bytes, address->len) == 0) {
        self->fd = fd;
        return PRF_OK;
    }
    int e = errno;
    close(fd);
    if (e == EADDRINUSE)
        return prf_fail(err, PRF_EBUSY, "%s is in use: another program runs there, or choose another with --farm", address->text);
    if (e == EADDRNOTAVAIL)
        return prf_fail(err, PRF_EINVAL, "%s: not an address of this machine: use one, or * for all", address->text);
    return prf_fail_sys(err, e, "cannot bind %s", address->text);
}

/* The port that the system chose becomes the address's. */
static void note_port(prf_listener_t *self)
{
    struct sockaddr_storage bytes = {0};
    socklen_t len = sizeof bytes;
    if (getsockname(self->fd, (struct sockaddr *)&bytes, &len) != 0)
        return;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memcpy(&v4, &bytes, sizeof v4);
    memcpy(&v6, &bytes, sizeof v6);
    in_port_t port = bytes.ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port;
    self->address.bytes = bytes;
    char *colon = strrchr(self->address.text, ':');
    snprintf(colon + 1, sizeof self->address.text - (size_t)(colon + 1 - self->address.text), "%u", ntohs(port));
}

prf_status_t prf_listener_init(prf_listener_t *self, const char *endpoint, prf_error_t *err)
{
    prf_listener_t listener = {.fd = -1};
    if (strncmp(endpoint, "tcp://", 6) != 0)
        return prf_fail(err, PRF_EINVAL, "%s: a site's workers dial over TCP: use tcp://HOST:PORT", endpoint);
    prf_status_t status = prf_address_resolve(&listener.address, endpoint, err);
    if (!status)
        status = bind_it(&listener, err);
    if (status)
        return status;
    note_port(&listener);
    /* Two may be bound to one port as long as neither listens. */
    status = prf_listener_open(&listener, err);
    prf_listener_shut(&listener);
    if (status)
        prf_listener_release(&listener);
    else
        *self = listener;
    return status;
}

void prf_listener_release(prf_listener_t *self)
{
    if (self->fd >= 0)
        close(self->fd);
    *self = (prf_listener_t){.fd = -1};
}

prf_status_t prf_listener_open(prf_listener_t *self, prf_error_t *err)
{
    prf_status_t status = self->fd < 0 ? bind_it(self, err) : PRF_OK;
    if (status || self->open)
        return status;
    if (listen(self->fd, BACKLOG) != 0)
        return prf_fail_sys(err, errno, "%s", self->address.text);
    self->open = true;
    return PRF_OK;
}

/* A socket cannot stop listening: another one takes its place. */
void prf_listener_shut(prf_listener_t *self)
{
    if (!self->open)
        return;
    self->open = false;
    close(self->fd);
    self->fd = -1;
    if (bind_it(self, NULL))
        self->fd = -1; /* prf_listener_open tries again, and says why it cannot */
}

int prf_listener_accept(prf_listener_t *self)
{
    int fd = accept4(self->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        set_options(fd);
    return fd;
}
