#!/usr/bin/env python3
"""Benchmark of proving and verifying: compiles each model, lets its prover executable time proofs (every timed proof is
verified by it), and prints a table; --json keeps the figures.

Python's standard library only. Without arguments: the project's own LeNet-5 and, where the zoo is present, the small zoo
models, batches of 1 and 8.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ZOO_MODELS = ["iris_mlp", "keras_dense", "mnist_mlp_batchnorm", "mnist8_cnn", "mnist8_cnn_optimised", "cifar_cnn"]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", type=Path, default=ROOT / "build" / "release", help="build folder with bin/mica")
    p.add_argument("--work", type=Path, default=ROOT / "build" / "bench", help="where compiled models go")
    p.add_argument("--zoo", type=Path, default=Path(os.environ.get("MICA_ZOO", ROOT.parent / "shared" / "zoo")))
    p.add_argument("--runs", type=int, default=30, help="timed proofs per model and batch (default 30)")
    p.add_argument("--batch", type=lambda text: [int(b) for b in text.split(",")], default=[1, 8],
                   help="batch sizes, separated by commas (default 1,8)")
    p.add_argument("--json", type=Path, help="write all figures to this file")
    p.add_argument("folder", type=Path, nargs="*", help="folders with model.onnx and calibration/")
    return p.parse_args()


def models(args):
    if args.folder:
        return [(f.name, f / "model.onnx", f / "calibration") for f in args.folder]
    own = ROOT / "models" / "lenet5"
    found = [("lenet5", own / "lenet5.onnx", own / "calibration")]
    for name in ZOO_MODELS:
        folder = args.zoo / name
        if folder.is_dir():
            found.append((name, folder / "model.onnx", folder / "calibration"))
        else:
            print(f"skipped: {name} is not in {args.zoo}", file=sys.stderr)
    return found


def run(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr or done.stdout}")
    return done.stdout


def measure(args, name, model, calibration):
    out = args.work / name
    start = time.monotonic()
    run([args.build / "bin" / "mica", "compile", model, "--calibration", calibration, "-o", out, "--max-batch",
         max(args.batch), "--quiet"])
    compile_seconds = time.monotonic() - start
    rows = []
    for batch in args.batch:
        row = json.loads(run([f"{out}-prover", "bench", "--runs", args.runs, "--batch", batch, "--json"]))
        row["compile_seconds"] = compile_seconds
        if not row["verified"]:
            sys.exit(f"{name}: a timed proof was not verified")
        rows.append(row)
    return rows


def commit():
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def table(results):
    phases = list(results[0]["phases"])
    head = ["model", "batch", "prove ms", "per item", "infer ms", "verify ms", "proof KB", "peak MB", "bits"] + phases
    rows = []
    for r in results:
        ms = 1000 * r["prove_seconds"]
        rows.append([r["model"], str(r["batch"]), f"{ms:.1f}", f"{ms / r['batch']:.1f}",
                     f"{1000 * r['infer_seconds']:.2f}", f"{1000 * r['verify_seconds']:.2f}",
                     f"{r['proof_bytes'] / 1000:.1f}", f"{r['peak_rss_bytes'] / 1e6:.0f}", f"{r['proven_bits']:.1f}"]
                    + [f"{1000 * r['phases'][p]:.1f}" for p in phases])
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    for row in [head] + rows:
        print("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))))


def main():
    args = arguments()
    if not (args.build / "bin" / "mica").is_file():
        sys.exit(f"no mica in {args.build}/bin: build first (tests/run.sh or cmake), or give --build")
    args.work.mkdir(parents=True, exist_ok=True)
    results = []
    for name, model, calibration in models(args):
        print(f"measuring {name}", file=sys.stderr)
        results += measure(args, name, model, calibration)
    print(f"Mica {results[0]['version']}, commit {commit()}, {results[0]['cpu']}, {results[0]['kernels']} kernels, "
          f"{results[0]['threads']} threads, {platform.system()} {platform.machine()}")
    print(f"medians of {args.runs} proofs of different random inputs, every one verified; KB = 1000 bytes; "
          "phases in ms")
    table(results)
    if args.json:
        args.json.write_text(json.dumps({"commit": commit(), "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
