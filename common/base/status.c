// SPDX-License-Identifier: Apache-2.0
/* status.c - one table tells each code's name and exit code, so that they cannot drift apart.
 *
 * What helps is told here, too, where it is the same wherever an error comes from: some 400 places tell what they had no memory
 * for, or which file it was, and none of them repeats what to do about it. */
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PREFIX_LEAST = 100 }; /* bytes of a prefix that are kept beside a long text */

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
    [PRF_EDIFFERS] = {"differs", 1},
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

/* The text gives way where both do not fit. One that has the remedy already was passed on, by a peer for instance. */
static void add_remedy(prf_error_t *err, const char *remedy)
{
    size_t used = strlen(err->text), most = sizeof err->text - sizeof ": " - strlen(remedy);
    if (strstr(err->text, remedy))
        return;
    if (used > most)
        used = most;
    snprintf(err->text + used, sizeof err->text - used, ": %s", remedy);
}

/* What helps against any error of this code; NULL: each message tells its own. */
static const char *remedy_of(prf_status_t code)
{
    switch (code) {
    case PRF_ENOMEM:
        return "free some, or use a machine with more";
    case PRF_EINTERNAL:
        return "this is a fault of prfarm, please report it";
    default:
        return NULL;
    }
}

/* "a frame of 9 bytes" -> "out of memory for a frame of 9 bytes: free some, or use a machine with more" */
static void complete(prf_error_t *err)
{
    const char *remedy = remedy_of(err->code);
    if (!remedy || strstr(err->text, remedy))
        return;
    if (err->code == PRF_ENOMEM) {
        static const char before[] = "out of memory for ";
        memmove(err->text + sizeof before - 1, err->text, sizeof err->text - sizeof before);
        memcpy(err->text, before, sizeof before - 1);
        err->text[sizeof err->text - 1] = '\0';
    }
    add_remedy(err, remedy);
}

prf_status_t(prf_fail)(prf_error_t *err, prf_status_t code, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        set(err, code, 0, fmt, args);
        va_end(args);
        complete(err);
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

static const char *remedy_of_errno(int sys_errno)
{
    switch (sys_errno) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
        return "check the path";
    case EACCES:
    case EPERM:
        return "check whose it is and who may use it";
    case EROFS:
        return "choose a place that can be written";
    case ENOSPC:
    case EDQUOT:
        return "make room, then try again";
    case ENOMEM:
        return remedy_of(PRF_ENOMEM);
    case EMFILE:
    case ENFILE:
        return "raise the limit of open files (ulimit -n)";
    case EAGAIN:
        return "raise the limit of processes (ulimit -u), or try again later";
    case EADDRINUSE:
        return "end the program that has it, or choose another one";
    default:
        return "the system's log may tell more (dmesg, journalctl)";
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
        add_remedy(err, remedy_of_errno(sys_errno));
    }
    return code;
}

prf_status_t prf_fail_remedy(prf_error_t *err, prf_status_t code, const char *remedy)
{
    if (!err)
        return code;
    add_remedy(err, remedy);
    return err->code;
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
    /* The end has the remedy, so it is the place that is cut short. */
    size_t room = sizeof err->text - sizeof ": ", len = strlen(after);
    int most = room > len + PREFIX_LEAST ? (int)(room - len) : PREFIX_LEAST;
    int used = snprintf(err->text, sizeof err->text, "%.*s: ", most, before);
    snprintf(err->text + used, sizeof err->text - (size_t)used, "%s", after);
    return err->code;
}
