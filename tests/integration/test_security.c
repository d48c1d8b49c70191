// SPDX-License-Identifier: Apache-2.0
/* Strangers, and friends who may do less than they try: the real programs on a farm with keys. Loopback only. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "net/endpoint.h"
#include "net/frames.h"
#include "tests/support/farm.h"

enum { TICK_MS = 20 };

static const char tcp[] = "tcp://127.0.0.1:*";
static farm_t farm;

static void tear_down(void)
{
    farm_stop(&farm);
}

TestSuite(security, .fini = tear_down);

static const char *in_dir(const char *name)
{
    static char paths[4][FARM_PATH + 64];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%.60s", farm.dir, name);
    return path;
}

static char *content(const char *path)
{
    char *text = NULL;
    size_t len;
    prf_error_t err = {0};
    cr_assert_eq(prf_file_read(path, 16 << 20, &text, &len, &err), PRF_OK, "%s", err.text);
    return text;
}

/* Until the file holds the text. */
static void wait_log(const char *name, const char *word)
{
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    for (;;) {
        char *text = content(in_dir(name));
        bool there = strstr(text, word);
        free(text);
        if (there)
            return;
        cr_assert_lt(prf_clock_mono_ms(), until, "%s never said '%s'", name, word);
        poll(NULL, 0, TICK_MS);
    }
}

static json_int_t coordinator_number(const char *key)
{
    json_t *status = farm_ask(&farm, "status", NULL);
    json_t *value = json_object_get(json_object_get(json_object_get(status, "coordinator"), "access"), key);
    cr_assert(json_is_integer(value), "%s", key);
    json_int_t number = json_integer_value(value);
    json_decref(status);
    return number;
}

static void assert_refused(farm_peer_t *peer, prf_status_t status, const char *word)
{
    prf_frame_t frame;
    cr_assert(farm_peer_receive(peer, PRF_FRAME_REFUSAL, &frame, PATIENCE_MS), "no refusal");
    cr_assert_eq(frame.u.refusal.status, status, "%s: %s", prf_status_name(frame.u.refusal.status), frame.u.refusal.text);
    cr_assert(strstr(frame.u.refusal.text, word), "%s", frame.u.refusal.text);
    prf_frame_release(&frame);
}

static void assert_board(const char *name, const char *state)
{
    json_t *board = farm_board(&farm, name);
    if (state)
        cr_assert_str_eq(json_string_value(json_object_get(board, "state")), state);
    else
        cr_assert_null(board, "%s has a session", name);
    json_decref(board);
}

Test(security, a_stranger_gets_nothing_and_is_told_why)
{
    char said[FARM_SAID];
    farm_start_keyed(&farm, NULL, tcp);
    int code = FARM_RUN(&farm, said, "prfarm", "status", "--farm", farm.name, "--key", in_dir("stranger.key"), "--server",
                        in_dir("coordinator.pub"));
    cr_assert_eq(code, prf_exit_code(PRF_EDENIED), "%s", said);
    cr_assert(strstr(said, "--allow"), "%s", said);
    farm_start_worker(&farm, "intruder", "hand", "zcu102", "stranger");
    wait_log("intruder.log", "not_let_in");
    assert_board("intruder", NULL);
    wait_log("coordinator.log", "strangers_refused");
    cr_assert_geq(coordinator_number("strangers"), 2);
    /* The list is mended while the worker keeps trying. */
    farm_allow(&farm, "worker @stranger kinds=hand stranger\noperator @operator operator\n");
    wait_log("intruder.log", "welcome session=");
}

