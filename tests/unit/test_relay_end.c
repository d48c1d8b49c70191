// SPDX-License-Identifier: Apache-2.0
/* One end of a relays' link, whose other end follows the protocol and means no good. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "relay/end.h"

static int dial(void *arg, uint32_t endpoint)
{
    (void)arg, (void)endpoint;
    errno = ECONNREFUSED; /* each connection ends at once, and the other relay has to be told */
    return -1;
}

static void dialled(void *arg, int failure)
{
    (void)arg;
    cr_assert_eq(failure, ECONNREFUSED);
}

/* What it is told has to be kept until it confirms it. */
Test(relay_end, who_opens_connections_and_confirms_nothing_is_broken_with_before_memory_runs_out)
{
    enum { BUFFER = 64 << 10, BOUND = 2 * BUFFER + PRF_LINK_IN_FLIGHT, SLACK = 1 << 10, OPENS = 1 << 20 };
    prf_loop_t *loop;
    prf_end_t end;
    prf_error_t err = {0};
    const prf_end_options_t options = {.streams = 4, .buffer_bytes = BUFFER, .dial = dial, .dialled = dialled};
    cr_assert_eq(prf_loop_new(&loop, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_end_init(&end, loop, NULL, &options, &err), PRF_OK, "%s", err.text); /* nothing goes out: it is not up */
    prf_status_t status = PRF_OK;
    for (uint32_t id = 1; !status && id <= OPENS; id++) {
        const prf_frame_t open = {.type = PRF_FRAME_LINK_PART, .u.part = {.number = id, .stream = id, .kind = PRF_PART_OPEN}};
        const prf_frame_t beat = {.type = PRF_FRAME_LINK_BEAT};
        cr_assert_eq(prf_end_frame(&end, &open, &err), PRF_OK, "%s", err.text);
        cr_assert_eq(prf_end_frame(&end, &beat, &err), PRF_OK, "%s", err.text);
        cr_assert_leq(prf_link_bytes(end.link), BOUND + SLACK);
        status = prf_end_tick(&end, prf_clock_mono_ms(), &err);
    }
    cr_assert_eq(status, PRF_EPEER);
    cr_assert(strstr(err.text, "unconfirmed"), "%s", err.text);
    prf_end_release(&end);
    prf_loop_destroy(&loop);
}
