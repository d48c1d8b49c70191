# SPDX-License-Identifier: Apache-2.0
"""sensor.py CLASS SENSOR WATTS BOARD - a sensor below a folder that looks like /sys/class. RAPL's counter moves each millisecond, by WATTS while
backends of that kind of board run, which others on the machine do not disturb, and begins anew each second of that; an INA sensor
tells WATTS all the time. Files are replaced whole, as sysfs never shows half of one. Ends with SIGTERM."""

import glob
import os
import sys
import time

root, kind, watts, kind_of_board = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]


def put(path, text):
    whole = os.path.join(root, path)
    os.makedirs(os.path.dirname(whole), exist_ok=True)
    with open(whole + ".new", "w") as file:
        file.write(text + "\n")
    os.replace(whole + ".new", whole)


def workers():
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path) as file:
                command = file.read().split("\0")
            if "--backend-host" in command and kind_of_board in command:
                found.append(os.path.dirname(path) + "/schedstat")
        except OSError:
            pass  # it has ended
    return found


def run_ns(path):
    try:
        with open(path) as file:
            return int(file.read().split()[0])
    except OSError:
        return 0


if kind == "ina":
    for name, text in {
        "name": "ina3221",
        "in2_label": "VDD_IN",
        "in2_input": "5000",
        "curr2_input": "%d" % (watts / 5 * 1000),
        "in1_label": "VDD_SOC",
        "in1_input": "5000",
        "curr1_input": "100",
    }.items():
        put("hwmon/hwmon0/" + name, text)
    print("ready", flush=True)
    while True:
        time.sleep(3600)
span = int(watts * 1e6)
for name, text in {"name": "package-0", "max_energy_range_uj": str(span), "energy_uj": "0"}.items():
    put("powercap/intel-rapl:0/" + name, text)
print("ready", flush=True)
total_ns, before, found, looked = 0, {}, [], 0.0
while True:
    time.sleep(0.001)
    if time.monotonic() - looked > 0.05:
        found, looked = workers(), time.monotonic()
    now = {path: run_ns(path) for path in found}
    total_ns += sum(ns - before.get(path, 0) for path, ns in now.items())
    before = now
    put("powercap/intel-rapl:0/energy_uj", str(int(watts * total_ns / 1000) % span))
