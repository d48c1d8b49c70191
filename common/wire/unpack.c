// SPDX-License-Identifier: Apache-2.0
/* unpack.c - one function a message, in the order of proto/wire.proto; each checks all of its fields before the next is looked
 * at. protobuf-c itself checks neither enum values nor counts, and leaves out submessages that were not sent. */
#include "wire/unpack.h"

#include <stdlib.h>
#include <string.h>

#include "wire/printable.h"

/* What another module calls an invalid value is, in a peer's message, a breach of the protocol. */
static prf_status_t breach(prf_error_t *err, const char *what, const prf_error_t *why)
{
    return prf_fail(err, PRF_EPEER, "%s: %s", what, why->text);
}

static prf_status_t check_count(const char *what, size_t count, size_t least, size_t most, prf_error_t *err)
{
    if (count >= least && count <= most)
        return PRF_OK;
    return prf_fail(err, PRF_EPEER, "%zu %s: %zu to %zu are allowed", count, what, least, most);
}

prf_status_t prf_unpack_digest(prf_digest_t *out, const ProtobufCBinaryData *bytes, prf_error_t *err)
{
    if (bytes->len != PRF_DIGEST_BYTES)
        return prf_fail(err, PRF_EPEER, "a digest of %zu bytes: it has %d", bytes->len, PRF_DIGEST_BYTES);
    memcpy(out->bytes, bytes->data, PRF_DIGEST_BYTES);
    return PRF_OK;
}

prf_status_t prf_unpack_text(char *out, size_t cap, const char *what, const char *text, prf_error_t *err)
{
    size_t len = strlen(text);
    if (len >= cap)
        return prf_fail(err, PRF_EPEER, "%s of %zu bytes: %zu are allowed", what, len, cap - 1);
    if (!prf_printable(text))
        return prf_fail(err, PRF_EPEER, "%s is not printable text", what);
    memcpy(out, text, len + 1);
    return PRF_OK;
}

prf_status_t prf_unpack_name(char out[PRF_NAME], const char *what, const char *text, prf_error_t *err)
{
    prf_error_t why;
    if (prf_name_check(what, text, &why))
        return breach(err, "name", &why);
    memcpy(out, text, strlen(text) + 1);
    return PRF_OK;
}

prf_status_t prf_unpack_status(prf_status_t *out, uint32_t code, prf_error_t *err)
{
    if (code >= PRF_STATUS_COUNT)
        return prf_fail(err, PRF_EPEER, "status %u is unknown to this version", code);
    *out = (prf_status_t)code;
    return PRF_OK;
}

static prf_status_t unpack_layer(prf_layer_t *out, const Prf__Wire__Layer *layer, prf_error_t *err)
{
    if (layer->kind >= PRF_LAYER_KINDS)
        return prf_fail(err, PRF_EPEER, "layer kind %u is unknown to this version", layer->kind);
    *out = (prf_layer_t){.kind = (prf_layer_kind_t)layer->kind};
    size_t count;
    const prf_param_info_t *params = prf_layer_params(out->kind, &count);
    if (layer->n_values != count)
        return prf_fail(err, PRF_EPEER, "%s with %zu parameters: it has %zu", prf_layer_kind_name(out->kind), layer->n_values,
                        count);
    for (size_t i = 0; i < count; i++)
        out->p[params[i].param] = layer->values[i];
    return PRF_OK;
}

static prf_status_t unpack_block(prf_block_t *out, const Prf__Wire__Block *block, prf_error_t *err)
{
    if (block->dtype >= PRF_DTYPES)
        return prf_fail(err, PRF_EPEER, "data type %u is unknown to this version", block->dtype);
    prf_status_t status = check_count("layers of a block", block->n_layers, 1, PRF_BLOCK_LAYERS, err);
    *out = (prf_block_t){.dtype = (prf_dtype_t)block->dtype, .count = (uint32_t)block->n_layers};
    for (size_t i = 0; !status && i < block->n_layers; i++)
        status = unpack_layer(&out->layers[i], block->layers[i], err);
    prf_error_t why;
    if (!status && prf_block_check(out, &why))
        status = breach(err, "block", &why);
    return status;
}

