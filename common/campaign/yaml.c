// SPDX-License-Identifier: Apache-2.0
/* yaml.c - libfyaml's events, turned into a tree of our own.
 *
 * Events rather than libfyaml's documents: an alias or anchor is seen, and refused, before anything is expanded; depth and count
 * are checked while nodes are made; and a node's place is copied, so that the tree lives on without the parser. Nodes are kept in
 * a chain of their own for release, which needs no recursion however deep the tree is. */
#include "campaign/yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "point/point.h"

struct prf_yaml_node {
    const prf_yaml_t *document; /* borrowed */
    prf_yaml_kind_t kind;
    unsigned line, column;
    size_t count;
    prf_yaml_node_t *first, *last, *next; /* children, and the next sibling; owned by the document's chain */
    prf_yaml_node_t *key;                 /* of a mapping's value */
    prf_yaml_node_t *made_before;         /* the document's chain */
    char text[];                          /* a scalar's, NUL-terminated */
};

struct prf_yaml {
    char *name;             /* owned */
    prf_yaml_node_t *chain; /* every node, the newest first */
    prf_yaml_node_t *root;
    size_t node_count;
};

typedef struct {
    prf_yaml_t *doc;
    const char *text;                      /* borrowed: the whole file */
    prf_yaml_node_t *open[PRF_YAML_DEPTH]; /* the collections that are not closed yet */
    size_t depth;
    prf_yaml_node_t *key; /* read, its value is not; only meaningful in a mapping */
    prf_error_t *err;
} reader_t;

