// SPDX-License-Identifier: Apache-2.0
/* pack.c - one function a message, in the order of proto/wire.proto. Texts for people are cleaned on the way, because a peer
 * refuses what is not printable. */
#include "wire/pack.h"

#include <string.h>

#include "wire/printable.h"

static ProtobufCBinaryData digest_bytes(const prf_digest_t *digest)
{
    return (ProtobufCBinaryData){.len = PRF_DIGEST_BYTES, .data = (uint8_t *)digest->bytes};
}

static prf_status_t no_memory(prf_error_t *err)
{
    return prf_fail(err, PRF_ENOMEM, "a frame");
}

static prf_status_t limit_count(const char *what, size_t count, size_t limit, prf_error_t *err)
{
    if (count <= limit)
        return PRF_OK;
    return prf_fail(err, PRF_EINVAL, "%zu %s in one frame: use at most %zu", count, what, limit);
}

static char *clean(const char *text, size_t cap, prf_arena_t *arena)
{
    char *copy = prf_arena_take(arena, cap);
    if (copy)
        prf_printable_copy(copy, cap, text);
    return copy;
}

static bool pack_layer(Prf__Wire__Layer *out, const prf_layer_t *layer, prf_arena_t *arena)
{
    size_t count;
    const prf_param_info_t *params = prf_layer_params(layer->kind, &count);
    int32_t *values = prf_arena_take(arena, count * sizeof *values);
    if (!values)
        return false;
    for (size_t i = 0; i < count; i++)
        values[i] = layer->p[params[i].param];
    *out = (Prf__Wire__Layer)PRF__WIRE__LAYER__INIT;
    out->kind = (uint32_t)layer->kind;
    out->n_values = count;
    out->values = values;
    return true;
}

static bool pack_block(Prf__Wire__Block *out, const prf_block_t *block, prf_arena_t *arena)
{
    Prf__Wire__Layer *layers = prf_arena_take(arena, block->count * sizeof *layers);
    Prf__Wire__Layer **pointers = prf_arena_take(arena, block->count * sizeof *pointers);
    if (!layers || !pointers)
        return false;
    for (uint32_t i = 0; i < block->count; i++) {
        if (!pack_layer(&layers[i], &block->layers[i], arena))
            return false;
        pointers[i] = &layers[i];
    }
    *out = (Prf__Wire__Block)PRF__WIRE__BLOCK__INIT;
    out->dtype = (uint32_t)block->dtype;
    out->n_layers = block->count;
    out->layers = pointers;
    return true;
}

/* Each block's edges stand one behind the other: its inputs. */
static bool pack_inputs(Prf__Wire__Block *blocks, const prf_job_t *job, prf_arena_t *arena)
{
    int32_t *inputs = prf_arena_take(arena, job->edge_count * sizeof *inputs);
    for (size_t i = 0; inputs && i < job->edge_count; i++) {
        Prf__Wire__Block *block = &blocks[job->edges[i].to];
        inputs[i] = job->edges[i].from;
        if (block->n_inputs++ == 0)
            block->inputs = &inputs[i];
    }
    return inputs != NULL;
}

static Prf__Wire__Protocol *pack_protocol(const prf_protocol_t *p, prf_arena_t *arena)
{
    Prf__Wire__Protocol *out = prf_arena_take(arena, sizeof *out);
    if (!out)
        return NULL;
    *out = (Prf__Wire__Protocol)PRF__WIRE__PROTOCOL__INIT;
    out->cache = (uint32_t)p->cache;
    out->warmup_runs = p->warmup_runs;
    out->min_repeats = p->min_repeats;
    out->max_repeats = p->max_repeats;
    out->ci_percent = p->ci_percent;
    out->limit_ms = p->limit_ms;
    out->energy_ms = p->energy_ms;
    return out;
}

