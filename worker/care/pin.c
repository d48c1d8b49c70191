// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE /* sched_setaffinity */
#include "care/pin.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A number, and what is behind it. */
static bool number(const char **text, long *out)
{
    char *end;
    if (!isdigit((unsigned char)**text))
        return false;
    *out = strtol(*text, &end, 10);
    *text = end;
    return *out < CPU_SETSIZE;
}

static bool parse(const char *list, cpu_set_t *out)
{
    CPU_ZERO(out);
    for (const char *at = list;; at++) {
        long first, last;
        if (!number(&at, &first))
            return false;
        last = first;
        if (*at == '-' && (at++, !number(&at, &last) || last < first))
            return false;
        for (long i = first; i <= last; i++)
            CPU_SET((size_t)i, out);
        if (*at != ',')
            return *at == '\0';
    }
}

prf_status_t prf_pin(const char *list, prf_error_t *err)
{
    cpu_set_t asked, got;
    if (!parse(list, &asked))
        return prf_fail(err, PRF_EINVAL, "--cpu '%.60s' is no list of processors: give one such as 2 or 2-3,6", list);
    if (sched_setaffinity(0, sizeof asked, &asked) != 0)
        return prf_fail(err, PRF_EINVAL, "--cpu %.60s: %s: give processors that this process may use (prfarm doctor tells them)",
                        list, strerror(errno));
    /* The kernel takes what there is of them. */
    if (sched_getaffinity(0, sizeof got, &got) != 0 || !CPU_EQUAL(&asked, &got))
        return prf_fail(err, PRF_EINVAL,
                        "--cpu %.60s: not all of them are there for this process: give those that are (prfarm doctor tells them)",
                        list);
    return PRF_OK;
}