static void sanitize(prf_error_t *err)
{
    for (char *c = err->text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
}

static void locate(prf_error_t *err, const char *name, unsigned line)
{
    char message[sizeof err->text];
    snprintf(message, sizeof message, "%s", err->text);
    int used = snprintf(err->text, sizeof err->text, "%.150s:%u: ", name, line);
    snprintf(err->text + used, sizeof err->text - (size_t)used, "%.310s", message);
    sanitize(err);
}

static prf_status_t fail_at(prf_error_t *err, const char *name, unsigned line, prf_status_t code, const char *fmt, va_list args)
{
    if (!err)
        return code;
    *err = (prf_error_t){.code = code};
    vsnprintf(err->text, sizeof err->text, fmt, args);
    locate(err, name, line);
    return code;
}

prf_status_t prf_yaml_fail(const prf_yaml_node_t *node, prf_error_t *err, prf_status_t code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail_at(err, node->document->name, node->line, code, fmt, args);
    va_end(args);
    return code;
}

prf_status_t prf_yaml_fail_key(const prf_yaml_node_t *value, prf_error_t *err, prf_status_t code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail_at(err, value->document->name, value->key ? value->key->line : value->line, code, fmt, args);
    va_end(args);
    return code;
}

prf_status_t prf_yaml_fail_prefix(const prf_yaml_node_t *node, prf_error_t *err, prf_status_t code)
{
    if (err) {
        err->code = code;
        locate(err, node->document->name, node->key ? node->key->line : node->line);
    }
    return code;
}

/* A fault of the text itself, before there is a node to point at. `mark` may be NULL. */
static prf_status_t refuse(const reader_t *r, const struct fy_mark *mark, prf_status_t code, const char *message)
{
    unsigned line = mark ? (unsigned)mark->line + 1 : 1, column = mark ? (unsigned)mark->column + 1 : 1;
    return prf_fail(r->err, code, "%.150s:%u: column %u: %s", r->doc->name, line, column, message);
}

static prf_status_t node_new(reader_t *r, prf_yaml_kind_t kind, const struct fy_mark *mark, const char *text, size_t len,
                             prf_yaml_node_t **out)
{
    if (r->doc->node_count == PRF_YAML_NODES)
        return refuse(r, mark, PRF_EINVAL, "too many values: a file may have 65536");
    prf_yaml_node_t *node = calloc(1, sizeof *node + len + 1);
    if (!node)
        return prf_fail(r->err, PRF_ENOMEM, "%s", r->doc->name);
    node->document = r->doc;
    node->kind = kind;
    node->line = mark ? (unsigned)mark->line + 1 : 1;
    node->column = mark ? (unsigned)mark->column + 1 : 1;
    if (len)
        memcpy(node->text, text, len);
    node->made_before = r->doc->chain;
    r->doc->chain = node;
    r->doc->node_count++;
    *out = node;
    return PRF_OK;
}

/* Becomes the pending key of the open mapping. */
static prf_status_t take_key(reader_t *r, prf_yaml_node_t *node, const struct fy_mark *mark)
{
    if (node->kind == PRF_YAML_LIST || node->kind == PRF_YAML_MAP || !node->text[0])
        return refuse(r, mark, PRF_EPARSE, "a key must be a plain text, as in 'samples: 100'");
    const prf_yaml_node_t *map = r->open[r->depth - 1];
    for (const prf_yaml_node_t *v = map->first; v; v = v->next) {
        if (strcmp(v->key->text, node->text) == 0)
            return prf_yaml_fail(node, r->err, PRF_EINVAL, "'%.60s' is given twice, first in line %u: keep one of them", node->text,
                                 v->key->line);
    }
    r->key = node;
    return PRF_OK;
}

/* Puts a new node where it belongs: the root, an element, a key or a value. */
static prf_status_t place(reader_t *r, prf_yaml_node_t *node, const struct fy_mark *mark)
{
    if (r->depth == 0) {
        if (r->doc->root)
            return refuse(r, mark, PRF_EPARSE, "a second document begins: keep one a file");
        r->doc->root = node;
        return PRF_OK;
    }
    prf_yaml_node_t *parent = r->open[r->depth - 1];
    if (parent->kind == PRF_YAML_MAP && !r->key)
        return take_key(r, node, mark);
    if (parent->count == PRF_YAML_ENTRIES)
        return refuse(r, mark, PRF_EINVAL, "too many entries: a list or mapping may have 4096");
    node->key = parent->kind == PRF_YAML_MAP ? r->key : NULL;
    r->key = NULL;
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
    return PRF_OK;
}

static prf_status_t open_collection(reader_t *r, prf_yaml_kind_t kind, const struct fy_mark *mark)
{
    if (r->depth == PRF_YAML_DEPTH)
        return refuse(r, mark, PRF_EINVAL, "nested too deeply: a file may have 16 levels");
    prf_yaml_node_t *node;
    prf_status_t status = node_new(r, kind, mark, NULL, 0, &node);
    if (!status)
        status = place(r, node, mark);
    if (status)
        return status;
    if (r->key == node)
        return refuse(r, mark, PRF_EPARSE, "a key must be a plain text, as in 'samples: 100'");
    r->open[r->depth++] = node;
    return PRF_OK;
}

static bool means_nothing(const char *text, size_t len)
{
    return len == 0 || (len == 1 && text[0] == '~') || (len == 4 && memcmp(text, "null", 4) == 0);
}

/* libfyaml 0.7 takes two quotes that stand side by side within single quotes ('x''''y') for three, and loses the memory that it
 * needed: such a text must not reach it. */
static bool quotes_side_by_side(const reader_t *r, struct fy_event *event)
{
    const struct fy_mark *begin = fy_event_start_mark(event), *end = fy_event_end_mark(event);
    if (fy_event_get_node_style(event) != FYNS_SINGLE_QUOTED || !begin || !end)
        return false;
    size_t run = 0;
    for (size_t i = begin->input_pos; i < end->input_pos && run < 4; i++)
        run = r->text[i] == '\'' ? run + 1 : 0;
    return run == 4;
}

static prf_status_t read_scalar(reader_t *r, struct fy_event *event, const struct fy_mark *mark)
{
    if (quotes_side_by_side(r, event))
        return refuse(r, mark, PRF_EPARSE, "two quotes side by side ('''') are not taken: put this text in double quotes");
    size_t len = 0;
    struct fy_token *token = event->scalar.value;
    const char *text = token ? fy_token_get_text(token, &len) : "";
    if (!text)
        return prf_fail(r->err, PRF_ENOMEM, "%s", r->doc->name);
    bool plain = fy_event_get_node_style(event) == FYNS_PLAIN || !token;
    prf_yaml_node_t *node;
    prf_yaml_kind_t kind = plain && means_nothing(text, len) ? PRF_YAML_EMPTY : PRF_YAML_SCALAR;
    prf_status_t status = node_new(r, kind, mark, text, len, &node);
    return status ? status : place(r, node, mark);
}

static prf_status_t read_event(reader_t *r, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    switch (event->type) {
    case FYET_ALIAS:
        return refuse(r, mark, PRF_EPARSE, "aliases ('*name') are not taken: write the value out");
    case FYET_SCALAR:
    case FYET_MAPPING_START:
    case FYET_SEQUENCE_START:
        if (fy_event_get_anchor_token(event))
            return refuse(r, mark, PRF_EPARSE, "anchors ('&name') are not taken: write the value out");
        if (fy_event_get_tag_token(event))
            return refuse(r, mark, PRF_EPARSE, "tags ('!name') are not taken: leave it out");
        if (event->type == FYET_SCALAR)
            return read_scalar(r, event, mark);
        return open_collection(r, event->type == FYET_MAPPING_START ? PRF_YAML_MAP : PRF_YAML_LIST, mark);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        r->depth--;
        return PRF_OK;
    default:
        return PRF_OK;
    }
}

/* What the parser complained about, in our form. libfyaml counts its lines from 1 here, its columns too. */
static prf_status_t syntax_error(const reader_t *r, struct fy_diag *diag)
{
    void *at = NULL;
    const struct fy_diag_error *e = fy_diag_errors_iterate(diag, &at);
    if (!e)
        return prf_fail(r->err, PRF_EPARSE, "%.150s:1: this is not YAML: is this the right file?", r->doc->name);
    prf_fail(r->err, PRF_EPARSE, "%.150s:%d: column %d: not YAML: %.200s: check indentation, quotes and brackets", r->doc->name,
             e->line, e->column, e->msg ? e->msg : "");
    if (r->err)
        sanitize(r->err);
    return PRF_EPARSE;
}

static prf_status_t read_all(reader_t *r, const char *text, size_t len)
{
    struct fy_diag_cfg diag_config;
    fy_diag_cfg_default(&diag_config);
    struct fy_diag *diag = fy_diag_create(&diag_config);
    if (!diag)
        return prf_fail(r->err, PRF_ENOMEM, "%s", r->doc->name);
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE, .diag = diag};
    struct fy_parser *parser = fy_parser_create(&config);
    prf_status_t status = PRF_OK;
    if (!parser || fy_parser_set_string(parser, text, len) != 0) {
        status = prf_fail(r->err, PRF_ENOMEM, "%s", r->doc->name);
    } else {
        struct fy_event *event;
        while (!status && (event = fy_parser_parse(parser)) != NULL) {
            status = read_event(r, event);
            fy_parser_event_free(parser, event);
        }
        if (!status && fy_parser_get_stream_error(parser))
            status = syntax_error(r, diag);
    }
    if (parser)
        fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    return status;
}