void prf_pack_sample(Prf__Wire__Sample *out, const prf_sample_t *s)
{
    *out = (Prf__Wire__Sample)PRF__WIRE__SAMPLE__INIT;
    out->latency_ns = s->latency_ns;
    out->min_ns = s->min_ns;
    out->ci_percent = s->ci_percent;
    out->repeats = s->repeats;
    out->taint = s->taint;
    out->temperature_mc = s->temperature_mc;
    out->clock_khz = s->clock_khz;
    out->load_percent = s->load_percent;
    out->wall_ms = s->wall_ms;
    out->busy_ns = s->busy_ns;
    out->energy_nj = s->energy_nj;
}

static prf_status_t pack_job(Prf__Wire__Job *out, const prf_job_t *job, prf_arena_t *arena, prf_error_t *err)
{
    const prf_chain_t chain = prf_job_chain(job);
    prf_status_t status = prf_chain_check(&chain, err);
    for (size_t i = 0; !status && i < job->block_count; i++)
        status = prf_block_check(&job->blocks[i], err);
    if (status)
        return status;
    *out = (Prf__Wire__Job)PRF__WIRE__JOB__INIT;
    out->id = job->id;
    out->epoch = job->epoch;
    out->point = digest_bytes(&job->point);
    out->attempt = job->attempt;
    out->deadline_ms = job->deadline_ms;
    out->protocol = pack_protocol(&job->protocol, arena);
    Prf__Wire__Block *blocks = prf_arena_take(arena, job->block_count * sizeof *blocks);
    out->blocks = prf_arena_take(arena, job->block_count * sizeof *out->blocks);
    if (!out->protocol || !blocks || !out->blocks)
        return no_memory(err);
    for (size_t i = 0; i < job->block_count; i++) {
        if (!pack_block(&blocks[i], &job->blocks[i], arena))
            return no_memory(err);
        out->blocks[i] = &blocks[i];
    }
    out->n_blocks = job->block_count;
    return job->edge_count == 0 || pack_inputs(blocks, job, arena) ? PRF_OK : no_memory(err);
}

static prf_status_t pack_result(Prf__Wire__Result *out, const prf_result_t *result, prf_arena_t *arena, prf_error_t *err)
{
    *out = (Prf__Wire__Result)PRF__WIRE__RESULT__INIT;
    out->id = result->id;
    out->epoch = result->epoch;
    out->point = digest_bytes(&result->point);
    out->attempt = result->attempt;
    out->outcome = (uint32_t)result->outcome;
    if (result->outcome) {
        out->error = clean(result->error, sizeof result->error, arena);
        return out->error ? PRF_OK : no_memory(err);
    }
    out->sample = prf_arena_take(arena, sizeof *out->sample);
    if (!out->sample)
        return no_memory(err);
    prf_pack_sample(out->sample, &result->sample);
    return PRF_OK;
}

static Prf__Wire__ModelVersion *pack_model(const prf_model_version_t *model, prf_arena_t *arena)
{
    Prf__Wire__ModelVersion *out = prf_arena_take(arena, sizeof *out);
    if (!out)
        return NULL;
    *out = (Prf__Wire__ModelVersion)PRF__WIRE__MODEL_VERSION__INIT;
    if (model->version == 0)
        return out;
    out->kind = (char *)model->kind;
    out->version = model->version;
    out->digest = digest_bytes(&model->digest);
    out->bytes = model->bytes;
    return out;
}

/* Takes the body's message from the arena, initialised, or leaves the function without memory. */
#define NEW_BODY(pointer, init)                                                                                                    \
    do {                                                                                                                           \
        (pointer) = prf_arena_take(arena, sizeof *(pointer));                                                                      \
        if (!(pointer))                                                                                                            \
            return no_memory(err);                                                                                                 \
        memcpy((pointer), &(init), sizeof *(pointer));                                                                             \
    } while (0)

