// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE /* nftw */
#include "farm.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "net/endpoint.h"

enum { TICK_MS = 20, ARGS = 40, GRACE_MS = 5000, READY = FARM_READY };

static const char coordinator_path[] = PRF_BIN_DIR "/prfarm-coordinator", worker_path[] = PRF_BIN_DIR "/prfarm-worker";

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

void farm_ready(prf_process_t *process, const char *word, const char *who, char rest[READY])
{
    char text[4096];
    size_t len = 0;
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (prf_clock_mono_ms() < until) {
        struct pollfd fd = {.fd = process->out, .events = POLLIN};
        if (poll(&fd, 1, 100) <= 0)
            continue;
        ssize_t n = read(process->out, text + len, sizeof text - 1 - len);
        cr_assert_gt(n, 0, "%s ended before it was ready: its log is in the farm's folder", who);
        len += (size_t)n;
        text[len] = '\0';
        const char *line = strstr(text, word), *end = line ? strchr(line, '\n') : NULL;
        if (end) {
            snprintf(rest, READY, "%.*s", (int)(end - line - (long)strlen(word)), line + strlen(word));
            return;
        }
    }
    cr_assert_fail("%s was not ready in time", who);
}

void farm_start_coordinator(farm_t *farm, const char *const *extra)
{
    char store[FARM_PATH + 16], log[FARM_PATH + 32], key[FARM_PATH + 32], allow[FARM_PATH + 32], ready[READY];
    snprintf(store, sizeof store, "%s/store", farm->dir);
    snprintf(log, sizeof log, "%s/coordinator.log", farm->dir);
    const char *argv[ARGS] = {coordinator_path, "--farm", farm->name, "--store",      store, "--heartbeat-ms",
                              "1000",           "--log",  "debug",    "--sentinel-s", "0"};
    size_t count = 11;
    if (farm->keyed) {
        snprintf(key, sizeof key, "%s/coordinator.key", farm->dir);
        snprintf(allow, sizeof allow, "%s/allow", farm->dir);
        const char *const keyed[] = {"--key", key, "--allow", allow};
        for (size_t i = 0; i < sizeof keyed / sizeof *keyed; i++)
            argv[count++] = keyed[i];
    }
    while (extra && *extra && count < ARGS - 1)
        argv[count++] = *extra++;
    prf_error_t err = {0};
    prf_process_options_t options = {.pipes = true, .log = log};
    cr_assert_eq(prf_process_start(&farm->coordinator, argv, &options, &err), PRF_OK, "%s", err.text);
    farm_ready(&farm->coordinator, "ready farm=", "the coordinator", ready);
    char *http = strstr(ready, " http=");
    snprintf(farm->http, sizeof farm->http, "%s", http ? http + strlen(" http=") : "");
    if (http)
        *http = '\0';
    if (strchr(farm->name, '*')) /* the ports that the system chose stay those of this farm */
        snprintf(farm->name, sizeof farm->name, "%s", ready);
}