Test(security, keys_that_do_not_fit_the_farm_are_told_within_seconds)
{
    char said[FARM_SAID];
    farm_start_keyed(&farm, NULL, NULL);
    uint64_t began = prf_clock_mono_ms();
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "boards", "--farm", farm.name), prf_exit_code(PRF_EDENIED), "%s", said);
    cr_assert(strstr(said, "--key and --server"), "%s", said);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "boards", "--farm", farm.name, "--key", in_dir("viewer.key"), "--server",
                          in_dir("worker.pub")),
                 prf_exit_code(PRF_EDENIED), "%s", said);
    cr_assert(strstr(said, "--server"), "%s", said);
    cr_assert_lt(prf_clock_mono_ms() - began, 30000, "that took too long for a person");
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "boards", "--farm", farm.name, "--key", in_dir("viewer.key")),
                 prf_exit_code(PRF_EUSAGE), "%s", said);
    /* The environment names the files as well as the options do. */
    setenv("PRFARM_FARM", farm.name, 1);
    setenv("PRFARM_KEY", in_dir("viewer.key"), 1);
    setenv("PRFARM_SERVER", in_dir("coordinator.pub"), 1);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "boards"), 0, "%s", said);
    unsetenv("PRFARM_FARM");
    unsetenv("PRFARM_KEY");
    unsetenv("PRFARM_SERVER");
}

Test(security, a_viewer_looks_and_an_operator_acts)
{
    static const char *const looks[] = {"status", "boards", "models", "events", "export"};
    static const char *const acts[] = {"submit",     "pause",   "resume",      "cancel",  "rollback",
                                       "quarantine", "release", "power-cycle", "measure", "shutdown"};
    char said[FARM_SAID], error[480];
    prf_status_t status;
    farm_start_keyed(&farm, NULL, NULL);
    json_decref(farm_submit(&farm, farm_by_hand));
    farm_connect_client(&farm, "viewer");
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        json_decref(farm_ask(&farm, looks[i], NULL));
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        cr_assert_null(farm_request(&farm, acts[i], json_pack("{s:s}", "campaign", "hand"), &status, error));
        cr_assert_eq(status, PRF_EDENIED, "%s: %s", acts[i], error);
        cr_assert(strstr(error, "'viewer'") && strstr(error, "operator"), "%s", error);
    }
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "cancel", "hand", "--farm", farm.name, "--key", in_dir("viewer.key"), "--server",
                          in_dir("coordinator.pub")),
                 prf_exit_code(PRF_EDENIED), "%s", said);
    json_t *campaign = farm_campaign(&farm, "hand");
    cr_assert_str_eq(json_string_value(json_object_get(campaign, "state")), "running");
    json_decref(campaign);
    farm_connect_client(&farm, "worker");
    cr_assert_null(farm_request(&farm, "status", NULL, &status, error));
    cr_assert_eq(status, PRF_EDENIED, "%s", error);
    farm_connect_client(&farm, "operator");
    json_t *answer = farm_ask(&farm, "cancel", json_pack("{s:s}", "campaign", "hand"));
    cr_assert_str_eq(json_string_value(json_object_get(answer, "state")), "cancelled");
    json_decref(answer);
}

Test(security, a_worker_serves_its_kinds_and_as_many_boards_as_its_key_may)
{
    farm_peer_t peer, second;
    farm_start_keyed(&farm, "worker @worker kinds=hand,foot sessions=1 rack\noperator @operator operator\n", NULL);
    farm_peer_connect(&peer, &farm);
    farm_peer_send_hello(&peer, "a", "nose");
    assert_refused(&peer, PRF_EDENIED, "kind nose");
    assert_board("a", NULL);
    farm_peer_hello(&peer, "a", "foot");
    farm_peer_connect(&second, &farm);
    farm_peer_send_hello(&second, "b", "foot");
    assert_refused(&second, PRF_EBUSY, "sessions=");
    assert_board("b", NULL);
    farm_peer_send(&peer, &(prf_frame_t){.type = PRF_FRAME_GOODBYE});
    farm_peer_hello(&second, "b", "foot");
    farm_peer_close(&peer);
    farm_peer_close(&second);
    /* A person's key is none for boards. */
    farm_peer_connect_as(&peer, &farm, "operator");
    farm_peer_send_hello(&peer, "c", "hand");
    assert_refused(&peer, PRF_EDENIED, "not for workers");
    farm_peer_close(&peer);
}

