// SPDX-License-Identifier: Apache-2.0
/* server.h - what is measured: prfarm-coordinator with a campaign, or the floor (floor.c), as a process of its own in a fresh
 * folder. Ends the program with a message when something fails. */
#ifndef PRF_BENCH_SERVER_H
#define PRF_BENCH_SERVER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/process.h"
#include "net/endpoint.h"

typedef enum {
    SERVE_FLOOR,
    SERVE_PRFARM,
    SERVE_MEMORY, /* prfarm with its store in memory: what it would do if nothing had to be durable */
    SERVERS
} serve_t;

typedef struct {
    serve_t what;
    prf_process_t process;
    char folder[128], farm[3 * PRF_ENDPOINT], workers[PRF_ENDPOINT], broadcast[PRF_ENDPOINT];
    bool watched;   /* it serves HTTP */
    char http[128]; /* there */
} server_t;

typedef struct {
    double cpu_s;  /* of all its threads, since it was started */
    double rss_mb; /* the most that it ever held */
} usage_t;

const char *server_name(serve_t what);
/* `scratch`: a folder on the disk that is meant. */
void server_start(server_t *server, serve_t what, const char *scratch);
void server_start_watched(server_t *server, const char *scratch); /* SERVE_PRFARM, with HTTP */
void server_halt(server_t *server);                               /* kills it; its folder stays */
void server_resume(server_t *server);                             /* the coordinator that was halted, on what it left behind */

/* A campaign of fully connected layers. */
typedef struct {
    const char *name;
    uint64_t seed;     /* another one asks for other layers */
    size_t samples;    /* at most 1,000,000; the first 40 % come before a training */
    size_t validation; /* measurements of layers to judge by, at most 1,600,000: all of them come before a training */
    bool sweeps;       /* look for steps first, which comes in rounds; else they are given */
} order_t;

void server_order(const server_t *server, const order_t *order);
/* A campaign of small fully connected layers, `samples` of them. */
void server_submit(const server_t *server, size_t samples);
json_t *server_call(const server_t *server, const char *op, json_t *in); /* new reference */
void server_usage(const server_t *server, usage_t *out);
void process_usage(pid_t pid, usage_t *out);
/* What the process says of itself in its first line, which is one text of `format`. */
void await_line(prf_process_t *process, const char *what, const char *format, char *out);
void server_store(const server_t *server, char *path, size_t cap); /* folder of its store */
void server_stop(server_t *server);                                /* kills it, and removes its folder */

#endif
