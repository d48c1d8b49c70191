// SPDX-License-Identifier: Apache-2.0
/* What `prfarm fleet slurm` decides, what it understands of Slurm's words, what its file may say and what becomes a script. A real
 * Slurm is in tests/slurm. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/command.h"
#include "fleet_slurm_queue.h"
#include "tests/support/patience.h"

#define HEAD "fleet: lab\nfarm: tcp://10.0.0.1:7700\nkinds:\n"
#define KIND "  - kind: npu\n    backend: sim\n    max: 8\n"

static prf_slurm_file_t file;

static void open_text(const char *text)
{
    prf_error_t err = {0};
    cr_assert_eq(prf_slurm_file_parse(&file, text, "f.yaml", &err), PRF_OK, "%s", err.text);
}

static void refused(const char *text, const char *says)
{
    prf_error_t err = {0};
    cr_expect_neq(prf_slurm_file_parse(&file, text, "f.yaml", &err), PRF_OK, "%s", text);
    cr_expect(strncmp(err.text, says, strlen(says)) == 0, "'%s' does not begin with '%s'", err.text, says);
}

static void shut(void)
{
    prf_slurm_file_release(&file);
}

TestSuite(fleet_slurm, .fini = shut);

/* --- the file --- */

Test(fleet_slurm, a_file_is_read_with_its_defaults)
{
    open_text(HEAD KIND "    options: {board: vta, arg: [a, b]}\n    gres: gpu:a100:1\n");
    const prf_slurm_kind_t *kind = &file.kinds[0];
    cr_expect_str_eq(file.worker, "prfarm-worker");
    cr_expect_eq(file.poll_seconds, 10);
    cr_expect_str_eq(kind->gres, "gpu:a100:1");
    cr_expect_eq(kind->least, 0);
    cr_expect_eq(kind->most, 8);
    cr_expect_eq(kind->jobs_per_worker, 50);
    cr_expect_eq(kind->options.count, 3);
    cr_expect_str_eq(kind->options.list[2].key, "arg");
    cr_expect_str_eq(kind->options.list[2].value, "b");
}

Test(fleet_slurm, what_is_wrong_with_a_file_is_told_with_its_place)
{
    refused("", "f.yaml:1: ");
    refused("fleet: lab\nkinds: []\n", "f.yaml:1: 'farm' is missing");
    refused("fleet: a b\nfarm: tcp://h:1\n", "f.yaml:1: fleet 'a b'");
    refused("fleet: lab\nfarm: http://h\n", "f.yaml:2: ");
    refused("fleet: lab\nfarm: tcp://h:1\nkey: k\nkinds: []\n", "f.yaml:1: 'key' and 'server' belong together");
    refused("fleet: lab\nfarm: tcp://h:1\n", "f.yaml:1: 'kinds' is missing");
    refused(HEAD "  - kind: npu\n    backend: sim\n", "f.yaml:4: 'max' is missing");
    refused(HEAD KIND "    partitoin: x\n", "f.yaml:7: ");
    refused(HEAD KIND "    min: 9\n", "f.yaml:7: min: 9 is more than max");
    refused(HEAD KIND "    cpus: 0\n", "f.yaml:7: ");
    refused(HEAD KIND "    time_limit_minutes: 1\n", "f.yaml:4: signal_seconds: 60 leaves no time");
    refused(HEAD KIND KIND, "f.yaml:7: kind: 'npu' is given twice");
    refused(HEAD KIND "    options: [a]\n", "f.yaml:7: options");
}

/* Nothing that is given becomes a line or an option of its own. */
Test(fleet_slurm, settings_cannot_break_out_of_their_line)
{
    refused(HEAD KIND "    partition: \"a\\n#SBATCH --uid=0\"\n", "f.yaml:7: partition 'a");
    refused(HEAD KIND "    qos: a --wrap=x\n", "f.yaml:7: qos 'a --wrap=x': use a text without blanks");
    refused(HEAD KIND "    account: $(id)\n", "f.yaml:7: account");
    refused(HEAD KIND "    options: {path: \"a\\nb\"}\n", "f.yaml:7: path ");
    open_text(HEAD KIND "    constraint: 'a100&nvlink|[rack1*2]'\n");
    cr_expect_str_eq(file.kinds[0].constraint, "a100&nvlink|[rack1*2]");
}

