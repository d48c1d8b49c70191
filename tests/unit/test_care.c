// SPDX-License-Identifier: Apache-2.0
/* A machine's settings in a folder that looks like /: made, and put back as they were, whoever was killed or meddled. Cooling down
 * by a clock and a thermometer that the test moves. */
#define _GNU_SOURCE /* sched_getaffinity */
#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sysfile.h"
#include "care/care.h"
#include "care/cool.h"
#include "care/journal.h"
#include "care/pin.h"

#define CPUFREQ "sys/devices/system/cpu/cpufreq/"
#define THP "sys/kernel/mm/transparent_hugepage/enabled"

static char root[40], state[64], journal[80];

static void put(const char *name, const char *text)
{
    char path[300], *slash;
    snprintf(path, sizeof path, "%s/%s", root, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    cr_assert_eq(prf_file_mkdirs(path, 0755, NULL), PRF_OK);
    *slash = '/';
    cr_assert_eq(prf_file_write(path, text, strlen(text), NULL), PRF_OK);
}

static const char *get(const char *name)
{
    static char line[300];
    return prf_sysfile_read(root, line, sizeof line, "/%s", name) ? line : "(nothing)";
}

/* kHz, as cpufreq has them. */
static void put_policy(unsigned n, const char *lowest, const char *highest, const char *now_lowest, const char *now_highest)
{
    const char *const files[][2] = {{"cpuinfo_min_freq", lowest},
                                    {"cpuinfo_max_freq", highest},
                                    {"scaling_min_freq", now_lowest},
                                    {"scaling_max_freq", now_highest},
                                    {"scaling_available_governors", "performance schedutil"},
                                    {"scaling_governor", "schedutil"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[120];
        snprintf(name, sizeof name, CPUFREQ "policy%u/%s", n, files[i][0]);
        put(name, files[i][1]);
    }
}

static void expect_policy(unsigned n, const char *governor, const char *lowest, const char *highest)
{
    char name[120];
    snprintf(name, sizeof name, CPUFREQ "policy%u/scaling_governor", n);
    cr_expect_str_eq(get(name), governor, "policy %u", n);
    snprintf(name, sizeof name, CPUFREQ "policy%u/scaling_min_freq", n);
    cr_expect_str_eq(get(name), lowest, "policy %u", n);
    snprintf(name, sizeof name, CPUFREQ "policy%u/scaling_max_freq", n);
    cr_expect_str_eq(get(name), highest, "policy %u", n);
}

static void set_up(void)
{
    snprintf(root, sizeof root, "/tmp/prf-care-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    snprintf(state, sizeof state, "%s/state", root);
    snprintf(journal, sizeof journal, "%s/care.json", state);
    cr_assert_eq(mkdir(state, 0755), 0);
    put_policy(0, "800000", "3000000", "800000", "2500000");
    put_policy(4, "600000", "2000000", "1500000", "2000000");
    put(THP, "always [madvise] never");
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    cr_assert_eq(system(command), 0);
}

TestSuite(care, .init = set_up, .fini = tear_down);

static prf_care_t care_of(const char *clock)
{
    return (prf_care_t){.clock = clock, .root = root, .state_dir = state};
}

static void begin(const prf_care_t *care, size_t settings)
{
    size_t made = 0;
    prf_error_t err = {0};
    cr_assert_eq(prf_care_begin(care, &made, &err), PRF_OK, "%s", err.text);
    cr_expect_eq(made, settings, "%zu settings", made);
}

static void fail(const prf_care_t *care, prf_status_t status, const char *says)
{
    size_t made;
    prf_error_t err = {0};
    cr_expect_eq(prf_care_begin(care, &made, &err), status, "%s", err.text);
    cr_expect(strstr(err.text, says), "%s", err.text);
    cr_expect_neq(access(journal, F_OK), 0, "a journal of nothing");
}

static prf_care_end_t end(void)
{
    prf_care_end_t told;
    prf_error_t err = {0};
    const prf_care_t care = care_of(NULL);
    cr_assert_eq(prf_care_end(&care, &told, &err), PRF_OK, "%s", err.text);
    cr_expect_neq(access(journal, F_OK), 0, "the journal is still there");
    return told;
}

static void expect_as_before(void)
{
    expect_policy(0, "schedutil", "800000", "2500000");
    expect_policy(4, "schedutil", "1500000", "2000000");
}

/* ---- the clock ---- */

Test(care, the_highest_clock_is_fixed_on_all_processors_and_put_back)
{
    const prf_care_t care = care_of("max");
    begin(&care, 5); /* one is as it should be */
    expect_policy(0, "performance", "3000000", "3000000");
    expect_policy(4, "performance", "2000000", "2000000");
    cr_expect_eq(end().settings, 5);
    expect_as_before();
    cr_expect_eq(end().settings, 0, "once is enough");
}

Test(care, base_is_the_highest_clock_without_turbo)
{
    put("sys/devices/system/cpu/intel_pstate/no_turbo", "0");
    put(CPUFREQ "policy0/base_frequency", "2100000");
    const prf_care_t care = care_of("base");
    begin(&care, 6);
    cr_expect_str_eq(get("sys/devices/system/cpu/intel_pstate/no_turbo"), "1");
    expect_policy(0, "performance", "2100000", "2100000");
    expect_policy(4, "performance", "2000000", "2000000");
    end();
    cr_expect_str_eq(get("sys/devices/system/cpu/intel_pstate/no_turbo"), "0");
    expect_as_before();
}

/* Without turbo a kernel tells a lower highest clock. Here turbo's file is that clock's under another name while turbo is turned
 * off, which so moves it. */
Test(care, the_highest_clock_is_put_back_as_it_was_with_turbo)
{
    static const char turbo[] = "sys/devices/system/cpu/intel_pstate/no_turbo";
    char from[200], to[200];
    put(turbo, "0");
    snprintf(from, sizeof from, "%s/%s", root, turbo);
    snprintf(to, sizeof to, "%s/" CPUFREQ "policy0/scaling_max_freq", root);
    cr_assert(unlink(from) == 0 && symlink(to, from) == 0);
    const prf_care_t care = care_of("base");
    begin(&care, 6);
    expect_policy(0, "performance", "3000000", "3000000");
    cr_assert_eq(unlink(from), 0);
    put(turbo, "1");
    cr_expect_eq(end().settings, 6);
    expect_as_before();
}

/* Where the file of a setting stands in the journal. */
static const char *noted(const char *text, const char *file)
{
    const char *found = strstr(text, file);
    cr_assert_not_null(found, "%s is not in %s", file, text);
    return found;
}

Test(care, the_lowest_clock_is_never_above_the_highest)
{
    char *text = NULL;
    size_t len;
    const prf_care_t care = care_of("1200"); /* above the lowest of 0, below the lowest of 4 */
    begin(&care, 6);
    cr_assert_eq(prf_file_read(journal, 1 << 16, &text, &len, NULL), PRF_OK);
    cr_expect_lt(noted(text, "policy0/scaling_max_freq"), noted(text, "policy0/scaling_min_freq"));
    cr_expect_lt(noted(text, "policy4/scaling_min_freq"), noted(text, "policy4/scaling_max_freq"));
    free(text);
    end();
    expect_as_before();
}

Test(care, a_clock_that_cannot_be_is_refused_and_nothing_stays_changed)
{
    prf_care_t care = care_of("2400");
    fail(&care, PRF_EINVAL, "processor 4 runs at 600 to 2000 MHz");
    expect_as_before();
    care.clock = "fast";
    fail(&care, PRF_EUSAGE, "give max, base or MHz");
    care.clock = "max";
    char path[200];
    snprintf(path, sizeof path, "%s/" CPUFREQ "policy4/scaling_min_freq", root);
    cr_assert_eq(unlink(path), 0);
    fail(&care, PRF_ENOTFOUND, "scaling_min_freq");
    expect_policy(0, "schedutil", "800000", "2500000");
    put_policy(0, "", "", "", "");
    put_policy(4, "", "", "", "");
    fail(&care, PRF_EUNSUPPORTED, "lets nobody set the clock");
}

/* ---- single settings ---- */

Test(care, a_choice_from_a_list_is_made_and_put_back)
{
    const char *const settings[] = {"/" THP "=always"};
    prf_care_t care = care_of(NULL);
    care.settings = settings;
    care.setting_count = 1;
    put(THP, "[always] madvise never");
    begin(&care, 0);
    end();
    put(THP, "always [madvise] never"); /* a kernel answers with the list again; a file only holds what was written */
    begin(&care, 1);
    cr_expect_str_eq(get(THP), "always");
    cr_expect_eq(end().settings, 1);
    cr_expect_str_eq(get(THP), "madvise");
}

/* The kernel takes 15 bytes of a thread's name. */
Test(care, what_the_system_makes_something_else_of_is_refused_and_put_back)
{
    static const char file[] = "proc/sys/kernel/name";
    const char *const settings[] = {"/proc/sys/kernel/name=far-too-long-a-name"};
    char path[100], before[32];
    prf_care_t care = care_of(NULL);
    care.settings = settings;
    care.setting_count = 1;
    put(file, "");
    snprintf(path, sizeof path, "%s/%s", root, file);
    cr_assert(unlink(path) == 0 && symlink("/proc/self/comm", path) == 0);
    snprintf(before, sizeof before, "%s", get(file));
    fail(&care, PRF_EINVAL, "the system made far-too-long-a- of far-too-long-a-name");
    cr_expect_str_eq(get(file), before);
}

Test(care, only_settings_of_the_system_are_written)
{
    static const char *const bad[] = {"/etc/passwd=x",       "/sys/../etc/passwd=x", "sys/a=b",      "/sys/a",       "/sys/a=",
                                      "/" THP "=two\nlines", "/proc/1/comm=x",       "=performance", "/" THP "=\xff"};
    prf_care_t care = care_of(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        care.settings = &bad[i];
        care.setting_count = 1;
        fail(&care, PRF_EUSAGE, "--set");
    }
    cr_expect_str_eq(get(THP), "always [madvise] never");
    care.settings = (const char *const[]){"/sys/none=1"};
    fail(&care, PRF_ENOTFOUND, "--set: /sys/none: this system has no such setting");
}

/* ---- putting back ---- */

Test(care, what_a_killed_worker_left_is_put_back_by_the_next)
{
    int heard[2];
    char c;
    cr_assert_eq(pipe(heard), 0);
    pid_t pid = fork();
    if (pid == 0) {
        size_t made;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prf_care_t care = care_of("max");
        care.after = "true";
        c = prf_care_begin(&care, &made, NULL) ? 'n' : 'y';
        (void)!write(heard[1], &c, 1);
        pause();
        _exit(0);
    }
    cr_assert(read(heard[0], &c, 1) == 1 && c == 'y');
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    expect_policy(0, "performance", "3000000", "3000000");
    prf_care_end_t told = end();
    cr_expect_eq(told.settings, 5);
    cr_expect(told.command);
    expect_as_before();
}

Test(care, what_somebody_else_changed_meanwhile_is_his)
{
    const prf_care_t care = care_of("max");
    begin(&care, 5);
    put(CPUFREQ "policy0/scaling_governor", "powersave"); /* or a reboot, after which nothing is as the worker had made it */
    prf_care_end_t told = end();
    cr_expect_eq(told.settings, 4);
    cr_expect_eq(told.left, 1);
    expect_policy(0, "powersave", "800000", "2500000");
}

Test(care, a_journal_that_others_can_write_or_that_is_none_is_not_carried_out)
{
    static const char text[] = "{\"settings\": [], \"command\": \"touch care-was-here\"}";
    const prf_care_t care = care_of(NULL);
    prf_care_end_t told;
    prf_error_t err;
    cr_assert_eq(prf_file_write(journal, text, strlen(text), NULL), PRF_OK);
    cr_assert_eq(chmod(journal, 0666), 0);
    cr_expect_eq(prf_care_end(&care, &told, &err), PRF_EIO);
    cr_expect(strstr(err.text, "others can write it"), "%s", err.text);
    cr_expect_not(told.command);
    static const char *const nonsense[] = {"", "[]", "{}", "{\"settings\": 3}",
                                           "{\"settings\": [{\"file\": \"/etc/shadow\", \"before\": \"1\", \"set\": \"2\"}]}"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        cr_assert_eq(prf_file_write(journal, nonsense[i], strlen(nonsense[i]), NULL), PRF_OK);
        cr_assert_eq(chmod(journal, 0600), 0);
        cr_expect_eq(prf_care_end(&care, &told, &err), PRF_ECORRUPT, "%s", nonsense[i]);
        cr_expect(strstr(err.text, "care.json: not written by a worker"), "%s", err.text);
    }
}

Test(care, a_journal_of_another_user_names_him)
{
    static const char text[] = "{\"settings\": []}";
    const prf_care_t care = care_of(NULL);
    prf_care_end_t told;
    prf_error_t err;
    cr_assert_eq(prf_file_write(journal, text, strlen(text), NULL), PRF_OK);
    if (chown(journal, 1234, 1234) != 0)
        cr_skip_test("only root gives files away");
    cr_expect_eq(prf_care_end(&care, &told, &err), PRF_EIO);
    cr_expect(strstr(err.text, "belongs to user 1234"), "%s", err.text);
}

/* ---- commands ---- */

Test(care, the_first_command_has_to_succeed_and_the_last_one_is_run_in_any_case)
{
    char before[120], after[120], path[80];
    snprintf(path, sizeof path, "%s/said", root);
    snprintf(before, sizeof before, "echo before >> %s", path);
    snprintf(after, sizeof after, "cat %s/" CPUFREQ "policy0/scaling_governor >> %s", root, path);
    prf_care_t care = care_of("max");
    care.before = before;
    care.after = after;
    begin(&care, 5);
    cr_expect(end().command);
    char *said = NULL;
    size_t len;
    cr_assert_eq(prf_file_read(path, 100, &said, &len, NULL), PRF_OK);
    cr_expect_str_eq(said, "before\nschedutil", "the last is run when all is put back");
    free(said);
    unlink(path);
    care.before = "exit 3";
    fail(&care, PRF_EIO, "--before 'exit 3' failed (exit code 3)");
    cr_expect_eq(access(path, F_OK), 0, "what the first one did by half is taken back");
    expect_as_before();
}

Test(care, a_last_command_that_fails_is_told_once)
{
    prf_care_t care = care_of(NULL);
    prf_care_end_t told;
    prf_error_t err;
    care.after = "echo \xff";
    fail(&care, PRF_EUSAGE, "is not UTF-8");
    care.after = "false";
    begin(&care, 0);
    cr_expect_eq(prf_care_end(&care, &told, &err), PRF_EIO);
    cr_expect(strstr(err.text, "--after 'false' failed"), "%s", err.text);
    cr_expect_not(end().command);
}

/* ---- processors ---- */

Test(pin, the_process_stays_where_it_is_told)
{
    prf_error_t err = {0};
    cr_expect_eq(prf_pin("0", &err), PRF_OK, "%s", err.text);
    cpu_set_t now;
    cr_assert_eq(sched_getaffinity(0, sizeof now, &now), 0);
    cr_expect(CPU_COUNT(&now) == 1 && CPU_ISSET(0, &now));
    static const char *const bad[] = {"", "a", "1-", "-1", "2-1", "0,", "0 1", "99999", "0-99999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(prf_pin(bad[i], &err), PRF_EINVAL, "%s", bad[i]);
        cr_expect(strstr(err.text, "is no list of processors"), "%s: %s", bad[i], err.text);
    }
    cr_expect_eq(prf_pin("0-1023", &err), PRF_EINVAL);
    cr_expect(strstr(err.text, "not all of them"), "%s", err.text);
    cr_expect_eq(prf_pin("1023", &err), PRF_EINVAL);
}

/* ---- cooling down ---- */

typedef struct {
    uint64_t now_ms;
    uint32_t start_mc, falls_mc; /* by so much a second */
} weather_t;

static uint32_t weather_temperature(void *arg)
{
    const weather_t *w = arg;
    return w->start_mc - (uint32_t)(w->falls_mc * w->now_ms / 1000);
}

static uint64_t weather_now(void *arg)
{
    return ((const weather_t *)arg)->now_ms;
}

static void weather_sleep(void *arg, unsigned ms)
{
    ((weather_t *)arg)->now_ms += ms;
}

static bool cools(weather_t *weather, uint32_t below_mc, uint64_t wait_ms)
{
    const prf_cool_world_t world = {weather, weather_temperature, weather_now, weather_sleep};
    return prf_cool_down(&(prf_cool_t){.below_mc = below_mc, .wait_ms = wait_ms}, &world);
}

Test(cool, waits_as_long_as_it_takes_and_no_longer)
{
    weather_t weather = {.start_mc = 80000, .falls_mc = 1000};
    cr_expect(cools(&weather, 70000, 60000));
    cr_expect(weather.now_ms > 10000 && weather.now_ms <= 10500, "%d ms", (int)weather.now_ms);
    weather = (weather_t){.start_mc = 80000, .falls_mc = 1000};
    cr_expect_not(cools(&weather, 70000, 5000));
    cr_expect(weather.now_ms >= 5000 && weather.now_ms <= 5500, "%d ms", (int)weather.now_ms);
    weather = (weather_t){.start_mc = 69999};
    cr_expect(cools(&weather, 70000, 60000));
    cr_expect_eq(weather.now_ms, 0, "it is cool already");
    weather = (weather_t){.start_mc = 140000};
    cr_expect(cools(&weather, 0, 0), "nobody asked for it");
}
