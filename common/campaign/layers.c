// SPDX-License-Identifier: Apache-2.0
/* layers.c - the entries of `layers:`: what values each parameter takes, and what is known about steps.
 *
 * Every value is checked where it stands, so that a message points at its own line; prf_space_check has the last word about what
 * the values mean together (ties in a circle, no layer that can exist). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/parse.h"

/* A parameter while its entry is read. */
typedef struct {
    const prf_yaml_node_t *node;
    const prf_layer_kind_t kind;
    const prf_param_info_t *info;
    char what[48]; /* "conv2d.c" */
} param_t;

static const prf_param_info_t *info_of(prf_layer_kind_t kind, prf_param_t param)
{
    size_t count;
    const prf_param_info_t *infos = prf_layer_params(kind, &count);
    for (size_t i = 0; i < count; i++)
        if (infos[i].param == param)
            return &infos[i];
    return NULL;
}

/* A whole number, or an activation's name. False: neither. */
static bool read_value(prf_param_t param, const char *text, size_t len, int64_t *out)
{
    for (int fn = 0; param == PRF_P_FN && fn < PRF_FN_COUNT; fn++) {
        const char *name = prf_activation_name((prf_activation_t)fn);
        if (strlen(name) == len && strncmp(name, text, len) == 0) {
            *out = fn;
            return true;
        }
    }
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return end != text && end == text + len && !errno;
}

static prf_status_t check_limits(const param_t *p, const prf_yaml_node_t *node, const char *text, int64_t lo, int64_t hi,
                                 prf_error_t *err)
{
    if (lo < p->info->min)
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: %.40s starts below %d: use %d to %d", p->what, text, p->info->min,
                             p->info->min, p->info->max);
    if (hi > p->info->max)
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: %.40s ends above %d: use %d to %d", p->what, text, p->info->max,
                             p->info->min, p->info->max);
    if (lo > hi)
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: %.40s is upside down: write %lld..%lld", p->what, text, (long long)hi,
                             (long long)lo);
    return PRF_OK;
}

/* `lo..hi` or a single value. */
static prf_status_t read_range(const param_t *p, const char *text, prf_dim_t *dim, prf_error_t *err)
{
    const char *dots = strstr(text, "..");
    size_t first = dots ? (size_t)(dots - text) : strlen(text);
    const char *second = dots ? dots + 2 : text;
    int64_t lo, hi;
    if (!read_value(p->info->param, text, first, &lo) || !read_value(p->info->param, second, strlen(second), &hi))
        return prf_yaml_fail(p->node, err, PRF_EINVAL,
                             "%s: '%.40s': use a range (1..64), a list ([1, 3]), a whole number, or another parameter (h, r/2)",
                             p->what, text);
    prf_status_t status = check_limits(p, p->node, text, lo, hi, err);
    if (status)
        return status;
    *dim = (prf_dim_t){.kind = PRF_DIM_RANGE, .lo = (int32_t)lo, .hi = (int32_t)hi};
    return PRF_OK;
}

/* `h` or `r/2`: another parameter of the kind, or a part of it. *found tells whether it is meant as one at all. */
static prf_status_t read_tie(const param_t *p, const char *text, prf_dim_t *dim, bool *found, prf_error_t *err)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
    *found = len && (text[len] == '\0' || text[len] == '/');
    if (!*found)
        return PRF_OK;
    char name[32];
    prf_param_t source;
    snprintf(name, sizeof name, "%.*s", (int)len, text);
    if (prf_param_parse(p->kind, name, &source, err)) {
        prf_fail_prefix(err, PRF_EINVAL, "%s: '%.40s'", p->what, text);
        return prf_yaml_fail_prefix(p->node, err, PRF_EINVAL);
    }
    int64_t divisor = 1;
    if (text[len] == '/' &&
        (!read_value(PRF_P_N, text + len + 1, strlen(text + len + 1), &divisor) || divisor < 1 || divisor > 1024))
        return prf_yaml_fail(p->node, err, PRF_EINVAL, "%s: '%.40s': divide by a whole number from 1 to 1024, as in r/2", p->what,
                             text);
    *dim = (prf_dim_t){.kind = PRF_DIM_TIED, .source = source, .divisor = (int32_t)divisor};
    return PRF_OK;
}