static prf_status_t unpack_protocol(prf_protocol_t *out, const Prf__Wire__Protocol *p, prf_error_t *err)
{
    if (!p)
        return prf_fail(err, PRF_EPEER, "a job without a measurement protocol");
    if (p->cache >= PRF_CACHES)
        return prf_fail(err, PRF_EPEER, "cache state %u is unknown to this version", p->cache);
    *out = (prf_protocol_t){.cache = (prf_cache_t)p->cache,
                            .warmup_runs = p->warmup_runs,
                            .min_repeats = p->min_repeats,
                            .max_repeats = p->max_repeats,
                            .ci_percent = p->ci_percent,
                            .limit_ms = p->limit_ms,
                            .energy_ms = p->energy_ms};
    prf_error_t why;
    return prf_protocol_check(out, &why) ? breach(err, "protocol", &why) : PRF_OK;
}

void prf_unpack_sample(prf_sample_t *out, const Prf__Wire__Sample *s)
{
    *out = (prf_sample_t){.latency_ns = s->latency_ns,
                          .min_ns = s->min_ns,
                          .ci_percent = s->ci_percent,
                          .repeats = s->repeats,
                          .taint = s->taint,
                          .temperature_mc = s->temperature_mc,
                          .clock_khz = s->clock_khz,
                          .load_percent = s->load_percent,
                          .wall_ms = s->wall_ms,
                          .busy_ns = s->busy_ns,
                          .energy_nj = s->energy_nj};
}

static void unpack_inputs(prf_job_t *out, const Prf__Wire__Job *job)
{
    out->edges = (prf_edge_t *)(out->blocks + out->block_count);
    for (size_t i = 0; i < job->n_blocks; i++)
        for (size_t k = 0; k < job->blocks[i]->n_inputs; k++)
            out->edges[out->edge_count++] = (prf_edge_t){.to = (int32_t)i, .from = job->blocks[i]->inputs[k]};
}

static prf_status_t unpack_blocks(prf_job_t *out, const Prf__Wire__Job *job, prf_error_t *err)
{
    prf_status_t status = check_count("blocks of a job", job->n_blocks, 1, PRF_CHAIN_BLOCKS, err);
    size_t inputs = 0;
    for (size_t i = 0; !status && i < job->n_blocks; i++)
        inputs += job->blocks[i]->n_inputs;
    if (!status)
        status = check_count("inputs of a job's blocks", inputs, 0, PRF_CHAIN_EDGES, err);
    if (status)
        return status;
    out->blocks = calloc(1, job->n_blocks * sizeof *out->blocks + inputs * sizeof *out->edges);
    if (!out->blocks)
        return prf_fail(err, PRF_ENOMEM, "a job of %zu blocks", job->n_blocks);
    out->block_count = job->n_blocks;
    for (size_t i = 0; !status && i < job->n_blocks; i++)
        status = unpack_block(&out->blocks[i], job->blocks[i], err);
    if (status || inputs == 0)
        return status;
    unpack_inputs(out, job);
    const prf_chain_t chain = prf_job_chain(out);
    prf_error_t why;
    return prf_chain_check(&chain, &why) ? breach(err, "job", &why) : PRF_OK;
}

static prf_status_t unpack_job(prf_job_t *out, const Prf__Wire__Job *job, prf_error_t *err)
{
    out->id = job->id;
    out->epoch = job->epoch;
    out->attempt = job->attempt;
    out->deadline_ms = job->deadline_ms;
    prf_status_t status = prf_unpack_digest(&out->point, &job->point, err);
    if (!status)
        status = unpack_protocol(&out->protocol, job->protocol, err);
    if (!status)
        status = unpack_blocks(out, job, err);
    return status;
}

/* A sample's numbers are let through as they are: an implausible one is the board's failure, judged by the coordinator, and no
 * breach of the protocol. */
static prf_status_t unpack_result(prf_result_t *out, const Prf__Wire__Result *result, prf_error_t *err)
{
    out->id = result->id;
    out->epoch = result->epoch;
    out->attempt = result->attempt;
    prf_status_t status = prf_unpack_digest(&out->point, &result->point, err);
    if (!status)
        status = prf_unpack_status(&out->outcome, result->outcome, err);
    if (!status)
        status = prf_unpack_text(out->error, sizeof out->error, "error text", result->error, err);
    if (status)
        return status;
    if (result->sample)
        prf_unpack_sample(&out->sample, result->sample);
    else if (out->outcome == PRF_OK)
        return prf_fail(err, PRF_EPEER, "a result without a sample");
    return PRF_OK;
}

