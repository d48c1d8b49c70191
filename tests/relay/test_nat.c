// SPDX-License-Identifier: Apache-2.0
/* A site behind a router that translates addresses: network namespaces of this test's own. The farm has no route to the site, the
 * site's relay and workers can reach one port of the farm and nothing else. Needs root. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "relays.h"
#include "tests/chaos/hosts.h"

static relays_t relays;
static const char *const inside[] = {"ip", "netns", "exec", "site", NULL};
static const char *const slow_beat[] = {"--heartbeat-ms", "10000", NULL};

static void tear_down(void)
{
    relays_stop(&relays);
}

TestSuite(nat, .fini = tear_down);

static void sh(const char *fmt, ...) PRF_PRINTF(1, 2);
static void sh(const char *fmt, ...)
{
    char command[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    cr_assert_eq(system(command), 0, "%s", command);
}

/* Whether a host may forward and translate addresses; some containers and kernels do not permit that. */
static bool translates(void)
{
    return system("ip netns exec host0 sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward && nft \"table ip probe { chain out "
                  "{ type nat hook postrouting priority 100; masquerade; }; }\" && nft delete table ip probe' 2>/dev/null") == 0;
}

/* The farm at 10.77.0.1; a router at 10.77.1.1 (host0); behind it the site, 192.168.7.2, which may dial one port of the farm. */
static void build(void)
{
    sh("ip netns add site");
    sh("ip -n host0 link add inner type veth peer name eth0 netns site");
    sh("ip -n host0 address add 192.168.7.1/24 dev inner && ip -n host0 link set inner up");
    sh("ip -n site address add 192.168.7.2/24 dev eth0 && ip -n site link set eth0 up && ip -n site link set lo up");
    sh("ip -n site route add default via 192.168.7.1");
    sh("ip netns exec host0 sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'");
    sh("ip netns exec host0 nft 'table ip wall { chain out { type nat hook postrouting priority 100; oifname eth0 masquerade; }; "
       "chain through { type filter hook forward priority 0; policy drop; }; }'");
}

/* False: this machine does not permit it, as is said. */
static bool prepare(void)
{
    prf_error_t err = {0};
    static const char *const tools[] = {"ip", "nft", "ss"};
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        char command[64];
        snprintf(command, sizeof command, "command -v %s >/dev/null", tools[i]);
        if (system(command) != 0) {
            fprintf(stderr, "SKIPPED: there is no %s here\n", tools[i]);
            return false;
        }
    }
    if (hosts_private(&err) || hosts_make(1, &err)) {
        fprintf(stderr, "SKIPPED: %s\n", err.text);
        return false;
    }
    if (!translates()) {
        fprintf(stderr, "SKIPPED: this kernel or container does not let a host translate addresses\n");
        return false;
    }
    build();
    return true;
}

static void let_through(void)
{
    const char *port = strrchr(relays.at, ':') + 1;
    sh("ip netns exec host0 nft 'flush chain ip wall through'");
    sh("ip netns exec host0 nft 'add rule ip wall through ct state established accept'");
    sh("ip netns exec host0 nft 'add rule ip wall through ip daddr 10.77.0.1 tcp dport %s accept'", port);
}

static void wait_spooled(size_t results)
{
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (relays_spooled(&relays) < results) {
        cr_assert_lt(prf_clock_mono_ms(), until, "boards did not go on without a link");
        relays_pause(20);
    }
}

/* Of the site to anywhere outside. */
static int outgoing(void)
{
    FILE *list = popen("ip netns exec site ss -tnH dst 10.77.0.0/16 | wc -l", "r");
    int count = -1;
    cr_assert(list && fscanf(list, "%d", &count) == 1);
    pclose(list);
    return count;
}

static void cable(bool in)
{
    prf_error_t err = {0};
    cr_assert_eq(hosts_cable(0, in, true, &err), PRF_OK, "%s", err.text);
}

Test(nat, a_site_behind_a_router_measures_a_campaign_whatever_happens_to_its_only_connection)
{
    if (!prepare())
        return;
    relays_start(&relays, "10.77.0.1", slow_beat);
    let_through();
    relays.host = inside;
    relays_start_site(&relays, "192.168.7.2");
    relays_add_workers(&relays, true);
    cr_assert_eq(outgoing(), 1);
    relays_submit(&relays.farm, 200);
    relays_wait_measured(&relays.farm, 10);
    /* The cable is out for ten seconds. */
    uint64_t until = prf_clock_mono_ms() + 10000;
    cable(false);
    relays_wait_said(&relays.farm, "site", "link_lost", 1);
    wait_spooled(6);
    while (prf_clock_mono_ms() < until)
        relays_pause(100);
    cable(true);
    relays_wait_said(&relays.farm, "site", "resumed=true", 1);
    cr_assert_eq(outgoing(), 1);
    /* Nothing comes back any more. */
    sh("ip netns exec host0 nft 'insert rule ip wall through iifname eth0 drop'");
    relays_wait_said(&relays.farm, "site", "link_lost", 2);
    let_through();
    relays_wait_said(&relays.farm, "site", "resumed=true", 2);
    for (size_t i = 0; i < RELAYS_WORKERS; i++)
        cr_assert_eq(relays_said(&relays.farm, relays_workers[i], "session_lost"), 0, "%s noticed", relays_workers[i]);
    relays_kill(&relays.accept);
    relays_start_accept(&relays);
    relays_wait_said(&relays.farm, "site", "session_over", 1);
    relays_wait_said(&relays.farm, "site", "link_up", 4);
    relays_kill(&relays.site);
    relays_start_site(&relays, NULL);
    size_t duplicates;
    json_t *outcome = relays_outcome(&relays.farm, &duplicates);
    cr_assert_geq(json_object_size(outcome), 200);
    cr_assert_eq(duplicates, 0, "%zu points were measured twice", duplicates);
    json_decref(outcome);
    for (size_t i = 0; i < RELAYS_WORKERS; i++) {
        json_t *board = farm_board(&relays.farm, relays_workers[i]);
        cr_assert_gt(farm_number(board, "done"), 0);
        json_decref(board);
    }
}
