// SPDX-License-Identifier: Apache-2.0
/* plugin.c - dlopen in the backend's child process, so that whatever the object's constructors do happens there. Every symbol is
 * resolved at once: a plug-in that lacks a library fails here with that library's name, not in the middle of a campaign. */
#include "backends/plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static prf_status_t check(const prf_backend_t *backend, const char *path, prf_error_t *err)
{
    if (!backend)
        return prf_fail(err, PRF_EPARSE,
                        "plug-in %.300s: " PRF_BACKEND_SYMBOL "() returned nothing: let it return its prf_backend_t", path);
    /* The first member of every version of the structure; nothing behind it is looked at before. */
    if (backend->abi != PRF_BACKEND_ABI)
        return prf_fail(err, PRF_EVERSION,
                        "plug-in %.300s: made for ABI %u, this prfarm has ABI %d: build it again with this "
                        "version's backend.h",
                        path, backend->abi, PRF_BACKEND_ABI);
    if (!backend->name || !backend->open || !backend->describe || !backend->prepare || !backend->run || !backend->release ||
        !backend->close)
        return prf_fail(err, PRF_EPARSE, "plug-in %.300s: a name, open, describe, prepare, run, release and close are needed",
                        path);
    return PRF_OK;
}

prf_status_t prf_plugin_load(const char *path, const prf_backend_t **out, prf_error_t *err)
{
    char here[PATH_MAX];
    int len = snprintf(here, sizeof here, "%s%s", strchr(path, '/') ? "" : "./", path);
    if (len < 0 || (size_t)len >= sizeof here)
        return prf_fail(err, PRF_EINVAL, "plug-in %.60s...: path too long: use a shorter one", path);
    if (access(here, F_OK) != 0)
        return prf_fail(err, PRF_ENOTFOUND, "plug-in %.300s: there is no such file: check the path", path);
    void *object = dlopen(here, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        return prf_fail(err, PRF_EPARSE, "plug-in cannot be loaded: %.380s: install what it lacks, or build it again", dlerror());
    void *symbol = dlsym(object, PRF_BACKEND_SYMBOL);
    if (!symbol)
        return prf_fail(err, PRF_EPARSE,
                        "plug-in %.300s: does not export " PRF_BACKEND_SYMBOL ": build it as docs/backends.md tells", path);
    prf_backend_entry_t entry;
    memcpy(&entry, &symbol, sizeof entry); /* ISO C knows no cast from an object's to a function's pointer */
    const prf_backend_t *backend = entry();
    prf_status_t status = check(backend, path, err);
    if (!status)
        *out = backend;
    return status;
}
