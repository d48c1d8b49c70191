# SPDX-License-Identifier: Apache-2.0
"""system - this machine's processor: what the adapters that run on it have in common."""
import os
import re


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


def threads(count):
    return f"{count} thread{'s' if count > 1 else ''}"
