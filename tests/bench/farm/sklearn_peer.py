# SPDX-License-Identifier: Apache-2.0
"""The other side of `prfarm-bench train` and `predict`: scikit-learn on the rows that forest.c wrote.

  python3 sklearn_peer.py FILE ROWS HELD_OUT FEATURES

FILE: (ROWS + HELD_OUT) x FEATURES float32, then as many float64 targets. Says "ready VERSION", then answers each line of its input
with one line: "fit NAME" with seconds, seconds of the
processors and the error (RMSE) on the rows held out; "batch NAME" with the seconds that predicting all of
those takes on one core; "single NAME COUNT" with the seconds of that many calls with one row.
"""
import sys
import time

import numpy
import sklearn
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from threadpoolctl import threadpool_limits

MAKERS = {
    "forest": lambda: RandomForestRegressor(n_estimators=100, n_jobs=-1, random_state=1),
    "forest-third": lambda: RandomForestRegressor(n_estimators=100, max_features=0.34, n_jobs=-1, random_state=1),
    "boosted": lambda: HistGradientBoostingRegressor(random_state=1),
}


def on_one_core(model, tables):
    with threadpool_limits(1):
        began = time.process_time()
        for table in tables:
            model.predict(table)
        return time.process_time() - began


def main():
    path, rows, held_out, features = sys.argv[1], *map(int, sys.argv[2:5])
    count = (rows + held_out) * features
    table = numpy.fromfile(path, numpy.float32, count).reshape(-1, features)
    target = numpy.fromfile(path, numpy.float64, rows + held_out, offset=4 * count)
    unseen, truth = table[rows:], target[rows:]
    fitted = {}
    print("ready", sklearn.__version__, flush=True)
    for line in sys.stdin:
        command, name, *rest = line.split()
        if command == "fit":
            model = MAKERS[name]()
            began, began_busy = time.perf_counter(), time.process_time()
            model.fit(table[:rows], target[:rows])
            seconds, busy = time.perf_counter() - began, time.process_time() - began_busy
            print(seconds, busy, numpy.sqrt(numpy.mean((model.predict(unseen) - truth) ** 2)), flush=True)
            if hasattr(model, "n_jobs"):
                model.n_jobs = 1  # from now on it predicts
            fitted[name] = model
        elif command == "batch":
            print(on_one_core(fitted[name], [unseen]), 0, 0, flush=True)
        elif command == "single":
            print(on_one_core(fitted[name], [unseen[i:i + 1] for i in range(int(rest[0]))]), 0, 0, flush=True)


main()