static prf_status_t pack_hello(Prf__Wire__Frame *out, const prf_hello_t *hello, prf_arena_t *arena, prf_error_t *err)
{
    static const Prf__Wire__Hello fresh = PRF__WIRE__HELLO__INIT;
    NEW_BODY(out->hello, fresh);
    out->hello->board = (char *)hello->board;
    out->hello->kind = (char *)hello->kind;
    out->hello->fingerprint = clean(hello->fingerprint, sizeof hello->fingerprint, arena);
    out->hello->software = clean(hello->software, sizeof hello->software, arena);
    out->hello->kinds = hello->kinds;
    out->hello->dtypes = hello->dtypes;
    out->hello->flags = hello->flags;
    out->hello->model = pack_model(&hello->model, arena);
    out->hello->spooled = hello->spooled;
    return out->hello->fingerprint && out->hello->software && out->hello->model ? PRF_OK : no_memory(err);
}

static prf_status_t pack_jobs(Prf__Wire__Frame *out, const prf_frame_t *frame, prf_arena_t *arena, prf_error_t *err)
{
    static const Prf__Wire__Jobs fresh = PRF__WIRE__JOBS__INIT;
    size_t count = frame->u.jobs.count;
    prf_status_t status = limit_count("jobs", count, PRF_FRAME_JOBS, err);
    if (status)
        return status;
    NEW_BODY(out->jobs, fresh);
    Prf__Wire__Job *jobs = prf_arena_take(arena, count * sizeof *jobs);
    out->jobs->jobs = prf_arena_take(arena, count * sizeof *out->jobs->jobs);
    if (!jobs || !out->jobs->jobs)
        return no_memory(err);
    for (size_t i = 0; !status && i < count; i++) {
        status = pack_job(&jobs[i], &frame->u.jobs.items[i], arena, err);
        out->jobs->jobs[i] = &jobs[i];
    }
    out->jobs->n_jobs = count;
    return status;
}

static prf_status_t pack_results(Prf__Wire__Frame *out, const prf_frame_t *frame, prf_arena_t *arena, prf_error_t *err)
{
    static const Prf__Wire__Results fresh = PRF__WIRE__RESULTS__INIT;
    size_t count = frame->u.results.count;
    prf_status_t status = limit_count("results", count, PRF_FRAME_JOBS, err);
    if (status)
        return status;
    NEW_BODY(out->results, fresh);
    Prf__Wire__Result *results = prf_arena_take(arena, count * sizeof *results);
    out->results->results = prf_arena_take(arena, count * sizeof *out->results->results);
    if (!results || !out->results->results)
        return no_memory(err);
    for (size_t i = 0; !status && i < count; i++) {
        status = pack_result(&results[i], &frame->u.results.items[i], arena, err);
        out->results->results[i] = &results[i];
    }
    out->results->n_results = count;
    return status;
}

static prf_status_t pack_ids(Prf__Wire__Frame *out, const prf_frame_t *frame, prf_arena_t *arena, prf_error_t *err)
{
    prf_status_t status = limit_count("ids", frame->u.ids.count, PRF_FRAME_JOBS, err);
    if (status)
        return status;
    if (frame->type != PRF_FRAME_HEARTBEAT) {
        static const Prf__Wire__JobIds fresh = PRF__WIRE__JOB_IDS__INIT;
        NEW_BODY(out->committed, fresh); /* or forget, or revoke: one union */
        out->committed->n_ids = frame->u.ids.count;
        out->committed->ids = frame->u.ids.items;
        return PRF_OK;
    }
    static const Prf__Wire__Heartbeat fresh = PRF__WIRE__HEARTBEAT__INIT;
    NEW_BODY(out->heartbeat, fresh);
    out->heartbeat->session = frame->u.ids.session;
    out->heartbeat->takes = frame->u.ids.takes;
    out->heartbeat->n_running = frame->u.ids.count;
    out->heartbeat->running = frame->u.ids.items;
    return PRF_OK;
}

static prf_status_t pack_chunk(Prf__Wire__Frame *out, const prf_frame_t *frame, prf_arena_t *arena, prf_error_t *err)
{
    static const Prf__Wire__Chunk fresh = PRF__WIRE__CHUNK__INIT;
    prf_status_t status = limit_count("bytes of a chunk", frame->u.chunk.len, PRF_CHUNK_BYTES, err);
    if (status)
        return status;
    NEW_BODY(out->chunk, fresh);
    out->chunk->digest = digest_bytes(&frame->u.chunk.digest);
    out->chunk->offset = frame->u.chunk.offset;
    out->chunk->total = frame->u.chunk.total;
    out->chunk->data = (ProtobufCBinaryData){.len = frame->u.chunk.len, .data = frame->u.chunk.data};
    return PRF_OK;
}

