// SPDX-License-Identifier: Apache-2.0
/* yaml.h - YAML files that people write (campaigns, training specs), as a tree whose every node knows its line and column.
 * The only user of libfyaml. Any thread; a document is immutable once it is open.
 *
 * A subset of YAML is taken: one document, no anchors, aliases or tags, keys are plain texts and stand once in their mapping.
 * So a file can neither grow while it is read ("billion laughs") nor say one thing twice. Size, depth and the number of nodes
 * have limits. Nodes and texts are borrowed from the document.
 *
 * What a value must be is asked when it is fetched; `what` names it in messages ("budget.samples"). Every error reads
 * `file:line: what is wrong and what would be right`. */
#ifndef PRF_YAML_H
#define PRF_YAML_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum { PRF_YAML_DEPTH = 16, PRF_YAML_NODES = 1 << 16, PRF_YAML_ENTRIES = 4096 /* of one mapping or list */ };

typedef struct prf_yaml prf_yaml_t;
typedef struct prf_yaml_node prf_yaml_node_t;

typedef enum {
    PRF_YAML_EMPTY,  /* nothing, `~` or `null` */
    PRF_YAML_SCALAR, /* a text, number or truth value */
    PRF_YAML_LIST,
    PRF_YAML_MAP
} prf_yaml_kind_t;

/* `name` stands for the text in messages. On success the caller owns *out; on failure it is untouched.
 * Errors: PRF_EPARSE (not YAML, or none of the subset), PRF_EINVAL (larger than a limit), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_yaml_open(prf_yaml_t **out, const char *text, size_t len, const char *name, prf_error_t *err);
/* The same for a file of at most `limit` bytes. Errors: also those of prf_file_read. */
PRF_CHECKED prf_status_t prf_yaml_open_file(prf_yaml_t **out, const char *path, size_t limit, prf_error_t *err);
void prf_yaml_destroy(prf_yaml_t **self); /* NULL-safe; clears *self */

const prf_yaml_node_t *prf_yaml_root(const prf_yaml_t *self); /* EMPTY for an empty file; never NULL */

prf_yaml_kind_t prf_yaml_kind(const prf_yaml_node_t *node);
const char *prf_yaml_kind_name(prf_yaml_kind_t kind); /* "a list" */
unsigned prf_yaml_line(const prf_yaml_node_t *node);  /* both count from 1 */
unsigned prf_yaml_column(const prf_yaml_node_t *node);
size_t prf_yaml_count(const prf_yaml_node_t *node); /* elements or entries; 0 for the other kinds */

/* Elements of a list, or the values of a mapping, in the order of the file; NULL behind the last one and for other kinds. */
const prf_yaml_node_t *prf_yaml_first(const prf_yaml_node_t *node);
const prf_yaml_node_t *prf_yaml_next(const prf_yaml_node_t *node);
/* The key that a mapping's value stands under; NULL for what is no mapping's value. */
const char *prf_yaml_key(const prf_yaml_node_t *value);
/* The value under `key`; NULL when there is none, when it is EMPTY, or when `node` is NULL or no mapping. */
const prf_yaml_node_t *prf_yaml_get(const prf_yaml_node_t *node, const char *key);

/* Fills *err with "file:line: " and the message and returns `code`. Control characters that came from the file are replaced. */
prf_status_t prf_yaml_fail(const prf_yaml_node_t *node, prf_error_t *err, prf_status_t code, const char *fmt, ...) PRF_PRINTF(4, 5);
/* The same, pointing at the key that the value stands under. */
prf_status_t prf_yaml_fail_key(const prf_yaml_node_t *value, prf_error_t *err, prf_status_t code, const char *fmt, ...)
    PRF_PRINTF(4, 5);
/* Puts "file:line: " before the text that *err holds, the line being the key's where there is one, and makes it a `code`. */
prf_status_t prf_yaml_fail_prefix(const prf_yaml_node_t *node, prf_error_t *err, prf_status_t code);

/* `node` is of that kind. Errors: PRF_EINVAL. */
PRF_CHECKED prf_status_t prf_yaml_expect(const prf_yaml_node_t *node, prf_yaml_kind_t kind, const char *what, prf_error_t *err);
/* A mapping without any key but those of `known` (NULL-terminated). Errors: PRF_EINVAL naming the known ones. */
PRF_CHECKED prf_status_t prf_yaml_only(const prf_yaml_node_t *map, const char *what, const char *const *known, prf_error_t *err);
/* A mapping of options: `each` gets every value with its key, those of a list one by one under the list's key.
 * Errors: PRF_EINVAL (no mapping; a key that is longer than a name or has other characters), whatever `each` returns. */
typedef prf_status_t prf_yaml_option_fn(void *arg, const char *key, const prf_yaml_node_t *value, prf_error_t *err);
PRF_CHECKED prf_status_t prf_yaml_options(const prf_yaml_node_t *map, const char *what, prf_yaml_option_fn *each, void *arg,
                                          prf_error_t *err);
/* Scalars. Numbers lie within lo .. hi, ends included. *out is untouched on failure. Errors: PRF_EINVAL. */
PRF_CHECKED prf_status_t prf_yaml_text(const prf_yaml_node_t *node, const char *what, const char **out, prf_error_t *err);
PRF_CHECKED prf_status_t prf_yaml_int(const prf_yaml_node_t *node, const char *what, int64_t lo, int64_t hi, int64_t *out,
                                      prf_error_t *err);
PRF_CHECKED prf_status_t prf_yaml_double(const prf_yaml_node_t *node, const char *what, double lo, double hi, double *out,
                                         prf_error_t *err);
PRF_CHECKED prf_status_t prf_yaml_bool(const prf_yaml_node_t *node, const char *what, bool *out, prf_error_t *err);

#endif
