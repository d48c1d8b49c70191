// SPDX-License-Identifier: Apache-2.0
/* json.h - what all that write JSON need beside jansson. Pure; any thread. */
#ifndef PRF_BASE_JSON_H
#define PRF_BASE_JSON_H

#include <jansson.h>
#include <math.h>

/* JSON has neither infinity nor NaN: they are null. New reference. */
static inline json_t *prf_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

#endif
