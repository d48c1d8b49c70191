// SPDX-License-Identifier: Apache-2.0
/* endpoint.c - a farm's word is split into three endpoints, then each is checked by the same rules, however it was written.
 *
 * A host may be a name, an IPv4 address, an IPv6 address in brackets, an interface or '*'; whether it exists is for the resolver
 * to say. What ZeroMQ would accept beyond that (source addresses behind ';', wildcard ipc paths) is refused. */
#include "net/endpoint.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { IPC_PATH_MAX = sizeof((struct sockaddr_un *)0)->sun_path - 1 };

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* 1 to 65535, 0 for '*', -1 for anything else. */
static long port_number(const char *text)
{
    if (strcmp(text, "*") == 0)
        return 0;
    size_t len = strlen(text);
    if (len < 1 || len > 5 || strspn(text, "0123456789") != len)
        return -1;
    long port = strtol(text, NULL, 10);
    return port >= 1 && port <= 65535 ? port : -1;
}

static bool host_ok(const char *host, size_t len)
{
    if (len == 1 && *host == '*')
        return true;
    bool bracketed = len > 2 && host[0] == '[' && host[len - 1] == ']';
    if (bracketed) {
        host++;
        len -= 2;
    }
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)host[i]) && !strchr(bracketed ? ":.%" : "._-", host[i]))
            return false;
    return len > 0;
}

static prf_status_t check_tcp(const char *endpoint, prf_error_t *err)
{
    const char *host = endpoint + strlen("tcp://");
    const char *colon = strrchr(host, ':');
    if (!colon || !host_ok(host, (size_t)(colon - host)))
        return prf_fail(err, PRF_EINVAL, "endpoint '%.100s': use tcp://HOST:PORT", endpoint);
    if (port_number(colon + 1) < 0)
        return prf_fail(err, PRF_EINVAL, "endpoint '%.100s': use a port from 1 to 65535, or * to let the system choose", endpoint);
    return PRF_OK;
}

static prf_status_t check_ipc(const char *endpoint, prf_error_t *err)
{
    const char *path = endpoint + strlen("ipc://");
    if (!*path || strcmp(path, "*") == 0 || strcmp(path, "@") == 0)
        return prf_fail(err, PRF_EINVAL, "endpoint '%.100s': use ipc://PATH", endpoint);
    if (strlen(path) > IPC_PATH_MAX)
        return prf_fail(err, PRF_EINVAL, "ipc path '%.120s' has %zu bytes, a socket's name at most %d: use a shorter folder", path,
                        strlen(path), (int)IPC_PATH_MAX);
    return PRF_OK;
}

prf_status_t prf_endpoint_check(const char *endpoint, prf_error_t *err)
{
    if (strlen(endpoint) >= PRF_ENDPOINT)
        return prf_fail(err, PRF_EINVAL, "endpoint '%.60s...': longer than %d bytes: use a shorter one", endpoint,
                        PRF_ENDPOINT - 1);
    for (const char *p = endpoint; *p; p++)
        if (iscntrl((unsigned char)*p) || *p == ',')
            return prf_fail(err, PRF_EINVAL,
                            "endpoint with a control character or a comma in it: use tcp://HOST:PORT or ipc://PATH");
    if (starts(endpoint, "tcp://"))
        return check_tcp(endpoint, err);
    if (starts(endpoint, "ipc://"))
        return check_ipc(endpoint, err);
    return prf_fail(err, PRF_EINVAL, "endpoint '%.100s': use tcp://HOST:PORT or ipc://PATH", endpoint);
}

static prf_status_t split_three(char parts[3][PRF_ENDPOINT], const char *farm, prf_error_t *err)
{
    const char *at = farm;
    for (int i = 0; i < 3; i++) {
        size_t len = strcspn(at, ",");
        if ((at[len] == ',') != (i < 2) || len >= PRF_ENDPOINT)
            return prf_fail(err, PRF_EINVAL,
                            "farm '%.120s': use one endpoint, or three joined by commas (workers, clients, broadcast)", farm);
        memcpy(parts[i], at, len);
        parts[i][len] = '\0';
        at += len + 1;
    }
    return PRF_OK;
}

static prf_status_t expand_tcp(char parts[3][PRF_ENDPOINT], const char *farm, prf_error_t *err)
{
    const char *colon = strrchr(farm, ':');
    long port = port_number(colon + 1);
    if (port > 65533)
        return prf_fail(err, PRF_EINVAL, "farm '%.100s': the next two ports are used, too: use a port up to 65533", farm);
    for (int i = 0; i < 3; i++) {
        if (port == 0)
            snprintf(parts[i], PRF_ENDPOINT, "%s", farm);
        else
            snprintf(parts[i], PRF_ENDPOINT, "%.*s%ld", (int)(colon + 1 - farm), farm, port + i);
    }
    return PRF_OK;
}

static prf_status_t expand(char parts[3][PRF_ENDPOINT], const char *farm, prf_error_t *err)
{
    if (strchr(farm, ','))
        return split_three(parts, farm, err);
    prf_status_t status = prf_endpoint_check(farm, err);
    if (status)
        return status;
    if (starts(farm, "tcp://"))
        return expand_tcp(parts, farm, err);
    static const char *const suffixes[3] = {"workers", "clients", "broadcast"};
    for (int i = 0; i < 3; i++)
        snprintf(parts[i], PRF_ENDPOINT, "%s.%s", farm, suffixes[i]);
    return PRF_OK;
}

const char *prf_farm_or_default(const char *given)
{
    const char *farm = given ? given : getenv("PRFARM_FARM");
    return farm && *farm ? farm : PRF_FARM_DEFAULT;
}

prf_status_t prf_endpoints_parse(prf_endpoints_t *out, const char *farm, prf_error_t *err)
{
    char parts[3][PRF_ENDPOINT];
    prf_status_t status = expand(parts, farm, err);
    for (int i = 0; !status && i < 3; i++)
        status = prf_endpoint_check(parts[i], err);
    if (status)
        return status;
    for (int i = 0; i < 3; i++) {
        const char *other = parts[(i + 1) % 3];
        if (strcmp(parts[i], other) == 0 && !(starts(other, "tcp://") && other[strlen(other) - 1] == '*'))
            return prf_fail(err, PRF_EINVAL, "farm names '%.100s' twice: use three different endpoints", other);
    }
    memcpy(out->workers, parts[0], PRF_ENDPOINT);
    memcpy(out->clients, parts[1], PRF_ENDPOINT);
    memcpy(out->broadcast, parts[2], PRF_ENDPOINT);
    return PRF_OK;
}

void prf_endpoints_format(const prf_endpoints_t *endpoints, char text[3 * PRF_ENDPOINT])
{
    snprintf(text, 3 * PRF_ENDPOINT, "%s,%s,%s", endpoints->workers, endpoints->clients, endpoints->broadcast);
}

/* By form, not by asking a resolver: a name that happens to resolve to loopback today proves nothing. */
static bool local(const char *endpoint)
{
    if (starts(endpoint, "ipc://"))
        return true;
    if (starts(endpoint, "tcp://localhost:") || starts(endpoint, "tcp://[::1]:"))
        return true;
    unsigned a, b, c, d;
    int used = 0;
    return sscanf(endpoint, "tcp://%3u.%3u.%3u.%3u:%n", &a, &b, &c, &d, &used) == 4 && used > 0 && a == 127 && b < 256 && c < 256 &&
           d < 256;
}

bool prf_endpoints_local(const prf_endpoints_t *endpoints)
{
    return local(endpoints->workers) && local(endpoints->clients) && local(endpoints->broadcast);
}
