// SPDX-License-Identifier: Apache-2.0
/* fuzz_relay.c - what the other relay sends once its frames are decoded (fuzz_frame.c): parts in any order, of connections that are
 * open, were, or never were, at either side. And the first bytes that a stranger sends to a site's port. Nothing is kept beyond the
 * windows, and whatever was opened is gone in the end. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "relay/greeting.h"
#include "relay/link.h"
#include "relay/streams.h"

enum { CONNECTIONS = 4, STEP = 4, FARMS = 64 };

typedef struct {
    int farms[FARMS]; /* the coordinator's ends */
    size_t count;
    prf_link_t *link;
} side_t;

static prf_loop_t *loop;

static void send_part(void *arg, const prf_part_t *part)
{
    side_t *side = arg;
    prf_error_t err;
    MUST(prf_link_queue(side->link, part, &err) == PRF_OK, "%s", err.text);
}

static bool has_room(void *arg)
{
    return !prf_link_full(((side_t *)arg)->link);
}

static int dial(void *arg, uint32_t endpoint)
{
    side_t *side = arg;
    int ends[2];
    MUST(endpoint < PRF_PART_ENDPOINTS, "endpoint %u", endpoint);
    if (side->count == FARMS || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return -1;
    side->farms[side->count++] = ends[0];
    return ends[1];
}

static void dialled(void *arg, int failure)
{
    (void)arg, (void)failure;
}

/* Four bytes a part: kind, connection, two of value or length. */
static prf_part_t next_part(const uint8_t *bytes, uint64_t number)
{
    static uint8_t data[PRF_PART_BYTES] = "\xff\0\0\0\0\0\0\0\1\x7f\3\1CURVE";
    uint32_t value = bytes[2] | (uint32_t)bytes[3] << 8;
    prf_part_t part = {.number = number, .stream = 1U + bytes[1] % 8, .kind = (prf_part_kind_t)(PRF_PART_OPEN + bytes[0] % 4)};
    if (part.kind == PRF_PART_OPEN)
        part.value = value % PRF_PART_ENDPOINTS;
    if (part.kind == PRF_PART_ROOM)
        part.value = 1 + value;
    if (part.kind == PRF_PART_DATA) {
        part.data = data;
        part.len = 1 + value % PRF_PART_BYTES;
    }
    return part;
}

static bool try_parts(const uint8_t *bytes, size_t len, bool beside_coordinator)
{
    side_t side = {.count = 0};
    prf_streams_t *streams;
    prf_error_t err;
    const prf_streams_handler_t handler = {&side, send_part, has_room, beside_coordinator ? dial : NULL,
                                           beside_coordinator ? dialled : NULL};
    MUST(prf_link_new(&side.link, 1 << 20, &err) == PRF_OK &&
             prf_streams_new(&streams, loop, &handler, CONNECTIONS, &err) == PRF_OK,
         "%s", err.text);
    bool taken = true;
    uint64_t number = 1;
    for (size_t at = 0; taken && at + STEP <= len && at < (size_t)1 << 14; at += STEP, number++) {
        prf_part_t part = next_part(bytes + at, number);
        MUST(prf_link_take(side.link, &part) == PRF_LINK_NEXT, "part %zu", at);
        taken = prf_streams_part(streams, &part, &err) == PRF_OK;
        MUST(prf_streams_stats(streams)->open <= CONNECTIONS, "%zu open", prf_streams_stats(streams)->open);
    }
    prf_streams_destroy(&streams);
    prf_link_destroy(&side.link);
    for (size_t i = 0; i < side.count; i++)
        close(side.farms[i]);
    return taken && number > 1;
}

static bool try_greeting(const uint8_t *bytes, size_t len)
{
    prf_greeting_t whole = {.seen = 0}, pieces = {.seen = 0};
    bool at_once = prf_greeting_take(&whole, bytes, len), one_by_one = true;
    for (size_t i = 0; one_by_one && i < len; i++)
        one_by_one = prf_greeting_take(&pieces, bytes + i, 1);
    MUST(at_once == one_by_one && whole.seen == pieces.seen, "%d and %d bytes", whole.seen, pieces.seen);
    return at_once && prf_greeting_whole(&whole);
}

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    prf_error_t err;
    if (!loop)
        MUST(prf_loop_new(&loop, &err) == PRF_OK, "%s", err.text);
    bool greeting = try_greeting(bytes, len), farm = try_parts(bytes, len, true), site = try_parts(bytes, len, false);
    return greeting || farm || site;
}

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    static const uint8_t conversation[] = {0,   0,   0, 0, 1,  0, 63, 0, 0, 1, 2, 0, 1, 1, 63, 0, 1, 0,
                                           255, 127, 1, 1, 10, 0, 3,  0, 0, 0, 2, 7, 0, 0, 3,  1, 0, 0};
    static const uint8_t greeting[PRF_GREETING_BYTES] = "\xff\0\0\0\0\0\0\0\1\x7f\3\1CURVE";
    add(arg, conversation, 20);
    add(arg, conversation, sizeof conversation - 8);
    add(arg, greeting, sizeof greeting);
}