/* All jobs of the campaign by hand, except those that `skip` has. */
static size_t take_jobs(farm_peer_t *peer, prf_frame_t *jobs)
{
    farm_peer_credit(peer, 256);
    cr_assert(farm_peer_receive(peer, PRF_FRAME_JOB_BATCH, jobs, PATIENCE_MS), "no jobs");
    return jobs->u.jobs.count;
}

Test(security, a_key_that_is_removed_loses_its_session_and_its_jobs_at_once)
{
    static const char both[] = "worker @worker kinds=hand honest\nworker @stranger bad\noperator @operator operator\n";
    farm_peer_t bad, honest;
    prf_frame_t jobs, frame;
    farm_start_keyed(&farm, both, NULL);
    farm_peer_connect_as(&bad, &farm, "stranger");
    farm_peer_hello(&bad, "bad", "hand");
    json_decref(farm_submit(&farm, farm_by_hand));
    cr_assert_gt(take_jobs(&bad, &jobs), 0);
    farm_allow(&farm, "worker @worker kinds=hand honest\noperator @operator operator\n");
    assert_refused(&bad, PRF_EDENIED, "not on the farm's list");
    assert_board("bad", "lost");
    /* What it says now counts for nothing. */
    json_t *before = farm_rows(&farm, NULL);
    farm_peer_result(&bad, &jobs.u.jobs.items[0], PRF_OK, 1);
    assert_refused(&bad, PRF_EDENIED, "not on the farm's list");
    json_t *after = farm_rows(&farm, NULL);
    cr_assert_eq(json_array_size(before), json_array_size(after));
    json_decref(before);
    json_decref(after);
    farm_peer_connect(&honest, &farm);
    farm_peer_hello(&honest, "honest", "hand");
    farm_peer_credit(&honest, 256);
    for (bool found = false; !found;) {
        cr_assert(farm_peer_receive(&honest, PRF_FRAME_JOB_BATCH, &frame, PATIENCE_MS), "its jobs do not come to the other");
        for (size_t i = 0; i < frame.u.jobs.count; i++)
            found = found || prf_digest_compare(&frame.u.jobs.items[i].point, &jobs.u.jobs.items[0].point) == 0;
        prf_frame_release(&frame);
    }
    prf_frame_release(&jobs);
    cr_assert_not(farm_peer_receive(&bad, PRF_FRAME_JOB_BATCH, &frame, 0));
    farm_peer_close(&bad);
    farm_peer_close(&honest);
}

Test(security, a_demoted_key_can_only_look_from_its_next_message_on)
{
    char error[480];
    prf_status_t status;
    farm_start_keyed(&farm, NULL, NULL);
    json_decref(farm_submit(&farm, farm_by_hand));
    farm_allow(&farm, "viewer @operator was-operator\n");
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    do {
        cr_assert_lt(prf_clock_mono_ms(), until, "the list was not taken");
        json_decref(farm_request(&farm, "cancel", json_pack("{s:s}", "campaign", "none"), &status, error));
    } while (status == PRF_ENOTFOUND);
    cr_assert_eq(status, PRF_EDENIED, "%s", error);
    json_decref(farm_ask(&farm, "status", NULL));
}

/* A SUB that is let in as `name`. */
static prf_socket_t *listen_as(const char *name)
{
    prf_endpoints_t endpoints;
    prf_identity_t identity;
    prf_error_t err = {0};
    prf_socket_t *sub;
    farm_identity(&farm, name, &identity);
    cr_assert_eq(prf_endpoints_parse(&endpoints, farm.name, &err), PRF_OK);
    cr_assert_eq(prf_socket_new(&sub, PRF_SUB, 100, PRF_FRAME_BYTES, &err), PRF_OK);
    cr_assert_eq(prf_socket_identify(sub, &identity, &err), PRF_OK);
    cr_assert_eq(prf_socket_connect(sub, endpoints.broadcast, &err), PRF_OK);
    return sub;
}

