// SPDX-License-Identifier: Apache-2.0
/* fuzz_frame.c - frames from a peer: decoding, then what every receiver does with a decoded frame without asking whose it is.
 * A frame that was accepted can be sent on, and comes out the same. */
#include <string.h>

#include "fuzz.h"
#include "wire/wire.h"

static void use_job(const prf_job_t *job)
{
    char text[PRF_BLOCK_TEXT];
    for (size_t i = 0; i < job->block_count; i++) {
        const prf_block_t *block = &job->blocks[i];
        prf_block_t again;
        prf_error_t err;
        MUST(prf_block_format(block, text) < sizeof text, "%s", text);
        MUST(prf_block_parse(&again, text, &err) == PRF_OK, "%s: %s", text, err.text);
        MUST(prf_block_equal(block, &again), "%s", text);
        for (uint32_t k = 0; k < block->count; k++)
            MUST(prf_layer_bytes(&block->layers[k], block->dtype) > 0 && prf_layer_ops(&block->layers[k]) >= 0, "%s", text);
    }
    prf_digest_t point;
    const prf_chain_t chain = prf_job_chain(job);
    prf_point_id(&point, "kind", "fingerprint", &job->protocol, &chain);
}

static void encode_again(const prf_frame_t *frame)
{
    uint8_t *first, *second;
    size_t first_len, second_len;
    prf_frame_t copy;
    prf_error_t err;
    MUST(prf_frame_encode(frame, &first, &first_len, &err) == PRF_OK, "%s", err.text);
    MUST(prf_frame_decode(&copy, first, first_len, &err) == PRF_OK, "%s", err.text);
    MUST(prf_frame_encode(&copy, &second, &second_len, &err) == PRF_OK, "%s", err.text);
    MUST(first_len == second_len && memcmp(first, second, first_len) == 0, "%zu and %zu bytes", first_len, second_len);
    prf_frame_release(&copy);
    free(first);
    free(second);
}

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    prf_frame_t frame;
    prf_error_t err;
    if (prf_frame_decode(&frame, bytes, len, &err))
        return false;
    for (size_t i = 0; frame.type == PRF_FRAME_JOB_BATCH && i < frame.u.jobs.count; i++)
        use_job(&frame.u.jobs.items[i]);
    for (size_t i = 0; frame.type == PRF_FRAME_RESULT_BATCH && i < frame.u.results.count; i++)
        prf_sample_plausible(&frame.u.results.items[i].sample);
    encode_again(&frame);
    prf_frame_release(&frame);
    return true;
}

static void add_frame(fuzz_add_fn add, void *arg, const prf_frame_t *frame)
{
    uint8_t *bytes;
    size_t len;
    prf_error_t err;
    MUST(prf_frame_encode(frame, &bytes, &len, &err) == PRF_OK, "%s: %s", prf_frame_name(frame->type), err.text);
    add(arg, bytes, len);
    free(bytes);
}

static void add_jobs(fuzz_add_fn add, void *arg)
{
    static const char *const texts[] = {
        "conv1d c=4 k=8 w=64 f=3 dtype=i8", "conv2d c=3 k=16 h=32 r=3 + activation c=16 h=32 w=32 fn=0 dtype=f32",
        "dwconv2d c=8 h=14 r=3 dtype=f16",  "convtranspose2d c=8 k=4 h=7 r=2 stride=2 dtype=bf16",
        "fc in=64 out=10 dtype=f32",        "matmul m=8 k=8 n=8 dtype=f32",
        "maxpool2d c=8 h=16 r=2 dtype=f32", "softmax n=1 features=10 dtype=f32",
    };
    enum { COUNT = sizeof texts / sizeof *texts };
    prf_block_t blocks[COUNT];
    prf_error_t err;
    for (size_t i = 0; i < COUNT; i++)
        MUST(prf_block_parse(&blocks[i], texts[i], &err) == PRF_OK, "%s: %s", texts[i], err.text);
    prf_job_t jobs[2] = {{.id = 1, .epoch = 7, .deadline_ms = 1000, .blocks = &blocks[0], .block_count = 1},
                         {.id = 2, .epoch = 8, .attempt = 1, .deadline_ms = 5000, .blocks = blocks, .block_count = COUNT}};
    prf_protocol_default(&jobs[0].protocol);
    prf_protocol_default(&jobs[1].protocol);
    jobs[1].protocol.cache = PRF_CACHE_SEMI_COLD;
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_JOB_BATCH, .u.jobs = {.items = jobs, .count = 2}});
}

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    prf_model_version_t model = {.kind = "cpu", .version = 3, .bytes = 5000};
    prf_digest(&model.digest, "model", 5);
    prf_frame_t hello = {.type = PRF_FRAME_HELLO,
                         .u.hello = {.board = "b1",
                                     .kind = "cpu",
                                     .fingerprint = "sim/vta",
                                     .software = "prfarm 0",
                                     .kinds = 0xfff,
                                     .dtypes = 0xf,
                                     .model = model}};
    prf_result_t results[2] = {
        {.id = 1, .epoch = 7, .sample = {.latency_ns = 1500, .min_ns = 1400, .ci_percent = 0.5, .repeats = 9}},
        {.id = 2, .epoch = 8, .outcome = PRF_EHANG, .error = "no answer"}};
    uint64_t ids[] = {1, 2, UINT64_MAX};
    char json[] = "{\"campaign\":\"c\"}";
    uint8_t data[] = {1, 2, 3, 4};
    add_frame(add, arg, &hello);
    add_jobs(add, arg);
    add_frame(add, arg,
              &(prf_frame_t){.type = PRF_FRAME_WELCOME,
                             .u.welcome = {.session = 9, .heartbeat_ms = 1000, .model = model, .first_epoch = 7}});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_REFUSAL, .u.refusal = {PRF_EBUSY, "later"}});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_CREDIT, .u.credit = 4});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_RESULT_BATCH, .u.results = {.items = results, .count = 2}});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_COMMITTED, .u.ids = {.items = ids, .count = 3}});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_HEARTBEAT, .u.ids = {.session = 9, .items = ids, .count = 1}});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_MODEL_OFFER, .u.model = model});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_MODEL_ACK, .u.model = model});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_FETCH, .u.fetch = {model.digest, 1024}});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_CHUNK, .u.chunk = {model.digest, 0, 5000, data, sizeof data}});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_GOODBYE});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_REQUEST, .u.request = {1, "status", json}});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_REPLY, .u.reply = {.id = 1, .json = json}});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_LINK_OPEN, .u.link = {7, 3, true}});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_LINK_WELCOME, .u.link = {.session = 7, .received = 3}});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_LINK_PART, .u.part = {4, 1, PRF_PART_OPEN, .value = 2}});
    add_frame(add, arg,
              &(prf_frame_t){.type = PRF_FRAME_LINK_PART, .u.part = {5, 1, PRF_PART_DATA, .data = data, .len = sizeof data}});
    add_frame(add, arg, &(prf_frame_t){.type = PRF_FRAME_LINK_BEAT, .u.beat = {3, true}});
}
