// SPDX-License-Identifier: Apache-2.0
/* log.c - formats into a fixed line and writes it with one call; a longer line is cut, never split. */
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/complain.h"

static const char *program = "prfarm";
static prf_log_level_t threshold = PRF_LOG_INFO;
static bool journal; /* which has time and program already, and wants the level as syslog's number */
static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char *const level_prefixes[] = {"<3>", "<4>", "<6>", "<7>"};

void prf_log_init(const char *name, prf_log_level_t least)
{
    program = name;
    threshold = least;
    journal = prf_stream_is_journal(stderr);
}

/* What comes before the event. Returns its length. */
static size_t put_head(prf_log_level_t level, char *line, size_t cap)
{
    if (journal)
        return (size_t)snprintf(line, cap, "%s", level_prefixes[level]);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm utc;
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(line, cap, "%Y-%m-%dT%H:%M:%S", &utc);
    return used + (size_t)snprintf(line + used, cap - used, ".%03ldZ %-5s %s ", now.tv_nsec / 1000000, level_names[level], program);
}

void prf_log(prf_log_level_t level, const char *fmt, ...)
{
    if (level > threshold)
        return;
    char line[1024];
    size_t used = put_head(level, line, sizeof line);
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line + used, sizeof line - used - 1, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    size_t end = used + (size_t)n < sizeof line - 2 ? used + (size_t)n : sizeof line - 2;
    for (size_t i = used; i < end; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[end++] = '\n';
    /* Nothing can be done about a log that cannot be written. */
    ssize_t written = write(STDERR_FILENO, line, end);
    (void)written;
}

prf_status_t prf_log_level_parse(const char *name, prf_log_level_t *out, prf_error_t *err)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
        if (strcmp(name, level_names[i]) == 0) {
            *out = (prf_log_level_t)i;
            return PRF_OK;
        }
    return prf_fail(err, PRF_EUSAGE, "log level '%s': use error, warn, info or debug", name);
}
