// SPDX-License-Identifier: Apache-2.0
/* Frames there and back, and every way in which a peer can get one wrong. Hostile frames are made with protobuf-c directly. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "record.pb-c.h"
#include "wire.pb-c.h"
#include "wire/printable.h"
#include "wire/record.h"
#include "wire/wire.h"

enum { SEED = 20240607 };
static prf_error_t err;

static prf_block_t block_of(const char *text)
{
    prf_block_t block;
    cr_assert_eq(prf_block_parse(&block, text, &err), PRF_OK, "%s", err.text);
    for (uint32_t i = 0; i < block.count; i++)
        cr_assert_eq(prf_layer_complete(&block.layers[i], &err), PRF_OK, "%s", err.text);
    return block;
}

static prf_digest_t digest_of(const char *text)
{
    prf_digest_t digest;
    prf_digest(&digest, text, strlen(text));
    return digest;
}

static prf_frame_t there_and_back(const prf_frame_t *frame)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    prf_frame_t back = {0};
    cr_assert_eq(prf_frame_encode(frame, &bytes, &len, &err), PRF_OK, "%s: %s", prf_frame_name(frame->type), err.text);
    cr_assert_eq(prf_frame_decode(&back, bytes, len, &err), PRF_OK, "%s: %s", prf_frame_name(frame->type), err.text);
    cr_assert_eq(back.type, frame->type);
    free(bytes);
    return back;
}

static prf_model_version_t a_model(void)
{
    return (prf_model_version_t){.kind = "vta", .version = 7, .digest = digest_of("model"), .bytes = 123456789012u};
}

static bool same_model(const prf_model_version_t *a, const prf_model_version_t *b)
{
    return strcmp(a->kind, b->kind) == 0 && a->version == b->version && prf_digest_compare(&a->digest, &b->digest) == 0 &&
           a->bytes == b->bytes;
}

static prf_sample_t a_sample(void)
{
    return (prf_sample_t){.latency_ns = 1234.5,
                          .min_ns = 1200.25,
                          .ci_percent = 0.5,
                          .repeats = 17,
                          .taint = PRF_TAINT_LOADED | PRF_TAINT_SWITCHED,
                          .temperature_mc = 45000,
                          .clock_khz = 2400000,
                          .load_percent = 3,
                          .wall_ms = 1700000000000u,
                          .busy_ns = 98765432109u,
                          .energy_nj = 123456.75};
}

static void expect_same_sample(const prf_sample_t *a, const prf_sample_t *b)
{
    cr_expect_eq(a->latency_ns, b->latency_ns);
    cr_expect_eq(a->min_ns, b->min_ns);
    cr_expect_eq(a->ci_percent, b->ci_percent);
    cr_expect_eq(a->repeats, b->repeats);
    cr_expect_eq(a->taint, b->taint);
    cr_expect_eq(a->temperature_mc, b->temperature_mc);
    cr_expect_eq(a->clock_khz, b->clock_khz);
    cr_expect_eq(a->load_percent, b->load_percent);
    cr_expect_eq(a->wall_ms, b->wall_ms);
    cr_expect_eq(a->busy_ns, b->busy_ns);
    cr_expect_eq(a->energy_nj, b->energy_nj);
}

Test(wire, hello_and_welcome_come_back_as_they_were)
{
    prf_frame_t f = {.type = PRF_FRAME_HELLO,
                     .u.hello = {.board = "rack1-3",
                                 .kind = "vta",
                                 .fingerprint = "sim vta 1.0, Größe 16×16",
                                 .software = "0.1.0",
                                 .kinds = 0xfff,
                                 .dtypes = 9,
                                 .flags = 2,
                                 .model = a_model(),
                                 .spooled = 7}};
    prf_frame_t back = there_and_back(&f);
    const prf_hello_t *got = &back.u.hello;
    cr_expect_str_eq(got->board, "rack1-3");
    cr_expect_str_eq(got->kind, "vta");
    cr_expect_str_eq(got->fingerprint, f.u.hello.fingerprint);
    cr_expect_str_eq(got->software, "0.1.0");
    cr_expect(got->kinds == 0xfff && got->dtypes == 9 && got->flags == 2 && got->spooled == 7);
    cr_expect(same_model(&got->model, &f.u.hello.model));
    prf_frame_release(&back);
    f = (prf_frame_t){.type = PRF_FRAME_WELCOME, .u.welcome = {.session = UINT64_MAX, .heartbeat_ms = 1000, .first_epoch = 3}};
    back = there_and_back(&f);
    cr_expect_eq(back.u.welcome.session, UINT64_MAX);
    cr_expect_eq(back.u.welcome.heartbeat_ms, 1000);
    cr_expect_eq(back.u.welcome.first_epoch, 3);
    cr_expect_eq(back.u.welcome.model.version, 0, "no model became one");
    prf_frame_release(&back);
}

Test(wire, jobs_come_back_as_they_were)
{
    prf_block_t blocks[] = {block_of("conv2d n=1 c=64 k=64 h=56 w=56 r=3 s=3 stride=1 pad=1 dtype=i8"),
                            block_of("fc in=10 out=20 + activation c=20 h=1 fn=3 dtype=f32")};
    prf_job_t jobs[2] = {
        {.id = 1, .epoch = 2, .point = digest_of("a"), .attempt = 3, .deadline_ms = 5000, .blocks = blocks, .block_count = 2},
        {.id = UINT64_MAX, .point = digest_of("b"), .blocks = blocks + 1, .block_count = 1}};
    prf_protocol_default(&jobs[0].protocol);
    prf_protocol_default(&jobs[1].protocol);
    jobs[1].protocol.cache = PRF_CACHE_SEMI_COLD;
    prf_frame_t f = {.type = PRF_FRAME_JOB_BATCH, .u.jobs = {.items = jobs, .count = 2}};
    prf_frame_t back = there_and_back(&f);
    cr_assert_eq(back.u.jobs.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const prf_job_t *got = &back.u.jobs.items[i], *want = &jobs[i];
        cr_expect_eq(got->id, want->id);
        cr_expect_eq(got->epoch, want->epoch);
        cr_expect_eq(got->attempt, want->attempt);
        cr_expect_eq(got->deadline_ms, want->deadline_ms);
        cr_expect_eq(prf_digest_compare(&got->point, &want->point), 0);
        cr_expect_eq(got->protocol.cache, want->protocol.cache);
        cr_expect_eq(got->protocol.max_repeats, want->protocol.max_repeats);
        cr_expect_eq(got->protocol.ci_percent, want->protocol.ci_percent);
        cr_assert_eq(got->block_count, want->block_count);
        for (size_t b = 0; b < got->block_count; b++)
            cr_expect(prf_block_equal(&got->blocks[b], &want->blocks[b]));
    }
    prf_frame_release(&back);
}

Test(wire, the_edges_of_a_network_come_back_as_they_were)
{
    prf_block_t blocks[] = {block_of("fc in=10 out=20"), block_of("fc in=20 out=20"), block_of("add c=20 h=1")};
    prf_edge_t edges[] = {{0, -1}, {1, 0}, {2, 1}, {2, 0}, {2, -1}};
    prf_job_t job = {.point = digest_of("a"), .blocks = blocks, .block_count = 3, .edges = edges, .edge_count = 5};
    prf_protocol_default(&job.protocol);
    prf_frame_t f = {.type = PRF_FRAME_JOB_BATCH, .u.jobs = {.items = &job, .count = 1}};
    prf_frame_t back = there_and_back(&f);
    const prf_job_t *got = &back.u.jobs.items[0];
    cr_assert_eq(got->block_count, 3);
    cr_assert_eq(got->edge_count, 5);
    cr_expect_eq(memcmp(got->edges, edges, sizeof edges), 0);
    prf_frame_release(&back);
    edges[1].from = 1;
    uint8_t *bytes;
    size_t len;
    cr_expect_eq(prf_frame_encode(&f, &bytes, &len, &err), PRF_EINVAL);
    cr_expect(strstr(err.text, "block 1 cannot read block 1"), "%s", err.text);
}

Test(wire, results_come_back_and_implausible_samples_pass)
{
    prf_result_t results[3] = {
        {.id = 1, .epoch = 9, .point = digest_of("a"), .attempt = 1, .sample = a_sample()},
        {.id = 2, .point = digest_of("b"), .outcome = PRF_EHANG, .error = "no answer\nin 5 s\x1b[31m\xff"},
        {.id = 3, .point = digest_of("c"), .sample = {.latency_ns = NAN, .min_ns = -INFINITY}},
    };
    prf_frame_t f = {.type = PRF_FRAME_RESULT_BATCH, .u.results = {.items = results, .count = 3}};
    prf_frame_t back = there_and_back(&f);
    cr_assert_eq(back.u.results.count, 3);
    cr_expect_eq(back.u.results.items[0].epoch, 9);
    expect_same_sample(&back.u.results.items[0].sample, &results[0].sample);
    cr_expect_eq(back.u.results.items[1].outcome, PRF_EHANG);
    cr_expect_str_eq(back.u.results.items[1].error, "no answer?in 5 s?[31m?");
    cr_expect(isnan(back.u.results.items[2].sample.latency_ns));
    prf_frame_release(&back);
}

Test(wire, the_small_frames_come_back_as_they_were)
{
    uint64_t ids[PRF_FRAME_JOBS];
    for (size_t i = 0; i < PRF_FRAME_JOBS; i++)
        ids[i] = i << 55;
    prf_frame_t f = {.type = PRF_FRAME_COMMITTED, .u.ids = {.items = ids, .count = PRF_FRAME_JOBS}};
    prf_frame_t back = there_and_back(&f);
    cr_assert_eq(back.u.ids.count, PRF_FRAME_JOBS);
    cr_expect_eq(memcmp(back.u.ids.items, ids, sizeof ids), 0);
    prf_frame_release(&back);
    f.type = PRF_FRAME_FORGET;
    back = there_and_back(&f);
    cr_assert_eq(back.u.ids.count, PRF_FRAME_JOBS);
    cr_expect_eq(memcmp(back.u.ids.items, ids, sizeof ids), 0);
    prf_frame_release(&back);
    f = (prf_frame_t){.type = PRF_FRAME_HEARTBEAT, .u.ids = {.session = 5}};
    back = there_and_back(&f);
    cr_expect(back.u.ids.session == 5 && back.u.ids.count == 0);
    prf_frame_release(&back);
    f = (prf_frame_t){.type = PRF_FRAME_CREDIT, .u.credit = PRF_FRAME_JOBS};
    back = there_and_back(&f);
    cr_expect_eq(back.u.credit, PRF_FRAME_JOBS);
    f = (prf_frame_t){.type = PRF_FRAME_REFUSAL, .u.refusal = {.status = PRF_EVERSION, .text = "too old"}};
    back = there_and_back(&f);
    cr_expect(back.u.refusal.status == PRF_EVERSION && strcmp(back.u.refusal.text, "too old") == 0);
    f = (prf_frame_t){.type = PRF_FRAME_GOODBYE};
    back = there_and_back(&f);
    for (int type = PRF_FRAME_MODEL_OFFER; type <= PRF_FRAME_MODEL_ACK; type++) {
        f = (prf_frame_t){.type = (prf_frame_type_t)type, .u.model = a_model()};
        back = there_and_back(&f);
        cr_expect(same_model(&back.u.model, &f.u.model));
    }
    f = (prf_frame_t){.type = PRF_FRAME_FETCH, .u.fetch = {.digest = digest_of("m"), .offset = 1 << 20}};
    back = there_and_back(&f);
    cr_expect_eq(back.u.fetch.offset, 1 << 20);
    cr_expect_eq(prf_digest_compare(&back.u.fetch.digest, &f.u.fetch.digest), 0);
}

Test(wire, chunks_requests_and_replies_come_back_as_they_were)
{
    static uint8_t data[PRF_CHUNK_BYTES];
    memset(data, 0xa5, sizeof data);
    prf_frame_t f = {
        .type = PRF_FRAME_CHUNK,
        .u.chunk = {.digest = digest_of("m"), .offset = 5, .total = 5 + sizeof data, .data = data, .len = sizeof data}};
    prf_frame_t back = there_and_back(&f);
    cr_expect_eq(back.u.chunk.offset, 5);
    cr_expect_eq(back.u.chunk.total, f.u.chunk.total);
    cr_expect_eq(back.u.chunk.len, sizeof data);
    cr_expect_eq(memcmp(back.u.chunk.data, data, sizeof data), 0);
    prf_frame_release(&back);
    f = (prf_frame_t){.type = PRF_FRAME_REQUEST, .u.request = {.id = 3, .op = "status", .json = "{\"campaign\":\"ä\"}"}};
    back = there_and_back(&f);
    cr_expect_eq(back.u.request.id, 3);
    cr_expect_str_eq(back.u.request.op, "status");
    cr_expect_str_eq(back.u.request.json, f.u.request.json);
    prf_frame_release(&back);
    f = (prf_frame_t){.type = PRF_FRAME_REPLY, .u.reply = {.id = 3, .status = PRF_ENOTFOUND, .error = "no such campaign"}};
    back = there_and_back(&f);
    cr_expect_eq(back.u.reply.status, PRF_ENOTFOUND);
    cr_expect_str_eq(back.u.reply.error, "no such campaign");
    cr_expect_str_eq(back.u.reply.json, "");
    prf_frame_release(&back);
}

Test(wire, what_would_not_fit_is_not_encoded)
{
    uint8_t *bytes = NULL;
    size_t len;
    prf_frame_t f = {.type = PRF_FRAME_COMMITTED, .u.ids = {.count = PRF_FRAME_JOBS + 1}};
    cr_expect_eq(prf_frame_encode(&f, &bytes, &len, &err), PRF_EINVAL);
    f = (prf_frame_t){.type = PRF_FRAME_CHUNK, .u.chunk = {.len = PRF_CHUNK_BYTES + 1}};
    cr_expect_eq(prf_frame_encode(&f, &bytes, &len, &err), PRF_EINVAL);
    f = (prf_frame_t){.type = (prf_frame_type_t)99};
    cr_expect_eq(prf_frame_encode(&f, &bytes, &len, &err), PRF_EINVAL);
    char *json = malloc(PRF_FRAME_BYTES + 1);
    memset(json, ' ', PRF_FRAME_BYTES);
    json[PRF_FRAME_BYTES] = '\0';
    f = (prf_frame_t){.type = PRF_FRAME_REQUEST, .u.request = {.op = "submit", .json = json}};
    cr_expect_eq(prf_frame_encode(&f, &bytes, &len, &err), PRF_EINVAL);
    cr_expect(strstr(err.text, "request"), "%s", err.text);
    free(json);
    cr_expect_null(bytes);
}

/* The largest chain must fit a frame and the unpacking budget. */
Test(wire, a_chain_of_the_greatest_length_fits)
{
    prf_block_t *blocks = calloc(PRF_CHAIN_BLOCKS, sizeof *blocks);
    for (size_t i = 0; i < PRF_CHAIN_BLOCKS; i++)
        blocks[i] = block_of("conv2d c=1024 k=1048576 h=1048576 w=1048576 r=1024 s=1024 pad=1000 n=65536 + softmax features=9 + "
                             "softmax features=9 + softmax features=9 dtype=i8");
    prf_job_t job = {.blocks = blocks, .block_count = PRF_CHAIN_BLOCKS};
    prf_protocol_default(&job.protocol);
    prf_frame_t f = {.type = PRF_FRAME_JOB_BATCH, .u.jobs = {.items = &job, .count = 1}};
    prf_frame_t back = there_and_back(&f);
    cr_expect_eq(back.u.jobs.items[0].block_count, PRF_CHAIN_BLOCKS);
    cr_expect(prf_block_equal(&back.u.jobs.items[0].blocks[PRF_CHAIN_BLOCKS - 1], &blocks[0]));
    prf_frame_release(&back);
    job.block_count++;
    uint8_t *bytes;
    size_t len;
    cr_expect_eq(prf_frame_encode(&f, &bytes, &len, &err), PRF_EINVAL);
    free(blocks);
}

