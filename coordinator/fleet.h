// SPDX-License-Identifier: Apache-2.0
/* fleet.h - every board that the farm knows, here now or not: facts, session, what it runs. Plain data that sessions.c keeps up
 * to date and the others read. Loop thread only; boards are never forgotten while the coordinator runs, so pointers to them
 * stay good. */
#ifndef PRF_FLEET_H
#define PRF_FLEET_H

#include "failure.h"
#include "net/net.h"
#include "pace.h"
#include "trust.h"
#include "wire/wire.h"

typedef struct prf_fleet prf_fleet_t;

enum { PRF_FLEET_ACKS = 512 };

/* Boards that something is to be done for. Each stands at most once in a list; whoever takes it out does what there is to do, and
 * puts it back if that is not all. So an event costs as much as the boards that wait for something, however large the fleet. */
typedef enum {
    PRF_FLEET_TAKING,   /* have credit */
    PRF_FLEET_TOLD,     /* are to be told of job ids */
    PRF_FLEET_FETCHING, /* wait for a chunk of a model */
    PRF_FLEET_LISTS
} prf_fleet_list_t;

typedef struct prf_fleet_board {
    uint32_t number; /* index in the fleet; also the scheduler's number for it */
    prf_hello_t facts;
    bool live;
    prf_peer_t peer; /* of the live session */
    uint64_t session;
    uint32_t klass;     /* the scheduler's, while live */
    uint32_t credit;    /* jobs that it would take; changed by prf_fleet_set_credit only */
    uint64_t heard_ms;  /* monotonic; 0: not since this coordinator started */
    uint32_t owed;      /* results that its Hello told of and that have not come yet */
    uint64_t silent_ms; /* when it was given up because nothing was heard of it; 0: it was not, or is back and has handed over */
    uint64_t done, failures[PRF_FAILURES];
    prf_pace_t pace; /* results.c notes it */
    unsigned broken; /* malformed frames of this session */
    unsigned unread; /* heartbeats in a row that found its queue full */
    uint64_t told;   /* number of the heartbeat's period in which it was last sent something */

    prf_trust_t trust; /* triage.h keeps it */

    prf_model_version_t model; /* the one that it said it runs */
    uint64_t offered_ms;       /* when it was last told of a newer one */

    struct prf_fleet_fetch {
        prf_digest_t digest; /* the chunk that it asked for last */
        uint64_t offset;
        bool waits;       /* it was not sent yet */
        uint64_t sent_ms; /* when it was sent; 0: it was not, or is not on its way any more */
    } fetch;

    struct prf_fleet_ids {
        uint64_t *items; /* owned; room for PRF_FLEET_ACKS */
        size_t count;
    } committed, forget, revoke; /* job ids that it is still to be told */

    bool listed[PRF_FLEET_LISTS];

    prf_hello_t *claim; /* owned: someone else says it is this board; NULL: nobody */
    prf_peer_t claimant;
    uint64_t claimed_ms;
} prf_fleet_board_t;

/* A fleet of at most `cap` boards. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_fleet_new(prf_fleet_t **out, size_t cap, prf_error_t *err);
void prf_fleet_destroy(prf_fleet_t **self);
size_t prf_fleet_count(const prf_fleet_t *self);
prf_fleet_board_t *prf_fleet_at(const prf_fleet_t *self, size_t number);
prf_fleet_board_t *prf_fleet_find(const prf_fleet_t *self, const char *name);
/* The live board behind a peer, or NULL. */
prf_fleet_board_t *prf_fleet_peer(const prf_fleet_t *self, const prf_peer_t *peer);
/* The board of that name, made when it is new. Errors: PRF_EBUSY (full), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_fleet_add(prf_fleet_t *self, const char *name, prf_fleet_board_t **out, prf_error_t *err);
/* Makes a board live behind a peer (taking over from the one before), or not live any more. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_fleet_attach(prf_fleet_t *self, prf_fleet_board_t *board, const prf_peer_t *peer, prf_error_t *err);
void prf_fleet_detach(prf_fleet_t *self, prf_fleet_board_t *board);
size_t prf_fleet_live(const prf_fleet_t *self);
/* Appends the board, unless it is there. */
void prf_fleet_list(prf_fleet_t *self, prf_fleet_list_t list, prf_fleet_board_t *board);
size_t prf_fleet_listed(const prf_fleet_t *self, prf_fleet_list_t list);
/* Takes the first one out; it may have lost its session since. NULL: the list is empty. */
prf_fleet_board_t *prf_fleet_next(prf_fleet_t *self, prf_fleet_list_t list);
/* A board with credit is listed as PRF_FLEET_TAKING. prf_fleet_detach sets it to 0; with credit, a board keeps its class. */
void prf_fleet_set_credit(prf_fleet_t *self, prf_fleet_board_t *board, uint32_t credit);
/* Summed over the boards of a class. */
size_t prf_fleet_credit(const prf_fleet_t *self, uint32_t klass);
/* Live boards whose peers hold the same key; 0 for a peer without one. */
size_t prf_fleet_sessions(const prf_fleet_t *self, const prf_peer_t *peer);

/* Counts the live boards of a kind. */
typedef struct {
    uint32_t workers; /* all of the kind */
    uint32_t current; /* run model version `version` */
    uint32_t same;    /* have the fingerprint asked for */
} prf_census_t;
prf_census_t prf_fleet_census(const prf_fleet_t *self, const char *kind, const char *fingerprint, uint32_t version);

#endif
