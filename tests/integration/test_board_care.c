// SPDX-License-Identifier: Apache-2.0
/* The real worker brings a machine (a folder that looks like /) into another state, and back: as it ends, after it was killed, by
 * the next one or by --restore. Its jobs wait until it is cool. */
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/sysfile.h"
#include "tests/support/farm.h"

#define POLICY "/sys/devices/system/cpu/cpufreq/policy0/"
#define ZONE "/sys/class/thermal/thermal_zone0/temp"
enum { TAINT_HOT = 32 };

static farm_t farm;
static char root[FARM_PATH + 8], state[FARM_PATH + 8], diary[FARM_PATH + 8], said[FARM_SAID];

static void put(const char *name, const char *text)
{
    char path[FARM_PATH + 120];
    snprintf(path, sizeof path, "%s%s", root, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    cr_assert_eq(prf_file_mkdirs(path, 0755, NULL), PRF_OK);
    *slash = '/';
    cr_assert_eq(prf_file_write(path, text, strlen(text), NULL), PRF_OK);
}

static const char *get(const char *name)
{
    static char line[200];
    return prf_sysfile_read(root, line, sizeof line, "%s", name) ? line : "(nothing)";
}

static void set_up(void)
{
    farm_start(&farm, NULL);
    snprintf(root, sizeof root, "%s/root", farm.dir);
    snprintf(state, sizeof state, "%s/state", farm.dir);
    snprintf(diary, sizeof diary, "%s/diary", farm.dir);
    put(POLICY "cpuinfo_min_freq", "800000");
    put(POLICY "cpuinfo_max_freq", "3000000");
    put(POLICY "scaling_min_freq", "800000");
    put(POLICY "scaling_max_freq", "2500000");
    put(POLICY "scaling_available_governors", "performance schedutil");
    put(POLICY "scaling_governor", "schedutil");
    put("/proc/sys/vm/nr_hugepages", "0");
    put(ZONE, "80000");
}

static void tear_down(void)
{
    farm_stop(&farm);
}

TestSuite(care, .init = set_up, .fini = tear_down);

/* A worker that says so on its standard output once it is welcome, which is when the test goes on. */
static prf_process_t start(const char *const *care)
{
    const char *argv[40] = {PRF_BIN_DIR "/prfarm-worker",
                            "--farm",
                            farm.name,
                            "--kind",
                            "board",
                            "--board",
                            "b1",
                            "--backend",
                            "sim",
                            "--option",
                            "board=zcu102",
                            "--state",
                            state,
                            "--root",
                            root};
    size_t count = 0;
    while (argv[count])
        count++;
    while (*care)
        argv[count++] = *care++;
    char log[FARM_PATH + 16], line[200];
    snprintf(log, sizeof log, "%s/worker.log", farm.dir);
    prf_process_t process;
    prf_error_t err;
    const prf_process_options_t options = {.pipes = true, .log = log};
    cr_assert_eq(prf_process_start(&process, argv, &options, &err), PRF_OK, "%s", err.text);
    struct pollfd p = {.fd = process.out, .events = POLLIN};
    cr_assert(poll(&p, 1, PATIENCE_MS) == 1 && read(process.out, line, sizeof line) > 6, "see %s", log);
    cr_assert_eq(strncmp(line, "ready ", 6), 0, "the hooks' output does not get in the way");
    return process;
}
#define START(...) start((const char *const[]){__VA_ARGS__, NULL})

/* Its exit code. */
static int stop_by(int number, prf_process_t *process)
{
    int status;
    uint64_t end = prf_clock_mono_ms() + PATIENCE_MS;
    kill(process->pid, number);
    while (!prf_process_ended(process, &status)) {
        cr_assert_lt(prf_clock_mono_ms(), end, "it does not end");
        poll(NULL, 0, 5);
    }
    prf_process_stop(process, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int stop(prf_process_t *process)
{
    return stop_by(SIGTERM, process);
}

static void expect_fixed(void)
{
    cr_expect_str_eq(get(POLICY "scaling_governor"), "performance");
    cr_expect_str_eq(get(POLICY "scaling_min_freq"), "1400000");
    cr_expect_str_eq(get(POLICY "scaling_max_freq"), "1400000");
    cr_expect_str_eq(get("/proc/sys/vm/nr_hugepages"), "64");
}

static void expect_as_before(void)
{
    cr_expect_str_eq(get(POLICY "scaling_governor"), "schedutil");
    cr_expect_str_eq(get(POLICY "scaling_min_freq"), "800000");
    cr_expect_str_eq(get(POLICY "scaling_max_freq"), "2500000");
    cr_expect_str_eq(get("/proc/sys/vm/nr_hugepages"), "0");
}

/* What the hooks wrote so far; empties it. */
static void expect_diary(const char *text)
{
    char *found = NULL;
    size_t len;
    cr_expect(prf_file_read(diary, 1000, &found, &len, NULL) == PRF_OK && strcmp(found, text) == 0, "%s",
              found ? found : "nothing");
    free(found);
    unlink(diary);
}

static prf_process_t start_with_all(void)
{
    static char before[FARM_PATH + 40], after[FARM_PATH + 40];
    snprintf(before, sizeof before, "echo to the screen; echo before >>%s", diary);
    snprintf(after, sizeof after, "echo after >>%s", diary);
    return START("--fix-clock", "1400", "--set", "/proc/sys/vm/nr_hugepages=64", "--before", before, "--after", after, "--cpu",
                 "0");
}

Test(care, a_worker_leaves_the_machine_as_it_found_it)
{
    prf_process_t worker = start_with_all();
    expect_fixed();
    expect_diary("before\n");
    cr_expect_eq(stop(&worker), 0);
    expect_as_before();
    expect_diary("after\n");
}

Test(care, a_connection_that_drops_ends_a_worker_as_other_signals_do)
{
    prf_process_t worker = start_with_all();
    expect_fixed();
    expect_diary("before\n");
    cr_expect_eq(stop_by(SIGHUP, &worker), 0);
    expect_as_before();
    expect_diary("after\n");
}

Test(care, not_even_a_second_signal_keeps_a_worker_from_it)
{
    char after[2 * FARM_PATH];
    snprintf(after, sizeof after, "kill $PPID; kill -HUP $PPID; echo after >>%s", diary);
    prf_process_t worker = START("--after", after);
    cr_expect_eq(stop(&worker), 0);
    expect_diary("after\n");
}

Test(care, what_a_killed_worker_left_the_next_one_puts_back_and_so_does_restore)
{
    prf_process_t worker = start_with_all();
    prf_process_stop(&worker, 0);
    expect_fixed();
    expect_diary("before\n");
    worker = START("--cpu", "0"); /* wants nothing of the kind */
    expect_as_before();
    expect_diary("after\n");
    cr_expect_eq(FARM_RUN(&farm, said, "prfarm-worker", "--restore", "--state", state, "--root", root), 5, "%s", said);
    cr_expect(strstr(said, "is in use by process"), "%s", said);
    cr_expect_eq(stop(&worker), 0);

    worker = start_with_all();
    prf_process_stop(&worker, 0);
    unlink(diary);
    cr_expect_eq(FARM_RUN(&farm, said, "prfarm-worker", "--restore", "--state", state, "--root", root), 0, "%s", said);
    cr_expect(strstr(said, "put_back settings=4 changed_by_others=0 command=run"), "%s", said);
    expect_as_before();
    expect_diary("after\n");
}

Test(care, what_cannot_be_set_ends_the_worker_with_the_remedy)
{
    static const struct {
        const char *option, *value, *says;
        int code;
    } bad[] = {{"--fix-clock", "9000", "give one of those, max or base", 3},
               {"--set", "/etc/motd=x", "below /sys/ or /proc/sys/", 2},
               {"--before", "exit 7", "--before 'exit 7' failed (exit code 7): run it by hand and mend it", 7},
               {"--cpu", "0-1023", "prfarm doctor tells them", 3},
               {"--cool-below", "60", "tells no temperature: leave it out", 6}};
    put(ZONE, "");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int code = FARM_RUN(&farm, said, "prfarm-worker", "--farm", farm.name, "--kind", "k", "--board", "b", "--backend", "sim",
                            "--option", "board=zcu102", "--state", state, "--root", root, bad[i].option, bad[i].value);
        cr_expect(strstr(said, bad[i].says), "%s %s: %s", bad[i].option, bad[i].value, said);
        cr_expect_eq(code, bad[i].code, "%s %s: %d", bad[i].option, bad[i].value, code);
        expect_as_before();
    }
    cr_expect_eq(FARM_RUN(&farm, said, "prfarm-worker", "--kind", "k", "--backend", "sim", "--fix-clock", "max"), 2);
    cr_expect(strstr(said, "give it a fixed --board NAME or --state DIR"), "%s", said);
}

/* The result of the only point; null while there is none. New reference. */
static json_t *result_of(const char *point)
{
    json_t *answer = farm_ask(&farm, "results", json_pack("{s:[s]}", "points", point));
    json_t *result = json_incref(json_array_get(json_object_get(answer, "results"), 0));
    json_decref(answer);
    return result;
}

static json_int_t await_taint(const char *block)
{
    char point[64];
    json_t *answer = farm_ask(&farm, "measure", json_pack("{s:s, s:[{s:[s]}]}", "kind", "board", "items", "blocks", block)),
           *result;
    snprintf(point, sizeof point, "%s", json_string_value(json_array_get(json_object_get(answer, "points"), 0)));
    json_decref(answer);
    uint64_t end = prf_clock_mono_ms() + PATIENCE_MS;
    while (result = result_of(point), json_is_null(result)) {
        json_decref(result);
        cr_assert_lt(prf_clock_mono_ms(), end, "%s is not measured", block);
        poll(NULL, 0, 20);
    }
    json_int_t taint = farm_number(result, "taint");
    json_decref(result);
    return taint;
}

Test(care, a_job_waits_until_it_is_cool_and_is_tainted_when_that_takes_too_long)
{
    prf_process_t worker = START("--cool-below", "60", "--cool-wait", "1");
    cr_expect_eq(await_taint("fc in=12 out=4 dtype=f32"), TAINT_HOT);
    cr_expect_eq(stop(&worker), 0);
    worker = START("--cool-below", "60", "--cool-wait", "3600");
    uint64_t begin = prf_clock_mono_ms();
    if (fork() == 0) { /* somebody switches the fan on */
        poll(NULL, 0, 1500);
        put(ZONE, "59999");
        _exit(0);
    }
    cr_expect_eq(await_taint("fc in=13 out=4 dtype=f32"), 0);
    cr_expect_geq(prf_clock_mono_ms() - begin, 1500);
    cr_expect_eq(stop(&worker), 0);
}

Test(care, a_run_takes_care_as_its_campaign_says)
{
    static const char text[] = "campaign: cared\n"
                               "boards:\n"
                               "  - kind: one\n"
                               "    backend: sim\n"
                               "    options: {board: zcu102}\n"
                               "    care: {cpu: 0, before: 'echo before >>%s', after: 'echo after >>%s'}\n"
                               "layers: [{kind: fc, params: {in: 1..64, out: 1..64}}]\n"
                               "budget: {samples: 12}\n"
                               "validation: {layers: 4, repeats: 1}\n"
                               "baseline: false\n";
    char file[FARM_PATH + 16], out[FARM_PATH + 16], whole[sizeof text + 2 * FARM_PATH];
    snprintf(file, sizeof file, "%s/cared.yaml", farm.dir);
    snprintf(out, sizeof out, "%s/out", farm.dir);
    snprintf(whole, sizeof whole, text, diary, diary);
    cr_assert_eq(prf_file_write(file, whole, strlen(whole), NULL), PRF_OK);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "run", file, "--out", out), 0, "%s", said);
    expect_diary("before\nafter\n");
    memcpy(strstr(whole, "cpu: 0"), "fan: 1", 6);
    cr_assert_eq(prf_file_write(file, whole, strlen(whole), NULL), PRF_OK);
    cr_expect_eq(FARM_RUN(&farm, said, "prfarm", "run", file, "--out", out), 3, "%s", said);
    cr_expect(strstr(said, "cared.yaml:6:") && strstr(said, "cool-below"), "%s", said);
}

