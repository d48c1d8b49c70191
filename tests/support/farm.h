// SPDX-License-Identifier: Apache-2.0
/* farm.h - a farm for tests: the real programs in a temporary folder, over ipc, ended in teardown; and peers that speak the
 * protocol by hand, to do what no real worker would. Everything asserts through Criterion; every wait has an end. Main thread only.
 * Include it as "tests/support/farm.h": prfarm's own client has a farm.h too. */
#ifndef PRF_TESTS_FARM_H
#define PRF_TESTS_FARM_H

#include <jansson.h>

#include "base/process.h"
#include "net/net.h"
#include "patience.h"
#include "wire/wire.h"

enum { FARM_WORKERS = 16, FARM_PATH = 128 };

typedef struct {
    char dir[FARM_PATH];       /* temporary (kept with PRF_TEST_KEEP=1); the store is dir/store, logs are dir/NAME.log */
    char name[FARM_PATH];      /* for --farm */
    char http[FARM_PATH];      /* the coordinator's URL; "": it has no --http */
    prf_process_t coordinator; /* pid 0: not running */
    prf_process_t workers[FARM_WORKERS];
    size_t worker_count;
    prf_socket_t *client;
    bool keyed; /* workers and peers are "worker" unless said otherwise */
    /* Of workers that are added from now on: */
    const char *dial;        /* what they take for --farm; NULL: the farm's name. Borrowed, as the next two */
    const char *credit;      /* jobs that they hold; NULL: their default */
    const char *const *host; /* words before their command, as "ip netns exec HOST"; NULL: none */
    bool own_keys;           /* each has the key of its name */
    uint64_t requests;
} farm_t;

/* A coordinator with a heartbeat of a second; `extra` (NULL-terminated, may be NULL) are further options for it. Call farm_stop in
 * teardown, also after a failed test. */
void farm_start(farm_t *farm, const char *const *extra);
void farm_stop(farm_t *farm);
/* SIGKILL, and starting again on the same store. */
void farm_kill_coordinator(farm_t *farm);
void farm_start_coordinator(farm_t *farm, const char *const *extra);
/* SIGTERM; returns the exit code. */
int farm_end_coordinator(farm_t *farm);

/* Reads what a child prints until the line that begins with `word` is complete; what follows the word is copied to `rest`. */
enum { FARM_READY = 1024 };
void farm_ready(prf_process_t *process, const char *word, const char *who, char rest[FARM_READY]);

/* A coordinator with keys, at `where` (tcp, its ports may be '*'; NULL: ipc). dir/NAME.key and .pub are there for coordinator,
 * worker, operator, viewer and stranger; `list` is dir/allow, in which @NAME stands for a key (NULL: the middle three, each with
 * its role). The client is the operator. */
void farm_start_keyed(farm_t *farm, const char *list, const char *where);
/* Replaces the list. */
void farm_allow(const farm_t *farm, const char *list);
/* One more pair; `text` (may be NULL) receives the public key. */
void farm_keygen(const farm_t *farm, const char *name, char text[PRF_KEY_TEXT]);
void farm_identity(const farm_t *farm, const char *name, prf_identity_t *out);
/* Asks as another one from now on (NULL: without keys). */
void farm_connect_client(farm_t *farm, const char *name);
/* The temporary folder only; farm_start and farm_start_keyed do it. */
void farm_make(farm_t *farm);

/* A prfarm-worker with the sim backend of this board, `option` (may be NULL) further ones of the backend, apart by spaces. Returns
 * its place. */
size_t farm_add_worker(farm_t *farm, const char *name, const char *kind, const char *board, const char *option);
/* With another backend, and its options. */
size_t farm_add_board(farm_t *farm, const char *name, const char *kind, const char *backend, const char *options);
/* The first with the key of `identity`, not waiting until it is welcome. */
size_t farm_start_worker(farm_t *farm, const char *name, const char *kind, const char *board, const char *identity);
void farm_kill_worker(farm_t *farm, size_t place);

