// SPDX-License-Identifier: Apache-2.0
/* campaign.c - a campaign file, key by key. layers.c reads the entries of `layers:`.
 *
 * Each section is a function that fills its part of the campaign; the whole is handed over only when all of it is right. The
 * first thing that is wrong ends the reading: later messages could be its consequences. */
#include "campaign/campaign.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "campaign/parse.h"

enum { OPTION_TEXT = 256, PATH_TEXT = 1024, MAX_SECONDS = 30 * 24 * 3600 };

static const char *const example = "see docs/campaign-file.md, or begin with docs/examples/quickstart.yaml";

void prf_campaign_release(prf_campaign_t *self)
{
    if (!self)
        return;
    for (size_t i = 0; self->boards && i < self->board_count; i++) {
        for (size_t k = 0; k < PRF_CAMPAIGN_OPTIONS; k++) {
            free(self->boards[i].options[k]);
            free(self->boards[i].care[k]);
        }
        free(self->boards[i].from);
    }
    free(self->boards);
    free(self->layers);
    for (size_t i = 0; i < self->network_count; i++)
        free(self->networks[i]);
    *self = (prf_campaign_t){.board_count = 0};
}

/* Texts that become command-line words, paths and log lines. */
static prf_status_t read_word(const prf_yaml_node_t *node, const char *what, size_t cap, const char **out, prf_error_t *err)
{
    prf_status_t status = prf_yaml_text(node, what, out, err);
    if (status)
        return status;
    size_t len = strlen(*out);
    if (len == 0 || len >= cap)
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: %zu characters: use 1 to %zu", what, len, cap - 1);
    for (const char *c = *out; *c; c++)
        if (iscntrl((unsigned char)*c))
            return prf_yaml_fail(node, err, PRF_EINVAL, "%s: '%.60s' holds a control character: leave it out", what, *out);
    return PRF_OK;
}

static prf_status_t read_name(const prf_yaml_node_t *node, const char *what, char out[PRF_NAME], prf_error_t *err)
{
    const char *text;
    prf_status_t status = prf_yaml_text(node, what, &text, err);
    if (status)
        return status;
    if (prf_name_check(what, text, err))
        return prf_yaml_fail_prefix(node, err, PRF_EINVAL);
    snprintf(out, PRF_NAME, "%s", text);
    return PRF_OK;
}

typedef struct {
    char **list; /* room for PRF_CAMPAIGN_OPTIONS */
    size_t *count;
} options_t;

static prf_status_t add_option(void *arg, const char *key, const prf_yaml_node_t *node, prf_error_t *err)
{
    const options_t *options = arg;
    const char *value;
    if (*options->count == PRF_CAMPAIGN_OPTIONS)
        return prf_yaml_fail(node, err, PRF_EINVAL, "too many options: a board may have %d", (int)PRF_CAMPAIGN_OPTIONS);
    prf_status_t status = read_word(node, "an option's value", OPTION_TEXT, &value, err);
    if (status)
        return status;
    size_t cap = strlen(key) + strlen(value) + 2;
    char *option = malloc(cap);
    if (!option)
        return prf_fail(err, PRF_ENOMEM, "board options");
    snprintf(option, cap, "%s=%s", key, value);
    options->list[(*options->count)++] = option;
    return PRF_OK;
}

/* Options of the worker, which knows what may stand behind each. */
static prf_status_t read_care(const prf_yaml_node_t *map, prf_campaign_board_t *board, prf_error_t *err)
{
    static const char *const known[] = {"cpu", "cool-below", "cool-wait", "fix-clock", "set", "before", "after", NULL};
    prf_status_t status = prf_yaml_only(map, "care", known, err);
    return status ? status : prf_yaml_options(map, "care", add_option, &(options_t){board->care, &board->care_count}, err);
}

