// SPDX-License-Identifier: Apache-2.0
/* options.c - linear searches: a backend has a dozen options at most. */
#include "backends/options.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_prefix(const char *key)
{
    return key[strlen(key) - 1] == '.';
}

/* What follows the key in `option`, or NULL when it has another key. */
static const char *match(const char *option, const char *key)
{
    size_t len = strlen(key);
    if (strncmp(option, key, len) != 0)
        return NULL;
    if (is_prefix(key))
        return option[len] != '\0' && option[len] != '=' && strchr(option + len, '=') ? option + len : NULL;
    return option[len] == '=' ? option + len + 1 : NULL;
}

static prf_status_t unknown(const char *backend, const char *option, const prf_option_t *table, size_t entries, prf_error_t *err)
{
    char known[300] = "";
    size_t used = 0;
    for (size_t i = 0; i < entries && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s%s", i ? ", " : "", table[i].key,
                                 is_prefix(table[i].key) ? "NAME" : "");
    return prf_fail(err, PRF_EINVAL, "%s: unknown option '%.60s': use KEY=VALUE with one of %s", backend, option, known);
}

static prf_status_t set(const char *backend, const prf_option_t *entry, const char *text, prf_error_t *err)
{
    if (entry->type == PRF_OPTION_TEXT) {
        *(const char **)entry->value = text;
        return PRF_OK;
    }
    char *end = NULL;
    double number = strtod(text, &end);
    bool ok = end != text && *end == '\0' && isfinite(number) && number >= entry->min && number <= entry->max;
    if (!ok || (entry->type == PRF_OPTION_INTEGER && number != floor(number)))
        return prf_fail(err, PRF_EINVAL, "%s: %s=%.40s: use %s number from %.10g to %.10g", backend, entry->key, text,
                        entry->type == PRF_OPTION_INTEGER ? "a whole" : "a", entry->min, entry->max);
    if (entry->type == PRF_OPTION_INTEGER)
        *(int64_t *)entry->value = (int64_t)number;
    else
        *(double *)entry->value = number;
    return PRF_OK;
}

prf_status_t prf_options_read(const char *backend, const char *const *options, size_t count, const prf_option_t *table,
                              size_t entries, prf_error_t *err)
{
    for (size_t i = 0; i < count; i++) {
        size_t e = 0;
        while (e < entries && !match(options[i], table[e].key))
            e++;
        if (e == entries)
            return unknown(backend, options[i], table, entries, err);
        if (table[e].type == PRF_OPTION_MANY)
            continue;
        size_t next = i + 1;
        if (prf_option_next(options, count, table[e].key, &next))
            return prf_fail(err, PRF_EINVAL, "%s: option %s is given twice: leave one out", backend, table[e].key);
        prf_status_t status = table[e].value ? set(backend, &table[e], match(options[i], table[e].key), err) : PRF_OK;
        if (status)
            return status;
    }
    return PRF_OK;
}

const char *prf_option_next(const char *const *options, size_t count, const char *key, size_t *index)
{
    while (*index < count) {
        const char *value = match(options[(*index)++], key);
        if (value)
            return value;
    }
    return NULL;
}