/* --- the script --- */

static const char *script(bool stays)
{
    static prf_text_t text;
    prf_text_release(&text);
    prf_text_init(&text);
    prf_slurm_script(&file, &file.kinds[0], stays, &text);
    return prf_text_get(&text);
}

static void has(const char *text, const char *part)
{
    cr_expect_not_null(strstr(text, part), "'%s' is not in\n%s", part, text);
}

Test(fleet_slurm, a_script_asks_for_what_the_file_says)
{
    open_text(HEAD KIND "    partition: gpu\n    gres: gpu:1\n    memory: 4G\n    cpus: 3\n    time_limit_minutes: 90\n"
                        "    signal_seconds: 45\n    idle_seconds: 33\n    prologue: |\n      module load cuda\n");
    const char *text = script(false);
    cr_expect(strncmp(text, "#!/bin/bash\n#SBATCH --job-name=prfarm:lab:npu\n", 46) == 0, "%s", text);
    has(text, "#SBATCH --partition=gpu\n");
    has(text, "#SBATCH --gres=gpu:1\n");
    has(text, "#SBATCH --mem=4G\n");
    has(text, "#SBATCH --cpus-per-task=3\n");
    has(text, "#SBATCH --time=90\n");
    has(text, "#SBATCH --signal=B:TERM@45\n");
    has(text, "\nmodule load cuda\n");
    has(text, "--idle-exit 33");
    const char *stays = script(true);
    has(stays, "#SBATCH --job-name=prfarm:lab:npu:stay\n");
    cr_expect_null(strstr(stays, "--idle-exit"));
}

/* Bash itself says what the worker is called with; two jobs on one node take two places, and a place that is free again is taken
 * again. */
Test(fleet_slurm, bash_hands_the_worker_its_words_and_a_place_of_its_own)
{
    char folder[] = "/tmp/prf-fleet-XXXXXX", yaml[1024], path[64];
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/worker", folder);
    FILE *worker = fopen(path, "w");
    cr_assert_not_null(worker);
    fputs("#!/bin/bash\nprintf '%s|' \"$@\"\n[ -z \"${INNER-}\" ] || INNER= bash -c \"$INNER\"\n", worker);
    fclose(worker);
    cr_assert_eq(chmod(path, 0755), 0);
    snprintf(yaml, sizeof yaml,
             "fleet: lab\nfarm: tcp://10.0.0.1:7700\nworker: %s\nstate: %s/it's here\nkinds:\n" KIND
             "    options: {note: 'a \"b\" $HOME ''c'' `id`'}\n",
             path, folder);
    cr_assert_not_null(strstr(yaml, "''c''"));
    open_text(yaml);
    const char *argv[] = {"env", "SLURMD_NODENAME=n7", "SLURM_JOB_ID=5", "INNER=", "bash", "-c", script(false), NULL};
    char inner[8192];
    snprintf(inner, sizeof inner, "INNER=%s", argv[6]);
    argv[3] = inner; /* the same job once more, while the first one is there */
    prf_text_t said;
    prf_error_t err = {0};
    cr_assert_eq(prf_command_run(&(prf_command_spec_t){.argv = argv, .timeout_ms = PATIENCE_MS, .limit = 1 << 16}, &said, &err),
                 PRF_OK, "%s", err.text);
    const char *text = prf_text_get(&said);
    has(text, "job 5 is board n7-npu-0\n");
    has(text, "job 5 is board n7-npu-1\n");
    has(text, "|--option|note=a \"b\" $HOME 'c' `id`|");
    has(text, "/it's here/n7-npu/0|");
    prf_text_release(&said);
    argv[3] = "INNER=";
    cr_assert_eq(prf_command_run(&(prf_command_spec_t){.argv = argv, .timeout_ms = PATIENCE_MS, .limit = 1 << 16}, &said, &err),
                 PRF_OK);
    has(prf_text_get(&said), "job 5 is board n7-npu-0\n");
    prf_text_release(&said);
    char clean[80];
    snprintf(clean, sizeof clean, "rm -rf %s", folder);
    cr_expect_eq(system(clean), 0);
}

