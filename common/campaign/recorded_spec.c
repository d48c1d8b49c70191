// SPDX-License-Identifier: Apache-2.0
/* recorded_spec.c - reads a training spec. Each key is one function; prf_yaml_* supply the places in the messages. */
#include "campaign/recorded_spec.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef prf_recorded_spec_t spec_t;

static prf_status_t read_board(spec_t *spec, const prf_yaml_node_t *node, prf_error_t *err)
{
    const char *text;
    prf_status_t status = prf_yaml_text(node, "board", &text, err);
    if (status)
        return status;
    status = prf_name_check("board", text, err);
    if (status)
        return prf_yaml_fail_prefix(node, err, status);
    snprintf(spec->board, sizeof spec->board, "%s", text);
    return PRF_OK;
}

static prf_status_t read_layer(spec_t *spec, const prf_yaml_node_t *node, prf_error_t *err)
{
    const char *text;
    prf_status_t status = prf_yaml_text(node, "layer", &text, err);
    if (status)
        return status;
    status = prf_layer_kind_parse(text, &spec->kind, err);
    return status ? prf_yaml_fail_prefix(node, err, status) : PRF_OK;
}

static prf_status_t read_dtype(spec_t *spec, const prf_yaml_node_t *node, prf_error_t *err)
{
    const char *text;
    if (!node)
        return PRF_OK;
    prf_status_t status = prf_yaml_text(node, "dtype", &text, err);
    if (status)
        return status;
    status = prf_dtype_parse(text, &spec->dtype, err);
    return status ? prf_yaml_fail_prefix(node, err, status) : PRF_OK;
}

static prf_status_t read_where(spec_t *spec, const prf_yaml_node_t *node, prf_error_t *err)
{
    if (!node)
        return PRF_OK;
    prf_status_t status = prf_yaml_expect(node, PRF_YAML_MAP, "where", err);
    if (status)
        return status;
    for (const prf_yaml_node_t *value = prf_yaml_first(node); value; value = prf_yaml_next(value)) {
        if (spec->where_count == PRF_RECORDED_WHERE)
            return prf_yaml_fail_key(value, err, PRF_EINVAL, "where: use at most %d conditions", PRF_RECORDED_WHERE);
        prf_condition_t *condition = &spec->where[spec->where_count++];
        condition->column = prf_yaml_key(value);
        condition->node = value;
        status = prf_yaml_text(value, condition->column, &condition->value, err);
        if (status)
            return status;
    }
    return PRF_OK;
}

static void trim(char *text)
{
    size_t begin = strspn(text, " \t"), len = strlen(text);
    while (len > begin && isspace((unsigned char)text[len - 1]))
        len--;
    memmove(text, text + begin, len - begin);
    text[len - begin] = '\0';
}

/* "64", "cin" or "k / 2". */
static prf_status_t read_source(prf_source_t *out, const prf_yaml_node_t *node, const char *what, prf_error_t *err)
{
    const char *text;
    prf_status_t status = prf_yaml_text(node, what, &text, err);
    if (status)
        return status;
    char *end;
    long number = strtol(text, &end, 10);
    *out = (prf_source_t){.kind = PRF_SOURCE_COLUMN, .divisor = 1, .node = node};
    if (end != text && !*end) {
        if (number < 0 || number > 1000000000)
            return prf_yaml_fail(node, err, PRF_EINVAL, "%s: %.20s is no size of a layer: use a column or a constant", what, text);
        out->kind = PRF_SOURCE_CONSTANT;
        out->constant = (int32_t)number;
        return PRF_OK;
    }
    if (snprintf(out->column, sizeof out->column, "%s", text) >= (int)sizeof out->column)
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: a column's name has at most %d letters", what, PRF_NAME - 1);
    char *slash = strrchr(out->column, '/');
    number = slash ? strtol(slash + 1, &end, 10) : 1;
    if (slash && (end == slash + 1 || *end || number < 1 || number > 1000000))
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: '%.40s': use a column, a constant, or column / number", what, text);
    out->divisor = (int32_t)number;
    if (slash)
        *slash = '\0';
    trim(out->column);
    return PRF_OK;
}