/* A message that was left out means "no model", and so does version 0. */
static prf_status_t unpack_model(prf_model_version_t *out, const Prf__Wire__ModelVersion *model, prf_error_t *err)
{
    *out = (prf_model_version_t){0};
    if (!model || model->version == 0)
        return PRF_OK;
    out->version = model->version;
    out->bytes = model->bytes;
    prf_status_t status = prf_unpack_name(out->kind, "model", model->kind, err);
    return status ? status : prf_unpack_digest(&out->digest, &model->digest, err);
}

static prf_status_t unpack_hello(prf_hello_t *out, const Prf__Wire__Hello *hello, prf_error_t *err)
{
    out->kinds = hello->kinds;
    out->dtypes = hello->dtypes;
    out->flags = hello->flags;
    out->spooled = hello->spooled;
    prf_status_t status = prf_unpack_name(out->board, "board", hello->board, err);
    if (!status)
        status = prf_unpack_name(out->kind, "board kind", hello->kind, err);
    if (!status)
        status = prf_unpack_text(out->fingerprint, sizeof out->fingerprint, "runtime fingerprint", hello->fingerprint, err);
    if (!status && !out->fingerprint[0])
        status = prf_fail(err, PRF_EPEER, "an empty runtime fingerprint");
    if (!status)
        status = prf_unpack_text(out->software, sizeof out->software, "software version", hello->software, err);
    return status ? status : unpack_model(&out->model, hello->model, err);
}

static prf_status_t unpack_welcome(prf_frame_t *out, const Prf__Wire__Welcome *welcome, prf_error_t *err)
{
    out->u.welcome.session = welcome->session;
    out->u.welcome.heartbeat_ms = welcome->heartbeat_ms;
    out->u.welcome.first_epoch = welcome->first_epoch;
    if (welcome->heartbeat_ms < 1)
        return prf_fail(err, PRF_EPEER, "a heartbeat every 0 ms");
    return unpack_model(&out->u.welcome.model, welcome->model, err);
}

static prf_status_t unpack_refusal(prf_frame_t *out, const Prf__Wire__Refusal *refusal, prf_error_t *err)
{
    prf_status_t status = prf_unpack_status(&out->u.refusal.status, refusal->status, err);
    if (!status && out->u.refusal.status == PRF_OK)
        status = prf_fail(err, PRF_EPEER, "a refusal that gives no reason");
    return status ? status : prf_unpack_text(out->u.refusal.text, sizeof out->u.refusal.text, "refusal", refusal->text, err);
}

static prf_status_t unpack_jobs(prf_frame_t *out, const Prf__Wire__Jobs *jobs, prf_error_t *err)
{
    prf_status_t status = check_count("jobs", jobs->n_jobs, 0, PRF_FRAME_JOBS, err);
    if (status || jobs->n_jobs == 0)
        return status;
    out->u.jobs.items = calloc(jobs->n_jobs, sizeof *out->u.jobs.items);
    if (!out->u.jobs.items)
        return prf_fail(err, PRF_ENOMEM, "%zu jobs", jobs->n_jobs);
    out->u.jobs.count = jobs->n_jobs;
    for (size_t i = 0; !status && i < jobs->n_jobs; i++)
        status = unpack_job(&out->u.jobs.items[i], jobs->jobs[i], err);
    return status;
}

static prf_status_t unpack_results(prf_frame_t *out, const Prf__Wire__Results *results, prf_error_t *err)
{
    prf_status_t status = check_count("results", results->n_results, 0, PRF_FRAME_JOBS, err);
    if (status || results->n_results == 0)
        return status;
    out->u.results.items = calloc(results->n_results, sizeof *out->u.results.items);
    if (!out->u.results.items)
        return prf_fail(err, PRF_ENOMEM, "%zu results", results->n_results);
    out->u.results.count = results->n_results;
    for (size_t i = 0; !status && i < results->n_results; i++)
        status = unpack_result(&out->u.results.items[i], results->results[i], err);
    return status;
}

static prf_status_t unpack_ids(prf_frame_t *out, const uint64_t *ids, size_t count, prf_error_t *err)
{
    prf_status_t status = check_count("ids", count, 0, PRF_FRAME_JOBS, err);
    if (status || count == 0)
        return status;
    out->u.ids.items = malloc(count * sizeof *ids);
    if (!out->u.ids.items)
        return prf_fail(err, PRF_ENOMEM, "%zu ids", count);
    memcpy(out->u.ids.items, ids, count * sizeof *ids);
    out->u.ids.count = count;
    return PRF_OK;
}

