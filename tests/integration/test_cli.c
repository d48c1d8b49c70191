// SPDX-License-Identifier: Apache-2.0
/* The prfarm program as a person or a script meets it: real binaries, a temporary folder, simulated boards. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "tests/support/program.h"

TestSuite(cli, .init = program_setup, .fini = program_teardown);

static const char *write_campaign(const char *name, const char *board_options, unsigned samples)
{
    char text[1024];
    snprintf(text, sizeof text,
             "campaign: %s\n"
             "boards:\n"
             "  - {kind: ut, backend: sim, options: {board: ultratrail%s}, workers: 2}\n"
             "layers:\n"
             "  - {kind: fc, params: {in: 1..128, out: 1..128}, knowledge: white, steps: {in: 8, out: 8}}\n"
             "budget: {samples: %u}\n"
             "validation: {layers: 20, repeats: 2}\n"
             "baseline: false\n",
             name, board_options, samples);
    const char *path = program_path("campaign.yaml");
    prf_error_t err;
    cr_assert_eq(prf_file_write(path, text, strlen(text), &err), PRF_OK, "%s", err.text);
    return path;
}

static json_t *read_json(const char *path)
{
    json_error_t error;
    json_t *json = json_load_file(path, 0, &error);
    cr_assert_not_null(json, "%s: %s", path, error.text);
    return json;
}

static json_t *parse_json(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    cr_assert_not_null(json, "%s: %s", error.text, text);
    return json;
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    cr_assert(json_is_number(value), "'%s' is no number", key);
    return json_number_value(value);
}

Test(cli, help_is_there_for_every_command_and_errors_are_usage)
{
    static const char *const names[] = {"run",   "status", "watch",  "estimate", "measure", "model",
                                        "train", "export", "submit", "boards",   "cancel",  "doctor"};
    program_t p, all;
    RUN(&all, "prfarm", "--help");
    cr_expect_eq(all.code, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char title[64];
        snprintf(title, sizeof title, "Usage: prfarm %s", names[i]);
        cr_expect_not_null(strstr(prf_text_get(&all.out), names[i]), "%s is not listed", names[i]);
        RUN(&p, "prfarm", names[i], "--help");
        cr_expect_eq(p.code, 0);
        cr_expect(strncmp(prf_text_get(&p.out), title, strlen(title)) == 0, "%s: %s", names[i], prf_text_get(&p.out));
        program_release(&p);
        FAILS(2, "--no-such-option", "prfarm", names[i], "--no-such-option");
    }
    program_release(&all);
    FAILS(2, "there is no command 'frobnicate'", "prfarm", "frobnicate");
    FAILS(2, "--out DIR is missing", "prfarm", "run", "x.yaml");
    FAILS(2, "--out needs a value", "prfarm", "run", "--out");
    FAILS(2, "one too many", "prfarm", "run", "a", "b", "--out", "c");
}

Test(cli, doctor_tells_what_it_found_as_json)
{
    program_t p;
    RUN(&p, "prfarm", "doctor", "--json", "--dir", program_dir);
    cr_expect(p.code == 0 || p.code == 6);
    json_t *found = parse_json(prf_text_get(&p.out));
    cr_expect(json_array_size(json_object_get(found, "checks")) >= 8);
    cr_expect_eq(json_is_true(json_object_get(found, "ok")), p.code == 0);
    json_decref(found);
    program_release(&p);
    RUN(&p, "prfarm", "doctor", "--json", "--dir", program_path("nowhere"));
    cr_expect_eq(p.code, 6);
    program_release(&p);
}

Test(cli, what_is_wrong_with_a_campaign_is_said_before_anything_starts)
{
    const char *out = program_path("out"), *file = program_path("bad.yaml");
    FAILS(4, "none.yaml", "prfarm", "run", program_path("none.yaml"), "--out", out);
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "bad.yaml:1: the file is empty"},
        {"campaign: x\nboards: [\n", "bad.yaml:"},
        {"campaign: x\nboards:\n  - kind: a\nlayers:\n  - {kind: fc, params: {in: 0..4, out: 1}}\n",
         "bad.yaml:5: fc.in: 0..4 starts below 1"},
        {"campaign: x\nboards:\n  - kind: a\nlayers:\n  - {kind: fc, params: {in: 4..1, out: 1}}\n", "upside down"},
        {"campaign: x\nboards:\n  - kind: a\nlayers:\n  - {kind: fc, params: {in: 1..4, out: 1}}\n", "board 'a' has no backend"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(prf_file_write(file, bad[i].text, strlen(bad[i].text), NULL), PRF_OK);
        FAILS(3, bad[i].says, "prfarm", "run", file, "--out", out);
    }
    cr_expect_neq(access(out, F_OK), 0, "a folder was made for a campaign that cannot be");
}

Test(cli, folders_that_cannot_be_and_runs_that_never_were)
{
    const char *campaign = write_campaign("c", "", 16);
    FAILS(7, "/dev/null", "prfarm", "run", campaign, "--out", "/dev/null/out");
    FAILS(4, "no campaign was run there", "prfarm", "status", "--dir", program_dir);
    FAILS(2, "one of them", "prfarm", "status", "--dir", program_dir, "--farm", "tcp://127.0.0.1:1");
    FAILS(3, "nonsense", "prfarm", "boards", "--farm", "nonsense");
    FAILS(4, "none.onnx", "prfarm", "measure", program_path("none.onnx"), "--board", "x");
    char farm[PROGRAM_PATH];
    snprintf(farm, sizeof farm, "ipc://%s/nobody", program_dir);
    FAILS(10, "is prfarm-coordinator running there?", "prfarm", "boards", "--farm", farm);
}

/* A worker that can never start ends the run with its own words. */
Test(cli, a_board_that_cannot_open_ends_the_run)
{
    program_t p;
    RUN(&p, "prfarm", "run", write_campaign("c", ", nonsense: 1", 16), "--out", program_path("out"));
    cr_expect_eq(p.code, 3, "%d: %s", p.code, p.err);
    cr_expect_not_null(strstr(p.err, "nonsense"), "%s", p.err);
    cr_expect_not_null(strstr(p.err, "logs/ut-"), "%s", p.err);
    program_release(&p);
}

