// SPDX-License-Identifier: Apache-2.0
/* A site behind two relays, on loopback: what a campaign brings is what it brings without them, whatever happens to the link. Slow
 * boards where something has to be running meanwhile. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cable.h"
#include "relays.h"

static relays_t relays;
static cable_t *cable;
static const char *const slow_beat[] = {"--heartbeat-ms", "10000", NULL}; /* an outage of less than 50 s is none */

static void tear_down(void)
{
    relays_stop(&relays);
    cable_take_up(&cable);
}

TestSuite(relay, .fini = tear_down);

/* Every point has one result that counts, and at most so many were measured in vain. */
static void expect_whole_but(unsigned points, size_t in_vain)
{
    size_t duplicates;
    json_t *outcome = relays_outcome(&relays.farm, &duplicates);
    cr_assert_geq(json_object_size(outcome), points);
    cr_assert_leq(duplicates, in_vain, "%zu points were measured twice", duplicates);
    json_decref(outcome);
}

static void expect_whole(unsigned points)
{
    expect_whole_but(points, 0);
}

/* The boards go on without a link: results gather in their spools. */
static void wait_spooled(size_t results)
{
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (relays_spooled(&relays) < results) {
        cr_assert_lt(prf_clock_mono_ms(), until, "boards did not go on without a link");
        relays_pause(20);
    }
}

/* -1: nobody takes the connection. */
static int dial(const char *endpoint)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_port = htons((uint16_t)atoi(strchr(endpoint + strlen("tcp://"), ':') + 1));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Who is refused tries again; who is taken in and hung up on is told that his keys are wrong. */
static void wait_refused(const char *endpoint)
{
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    for (int fd; (fd = dial(endpoint)) >= 0;) {
        close(fd);
        cr_assert_lt(prf_clock_mono_ms(), until, "%s takes connections that it cannot carry", endpoint);
        relays_pause(20);
    }
}

static void start_site_with(const char *via, const char *const *options, bool slow)
{
    relays_start(&relays, NULL, options);
    if (via) {
        cable = cable_lay(relays.at);
        relays.via = cable_end(cable);
    }
    relays_start_site(&relays, NULL);
    relays_add_workers(&relays, slow);
}

/* The same results, to the last digit, as from workers that are connected themselves; each board by its own key. */
Test(relay, a_campaign_over_a_link_brings_what_it_brings_without)
{
    start_site_with(NULL, NULL, false);
    relays_submit(&relays.farm, 60);
    json_t *over = relays_outcome(&relays.farm, NULL);
    for (size_t i = 0; i < RELAYS_WORKERS; i++) {
        json_t *board = farm_board(&relays.farm, relays_workers[i]);
        cr_assert_gt(farm_number(board, "done"), 0);
        cr_assert_eq(farm_number(board, "model_version"), 1, "the model did not reach the site");
        json_decref(board);
    }
    relays_stop(&relays);
    relays_start(&relays, NULL, NULL);
    relays_add_workers(&relays, false); /* no site was started: they dial the coordinator */
    relays_submit(&relays.farm, 60);
    json_t *direct = relays_outcome(&relays.farm, NULL);
    cr_assert(json_equal(over, direct));
    json_decref(over);
    json_decref(direct);
}

Test(relay, a_person_at_the_site_asks_the_farm_with_an_own_key)
{
    char said[FARM_SAID], key[FARM_PATH + 32], server[FARM_PATH + 32];
    start_site_with(NULL, NULL, false);
    snprintf(key, sizeof key, "%s/operator.key", relays.farm.dir);
    snprintf(server, sizeof server, "%s/coordinator.pub", relays.farm.dir);
    cr_assert_eq(FARM_RUN(&relays.farm, said, "prfarm", "boards", "--farm", relays.door, "--key", key, "--server", server), 0, "%s",
                 said);
    cr_assert(strstr(said, "w2"), "%s", said);
}