static prf_status_t read_scalar(const param_t *p, prf_dim_t *dim, prf_error_t *err)
{
    const char *text;
    prf_status_t status = prf_yaml_text(p->node, p->what, &text, err);
    if (status)
        return status;
    int64_t value;
    bool tie = false;
    if (!read_value(p->info->param, text, strlen(text), &value) && !strstr(text, "..")) {
        status = read_tie(p, text, dim, &tie, err);
        if (status || tie)
            return status;
    }
    return read_range(p, text, dim, err);
}

static int compare_values(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static prf_status_t read_list(const param_t *p, prf_dim_t *dim, prf_error_t *err)
{
    size_t count = prf_yaml_count(p->node);
    if (count < 1 || count > PRF_SPACE_VALUES)
        return prf_yaml_fail(p->node, err, PRF_EINVAL, "%s: a list of %zu values: give 1 to %d, or a range", p->what, count,
                             (int)PRF_SPACE_VALUES);
    prf_dim_t list = {.kind = PRF_DIM_LIST};
    for (const prf_yaml_node_t *n = prf_yaml_first(p->node); n; n = prf_yaml_next(n)) {
        const char *text;
        int64_t value;
        prf_status_t status = prf_yaml_text(n, p->what, &text, err);
        if (status)
            return status;
        if (!read_value(p->info->param, text, strlen(text), &value))
            return prf_yaml_fail(n, err, PRF_EINVAL, "%s: '%.40s': use whole numbers in a list", p->what, text);
        if ((status = check_limits(p, n, text, value, value, err)))
            return status;
        for (uint32_t i = 0; i < list.value_count; i++)
            if (list.values[i] == value)
                return prf_yaml_fail(n, err, PRF_EINVAL, "%s: %lld is listed twice: leave one out", p->what, (long long)value);
        list.values[list.value_count++] = (int32_t)value;
    }
    qsort(list.values, list.value_count, sizeof *list.values, compare_values);
    *dim = list;
    return PRF_OK;
}

/* {from: 1, to: 512, scale: log} */
static prf_status_t read_scaled(const param_t *p, prf_dim_t *dim, prf_error_t *err)
{
    static const char *const known[] = {"from", "to", "scale", NULL};
    prf_status_t status = prf_yaml_only(p->node, p->what, known, err);
    if (status)
        return status;
    const prf_yaml_node_t *from = prf_yaml_get(p->node, "from"), *to = prf_yaml_get(p->node, "to");
    const prf_yaml_node_t *scale = prf_yaml_get(p->node, "scale");
    if (!from || !to)
        return prf_yaml_fail(p->node, err, PRF_EINVAL, "%s: a range needs both ends: {from: 1, to: 512, scale: log}", p->what);
    int64_t lo, hi;
    if ((status = prf_yaml_int(from, p->what, p->info->min, p->info->max, &lo, err)) ||
        (status = prf_yaml_int(to, p->what, p->info->min, p->info->max, &hi, err)))
        return status;
    const char *name = "linear";
    if (scale && (status = prf_yaml_text(scale, p->what, &name, err)))
        return status;
    bool log = strcmp(name, "log") == 0;
    if (!log && strcmp(name, "linear") != 0)
        return prf_yaml_fail(scale, err, PRF_EINVAL, "%s: scale '%.40s': use linear or log", p->what, name);
    if (log && lo < 1)
        return prf_yaml_fail(from, err, PRF_EINVAL,
                             "%s: a logarithmic range starts at 1 or above, not at %lld: raise it, or use scale: linear", p->what,
                             (long long)lo);
    char text[48];
    snprintf(text, sizeof text, "%lld..%lld", (long long)lo, (long long)hi);
    if ((status = check_limits(p, p->node, text, lo, hi, err)))
        return status;
    *dim = (prf_dim_t){.kind = PRF_DIM_RANGE, .lo = (int32_t)lo, .hi = (int32_t)hi, .log = log};
    return PRF_OK;
}

static prf_status_t read_dim(const prf_yaml_node_t *node, prf_layer_kind_t kind, prf_space_t *space, prf_error_t *err)
{
    prf_param_t param;
    if (prf_param_parse(kind, prf_yaml_key(node), &param, err))
        return prf_yaml_fail_prefix(node, err, PRF_EINVAL);
    param_t p = {.node = node, .kind = kind, .info = info_of(kind, param)};
    snprintf(p.what, sizeof p.what, "%s.%s", prf_layer_kind_name(kind), prf_param_name(param));
    switch (prf_yaml_kind(node)) {
    case PRF_YAML_SCALAR:
        return read_scalar(&p, &space->dims[param], err);
    case PRF_YAML_LIST:
        return read_list(&p, &space->dims[param], err);
    case PRF_YAML_MAP:
        return read_scaled(&p, &space->dims[param], err);
    case PRF_YAML_EMPTY:
        break;
    }
    return prf_yaml_fail_key(node, err, PRF_EINVAL, "%s is empty: give a range (1..64), a list ([1, 3]) or a whole number", p.what);
}

/* A tie must lead to a parameter that has values of its own. */
static prf_status_t check_ties(const prf_yaml_node_t *params, const prf_space_t *space, prf_error_t *err)
{
    for (const prf_yaml_node_t *n = prf_yaml_first(params); n; n = prf_yaml_next(n)) {
        prf_param_t param;
        prf_status_t status = prf_param_parse(space->kind, prf_yaml_key(n), &param, err);
        if (status)
            return status;
        const prf_dim_t *dim = &space->dims[param];
        if (dim->kind == PRF_DIM_TIED && (dim->source == param || space->dims[dim->source].kind == PRF_DIM_TIED))
            return prf_yaml_fail(n, err, PRF_EINVAL,
                                 "%s.%s follows '%s', which %s: let it follow a parameter with values of its own",
                                 prf_layer_kind_name(space->kind), prf_param_name(param), prf_param_name(dim->source),
                                 dim->source == param ? "is itself" : "follows another one");
    }
    return PRF_OK;
}

static prf_status_t read_space(const prf_yaml_node_t *node, prf_space_t *space, prf_error_t *err)
{
    const prf_yaml_node_t *dtype = prf_yaml_get(node, "dtype"), *max_macs = prf_yaml_get(node, "max_macs");
    const prf_yaml_node_t *params = prf_yaml_get(node, "params");
    const char *name;
    prf_status_t status = PRF_OK;
    if (dtype && (status = prf_yaml_text(dtype, "dtype", &name, err)))
        return status;
    if (dtype && prf_dtype_parse(name, &space->dtype, err))
        return prf_yaml_fail_prefix(dtype, err, PRF_EINVAL);
    if (max_macs && (status = prf_yaml_double(max_macs, "max_macs", 1, 1e15, &space->max_macs, err)))
        return status;
    const char *kind = prf_layer_kind_name(space->kind);
    if (!params)
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: 'params' is missing: give the values of its parameters, as in {c: 1..64}",
                             kind);
    if ((status = prf_yaml_expect(params, PRF_YAML_MAP, "params", err)))
        return status;
    for (const prf_yaml_node_t *n = prf_yaml_first(params); n; n = prf_yaml_next(n))
        if ((status = read_dim(n, space->kind, space, err)))
            return status;
    if ((status = check_ties(params, space, err)))
        return status;
    return prf_space_check(space, err) ? prf_yaml_fail_prefix(params, err, PRF_EINVAL) : PRF_OK;
}

