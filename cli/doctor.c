// SPDX-License-Identifier: Apache-2.0
/* doctor.c - `prfarm doctor`: looks at what makes measurements wrong (load, clock source, noise; doctor_care.c) and at what keeps
 * prfarm from working (programs, libraries, limits, disk). Each check is a function that adds one finding with its remedy; a
 * finding that the system does not let us make is left out rather than guessed. */
#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/order.h"
#include "base/process.h"
#include "base/sysfile.h"
#include "cli.h"
#include "doctor.h"

static const char *const state_names[] = {"ok", "note", "warn", "bad"};

void prf_doctor_add(prf_doctor_t *d, const char *name, prf_health_t state, const char *advice, const char *fmt, ...)
{
    if (d->count == PRF_DOCTOR_CHECKS)
        return;
    prf_finding_t *f = &d->findings[d->count++];
    f->name = name;
    f->state = state;
    f->advice = state == PRF_GOOD ? "" : advice;
    va_list args;
    va_start(args, fmt);
    vsnprintf(f->found, sizeof f->found, fmt, args);
    va_end(args);
}

bool prf_doctor_field(const char *path, const char *key, char *value, size_t cap)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    char line[4096];
    bool found = false;
    while (!found && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, key, strlen(key)) != 0)
            continue;
        char *text = colon + 1 + strspn(colon + 1, " \t");
        text[strcspn(text, "\n")] = '\0';
        snprintf(value, cap, "%s", text);
        found = true;
    }
    fclose(file);
    return found;
}

static void check_processor(prf_doctor_t *d)
{
    char model[128] = "unknown processor", quota[64];
    prf_doctor_field("/proc/cpuinfo", "model name", model, sizeof model);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    prf_doctor_add(d, "processor", cores >= 2 ? PRF_GOOD : PRF_WARN,
                   "a board measures more steadily with a core of its own: use a machine with two", "%s, %ld core%s", model, cores,
                   cores == 1 ? "" : "s");
    double limit, period;
    if (prf_sysfile_line("/sys/fs/cgroup/cpu.max", quota, sizeof quota) && sscanf(quota, "%lf %lf", &limit, &period) == 2)
        prf_doctor_add(d, "cpu quota", PRF_WARN, "a container's CPU quota pauses the board while it measures: lift it",
                       "%.2g cores", limit / period);
}

static void check_load(prf_doctor_t *d)
{
    double load;
    if (getloadavg(&load, 1) != 1)
        return;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    bool calm = load < 0.3 * (double)cores;
    prf_doctor_add(d, "load", calm ? PRF_GOOD : PRF_WARN,
                   "other programs are busy: stop them, or expect tainted samples that are measured again",
                   "%.2f over the last minute on %ld cores", load, cores);
}

