// SPDX-License-Identifier: Apache-2.0
/* prfarm-worker as a coordinator sees it: the test is the coordinator, the worker is the real program with a simulated board. */
#define _GNU_SOURCE /* prlimit */
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "net/net.h"
#include "tests/support/patience.h"
#include "tiny_model.h"
#include "wire/wire.h"

enum { HEARTBEAT_MS = 400 }; /* a worker that has waited for five takes the coordinator for lost: longer than a disk holds it up */

static char dir[40], farm[64], log_path[64], state[64];
static prf_loop_t *loop;
static prf_socket_t *router, *pub;
static prf_process_t worker;
static prf_peer_t peer;
static bool late, silent; /* silent: the coordinator answers no heartbeats */

static void on_readable(void *arg)
{
    (void)arg;
    prf_loop_stop(loop);
}

static void on_late(void *arg)
{
    (void)arg;
    late = true;
    prf_loop_stop(loop);
}

/* A socket that was just destroyed gives its endpoint up a moment later. */
static prf_socket_t *bound_socket(prf_socket_type_t type, const char *suffix)
{
    char endpoint[80];
    prf_socket_t *socket = NULL;
    prf_error_t err = {0};
    snprintf(endpoint, sizeof endpoint, "%s.%s", farm, suffix);
    cr_assert_eq(prf_socket_new(&socket, type, 1000, PRF_FRAME_BYTES, &err), PRF_OK, "%s", err.text);
    uint64_t end = prf_clock_mono_ms() + PATIENCE_MS;
    prf_status_t status;
    while ((status = prf_socket_bind(socket, endpoint, NULL, &err)) == PRF_EBUSY && prf_clock_mono_ms() < end)
        ;
    cr_assert_eq(status, PRF_OK, "%s", err.text);
    return socket;
}

static void bind_farm(void)
{
    prf_error_t err = {0};
    router = bound_socket(PRF_ROUTER, "workers");
    pub = bound_socket(PRF_PUB, "broadcast");
    cr_assert_eq(prf_loop_add_socket(loop, router, on_readable, NULL, &err), PRF_OK, "%s", err.text);
}

static void unbind_farm(void)
{
    if (router)
        prf_loop_remove_socket(loop, router);
    prf_socket_destroy(&router);
    prf_socket_destroy(&pub);
}

static void start_worker(const char *const *more)
{
    const char *argv[32] = {PRF_BIN_DIR "/prfarm-worker", "--farm", farm, "--board", "b1", "--kind", "k1", "--state", state};
    size_t n = 9;
    while (*more)
        argv[n++] = *more++;
    prf_error_t err = {0};
    cr_assert_eq(prf_process_start(&worker, argv, &(prf_process_options_t){.pipes = true, .log = log_path}, &err), PRF_OK, "%s",
                 err.text);
}
#define START(...) start_worker((const char *const[]){__VA_ARGS__, NULL})
#define SIM "--backend", "sim", "--option", "board=ultratrail"

static void set_up(void)
{
    prf_error_t err = {0};
    snprintf(dir, sizeof dir, "/tmp/prf-worker-XXXXXX");
    cr_assert(mkdtemp(dir));
    snprintf(farm, sizeof farm, "ipc://%s/farm", dir);
    snprintf(log_path, sizeof log_path, "%s/log", dir);
    snprintf(state, sizeof state, "%s/state", dir);
    worker = (prf_process_t){.fd = -1, .in = -1, .out = -1};
    cr_assert_eq(prf_loop_new(&loop, &err), PRF_OK);
    cr_assert_eq(prf_loop_add_timer(loop, PATIENCE_MS, on_late, NULL, NULL, &err), PRF_OK);
    bind_farm();
}

