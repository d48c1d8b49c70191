// SPDX-License-Identifier: Apache-2.0
/* GET /api/v1/live, as a page that shows the farm uses it, and as one that does not read what it is sent. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/farm.h"
#include "tests/support/http.h"

enum { VIEWERS = 64, SOON_MS = 1000, TRIES = 10 };

static farm_t farm;

static void stop(void)
{
    farm_stop(&farm);
}

TestSuite(live, .fini = stop);

static void start(void)
{
    farm_make(&farm);
    farm_start_coordinator(&farm, (const char *const[]){"--http", "127.0.0.1:*", NULL});
    farm_connect_client(&farm, NULL);
}

static size_t wanted_boards;

static bool has_boards(json_t *fleet)
{
    return (size_t)farm_number(fleet, "live") == wanted_boards;
}

static bool is_any(json_t *data)
{
    return data != NULL;
}

static bool hand_is_done(json_t *data)
{
    size_t i;
    json_t *campaign;
    json_array_foreach(json_object_get(data, "campaigns"), i, campaign)
    {
        if (strcmp(farm_text(campaign, "name"), "hand") == 0 && strcmp(farm_text(campaign, "state"), "done") == 0)
            return true;
    }
    return false;
}

static bool has_model(json_t *data)
{
    return json_array_size(json_object_get(data, "models")) == 1;
}

Test(live, everything_comes_once_and_then_as_it_changes)
{
    start();
    http_stream_t stream;
    http_stream_open(&stream, &farm, NULL);
    static const char *const topics[] = {"coordinator", "fleet", "campaigns", "models", "events"};
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        json_t *data = http_stream_next(&stream, topics[i], PATIENCE_MS);
        cr_assert(json_is_object(data), "%s", topics[i]);
        json_decref(data);
    }
    farm_add_worker(&farm, "one", "hand", "vta", NULL);
    json_decref(farm_submit(&farm, farm_by_hand));
    json_decref(http_stream_wait(&stream, "campaigns", hand_is_done));
    json_t *status = farm_campaign(&farm, "hand"), *models = NULL;
    cr_assert_str_eq(farm_text(status, "state"), "done");
    json_decref(status);
    http_stream_t late; /* is told how it stands now */
    http_stream_open(&late, &farm, NULL);
    models = http_stream_wait(&late, "models", has_model);
    cr_assert_str_eq(farm_text(json_array_get(json_object_get(models, "models"), 0), "kind"), "hand");
    json_decref(models);
    http_stream_close(&late);
    http_stream_close(&stream);
    cr_assert_eq(farm_end_coordinator(&farm), 0);
}

/* The machine may be busy with other things, so it need not do so each time. */
Test(live, a_change_is_seen_within_a_second)
{
    start();
    http_stream_t stream;
    http_stream_open(&stream, &farm, NULL);
    json_decref(http_stream_wait(&stream, "fleet", is_any));
    farm_peer_t peers[TRIES];
    uint64_t took_ms = UINT64_MAX;
    for (wanted_boards = 1; took_ms > SOON_MS && wanted_boards <= TRIES; wanted_boards++) {
        char name[16];
        snprintf(name, sizeof name, "board-%zu", wanted_boards);
        farm_peer_t *peer = &peers[wanted_boards - 1];
        farm_peer_connect(peer, &farm);
        farm_peer_hello(peer, name, "vta");
        for (farm_peer_t *earlier = peers; earlier < peer; earlier++)
            farm_peer_heartbeat(earlier, NULL, 0);
        uint64_t since_ms = prf_clock_mono_ms();
        json_decref(http_stream_wait(&stream, "fleet", has_boards));
        took_ms = prf_clock_mono_ms() - since_ms;
    }
    cr_assert_leq(took_ms, (uint64_t)SOON_MS);
    for (size_t i = 0; i + 1 < wanted_boards; i++)
        farm_peer_close(&peers[i]);
    http_stream_close(&stream);
}

/* The number of the last one; asserts that they rise, from `last` on. Takes the data, NULL for none. */
static double rising(json_t *data, double last)
{
    size_t i;
    json_t *event;
    json_array_foreach(json_object_get(data, "events"), i, event)
    {
        cr_assert_gt((double)farm_number(event, "number"), last);
        last = (double)farm_number(event, "number");
    }
    json_decref(data);
    return last;
}

Test(live, an_event_is_told_once_to_who_comes_between_two_looks)
{
    start();
    http_stream_t first, late; /* the first one makes the looks go on */
    http_stream_open(&first, &farm, NULL);
    farm_add_worker(&farm, "one", "hand", "vta", NULL);
    for (int turn = 1; turn <= 4; turn++) {
        json_decref(farm_ask(&farm, turn % 2 ? "quarantine" : "release", json_pack("{s:s, s:s}", "board", "one", "why", "a test")));
        http_stream_open(&late, &farm, NULL);
        double last = 0;
        while (last < turn)
            last = rising(http_stream_next(&late, "events", PATIENCE_MS), last);
        rising(http_stream_next(&late, "events", SOON_MS), last);
        http_stream_close(&late);
    }
    http_stream_close(&first);
}

