// SPDX-License-Identifier: Apache-2.0
#include "backends/exec_answer.h"

#include <stdio.h>
#include <string.h>

static const double most_nj = 3.6e15; /* an hour at a kilowatt */

prf_status_t prf_exec_answer_read(json_t **out, const char *line, size_t len, prf_error_t *err)
{
    json_error_t why;
    json_t *got = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
    if (!got)
        return prf_fail(err, PRF_EPEER, "%s", why.text);
    const json_t *ok = json_object_get(got, "ok");
    prf_status_t status = PRF_OK;
    if (!json_is_boolean(ok)) {
        status = prf_fail(err, PRF_EPEER, "no object with \"ok\": true or false");
    } else if (json_is_false(ok)) {
        const char *message = json_string_value(json_object_get(got, "error"));
        status = prf_fail(err, json_is_true(json_object_get(got, "unsupported")) ? PRF_EUNSUPPORTED : PRF_EIO, "%.200s",
                          message ? message : "refused without an \"error\"");
    }
    if (status)
        json_decref(got);
    else
        *out = got;
    return status;
}

typedef prf_status_t (*name_parser_t)(const char *name, uint32_t *bit, prf_error_t *err);

static prf_status_t kind_bit(const char *name, uint32_t *bit, prf_error_t *err)
{
    prf_layer_kind_t kind = PRF_CONV1D;
    prf_status_t status = prf_layer_kind_parse(name, &kind, err);
    *bit = 1u << kind;
    return status;
}

static prf_status_t dtype_bit(const char *name, uint32_t *bit, prf_error_t *err)
{
    prf_dtype_t dtype = PRF_F32;
    prf_status_t status = prf_dtype_parse(name, &dtype, err);
    *bit = 1u << dtype;
    return status;
}

static prf_status_t read_names(const json_t *answer, const char *key, name_parser_t parse, uint32_t *out, prf_error_t *err)
{
    const json_t *names = json_object_get(answer, key), *name;
    size_t i;
    *out = 0;
    json_array_foreach(names, i, name)
    {
        uint32_t bit;
        prf_status_t status = json_is_string(name) ? parse(json_string_value(name), &bit, err)
                                                   : prf_fail(err, PRF_EPEER, "entry %zu is no string", i + 1);
        if (status)
            return prf_fail_prefix(err, status, "\"%s\"", key);
        *out |= bit;
    }
    if (!*out)
        return prf_fail(err, PRF_EPEER, "answer describe with \"%s\": a list of names, at least one", key);
    return PRF_OK;
}

/* Left out means no. */
static prf_status_t read_bool(const json_t *answer, const char *key, bool *out, prf_error_t *err)
{
    const json_t *told = json_object_get(answer, key);
    if (told && !json_is_boolean(told))
        return prf_fail(err, PRF_EPEER, "\"%s\" must be true or false", key);
    *out = json_is_true(told);
    return PRF_OK;
}

static prf_status_t read_flags(const json_t *answer, uint32_t *flags, prf_error_t *err)
{
    static const struct {
        const char *key;
        uint32_t flag;
    } known[] = {
        {"exact", PRF_BOARD_EXACT}, {"networks", PRF_BOARD_NETWORKS}, {"host", PRF_BOARD_HOST}, {"energy", PRF_BOARD_ENERGY}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        bool set;
        prf_status_t status = read_bool(answer, known[i].key, &set, err);
        if (status)
            return status;
        *flags |= set ? known[i].flag : 0;
    }
    return PRF_OK;
}

prf_status_t prf_exec_answer_facts(prf_board_facts_t *out, const json_t *answer, prf_error_t *err)
{
    prf_board_facts_t facts = {.flags = PRF_BOARD_SELF_TIMED};
    const char *print = json_string_value(json_object_get(answer, "fingerprint"));
    size_t len = print ? strlen(print) : 0;
    bool printable = len > 0 && len < sizeof facts.fingerprint - 5;
    for (size_t i = 0; printable && i < len; i++)
        printable = print[i] >= 0x20 && print[i] < 0x7f;
    if (!printable)
        return prf_fail(err, PRF_EPEER, "answer describe with \"fingerprint\": 1 to %zu printable characters",
                        sizeof facts.fingerprint - 6);
    snprintf(facts.fingerprint, sizeof facts.fingerprint, "exec/%s", print);
    prf_status_t status = read_names(answer, "kinds", kind_bit, &facts.kinds, err);
    if (!status)
        status = read_names(answer, "dtypes", dtype_bit, &facts.dtypes, err);
    if (status)
        return status;
    status = read_flags(answer, &facts.flags, err);
    if (!status)
        *out = facts;
    return status;
}

/* Left out means that it was not told. */
static prf_status_t read_energy(const json_t *answer, double *out_nj, prf_error_t *err)
{
    const json_t *told = json_object_get(answer, "energy_nj");
    double nj = json_number_value(told);
    if (told && !json_is_number(told))
        return prf_fail(err, PRF_EPEER, "\"energy_nj\" must be a number above 0");
    if (told && !(nj > 0 && nj < most_nj))
        return prf_fail(err, PRF_EIMPLAUSIBLE, "an energy of %.6g nJ, where above 0 and below %g is possible", nj, most_nj);
    *out_nj = nj;
    return PRF_OK;
}

prf_status_t prf_exec_answer_reading(prf_reading_t *out, const json_t *answer, prf_error_t *err)
{
    const json_t *told = json_object_get(answer, "latency_ns");
    double ns = json_number_value(told);
    prf_sample_t sample = {.latency_ns = ns, .min_ns = ns};
    if (!json_is_number(told))
        return prf_fail(err, PRF_EPEER, "\"latency_ns\" must be a number above 0 and below an hour");
    if (!prf_sample_plausible(&sample))
        return prf_fail(err, PRF_EIMPLAUSIBLE, "a latency of %.6g ns, where above 0 and below an hour is possible", ns);
    prf_reading_t reading = {.latency_ns = ns};
    prf_status_t status = read_bool(answer, "disturbed", &reading.disturbed, err);
    if (!status)
        status = read_energy(answer, &reading.energy_nj, err);
    if (!status)
        *out = reading;
    return status;
}
