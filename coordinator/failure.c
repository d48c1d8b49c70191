// SPDX-License-Identifier: Apache-2.0
#include "failure.h"

static const char *const names[PRF_FAILURES] = {"crash", "hang", "implausible", "unsupported", "other"};

prf_failure_t prf_failure_of(prf_status_t outcome)
{
    switch (outcome) {
    case PRF_ECRASH:
        return PRF_FAILURE_CRASH;
    case PRF_EHANG:
    case PRF_ETIMEOUT:
        return PRF_FAILURE_HANG;
    case PRF_EIMPLAUSIBLE:
        return PRF_FAILURE_IMPLAUSIBLE;
    case PRF_EUNSUPPORTED:
        return PRF_FAILURE_UNSUPPORTED;
    default:
        return PRF_FAILURE_OTHER;
    }
}

const char *prf_failure_name(prf_failure_t failure)
{
    return names[failure];
}

json_t *prf_failure_counts(const uint64_t counts[PRF_FAILURES])
{
    json_t *json = json_object();
    for (int i = 0; i < PRF_FAILURES; i++)
        json_object_set_new(json, names[i], json_integer((json_int_t)counts[i]));
    return json;
}

uint64_t prf_failure_sum(const uint64_t counts[PRF_FAILURES])
{
    uint64_t sum = 0;
    for (int i = 0; i < PRF_FAILURES; i++)
        sum += counts[i];
    return sum;
}
