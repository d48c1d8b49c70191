# SPDX-License-Identifier: Apache-2.0
"""judge.py SENSOR WATTS <rows - whether exported measurements took that power: nine of ten tell their energy (on a busy machine a sensor of
ours may stand still for long), and the middle one of energy / latency is within a fifth of it. Of a sensor that draws it all the time
(ina) it may be more, where others had the processor meanwhile."""

import json
import statistics
import sys

sensor, watts = sys.argv[1], float(sys.argv[2])
rows = [json.loads(line) for line in sys.stdin]
told = [row["energy_nj"] / row["latency_ns"] for row in rows if row["energy_nj"]]
middle = statistics.median(told) if told else 0
print(f"{sensor}: {len(told)} of {len(rows)} measurements tell their energy, {middle:.2f} W where {watts:g} W are drawn")
sys.exit(0 if len(rows) >= 20 and len(told) >= 0.9 * len(rows) and middle > 0.8 * watts and (middle < 1.2 * watts or sensor == "ina") else 1)
