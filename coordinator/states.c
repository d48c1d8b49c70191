// SPDX-License-Identifier: Apache-2.0
/* states.c - the tables. They are short, so a lookup walks them. */
#include "states.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

bool prf_machine_next(const prf_machine_t *machine, int event, int *state)
{
    for (size_t i = 0; i < machine->move_count; i++)
        if (machine->moves[i].from == *state && machine->moves[i].event == event) {
            *state = machine->moves[i].to;
            return true;
        }
    return false;
}

static const char *const job_states[PRF_JOB_STATES] = {"queued", "leased", "held", "gone"};
static const char *const job_events[PRF_JOB_EVENTS] = {"grant", "lose", "fail", "hold", "again", "store", "disown"};
static const prf_transition_t job_moves[] = {
    {PRF_JOB_QUEUED, PRF_JOB_GRANT, PRF_JOB_LEASED}, {PRF_JOB_QUEUED, PRF_JOB_HOLD, PRF_JOB_HELD},
    {PRF_JOB_QUEUED, PRF_JOB_DISOWN, PRF_JOB_GONE},  {PRF_JOB_LEASED, PRF_JOB_LOSE, PRF_JOB_QUEUED},
    {PRF_JOB_LEASED, PRF_JOB_FAIL, PRF_JOB_QUEUED},  {PRF_JOB_LEASED, PRF_JOB_HOLD, PRF_JOB_HELD},
    {PRF_JOB_LEASED, PRF_JOB_DISOWN, PRF_JOB_GONE},  {PRF_JOB_HELD, PRF_JOB_AGAIN, PRF_JOB_QUEUED},
    {PRF_JOB_HELD, PRF_JOB_STORE, PRF_JOB_GONE},     {PRF_JOB_HELD, PRF_JOB_DISOWN, PRF_JOB_GONE},
    {PRF_JOB_QUEUED, PRF_JOB_STORE, PRF_JOB_GONE},   {PRF_JOB_LEASED, PRF_JOB_STORE, PRF_JOB_GONE},
};
const prf_machine_t prf_machine_job = {.name = "Job",
                                       .states = job_states,
                                       .events = job_events,
                                       .moves = job_moves,
                                       .state_count = PRF_JOB_STATES,
                                       .event_count = PRF_JOB_EVENTS,
                                       .move_count = COUNT(job_moves)};

static const char *const campaign_states[PRF_CAMPAIGN_STATES] = {"running", "paused", "done", "cancelled", "failed"};
static const char *const campaign_events[PRF_CAMPAIGN_EVENTS] = {"submit", "edit",    "pause",  "resume", "retry",
                                                                 "cancel", "refresh", "finish", "fail"};
static const prf_transition_t campaign_moves[] = {
    {PRF_CAMPAIGN_RUNNING, PRF_CAMPAIGN_SUBMIT, PRF_CAMPAIGN_RUNNING},
    {PRF_CAMPAIGN_RUNNING, PRF_CAMPAIGN_EDIT, PRF_CAMPAIGN_RUNNING},
    {PRF_CAMPAIGN_RUNNING, PRF_CAMPAIGN_PAUSE, PRF_CAMPAIGN_PAUSED},
    {PRF_CAMPAIGN_RUNNING, PRF_CAMPAIGN_RESUME, PRF_CAMPAIGN_RUNNING},
    {PRF_CAMPAIGN_RUNNING, PRF_CAMPAIGN_RETRY, PRF_CAMPAIGN_RUNNING},
    {PRF_CAMPAIGN_RUNNING, PRF_CAMPAIGN_CANCEL, PRF_CAMPAIGN_CANCELLED},
    {PRF_CAMPAIGN_RUNNING, PRF_CAMPAIGN_FINISH, PRF_CAMPAIGN_DONE},
    {PRF_CAMPAIGN_RUNNING, PRF_CAMPAIGN_FAIL, PRF_CAMPAIGN_FAILED},
    {PRF_CAMPAIGN_PAUSED, PRF_CAMPAIGN_SUBMIT, PRF_CAMPAIGN_PAUSED},
    {PRF_CAMPAIGN_PAUSED, PRF_CAMPAIGN_EDIT, PRF_CAMPAIGN_PAUSED},
    {PRF_CAMPAIGN_PAUSED, PRF_CAMPAIGN_PAUSE, PRF_CAMPAIGN_PAUSED},
    {PRF_CAMPAIGN_PAUSED, PRF_CAMPAIGN_RESUME, PRF_CAMPAIGN_RUNNING},
    {PRF_CAMPAIGN_PAUSED, PRF_CAMPAIGN_RETRY, PRF_CAMPAIGN_PAUSED},
    {PRF_CAMPAIGN_PAUSED, PRF_CAMPAIGN_CANCEL, PRF_CAMPAIGN_CANCELLED},
    {PRF_CAMPAIGN_DONE, PRF_CAMPAIGN_SUBMIT, PRF_CAMPAIGN_DONE},
    {PRF_CAMPAIGN_DONE, PRF_CAMPAIGN_EDIT, PRF_CAMPAIGN_RUNNING},
    {PRF_CAMPAIGN_DONE, PRF_CAMPAIGN_RETRY, PRF_CAMPAIGN_RUNNING},
    {PRF_CAMPAIGN_DONE, PRF_CAMPAIGN_CANCEL, PRF_CAMPAIGN_DONE},
    {PRF_CAMPAIGN_DONE, PRF_CAMPAIGN_REFRESH, PRF_CAMPAIGN_RUNNING},
    {PRF_CAMPAIGN_CANCELLED, PRF_CAMPAIGN_SUBMIT, PRF_CAMPAIGN_RUNNING},
    {PRF_CAMPAIGN_CANCELLED, PRF_CAMPAIGN_EDIT, PRF_CAMPAIGN_RUNNING},
    {PRF_CAMPAIGN_CANCELLED, PRF_CAMPAIGN_RETRY, PRF_CAMPAIGN_CANCELLED},
    {PRF_CAMPAIGN_CANCELLED, PRF_CAMPAIGN_CANCEL, PRF_CAMPAIGN_CANCELLED},
    {PRF_CAMPAIGN_FAILED, PRF_CAMPAIGN_SUBMIT, PRF_CAMPAIGN_RUNNING},
    {PRF_CAMPAIGN_FAILED, PRF_CAMPAIGN_EDIT, PRF_CAMPAIGN_RUNNING},
    {PRF_CAMPAIGN_FAILED, PRF_CAMPAIGN_RETRY, PRF_CAMPAIGN_RUNNING},
    {PRF_CAMPAIGN_FAILED, PRF_CAMPAIGN_CANCEL, PRF_CAMPAIGN_FAILED},
};
const prf_machine_t prf_machine_campaign = {.name = "Campaign",
                                            .states = campaign_states,
                                            .events = campaign_events,
                                            .moves = campaign_moves,
                                            .state_count = PRF_CAMPAIGN_STATES,
                                            .event_count = PRF_CAMPAIGN_EVENTS,
                                            .move_count = COUNT(campaign_moves)};