static void expect_status(const uint8_t *bytes, size_t len, prf_status_t wanted, const char *why)
{
    prf_frame_t out, before;
    memset(&out, 0x5a, sizeof out);
    before = out;
    prf_status_t status = prf_frame_decode(&out, bytes, len, &err);
    cr_expect_eq(status, wanted, "%s: %s, %s", why, prf_status_name(status), err.text);
    cr_expect(strstr(err.text, why), "'%s' does not say '%s'", err.text, why);
    cr_expect_eq(memcmp(&out, &before, sizeof out), 0, "%s: output changed", why);
}

static void refuse(Prf__Wire__Frame *frame, const char *why)
{
    size_t len = prf__wire__frame__get_packed_size(frame);
    uint8_t *bytes = malloc(len);
    prf__wire__frame__pack(frame, bytes);
    expect_status(bytes, len, frame->version > PRF_WIRE_VERSION ? PRF_EVERSION : PRF_EPEER, why);
    free(bytes);
}

#define FRAME(field, which, message)                                                                                               \
    {                                                                                                                              \
        PROTOBUF_C_MESSAGE_INIT(&prf__wire__frame__descriptor), 1, PRF__WIRE__FRAME__BODY_##which, .field = (message)              \
    }

Test(wire, frames_of_another_version_or_without_a_body_are_refused)
{
    Prf__Wire__Goodbye goodbye = PRF__WIRE__GOODBYE__INIT;
    Prf__Wire__Frame f = FRAME(goodbye, GOODBYE, &goodbye);
    f.version = 2;
    refuse(&f, "update prfarm");
    f.version = 0;
    refuse(&f, "without a version");
    f.version = 1;
    f.body_case = PRF__WIRE__FRAME__BODY__NOT_SET;
    refuse(&f, "without a body");
    expect_status((const uint8_t *)"", 0, PRF_EPEER, "0 bytes");
    uint8_t *large = calloc(1, PRF_FRAME_BYTES + 1);
    expect_status(large, PRF_FRAME_BYTES + 1, PRF_EPEER, "are allowed");
    free(large);
    /* A body of a number that a later version may give: version 1, field 63, an empty message. */
    expect_status((const uint8_t *)"\x08\x01\xfa\x03\x00", 5, PRF_EPEER, "without a body");
}

