// SPDX-License-Identifier: Apache-2.0
/* status.h - how every fallible function of prfarm reports its outcome. Pure; any thread.
 *
 * A function that can fail returns prf_status_t and, when the caller passes one, fills a prf_error_t with a sentence that
 * names the thing, the place and the remedy: "campaign.yaml:14: conv2d.c: 0..512 starts below 1: use 1 to 1048576". Callers branch
 * on the code, people read the text. tests/errors/list shows all of them, and its check fails over one that leaves its reader
 * without a remedy. */
#ifndef PRF_BASE_STATUS_H
#define PRF_BASE_STATUS_H

#include <stdarg.h>
#include <stddef.h>

#define PRF_CHECKED __attribute__((warn_unused_result))
#define PRF_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

typedef enum {
    PRF_OK = 0,
    PRF_EUSAGE,       /* the command line is wrong */
    PRF_EINVAL,       /* a value is outside what its place allows */
    PRF_EPARSE,       /* text or bytes do not have the form they must have */
    PRF_EVERSION,     /* written by a newer prfarm */
    PRF_ECORRUPT,     /* a checksum or a structure does not hold */
    PRF_ENOTFOUND,    /* the named thing does not exist */
    PRF_EEXISTS,      /* it exists already */
    PRF_EBUSY,        /* somebody else has it: a port, a store */
    PRF_EUNSUPPORTED, /* this board or program cannot do that */
    PRF_EIO,          /* the operating system refused */
    PRF_ENOSPC,       /* the disk is full */
    PRF_ENOMEM,       /* out of memory */
    PRF_ETIMEOUT,     /* no answer in time */
    PRF_EHANG,        /* a backend did not finish a job in time */
    PRF_ECRASH,       /* a backend died */
    PRF_EPEER,        /* a peer broke the protocol */
    PRF_ECANCELLED,   /* a person or a signal stopped it */
    PRF_EINTERNAL,    /* our own bug */
    PRF_EDENIED,      /* this key, or a program without one, is not allowed to do that */
    PRF_EIMPLAUSIBLE, /* a board told a latency that cannot be */
    PRF_EDIFFERS,     /* two things that were to agree do not */
    PRF_STATUS_COUNT
} prf_status_t;

typedef struct {
    prf_status_t code;
    int sys_errno;  /* errno of the failed call, 0 when none */
    char text[480]; /* one line, no newline, no secrets */
} prf_error_t;

/* Fills *err (may be NULL) and returns `code`, so that a function can `return prf_fail(err, PRF_EINVAL, "...")`.
 * For PRF_ENOMEM the text names what the memory was for, "a frame of 9 bytes"; that it ran out and what helps is added here, as
 * for PRF_EINTERNAL. A text that was passed on and has it already stays as it is. */
prf_status_t prf_fail(prf_error_t *err, prf_status_t code, const char *fmt, ...) PRF_PRINTF(3, 4);

/* The static analyser does not follow variadic calls; this tells it that what comes back is `code`. */
#ifdef __clang_analyzer__
#define prf_fail(err, code, ...) ((prf_fail)(err, code, __VA_ARGS__), (code))
#endif

/* The same for a failed system call: appends strerror(sys_errno); ENOSPC and EDQUOT become PRF_ENOSPC, ENOMEM PRF_ENOMEM,
 * EADDRINUSE PRF_EBUSY, ENOENT PRF_ENOTFOUND, everything else PRF_EIO. What helps against that errno comes last, so that the
 * text need only name the file or the thing. */
prf_status_t prf_fail_sys(prf_error_t *err, int sys_errno, const char *fmt, ...) PRF_PRINTF(3, 4);

#ifdef __clang_analyzer__ /* as above: whatever it becomes, it is a failure */
#define prf_fail_sys(err, sys_errno, ...) ((prf_fail_sys)(err, sys_errno, __VA_ARGS__), PRF_EIO)
#endif

/* Puts "prefix: " before the text that *err already holds and returns its code. NULL-safe: then returns `code`. */
prf_status_t prf_fail_prefix(prf_error_t *err, prf_status_t code, const char *fmt, ...) PRF_PRINTF(3, 4);

/* Puts ": remedy" behind the text that *err already holds, unless it is in it, and returns its code: for a caller whose callees
 * know what is wrong and where, but not what it is a part of. NULL-safe: then returns `code`. */
prf_status_t prf_fail_remedy(prf_error_t *err, prf_status_t code, const char *remedy);

/* Stable lower-case name ("ok", "invalid value", ...); never NULL. */
const char *prf_status_name(prf_status_t code);

/* The exit code that a program ends with for `code`; the table is in docs/manual/exit-codes.md. */
int prf_exit_code(prf_status_t code);

#endif
