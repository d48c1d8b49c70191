// SPDX-License-Identifier: Apache-2.0
/* cool.c - zones change slowly and sensors are slow to read, so four looks a second are many. */
#include "care/cool.h"

#include <poll.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/sysfile.h"

enum { LOOK_MS = 250 };

static uint32_t machine_temperature(void *arg)
{
    return prf_sysfile_hottest(*(const char **)arg);
}

static uint64_t machine_now(void *arg)
{
    (void)arg;
    return prf_clock_mono_ms();
}

static void machine_sleep(void *arg, unsigned ms)
{
    (void)arg;
    poll(NULL, 0, (int)ms);
}

prf_cool_world_t prf_cool_machine(const char **root)
{
    return (prf_cool_world_t){root, machine_temperature, machine_now, machine_sleep};
}

bool prf_cool_down(const prf_cool_t *self, const prf_cool_world_t *world)
{
    uint64_t end = self->below_mc ? world->now_ms(world->arg) + self->wait_ms : 0;
    while (self->below_mc && world->temperature_mc(world->arg) >= self->below_mc) {
        if (world->now_ms(world->arg) >= end)
            return false;
        world->sleep_ms(world->arg, LOOK_MS);
    }
    return true;
}
