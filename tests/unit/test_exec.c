// SPDX-License-Identifier: Apache-2.0
/* The exec backend against the documented example and against programs that misbehave; each program is a line of shell. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/registry.h"
#include "base/file.h"

/* As the backend's process does for every backend. */
static void ignore_sigpipe(void)
{
    signal(SIGPIPE, SIG_IGN);
}

TestSuite(exec, .init = ignore_sigpipe);

static const prf_backend_t *exec_backend(void)
{
    return prf_backend_find("exec");
}

static prf_status_t open_script(const char *script, const char *timeout, prf_board_t **board, prf_error_t *err)
{
    char arg[1200];
    snprintf(arg, sizeof arg, "arg=%s", script);
    const char *options[] = {"command=/bin/sh", "arg=-c", arg, timeout};
    return exec_backend()->open(options, 4, board, err);
}

static void refuses_script(const char *script, const char *timeout, prf_status_t code, const char *because)
{
    prf_board_t *board = NULL;
    prf_error_t err = {0};
    prf_status_t status = open_script(script, timeout, &board, &err);
    cr_assert_eq(status, code, "%s: %s: %s", script, prf_status_name(status), err.text);
    cr_assert(strstr(err.text, because), "%s: said '%s', not '%s'", script, err.text, because);
    cr_assert_null(board);
}

#define FACTS "read l; echo '{\"ok\":true,\"fingerprint\":\"x\",\"kinds\":[\"fc\"],\"dtypes\":[\"f32\"]}'; "
#define OK "read l; echo '{\"ok\":true}'; "

static prf_status_t measure(prf_board_t *board, const char *text, double *ns, prf_error_t *err)
{
    prf_block_t block;
    prf_kernel_t *kernel = NULL;
    prf_reading_t told = {.latency_ns = *ns};
    cr_assert_eq(prf_block_parse(&block, text, err), PRF_OK, "%s", err->text);
    prf_status_t status = exec_backend()->prepare(board, &block, &(prf_place_t){.length = 1}, &kernel, err);
    if (!status)
        status = exec_backend()->run(kernel, &(prf_run_t){.iterations = 3}, &told, err);
    *ns = told.latency_ns;
    exec_backend()->release(&kernel);
    return status;
}

/* Opens a program that describes itself well, and asks for one measurement. */
static void breaks_at_run(const char *script, prf_status_t code, const char *because)
{
    prf_board_t *board = NULL;
    prf_error_t err = {0}, again = {0};
    double ns = -1;
    cr_assert_eq(open_script(script, "timeout_ms=10000", &board, &err), PRF_OK, "%s: %s", script, err.text);
    prf_status_t status = measure(board, "fc in=4 out=4", &ns, &err);
    cr_assert_eq(status, code, "%s: %s: %s", script, prf_status_name(status), err.text);
    cr_assert(strstr(err.text, because), "%s: said '%s', not '%s'", script, err.text, because);
    cr_assert_eq(ns, -1, "a latency was reported in spite of the failure");
    cr_assert(measure(board, "fc in=4 out=4", &ns, &again), "a broken board went on");
    exec_backend()->close(&board);
}

