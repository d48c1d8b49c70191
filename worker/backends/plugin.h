// SPDX-License-Identifier: Apache-2.0
/* plugin.h - loads a backend from a shared object and checks that it is one. Once loaded it stays until the process ends. */
#ifndef PRF_BACKEND_PLUGIN_H
#define PRF_BACKEND_PLUGIN_H

#include "backends/backend.h"

/* `path` goes to dlopen as it is, except that a bare file name means the current folder, never the library search path.
 * *out is borrowed from the plug-in. Errors, each naming the file: PRF_ENOTFOUND, PRF_EPARSE (no shared object, no entry point,
 * incomplete), PRF_EVERSION (made for another ABI). */
PRF_CHECKED prf_status_t prf_plugin_load(const char *path, const prf_backend_t **out, prf_error_t *err);

#endif