/* libfyaml guesses other encodings from the first bytes and passes broken UTF-8 on; neither is wanted. Returns the length of the
 * character at `s`, 0 when it is none. */
static size_t utf8_length(const unsigned char *s, size_t room)
{
    if (s[0] < 0x80)
        return s[0] ? 1 : 0;
    size_t len = s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    if (len > room)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

/* Nothing stands before it but what ends a line for any version of YAML, or a byte order mark. */
static bool begins_line(const char *text, size_t at)
{
    static const char *const ends[] = {"\n", "\r", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t len = strlen(ends[i]);
        if (at >= len && memcmp(text + at - len, ends[i], len) == 0)
            return true;
    }
    return at == 0;
}

/* libfyaml 0.7 loops for ever over some directives: none reaches it. */
static prf_status_t check_text(const char *text, size_t len, const char *name, prf_error_t *err)
{
    unsigned line = 1;
    for (size_t i = 0; i < len;) {
        size_t step = utf8_length((const unsigned char *)text + i, len - i);
        if (step == 0)
            return prf_fail(err, PRF_EPARSE, "%.150s:%u: holds bytes that are not UTF-8 text: is this the right file?", name, line);
        if (text[i] == '%' && begins_line(text, i))
            return prf_fail(err, PRF_EPARSE, "%.150s:%u: directives (a line that begins with '%%') are not taken: leave it out",
                            name, line);
        line += text[i] == '\n';
        i += step;
    }
    return PRF_OK;
}

prf_status_t prf_yaml_open(prf_yaml_t **out, const char *text, size_t len, const char *name, prf_error_t *err)
{
    prf_yaml_t *doc = calloc(1, sizeof *doc);
    if (doc)
        doc->name = strdup(name);
    if (!doc || !doc->name) {
        prf_yaml_destroy(&doc);
        return prf_fail(err, PRF_ENOMEM, "%s", name);
    }
    reader_t r = {.doc = doc, .text = text, .err = err};
    prf_status_t status = check_text(text, len, name, err);
    if (!status && len)
        status = read_all(&r, text, len);
    if (!status && !doc->root)
        status = node_new(&r, PRF_YAML_EMPTY, NULL, NULL, 0, &doc->root);
    if (status) {
        prf_yaml_destroy(&doc);
        return status;
    }
    *out = doc;
    return PRF_OK;
}

prf_status_t prf_yaml_open_file(prf_yaml_t **out, const char *path, size_t limit, prf_error_t *err)
{
    char *text;
    size_t len;
    prf_status_t status = prf_file_read(path, limit, &text, &len, err);
    if (status)
        return status;
    status = prf_yaml_open(out, text, len, path, err);
    free(text);
    return status;
}

void prf_yaml_destroy(prf_yaml_t **self)
{
    prf_yaml_t *doc = *self;
    if (!doc)
        return;
    while (doc->chain) {
        prf_yaml_node_t *node = doc->chain;
        doc->chain = node->made_before;
        free(node);
    }
    free(doc->name);
    free(doc);
    *self = NULL;
}

const prf_yaml_node_t *prf_yaml_root(const prf_yaml_t *self)
{
    return self->root;
}

prf_yaml_kind_t prf_yaml_kind(const prf_yaml_node_t *node)
{
    return node->kind;
}

const char *prf_yaml_kind_name(prf_yaml_kind_t kind)
{
    static const char *const names[] = {"nothing", "a single value", "a list", "a mapping"};
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "something else";
}

unsigned prf_yaml_line(const prf_yaml_node_t *node)
{
    return node->line;
}

unsigned prf_yaml_column(const prf_yaml_node_t *node)
{
    return node->column;
}

size_t prf_yaml_count(const prf_yaml_node_t *node)
{
    return node->count;
}

const prf_yaml_node_t *prf_yaml_first(const prf_yaml_node_t *node)
{
    return node->first;
}

const prf_yaml_node_t *prf_yaml_next(const prf_yaml_node_t *node)
{
    return node->next;
}

const char *prf_yaml_key(const prf_yaml_node_t *value)
{
    return value->key ? value->key->text : NULL;
}

const prf_yaml_node_t *prf_yaml_get(const prf_yaml_node_t *node, const char *key)
{
    if (!node || node->kind != PRF_YAML_MAP)
        return NULL;
    for (const prf_yaml_node_t *v = node->first; v; v = v->next) {
        if (strcmp(v->key->text, key) == 0)
            return v->kind == PRF_YAML_EMPTY ? NULL : v;
    }
    return NULL;
}

prf_status_t prf_yaml_expect(const prf_yaml_node_t *node, prf_yaml_kind_t kind, const char *what, prf_error_t *err)
{
    if (node->kind == kind)
        return PRF_OK;
    return prf_yaml_fail(node, err, PRF_EINVAL, "%s is %s: give %s", what, prf_yaml_kind_name(node->kind),
                         prf_yaml_kind_name(kind));
}

prf_status_t prf_yaml_only(const prf_yaml_node_t *map, const char *what, const char *const *known, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(map, PRF_YAML_MAP, what, err);
    if (status)
        return status;
    for (const prf_yaml_node_t *v = map->first; v; v = v->next) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], v->key->text) != 0)
            i++;
        if (known[i])
            continue;
        char list[300];
        size_t used = 0;
        for (i = 0; known[i] && used < sizeof list; i++)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", known[i]);
        return prf_yaml_fail_key(v, err, PRF_EINVAL, "%s has no '%.40s': use %s", what, v->key->text, list);
    }
    return PRF_OK;
}