static void tear_down(void)
{
    char command[80];
    prf_process_stop(&worker, 0);
    unbind_farm();
    prf_loop_destroy(&loop);
    snprintf(command, sizeof command, "rm -r %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(worker, .init = set_up, .fini = tear_down);

static const char *log_text(void)
{
    static char text[4000];
    char *data = NULL;
    size_t len = 0;
    if (prf_file_read(log_path, 1 << 20, &data, &len, NULL))
        return "(no log)";
    snprintf(text, sizeof text, "%s", len < sizeof text ? data : data + len - sizeof text + 1);
    free(data);
    return text;
}

static void tell(const prf_frame_t *frame)
{
    uint8_t *bytes;
    size_t len;
    prf_error_t err = {0};
    cr_assert_eq(prf_frame_encode(frame, &bytes, &len, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_socket_send(router, &peer, bytes, len, &err), PRF_OK, "%s", err.text);
    free(bytes);
}

/* Answers heartbeats, as a coordinator does. False when nothing comes. */
static bool next_frame(prf_frame_t *frame)
{
    prf_error_t err = {0};
    uint8_t *bytes;
    size_t len;
    while (prf_socket_recv(router, &peer, &bytes, &len, &err) == PRF_ETIMEOUT) {
        cr_assert_eq(prf_loop_run(loop, &err), PRF_OK, "%s", err.text);
        if (late)
            return false;
    }
    cr_assert_eq(prf_frame_decode(frame, bytes, len, &err), PRF_OK, "%s", err.text);
    free(bytes);
    if (frame->type == PRF_FRAME_HEARTBEAT && !silent)
        tell(&(prf_frame_t){.type = PRF_FRAME_HEARTBEAT, .u.ids.session = frame->u.ids.session});
    return true;
}

/* The next frame of this type; what comes between is passed over. The caller releases it. */
static prf_frame_t expect(prf_frame_type_t type)
{
    prf_frame_t frame;
    while (next_frame(&frame)) {
        if (frame.type == type)
            return frame;
        prf_frame_release(&frame);
    }
    cr_assert(false, "no %s came; the worker says:\n%s", prf_frame_name(type), log_text());
    return frame;
}

static void welcome(uint64_t session)
{
    prf_frame_t hello = expect(PRF_FRAME_HELLO);
    prf_frame_release(&hello);
    tell(&(prf_frame_t){.type = PRF_FRAME_WELCOME, .u.welcome = {.session = session, .heartbeat_ms = HEARTBEAT_MS}});
}

static uint32_t credit(void)
{
    prf_frame_t frame = expect(PRF_FRAME_CREDIT);
    uint32_t granted = frame.u.credit;
    prf_frame_release(&frame);
    return granted;
}

static void give_job(uint64_t id, const char *text, uint32_t deadline_ms)
{
    prf_block_t block;
    prf_error_t err = {0};
    cr_assert_eq(prf_block_parse(&block, text, &err), PRF_OK, "%s", err.text);
    prf_job_t job = {.id = id, .epoch = 1, .deadline_ms = deadline_ms, .blocks = &block, .block_count = 1};
    prf_protocol_default(&job.protocol);
    prf_digest(&job.point, text, strlen(text));
    tell(&(prf_frame_t){.type = PRF_FRAME_JOB_BATCH, .u.jobs = {.items = &job, .count = 1}});
}

static prf_result_t result(void)
{
    prf_frame_t frame = expect(PRF_FRAME_RESULT_BATCH);
    prf_result_t first = frame.u.results.items[0];
    prf_frame_release(&frame);
    return first;
}

static void commit(uint64_t id)
{
    tell(&(prf_frame_t){.type = PRF_FRAME_COMMITTED, .u.ids = {.items = &id, .count = 1}});
}

static int exit_code(void)
{
    int status = -1;
    uint64_t end = prf_clock_mono_ms() + PATIENCE_MS;
    uint8_t *bytes;
    size_t len;
    prf_peer_t from;
    while (!prf_process_ended(&worker, &status)) {
        cr_assert_lt(prf_clock_mono_ms(), end, "the worker did not end:\n%s", log_text());
        if (prf_socket_recv(router, &from, &bytes, &len, NULL) == PRF_OK)
            free(bytes);
        else
            poll(NULL, 0, 5);
    }
    cr_assert(WIFEXITED(status), "status %d:\n%s", status, log_text());
    return WEXITSTATUS(status);
}

static void says(const char *text)
{
    cr_assert(strstr(log_text(), text), "the log lacks '%s':\n%s", text, log_text());
}

Test(worker, introduces_its_board_asks_for_jobs_and_hands_results_back)
{
    START(SIM, "--credit", "3");
    prf_frame_t hello = expect(PRF_FRAME_HELLO);
    cr_assert_str_eq(hello.u.hello.board, "b1");
    cr_assert_str_eq(hello.u.hello.kind, "k1");
    cr_assert_str_eq(hello.u.hello.fingerprint, "sim/ultratrail");
    cr_assert_eq(hello.u.hello.kinds, 1u << PRF_CONV1D | 1u << PRF_FC);
    cr_assert_eq(hello.u.hello.model.version, 0);
    prf_frame_release(&hello);
    tell(&(prf_frame_t){.type = PRF_FRAME_WELCOME, .u.welcome = {.session = 5, .heartbeat_ms = HEARTBEAT_MS}});
    char ready[64] = "";
    cr_assert_gt(read(worker.out, ready, sizeof ready - 1), 0);
    cr_assert_str_eq(ready, "ready board=b1 kind=k1\n");
    cr_assert_eq(credit(), 3);
    give_job(11, "conv1d c=16 k=24 f=9 w=101 stride=2 pad=4", 10000);
    prf_result_t r = result();
    cr_assert(r.id == 11 && r.epoch == 1 && r.outcome == PRF_OK, "%s", r.error);
    cr_assert_eq(r.sample.latency_ns, 4 * 2683.0);
    cr_assert_eq(r.sample.repeats, 1, "an exact board is asked once");
    commit(11);
    prf_frame_t heartbeat = expect(PRF_FRAME_HEARTBEAT);
    while (heartbeat.u.ids.count > 0) { /* it was sent before the worker had heard of the commit */
        prf_frame_release(&heartbeat);
        heartbeat = expect(PRF_FRAME_HEARTBEAT);
    }
    cr_assert_eq(heartbeat.u.ids.session, 5);
    cr_assert_eq(heartbeat.u.ids.takes, 1 + 3, "what it takes beside what it holds");
    prf_frame_release(&heartbeat);
}

Test(worker, a_result_is_sent_until_it_is_committed)
{
    START(SIM);
    welcome(1);
    give_job(11, "fc in=8 out=8", 10000);
    cr_assert_eq(result().id, 11);
    cr_assert_eq(result().id, 11, "it was not sent again");
    prf_frame_t heartbeat = expect(PRF_FRAME_HEARTBEAT);
    cr_assert_eq(heartbeat.u.ids.count, 1);
    cr_assert_eq(heartbeat.u.ids.items[0], 11);
    prf_frame_release(&heartbeat);
    commit(11);
    do {
        heartbeat = expect(PRF_FRAME_HEARTBEAT);
        bool held = heartbeat.u.ids.count > 0;
        prf_frame_release(&heartbeat);
        if (!held)
            break;
    } while (!late);
}

/* Nothing is committed: the worker takes as many jobs as it can keep results for, then waits, and loses none. */
Test(worker, without_commits_it_stops_asking_before_it_would_lose_a_result)
{
    static uint64_t ids[2000];
    START(SIM, "--credit", "64");
    welcome(1);
    size_t granted = 0, beats = 0, listed = 0, credit_left = 0;
    prf_frame_t frame;
    while (beats < 5 && next_frame(&frame)) {
        if (frame.type == PRF_FRAME_CREDIT)
            credit_left += frame.u.credit;
        if (frame.type == PRF_FRAME_HEARTBEAT) {
            listed += frame.u.ids.count;
            if (frame.u.ids.takes > 0) { /* the last frame of this heartbeat */
                size_t takes = frame.u.ids.takes - 1, coming = granted - listed;
                credit_left = takes > coming ? takes - coming : 0;
                listed = 0;
                beats += granted >= 1000;
            }
        }
        for (; credit_left > 0 && granted < 2000; granted++, credit_left--) {
            beats = 0;
            ids[granted] = granted + 1;
            give_job(ids[granted], "fc in=8 out=8", 10000);
        }
        prf_frame_release(&frame);
    }
    cr_assert_eq(granted, 1000, "%zu jobs were asked for", granted);
    cr_assert_null(strstr(log_text(), "result_dropped"), "%s", log_text());
    tell(&(prf_frame_t){.type = PRF_FRAME_COMMITTED, .u.ids = {.items = ids, .count = PRF_FRAME_JOBS}});
    cr_assert_gt(credit(), 0);
}

Test(worker, a_new_coordinator_gets_hello_and_what_the_old_one_did_not_confirm)
{
    START(SIM);
    welcome(1);
    give_job(11, "fc in=8 out=8", 10000);
    cr_assert_eq(result().id, 11);
    unbind_farm();
    bind_farm();
    silent = true; /* it knows nothing of the session */
    welcome(2);
    silent = false;
    prf_result_t again = result();
    cr_assert_eq(again.id, 11);
    cr_assert_eq(again.sample.latency_ns, 8);
    cr_assert_gt(credit(), 0, "credit must be granted anew");
}

Test(worker, a_coordinator_that_forgot_the_session_is_greeted_again)
{
    START(SIM);
    welcome(1);
    credit();
    tell(&(prf_frame_t){.type = PRF_FRAME_REFUSAL, .u.refusal = {.status = PRF_ENOTFOUND, .text = "no session"}});
    welcome(2);
    cr_assert_gt(credit(), 0);
    tell(&(prf_frame_t){.type = PRF_FRAME_GOODBYE});
    welcome(3);
    cr_assert_gt(credit(), 0);
}

/* Behind a healed partition all frames of many seconds arrive at once, and each is refused. */
Test(worker, many_refusals_at_once_delay_its_return_no_more_than_one)
{
    const prf_frame_t refusal = {.type = PRF_FRAME_REFUSAL, .u.refusal = {.status = PRF_ENOTFOUND, .text = "no session"}};
    START(SIM);
    for (uint64_t session = 1; session <= 6; session++) {
        welcome(session);
        credit();
        uint64_t begin = prf_clock_mono_ms();
        for (int i = 0; i < 20; i++)
            tell(&refusal);
        prf_frame_t hello = expect(PRF_FRAME_HELLO);
        prf_frame_release(&hello);
        cr_assert_lt(prf_clock_mono_ms() - begin, 3000, "said hello after %u ms", (unsigned)(prf_clock_mono_ms() - begin));
    }
}

Test(worker, a_name_that_is_taken_ends_it_with_the_reason)
{
    START(SIM);
    prf_frame_t hello = expect(PRF_FRAME_HELLO);
    prf_frame_release(&hello);
    tell(&(prf_frame_t){.type = PRF_FRAME_REFUSAL, .u.refusal = {.status = PRF_EEXISTS, .text = "board b1 is connected already"}});
    cr_assert_eq(exit_code(), prf_exit_code(PRF_EEXISTS));
    says("prfarm-worker: the coordinator refuses this worker: board b1 is connected already");
}

Test(worker, speaks_while_its_board_hangs_and_lives_on_after)
{
    START(SIM, "--option", "hang=1");
    welcome(1);
    give_job(11, "fc in=8 out=8", 4000);
    unsigned beats = 0;
    prf_frame_t frame;
    while (next_frame(&frame)) {
        bool over = frame.type == PRF_FRAME_RESULT_BATCH;
        beats += frame.type == PRF_FRAME_HEARTBEAT && frame.u.ids.count == 1 && frame.u.ids.items[0] == 11;
        if (over) {
            cr_assert_eq(frame.u.results.items[0].outcome, PRF_EHANG);
            cr_assert(strstr(frame.u.results.items[0].error, "no answer within 4000 ms"), "%s", frame.u.results.items[0].error);
        }
        prf_frame_release(&frame);
        if (over)
            break;
    }
    cr_assert_geq(beats, 4, "%u heartbeats in four seconds", beats);
    commit(11);
    give_job(12, "conv2d c=3 k=8 h=8 r=3", 1000);
    cr_assert_eq(result().outcome, PRF_EUNSUPPORTED, "the board did not come back");
}

Test(worker, does_not_begin_what_was_revoked_and_finishes_what_is_on_the_board)
{
    START(SIM, "--option", "hang=1", "--option", "seed=1");
    welcome(1);
    give_job(11, "fc in=8 out=8", 2000); /* hangs until its time is over */
    give_job(12, "fc in=16 out=8", 2000);
    give_job(13, "fc in=24 out=8", 100);
    uint64_t revoked[] = {11, 12};
    tell(&(prf_frame_t){.type = PRF_FRAME_REVOKE, .u.ids = {.items = revoked, .count = 2}});
    prf_result_t r = result();
    cr_assert(r.id == 11 && r.outcome == PRF_EHANG, "%llu: %s", (unsigned long long)r.id, r.error);
    commit(11);
    cr_assert_eq(result().id, 13);
}

Test(worker, a_crashing_board_costs_each_job_and_never_the_worker)
{
    START(SIM, "--option", "crash=1");
    welcome(1);
    for (uint64_t id = 1; id <= 3; id++) {
        give_job(id, "fc in=8 out=8", 10000);
        prf_result_t r = result();
        cr_assert_eq(r.id, id);
        cr_assert_eq(r.outcome, PRF_ECRASH, "%s", r.error);
        commit(id);
    }
}

/* Answers fetches until the model is acknowledged. */
static void serve_model(const uint8_t *bytes, const prf_model_version_t *version)
{
    prf_frame_t frame;
    while (next_frame(&frame) && frame.type != PRF_FRAME_MODEL_ACK) {
        if (frame.type == PRF_FRAME_FETCH) {
            uint64_t at = frame.u.fetch.offset;
            cr_assert_lt(at, version->bytes);
            size_t n = version->bytes - at < 300 ? (size_t)(version->bytes - at) : 300;
            prf_frame_t chunk = {.type = PRF_FRAME_CHUNK};
            chunk.u.chunk.digest = version->digest;
            chunk.u.chunk.offset = at;
            chunk.u.chunk.total = version->bytes;
            chunk.u.chunk.data = (uint8_t *)(size_t)(bytes + at);
            chunk.u.chunk.len = n;
            tell(&chunk);
        }
        prf_frame_release(&frame);
    }
    cr_assert(!late, "the model was not acknowledged:\n%s", log_text());
    cr_assert_eq(frame.u.model.version, version->version);
    prf_frame_release(&frame);
}

Test(worker, takes_the_offered_model_and_tells_it_after_a_restart)
{
    size_t len;
    prf_model_version_t version;
    uint8_t *bytes = tiny_model("k1", 4, &len, &version);
    START(SIM);
    welcome(1);
    tell(&(prf_frame_t){.type = PRF_FRAME_MODEL_OFFER, .u.model = version});
    serve_model(bytes, &version);
    prf_process_stop(&worker, 0);
    START(SIM);
    prf_frame_t hello = expect(PRF_FRAME_HELLO);
    while (hello.u.hello.model.version == 0 && !late) { /* the killed worker's last words may still come */
        prf_frame_release(&hello);
        hello = expect(PRF_FRAME_HELLO);
    }
    cr_assert_eq(hello.u.hello.model.version, 4);
    cr_assert(prf_digest_compare(&hello.u.hello.model.digest, &version.digest) == 0);
    prf_frame_release(&hello);
    free(bytes);
}

Test(worker, a_broadcast_reaches_it)
{
    size_t len, out_len;
    prf_model_version_t version;
    uint8_t *bytes = tiny_model("k1", 9, &len, &version), *offer;
    START(SIM);
    welcome(1);
    credit();
    cr_assert_eq(prf_frame_encode(&(prf_frame_t){.type = PRF_FRAME_MODEL_OFFER, .u.model = version}, &offer, &out_len, NULL),
                 PRF_OK);
    /* A subscription takes a moment to arrive; until then a broadcast is lost, as on any farm. */
    for (bool fetched = false; !fetched && !late;) {
        prf_frame_t frame;
        cr_assert_eq(prf_socket_send(pub, NULL, offer, out_len, NULL), PRF_OK);
        if (!next_frame(&frame))
            break;
        fetched = frame.type == PRF_FRAME_FETCH;
        prf_frame_release(&frame);
    }
    cr_assert(!late, "nothing was fetched:\n%s", log_text());
    free(offer);
    free(bytes);
}

Test(worker, malformed_frames_do_not_disturb_it)
{
    START(SIM);
    welcome(1);
    credit();
    cr_assert_eq(prf_socket_send(router, &peer, "\xff\xff garbage", 10, NULL), PRF_OK);
    cr_assert_eq(prf_socket_send(router, &peer, "", 0, NULL), PRF_OK);
    give_job(11, "fc in=8 out=8", 10000);
    cr_assert_eq(result().id, 11);
}

Test(worker, sigterm_waits_for_the_commit_and_says_goodbye)
{
    START(SIM);
    welcome(1);
    give_job(11, "fc in=8 out=8", 10000);
    cr_assert_eq(result().id, 11);
    kill(worker.pid, SIGTERM);
    prf_frame_t heartbeat = expect(PRF_FRAME_HEARTBEAT);
    prf_frame_release(&heartbeat);
    commit(11);
    prf_frame_t goodbye = expect(PRF_FRAME_GOODBYE);
    prf_frame_release(&goodbye);
    cr_assert_eq(exit_code(), 0);
}

/* A result that nobody has confirmed is something to do. */
Test(worker, idle_exit_ends_it_when_it_had_nothing_to_do_for_so_long)
{
    START(SIM, "--idle-exit", "1");
    welcome(1);
    give_job(11, "fc in=8 out=8", 10000);
    cr_assert_eq(result().id, 11);
    for (uint64_t end = prf_clock_mono_ms() + 1500; prf_clock_mono_ms() < end;) {
        prf_frame_t frame = expect(PRF_FRAME_HEARTBEAT);
        prf_frame_release(&frame);
        tell(&(prf_frame_t){.type = PRF_FRAME_HEARTBEAT});
    }
    cr_assert(!prf_process_ended(&worker, NULL), "it went with a result in its hands:\n%s", log_text());
    commit(11);
    prf_frame_t goodbye = expect(PRF_FRAME_GOODBYE);
    prf_frame_release(&goodbye);
    cr_assert_eq(exit_code(), 0);
    says("there was nothing to do");
}

Test(worker, idle_exit_leaves_a_worker_its_time_from_the_start)
{
    uint64_t begin = prf_clock_mono_ms();
    START(SIM, "--idle-exit", "2");
    welcome(1);
    prf_frame_t goodbye = expect(PRF_FRAME_GOODBYE);
    prf_frame_release(&goodbye);
    cr_expect_geq(prf_clock_mono_ms() - begin, 2000);
    cr_assert_eq(exit_code(), 0);
}

/* The worker's children, as SIGTERM to all of a Slurm job's processes meets them. */
static void signal_children(int number)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)worker.pid, (int)worker.pid);
    FILE *file = fopen(path, "r");
    int child, count = 0;
    for (; file && fscanf(file, "%d", &child) == 1; count++)
        kill(child, number);
    cr_assert(count > 0, "%s tells of no child", path);
    fclose(file);
}

