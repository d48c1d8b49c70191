// SPDX-License-Identifier: Apache-2.0
/* replay.c - a board that answers from a table of recorded layers, so that a campaign can be run on hardware that is not here.
 *
 * Each row that passes the filters becomes a layer and a latency; a layer is known by the digest of its canonical text, so a
 * row costs 24 bytes. A layer that was recorded several times answers with each of its measurements in turn, so that the
 * worker's repeats and intervals mean what they mean on a live board. A layer that was not recorded is refused, never guessed. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/backend.h"
#include "backends/options.h"
#include "base/csv.h"
#include "base/digest.h"

enum { MAX_ROWS = 4 << 20, MAX_FILTERS = 16, COLUMN_NAME = 64 };

typedef struct {
    prf_digest_t layer;
    double latency_ns;
} entry_t;

struct prf_board {
    entry_t *entries; /* owned, sorted by layer; rows of one layer by latency */
    size_t count, cap;
    uint32_t kinds, dtypes;
    bool repeated; /* some layer has more than one row */
};

struct prf_kernel {
    const entry_t *first; /* borrowed from the board */
    size_t count, next;
};

/* Where a value comes from: a column, a constant, half the kernel ("same" padding), or nowhere (the kind's default). */
typedef struct {
    enum { FROM_NOWHERE = 0, FROM_COLUMN, FROM_CONSTANT, FROM_KERNEL } from;
    size_t column;
    int32_t constant;
} source_t;

typedef struct {
    const char *file, *layer, *latency, *unit, *dtype;
    double ns_per_unit;
    bool fixed_kind, fixed_dtype, has_dtype_column;
    prf_layer_kind_t kind;
    prf_dtype_t fixed;
    size_t kind_column, dtype_column, latency_column;
    struct {
        size_t column;
        const char *value; /* borrowed */
    } filters[MAX_FILTERS];
    size_t filter_count;
    source_t sources[PRF_PARAMS];
} plan_t;

static prf_status_t find_unit(plan_t *plan, prf_error_t *err)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(plan->unit, units[i].name) == 0) {
            plan->ns_per_unit = units[i].ns;
            return PRF_OK;
        }
    return prf_fail(err, PRF_EINVAL, "replay: unit=%.40s: use ns, us, ms or s", plan->unit);
}

/* Splits "NAME=VALUE" of a where. or column. option. */
static prf_status_t split_pair(const char *option, const char *rest, char name[COLUMN_NAME], const char **value, prf_error_t *err)
{
    const char *equals = strchr(rest, '=');
    size_t len = (size_t)(equals - rest);
    if (len >= COLUMN_NAME)
        return prf_fail(err, PRF_EINVAL, "replay: %s: a name of more than %d letters: rename the column", option, COLUMN_NAME - 1);
    memcpy(name, rest, len);
    name[len] = '\0';
    *value = equals + 1;
    return PRF_OK;
}

static prf_status_t find_filters(plan_t *plan, const prf_csv_t *csv, const char *const *options, size_t count, prf_error_t *err)
{
    const char *rest;
    for (size_t at = 0; (rest = prf_option_next(options, count, "where.", &at));) {
        char name[COLUMN_NAME];
        if (plan->filter_count == MAX_FILTERS)
            return prf_fail(err, PRF_EINVAL, "replay: more than %d where. options: filter the table before", MAX_FILTERS);
        prf_status_t status = split_pair("where", rest, name, &plan->filters[plan->filter_count].value, err);
        if (!status)
            status = prf_csv_find(csv, name, &plan->filters[plan->filter_count].column, err);
        if (status)
            return status;
        plan->filter_count++;
    }
    return PRF_OK;
}

static prf_status_t find_param(const char *name, prf_param_t *out, prf_error_t *err)
{
    for (int p = 0; p < PRF_PARAMS; p++)
        if (strcmp(name, prf_param_name((prf_param_t)p)) == 0) {
            *out = (prf_param_t)p;
            return PRF_OK;
        }
    return prf_fail(err, PRF_EINVAL,
                    "replay: column.%s: no layer kind has a parameter of that name: use one such as column.c or column.h", name);
}