static prf_status_t read_columns(spec_t *spec, const prf_yaml_node_t *node, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(node, PRF_YAML_MAP, "columns", err);
    if (status)
        return status;
    spec->params_node = node;
    for (const prf_yaml_node_t *value = prf_yaml_first(node); value; value = prf_yaml_next(value)) {
        prf_param_t param;
        status = prf_param_parse(spec->kind, prf_yaml_key(value), &param, err);
        if (status)
            return prf_yaml_fail_prefix(value, err, status);
        status = read_source(&spec->params[param], value, prf_yaml_key(value), err);
        if (status)
            return status;
    }
    size_t count;
    const prf_param_info_t *params = prf_layer_params(spec->kind, &count);
    for (size_t i = 0; i < count; i++)
        if (params[i].fallback == PRF_REQUIRED && spec->params[params[i].param].kind == PRF_SOURCE_DEFAULT)
            return prf_yaml_fail_key(
                node, err, PRF_EINVAL, "columns: parameter '%s' of %s is missing: add '%s: COLUMN' or a constant",
                prf_param_name(params[i].param), prf_layer_kind_name(spec->kind), prf_param_name(params[i].param));
    return PRF_OK;
}

static prf_status_t read_column(prf_source_t *out, const prf_yaml_node_t *node, const char *what, prf_error_t *err)
{
    const char *text;
    prf_status_t status = prf_yaml_text(node, what, &text, err);
    if (status)
        return status;
    *out = (prf_source_t){.kind = PRF_SOURCE_COLUMN, .divisor = 1, .node = node};
    if (snprintf(out->column, sizeof out->column, "%s", text) >= (int)sizeof out->column)
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: a column's name has at most %d letters", what, PRF_NAME - 1);
    return PRF_OK;
}

static prf_status_t read_latency(spec_t *spec, const prf_yaml_node_t *node, prf_error_t *err)
{
    static const char *const known[] = {"column", "unit", NULL};
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    prf_status_t status = prf_yaml_only(node, "latency", known, err);
    const prf_yaml_node_t *column = prf_yaml_get(node, "column"), *unit = prf_yaml_get(node, "unit");
    if (!status && (!column || !unit))
        status = prf_yaml_fail_key(node, err, PRF_EINVAL, "latency: use {column: NAME, unit: ns, us, ms or s}");
    if (!status)
        status = read_column(&spec->latency, column, "latency.column", err);
    const char *text;
    if (!status)
        status = prf_yaml_text(unit, "latency.unit", &text, err);
    for (size_t i = 0; !status && i < sizeof units / sizeof *units; i++)
        if (strcmp(text, units[i].name) == 0)
            spec->unit_ns = units[i].ns;
    if (!status && spec->unit_ns <= 0)
        status = prf_yaml_fail(unit, err, PRF_EINVAL, "latency.unit '%.20s': use ns, us, ms or s", text);
    return status;
}

static prf_status_t read_features(spec_t *spec, const prf_yaml_node_t *node, prf_error_t *err)
{
    if (!node)
        return PRF_OK;
    prf_status_t status = prf_yaml_expect(node, PRF_YAML_LIST, "features", err);
    if (status)
        return status;
    for (const prf_yaml_node_t *item = prf_yaml_first(node); item; item = prf_yaml_next(item)) {
        if (spec->extra_count == PRF_MODEL_EXTRAS)
            return prf_yaml_fail(item, err, PRF_EINVAL, "features: use at most %d columns", PRF_MODEL_EXTRAS);
        prf_source_t *extra = &spec->extras[spec->extra_count++];
        status = read_column(extra, item, "features", err);
        if (status)
            return status;
        status = prf_name_check("a feature's column", extra->column, err);
        if (status)
            return prf_yaml_fail_prefix(item, err, status);
        for (size_t i = 0; i + 1 < spec->extra_count; i++)
            if (strcmp(spec->extras[i].column, extra->column) == 0)
                return prf_yaml_fail(item, err, PRF_EINVAL, "features: '%s' is given twice: leave one out", extra->column);
    }
    return PRF_OK;
}