/* The parameter that an entry of `steps` or `candidates` is about; a step makes sense where the value is free. */
static prf_status_t step_param(const prf_yaml_node_t *entry, const char *what, const prf_space_t *space, prf_param_t *out,
                               prf_error_t *err)
{
    if (prf_param_parse(space->kind, prf_yaml_key(entry), out, err))
        return prf_yaml_fail_prefix(entry, err, PRF_EINVAL);
    prf_param_t list[PRF_PARAMS];
    size_t count = prf_space_free(space, list), i = 0;
    while (i < count && list[i] != *out)
        i++;
    if (i == count)
        return prf_yaml_fail_key(entry, err, PRF_EINVAL,
                                 "%s.%s: the parameter is fixed or follows another one, so it has no step: leave it out", what,
                                 prf_yaml_key(entry));
    return PRF_OK;
}

static prf_status_t read_steps(const prf_yaml_node_t *steps, const prf_space_t *space, prf_knowledge_t *out, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(steps, PRF_YAML_MAP, "steps", err);
    for (const prf_yaml_node_t *n = prf_yaml_first(steps); n && !status; n = prf_yaml_next(n)) {
        prf_param_t param;
        int64_t width;
        if ((status = step_param(n, "steps", space, &param, err)) ||
            (status = prf_yaml_int(n, "a step width", 1, 1 << 20, &width, err)))
            return status;
        out->width[param] = (int32_t)width;
    }
    return status;
}

