// SPDX-License-Identifier: Apache-2.0
#include "http_access.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static prf_status_t check_private(const char *path, int fd, prf_error_t *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return prf_fail_sys(err, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return prf_fail(err, PRF_EINVAL, "%s: not a regular file: name the one that holds the token", path);
    if (st.st_mode & 077)
        return prf_fail(err, PRF_EDENIED,
                        "%s holds the token for HTTP, and other users can get at it (mode %03o): 'chmod 600 %s', and if others may "
                        "have read it, write another one",
                        path, (unsigned)st.st_mode & 0777, path);
    return PRF_OK;
}

static prf_status_t take_line(prf_http_access_t *self, const char *path, const char *text, prf_error_t *err)
{
    size_t len = strcspn(text, "\r\n");
    bool printable = true;
    for (size_t i = 0; i < len; i++)
        printable = printable && text[i] > ' ' && text[i] < 0x7f;
    if (len < PRF_HTTP_TOKEN_LEAST || len >= PRF_HTTP_TOKEN || !printable)
        return prf_fail(
            err, PRF_EINVAL,
            "%s: its first line is the token for HTTP, %d to %d printable characters without spaces: 'openssl rand -hex "
            "32' makes one",
            path, PRF_HTTP_TOKEN_LEAST, PRF_HTTP_TOKEN - 1);
    memset(self->token, 0, sizeof self->token);
    memcpy(self->token, text, len);
    return PRF_OK;
}

prf_status_t prf_http_token_load(prf_http_access_t *self, const char *path, prf_error_t *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return prf_fail_sys(err, errno, "--http-token %s", path);
    prf_status_t status = check_private(path, fd, err);
    char text[PRF_HTTP_TOKEN + 2] = "";
    if (!status && read(fd, text, sizeof text - 1) < 0)
        status = prf_fail_sys(err, errno, "--http-token %s", path);
    close(fd);
    if (!status)
        status = take_line(self, path, text, err);
    sodium_memzero(text, sizeof text);
    return status;
}

/* Compared as a whole, whatever its length, so that the time tells nothing. */
static bool token_holds(const prf_http_access_t *self, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    char given[PRF_HTTP_TOKEN] = "";
    if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *token = authorization + sizeof scheme - 1;
    size_t len = strlen(token);
    if (len == 0 || len >= sizeof given)
        return false;
    memcpy(given, token, len);
    bool same = sodium_memcmp(given, self->token, sizeof given) == 0;
    sodium_memzero(given, sizeof given);
    return same && self->token[0];
}

/* Without its port, which a tunnel may have changed. A name would be one that somebody else's page made to stand for this machine.
 */
static bool host_is_ours(const prf_http_caller_t *caller)
{
    if (!caller->host) /* HTTP/1.0, which no browser speaks */
        return true;
    const char *colon = strrchr(caller->host, ':'), *bracket = strchr(caller->host, ']');
    size_t len = colon && (!bracket || colon > bracket) ? (size_t)(colon - caller->host) : strlen(caller->host);
    const char *const ours[] = {"localhost", "127.0.0.1", "[::1]", caller->local_address};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strlen(ours[i]) == len && strncasecmp(caller->host, ours[i], len) == 0)
            return true;
    return false;
}

static bool origin_is_ours(const prf_http_caller_t *caller)
{
    static const char scheme[] = "http://";
    return !caller->origin || (caller->host && strncasecmp(caller->origin, scheme, sizeof scheme - 1) == 0 &&
                               strcasecmp(caller->origin + sizeof scheme - 1, caller->host) == 0);
}

prf_status_t prf_http_meant(const prf_http_caller_t *caller, prf_error_t *err)
{
    if (!host_is_ours(caller))
        return prf_fail(err, PRF_EDENIED, "host '%.100s' is not this server: use its address, or localhost", caller->host);
    if (!origin_is_ours(caller))
        return prf_fail(err, PRF_EDENIED, "a page from '%.100s' may not use this server: open the server's own address",
                        caller->origin);
    return PRF_OK;
}

prf_status_t prf_http_may(const prf_http_access_t *self, const prf_http_caller_t *caller, prf_role_t role, bool *challenge,
                          prf_error_t *err)
{
    *challenge = false;
    prf_status_t status = prf_http_meant(caller, err);
    if (status)
        return status;
    if (self->local && role == PRF_ROLE_VIEWER)
        return PRF_OK;
    if (!self->token[0])
        return prf_fail(err, PRF_EDENIED,
                        "nothing can be changed over HTTP, because the coordinator has no token: start it with --http-token FILE");
    if (token_holds(self, caller->authorization))
        return PRF_OK;
    *challenge = true;
    return prf_fail(err, PRF_EDENIED,
                    "%s the token: send 'Authorization: Bearer TOKEN' with the first line of the coordinator's "
                    "--http-token file",
                    caller->authorization ? "that is not" : "this takes");
}
