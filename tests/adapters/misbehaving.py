# SPDX-License-Identifier: Apache-2.0
"""misbehaving.py WHAT NAME [OPTION...] - an adapter whose runtime misbehaves, to see what that costs.

It does so whenever a layer with 13 inputs is run, or, with nothing but WHAT to tell, from the third run on:
  print   writes to descriptor 1     raise   raises an error     abort   ends the process     hang   never comes back
Such layers are no secret of the adapter's: the runtime's own call is replaced from outside, here."""
import ctypes
import importlib
import os
import runpy
import sys
import time

what, name = sys.argv[1:3]
adapter = importlib.import_module("prfarm_adapters." + name)
plain = adapter.Kernel
runs = 0


def misbehave():
    if what == "print":
        os.write(1, b"a runtime says hello\n")
        ctypes.CDLL(None).puts(b"and once more")
    elif what == "raise":
        raise RuntimeError("the runtime has lost its device")
    elif what == "abort":
        os.abort()
    elif what == "hang":
        time.sleep(3600)


class Kernel(plain):
    def __init__(self, *arguments):
        self.ready = False
        super().__init__(*arguments)
        run, cursed = self.run, any(array.shape[-1] == 13 for array in self.inputs)

        def wrapped():
            global runs
            runs += 1
            if cursed or what in ("print", "raise") and runs > 2 and self.inputs[0].shape[-1] == 64:
                misbehave()
            run()

        self.run = wrapped


adapter.Kernel = Kernel
sys.argv = ["prfarm-adapter", *sys.argv[2:]]
runpy.run_module("prfarm_adapters", run_name="__main__", alter_sys=False)