static prf_status_t read_candidate_list(const prf_yaml_node_t *list, prf_param_t param, prf_knowledge_t *out, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(list, PRF_YAML_LIST, "candidates of a parameter", err);
    if (status)
        return status;
    size_t count = prf_yaml_count(list);
    if (count < 1 || count > PRF_STEP_CANDIDATES)
        return prf_yaml_fail(list, err, PRF_EINVAL, "candidates.%s: %zu widths: give 1 to %d", prf_yaml_key(list), count,
                             (int)PRF_STEP_CANDIDATES);
    for (const prf_yaml_node_t *n = prf_yaml_first(list); n; n = prf_yaml_next(n)) {
        int64_t width;
        if ((status = prf_yaml_int(n, "a candidate width", 1, 1 << 20, &width, err)))
            return status;
        for (uint32_t i = 0; i < out->candidate_count[param]; i++)
            if (out->candidates[param][i] == width)
                return prf_yaml_fail(n, err, PRF_EINVAL, "candidates.%s: %lld is listed twice: leave one out", prf_yaml_key(list),
                                     (long long)width);
        out->candidates[param][out->candidate_count[param]++] = (int32_t)width;
    }
    return PRF_OK;
}

static prf_status_t read_candidates(const prf_yaml_node_t *candidates, const prf_space_t *space, prf_knowledge_t *out,
                                    prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(candidates, PRF_YAML_MAP, "candidates", err);
    for (const prf_yaml_node_t *n = prf_yaml_first(candidates); n && !status; n = prf_yaml_next(n)) {
        prf_param_t param;
        if ((status = step_param(n, "candidates", space, &param, err)))
            return status;
        if (out->width[param])
            return prf_yaml_fail_key(n, err, PRF_EINVAL, "candidates.%s: its width is given under steps already: keep one of them",
                                     prf_yaml_key(n));
        status = read_candidate_list(n, param, out, err);
    }
    return status;
}