static prf_status_t read_board(const prf_yaml_node_t *node, prf_campaign_t *c, prf_error_t *err)
{
    static const char *const known[] = {"kind", "backend", "options", "care", "workers", "from", NULL};
    prf_campaign_board_t *board = &c->boards[c->board_count];
    prf_status_t status = prf_yaml_only(node, "a board", known, err);
    if (status)
        return status;
    c->board_count++; /* from here on release frees its options */
    board->workers = 1;
    const prf_yaml_node_t *kind = prf_yaml_get(node, "kind"), *backend = prf_yaml_get(node, "backend");
    const prf_yaml_node_t *options = prf_yaml_get(node, "options"), *workers = prf_yaml_get(node, "workers");
    const prf_yaml_node_t *from = prf_yaml_get(node, "from"), *care = prf_yaml_get(node, "care");
    const char *path = NULL;
    if (!kind)
        return prf_yaml_fail(node, err, PRF_EINVAL, "a board needs its kind, as in kind: cpu");
    if ((status = read_name(kind, "board kind", board->kind, err)))
        return status;
    for (size_t i = 0; i + 1 < c->board_count; i++)
        if (strcmp(c->boards[i].kind, board->kind) == 0)
            return prf_yaml_fail(kind, err, PRF_EINVAL, "board kind '%s' is given twice: use workers for several boards of a kind",
                                 board->kind);
    int64_t count = 1;
    if ((backend && (status = read_name(backend, "backend", board->backend, err))) ||
        (workers && (status = prf_yaml_int(workers, "workers", 1, PRF_CAMPAIGN_WORKERS, &count, err))) ||
        (options &&
         (status = prf_yaml_options(options, "options", add_option, &(options_t){board->options, &board->option_count}, err))) ||
        (care && (status = read_care(care, board, err))) || (from && (status = read_word(from, "from", PATH_TEXT, &path, err))))
        return status;
    if (path && !(board->from = strdup(path)))
        return prf_fail(err, PRF_ENOMEM, "%s", path);
    board->workers = (uint32_t)count;
    return PRF_OK;
}

/* A list of 1 to `most` entries under `key`. */
static prf_status_t need_list(const prf_yaml_node_t *root, const char *key, size_t most, const prf_yaml_node_t **out,
                              prf_error_t *err)
{
    const prf_yaml_node_t *list = prf_yaml_get(root, key);
    if (!list)
        return prf_yaml_fail(root, err, PRF_EINVAL, "'%s' is missing: %s", key, example);
    prf_status_t status = prf_yaml_expect(list, PRF_YAML_LIST, key, err);
    if (status)
        return status;
    if (prf_yaml_count(list) < 1 || prf_yaml_count(list) > most)
        return prf_yaml_fail(list, err, PRF_EINVAL, "%s: %zu entries: give 1 to %zu", key, prf_yaml_count(list), most);
    *out = list;
    return PRF_OK;
}

static prf_status_t read_boards(const prf_yaml_node_t *root, prf_campaign_t *c, prf_error_t *err)
{
    const prf_yaml_node_t *list = NULL;
    prf_status_t status = need_list(root, "boards", PRF_CAMPAIGN_BOARDS, &list, err);
    if (status)
        return status;
    if (!(c->boards = calloc(prf_yaml_count(list), sizeof *c->boards)))
        return prf_fail(err, PRF_ENOMEM, "boards");
    for (const prf_yaml_node_t *n = prf_yaml_first(list); n && !status; n = prf_yaml_next(n))
        status = read_board(n, c, err);
    return status;
}

/* A kind of layer is modelled once a board and data type. */
static prf_status_t check_overlap(const prf_yaml_node_t *node, const prf_campaign_t *c, prf_error_t *err)
{
    const prf_campaign_layer_t *last = &c->layers[c->layer_count - 1];
    for (size_t i = 0; i + 1 < c->layer_count; i++) {
        const prf_campaign_layer_t *other = &c->layers[i];
        if (other->space.kind == last->space.kind && other->space.dtype == last->space.dtype && (other->boards & last->boards))
            return prf_yaml_fail(node, err, PRF_EINVAL,
                                 "%s %s is given twice for the same board: merge the two, or name their boards",
                                 prf_layer_kind_name(last->space.kind), prf_dtype_name(last->space.dtype));
    }
    return PRF_OK;
}