static void check_summary(const json_t *s, const char *name, double reused)
{
    cr_expect_str_eq(json_string_value(json_object_get(s, "campaign")), name);
    cr_expect(number(s, "seconds") > 0);
    cr_expect(json_is_array(json_object_get(s, "networks")));
    cr_assert_eq(json_array_size(json_object_get(s, "boards")), 1);
    const json_t *b = json_array_get(json_object_get(s, "boards"), 0);
    cr_expect_str_eq(json_string_value(json_object_get(b, "kind")), "ut");
    cr_expect_eq(number(b, "samples"), 40);
    cr_expect_eq(number(b, "sweep_samples"), 0);
    cr_expect_eq(number(b, "reused"), reused, "%g reused", number(b, "reused"));
    cr_expect(number(b, "mape_percent") < 5);
    cr_expect_eq(number(b, "repeatability_percent"), 0);
    cr_expect(json_is_null(json_object_get(b, "random_baseline_mape_percent")));
    cr_expect_eq(number(b, "model_version"), 1);
    /* So few layers may be measured before the second worker has joined; whoever has joined must run the model. */
    cr_expect(number(b, "workers") == 1 || number(b, "workers") == 2, "%g", number(b, "workers"));
    cr_expect_eq(number(b, "acknowledged"), number(b, "workers"));
    const json_t *fc = json_object_get(json_object_get(b, "steps"), "fc");
    cr_expect_eq(number(fc, "in"), 8);
    cr_expect_eq(number(fc, "out"), 8);
}