Test(wire, a_hello_with_bad_names_or_texts_is_refused)
{
    Prf__Wire__Hello hello = PRF__WIRE__HELLO__INIT;
    Prf__Wire__ModelVersion model = PRF__WIRE__MODEL_VERSION__INIT;
    Prf__Wire__Frame f = FRAME(hello, HELLO, &hello);
    char long_text[PRF_FINGERPRINT + 1];
    memset(long_text, 'f', sizeof long_text);
    long_text[PRF_FINGERPRINT] = '\0';
    refuse(&f, "board");
    hello.board = "../../etc";
    refuse(&f, "board");
    hello.board = long_text;
    refuse(&f, "board");
    hello.board = "b";
    hello.kind = "a kind";
    refuse(&f, "board kind");
    hello.kind = "k";
    refuse(&f, "empty runtime fingerprint");
    hello.fingerprint = "two\nlines";
    refuse(&f, "not printable");
    hello.fingerprint = "\xc3\x28";
    refuse(&f, "not printable");
    hello.fingerprint = long_text;
    refuse(&f, "192 bytes");
    hello.fingerprint = "f";
    hello.software = "\x7f";
    refuse(&f, "software");
    hello.software = "1";
    hello.model = &model;
    model.version = 1;
    refuse(&f, "model");
    model.kind = "k";
    refuse(&f, "digest of 0 bytes");
}