static double metric(const char *name)
{
    http_answer_t answer = http_ask(&farm, "GET", "/metrics", NULL, NULL);
    char line[128];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(answer.body, line);
    cr_assert(at, "%s is missing", name);
    double value = strtod(at + strlen(line), NULL);
    http_release(&answer);
    return value;
}

Test(live, only_so_many_can_watch_and_who_leaves_makes_room)
{
    start();
    http_stream_t streams[VIEWERS];
    for (size_t i = 0; i < VIEWERS; i++)
        http_stream_open(&streams[i], &farm, NULL);
    cr_assert_eq(metric("prfarm_http_viewers"), VIEWERS);
    json_t *refusal = http_json(http_ask(&farm, "GET", "/api/v1/live", NULL, NULL), 503);
    cr_assert(strstr(farm_text(refusal, "error"), "watch"), "%s", farm_text(refusal, "error"));
    json_decref(refusal);
    for (size_t i = 0; i < VIEWERS; i++)
        http_stream_close(&streams[i]);
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (metric("prfarm_http_viewers") > 0) {
        cr_assert_lt(prf_clock_mono_ms(), until, "viewers that have left still count");
        poll(NULL, 0, 100);
    }
    http_stream_open(&streams[0], &farm, NULL);
    json_decref(http_stream_wait(&streams[0], "fleet", is_any));
    http_stream_close(&streams[0]);
}

/* Campaigns of many kinds that no board ever comes for: their states are long, and change all the time since their clocks run. */
static void submit_waiting(size_t number)
{
    enum { KINDS = 16 };
    prf_text_t text = {0};
    prf_text_add(&text, "campaign: waiting-%zu\nboards:\n", number);
    for (size_t i = 0; i < KINDS; i++)
        prf_text_add(&text, "  - {kind: nobody-has-such-a-board-%zu}\n", i);
    prf_text_add(&text, "layers:\n  - kind: fc\n    params: {in: 1..64, out: 1..64}\n    knowledge: white\n"
                        "    steps: {in: 8, out: 8}\nbudget: {samples: 20}\nvalidation: {layers: 4, repeats: 1}\n");
    json_decref(farm_submit(&farm, text.data));
    prf_text_release(&text);
}

/* Bytes. A sanitizer keeps what was freed for a while. */
#if defined(__SANITIZE_ADDRESS__)
enum { GROWTH = 512 << 20 };
#else
enum { GROWTH = 16 << 20 };
#endif

Test(live, a_viewer_that_does_not_read_costs_no_memory_and_is_cut_off)
{
    enum { CAMPAIGNS = 30, STALLED = 8, SMALL = 2048 };
    start();
    for (size_t i = 0; i < CAMPAIGNS; i++)
        submit_waiting(i);
    http_stream_t reader;
    http_stream_open(&reader, &farm, NULL);
    json_decref(http_stream_wait(&reader, "campaigns", is_any));
    double before = metric("process_resident_memory_bytes");
    int stalled[STALLED], small = SMALL;
    for (size_t i = 0; i < STALLED; i++) {
        stalled[i] = http_connect(&farm);
        cr_assert_eq(setsockopt(stalled[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
        static const char request[] = "GET /api/v1/live HTTP/1.0\r\nHost: localhost\r\n\r\n";
        http_send(stalled[i], request, sizeof request - 1);
    }
    farm_add_worker(&farm, "one", "hand", "vta", NULL);
    json_decref(farm_submit(&farm, farm_by_hand));
    json_decref(http_stream_wait(&reader, "campaigns", hand_is_done)); /* nobody was held up */
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    double most = 0, viewers;
    while ((viewers = metric("prfarm_http_viewers")) > 1) {
        double now = metric("process_resident_memory_bytes");
        most = now > most ? now : most;
        cr_assert_lt(prf_clock_mono_ms(), until, "%.0f viewers that do not read are still there", viewers - 1);
        json_decref(http_stream_next(&reader, "campaigns", 100));
    }
    cr_assert_lt(most - before, (double)GROWTH);
    for (size_t i = 0; i < STALLED; i++)
        close(stalled[i]);
    http_stream_close(&reader);
}

Test(live, the_end_of_the_coordinator_ends_the_streams)
{
    start();
    http_stream_t streams[3];
    for (size_t i = 0; i < 3; i++)
        http_stream_open(&streams[i], &farm, NULL);
    json_decref(http_stream_wait(&streams[0], "fleet", is_any));
    cr_assert_eq(farm_end_coordinator(&farm), 0);
    for (size_t i = 0; i < 3; i++) {
        cr_assert(http_closed(streams[i].fd, PATIENCE_MS));
        http_stream_close(&streams[i]);
    }
}
