// SPDX-License-Identifier: Apache-2.0
/* ledger.c - measurements in order of appearance, each with a chain of the results that were told of it; a map finds a measurement
 * by point and attempt, another one what an acknowledged id stands for: ids are a worker's own matter, so the worker is half of
 * that key.
 *
 * A result counts as acknowledged from the moment that the coordinator's Committed arrives here, whether the worker ever sees it or
 * not: the coordinator has given its word. What it sent to two workers arrives in any order (a connection each, read in turns, in
 * bursts on a slow machine), so a job that comes shortly after the acknowledgement may have left before it, and is not held
 * against the coordinator. */
#include "ledger.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"

enum { ANY_ORDER_MS = 1000 };

struct ledger {
    pthread_mutex_t lock;
    FILE *file; /* owned */
    uint64_t begin_ms;
    ledger_entry_t *entries;
    size_t count, cap, acked, measured;
    ledger_result_t *results;
    size_t result_count, result_cap;
    prf_map_t by_point, by_id;
    size_t *acked_by;
    size_t workers;
    bool out_of_memory;
};

prf_status_t ledger_new(ledger_t **out, const char *path, size_t workers, prf_error_t *err)
{
    ledger_t *self = calloc(1, sizeof *self);
    if (self)
        self->acked_by = calloc(workers, sizeof *self->acked_by);
    if (!self || !self->acked_by) {
        free(self);
        return prf_fail(err, PRF_ENOMEM, "ledger");
    }
    self->file = fopen(path, "we");
    if (!self->file) {
        free(self->acked_by);
        free(self);
        return prf_fail(err, PRF_EIO, "%s cannot be written", path);
    }
    pthread_mutex_init(&self->lock, NULL);
    self->workers = workers;
    self->begin_ms = prf_clock_mono_ms();
    *out = self;
    return PRF_OK;
}

void ledger_destroy(ledger_t **self)
{
    if (!*self)
        return;
    ledger_t *l = *self;
    if (l->out_of_memory)
        fprintf(stderr, "the ledger ran out of memory: its judgement is void\n");
    fclose(l->file);
    prf_map_release(&l->by_point);
    prf_map_release(&l->by_id);
    pthread_mutex_destroy(&l->lock);
    free(l->entries);
    free(l->results);
    free(l->acked_by);
    free(l);
    *self = NULL;
}

static uint64_t now_ms(const ledger_t *self)
{
    return prf_clock_mono_ms() - self->begin_ms;
}

static void write_line(ledger_t *self, size_t worker, const char *event, uint64_t id, uint64_t epoch, const ledger_entry_t *entry)
{
    char hex[PRF_DIGEST_HEX];
    prf_digest_hex(&entry->point, hex);
    fprintf(self->file, "%" PRIu64 " w%zu %s id=%" PRIx64 " epoch=%" PRIx64 " %s/%u\n", now_ms(self), worker, event, id, epoch, hex,
            entry->attempt);
}

/* Room for one more element of `size` bytes; false when memory ran out. */
static bool room(ledger_t *self, void **array, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return true;
    size_t more = *cap ? 2 * *cap : 1024;
    void *larger = realloc(*array, more * size);
    if (!larger) {
        self->out_of_memory = true;
        return false;
    }
    *array = larger;
    *cap = more;
    return true;
}

/* The entry of a measurement, made when it is new; NULL when memory ran out. */
static ledger_entry_t *entry_of(ledger_t *self, const prf_digest_t *point, uint32_t attempt)
{
    uint64_t place;
    if (prf_map_get(&self->by_point, point, attempt, &place))
        return &self->entries[place];
    void *entries = self->entries;
    bool fits = room(self, &entries, self->count, &self->cap, sizeof *self->entries);
    self->entries = entries;
    if (!fits || prf_map_put(&self->by_point, point, attempt, self->count, NULL))
        return NULL;
    self->entries[self->count] = (ledger_entry_t){.point = *point, .attempt = attempt, .results = LEDGER_NONE};
    return &self->entries[self->count++];
}

static prf_digest_t key_of(uint64_t id)
{
    prf_digest_t key = {{0}};
    memcpy(key.bytes, &id, sizeof id);
    return key;
}

static void note_job(ledger_t *self, size_t worker, const prf_job_t *job)
{
    ledger_entry_t *entry = entry_of(self, &job->point, job->attempt);
    if (!entry)
        return;
    bool again = entry->acked && now_ms(self) - entry->acked_ms > ANY_ORDER_MS;
    entry->granted++;
    entry->regrants += again;
    write_line(self, worker, again ? "job-again" : "job", job->id, job->epoch, entry);
}

size_t ledger_find_result(const ledger_t *self, size_t entry, size_t worker, uint64_t wall_ms, uint64_t busy_ns)
{
    size_t i = self->entries[entry].results;
    for (; i != LEDGER_NONE; i = self->results[i].next) {
        const ledger_result_t *r = &self->results[i];
        if (r->worker == worker && r->wall_ms == wall_ms && r->busy_ns == busy_ns)
            break;
    }
    return i;
}

