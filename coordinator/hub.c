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
