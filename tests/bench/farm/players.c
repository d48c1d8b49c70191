// SPDX-License-Identifier: Apache-2.0
/* players.c - what the played workers say. The one speaks proto/wire.proto as prfarm-worker does: hello, credit for half of what it
 * holds at a time, a frame for each `batch` of results, a heartbeat a second that names its jobs, and the fetching of a model that
 * it is offered. The other speaks the floor's: what it gets it sends back.
 *
 * A board measures one job after the other; how long each takes is the load's job_ns, whatever the machine does meanwhile.
 * Latencies follow from the layer, since a coordinator doubts those that fit none of their neighbours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "swarm.h"
#include "wire/wire.h"

typedef struct {
    uint64_t id, epoch, arrived_ns;
    prf_digest_t point;
    uint32_t attempt;
    double latency_ns;
} held_t;

typedef struct {
    uint64_t session, free_ns; /* when the board is free */
    uint32_t open_credit;
    held_t queue[PRF_FRAME_JOBS]; /* not begun, in order */
    size_t first, count;
    prf_result_t results[PRF_FRAME_JOBS];
    size_t result_count;
    prf_model_version_t model, fetching;
    uint64_t fetched;
    bool lost; /* says hello again with its next heartbeat */
    size_t waiting_first, waiting_count, waiting_cap;
    held_t waiting[]; /* for acknowledgement, a ring in the order in which they were done */
} worker_t;

static void send_frame(peer_t *peer, const prf_frame_t *frame)
{
    uint8_t *bytes;
    size_t len;
    prf_error_t err = {0};
    if (prf_frame_encode(frame, &bytes, &len, &err))
        die(prf_frame_name(frame->type), err.text);
    swarm_say(peer, bytes, len);
    free(bytes);
}

static void say_hello(peer_t *peer)
{
    prf_frame_t frame = {.type = PRF_FRAME_HELLO, .u.hello = {.kinds = 0xfff, .dtypes = 0xf}};
    snprintf(frame.u.hello.board, sizeof frame.u.hello.board, "bench-%05u", peer->number);
    snprintf(frame.u.hello.kind, sizeof frame.u.hello.kind, "bench");
    snprintf(frame.u.hello.fingerprint, sizeof frame.u.hello.fingerprint, "played");
    snprintf(frame.u.hello.software, sizeof frame.u.hello.software, "prfarm-bench");
    send_frame(peer, &frame);
}

static void worker_join(swarm_t *swarm, peer_t *peer)
{
    size_t cap = 2 * (size_t)swarm_load(swarm)->outbox; /* to spare */
    worker_t *w = calloc(1, sizeof *w + cap * sizeof *w->waiting);
    if (!w)
        die("a worker", "out of memory");
    w->waiting_cap = cap;
    peer->player = w;
    say_hello(peer);
}

static void worker_leave(peer_t *peer)
{
    free(peer->player);
}

/* In halves, as prfarm-worker does. */
static void give_credit(swarm_t *swarm, peer_t *peer)
{
    worker_t *w = peer->player;
    const load_t *load = swarm_load(swarm);
    size_t held = w->count + w->open_credit, promised = held + w->waiting_count;
    size_t room = promised < load->outbox ? load->outbox - promised : 0;
    if (w->lost || held > load->credit / 2 || room < (load->credit + 1) / 2)
        return;
    uint32_t more = (uint32_t)(load->credit - held < room ? load->credit - held : room);
    w->open_credit += more;
    send_frame(peer, &(prf_frame_t){.type = PRF_FRAME_CREDIT, .u.credit = more});
}

static void send_results(peer_t *peer)
{
    worker_t *w = peer->player;
    if (w->result_count == 0)
        return;
    send_frame(peer, &(prf_frame_t){.type = PRF_FRAME_RESULT_BATCH, .u.results = {w->results, w->result_count}});
    w->result_count = 0;
}

static held_t *waiting_at(worker_t *w, size_t index)
{
    size_t at = w->waiting_first + index;
    return &w->waiting[at < w->waiting_cap ? at : at - w->waiting_cap];
}

static void finish_job(swarm_t *swarm, peer_t *peer, const held_t *job)
{
    worker_t *w = peer->player;
    prf_result_t *result = &w->results[w->result_count++];
    result->id = job->id;
    result->epoch = job->epoch;
    result->point = job->point;
    result->attempt = job->attempt;
    result->sample = (prf_sample_t){.latency_ns = job->latency_ns,
                                    .min_ns = job->latency_ns,
                                    .ci_percent = 0.5,
                                    .repeats = 5,
                                    .wall_ms = prf_clock_wall_ms(),
                                    .busy_ns = swarm_load(swarm)->job_ns};
    if (w->waiting_count == w->waiting_cap)
        die("a worker", "it got more jobs than it asked for");
    *waiting_at(w, w->waiting_count++) = *job;
    if (w->result_count >= swarm_load(swarm)->batch)
        send_results(peer);
}

