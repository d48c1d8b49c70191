// SPDX-License-Identifier: Apache-2.0
/* access.c - the list in use, and the file that it came from.
 *
 * The file is looked at once a second (its times, size and inode). A signal was passed over: it has to be sent by somebody who
 * knows of it, and a list that was changed but not loaded is a door that is thought to be shut. Replacing the file by rename is
 * best; a half-written one is most likely malformed, is said to be, and is read again a second later.
 *
 * The gate (gate.h) decides who may connect; what a message may do is for the daemon to decide, by the entry of its key. */
#include "net/access.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "net/gate.h"

enum { STRANGER_SECONDS = 60 }; /* between two words about the same one */

struct prf_access {
    const char *list_file; /* borrowed */
    unsigned roles;
    prf_keypair_t pair; /* its secret is wiped once the sockets are there */
    prf_gate_t *gate;
    prf_allow_list_t list;
    struct stat seen; /* of the file as it was last looked at */
    bool missing;     /* it was not there then */
    uint64_t told;    /* strangers */
    prf_key_t told_key;
    unsigned told_ago; /* seconds */
};

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

static prf_status_t open_gate(prf_access_t *self, const prf_allow_list_t *list, prf_error_t *err)
{
    prf_key_t *keys = malloc((list->count + 1) * sizeof *keys);
    if (!keys)
        return prf_fail(err, PRF_ENOMEM, "%zu keys", list->count);
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        if (self->roles & 1U << list->entries[i].role)
            keys[count++] = list->entries[i].key;
    prf_status_t status = prf_gate_allow(self->gate, keys, count, err);
    free(keys);
    return status;
}

/* Takes the file as it is now; `st` is what was seen of it. */
static prf_status_t load(prf_access_t *self, const struct stat *st, prf_error_t *err)
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
    status = open_gate(self, &list, err);
    if (status) {
        prf_allow_list_release(&list);
        return status;
    }
    prf_allow_list_release(&self->list);
    self->list = list;
    return PRF_OK;
}

prf_status_t prf_access_new(prf_access_t **out, const char *key_file, const char *list_file, unsigned roles, prf_error_t *err)
{
    prf_access_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "keys");
    self->list_file = list_file;
    self->roles = roles;
    prf_status_t status = prf_keypair_load(&self->pair, key_file, err);
    if (!status)
        status = prf_gate_new(&self->gate, err);
    if (!status && stat(list_file, &self->seen) != 0)
        status = prf_fail_sys(err, errno, "%s", list_file);
    if (!status)
        status = load(self, &self->seen, err);
    if (status)
        prf_access_destroy(&self);
    else
        *out = self;
    return status;
}

void prf_access_destroy(prf_access_t **self)
{
    if (!*self)
        return;
    prf_gate_destroy(&(*self)->gate);
    prf_allow_list_release(&(*self)->list);
    prf_keypair_wipe(&(*self)->pair);
    free(*self);
    *self = NULL;
}

prf_status_t prf_access_secure(const prf_access_t *self, prf_socket_t *socket, prf_error_t *err)
{
    return prf_socket_secure(socket, &self->pair, err);
}

void prf_access_forget_secret(prf_access_t *self)
{
    prf_keypair_wipe(&self->pair);
}

void prf_access_public(const prf_access_t *self, char text[PRF_KEY_TEXT])
{
    prf_key_format(&self->pair.public_key, text);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size && a->st_mode == b->st_mode &&
           a->st_uid == b->st_uid && memcmp(&a->st_mtim, &b->st_mtim, sizeof a->st_mtim) == 0 &&
           memcmp(&a->st_ctim, &b->st_ctim, sizeof a->st_ctim) == 0;
}

prf_status_t prf_access_tick(prf_access_t *self, bool *changed, prf_error_t *err)
{
    struct stat now;
    bool missing = stat(self->list_file, &now) != 0;
    *changed = false;
    if (missing == self->missing && (missing || same_file(&now, &self->seen)))
        return PRF_OK;
    self->missing = missing;
    if (missing)
        return prf_fail(err, PRF_ENOTFOUND, "%s is gone: put it back", self->list_file);
    self->seen = now;
    prf_status_t status = load(self, &now, err);
    *changed = status == PRF_OK;
    return status;
}

uint64_t prf_access_strangers(prf_access_t *self, char last[PRF_KEY_TEXT])
{
    prf_key_t key;
    uint64_t refused = prf_gate_refused(self->gate, &key), untold = refused - self->told;
    self->told_ago++;
    if (untold == 0 || (prf_key_same(&key, &self->told_key) && self->told_ago < STRANGER_SECONDS))
        return 0;
    self->told = refused;
    self->told_key = key;
    self->told_ago = 0;
    prf_key_format(&key, last);
    return untold;
}

const prf_allow_t *prf_access_entry(const prf_access_t *self, const prf_peer_t *peer)
{
    return peer->keyed ? prf_allow_list_find(&self->list, &peer->key) : NULL;
}

size_t prf_access_count(const prf_access_t *self)
{
    return self->list.count;
}

uint64_t prf_access_refused(const prf_access_t *self)
{
    return prf_gate_refused(self->gate, NULL);
}