static prf_status_t read_layers(const prf_yaml_node_t *root, prf_campaign_t *c, prf_error_t *err)
{
    const prf_yaml_node_t *list = NULL;
    prf_status_t status = need_list(root, "layers", PRF_CAMPAIGN_LAYERS, &list, err);
    if (status)
        return status;
    if (!(c->layers = calloc(prf_yaml_count(list), sizeof *c->layers)))
        return prf_fail(err, PRF_ENOMEM, "layers");
    uint32_t used = 0;
    for (const prf_yaml_node_t *n = prf_yaml_first(list); n; n = prf_yaml_next(n)) {
        prf_campaign_layer_t *layer = &c->layers[c->layer_count];
        if ((status = prf_campaign_layer(n, c, layer, err)))
            return status;
        c->layer_count++;
        used |= layer->boards;
        if ((status = check_overlap(n, c, err)))
            return status;
    }
    const prf_yaml_node_t *board = prf_yaml_first(prf_yaml_get(root, "boards"));
    for (size_t i = 0; i < c->board_count; i++, board = prf_yaml_next(board))
        if (!(used & UINT32_C(1) << i))
            return prf_yaml_fail(board, err, PRF_EINVAL, "board '%s' has no layers: name it in a layer's boards, or leave it out",
                                 c->boards[i].kind);
    return PRF_OK;
}

static prf_status_t read_budget(const prf_yaml_node_t *node, prf_campaign_t *c, prf_error_t *err)
{
    static const char *const known[] = {"samples", "minutes", "seconds", NULL};
    prf_status_t status = prf_yaml_only(node, "budget", known, err);
    if (status)
        return status;
    const prf_yaml_node_t *samples = prf_yaml_get(node, "samples");
    const prf_yaml_node_t *minutes = prf_yaml_get(node, "minutes"), *seconds = prf_yaml_get(node, "seconds");
    int64_t count = c->samples;
    double time = 0;
    if (minutes && seconds)
        return prf_yaml_fail_key(seconds, err, PRF_EINVAL, "budget has minutes and seconds: keep one of them");
    if ((samples && (status = prf_yaml_int(samples, "budget.samples", 8, 1000000, &count, err))) ||
        (minutes && (status = prf_yaml_double(minutes, "budget.minutes", 1.0 / 60, MAX_SECONDS / 60.0, &time, err))) ||
        (seconds && (status = prf_yaml_double(seconds, "budget.seconds", 1, MAX_SECONDS, &time, err))))
        return status;
    c->samples = (uint32_t)count;
    c->seconds = (uint32_t)lround(minutes ? time * 60 : time);
    return PRF_OK;
}

static prf_status_t read_validation(const prf_yaml_node_t *node, prf_campaign_t *c, prf_error_t *err)
{
    static const char *const known[] = {"layers", "repeats", NULL};
    prf_status_t status = prf_yaml_only(node, "validation", known, err);
    if (status)
        return status;
    const prf_yaml_node_t *layers = prf_yaml_get(node, "layers"), *repeats = prf_yaml_get(node, "repeats");
    int64_t count = c->validation, times = c->repeats;
    if ((layers && (status = prf_yaml_int(layers, "validation.layers", 1, 100000, &count, err))) ||
        (repeats && (status = prf_yaml_int(repeats, "validation.repeats", 1, 16, &times, err))))
        return status;
    c->validation = (uint32_t)count;
    c->repeats = (uint32_t)times;
    return PRF_OK;
}

static prf_status_t read_cache(const prf_yaml_node_t *node, prf_cache_t *out, prf_error_t *err)
{
    const char *name;
    prf_status_t status = prf_yaml_text(node, "measure.cache", &name, err);
    if (status)
        return status;
    return prf_cache_parse(out, "measure.cache", name, err) ? prf_yaml_fail_prefix(node, err, PRF_EINVAL) : PRF_OK;
}

