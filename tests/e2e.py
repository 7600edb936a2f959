#!/usr/bin/env python3
"""End-to-end tests: compile, prove, verify, compare with float references, reject what must be rejected.

Only Python's standard library. Exit code 0 if nothing failed.
"""
import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time

import check_reference_verifier

ROOT = pathlib.Path(__file__).resolve().parent.parent
ZOO_MODELS = ["sine_mlp", "iris_mlp", "winml_iris_regression", "keras_dense", "mnist_mlp_batchnorm", "mnist8_cnn",
              "mnist8_cnn_optimised", "cifar_cnn"]
MEAN_ERROR_LIMIT = 0.01  # of max - min over all float outputs of the test set
BATCH = 8
MAX_BATCH = 16


class Results:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.lock = threading.Lock()

    def check(self, name, ok, detail=""):
        with self.lock:
            if ok:
                self.passed += 1
            else:
                self.failed += 1
                print(f"FAIL {name}: {detail}", flush=True)
        return ok

    def skip(self, name, why):
        with self.lock:
            self.skipped += 1
            print(f"SKIP {name}: {why}", flush=True)


def run(command, timeout=600, **kwargs):
    """(exit code, stdout, stderr); a command that ends by a signal has a negative code."""
    r = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                       **kwargs)
    return r.returncode, r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")


def tail(text):
    return " | ".join(text.strip().splitlines()[-3:])