static prf_status_t find_source(source_t *source, const prf_csv_t *csv, const char *text, prf_error_t *err)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end != text && *end == '\0') {
        if (errno || number < INT_MIN + 1 || number > INT_MAX)
            return prf_fail(err, PRF_EINVAL, "replay: the constant %.40s does not fit a parameter: use a smaller number", text);
        *source = (source_t){.from = FROM_CONSTANT, .constant = (int32_t)number};
        return PRF_OK;
    }
    if (strcmp(text, "same") == 0) {
        *source = (source_t){.from = FROM_KERNEL};
        return PRF_OK;
    }
    source->from = FROM_COLUMN;
    return prf_csv_find(csv, text, &source->column, err);
}

/* A parameter comes from the column of its own name unless an option says otherwise. */
static prf_status_t find_sources(plan_t *plan, const prf_csv_t *csv, const char *const *options, size_t count, prf_error_t *err)
{
    for (int p = 0; p < PRF_PARAMS; p++)
        if (prf_csv_find(csv, prf_param_name((prf_param_t)p), &plan->sources[p].column, NULL) == PRF_OK)
            plan->sources[p].from = FROM_COLUMN;
    const char *rest;
    for (size_t at = 0; (rest = prf_option_next(options, count, "column.", &at));) {
        char name[COLUMN_NAME];
        const char *value;
        prf_param_t param;
        prf_status_t status = split_pair("column", rest, name, &value, err);
        if (!status)
            status = find_param(name, &param, err);
        if (!status)
            status = find_source(&plan->sources[param], csv, value, err);
        if (status)
            return status;
    }
    return PRF_OK;
}

static prf_status_t make_plan(plan_t *plan, const prf_csv_t *csv, const char *const *options, size_t count, prf_error_t *err)
{
    prf_status_t status = find_unit(plan, err);
    if (status)
        return status;
    plan->fixed_kind = plan->layer != NULL;
    if (plan->fixed_kind)
        status = prf_layer_kind_parse(plan->layer, &plan->kind, err);
    else if (prf_csv_find(csv, "layer", &plan->kind_column, NULL) != PRF_OK)
        status = prf_fail(err, PRF_EINVAL, "replay: %s has no column 'layer': say which kind it holds with layer=KIND", plan->file);
    plan->fixed_dtype = plan->dtype != NULL;
    if (!status && plan->fixed_dtype)
        status = prf_dtype_parse(plan->dtype, &plan->fixed, err);
    plan->has_dtype_column = prf_csv_find(csv, "dtype", &plan->dtype_column, NULL) == PRF_OK;
    if (!status)
        status = prf_csv_find(csv, plan->latency, &plan->latency_column, err);
    if (!status)
        status = find_filters(plan, csv, options, count, err);
    return status ? status : find_sources(plan, csv, options, count, err);
}

static bool passes(const plan_t *plan, const prf_csv_t *csv)
{
    for (size_t i = 0; i < plan->filter_count; i++)
        if (strcmp(prf_csv_field(csv, plan->filters[i].column), plan->filters[i].value) != 0)
            return false;
    return true;
}

static prf_status_t read_param(const plan_t *plan, const prf_csv_t *csv, prf_layer_t *layer, prf_param_t param, prf_error_t *err)
{
    const source_t *source = &plan->sources[param];
    double value;
    if (source->from == FROM_CONSTANT)
        layer->p[param] = source->constant;
    if (source->from != FROM_COLUMN || *prf_csv_field(csv, source->column) == '\0')
        return PRF_OK;
    prf_status_t status = prf_csv_number(csv, source->column, &value, err);
    if (status)
        return status;
    if (value != (int32_t)(value > INT_MAX ? INT_MAX : value < INT_MIN ? INT_MIN : value) || value == INT_MIN)
        return prf_fail(err, PRF_EPARSE,
                        "%s: %s: %.10g is not a whole number that fits: correct it, or leave the row out with where.COLUMN=VALUE",
                        prf_csv_where(csv), prf_csv_name(csv, source->column), value);
    layer->p[param] = (int32_t)value;
    return PRF_OK;
}

static prf_status_t read_layer(const plan_t *plan, const prf_csv_t *csv, prf_layer_t *layer, prf_error_t *err)
{
    prf_layer_kind_t kind = plan->kind;
    prf_status_t status = plan->fixed_kind ? PRF_OK : prf_layer_kind_parse(prf_csv_field(csv, plan->kind_column), &kind, err);
    if (status)
        return prf_fail_prefix(err, status, "%s", prf_csv_where(csv));
    prf_layer_init(layer, kind);
    size_t count;
    const prf_param_info_t *params = prf_layer_params(kind, &count);
    for (size_t i = 0; i < count && !status; i++)
        status = read_param(plan, csv, layer, params[i].param, err);
    if (status)
        return status;
    for (size_t i = 0; i < count; i++)
        if (plan->sources[params[i].param].from == FROM_KERNEL)
            layer->p[params[i].param] = (kind == PRF_CONV1D ? layer->p[PRF_P_F] : layer->p[PRF_P_R]) / 2;
    status = prf_layer_complete(layer, err);
    return status ? prf_fail_prefix(err, status, "%s", prf_csv_where(csv)) : PRF_OK;
}

