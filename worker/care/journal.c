// SPDX-License-Identifier: Apache-2.0
/* journal.c - {"settings": [{"file", "before", "set"}], "command": text}.
 *
 * A setting is put back only while it stands as the worker made it. So a journal that is left over from before a reboot, or from a
 * worker that was killed between noting and making a setting, does no harm: what it speaks of is not there. Values are compared as
 * text, after the system has been asked what it made of them: where that is something else, it is noted instead. */
#include "care/journal.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sysfile.h"

enum { JOURNAL_BYTES = 4 << 20 };

/* JSON holds no other text. */
static bool is_utf8(const char *text)
{
    json_t *string = json_string(text);
    bool is = string != NULL;
    json_decref(string);
    return is;
}

prf_status_t prf_setting_check(const char *file, const char *value, prf_error_t *err)
{
    bool known = strncmp(file, "/sys/", 5) == 0 || strncmp(file, "/proc/sys/", 10) == 0;
    if (!known || strstr(file, "..") || strlen(file) >= PRF_JOURNAL_FILE || !is_utf8(file))
        return prf_fail(err, PRF_EUSAGE, "'%.100s' is no setting of the system: give a file below /sys/ or /proc/sys/", file);
    if (!*value || strlen(value) >= PRF_JOURNAL_VALUE || strpbrk(value, "\n[]") || !is_utf8(value))
        return prf_fail(err, PRF_EUSAGE, "%.100s: '%.60s' is no value: give one line of UTF-8, of at most %d bytes", file, value,
                        PRF_JOURNAL_VALUE - 1);
    return PRF_OK;
}

static bool add(prf_journal_t *self, const char *file, const char *before, const char *set)
{
    prf_setting_t *grown = realloc(self->settings, (self->count + 1) * sizeof *grown);
    if (!grown)
        return false;
    self->settings = grown;
    prf_setting_t *setting = &grown[self->count++];
    snprintf(setting->file, sizeof setting->file, "%s", file);
    snprintf(setting->before, sizeof setting->before, "%s", before);
    snprintf(setting->set, sizeof setting->set, "%s", set);
    return true;
}

static prf_status_t take(prf_journal_t *self, json_t *json, prf_error_t *err)
{
    json_t *settings = json_object_get(json, "settings"), *item;
    const char *command = json_string_value(json_object_get(json, "command"));
    size_t i;
    bool known = json_is_array(settings) && json_array_size(settings) <= PRF_JOURNAL_MOST;
    json_array_foreach(settings, i, item)
    {
        const char *file = NULL, *before = NULL, *set = NULL;
        known = known && json_unpack(item, "{s:s, s:s, s:s}", "file", &file, "before", &before, "set", &set) == 0 &&
                prf_setting_check(file, before, NULL) == PRF_OK && strlen(set) < PRF_JOURNAL_VALUE; /* whatever was read back */
        if (known && !add(self, file, before, set))
            return prf_fail(err, PRF_ENOMEM, "the journal of settings");
    }
    if (!known)
        return prf_fail(err, PRF_ECORRUPT, "not written by a worker: delete it, and look yourself that the clock is as it was");
    self->command = command ? strdup(command) : NULL;
    return command && !self->command ? prf_fail(err, PRF_ENOMEM, "the journal of settings") : PRF_OK;
}

prf_status_t prf_journal_read(prf_journal_t *out, const char *root, const char *path, prf_error_t *err)
{
    *out = (prf_journal_t){.root = root, .path = path};
    struct stat found;
    if (stat(path, &found) != 0)
        return errno == ENOENT ? PRF_OK : prf_fail_sys(err, errno, "%s", path);
    if (found.st_uid != geteuid())
        return prf_fail(err, PRF_EIO, "%s: belongs to user %u, not to you (%u): run as that user, who may put things back", path,
                        (unsigned)found.st_uid, (unsigned)geteuid());
    if (found.st_mode & (S_IWGRP | S_IWOTH))
        return prf_fail(err, PRF_EIO, "%s: others can write it: make it yours alone (chmod 600), or delete it", path);
    char *bytes = NULL;
    size_t len = 0;
    prf_status_t status = prf_file_read(path, JOURNAL_BYTES, &bytes, &len, err);
    if (status)
        return status;
    json_t *json = json_loadb(bytes, len, 0, NULL);
    free(bytes);
    status = take(out, json, err);
    json_decref(json);
    return status ? prf_fail_prefix(err, status, "%s", path) : PRF_OK;
}

void prf_journal_release(prf_journal_t *self)
{
    free(self->settings);
    free(self->command);
    *self = (prf_journal_t){.count = 0};
}

