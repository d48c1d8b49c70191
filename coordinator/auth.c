// SPDX-License-Identifier: Apache-2.0
/* auth.c - the list in use, and the file that it came from.
 *
 * The file is looked at once a second (its times, size and inode). A signal was passed over: it has to be sent by somebody who
 * knows of it, and a list that was changed but not loaded is a door that is thought to be shut. Replacing the file by rename is
 * best; a half-written one is most likely malformed, is said to be, and is read again a second later.
 *
 * The gate (net/gate.h) decides who may connect, here it is decided what a message may do. Strangers are logged here, once a second
 * at most, because common code does not log. */
#include "auth.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

struct prf_auth {
    const char *list_file; /* borrowed; NULL: no keys */
    prf_keypair_t pair;    /* wiped once the sockets are there */
    prf_gate_t *gate;
    prf_allow_list_t list;
    struct stat seen; /* of the file as it was last looked at */
    bool missing;     /* it was not there then */
    prf_error_t trouble;
    uint64_t refused_logged;
    prf_key_t logged_key;
    unsigned logged_ago; /* seconds */
};

enum { STRANGER_SECONDS = 60 }; /* between two lines about the same one */

/* Whoever can change the list can let himself in. */
static prf_status_t check_owner(const char *path, const struct stat *st, prf_error_t *err)
{
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return prf_fail(err, PRF_EDENIED, "%s belongs to another user (%ld), who could let himself in: 'chown %ld %s'", path,
                        (long)st->st_uid, (long)geteuid(), path);
    if (st->st_mode & 022)
        return prf_fail(err, PRF_EDENIED,
                        "%s can be changed by other users (mode %03o), who could let themselves in: 'chmod 644 %s'", path,
                        (unsigned)st->st_mode & 0777, path);
    return PRF_OK;
}

/* Takes the file as it is now; `st` is what was seen of it. */
static prf_status_t load(prf_auth_t *self, const struct stat *st, prf_error_t *err)
{
    char *text;
    size_t len;
    prf_allow_list_t list;
    prf_status_t status = check_owner(self->list_file, st, err);
    if (status || (status = prf_file_read(self->list_file, PRF_ALLOW_BYTES, &text, &len, err)))
        return status;
    status = strlen(text) == len ? prf_allow_list_parse(&list, self->list_file, text, err)
                                 : prf_fail(err, PRF_EPARSE, "%s: no text file: name the list of keys", self->list_file);
    free(text);
    if (status)
        return status;
    prf_key_t *keys = malloc((list.count + 1) * sizeof *keys);
    for (size_t i = 0; keys && i < list.count; i++)
        keys[i] = list.entries[i].key;
    status = keys ? prf_gate_allow(self->gate, keys, list.count, err) : prf_fail(err, PRF_ENOMEM, "%zu keys", list.count);
    free(keys);
    if (status) {
        prf_allow_list_release(&list);
        return status;
    }
    prf_allow_list_release(&self->list);
    self->list = list;
    return PRF_OK;
}

static prf_status_t set_up(prf_auth_t *self, const char *key_file, prf_error_t *err)
{
    prf_status_t status = prf_keypair_load(&self->pair, key_file, err);
    if (!status)
        status = prf_gate_new(&self->gate, err);
    if (!status && stat(self->list_file, &self->seen) != 0)
        status = prf_fail_sys(err, errno, "%s", self->list_file);
    if (!status)
        status = load(self, &self->seen, err);
    if (status)
        return status;
    char text[PRF_KEY_TEXT];
    prf_key_format(&self->pair.public_key, text);
    prf_log(PRF_LOG_INFO, "keys public=%s list=\"%s\" entries=%zu", text, self->list_file, self->list.count);
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
    prf_gate_destroy(&(*self)->gate);
    prf_allow_list_release(&(*self)->list);
    prf_keypair_wipe(&(*self)->pair);
    free(*self);
    *self = NULL;
}

bool prf_auth_keyed(const prf_auth_t *self)
{
    return self->list_file;
}

prf_status_t prf_auth_secure(const prf_auth_t *self, prf_socket_t *socket, prf_error_t *err)
{
    return self->list_file ? prf_socket_secure(socket, &self->pair, err) : PRF_OK;
}

void prf_auth_forget_secret(prf_auth_t *self)
{
    prf_keypair_wipe(&self->pair);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size && a->st_mode == b->st_mode &&
           a->st_uid == b->st_uid && memcmp(&a->st_mtim, &b->st_mtim, sizeof a->st_mtim) == 0 &&
           memcmp(&a->st_ctim, &b->st_ctim, sizeof a->st_ctim) == 0;
}

static void log_strangers(prf_auth_t *self)
{
    prf_key_t last;
    uint64_t refused = prf_gate_refused(self->gate, &last);
    self->logged_ago++;
    if (refused == self->refused_logged || (prf_key_same(&last, &self->logged_key) && self->logged_ago < STRANGER_SECONDS))
        return;
    self->logged_key = last;
    self->logged_ago = 0;
    char text[PRF_KEY_TEXT];
    prf_key_format(&last, text);
    prf_log(PRF_LOG_WARN, "strangers_refused count=%" PRIu64 " last_key=%s why=\"not on the list\"", refused - self->refused_logged,
            text);
    self->refused_logged = refused;
}

bool prf_auth_tick(prf_auth_t *self)
{
    if (!self->list_file)
        return false;
    log_strangers(self);
    struct stat now;
    prf_error_t err = {0};
    bool missing = stat(self->list_file, &now) != 0;
    if (missing == self->missing && (missing || same_file(&now, &self->seen)))
        return false;
    self->missing = missing;
    if (!missing)
        self->seen = now;
    prf_status_t status =
        missing ? prf_fail(&err, PRF_ENOTFOUND, "%s is gone: put it back", self->list_file) : load(self, &now, &err);
    self->trouble = err;
    if (status) {
        prf_log(PRF_LOG_ERROR, "allow_list_not_taken error=\"%s\" next=\"the earlier list of %zu keys stays\"", err.text,
                self->list.count);
        return false;
    }
    prf_log(PRF_LOG_INFO, "allow_list_taken file=\"%s\" entries=%zu", self->list_file, self->list.count);
    return true;
}

static const prf_allow_t *entry_of(const prf_auth_t *self, const prf_peer_t *peer)
{
    return peer->keyed ? prf_allow_list_find(&self->list, &peer->key) : NULL;
}

static prf_status_t unknown(prf_error_t *err)
{
    return prf_fail(err, PRF_EDENIED, "this key is not on the farm's list (any more): ask its operator");
}

prf_status_t prf_auth_worker(const prf_auth_t *self, const prf_peer_t *peer, const char *kind, prf_error_t *err)
{
    if (!self->list_file)
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
    if (!self->list_file)
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
    return self->list_file ? (entry ? entry->sessions : 0) : SIZE_MAX;
}

const char *prf_auth_name(const prf_auth_t *self, const prf_peer_t *peer)
{
    const prf_allow_t *entry = entry_of(self, peer);
    return entry ? entry->name : (self->list_file ? "?" : "-");
}

size_t prf_auth_count(const prf_auth_t *self)
{
    return self->list.count;
}

const char *prf_auth_trouble(const prf_auth_t *self)
{
    return self->trouble.text;
}

uint64_t prf_auth_refused(const prf_auth_t *self)
{
    return self->list_file ? prf_gate_refused(self->gate, NULL) : 0;
}
