// SPDX-License-Identifier: Apache-2.0
/* hosts.c - unshare(2) once, then the ordinary tools (ip of iproute2) inside. Names need not be unique: no other storm sees them.
 */
#define _GNU_SOURCE /* unshare */
#include "hosts.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"
#include "tool.h"

enum { COMMAND = 256 };

/* Runs a command of words separated by single spaces. */
static prf_status_t run(prf_error_t *err, const char *fmt, ...) PRF_PRINTF(2, 3);
static prf_status_t run(prf_error_t *err, const char *fmt, ...)
{
    char text[COMMAND], *rest = NULL;
    const char *words[TOOL_WORDS] = {NULL};
    size_t count = 0;
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *word = strtok_r(text, " ", &rest); word && count < TOOL_WORDS - 1; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    int code = 0;
    prf_status_t status = tool_run(words, NULL, &code, err);
    if (!status && code)
        status = prf_fail(err, PRF_EIO, "%s %s %s failed with %d", words[0], words[1], words[2], code);
    return status;
}

prf_status_t hosts_private(prf_error_t *err)
{
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0)
        return prf_fail(err, PRF_EUNSUPPORTED, "namespaces are not permitted here (%s): run as root", strerror(errno));
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return prf_fail_sys(err, errno, "private mounts");
    return run(err, "ip link set lo up");
}

void hosts_name(size_t host, char *name, size_t cap)
{
    snprintf(name, cap, "host%zu", host);
}

static prf_status_t plug_in(size_t host, prf_error_t *err)
{
    char name[32];
    hosts_name(host, name, sizeof name);
    prf_status_t status = run(err, "ip netns add %s", name);
    if (!status)
        status = run(err, "ip link add port%zu type veth peer name eth0 netns %s", host, name);
    if (!status)
        status = run(err, "ip link set port%zu master bridge up", host);
    if (!status)
        status = run(err, "ip -n %s address add 10.77.%zu.%zu/16 dev eth0", name, 1 + host / 200, 1 + host % 200);
    if (!status)
        status = run(err, "ip -n %s link set eth0 up", name);
    return status ? status : run(err, "ip -n %s link set lo up", name);
}

/* `ip netns` keeps its names in /run/netns: a private folder there leaves nothing behind on the machine. */
prf_status_t hosts_make(size_t count, prf_error_t *err)
{
    prf_status_t status = prf_file_mkdirs("/run/netns", 0755, err);
    if (!status)
        status = hosts_mount_disk("/run/netns", 1, err);
    if (!status)
        status = run(err, "ip link add bridge type bridge");
    if (!status)
        status = run(err, "ip address add " HOSTS_ADDRESS "/16 dev bridge");
    if (!status)
        status = run(err, "ip link set bridge up");
    for (size_t i = 0; !status && i < count; i++)
        status = plug_in(i, err);
    return status;
}

prf_status_t hosts_cable(size_t host, bool in, bool at_bridge, prf_error_t *err)
{
    const char *state = in ? "up" : "down";
    if (at_bridge)
        return run(err, "ip link set port%zu %s", host, state);
    char name[32];
    hosts_name(host, name, sizeof name);
    return run(err, "ip -n %s link set eth0 %s", name, state);
}

prf_status_t hosts_mount_disk(const char *dir, unsigned mib, prf_error_t *err)
{
    char size[32];
    snprintf(size, sizeof size, "size=%um,mode=0755", mib);
    prf_status_t status = prf_file_mkdirs(dir, 0755, err);
    if (!status && mount("prfarm-storm", dir, "tmpfs", 0, size) != 0)
        status = prf_fail(err, PRF_EUNSUPPORTED, "a small disk cannot be mounted at %s: %s", dir, strerror(errno));
    return status;
}

void hosts_unmount_disk(const char *dir)
{
    umount2(dir, MNT_DETACH);
}
