"""The benchmark in its short form: LeNet-5, a few proofs; its figures are there, and every proof was verified."""
import json
import pathlib
import re
import sys

from .harness import run, tail

BENCH = pathlib.Path(__file__).resolve().parent.parent / "bench"
RUNS = 3
POSITIVE = ("prove_seconds", "prove_seconds_least", "infer_seconds", "verify_seconds", "proof_bytes", "peak_rss_bytes",
            "workspace_bytes")
PHASES = ["forward", "witness", "commit", "lookups", "sumcheck", "opening", "grinding"]


def row_checks(m, row, batch):
    what = f"benchmark, batch of {batch}"
    m.check(f"{what}: all proofs verified", row["verified"] is True and row["runs"] == RUNS and row["batch"] == batch,
            str(row))
    m.check(f"{what}: figures", all(row[name] > 0 for name in POSITIVE) and row["proven_bits"] >= 100, str(row))
    m.check(f"{what}: phases", list(row["phases"]) == PHASES and all(row["phases"][p] >= 0 for p in PHASES), str(row))
    m.check(f"{what}: phases are the proof", 0.8 < row["phases_seconds"] / row["prove_seconds"] <= 1,
            f"{row['phases_seconds']} of {row['prove_seconds']}")
    m.check(f"{what}: shares of the ceilings", list(row["shares"]) == PHASES and
            all(row["shares"][p] > 0 for p in PHASES if row["phases"][p] > 0), str(row["shares"]))


def short(m):
    figures, page = m.work / "benchmark.json", m.work / "performance.md"
    command = [sys.executable, BENCH / "bench.py", "lenet5", "--build", m.mica.parent.parent, "--work", m.work / "bench",
               "--runs", RUNS, "--seconds", 60, "--batch", "1,4", "--json", figures, "--document", page]
    code, out, err = run(command)
    if not m.check("benchmark runs", code == 0 and figures.is_file() and page.is_file(), tail(out + err)):
        return
    known = json.loads(figures.read_text())
    rates = list(known["ceilings"].values())
    m.check("benchmark: ceilings", rates and all(rate > 0 for of in rates for rate in of.values()), str(rates))
    lenet5 = known["models"][0]
    m.check("benchmark: cold proofs", lenet5["cold"]["verified"] is True and lenet5["cold"]["seconds"] > 0, str(lenet5["cold"]))
    for row, batch in zip(lenet5["bench"], (1, 4)):
        row_checks(m, row, batch)
    text = page.read_text()
    m.check("benchmark: its document", re.search(r"^\| LeNet-5 \| .*/ 20", text, re.M) and "| `lenet5` |" in text, text[:200])
    compiled = m.work / "bench" / "lenet5" / "lenet5.vk"
    before = compiled.stat().st_mtime_ns
    code, _, err = run(command)
    m.check("benchmark: compiled models are used again", code == 0 and compiled.stat().st_mtime_ns == before, tail(err))


GROUPS = (short,)
