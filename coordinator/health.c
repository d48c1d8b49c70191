// SPDX-License-Identifier: Apache-2.0
/* health.c - a file on each board (its values, its open job) and one on each class (its sentinel), in memory and in the store's
 * decisions: `-/BOARD/health` and `-/KIND/sentinel/DIGEST of the runtime's fingerprint`.
 *
 * Values are written as they come: one a board and period. A crash loses the last one, which is as good as not measured. */
#include "health.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "drift.h"
#include "wire/wire.h"

enum { DEADLINE_MS = 30000, PATIENCE_MS = 120000, SENTINELS = 1024, SEED = 1 };

typedef struct {
    char fingerprint[PRF_FINGERPRINT]; /* that its values are of; "": none */
    prf_drift_t drift;
    bool drifting, odd;
    uint64_t due_ms;   /* 0: not set yet */
    uint64_t job;      /* that is open; 0: none */
    uint64_t until_ms; /* and is given up then */
} file_t;

typedef struct {
    char kind[PRF_NAME];
    prf_digest_t runtime; /* of the fingerprint */
    prf_block_t block;
} sentinel_t;

struct prf_health {
    const prf_hub_t *hub;
    const prf_campaigns_t *campaigns;
    prf_health_send_fn send;
    void *send_arg;
    uint64_t period_ms;
    file_t *files; /* owned, by the boards' numbers */
    size_t file_count;
    sentinel_t *sentinels; /* owned */
    size_t sentinel_count;
    prf_map_t values; /* digest of a board's name -> json_t *, owned: what the store had, until the board is looked at */
};

static void runtime_of(const char *fingerprint, prf_digest_t *out)
{
    prf_digest(out, fingerprint, strlen(fingerprint));
}

static sentinel_t *find_sentinel(const prf_health_t *self, const char *kind, const prf_digest_t *runtime)
{
    for (size_t i = 0; i < self->sentinel_count; i++)
        if (strcmp(self->sentinels[i].kind, kind) == 0 && prf_digest_compare(&self->sentinels[i].runtime, runtime) == 0)
            return &self->sentinels[i];
    return NULL;
}

static bool add_sentinel(prf_health_t *self, const char *kind, const prf_digest_t *runtime, const prf_block_t *block)
{
    sentinel_t *sentinels = self->sentinel_count < SENTINELS && !find_sentinel(self, kind, runtime)
                                ? realloc(self->sentinels, (self->sentinel_count + 1) * sizeof *sentinels)
                                : NULL;
    if (!sentinels)
        return false;
    self->sentinels = sentinels;
    sentinel_t *s = &sentinels[self->sentinel_count++];
    *s = (sentinel_t){.runtime = *runtime, .block = *block};
    snprintf(s->kind, sizeof s->kind, "%s", kind);
    return true;
}

static bool load_one(void *arg, const char *key, const void *value, size_t len)
{
    prf_health_t *self = arg;
    char name[PRF_NAME], hex[PRF_DIGEST_HEX];
    int end = 0;
    prf_digest_t digest;
    prf_block_t block;
    if (sscanf(key, "-/%63[^/]/sentinel/%32[0-9a-f]%n", name, hex, &end) == 2 && !key[end]) {
        if (prf_digest_parse(&digest, hex) && prf_block_parse(&block, value, NULL) == PRF_OK)
            add_sentinel(self, name, &digest, &block);
    } else if ((end = 0, sscanf(key, "-/%63[^/]/health%n", name, &end)) == 1 && end && !key[end]) {
        json_t *json = json_loadb(value, len, 0, NULL);
        prf_digest(&digest, name, strlen(name));
        if (json && prf_map_put_pointer(&self->values, &digest, 0, json, NULL))
            json_decref(json);
    }
    return true;
}

