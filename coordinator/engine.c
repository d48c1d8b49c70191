// SPDX-License-Identifier: Apache-2.0
/* engine.c - the book of probes and the engine's interface.
 *
 * Every measurement that a kind of board wants stands once in its book. Probes are handed out in an order that comes from the
 * point's own digest, which is as good as shuffled: representatives, random and validation layers of all layer kinds stand in one
 * mixed queue, so that a board's slow drift favours none of them. Second attempts stand half a queue later than first ones.
 * Rejected: a stored plan. The book is rebuilt from the campaign and the results, so there is nothing that could disagree. */
#include "engine_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BOARD_SHIFT = 40, RECENT = 1 << 15 /* points */, AHEAD = 8 /* probes */ };

prf_status_t list_add(list_t *list, size_t item, prf_error_t *err)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 32;
        size_t *items = realloc(list->items, cap * sizeof *items);
        if (!items)
            return prf_fail(err, PRF_ENOMEM, "a list of %zu measurements", cap);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = item;
    return PRF_OK;
}

void prf_engine_networks_free(prf_engine_network_t *networks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(networks[i].blocks);
        free(networks[i].edges);
    }
    free(networks);
}

prf_status_t prf_engine_new(prf_engine_t **out, prf_campaign_t *campaign, prf_engine_network_t *networks, size_t network_count,
                            prf_error_t *err)
{
    prf_engine_t *self = calloc(1, sizeof *self);
    kind_t *kinds = calloc(campaign->board_count, sizeof *kinds);
    prf_model_t **olds = calloc(campaign->board_count, sizeof(void *));
    uint64_t *recent = calloc(RECENT, sizeof *recent);
    if (!self || !kinds || !olds || !recent) {
        free(recent);
        free(self);
        free(kinds);
        free(olds);
        prf_engine_networks_free(networks, network_count);
        prf_campaign_release(campaign);
        return prf_fail(err, PRF_ENOMEM, "campaign");
    }
    self->campaign = *campaign;
    memset(campaign, 0, sizeof *campaign);
    self->networks = networks;
    self->network_count = network_count;
    self->kinds = kinds;
    self->olds = olds;
    self->recent = recent;
    prf_map_init(&self->index);
    *out = self;
    return PRF_OK;
}

void kind_release(kind_t *kind)
{
    for (size_t i = 0; i < kind->track_count; i++)
        track_release(&kind->tracks[i]);
    for (size_t i = 0; i < kind->chain_count; i++) {
        free(kind->chains[i].blocks);
        free(kind->chains[i].probes.items);
        free(kind->chains[i].alone.items);
    }
    fusion_release(kind);
    free(kind->tracks);
    free(kind->chains);
    free(kind->probes);
    free(kind->layers);
    free(kind->pending.items);
    free(kind->stale.items);
    free(kind->again.items);
    prf_map_release(&kind->counted);
    json_decref(kind->verdict);
    free(kind->file);
    prf_model_destroy(&kind->model);
}

void prf_engine_destroy(prf_engine_t **self)
{
    if (!self || !*self)
        return;
    prf_engine_t *e = *self;
    for (size_t i = 0; i < e->campaign.board_count; i++) {
        kind_release(&e->kinds[i]);
        prf_model_destroy(&e->olds[i]);
    }
    free(e->kinds);
    free(e->olds);
    free(e->recent);
    prf_engine_networks_free(e->networks, e->network_count);
    prf_map_release(&e->index);
    prf_campaign_release(&e->campaign);
    free(e);
    *self = NULL;
}

void prf_engine_begin_with(prf_engine_t *self, size_t board, prf_model_t *old)
{
    prf_model_destroy(&self->olds[board]);
    self->olds[board] = old;
}

const prf_campaign_t *prf_engine_campaign(const prf_engine_t *self)
{
    return &self->campaign;
}

void kind_fail(kind_t *kind, const char *why)
{
    kind->stage = PRF_STAGE_FAILED;
    snprintf(kind->error, sizeof kind->error, "%s", why);
    kind->pending.count = kind->sorted = 0;
}

