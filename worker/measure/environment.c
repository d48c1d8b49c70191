// SPDX-License-Identifier: Apache-2.0
/* environment.c - one number a file. Files that are missing (containers, virtual machines, other architectures) are normal
 * and leave their value 0. */
#define _GNU_SOURCE /* sched_getcpu */
#include "measure/environment.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/sysfile.h"

#define CPU "/sys/devices/system/cpu/cpu%d/"
enum { CHILDREN_DEEP = 4 };

/* From /proc/cpuinfo, where there is no frequency driver; "cpu MHz : 2595.124". */
static uint32_t nominal_clock(const char *root)
{
    char path[256], line[256];
    snprintf(path, sizeof path, "%s/proc/cpuinfo", root);
    FILE *file = fopen(path, "re");
    double mhz = 0;
    while (file && mhz <= 0 && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "cpu MHz", 7) == 0 && colon)
            mhz = strtod(colon + 1, NULL);
    }
    if (file)
        fclose(file);
    return mhz > 0 && mhz < 1e6 ? (uint32_t)(mhz * 1000) : 0;
}

void prf_environment_read(const char *root, prf_environment_t *out)
{
    *out = (prf_environment_t){.temperature_mc = prf_sysfile_hottest(root)};
    int cpu = root[0] ? 0 : sched_getcpu();
    cpu = cpu < 0 ? 0 : cpu;
    uint64_t khz = prf_sysfile_number(root, CPU "cpufreq/scaling_cur_freq", cpu);
    out->clock_khz = khz > 0 && khz < UINT32_MAX ? (uint32_t)khz : nominal_clock(root);
    if (!prf_sysfile_read(root, out->governor, sizeof out->governor, CPU "cpufreq/scaling_governor", cpu))
        out->governor[0] = '\0';
    out->throttle_events = prf_sysfile_number(root, CPU "thermal_throttle/core_throttle_count", cpu) +
                           prf_sysfile_number(root, CPU "thermal_throttle/package_throttle_count", cpu);
}

bool prf_environment_throttled(const prf_environment_t *before, const prf_environment_t *after)
{
    return after->throttle_events > before->throttle_events || (double)after->clock_khz < 0.9 * (double)before->clock_khz;
}

/* Processor time of a process. */
static uint64_t ticks_of(long pid)
{
    char path[64], line[512];
    uint64_t user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    const char *behind = prf_sysfile_line(path, line, sizeof line) ? strrchr(line, ')') : NULL; /* its name may hold anything */
    if (!behind || sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user, &system) != 2)
        return 0;
    return user + system;
}

/* The processes below one: a board that is a program runs there, not here. Empty where the kernel does not list them. */
static uint64_t ticks_below(long pid, int depth)
{
    char path[64], line[1024];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pid, pid);
    char *at = depth > 0 && prf_sysfile_line(path, line, sizeof line) ? line : NULL;
    for (char *end; at && *at; at = end) {
        long child = strtol(at, &end, 10);
        if (end == at || child <= 0)
            break;
        sum += ticks_of(child) + ticks_below(child, depth - 1);
        end += strspn(end, " ");
    }
    return sum;
}

void prf_load_read(const char *root, prf_load_t *out)
{
    char path[256], line[256];
    uint64_t t[8] = {0}; /* user nice system idle iowait irq softirq steal */
    snprintf(path, sizeof path, "%s/proc/stat", root);
    *out = (prf_load_t){0};
    if (prf_sysfile_line(path, line, sizeof line))
        sscanf(line, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &t[0],
               &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]);
    for (int i = 0; i < 8; i++)
        out->total += t[i];
    out->busy = out->total - t[3] - t[4];
    long ticks = sysconf(_SC_CLK_TCK);
    out->tick_ns = 1000000000U / (uint64_t)(ticks > 0 ? ticks : 100);
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        out->own_ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000U +
                      (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000U;
    out->own_ns += ticks_below((long)getpid(), CHILDREN_DEEP) * out->tick_ns;
}

uint32_t prf_load_percent(const prf_load_t *before, const prf_load_t *after)
{
    if (after->total <= before->total || after->busy < before->busy)
        return 0;
    double total_ns = (double)(after->total - before->total) * (double)after->tick_ns;
    double busy_ns = (double)(after->busy - before->busy) * (double)after->tick_ns;
    double own_ns = after->own_ns > before->own_ns ? (double)(after->own_ns - before->own_ns) : 0; /* a program may have ended */
    double others = 100 * (busy_ns - own_ns) / total_ns;
    return others <= 0 ? 0 : others >= 100 ? 100 : (uint32_t)others;
}

bool prf_load_disturbs(uint32_t percent, unsigned processors, unsigned threads)
{
    double beyond = processors > threads ? (double)(processors - threads) / processors : 0;
    double bound = 50 * beyond;
    return percent > (bound > 10 ? bound : 10);
}

uint64_t prf_involuntary_switches(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_nivcsw : 0;
}
