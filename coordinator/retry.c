// SPDX-License-Identifier: Apache-2.0
/* retry.c - a record with outcome PRF_ECANCELLED behind a point's failures makes the index forget them, now and at every later
 * start. When all are written, the campaign is set going from its document, as after a restart: it finds the points unknown. */
#include "retry.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

typedef struct {
    const prf_hub_t *hub;
    prf_campaigns_t *campaigns;
    char name[PRF_NAME];
    size_t open, cleared;
    prf_status_t failed; /* the first that could not be written */
    prf_reply_fn fn;
    void *arg;
} retry_t;

typedef struct {
    retry_t *retry;
    prf_record_t record;
} clear_t;

/* prf_reply_fn of the campaign's change. */
static void answer(void *arg, prf_status_t status, json_t *json, const char *error)
{
    retry_t *retry = arg;
    if (json)
        json_object_set_new(json, "cleared", json_integer((json_int_t)retry->cleared));
    retry->fn(retry->arg, status, json, error);
    free(retry);
}

static void close_one(retry_t *retry)
{
    if (--retry->open > 0)
        return;
    if (retry->failed)
        answer(retry, retry->failed, NULL, "the coordinator's store could not be written: try again when it can");
    else if (retry->cleared == 0)
        answer(retry, PRF_OK, json_pack("{s:s}", "campaign", retry->name), NULL);
    else
        prf_campaigns_order(retry->campaigns, PRF_CAMPAIGN_RETRY, retry->name, answer, retry);
}

static void cleared(void *arg, prf_status_t status)
{
    clear_t *clear = arg;
    retry_t *retry = clear->retry;
    prf_error_t err = {0};
    if (status && !retry->failed)
        retry->failed = status;
    prf_entry_t *entry;
    if (!status &&
        (prf_ledger_reach(retry->hub->ledger, &clear->record.point, clear->record.attempt, &entry, &err) ||
         prf_index_add(retry->hub->index, entry, &clear->record, &err) || prf_poison_add(retry->hub->poison, &clear->record, &err)))
        prf_log(PRF_LOG_ERROR, "point_not_cleared error=\"%s\"", err.text);
    retry->cleared += !status;
    free(clear);
    close_one(retry);
}

static void clear_one(retry_t *retry, const prf_poisoned_t *poisoned)
{
    clear_t *clear = calloc(1, sizeof *clear);
    prf_status_t status = clear ? PRF_OK : PRF_ENOMEM;
    if (clear) {
        clear->retry = retry;
        clear->record = (prf_record_t){.point = poisoned->point, .attempt = poisoned->attempt, .outcome = PRF_ECANCELLED};
        snprintf(clear->record.error, sizeof clear->record.error, "cleared by hand: it is measured again");
        status = prf_commits_record(retry->hub->commits, &clear->record, cleared, clear, NULL);
    }
    if (status) {
        free(clear);
        retry->failed = retry->failed ? retry->failed : status;
    } else {
        retry->open++;
    }
}

void prf_retry(const prf_hub_t *hub, prf_campaigns_t *campaigns, const char *name, prf_reply_fn fn, void *arg)
{
    prf_error_t err = {0};
    retry_t *retry = calloc(1, sizeof *retry);
    prf_status_t status = retry ? PRF_OK : prf_fail(&err, PRF_ENOMEM, "retry");
    if (!status && !prf_campaigns_exists(campaigns, name))
        status = prf_fail(&err, PRF_ENOTFOUND, "no campaign is named '%.64s': 'prfarm status' lists those that there are", name);
    if (status) {
        free(retry);
        fn(arg, status, NULL, err.text);
        return;
    }
    *retry = (retry_t){.hub = hub, .campaigns = campaigns, .open = 1, .fn = fn, .arg = arg};
    snprintf(retry->name, sizeof retry->name, "%s", name);
    const prf_poisoned_t *poisoned;
    prf_planned_t planned;
    for (size_t i = 0; (poisoned = prf_poison_at(hub->poison, i)); i++)
        if (prf_plan_find(hub->plan, prf_ledger_find(hub->ledger, &poisoned->point, poisoned->attempt), name, &planned))
            clear_one(retry, poisoned);
    close_one(retry);
}
