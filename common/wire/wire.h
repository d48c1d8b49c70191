// SPDX-License-Identifier: Apache-2.0
/* wire.h - frames between worker, coordinator and client as plain C, and their bytes. Pure; any thread.
 *
 * Decoding checks size, form, enum ranges, counts, string lengths and blocks before anything reaches a caller, so that a
 * decoded frame can be used without further doubt about its form (its meaning - does this job exist? - is the caller's). */
#ifndef PRF_WIRE_H
#define PRF_WIRE_H

#include "point/point.h"

enum {
    PRF_WIRE_VERSION = 1,
    PRF_FRAME_BYTES = 1 << 20,   /* a frame at most */
    PRF_CHUNK_BYTES = 256 << 10, /* of a model at most in a frame */
    PRF_PART_BYTES = 32 << 10,   /* of a relayed connection at most in a frame */
    PRF_PART_ENDPOINTS = 3,      /* of a farm: workers, clients, broadcast */
    PRF_FRAME_JOBS = 256,        /* jobs, results or ids in a frame at most */
    PRF_ERROR_TEXT = 240,
    PRF_OP = 32
};

/* Names of a model file in the fleet. version 0: none. */
typedef struct {
    char kind[PRF_NAME];
    uint32_t version;
    prf_digest_t digest;
    uint64_t bytes;
} prf_model_version_t;

typedef struct {
    uint64_t id, epoch;
    prf_digest_t point;
    uint32_t attempt;
    prf_protocol_t protocol;
    uint32_t deadline_ms;
    prf_block_t *blocks; /* owned by the frame */
    size_t block_count;  /* 1 .. PRF_CHAIN_BLOCKS */
    prf_edge_t *edges;   /* behind the blocks, in their allocation */
    size_t edge_count;   /* 0: not a network that the board builds */
} prf_job_t;

/* What the job measures; borrows from it. */
prf_chain_t prf_job_chain(const prf_job_t *job);

typedef struct {
    uint64_t id, epoch;
    prf_digest_t point;
    uint32_t attempt;
    prf_status_t outcome; /* PRF_OK: sample holds; else error tells why */
    char error[PRF_ERROR_TEXT];
    prf_sample_t sample;
} prf_result_t;

typedef struct {
    char board[PRF_NAME], kind[PRF_NAME], fingerprint[PRF_FINGERPRINT], software[PRF_NAME];
    uint32_t kinds, dtypes; /* as in worker/backends/backend.h */
    uint32_t flags;         /* PRF_BOARD_*; unknown ones are a newer worker's */
    prf_model_version_t model;
    uint32_t spooled; /* results that wait to be handed over, and the one of the job that runs */
} prf_hello_t;

typedef enum { PRF_PART_OPEN = 1, PRF_PART_DATA, PRF_PART_ROOM, PRF_PART_END, PRF_PART_KINDS } prf_part_kind_t;

/* A piece of one of the connections that a relay's link carries, or what becomes of it. */
typedef struct {
    uint64_t number; /* from 1 in each direction of a link's session */
    uint32_t stream; /* the connection, from 1 */
    prf_part_kind_t kind;
    uint32_t value; /* open: which of the farm's endpoints; room: how many bytes more the sender takes; else 0 */
    uint8_t *data;  /* data: 1 to PRF_PART_BYTES; else none */
    size_t len;
} prf_part_t;

typedef enum {
    PRF_FRAME_HELLO = 2, /* the numbers of proto/wire.proto */
    PRF_FRAME_WELCOME,
    PRF_FRAME_REFUSAL,
    PRF_FRAME_CREDIT,
    PRF_FRAME_JOB_BATCH,
    PRF_FRAME_RESULT_BATCH,
    PRF_FRAME_COMMITTED,
    PRF_FRAME_HEARTBEAT,
    PRF_FRAME_MODEL_OFFER,
    PRF_FRAME_MODEL_ACK,
    PRF_FRAME_FETCH,
    PRF_FRAME_CHUNK,
    PRF_FRAME_GOODBYE,
    PRF_FRAME_REQUEST,
    PRF_FRAME_REPLY,
    PRF_FRAME_FORGET,
    PRF_FRAME_REVOKE,
    PRF_FRAME_LINK_OPEN = 30,
    PRF_FRAME_LINK_WELCOME,
    PRF_FRAME_LINK_PART,
    PRF_FRAME_LINK_BEAT
} prf_frame_type_t;

/* One message. Arrays and texts are owned by the frame when it was decoded, borrowed when it is to be encoded. */
typedef struct {
    prf_frame_type_t type;
    union {
        prf_hello_t hello;
        struct {
            uint64_t session;
            uint32_t heartbeat_ms;
            prf_model_version_t model;
            uint64_t first_epoch; /* epochs up to it are of a coordinator that is gone; 0: not told */
        } welcome;
        struct {
            prf_status_t status;
            char text[PRF_ERROR_TEXT];
        } refusal;
        uint32_t credit; /* at most PRF_FRAME_JOBS */
        struct {
            prf_job_t *items;
            size_t count;
        } jobs;
        struct {
            prf_result_t *items;
            size_t count;
        } results;
        struct {
            uint64_t session; /* heartbeat only, as is the next */
            uint32_t takes;   /* 0: not told; else 1 + how many jobs the worker takes beyond those listed */
            uint64_t *items;
            size_t count;
        } ids;                     /* committed, forget, revoke, heartbeat */
        prf_model_version_t model; /* offer, ack */
        struct {
            prf_digest_t digest;
            uint64_t offset;
        } fetch;
        struct {
            prf_digest_t digest;
            uint64_t offset, total;
            uint8_t *data;
            size_t len;
        } chunk;
        struct {
            uint64_t id;
            char op[PRF_OP];
            char *json; /* at most PRF_FRAME_BYTES, valid UTF-8 as far as protobuf checks; parse before use */
        } request;
        struct {
            uint64_t id;
            prf_status_t status;
            char error[sizeof((prf_error_t *)0)->text];
            char *json;
        } reply;
        struct {
            uint64_t session, received;
            bool resume; /* open only */
        } link;          /* open, welcome */
        prf_part_t part;
        struct {
            uint64_t received;
            bool farm;
        } beat;
    } u;
} prf_frame_t;

/* Caller frees *bytes. Errors: PRF_EINVAL (would exceed PRF_FRAME_BYTES), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_frame_encode(const prf_frame_t *frame, uint8_t **bytes, size_t *len, prf_error_t *err);
/* On success release it after use; on failure *out is untouched.
 * Errors: PRF_EPEER (malformed, out of range), PRF_EVERSION (a newer protocol), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_frame_decode(prf_frame_t *out, const uint8_t *bytes, size_t len, prf_error_t *err);
void prf_frame_release(prf_frame_t *frame);
const char *prf_frame_name(prf_frame_type_t type);

#endif
