#!/usr/bin/env python3
"""Benchmark of proving and verifying: compiles each model unless that is done, lets its prover executable time proofs of
random inputs (every timed proof is verified), measures what the machine can do at most, and prints tables.

Python's standard library only; ONNX Runtime is timed by another Python (--float-python) that has its package. Without
arguments: the project's own LeNet-5 and, where the zoo is present, its small models. tests/bench/run.sh prepares
everything and measures all.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import document
import measure
import phases
import subjects

ROOT = Path(__file__).resolve().parent.parent.parent
SCALED_BATCHES = [1, 4, 16, 64, 256]
CORE_BATCHES = [1, 64]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", type=Path, default=ROOT / "build" / "release", help="build folder with bin/mica")
    p.add_argument("--work", type=Path, default=ROOT / "build" / "bench",
                   help="where compiled models go; they are used again while program and model stay the same")
    p.add_argument("--zoo", type=Path, default=Path(os.environ.get("MICA_ZOO", ROOT.parent / "shared" / "zoo")))
    p.add_argument("--generated", type=Path, default=ROOT / "build" / "generated",
                   help="folder that models/make_models.py wrote")
    p.add_argument("--float-python", type=Path, help="Python with the packages numpy and onnxruntime")
    p.add_argument("--runs", type=int, default=31, help="timed proofs per model and batch, at most (default 31)")
    p.add_argument("--seconds", type=float, default=40,
                   help=f"of timing per model and batch; fewer proofs than --runs then, at least {measure.FEWEST_RUNS} "
                   "(default 40)")
    p.add_argument("--batch", type=lambda text: tuple(int(b) for b in text.split(",")), default=(1,),
                   help="batch sizes, separated by commas (default 1)")
    p.add_argument("--all", action="store_true", help="the models of the targets as well, and scaling")
    p.add_argument("--scaling", action="store_true", help="with batch, width, depth and cores")
    p.add_argument("--json", type=Path, help="write all figures to this file")
    p.add_argument("--document", type=Path, help="write docs/performance.md to this file")
    p.add_argument("model", nargs="*", help="names, or folders with model.onnx and calibration/")
    return p.parse_args()


def chosen(args):
    folders = [ROOT / "models", args.zoo, args.generated]
    names = args.model or ["lenet5", *subjects.SMALL, *(subjects.LARGE if args.all else [])]
    for name in names:
        if Path(name).is_dir():
            yield subjects.of_folder(Path(name), batches=args.batch)
            continue
        batches = args.batch + ((subjects.LARGE_BATCH,) if args.all and name == "lenet5" else ())
        found = subjects.find(name, folders, batches)
        if found:
            yield found


def measured_scaling(bench, args):
    lenet5 = subjects.find("lenet5", [ROOT / "models"])
    print("measuring scaling", file=sys.stderr)
    return {"batch": bench.measure_batches(lenet5, SCALED_BATCHES), "cores": bench.measure_cores(lenet5, CORE_BATCHES),
            **{kind: bench.measure_sizes(of_kind)
               for kind, of_kind in subjects.scaling(args.work / "scaling").items()}}


def commit():
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip() or "unknown"


def machine(row, bench):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": row["cpu"], "cores": bench.cores, "kernels": row["kernels"], "memory_bytes": memory,
            "system": f"{platform.system()} {platform.machine()}"}


def ms(seconds):
    return f"{1000 * seconds:.2f}"


def show(results):
    """Readable tables; times in ms, shares of the ceilings in parentheses in %."""
    head = ["model", "batch", "runs", "prove", "per item", "cold", "infer", "float", "verify", "proof kB", "peak MB",
            "bits", *phases.PHASES]
    rows = [head]
    for m in results["models"]:
        for r in m["bench"]:
            share = r.get("shares", {})
            rows.append([m["name"], str(r["batch"]), str(r["runs"]), ms(r["prove_seconds"]),
                         ms(r["prove_seconds"] / r["batch"]), ms(m["cold"]["seconds"]) if r["batch"] == 1 else "",
                         ms(r["infer_seconds"]), ms(r["float"]["seconds"]) if r["float"] else "none",
                         ms(r["verify_seconds"]), f"{r['proof_bytes'] / 1000:.1f}", f"{r['peak_rss_bytes'] / 1e6:.0f}",
                         f"{r['proven_bits']:.1f}",
                         *(f"{ms(r['phases'][p])} ({100 * share[p]:.0f})" if share.get(p) is not None else
                           ms(r["phases"][p]) for p in phases.PHASES)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        print("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))))


def measure_all(args):
    bench = measure.Bench(args.build.resolve(), args.work.resolve(), args.runs, args.seconds, args.float_python)
    bench.measure_ceilings()
    models = []
    for subject in chosen(args):
        print(f"measuring {subject.name}", file=sys.stderr, flush=True)
        models.append(bench.measure(subject))
    if not models:
        sys.exit("no models to measure")
    first = models[0]["bench"][0]
    return {"version": first["version"], "commit": commit(), "machine": machine(first, bench), "load": os.getloadavg()[0],
            "ceilings": bench.ceilings, "models": models,
            "scaling": measured_scaling(bench, args) if args.scaling or args.all else {}}


def main():
    args = arguments()
    for program in ("mica", "bench_ceilings", "bench_work"):
        if not (args.build / "bin" / program).is_file():
            sys.exit(f"no {program} in {args.build}/bin: build first (tests/run.sh or cmake), or give --build")
    args.work.mkdir(parents=True, exist_ok=True)
    try:
        results = measure_all(args)
    except measure.Failed as error:
        sys.exit(str(error))
    place = results["machine"]
    print(f"Mica {results['version']}, commit {results['commit']}, {place['cpu']}, {place['cores']} cores, "
          f"{place['kernels']} kernels, {place['system']}")
    print("medians of proofs of different random inputs, every one verified; kB = 1000 bytes; times in ms, shares of the "
          "ceilings in %")
    show(results)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    if args.document:
        args.document.write_text(document.document(json.loads(json.dumps(results))))


if __name__ == "__main__":
    main()
