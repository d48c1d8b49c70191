// SPDX-License-Identifier: Apache-2.0
/* board.c - a whole board in thirty lines of C, as docs/backends.md describes it: cc -O2 board.c -o board */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
static float weights[1024][1024], x[1024], y[1024];
static long in[4096], out[4096]; /* of the layers that are prepared, by id */
static long number(const char *line, const char *name)
{
    return (line = strstr(line, name)) ? strtol(line + strlen(name), NULL, 10) : 0;
}
int main(void)
{
    static char line[65536];
    for (struct timespec a, b; fgets(line, sizeof line, stdin); fflush(stdout)) {
        long id = number(line, "\"id\":") & 4095, times = number(line, "\"iterations\":");
        if (strstr(line, "\"prepare\""))
            in[id] = number(line, "\"in\":"), out[id] = number(line, "\"out\":");
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (long i = 0; i < times * out[id] * in[id]; i++)
            y[i / in[id] % out[id]] += weights[i / in[id] % out[id]][i % in[id]] * x[i % in[id]];
        clock_gettime(CLOCK_MONOTONIC, &b);
        double ns = 1e9 * difftime(b.tv_sec, a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec);
        if (strstr(line, "\"describe\""))
            puts("{\"ok\":true, \"fingerprint\":\"plain C\", \"kinds\":[\"fc\"], \"dtypes\":[\"f32\"]}");
        else if (strstr(line, "},{") || number(line, "\"n\":") > 1 || in[id] > 1024 || out[id] > 1024)
            puts("{\"ok\":false, \"unsupported\":true, \"error\":\"only single layers with n = 1, up to 1024 x 1024\"}");
        else
            printf("{\"ok\":true, \"latency_ns\":%.1f}\n", ns / (double)(times ? times : 1));
    }
}