static prf_status_t unpack_chunk(prf_frame_t *out, const Prf__Wire__Chunk *chunk, prf_error_t *err)
{
    size_t len = chunk->data.len;
    prf_status_t status = check_count("bytes of a chunk", len, 0, PRF_CHUNK_BYTES, err);
    if (!status)
        status = prf_unpack_digest(&out->u.chunk.digest, &chunk->digest, err);
    if (status)
        return status;
    if (chunk->offset > chunk->total || len > chunk->total - chunk->offset)
        return prf_fail(err, PRF_EPEER, "a chunk that ends behind its file");
    out->u.chunk.offset = chunk->offset;
    out->u.chunk.total = chunk->total;
    out->u.chunk.data = malloc(len ? len : 1);
    if (!out->u.chunk.data)
        return prf_fail(err, PRF_ENOMEM, "a chunk of %zu bytes", len);
    if (len)
        memcpy(out->u.chunk.data, chunk->data.data, len);
    out->u.chunk.len = len;
    return PRF_OK;
}

static prf_status_t copy_json(char **out, const char *json, prf_error_t *err)
{
    *out = strdup(json);
    return *out ? PRF_OK : prf_fail(err, PRF_ENOMEM, "%zu bytes of JSON", strlen(json));
}

static prf_status_t unpack_request(prf_frame_t *out, const Prf__Wire__Request *request, prf_error_t *err)
{
    char op[PRF_NAME];
    prf_status_t status = prf_unpack_name(op, "operation", request->op, err);
    if (!status)
        status = prf_unpack_text(out->u.request.op, sizeof out->u.request.op, "operation", op, err);
    out->u.request.id = request->id;
    return status ? status : copy_json(&out->u.request.json, request->json, err);
}

static prf_status_t unpack_reply(prf_frame_t *out, const Prf__Wire__Reply *reply, prf_error_t *err)
{
    out->u.reply.id = reply->id;
    prf_status_t status = prf_unpack_status(&out->u.reply.status, reply->status, err);
    if (!status)
        status = prf_unpack_text(out->u.reply.error, sizeof out->u.reply.error, "error text", reply->error, err);
    return status ? status : copy_json(&out->u.reply.json, reply->json, err);
}

static prf_status_t unpack_credit(prf_frame_t *out, const Prf__Wire__Credit *credit, prf_error_t *err)
{
    out->u.credit = credit->jobs;
    return check_count("jobs of credit", credit->jobs, 0, PRF_FRAME_JOBS, err);
}

static prf_status_t unpack_fetch(prf_frame_t *out, const Prf__Wire__Fetch *fetch, prf_error_t *err)
{
    out->u.fetch.offset = fetch->offset;
    return prf_unpack_digest(&out->u.fetch.digest, &fetch->digest, err);
}

static prf_status_t unpack_named_model(prf_frame_t *out, const Prf__Wire__ModelVersion *model, prf_error_t *err)
{
    prf_status_t status = unpack_model(&out->u.model, model, err);
    if (!status && out->u.model.version == 0)
        status = prf_fail(err, PRF_EPEER, "an offer or acknowledgement of no model");
    return status;
}

static prf_status_t unpack_link(prf_frame_t *out, uint64_t session, uint64_t received, bool resume, prf_error_t *err)
{
    out->u.link.session = session;
    out->u.link.received = received;
    out->u.link.resume = resume;
    if (session == 0 || (out->type == PRF_FRAME_LINK_OPEN && !resume && received > 0))
        return prf_fail(err, PRF_EPEER, "a link's session %llu that begins with %llu parts", (unsigned long long)session,
                        (unsigned long long)received);
    return PRF_OK;
}

/* Whether value and data are those of the kind. */
static bool part_fits(uint32_t kind, uint32_t value, size_t len)
{
    switch (kind) {
    case PRF_PART_OPEN:
        return value < PRF_PART_ENDPOINTS && len == 0;
    case PRF_PART_DATA:
        return value == 0 && len >= 1 && len <= PRF_PART_BYTES;
    case PRF_PART_ROOM:
        return value >= 1 && len == 0;
    case PRF_PART_END:
        return value == 0 && len == 0;
    default:
        return false;
    }
}

