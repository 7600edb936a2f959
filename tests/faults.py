#!/usr/bin/env python3
"""Faults: full disks, killed processes, damaged files, too little memory, hostile files. What must hold: a clear error, no partial
artefact under its final name, nothing lost.

Only Python's standard library. Exit code 0 if nothing failed. The parts are in fault_suite/: kit.py what all need, and one file for
each kind of fault. Without --thorough the sweeps are coarse, for a minute or so.
"""
import argparse
import concurrent.futures
import json
import pathlib
import sys
import time

from end_to_end.harness import Results
from fault_suite import at_once, build_cache, damaged, full_disk, hostile_models, hostile_samples, killed, memory, streams, torn
from fault_suite.kit import Kit

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOPICS = (hostile_models, memory, killed, full_disk, damaged, at_once, build_cache, streams, hostile_samples, torn)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "faults")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="comma-separated names of parts")
    parser.add_argument("--thorough", action="store_true", help="finer sweeps")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=pathlib.Path)
    return parser.parse_args()


def topic(module, kit):
    started = time.time()
    for group in module.GROUPS:
        kit.results.guarded("faults", group, kit)
    print(f"     {module.__name__.split('.')[-1]}: {time.time() - started:.1f} s", flush=True)


def main():
    args, results = arguments(), Results()
    kit = Kit(args.build.resolve() / "bin" / "mica", ROOT / "models" / "lenet5", args.work.resolve(), results, args.thorough)
    if kit.prepare():
        with concurrent.futures.ThreadPoolExecutor(max_workers=args.jobs) as pool:
            chosen = [m for m in TOPICS if not args.only or m.__name__.split(".")[-1] in args.only]
            for job in [pool.submit(topic, m, kit.within(m.__name__.split(".")[-1])) for m in chosen]:
                job.result()
    if args.results:
        args.results.write_text(json.dumps(results.counts()))
    print(f"faults: {results.passed} passed, {results.failed} failed" + (f", {results.skipped} skipped" if results.skipped else ""))
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
