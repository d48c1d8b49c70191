// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE /* nftw */
#include "tool.h"

#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/process.h"

prf_status_t tool_run(const char *const argv[], const char *log, int *code, prf_error_t *err)
{
    prf_process_t process;
    int how = 0;
    prf_status_t status = prf_process_start(&process, argv, &(prf_process_options_t){.log = log}, err);
    if (status)
        return status;
    while (!prf_process_ended(&process, &how))
        poll(NULL, 0, 1);
    prf_process_stop(&process, 0);
    if (!WIFEXITED(how)) {
        char text[80];
        prf_process_describe(how, text, sizeof text);
        return prf_fail(err, PRF_EIO, "%s: %s", argv[0], text);
    }
    *code = WEXITSTATUS(how);
    return PRF_OK;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

void tool_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
