// SPDX-License-Identifier: Apache-2.0
/* states.h - the coordinator's state machines as tables: what may happen in which state, and what comes of it. docs/states.md has
 * the same tables with the reasons; a test compares the two. Pure; constant data.
 *
 * The code moves by asking these tables, so that nothing happens which is not written down: an event that a state does not have
 * is refused by prf_machine_next, and whoever had thought that it could not come asserts. */
#ifndef PRF_STATES_H
#define PRF_STATES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    int from, event, to;
} prf_transition_t;

typedef struct {
    const char *name;              /* as docs/states.md calls it */
    const char *const *states;     /* names by number */
    const char *const *events;     /* likewise */
    const prf_transition_t *moves; /* at most one for a state and an event */
    size_t state_count, event_count, move_count;
} prf_machine_t;

/* False, and *state as it was, when the state does not know the event. */
bool prf_machine_next(const prf_machine_t *machine, int event, int *state);

/* Every machine; `index` from 0, NULL behind the last. */
const prf_machine_t *prf_machine_at(size_t index);

/* A job: a point and an attempt that is wanted and not stored yet (scheduler.c). */
typedef enum { PRF_JOB_QUEUED = 0, PRF_JOB_LEASED, PRF_JOB_HELD, PRF_JOB_GONE, PRF_JOB_STATES } prf_job_state_t;
typedef enum {
    PRF_JOB_GRANT = 0, /* a board gets it */
    PRF_JOB_LOSE,      /* its board is gone, its lease is over, or it never reached the board */
    PRF_JOB_FAIL,      /* its board reports a failure */
    PRF_JOB_HOLD,      /* its outcome is on its way to the store: a result, or that it is given up */
    PRF_JOB_AGAIN,     /* the outcome is doubtful, or could not be written: once more */
    PRF_JOB_STORE,     /* its outcome is durable */
    PRF_JOB_DISOWN,    /* nobody wants it any more */
    PRF_JOB_EVENTS
} prf_job_event_t;
extern const prf_machine_t prf_machine_job;

/* A campaign (campaigns_change.c). The states' numbers are not stored, their names are. */
typedef enum {
    PRF_CAMPAIGN_RUNNING = 0,
    PRF_CAMPAIGN_PAUSED,
    PRF_CAMPAIGN_DONE,
    PRF_CAMPAIGN_CANCELLED,
    PRF_CAMPAIGN_FAILED,
    PRF_CAMPAIGN_STATES
} prf_campaign_state_t;
typedef enum {
    PRF_CAMPAIGN_SUBMIT = 0, /* the same file again */
    PRF_CAMPAIGN_EDIT,       /* another file in the place of its file */
    PRF_CAMPAIGN_PAUSE,
    PRF_CAMPAIGN_RESUME,
    PRF_CAMPAIGN_RETRY, /* its poisoned points were cleared */
    PRF_CAMPAIGN_CANCEL,
    PRF_CAMPAIGN_REFRESH, /* does its model still hold? */
    PRF_CAMPAIGN_FINISH,  /* its engine is through, with a model */
    PRF_CAMPAIGN_FAIL,    /* its engine is through, without */
    PRF_CAMPAIGN_EVENTS
} prf_campaign_event_t;
extern const prf_machine_t prf_machine_campaign;

/* A worker's session (sessions.c). */
typedef enum { PRF_SESSION_NONE = 0, PRF_SESSION_LIVE, PRF_SESSION_STATES } prf_session_state_t;
typedef enum {
    PRF_SESSION_ADMIT = 0, /* its Hello is accepted */
    PRF_SESSION_LEAVE,     /* Goodbye, or the worker calls itself otherwise now */
    PRF_SESSION_SILENT,    /* nothing was heard of it for five heartbeats */
    PRF_SESSION_EXPEL,     /* too many malformed frames */
    PRF_SESSION_MUTE,      /* it does not read what it is sent */
    PRF_SESSION_DENY,      /* its key may not do what it does (any more) */
    PRF_SESSION_EVENTS
} prf_session_event_t;
extern const prf_machine_t prf_machine_session;

/* Whether a board is trusted with work (trust.c). */
typedef enum { PRF_TRUSTED = 0, PRF_QUARANTINED, PRF_BARRED, PRF_TRUST_STATES } prf_trust_state_t;
typedef enum {
    PRF_TRUST_CONDEMN = 0, /* it failed on several points in a row */
    PRF_TRUST_FAIL,        /* it was tried, in vain */
    PRF_TRUST_SUCCEED,     /* it was tried and measured something */
    PRF_TRUST_BAR,         /* a person puts it in quarantine */
    PRF_TRUST_RELEASE,     /* a person ends that */
    PRF_TRUST_EVENTS
} prf_trust_event_t;
extern const prf_machine_t prf_machine_trust;

#endif