static prf_status_t save(const prf_journal_t *self, prf_error_t *err)
{
    json_t *settings = json_array(), *json = json_pack("{s:O, s:s*}", "settings", settings, "command", self->command);
    bool whole = json != NULL;
    for (size_t i = 0; i < self->count && whole; i++) {
        const prf_setting_t *s = &self->settings[i];
        whole =
            json_array_append_new(settings, json_pack("{s:s, s:s, s:s}", "file", s->file, "before", s->before, "set", s->set)) == 0;
    }
    char *text = whole ? json_dumps(json, JSON_INDENT(1)) : NULL;
    json_decref(settings);
    json_decref(json);
    if (!text)
        return prf_fail(err, PRF_ENOMEM, "the journal of settings");
    prf_status_t status = prf_file_write(self->path, text, strlen(text), err);
    free(text);
    if (!status && chmod(self->path, S_IRUSR | S_IWUSR) != 0)
        status = prf_fail_sys(err, errno, "%s", self->path);
    return status;
}

prf_status_t prf_journal_command(prf_journal_t *self, const char *command, prf_error_t *err)
{
    if (!is_utf8(command))
        return prf_fail(err, PRF_EUSAGE, "--after '%.100s' is not UTF-8: put it into a script, and give that", command);
    self->command = strdup(command);
    return self->command ? save(self, err) : prf_fail(err, PRF_ENOMEM, "the journal of settings");
}

static bool value_of(const prf_journal_t *self, const char *file, char value[PRF_JOURNAL_VALUE])
{
    char line[1024];
    if (!prf_sysfile_read(self->root, line, sizeof line, "%s", file))
        return false;
    prf_sysfile_chosen(line);
    size_t len = strlen(line);
    while (len > 0 && strchr(" \t", line[len - 1]))
        line[--len] = '\0';
    return snprintf(value, PRF_JOURNAL_VALUE, "%s", line) < PRF_JOURNAL_VALUE;
}

static prf_status_t write_value(const prf_journal_t *self, const char *file, const char *value, prf_error_t *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s", self->root, file);
    return prf_sysfile_write(path, value, err);
}

prf_status_t prf_journal_set(prf_journal_t *self, const char *file, const char *before, const char *value, prf_error_t *err)
{
    char now[PRF_JOURNAL_VALUE], after[PRF_JOURNAL_VALUE];
    prf_status_t status = prf_setting_check(file, value, err);
    if (status)
        return status;
    if (!value_of(self, file, now) || prf_setting_check(file, now, NULL))
        return prf_fail(err, PRF_ENOTFOUND, "%s: this system has no such setting, or does not tell it: give one that it has", file);
    if (strcmp(now, value) == 0)
        return PRF_OK;
    if (self->count == PRF_JOURNAL_MOST)
        return prf_fail(err, PRF_EUSAGE, "more than %d settings: give fewer", PRF_JOURNAL_MOST);
    if (!add(self, file, before ? before : now, value))
        return prf_fail(err, PRF_ENOMEM, "the journal of settings");
    status = save(self, err);
    if (!status)
        status = write_value(self, file, value, err);
    if (status)
        return status;
    if (!value_of(self, file, after) || strcmp(after, value) == 0)
        return PRF_OK;
    snprintf(self->settings[self->count - 1].set, PRF_JOURNAL_VALUE, "%s", after);
    status = save(self, err); /* else it would pass for somebody else's, and stay */
    if (status)
        return status;
    return prf_fail(err, PRF_EINVAL, "%s: the system made %s of %s: give a value that it takes as it is", file, after, value);
}

prf_status_t prf_journal_put_back(prf_journal_t *self, size_t *left, prf_error_t *err)
{
    prf_status_t first = PRF_OK;
    size_t kept = 0;
    *left = 0;
    for (size_t i = self->count; i-- > 0;) {
        prf_setting_t *s = &self->settings[i];
        char now[PRF_JOURNAL_VALUE];
        bool ours = value_of(self, s->file, now) && strcmp(now, s->set) == 0;
        *left += !ours;
        prf_status_t status = ours ? write_value(self, s->file, s->before, first ? NULL : err) : PRF_OK;
        first = first ? first : status;
        if (status)
            self->settings[self->count - ++kept] = *s; /* gathered at the end, in their order */
    }
    if (kept > 0)
        memmove(self->settings, self->settings + (self->count - kept), kept * sizeof *self->settings);
    self->count = kept;
    prf_status_t saved = kept > 0 ? save(self, first ? NULL : err) : PRF_OK;
    return first ? first : saved;
}

prf_status_t prf_journal_end(const prf_journal_t *self, prf_error_t *err)
{
    if (unlink(self->path) != 0 && errno != ENOENT)
        return prf_fail_sys(err, errno, "%s", self->path);
    return PRF_OK;
}