static const char *const session_states[PRF_SESSION_STATES] = {"none", "live"};
static const char *const session_events[PRF_SESSION_EVENTS] = {"admit", "leave", "silent", "expel", "mute", "deny"};
static const prf_transition_t session_moves[] = {
    {PRF_SESSION_NONE, PRF_SESSION_ADMIT, PRF_SESSION_LIVE}, {PRF_SESSION_LIVE, PRF_SESSION_ADMIT, PRF_SESSION_LIVE},
    {PRF_SESSION_LIVE, PRF_SESSION_LEAVE, PRF_SESSION_NONE}, {PRF_SESSION_LIVE, PRF_SESSION_SILENT, PRF_SESSION_NONE},
    {PRF_SESSION_LIVE, PRF_SESSION_EXPEL, PRF_SESSION_NONE}, {PRF_SESSION_LIVE, PRF_SESSION_MUTE, PRF_SESSION_NONE},
    {PRF_SESSION_LIVE, PRF_SESSION_DENY, PRF_SESSION_NONE},
};
const prf_machine_t prf_machine_session = {.name = "Session",
                                           .states = session_states,
                                           .events = session_events,
                                           .moves = session_moves,
                                           .state_count = PRF_SESSION_STATES,
                                           .event_count = PRF_SESSION_EVENTS,
                                           .move_count = COUNT(session_moves)};

static const char *const trust_states[PRF_TRUST_STATES] = {"trusted", "quarantined", "barred"};
static const char *const trust_events[PRF_TRUST_EVENTS] = {"condemn", "fail", "succeed", "bar", "release"};
static const prf_transition_t trust_moves[] = {
    {PRF_TRUSTED, PRF_TRUST_CONDEMN, PRF_QUARANTINED}, {PRF_QUARANTINED, PRF_TRUST_FAIL, PRF_QUARANTINED},
    {PRF_QUARANTINED, PRF_TRUST_SUCCEED, PRF_TRUSTED}, {PRF_TRUSTED, PRF_TRUST_BAR, PRF_BARRED},
    {PRF_QUARANTINED, PRF_TRUST_BAR, PRF_BARRED},      {PRF_BARRED, PRF_TRUST_BAR, PRF_BARRED},
    {PRF_TRUSTED, PRF_TRUST_RELEASE, PRF_TRUSTED},     {PRF_QUARANTINED, PRF_TRUST_RELEASE, PRF_TRUSTED},
    {PRF_BARRED, PRF_TRUST_RELEASE, PRF_TRUSTED},
};
const prf_machine_t prf_machine_trust = {.name = "Trust",
                                         .states = trust_states,
                                         .events = trust_events,
                                         .moves = trust_moves,
                                         .state_count = PRF_TRUST_STATES,
                                         .event_count = PRF_TRUST_EVENTS,
                                         .move_count = COUNT(trust_moves)};

const prf_machine_t *prf_machine_at(size_t index)
{
    static const prf_machine_t *const all[] = {&prf_machine_campaign, &prf_machine_job, &prf_machine_session, &prf_machine_trust};
    return index < COUNT(all) ? all[index] : NULL;
}
