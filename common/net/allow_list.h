// SPDX-License-Identifier: Apache-2.0
/* allow_list.h - the keys that a farm lets in, and what each may do (docs/security.md, The list). Pure; any thread.
 *
 * A line a key: `ROLE KEY [kinds=a,b] [sessions=N] NAME`; '#' begins a comment. A worker's key serves boards of its kinds ('*', as
 * without kinds=, means all); an operator may do everything else; a viewer only looks. A relay's opens a link to prfarm-relay
 * --accept and nothing else. */
#ifndef PRF_NET_ALLOW_LIST_H
#define PRF_NET_ALLOW_LIST_H

#include <stdbool.h>

#include "net/keys.h"
#include "point/point.h"

typedef enum { PRF_ROLE_RELAY, PRF_ROLE_WORKER, PRF_ROLE_VIEWER, PRF_ROLE_OPERATOR, PRF_ROLES } prf_role_t;

enum {
    PRF_ALLOW_BYTES = 4 << 20, /* of a list */
    PRF_ALLOW_ENTRIES = 20000,
    PRF_ALLOW_KINDS = 16,    /* of one key */
    PRF_ALLOW_SESSIONS = 64, /* of one key, unless its line says otherwise */
    PRF_ALLOW_MAX_SESSIONS = 100000
};

typedef struct {
    prf_key_t key;
    prf_role_t role;
    char name[PRF_NAME];
    char (*kinds)[PRF_NAME]; /* owned; NULL: all */
    size_t kind_count;
    unsigned sessions;
} prf_allow_t;

typedef struct {
    prf_allow_t *entries; /* owned, sorted by key */
    size_t count;
} prf_allow_list_t;

/* `file` is only for messages, which name it and the line. On failure *out is untouched. Errors: PRF_EPARSE, PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_allow_list_parse(prf_allow_list_t *out, const char *file, const char *text, prf_error_t *err);
void prf_allow_list_release(prf_allow_list_t *self);
const prf_allow_t *prf_allow_list_find(const prf_allow_list_t *self, const prf_key_t *key); /* NULL: not on it */
bool prf_allow_serves(const prf_allow_t *entry, const char *kind); /* false, too, for one that is no worker */
const char *prf_role_name(prf_role_t role);

#endif
