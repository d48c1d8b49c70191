// SPDX-License-Identifier: Apache-2.0
/* fleet_ssh_payload.c - the tar says nothing of when and by whom it was made, so that the same files are the same release. */
#include "fleet_ssh_payload.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/command.h"

enum { TIMEOUT_MS = 60000 };

const char *prf_ssh_machine(const char *uname)
{
    static const char *const names[][2] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(uname, names[i][0]) == 0)
            return names[i][1];
    return NULL;
}

/* The one package of that machine in the folder; false: none, or several. */
static bool find_package(const char *from, const char *machine, char path[PATH_MAX])
{
    glob_t found = {0};
    char pattern[PATH_MAX];
    bool fits = snprintf(pattern, sizeof pattern, "%s/prfarm-worker_*_%s.deb", from, machine) < (int)sizeof pattern;
    bool one = fits && glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc == 1 &&
               snprintf(path, PATH_MAX, "%s", found.gl_pathv[0]) < PATH_MAX;
    globfree(&found);
    return one;
}

static prf_status_t make_tar(const char *from, const char *machine, prf_text_t *tar, prf_error_t *err)
{
    char folder[PATH_MAX], worker[PATH_MAX], package[PATH_MAX];
    if (snprintf(folder, sizeof folder, "%s/%s", from, machine) >= (int)sizeof folder ||
        snprintf(worker, sizeof worker, "%s/prfarm-worker", folder) >= (int)sizeof worker)
        return prf_fail(err, PRF_EINVAL, "%.200s...: path too long: use a shorter one", from);
    /* Both print to a pipe; gzip of a pipe keeps neither a name nor a time. A pipe ends well whatever became of its first program,
     * so a package is read once before. */
    const char *const packed[] = {
        "sh", "-c", "dpkg-deb --fsys-tarfile \"$1\" >/dev/null && dpkg-deb --fsys-tarfile \"$1\" | gzip", "sh", package, NULL};
    const char *const files[] = {"tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner",
                                 "-C",  folder,        "-czf",       "-",         ".",         NULL};
    const char *const *argv = files;
    if (access(worker, R_OK) != 0) {
        if (!find_package(from, machine, package))
            return prf_fail(err, PRF_ENOTFOUND,
                            "%s: neither %s/prfarm-worker nor one prfarm-worker_*_%s.deb is there: build it, or put it there", from,
                            machine, machine);
        argv = packed;
    }
    const prf_command_spec_t spec = {.argv = argv, .timeout_ms = TIMEOUT_MS, .limit = PRF_SSH_PAYLOAD_BYTES};
    return prf_command_run(&spec, tar, err);
}

prf_status_t prf_ssh_payload_make(prf_ssh_payload_t *out, const char *from, const char *machine, prf_error_t *err)
{
    prf_text_t tar;
    prf_ssh_payload_t payload = {.machine = machine};
    prf_digest_t digest;
    prf_status_t status = make_tar(from, machine, &tar, err);
    if (status)
        return status;
    payload.bytes = tar.len;
    prf_digest(&digest, prf_text_get(&tar), tar.len);
    prf_digest_hex(&digest, payload.release);
    payload.base64 = prf_base64_encode(prf_text_get(&tar), tar.len);
    prf_text_release(&tar);
    if (!payload.base64)
        return prf_fail(err, PRF_ENOMEM, "the worker for %s", machine);
    *out = payload;
    return PRF_OK;
}

void prf_ssh_payload_release(prf_ssh_payload_t *self)
{
    free(self->base64);
    self->base64 = NULL;
}