prf_status_t prf_health_new(prf_health_t **out, const prf_hub_t *hub, uint64_t period_ms, prf_error_t *err)
{
    prf_health_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "health of boards");
    *self = (prf_health_t){.hub = hub, .period_ms = period_ms};
    prf_map_init(&self->values);
    prf_status_t status = prf_store_scan(hub->store, PRF_TABLE_DECISION, "-/", load_one, self, NULL, err);
    if (status) {
        prf_health_destroy(&self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

void prf_health_destroy(prf_health_t **self)
{
    if (!self || !*self)
        return;
    prf_map_t *values = &(*self)->values;
    for (size_t i = 0; i < values->cap; i++)
        if (values->entries[i].used)
            json_decref(prf_map_get_pointer(values, &values->entries[i].digest, 0));
    prf_map_release(values);
    free((*self)->files);
    free((*self)->sentinels);
    free(*self);
    *self = NULL;
}

void prf_health_connect(prf_health_t *self, const prf_campaigns_t *campaigns, prf_health_send_fn send, void *arg)
{
    self->campaigns = campaigns;
    self->send = send;
    self->send_arg = arg;
}

static size_t decode_values(const json_t *array, double *out, size_t cap)
{
    size_t i, n = 0;
    json_t *value;
    json_array_foreach(array, i, value) if (n < cap && json_number_value(value) > 0) out[n++] = json_number_value(value);
    return n;
}

/* What the store had of the board. */
static void recall(prf_health_t *self, const char *board, file_t *file)
{
    prf_digest_t key;
    prf_digest(&key, board, strlen(board));
    json_t *json = prf_map_get_pointer(&self->values, &key, 0);
    if (!json)
        return;
    prf_map_remove(&self->values, &key, 0);
    const char *fingerprint = json_string_value(json_object_get(json, "fingerprint"));
    double recent[PRF_DRIFT_RECENT];
    size_t count = decode_values(json_object_get(json, "recent"), recent, PRF_DRIFT_RECENT);
    if (fingerprint && count > 0) {
        snprintf(file->fingerprint, sizeof file->fingerprint, "%s", fingerprint);
        file->drift.count = decode_values(json_object_get(json, "baseline"), file->drift.baseline, PRF_DRIFT_BASELINE);
        /* While the baseline is being filled its last values are the recent ones. */
        for (size_t i = 0; i < count; i++)
            file->drift.recent[(file->drift.count - count + i) % PRF_DRIFT_RECENT] = recent[i];
        file->drifting = json_is_true(json_object_get(json, "drifting"));
        file->odd = json_is_true(json_object_get(json, "odd"));
    }
    json_decref(json);
}

/* The file on a board; values of another runtime are forgotten. NULL: out of memory. */
static file_t *file_on(prf_health_t *self, const prf_fleet_board_t *board)
{
    if (board->number >= self->file_count) {
        size_t count = (size_t)board->number + 1;
        file_t *files = realloc(self->files, count * sizeof *files);
        if (!files)
            return NULL;
        memset(files + self->file_count, 0, (count - self->file_count) * sizeof *files);
        self->files = files;
        for (size_t i = self->file_count; i < count; i++)
            recall(self, prf_fleet_at(self->hub->fleet, i)->facts.board, &files[i]);
        self->file_count = count;
    }
    file_t *file = &self->files[board->number];
    if (strcmp(file->fingerprint, board->facts.fingerprint) != 0) {
        *file = (file_t){.due_ms = file->due_ms};
        snprintf(file->fingerprint, sizeof file->fingerprint, "%s", board->facts.fingerprint);
    }
    return file;
}

static const file_t *known(const prf_health_t *self, const prf_fleet_board_t *board)
{
    return board->number < self->file_count ? &self->files[board->number] : NULL;
}

static json_t *encode_values(const double *values, size_t first, size_t count, size_t ring)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_real(values[(first + i) % ring]));
    return array;
}

static void store(prf_health_t *self, const prf_fleet_board_t *board, const file_t *file)
{
    const prf_drift_t *d = &file->drift;
    size_t baseline = d->count < PRF_DRIFT_BASELINE ? d->count : PRF_DRIFT_BASELINE;
    size_t recent = d->count < PRF_DRIFT_RECENT ? d->count : PRF_DRIFT_RECENT;
    json_t *json = json_pack("{s:s, s:o, s:o, s:b, s:b}", "fingerprint", file->fingerprint, "baseline",
                             encode_values(d->baseline, 0, baseline, PRF_DRIFT_BASELINE), "recent",
                             encode_values(d->recent, d->count - recent, recent, PRF_DRIFT_RECENT), "drifting", file->drifting,
                             "odd", file->odd);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL, key[PRF_NAME + 16];
    json_decref(json);
    snprintf(key, sizeof key, "-/%s/health", board->facts.board);
    if (!text ||
        prf_commits_value(self->hub->commits, PRF_TABLE_DECISION, key, text, strlen(text), PRF_COMMIT_ONCE, NULL, NULL, NULL))
        prf_log(PRF_LOG_DEBUG, "health_not_stored board=%s", board->facts.board);
    free(text);
}

