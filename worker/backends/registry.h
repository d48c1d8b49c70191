// SPDX-License-Identifier: Apache-2.0
/* registry.h - the backends that are built into the worker, by name. Pure; any thread. Plug-ins are not listed here: they are
 * loaded by the "plugin" backend. */
#ifndef PRF_BACKEND_REGISTRY_H
#define PRF_BACKEND_REGISTRY_H

#include "backends/backend.h"

/* The backend called `name`, or NULL when this build has none of that name. Borrowed; lives as long as the program. */
const prf_backend_t *prf_backend_find(const char *name);
/* The index-th built-in backend, or NULL behind the last one: for lists that people read. */
const prf_backend_t *prf_backend_at(size_t index);

#endif
