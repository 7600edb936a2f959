"""Figures of a model: its size, the widths that the compiler chose, errors on the test cases, and what a proof costs."""
import hashlib
import json
import os
import resource
import time
from collections import Counter

from . import judging
from .harness import Results, run, tail
from .onnx_operators import operators

MOST_RUNS, FEWEST_RUNS = 31, 5
BENCH_SECONDS = 10  # of proving, about; how many proofs are timed depends on it
BENCH_TIMEOUT = 3600
BATCHES = {"lenet5": [256]}  # timed as well as one input


def processor_seconds():
    """Of all programs that have been run, their own children included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def key(mica, m, entry):
    """What figures depend on: compiler, libraries of the prover, model, and how it is judged."""
    digest = hashlib.sha256(repr(entry).encode())
    for path in (mica, *sorted(mica.parent.parent.rglob("libmica-*.a")), m.onnx):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def widths(layers, which):
    """{bits: number of layers} of the layers that have any."""
    return Counter(layer[which] for layer in layers if layer[which])


def compiled(m):
    """Compiles the model; what that says of it, or None."""
    wall, processor = time.monotonic(), processor_seconds()
    if not m.compile():
        return None
    s = m.summary
    return {"seconds": time.monotonic() - wall, "processor_seconds": processor_seconds() - processor,
            "parameters": s["parameters"], "macs": sum(layer["macs"] for layer in s["layers"]),
            "witness_cells": s["circuit"]["witness_cells"], "activation_bits": widths(s["layers"], "activation_bits"),
            "weight_bits": widths(s["layers"], "weight_bits"), "version": s["compiler_version"]}


def proofs_to_time(m):
    expected = m.summary["self_test"]["prove_seconds"]
    return min(MOST_RUNS, max(FEWEST_RUNS, int(BENCH_SECONDS / expected))) | 1  # odd: the median is one of them


def timed(m, batch, runs):
    """What `bench --json` says; it verifies every proof that it times."""
    code, out, err = run([m.prover, "bench", "--runs", runs, "--batch", batch, "--json"], timeout=BENCH_TIMEOUT)
    ok = m.check(f"bench, batch of {batch}", code == 0, f"exit code {code}: {tail(err)}")
    figures = json.loads(out) if ok else {}
    return figures if m.check(f"bench, batch of {batch}: every proof verified", figures.get("verified")) else None


def source(folder):
    """What the model's SOURCE.txt says in its first lines "key: value"."""
    said = {}
    for line in (folder / "SOURCE.txt").read_text().splitlines():
        name, colon, value = line.partition(": ")
        if colon and name not in said:
            said[name] = value.strip()
    return {name: said.get(name, "") for name in ("kind", "repository", "licence", "weights")}


def measure(m, entry):
    """All figures of one model, or None where a step failed. Every test case is judged, proven and verified."""
    say = f"     {m.name}: "
    print(f"{say}compiling", flush=True)
    compilation = compiled(m)
    if not compilation:
        return None
    print(f"{say}compiled in {compilation['seconds']:.0f} s; {len(m.cases)} test cases", flush=True)
    if not m.infer():
        return None
    outputs = judging.judge(m, entry.kind)
    m.prove_all()
    runs = proofs_to_time(m)
    print(f"{say}timing {runs} proofs", flush=True)
    benches = [timed(m, batch, runs) for batch in (1, *BATCHES.get(m.name, []))]
    return {"operators": operators(m.onnx), "cases": len(m.cases), "compilation": compilation,
            "outputs": outputs, "detections": judging.detections(m) if entry.kind == "detector" else [],
            "load": os.getloadavg()[0], "bench": benches} if all(benches) else None


class Noted(Results):
    """Counts for one model and keeps what it missed."""

    def __init__(self):
        super().__init__()
        self.missed = []

    def check(self, name, ok, detail=""):
        if not ok:
            self.missed.append(f"{name}: {detail}")
        return super().check(name, ok, detail)

    def skip(self, name, why):
        self.missed.append(f"{name}: {why}")
        super().skip(name, why)


def reused(file, depends_on, accept_older):
    """Figures that were kept, if they are of this build or older ones are accepted; known["older"] says which."""
    if not file.is_file():
        return None
    known = json.loads(file.read_text())
    known["older"] = known["key"] != depends_on
    return known if accept_older or not known["older"] else None


def measure_or_reuse(m, entry, mica, accept_older):
    """Figures and counts of a model, from the file beside its work folder if nothing failed when they were measured.
    No "bench" in them where the model could not be measured."""
    file, results, depends_on = m.work.with_suffix(".json"), Noted(), key(mica, m, entry)
    known = reused(file, depends_on, accept_older)
    if known:
        print(f"     {m.name}: measured before; remove {file} to measure it again", flush=True)
        return {**known, "source": source(m.data)}
    m.results = results
    figures = {}
    results.guarded(m.name, lambda: figures.update(measure(m, entry) or {}))
    known = {"key": depends_on, "name": m.name, "kind": entry.kind, "counts": results.counts(), "missed": results.missed,
             **figures}
    if figures and not results.failed:
        file.write_text(json.dumps(known, indent=1) + "\n")
    return {**known, "older": False, "source": source(m.data)}