/* Else the job on the board would count as one that crashes boards. */
Test(worker, sigterm_to_all_of_its_processes_fails_no_job)
{
    START(SIM, "--option", "hang=1");
    welcome(1);
    give_job(11, "fc in=8 out=8", 60000);
    prf_frame_t frame = expect(PRF_FRAME_HEARTBEAT);
    while (frame.u.ids.count == 0) {
        prf_frame_release(&frame);
        frame = expect(PRF_FRAME_HEARTBEAT);
    }
    prf_frame_release(&frame);
    signal_children(SIGTERM);
    kill(worker.pid, SIGTERM);
    bool gone = false;
    while (!gone && next_frame(&frame)) {
        cr_expect_neq(frame.type, PRF_FRAME_RESULT_BATCH, "it says that the job failed");
        gone = frame.type == PRF_FRAME_GOODBYE;
        prf_frame_release(&frame);
    }
    cr_assert_eq(exit_code(), 0);
}

static void ends_at_once(prf_status_t code, const char *text, const char *const *more)
{
    start_worker(more);
    cr_assert_eq(exit_code(), prf_exit_code(code), "%s", log_text());
    says(text);
}
#define ENDS(code, text, ...) ends_at_once(code, text, (const char *const[]){__VA_ARGS__, NULL})

