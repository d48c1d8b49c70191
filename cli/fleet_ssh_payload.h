// SPDX-License-Identifier: Apache-2.0
/* fleet_ssh_payload.h - what hosts of an architecture are sent: the worker as a compressed tar, from a folder that holds
 *
 *   amd64/prfarm-worker arm64/prfarm-worker   beside it what it needs: amd64/lib with libraries, plug-ins; or
 *   prfarm-worker_*_amd64.deb ..._arm64.deb   Debian's packages of prfarm, of which the files are taken
 *
 * Reads files and runs tar or dpkg-deb; main thread only, what was made any thread. */
#ifndef PRF_CLI_FLEET_SSH_PAYLOAD_H
#define PRF_CLI_FLEET_SSH_PAYLOAD_H

#include "base/digest.h"
#include "base/status.h"

enum { PRF_SSH_PAYLOAD_BYTES = 256 << 20 };

typedef struct {
    const char *machine;          /* Debian's name: amd64, arm64 */
    char *base64;                 /* owned; the tar. NULL: not made */
    size_t bytes;                 /* of the tar, compressed */
    char release[PRF_DIGEST_HEX]; /* its digest */
} prf_ssh_payload_t;

/* "amd64" for uname's "x86_64"; NULL: no worker is built for such machines. */
const char *prf_ssh_machine(const char *uname);
/* On failure *out is untouched. Errors: PRF_ENOTFOUND (says what `from` lacks), those of prf_command_run. */
PRF_CHECKED prf_status_t prf_ssh_payload_make(prf_ssh_payload_t *out, const char *from, const char *machine, prf_error_t *err);
void prf_ssh_payload_release(prf_ssh_payload_t *self);

#endif
