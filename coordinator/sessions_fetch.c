// SPDX-License-Identifier: Apache-2.0
/* sessions_fetch.c - workers that fetch a model take turns. All of a fleet ask at the same moment, and what is on its way to one
 * worker lies in the kernel's memory, of which there is an end: with 10,000 chunks of 256 KiB the system threw packets away. So
 * only so many are on their way at once. That one has come is told by the worker's asking for the next, or by its running the
 * model. */
#include "base/log.h"
#include "sessions_internal.h"

enum {
    CHUNKS_AT_ONCE = 256, /* 64 MiB */
    CHUNK_MS = 5000       /* until one that nothing was heard of is not counted any more: it was lost, or the line is slow */
};

static void send_chunk(prf_sessions_t *self, prf_fleet_board_t *board, uint64_t now_ms)
{
    struct prf_fleet_fetch *fetch = &board->fetch;
    prf_message_t *chunk;
    prf_error_t err = {0};
    fetch->waits = false;
    prf_status_t status = prf_publisher_chunk(self->hub->publisher, &fetch->digest, fetch->offset, &chunk, &err);
    if (status) {
        sessions_refuse(self, &board->peer, status, err.text);
    } else if (!prf_socket_send_message(self->hub->workers, &board->peer, chunk, &err)) {
        board->told = self->period;
        fetch->sent_ms = now_ms;
        self->chunks++;
    } else if (sessions_may_log(self)) {
        prf_log(PRF_LOG_DEBUG, "frame_not_sent frame=%s error=\"%s\"", prf_frame_name(PRF_FRAME_CHUNK), err.text);
    }
}

void sessions_send_chunks(prf_sessions_t *self, uint64_t now_ms)
{
    while (self->chunks < CHUNKS_AT_ONCE && prf_fleet_listed(self->hub->fleet, PRF_FLEET_FETCHING) > 0) {
        prf_fleet_board_t *board = prf_fleet_next(self->hub->fleet, PRF_FLEET_FETCHING);
        if (board->fetch.waits)
            send_chunk(self, board, now_ms);
    }
}

void sessions_fetch_end(prf_sessions_t *self, prf_fleet_board_t *board)
{
    self->chunks -= board->fetch.sent_ms > 0;
    board->fetch.sent_ms = 0;
    board->fetch.waits = false;
}

void sessions_fetch_tick(prf_sessions_t *self, prf_fleet_board_t *board, uint64_t now_ms)
{
    if (board->fetch.sent_ms > 0 && now_ms - board->fetch.sent_ms >= CHUNK_MS)
        sessions_fetch_end(self, board);
}

/* Who asks again for what is on its way has no patience. */
void sessions_fetch(prf_sessions_t *self, prf_fleet_board_t *board, const prf_digest_t *digest, uint64_t offset, uint64_t now_ms)
{
    struct prf_fleet_fetch *fetch = &board->fetch;
    if (fetch->sent_ms > 0 && fetch->offset == offset && prf_digest_compare(&fetch->digest, digest) == 0)
        return;
    sessions_fetch_end(self, board);
    *fetch = (struct prf_fleet_fetch){.digest = *digest, .offset = offset, .waits = true};
    prf_fleet_list(self->hub->fleet, PRF_FLEET_FETCHING, board);
    sessions_send_chunks(self, now_ms);
}