/* Where every user of a node can write, somebody else may have made the folder first, and a link in it in a lock's place. */
Test(fleet_slurm, a_place_that_is_somebody_elses_is_not_used)
{
    char folder[] = "/tmp/prf-fleet-XXXXXX", yaml[256], path[80];
    if (geteuid() != 0)
        cr_skip_test("needs root, a folder is given to another user");
    cr_assert_not_null(mkdtemp(folder));
    open_text(HEAD KIND);
    has(script(false), "\nstate=/var/tmp/prfarm-$(id -u)\n");
    prf_slurm_file_release(&file);
    snprintf(yaml, sizeof yaml, "fleet: lab\nfarm: tcp://h:1\nworker: echo\nstate: %s/state\nkinds:\n" KIND, folder);
    open_text(yaml);
    snprintf(path, sizeof path, "%s/state", folder);
    for (int inner = 0; inner < 2; inner++) {
        cr_assert_eq(mkdir(path, 0755), 0);
        cr_assert_eq(chown(path, 65534, 65534), 0);
        const char *argv[] = {"env", "SLURMD_NODENAME=n7", "SLURM_JOB_ID=5", "bash", "-c", script(false), NULL};
        prf_text_t said;
        int code = 0;
        cr_assert_eq(
            prf_command_run(&(prf_command_spec_t){.argv = argv, .timeout_ms = PATIENCE_MS, .limit = 9999, .exit_code = &code},
                            &said, NULL),
            PRF_OK);
        cr_expect_eq(code, 1);
        has(prf_text_get(&said), "somebody else's: give 'state'");
        prf_text_release(&said);
        cr_assert_eq(chown(path, 0, 0), 0);
        snprintf(path, sizeof path, "%s/state/n7-npu", folder);
        cr_expect(inner || rmdir(path) == 0, "it was made");
    }
    char clean[80];
    snprintf(clean, sizeof clean, "rm -rf %s", folder);
    cr_expect_eq(system(clean), 0);
}

/* --- Slurm's words --- */

Test(fleet_slurm, times_are_read_as_slurm_writes_them)
{
    cr_expect_eq(prf_slurm_elapsed_ms("0:00"), 0);
    cr_expect_eq(prf_slurm_elapsed_ms("1:05"), 65000);
    cr_expect_eq(prf_slurm_elapsed_ms("02:01:05"), 7265000);
    cr_expect_eq(prf_slurm_elapsed_ms("1-00:00:01"), 86401000);
    cr_expect_eq(prf_slurm_elapsed_ms("INVALID"), 0);
    cr_expect_eq(prf_slurm_elapsed_ms(""), 0);
    cr_expect_eq(prf_slurm_elapsed_ms("1:2:3:4"), 0);
    cr_expect_eq(prf_slurm_elapsed_ms("1:"), 0);
    cr_expect_eq(prf_slurm_elapsed_ms("99999999999999999999-1:1"), 0);
}

Test(fleet_slurm, sbatch_is_understood_whatever_it_says_beside)
{
    cr_expect_eq(prf_slurm_submitted_id("17\n"), 17);
    cr_expect_eq(prf_slurm_submitted_id("17;cluster\n"), 17);
    cr_expect_eq(prf_slurm_submitted_id("sbatch: 3 warnings\n99 bottles\n18\n"), 18);
    cr_expect_eq(prf_slurm_submitted_id("Submitted batch job 5\n"), 0);
    cr_expect_eq(prf_slurm_submitted_id(""), 0);
}