Test(worker, what_cannot_work_ends_it_with_one_clear_message)
{
    ENDS(PRF_ENOTFOUND, "prfarm-worker: plug-in /nowhere/b.so: there is no such file", "--plugin", "/nowhere/b.so");
    ENDS(PRF_EINVAL, "prfarm-worker: sim: unknown option 'wings=2'", SIM, "--option", "wings=2");
    ENDS(PRF_ENOTFOUND, "backend 'tpu' is not part of this build", "--backend", "tpu");
    ENDS(PRF_EUSAGE, "--backend is missing", "--log", "info");
    ENDS(PRF_EUSAGE, "--credit '0': use a whole number from 1 to 256", SIM, "--credit", "0");
    ENDS(PRF_EUSAGE, "there is no option --bogus", "--bogus");
    ENDS(PRF_EINVAL, "--board 'a b': use 1 to 63 letters", SIM, "--board", "a b");
    ENDS(PRF_EUSAGE, "log level 'loud'", SIM, "--log", "loud");
    ENDS(PRF_EINVAL, "http://here", SIM, "--farm", "http://here");
    ENDS(PRF_EIO, "/log: is a file, not a folder", SIM, "--state", log_path);
}

/* --- results outlive the worker --- */

/* Earlier ones may come again meanwhile. */
static void await_result(uint64_t id)
{
    bool came = false;
    while (!came) {
        prf_frame_t frame = expect(PRF_FRAME_RESULT_BATCH);
        for (size_t i = 0; i < frame.u.results.count; i++)
            came = came || frame.u.results.items[i].id == id;
        prf_frame_release(&frame);
    }
}

