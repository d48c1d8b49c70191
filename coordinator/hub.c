// SPDX-License-Identifier: Apache-2.0
#include "hub.h"

#include <stddef.h>

bool prf_hub_granting(const prf_hub_t *hub, const char **note)
{
    const char *why = "";
    bool blocked = prf_commits_blocked(hub->commits, &why);
    if (!blocked)
        why = hub->room.note;
    if (note)
        *note = why;
    return !blocked && !hub->room.low && !hub->stopping;
}

prf_status_t prf_hub_write_plan(const prf_hub_t *hub, const prf_plan_page_t *page, prf_error_t *err)
{
    if (!prf_plan_page_whole(page))
        return prf_fail(err, PRF_ENOMEM, "%zu points of the plan", page->count);
    if (page->count == 0)
        return PRF_OK;
    return prf_commits_value(hub->commits, PRF_TABLE_DECISION, page->key, prf_text_get(&page->value), page->value.len,
                             PRF_COMMIT_KEEP, NULL, NULL, err);
}