static bool hears(prf_socket_t *sub)
{
    uint8_t *bytes;
    size_t len;
    prf_error_t err;
    bool heard = prf_socket_recv(sub, NULL, &bytes, &len, &err) == PRF_OK;
    if (heard)
        free(bytes);
    return heard;
}

static const char train_again[] = "campaign: %s\n"
                                  "boards:\n"
                                  "  - {kind: zcu, backend: sim}\n"
                                  "layers:\n"
                                  "  - kind: fc\n"
                                  "    params: {in: 1..%d, out: 1..64}\n"
                                  "    knowledge: white\n"
                                  "    steps: {in: 8, out: 8}\n"
                                  "budget: {samples: 20}\n"
                                  "validation: {layers: 4, repeats: 1}\n"
                                  "baseline: false\n";

static void campaign(const char *name, int most)
{
    char text[512];
    snprintf(text, sizeof text, train_again, name, most);
    json_decref(farm_submit(&farm, text));
    json_decref(farm_wait(&farm, name, farm_is_over));
}

static void broadcasts_stop(const char *where)
{
    farm_start_keyed(&farm, "worker @worker honest\nworker @stranger bad\noperator @operator operator\n", where);
    farm_add_worker(&farm, "zcu-1", "zcu", "zcu102", NULL);
    prf_socket_t *bad = listen_as("stranger"), *honest = listen_as("worker");
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    char name[16];
    bool heard[2] = {false, false};
    for (int i = 0; !heard[0] || !heard[1]; i++) { /* subscriptions arrive at their own time */
        cr_assert_lt(prf_clock_mono_ms(), until, "no broadcast came");
        snprintf(name, sizeof name, "first%d", i);
        campaign(name, 64 + 8 * i);
        heard[0] = hears(bad) || heard[0];
        heard[1] = hears(honest) || heard[1];
    }
    farm_allow(&farm, "worker @worker honest\noperator @operator operator\n");
    wait_log("coordinator.log", "broadcast_rebound");
    while (hears(bad) || hears(honest))
        ;
    until = prf_clock_mono_ms() + PATIENCE_MS;
    bool again = false;
    for (int i = 0; !again; i++) {
        cr_assert_lt(prf_clock_mono_ms(), until, "the honest one hears nothing any more");
        snprintf(name, sizeof name, "second%d", i);
        campaign(name, 264 + 8 * i);
        again = hears(honest);
        cr_assert_not(hears(bad), "a removed key still hears broadcasts");
        (void)!prf_socket_tend(bad, NULL);
    }
    prf_socket_destroy(&bad);
    prf_socket_destroy(&honest);
}

Test(security, a_key_that_is_removed_hears_no_broadcast_tcp)
{
    broadcasts_stop(tcp);
}

Test(security, a_key_that_is_removed_hears_no_broadcast_ipc)
{
    broadcasts_stop(NULL);
}

Test(security, a_list_with_a_typo_leaves_the_earlier_one_and_says_so)
{
    char said[FARM_SAID];
    farm_start_keyed(&farm, NULL, NULL);
    farm_allow(&farm, "operator @operator operator\nworkr @worker worker\n");
    wait_log("coordinator.log", "allow_list_not_taken");
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "status", "--farm", farm.name, "--key", in_dir("viewer.key"), "--server",
                          in_dir("coordinator.pub")),
                 0, "%s", said);
    cr_assert(strstr(said, "allow:2:") && strstr(said, "workr"), "%s", said);
    cr_assert_eq(coordinator_number("keys"), 3);
    farm_allow(&farm, "operator @operator operator\n");
    wait_log("coordinator.log", "allow_list_taken");
    cr_assert_eq(coordinator_number("keys"), 1);
    json_t *status = farm_ask(&farm, "status", NULL);
    json_t *access = json_object_get(json_object_get(status, "coordinator"), "access");
    cr_assert_str_eq(json_string_value(json_object_get(access, "trouble")), "");
    json_decref(status);
    /* A list that others could write is no list. */
    chmod(in_dir("allow"), 0666);
    wait_log("coordinator.log", "chmod 644");
}

