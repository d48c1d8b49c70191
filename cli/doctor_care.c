// SPDX-License-Identifier: Apache-2.0
/* doctor_care.c - what board care (docs/board-care.md) is about: for each of its means, how things are, whether there is anything
 * to be done, and with which option of prfarm-worker. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sysfile.h"
#include "doctor.h"

#define CPU "/sys/devices/system/cpu/"
#define POLICY CPU "cpufreq/policy%u/"
#define HUGE_PAGES "/sys/kernel/mm/transparent_hugepage/enabled"
enum { POLICIES = 1024, CPUS = 1024, HOT_MC = 80000 };

/* All policies are looked at: a machine with big and little processors has several. */
static void check_clock(prf_doctor_t *d)
{
    char governor[64], other[64] = "";
    unsigned policies = 0, loose = 0;
    uint64_t lowest = 0, highest = 0;
    for (unsigned i = 0; i < POLICIES; i++) {
        if (!prf_sysfile_read(d->root, governor, sizeof governor, POLICY "scaling_governor", i))
            continue;
        uint64_t from = prf_sysfile_number(d->root, POLICY "scaling_min_freq", i);
        uint64_t to = prf_sysfile_number(d->root, POLICY "scaling_max_freq", i);
        lowest = policies == 0 || from < lowest ? from : lowest;
        highest = to > highest ? to : highest;
        bool fixed = strcmp(governor, "performance") == 0 || from == to;
        policies++;
        loose += !fixed;
        if (!fixed || !other[0])
            snprintf(other, sizeof other, "%s", governor);
    }
    if (policies == 0)
        prf_doctor_add(d, "governor", PRF_NOTE, "if this is a virtual machine, its host decides about the clock",
                       "not told by this system");
    else
        prf_doctor_add(d, "governor", loose ? PRF_WARN : PRF_GOOD,
                       "a varying clock widens repeatability: prfarm-worker --fix-clock base, or echo performance | sudo tee "
                       "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
                       "%s, %" PRIu64 " to %" PRIu64 " MHz", other, lowest / 1000, highest / 1000);
}

static void check_turbo(prf_doctor_t *d)
{
    char line[16];
    bool on;
    if (prf_sysfile_read(d->root, line, sizeof line, CPU "intel_pstate/no_turbo"))
        on = line[0] == '0';
    else if (prf_sysfile_read(d->root, line, sizeof line, CPU "cpufreq/boost"))
        on = line[0] == '1';
    else
        return;
    prf_doctor_add(d, "turbo", on ? PRF_NOTE : PRF_GOOD,
                   "a clock above the base lasts until the chip is warm: prfarm-worker --fix-clock base turns it off meanwhile",
                   "%s", on ? "on" : "off");
}

static void check_temperature(prf_doctor_t *d)
{
    uint32_t hottest = prf_sysfile_hottest(d->root);
    uint64_t events = 0;
    for (unsigned i = 0; i < CPUS; i++)
        events += prf_sysfile_number(d->root, CPU "cpu%u/thermal_throttle/core_throttle_count", i);
    if (hottest == 0) {
        prf_doctor_add(d, "temperature", PRF_NOTE, "--cool-below needs it: install the sensors' driver, if there is one",
                       "not told by this system");
        return;
    }
    prf_doctor_add(d, "temperature",
                   hottest >= HOT_MC ? PRF_WARN
                   : events > 0      ? PRF_NOTE
                                     : PRF_GOOD,
                   "heat slows a chip down: better cooling, --fix-clock with a lower clock, prfarm-worker --cool-below 60",
                   "hottest zone %.1f degrees, slowed down by heat %" PRIu64 " times since the start", hottest / 1e3, events);
}

static void check_isolation(prf_doctor_t *d)
{
    char isolated[128] = "", mine[128] = "";
    if (!prf_sysfile_read(d->root, isolated, sizeof isolated, CPU "isolated"))
        return;
    (void)prf_doctor_field("/proc/self/status", "Cpus_allowed_list", mine, sizeof mine);
    prf_doctor_add(d, "isolated cpus", isolated[0] ? PRF_GOOD : PRF_NOTE,
                   "others run where the board does: boot with isolcpus=N nohz_full=N and start prfarm-worker --cpu N",
                   "%s; this "
                   "process may use %s",
                   isolated[0] ? isolated : "none", mine[0] ? mine : "those it is given");
}

