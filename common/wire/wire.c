// SPDX-License-Identifier: Apache-2.0
/* wire.c - frames and their bytes. protobuf-c does the bytes, pack.c and unpack.c the translation in either direction.
 *
 * While a peer's bytes are unpacked, protobuf-c takes its memory from an arena with a budget, so that a frame of a million empty
 * submessages is refused early instead of filling memory; the arena also makes thousands of small allocations cheap. */
#include "wire/wire.h"

#include <stdlib.h>

#include "wire/arena.h"
#include "wire/pack.h"
#include "wire/unpack.h"

/* The densest valid frame of 1 MiB unpacks to about 15 MiB; packing needs less than that. */
enum { FRAME_MEMORY = 32 << 20 };

static void *arena_alloc(void *arena, size_t size)
{
    return prf_arena_take(arena, size);
}

static void arena_free(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer;
}

prf_status_t prf_frame_encode(const prf_frame_t *frame, uint8_t **bytes, size_t *len, prf_error_t *err)
{
    prf_arena_t arena;
    prf_arena_init(&arena, FRAME_MEMORY);
    Prf__Wire__Frame packed;
    prf_status_t status = prf_pack_frame(&packed, frame, &arena, err);
    if (status && arena.exhausted)
        status = prf_fail(err, PRF_EINVAL, "%s: more than a frame's %d bytes: send fewer at a time", prf_frame_name(frame->type),
                          PRF_FRAME_BYTES);
    size_t size = status ? 0 : prf__wire__frame__get_packed_size(&packed);
    if (size > PRF_FRAME_BYTES)
        status = prf_fail(err, PRF_EINVAL, "%s: %zu bytes, more than a frame's %d: send fewer at a time",
                          prf_frame_name(frame->type), size, PRF_FRAME_BYTES);
    uint8_t *buffer = status ? NULL : malloc(size);
    if (!status && !buffer)
        status = prf_fail(err, PRF_ENOMEM, "a frame of %zu bytes", size);
    if (!status) {
        *len = prf__wire__frame__pack(&packed, buffer);
        *bytes = buffer;
    }
    prf_arena_release(&arena);
    return status;
}

static prf_status_t unpack(prf_frame_t *out, const uint8_t *bytes, size_t len, prf_arena_t *arena, prf_error_t *err)
{
    if (len < 1 || len > PRF_FRAME_BYTES)
        return prf_fail(err, PRF_EPEER, "a frame of %zu bytes: 1 to %d are allowed", len, PRF_FRAME_BYTES);
    ProtobufCAllocator allocator = {.alloc = arena_alloc, .free = arena_free, .allocator_data = arena};
    const Prf__Wire__Frame *frame = prf__wire__frame__unpack(&allocator, len, bytes);
    if (!frame && arena->failed)
        return prf_fail(err, PRF_ENOMEM, "a frame of %zu bytes", len);
    if (!frame && arena->exhausted)
        return prf_fail(err, PRF_EPEER, "a frame of %zu bytes that unpacks to more than %d", len, FRAME_MEMORY);
    if (!frame)
        return prf_fail(err, PRF_EPEER, "%zu bytes that are no frame", len);
    if (frame->version > PRF_WIRE_VERSION)
        return prf_fail(err, PRF_EVERSION, "the peer speaks protocol %u, this program up to %d: update prfarm here", frame->version,
                        PRF_WIRE_VERSION);
    if (frame->version < 1)
        return prf_fail(err, PRF_EPEER, "a frame without a version");
    return prf_unpack_frame(out, frame, err);
}

prf_status_t prf_frame_decode(prf_frame_t *out, const uint8_t *bytes, size_t len, prf_error_t *err)
{
    prf_arena_t arena;
    prf_arena_init(&arena, FRAME_MEMORY);
    prf_frame_t decoded = {0};
    prf_status_t status = unpack(&decoded, bytes, len, &arena, err);
    prf_arena_release(&arena);
    if (status)
        prf_frame_release(&decoded);
    else
        *out = decoded;
    return status == PRF_EPEER ? prf_fail_remedy(err, status, "are both sides a prfarm of the same version?") : status;
}

prf_chain_t prf_job_chain(const prf_job_t *job)
{
    return (prf_chain_t){.blocks = job->blocks, .count = job->block_count, .edges = job->edges, .edge_count = job->edge_count};
}

void prf_frame_release(prf_frame_t *frame)
{
    switch (frame->type) {
    case PRF_FRAME_JOB_BATCH:
        for (size_t i = 0; i < frame->u.jobs.count; i++)
            free(frame->u.jobs.items[i].blocks);
        free(frame->u.jobs.items);
        break;
    case PRF_FRAME_RESULT_BATCH:
        free(frame->u.results.items);
        break;
    case PRF_FRAME_COMMITTED:
    case PRF_FRAME_FORGET:
    case PRF_FRAME_REVOKE:
    case PRF_FRAME_HEARTBEAT:
        free(frame->u.ids.items);
        break;
    case PRF_FRAME_CHUNK:
        free(frame->u.chunk.data);
        break;
    case PRF_FRAME_REQUEST:
        free(frame->u.request.json);
        break;
    case PRF_FRAME_REPLY:
        free(frame->u.reply.json);
        break;
    case PRF_FRAME_LINK_PART:
        free(frame->u.part.data);
        break;
    default:
        break;
    }
    *frame = (prf_frame_t){0};
}

const char *prf_frame_name(prf_frame_type_t type)
{
    static const char *const names[] = {
        [PRF_FRAME_HELLO] = "hello",
        [PRF_FRAME_WELCOME] = "welcome",
        [PRF_FRAME_REFUSAL] = "refusal",
        [PRF_FRAME_CREDIT] = "credit",
        [PRF_FRAME_JOB_BATCH] = "jobs",
        [PRF_FRAME_RESULT_BATCH] = "results",
        [PRF_FRAME_COMMITTED] = "committed",
        [PRF_FRAME_HEARTBEAT] = "heartbeat",
        [PRF_FRAME_MODEL_OFFER] = "model_offer",
        [PRF_FRAME_MODEL_ACK] = "model_ack",
        [PRF_FRAME_FETCH] = "fetch",
        [PRF_FRAME_CHUNK] = "chunk",
        [PRF_FRAME_GOODBYE] = "goodbye",
        [PRF_FRAME_REQUEST] = "request",
        [PRF_FRAME_REPLY] = "reply",
        [PRF_FRAME_FORGET] = "forget",
        [PRF_FRAME_REVOKE] = "revoke",
        [PRF_FRAME_LINK_OPEN] = "link_open",
        [PRF_FRAME_LINK_WELCOME] = "link_welcome",
        [PRF_FRAME_LINK_PART] = "link_part",
        [PRF_FRAME_LINK_BEAT] = "link_beat",
    };
    return (unsigned)type < sizeof names / sizeof *names && names[type] ? names[type] : "?";
}