prf_status_t prf_engine_pin(prf_engine_t *self, size_t board, const char *fingerprint, uint32_t kinds, uint32_t dtypes,
                            uint32_t flags, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    if (kind->stage != PRF_STAGE_WAITING)
        return PRF_OK;
    snprintf(kind->fingerprint, sizeof kind->fingerprint, "%s", fingerprint);
    kind->kinds = kinds;
    kind->dtypes = dtypes;
    kind->builds = (flags & PRF_BOARD_NETWORKS) != 0;
    prf_status_t status = plan_begin(self, board, err);
    if (status)
        kind_fail(kind, err ? err->text : prf_status_name(status));
    return status;
}

const char *prf_engine_fingerprint(const prf_engine_t *self, size_t board)
{
    return self->kinds[board].fingerprint;
}

const char *role_name(role_t role)
{
    static const char *const names[ROLES] = {"sweep",   "representative", "validation", "random", "network",
                                             "refresh", "active",         "fusion",     "chain"};
    return names[role];
}

/* Room for one more probe, of so many layers. */
static prf_status_t probe_slot(kind_t *kind, uint32_t layers, prf_error_t *err)
{
    if (kind->probe_count == kind->probe_cap) {
        size_t cap = kind->probe_cap ? kind->probe_cap * 2 : 64;
        probe_t *probes = realloc(kind->probes, cap * sizeof *probes);
        if (!probes)
            return prf_fail(err, PRF_ENOMEM, "%zu measurements", cap);
        kind->probes = probes;
        kind->probe_cap = cap;
    }
    if (kind->layer_count + layers > kind->layer_cap) {
        size_t cap = kind->layer_cap ? kind->layer_cap * 2 : 64;
        prf_layer_t *grown = cap < UINT32_MAX ? realloc(kind->layers, cap * sizeof *grown) : NULL;
        if (!grown)
            return prf_fail(err, PRF_ENOMEM, "%zu layers", cap);
        kind->layers = grown;
        kind->layer_cap = cap;
    }
    return PRF_OK;
}

const prf_layer_t *probe_layers(const kind_t *kind, size_t probe)
{
    return &kind->layers[kind->probes[probe].layer];
}

void probe_block(const kind_t *kind, size_t probe, prf_block_t *out)
{
    const probe_t *p = &kind->probes[probe];
    out->dtype = (prf_dtype_t)p->dtype;
    out->count = p->layer_count;
    for (uint32_t i = 0; i < p->layer_count; i++)
        out->layers[i] = kind->layers[p->layer + i];
}

/* Notes what the probe measures; there is room. */
static void keep_layers(kind_t *kind, probe_t *probe, const prf_block_t *block)
{
    probe->dtype = (uint8_t)block->dtype;
    probe->layer_count = (uint8_t)block->count;
    probe->layer = (uint32_t)kind->layer_count;
    for (uint32_t i = 0; i < block->count; i++)
        kind->layers[kind->layer_count++] = block->layers[i];
}

/* Sweeps decide what comes after them, so they go first. */
static double order_of(const prf_digest_t *point, role_t role, uint32_t attempt)
{
    uint32_t bits;
    memcpy(&bits, point->bytes + 8, sizeof bits);
    double shuffled = bits * 0x1.0p-32;
    return role == ROLE_SWEEP ? shuffled - 2 : shuffled + 0.5 * (attempt % PRF_GENERATION_ATTEMPTS);
}

static prf_chain_t chain_of(const kind_t *kind, size_t chain)
{
    const chain_t *c = &kind->chains[chain];
    return (prf_chain_t){.blocks = c->blocks, .count = c->count, .edges = c->edges, .edge_count = c->edge_count};
}

/* Networks are timed as they run, one block behind the other: their own blocks leave the cache in a network's state. */
static prf_protocol_t chain_protocol(const prf_campaign_t *campaign)
{
    prf_protocol_t p = campaign->protocol;
    p.cache = PRF_CACHE_WARM;
    return p;
}

/* Where a probe is, in the index's one number. */
static uint64_t place_of(size_t board, size_t probe)
{
    return (uint64_t)board << BOARD_SHIFT | probe;
}