Test(fleet_slurm, only_our_own_jobs_are_seen)
{
    prf_slurm_jobs_t jobs;
    open_text(HEAD KIND);
    cr_assert_eq(prf_slurm_jobs_parse(&jobs, &file,
                                      "squeue: warning: something\n"
                                      "12|PENDING|0:00|Resour\xc3|prfarm:lab:npu\n"
                                      "11|RUNNING|1:00|None|prfarm:lab:npu:stay\n"
                                      "13|RUNNING|1:00|None|prfarm:other:npu\n"
                                      "14|RUNNING|1:00|None|prfarm:lab:npu2\n"
                                      "15|RUNNING|1:00|None|my|prfarm:lab:npu\n"
                                      "16_[1-4]|PENDING|0:00|None|prfarm:lab:npu\n"
                                      "17|PREEMPTED|2:00|None|prfarm:lab:npu\n"
                                      "18|FAILED|0:01|NonZeroExitCode|prfarm:lab:npu\n"
                                      "19|COMPLETING|0:01|None|prfarm:lab:npu\n"
                                      "20|SUSPENDED|0:01|None|prfarm:lab:npu\n"
                                      "21|RUNNING",
                                      NULL),
                 PRF_OK);
    cr_assert_eq(jobs.count, 6);
    cr_expect_eq(jobs.items[0].id, 11);
    cr_expect_eq(jobs.items[0].state, PRF_SLURM_RUNNING);
    cr_expect(jobs.items[0].stays);
    cr_expect_eq(jobs.items[0].ran_ms, 60000);
    cr_expect_eq(jobs.items[1].state, PRF_SLURM_PENDING);
    cr_expect_str_eq(jobs.items[1].reason, "Resour?", "half a character would make no JSON");
    cr_expect_eq(jobs.items[2].end, PRF_SLURM_END_TAKEN);
    cr_expect_eq(jobs.items[3].state, PRF_SLURM_ENDED);
    cr_expect_eq(jobs.items[3].end, PRF_SLURM_END_FAILED);
    cr_expect_eq(jobs.items[4].state, PRF_SLURM_LEAVING);
    cr_expect_eq(jobs.items[5].state, PRF_SLURM_RUNNING);
    prf_slurm_jobs_release(&jobs);
}

/* Those that are left out would be submitted again, round after round. */
Test(fleet_slurm, more_jobs_than_can_be_counted_are_an_error)
{
    prf_slurm_jobs_t jobs;
    prf_error_t err = {0};
    prf_text_t text;
    open_text(HEAD KIND);
    prf_text_init(&text);
    for (int i = 1; i <= PRF_SLURM_JOBS; i++)
        prf_text_add(&text, "%d|PENDING|0:00|Resources|prfarm:lab:npu\n", i);
    cr_assert_eq(prf_slurm_jobs_parse(&jobs, &file, prf_text_get(&text), &err), PRF_OK, "%s", err.text);
    cr_expect_eq(jobs.count, PRF_SLURM_JOBS);
    prf_slurm_jobs_release(&jobs);
    prf_text_add(&text, "99999|RUNNING|0:01|None|prfarm:lab:npu\n");
    cr_expect_eq(prf_slurm_jobs_parse(&jobs, &file, prf_text_get(&text), &err), PRF_EINVAL);
    prf_text_release(&text);
}

/* --- the plan --- */

static const prf_slurm_kind_t limits = {.kind = "npu", .least = 1, .most = 8, .jobs_per_worker = 50};
static const prf_slurm_kind_t none = {.kind = "npu", .least = 0, .most = 8, .jobs_per_worker = 50};

static prf_slurm_plan_t plan(const prf_slurm_kind_t *kind, prf_slurm_seen_t seen)
{
    return prf_slurm_plan(kind, &seen, &(prf_slurm_memory_t){.done = 0}, 1000000);
}