/* Exports a table of the run in `out`; each of its columns stands in the document. Returns how many rows there are. */
static size_t export_documented(const char *out, const char *table)
{
    program_t p;
    char *document, name[64];
    size_t len, lines = 0;
    cr_assert_eq(prf_file_read(PRF_SOURCE_DIR "/docs/export.md", 1 << 20, &document, &len, NULL), PRF_OK);
    RUN(&p, "prfarm", "export", table, "--dir", out);
    cr_assert_eq(p.code, 0, "%s", p.err);
    const char *text = prf_text_get(&p.out);
    for (const char *at = text; at[-(at > text)] != '\n'; at += strcspn(at, ",\n") + 1) {
        snprintf(name, sizeof name, "`%.*s`", (int)strcspn(at, ",\n"), at);
        cr_expect_not_null(strstr(document, name), "%s of %s is not in docs/export.md", name, table);
    }
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    free(document);
    program_release(&p);
    return lines - 1;
}

Test(cli, a_run_leaves_models_and_summary_and_can_be_asked_afterwards)
{
    program_t p;
    const char *campaign = write_campaign("small", "", 40), *out = program_path("out"), *csv = program_path("rows.csv");
    RUN(&p, "prfarm", "run", campaign, "--out", out, "--json");
    cr_assert_eq(p.code, 0, "%s", p.err);
    cr_expect_null(strchr(p.err, '\033'), "no escape sequences where no terminal is");
    json_t *printed = parse_json(prf_text_get(&p.out)), *kept = read_json(program_path("out/summary.json"));
    cr_expect(json_equal(printed, kept));
    check_summary(kept, "small", 0);
    json_decref(printed);
    json_decref(kept);
    program_release(&p);
    cr_expect_eq(access(program_path("out/models/ut.prfm"), R_OK), 0);
    cr_expect_neq(access(program_path("out/endpoint"), F_OK), 0, "nothing is live any more");

    RUN(&p, "prfarm", "status", "small", "--dir", out, "--json");
    json_t *status = parse_json(prf_text_get(&p.out));
    const json_t *c = json_array_get(json_object_get(status, "campaigns"), 0);
    cr_expect_str_eq(json_string_value(json_object_get(c, "state")), "done");
    json_decref(status);
    program_release(&p);

    RUN(&p, "prfarm", "export", "--dir", out, "--out", csv);
    cr_assert_eq(p.code, 0, "%s", p.err);
    program_release(&p);
    char *text;
    size_t len, lines = 0;
    cr_assert_eq(prf_file_read(csv, 1 << 20, &text, &len, NULL), PRF_OK);
    cr_expect(strncmp(text, "sequence,campaign,kind,board,", 29) == 0);
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    cr_expect_eq(lines, 1 + 40 + 2 * 20, "%zu lines", lines);
    free(text);
    cr_expect_eq(export_documented(out, "results"), 40 + 2 * 20);
    cr_expect_eq(export_documented(out, "evaluation"), 20);
    cr_expect_eq(export_documented(out, "sweeps"), 0, "its steps are given");
    RUN(&p, "prfarm", "export", "everything", "--dir", out);
    cr_expect_eq(p.code, 2);
    cr_expect_not_null(strstr(p.err, "use 'export results', 'export sweeps' or 'export evaluation'"), "%s", p.err);
    program_release(&p);

    RUN(&p, "prfarm", "run", campaign, "--out", out, "--json");
    cr_assert_eq(p.code, 0, "%s", p.err);
    cr_expect_not_null(strstr(p.err, "continuing campaign 'small'"));
    program_release(&p);

    write_campaign("small", "", 41);
    RUN(&p, "prfarm", "run", campaign, "--out", out);
    cr_assert_eq(p.code, 0, "%s", p.err);
    cr_expect_not_null(strstr(p.err, "'small' in"), "%s", p.err);
    cr_expect_not_null(strstr(p.err, "was edited: "), "an edited file is told about, and carried out: %s", p.err);
    program_release(&p);
}

