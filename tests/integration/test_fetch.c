// SPDX-License-Identifier: Apache-2.0
/* How the coordinator hands out a model: the real one, with a file in its store that is none (nobody looks into it there), and
 * workers by hand. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "tests/support/farm.h"

enum { MODEL_BYTES = 2 * PRF_CHUNK_BYTES + 4321 };

static farm_t farm;
static uint8_t model[MODEL_BYTES];
static prf_digest_t digest;

static void put_model(void)
{
    char path[FARM_PATH + 8];
    prf_store_t *store;
    prf_error_t err = {0};
    for (size_t i = 0; i < MODEL_BYTES; i++)
        model[i] = (uint8_t)(i * 31 + i / PRF_CHUNK_BYTES);
    prf_digest(&digest, model, MODEL_BYTES);
    snprintf(path, sizeof path, "%s/store", farm.dir);
    cr_assert_eq(prf_store_open(&store, path, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_store_put(store, PRF_TABLE_MODEL, "hand/0000000001", model, MODEL_BYTES, 0, &err), PRF_OK, "%s", err.text);
    prf_store_close(&store);
}

static void set_up(void)
{
    farm_start(&farm, NULL);
    farm_kill_coordinator(&farm);
    put_model();
    farm_start_coordinator(&farm, NULL);
}

static void tear_down(void)
{
    farm_stop(&farm);
}

TestSuite(fetch, .init = set_up, .fini = tear_down);

static void ask(farm_peer_t *peer, uint64_t offset)
{
    farm_peer_send(peer, &(prf_frame_t){.type = PRF_FRAME_FETCH, .u.fetch = {.digest = digest, .offset = offset}});
}

static void expect_chunk(farm_peer_t *peer, uint64_t offset)
{
    prf_frame_t frame;
    size_t left = MODEL_BYTES - offset;
    cr_assert(farm_peer_receive(peer, PRF_FRAME_CHUNK, &frame, PATIENCE_MS), "no chunk at %llu", (unsigned long long)offset);
    cr_assert_eq(frame.u.chunk.offset, offset);
    cr_assert_eq(frame.u.chunk.total, MODEL_BYTES);
    cr_assert_eq(frame.u.chunk.len, left < PRF_CHUNK_BYTES ? left : PRF_CHUNK_BYTES);
    cr_assert_eq(memcmp(frame.u.chunk.data, model + offset, frame.u.chunk.len), 0);
    prf_frame_release(&frame);
}

/* More than are served at once: those in front have to ask for their next chunk before the last get their first. */
Test(fetch, a_crowd_gets_the_whole_file_in_turns)
{
    enum { CROWD = 300 };
    static farm_peer_t crowd[CROWD];
    for (int i = 0; i < CROWD; i++) {
        char name[16];
        snprintf(name, sizeof name, "peer-%d", i);
        farm_peer_connect(&crowd[i], &farm);
        farm_peer_hello(&crowd[i], name, "hand");
        ask(&crowd[i], 0);
    }
    for (uint64_t offset = 0; offset < MODEL_BYTES; offset += PRF_CHUNK_BYTES)
        for (int i = 0; i < CROWD; i++) {
            farm_peer_heartbeat(&crowd[i], NULL, 0);
            expect_chunk(&crowd[i], offset);
            if (offset + PRF_CHUNK_BYTES < MODEL_BYTES)
                ask(&crowd[i], offset + PRF_CHUNK_BYTES);
            else
                farm_peer_send(&crowd[i], &(prf_frame_t){.type = PRF_FRAME_MODEL_ACK, .u.model = {"hand", 1, digest, MODEL_BYTES}});
        }
    for (int i = 0; i < CROWD; i++)
        farm_peer_close(&crowd[i]);
}

Test(fetch, who_asks_again_for_what_is_on_its_way_gets_it_once)
{
    farm_peer_t peer;
    farm_peer_connect(&peer, &farm);
    farm_peer_hello(&peer, "hasty", "hand");
    for (int i = 0; i < 100; i++)
        ask(&peer, 0);
    expect_chunk(&peer, 0);
    ask(&peer, PRF_CHUNK_BYTES);
    expect_chunk(&peer, PRF_CHUNK_BYTES);
    /* And again when it has asked for another one meanwhile. */
    ask(&peer, 0);
    expect_chunk(&peer, 0);
    farm_peer_close(&peer);
}

Test(fetch, what_cannot_be_had_is_refused)
{
    static const struct {
        uint64_t offset;
        prf_status_t status;
        const char *why;
    } cases[] = {{1, PRF_EINVAL, "multiple of 262144"},
                 {3ULL * PRF_CHUNK_BYTES, PRF_EINVAL, "below the model's"},
                 {0, PRF_ENOTFOUND, "no model has this digest"}};
    farm_peer_t peer;
    prf_frame_t frame;
    farm_peer_connect(&peer, &farm);
    farm_peer_hello(&peer, "odd", "hand");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].status == PRF_ENOTFOUND)
            prf_digest(&digest, "another", 7);
        ask(&peer, cases[i].offset);
        cr_assert(farm_peer_receive(&peer, PRF_FRAME_REFUSAL, &frame, PATIENCE_MS));
        cr_expect_eq(frame.u.refusal.status, cases[i].status);
        cr_expect(strstr(frame.u.refusal.text, cases[i].why), "%s", frame.u.refusal.text);
        prf_frame_release(&frame);
    }
    farm_peer_close(&peer);
}
