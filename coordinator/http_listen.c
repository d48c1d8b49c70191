// SPDX-License-Identifier: Apache-2.0
/* http_listen.c - our own socket rather than the library's, so that what is wrong with an address is told in words. Addresses are
 * numeric: a name would have to be looked up, and may stand for several. */
#include "http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 64 };

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address_t;

static void host_of(const address_t *address, char host[PRF_HTTP_HOST])
{
    char text[INET6_ADDRSTRLEN] = "";
    if (address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
        inet_ntop(AF_INET, &address->v6.sin6_addr.s6_addr[12], text, sizeof text);
    else if (address->any.sa_family == AF_INET6)
        inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof text);
    else
        inet_ntop(AF_INET, &address->v4.sin_addr, text, sizeof text);
    snprintf(host, PRF_HTTP_HOST, strchr(text, ':') ? "[%s]" : "%s", text);
}

static bool is_local(const address_t *address)
{
    if (address->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
    return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
}

static prf_status_t parse(address_t *out, socklen_t *len, const char *where, prf_error_t *err)
{
    const char *colon = strrchr(where, ':');
    char host[PRF_HTTP_HOST];
    size_t used = colon ? (size_t)(colon - where) : 0;
    bool bracketed = used > 2 && where[0] == '[' && where[used - 1] == ']';
    if (used == 0 || used >= sizeof host || (!bracketed && memchr(where, ':', used)))
        return prf_fail(err, PRF_EUSAGE, "--http %.100s: use ADDRESS:PORT, such as 127.0.0.1:7780 or [::1]:7780", where);
    snprintf(host, sizeof host, "%.*s", (int)(bracketed ? used - 2 : used), bracketed ? where + 1 : where);
    const char *port = strcmp(colon + 1, "*") == 0 ? "0" : colon + 1;
    size_t digits = strlen(port);
    if (digits < 1 || digits > 5 || strspn(port, "0123456789") != digits || (digits == 5 && strcmp(port, "65535") > 0))
        return prf_fail(err, PRF_EUSAGE, "--http %.100s: use a port from 1 to 65535, or * to let the system choose", where);
    struct addrinfo wanted = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, port, &wanted, &found) != 0)
        return prf_fail(err, PRF_EUSAGE, "--http %.100s: '%s' is no address: use one as a number, such as 127.0.0.1 or [::1]",
                        where, host);
    *len = found->ai_addrlen;
    memcpy(out, found->ai_addr, found->ai_addrlen < sizeof *out ? found->ai_addrlen : sizeof *out);
    freeaddrinfo(found);
    return PRF_OK;
}

static prf_status_t bind_to(int fd, const address_t *address, socklen_t len, const char *where, prf_error_t *err)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* so that a restart need not wait for old connections */
    if (bind(fd, &address->any, len) == 0 && listen(fd, BACKLOG) == 0)
        return PRF_OK;
    if (errno == EADDRINUSE)
        return prf_fail(err, PRF_EBUSY, "--http %.100s: the port is in use: choose another one, or * to let the system choose",
                        where);
    return prf_fail_sys(err, errno, "--http %.100s", where);
}

prf_status_t prf_http_listen(prf_http_socket_t *out, const char *where, bool open, prf_error_t *err)
{
    address_t address;
    socklen_t len;
    prf_status_t status = parse(&address, &len, where, err);
    if (status)
        return status;
    if (!is_local(&address) && !open)
        return prf_fail(err, PRF_EUSAGE,
                        "--http %.100s: other machines could reach it, and whoever can may read all: bind 127.0.0.1:PORT or "
                        "[::1]:PORT, or give --http-token FILE, whose first line is then asked of everybody",
                        where);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return prf_fail_sys(err, errno, "--http %.100s", where);
    status = bind_to(fd, &address, len, where, err);
    len = sizeof address;
    if (!status && getsockname(fd, &address.any, &len) != 0)
        status = prf_fail_sys(err, errno, "--http %.100s", where);
    if (status) {
        close(fd);
        return status;
    }
    char host[PRF_HTTP_HOST];
    host_of(&address, host);
    unsigned port = ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
    *out = (prf_http_socket_t){.fd = fd, .local = is_local(&address)};
    snprintf(out->url, sizeof out->url, "http://%s:%u", host, port);
    return PRF_OK;
}

bool prf_http_local_address(int fd, char host[PRF_HTTP_HOST])
{
    address_t address;
    socklen_t len = sizeof address;
    if (getsockname(fd, &address.any, &len) != 0 || (address.any.sa_family != AF_INET && address.any.sa_family != AF_INET6))
        return false;
    host_of(&address, host);
    return true;
}
