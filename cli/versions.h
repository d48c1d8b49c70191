// SPDX-License-Identifier: Apache-2.0
/* versions.h - `prfarm model list`: the versions of a farm's models. Main thread only. */
#ifndef PRF_CLI_VERSIONS_H
#define PRF_CLI_VERSIONS_H

#include "access.h"

/* `kind` "": of all kinds. Returns the exit code. */
int prf_versions_list(const char *kind, const prf_where_t *where, bool json);

#endif