void farm_make(farm_t *farm)
{
    memset(farm, 0, sizeof *farm);
    const char *tmp = getenv("TMPDIR");
    snprintf(farm->dir, sizeof farm->dir, "%.60s/prfarm-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    cr_assert(mkdtemp(farm->dir), "%s", farm->dir);
    snprintf(farm->name, sizeof farm->name, "ipc://%.100s/f", farm->dir);
}

/* A socket that is connected as `name` (NULL: without keys). */
static prf_socket_t *connect_as(const farm_t *farm, bool to_workers, const char *name, int queue)
{
    prf_endpoints_t endpoints;
    prf_identity_t identity = {.keyed = false};
    prf_error_t err = {0};
    prf_socket_t *socket;
    if (name)
        farm_identity(farm, name, &identity);
    cr_assert_eq(prf_endpoints_parse(&endpoints, farm->name, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_socket_new(&socket, PRF_DEALER, queue, PRF_FRAME_BYTES, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_socket_identify(socket, &identity, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_socket_connect(socket, to_workers ? endpoints.workers : endpoints.clients, &err), PRF_OK, "%s", err.text);
    return socket;
}

void farm_connect_client(farm_t *farm, const char *name)
{
    prf_socket_destroy(&farm->client);
    farm->client = connect_as(farm, false, name, 100);
}

void farm_start(farm_t *farm, const char *const *extra)
{
    farm_make(farm);
    farm_start_coordinator(farm, extra);
    farm_connect_client(farm, NULL);
}

static void print_log(const farm_t *farm)
{
    char path[FARM_PATH + 32], line[1024];
    snprintf(path, sizeof path, "%s/coordinator.log", farm->dir);
    FILE *log = fopen(path, "r");
    while (log && fgets(line, sizeof line, log))
        fputs(line, stderr);
    if (log)
        fclose(log);
}

void farm_stop(farm_t *farm)
{
    prf_socket_destroy(&farm->client);
    for (size_t i = 0; i < farm->worker_count; i++)
        prf_process_stop(&farm->workers[i], GRACE_MS); /* so that a sanitizer has its say */
    /* A coordinator that a test leaves running has to end well, too: sanitizers tell what they found by the exit code. */
    int code = farm->coordinator.pid > 0 ? farm_end_coordinator(farm) : 0;
    if (code != 0)
        print_log(farm);
    if (farm->dir[0] && !getenv("PRF_TEST_KEEP"))
        nftw(farm->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    farm->dir[0] = '\0';
    if (code != 0) { /* Criterion only warns of a teardown that fails; ctest looks for that warning */
        fprintf(stderr, "the coordinator ended with code %d\n", code);
        abort();
    }
}

void farm_kill_coordinator(farm_t *farm)
{
    prf_process_stop(&farm->coordinator, 0);
}

int farm_end_coordinator(farm_t *farm)
{
    int status = 0;
    kill(farm->coordinator.pid, SIGTERM);
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (!prf_process_ended(&farm->coordinator, &status)) {
        cr_assert_lt(prf_clock_mono_ms(), until, "the coordinator did not end");
        poll(NULL, 0, TICK_MS);
    }
    prf_process_stop(&farm->coordinator, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* `identity` NULL: without keys. */
static size_t start_worker(farm_t *farm, const char *name, const char *kind, const char *backend, const char *option,
                           const char *identity)
{
    cr_assert_lt(farm->worker_count, FARM_WORKERS);
    char state[FARM_PATH + PRF_NAME], log[FARM_PATH + PRF_NAME], key[FARM_PATH + PRF_NAME], server[FARM_PATH + PRF_NAME];
    snprintf(state, sizeof state, "%s/%s", farm->dir, name);
    snprintf(log, sizeof log, "%s/%s.log", farm->dir, name);
    snprintf(key, sizeof key, "%s/%s.key", farm->dir, identity ? identity : "-");
    snprintf(server, sizeof server, "%s/coordinator.pub", farm->dir);
    const char *argv[ARGS], *const basic[] = {worker_path, "--farm",    farm->dial ? farm->dial : farm->name,
                                              "--board",   name,        "--kind",
                                              kind,        "--backend", backend,
                                              "--state",   state};
    size_t count = 0;
    for (const char *const *word = farm->host; word && *word; word++)
        argv[count++] = *word;
    for (size_t i = 0; i < sizeof basic / sizeof *basic; i++)
        argv[count++] = basic[i];
    if (farm->credit) {
        argv[count++] = "--credit";
        argv[count++] = farm->credit;
    }
    char words[FARM_PATH], *rest = words;
    snprintf(words, sizeof words, "%s", option);
    for (char *word = strtok_r(rest, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        argv[count++] = "--option";
        argv[count++] = word;
    }
    const char *const keyed[] = {"--key", key, "--server", server};
    for (size_t i = 0; identity && i < sizeof keyed / sizeof *keyed; i++)
        argv[count++] = keyed[i];
    argv[count] = NULL;
    prf_error_t err = {0};
    prf_process_options_t options = {.pipes = true, .log = log};
    size_t place = farm->worker_count++;
    cr_assert_eq(prf_process_start(&farm->workers[place], argv, &options, &err), PRF_OK, "%s", err.text);
    return place;
}

size_t farm_add_board(farm_t *farm, const char *name, const char *kind, const char *backend, const char *options)
{
    char rest[READY];
    size_t place = start_worker(farm, name, kind, backend, options, farm->own_keys ? name : (farm->keyed ? "worker" : NULL));
    farm_ready(&farm->workers[place], "ready board=", name, rest);
    return place;
}

size_t farm_add_worker(farm_t *farm, const char *name, const char *kind, const char *board, const char *option)
{
    char options[FARM_PATH];
    snprintf(options, sizeof options, "board=%s %s", board, option ? option : "");
    return farm_add_board(farm, name, kind, "sim", options);
}

size_t farm_start_worker(farm_t *farm, const char *name, const char *kind, const char *board, const char *identity)
{
    char option[PRF_NAME + 8];
    snprintf(option, sizeof option, "board=%s", board);
    return start_worker(farm, name, kind, "sim", option, identity);
}

void farm_kill_worker(farm_t *farm, size_t place)
{
    prf_process_stop(&farm->workers[place], 0);
}

static void stop_loop(void *arg)
{
    prf_loop_stop(arg);
}

/* Until there is something to read, or the time is over. */
static void wait_socket(prf_socket_t *socket, unsigned ms)
{
    prf_loop_t *loop;
    prf_error_t err = {0};
    cr_assert_eq(prf_loop_new(&loop, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_loop_add_socket(loop, socket, stop_loop, loop, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_loop_add_timer(loop, ms ? ms : 1, stop_loop, loop, NULL, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_loop_run(loop, &err), PRF_OK, "%s", err.text);
    prf_loop_destroy(&loop);
}

static bool receive(prf_socket_t *socket, prf_frame_t *out, uint64_t until_ms)
{
    for (;;) {
        uint8_t *bytes;
        size_t len;
        prf_error_t err = {0};
        if (prf_socket_recv(socket, NULL, &bytes, &len, &err) == PRF_OK) {
            cr_assert_eq(prf_frame_decode(out, bytes, len, &err), PRF_OK, "%s", err.text);
            free(bytes);
            return true;
        }
        uint64_t now = prf_clock_mono_ms();
        if (now >= until_ms)
            return false;
        wait_socket(socket, (unsigned)(until_ms - now));
    }
}

static void send_frame(prf_socket_t *socket, const prf_frame_t *frame)
{
    uint8_t *bytes;
    size_t len;
    prf_error_t err = {0};
    cr_assert_eq(prf_frame_encode(frame, &bytes, &len, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_socket_send(socket, NULL, bytes, len, &err), PRF_OK, "%s", err.text);
    free(bytes);
}

int farm_run(const farm_t *farm, char said[FARM_SAID], const char *const *words)
{
    char program[sizeof PRF_BIN_DIR + 64], log[FARM_PATH + 16];
    const char *argv[ARGS] = {program};
    size_t count = 1;
    snprintf(program, sizeof program, PRF_BIN_DIR "/%s", words[0]);
    for (; words[count]; count++) {
        cr_assert_lt(count, ARGS - 1);
        argv[count] = words[count];
    }
    snprintf(log, sizeof log, "%s/said", farm->dir);
    unlink(log);
    prf_process_t process;
    prf_process_options_t options = {.log = log};
    prf_error_t err = {0};
    int status = 0;
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    cr_assert_eq(prf_process_start(&process, argv, &options, &err), PRF_OK, "%s", err.text);
    while (!prf_process_ended(&process, &status)) {
        cr_assert_lt(prf_clock_mono_ms(), until, "%s %s did not end", words[0], words[1]);
        poll(NULL, 0, 2);
    }
    prf_process_stop(&process, 0);
    if (said) {
        char *text = NULL;
        size_t len;
        cr_assert_eq(prf_file_read(log, 1 << 24, &text, &len, &err), PRF_OK, "%s", err.text);
        snprintf(said, FARM_SAID, "%s", text);
        free(text);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

json_t *farm_request(farm_t *farm, const char *op, json_t *in, prf_status_t *status, char error[480])
{
    char *text = in ? json_dumps(in, JSON_COMPACT) : NULL;
    json_decref(in);
    char none[] = "{}";
    prf_frame_t frame = {.type = PRF_FRAME_REQUEST, .u.request = {.id = ++farm->requests, .json = text ? text : none}};
    snprintf(frame.u.request.op, sizeof frame.u.request.op, "%s", op);
    send_frame(farm->client, &frame);
    free(text);
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    prf_frame_t reply;
    bool mine = false;
    while (!mine) {
        cr_assert(receive(farm->client, &reply, until), "no reply to %s", op);
        mine = reply.type == PRF_FRAME_REPLY && reply.u.reply.id == farm->requests;
        if (!mine)
            prf_frame_release(&reply);
    }
    if (status)
        *status = reply.u.reply.status;
    if (error)
        snprintf(error, 480, "%s", reply.u.reply.error);
    json_t *out = reply.u.reply.status == PRF_OK ? json_loads(reply.u.reply.json, 0, NULL) : NULL;
    prf_frame_release(&reply);
    return out;
}

json_t *farm_ask(farm_t *farm, const char *op, json_t *in)
{
    prf_status_t status;
    char error[480];
    json_t *out = farm_request(farm, op, in, &status, error);
    cr_assert(out, "%s: %s: %s", op, prf_status_name(status), error);
    return out;
}

const char farm_by_hand[] = "campaign: hand\n"
                            "boards:\n"
                            "  - {kind: hand, backend: sim}\n"
                            "layers:\n"
                            "  - kind: fc\n"
                            "    params: {in: 1..64, out: 1..64}\n"
                            "    knowledge: white\n"
                            "    steps: {in: 8, out: 8}\n"
                            "budget: {samples: 20}\n"
                            "validation: {layers: 4, repeats: 1}\n"
                            "baseline: false\n";

json_int_t farm_number(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    cr_assert(json_is_integer(value), "%s is no number", key);
    return json_integer_value(value);
}

const char *farm_text(const json_t *json, const char *key)
{
    const char *value = json_string_value(json_object_get(json, key));
    cr_assert(value, "%s is no text", key);
    return value;
}

json_t *farm_submit(farm_t *farm, const char *text)
{
    return farm_ask(farm, "submit", json_pack("{s:s, s:s, s:[]}", "campaign", text, "file", "test.yaml", "networks"));
}

json_t *farm_campaign(farm_t *farm, const char *name)
{
    json_t *status = farm_ask(farm, "status", json_pack("{s:s}", "campaign", name));
    json_t *campaign = json_incref(json_array_get(json_object_get(status, "campaigns"), 0));
    json_decref(status);
    cr_assert(campaign, "status of %s", name);
    return campaign;
}

json_t *farm_wait(farm_t *farm, const char *name, bool (*enough)(json_t *campaign))
{
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    for (;;) {
        json_t *campaign = farm_campaign(farm, name);
        if (enough(campaign))
            return campaign;
        char *text = json_dumps(campaign, JSON_COMPACT);
        cr_assert_lt(prf_clock_mono_ms(), until, "%s", text);
        free(text);
        json_decref(campaign);
        wait_socket(farm->client, TICK_MS);
    }
}

bool farm_is_over(json_t *campaign)
{
    return strcmp(json_string_value(json_object_get(campaign, "state")), "running") != 0;
}

json_t *farm_board(farm_t *farm, const char *name)
{
    json_t *reply = farm_ask(farm, "boards", NULL), *board, *found = NULL;
    size_t i;
    json_array_foreach(json_object_get(reply, "boards"), i,
                       board) if (strcmp(json_string_value(json_object_get(board, "board")), name) == 0) found = json_incref(board);
    json_decref(reply);
    return found;
}

json_t *farm_rows(farm_t *farm, const char *campaign)
{
    json_t *rows = json_array();
    json_int_t after = 0;
    for (;;) {
        json_t *reply = farm_ask(farm, "export", json_pack("{s:I, s:s?, s:i}", "after", after, "campaign", campaign, "limit", 500));
        json_array_extend(rows, json_object_get(reply, "rows"));
        json_t *next = json_object_get(reply, "next");
        bool more = json_is_integer(next);
        after = json_integer_value(next);
        json_decref(reply);
        if (!more)
            return rows;
    }
}

void farm_peer_connect_as(farm_peer_t *peer, const farm_t *farm, const char *name)
{
    *peer = (farm_peer_t){connect_as(farm, true, name, 1000), 0};
}

json_t *farm_counted(farm_t *farm, const char *campaign)
{
    json_t *rows = farm_rows(farm, campaign), *row, *counted = json_object();
    size_t i;
    json_array_foreach(rows, i, row)
    {
        char key[64];
        if (json_is_true(json_object_get(row, "duplicate")))
            continue;
        cr_assert_str_eq(json_string_value(json_object_get(row, "outcome")), "ok");
        snprintf(key, sizeof key, "%s.%lld", json_string_value(json_object_get(row, "point")),
                 (long long)json_integer_value(json_object_get(row, "attempt")));
        cr_assert_not(json_object_get(counted, key), "%s counts twice", key);
        json_object_set(counted, key, json_object_get(row, "sequence"));
    }
    json_decref(rows);
    return counted;
}

void farm_peer_connect(farm_peer_t *peer, const farm_t *farm)
{
    farm_peer_connect_as(peer, farm, farm->keyed ? "worker" : NULL);
}

void farm_peer_close(farm_peer_t *peer)
{
    prf_socket_destroy(&peer->socket);
}

void farm_peer_send(farm_peer_t *peer, const prf_frame_t *frame)
{
    send_frame(peer->socket, frame);
}

void farm_peer_send_bytes(farm_peer_t *peer, const void *bytes, size_t len)
{
    prf_error_t err = {0};
    cr_assert_eq(prf_socket_send(peer->socket, NULL, bytes, len, &err), PRF_OK, "%s", err.text);
}

bool farm_peer_receive(farm_peer_t *peer, prf_frame_type_t type, prf_frame_t *out, unsigned ms)
{
    uint64_t until = prf_clock_mono_ms() + ms;
    while (receive(peer->socket, out, until)) {
        if (out->type == type)
            return true;
        prf_frame_release(out);
    }
    return false;
}

void farm_peer_send_hello(farm_peer_t *peer, const char *board, const char *kind)
{
    prf_frame_t frame = {.type = PRF_FRAME_HELLO, .u.hello = {.kinds = 0xfff, .dtypes = 0xf}};
    snprintf(frame.u.hello.board, sizeof frame.u.hello.board, "%s", board);
    snprintf(frame.u.hello.kind, sizeof frame.u.hello.kind, "%s", kind);
    snprintf(frame.u.hello.fingerprint, sizeof frame.u.hello.fingerprint, "by hand");
    snprintf(frame.u.hello.software, sizeof frame.u.hello.software, "test");
    farm_peer_send(peer, &frame);
}

void farm_peer_hello(farm_peer_t *peer, const char *board, const char *kind)
{
    prf_frame_t welcome;
    farm_peer_send_hello(peer, board, kind);
    cr_assert(farm_peer_receive(peer, PRF_FRAME_WELCOME, &welcome, PATIENCE_MS), "no welcome for %s", board);
    peer->session = welcome.u.welcome.session;
    prf_frame_release(&welcome);
}

void farm_peer_credit(farm_peer_t *peer, uint32_t jobs)
{
    farm_peer_send(peer, &(prf_frame_t){.type = PRF_FRAME_CREDIT, .u.credit = jobs});
}

void farm_peer_heartbeat(farm_peer_t *peer, const uint64_t *ids, size_t count)
{
    prf_frame_t frame = {.type = PRF_FRAME_HEARTBEAT,
                         .u.ids = {.session = peer->session, .items = (uint64_t *)ids, .count = count}};
    farm_peer_send(peer, &frame);
}

size_t farm_peer_take_jobs(farm_peer_t *peer, prf_frame_t *out)
{
    enum { BEAT_MS = 200 };
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (!farm_peer_receive(peer, PRF_FRAME_JOB_BATCH, out, BEAT_MS)) {
        cr_assert_lt(prf_clock_mono_ms(), until, "no jobs came");
        farm_peer_heartbeat(peer, NULL, 0);
    }
    cr_assert_gt(out->u.jobs.count, 0);
    return out->u.jobs.count;
}

void farm_peer_result(farm_peer_t *peer, const prf_job_t *job, prf_status_t outcome, double latency_ns)
{
    prf_result_t result = {.id = job->id, .epoch = job->epoch, .point = job->point, .attempt = job->attempt, .outcome = outcome};
    if (outcome)
        snprintf(result.error, sizeof result.error, "as the test says");
    else
        result.sample = (prf_sample_t){.latency_ns = latency_ns,
                                       .min_ns = latency_ns,
                                       .repeats = 5,
                                       .ci_percent = 0.5,
                                       .wall_ms = prf_clock_wall_ms(),
                                       .busy_ns = (uint64_t)latency_ns};
    farm_peer_send(peer, &(prf_frame_t){.type = PRF_FRAME_RESULT_BATCH, .u.results = {.items = &result, .count = 1}});
}

void farm_peer_committed(farm_peer_t *peer, uint64_t id)
{
    farm_peer_told(peer, PRF_FRAME_COMMITTED, id);
}

void farm_peer_told(farm_peer_t *peer, prf_frame_type_t list, uint64_t id)
{
    prf_frame_t frame;
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    bool found = false;
    while (!found) {
        cr_assert(farm_peer_receive(peer, list, &frame, (unsigned)(until - prf_clock_mono_ms())), "job %llu was not told as %s",
                  (unsigned long long)id, prf_frame_name(list));
        for (size_t i = 0; i < frame.u.ids.count; i++)
            found = found || frame.u.ids.items[i] == id;
        prf_frame_release(&frame);
    }
}