def read_npy(path):
    """(shape, flat list of numbers) of a little-endian .npy file of version 1."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", path
    length = struct.unpack("<H", data[8:10])[0]
    header = data[10:10 + length].decode()
    descr = re.search(r"'descr': '([^']*)'", header).group(1)
    assert "'fortran_order': False" in header, path
    shape = tuple(int(n) for n in re.findall(r"\d+", re.search(r"'shape': \(([^)]*)\)", header).group(1)))
    code = {"<f4": "f", "<f8": "d", "<f2": "e", "<i8": "q", "<i4": "i", "|u1": "B", "|i1": "b"}[descr]
    body = data[10 + length:]
    return shape, list(struct.unpack(f"<{math.prod(shape)}{code}", body))


def write_npy(path, shape, values):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}\n".encode()
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header +
                     struct.pack(f"<{len(values)}f", *values))


def argmax(values):
    return max(range(len(values)), key=lambda i: values[i])


class Model:
    """A compiled model and its test cases."""

    def __init__(self, name, onnx, data, work, mica, results):
        self.name, self.onnx, self.data, self.mica, self.results = name, onnx, data, mica, results
        self.work = work / name
        self.cases = sorted(d for d in (data / "test").iterdir() if d.is_dir())

    def check(self, what, ok, detail=""):
        return self.results.check(f"{self.name}: {what}", ok, detail)

    def expect(self, what, command, code):
        got, out, err = run(command)
        self.check(what, got == code, f"exit code {got}, expected {code}: {tail(out + err)}")
        return out + err

    def compile(self):
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        out_name = self.work / self.name
        self.prover, self.vk = pathlib.Path(f"{out_name}-prover"), pathlib.Path(f"{out_name}.vk")
        code, out, err = run([self.mica, "compile", self.onnx, "--calibration", self.data / "calibration", "--max-batch",
                              MAX_BATCH, "--no-cache", "-o", out_name])
        return self.check("compile", code == 0 and self.prover.is_file() and self.vk.is_file(),
                          f"exit code {code}: {tail(out + err)}")

    # --- agreement with the float references ---

    def references(self, case):
        outputs = sorted(case.glob("output_*.npy"), key=lambda p: int(p.stem.split("_")[1]))
        return [read_npy(p) for p in outputs]

    def agreement(self):
        errors, low, high, top_total, top_right = [], math.inf, -math.inf, 0, 0
        self.inferred = {}
        for case in self.cases:
            code, out, err = run([self.prover, "infer", case, "--json"])
            if not self.check(f"infer {case.name}", code == 0, tail(err)):
                return
            values = json.loads(out)["output_data"]
            self.inferred[case] = values
            for got, (shape, reference) in zip(values, self.references(case), strict=True):
                errors += [abs(a - b) for a, b in zip(got, reference, strict=True)]
                low, high = min(low, *reference), max(high, *reference)
                if len(shape) == 2 and shape[0] == 1 and shape[1] >= 2:
                    top_total += 1
                    top_right += argmax(got) == argmax(reference)
        mean = sum(errors) / len(errors) / (high - low)
        self.check("mean error", mean <= MEAN_ERROR_LIMIT, f"{100 * mean:.3f} % of the range")
        if top_total:
            self.check("top-1", top_right == top_total, f"{top_right} of {top_total} agree")
        print(f"     {self.name}: mean error {100 * mean:.3f} % of the range, "
              f"worst {100 * max(errors) / (high - low):.3f} %" +
              (f", top-1 {top_right}/{top_total}" if top_total else ""), flush=True)

    # --- proofs ---

    def prove(self, what, inputs, proof, *options):
        code, out, err = run([self.prover, "prove", *inputs, "-o", proof, "--json", *options])
        if not self.check(what, code == 0 and proof.is_file(), f"exit code {code}: {tail(out + err)}"):
            return None
        return json.loads(out)

    def verifiers(self, proof, *options):
        """Both programs that verify."""
        return [("prover executable", [self.prover, "verify", proof, *options]),
                ("mica", [self.mica, "verify", proof, "--vk", self.vk, *options])]

    def expect_verdict(self, what, proof, code, *options):
        for who, command in self.verifiers(proof, *options):
            self.expect(f"{what} ({who})", command, code)

    def honest_proofs(self):
        first = self.cases[0]
        self.single = self.work / "single.proof"
        result = self.prove("prove one input", [first], self.single)
        if not result:
            return False
        self.check("the proven output is the inferred one", result["output_data"] == self.inferred[first])
        self.expect_verdict("one input accepted", self.single, 0, "--input", first)
        items = (self.cases * BATCH)[:BATCH]
        batch = self.work / "batch.proof"
        result = self.prove(f"prove a batch of {BATCH}", items, batch)
        if not result:
            return False
        expected = [sum((self.inferred[c][k] for c in items), []) for k in range(len(self.inferred[first]))]
        self.check("the batch's outputs are the inferred ones", result["output_data"] == expected)
        arguments = [a for c in items for a in ("--input", c)]
        self.expect_verdict("batch accepted", batch, 0, *arguments)
        self.proof_bytes = result["proof_bytes"]
        return True

    def other_statements(self):
        """A proof for another input, output or nonce must not be taken for this one."""
        first, second = self.cases[0], self.cases[1]
        outputs = {}
        for case in (first, second):
            outputs[case] = self.work / f"{case.name}.json"
            outputs[case].write_text(json.dumps({"output_data": self.inferred[case]}))
        self.expect_verdict("own output accepted", self.single, 0, "--output", outputs[first])
        self.expect_verdict("another input rejected", self.single, 1, "--input", second)
        if self.inferred[first] != self.inferred[second]:
            self.expect_verdict("another output rejected", self.single, 1, "--output", outputs[second])
        self.expect_verdict("missing nonce rejected", self.single, 1, "--nonce", "00")

    def statement_bytes(self):
        code, out, _ = run([self.prover, "verify", self.single, "--json"])
        return json.loads(out)["statement_bytes"] if code == 0 else None

    def tampered(self, positions):
        """One changed byte anywhere after the magic and version is a rejection."""
        data = self.single.read_bytes()
        start = 12
        step = max(1, (len(data) - start) // positions)
        statement = self.statement_bytes()
        if not self.check("statement size is reported", statement is not None):
            return
        places = sorted(set(range(start, len(data), step)) |
                        {start, 44, 48, 52, statement - 1, statement, len(data) - 1})
        bad = self.work / "tampered.proof"
        for place in places:
            bad.write_bytes(data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1:])
            self.expect(f"byte {place} of {len(data)} changed: rejected", self.verifiers(bad)[place % 2][1], 1)
        for what, changed in (("truncated", data[:-1]), ("half", data[:len(data) // 2]), ("trailing byte", data + b"\0")):
            bad.write_bytes(changed)
            self.expect_verdict(what + ": rejected", bad, 1)
        bad.unlink()

    def unreadable(self):
        data = self.single.read_bytes()
        bad = self.work / "foreign.proof"
        for what, changed in (("foreign magic", b"X" + data[1:]), ("foreign version", data[:8] + b"\xff" + data[9:]),
                              ("empty file", b"")):
            bad.write_bytes(changed)
            self.expect_verdict(what + ": unreadable", bad, 2)
        bad.unlink()
        self.expect_verdict("missing proof: unreadable", self.work / "absent.proof", 2)


def guarded(results, name, function, *arguments):
    """An exception of the test itself is a failure, not the end of the tests."""
    try:
        function(*arguments)
    except Exception as error:  # pylint: disable=broad-except
        results.check(f"{name}: {function.__name__}", False, repr(error))


def run_model(model, thorough):
    started = time.time()
    if not model.compile():
        return
    model.agreement()
    if len(model.inferred) == len(model.cases) and model.honest_proofs():
        model.other_statements()
        model.tampered(60 if thorough else 8)
        model.unreadable()
    print(f"     {model.name}: {time.time() - started:.1f} s", flush=True)


# --- things that one model is enough for ---


def nonces(m):
    proof = m.work / "nonce.proof"
    if m.prove("prove with a nonce", [m.cases[0]], proof, "--nonce", "00ff17"):
        m.expect_verdict("own nonce accepted", proof, 0, "--nonce", "00FF17")
        m.expect_verdict("nonce not asked for", proof, 0)
        m.expect_verdict("another nonce rejected", proof, 1, "--nonce", "00ff18")
        m.expect_verdict("a longer nonce rejected", proof, 1, "--nonce", "00ff1700")
        m.expect_verdict("malformed nonce: usage", proof, 2, "--nonce", "0")


def inputs(m):
    """Every kind of input file gives the same statement, and bad ones are refused with a message."""
    case = m.cases[0]
    shape, values = read_npy(case / "input_0.npy")
    as_json = m.work / "input.json"
    as_json.write_text(json.dumps({"input_data": [values]}))
    stacked = m.work / "stacked.npy"
    others = [read_npy(c / "input_0.npy")[1] for c in m.cases[:3]]
    write_npy(stacked, (3, *shape[1:]), sum(others, []))
    as_pb = m.work / "input.pb"
    dims = b"".join(b"\x08" + bytes([d]) for d in shape)
    raw = struct.pack(f"<{len(values)}f", *values)
    assert 128 <= len(raw) < 16384 and max(shape) < 128
    as_pb.write_bytes(dims + b"\x10\x01\x4a" + bytes([len(raw) & 127 | 128, len(raw) >> 7]) + raw)
    for path in (as_json, as_pb, case / "input_0.npy"):
        code, out, err = run([m.prover, "infer", path, "--json"])
        m.check(f"infer {path.suffix}", code == 0 and json.loads(out)["output_data"] == m.inferred[case], tail(err))
    code, out, err = run([m.prover, "infer", stacked, "--json"])
    m.check("infer stacked .npy", code == 0 and json.loads(out)["batch"] == 3 and
            json.loads(out)["output_data"][0] == sum((m.inferred[c][0] for c in m.cases[:3]), []), tail(err))

    bad = m.work / "bad.npy"
    write_npy(bad, (1, 1, 28, 27), [0.0] * (28 * 27))
    text = m.expect("wrong shape: unreadable", [m.prover, "infer", bad], 2)
    m.check("the message names shapes and input", "[1,1,28,27]" in text and '"image"' in text and "28,28" in text, text)
    for what, value in (("NaN", math.nan), ("infinity", math.inf)):
        write_npy(bad, shape, [value] + values[1:])
        m.expect(f"{what}: unreadable", [m.prover, "infer", bad], 2)
    m.expect("missing input: unreadable", [m.prover, "infer", m.work / "absent.npy"], 2)
    m.expect("no input: usage", [m.prover, "prove", "-o", m.work / "x.proof"], 2)
    m.expect("unknown command: usage", [m.prover, "conjure"], 2)
    m.expect("no command: usage", [m.prover], 2)

    write_npy(bad, shape, [1e6] + values[1:])
    code, out, err = run([m.prover, "infer", bad, "--json"])
    m.check("saturation is reported", code == 0 and json.loads(out)["saturated"] == 1, tail(out[:300] + err))
    text = m.expect("saturated input proven", [m.prover, "prove", bad, "-o", m.work / "saturated.proof", "--quiet"], 0)
    m.check("saturation is reported by --quiet, too", "1 input values lie outside" in text, text)


def files(m):
    """Nothing partial under the final name, whatever happens."""
    folder = m.work / "absent"
    m.expect("no such folder: unreadable", [m.prover, "prove", m.cases[0], "-o", folder / "x.proof"], 2)
    out = m.work / "interrupted"
    out.mkdir()
    for delay in (0, 0.005, 0.02, 0.05, 0.1, 0.2):
        p = subprocess.Popen([str(m.prover), "prove", str(m.cases[0]), "-o", str(out / "x.proof")],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        p.send_signal(signal.SIGINT)
        p.wait()
        left = sorted(f.name for f in out.iterdir())
        whole = left == ["x.proof"] and run([m.prover, "verify", out / "x.proof"])[0] == 0
        m.check(f"interrupted after {delay} s", not left or whole, str(left))
        shutil.rmtree(out)
        out.mkdir()


def reports(m):
    code, out, err = run([m.prover, "info", "--json"])
    info = json.loads(out) if code == 0 else {}
    m.check("info", code == 0 and info["inputs"][0]["shape"] == [1, 28, 28] and info["outputs"][0]["shape"] == [10] and
            info["proven_bits"] >= 100, tail(out + err))
    m.expect("info as text", [m.prover, "info"], 0)
    m.expect("infer as text", [m.prover, "infer", m.cases[0]], 0)
    code, out, err = run([m.prover, "bench", "--runs", "3", "--json"])
    bench = json.loads(out) if code == 0 else {}
    m.check("bench", code == 0 and bench["verified"] and bench["runs"] == 3 and bench["prove_seconds"] > 0,
            tail(out + err))
    if code == 0:
        print(f"     {m.name}: prove {1000 * bench['prove_seconds']:.1f} ms, verify "
              f"{1000 * bench['verify_seconds']:.2f} ms, proof {bench['proof_bytes'] / 1000:.1f} KB, "
              f"{bench['proven_bits']:.1f} bits, peak {bench['peak_rss_bytes'] / 1e6:.1f} MB", flush=True)
    m.expect("too few proven bits: rejected", [m.prover, "verify", m.single, "--min-security", "120"], 1)


def determinism(m):
    """The same model and input give the same bytes, also with one thread and portable kernels."""
    again = m.work / "again.proof"
    environment = dict(os.environ, MICA_THREADS="1", MICA_CPU="portable")
    code, _, err = run([m.prover, "prove", m.cases[0], "-o", again, "--quiet"], env=environment)
    m.check("one thread and portable kernels give the same proof",
            code == 0 and again.read_bytes() == m.single.read_bytes(), tail(err))


def compiler(m):
    """The compiler's own failures and determinism."""
    again = m.work / "again"
    command = [m.mica, "compile", m.onnx, "--calibration", m.data / "calibration", "--max-batch", MAX_BATCH, "--no-cache",
               "--model-id", m.name, "-o", again]
    code, out, err = run(command, env=dict(os.environ, MICA_THREADS="1", MICA_CPU="portable"))
    same = code == 0 and (m.work / "again.vk").read_bytes() == m.vk.read_bytes()
    m.check("compiled again, on one thread with portable kernels: the same verifier parameters", same, tail(out + err))
    folder = m.work / "refused"
    folder.mkdir()
    m.expect("missing model: unreadable", [m.mica, "compile", m.work / "absent.onnx", "-o", folder / "x"], 2)
    garbage = m.work / "garbage.onnx"
    garbage.write_bytes(b"this is not a model" * 50)
    code, out, err = run([m.mica, "compile", garbage, "-o", folder / "x"])
    m.check("garbage instead of a model is refused", code in (1, 2) and err, f"exit code {code}")
    m.check("refused models leave nothing behind", not list(folder.iterdir()), str(list(folder.iterdir())))
    m.expect("missing verifier parameters: unreadable", [m.mica, "verify", "--vk", folder / "x.vk", m.single], 2)
    m.expect("foreign verifier parameters: unreadable", [m.mica, "verify", "--vk", m.onnx, m.single], 2)
    m.expect("no verifier parameters: usage", [m.mica, "verify", m.single], 2)


