#!/usr/bin/env python3
"""Changes proofs of three models in every byte, length and item, and their parameters in every byte: all must be rejected.

The long form of what the end-to-end tests do by samples: tests/tamper/ has the attacks. LeNet-5, one input and a batch;
keras_dense and iris_mlp of the zoo or, where the zoo is absent, models that tests/models.sh has written. Python's
standard library only. The last line is "tamper: N tried, N rejected, N accepted"; exit code 0 if nothing was accepted.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import sys
import time

from end_to_end import tampering, zoo
from end_to_end.harness import Results, run, tail

ROOT = pathlib.Path(__file__).resolve().parent
MODELS = ("lenet5", "keras_dense", "iris_mlp")
STAND_INS = ("keyword", "unet")
LINE = re.compile(r"^tamper: (\d+) tried, (\d+) rejected, (\d+) accepted$", re.M)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", type=pathlib.Path, default=ROOT.parent / "build" / "release")
    p.add_argument("--work", type=pathlib.Path, default=ROOT.parent / "build" / "tamper")
    p.add_argument("--zoo", type=pathlib.Path,
                   default=pathlib.Path(os.environ.get("MICA_ZOO", ROOT.parent.parent / "shared" / "zoo")))
    p.add_argument("--generated", type=pathlib.Path, default=ROOT.parent / "build" / "generated")
    p.add_argument("--samples", type=int, default=0, help="attempts of each kind; default: all there are")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("names", nargs="*", default=[])
    return p.parse_args()


def entries(args):
    """Three models that are there."""
    if args.names:
        return zoo.entries(args.names)
    here = args.zoo.is_dir()
    return zoo.entries([n for n in MODELS if here or n == "lenet5"] + ([] if here else list(STAND_INS)))


def attack(m, what, proofs, args):
    """(tried, rejected, accepted) of all parts."""
    tamper, started = m.mica.parent / "tamper", time.monotonic()
    command = [tamper, *(["--samples", args.samples] if args.samples else [])]
    parts = [[*command, "--part", f"{k}/{args.jobs}", m.vk, *proofs] for k in range(args.jobs)]
    counts = [0, 0, 0]
    with concurrent.futures.ThreadPoolExecutor(max_workers=args.jobs) as pool:
        for code, out, err in pool.map(lambda c: run(c, timeout=24 * 3600), parts):
            last = LINE.search(out)
            m.check(f"{what}: all rejected", code == 0 and last, f"exit code {code}: {tail(out + err)}")
            counts = [a + int(b) for a, b in zip(counts, last.groups() if last else (0, 0, 0))]
            if code == 0:
                print(out.rsplit("\n", 2)[0], flush=True)
    print(f"{m.name}, {what}, {proofs[0].stat().st_size} bytes: {counts[0]} tried, {counts[1]} rejected, "
          f"{counts[2]} accepted; {time.monotonic() - started:.0f} s", flush=True)
    return counts


def main():
    args, results = arguments(), Results()
    mica = args.build.resolve() / "bin" / "mica"
    folders = {"repository": ROOT.parent / "models", "zoo": args.zoo.resolve(), "generated": args.generated.resolve()}
    total = [0, 0, 0]
    for entry in entries(args):
        m = zoo.load(entry, folders, args.work.resolve(), mica, results)
        if not m or not m.compile() or not m.infer() or not m.prove_one():
            continue
        sets = [("one input", [m.single, *tampering.proofs_to_splice(m)])]
        if entry.thorough:
            m.prove_batch()
            sets.append(("a batch", [m.work / "batch.proof", m.single]))
        for what, proofs in sets:
            total = [a + b for a, b in zip(total, attack(m, what, proofs, args))]
    if results.skipped:
        print(f"{results.skipped} models skipped")
    print(f"tamper: {total[0]} tried, {total[1]} rejected, {total[2]} accepted")
    return 0 if total[0] and not results.failed and not total[2] else 1


if __name__ == "__main__":
    sys.exit(main())
