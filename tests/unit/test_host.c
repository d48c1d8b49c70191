// SPDX-License-Identifier: Apache-2.0
/* The backend's process: a board in it may refuse, crash, hang or babble, and the worker goes on. Starts the real program. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "worker/host.h"
#include "worker/turns.h"

enum { EVENTS = 32 };
typedef enum { READY, REFUSED, RESULT, TIMED_OUT } event_kind_t;

typedef struct {
    event_kind_t kind;
    prf_hello_t facts;
    prf_error_t why;
    prf_result_t result;
} event_t;

static prf_loop_t *loop;
static prf_host_t *host;
static event_t events[EVENTS];
static size_t event_count, event_next;
static const char *turns; /* file of the next host */
static const char *root;  /* of its system's files, where it is to be below 60 degrees within 3 s */

static event_t *record(event_kind_t kind)
{
    cr_assert_lt(event_count, (size_t)EVENTS);
    events[event_count].kind = kind;
    prf_loop_stop(loop);
    return &events[event_count++];
}

static void on_ready(void *arg, const prf_hello_t *facts)
{
    (void)arg;
    record(READY)->facts = *facts;
}

static void on_refused(void *arg, const prf_error_t *why, unsigned retry_ms)
{
    (void)arg;
    cr_assert_gt(retry_ms, 0);
    record(REFUSED)->why = *why;
}

static void on_result(void *arg, const prf_result_t *result)
{
    (void)arg;
    record(RESULT)->result = *result;
}

static void on_too_late(void *arg)
{
    (void)arg;
    record(TIMED_OUT);
}

static void set_up(void)
{
    prf_error_t err;
    cr_assert_eq(prf_loop_new(&loop, &err), PRF_OK);
    cr_assert_eq(prf_loop_add_timer(loop, 60000, on_too_late, NULL, NULL, &err), PRF_OK);
}

static void tear_down(void)
{
    prf_host_destroy(&host);
    prf_loop_destroy(&loop);
}

TestSuite(host, .init = set_up, .fini = tear_down);

static void start_as(const char *backend, const char *const *options, size_t count, unsigned open_ms)
{
    const prf_serve_t what = {.backend = backend,
                              .options = options,
                              .option_count = count,
                              .board = "board-1",
                              .kind = "kind-1",
                              .turns = turns,
                              .cool_below = root ? 60 : 0,
                              .cool_wait_s = 3,
                              .root = root};
    const prf_host_handler_t handler = {NULL, on_ready, on_refused, on_result};
    prf_error_t err;
    cr_assert_eq(prf_host_new(&host, loop, PRF_BIN_DIR "/prfarm-worker", &what, open_ms, &handler, &err), PRF_OK, "%s", err.text);
}
#define START(backend, ...)                                                                                                        \
    start_as(backend, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), 60000)

static const event_t *next(event_kind_t kind)
{
    static const char *const names[] = {"ready", "refused", "result", "nothing for a minute"};
    prf_error_t err;
    if (event_next == event_count)
        cr_assert_eq(prf_loop_run(loop, &err), PRF_OK, "%s", err.text);
    const event_t *event = &events[event_next++];
    cr_assert_eq(event->kind, kind, "%s came instead of %s: %s%s", names[event->kind], names[kind],
                 event->kind == REFUSED ? event->why.text : "", event->kind == RESULT ? event->result.error : "");
    return event;
}