/* Everything between the site and the farm is one TCP connection; a partition of it is noticed by nobody but the relays. */
static void partition(unsigned directions)
{
    start_site_with("cable", slow_beat, true);
    cr_assert_eq(cable_connections(cable), 1);
    relays_submit(&relays.farm, 60);
    relays_wait_measured(&relays.farm, 10);
    cable_hold(cable, directions);
    relays_wait_said(&relays.farm, "site", "link_lost", directions & CABLE_DOWN ? 1 : 0);
    relays_wait_said(&relays.farm, "accept", "site_lost", directions & CABLE_UP ? 1 : 0);
    if (directions & CABLE_DOWN)
        wait_refused(relays.door);
    wait_spooled(6);
    cable_cut(cable);
    cable_hold(cable, 0);
    expect_whole(60);
    cr_assert_geq(relays_said(&relays.farm, "site", "resumed=true"), 1);
    cr_assert_eq(relays_said(&relays.farm, "site", "session_over"), 0);
    for (size_t i = 0; i < RELAYS_WORKERS; i++)
        cr_assert_eq(relays_said(&relays.farm, relays_workers[i], "session_lost"), 0, "%s noticed", relays_workers[i]);
    cr_assert_eq(cable_connections(cable), 1);
}

Test(relay, a_link_that_is_down_for_a_while_is_resumed_and_boards_go_on_meanwhile)
{
    partition(CABLE_UP | CABLE_DOWN);
}

Test(relay, a_link_that_is_dead_towards_the_farm_is_resumed)
{
    partition(CABLE_UP);
}

Test(relay, a_link_that_is_dead_towards_the_site_is_resumed)
{
    partition(CABLE_DOWN);
}

/* With heartbeats as short as these the coordinator gives the boards up. They come back together, one by one; what each has
 * measured must not be given to the first. It waits two heartbeats for that, which a busy machine must not take to dial again. */
Test(relay, boards_that_were_given_up_during_an_outage_hand_over_before_any_of_them_gets_work)
{
    static const char *const short_beat[] = {"--heartbeat-ms", "3000", NULL};
    start_site_with("cable", short_beat, true);
    relays_submit(&relays.farm, 60);
    relays_wait_measured(&relays.farm, 10);
    cable_hold(cable, CABLE_UP | CABLE_DOWN);
    relays_wait_said(&relays.farm, "coordinator", "board_gone", RELAYS_WORKERS);
    wait_spooled(12);
    cable_hold(cable, 0);
    expect_whole(60);
}

Test(relay, killing_either_relay_loses_nothing_and_boards_go_on_meanwhile)
{
    start_site_with(NULL, slow_beat, true);
    relays_submit(&relays.farm, 60);
    relays_wait_measured(&relays.farm, 10);
    relays_kill(&relays.site);
    wait_spooled(3);
    relays_start_site(&relays, NULL);
    relays_wait_measured(&relays.farm, 25);
    relays_wait_said(&relays.farm, "accept", "site_here", 2);
    relays_kill(&relays.accept);
    wait_spooled(3);
    relays_start_accept(&relays);
    relays_wait_said(&relays.farm, "site", "session_over", 1);
    expect_whole(60);
}

Test(relay, a_coordinator_that_restarts_is_found_again)
{
    start_site_with(NULL, slow_beat, true);
    relays_submit(&relays.farm, 60);
    relays_wait_measured(&relays.farm, 10);
    farm_kill_coordinator(&relays.farm);
    relays_wait_said(&relays.farm, "site", "farm_reached=false", 1);
    relays_wait_said(&relays.farm, "accept", "why=\"Connection refused\"", 1);
    wait_refused(relays.door);
    wait_spooled(3);
    farm_start_coordinator(&relays.farm, slow_beat);
    expect_whole_but(60, RELAYS_WORKERS); /* a board that began its next job just before it was welcomed may measure it in vain */
    for (size_t i = 0; i < RELAYS_WORKERS; i++)
        cr_assert_eq(relays_said(&relays.farm, relays_workers[i], "not_let_in"), 0);
}

/* One bit on the link: its own CURVE ends that connection, and what it carried goes out again over the next. */
Test(relay, a_link_that_is_tampered_with_is_made_anew)
{
    start_site_with("cable", slow_beat, true);
    relays_submit(&relays.farm, 60);
    for (size_t i = 0; i < 4; i++) {
        relays_wait_measured(&relays.farm, 10 + 15 * (json_int_t)i);
        cable_spoil(cable, i % 2 ? CABLE_UP : CABLE_DOWN);
        relays_wait_said(&relays.farm, "site", "resumed=true", i + 1);
        cr_assert(cable_spoiled(cable));
    }
    expect_whole(60);
    cr_assert_eq(relays_said(&relays.farm, "site", "session_over"), 0);
}

/* One bit between a worker and the site's relay is what a relay could do that wants to forge a result: the coordinator's CURVE, or
 * the worker's, ends that connection. */