static void identify(prf_digest_t *out, prf_dtype_t dtype, const prf_layer_t *layer)
{
    prf_block_t block = {.dtype = dtype, .count = 1, .layers = {*layer}};
    char text[PRF_BLOCK_TEXT];
    prf_digest(out, text, prf_block_format(&block, text));
}

static prf_status_t add(prf_board_t *self, const entry_t *entry, prf_error_t *err)
{
    if (self->count == MAX_ROWS)
        return prf_fail(err, PRF_EINVAL, "replay: more than %d rows: choose some of them with where.COLUMN=VALUE", MAX_ROWS);
    if (self->count == self->cap) {
        size_t cap = self->cap ? 2 * self->cap : 4096;
        entry_t *grown = realloc(self->entries, cap * sizeof *grown);
        if (!grown)
            return prf_fail(err, PRF_ENOMEM, "replay: %zu rows", cap);
        self->entries = grown;
        self->cap = cap;
    }
    self->entries[self->count++] = *entry;
    return PRF_OK;
}

static prf_status_t read_row(prf_board_t *self, const plan_t *plan, const prf_csv_t *csv, prf_error_t *err)
{
    prf_layer_t layer = {.kind = PRF_CONV1D};
    prf_dtype_t dtype = plan->fixed;
    prf_status_t status = read_layer(plan, csv, &layer, err);
    if (!status && !plan->fixed_dtype && plan->has_dtype_column &&
        (status = prf_dtype_parse(prf_csv_field(csv, plan->dtype_column), &dtype, err)))
        status = prf_fail_prefix(err, status, "%s", prf_csv_where(csv));
    entry_t entry;
    if (!status)
        status = prf_csv_number(csv, plan->latency_column, &entry.latency_ns, err);
    if (status)
        return status;
    entry.latency_ns *= plan->ns_per_unit;
    prf_sample_t sample = {.latency_ns = entry.latency_ns, .min_ns = entry.latency_ns};
    if (!prf_sample_plausible(&sample))
        return prf_fail(err, PRF_EPARSE, "%s: a latency of %.6g ns: use values above 0 and below an hour", prf_csv_where(csv),
                        entry.latency_ns);
    identify(&entry.layer, dtype, &layer);
    self->kinds |= 1u << layer.kind;
    self->dtypes |= 1u << dtype;
    return add(self, &entry, err);
}

static int compare_entries(const void *a, const void *b)
{
    const entry_t *x = a, *y = b;
    int order = prf_digest_compare(&x->layer, &y->layer);
    return order ? order : (x->latency_ns > y->latency_ns) - (x->latency_ns < y->latency_ns);
}

static prf_status_t read_table(prf_board_t *self, const plan_t *plan, prf_csv_t *csv, prf_error_t *err)
{
    bool more = true;
    for (;;) {
        prf_status_t status = prf_csv_next(csv, &more, err);
        if (!status && more && passes(plan, csv))
            status = read_row(self, plan, csv, err);
        if (status)
            return status;
        if (!more)
            break;
    }
    if (self->count == 0)
        return prf_fail(err, PRF_EINVAL, "replay: %s: no row passes the where. options: check their values", plan->file);
    qsort(self->entries, self->count, sizeof *self->entries, compare_entries);
    for (size_t i = 1; i < self->count && !self->repeated; i++)
        self->repeated = prf_digest_compare(&self->entries[i - 1].layer, &self->entries[i].layer) == 0;
    return PRF_OK;
}

static void replay_close(prf_board_t **board)
{
    if (!*board)
        return;
    free((*board)->entries);
    free(*board);
    *board = NULL;
}