static void note_result(ledger_t *self, size_t worker, const prf_result_t *told)
{
    ledger_entry_t *entry = entry_of(self, &told->point, told->attempt);
    void *results = self->results;
    bool fits = room(self, &results, self->result_count, &self->result_cap, sizeof *self->results);
    self->results = results;
    if (!entry || !fits)
        return;
    size_t number = (size_t)(entry - self->entries);
    size_t place = ledger_find_result(self, number, worker, told->sample.wall_ms, told->sample.busy_ns);
    if (place == LEDGER_NONE) {
        place = self->result_count++;
        self->results[place] = (ledger_result_t){.worker = worker,
                                                 .entry = number,
                                                 .epoch = told->epoch,
                                                 .wall_ms = told->sample.wall_ms,
                                                 .busy_ns = told->sample.busy_ns,
                                                 .latency_ns = told->sample.latency_ns,
                                                 .good = told->outcome == PRF_OK,
                                                 .next = entry->results};
        entry->results = place;
        self->measured += told->outcome == PRF_OK && !entry->measured;
        entry->measured = entry->measured || told->outcome == PRF_OK;
    }
    prf_digest_t key = key_of(told->id);
    if (prf_map_put(&self->by_id, &key, (uint32_t)worker, place, NULL))
        self->out_of_memory = true;
    write_line(self, worker, told->outcome == PRF_OK ? "result" : "failure", told->id, told->epoch, entry);
}

static void note_ack(ledger_t *self, size_t worker, uint64_t id)
{
    uint64_t place;
    prf_digest_t key = key_of(id);
    if (!prf_map_get(&self->by_id, &key, (uint32_t)worker, &place)) {
        fprintf(self->file, "%" PRIu64 " w%zu acknowledged-unknown id=%" PRIx64 "\n", now_ms(self), worker, id);
        return;
    }
    const ledger_result_t *result = &self->results[place];
    ledger_entry_t *entry = &self->entries[result->entry];
    write_line(self, worker, result->good ? "acknowledged" : "failure-acknowledged", id, result->epoch, entry);
    if (!result->good)
        return;
    self->acked_by[worker]++;
    if (entry->acked)
        return;
    self->acked++;
    entry->acked = true;
    entry->acked_ms = now_ms(self);
}

static void note_forget(ledger_t *self, size_t worker, uint64_t id)
{
    fprintf(self->file, "%" PRIu64 " w%zu to-be-forgotten id=%" PRIx64 "\n", now_ms(self), worker, id);
}

static void note_ids(ledger_t *self, size_t worker, const prf_frame_t *frame, void (*note)(ledger_t *, size_t, uint64_t))
{
    for (size_t i = 0; i < frame->u.ids.count; i++)
        note(self, worker, frame->u.ids.items[i]);
}

void ledger_note(ledger_t *self, size_t worker, const prf_frame_t *frame)
{
    pthread_mutex_lock(&self->lock);
    if (frame->type == PRF_FRAME_JOB_BATCH)
        for (size_t i = 0; i < frame->u.jobs.count; i++)
            note_job(self, worker, &frame->u.jobs.items[i]);
    else if (frame->type == PRF_FRAME_RESULT_BATCH)
        for (size_t i = 0; i < frame->u.results.count; i++)
            note_result(self, worker, &frame->u.results.items[i]);
    else if (frame->type == PRF_FRAME_COMMITTED)
        note_ids(self, worker, frame, note_ack);
    else if (frame->type == PRF_FRAME_FORGET)
        note_ids(self, worker, frame, note_forget);
    else if (frame->type != PRF_FRAME_HEARTBEAT && frame->type != PRF_FRAME_CHUNK)
        fprintf(self->file, "%" PRIu64 " w%zu %s\n", now_ms(self), worker, prf_frame_name(frame->type));
    pthread_mutex_unlock(&self->lock);
}

void ledger_say(ledger_t *self, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    pthread_mutex_lock(&self->lock);
    fprintf(self->file, "%" PRIu64 " storm ", now_ms(self));
    vfprintf(self->file, fmt, args);
    fputc('\n', self->file);
    fflush(self->file);
    pthread_mutex_unlock(&self->lock);
    va_end(args);
}

static size_t read_locked(ledger_t *self, const size_t *number)
{
    pthread_mutex_lock(&self->lock);
    size_t value = *number;
    pthread_mutex_unlock(&self->lock);
    return value;
}

size_t ledger_measured(ledger_t *self)
{
    return read_locked(self, &self->measured);
}

size_t ledger_acked(ledger_t *self)
{
    return read_locked(self, &self->acked);
}

size_t ledger_acked_by(ledger_t *self, size_t worker)
{
    return read_locked(self, &self->acked_by[worker]);
}

size_t ledger_entries(const ledger_t *self)
{
    return self->count;
}

const ledger_entry_t *ledger_entry(const ledger_t *self, size_t place)
{
    return &self->entries[place];
}

size_t ledger_find(const ledger_t *self, const prf_digest_t *point, uint32_t attempt)
{
    uint64_t place;
    return prf_map_get(&self->by_point, point, attempt, &place) ? place : LEDGER_NONE;
}

size_t ledger_results(const ledger_t *self)
{
    return self->result_count;
}

const ledger_result_t *ledger_result(const ledger_t *self, size_t place)
{
    return &self->results[place];
}
