// SPDX-License-Identifier: Apache-2.0
/* process.h - child processes that never outlive their parent. Used by `prfarm run` (coordinator, workers), by the worker
 * (backend children, exec programs) and by the tests. Not shared between threads. */
#ifndef PRF_BASE_PROCESS_H
#define PRF_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

typedef struct {
    pid_t pid; /* also its process group; 0: none */
    int fd;    /* our end of a stream socket pair, the child's is descriptor 3; -1: none */
    int in;    /* write here to the child's standard input; -1: none */
    int out;   /* read here what the child prints; -1: none */
} prf_process_t;

typedef struct {
    bool socket;     /* give the child a socket pair on descriptor 3 */
    bool pipes;      /* connect its standard input and output to us */
    bool merged;     /* with pipes: its standard error goes where its standard output goes */
    const char *log; /* append its standard error (and output, unless piped) to this file; NULL: inherit. Borrowed */
} prf_process_options_t;

/* Starts argv[0] (looked up in PATH) without a shell, in a process group of its own, with a parent-death signal. Every
 * other descriptor is closed in it. argv is borrowed, NULL-terminated. On failure *out is untouched.
 * Errors: PRF_ENOTFOUND (no such program), PRF_EIO, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_process_start(prf_process_t *out, const char *const argv[], const prf_process_options_t *options,
                                           prf_error_t *err);
/* True once the child has ended; then *wait_status (may be NULL) holds what waitpid told and pid is 0. Never blocks. */
bool prf_process_ended(prf_process_t *self, int *wait_status);
/* The same, waiting for it, for `limit_ms` at most. */
bool prf_process_await(prf_process_t *self, uint64_t limit_ms, int *wait_status);
/* SIGTERM to the group, SIGKILL after `grace_ms`, reap, close the descriptors. grace_ms = 0 kills at once. NULL-safe. */
void prf_process_stop(prf_process_t *self, unsigned grace_ms);
/* One line for people: "exit code 3", "signal 11 (Segmentation fault)". */
void prf_process_describe(int wait_status, char *text, size_t cap);
/* Whether a terminal that is closed (SIGHUP) is to end this program: not under nohup(1), which has it ignored. */
bool prf_process_minds_hangup(void);
/* Raises this process's limit of descriptors to its hard limit, `most` at most, for who serves many connections. Returns what it is
 * now. */
unsigned long long prf_process_raise_descriptors(unsigned long long most);
/* Path of a program installed beside the running one, or its bare name when there is none there. */
void prf_process_sibling(const char *name, char *path, size_t cap);

#endif