static prf_status_t replay_open(const char *const *options, size_t count, prf_board_t **out, prf_error_t *err)
{
    plan_t plan = {.latency = "latency_ns", .unit = "ns"};
    const prf_option_t table[] = {
        {"file", PRF_OPTION_TEXT, &plan.file, 0, 0},       {"layer", PRF_OPTION_TEXT, &plan.layer, 0, 0},
        {"latency", PRF_OPTION_TEXT, &plan.latency, 0, 0}, {"unit", PRF_OPTION_TEXT, &plan.unit, 0, 0},
        {"dtype", PRF_OPTION_TEXT, &plan.dtype, 0, 0},     {"where.", PRF_OPTION_MANY, NULL, 0, 0},
        {"column.", PRF_OPTION_MANY, NULL, 0, 0},
    };
    prf_status_t status = prf_options_read("replay", options, count, table, sizeof table / sizeof *table, err);
    if (status)
        return status;
    if (!plan.file)
        return prf_fail(err, PRF_EINVAL, "replay: give the table with file=CSV");
    prf_board_t *self = calloc(1, sizeof *self);
    prf_csv_t *csv = NULL;
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "replay: board");
    status = prf_csv_open(&csv, plan.file, err);
    if (!status)
        status = make_plan(&plan, csv, options, count, err);
    if (!status)
        status = read_table(self, &plan, csv, err);
    prf_csv_close(&csv);
    if (status) {
        replay_close(&self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

/* The data is the board: its digest is what makes two replaying workers comparable, wherever the file lies. */
static void replay_describe(const prf_board_t *self, prf_board_facts_t *out)
{
    prf_digest_t digest;
    char hex[PRF_DIGEST_HEX];
    prf_digest(&digest, self->entries, self->count * sizeof *self->entries);
    prf_digest_hex(&digest, hex);
    *out = (prf_board_facts_t){.kinds = self->kinds, .dtypes = self->dtypes};
    out->flags = PRF_BOARD_SELF_TIMED | (self->repeated ? 0 : PRF_BOARD_EXACT);
    snprintf(out->fingerprint, sizeof out->fingerprint, "replay/%s", hex);
}

static int compare_key(const void *key, const void *entry)
{
    return prf_digest_compare(key, &((const entry_t *)entry)->layer);
}

/* Recorded layers stand for themselves with the activation that follows: tables of fused runtimes tell no other. */
static prf_status_t replay_prepare(prf_board_t *self, const prf_block_t *block, const prf_place_t *place, prf_kernel_t **out,
                                   prf_error_t *err)
{
    (void)place;
    for (uint32_t i = 1; i < block->count; i++)
        if (block->layers[i].kind != PRF_ACTIVATION)
            return prf_fail(err, PRF_EUNSUPPORTED, "not recorded: a block of %s and %s: leave it out",
                            prf_layer_kind_name(block->layers[0].kind), prf_layer_kind_name(block->layers[i].kind));
    prf_digest_t layer;
    identify(&layer, block->dtype, &block->layers[0]);
    const entry_t *found = bsearch(&layer, self->entries, self->count, sizeof *self->entries, compare_key);
    if (!found)
        return prf_fail(err, PRF_EUNSUPPORTED, "not recorded: the table has no such layer: leave it out");
    const entry_t *end = self->entries + self->count, *last = found;
    while (found > self->entries && prf_digest_compare(&found[-1].layer, &layer) == 0)
        found--;
    while (last < end && prf_digest_compare(&last->layer, &layer) == 0)
        last++;
    prf_kernel_t *kernel = calloc(1, sizeof *kernel);
    if (!kernel)
        return prf_fail(err, PRF_ENOMEM, "replay: kernel");
    *kernel = (prf_kernel_t){.first = found, .count = (size_t)(last - found)};
    *out = kernel;
    return PRF_OK;
}

static prf_status_t replay_run(prf_kernel_t *kernel, const prf_run_t *how, prf_reading_t *out, prf_error_t *err)
{
    (void)how;
    (void)err;
    out->latency_ns = kernel->first[kernel->next++ % kernel->count].latency_ns;
    return PRF_OK;
}

static void replay_release(prf_kernel_t **kernel)
{
    free(*kernel);
    *kernel = NULL;
}

const prf_backend_t prf_backend_replay = {
    .abi = PRF_BACKEND_ABI,
    .name = "replay",
    .options = "file=CSV layer=KIND latency=COLUMN unit=ns|us|ms|s dtype=TYPE where.COLUMN=VALUE column.PARAM=COLUMN|NUMBER|same",
    .open = replay_open,
    .describe = replay_describe,
    .prepare = replay_prepare,
    .run = replay_run,
    .release = replay_release,
    .close = replay_close,
};