def interrupted_compiler(m):
    """Whatever the moment, the outputs are complete or absent, and nothing else is left."""
    folder = m.work / "interrupted_compiler"
    for number in (signal.SIGINT, signal.SIGTERM):
        for delay in (0.1, 0.3, 0.6, 1.0):
            folder.mkdir()
            p = subprocess.Popen([str(m.mica), "compile", str(m.onnx), "--no-cache", "--quiet", "-o", str(folder / "x")],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            p.send_signal(number)
            p.wait()
            left = sorted(f.name for f in folder.iterdir())
            m.check(f"compiler ended by signal {number} after {delay} s",
                    left in ([], ["x-prover", "x-src", "x.report.html", "x.vk"]), str(left))
            shutil.rmtree(folder)


def rebuilt(m):
    """The emitted folder builds to the same prover with an installed Mica; without one it says what is missing."""
    home, script = m.work / "home", m.work / f"{m.name}-src" / "build.sh"
    (home / "include").mkdir(parents=True)
    text = m.expect("build.sh without an installed Mica", ["env", f"MICA_HOME={home}", script, m.work / "rebuilt"], 2)
    m.check("build.sh names MICA_HOME", "MICA_HOME" in text, text)
    code, out, err = run(["cmake", "--install", m.mica.parent.parent, "--prefix", home])
    if m.check("cmake --install", code == 0, tail(out + err)):
        m.expect("build.sh", ["env", f"MICA_HOME={home}", script, m.work / "rebuilt"], 0)
        again = m.work / "rebuilt.proof"
        m.expect("the rebuilt prover proves", [m.work / "rebuilt", "prove", m.cases[0], "-o", again, "--quiet"], 0)
        m.check("the rebuilt prover gives the same proof", again.read_bytes() == m.single.read_bytes())
        m.expect("the installed compiler", [home / "bin" / "mica", "compile", m.onnx, "--no-cache", "-o", home / "x"], 0)


def names(m):
    """Names of any bytes: shown as JSON, which is UTF-8; control characters are refused."""
    folder = m.work / "names"
    folder.mkdir()
    model = folder / "model.onnx"
    model.write_bytes(m.onnx.read_bytes().replace(b"image", b"imag\xff"))
    command = [m.mica, "compile", model, "--no-cache", "-o", folder / "x", "--model-id"]
    if m.check("names that are not UTF-8: compile", run([*command, b"id\xff".decode(errors="surrogateescape")])[0] == 0):
        code, out, err = run([folder / "x-prover", "info", "--json"])
        info = json.loads(out) if code == 0 else {}
        m.check("names that are not UTF-8: info",
                code == 0 and info["model"] == "id?" and [p["name"] for p in info["inputs"]] == ["imag?"], tail(out + err))
        proof = folder / b"proof\xff".decode(errors="surrogateescape")
        commands = [[folder / "x-prover", "prove", m.cases[0], "-o", proof, "--json"],
                    [m.mica, "verify", "--vk", folder / "x.vk", proof, "--json"],
                    [folder / "x-prover", "infer", m.cases[0], "--json"]]
        for c in commands:
            code, out, err = run(c)
            ports = json.loads(out)["inputs"] if code == 0 else []
            m.check(f"names that are not UTF-8: {c[1]}", len(ports) == 1 and ports[0]["name"] == "imag?", tail(out + err))
    for what, name in (("empty", ""), ("with an escape", "a\x1b[31m"), ("too long", "a" * 64)):
        m.expect(f"model id {what}: usage", [*command, name], 2)


def two_inputs(mica, folder, work, results):
    """A model with two inputs, given by name, by folder and as JSON: ONNX's own test of Add."""
    data = folder / "test_add"
    if not data.is_dir():
        results.skip("two inputs", f"{data} is absent; set MICA_NODE_TESTS")
        return
    work = work / "test_add"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    prover, proof, case = work / "add-prover", work / "add.proof", data / "test_data_set_0"
    code, out, err = run([mica, "compile", data / "model.onnx", "--calibration", data, "--no-cache", "-o", work / "add"])
    if not results.check("two inputs: compile", code == 0, tail(out + err)):
        return
    named = ["--input", f"y={case / 'input_1.pb'}", "--input", f"x={case / 'input_0.pb'}"]
    swapped = ["--input", f"x={case / 'input_1.pb'}", "--input", f"y={case / 'input_0.pb'}"]
    steps = [("prove by name", [prover, "prove", *named, "-o", proof], 0),
             ("verify by name", [prover, "verify", proof, *named], 0),
             ("verify by folder", [mica, "verify", "--vk", work / "add.vk", proof, "--input", case], 0),
             ("swapped inputs rejected", [prover, "verify", proof, *swapped], 1),
             ("an unknown input name: usage", [prover, "prove", "--input", f"z={case / 'input_1.pb'}", "-o", proof], 2),
             ("one input missing: usage", [prover, "prove", *named[:2], "-o", proof], 2),
             ("a file for a model with two inputs: usage", [prover, "prove", case / "input_0.pb", "-o", proof], 2)]
    for what, command, expected in steps:
        got, out, err = run(command)
        results.check(f"two inputs: {what}", got == expected, f"exit code {got}, expected {expected}: {tail(out + err)}")


def other_models(models, results):
    """A proof of one model is not a proof of another."""
    proven = [m for m in models if getattr(m, "single", None) and m.single.is_file()]
    for m, other in zip(proven, proven[1:] + proven[:1]):
        if m is not other:
            got, out, err = run([m.mica, "verify", m.single, "--vk", other.vk])
            results.check(f"{m.name}: its proof is not one of {other.name}", got == 1, tail(out + err))


def reference_verifier(models, results):
    """Three models, a batch among their proofs, and changed proofs: both verifiers agree."""
    for name, proof, per_kind, parameters in (("lenet5", "batch.proof", 1, 0), ("iris_mlp", "single.proof", 3, 60),
                                              ("mnist8_cnn", "single.proof", 2, 20)):
        m = next((m for m in models if m.name == name), None)
        if m and (m.work / proof).is_file():
            guarded(results, name, check_reference_verifier.compare, m.check, m.mica, m.vk, m.work / proof, per_kind,
                    parameters)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "e2e")
    parser.add_argument("--zoo", type=pathlib.Path,
                        default=pathlib.Path(os.environ.get("MICA_ZOO", ROOT.parent / "shared" / "zoo")))
    parser.add_argument("--node-tests", type=pathlib.Path,
                        default=pathlib.Path(os.environ.get("MICA_NODE_TESTS", ROOT.parent / "shared" / "onnx-node-tests")))
    parser.add_argument("--models", help="comma-separated; default: lenet5 and the zoo")
    parser.add_argument("--results", type=pathlib.Path)
    args = parser.parse_args()

    results = Results()
    mica = args.build.resolve() / "bin" / "mica"
    wanted = args.models.split(",") if args.models else ["lenet5"] + ZOO_MODELS
    models = []
    for name in wanted:
        if name == "lenet5":
            data = ROOT / "models" / "lenet5"
            models.append(Model(name, data / "lenet5.onnx", data, args.work.resolve(), mica, results))
        elif (args.zoo / name).is_dir():
            data = args.zoo.resolve() / name
            models.append(Model(name, data / "model.onnx", data, args.work.resolve(), mica, results))
        else:
            results.skip(name, f"{args.zoo / name} is absent; set MICA_ZOO")

    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for job in [pool.submit(guarded, results, m.name, run_model, m, m.name == "lenet5") for m in models]:
            job.result()
    guarded(results, "all", other_models, models, results)
    lenet5 = next((m for m in models if m.name == "lenet5"), None)
    if lenet5 and getattr(lenet5, "single", None) and lenet5.single.is_file():
        for group in (nonces, inputs, files, reports, determinism, compiler, interrupted_compiler, rebuilt, names):
            guarded(results, "lenet5", group, lenet5)

    reference_verifier(models, results)
    guarded(results, "two inputs", two_inputs, mica, args.node_tests.resolve(), args.work.resolve(), results)

    if args.results:
        args.results.write_text(json.dumps({"passed": results.passed, "failed": results.failed,
                                            "skipped": results.skipped}))
    print(f"end to end: {results.passed} passed, {results.failed} failed" +
          (f", {results.skipped} skipped" if results.skipped else ""))
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
