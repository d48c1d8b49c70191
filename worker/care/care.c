// SPDX-License-Identifier: Apache-2.0
/* care.c - the order: the command, since it may decide which clocks there are (nvpmodel); single settings; the clock. Back in
 * reverse. Rejected: a process that watches over the worker and puts all back at once when it is killed. Whoever kills a worker's
 * processes kills that one too, and a board that goes on measuring wants the same settings again. */
#include "care/care.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/process.h"
#include "care/clock.h"
#include "care/journal.h"

enum { COMMAND_MS = 120000 };

bool prf_care_wanted(const prf_care_t *self)
{
    return self->clock || self->setting_count > 0 || self->before || self->after;
}

/* Standard output belongs to the worker's ready line. */
static prf_status_t run_command(const char *option, const char *command, prf_error_t *err)
{
    const char *const argv[] = {"/bin/sh", "-c", "exec >&2; eval \"$0\"", command, NULL};
    prf_process_t process;
    char how[80];
    int wait_status = 0;
    prf_status_t status = prf_process_start(&process, argv, &(prf_process_options_t){.log = NULL}, err);
    if (status)
        return prf_fail_prefix(err, status, "%s", option);
    if (!prf_process_await(&process, COMMAND_MS, &wait_status)) {
        prf_process_stop(&process, 0);
        return prf_fail(err, PRF_EIO, "%s '%.200s' did not end within %d s and was killed: give a command that ends", option,
                        command, COMMAND_MS / 1000);
    }
    if (wait_status == 0)
        return PRF_OK;
    prf_process_describe(wait_status, how, sizeof how);
    return prf_fail(err, PRF_EIO, "%s '%.200s' failed (%s): run it by hand and mend it", option, command, how);
}

static prf_status_t apply(prf_journal_t *journal, const char *setting, prf_error_t *err)
{
    char file[PRF_JOURNAL_FILE];
    const char *equals = strchr(setting, '=');
    if (!equals || equals == setting || (size_t)(equals - setting) >= sizeof file)
        return prf_fail(err, PRF_EUSAGE, "--set '%.100s' is no setting: give FILE=VALUE, a file below /sys/ or /proc/sys/",
                        setting);
    snprintf(file, sizeof file, "%.*s", (int)(equals - setting), setting);
    prf_status_t status = prf_journal_set(journal, file, NULL, equals + 1, err);
    return status ? prf_fail_prefix(err, status, "--set") : PRF_OK;
}

static prf_status_t place_of(const prf_care_t *self, char path[PATH_MAX], prf_error_t *err)
{
    if (snprintf(path, PATH_MAX, "%s/care.json", self->state_dir) >= PATH_MAX)
        return prf_fail(err, PRF_EINVAL, "%.60s...: path too long: use a shorter one", self->state_dir);
    return PRF_OK;
}

prf_status_t prf_care_begin(const prf_care_t *self, size_t *settings, prf_error_t *err)
{
    char path[PATH_MAX];
    prf_status_t status = place_of(self, path, err);
    prf_journal_t journal = {.root = self->root, .path = path};
    if (!status && self->after)
        status = prf_journal_command(&journal, self->after, err);
    if (!status && self->before)
        status = run_command("--before", self->before, err);
    for (size_t i = 0; i < self->setting_count && !status; i++)
        status = apply(&journal, self->settings[i], err);
    if (!status && self->clock)
        status = prf_clock_fix(&journal, self->clock, err);
    *settings = journal.count;
    prf_journal_release(&journal);
    prf_care_end_t told;
    prf_error_t also;
    if (status && prf_care_end(self, &told, &also))
        prf_fail_prefix(err, status, "what was set could not be put back (%.150s)", also.text);
    return status;
}

prf_status_t prf_care_end(const prf_care_t *self, prf_care_end_t *told, prf_error_t *err)
{
    char path[PATH_MAX];
    *told = (prf_care_end_t){.settings = 0};
    prf_journal_t journal = {.count = 0};
    prf_status_t status = place_of(self, path, err);
    if (!status)
        status = prf_journal_read(&journal, self->root, path, err);
    size_t count = journal.count;
    if (!status)
        status = prf_journal_put_back(&journal, &told->left, err);
    told->settings = count - journal.count - told->left;
    if (!status && journal.command) {
        told->command = true;
        status = run_command("--after", journal.command, err);
        prf_error_t *unused = status ? NULL : err;
        prf_status_t ended = prf_journal_end(&journal, unused);
        status = status ? status : ended;
    } else if (!status)
        status = prf_journal_end(&journal, err);
    prf_journal_release(&journal);
    return status;
}