static prf_status_t pack_exchange(Prf__Wire__Frame *out, const prf_frame_t *frame, prf_arena_t *arena, prf_error_t *err)
{
    static char nothing[] = "";
    if (frame->type == PRF_FRAME_REQUEST) {
        static const Prf__Wire__Request fresh = PRF__WIRE__REQUEST__INIT;
        NEW_BODY(out->request, fresh);
        out->request->id = frame->u.request.id;
        out->request->op = (char *)frame->u.request.op;
        out->request->json = frame->u.request.json ? frame->u.request.json : nothing;
        return PRF_OK;
    }
    static const Prf__Wire__Reply fresh = PRF__WIRE__REPLY__INIT;
    NEW_BODY(out->reply, fresh);
    out->reply->id = frame->u.reply.id;
    out->reply->status = (uint32_t)frame->u.reply.status;
    out->reply->error = clean(frame->u.reply.error, sizeof frame->u.reply.error, arena);
    out->reply->json = frame->u.reply.json ? frame->u.reply.json : nothing;
    return out->reply->error ? PRF_OK : no_memory(err);
}

/* The messages that open, keep and end a session. */
static prf_status_t pack_session(Prf__Wire__Frame *out, const prf_frame_t *frame, prf_arena_t *arena, prf_error_t *err)
{
    static const Prf__Wire__Welcome welcome = PRF__WIRE__WELCOME__INIT;
    static const Prf__Wire__Refusal refusal = PRF__WIRE__REFUSAL__INIT;
    static const Prf__Wire__Credit credit = PRF__WIRE__CREDIT__INIT;
    static const Prf__Wire__Goodbye goodbye = PRF__WIRE__GOODBYE__INIT;
    switch (frame->type) {
    case PRF_FRAME_WELCOME:
        NEW_BODY(out->welcome, welcome);
        out->welcome->session = frame->u.welcome.session;
        out->welcome->heartbeat_ms = frame->u.welcome.heartbeat_ms;
        out->welcome->first_epoch = frame->u.welcome.first_epoch;
        out->welcome->model = pack_model(&frame->u.welcome.model, arena);
        return out->welcome->model ? PRF_OK : no_memory(err);
    case PRF_FRAME_REFUSAL:
        NEW_BODY(out->refusal, refusal);
        out->refusal->status = (uint32_t)frame->u.refusal.status;
        out->refusal->text = clean(frame->u.refusal.text, sizeof frame->u.refusal.text, arena);
        return out->refusal->text ? PRF_OK : no_memory(err);
    case PRF_FRAME_CREDIT:
        NEW_BODY(out->credit, credit);
        out->credit->jobs = frame->u.credit;
        return limit_count("jobs of credit", frame->u.credit, PRF_FRAME_JOBS, err);
    default:
        NEW_BODY(out->goodbye, goodbye);
        return PRF_OK;
    }
}

static prf_status_t pack_model_talk(Prf__Wire__Frame *out, const prf_frame_t *frame, prf_arena_t *arena, prf_error_t *err)
{
    static const Prf__Wire__Fetch fetch = PRF__WIRE__FETCH__INIT;
    if (frame->type == PRF_FRAME_FETCH) {
        NEW_BODY(out->fetch, fetch);
        out->fetch->digest = digest_bytes(&frame->u.fetch.digest);
        out->fetch->offset = frame->u.fetch.offset;
        return PRF_OK;
    }
    out->model_offer = pack_model(&frame->u.model, arena); /* or model_ack: one union */
    return out->model_offer ? PRF_OK : no_memory(err);
}