/* Time that stands for a fully connected layer's work. */
static double latency_of(const prf_job_t *job)
{
    return 1000 + prf_layer_ops(&job->blocks[0].layers[0]) / 100;
}

static void take_jobs(swarm_t *swarm, peer_t *peer, const prf_frame_t *frame)
{
    worker_t *w = peer->player;
    uint64_t now = prf_clock_mono_ns();
    swarm_counts(swarm)->jobs += frame->u.jobs.count;
    for (size_t i = 0; i < frame->u.jobs.count; i++) {
        const prf_job_t *job = &frame->u.jobs.items[i];
        held_t held = {job->id, job->epoch, now, job->point, job->attempt, latency_of(job)};
        w->open_credit -= w->open_credit > 0;
        if (swarm_load(swarm)->job_ns == 0)
            finish_job(swarm, peer, &held);
        else if (w->count < PRF_FRAME_JOBS)
            w->queue[(w->first + w->count++) % PRF_FRAME_JOBS] = held;
    }
    if (swarm_load(swarm)->job_ns == 0)
        send_results(peer);
    give_credit(swarm, peer);
}

static void worker_work(swarm_t *swarm, peer_t *peer, uint64_t now_ns)
{
    worker_t *w = peer->player;
    while (w->count > 0) {
        const held_t *job = &w->queue[w->first];
        uint64_t begin = job->arrived_ns > w->free_ns ? job->arrived_ns : w->free_ns;
        if (begin + swarm_load(swarm)->job_ns > now_ns)
            break;
        w->free_ns = begin + swarm_load(swarm)->job_ns;
        swarm_counts(swarm)->busy_ns += swarm_load(swarm)->job_ns;
        finish_job(swarm, peer, job);
        w->first = (w->first + 1) % PRF_FRAME_JOBS;
        w->count--;
    }
    send_results(peer);
    if (w->session)
        give_credit(swarm, peer);
}

/* Committed or to be forgotten: no heartbeat names it any more. Most often it is the first one; else those before it move up. */
static void settle(swarm_t *swarm, worker_t *w, uint64_t id, uint64_t now)
{
    size_t i = 0;
    while (i < w->waiting_count && waiting_at(w, i)->id != id)
        i++;
    if (i == w->waiting_count)
        return;
    swarm_waited(swarm_counts(swarm), now - waiting_at(w, i)->arrived_ns);
    for (; i > 0; i--)
        *waiting_at(w, i) = *waiting_at(w, i - 1);
    w->waiting_first = w->waiting_first + 1 < w->waiting_cap ? w->waiting_first + 1 : 0;
    w->waiting_count--;
}

static void take_acks(swarm_t *swarm, peer_t *peer, const prf_frame_t *frame)
{
    counts_t *counts = swarm_counts(swarm);
    uint64_t now = counts->timing ? prf_clock_mono_ns() : 0;
    if (frame->type == PRF_FRAME_COMMITTED)
        counts->durable += frame->u.ids.count;
    for (size_t i = 0; i < frame->u.ids.count; i++)
        settle(swarm, peer->player, frame->u.ids.items[i], now);
}

/* The next piece. */
static void fetch(peer_t *peer)
{
    const worker_t *w = peer->player;
    send_frame(peer, &(prf_frame_t){.type = PRF_FRAME_FETCH, .u.fetch = {w->fetching.digest, w->fetched}});
}

static void take_offer(peer_t *peer, const prf_model_version_t *offer)
{
    worker_t *w = peer->player;
    if (offer->version == 0 || w->fetching.version >= offer->version)
        return;
    w->fetching = *offer;
    w->fetched = 0;
    fetch(peer);
}

static void take_chunk(swarm_t *swarm, peer_t *peer, const prf_frame_t *frame)
{
    worker_t *w = peer->player;
    if (frame->u.chunk.offset != w->fetched || prf_digest_compare(&frame->u.chunk.digest, &w->fetching.digest) != 0)
        return;
    w->fetched += frame->u.chunk.len;
    if (w->fetched < frame->u.chunk.total) {
        fetch(peer);
        return;
    }
    w->model = w->fetching;
    swarm_counts(swarm)->adopted++;
    send_frame(peer, &(prf_frame_t){.type = PRF_FRAME_MODEL_ACK, .u.model = w->model});
}

/* A piece that was asked for in the session before may never come. */
static void take_welcome(swarm_t *swarm, peer_t *peer, const prf_frame_t *frame)
{
    worker_t *w = peer->player;
    swarm_counts(swarm)->welcomed += w->session == 0;
    w->session = frame->u.welcome.session;
    w->lost = false;
    w->open_credit = 0;
    if (w->fetching.version > w->model.version)
        fetch(peer);
    take_offer(peer, &frame->u.welcome.model);
    give_credit(swarm, peer);
}

