// SPDX-License-Identifier: Apache-2.0
/* hosts.h - a machine of one's own, as far as the system permits: private network and mounts for the storm, hosts that are network
 * namespaces on a bridge, a small disk that can be filled. All of it vanishes with the storm's last process, however that ends.
 * Main thread only, before any other thread is started. */
#ifndef PRF_CHAOS_HOSTS_H
#define PRF_CHAOS_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define HOSTS_ADDRESS "10.77.0.1" /* of the storm's own side of the bridge */

/* Errors: PRF_EUNSUPPORTED (says what is missing; nothing has changed then). */
PRF_CHECKED prf_status_t hosts_private(prf_error_t *err);
/* `count` hosts, each with one cable to the bridge. After hosts_private. Errors: PRF_EUNSUPPORTED, PRF_EIO. */
PRF_CHECKED prf_status_t hosts_make(size_t count, prf_error_t *err);
void hosts_name(size_t host, char *name, size_t cap);
/* Pulls the cable out (at the host's end or at the bridge's), or puts it back. Errors: PRF_EIO. */
PRF_CHECKED prf_status_t hosts_cable(size_t host, bool in, bool at_bridge, prf_error_t *err);

/* A disk of this size at `dir` (made when it is not there). After hosts_private. Errors: PRF_EUNSUPPORTED, PRF_EIO. */
PRF_CHECKED prf_status_t hosts_mount_disk(const char *dir, unsigned mib, prf_error_t *err);
void hosts_unmount_disk(const char *dir);

#endif