/* Runs one of the programs (its name is the first word) to its end; `said` (may be NULL) is what it printed, errors among that.
 * Returns the exit code, -1 after a signal. */
enum { FARM_SAID = 8192 };
int farm_run(const farm_t *farm, char said[FARM_SAID], const char *const *words);
#define FARM_RUN(farm, said, ...) farm_run(farm, said, (const char *const[]){__VA_ARGS__, NULL})

/* One request; takes `in` (NULL: {}). The reply's JSON (new reference), NULL when it was refused; then `status`, `error` (may be
 * NULL) say why. */
json_t *farm_request(farm_t *farm, const char *op, json_t *in, prf_status_t *status, char error[480]);
/* The same, asserting that it succeeds. */
json_t *farm_ask(farm_t *farm, const char *op, json_t *in);
json_t *farm_submit(farm_t *farm, const char *text);
/* A campaign file, `hand`: one kind of board, `hand`, white box, so that it asks for its layers all at once. */
extern const char farm_by_hand[];
/* Members of an answer; assert that they are there. */
json_int_t farm_number(const json_t *json, const char *key);
const char *farm_text(const json_t *json, const char *key);
/* The campaign's entry of `status`. New reference. */
json_t *farm_campaign(farm_t *farm, const char *name);
/* Asks again and again until `enough` says so of that entry. Returns it, a new reference. */
json_t *farm_wait(farm_t *farm, const char *name, bool (*enough)(json_t *campaign));
bool farm_is_over(json_t *campaign);                /* its state is no longer running */
json_t *farm_board(farm_t *farm, const char *name); /* the board's entry of `boards`, NULL when there is none. New reference */
/* All rows of `export`. New reference. */
json_t *farm_rows(farm_t *farm, const char *campaign);
/* What counts, asserting that every point and attempt does so only once and was measured: {"POINT.ATTEMPT": sequence}. Labelled
 * duplicates do not count: one board had begun when the coordinator was killed, and another began afterwards. New reference. */
json_t *farm_counted(farm_t *farm, const char *campaign);

/* A worker by hand. */
typedef struct {
    prf_socket_t *socket;
    uint64_t session;
} farm_peer_t;
void farm_peer_connect(farm_peer_t *peer, const farm_t *farm);
void farm_peer_connect_as(farm_peer_t *peer, const farm_t *farm, const char *name);
void farm_peer_close(farm_peer_t *peer);
void farm_peer_send(farm_peer_t *peer, const prf_frame_t *frame);
void farm_peer_send_bytes(farm_peer_t *peer, const void *bytes, size_t len);
/* The next frame of this type, others passed over. False: none came within `ms`. Release it. */
bool farm_peer_receive(farm_peer_t *peer, prf_frame_type_t type, prf_frame_t *out, unsigned ms);
/* Jobs, at least one, for a peer that holds none; it beats meanwhile, since who falls silent is granted nothing. Returns how
 * many; release them. */
size_t farm_peer_take_jobs(farm_peer_t *peer, prf_frame_t *out);
void farm_peer_hello(farm_peer_t *peer, const char *board, const char *kind); /* asserts the Welcome */
void farm_peer_send_hello(farm_peer_t *peer, const char *board, const char *kind);
void farm_peer_credit(farm_peer_t *peer, uint32_t jobs);
void farm_peer_heartbeat(farm_peer_t *peer, const uint64_t *ids, size_t count);
/* Measured: a latency, or a failure when `outcome` is not PRF_OK. */
void farm_peer_result(farm_peer_t *peer, const prf_job_t *job, prf_status_t outcome, double latency_ns);
/* Asserts that the job's id is told as committed, or in another list of ids (PRF_FRAME_FORGET). */
void farm_peer_committed(farm_peer_t *peer, uint64_t id);
void farm_peer_told(farm_peer_t *peer, prf_frame_type_t list, uint64_t id);

#endif