Test(wire, jobs_out_of_range_are_refused)
{
    uint8_t digest[PRF_DIGEST_BYTES + 1] = {0};
    int32_t values[] = {1, 10, 20, 30};
    Prf__Wire__Layer layer = PRF__WIRE__LAYER__INIT, *layers[] = {&layer, &layer, &layer, &layer, &layer};
    Prf__Wire__Block block = PRF__WIRE__BLOCK__INIT, **blocks = calloc(PRF_CHAIN_BLOCKS + 1, sizeof *blocks);
    Prf__Wire__Protocol protocol = {PROTOBUF_C_MESSAGE_INIT(&prf__wire__protocol__descriptor), 0, 1, 5, 10, 1.0, 1000, 0};
    Prf__Wire__Job job = PRF__WIRE__JOB__INIT, *list[PRF_FRAME_JOBS + 1];
    Prf__Wire__Jobs jobs = PRF__WIRE__JOBS__INIT;
    Prf__Wire__Frame f = FRAME(jobs, JOBS, &jobs);
    for (size_t i = 0; i < PRF_CHAIN_BLOCKS + 1; i++)
        blocks[i] = &block;
    for (size_t i = 0; i < PRF_FRAME_JOBS + 1; i++)
        list[i] = &job;
    jobs = (Prf__Wire__Jobs){jobs.base, PRF_FRAME_JOBS + 1, list};
    refuse(&f, "257 jobs");
    jobs.n_jobs = 1;
    refuse(&f, "digest of 0 bytes");
    job.point = (ProtobufCBinaryData){.len = PRF_DIGEST_BYTES + 1, .data = digest};
    refuse(&f, "digest of 17 bytes");
    job.point.len = PRF_DIGEST_BYTES;
    refuse(&f, "without a measurement protocol");
    job.protocol = &protocol;
    refuse(&f, "0 blocks");
    job.blocks = blocks;
    job.n_blocks = PRF_CHAIN_BLOCKS + 1;
    refuse(&f, "1025 blocks");
    job.n_blocks = 1;
    refuse(&f, "0 layers");
    block.layers = layers;
    block.n_layers = 5;
    refuse(&f, "5 layers");
    block.n_layers = 1;
    layer.kind = PRF_LAYER_KINDS;
    refuse(&f, "layer kind 12");
    layer.kind = PRF_FC;
    layer.values = values;
    layer.n_values = 4;
    refuse(&f, "fc with 4 parameters");
    layer.n_values = 3;
    values[1] = -1;
    refuse(&f, "fc.in = -1");
    values[1] = 10;
    block.dtype = PRF_DTYPES;
    refuse(&f, "data type 4");
    block.dtype = 0;
    protocol.cache = PRF_CACHES;
    refuse(&f, "cache state");
    protocol.cache = 0;
    protocol.ci_percent = NAN;
    refuse(&f, "confidence interval");
    protocol.ci_percent = 1;
    int32_t *inputs = calloc(PRF_CHAIN_EDGES + 1, sizeof *inputs);
    block.inputs = inputs;
    block.n_inputs = 1;
    refuse(&f, "block 0 cannot read block 0");
    inputs[0] = -2;
    refuse(&f, "block 0 cannot read block -2");
    block.n_inputs = PRF_CHAIN_EDGES + 1;
    refuse(&f, "16385 inputs");
    Prf__Wire__Block silent = block;
    inputs[0] = -1;
    block.n_inputs = 1;
    silent.n_inputs = 0;
    blocks[1] = &silent;
    job.n_blocks = 2;
    refuse(&f, "block 1 reads nothing");
    free(inputs);
    free(blocks);
}