static prf_frame_t hello_with(uint32_t spooled)
{
    prf_frame_t hello = expect(PRF_FRAME_HELLO);
    while (hello.u.hello.spooled != spooled && !late) { /* a killed worker's last words may still come */
        prf_frame_release(&hello);
        hello = expect(PRF_FRAME_HELLO);
    }
    cr_assert_eq(hello.u.hello.spooled, spooled);
    return hello;
}

/* Killed while the coordinator is away. What it had measured comes first, and is known before new work is asked for. */
Test(worker, a_killed_workers_results_are_handed_over_by_its_successor_before_it_asks_for_jobs)
{
    START(SIM);
    welcome(1);
    for (uint64_t id = 11; id <= 13; id++) {
        give_job(id, "fc in=8 out=8", 10000);
        await_result(id);
    }
    commit(12);
    prf_frame_t heartbeat;
    do { /* until it has heard */
        heartbeat = expect(PRF_FRAME_HEARTBEAT);
        cr_assert(!late);
        prf_frame_release(&heartbeat);
    } while (heartbeat.u.ids.count > 2);
    prf_process_stop(&worker, 0);
    unbind_farm();
    bind_farm();
    START(SIM);
    prf_frame_t hello = hello_with(2);
    prf_frame_release(&hello);
    tell(&(prf_frame_t){.type = PRF_FRAME_WELCOME, .u.welcome = {.session = 2, .heartbeat_ms = HEARTBEAT_MS}});
    prf_frame_t frame = {0};
    while (next_frame(&frame) && frame.type == PRF_FRAME_HELLO)
        prf_frame_release(&frame);
    cr_assert_eq(frame.type, PRF_FRAME_RESULT_BATCH, "%s came before the results", prf_frame_name(frame.type));
    cr_assert_eq(frame.u.results.count, 2);
    cr_assert(frame.u.results.items[0].id == 11 && frame.u.results.items[1].id == 13);
    cr_assert_eq(frame.u.results.items[0].sample.latency_ns, 8);
    prf_frame_release(&frame);
    cr_assert_gt(credit(), 0);
    says("spool_taken_up results=2");
}

