// SPDX-License-Identifier: Apache-2.0
#include "base/sysfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ZONES = 32, HOTTEST_MC = 150000 /* above is nonsense */ };

bool prf_sysfile_line(const char *path, char *line, size_t cap)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool got = fgets(line, (int)cap, file) != NULL;
    fclose(file);
    if (got)
        line[strcspn(line, "\n")] = '\0';
    return got;
}

static bool read_below(const char *root, char *line, size_t cap, const char *fmt, va_list args)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s", root);
    if (len < 0 || len >= PATH_MAX)
        return false;
    int more = vsnprintf(path + len, sizeof path - (size_t)len, fmt, args);
    return more >= 0 && len + more < PATH_MAX && prf_sysfile_line(path, line, cap);
}

bool prf_sysfile_read(const char *root, char *line, size_t cap, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    bool got = read_below(root, line, cap, fmt, args);
    va_end(args);
    return got;
}

uint64_t prf_sysfile_number(const char *root, const char *fmt, ...)
{
    char line[64], *end;
    va_list args;
    va_start(args, fmt);
    bool got = read_below(root, line, sizeof line, fmt, args);
    va_end(args);
    if (!got || line[0] == '-')
        return 0;
    uint64_t value = strtoull(line, &end, 10);
    return end == line || *end ? 0 : value;
}

void prf_sysfile_chosen(char *line)
{
    char *open = strchr(line, '['), *close = open ? strchr(open, ']') : NULL;
    if (!close)
        return;
    *close = '\0';
    memmove(line, open + 1, (size_t)(close - open));
}

uint32_t prf_sysfile_hottest(const char *root)
{
    uint64_t most = 0;
    for (int i = 0; i < ZONES; i++) {
        uint64_t zone = prf_sysfile_number(root, "/sys/class/thermal/thermal_zone%d/temp", i);
        uint64_t sensor = prf_sysfile_number(root, "/sys/class/hwmon/hwmon%d/temp1_input", i);
        if (zone > most && zone < HOTTEST_MC)
            most = zone;
        if (sensor > most && sensor < HOTTEST_MC)
            most = sensor;
    }
    return (uint32_t)most;
}

prf_status_t prf_sysfile_write(const char *path, const char *value, prf_error_t *err)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))
        return prf_fail(err, PRF_EIO, "%s: this user may not write it: run as root, or let somebody set it who may", path);
    if (fd < 0)
        return prf_fail_sys(err, errno, "%s", path);
    ssize_t done = write(fd, value, strlen(value));
    int why = errno;
    close(fd);
    if (done == (ssize_t)strlen(value))
        return PRF_OK;
    return prf_fail(err, PRF_EIO, "%s: '%.100s' is refused (%s): give a value that this system takes", path, value, strerror(why));
}
