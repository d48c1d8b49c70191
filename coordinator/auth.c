// SPDX-License-Identifier: Apache-2.0
/* auth.c - the door is net/access.h; here it is decided what a message may do, and logged what becomes of the list and of
 * strangers, once a second at most, because common code does not log. */
#include "auth.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "net/access.h"

struct prf_auth {
    const char *list_file; /* borrowed; NULL: no keys */
    prf_access_t *access;  /* NULL: no keys */
    prf_error_t trouble;
};

/* Relays are on the list, too, and have a door of their own: prfarm-relay's. */
enum { ROLES = 1 << PRF_ROLE_WORKER | 1 << PRF_ROLE_VIEWER | 1 << PRF_ROLE_OPERATOR };

static prf_status_t set_up(prf_auth_t *self, const char *key_file, prf_error_t *err)
{
    prf_status_t status = prf_access_new(&self->access, key_file, self->list_file, ROLES, err);
    if (status)
        return status;
    char text[PRF_KEY_TEXT];
    prf_access_public(self->access, text);
    prf_log(PRF_LOG_INFO, "keys public=%s list=\"%s\" entries=%zu", text, self->list_file, prf_access_count(self->access));
    return PRF_OK;
}

prf_status_t prf_auth_new(prf_auth_t **out, const char *key_file, const char *list_file, prf_error_t *err)
{
    if (!key_file != !list_file)
        return prf_fail(err, PRF_EUSAGE,
                        "--key (the coordinator's own key file) and --allow (the list of keys that it lets in) belong "
                        "together: give both, or neither for a farm without keys");
    prf_auth_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "keys");
    self->list_file = list_file;
    prf_status_t status = list_file ? set_up(self, key_file, err) : PRF_OK;
    if (status)
        prf_auth_destroy(&self);
    else
        *out = self;
    return status;
}

void prf_auth_destroy(prf_auth_t **self)
{
    if (!self || !*self)
        return;
    prf_access_destroy(&(*self)->access);
    free(*self);
    *self = NULL;
}

bool prf_auth_keyed(const prf_auth_t *self)
{
    return self->access;
}

prf_status_t prf_auth_secure(const prf_auth_t *self, prf_socket_t *socket, prf_error_t *err)
{
    return self->access ? prf_access_secure(self->access, socket, err) : PRF_OK;
}

void prf_auth_forget_secret(prf_auth_t *self)
{
    if (self->access)
        prf_access_forget_secret(self->access);
}

bool prf_auth_tick(prf_auth_t *self)
{
    if (!self->access)
        return false;
    char last[PRF_KEY_TEXT];
    uint64_t strangers = prf_access_strangers(self->access, last);
    if (strangers > 0)
        prf_log(PRF_LOG_WARN, "strangers_refused count=%" PRIu64 " last_key=%s why=\"not on the list\"", strangers, last);
    bool changed;
    prf_error_t err = {0};
    if (prf_access_tick(self->access, &changed, &err)) {
        self->trouble = err;
        prf_log(PRF_LOG_ERROR, "allow_list_not_taken error=\"%s\" next=\"the earlier list of %zu keys stays\"", err.text,
                prf_access_count(self->access));
    } else if (changed) {
        self->trouble = err;
        prf_log(PRF_LOG_INFO, "allow_list_taken file=\"%s\" entries=%zu", self->list_file, prf_access_count(self->access));
    }
    return changed;
}

static const prf_allow_t *entry_of(const prf_auth_t *self, const prf_peer_t *peer)
{
    return self->access ? prf_access_entry(self->access, peer) : NULL;
}

static prf_status_t unknown(prf_error_t *err)
{
    return prf_fail(err, PRF_EDENIED, "this key is not on the farm's list (any more): ask its operator");
}

prf_status_t prf_auth_worker(const prf_auth_t *self, const prf_peer_t *peer, const char *kind, prf_error_t *err)
{
    if (!self->access)
        return PRF_OK;
    const prf_allow_t *entry = entry_of(self, peer);
    if (!entry)
        return unknown(err);
    if (entry->role != PRF_ROLE_WORKER)
        return prf_fail(err, PRF_EDENIED,
                        "the key '%s' is for a %s, not for workers: use one whose role in the farm's list is worker", entry->name,
                        prf_role_name(entry->role));
    if (kind && !prf_allow_serves(entry, kind))
        return prf_fail(err, PRF_EDENIED, "the key '%s' is not for boards of kind %s: its kinds= in the farm's list has to name it",
                        entry->name, kind);
    return PRF_OK;
}

prf_status_t prf_auth_client(const prf_auth_t *self, const prf_peer_t *peer, prf_role_t role, prf_error_t *err)
{
    if (!self->access)
        return PRF_OK;
    const prf_allow_t *entry = entry_of(self, peer);
    if (!entry)
        return unknown(err);
    if (entry->role == PRF_ROLE_WORKER || entry->role < role)
        return prf_fail(err, PRF_EDENIED, "the key '%s' is for a %s: that takes an %s's", entry->name, prf_role_name(entry->role),
                        role == PRF_ROLE_OPERATOR ? "operator" : "operator's or a viewer");
    return PRF_OK;
}

size_t prf_auth_sessions(const prf_auth_t *self, const prf_peer_t *peer)
{
    const prf_allow_t *entry = entry_of(self, peer);
    return self->access ? (entry ? entry->sessions : 0) : SIZE_MAX;
}

const char *prf_auth_name(const prf_auth_t *self, const prf_peer_t *peer)
{
    const prf_allow_t *entry = entry_of(self, peer);
    return entry ? entry->name : (self->access ? "?" : "-");
}

size_t prf_auth_count(const prf_auth_t *self)
{
    return self->access ? prf_access_count(self->access) : 0;
}

const char *prf_auth_trouble(const prf_auth_t *self)
{
    return self->trouble.text;
}

uint64_t prf_auth_refused(const prf_auth_t *self)
{
    return self->access ? prf_access_refused(self->access) : 0;
}