static void check_siblings(prf_doctor_t *d)
{
    char siblings[64];
    uint64_t active = prf_sysfile_number(d->root, CPU "smt/active");
    if (!prf_sysfile_read(d->root, siblings, sizeof siblings, CPU "cpu0/topology/thread_siblings_list"))
        return;
    prf_doctor_add(d, "sibling threads", active ? PRF_NOTE : PRF_GOOD,
                   "what runs on a sibling slows the board: leave siblings of --cpu idle, or --set "
                   "/sys/devices/system/cpu/smt/control=off",
                   active ? "cpu0 shares a core: %s" : "each processor is a core (%s)", siblings);
}

static void check_pages(prf_doctor_t *d)
{
    char line[64];
    uint64_t reserved = prf_sysfile_number(d->root, "/proc/sys/vm/nr_hugepages");
    if (!prf_sysfile_read(d->root, line, sizeof line, HUGE_PAGES)) {
        prf_doctor_add(d, "huge pages", PRF_NOTE,
                       "memory on small pages adds conflict misses by chance: repeat in several processes",
                       "this kernel has none that programs can ask for");
        return;
    }
    prf_sysfile_chosen(line);
    prf_doctor_add(d, "huge pages", strcmp(line, "never") == 0 ? PRF_WARN : PRF_GOOD,
                   "memory on small pages adds conflict misses by chance: prfarm-worker --set "
                   "/sys/kernel/mm/transparent_hugepage/enabled=madvise",
                   "%s, %" PRIu64 " reserved", line, reserved);
}

static bool may_write(const prf_doctor_t *d, const char *file)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s", d->root, file);
    return access(path, W_OK) == 0;
}

/* A container's root is stopped by its read-only mounts; access tells that too. */
static void check_rights(prf_doctor_t *d)
{
    static const struct {
        const char *name, *file;
    } means[] = {{"clock", CPU "cpufreq/policy0/scaling_governor"},
                 {"turbo", CPU "intel_pstate/no_turbo"},
                 {"boost", CPU "cpufreq/boost"},
                 {"sibling threads", CPU "smt/control"},
                 {"huge pages", HUGE_PAGES}};
    char can[100] = "";
    for (size_t i = 0; i < sizeof means / sizeof *means; i++)
        if (may_write(d, means[i].file)) {
            size_t used = strlen(can);
            snprintf(can + used, sizeof can - used, "%s%s", used ? ", " : "", means[i].name);
        }
    prf_doctor_add(d, "settings", can[0] ? PRF_GOOD : PRF_NOTE,
                   "--fix-clock and --set need them: run prfarm-worker as root, or have an administrator set them",
                   can[0] ? "this user may set: %s" : "this user may set none%s", can);
}

static bool in_path(const char *program)
{
    const char *path = getenv("PATH");
    for (const char *at = path ? path : ""; *at;) {
        char file[PATH_MAX];
        size_t len = strcspn(at, ":");
        if (snprintf(file, sizeof file, "%.*s/%s", (int)len, at, program) < (int)sizeof file && access(file, X_OK) == 0)
            return true;
        at += len + (at[len] == ':');
    }
    return false;
}

/* Programs that switch a board's power, or set its clocks. */
static void check_power(prf_doctor_t *d)
{
    static const char *const programs[] = {"uhubctl", "snmpset", "ipmitool", "nvpmodel", "jetson_clocks"};
    char found[100] = "";
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (in_path(programs[i])) {
            size_t used = strlen(found);
            snprintf(found + used, sizeof found - used, "%s%s", used ? ", " : "", programs[i]);
        }
    prf_doctor_add(d, "power", found[0] ? PRF_GOOD : PRF_NOTE,
                   "a board that hangs for good needs its power cut: a coordinator does that with prfarm-coordinator --hooks and "
                   "uhubctl, a PDU or any command",
                   "%s", found[0] ? found : "no uhubctl, snmpset, ipmitool, nvpmodel, jetson_clocks");
}

void prf_doctor_care(prf_doctor_t *d)
{
    static void (*const checks[])(prf_doctor_t *) = {check_clock,    check_turbo, check_temperature, check_isolation,
                                                     check_siblings, check_pages, check_rights,      check_power};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        checks[i](d);
}