static int connect_port(const char *endpoint)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(strrchr(endpoint, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "%s", endpoint);
    return fd;
}

/* Stands between one client and the coordinator, and remembers what the client said. */
typedef struct {
    int listener;
    char endpoint[PRF_ENDPOINT], to[PRF_ENDPOINT];
    pthread_t thread;
    atomic_bool stop;
    prf_text_t said;
} recorder_t;

static void pass(int from, int to, prf_text_t *copy)
{
    char piece[4096];
    ssize_t n = recv(from, piece, sizeof piece, MSG_DONTWAIT);
    if (n <= 0)
        return;
    if (copy)
        prf_text_append(copy, piece, (size_t)n);
    for (ssize_t at = 0; at < n;) {
        ssize_t sent = send(to, piece + at, (size_t)(n - at), MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        at += sent;
    }
}

static void *record(void *arg)
{
    recorder_t *r = arg;
    int client = accept(r->listener, NULL, NULL), server = connect_port(r->to);
    while (!atomic_load(&r->stop)) {
        struct pollfd fds[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        poll(fds, 2, TICK_MS);
        pass(client, server, &r->said);
        pass(server, client, NULL);
    }
    close(client);
    close(server);
    return NULL;
}

static void start_recorder(recorder_t *r, const char *to)
{
    *r = (recorder_t){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    cr_assert_eq(bind(r->listener, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(r->listener, 1), 0);
    cr_assert_eq(getsockname(r->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(r->endpoint, sizeof r->endpoint, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
    snprintf(r->to, sizeof r->to, "%s", to);
    prf_text_init(&r->said);
    cr_assert_eq(pthread_create(&r->thread, NULL, record, r), 0);
}

static void stop_recorder(recorder_t *r)
{
    atomic_store(&r->stop, true);
    pthread_join(r->thread, NULL);
    close(r->listener);
}

/* Everything of the server until it hangs up. */
static size_t read_to_end(int fd)
{
    char piece[4096];
    size_t total = 0;
    struct timeval limit = {.tv_sec = PATIENCE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    for (;;) {
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        cr_assert(n >= 0 || errno == ECONNRESET, "the coordinator did not hang up");
        if (n <= 0)
            return total;
        total += (size_t)n;
    }
}

Test(security, a_handshake_that_is_played_again_opens_nothing)
{
    farm_start_keyed(&farm, NULL, tcp);
    prf_endpoints_t endpoints;
    prf_error_t err = {0};
    cr_assert_eq(prf_endpoints_parse(&endpoints, farm.name, &err), PRF_OK);
    recorder_t recorder;
    start_recorder(&recorder, endpoints.workers);
    farm_t through = farm;
    snprintf(through.name, sizeof through.name, "%s,%s,%s", recorder.endpoint, endpoints.clients, endpoints.broadcast);
    farm_peer_t peer;
    farm_peer_connect_as(&peer, &through, "worker");
    farm_peer_hello(&peer, "honest", "hand");
    farm_peer_send(&peer, &(prf_frame_t){.type = PRF_FRAME_GOODBYE});
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    wait_log("coordinator.log", "because=leave");
    farm_peer_close(&peer);
    stop_recorder(&recorder);
    cr_assert_gt(recorder.said.len, 500, "the recording holds a handshake and two messages");
    json_int_t broken = 0;
    for (int i = 0; i < 20 && prf_clock_mono_ms() < until; i++) {
        int fd = connect_port(endpoints.workers);
        cr_assert_eq(send(fd, recorder.said.data, recorder.said.len, MSG_NOSIGNAL), (ssize_t)recorder.said.len);
        read_to_end(fd);
        close(fd);
    }
    prf_text_release(&recorder.said);
    char *log = content(in_dir("coordinator.log"));
    char *first = strstr(log, "board_here board=honest");
    cr_assert_not_null(first);
    cr_assert_null(strstr(first + 1, "board_here board=honest"), "the replay was welcomed");
    free(log);
    assert_board("honest", "lost");
    json_t *status = farm_ask(&farm, "status", NULL);
    broken = json_integer_value(json_object_get(json_object_get(status, "coordinator"), "broken_frames"));
    json_decref(status);
    cr_assert_eq(broken, 0, "nothing of it came as far as the coordinator");
}

static size_t lines(const char *name)
{
    char *text = content(in_dir(name));
    size_t count = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        count++;
    free(text);
    return count;
}

/* Ten thousand a second for two seconds, in bursts of a hundred. `len` bytes each. */
static void flood(farm_peer_t *peer, const void *bytes, size_t len)
{
    uint64_t began = prf_clock_mono_ms();
    for (unsigned sent = 0; sent < 20000; sent++) {
        prf_error_t err;
        (void)!prf_socket_send(peer->socket, NULL, bytes, len, &err); /* a full queue is backpressure: so be it */
        if (sent % 100 == 99 && prf_clock_mono_ms() < began + sent / 10)
            poll(NULL, 0, (int)(began + sent / 10 - prf_clock_mono_ms()));
    }
}

Test(security, floods_of_malformed_frames_are_ignored_and_honest_workers_go_on)
{
    farm_start_keyed(&farm, NULL, NULL);
    farm_add_worker(&farm, "zcu-1", "zcu", "zcu102", NULL);
    char text[512];
    snprintf(text, sizeof text, train_again, "meanwhile", 64);
    json_decref(farm_submit(&farm, text));
    size_t before = lines("coordinator.log");
    farm_peer_t rude, door;
    farm_peer_connect(&rude, &farm);
    flood(&rude, "no frame at all", 15);
    json_decref(farm_wait(&farm, "meanwhile", farm_is_over));
    cr_assert_gt(coordinator_number("ignored"), 1000, "malformed messages are not dropped unread");
    /* The same at the clients' door. */
    prf_endpoints_t endpoints;
    prf_error_t err = {0};
    cr_assert_eq(prf_endpoints_parse(&endpoints, farm.name, &err), PRF_OK);
    farm_t swapped = farm;
    snprintf(swapped.name, sizeof swapped.name, "%s,%s,%s", endpoints.clients, endpoints.workers, endpoints.broadcast);
    json_int_t ignored = coordinator_number("ignored");
    farm_peer_connect_as(&door, &swapped, "viewer");
    flood(&door, "no frame at all", 15);
    cr_assert_gt(coordinator_number("ignored"), ignored + 1000);
    cr_assert_lt(lines("coordinator.log"), before + 2000, "the log grows with the flood");
    farm_peer_close(&rude);
    farm_peer_close(&door);
}

Test(security, a_peer_that_sends_too_large_frames_is_cut_off_each_time_and_others_go_on)
{
    farm_start_keyed(&farm, NULL, NULL);
    farm_peer_t rude;
    prf_socket_t *socket;
    prf_error_t err = {0};
    farm_peer_connect(&rude, &farm);
    size_t size = PRF_FRAME_BYTES + 1;
    void *large = calloc(1, size);
    for (int i = 0; i < 200; i++)
        (void)!prf_socket_send(rude.socket, NULL, large, size, &err);
    free(large);
    for (int i = 0; i < 20; i++)
        json_decref(farm_ask(&farm, "status", NULL));
    farm_peer_t honest;
    farm_peer_connect(&honest, &farm);
    farm_peer_hello(&honest, "honest", "hand");
    socket = rude.socket;
    rude.socket = NULL;
    farm_peer_close(&honest);
    prf_socket_destroy(&socket);
}

/* A thousand connections that never say who they are; every second one begins to. */
Test(security, a_thousand_half_open_connections_keep_nobody_out_and_are_closed)
{
    enum { COUNT = 1000 };
    static struct pollfd fds[COUNT];
    farm_start_keyed(&farm, NULL, tcp);
    prf_endpoints_t endpoints;
    prf_error_t err = {0};
    cr_assert_eq(prf_endpoints_parse(&endpoints, farm.name, &err), PRF_OK);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 4 * COUNT ? limit.rlim_max : 4 * COUNT;
    setrlimit(RLIMIT_NOFILE, &limit);
    static const uint8_t greeting[] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3};
    for (int i = 0; i < COUNT; i++) {
        fds[i] = (struct pollfd){.fd = connect_port(i % 3 ? endpoints.workers : endpoints.clients)};
        if (i % 2)
            cr_assert_eq(send(fds[i].fd, greeting, sizeof greeting, MSG_NOSIGNAL), (ssize_t)sizeof greeting);
    }
    farm_peer_t honest;
    farm_peer_connect(&honest, &farm);
    farm_peer_hello(&honest, "honest", "hand");
    farm_connect_client(&farm, "viewer");
    json_decref(farm_ask(&farm, "status", NULL));
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    for (int i = 0; i < COUNT; i++) {
        cr_assert_lt(prf_clock_mono_ms(), until, "connection %d is still open", i);
        read_to_end(fds[i].fd);
        close(fds[i].fd);
    }
    farm_peer_close(&honest);
}

Test(security, a_secret_key_that_others_can_read_is_refused_by_every_program)
{
    char said[FARM_SAID];
    farm_start_keyed(&farm, NULL, NULL);
    chmod(in_dir("worker.key"), 0640);
    const char *key = in_dir("worker.key"), *server = in_dir("coordinator.pub");
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "status", "--farm", farm.name, "--key", key, "--server", server),
                 prf_exit_code(PRF_EDENIED));
    cr_assert(strstr(said, "chmod 600"), "%s", said);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm-worker", "--farm", farm.name, "--key", key, "--server", server, "--kind", "k",
                          "--backend", "sim", "--state", farm.dir),
                 prf_exit_code(PRF_EDENIED));
    cr_assert(strstr(said, "chmod 600"), "%s", said);
    char store[FARM_PATH + 8];
    snprintf(store, sizeof store, "%s/s2", farm.dir);
    cr_assert_eq(
        FARM_RUN(&farm, said, "prfarm-coordinator", "--farm", tcp, "--store", store, "--key", key, "--allow", in_dir("allow")),
        prf_exit_code(PRF_EDENIED));
    cr_assert(strstr(said, "chmod 600"), "%s", said);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm-coordinator", "--farm", tcp, "--store", store, "--key", in_dir("coordinator.key")),
                 prf_exit_code(PRF_EUSAGE), "%s", said);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm-coordinator", "--farm", "tcp://0.0.0.0:1", "--store", store),
                 prf_exit_code(PRF_EUSAGE), "%s", said);
    cr_assert(strstr(said, "--key"), "%s", said);
}

/* Neither hexadecimal nor raw, in whole or by half. */
static void assert_free_of_secrets(const char *where, const char *bytes, size_t len)
{
    static const char *const names[] = {"coordinator", "worker", "operator", "viewer"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        prf_identity_t identity;
        char hex[PRF_KEY_TEXT];
        farm_identity(&farm, names[i], &identity);
        prf_key_format((const prf_key_t *)identity.pair.secret, hex);
        for (size_t at = 0; at + 16 <= len; at++) {
            cr_assert(memcmp(bytes + at, identity.pair.secret, 16) != 0, "%s holds the secret of %s", where, names[i]);
            cr_assert(at + 32 > len || memcmp(bytes + at, hex, 32) != 0, "%s holds the secret of %s", where, names[i]);
        }
    }
}

static void check_process(pid_t pid)
{
    static const char *const files[] = {"cmdline", "environ"};
    for (size_t i = 0; i < 2; i++) {
        char path[64], bytes[65536];
        snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, files[i]);
        int fd = open(path, O_RDONLY);
        cr_assert_geq(fd, 0, "%s", path);
        ssize_t n = read(fd, bytes, sizeof bytes);
        close(fd);
        cr_assert_gt(n, 0, "%s", path);
        assert_free_of_secrets(path, bytes, (size_t)n);
    }
}

