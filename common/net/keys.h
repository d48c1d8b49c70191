// SPDX-License-Identifier: Apache-2.0
/* keys.h - the key pairs that a farm's programs know each other by (X25519, as CURVE uses them), as text and as files. Any thread.
 *
 * A public key is 64 hexadecimal digits: it survives a shell, a YAML file and a mail. A secret key is only ever in a file that
 * nobody but its owner can read, and in memory that is wiped after use; it is in no argument, environment, log or error text. */
#ifndef PRF_NET_KEYS_H
#define PRF_NET_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum { PRF_KEY_BYTES = 32, PRF_KEY_TEXT = 65 };

typedef struct {
    uint8_t bytes[PRF_KEY_BYTES];
} prf_key_t; /* public */

typedef struct {
    prf_key_t public_key;
    uint8_t secret[PRF_KEY_BYTES];
} prf_keypair_t;

bool prf_key_same(const prf_key_t *a, const prf_key_t *b);
void prf_key_format(const prf_key_t *key, char text[PRF_KEY_TEXT]);
/* False when `text` is not 64 hexadecimal digits. */
bool prf_key_parse(prf_key_t *out, const char *text);
/* `text` is the key itself or names a file that holds it (NAME.pub). Errors: PRF_ENOTFOUND, PRF_EPARSE, PRF_EIO. */
PRF_CHECKED prf_status_t prf_key_load(prf_key_t *out, const char *text, prf_error_t *err);

void prf_keypair_new(prf_keypair_t *out);
void prf_keypair_wipe(prf_keypair_t *self);
/* Writes NAME.key (for its owner only) and NAME.pub into a folder that is there; replaces nothing. `key_path` and `public_path`
 * (PATH_MAX bytes) receive their names. Errors: PRF_EEXISTS, PRF_EINVAL (a name that is none), PRF_EIO, PRF_ENOSPC. */
PRF_CHECKED prf_status_t prf_keypair_write(const prf_keypair_t *self, const char *folder, const char *name, char *key_path,
                                           char *public_path, prf_error_t *err);
/* Reads NAME.key. On failure *out is untouched. Errors: PRF_EDENIED (others can read it, or it is somebody else's: says how to
 * mend that), PRF_EPARSE, PRF_EVERSION, PRF_ECORRUPT (the two keys do not belong together), PRF_ENOTFOUND, PRF_EIO. */
PRF_CHECKED prf_status_t prf_keypair_load(prf_keypair_t *out, const char *path, prf_error_t *err);

/* Who a program that connects is, and which coordinator it trusts. */
typedef struct {
    bool keyed; /* false: neither, for a farm without keys */
    prf_keypair_t pair;
    prf_key_t server;
} prf_identity_t;

/* The file of the secret key: the one that is given, else the one that PRFARM_KEY names. NULL: neither. */
const char *prf_identity_key(const char *given);
/* `key` is a file, `server` what prf_key_load takes; for one that is NULL the environment is asked (PRFARM_KEY, PRFARM_SERVER).
 * Errors: PRF_EUSAGE (one without the other), those of loading. */
PRF_CHECKED prf_status_t prf_identity_load(prf_identity_t *out, const char *key, const char *server, prf_error_t *err);
void prf_identity_wipe(prf_identity_t *self);

#endif