/* `5..200`, or one number for both. */
static prf_status_t read_range(const prf_yaml_node_t *node, const char *what, uint32_t limit, uint32_t *least, uint32_t *most,
                               prf_error_t *err)
{
    const char *text;
    prf_status_t status = prf_yaml_text(node, what, &text, err);
    if (status)
        return status;
    char *end;
    long lo = strtol(text, &end, 10), hi = lo;
    bool ok = end != text;
    if (ok && strncmp(end, "..", 2) == 0) {
        const char *second = end + 2;
        hi = strtol(second, &end, 10);
        ok = end != second;
    }
    if (!ok || *end || lo < 1 || hi < lo || hi > limit)
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: '%.40s': use least..most, as in 2..5, or one number, from 1 to %u", what,
                             text, limit);
    *least = (uint32_t)lo;
    *most = (uint32_t)hi;
    return PRF_OK;
}

static prf_status_t read_measure(const prf_yaml_node_t *node, prf_campaign_t *c, prf_error_t *err)
{
    static const char *const known[] = {"cache", "warmup", "repeats", "ci_percent", "limit_ms", "passes", "energy_ms", NULL};
    prf_protocol_t *p = &c->protocol;
    prf_status_t status = prf_yaml_only(node, "measure", known, err);
    if (status)
        return status;
    const prf_yaml_node_t *cache = prf_yaml_get(node, "cache"), *warmup = prf_yaml_get(node, "warmup");
    const prf_yaml_node_t *repeats = prf_yaml_get(node, "repeats"), *ci = prf_yaml_get(node, "ci_percent");
    const prf_yaml_node_t *limit = prf_yaml_get(node, "limit_ms"), *pass = prf_yaml_get(node, "passes");
    const prf_yaml_node_t *energy = prf_yaml_get(node, "energy_ms");
    int64_t runs = p->warmup_runs, limit_ms = p->limit_ms, energy_ms = p->energy_ms;
    if ((cache && (status = read_cache(cache, &p->cache, err))) ||
        (warmup && (status = prf_yaml_int(warmup, "measure.warmup", 0, 10000, &runs, err))) ||
        (repeats && (status = read_range(repeats, "measure.repeats", 100000, &p->min_repeats, &p->max_repeats, err))) ||
        (ci && (status = prf_yaml_double(ci, "measure.ci_percent", 0.01, 100, &p->ci_percent, err))) ||
        (limit && (status = prf_yaml_int(limit, "measure.limit_ms", 1, 600000, &limit_ms, err))) ||
        (pass && (status = read_range(pass, "measure.passes", PRF_CAMPAIGN_PASSES, &c->passes, &c->most_passes, err))) ||
        (energy && (status = prf_yaml_int(energy, "measure.energy_ms", 0, PRF_ENERGY_MOST_MS, &energy_ms, err))))
        return status;
    p->warmup_runs = (uint32_t)runs;
    p->limit_ms = (uint32_t)limit_ms;
    p->energy_ms = (uint32_t)energy_ms;
    return prf_protocol_check(p, err) ? prf_yaml_fail_prefix(node, err, PRF_EINVAL) : PRF_OK;
}

static prf_status_t read_networks(const prf_yaml_node_t *node, prf_campaign_t *c, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(node, PRF_YAML_LIST, "networks", err);
    for (const prf_yaml_node_t *n = prf_yaml_first(node); n && !status; n = prf_yaml_next(n)) {
        const char *path;
        if ((status = read_word(n, "a network's path", PATH_TEXT, &path, err)))
            return status;
        if (c->network_count == PRF_CAMPAIGN_NETWORKS)
            return prf_yaml_fail(n, err, PRF_EINVAL, "too many networks: a campaign may have %d", (int)PRF_CAMPAIGN_NETWORKS);
        for (size_t i = 0; i < c->network_count; i++)
            if (strcmp(c->networks[i], path) == 0)
                return prf_yaml_fail(n, err, PRF_EINVAL, "'%.200s' is listed twice: leave one out", path);
        if (!(c->networks[c->network_count] = strdup(path)))
            return prf_fail(err, PRF_ENOMEM, "networks");
        c->network_count++;
    }
    return status;
}