/* The middle of the space; where there is no such layer, the same one of its layers each time. */
static prf_status_t middle(const prf_space_t *space, prf_block_t *out)
{
    prf_layer_t layer = {.kind = space->kind};
    prf_param_t params[PRF_PARAMS];
    size_t count = prf_space_free(space, params);
    for (size_t i = 0; i < count; i++) {
        const prf_dim_t *dim = &space->dims[params[i]];
        int32_t lo, hi;
        prf_space_bounds(space, params[i], &lo, &hi);
        layer.p[params[i]] = dim->kind == PRF_DIM_LIST ? dim->values[dim->value_count / 2] : lo + (hi - lo) / 2;
    }
    prf_rng_t rng;
    prf_rng_init(&rng, SEED, prf_rng_stream("sentinel"));
    prf_status_t status = prf_space_resolve(space, &layer, NULL);
    if (status)
        status = prf_space_draw(space, &rng, &layer, NULL);
    if (!status)
        *out = (prf_block_t){.dtype = space->dtype, .count = 1, .layers = {layer}};
    return status;
}

/* The class's sentinel, chosen when there is a campaign to choose it from. */
static const sentinel_t *sentinel_of(prf_health_t *self, const prf_hello_t *facts)
{
    prf_digest_t runtime;
    runtime_of(facts->fingerprint, &runtime);
    const sentinel_t *there = find_sentinel(self, facts->kind, &runtime);
    const prf_space_t *space = there ? NULL : prf_campaigns_space(self->campaigns, facts->kind, facts->fingerprint, facts->kinds);
    prf_block_t block;
    if (!space || middle(space, &block) || !add_sentinel(self, facts->kind, &runtime, &block))
        return there;
    char key[PRF_NAME + 64], hex[PRF_DIGEST_HEX], text[PRF_BLOCK_TEXT];
    prf_digest_hex(&runtime, hex);
    snprintf(key, sizeof key, "-/%s/sentinel/%s", facts->kind, hex);
    size_t len = prf_block_format(&block, text);
    prf_error_t err = {0};
    /* Until it is written a restart chooses the same again, as long as the campaign is the same. */
    if (prf_commits_value(self->hub->commits, PRF_TABLE_DECISION, key, text, len, PRF_COMMIT_KEEP, NULL, NULL, &err))
        prf_log(PRF_LOG_WARN, "sentinel_not_stored kind=%s error=\"%s\"", facts->kind, err.text);
    prf_log(PRF_LOG_INFO, "sentinel_chosen kind=%s layer=\"%s\"", facts->kind, text);
    return find_sentinel(self, facts->kind, &runtime);
}

static void send(prf_health_t *self, prf_fleet_board_t *board, file_t *file, const sentinel_t *sentinel, uint64_t now_ms)
{
    prf_block_t block = sentinel->block;
    prf_job_t job = {.id = prf_sched_number(self->hub->sched), .deadline_ms = DEADLINE_MS, .blocks = &block, .block_count = 1};
    job.epoch = job.id;
    prf_protocol_default(&job.protocol);
    job.protocol.warmup_runs = 1;
    job.protocol.max_repeats = 50;
    job.protocol.limit_ms = 200;
    /* No point of a campaign has this identity. */
    char name[PRF_NAME + 16];
    snprintf(name, sizeof name, "sentinel %s", board->facts.kind);
    prf_point_id(&job.point, name, board->facts.fingerprint, &job.protocol, &(prf_chain_t){.blocks = &block, .count = 1});
    if (!self->send(self->send_arg, board, &job))
        return;
    file->job = job.id;
    file->until_ms = now_ms + PATIENCE_MS;
    file->due_ms = now_ms + self->period_ms;
}

void prf_health_tick(prf_health_t *self, uint64_t now_ms)
{
    if (self->period_ms == 0 || self->hub->stopping)
        return;
    for (size_t i = 0; i < prf_fleet_count(self->hub->fleet); i++) {
        prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, i);
        file_t *file = file_on(self, board);
        if (!file)
            return;
        if (file->job && (!board->live || now_ms >= file->until_ms))
            file->job = 0;
        if (file->due_ms == 0)
            file->due_ms = now_ms + self->period_ms;
        if (!board->live || board->credit == 0 || board->trust.state != PRF_TRUSTED || file->job || now_ms < file->due_ms)
            continue;
        const sentinel_t *sentinel = sentinel_of(self, &board->facts);
        if (sentinel)
            send(self, board, file, sentinel, now_ms);
    }
}

