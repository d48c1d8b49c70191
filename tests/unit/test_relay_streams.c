// SPDX-License-Identifier: Apache-2.0
/* Relayed connections: what one of two relays reads from a socket, the other writes to one. The link between them is a list. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "relay/streams.h"
#include "tests/support/patience.h"

enum { CONNECTIONS = 3 };

typedef struct item {
    prf_part_t part;
    struct item *next;
} item_t;

/* One side, and what it sent that the other has not got yet. */
typedef struct side {
    prf_streams_t *streams;
    struct side *other;
    item_t *first, **last;
    bool full; /* its link takes no more data */
    size_t data_bytes;
    int farm;        /* our end of the last connection to the coordinator; -1: none */
    int unreachable; /* the errno; 0: it can be reached */
    bool reached;
    size_t dials;
} side_t;

static prf_loop_t *loop;
static side_t site, hub;

static void send_part(void *arg, const prf_part_t *part)
{
    side_t *side = arg;
    item_t *item = malloc(sizeof *item);
    cr_assert(item);
    *item = (item_t){.part = *part};
    if (part->len) {
        item->part.data = malloc(part->len);
        cr_assert(item->part.data);
        memcpy(item->part.data, part->data, part->len);
    }
    *side->last = item;
    side->last = &item->next;
    side->data_bytes += part->len;
}

static item_t *pop(side_t *side)
{
    item_t *item = side->first;
    if (!item)
        return NULL;
    side->first = item->next;
    if (!side->first)
        side->last = &side->first;
    return item;
}

static void drop_item(item_t *item)
{
    free(item->part.data);
    free(item);
}

static void deliver(side_t *side)
{
    prf_error_t err = {0};
    for (item_t *item; (item = pop(side));) {
        cr_assert_eq(prf_streams_part(side->other->streams, &item->part, &err), PRF_OK, "%s", err.text);
        drop_item(item);
    }
}

static bool has_room(void *arg)
{
    return !((side_t *)arg)->full;
}

static void pair(int ends[2])
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
}

static int dial(void *arg, uint32_t endpoint)
{
    side_t *side = arg;
    int ends[2];
    cr_assert_lt(endpoint, PRF_PART_ENDPOINTS);
    side->dials++;
    if (side->unreachable) {
        errno = side->unreachable;
        return -1;
    }
    pair(ends);
    side->farm = ends[0];
    return ends[1];
}

static void dialled(void *arg, int failure)
{
    side_t *side = arg;
    side->reached = failure == 0;
    cr_assert_eq(failure, side->unreachable);
}

