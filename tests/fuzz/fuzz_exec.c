// SPDX-License-Identifier: Apache-2.0
/* fuzz_exec.c - a line that an exec board's program printed, read as the answer to each of the things that it may be asked. */
#include <string.h>

#include "fuzz.h"
#include "worker/backends/exec_answer.h"

bool fuzz_one(const uint8_t *bytes, size_t len)
{
    json_t *answer;
    prf_error_t err;
    prf_board_facts_t facts;
    prf_reading_t told;
    prf_status_t status = prf_exec_answer_read(&answer, (const char *)bytes, len, &err);
    MUST(!status || status == PRF_EPEER || status == PRF_EUNSUPPORTED || status == PRF_EIO, "%s", prf_status_name(status));
    if (status)
        return status != PRF_EPEER;
    if (prf_exec_answer_facts(&facts, answer, &err) == PRF_OK)
        MUST(facts.kinds && facts.dtypes && !(facts.flags & ~(uint32_t)PRF_BOARD_FLAGS) &&
                 strncmp(facts.fingerprint, "exec/", 5) == 0,
             "%s", facts.fingerprint);
    if (prf_exec_answer_reading(&told, answer, &err) == PRF_OK)
        MUST(told.latency_ns > 0 && told.latency_ns < 3.6e12 && told.energy_nj >= 0, "%g ns, %g nJ", told.latency_ns,
             told.energy_nj);
    json_decref(answer);
    return true;
}

void fuzz_seeds(fuzz_add_fn add, void *arg)
{
    static const char *const lines[] = {
        "{\"ok\": true}",
        "{\"ok\": true, \"fingerprint\": \"python 3.11\", \"kinds\": [\"fc\", \"conv2d\"], \"dtypes\": [\"f32\"], \"exact\": true}",
        "{\"ok\": true, \"fingerprint\": \"ort 1.16\", \"kinds\": [\"add\"], \"dtypes\": [\"f32\"], \"networks\": true, \"host\": "
        "true, "
        "\"energy\": false}",
        "{\"ok\": true, \"latency_ns\": 1234.5}",
        "{\"ok\": true, \"latency_ns\": 1e6, \"disturbed\": true, \"energy_nj\": 123.4}",
        "{\"ok\": false, \"unsupported\": true, \"error\": \"only \\u00fc single layers\"}",
        "{\"ok\": false}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        add(arg, lines[i], strlen(lines[i]));
}