static void flag(prf_health_t *self, const prf_fleet_board_t *board, file_t *file, bool drifting, bool odd)
{
    char note[200];
    if (file->drifting == drifting && file->odd == odd)
        return;
    const char *what = drifting && !file->drifting ? "board_drifts" : odd && !file->odd ? "board_odd" : "board_steady";
    file->drifting = drifting;
    file->odd = odd;
    prf_health_note(self, board, note, sizeof note);
    prf_events_add(self->hub->events, what, board->facts.board, "%s", *note ? note : "it measures its sentinel layer as usual");
    store(self, board, file);
}

static bool of_class(const prf_fleet_board_t *a, const prf_fleet_board_t *b)
{
    return b->live && strcmp(a->facts.kind, b->facts.kind) == 0 && strcmp(a->facts.fingerprint, b->facts.fingerprint) == 0;
}

/* A new value of one board can make odd another one, too. */
static void judge(prf_health_t *self, const prf_fleet_board_t *board)
{
    size_t all = self->file_count, count = 0;
    const prf_drift_t **drifts = calloc(all, sizeof *drifts);
    uint32_t *numbers = calloc(all, sizeof *numbers);
    bool *odd = calloc(all, sizeof *odd);
    for (size_t i = 0; drifts && numbers && odd && i < all; i++)
        if (of_class(board, prf_fleet_at(self->hub->fleet, i))) {
            drifts[count] = &self->files[i].drift;
            numbers[count++] = (uint32_t)i;
        }
    if (count > 0)
        prf_drift_compare(drifts, count, odd);
    for (size_t i = 0; i < count; i++) {
        file_t *file = &self->files[numbers[i]];
        flag(self, prf_fleet_at(self->hub->fleet, numbers[i]), file, prf_drift_drifting(&file->drift), odd[i]);
    }
    free(drifts);
    free(numbers);
    free(odd);
}

bool prf_health_take(prf_health_t *self, const prf_fleet_board_t *board, const prf_result_t *result)
{
    file_t *file = board->number < self->file_count ? &self->files[board->number] : NULL;
    if (!file || file->job == 0 || file->job != result->id)
        return false;
    file->job = 0;
    if (result->outcome || !prf_sample_plausible(&result->sample)) {
        prf_log(PRF_LOG_DEBUG, "sentinel_failed board=%s error=\"%s\"", board->facts.board, result->error);
        return true;
    }
    prf_drift_add(&file->drift, result->sample.latency_ns);
    store(self, board, file);
    judge(self, board);
    return true;
}

void prf_health_forget(prf_health_t *self, const prf_fleet_board_t *board)
{
    file_t *file = file_on(self, board);
    if (!file)
        return;
    file->drift = (prf_drift_t){.count = 0};
    file->drifting = file->odd = false;
    store(self, board, file);
}

void prf_health_note(const prf_health_t *self, const prf_fleet_board_t *board, char *text, size_t cap)
{
    const file_t *file = known(self, board);
    *text = '\0';
    if (!file || !(file->drifting || file->odd))
        return;
    double normal = prf_drift_normal(&file->drift), now = prf_drift_now(&file->drift);
    if (file->drifting)
        snprintf(text, cap, "drifts: its sentinel layer takes %+.1f %% against its first %d measurements (%.4g ns, noise %.1f %%)",
                 100 * (now / normal - 1), PRF_DRIFT_BASELINE, normal, 100 * prf_drift_noise(&file->drift));
    else
        snprintf(text, cap, "differs from its siblings: its sentinel layer takes %.4g ns", now);
}

bool prf_health_flagged(const prf_health_t *self, const char *kind)
{
    for (size_t i = 0; i < self->file_count; i++) {
        const prf_fleet_board_t *board = prf_fleet_at(self->hub->fleet, i);
        if ((self->files[i].drifting || self->files[i].odd) && board->live && strcmp(board->facts.kind, kind) == 0)
            return true;
    }
    return false;
}
