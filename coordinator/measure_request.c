// SPDX-License-Identifier: Apache-2.0
#include "measure_request.h"

#include <stdlib.h>
#include <string.h>

/* Numbers that were left out keep their default. */
static prf_status_t protocol_of(const json_t *json, prf_protocol_t *out, prf_error_t *err)
{
    prf_protocol_default(out);
    const struct {
        const char *name;
        uint32_t *value;
    } numbers[] = {{"warmup_runs", &out->warmup_runs},
                   {"min_repeats", &out->min_repeats},
                   {"max_repeats", &out->max_repeats},
                   {"limit_ms", &out->limit_ms},
                   {"energy_ms", &out->energy_ms}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const json_t *value = json_object_get(json, numbers[i].name);
        json_int_t number = json_integer_value(value);
        if (value && (!json_is_integer(value) || number < 0 || number > UINT32_MAX))
            return prf_fail(err, PRF_EINVAL, "protocol.%s: use a whole number", numbers[i].name);
        if (value)
            *numbers[i].value = (uint32_t)number;
    }
    const json_t *ci = json_object_get(json, "ci_percent"), *cache = json_object_get(json, "cache");
    if (ci)
        out->ci_percent = json_number_value(ci);
    if (cache) {
        prf_status_t status =
            prf_cache_parse(&out->cache, "protocol.cache", json_is_string(cache) ? json_string_value(cache) : "", err);
        if (status)
            return status;
    }
    return prf_protocol_check(out, err);
}

/* The job's blocks are freed with the request, however many of them could be read. */
static prf_status_t parse_blocks(prf_job_t *out, const json_t *item, size_t index, prf_error_t *err)
{
    const json_t *texts = json_object_get(item, "blocks");
    size_t count = json_array_size(texts);
    if (count < 1 || count > PRF_CHAIN_BLOCKS)
        return prf_fail(err, PRF_EINVAL, "item %zu has %zu blocks: use 1 to %d", index + 1, count, PRF_CHAIN_BLOCKS);
    out->blocks = calloc(count, sizeof *out->blocks);
    if (!out->blocks)
        return prf_fail(err, PRF_ENOMEM, "blocks to be measured");
    out->block_count = count;
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(texts, i));
        prf_status_t status = prf_block_parse(&out->blocks[i], text ? text : "", err);
        if (status)
            return prf_fail_prefix(err, status, "item %zu, block %zu", index + 1, i + 1);
    }
    return PRF_OK;
}

void prf_measure_request_release(prf_measure_request_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->jobs[i].blocks);
    free(self->jobs);
    *self = (prf_measure_request_t){.count = 0};
}

prf_status_t prf_measure_request_parse(prf_measure_request_t *out, const json_t *args, prf_error_t *err)
{
    const char *kind = json_string_value(json_object_get(args, "kind"));
    const json_t *items = json_object_get(args, "items");
    prf_measure_request_t request = {.kind = kind ? kind : "", .count = json_array_size(items)};
    if (request.count < 1 || request.count > PRF_REQUEST_ITEMS)
        return prf_fail(err, PRF_EINVAL, "measure: %zu items, use 1 to %d", request.count, PRF_REQUEST_ITEMS);
    prf_protocol_t protocol;
    prf_status_t status = protocol_of(json_object_get(args, "protocol"), &protocol, err);
    if (status)
        return status;
    request.jobs = calloc(request.count, sizeof *request.jobs);
    if (!request.jobs)
        return prf_fail(err, PRF_ENOMEM, "measure: %zu items", request.count);
    for (size_t i = 0; !status && i < request.count; i++) {
        prf_job_t *job = &request.jobs[i];
        job->protocol = protocol;
        status = parse_blocks(job, json_array_get(items, i), i, err);
    }
    if (status)
        prf_measure_request_release(&request);
    else
        *out = request;
    return status;
}