Test(worker, jobs_of_a_coordinator_that_is_gone_are_dropped_unless_they_have_begun)
{
    START(SIM, "--option", "hang=1");
    welcome(1);
    credit();
    for (uint64_t id = 11; id <= 13; id++) /* the first hangs on the board, the others wait */
        give_job(id, "fc in=8 out=8", 60000);
    size_t held = 0;
    while (held != 3) {
        prf_frame_t heartbeat = expect(PRF_FRAME_HEARTBEAT);
        held = heartbeat.u.ids.count;
        prf_frame_release(&heartbeat);
    }
    tell(&(prf_frame_t){.type = PRF_FRAME_GOODBYE});
    prf_frame_t hello = expect(PRF_FRAME_HELLO);
    prf_frame_release(&hello);
    tell(&(prf_frame_t){.type = PRF_FRAME_WELCOME, .u.welcome = {.session = 2, .heartbeat_ms = HEARTBEAT_MS, .first_epoch = 1}});
    prf_frame_t frame;
    do {
        frame = expect(PRF_FRAME_HEARTBEAT);
        held = frame.u.ids.count;
        cr_assert(held == 0 || frame.u.ids.items[0] == 11);
        prf_frame_release(&frame);
    } while (held != 1 && !late);
    says("jobs_dropped count=2");
}