Test(relay, a_relay_cannot_change_what_it_carries)
{
    relays_start(&relays, NULL, slow_beat);
    relays_start_site(&relays, NULL);
    char first[FARM_PATH], door[FARM_PATH];
    snprintf(first, sizeof first, "%.*s", (int)strcspn(relays.door, ","), relays.door);
    cable = cable_lay(first);
    snprintf(door, sizeof door, "%s%s", cable_end(cable), strchr(relays.door, ','));
    relays.farm.dial = door;
    relays_add_workers(&relays, true);
    relays_submit(&relays.farm, 60);
    for (size_t i = 0; i < 2; i++) {
        relays_wait_measured(&relays.farm, 10 + 15 * (json_int_t)i);
        cable_spoil(cable, i ? CABLE_UP : CABLE_DOWN);
        uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
        while (!cable_spoiled(cable)) {
            cr_assert_lt(prf_clock_mono_ms(), until);
            relays_pause(20);
        }
    }
    size_t duplicates;
    json_t *outcome = relays_outcome(&relays.farm, &duplicates);
    cr_assert_geq(json_object_size(outcome), 60);
    json_decref(outcome);
    relays_wait_said(&relays.farm, "coordinator", "board_here", RELAYS_WORKERS + 1);
}

Test(relay, keys_that_do_not_fit_are_told_and_taken_once_they_do)
{
    relays_start(&relays, NULL, NULL);
    farm_allow(&relays.farm, "operator @operator operator\nworker @site site\n");
    relays_wait_said(&relays.farm, "accept", "allow_list_taken", 1);
    relays_start_site(&relays, NULL);
    relays_wait_said(&relays.farm, "site", "does not let this key in: its operator has to add the public key to the --allow list",
                     1);
    relays_wait_said(&relays.farm, "accept", "strangers_refused", 1);
    farm_allow(&relays.farm, "operator @operator operator\nrelay @site site\n");
    relays_wait_said(&relays.farm, "site", "link_up", 1);
    /* And taken away again, while it is in use. */
    farm_allow(&relays.farm, "operator @operator operator\n");
    relays_wait_said(&relays.farm, "site", "this key was taken off the list", 1);
    relays_wait_said(&relays.farm, "accept", "its key is not on the list any more", 1);
}

Test(relay, a_link_to_something_else_is_told)
{
    char path[FARM_PATH + 32], other[FARM_PATH + 32];
    relays_start(&relays, NULL, NULL);
    snprintf(path, sizeof path, "%s/relay.pub", relays.farm.dir);
    snprintf(other, sizeof other, "%s/stranger.pub", relays.farm.dir);
    cr_assert_eq(rename(other, path), 0);
    relays_start_site(&relays, NULL);
    relays_wait_said(&relays.farm, "site", "hangs up before it says who it is: is --server the public key of what runs there", 1);
}

Test(relay, two_relays_with_one_key_do_not_take_the_link_from_each_other)
{
    start_site_with(NULL, NULL, false);
    relays_t twin = relays;
    twin.site = (prf_process_t){.fd = -1, .in = -1, .out = -1};
    twin.door[0] = '\0';
    relays_start_site(&twin, NULL);
    relays_wait_said(&relays.farm, "site", "a relay with the key 'site' is connected already", 1);
    cr_assert_eq(relays_end(&twin.site), 0);
    relays_submit(&relays.farm, 40);
    expect_whole(40);
}

/* Garbage, ZeroMQ without keys, nothing at all; as many as there may be. */
static void pester(const char *endpoint, int *silent, size_t count)
{
    static const char garbage[] = "GET / HTTP/1.1\r\nHost: farm\r\n\r\n";
    static const char plain[64] = "\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL";
    char noise[4096];
    srand(7);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)rand();
    for (size_t i = 0; i < 50; i++) {
        int fd = dial(endpoint);
        cr_assert_geq(fd, 0, "%s", endpoint);
        const char *bytes = i % 3 == 0 ? garbage : (i % 3 == 1 ? plain : noise);
        size_t len = i % 3 == 0 ? sizeof garbage - 1 : (i % 3 == 1 ? sizeof plain : sizeof noise);
        (void)!send(fd, bytes, len, MSG_NOSIGNAL);
        close(fd);
    }
    for (size_t i = 0; i < count; i++) {
        silent[i] = dial(endpoint);
        cr_assert_geq(silent[i], 0, "%s", endpoint);
        (void)!send(silent[i], "\xff\0\0", i % 4, MSG_NOSIGNAL);
    }
}