static prf_status_t read_header(const prf_yaml_node_t *root, prf_campaign_t *c, prf_error_t *err)
{
    static const char *const known[] = {"campaign",   "seed",     "boards",  "layers",   "budget", "target_mape_percent",
                                        "validation", "baseline", "measure", "networks", NULL};
    if (prf_yaml_kind(root) == PRF_YAML_EMPTY)
        return prf_yaml_fail(root, err, PRF_EINVAL, "the file is empty: %s", example);
    prf_status_t status = prf_yaml_only(root, "a campaign", known, err);
    if (status)
        return status;
    const prf_yaml_node_t *name = prf_yaml_get(root, "campaign"), *seed = prf_yaml_get(root, "seed");
    const prf_yaml_node_t *target = prf_yaml_get(root, "target_mape_percent"), *baseline = prf_yaml_get(root, "baseline");
    if (!name)
        return prf_yaml_fail(root, err, PRF_EINVAL, "'campaign' is missing: give it a name, as in campaign: first");
    int64_t number = 1;
    if ((status = read_name(name, "campaign", c->name, err)) ||
        (seed && (status = prf_yaml_int(seed, "seed", 0, INT64_MAX, &number, err))) ||
        (target && (status = prf_yaml_double(target, "target_mape_percent", 0, 100, &c->target_mape, err))) ||
        (baseline && (status = prf_yaml_bool(baseline, "baseline", &c->baseline, err))))
        return status;
    c->seed = (uint64_t)number;
    return PRF_OK;
}

static prf_status_t read_campaign(const prf_yaml_node_t *root, prf_campaign_t *c, prf_error_t *err)
{
    prf_status_t status;
    if ((status = read_header(root, c, err)) || (status = read_boards(root, c, err)) || (status = read_layers(root, c, err)))
        return status;
    const prf_yaml_node_t *budget = prf_yaml_get(root, "budget"), *validation = prf_yaml_get(root, "validation");
    const prf_yaml_node_t *measure = prf_yaml_get(root, "measure"), *networks = prf_yaml_get(root, "networks");
    if ((budget && (status = read_budget(budget, c, err))) || (validation && (status = read_validation(validation, c, err))) ||
        (measure && (status = read_measure(measure, c, err))) || (networks && (status = read_networks(networks, c, err))))
        return status;
    return PRF_OK;
}

prf_status_t prf_campaign_parse(prf_campaign_t *out, const char *text, size_t len, const char *name, prf_error_t *err)
{
    if (len > PRF_CAMPAIGN_BYTES)
        return prf_fail(err, PRF_EINVAL, "%.200s: %zu bytes: a campaign file may have %d", name, len, (int)PRF_CAMPAIGN_BYTES);
    prf_yaml_t *doc;
    prf_status_t status = prf_yaml_open(&doc, text, len, name, err);
    if (status)
        return status;
    prf_campaign_t c = {.samples = 1000, .validation = 200, .repeats = 2, .passes = 1, .most_passes = 1, .baseline = true};
    prf_protocol_default(&c.protocol);
    prf_digest(&c.digest, text, len);
    status = read_campaign(prf_yaml_root(doc), &c, err);
    prf_yaml_destroy(&doc);
    if (status) {
        prf_campaign_release(&c);
        return status;
    }
    *out = c;
    return PRF_OK;
}

prf_status_t prf_campaign_load(prf_campaign_t *out, const char *path, char **text, prf_error_t *err)
{
    char *data;
    size_t len;
    prf_status_t status = prf_file_read(path, PRF_CAMPAIGN_BYTES, &data, &len, err);
    if (status)
        return status;
    status = prf_campaign_parse(out, data, len, path, err);
    if (status || !text) {
        free(data);
        return status;
    }
    *text = data;
    return PRF_OK;
}