Test(fleet_slurm, workers_follow_the_queue_between_their_limits)
{
    static const struct {
        size_t queued, wanted;
    } cases[] = {{0, 0}, {1, 1}, {50, 1}, {51, 2}, {399, 8}, {400, 8}, {401, 8}, {SIZE_MAX, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(plan(&none, (prf_slurm_seen_t){.queued = cases[i].queued}).wanted, cases[i].wanted, "%zu", cases[i].queued);
    cr_expect_eq(plan(&limits, (prf_slurm_seen_t){.queued = 0}).wanted, 1);
    cr_expect_eq(plan(&none, (prf_slurm_seen_t){.waits = true}).wanted, 1, "a campaign that waits for its first board");
}

Test(fleet_slurm, what_is_there_is_counted_and_what_must_stay_comes_first)
{
    prf_slurm_plan_t p = plan(&limits, (prf_slurm_seen_t){.queued = 200, .pending = 1, .running = 1});
    cr_expect_eq(p.submit, 2);
    cr_expect_eq(p.stay, 1);
    p = plan(&limits, (prf_slurm_seen_t){.queued = 200, .pending = 1, .running = 1, .staying = 1});
    cr_expect_eq(p.submit, 2);
    cr_expect_eq(p.stay, 0);
    p = plan(&limits, (prf_slurm_seen_t){.queued = 200, .pending = 2, .running = 2, .staying = 1});
    cr_expect(p.submit == 0 && p.cancel == 0);
    const prf_slurm_kind_t large = {.kind = "npu", .most = 10000, .jobs_per_worker = 1};
    cr_expect_eq(plan(&large, (prf_slurm_seen_t){.queued = 5000}).submit, PRF_SLURM_BURST);
}

Test(fleet_slurm, only_pending_jobs_are_taken_back_and_those_that_stay_are_not)
{
    cr_expect_eq(plan(&none, (prf_slurm_seen_t){.running = 5, .live = 5}).cancel, 0);
    cr_expect_eq(plan(&none, (prf_slurm_seen_t){.running = 5, .pending = 3, .live = 5}).cancel, 3);
    cr_expect_eq(plan(&none, (prf_slurm_seen_t){.queued = 350, .running = 5, .pending = 3, .live = 5}).cancel, 1);
    cr_expect_eq(plan(&limits, (prf_slurm_seen_t){.pending = 3, .staying = 1}).cancel, 2);
    cr_expect_eq(plan(&none, (prf_slurm_seen_t){.pending = 2, .staying = 2}).cancel, 0);
}

Test(fleet_slurm, failures_hold_submissions_longer_and_longer_until_work_is_done)
{
    prf_slurm_memory_t memory = {.done = 0};
    const prf_slurm_seen_t seen = {.queued = 100};
    uint64_t now = 5000, hold = PRF_SLURM_FIRST_HOLD_MS;
    for (int i = 0; i < 12; i++) {
        prf_slurm_note_refusal(&memory, now);
        prf_slurm_note_end(&memory, PRF_SLURM_END_FAILED, 10, now); /* together with it */
        prf_slurm_plan_t p = prf_slurm_plan(&none, &seen, &memory, now);
        cr_expect_eq(p.verdict, PRF_SLURM_HOLD);
        cr_expect_eq(p.submit, 0);
        cr_expect_eq(p.wanted, 2);
        cr_expect_eq(p.hold_ms, hold, "%d: %llu", i, (unsigned long long)p.hold_ms);
        cr_expect_eq(prf_slurm_plan(&none, &seen, &memory, now + hold).submit, 2);
        now += hold;
        hold = 2 * hold < PRF_SLURM_LAST_HOLD_MS ? 2 * hold : PRF_SLURM_LAST_HOLD_MS;
    }
    prf_slurm_note_refusal(&memory, now);
    prf_slurm_note_done(&memory, 1, now + 1);
    cr_expect_eq(prf_slurm_plan(&none, &seen, &memory, now + 1).submit, 2);
    cr_expect_eq(memory.failures, 0);
}

/* Such a campaign began on boards with another runtime, for example. */
Test(fleet_slurm, a_worker_that_found_nothing_it_could_do_counts_as_a_failure)
{
    prf_slurm_memory_t memory = {.done = 0};
    prf_slurm_note_done(&memory, 10, 100000);
    prf_slurm_note_end(&memory, PRF_SLURM_END_WELL, 60000, 130000); /* ten jobs were done while it ran */
    cr_expect_eq(memory.failures, 0);
    prf_slurm_note_end(&memory, PRF_SLURM_END_WELL, 60000, 170000);
    cr_expect_eq(memory.failures, 1);
    memory = (prf_slurm_memory_t){.done = 0};
    prf_slurm_note_end(&memory, PRF_SLURM_END_TAKEN, 60000, 170000);
    cr_expect_eq(memory.failures, 0, "a dead node, a preemption");
    prf_slurm_note_done(&memory, 5, 180000);
    prf_slurm_note_done(&memory, 0, 190000); /* a coordinator that was started anew */
    prf_slurm_note_done(&memory, 1, 200000);
    cr_expect_eq(memory.progress_ms, 200000);
}

Test(fleet_slurm, no_more_are_started_while_none_of_those_that_run_joins)
{
    prf_slurm_seen_t seen = {.queued = 400, .running = 2, .settled = 1};
    cr_expect_eq(plan(&none, seen).verdict, PRF_SLURM_UNJOINED);
    cr_expect_eq(plan(&none, seen).submit, 0);
    seen.live = 1;
    cr_expect_eq(plan(&none, seen).submit, 6);
    seen = (prf_slurm_seen_t){.queued = 400, .running = 2};
    cr_expect_eq(plan(&none, seen).submit, 6, "they have only just begun");
}

/* --- commands --- */

static prf_status_t command(const char *input, unsigned timeout_ms, size_t limit, prf_text_t *out, prf_error_t *err,
                            const char *const *argv)
{
    return prf_command_run(&(prf_command_spec_t){.argv = argv, .input = input, .timeout_ms = timeout_ms, .limit = limit}, out, err);
}
#define COMMAND(input, timeout_ms, limit, ...)                                                                                     \
    command(input, timeout_ms, limit, &out, &err, (const char *const[]){__VA_ARGS__, NULL})

Test(command, is_given_its_input_and_says_what_it_printed)
{
    prf_text_t out;
    prf_error_t err = {0};
    size_t len = 300000; /* more than a pipe holds, both ways at once */
    char *big = malloc(len + 1);
    cr_assert_not_null(big);
    memset(big, 'x', len);
    big[len] = '\0';
    cr_assert_eq(COMMAND(big, 20000, 1 << 20, "cat"), PRF_OK, "%s", err.text);
    cr_expect(out.len == len && memcmp(out.data, big, len) == 0);
    prf_text_release(&out);
    cr_assert_eq(COMMAND(big, 20000, 1 << 20, "true"), PRF_OK, "one that reads nothing: %s", err.text);
    prf_text_release(&out);
    free(big);
    cr_assert_eq(COMMAND(NULL, 20000, 100, "sh", "-c", "echo a; echo b >&2"), PRF_OK);
    cr_expect_str_eq(prf_text_get(&out), "a\nb\n");
    prf_text_release(&out);
}

Test(command, failures_are_told_apart)
{
    prf_text_t out;
    prf_error_t err = {0};
    cr_expect_eq(COMMAND(NULL, 20000, 100, "prf-no-such-program"), PRF_ENOTFOUND);
    cr_expect_eq(COMMAND(NULL, 20000, 100, "sh", "-c", "echo first; echo 'why it failed'; exit 3"), PRF_EIO);
    cr_expect_str_eq(err.text, "sh: exit code 3: it said: why it failed");
    cr_expect_eq(COMMAND(NULL, 200, 100, "sleep", "60"), PRF_ETIMEOUT);
    cr_expect_eq(COMMAND(NULL, 200, 100, "sh", "-c", "exec >&- 2>&-; sleep 60"), PRF_ETIMEOUT);
    cr_expect_eq(COMMAND(NULL, 20000, 100, "yes"), PRF_EINVAL);
}