static prf_status_t read_option(const prf_yaml_node_t *node, prf_yaml_option_fn *each, void *arg, prf_error_t *err)
{
    const char *key = prf_yaml_key(node);
    if (strlen(key) >= PRF_NAME || strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != strlen(key))
        return prf_yaml_fail_key(node, err, PRF_EINVAL, "option '%.40s': use letters, digits, '_', '.' and '-' for a key", key);
    if (prf_yaml_kind(node) != PRF_YAML_LIST)
        return each(arg, key, node, err);
    prf_status_t status = PRF_OK;
    for (const prf_yaml_node_t *n = prf_yaml_first(node); n && !status; n = prf_yaml_next(n))
        status = each(arg, key, n, err);
    return status;
}

prf_status_t prf_yaml_options(const prf_yaml_node_t *map, const char *what, prf_yaml_option_fn *each, void *arg, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(map, PRF_YAML_MAP, what, err);
    for (const prf_yaml_node_t *n = status ? NULL : prf_yaml_first(map); n && !status; n = prf_yaml_next(n))
        status = read_option(n, each, arg, err);
    return status;
}

prf_status_t prf_yaml_text(const prf_yaml_node_t *node, const char *what, const char **out, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(node, PRF_YAML_SCALAR, what, err);
    if (!status)
        *out = node->text;
    return status;
}