static void check_clock(prf_doctor_t *d)
{
    char source[64];
    uint64_t begin = prf_clock_mono_ns();
    for (int i = 0; i < 10000; i++)
        (void)prf_clock_mono_ns();
    double cost = (double)(prf_clock_mono_ns() - begin) / 10000;
    if (!prf_sysfile_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", source, sizeof source))
        snprintf(source, sizeof source, "unknown");
    prf_doctor_add(d, "clock source", cost < 1000 ? PRF_GOOD : PRF_WARN,
                   "reading the clock is slow: boot with clocksource=tsc where the processor allows it", "%s, %.0f ns a reading",
                   source, cost);
}

static void check_virtual(prf_doctor_t *d)
{
    char flags[4096], product[64] = "";
    bool guest = prf_doctor_field("/proc/cpuinfo", "flags", flags, sizeof flags) && strstr(flags, " hypervisor");
    prf_sysfile_line("/sys/class/dmi/id/product_name", product, sizeof product);
    bool container = access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0;
    prf_doctor_add(d, "virtual machine", guest ? PRF_NOTE : PRF_GOOD,
                   "neighbours on the same host disturb: repeat campaigns at different times", "%s%s%s%s", guest ? "yes" : "no",
                   guest && product[0] ? ", " : "", guest ? product : "", container ? ", in a container" : "");
}

/* A fixed loop that touches no memory: all that can change its time is the clock, another program, or the host. */
static double spin_ns(void)
{
    volatile uint64_t sink = 0;
    uint64_t x = 88172645463325252u, begin = prf_clock_mono_ns();
    for (int i = 0; i < 2000000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    sink = x;
    (void)sink;
    return (double)(prf_clock_mono_ns() - begin);
}

static void check_noise(prf_doctor_t *d)
{
    enum { RUNS = 60 };
    double times[RUNS];
    spin_ns();
    for (int i = 0; i < RUNS; i++)
        times[i] = spin_ns();
    prf_sort(times, RUNS);
    double median = 100 * (times[RUNS / 2] / times[0] - 1), tail = 100 * (times[RUNS * 9 / 10] / times[0] - 1);
    prf_doctor_add(d, "timing noise", median < 2 && tail < 10 ? PRF_GOOD : PRF_WARN,
                   "the same work takes changing time: look for other programs, a varying clock, a busy host",
                   "a fixed loop: median %.1f %%, one in ten %.1f %% above the fastest", median, tail);
}

static void check_memory(prf_doctor_t *d)
{
    char value[64], text[PRF_HUMAN];
    if (!prf_doctor_field("/proc/meminfo", "MemAvailable", value, sizeof value))
        return;
    double bytes = strtod(value, NULL) * 1024;
    prf_doctor_add(d, "memory", bytes >= 1e9 ? PRF_GOOD : PRF_WARN,
                   "large layers and training want about 1 GB: close other programs", "%s available", prf_human_bytes(bytes, text));
}

static void check_files(prf_doctor_t *d)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        prf_doctor_add(d, "open files",
                       limit.rlim_cur >= 1024  ? PRF_GOOD
                       : limit.rlim_cur >= 256 ? PRF_WARN
                                               : PRF_BAD,
                       "every board costs a descriptor: ulimit -n 4096", "%llu (at most %llu)", (unsigned long long)limit.rlim_cur,
                       (unsigned long long)limit.rlim_max);
    const char *tmp = getenv("TMPDIR");
    tmp = tmp && *tmp ? tmp : "/tmp";
    bool fits = access(tmp, W_OK) == 0 && strlen(tmp) < 60;
    prf_doctor_add(d, "temporary folder", fits ? PRF_GOOD : PRF_BAD,
                   "sockets are made there: set TMPDIR to a short, writable folder", "%.100s", tmp);
}

static void check_disk(prf_doctor_t *d)
{
    struct statvfs fs;
    char text[PRF_HUMAN];
    if (statvfs(d->dir, &fs) != 0) {
        prf_doctor_add(d, "disk", PRF_BAD, "give a folder that exists: --dir DIR", "%.100s cannot be looked at", d->dir);
        return;
    }
    double bytes = (double)fs.f_bavail * (double)fs.f_frsize;
    bool writable = access(d->dir, W_OK) == 0;
    prf_doctor_add(d, "disk",
                   !writable || bytes < 50e6 ? PRF_BAD
                   : bytes < 1e9             ? PRF_WARN
                                             : PRF_GOOD,
                   writable ? "a campaign's folder may grow to some 100 MB: make room" : "choose another folder with --dir",
                   "%.80s: %s free%s", d->dir, prf_human_bytes(bytes, text), writable ? "" : ", not writable");
}

static void check_programs(prf_doctor_t *d)
{
    static const char *const names[] = {"prfarm-coordinator", "prfarm-worker"};
    for (size_t i = 0; i < 2; i++) {
        char path[4096];
        prf_process_sibling(names[i], path, sizeof path);
        bool there = strchr(path, '/') != NULL;
        prf_doctor_add(d, names[i], there ? PRF_GOOD : PRF_WARN,
                       "'prfarm run' needs it beside the prfarm program or in PATH: install it", "%.180s",
                       there ? path : "not beside this program");
    }
}

static void check_onednn(prf_doctor_t *d)
{
#ifdef HAVE_ONEDNN
    static const char *const names[] = {"libdnnl.so.2", "libdnnl.so.3", "libdnnl.so"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *library = dlopen(names[i], RTLD_LAZY | RTLD_LOCAL);
        if (library) {
            prf_doctor_add(d, "oneDNN", PRF_GOOD, "", "%s", names[i]);
            dlclose(library);
            return;
        }
    }
    prf_doctor_add(d, "oneDNN", PRF_BAD, "the worker needs it: sudo apt-get install libdnnl2", "the library is not installed");
#else
    prf_doctor_add(d, "oneDNN", PRF_WARN, "install libdnnl-dev and build again to measure this processor",
                   "prfarm was built without it");
#endif
}

/* Where prfarm-adapter looks for its runtimes, too. */
static void check_adapters(prf_doctor_t *d)
{
    const char *named = getenv("PRFARM_ADAPTERS"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char folders[3][PRF_DOCTOR_TEXT] = {"", "", "/var/lib/prfarm/adapters"};
    snprintf(folders[0], PRF_DOCTOR_TEXT, "%.150s", named ? named : "");
    snprintf(folders[1], PRF_DOCTOR_TEXT, "%.150s%s/prfarm/adapters",
             data && *data ? data
             : home        ? home
                           : "",
             data && *data ? "" : "/.local/share");
    for (size_t i = 0; i < 3; i++) {
        char python[PRF_DOCTOR_TEXT + 16];
        snprintf(python, sizeof python, "%s/bin/python3", folders[i]);
        if (folders[i][0] && access(python, X_OK) == 0) {
            prf_doctor_add(d, "adapters", PRF_GOOD, "", "runtimes in %.180s", folders[i]);
            return;
        }
    }
    prf_doctor_add(d, "adapters", PRF_NOTE,
                   "boards of ONNX Runtime, TensorFlow Lite and OpenVINO need them: deploy/setup --adapters",
                   "no runtimes are installed");
}

static json_t *to_json(const prf_doctor_t *d, prf_health_t worst)
{
    json_t *checks = json_array();
    for (size_t i = 0; i < d->count; i++) {
        const prf_finding_t *f = &d->findings[i];
        json_array_append_new(checks, json_pack("{s:s, s:s, s:s, s:s}", "name", f->name, "state", state_names[f->state], "found",
                                                f->found, "advice", f->advice));
    }
    return json_pack("{s:s, s:b, s:o}", "version", PRF_VERSION, "ok", worst < PRF_BAD, "checks", checks);
}

/* The findings as a table, then the remedies. */
static void print_findings(const prf_doctor_t *d, prf_health_t worst)
{
    prf_terminal_t terminal;
    prf_terminal_init(&terminal, stdout);
    prf_table_t *table = prf_table_new("check|state|found");
    for (size_t i = 0; i < d->count; i++) {
        prf_table_cell(table, "%s", d->findings[i].name);
        prf_table_cell(table, "%s", state_names[d->findings[i].state]);
        prf_table_cell(table, "%.90s", d->findings[i].found);
    }
    prf_table_print(&table, &terminal);
    putchar('\n');
    for (size_t i = 0; i < d->count; i++) {
        const prf_finding_t *f = &d->findings[i];
        if (f->advice[0])
            printf("%s%s%s: %s\n", prf_bold(&terminal), f->name, prf_plain(&terminal), f->advice);
    }
    printf("\n%s\n", worst < PRF_WARN    ? "This machine is ready to measure."
                     : worst == PRF_WARN ? "prfarm works here; the warnings above make its measurements worse."
                                         : "prfarm cannot work here before what is bad above is mended.");
}

static const prf_usage_t usage = {
    .name = "doctor",
    .synopsis = "[--dir DIR]",
    .purpose = "Checks this machine: can prfarm work here, and what would disturb its measurements.",
    .text = "Looks at the processor's clock, heat, isolation and pages, at load and timing noise, at\n"
            "limits, libraries and disk space, and says what to do about each. Takes about a second. Ends with 6 when\n"
            "something is bad enough that prfarm cannot work; warnings alone end with 0.\n\n"
            "  prfarm doctor --dir results\n",
};

int prf_cmd_doctor(int argc, char **argv)
{
    bool json = false;
    prf_doctor_t d = {.dir = ".", .root = ""};
    const prf_option_t options[] = {
        {.name = "dir", .value = "DIR", .help = "where campaigns will be stored (default: here)", .text = &d.dir},
        {.name = "json", .help = "print JSON", .flag = &json},
        {.name = "root", .text = &d.root}, /* of the system's files that board care is about; for tests */
        {.name = NULL},
    };
    int code;
    if (!prf_options_parse(&usage, options, argc, argv, NULL, &code))
        return code;
    static void (*const checks[])(prf_doctor_t *) = {check_processor, prf_doctor_care, check_load,     check_clock,
                                                     check_virtual,   check_noise,     check_memory,   check_files,
                                                     check_programs,  check_onednn,    check_adapters, check_disk};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        checks[i](&d);
    prf_health_t worst = PRF_GOOD;
    for (size_t i = 0; i < d.count; i++)
        worst = d.findings[i].state > worst ? d.findings[i].state : worst;
    code = prf_exit_code(worst == PRF_BAD ? PRF_EUNSUPPORTED : PRF_OK);
    if (!json) {
        print_findings(&d, worst);
        return code;
    }
    int printed = prf_print_json(to_json(&d, worst));
    return printed ? printed : code;
}