/* A documented board, once it is started, answers as the document says. */
static void answers_with_real_latencies(const char *const *options, size_t count, const char *print)
{
    prf_board_t *board = NULL;
    prf_error_t err = {0};
    cr_assert_eq(exec_backend()->open(options, count, &board, &err), PRF_OK, "%s", err.text);
    prf_board_facts_t facts;
    exec_backend()->describe(board, &facts);
    cr_assert(strncmp(facts.fingerprint, print, strlen(print)) == 0, "%s", facts.fingerprint);
    cr_assert_eq(facts.kinds, 1u << PRF_FC);
    cr_assert_eq(facts.dtypes, 1u << PRF_F32);
    cr_assert_eq(facts.flags, (uint32_t)PRF_BOARD_SELF_TIMED);
    double small = 0, large = 0;
    cr_assert_eq(measure(board, "fc in=4 out=4", &small, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(measure(board, "fc in=256 out=256", &large, &err), PRF_OK, "%s", err.text);
    cr_assert(small > 0 && large > 10 * small, "%g and %g ns", small, large);
    cr_assert_eq(measure(board, "fc n=2 in=4 out=4", &small, &err), PRF_EUNSUPPORTED);
    cr_assert(strstr(err.text, "only single layers with n = 1"), "%s", err.text);
    cr_assert_eq(measure(board, "fc in=4 out=4", &small, &err), PRF_OK, "a refusal broke the board: %s", err.text);
    exec_backend()->close(&board);
}

Test(exec, the_documented_example_answers_with_real_latencies)
{
    if (access("/usr/bin/python3", X_OK) != 0)
        cr_skip_test("no python3 here");
    const char *options[] = {"command=/usr/bin/python3", "arg=" PRF_SOURCE_DIR "/docs/examples/exec/board.py"};
    answers_with_real_latencies(options, 2, "exec/python 3.");
}

Test(exec, the_documented_example_in_C_answers_with_real_latencies)
{
    const char *options[] = {"command=" PRF_TEST_DIR "/exec_board"};
    answers_with_real_latencies(options, 1, "exec/plain C");
}

/* `begins`: how the program begins, below its head. */
static void is_shown_in_the_document(const char *path, const char *begins)
{
    char *doc = NULL, *program = NULL;
    size_t len;
    cr_assert_eq(prf_file_read(PRF_SOURCE_DIR "/docs/backends.md", 1 << 20, &doc, &len, NULL), PRF_OK);
    cr_assert_eq(prf_file_read(path, 1 << 20, &program, &len, NULL), PRF_OK);
    const char *body = strstr(program, begins);
    cr_assert(body && strstr(doc, body), "docs/backends.md shows another program than %s", path);
    size_t lines = 0;
    for (const char *at = body; (at = strchr(at, '\n')); at++)
        lines++;
    cr_assert_leq(lines, 30, "%s has become long", path);
    free(doc);
    free(program);
}

Test(exec, the_examples_in_the_documentation_are_those_that_are_tested)
{
    is_shown_in_the_document(PRF_SOURCE_DIR "/docs/examples/exec/board.py", "import json");
    is_shown_in_the_document(PRF_SOURCE_DIR "/docs/examples/exec/board.c", "#include <stdio.h>");
}

Test(exec, programs_that_cannot_be_a_board_are_refused_with_one_clear_message)
{
    refuses_script("exit 3", "timeout_ms=10000", PRF_ECRASH, "sh ended while it was to answer describe: exit code 3");
    refuses_script("kill -SEGV $$", "timeout_ms=10000", PRF_ECRASH, "signal 11");
    refuses_script("read l; echo hello; read l", "timeout_ms=10000", PRF_EPEER, "answered describe with 'hello'");
    refuses_script("read l; echo '[1]'; read l", "timeout_ms=10000", PRF_EPEER, "no object with \"ok\"");
    refuses_script("read l; echo '{\"ok\":1}'; read l", "timeout_ms=10000", PRF_EPEER, "no object with \"ok\"");
    refuses_script("read l; printf '{\"ok\":true}\\n{\"ok\":true}\\n'; read l", "timeout_ms=10000", PRF_EPEER,
                   "more than one line");
    refuses_script("read l; head -c 100000 /dev/zero | tr '\\0' x; read l", "timeout_ms=10000", PRF_EPEER, "more than 64 KiB");
    refuses_script("read l; printf '\\001\\377\\n'; read l", "timeout_ms=10000", PRF_EPEER, "answered describe with '?\?'");
    refuses_script("read l; echo '{\"ok\":false,\"error\":\"no licence\"}'; read l", "timeout_ms=10000", PRF_EIO, "sh: no licence");
    refuses_script("read l; echo '{\"ok\":true}'; read l", "timeout_ms=10000", PRF_EPEER, "\"fingerprint\"");
    refuses_script("read l; echo '{\"ok\":true,\"fingerprint\":\"x\"}'; read l", "timeout_ms=10000", PRF_EPEER,
                   "\"kinds\": a list");
    refuses_script("read l; echo '{\"ok\":true,\"fingerprint\":\"x\",\"kinds\":[\"conv9d\"]}'; read l", "timeout_ms=10000",
                   PRF_ENOTFOUND, "unknown layer kind 'conv9d'");
    refuses_script("read l; read l", "timeout_ms=50", PRF_EHANG, "did not answer describe within 50 ms");
    refuses_script("while :; do :; done", "timeout_ms=50", PRF_EHANG, "did not answer describe within 50 ms");
}

Test(exec, a_program_that_fails_while_measuring_breaks_the_board_and_nothing_else)
{
    breaks_at_run(FACTS OK "exit 7", PRF_ECRASH, "ended while it was to answer run: exit code 7");
    breaks_at_run(FACTS OK "read l; echo '{\"ok\":true,\"latency_ns\":NaN}'; read l", PRF_EPEER, "answered run with");
    breaks_at_run(FACTS OK "read l; echo '{\"ok\":true,\"latency_ns\":-1}'; read l", PRF_EIMPLAUSIBLE, "a latency of -1 ns");
    breaks_at_run(FACTS OK "read l; echo '{\"ok\":true,\"latency_ns\":\"fast\"}'; read l", PRF_EPEER, "must be a number above 0");
    breaks_at_run(FACTS OK "read l; echo '{\"ok\":true}'; read l", PRF_EPEER, "must be a number above 0");
    breaks_at_run(FACTS "read l; echo oops; read l", PRF_EPEER, "answered prepare with 'oops'");
}

Test(exec, a_program_that_does_not_exist_or_is_not_named_is_told)
{
    prf_board_t *board = NULL;
    prf_error_t err = {0};
    cr_assert_eq(exec_backend()->open((const char *const[]){"command=/nowhere/board"}, 1, &board, &err), PRF_ENOTFOUND);
    cr_assert(strstr(err.text, "/nowhere/board: cannot be started"), "%s", err.text);
    cr_assert_eq(exec_backend()->open(NULL, 0, &board, &err), PRF_EINVAL);
    cr_assert(strstr(err.text, "command=PATH"), "%s", err.text);
    cr_assert_null(board);
}

#define BUILDS                                                                                                                     \
    "read l; echo "                                                                                                                \
    "'{\"ok\":true,\"fingerprint\":\"x\",\"kinds\":[\"fc\"],\"dtypes\":[\"f32\"],\"networks\":true,\"host\":true,\"energy\":true}" \
    "'; "

/* The program keeps what it was asked in a file. */
Test(exec, a_network_is_told_as_blocks_with_their_inputs_and_run_under_its_id)
{
    char file[] = "/tmp/prf-exec-XXXXXX", script[1000], *asked = NULL;
    int fd = mkstemp(file);
    cr_assert(fd >= 0 && close(fd) == 0);
    snprintf(script, sizeof script,
             BUILDS "read l; echo \"$l\" >%s; echo '{\"ok\":true}'; read l; echo \"$l\" >>%s; "
                    "echo '{\"ok\":true,\"latency_ns\":5e6,\"disturbed\":true,\"energy_nj\":7.5}'; " OK "read l",
             file, file);
    prf_board_t *board = NULL;
    prf_error_t err = {0};
    cr_assert_eq(open_script(script, "timeout_ms=10000", &board, &err), PRF_OK, "%s", err.text);
    prf_board_facts_t facts;
    exec_backend()->describe(board, &facts);
    cr_expect_eq(facts.flags, (uint32_t)(PRF_BOARD_SELF_TIMED | PRF_BOARD_NETWORKS | PRF_BOARD_HOST | PRF_BOARD_ENERGY));
    prf_block_t blocks[2];
    const prf_edge_t edges[] = {{0, -1}, {1, 0}, {1, -1}};
    cr_assert_eq(prf_block_parse(&blocks[0], "fc in=4 out=8", &err), PRF_OK);
    cr_assert_eq(prf_block_parse(&blocks[1], "add c=8 h=1 + activation c=8 h=1", &err), PRF_OK);
    const prf_chain_t network = {.blocks = blocks, .count = 2, .edges = edges, .edge_count = 3};
    prf_kernel_t *kernel = NULL;
    prf_reading_t told = {0};
    cr_assert_eq(exec_backend()->prepare_network(board, &network, PRF_CACHE_SEMI_COLD, &kernel, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(exec_backend()->run(kernel, &(prf_run_t){.iterations = 2}, &told, &err), PRF_OK, "%s", err.text);
    cr_expect(told.latency_ns == 5e6 && told.disturbed && told.energy_nj == 7.5);
    exec_backend()->release(&kernel);
    exec_backend()->close(&board);
    size_t len;
    cr_assert_eq(prf_file_read(file, 1 << 16, &asked, &len, &err), PRF_OK, "%s", err.text);
    cr_expect_str_eq(
        asked,
        "{\"op\":\"network\",\"id\":1,\"dtype\":\"f32\",\"cache\":\"semi-cold\",\"blocks\":[{\"layers\":[{\"kind\":\"fc\",\"n\":1,"
        "\"in\":4,\"out\":8}],"
        "\"inputs\":[-1]},{\"layers\":[{\"kind\":\"add\",\"n\":1,\"c\":8,\"h\":1,\"w\":1},{\"kind\":\"activation\",\"n\":1,\"c\":8,"
        "\"h\":1,\"w\":1,\"fn\":0}],\"inputs\":[0,-1]}]}\n{\"op\":\"run\",\"id\":1,\"iterations\":2}\n");
    free(asked);
    unlink(file);
}

Test(exec, what_a_program_tells_besides_is_checked_too)
{
    breaks_at_run(FACTS OK "read l; echo '{\"ok\":true,\"latency_ns\":5,\"disturbed\":1}'; read l", PRF_EPEER,
                  "\"disturbed\" must be true or false");
    breaks_at_run(FACTS OK "read l; echo '{\"ok\":true,\"latency_ns\":5,\"energy_nj\":\"much\"}'; read l", PRF_EPEER,
                  "\"energy_nj\" must be a number");
    breaks_at_run(FACTS OK "read l; echo '{\"ok\":true,\"latency_ns\":5,\"energy_nj\":-3}'; read l", PRF_EIMPLAUSIBLE,
                  "an energy of -3 nJ");
    refuses_script(
        "read l; echo '{\"ok\":true,\"fingerprint\":\"x\",\"kinds\":[\"fc\"],\"dtypes\":[\"f32\"],\"host\":\"yes\"}'; read l",
        "timeout_ms=10000", PRF_EPEER, "\"host\" must be true or false");
}

Test(exec, a_program_that_builds_no_networks_is_not_asked_for_one)
{
    prf_board_t *board = NULL;
    prf_error_t err = {0};
    prf_kernel_t *kernel = NULL;
    prf_block_t block;
    const prf_edge_t edge = {0, -1};
    cr_assert_eq(open_script(FACTS "read l", "timeout_ms=10000", &board, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_block_parse(&block, "fc in=4 out=8", &err), PRF_OK);
    const prf_chain_t network = {.blocks = &block, .count = 1, .edges = &edge, .edge_count = 1};
    cr_expect_eq(exec_backend()->prepare_network(board, &network, PRF_CACHE_WARM, &kernel, &err), PRF_EUNSUPPORTED);
    cr_expect(strstr(err.text, "builds no networks"), "%s", err.text);
    exec_backend()->close(&board);
}
