// SPDX-License-Identifier: Apache-2.0
/* crowd.c - crowd WORKERS ENDPOINT: that many boards on a farm, played by one process (tests/bench/farm/swarm.h), each busy for ten
 * seconds with a job. Prints "ready" once the farm has taken all of them in, and ends when its standard input does. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "swarm.h"

enum { CONNECT_MS = 120000, STEP_MS = 200, WORKERS_MOST = 20000 };

static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool over(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&in, 1, 0) > 0;
}

int main(int argc, char **argv)
{
    unsigned long workers = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    if (workers == 0 || workers > WORKERS_MOST) {
        fprintf(stderr, "usage: crowd WORKERS ENDPOINT\n");
        return 2;
    }
    raise_descriptors();
    load_t load = {.workers = workers, .credit = 2, .batch = 1, .job_ns = 10000000000};
    swarm_t *swarm = swarm_new(argv[2], &load, &play_worker);
    if (!swarm_play(swarm, &swarm_counts(swarm)->welcomed, workers, CONNECT_MS))
        die("the crowd", "not all of it was taken in");
    puts("ready");
    fflush(stdout);
    while (!over())
        swarm_play(swarm, NULL, 0, STEP_MS);
    _exit(0); /* its connections end with it */
}