prf_status_t prf_yaml_int(const prf_yaml_node_t *node, const char *what, int64_t lo, int64_t hi, int64_t *out, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(node, PRF_YAML_SCALAR, what, err);
    if (status)
        return status;
    char *end;
    errno = 0;
    long long value = strtoll(node->text, &end, 10);
    if (end == node->text || *end || errno || value < lo || value > hi)
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: '%.40s': use a whole number from %lld to %lld", what, node->text,
                             (long long)lo, (long long)hi);
    *out = value;
    return PRF_OK;
}

prf_status_t prf_yaml_double(const prf_yaml_node_t *node, const char *what, double lo, double hi, double *out, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(node, PRF_YAML_SCALAR, what, err);
    if (status)
        return status;
    char *end;
    double value = strtod(node->text, &end);
    if (end == node->text || *end || !isfinite(value) || value < lo || value > hi)
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: '%.40s': use a number from %g to %g", what, node->text, lo, hi);
    *out = value;
    return PRF_OK;
}

prf_status_t prf_yaml_bool(const prf_yaml_node_t *node, const char *what, bool *out, prf_error_t *err)
{
    prf_status_t status = prf_yaml_expect(node, PRF_YAML_SCALAR, what, err);
    if (status)
        return status;
    bool yes = strcmp(node->text, "true") == 0;
    if (!yes && strcmp(node->text, "false") != 0)
        return prf_yaml_fail(node, err, PRF_EINVAL, "%s: '%.40s': use true or false", what, node->text);
    *out = yes;
    return PRF_OK;
}