static size_t board_at(uint64_t place)
{
    return (size_t)(place >> BOARD_SHIFT);
}

static size_t probe_at(uint64_t place)
{
    return (size_t)(place & (((uint64_t)1 << BOARD_SHIFT) - 1));
}

static uint64_t *recent_of(const prf_engine_t *self, const prf_digest_t *point)
{
    uint32_t bits;
    memcpy(&bits, point->bytes, sizeof bits);
    return &self->recent[bits % RECENT];
}

/* The index is large, and where it is looked into is rarely in the cache. */
static bool find(const prf_engine_t *self, const prf_digest_t *point, uint32_t attempt, uint64_t *place)
{
    *place = *recent_of(self, point);
    const kind_t *kind = &self->kinds[board_at(*place)];
    if (probe_at(*place) < kind->probe_count) {
        const probe_t *probe = &kind->probes[probe_at(*place)];
        if (probe->attempt == attempt && prf_digest_compare(&probe->point, point) == 0)
            return true;
    }
    return prf_map_get(&self->index, point, attempt, place);
}

uint32_t probe_attempt(uint32_t generation, uint32_t attempt)
{
    return generation * PRF_GENERATION_ATTEMPTS + attempt;
}

void probe_skip(kind_t *kind, probe_t *probe)
{
    probe->state = PROBE_SKIPPED;
    kind->skipped++;
}

prf_status_t probe_want(prf_engine_t *self, size_t board, const prf_block_t *block, size_t chain, uint32_t attempt, role_t role,
                        size_t *probe, prf_error_t *err)
{
    kind_t *kind = &self->kinds[board];
    probe_t p = {.attempt = attempt, .role = role, .chain = chain};
    prf_protocol_t protocol = self->campaign.protocol;
    prf_chain_t measured = {.blocks = block, .count = 1};
    if (chain != NO_CHAIN) {
        protocol = chain_protocol(&self->campaign);
        measured = chain_of(kind, chain);
    }
    prf_point_id(&p.point, self->campaign.boards[board].kind, kind->fingerprint, &protocol, &measured);
    uint64_t known;
    if (prf_map_get(&self->index, &p.point, attempt, &known)) {
        *probe = probe_at(known);
        return PRF_OK;
    }
    p.order = order_of(&p.point, role, attempt);
    p.had = self->had && self->had(self->had_arg, &p.point, attempt);
    if (cut_leaves_out(kind, &p))
        probe_skip(kind, &p);
    prf_status_t status = probe_slot(kind, chain == NO_CHAIN ? block->count : 0, err);
    if (!status && p.state == PROBE_PENDING)
        status = list_add(&kind->pending, kind->probe_count, err);
    if (!status)
        status = prf_map_put(&self->index, &p.point, attempt, place_of(board, kind->probe_count), err);
    if (status)
        return status;
    if (chain == NO_CHAIN)
        keep_layers(kind, &p, block);
    kind->probes[kind->probe_count] = p;
    *probe = kind->probe_count++;
    return PRF_OK;
}

const probe_t *probe_known(const prf_engine_t *self, const kind_t *kind, const prf_digest_t *point, uint32_t attempt)
{
    uint64_t at;
    return prf_map_get(&self->index, point, attempt, &at) ? &kind->probes[probe_at(at)] : NULL;
}

/* qsort has no argument for its comparison, hence pairs. */
typedef struct {
    double rank;
    size_t probe;
} ranked_t;

static int falling(const void *a, const void *b)
{
    const ranked_t *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? 1 : -1;
    return x->probe < y->probe ? 1 : -1;
}

/* What was had in an earlier run comes first, which is not its order: a refresh chooses by that. */
static double rank_of(const probe_t *probe)
{
    return probe->order - (probe->had ? PRF_GENERATION_ATTEMPTS : 0);
}

static ranked_t ranked_of(const kind_t *kind, size_t probe)
{
    return (ranked_t){rank_of(&kind->probes[probe]), probe};
}

