// SPDX-License-Identifier: Apache-2.0
/* notify.c - one socket and one datagram a message, which are few. Waiting for a manager that does not read is what its own library
 * does, too: a message that is thrown away may be the one that the start waits for. libsystemd was passed over: it is a library to
 * depend on for the sake of one sendto. */
#include "base/notify.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINES = 1024, US_PER_MS = 1000 };

static struct sockaddr_un manager;
static socklen_t manager_len; /* 0: there is none */
static unsigned alive_ms;

/* A path, or "@NAME" for a name in the abstract space, which begins with a zero byte. */
static void take_socket(const char *name)
{
    size_t len = name ? strlen(name) : 0;
    if (len < 2 || len >= sizeof manager.sun_path || (*name != '/' && *name != '@'))
        return;
    manager = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(manager.sun_path, name, len);
    if (*name == '@')
        manager.sun_path[0] = '\0';
    manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*name == '/'));
}

/* WATCHDOG_PID is whom it is meant for, if not for everybody who inherits it. */
static void take_watchdog(const char *usec, const char *pid)
{
    if (!usec || (pid && strtol(pid, NULL, 10) != (long)getpid()))
        return;
    unsigned long long half = strtoull(usec, NULL, 10) / US_PER_MS / 2;
    alive_ms = half > UINT_MAX ? UINT_MAX : (unsigned)half;
}

void prf_notify_init(void)
{
    take_socket(getenv("NOTIFY_SOCKET"));
    take_watchdog(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

unsigned prf_notify_alive_ms(void)
{
    return manager_len ? alive_ms : 0;
}

void prf_notify(prf_notify_t what, const char *fmt, ...)
{
    static const char *const words[] = {"", "READY=1\n", "STOPPING=1\n", "WATCHDOG=1\n"};
    char lines[LINES];
    size_t len = (size_t)snprintf(lines, sizeof lines, "%s%s", words[what], fmt ? "STATUS=" : ""), text = len;
    if (!manager_len)
        return;
    if (fmt) {
        va_list args;
        va_start(args, fmt);
        int n = vsnprintf(lines + len, sizeof lines - len, fmt, args);
        va_end(args);
        len = n < 0 ? len : (len + (size_t)n < sizeof lines ? len + (size_t)n : sizeof lines - 1);
    }
    for (size_t i = text; i < len; i++)
        if ((unsigned char)lines[i] < 0x20 || lines[i] == 0x7f)
            lines[i] = '?';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    /* Nothing can be done about a manager that cannot be reached. */
    ssize_t sent = sendto(fd, lines, len, MSG_NOSIGNAL, (const struct sockaddr *)&manager, manager_len);
    (void)sent;
    close(fd);
}