Test(wire, other_messages_out_of_range_are_refused)
{
    uint8_t digest[PRF_DIGEST_BYTES] = {0}, byte = 0;
    Prf__Wire__Result result = PRF__WIRE__RESULT__INIT, *list[] = {&result};
    Prf__Wire__Results results = {PROTOBUF_C_MESSAGE_INIT(&prf__wire__results__descriptor), 1, list};
    Prf__Wire__Frame f = FRAME(results, RESULTS, &results);
    result.point = (ProtobufCBinaryData){.len = sizeof digest, .data = digest};
    refuse(&f, "without a sample");
    result.outcome = PRF_STATUS_COUNT;
    refuse(&f, "status");
    result.outcome = PRF_EHANG;
    result.error = "\x01";
    refuse(&f, "not printable");

    Prf__Wire__Chunk chunk = PRF__WIRE__CHUNK__INIT;
    f = (Prf__Wire__Frame)FRAME(chunk, CHUNK, &chunk);
    chunk.digest = result.point;
    chunk.data = (ProtobufCBinaryData){.len = 1, .data = &byte};
    refuse(&f, "behind its file");
    chunk.offset = UINT64_MAX;
    chunk.total = UINT64_MAX;
    refuse(&f, "behind its file");

    Prf__Wire__Credit credit = PRF__WIRE__CREDIT__INIT;
    f = (Prf__Wire__Frame)FRAME(credit, CREDIT, &credit);
    credit.jobs = UINT32_MAX;
    refuse(&f, "credit");
    Prf__Wire__Welcome welcome = PRF__WIRE__WELCOME__INIT;
    f = (Prf__Wire__Frame)FRAME(welcome, WELCOME, &welcome);
    refuse(&f, "heartbeat");
    Prf__Wire__Refusal refusal = PRF__WIRE__REFUSAL__INIT;
    f = (Prf__Wire__Frame)FRAME(refusal, REFUSAL, &refusal);
    refuse(&f, "no reason");
    Prf__Wire__ModelVersion model = PRF__WIRE__MODEL_VERSION__INIT;
    f = (Prf__Wire__Frame)FRAME(model_offer, MODEL_OFFER, &model);
    refuse(&f, "no model");
    Prf__Wire__Request request = PRF__WIRE__REQUEST__INIT;
    f = (Prf__Wire__Frame)FRAME(request, REQUEST, &request);
    refuse(&f, "operation");
    request.op = "an-operation-with-a-name-of-too-many-letters";
    refuse(&f, "operation");
}