static prf_status_t read_split(spec_t *spec, const prf_yaml_node_t *node, prf_error_t *err)
{
    static const char *const known[] = {"test", "seed", NULL};
    spec->test_share = 0.2;
    spec->seed = 1;
    if (!node)
        return PRF_OK;
    const prf_yaml_node_t *test = prf_yaml_get(node, "test"), *seed = prf_yaml_get(node, "seed");
    int64_t number = 1;
    prf_status_t status = prf_yaml_only(node, "split", known, err);
    if (!status && test)
        status = prf_yaml_double(test, "split.test", 0, 0.9, &spec->test_share, err);
    if (!status && seed)
        status = prf_yaml_int(seed, "split.seed", 0, INT64_MAX, &number, err);
    spec->seed = (uint64_t)number;
    return status;
}

static prf_status_t read_budget(spec_t *spec, const prf_yaml_node_t *node, prf_error_t *err)
{
    int64_t number = 0;
    if (!node)
        return PRF_OK;
    prf_status_t status = prf_yaml_int(node, "budget", 4, PRF_RECORDED_LAYERS, &number, err);
    spec->budget = (uint32_t)number;
    return status;
}

static prf_status_t read_spec(spec_t *spec, prf_error_t *err)
{
    static const char *const known[] = {"board",   "layer",    "dtype", "where",  "columns",
                                        "latency", "features", "split", "budget", NULL};
    static const char *const needed[] = {"board", "layer", "columns", "latency"};
    const prf_yaml_node_t *root = prf_yaml_root(spec->doc);
    prf_status_t status = prf_yaml_only(root, "a training spec", known, err);
    for (size_t i = 0; !status && i < sizeof needed / sizeof *needed; i++)
        if (!prf_yaml_get(root, needed[i]))
            status = prf_yaml_fail(root, err, PRF_EINVAL,
                                   "'%s' is missing: a training spec needs board, layer, columns and latency", needed[i]);
    if (!status)
        status = read_board(spec, prf_yaml_get(root, "board"), err);
    if (!status)
        status = read_layer(spec, prf_yaml_get(root, "layer"), err);
    if (!status)
        status = read_dtype(spec, prf_yaml_get(root, "dtype"), err);
    if (!status)
        status = read_where(spec, prf_yaml_get(root, "where"), err);
    if (!status)
        status = read_columns(spec, prf_yaml_get(root, "columns"), err);
    if (!status)
        status = read_latency(spec, prf_yaml_get(root, "latency"), err);
    if (!status)
        status = read_features(spec, prf_yaml_get(root, "features"), err);
    if (!status)
        status = read_split(spec, prf_yaml_get(root, "split"), err);
    return status ? status : read_budget(spec, prf_yaml_get(root, "budget"), err);
}

prf_status_t prf_recorded_spec_load(prf_recorded_spec_t **out, const char *path, prf_error_t *err)
{
    spec_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "%s", path);
    prf_status_t status = prf_yaml_open_file(&self->doc, path, PRF_RECORDED_SPEC_BYTES, err);
    if (!status)
        status = read_spec(self, err);
    if (status)
        prf_recorded_spec_destroy(&self);
    else
        *out = self;
    return status;
}

void prf_recorded_spec_destroy(prf_recorded_spec_t **self)
{
    if (!self || !*self)
        return;
    prf_yaml_destroy(&(*self)->doc);
    free(*self);
    *self = NULL;
}
