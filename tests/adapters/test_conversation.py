# SPDX-License-Identifier: Apache-2.0
"""An adapter as the worker sees it: one line in, one line out, whatever it is asked and whatever its runtime does to it."""
import json
import os
import pathlib
import resource
import select
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
RUNTIMES = ("onnxruntime", "tflite", "openvino")
FC = {"kind": "fc", "n": 1, "in": 64, "out": 32}
CONV = {"kind": "conv2d", "n": 1, "c": 16, "k": 16, "h": 14, "w": 14, "r": 3, "s": 3, "stride": 1, "pad": 1, "dilation": 1, "groups": 1}


class Adapter:
    """A running adapter; `misbehave` names what its runtime is to do at the third run (misbehaving.py)."""

    def __init__(self, name, *arguments, misbehave=None, memory=None):
        program = [str(HERE / "misbehaving.py"), misbehave] if misbehave else ["-m", "prfarm_adapters"]
        limit = (lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory))) if memory else None
        self.process = subprocess.Popen([sys.executable, *program, name, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, preexec_fn=limit)

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def ask(self, op, **fields):
        return self.send(json.dumps({"op": op, **fields}))

    def prepare(self, number, *layers, dtype="f32", cache="semi-cold"):
        return self.ask("prepare", id=number, dtype=dtype, cache=cache, layers=list(layers), position=0, length=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()


class Conversation(unittest.TestCase):
    def test_describes_itself(self):
        for name in RUNTIMES:
            with self.subTest(name), Adapter(name, "--threads", "2") as adapter:
                facts = adapter.ask("describe", version=1)
                self.assertTrue(facts["ok"] and facts["networks"] and facts["host"])
                self.assertIn("2 threads", facts["fingerprint"])
                self.assertLessEqual(len(facts["fingerprint"]), 186)
                self.assertTrue(facts["fingerprint"].isascii())

    def test_larger_layers_take_longer_in_both_states(self):
        large = {**CONV, "c": 128, "k": 128, "h": 28, "w": 28}
        for name in RUNTIMES:
            for cache in ("warm", "semi-cold"):
                with self.subTest(name, cache=cache), Adapter(name) as adapter:
                    times = []
                    for number, layer in enumerate((CONV, large)):
                        self.assertEqual(adapter.prepare(number, layer, cache=cache), {"ok": True})
                        runs = [adapter.ask("run", id=number, iterations=1)["latency_ns"] for _ in range(15)]
                        times.append(min(runs))
                        self.assertEqual(adapter.ask("release", id=number), {"ok": True})
                    self.assertGreater(times[1], 20 * times[0])  # 256 times the work

    def test_a_network_takes_about_what_its_blocks_take(self):
        wide = {**CONV, "c": 64, "k": 64, "h": 28, "w": 28}
        blocks = [{"layers": [wide], "inputs": [place - 1]} for place in range(6)]
        for name in RUNTIMES:
            with self.subTest(name), Adapter(name) as adapter:
                self.assertEqual(adapter.prepare(1, wide), {"ok": True})
                self.assertEqual(adapter.ask("network", id=2, dtype="f32", cache="semi-cold", blocks=blocks), {"ok": True})
                times = {1: [], 2: []}
                for _ in range(100):  # in turns, so that both meet the same conditions; the least of each, since others may be at work
                    for number, told in times.items():
                        told.append(adapter.ask("run", id=number, iterations=1)["latency_ns"])
                ratio = min(times[2]) / min(times[1]) / len(blocks)
                self.assertTrue(0.7 < ratio < 1.4, ratio)

    def test_what_it_cannot_do_is_refused_and_it_goes_on(self):
        shuffled = [{"layers": [CONV], "inputs": [-1]}, {"layers": [{**CONV, "c": 24}], "inputs": [0]}]
        for name in RUNTIMES:
            with self.subTest(name), Adapter(name) as adapter:
                for answer, why in (
                        (adapter.prepare(1, {"kind": "conv9d", "n": 1}), "conv9d: there are conv1d, "),
                        (adapter.prepare(1, FC, dtype="i8"), "data type i8"),
                        (adapter.prepare(1, {**FC, "in": 1 << 20, "out": 1 << 20}), "a model of 4194312 MiB"),
                        (adapter.ask("network", id=1, dtype="f32", blocks=shuffled), "conv2d reads 1x24x14x14")):
                    self.assertFalse(answer["ok"])
                    self.assertTrue(answer["unsupported"], answer)
                    self.assertIn(why, answer["error"])
                for answer in (adapter.send("{"), adapter.send("[1]"), adapter.send('{"op":"prepare"}'), adapter.ask("fly"),
                               adapter.ask("run", id=9, iterations=1), adapter.prepare(1, {"kind": "conv2d", "n": 1}),
                               adapter.prepare(1, {**CONV, "r": 99, "s": 99}), adapter.prepare(1)):
                    self.assertFalse(answer["ok"])
                    self.assertTrue(answer["error"])
                    self.assertLessEqual(len(answer["error"]), 200)
                self.assertEqual(adapter.prepare(1, FC), {"ok": True})
                self.assertGreater(adapter.ask("run", id=1, iterations=3)["latency_ns"], 0)

    def test_a_layer_that_does_not_fit_into_memory_is_refused_beforehand(self):
        big = {**FC, "in": 1 << 14, "out": 1 << 14}  # 1 GiB of weights
        for name in RUNTIMES:
            with self.subTest(name), Adapter(name, memory=3 << 30) as adapter:
                answer = adapter.prepare(1, big)
                self.assertIn("a model of 1024 MiB, which takes 4 times as much to build", answer["error"])
                self.assertEqual(adapter.prepare(2, FC), {"ok": True})

    def test_a_runtime_that_prints_to_standard_output_harms_nothing(self):
        for name in RUNTIMES:
            with self.subTest(name), Adapter(name, misbehave="print") as adapter:
                self.assertEqual(adapter.prepare(1, FC), {"ok": True})
                for _ in range(5):
                    self.assertGreater(adapter.ask("run", id=1, iterations=1)["latency_ns"], 0)

    def test_an_error_of_the_runtime_is_the_reason(self):
        for name in RUNTIMES:
            with self.subTest(name), Adapter(name, misbehave="raise") as adapter:
                self.assertEqual(adapter.prepare(1, FC), {"ok": True})
                answers = [adapter.ask("run", id=1, iterations=1) for _ in range(9)]
                self.assertIn({"ok": False, "error": "the runtime has lost its device"}, answers)


class LinuxCommand(unittest.TestCase):
    def adapter(self, command, *more):
        return Adapter("linux_command", "--command", command, "--fingerprint", "a bench", *more)

    def test_the_last_number_in_the_unit_is_the_latency(self):
        with self.adapter("fc=echo layer {in}x{out} {activation}: 12.5 us", "--pattern", r"([0-9.]+) us") as adapter:
            self.assertEqual(adapter.ask("describe", version=1)["kinds"], ["fc"])
            self.assertEqual(adapter.prepare(1, FC), {"ok": True})
            self.assertEqual(adapter.ask("run", id=1, iterations=2)["latency_ns"], 12500)

    def test_parameters_are_filled_in_and_no_shell_is_involved(self):
        with self.adapter("conv2d=echo ; {c} $HOME {r}7", "--unit", "ms") as adapter:
            self.assertEqual(adapter.prepare(1, CONV), {"ok": True})
            self.assertEqual(adapter.ask("run", id=1, iterations=1)["latency_ns"], 37e6)

    def test_what_goes_wrong_is_said(self):
        for command, more, why in (("fc=nosuchprogram", (), "no such program"), ("fc=echo none", (), "no latency in what echo printed: 'none'"),
                                   ("fc=sh -c 'echo too hot >&2; exit 7'", (), "exit code 7: too hot"),
                                   ("fc=sleep 60", ("--timeout", "0.1"), "took longer than 0.1 s")):
            with self.subTest(command), self.adapter(command, *more) as adapter:
                self.assertEqual(adapter.prepare(1, FC), {"ok": True})
                answer = adapter.ask("run", id=1, iterations=1)
                self.assertFalse(answer["ok"])
                self.assertNotIn("unsupported", answer)
                self.assertIn(why, answer["error"])
        with self.adapter("fc=sh -c 'exit 7'", "--unsupported", "7") as adapter:
            self.assertEqual(adapter.prepare(1, FC), {"ok": True})
            self.assertTrue(adapter.ask("run", id=1, iterations=1)["unsupported"])
        with self.adapter("fc=echo {width}") as adapter:
            self.assertIn("names 'width': use n, in, out", adapter.prepare(1, FC)["error"])

    def test_a_program_ends_with_an_adapter_that_is_killed(self):
        with tempfile.TemporaryDirectory() as folder:
            pipe = pathlib.Path(folder, "pipe")
            os.mkfifo(pipe)
            with self.adapter(f"fc=sh -c 'exec >{pipe}; echo runs; exec sleep 600'", "--timeout", "600") as adapter:
                self.assertEqual(adapter.prepare(1, FC), {"ok": True})
                adapter.process.stdin.write('{"op": "run", "id": 1, "iterations": 1}\n')
                adapter.process.stdin.flush()
                with open(pipe, "rb", buffering=0) as end:
                    self.assertEqual(end.readline(), b"runs\n")
                    adapter.process.kill()
                    self.assertTrue(select.select([end], [], [], 60)[0], "it goes on")
                    self.assertEqual(end.read(), b"")  # nobody holds the pipe any more


if __name__ == "__main__":
    unittest.main()