/* The process that the backend runs in. */
static void check_children(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)pid, (long)pid);
    FILE *file = fopen(path, "re");
    long child;
    int count = 0;
    while (file && fscanf(file, "%ld", &child) == 1) {
        check_process((pid_t)child);
        count++;
    }
    if (file)
        fclose(file);
    cr_assert(!file || count > 0, "%s names no child", path);
}

Test(security, secrets_are_in_no_log_command_line_or_environment)
{
    char said[FARM_SAID];
    farm_start_keyed(&farm, NULL, NULL);
    farm_add_worker(&farm, "zcu-1", "zcu", "zcu102", NULL);
    campaign("short", 64);
    check_process(farm.coordinator.pid);
    check_process(farm.workers[0].pid);
    check_children(farm.workers[0].pid);
    FARM_RUN(&farm, said, "prfarm", "status", "--farm", farm.name, "--key", in_dir("worker.key"), "--server",
             in_dir("coordinator.pub"), "--json");
    assert_free_of_secrets("what prfarm prints", said, strlen(said));
    farm_allow(&farm, "operator @operator operator\n");
    wait_log("zcu-1.log", "not_let_in");
    static const char *const logs[] = {"coordinator.log", "zcu-1.log"};
    for (size_t i = 0; i < 2; i++) {
        char *log = content(in_dir(logs[i]));
        assert_free_of_secrets(logs[i], log, strlen(log));
        free(log);
    }
}