static size_t put_varint(uint8_t *at, size_t value)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        at[n++] = (uint8_t)(value | 0x80);
    at[n++] = (uint8_t)value;
    return n;
}

/* Two bytes a submessage on the wire, fifty in memory: refused by count or by budget, quickly either way. */
Test(wire, a_frame_of_half_a_million_empty_messages_is_refused)
{
    uint8_t *bytes = calloc(1, PRF_FRAME_BYTES), *at = bytes;
    size_t room = PRF_FRAME_BYTES - 64;
    *at++ = 0x08;
    *at++ = 1;
    *at++ = 6 << 3 | 2;
    at += put_varint(at, room);
    for (size_t i = 0; i < room; i += 2, at += 2)
        at[0] = 1 << 3 | 2;
    expect_status(bytes, (size_t)(at - bytes), PRF_EPEER, "");
    /* The same with empty blocks in one job, and with unknown fields. */
    at = bytes + 2;
    *at++ = 6 << 3 | 2;
    at += put_varint(at, room + 4);
    *at++ = 1 << 3 | 2;
    at += put_varint(at, room);
    for (size_t i = 0; i < room; i += 2, at += 2)
        at[0] = 7 << 3 | 2;
    expect_status(bytes, (size_t)(at - bytes), PRF_EPEER, "");
    for (at = bytes + 2; at < bytes + PRF_FRAME_BYTES - 2; at += 2)
        at[0] = 15 << 3 | 0;
    expect_status(bytes, (size_t)(at - bytes), PRF_EPEER, "");
    free(bytes);
}