Test(worker, jobs_survive_a_lost_session_with_the_same_coordinator)
{
    START(SIM, "--option", "hang=1");
    welcome(1);
    credit();
    for (uint64_t id = 11; id <= 12; id++)
        give_job(id, "fc in=8 out=8", 60000);
    tell(&(prf_frame_t){.type = PRF_FRAME_REFUSAL, .u.refusal = {.status = PRF_ENOTFOUND, .text = "no session"}});
    prf_frame_t hello = expect(PRF_FRAME_HELLO);
    prf_frame_release(&hello);
    tell(&(prf_frame_t){.type = PRF_FRAME_WELCOME, .u.welcome = {.session = 2, .heartbeat_ms = HEARTBEAT_MS, .first_epoch = 0}});
    prf_frame_t heartbeat = expect(PRF_FRAME_HEARTBEAT);
    while (heartbeat.u.ids.session != 2) {
        prf_frame_release(&heartbeat);
        heartbeat = expect(PRF_FRAME_HEARTBEAT);
    }
    cr_assert_eq(heartbeat.u.ids.count, 2);
    prf_frame_release(&heartbeat);
}

Test(worker, two_workers_do_not_share_a_state_folder)
{
    START(SIM);
    welcome(1);
    prf_process_t first = worker;
    START(SIM, "--board", "b2");
    cr_assert_eq(exit_code(), prf_exit_code(PRF_EBUSY));
    char text[160];
    snprintf(text, sizeof text, "is in use by process %ld: stop that worker, or give this one another --state", (long)first.pid);
    says(text);
    prf_process_stop(&first, 0);
}

