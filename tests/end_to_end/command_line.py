"""The command line of prover executables and of mica: what one model is enough to show."""
import json
import math
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import time

from .harness import read_npy, run, tail, write_npy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def versions(m):
    """The table of docs/formats.md is that of the programs."""
    table = dict(re.findall(r"^\| ([a-z ]+)[^|]*\| `[^`]*` \| (\d+) \|$", (ROOT / "docs" / "formats.md").read_text(), flags=re.M))
    table["weights"] = table.pop("weight file", "")
    for program, least in ((m.mica, 5), (m.prover, 4)):
        _, out, _ = run([program, "--version"])
        shown = {name: number for name, number in re.findall(r"([a-z ]+) (\d+)(?:, |$)", out.split("formats:")[-1].strip())
                 if name != "generated code"}
        m.check(f"formats of {program.name}", len(shown) >= least and shown.items() <= table.items(), f"{shown} {table}")


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
    m.check("saturation is reported by --quiet, too", "1 of " in text and "values lie outside" in text and "at index 0 of item 0" in text, text)


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
    command = [m.mica, "compile", m.onnx, "--calibration", m.data / "calibration", "--json", "--quiet", "-o", m.work / "summary"]
    code, out, err = run(command)
    summary = json.loads(out) if code == 0 else {}
    m.check("compile --json", code == 0 and summary["self_test"]["prove_seconds"] > 0 and summary["proven_bits"] >= 100 and
            [layer["op"] for layer in summary["layers"]][:2] == ["Input", "Conv + Relu"] and
            summary["accuracy"]["outputs"][0]["mean"] < 0.01, tail(out[:300] + err))
    m.expect("too few proven bits: rejected", [m.prover, "verify", m.single, "--min-security", "120"], 1)


def too_little(proof):
    """A limit that the memory of this proof, with what a prediction may miss, does not fit."""
    return int(1.05 * proof["predicted_rss_bytes"]) + (2 << 20) - 2


def memory(m):
    """The memory of a proof is as predicted; --memory makes do with less, or refuses before anything is written."""
    for batch in (1, 16):
        code, out, err = run([m.prover, "bench", "--runs", "2", "--batch", str(batch), "--json"])
        if not m.check(f"bench of {batch}", code == 0, tail(out + err)):
            continue
        b = json.loads(out)
        peak, workspace = b["peak_rss_bytes"], b["workspace_bytes"]
        m.check(f"peak of {batch} as predicted", abs(b["predicted_rss_bytes"] - peak) <= peak / 10,
                f"{b['predicted_rss_bytes']:.0f} predicted, {peak:.0f} measured")
        m.check(f"workspace of {batch} as predicted", abs(b["predicted_workspace_bytes"] - workspace) <= workspace / 10,
                f"{b['predicted_workspace_bytes']} predicted, {workspace} measured")
    inputs = [m.cases[0]] * 16
    plain, lean = m.work / "plain.proof", m.work / "lean.proof"
    code, out, err = run([m.prover, "prove", *inputs, "-o", plain, "--json"])
    limit, rounds = too_little(json.loads(out)) if code == 0 else 0, 0
    while code == 0:
        code, out, err = run([m.prover, "prove", *inputs, "-o", lean, "--memory", str(limit), "--json"])
        if code:
            break
        p = json.loads(out)
        predicted, peak, rounds = p["predicted_rss_bytes"], p["peak_rss_bytes"], rounds + 1
        m.check(f"--memory {limit}: kept, and as predicted", peak <= limit and abs(predicted - peak) <= peak / 10,
                f"{predicted:.0f} predicted, {peak:.0f} measured")
        m.check(f"--memory {limit}: the same proof", p["savings"] and plain.read_bytes() == lean.read_bytes(), p["savings"])
        limit = too_little(p)
    m.check("--memory: savings, then a refusal", rounds > 0 and code == 2 and "at least; --memory allows" in err, tail(out + err))
    none = m.work / "none.proof"
    code, out, err = run([m.prover, "prove", *inputs, "-o", none, "--memory", "3M"])
    m.check("--memory 3M: refused, no file", code == 2 and "at least; --memory allows 3.0 MB" in err and not none.exists(),
            tail(out + err))


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
    command = [m.mica, "compile", m.onnx, "--calibration", m.data / "calibration", "--max-batch", m.max_batch,
               "--no-cache", "--model-id", m.name, "-o", again]
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
                    left in ([], ["x-prover", "x-src", "x.cert", "x.float", "x.report.html", "x.vk"]), str(left))
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


GROUPS = (versions, nonces, memory, inputs, files, reports, determinism, compiler, interrupted_compiler, rebuilt, names)