static void make_frame(prf_rng_t *rng, prf_frame_t *f, prf_job_t *job, prf_result_t results[2], uint64_t ids[4], prf_block_t *block)
{
    static uint8_t data[64];
    *block = block_of("conv2d c=3 k=8 h=16 r=3 + activation c=8 h=14 dtype=f32");
    *job = (prf_job_t){.id = prf_rng_u64(rng), .blocks = block, .block_count = 1};
    prf_protocol_default(&job->protocol);
    results[0] = (prf_result_t){.id = prf_rng_u64(rng), .sample = a_sample()};
    results[1] = (prf_result_t){.outcome = PRF_ECRASH, .error = "signal 11"};
    *f = (prf_frame_t){.type = (prf_frame_type_t)(PRF_FRAME_HELLO + (int)prf_rng_below(rng, 15))};
    switch (f->type) {
    case PRF_FRAME_HELLO:
        f->u.hello = (prf_hello_t){.board = "b", .kind = "k", .fingerprint = "f", .model = a_model()};
        break;
    case PRF_FRAME_JOB_BATCH:
        f->u.jobs.items = job;
        f->u.jobs.count = 1;
        break;
    case PRF_FRAME_RESULT_BATCH:
        f->u.results.items = results;
        f->u.results.count = 2;
        break;
    case PRF_FRAME_COMMITTED:
    case PRF_FRAME_FORGET:
    case PRF_FRAME_HEARTBEAT:
        f->u.ids.items = ids;
        f->u.ids.count = 4;
        break;
    case PRF_FRAME_CHUNK:
        f->u.chunk.data = data;
        f->u.chunk.len = f->u.chunk.total = sizeof data;
        break;
    default:
        break;
    }
}

/* Whatever the bytes: an error, or a frame that holds to its limits and can be encoded again. */
static void survive(const uint8_t *bytes, size_t len, uint64_t round)
{
    prf_frame_t f;
    prf_status_t status = prf_frame_decode(&f, bytes, len, &err);
    if (status) {
        cr_assert(status == PRF_EPEER || status == PRF_EVERSION, "seed %d round %llu: %s", SEED, (unsigned long long)round,
                  err.text);
        return;
    }
    uint8_t *again = NULL;
    size_t again_len;
    cr_assert_eq(prf_frame_encode(&f, &again, &again_len, &err), PRF_OK, "seed %d round %llu: %s", SEED, (unsigned long long)round,
                 err.text);
    free(again);
    prf_frame_release(&f);
}