/* It asks and asks, which is as good as a heartbeat, and reads no answer. */
Test(security, a_worker_that_does_not_read_loses_its_session)
{
    static const char *const fast[] = {"--heartbeat-ms", "1000", NULL};
    farm_start(&farm, fast);
    farm_peer_t mute;
    farm_peer_connect(&mute, &farm);
    farm_peer_hello(&mute, "mute", "hand");
    prf_frame_t fetch = {.type = PRF_FRAME_FETCH, .u.fetch = {.offset = 0}};
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    char *log = content(in_dir("coordinator.log"));
    while (!strstr(log, "board_gone board=mute")) {
        cr_assert_lt(prf_clock_mono_ms(), until, "it still has its session");
        free(log);
        for (int i = 0; i < 2000; i++)
            (void)!prf_frame_send(mute.socket, NULL, &fetch, NULL);
        poll(NULL, 0, TICK_MS);
        log = content(in_dir("coordinator.log"));
    }
    cr_assert(strstr(log, "board_gone board=mute because=mute"), "%s", strstr(log, "board_gone board=mute"));
    free(log);
    farm_peer_close(&mute);
}

Test(security, a_farm_of_ones_own_has_no_keys_whatever_the_environment_names)
{
    char said[FARM_SAID];
    farm_make(&farm);
    setenv("PRFARM_FARM", "tcp://127.0.0.1:1", 1);
    setenv("PRFARM_KEY", "/nonexistent/key", 1);
    setenv("PRFARM_SERVER", "/nonexistent/server", 1);
    int code = FARM_RUN(&farm, said, "prfarm", "measure", PRF_SOURCE_DIR "/docs/examples/networks/tcresnet8.onnx", "--board",
                        "ultra", "--backend", "sim", "--option", "board=ultratrail", "--dir", in_dir("own"));
    cr_assert_eq(code, 0, "%s", said);
}

Test(security, without_keys_an_ipc_farm_is_for_its_owner_only)
{
    static const char *const sockets[] = {"f.workers", "f.clients", "f.broadcast"};
    mode_t before = umask(0);
    farm_start(&farm, NULL);
    umask(before);
    for (size_t i = 0; i < 3; i++) {
        struct stat st;
        cr_assert_eq(stat(in_dir(sockets[i]), &st), 0, "%s", sockets[i]);
        cr_assert_eq(st.st_mode & 0777, 0600, "%s: %o", sockets[i], (unsigned)st.st_mode);
    }
}