static prf_status_t read_knowledge(const prf_yaml_node_t *node, const prf_space_t *space, prf_knowledge_t *out, prf_error_t *err)
{
    const prf_yaml_node_t *knowledge = prf_yaml_get(node, "knowledge");
    const prf_yaml_node_t *steps = prf_yaml_get(node, "steps"), *candidates = prf_yaml_get(node, "candidates");
    const char *name = "black";
    prf_status_t status = knowledge ? prf_yaml_text(knowledge, "knowledge", &name, err) : PRF_OK;
    if (status)
        return status;
    out->kind = strcmp(name, "white") == 0 ? PRF_WHITE : strcmp(name, "grey") == 0 ? PRF_GREY : PRF_BLACK;
    if (out->kind == PRF_BLACK && strcmp(name, "black") != 0)
        return prf_yaml_fail(knowledge, err, PRF_EINVAL, "knowledge '%.40s': use white, grey or black", name);
    if (out->kind == PRF_BLACK && (steps || candidates))
        return prf_yaml_fail_key(steps ? steps : candidates, err, PRF_EINVAL,
                                 "black knowledge has no %s: write knowledge: %s, or leave them out",
                                 steps ? "steps" : "candidates", steps ? "white or grey" : "grey");
    if (out->kind == PRF_WHITE && candidates)
        return prf_yaml_fail_key(candidates, err, PRF_EINVAL, "white knowledge has no candidates: write knowledge: grey, or steps");
    if (out->kind == PRF_WHITE && !steps)
        return prf_yaml_fail(node, err, PRF_EINVAL, "white knowledge needs 'steps', as in steps: {c: 8}");
    if (out->kind == PRF_GREY && !steps && !candidates)
        return prf_yaml_fail(node, err, PRF_EINVAL, "grey knowledge needs 'candidates' or 'steps', as in candidates: {c: [8, 16]}");
    if (steps && (status = read_steps(steps, space, out, err)))
        return status;
    return candidates ? read_candidates(candidates, space, out, err) : PRF_OK;
}

static prf_status_t read_boards(const prf_yaml_node_t *boards, const prf_campaign_t *campaign, uint32_t *out, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(boards, PRF_YAML_LIST, "a layer's boards", err);
    if (status)
        return status;
    uint32_t mask = 0;
    for (const prf_yaml_node_t *n = prf_yaml_first(boards); n; n = prf_yaml_next(n)) {
        const char *name;
        if ((status = prf_yaml_text(n, "a layer's board", &name, err)))
            return status;
        size_t i = 0;
        while (i < campaign->board_count && strcmp(campaign->boards[i].kind, name) != 0)
            i++;
        if (i == campaign->board_count)
            return prf_yaml_fail(n, err, PRF_EINVAL, "there is no board '%.60s' under boards: add it there, or name one that is",
                                 name);
        mask |= UINT32_C(1) << i;
    }
    if (!mask)
        return prf_yaml_fail(boards, err, PRF_EINVAL, "a layer needs a board: name one, or leave 'boards' out to mean all");
    *out = mask;
    return PRF_OK;
}

prf_status_t prf_campaign_layer(const prf_yaml_node_t *node, const prf_campaign_t *campaign, prf_campaign_layer_t *out,
                                prf_error_t *err)
{
    static const char *const known[] = {"kind",   "boards",    "dtype", "weight",     "max_macs",
                                        "params", "knowledge", "steps", "candidates", NULL};
    prf_status_t status = prf_yaml_only(node, "a layer", known, err);
    if (status)
        return status;
    const prf_yaml_node_t *kind = prf_yaml_get(node, "kind"), *boards = prf_yaml_get(node, "boards");
    const prf_yaml_node_t *weight = prf_yaml_get(node, "weight");
    if (!kind)
        return prf_yaml_fail(node, err, PRF_EINVAL, "a layer needs its kind, as in kind: conv2d");
    const char *name;
    if ((status = prf_yaml_text(kind, "a layer's kind", &name, err)))
        return status;
    if (prf_layer_kind_parse(name, &out->space.kind, err))
        return prf_yaml_fail_prefix(kind, err, PRF_EINVAL);
    out->boards = campaign->board_count == 32 ? UINT32_MAX : (UINT32_C(1) << campaign->board_count) - 1;
    int64_t share = 1;
    if ((boards && (status = read_boards(boards, campaign, &out->boards, err))) ||
        (weight && (status = prf_yaml_int(weight, "weight", 1, 1000, &share, err))))
        return status;
    out->weight = (uint32_t)share;
    if ((status = read_space(node, &out->space, err)))
        return status;
    return read_knowledge(node, &out->space, &out->knowledge, err);
}