/* Each of the few that came since, into its place: a layer that is measured once more when its answer is there comes alone. */
static void insert_pending(kind_t *kind)
{
    size_t *items = kind->pending.items;
    for (; kind->sorted < kind->pending.count; kind->sorted++) {
        const ranked_t fresh = ranked_of(kind, items[kind->sorted]);
        size_t from = 0, to = kind->sorted;
        while (from < to) {
            size_t middle = from + (to - from) / 2;
            const ranked_t there = ranked_of(kind, items[middle]);
            if (falling(&there, &fresh) < 0)
                from = middle + 1;
            else
                to = middle;
        }
        memmove(&items[from + 1], &items[from], (kind->sorted - from) * sizeof *items);
        items[from] = fresh.probe;
    }
}

static void sort_pending(kind_t *kind)
{
    enum { FEW = 16 };
    size_t n = kind->pending.count;
    ranked_t *ranked = n - kind->sorted > FEW ? malloc(n * sizeof *ranked) : NULL;
    if (!ranked) { /* few, or out of memory: the same at length */
        insert_pending(kind);
        return;
    }
    for (size_t i = 0; i < n; i++)
        ranked[i] = ranked_of(kind, kind->pending.items[i]);
    qsort(ranked, n, sizeof *ranked, falling);
    for (size_t i = 0; i < n; i++)
        kind->pending.items[i] = ranked[i].probe;
    free(ranked);
    kind->sorted = n;
}

void prf_engine_recall(prf_engine_t *self, prf_known_fn had, void *arg)
{
    self->had = had;
    self->had_arg = arg;
}

bool prf_engine_next_on(prf_engine_t *self, size_t board, prf_want_t *out)
{
    kind_t *kind = &self->kinds[board];
    if (kind->pending.count == 0 || cut_is_due(self, kind))
        return false;
    sort_pending(kind);
    size_t at = kind->pending.items[--kind->pending.count];
    kind->sorted = kind->pending.count;
    probe_t *probe = &kind->probes[at];
    /* Probes are handed out in an order in which they do not lie, so the next ones are fetched meanwhile. Not a function of its
     * own: gcc would take it for one without effect. */
    if (kind->pending.count > AHEAD && kind->layers) {
        size_t later = kind->pending.count - AHEAD, next = later + AHEAD / 2;
        __builtin_prefetch(&kind->probes[kind->pending.items[later]], 1);
        __builtin_prefetch(&kind->layers[kind->probes[kind->pending.items[next]].layer]);
    }
    probe->state = PROBE_OUT;
    *recent_of(self, &probe->point) = place_of(board, at);
    kind->out++;
    probe_block(kind, at, &self->handed);
    *out = (prf_want_t){.point = probe->point,
                        .attempt = probe->attempt,
                        .board = board,
                        .blocks = &self->handed,
                        .block_count = 1,
                        .role = role_name(probe->role)};
    if (probe->chain != NO_CHAIN) {
        prf_chain_t measured = chain_of(kind, probe->chain);
        out->blocks = measured.blocks;
        out->block_count = measured.count;
        out->edges = measured.edges;
        out->edge_count = measured.edge_count;
        out->protocol = chain_protocol(&self->campaign);
    } else {
        out->protocol = self->campaign.protocol;
    }
    return true;
}

bool prf_engine_next(prf_engine_t *self, prf_want_t *out)
{
    size_t boards = self->campaign.board_count;
    for (size_t i = 0; i < boards; i++) {
        size_t board = (self->turn + i) % boards;
        if (prf_engine_next_on(self, board, out)) {
            self->turn = (board + 1) % boards;
            return true;
        }
    }
    return false;
}