static prf_status_t unpack_part(prf_part_t *out, const Prf__Wire__LinkPart *part, prf_error_t *err)
{
    size_t len = part->data.len;
    if (part->number == 0 || part->stream == 0 || !part_fits(part->kind, part->value, len))
        return prf_fail(err, PRF_EPEER, "a part of kind %u with value %u and %zu bytes", part->kind, part->value, len);
    *out = (prf_part_t){
        .number = part->number, .stream = part->stream, .kind = (prf_part_kind_t)part->kind, .value = part->value, .len = len};
    if (len == 0)
        return PRF_OK;
    out->data = malloc(len);
    if (!out->data)
        return prf_fail(err, PRF_ENOMEM, "a part of %zu bytes", len);
    memcpy(out->data, part->data.data, len);
    return PRF_OK;
}

prf_status_t prf_unpack_frame(prf_frame_t *out, const Prf__Wire__Frame *frame, prf_error_t *err)
{
    /* A union of pointers: one of them stands for all. */
    if (frame->body_case == PRF__WIRE__FRAME__BODY__NOT_SET || !frame->hello)
        return prf_fail(err, PRF_EPEER, "a frame without a body known to this version");
    out->type = (prf_frame_type_t)frame->body_case;
    switch (out->type) {
    case PRF_FRAME_HELLO:
        return unpack_hello(&out->u.hello, frame->hello, err);
    case PRF_FRAME_WELCOME:
        return unpack_welcome(out, frame->welcome, err);
    case PRF_FRAME_REFUSAL:
        return unpack_refusal(out, frame->refusal, err);
    case PRF_FRAME_CREDIT:
        return unpack_credit(out, frame->credit, err);
    case PRF_FRAME_JOB_BATCH:
        return unpack_jobs(out, frame->jobs, err);
    case PRF_FRAME_RESULT_BATCH:
        return unpack_results(out, frame->results, err);
    case PRF_FRAME_COMMITTED:
        return unpack_ids(out, frame->committed->ids, frame->committed->n_ids, err);
    case PRF_FRAME_FORGET:
        return unpack_ids(out, frame->forget->ids, frame->forget->n_ids, err);
    case PRF_FRAME_REVOKE:
        return unpack_ids(out, frame->revoke->ids, frame->revoke->n_ids, err);
    case PRF_FRAME_HEARTBEAT:
        out->u.ids.session = frame->heartbeat->session;
        out->u.ids.takes = frame->heartbeat->takes;
        if (out->u.ids.takes > PRF_FRAME_JOBS + 1)
            return prf_fail(err, PRF_EPEER, "a heartbeat that takes %u jobs: %d at most", out->u.ids.takes, PRF_FRAME_JOBS);
        return unpack_ids(out, frame->heartbeat->running, frame->heartbeat->n_running, err);
    case PRF_FRAME_MODEL_OFFER:
        return unpack_named_model(out, frame->model_offer, err);
    case PRF_FRAME_MODEL_ACK:
        return unpack_named_model(out, frame->model_ack, err);
    case PRF_FRAME_FETCH:
        return unpack_fetch(out, frame->fetch, err);
    case PRF_FRAME_CHUNK:
        return unpack_chunk(out, frame->chunk, err);
    case PRF_FRAME_GOODBYE:
        return PRF_OK;
    case PRF_FRAME_REQUEST:
        return unpack_request(out, frame->request, err);
    case PRF_FRAME_REPLY:
        return unpack_reply(out, frame->reply, err);
    case PRF_FRAME_LINK_OPEN:
        return unpack_link(out, frame->link_open->session, frame->link_open->received, frame->link_open->resume, err);
    case PRF_FRAME_LINK_WELCOME:
        return unpack_link(out, frame->link_welcome->session, frame->link_welcome->received, false, err);
    case PRF_FRAME_LINK_PART:
        return unpack_part(&out->u.part, frame->link_part, err);
    case PRF_FRAME_LINK_BEAT:
        out->u.beat.received = frame->link_beat->received;
        out->u.beat.farm = frame->link_beat->farm;
        return PRF_OK;
    }
    return prf_fail(err, PRF_EPEER, "frame type %d is unknown to this version", (int)out->type);
}