Test(wire, mutated_and_random_bytes_never_pass_unchecked)
{
    prf_rng_t rng;
    prf_rng_init(&rng, SEED, 1);
    uint64_t ids[4] = {1, 2, 3, UINT64_MAX};
    for (uint64_t round = 0; round < 20000; round++) {
        prf_frame_t f;
        prf_job_t job;
        prf_result_t results[2];
        prf_block_t block;
        uint8_t *bytes;
        size_t len;
        make_frame(&rng, &f, &job, results, ids, &block);
        if (prf_frame_encode(&f, &bytes, &len, &err))
            cr_assert_fail("%s", err.text);
        if (round % 4 == 0)
            for (size_t i = 2; i < len; i++)
                bytes[i] = (uint8_t)prf_rng_u64(&rng);
        for (uint64_t n = 1 + prf_rng_below(&rng, 6); n > 0; n--)
            bytes[prf_rng_below(&rng, len)] = (uint8_t)prf_rng_u64(&rng);
        survive(bytes, round % 3 ? len : 1 + prf_rng_below(&rng, len), round);
        free(bytes);
    }
}

Test(wire, printable_is_utf8_without_controls)
{
    static const char *const good[] = {"", "plain ~", "Größe 16×16", "\xe2\x82\xac \xf0\x9f\x98\x80", "\xc2\xa0"};
    static const char *const bad[] = {
        "\t", "a\x1b", "\x7f", "\x80", "\xc0\x80", "\xc2", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc2\x9b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_expect(prf_printable(good[i]), "good %zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char copy[16];
        cr_expect_not(prf_printable(bad[i]), "bad %zu", i);
        prf_printable_copy(copy, sizeof copy, bad[i]);
        cr_expect(prf_printable(copy) && strlen(copy) == strlen(bad[i]), "bad %zu", i);
    }
    char small[4];
    prf_printable_copy(small, sizeof small, "ab\xc3\xa9");
    cr_expect_str_eq(small, "ab", "a character was cut in two");
}

Test(record, comes_back_as_it_was_and_is_compact)
{
    prf_record_t r = {.point = digest_of("p"), .attempt = 1, .duplicate = true, .board = "rack1-3", .sample = a_sample()}, back;
    uint8_t bytes[PRF_RECORD_BYTES];
    size_t len = prf_record_encode(&r, bytes);
    cr_expect_leq(len, 110);
    cr_assert_eq(prf_record_decode(&back, bytes, len, &err), PRF_OK, "%s", err.text);
    cr_expect_eq(prf_digest_compare(&back.point, &r.point), 0);
    cr_expect(back.attempt == 1 && back.duplicate && back.outcome == PRF_OK);
    cr_expect_str_eq(back.board, "rack1-3");
    expect_same_sample(&back.sample, &r.sample);
    prf_record_t failed = {.point = r.point, .outcome = PRF_ECRASH};
    memset(failed.error, 'e', sizeof failed.error - 1);
    memset(failed.board, 'b', sizeof failed.board - 1);
    len = prf_record_encode(&failed, bytes);
    cr_assert_eq(prf_record_decode(&back, bytes, len, &err), PRF_OK, "%s", err.text);
    cr_expect(back.outcome == PRF_ECRASH && strlen(back.error) == PRF_ERROR_TEXT - 1);
    for (size_t cut = 0; cut < len; cut++) {
        prf_record_t other;
        prf_status_t status = prf_record_decode(&other, bytes, cut, &err);
        cr_expect(status == PRF_ECORRUPT || other.board[0] == '\0', "cut at %zu", cut);
    }
}

Test(record, keeps_the_interval_as_a_float_and_reads_those_of_before)
{
    prf_record_t r = {.point = digest_of("p"), .board = "rack1-3", .sample = a_sample()}, back;
    uint8_t bytes[PRF_RECORD_BYTES];
    r.sample.ci_percent = 0.1;
    size_t len = prf_record_encode(&r, bytes);
    cr_assert_eq(prf_record_decode(&back, bytes, len, &err), PRF_OK, "%s", err.text);
    cr_expect_eq(back.sample.ci_percent, (double)0.1F);
    Prf__Record__Record before = PRF__RECORD__RECORD__INIT;
    Prf__Wire__Sample sample = PRF__WIRE__SAMPLE__INIT;
    before.point = (ProtobufCBinaryData){.len = PRF_DIGEST_BYTES, .data = r.point.bytes};
    before.board = r.board;
    before.sample = &sample;
    sample.latency_ns = 5;
    sample.ci_percent = 0.1;
    len = prf__record__record__pack(&before, bytes);
    cr_assert_eq(prf_record_decode(&back, bytes, len, &err), PRF_OK, "%s", err.text);
    cr_expect_eq(back.sample.ci_percent, 0.1);
}