prf_status_t prf_engine_answer(prf_engine_t *self, const prf_digest_t *point, uint32_t attempt, const prf_sample_t *sample,
                               bool reused, const char *error, prf_error_t *err)
{
    uint64_t known;
    if (!find(self, point, attempt, &known))
        return PRF_OK;
    size_t board = board_at(known);
    kind_t *kind = &self->kinds[board];
    probe_t *probe = &kind->probes[probe_at(known)];
    if (probe->state != PROBE_OUT)
        return PRF_OK;
    kind->out--;
    if (sample) {
        probe->reused = reused;
        kind->reused += reused;
        probe->state = PROBE_MEASURED;
        probe->latency_ns = sample->latency_ns;
        probe->energy_nj = self->campaign.protocol.energy_ms ? sample->energy_nj : 0;
        probe->busy_ns = sample->busy_ns;
        probe->disturbed = (sample->taint & ~(uint32_t)PRF_TAINT_UNSTEADY) != 0;
        kind->busy_ns += probe->role == ROLE_REFRESH ? 0 : sample->busy_ns; /* which no time budget knew of */
        kind->measured += !reused;
    } else {
        probe->state = PROBE_POISONED;
        kind->poisoned++;
        if (error)
            snprintf(kind->note, sizeof kind->note, "%zu point%s given up ('prfarm poisoned %s' tells why), the last one: %s",
                     kind->poisoned, kind->poisoned == 1 ? " was" : "s were", self->campaign.name, error);
    }
    if (kind->stage == PRF_STAGE_FAILED)
        return PRF_OK;
    prf_status_t status = passes_answered(self, board, probe_at(known), err);
    if (!status)
        status = plan_advance(self, board, err);
    if (status)
        kind_fail(kind, err ? err->text : prf_status_name(status));
    return status;
}

void prf_engine_outlook(const prf_engine_t *self, prf_known_fn known, void *arg, size_t *have, size_t *lack)
{
    size_t all = 0, answered = 0;
    for (size_t i = 0; i < self->campaign.board_count; i++) {
        const kind_t *kind = &self->kinds[i];
        for (size_t k = 0; k < kind->probe_count; k++) {
            const probe_t *p = &kind->probes[k];
            if (p->state == PROBE_SKIPPED)
                continue;
            all++;
            answered += p->state > PROBE_OUT || known(arg, &p->point, p->attempt);
        }
    }
    *have = answered;
    *lack = all - answered;
}

const void *prf_engine_model(const prf_engine_t *self, size_t board, size_t *len, uint32_t *version)
{
    const kind_t *kind = &self->kinds[board];
    *len = kind->file_len;
    *version = kind->version;
    return kind->file;
}

double prf_engine_mape(const prf_engine_t *self, size_t board)
{
    const prf_metrics_t *validation = &self->kinds[board].provenance.validation;
    return validation->count > 0 ? validation->mape_percent : (double)NAN;
}

void prf_engine_published(prf_engine_t *self, size_t board, uint32_t version)
{
    self->kinds[board].version = version;
}

void prf_engine_acknowledged(prf_engine_t *self, size_t board, uint32_t workers, uint32_t acknowledged, bool late)
{
    kind_t *kind = &self->kinds[board];
    if (kind->stage != PRF_STAGE_PUBLISH)
        return;
    kind->workers = workers;
    kind->acknowledged = acknowledged;
    if (kind->version == 0 || (!late && (workers == 0 || acknowledged < workers)))
        return;
    kind->stage = PRF_STAGE_DONE;
    if (acknowledged < workers)
        snprintf(kind->note, sizeof kind->note, "%u of %u workers do not run the model: see their logs", workers - acknowledged,
                 workers);
}

void prf_engine_fail(prf_engine_t *self, size_t board, const char *why)
{
    self->kinds[board].training = false;
    kind_fail(&self->kinds[board], why);
}

prf_stage_t prf_engine_stage(const prf_engine_t *self, size_t board)
{
    return self->kinds[board].stage;
}

const char *prf_stage_name(prf_stage_t stage)
{
    static const char *const names[PRF_STAGES] = {"waiting", "sweep", "measure", "train", "check", "publish", "done", "failed"};
    return (unsigned)stage < PRF_STAGES ? names[stage] : "?";
}

bool prf_engine_finished(const prf_engine_t *self)
{
    for (size_t i = 0; i < self->campaign.board_count; i++)
        if (self->kinds[i].stage != PRF_STAGE_DONE && self->kinds[i].stage != PRF_STAGE_FAILED)
            return false;
    return true;
}
