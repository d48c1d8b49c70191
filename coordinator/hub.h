// SPDX-License-Identifier: Apache-2.0
/* hub.h - the coordinator's parts as daemon.c has wired them together. Every pointer is borrowed; all on the loop thread. */
#ifndef PRF_HUB_H
#define PRF_HUB_H

#include "auth.h"
#include "commits.h"
#include "events.h"
#include "fleet.h"
#include "index.h"
#include "models.h"
#include "net/net.h"
#include "plan.h"
#include "plausible.h"
#include "poison.h"
#include "publisher.h"
#include "room.h"
#include "scheduler.h"
#include "trainer.h"

typedef struct {
    const char *dir; /* of the store */
    prf_auth_t *auth;
    prf_store_t *store;
    prf_commits_t *commits;
    prf_room_t room; /* on the store's disk */
    prf_ledger_t *ledger;
    prf_index_t *index;
    prf_plan_t *plan;
    prf_poison_t *poison;
    prf_plausible_t *plausible;
    prf_sched_t *sched;
    prf_fleet_t *fleet;
    prf_publisher_t *publisher;
    prf_trainer_t *trainer;
    prf_models_t *models;
    struct prf_side *side;
    prf_events_t *events;
    struct prf_triage *triage;
    struct prf_health *health;
    prf_socket_t *workers, *clients; /* ROUTERs */
    uint32_t heartbeat_ms;
    uint64_t started_ms, started_wall_ms; /* monotonic; for people */
    bool stopping;                        /* no new work is granted */
} prf_hub_t;

/* Whether new work may be given out; if not, *note (may be NULL, borrowed, "" while the coordinator ends) tells a person why and
 * what to do. */
bool prf_hub_granting(const prf_hub_t *hub, const char **note);
/* Sends a page of the plan, which may be empty, on its way to the store. Errors: those of prf_commits_value. */
PRF_CHECKED prf_status_t prf_hub_write_plan(const prf_hub_t *hub, const prf_plan_page_t *page, prf_error_t *err);

/* Owners of jobs in the scheduler: campaigns have 0 .. PRF_OWNER_REQUESTS - 1. */
enum { PRF_OWNER_REQUESTS = PRF_SCHED_OWNERS - 1 };

#endif
