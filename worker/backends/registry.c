// SPDX-License-Identifier: Apache-2.0
/* registry.c - one table. A new built-in backend is its file, which defines `const prf_backend_t prf_backend_<name>`, and one
 * entry here. */
#include "backends/registry.h"

#include <string.h>

extern const prf_backend_t prf_backend_exec, prf_backend_replay, prf_backend_sim;
#ifdef HAVE_ONEDNN
extern const prf_backend_t prf_backend_onednn;
#endif
#ifdef HAVE_CUDA
extern const prf_backend_t prf_backend_cuda;
#endif

/* Ends with NULL, so that entries may depend on what the build found. */
static const prf_backend_t *const builtin[] = {
    &prf_backend_sim,
    &prf_backend_replay,
    &prf_backend_exec,
#ifdef HAVE_ONEDNN
    &prf_backend_onednn,
#endif
#ifdef HAVE_CUDA
    &prf_backend_cuda,
#endif
    NULL,
};

const prf_backend_t *prf_backend_find(const char *name)
{
    for (size_t i = 0; builtin[i]; i++)
        if (strcmp(builtin[i]->name, name) == 0)
            return builtin[i];
    return NULL;
}

const prf_backend_t *prf_backend_at(size_t index)
{
    size_t i = 0;
    while (i < index && builtin[i])
        i++;
    return builtin[i];
}
