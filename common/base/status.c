// SPDX-License-Identifier: Apache-2.0
/* status.c - one table tells each code's name and exit code, so that they cannot drift apart. */
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int exit_code;
} table[PRF_STATUS_COUNT] = {
    [PRF_OK] = {"ok", 0},
    [PRF_EUSAGE] = {"usage", 2},
    [PRF_EINVAL] = {"invalid value", 3},
    [PRF_EPARSE] = {"malformed", 3},
    [PRF_EVERSION] = {"newer version", 3},
    [PRF_ECORRUPT] = {"corrupt", 3},
    [PRF_ENOTFOUND] = {"not found", 4},
    [PRF_EEXISTS] = {"exists", 4},
    [PRF_EBUSY] = {"in use", 5},
    [PRF_EUNSUPPORTED] = {"unsupported", 6},
    [PRF_EIO] = {"input/output", 7},
    [PRF_ENOSPC] = {"disk full", 8},
    [PRF_ENOMEM] = {"out of memory", 9},
    [PRF_ETIMEOUT] = {"timeout", 10},
    [PRF_EHANG] = {"hang", 11},
    [PRF_ECRASH] = {"crash", 11},
    [PRF_EPEER] = {"protocol", 12},
    [PRF_ECANCELLED] = {"cancelled", 130},
    [PRF_EINTERNAL] = {"internal", 70},
    [PRF_EDENIED] = {"not allowed", 13},
    [PRF_EIMPLAUSIBLE] = {"implausible value", 11},
};

const char *prf_status_name(prf_status_t code)
{
    return (unsigned)code < PRF_STATUS_COUNT ? table[code].name : "unknown";
}

int prf_exit_code(prf_status_t code)
{
    return (unsigned)code < PRF_STATUS_COUNT ? table[code].exit_code : 70;
}

static void set(prf_error_t *err, prf_status_t code, int sys_errno, const char *fmt, va_list args)
{
    err->code = code;
    err->sys_errno = sys_errno;
    vsnprintf(err->text, sizeof err->text, fmt, args);
}

prf_status_t(prf_fail)(prf_error_t *err, prf_status_t code, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        set(err, code, 0, fmt, args);
        va_end(args);
    }
    return code;
}

static prf_status_t from_errno(int sys_errno)
{
    switch (sys_errno) {
    case ENOSPC:
    case EDQUOT:
        return PRF_ENOSPC;
    case ENOMEM:
        return PRF_ENOMEM;
    case EADDRINUSE:
        return PRF_EBUSY;
    case ENOENT:
        return PRF_ENOTFOUND;
    default:
        return PRF_EIO;
    }
}

prf_status_t(prf_fail_sys)(prf_error_t *err, int sys_errno, const char *fmt, ...)
{
    prf_status_t code = from_errno(sys_errno);
    if (err) {
        va_list args;
        va_start(args, fmt);
        set(err, code, sys_errno, fmt, args);
        va_end(args);
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(sys_errno));
    }
    return code;
}

prf_status_t prf_fail_prefix(prf_error_t *err, prf_status_t code, const char *fmt, ...)
{
    if (!err)
        return code;
    char before[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(before, sizeof before, fmt, args);
    va_end(args);
    char after[sizeof err->text];
    snprintf(after, sizeof after, "%s", err->text);
    int used = snprintf(err->text, sizeof err->text, "%.200s: ", before);
    snprintf(err->text + used, sizeof err->text - (size_t)used, "%.270s", after);
    return err->code;
}