Test(cli, measure_tells_chain_and_blocks)
{
    program_t p;
    RUN(&p, "prfarm", "measure", PRF_SOURCE_DIR "/docs/examples/networks/resnet18.onnx", "--board", "z", "--backend", "sim",
        "--option", "board=zcu102", "--json");
    cr_assert_eq(p.code, 0, "%s", p.err);
    json_t *answer = parse_json(prf_text_get(&p.out));
    double chain = number(answer, "chain_ns"), sum = number(answer, "sum_ns"), total = 0;
    size_t i;
    json_t *block;
    json_array_foreach(json_object_get(answer, "blocks"), i, block) total += number(block, "latency_ns");
    cr_expect(i > 20);
    cr_expect_float_eq(total, sum, 1);
    cr_expect_float_eq(chain, sum, 1, "a simulated board's chain is the sum of its blocks");
    json_decref(answer);
    program_release(&p);
    RUN(&p, "prfarm", "measure", PRF_SOURCE_DIR "/docs/examples/networks/resnet18.onnx", "--board", "z", "--backend", "nonsense");
    cr_expect_neq(p.code, 0);
    cr_expect_not_null(strstr(p.err, "nonsense"), "%s", p.err);
    program_release(&p);
}

/* A campaign of some seconds: a cycle of the simulated board takes real time. */
static const char slow[] = ", cycle_ns: 1000000, speed: 3, pace: real";

/* Until the live run in `out` has measured something. */
static void await_progress(const char *out, double least)
{
    uint64_t deadline = prf_clock_mono_ms() + PATIENCE_MS;
    for (double measured = 0; measured < least;) {
        cr_assert(prf_clock_mono_ms() < deadline, "nothing was measured");
        if (access(program_path("out/endpoint"), F_OK) != 0) {
            poll(NULL, 0, 5);
            continue;
        }
        program_t p;
        RUN(&p, "prfarm", "status", "--dir", out, "--json");
        json_t *status = p.code == 0 ? parse_json(prf_text_get(&p.out)) : NULL;
        const json_t *campaign = json_array_get(json_object_get(status, "campaigns"), 0);
        const json_t *board = json_array_get(json_object_get(campaign, "boards"), 0);
        if (board)
            measured = number(board, "measured") + number(board, "reused");
        json_decref(status);
        program_release(&p);
    }
}

static char *read_model(const char *path, size_t *len)
{
    char *data;
    prf_error_t err = {0};
    cr_assert_eq(prf_file_read(path, 64 << 20, &data, len, &err), PRF_OK, "%s", err.text);
    return data;
}

Test(cli, interrupted_and_killed_it_continues_to_the_same_model)
{
    program_t live, p;
    const char *campaign = write_campaign("slow", slow, 40), *out = program_path("out");
    LAUNCH(&live, "prfarm", "run", campaign, "--out", out);
    await_progress(out, 5);
    FAILS(5, "another prfarm works in this folder", "prfarm", "run", campaign, "--out", out);
    uint64_t deadline = prf_clock_mono_ms() + PATIENCE_MS;
    for (size_t there = 0; there < 2;) { /* the second may still be starting */
        cr_assert_lt(prf_clock_mono_ms(), deadline, "%zu of 2 boards", there);
        RUN(&p, "prfarm", "boards", "--dir", out, "--json");
        json_t *boards = parse_json(prf_text_get(&p.out));
        there = json_array_size(json_object_get(boards, "boards"));
        json_decref(boards);
        program_release(&p);
    }

    kill(live.process.pid, SIGINT);
    program_finish(&live);
    cr_expect_eq(live.code, 130, "%d: %s", live.code, live.err);
    char how[PROGRAM_PATH + 80];
    snprintf(how, sizeof how, "to continue: prfarm run %s --out %s", campaign, out);
    cr_expect_not_null(strstr(live.err, how), "%s", live.err);
    program_release(&live);
    FAILS(4, "its run was stopped before the end", "prfarm", "watch", "--dir", out);
    RUN(&p, "prfarm", "status", "--dir", out);
    cr_expect_not_null(strstr(prf_text_get(&p.out), "repeat 'prfarm run' to go on"), "%s", prf_text_get(&p.out));
    program_release(&p);

    LAUNCH(&live, "prfarm", "run", campaign, "--out", out);
    await_progress(out, 20);
    kill(live.process.pid, SIGKILL);
    program_finish(&live);
    cr_expect_eq(live.code, -SIGKILL);
    program_release(&live);

    RUN(&p, "prfarm", "run", campaign, "--out", out, "--json");
    cr_assert_eq(p.code, 0, "%s", p.err);
    json_t *summary = parse_json(prf_text_get(&p.out));
    const json_t *b = json_array_get(json_object_get(summary, "boards"), 0);
    cr_expect_eq(number(b, "reused"), 0, "what it measured before it was killed is its own");
    cr_expect_eq(number(b, "measured"), number(b, "planned"));
    json_decref(summary);
    program_release(&p);

    const char *undisturbed = program_path("undisturbed");
    RUN(&p, "prfarm", "run", campaign, "--out", undisturbed);
    cr_assert_eq(p.code, 0, "%s", p.err);
    cr_expect_not_null(strstr(prf_text_get(&p.out), "Staircase"));
    program_release(&p);
    size_t len, other_len;
    char *model = read_model(program_path("out/models/ut.prfm"), &len),
         *other = read_model(program_path("undisturbed/models/ut.prfm"), &other_len);
    cr_expect_eq(len, other_len);
    cr_expect(len == other_len && memcmp(model, other, len) == 0, "the models differ");
    free(model);
    free(other);
}