static void submit(const char *text, unsigned deadline_ms, uint64_t id)
{
    prf_block_t block;
    prf_error_t err;
    cr_assert_eq(prf_block_parse(&block, text, &err), PRF_OK, "%s", err.text);
    prf_job_t job = {.id = id, .epoch = 7, .attempt = 2, .deadline_ms = deadline_ms, .blocks = &block, .block_count = 1};
    prf_protocol_default(&job.protocol);
    prf_digest(&job.point, text, strlen(text));
    cr_assert_eq(prf_host_submit(host, &job, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_host_submit(host, &job, &err), PRF_EBUSY);
}

static void refused(prf_status_t code, const char *because)
{
    const prf_error_t *why = &next(REFUSED)->why;
    cr_assert_eq(why->code, code, "%s: %s", prf_status_name(why->code), why->text);
    cr_assert(strstr(why->text, because), "said '%s', not '%s'", why->text, because);
}

static void failed(uint64_t id, prf_status_t code, const char *because)
{
    const prf_result_t *result = &next(RESULT)->result;
    cr_assert_eq(result->outcome, code, "%s: %s", prf_status_name(result->outcome), result->error);
    cr_assert(strstr(result->error, because), "said '%s', not '%s'", result->error, because);
    cr_assert(result->id == id && result->epoch == 7 && result->attempt == 2, "the result is another job's");
    prf_digest_t zero = {{0}};
    cr_assert(prf_digest_compare(&result->point, &zero) != 0);
}

static double measured(uint64_t id)
{
    const prf_result_t *result = &next(RESULT)->result;
    cr_assert_eq(result->outcome, PRF_OK, "%s", result->error);
    cr_assert_eq(result->id, id);
    return result->sample.latency_ns;
}

Test(host, a_board_says_what_it_is_and_measures_job_after_job)
{
    START("sim", "board=systolic");
    const prf_hello_t *facts = &next(READY)->facts;
    cr_assert_str_eq(facts->fingerprint, "sim/systolic");
    cr_assert_str_eq(facts->board, "board-1");
    cr_assert_str_eq(facts->kind, "kind-1");
    cr_assert_eq(facts->kinds, 1u << PRF_CONV2D | 1u << PRF_FC | 1u << PRF_MATMUL);
    submit("conv2d c=32 k=64 h=30 r=3", 60000, 1);
    cr_assert_eq(measured(1), 17499);
    submit("fc in=10 out=64", 60000, 2);
    cr_assert_eq(measured(2), 2 * 72 - 1);
}

Test(host, a_chain_too_large_for_the_sockets_buffer_arrives_whole)
{
    START("sim", "board=systolic");
    next(READY);
    static prf_block_t blocks[PRF_CHAIN_BLOCKS];
    prf_error_t err;
    for (size_t i = 0; i < PRF_CHAIN_BLOCKS; i++)
        cr_assert_eq(prf_block_parse(&blocks[i],
                                     "conv2d c=100000 k=100000 h=30 r=3 groups=100000 + activation c=100000 h=28"
                                     " + activation c=100000 h=28 + activation c=100000 h=28",
                                     &err),
                     PRF_OK, "%s", err.text);
    prf_job_t job = {.id = 5, .blocks = blocks, .block_count = PRF_CHAIN_BLOCKS};
    prf_protocol_default(&job.protocol);
    cr_assert_eq(prf_host_submit(host, &job, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(measured(5), PRF_CHAIN_BLOCKS * 100000.0 * (25 * (9 + 62) - 1));
}

Test(host, a_layer_that_the_board_cannot_run_fails_alone)
{
    START("sim", "board=ultratrail");
    next(READY);
    submit("conv2d c=3 k=8 h=8 r=3", 60000, 1);
    failed(1, PRF_EUNSUPPORTED, "cannot run conv2d");
    submit("fc in=8 out=8", 60000, 2);
    cr_assert_eq(measured(2), 8);
}

Test(host, a_crash_costs_one_job)
{
    START("sim", "board=ultratrail", "crash=1");
    next(READY);
    submit("fc in=8 out=8", 60000, 3);
    failed(3, PRF_ECRASH, "ended while it measured: signal 6 (Aborted)");
    next(READY);
    submit("fc in=8 out=8", 60000, 4);
    failed(4, PRF_ECRASH, "signal 6");
    next(READY);
}

Test(host, a_hang_is_ended_at_the_jobs_deadline)
{
    START("sim", "board=ultratrail", "hang=1");
    next(READY);
    submit("fc in=8 out=8", 60, 3);
    failed(3, PRF_EHANG, "no answer within 60 ms while it measured");
    next(READY);
}

Test(host, nonsense_is_no_result)
{
    START("sim", "board=ultratrail", "wrong=1", "seed=4");
    next(READY);
    for (uint64_t id = 1; id <= 8; id++) {
        char text[40];
        snprintf(text, sizeof text, "fc in=%d out=8", (int)id * 8);
        submit(text, 60000, id);
        const prf_result_t *result = &next(RESULT)->result;
        cr_assert(result->outcome != PRF_OK || prf_sample_plausible(&result->sample));
        if (result->outcome == PRF_EIMPLAUSIBLE)
            next(READY);
    }
}

Test(host, boards_that_cannot_be_opened_say_why)
{
    START("sim", "board=ultratrail", "wings=2");
    refused(PRF_EINVAL, "unknown option 'wings=2'");
    refused(PRF_EINVAL, "unknown option 'wings=2'");
    prf_host_destroy(&host);
    START("tpu", "x=y");
    refused(PRF_ENOTFOUND, "backend 'tpu' is not part of this build: use one of plugin, sim, replay");
    prf_host_destroy(&host);
    START("plugin", "x=y");
    refused(PRF_EINVAL, "give the shared object with path=FILE");
}

Test(host, a_missing_program_is_told)
{
    const prf_serve_t what = {.backend = "sim", .board = "b", .kind = "k"};
    const prf_host_handler_t handler = {NULL, on_ready, on_refused, on_result};
    prf_error_t err;
    cr_assert_eq(prf_host_new(&host, loop, "/nowhere/prfarm-worker", &what, 1000, &handler, &err), PRF_OK);
    refused(PRF_ENOTFOUND, "/nowhere/prfarm-worker: cannot be started");
}

Test(host, the_example_plugin_is_built_loaded_and_timed_by_the_worker)
{
    START("plugin", "path=" PRF_TEST_DIR "/plugin_example.so", "unroll=4");
    cr_assert_str_eq(next(READY)->facts.fingerprint, "plainc/1 unroll=4");
    submit("fc in=64 out=64", 60000, 1);
    double small = measured(1);
    submit("fc in=1024 out=1024", 60000, 2);
    double large = measured(2);
    cr_assert(small > 0 && large > 20 * small, "%g and %g ns", small, large);
    submit("conv2d c=3 k=8 h=8 r=3", 60000, 3);
    failed(3, PRF_EUNSUPPORTED, "plainc: runs single fc layers");
    prf_host_destroy(&host);
    START("plugin", "path=" PRF_TEST_DIR "/plugin_example.so", "unroll=3");
    refused(PRF_EINVAL, "plainc: the only option is unroll=1 or unroll=4");
}

Test(host, plugins_that_break_a_promise_are_refused_with_one_clear_message)
{
    static const struct {
        const char *option;
        prf_status_t code;
        const char *because;
    } cases[] = {
        {"path=/nowhere/board.so", PRF_ENOTFOUND, "plug-in /nowhere/board.so: there is no such file"},
        {"path=" PRF_SOURCE_DIR "/LICENSE", PRF_EPARSE, "plug-in cannot be loaded"},
        {"path=" PRF_TEST_DIR "/plugin_nothing.so", PRF_EPARSE, "prf_backend() returned nothing"},
        {"path=" PRF_TEST_DIR "/plugin_no_entry.so", PRF_EPARSE, "does not export prf_backend"},
        {"path=" PRF_TEST_DIR "/plugin_old_abi.so", PRF_EVERSION, "made for ABI 1, this prfarm has ABI 2"},
        {"path=" PRF_TEST_DIR "/plugin_incomplete.so", PRF_EPARSE, "open, describe, prepare, run"},
        {"path=" PRF_TEST_DIR "/plugin_crash_on_load.so", PRF_ECRASH, "ended while the board was opened: signal 6"},
        {"path=" PRF_TEST_DIR "/plugin_crash_on_open.so", PRF_ECRASH, "ended while the board was opened: signal 6"},
        {"path=" PRF_TEST_DIR "/plugin_garbage_on_open.so", PRF_EPEER, "sent what is no answer while the board was opened"},
        {"path=" PRF_TEST_DIR "/plugin_no_facts.so", PRF_EPEER, "fingerprint must be 1 to 191 printable characters"},
        {"path=" PRF_TEST_DIR "/plugin_no_networks.so", PRF_EPEER, "networks only with a prepare_network"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        event_count = event_next = 0;
        START("plugin", cases[i].option);
        refused(cases[i].code, cases[i].because);
        prf_host_destroy(&host);
    }
}

Test(host, a_board_that_never_opens_is_given_up_and_tried_again)
{
    const char *const options[] = {"path=" PRF_TEST_DIR "/plugin_mute.so"};
    start_as("plugin", options, 1, 100);
    refused(PRF_EHANG, "no answer within 100 ms while the board was opened");
    refused(PRF_EHANG, "no answer within 100 ms while the board was opened");
}

Test(host, an_exec_program_that_dies_hangs_or_babbles_is_started_anew)
{
#define FACTS "read l; echo '{\"ok\":true,\"fingerprint\":\"x\",\"kinds\":[\"fc\"],\"dtypes\":[\"f32\"],\"exact\":true}'; "
    static const struct {
        const char *script, *because;
        prf_status_t code;
    } cases[] = {
        {"arg=" FACTS "read l; exit 9", "ended while it was to answer prepare: exit code 9", PRF_ECRASH},
        {"arg=" FACTS "read l; echo gibberish; read l", "answered prepare with 'gibberish'", PRF_EPEER},
        {"arg=" FACTS "read l; read l", "did not answer prepare within 2000 ms", PRF_EHANG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        START("exec", "command=/bin/sh", "arg=-c", cases[i].script, "timeout_ms=2000");
        next(READY);
        submit("fc in=8 out=8", 60000, 1);
        failed(1, cases[i].code, cases[i].because);
        next(READY);
        prf_host_destroy(&host);
        event_count = event_next = 0;
    }
}

/* Gives its turn to the board that waits for it. */
static void on_long_enough(void *arg)
{
    cr_expect_eq(event_count, event_next, "the job was answered while another board had the turn");
    prf_turns_give(arg);
}

Test(host, a_board_of_this_host_waits_for_its_turn_which_costs_its_job_no_time)
{
    char file[] = "/tmp/prf-turns-XXXXXX";
    prf_turns_t others;
    prf_error_t err;
    int fd = mkstemp(file);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(prf_turns_open(&others, file, &err), PRF_OK, "%s", err.text);
    turns = file;
    START("exec", "command=/bin/sh", "arg=-c",
          "arg=read l; echo '{\"ok\":true,\"fingerprint\":\"x\",\"kinds\":[\"fc\"],\"dtypes\":[\"f32\"],\"host\":true}'; "
          "while read l; do echo '{\"ok\":true,\"latency_ns\":1000}'; done");
    cr_assert(next(READY)->facts.flags & PRF_BOARD_HOST);
    cr_assert_eq(prf_turns_take(&others, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_loop_add_timer(loop, 2500, on_long_enough, &others, NULL, &err), PRF_OK);
    submit("fc in=4 out=4", 2000, 1);
    const event_t *event = next(RESULT);
    cr_expect_eq(event->result.outcome, PRF_OK, "%s", event->result.error);
    cr_expect_eq(event->result.sample.latency_ns, 1000);
    cr_expect_lt(event->result.sample.busy_ns, 2000000000, "waiting is no work");
    prf_turns_close(&others);
    unlink(file);
}

Test(host, the_time_for_a_job_begins_when_it_need_not_cool_down_any_longer)
{
    char dir[] = "/tmp/prf-hot-XXXXXX", path[80], command[40];
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/sys/class/thermal/thermal_zone0", dir);
    cr_assert_eq(prf_file_mkdirs(path, 0755, NULL), PRF_OK);
    snprintf(path, sizeof path, "%s/sys/class/thermal/thermal_zone0/temp", dir);
    cr_assert_eq(prf_file_write(path, "99000", 5, NULL), PRF_OK);
    root = dir;
    START("sim", "board=systolic");
    next(READY);
    submit("fc in=4 out=4", 2000, 1);
    const event_t *event = next(RESULT);
    cr_expect_eq(event->result.outcome, PRF_OK, "%s", event->result.error);
    cr_expect_eq(event->result.sample.taint, PRF_TAINT_HOT);
    cr_expect_lt(event->result.sample.busy_ns, 2000000000, "waiting is no work");
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    cr_assert_eq(system(command), 0);
}
