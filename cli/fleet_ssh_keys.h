// SPDX-License-Identifier: Apache-2.0
/* fleet_ssh_keys.h - a key pair for each entry of the file, made here once and kept, and its line in the coordinator's allow-list.
 * Main thread only. */
#ifndef PRF_CLI_FLEET_SSH_KEYS_H
#define PRF_CLI_FLEET_SSH_KEYS_H

#include "base/text.h"
#include "fleet_ssh_file.h"
#include "net/keys.h"

/* A host's pair; zeros: not loaded, or a farm without keys. */
typedef struct {
    char *secret; /* owned: the text of its file; wiped when released */
    char public[PRF_KEY_TEXT];
} prf_ssh_keys_t;

/* The coordinator's public key, as text; empty for a farm without keys. Errors: those of prf_key_load. */
PRF_CHECKED prf_status_t prf_ssh_server_load(const prf_ssh_file_t *file, char text[PRF_KEY_TEXT], prf_error_t *err);

/* Makes the host's pair where there is none, and loads it. Errors: those of prf_keypair_write and of loading. */
PRF_CHECKED prf_status_t prf_ssh_keys_load(prf_ssh_keys_t *out, const prf_ssh_file_t *file, const prf_ssh_host_t *host,
                                           prf_error_t *err);
void prf_ssh_keys_release(prf_ssh_keys_t *self);

/* Adds lines for those of the file's hosts whose pair is loaded (`keys` has one a host) and that the list lacks: to the list, if
 * the file names it, else to *missing, which the caller shows and releases. A host whose kind or number of boards has changed needs
 * its line changed by a person. Errors: those of reading and writing. */
PRF_CHECKED prf_status_t prf_ssh_keys_allow(const prf_ssh_file_t *file, const prf_ssh_keys_t *keys, prf_text_t *missing,
                                            prf_error_t *err);

#endif