static prf_status_t pack_part(Prf__Wire__Frame *out, const prf_part_t *part, prf_arena_t *arena, prf_error_t *err)
{
    static const Prf__Wire__LinkPart fresh = PRF__WIRE__LINK_PART__INIT;
    prf_status_t status = limit_count("bytes of a part", part->len, PRF_PART_BYTES, err);
    if (status)
        return status;
    NEW_BODY(out->link_part, fresh);
    out->link_part->number = part->number;
    out->link_part->stream = part->stream;
    out->link_part->kind = (uint32_t)part->kind;
    out->link_part->value = part->value;
    out->link_part->data = (ProtobufCBinaryData){.len = part->len, .data = part->data};
    return PRF_OK;
}

/* The messages between relays. */
static prf_status_t pack_link(Prf__Wire__Frame *out, const prf_frame_t *frame, prf_arena_t *arena, prf_error_t *err)
{
    static const Prf__Wire__LinkOpen open = PRF__WIRE__LINK_OPEN__INIT;
    static const Prf__Wire__LinkWelcome welcome = PRF__WIRE__LINK_WELCOME__INIT;
    static const Prf__Wire__LinkBeat beat = PRF__WIRE__LINK_BEAT__INIT;
    switch (frame->type) {
    case PRF_FRAME_LINK_OPEN:
        NEW_BODY(out->link_open, open);
        out->link_open->session = frame->u.link.session;
        out->link_open->resume = frame->u.link.resume;
        out->link_open->received = frame->u.link.received;
        return PRF_OK;
    case PRF_FRAME_LINK_WELCOME:
        NEW_BODY(out->link_welcome, welcome);
        out->link_welcome->session = frame->u.link.session;
        out->link_welcome->received = frame->u.link.received;
        return PRF_OK;
    case PRF_FRAME_LINK_BEAT:
        NEW_BODY(out->link_beat, beat);
        out->link_beat->received = frame->u.beat.received;
        out->link_beat->farm = frame->u.beat.farm;
        return PRF_OK;
    default:
        return pack_part(out, &frame->u.part, arena, err);
    }
}

prf_status_t prf_pack_frame(Prf__Wire__Frame *out, const prf_frame_t *frame, prf_arena_t *arena, prf_error_t *err)
{
    *out = (Prf__Wire__Frame)PRF__WIRE__FRAME__INIT;
    out->version = PRF_WIRE_VERSION;
    out->body_case = (Prf__Wire__Frame__BodyCase)frame->type;
    switch (frame->type) {
    case PRF_FRAME_HELLO:
        return pack_hello(out, &frame->u.hello, arena, err);
    case PRF_FRAME_JOB_BATCH:
        return pack_jobs(out, frame, arena, err);
    case PRF_FRAME_RESULT_BATCH:
        return pack_results(out, frame, arena, err);
    case PRF_FRAME_COMMITTED:
    case PRF_FRAME_FORGET:
    case PRF_FRAME_REVOKE:
    case PRF_FRAME_HEARTBEAT:
        return pack_ids(out, frame, arena, err);
    case PRF_FRAME_MODEL_OFFER:
    case PRF_FRAME_MODEL_ACK:
    case PRF_FRAME_FETCH:
        return pack_model_talk(out, frame, arena, err);
    case PRF_FRAME_CHUNK:
        return pack_chunk(out, frame, arena, err);
    case PRF_FRAME_REQUEST:
    case PRF_FRAME_REPLY:
        return pack_exchange(out, frame, arena, err);
    case PRF_FRAME_WELCOME:
    case PRF_FRAME_REFUSAL:
    case PRF_FRAME_CREDIT:
    case PRF_FRAME_GOODBYE:
        return pack_session(out, frame, arena, err);
    case PRF_FRAME_LINK_OPEN:
    case PRF_FRAME_LINK_WELCOME:
    case PRF_FRAME_LINK_PART:
    case PRF_FRAME_LINK_BEAT:
        return pack_link(out, frame, arena, err);
    }
    return prf_fail(err, PRF_EINVAL, "frame type %d is unknown", (int)frame->type);
}