/* A limit on its files is set and lifted from outside, as a disk fills and is emptied: it lies behind the log and the first
 * results. */
Test(worker, a_full_disk_is_told_once_and_results_go_on)
{
    enum { BEFORE = 16, SLOT = 512 };
    START(SIM, "--credit", "20");
    welcome(1);
    for (uint64_t id = 1; id <= BEFORE; id++) {
        give_job(id, "fc in=8 out=8", 10000);
        await_result(id);
    }
    struct rlimit little = {.rlim_cur = BEFORE * SLOT, .rlim_max = RLIM_INFINITY}, before;
    cr_assert_eq(prlimit(worker.pid, RLIMIT_FSIZE, &little, &before), 0);
    give_job(21, "fc in=8 out=8", 10000);
    await_result(21);
    while (!strstr(log_text(), "spool_not_written")) {
        prf_frame_t frame = expect(PRF_FRAME_HEARTBEAT);
        prf_frame_release(&frame);
    }
    give_job(22, "fc in=8 out=8", 10000);
    await_result(22);
    cr_assert_eq(prlimit(worker.pid, RLIMIT_FSIZE, &before, NULL), 0);
    while (!strstr(log_text(), "spool_written_again results=18")) {
        prf_frame_t frame = expect(PRF_FRAME_HEARTBEAT);
        prf_frame_release(&frame);
    }
    cr_assert_null(strstr(strstr(log_text(), "spool_not_written") + 1, "spool_not_written"), "told twice:\n%s", log_text());
}