/* What `prfarm doctor` says of one thing. */
static void expect_check(const char *name, const char *state_wanted, const char *found, const char *advice)
{
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "doctor", "--json", "--dir", farm.dir, "--root", root), 0, "%s", said);
    json_t *all = json_loads(said, 0, NULL), *check, *told = NULL;
    size_t i;
    json_array_foreach(json_object_get(all, "checks"), i, check) if (strcmp(farm_text(check, "name"), name) == 0) told = check;
    cr_assert_not_null(told, "%s is not looked at: %s", name, said);
    cr_expect_str_eq(farm_text(told, "state"), state_wanted, "%s: %s", name, farm_text(told, "found"));
    cr_expect(strstr(farm_text(told, "found"), found), "%s: %s", name, farm_text(told, "found"));
    cr_expect(strstr(farm_text(told, "advice"), advice), "%s: %s", name, farm_text(told, "advice"));
    json_decref(all);
}

Test(care, doctor_looks_at_each_and_names_the_option_that_mends_it)
{
    put("/sys/devices/system/cpu/intel_pstate/no_turbo", "0");
    put("/sys/devices/system/cpu/isolated", "\n");
    put("/sys/devices/system/cpu/smt/active", "1");
    put("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0,4");
    put("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3");
    put("/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]");
    expect_check("governor", "warn", "schedutil, 800 to 2500 MHz", "--fix-clock base");
    expect_check("turbo", "note", "on", "--fix-clock base");
    expect_check("temperature", "warn", "80.0 degrees, slowed down by heat 3 times", "--cool-below");
    expect_check("isolated cpus", "note", "none", "--cpu N");
    expect_check("sibling threads", "note", "0,4", "smt/control=off");
    expect_check("huge pages", "warn", "never, 0 reserved", "transparent_hugepage/enabled=madvise");
    expect_check("settings", "ok", "clock, turbo, huge pages", "");
    put("/sys/devices/system/cpu/intel_pstate/no_turbo", "1");
    put("/sys/devices/system/cpu/isolated", "2-3");
    put("/sys/devices/system/cpu/smt/active", "0");
    put("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "0");
    put("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never");
    put(POLICY "scaling_governor", "performance");
    put(ZONE, "45500");
    expect_check("governor", "ok", "performance", "");
    expect_check("turbo", "ok", "off", "");
    expect_check("temperature", "ok", "45.5 degrees", "");
    expect_check("isolated cpus", "ok", "2-3", "");
    expect_check("sibling threads", "ok", "each processor is a core", "");
    expect_check("huge pages", "ok", "madvise", "");
}
