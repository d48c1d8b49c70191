// SPDX-License-Identifier: Apache-2.0
/* clockjump.c - preloaded into a program, it makes the wall clock jump: every few seconds, at moments of its own, to anywhere
 * within a day of the truth. Monotonic clocks stay. A pure function of PRF_CLOCKJUMP_SEED and the monotonic time: no state, any
 * thread.
 *
 * It stands in front of the C library's calls. What goes to the kernel with an absolute wall-clock deadline would wait for the true
 * one: programs that decide by the wall clock are found out all the sooner. */
#define _GNU_SOURCE /* syscall */
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_S = 3, FARTHEST_S = 86400 };

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static int64_t offset_s(void)
{
    static uint64_t seed; /* written with the same value by whoever comes first */
    struct timespec mono;
    const char *text = seed ? NULL : getenv("PRF_CLOCKJUMP_SEED");
    if (text)
        seed = strtoull(text, NULL, 10) | 1;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &mono);
    uint64_t period = ((uint64_t)mono.tv_sec + seed % PERIOD_S) / PERIOD_S;
    return (int64_t)(mix(seed ^ mix(period)) % (2 * FARTHEST_S)) - FARTHEST_S;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *out)
{
    long rc = syscall(SYS_clock_gettime, clock, out);
    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        out->tv_sec += offset_s();
    return (int)rc;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

__attribute__((visibility("default"))) time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
