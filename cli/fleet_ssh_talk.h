// SPDX-License-Identifier: Apache-2.0
/* fleet_ssh_talk.h - one conversation with a host over the system's ssh: what is asked, and what state it is in afterwards. Blocks;
 * any thread, a host by one at a time. */
#ifndef PRF_CLI_FLEET_SSH_TALK_H
#define PRF_CLI_FLEET_SSH_TALK_H

#include <stdbool.h>

#include "fleet_ssh_file.h"
#include "fleet_ssh_payload.h"

/* In the order of the table in docs/howto/ssh-fleet.md; those from PRF_SSH_OUTDATED on are not what the file says. */
typedef enum {
    PRF_SSH_RUNNING = 0, /* as it was found */
    PRF_SSH_INSTALLED,
    PRF_SSH_UPDATED,
    PRF_SSH_STARTED, /* the worker was there; it did not run, or is started otherwise now */
    PRF_SSH_STOPPED,
    PRF_SSH_OUTDATED, /* --check: another worker, or started otherwise than the file says */
    PRF_SSH_DOWN,     /* --check: installed, and not all boards run */
    PRF_SSH_ABSENT,   /* --check: nothing is installed */
    PRF_SSH_UNREACHABLE,
    PRF_SSH_WRONG_KEY,
    PRF_SSH_UNKNOWN_KEY,
    PRF_SSH_DENIED,
    PRF_SSH_NO_SPACE,
    PRF_SSH_WRONG_MACHINE,
    PRF_SSH_MISSING_LIBRARY,
    PRF_SSH_NOT_JOINED,
    PRF_SSH_BUSY, /* an earlier run is still at work there */
    PRF_SSH_TIMEOUT,
    PRF_SSH_FAILED,
    PRF_SSH_SKIPPED, /* it was interrupted before */
    PRF_SSH_STATES
} prf_ssh_state_t;

typedef enum { PRF_SSH_LOOK, PRF_SSH_APPLY, PRF_SSH_STOP } prf_ssh_action_t;

const char *prf_ssh_state_name(prf_ssh_state_t state);
const char *prf_ssh_remedy(prf_ssh_state_t state); /* "" where nothing is to be done */

/* What a host told. Texts are printable. */
typedef struct {
    char uname[32];
    char release[PRF_DIGEST_HEX], version[40]; /* empty: nothing is installed */
    char launch[PRF_DIGEST_HEX];               /* how its boards were started */
    size_t running;                            /* boards that run and have joined the farm */
    bool waiting;                              /* another one runs, and has not joined */
    prf_ssh_state_t failure;                   /* PRF_SSH_RUNNING: none */
    char detail[200]; /* of the failure; without one, what a board that waits said last, or what did not go well */
} prf_ssh_answer_t;

/* All borrowed. */
typedef struct {
    const prf_ssh_file_t *file;
    const prf_ssh_host_t *host;
    prf_ssh_action_t action;
    const prf_ssh_payload_t *payload; /* to apply: what its machine gets */
    const char *secret;               /* to apply: text of its secret key's file; NULL: a farm without keys */
    const char *server;               /* the coordinator's public key; empty: a farm without */
    unsigned timeout_ms;
} prf_ssh_talk_t;

/* How the host's boards are to be started: a digest of all of it but the worker and the secret key. */
void prf_ssh_launch(const prf_ssh_file_t *file, const prf_ssh_host_t *host, const char *server, char out[PRF_DIGEST_HEX]);
void prf_ssh_talk(const prf_ssh_talk_t *talk, prf_ssh_answer_t *out);

extern const char prf_ssh_shell[]; /* fleet_ssh.sh */

#endif