Test(relay, what_strangers_send_to_either_port_harms_nothing)
{
    enum { SILENT = 300 };
    static int silent[2][SILENT];
    start_site_with(NULL, slow_beat, true);
    relays_submit(&relays.farm, 60);
    relays_wait_measured(&relays.farm, 5);
    pester(relays.door, silent[0], SILENT);
    pester(relays.at, silent[1], SILENT);
    relays_wait_said(&relays.farm, "site", "connections_refused", 2); /* garbage at once; the silent after five seconds */
    expect_whole(60);
    cr_assert_eq(relays_said(&relays.farm, "site", "link_lost"), 0);
    for (size_t i = 0; i < 2 * SILENT; i++)
        close(silent[i / SILENT][i % SILENT]);
}

static double processor_s(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    cr_assert_eq(clock_getcpuclockid(pid, &clock), 0);
    cr_assert_eq(clock_gettime(clock, &used), 0);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* Until the silent ones are hung up on, five seconds later; then there is room again. */
Test(relay, a_relay_without_descriptors_waits_and_does_not_spin)
{
    enum { SILENT = 64 };
    static const char *const few[] = {"sh", "-c", "ulimit -n 64; exec \"$@\"", "sh", NULL};
    int silent[SILENT];
    relays_start(&relays, NULL, NULL);
    relays.host = few;
    relays_start_site(&relays, NULL);
    relays_wait_said(&relays.farm, "site", "farm_reached=true", 1);
    double used = processor_s(relays.site.pid);
    uint64_t since = prf_clock_mono_ms();
    for (size_t i = 0; i < SILENT; i++)
        silent[i] = dial(relays.door);
    relays_wait_said(&relays.farm, "site", "connection_not_taken", 1);
    relays_wait_said(&relays.farm, "site", "connections_refused", 1);
    cr_assert_lt(processor_s(relays.site.pid) - used, (double)(prf_clock_mono_ms() - since) / 1000 / 4);
    cr_assert_eq(relays_said(&relays.farm, "site", "connection_not_taken"), 1);
    for (size_t i = 0; i < SILENT; i++)
        close(silent[i]);
    relays.farm.host = NULL;
    farm_add_worker(&relays.farm, "w0", "site", "vta", NULL);
}

Test(relay, a_worker_without_keys_is_not_carried)
{
    relays_start(&relays, NULL, NULL);
    relays_start_site(&relays, NULL);
    farm_start_worker(&relays.farm, "bare", "site", "vta", NULL);
    relays_wait_said(&relays.farm, "site", "connections_refused", 1);
    relays_wait_said(&relays.farm, "bare", "do not agree about keys", 1);
}

Test(relay, the_command_line_tells_what_is_missing)
{
    char said[FARM_SAID];
    relays_start(&relays, NULL, NULL);
    static const struct {
        const char *words[8], *says;
    } wrong[] = {
        {{"prfarm-relay"}, "give --link at a site, or --accept beside the coordinator"},
        {{"prfarm-relay", "--link", "tcp://a:1", "--accept", "tcp://b:2"}, "two different relays"},
        {{"prfarm-relay", "--link", "tcp://a:1"}, "give --key (its own) and --server"},
        {{"prfarm-relay", "--accept", "tcp://127.0.0.1:1", "--key", "x"}, "give its own --key and the list, --allow"},
        {{"prfarm-relay", "--link", "a:1"}, "use tcp://HOST:PORT"},
        {{"prfarm-relay", "--link", "tcp://a:1", "--allow", "x"}, "--allow belongs to --accept"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int code = farm_run(&relays.farm, said, wrong[i].words);
        cr_assert(code == 2 || strstr(said, "use tcp"), "%d: %s", code, said);
        cr_assert(strstr(said, wrong[i].says), "%s", said);
    }
    cr_assert_eq(setenv("PRFARM_KEY", "/nowhere/relay.key", 1), 0);
    static const char *const accept[] = {"prfarm-relay", "--accept", "tcp://127.0.0.1:1", "--allow", "x", NULL};
    farm_run(&relays.farm, said, accept);
    cr_assert(strstr(said, "/nowhere/relay.key: No such file"), "%s", said);
}

Test(relay, a_coordinator_that_never_was_there_is_told_with_its_reason)
{
    relays_start(&relays, NULL, NULL);
    farm_kill_coordinator(&relays.farm);
    relays_kill(&relays.accept);
    relays_start_accept(&relays);
    relays_wait_said(&relays.farm, "accept", "farm_reached=false", 1);
    relays_wait_said(&relays.farm, "accept", "why=\"Connection refused\"", 1);
}
