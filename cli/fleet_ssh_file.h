// SPDX-License-Identifier: Apache-2.0
/* fleet_ssh_file.h - the file of `prfarm fleet ssh`: the farm, and which boards stand at which host (docs/howto/ssh-fleet.md).
 * Reads only; main thread only, what was read any thread. */
#ifndef PRF_CLI_FLEET_SSH_FILE_H
#define PRF_CLI_FLEET_SSH_FILE_H

#include <limits.h>

#include "fleet_file.h"
#include "point/point.h"

enum { PRF_SSH_HOSTS = 1000, PRF_SSH_BOARDS = 64, PRF_SSH_FILE_BYTES = 1 << 20 };

/* Texts are borrowed from the document; NULL: not given. */
typedef struct {
    const char *host; /* an address, a name, or a Host of ssh's configuration */
    const char *name; /* of the entry: its boards and its key bear it */
    const char *user, *identity, *known_hosts;
    int64_t port; /* 0: ssh's own */
    const char *kind, *backend;
    prf_fleet_options_t options;
    int64_t boards;
} prf_ssh_host_t;

typedef struct {
    prf_yaml_t *document; /* owned */
    const char *path;     /* borrowed: other paths are beside it */
    const char *fleet, *farm, *server, *keys, *allow, *from;
    prf_ssh_host_t *hosts; /* owned */
    size_t count;
} prf_ssh_file_t;

/* On failure *out is untouched. `path` is borrowed as long as *out is used. Errors: those of prf_yaml_open_file, PRF_EINVAL; all
 * with file and line. */
PRF_CHECKED prf_status_t prf_ssh_file_read(prf_ssh_file_t *out, const char *path, prf_error_t *err);
/* The same from a text; `name` stands for the path. */
PRF_CHECKED prf_status_t prf_ssh_file_parse(prf_ssh_file_t *out, const char *text, const char *name, prf_error_t *err);
void prf_ssh_file_release(prf_ssh_file_t *self);
/* A path of the file as this process may use it: what begins with neither '/' nor '~' is beside the file. */
PRF_CHECKED prf_status_t prf_ssh_path(const prf_ssh_file_t *self, const char *path, char out[PATH_MAX], prf_error_t *err);
/* The name of an entry's board, counted from 0: the entry's own where it has one board. */
void prf_ssh_board(const prf_ssh_host_t *host, int64_t board, char out[PRF_NAME]);

#endif
