#!/usr/bin/env python3
"""Adds up results and prints the closing line "N passed, N failed[, N skipped]".

Arguments are JUnit files of ctest, where every check of a Check suite counts, and the JSON file of e2e.py. A file that is
missing is one failure. The exit code is non-zero if anything failed or nothing passed.
"""
import json
import re
import sys
import xml.etree.ElementTree as ET

SUITE = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)\s*$", re.MULTILINE)


def of_junit(path):
    passed = failed = skipped = 0
    for case in ET.parse(path).getroot().iter("testcase"):
        output = "".join(e.text or "" for e in case.iter("system-out"))
        counts = [tuple(map(int, m)) for m in SUITE.findall(output)]
        bad = sum(f + e for _, f, e in counts)
        status = case.get("status")
        if status == "run":
            passed += sum(n for n, _, _ in counts) or 1
        elif status in ("disabled", "notrun") and case.find("skipped") is not None:
            skipped += 1
        else:
            failed += max(bad, 1)
            passed += sum(n for n, _, _ in counts) - bad
            print(f"failed: {case.get('name')} ({path})")
    return passed, failed, skipped


def of_json(path):
    with open(path) as f:
        r = json.load(f)
    return r["passed"], r["failed"], r["skipped"]


def main():
    total = [0, 0, 0]
    for path in sys.argv[1:]:
        try:
            counts = of_junit(path) if path.endswith(".xml") else of_json(path)
        except (OSError, ET.ParseError, ValueError, KeyError) as error:
            print(f"failed: no results in {path}: {error}")
            counts = (0, 1, 0)
        total = [a + b for a, b in zip(total, counts)]
    passed, failed, skipped = total
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