static void set_up(void)
{
    prf_error_t err = {0};
    const prf_streams_handler_t at_site = {&site, send_part, has_room, NULL, NULL};
    const prf_streams_handler_t at_hub = {&hub, send_part, has_room, dial, dialled};
    site = (side_t){.other = &hub, .last = &site.first, .farm = -1};
    hub = (side_t){.other = &site, .last = &hub.first, .farm = -1};
    cr_assert_eq(prf_loop_new(&loop, &err), PRF_OK);
    cr_assert_eq(prf_streams_new(&site.streams, loop, &at_site, CONNECTIONS, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_streams_new(&hub.streams, loop, &at_hub, CONNECTIONS, &err), PRF_OK, "%s", err.text);
}

static void tear_down(void)
{
    prf_streams_destroy(&site.streams);
    prf_streams_destroy(&hub.streams);
    for (item_t *item; (item = pop(&site)) || (item = pop(&hub));)
        drop_item(item);
    prf_loop_destroy(&loop);
}

TestSuite(relay_streams, .init = set_up, .fini = tear_down);

static void stop(void *arg)
{
    prf_loop_stop(arg);
}

/* Lets the loop do what there is to do. */
static void turn(void)
{
    prf_error_t err = {0};
    int timer;
    cr_assert_eq(prf_loop_add_timer(loop, 5, stop, loop, &timer, &err), PRF_OK);
    cr_assert_eq(prf_loop_run(loop, &err), PRF_OK, "%s", err.text);
    prf_loop_remove_timer(loop, timer);
    deliver(&site);
    deliver(&hub);
}

static const uint8_t greeting[64] = "\xff\0\0\0\0\0\0\0\1\x7f\3\1CURVE";

/* A program of the site that has said its greeting; its end. */
static int join(void)
{
    int ends[2];
    pair(ends);
    prf_streams_accept(site.streams, ends[1], 1);
    cr_assert_eq(write(ends[0], greeting, sizeof greeting), (ssize_t)sizeof greeting);
    turn();
    turn();
    turn();
    return ends[0];
}

static size_t take(int fd, size_t most)
{
    static uint8_t bytes[1 << 20];
    ssize_t n = read(fd, bytes, most < sizeof bytes ? most : sizeof bytes);
    return n > 0 ? (size_t)n : 0;
}

static bool at_end(int fd)
{
    uint8_t byte;
    return read(fd, &byte, 1) == 0;
}

Test(relay_streams, bytes_come_out_as_they_went_in_both_ways)
{
    enum { LEN = 1 << 20 };
    static uint8_t sent[LEN], got[LEN];
    int program = join();
    cr_assert_geq(hub.farm, 0);
    cr_assert(hub.reached);
    cr_assert_eq(read(hub.farm, got, sizeof got), (ssize_t)sizeof greeting);
    cr_assert_eq(memcmp(got, greeting, sizeof greeting), 0);
    for (size_t i = 0; i < LEN; i++)
        sent[i] = (uint8_t)(i * 7 + i / 251);
    for (int way = 0; way < 2; way++) {
        int from = way ? hub.farm : program, to = way ? program : hub.farm;
        size_t out = 0, in = 0;
        uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
        while (in < LEN) {
            cr_assert_lt(prf_clock_mono_ms(), until);
            ssize_t n = out < LEN ? write(from, sent + out, LEN - out) : 0;
            out += n > 0 ? (size_t)n : 0;
            turn();
            n = read(to, got + in, LEN - in);
            in += n > 0 ? (size_t)n : 0;
        }
        cr_assert_eq(memcmp(sent, got, LEN), 0);
    }
    close(program);
    turn();
    turn();
    cr_assert(at_end(hub.farm));
    cr_assert_eq(prf_streams_stats(site.streams)->open + prf_streams_stats(hub.streams)->open, 0);
    close(hub.farm);
}

/* Who does not read stops who writes, at no more than a window of memory in between. */
Test(relay_streams, a_reader_that_stands_still_stops_its_writer_and_no_other)
{
    static uint8_t bytes[64 << 10];
    int slow = join(), slow_farm = hub.farm, other = join(), other_farm = hub.farm;
    for (int i = 0; i < 200; i++) {
        (void)!write(slow, bytes, sizeof bytes);
        turn();
    }
    size_t before = site.data_bytes;
    cr_assert_lt(before, (size_t)PRF_STREAM_WINDOW + (1 << 20)); /* a window, and what the socket behind it holds */
    for (int i = 0; i < 20; i++)
        turn();
    cr_assert_eq(site.data_bytes, before);
    cr_assert_eq(write(other, "hello", 5), 5);
    turn();
    cr_assert_eq(take(other_farm, 1000), sizeof greeting + 5);
    /* Read, it goes on. */
    size_t drained = 0;
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (site.data_bytes < before + 2 * PRF_STREAM_WINDOW) {
        cr_assert_lt(prf_clock_mono_ms(), until);
        drained += take(slow_farm, sizeof bytes);
        (void)!write(slow, bytes, sizeof bytes);
        turn();
    }
    cr_assert_gt(drained, 0);
    close(slow), close(slow_farm), close(other), close(other_farm);
}

Test(relay_streams, a_link_that_is_full_holds_programs_up_until_it_has_room)
{
    int program = join();
    size_t before = site.data_bytes;
    site.full = true;
    cr_assert_eq(write(program, "hello", 5), 5);
    turn();
    turn();
    cr_assert_eq(site.data_bytes, before);
    site.full = false;
    prf_streams_wake(site.streams);
    turn();
    cr_assert_eq(site.data_bytes, before + 5);
    close(program);
    close(hub.farm);
}

Test(relay_streams, what_is_no_connection_with_keys_opens_none)
{
    int ends[2];
    pair(ends);
    prf_streams_accept(site.streams, ends[1], 0);
    cr_assert_eq(write(ends[0], "GET / HTTP/1.1\r\n", 16), 16);
    turn();
    cr_assert(at_end(ends[0]));
    cr_assert_eq(hub.farm, -1);
    cr_assert_eq(prf_streams_stats(site.streams)->refused, 1);
    close(ends[0]);
    /* Nor does one that is silent for too long; and one that showed its signature goes no further without a mechanism. */
    pair(ends);
    prf_streams_accept(site.streams, ends[1], 0);
    cr_assert_eq(write(ends[0], greeting, 12), 12);
    turn();
    turn();
    cr_assert_eq(take(hub.farm, 100), 12);
    prf_streams_tick(site.streams, prf_clock_mono_ms() + 6000);
    turn();
    cr_assert(at_end(ends[0]) && at_end(hub.farm));
    close(ends[0]);
    close(hub.farm);
}

Test(relay_streams, more_than_there_is_room_for_are_turned_away)
{
    int programs[CONNECTIONS + 1], farms[CONNECTIONS];
    for (size_t i = 0; i < CONNECTIONS; i++) {
        programs[i] = join();
        farms[i] = hub.farm;
    }
    int ends[2];
    pair(ends);
    prf_streams_accept(site.streams, ends[1], 0);
    cr_assert(at_end(ends[0]));
    cr_assert_eq(prf_streams_stats(site.streams)->crowded, 1);
    close(ends[0]);
    for (size_t i = 0; i < CONNECTIONS; i++)
        close(programs[i]), close(farms[i]);
}

/* A relay at a site that opens more than it may costs the coordinator no connection. */
Test(relay_streams, the_coordinator_is_not_dialled_for_more_than_there_is_room_for)
{
    prf_error_t err = {0};
    int farms[CONNECTIONS];
    for (uint32_t id = 1; id <= CONNECTIONS + 1; id++) {
        cr_assert_eq(prf_streams_part(hub.streams, &(prf_part_t){.stream = id, .kind = PRF_PART_OPEN}, &err), PRF_OK, "%s",
                     err.text);
        if (id <= CONNECTIONS)
            farms[id - 1] = hub.farm;
    }
    cr_assert_eq(hub.dials, CONNECTIONS);
    cr_assert_eq(prf_streams_stats(hub.streams)->crowded, 1);
    item_t *end = pop(&hub);
    cr_assert(end && end->part.kind == PRF_PART_END && end->part.stream == CONNECTIONS + 1);
    drop_item(end);
    for (size_t i = 0; i < CONNECTIONS; i++)
        close(farms[i]);
}

Test(relay_streams, a_coordinator_that_is_not_there_ends_the_connection)
{
    hub.unreachable = ECONNREFUSED;
    hub.reached = true;
    int program = join();
    turn();
    cr_assert_not(hub.reached);
    cr_assert(at_end(program));
    close(program);
}

Test(relay_streams, a_relay_that_breaks_the_rules_is_found_out)
{
    static uint8_t data[PRF_PART_BYTES];
    prf_error_t err;
    int program = join();
    const prf_part_t wrong[] = {
        {.stream = 9, .kind = PRF_PART_DATA, .data = data, .len = 1}, /* never opened */
        {.stream = 1, .kind = PRF_PART_OPEN},                         /* opened before */
        {.stream = 1, .kind = PRF_PART_ROOM, .value = 1},             /* more than the window */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert_eq(prf_streams_part(hub.streams, &wrong[i], &err), PRF_EPEER, "%zu", i);
    cr_assert_eq(prf_streams_part(site.streams, &(prf_part_t){.stream = 2, .kind = PRF_PART_OPEN}, &err), PRF_EPEER);
    prf_status_t status = PRF_OK; /* more than a window, to a coordinator that does not read */
    size_t sent = 0;
    while (!status && sent < (size_t)64 << 20) {
        status = prf_streams_part(hub.streams, &(prf_part_t){.stream = 1, .kind = PRF_PART_DATA, .data = data, .len = sizeof data},
                                  &err);
        sent += sizeof data;
    }
    cr_assert_eq(status, PRF_EPEER);
    cr_assert(strstr(err.text, "are both relays of the same version?"), "%s", err.text);
    close(program);
    close(hub.farm);
}
