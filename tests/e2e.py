#!/usr/bin/env python3
"""End-to-end tests: compile, prove, verify, compare with float references, reject what must be rejected.

Only Python's standard library. Exit code 0 if nothing failed. The parts are in end_to_end/: zoo.py lists the models,
judging.py and detectors.py hold the criteria, tampering.py what must be rejected, command_line.py the programs,
artefacts.py what their files say of themselves, certificates.py their weights' ranges,
accuracy_targets.py what the compiler promises, visibility.py what proofs do not show, vectorised.py that generated
code is vector code, benchmark.py that the benchmark runs,
pages.py the HTML report.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import sys
import time

import check_reference_verifier
from end_to_end import accuracy_targets, artefacts, benchmark, certificates, command_line, pages, tampering, vectorised, visibility, zoo
from end_to_end.harness import Results
from end_to_end.model import find

ROOT = pathlib.Path(__file__).resolve().parent.parent


def reference_verifier(models, results):
    """Three models, a batch among their proofs, and changed proofs: both verifiers agree."""
    for name, proof, per_kind, parameters in (("lenet5", "batch.proof", 1, 0), ("iris_mlp", "single.proof", 3, 60),
                                              ("mnist8_cnn", "single.proof", 2, 20)):
        m = find(models, name)
        if m and (m.work / proof).is_file():
            results.guarded(name, check_reference_verifier.compare, m.check, m.mica, m.vk, m.work / proof, per_kind,
                            parameters)
            results.guarded(name, check_reference_verifier.compare_certificate, m.check, m.mica, m.vk, m.certificate, 1)


def timed(m, entry):
    started = time.time()
    zoo.exercise(m, entry)
    print(f"     {m.name}: {time.time() - started:.1f} s", flush=True)


def arguments():
    shared = ROOT.parent / "shared"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "e2e")
    parser.add_argument("--zoo", type=pathlib.Path, default=pathlib.Path(os.environ.get("MICA_ZOO", shared / "zoo")))
    parser.add_argument("--node-tests", type=pathlib.Path,
                        default=pathlib.Path(os.environ.get("MICA_NODE_TESTS", shared / "onnx-node-tests")))
    parser.add_argument("--models", type=lambda text: text.split(","), default=[],
                        help="comma-separated; default: lenet5 and the zoo")
    parser.add_argument("--results", type=pathlib.Path)
    return parser.parse_args()


def main():
    args, results = arguments(), Results()
    mica, work = args.build.resolve() / "bin" / "mica", args.work.resolve()
    folders = {"repository": ROOT / "models", "zoo": args.zoo.resolve(), "generated": ROOT / "build" / "generated"}
    loaded = [(zoo.load(e, folders, work, mica, results), e) for e in zoo.entries(args.models)]
    loaded = [(m, e) for m, e in loaded if m]
    models = [m for m, _ in loaded]

    # the slow ones first, so that no core waits at the end
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for job in [pool.submit(results.guarded, m.name, timed, m, e)
                    for m, e in sorted(loaded, key=lambda pair: not pair[1].large)]:
            job.result()
    results.guarded("all", tampering.other_models, models, results)
    results.guarded("all", certificates.other_models, [m for m in models if m.single], results)
    lenet5 = find(models, "lenet5")
    of_lenet5 = (command_line, artefacts, accuracy_targets, visibility, certificates, vectorised, benchmark)
    for group in (group for part in of_lenet5 for group in part.GROUPS) if lenet5 else ():
        results.guarded("lenet5", group, lenet5)
    reference_verifier(models, results)
    pages.reports(lenet5, find(models, "fastestdet"), results)
    results.guarded("two inputs", command_line.two_inputs, mica, args.node_tests.resolve(), work, results)

    if args.results:
        args.results.write_text(json.dumps(results.counts()))
    print(f"end to end: {results.passed} passed, {results.failed} failed" +
          (f", {results.skipped} skipped" if results.skipped else ""))
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
