#!/usr/bin/env python3
"""Measures models: each is compiled from its calibration cases alone, judged on its test cases, which are all proven
and verified, and timed. Figures are kept, so that a run that was interrupted goes on where it stopped.

Python's standard library only. tests/models.sh writes the models of models/make_models.py before and calls this. The
parts are in end_to_end/: zoo.py lists the models, judging.py has the criteria, measuring.py takes the figures, and
models_table.py writes the document.
"""
import argparse
import json
import os
import pathlib
import shutil
import sys
import time

from end_to_end import measuring, models_table, zoo
from end_to_end.harness import Results

ROOT = pathlib.Path(__file__).resolve().parent.parent


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    p.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "models")
    p.add_argument("--zoo", type=pathlib.Path,
                   default=pathlib.Path(os.environ.get("MICA_ZOO", ROOT.parent / "shared" / "zoo")))
    p.add_argument("--generated", type=pathlib.Path, default=ROOT / "build" / "generated",
                   help="folder that make_models.py wrote")
    p.add_argument("--table", type=pathlib.Path, help="write the figures to this file, in Markdown")
    p.add_argument("--results", type=pathlib.Path, help="write the number of checks to this file, in JSON")
    p.add_argument("--accept-older", action="store_true",
                   help="reuse figures that another build gave; the table marks them")
    p.add_argument("--keep", action="store_true", help="keep compiled models; they are removed once measured")
    p.add_argument("names", nargs="*", help="default: lenet5, the zoo and the generated models")
    return p.parse_args()


def main():
    args, total = arguments(), Results()
    mica, work = args.build.resolve() / "bin" / "mica", args.work.resolve()
    if not mica.is_file():
        sys.exit(f"no mica in {args.build}/bin: build first, or give --build")
    folders = {"repository": ROOT / "models", "zoo": args.zoo.resolve(), "generated": args.generated.resolve()}
    work.mkdir(parents=True, exist_ok=True)
    chosen = zoo.entries(args.names or [e.name for e in (zoo.OWN, *zoo.ZOO, *zoo.GENERATED)])
    measured = []
    for number, entry in enumerate(chosen, 1):
        print(f"{number}/{len(chosen)} {entry.name}", flush=True)
        m, started = zoo.load(entry, folders, work, mica, total), time.monotonic()
        if not m:
            continue
        m.max_batch = None  # the compiler's choice, as users have it
        known = measuring.measure_or_reuse(m, entry, mica, args.accept_older)
        total.add(known["counts"])
        if "bench" in known:
            measured.append((entry, known))
        if not args.keep:
            shutil.rmtree(m.work, ignore_errors=True)
        print(f"     {entry.name}: {time.monotonic() - started:.0f} s", flush=True)
    if args.table:
        args.table.write_text(models_table.document(measured))
    if args.results:
        args.results.write_text(json.dumps(total.counts()))
    print(f"models: {total.passed} passed, {total.failed} failed" + (f", {total.skipped} skipped" if total.skipped else ""))
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
