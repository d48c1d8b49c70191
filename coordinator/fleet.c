// SPDX-License-Identifier: Apache-2.0
/* fleet.c - boards in the order in which they were first seen, found by name or by the peer that speaks for them. */
#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

/* A ring with room for every board. */
typedef struct {
    prf_fleet_board_t **boards; /* owned; the boards are the fleet's */
    size_t first, count;
} ring_t;

struct prf_fleet {
    prf_fleet_board_t **boards; /* owned, each too */
    size_t count, room, cap, live;
    prf_map_t names, peers; /* key of the name or the peer -> number */
    prf_map_t keys;         /* key of the public key -> its live boards */
    ring_t lists[PRF_FLEET_LISTS];
    size_t *credit; /* owned; by class */
    uint32_t classes;
};

prf_status_t prf_fleet_new(prf_fleet_t **out, size_t cap, prf_error_t *err)
{
    prf_fleet_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "fleet");
    self->cap = cap;
    prf_map_init(&self->names);
    prf_map_init(&self->peers);
    prf_map_init(&self->keys);
    *out = self;
    return PRF_OK;
}

void prf_fleet_destroy(prf_fleet_t **self)
{
    if (!self || !*self)
        return;
    prf_fleet_t *f = *self;
    for (size_t i = 0; i < f->count; i++) {
        free(f->boards[i]->committed.items);
        free(f->boards[i]->forget.items);
        free(f->boards[i]->revoke.items);
        free(f->boards[i]->claim);
        free(f->boards[i]);
    }
    free(f->boards);
    for (size_t i = 0; i < PRF_FLEET_LISTS; i++)
        free(f->lists[i].boards);
    free(f->credit);
    prf_map_release(&f->names);
    prf_map_release(&f->peers);
    prf_map_release(&f->keys);
    free(f);
    *self = NULL;
}

size_t prf_fleet_count(const prf_fleet_t *self)
{
    return self->count;
}

prf_fleet_board_t *prf_fleet_at(const prf_fleet_t *self, size_t number)
{
    return self->boards[number];
}

static prf_fleet_board_t *look_up(const prf_fleet_t *self, const prf_map_t *map, const void *key, size_t len)
{
    prf_digest_t digest;
    uint64_t number;
    prf_map_key(&digest, key, len);
    return prf_map_get(map, &digest, 0, &number) ? self->boards[number] : NULL;
}

prf_fleet_board_t *prf_fleet_find(const prf_fleet_t *self, const char *name)
{
    return look_up(self, &self->names, name, strlen(name));
}

prf_fleet_board_t *prf_fleet_peer(const prf_fleet_t *self, const prf_peer_t *peer)
{
    return look_up(self, &self->peers, peer->bytes, peer->len);
}

/* The ring's boards, from the first on, in a larger one. */
static bool widen(ring_t *ring, size_t before, size_t room)
{
    prf_fleet_board_t **boards = malloc(room * sizeof(void *));
    if (!boards)
        return false;
    for (size_t i = 0, at = ring->first; i < ring->count; i++, at = at + 1 < before ? at + 1 : 0)
        boards[i] = ring->boards[at];
    free(ring->boards);
    *ring = (ring_t){boards, 0, ring->count};
    return true;
}

static prf_status_t make_room(prf_fleet_t *self, prf_error_t *err)
{
    size_t room = self->room ? self->room * 2 : 16;
    prf_fleet_board_t **boards = realloc(self->boards, room * sizeof(void *));
    if (boards)
        self->boards = boards;
    bool ok = boards != NULL;
    for (size_t i = 0; ok && i < PRF_FLEET_LISTS; i++)
        ok = widen(&self->lists[i], self->room, room);
    if (!ok)
        return prf_fail(err, PRF_ENOMEM, "%zu boards", room);
    self->room = room;
    return PRF_OK;
}

prf_status_t prf_fleet_add(prf_fleet_t *self, const char *name, prf_fleet_board_t **out, prf_error_t *err)
{
    prf_fleet_board_t *board = prf_fleet_find(self, name);
    if (board) {
        *out = board;
        return PRF_OK;
    }
    if (self->count == self->cap)
        return prf_fail(err, PRF_EBUSY, "%zu boards are known, no more fit: restart the coordinator to forget those that are gone",
                        self->count);
    if (self->count == self->room) {
        prf_status_t status = make_room(self, err);
        if (status)
            return status;
    }
    board = calloc(1, sizeof *board);
    if (!board)
        return prf_fail(err, PRF_ENOMEM, "board %s", name);
    board->number = (uint32_t)self->count;
    snprintf(board->facts.board, sizeof board->facts.board, "%s", name);
    prf_digest_t key;
    prf_map_key(&key, name, strlen(name));
    prf_status_t status = prf_map_put(&self->names, &key, 0, board->number, err);
    if (status) {
        free(board);
        return status;
    }
    self->boards[self->count++] = board;
    *out = board;
    return PRF_OK;
}