/* A child of `parent` that runs `program`; 0: none. */
static pid_t find_child(pid_t parent, const char *program)
{
    char path[64], list[256], name[32];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file, "%s: %s", path, strerror(errno));
    size_t len = fread(list, 1, sizeof list - 1, file);
    list[len] = '\0';
    fclose(file);
    char *rest = NULL;
    for (char *word = strtok_r(list, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        snprintf(path, sizeof path, "/proc/%.20s/comm", word);
        file = fopen(path, "re");
        bool found = file && fgets(name, sizeof name, file) && strncmp(name, program, strcspn(name, "\n")) == 0;
        if (file)
            fclose(file);
        if (found)
            return (pid_t)atoi(word);
    }
    return 0;
}

Test(cli, a_worker_that_dies_is_started_again)
{
    program_t live;
    const char *out = program_path("out");
    LAUNCH(&live, "prfarm", "run", write_campaign("dies", slow, 40), "--out", out, "--json");
    await_progress(out, 5);
    pid_t worker = find_child(live.process.pid, "prfarm-worker");
    cr_assert(worker > 0);
    kill(worker, SIGKILL);
    program_finish(&live);
    cr_assert_eq(live.code, 0, "%s", live.err);
    json_t *summary = parse_json(prf_text_get(&live.out));
    const json_t *b = json_array_get(json_object_get(summary, "boards"), 0);
    cr_expect_eq(number(b, "workers"), 2, "the dead one came back");
    cr_expect_eq(number(b, "measured"), number(b, "planned"));
    json_decref(summary);
    program_release(&live);
}

/* Without its coordinator a run cannot go on; it says so, and the same command continues. */
Test(cli, a_coordinator_that_dies_ends_the_run_with_what_to_do)
{
    program_t live;
    const char *out = program_path("out");
    LAUNCH(&live, "prfarm", "run", write_campaign("headless", slow, 40), "--out", out);
    await_progress(out, 5);
    pid_t coordinator = find_child(live.process.pid, "prfarm-coordinator");
    cr_assert(coordinator > 0);
    kill(coordinator, SIGKILL);
    program_finish(&live);
    cr_expect_eq(live.code, 11, "%d: %s", live.code, live.err);
    cr_expect_not_null(strstr(live.err, "coordinator ended with signal 9"), "%s", live.err);
    cr_expect_not_null(strstr(live.err, "to continue: prfarm run"), "%s", live.err);
    program_release(&live);
}