static void take_refusal(swarm_t *swarm, peer_t *peer, prf_status_t why)
{
    worker_t *w = peer->player;
    swarm_counts(swarm)->refused++;
    swarm_counts(swarm)->expelled += why == PRF_EEXISTS;
    w->lost = true;
}

static void worker_hear(swarm_t *swarm, peer_t *peer, const uint8_t *bytes, size_t len)
{
    const worker_t *w = peer->player;
    prf_frame_t frame;
    prf_error_t err = {0};
    if (prf_frame_decode(&frame, bytes, len, &err))
        die("a frame of the coordinator", err.text);
    switch (frame.type) {
    case PRF_FRAME_WELCOME:
        take_welcome(swarm, peer, &frame);
        break;
    case PRF_FRAME_JOB_BATCH:
        take_jobs(swarm, peer, &frame);
        break;
    case PRF_FRAME_COMMITTED:
    case PRF_FRAME_FORGET:
        take_acks(swarm, peer, &frame);
        if (w->session)
            give_credit(swarm, peer);
        break;
    case PRF_FRAME_MODEL_OFFER:
        take_offer(peer, &frame.u.model);
        break;
    case PRF_FRAME_CHUNK:
        take_chunk(swarm, peer, &frame);
        break;
    case PRF_FRAME_REFUSAL:
        take_refusal(swarm, peer, frame.u.refusal.status);
        break;
    default:
        break;
    }
    prf_frame_release(&frame);
}

static void send_heartbeat(peer_t *peer, const uint64_t *ids, size_t count, uint32_t takes)
{
    const worker_t *w = peer->player;
    send_frame(peer, &(prf_frame_t){.type = PRF_FRAME_HEARTBEAT,
                                    .u.ids = {.session = w->session, .takes = takes, .items = (uint64_t *)ids, .count = count}});
}

/* Names what it holds and what is not acknowledged; the last frame tells what it takes. */
static void worker_beat(swarm_t *swarm, peer_t *peer, uint64_t now_ns)
{
    (void)swarm;
    (void)now_ns;
    worker_t *w = peer->player;
    uint64_t ids[PRF_FRAME_JOBS];
    size_t count = 0, total = w->count + w->waiting_count;
    if (w->lost)
        say_hello(peer);
    if (w->lost || !w->session)
        return;
    for (size_t i = 0; i < total; i++) {
        if (count == PRF_FRAME_JOBS) {
            send_heartbeat(peer, ids, count, 0);
            count = 0;
        }
        ids[count++] = i < w->count ? w->queue[(w->first + i) % PRF_FRAME_JOBS].id : waiting_at(w, i - w->count)->id;
    }
    send_heartbeat(peer, ids, count, 1 + w->open_credit);
}

const player_t play_worker = {worker_join, worker_hear, worker_beat, worker_work, worker_leave};

/* -- the floor -- */

enum { FLOOR_BYTES = 80, FLOOR_STAMP = 8 /* where in a job the player keeps its time */ };

static void floor_join(swarm_t *swarm, peer_t *peer)
{
    uint32_t credit = swarm_load(swarm)->credit, words[2] = {credit, swarm_load(swarm)->batch};
    swarm_say(peer, words, sizeof words);
}

static void floor_leave(peer_t *peer)
{
    (void)peer;
}

/* Each job is the acknowledgement of one that was sent back; those that come first acknowledge nothing and bear no stamp. */
static void floor_hear(swarm_t *swarm, peer_t *peer, const uint8_t *bytes, size_t len)
{
    uint8_t jobs[FLOOR_BYTES * PRF_FRAME_JOBS];
    counts_t *counts = swarm_counts(swarm);
    if (len > sizeof jobs || len % FLOOR_BYTES != 0)
        die("the floor", "a message of another size than was asked for");
    memcpy(jobs, bytes, len);
    counts->welcomed += peer->player == NULL;
    peer->player = peer; /* marks those that were heard of */
    uint64_t now = counts->timing ? prf_clock_mono_ns() : 0, stamp;
    for (size_t at = 0; at < len; at += FLOOR_BYTES) {
        memcpy(&stamp, jobs + at + FLOOR_STAMP, sizeof stamp);
        counts->durable += jobs[at] != 0;
        if (stamp)
            swarm_waited(counts, now - stamp);
        memcpy(jobs + at + FLOOR_STAMP, &now, sizeof now);
        jobs[at] = 1;
    }
    swarm_say(peer, jobs, len);
}

const player_t play_floor = {floor_join, floor_hear, NULL, NULL, floor_leave};
