# SPDX-License-Identifier: Apache-2.0
"""system - this machine: its processor, the memory that this process may have, and programs that it runs."""
import ctypes
import os
import pathlib
import re
import resource
import signal
import subprocess

PR_SET_PDEATHSIG = 1  # of linux/prctl.h
_libc = ctypes.CDLL(None)


def options(parser):
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads that a layer may use (1)")
    parser.add_argument("--cpu", type=int, metavar="N", help="the processor to stay on; with more threads, those behind it too")


def pin(arguments):
    """Keeps this process, and what it will start, on the processors that were asked for."""
    if arguments.cpu is not None:
        os.sched_setaffinity(0, range(arguments.cpu, arguments.cpu + arguments.threads))


def _cpuinfo(key):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(rf"^{key}\s*:\s*(.*)$", file.read(), re.MULTILINE)
    return found.group(1) if found else ""


def processor():
    """Its name and the widest instruction set that runtimes look for."""
    flags = set((_cpuinfo("flags") or _cpuinfo("Features")).split())
    sets = ("amx_tile", "avx512_bf16", "avx512_vnni", "avx512f", "avx2", "sve", "asimddp", "asimd")
    widest = next((name for name in sets if name in flags), "plain")
    name = _cpuinfo("model name") or os.uname().machine
    return f"{name} {widest}"


def _end_with_us():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(command, timeout, **more):
    """A program to its end. It ends with this process, however that ends: a worker kills an adapter whose job takes too long, and what
    went on without it would keep the board."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=timeout, check=False, encoding="utf-8",
                          errors="replace", preexec_fn=_end_with_us, **more)


def _group_limits():
    """Memory limits of this process's control group and of those that it is in."""
    try:
        lines = pathlib.Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return
    group = pathlib.PurePosixPath(next((line[3:] for line in lines if line.startswith("0::")), "/"))
    for folder in (group, *group.parents):
        try:
            yield int(pathlib.Path("/sys/fs/cgroup", folder.relative_to("/"), "memory.max").read_text())
        except (OSError, ValueError):
            continue  # no such group, or one without a limit


def memory():
    """Bytes that this process may have."""
    address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
    return min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_group_limits()] +
               [address_space] * (address_space != resource.RLIM_INFINITY))


def threads(count):
    return f"{count} thread{'s' if count > 1 else ''}"