size_t prf_fleet_sessions(const prf_fleet_t *self, const prf_peer_t *peer)
{
    prf_digest_t key;
    uint64_t count = 0;
    if (!peer->keyed)
        return 0;
    prf_map_key(&key, peer->key.bytes, sizeof peer->key.bytes);
    return prf_map_get(&self->keys, &key, 0, &count) ? (size_t)count : 0;
}

/* `count` is the new number of live boards of the peer's key. */
static prf_status_t set_sessions(prf_fleet_t *self, const prf_peer_t *peer, size_t count, prf_error_t *err)
{
    prf_digest_t key;
    if (!peer->keyed)
        return PRF_OK;
    prf_map_key(&key, peer->key.bytes, sizeof peer->key.bytes);
    if (count > 0)
        return prf_map_put(&self->keys, &key, 0, count, err);
    prf_map_remove(&self->keys, &key, 0);
    return PRF_OK;
}

prf_status_t prf_fleet_attach(prf_fleet_t *self, prf_fleet_board_t *board, const prf_peer_t *peer, prf_error_t *err)
{
    prf_fleet_detach(self, board);
    prf_digest_t key;
    prf_map_key(&key, peer->bytes, peer->len);
    prf_status_t status = prf_map_put(&self->peers, &key, 0, board->number, err);
    if (!status && (status = set_sessions(self, peer, prf_fleet_sessions(self, peer) + 1, err)))
        prf_map_remove(&self->peers, &key, 0);
    if (status)
        return status;
    board->peer = *peer;
    board->live = true;
    self->live++;
    return PRF_OK;
}

void prf_fleet_detach(prf_fleet_t *self, prf_fleet_board_t *board)
{
    if (!board->live)
        return;
    prf_digest_t key;
    prf_map_key(&key, board->peer.bytes, board->peer.len);
    prf_map_remove(&self->peers, &key, 0);
    (void)!set_sessions(self, &board->peer, prf_fleet_sessions(self, &board->peer) - 1,
                        NULL); /* needs no memory: it has its place */
    board->peer = (prf_peer_t){0};
    board->live = false;
    board->committed.count = board->forget.count = board->revoke.count = 0;
    prf_fleet_set_credit(self, board, 0);
    self->live--;
}

size_t prf_fleet_live(const prf_fleet_t *self)
{
    return self->live;
}

void prf_fleet_list(prf_fleet_t *self, prf_fleet_list_t list, prf_fleet_board_t *board)
{
    ring_t *ring = &self->lists[list];
    if (board->listed[list])
        return;
    board->listed[list] = true;
    ring->boards[(ring->first + ring->count++) % self->room] = board;
}

size_t prf_fleet_listed(const prf_fleet_t *self, prf_fleet_list_t list)
{
    return self->lists[list].count;
}

prf_fleet_board_t *prf_fleet_next(prf_fleet_t *self, prf_fleet_list_t list)
{
    ring_t *ring = &self->lists[list];
    if (ring->count == 0)
        return NULL;
    prf_fleet_board_t *board = ring->boards[ring->first];
    ring->first = (ring->first + 1) % self->room;
    ring->count--;
    board->listed[list] = false;
    return board;
}

void prf_fleet_set_credit(prf_fleet_t *self, prf_fleet_board_t *board, uint32_t credit)
{
    if (credit == board->credit)
        return;
    if (board->klass >= self->classes) {
        size_t *grown = realloc(self->credit, (board->klass + 1) * sizeof *grown);
        if (!grown)
            return; /* it gets its jobs when memory is there again and it asks anew */
        memset(grown + self->classes, 0, (board->klass + 1 - self->classes) * sizeof *grown);
        self->credit = grown;
        self->classes = board->klass + 1;
    }
    self->credit[board->klass] = self->credit[board->klass] - board->credit + credit;
    board->credit = credit;
    if (credit > 0)
        prf_fleet_list(self, PRF_FLEET_TAKING, board);
}

size_t prf_fleet_credit(const prf_fleet_t *self, uint32_t klass)
{
    return klass < self->classes ? self->credit[klass] : 0;
}

prf_census_t prf_fleet_census(const prf_fleet_t *self, const char *kind, const char *fingerprint, uint32_t version)
{
    prf_census_t census = {0};
    for (size_t i = 0; i < self->count; i++) {
        const prf_fleet_board_t *b = self->boards[i];
        if (!b->live || strcmp(b->facts.kind, kind) != 0)
            continue;
        census.workers++;
        census.current += version > 0 && b->model.version == version;
        census.same += strcmp(b->facts.fingerprint, fingerprint) == 0;
    }
    return census;
}
