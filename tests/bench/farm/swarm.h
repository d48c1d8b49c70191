// SPDX-License-Identifier: Apache-2.0
/* swarm.h - the load: any number of workers played by one thread, each with a connection of its own. What they say is up to the
 * player (players.c): the real protocol, or the floor's. Bare libzmq, so that the load takes as little as possible of the machine
 * that it shares with what is measured. Ends the program with a message when something fails. */
#ifndef PRF_BENCH_SWARM_H
#define PRF_BENCH_SWARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct swarm swarm_t;

/* What is measured. A job's latency is the time from its arrival at the worker to the arrival of its acknowledgement: the way of
 * one frame each way, and what the server does in between, the commit included. */
typedef struct {
    uint64_t jobs;      /* that have come to workers; prfarm's only */
    uint64_t durable;   /* results acknowledged */
    uint64_t welcomed;  /* workers that the server has taken in */
    uint64_t adopted;   /* workers that run the newest model on offer */
    uint64_t refused;   /* frames of refusal: none in a sound run */
    uint64_t expelled;  /* of these, such that a real worker ends */
    uint64_t busy_ns;   /* that boards measured, summed over them */
    uint64_t *waits_ns; /* of the jobs acknowledged while `timing`; owned by the swarm */
    size_t wait_count, wait_cap;
    bool timing;
} counts_t;

typedef struct {
    size_t workers;
    uint32_t credit; /* jobs that a worker holds at most */
    uint32_t outbox; /* jobs and results without an acknowledgement that it has at most; 0: as many as prfarm-worker */
    uint32_t batch;  /* results in a message */
    uint64_t job_ns; /* how long a board takes for a job; 0: no time at all */
} load_t;

/* One connection. `player` is the player's own, NULL at first. */
typedef struct {
    uint32_t number;
    void *socket, *player; /* the socket is that of all */
} peer_t;

typedef struct {
    void (*join)(swarm_t *swarm, peer_t *peer); /* the connection is made, or made anew */
    void (*hear)(swarm_t *swarm, peer_t *peer, const uint8_t *bytes, size_t len);
    void (*beat)(swarm_t *swarm, peer_t *peer, uint64_t now_ns); /* once a second; NULL: never */
    void (*work)(swarm_t *swarm, peer_t *peer, uint64_t now_ns); /* every millisecond, where jobs take time */
    void (*leave)(peer_t *peer);                                 /* frees the player's own */
} player_t;

extern const player_t play_worker; /* proto/wire.proto */
extern const player_t play_floor;  /* floor.c */

swarm_t *swarm_new(const char *endpoint, const load_t *load, const player_t *player);
/* Broadcasts are heard, too: by one connection for all the workers, which would not have the descriptors. */
void swarm_tune_in(swarm_t *swarm, const char *broadcast);
void swarm_destroy(swarm_t *swarm);
const load_t *swarm_load(const swarm_t *swarm);
counts_t *swarm_counts(swarm_t *swarm);
void swarm_say(peer_t *peer, const void *bytes, size_t len);
/* Plays on for `ms`, or until *counter is at least `goal`. False: it is not after `ms`. */
bool swarm_play(swarm_t *swarm, const uint64_t *counter, uint64_t goal, unsigned ms);
/* All connections are closed without a word, and once all are, made anew. */
void swarm_reconnect(swarm_t *swarm);
void swarm_waited(counts_t *counts, uint64_t wait_ns);

_Noreturn void die(const char *what, const char *why);

#endif
