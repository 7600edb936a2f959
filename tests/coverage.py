#!/usr/bin/env python3
"""Adds up what gcov counted in a build with -DMICA_COVERAGE=ON: lines and branches, per file and group.

Only Python's standard library. Exit code 0 if every group reaches the bound, 1 if one does not, 2 if nothing was counted.
"""
import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Readers of bytes and words from outside. What is the verifier follows from the library: all that libmica-verify was
# compiled from, headers included.
PARSERS = re.compile(r"""
    runtime/io/ | runtime/format/                                      # tensors; parameters, statements, records
  | runtime/circuit/circuit_format | runtime/base/bytes                # the circuit in parameters
  | runtime/hash/channel | runtime/certificate/certificate_verify      # the messages of a proof; certificates
  | compiler/import/ | compiler/reference/float_file_read              # ONNX, NAME.float
  | compiler/commands/options | runtime/cli/(arguments|user_values|verify_file)  # command lines and the files they name
""", re.VERBOSE)


class Counts:
    """Of one source file: how often each line and each branch was taken, over all objects that contain it."""

    def __init__(self):
        self.lines = collections.Counter()
        self.branches = collections.defaultdict(list)

    def add(self, line):
        number = line["line_number"]
        self.lines[number] += line["count"]
        taken = self.branches[number]
        for i, branch in enumerate(line["branches"]):
            if i == len(taken):
                taken.append(0)
            taken[i] += branch["count"]

    def figures(self):
        taken = [count for branches in self.branches.values() for count in branches]
        return sum(c > 0 for c in self.lines.values()), len(self.lines), sum(c > 0 for c in taken), len(taken)

    def missing(self):
        return sorted(number for number, count in self.lines.items() if not count)


def counted(build):
    """{path: Counts} of the repository's sources, and the set of those that libmica-verify contains."""
    files, verifier = collections.defaultdict(Counts), set()
    notes = sorted(build.rglob("*.gcno"))
    for start in range(0, len(notes), 32):
        output = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", *notes[start:start + 32]],
                                check=True, capture_output=True, text=True, cwd=build).stdout
        for document in map(json.loads, output.splitlines()):
            in_verifier = "/mica-verify.dir/" in document["data_file"]
            for entry in document["files"]:
                path = (build / entry["file"]).resolve()
                if not path.is_relative_to(ROOT) or path.is_relative_to(build):
                    continue
                name = str(path.relative_to(ROOT))
                if in_verifier:
                    verifier.add(name)
                for line in entry["lines"]:
                    files[name].add(line)
    return files, verifier


def ranges(numbers):
    """[1, 2, 3, 7] as '1-3 7'."""
    runs = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def report(title, files, bound, missing):
    """Prints a group's table. Returns whether its lines reach the bound."""
    print(f"\n{title:<52} {'lines':>17} {'branches':>19}")
    total = [0, 0, 0, 0]
    for name in sorted(files):
        figures = files[name].figures()
        total = [a + b for a, b in zip(total, figures)]
        print_row(name, figures)
        if missing and files[name].missing():
            print(f"    not run: {ranges(files[name].missing())}")
    print_row("total", total)
    ok = total[1] > 0 and percent(total[0], total[1]) >= bound
    print(f"{title}: {percent(total[0], total[1]):.1f} % of the lines, bound {bound:g} %: {'ok' if ok else 'FAILED'}")
    return ok


def print_row(name, figures):
    lines, all_lines, branches, all_branches = figures
    print(f"{name:<52} {lines:5}/{all_lines:<5} {percent(lines, all_lines):5.1f} {branches:6}/{all_branches:<6} "
          f"{percent(branches, all_branches):5.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--bound", type=float, default=95.0, help="percent of lines that each group must reach")
    parser.add_argument("--missing", action="store_true", help="lists the lines that were not run")
    args = parser.parse_args()
    files, verifier = counted(args.build.resolve())
    if not files:
        print("coverage: nothing was counted", file=sys.stderr)
        return 2
    groups = (("verifier", {n: c for n, c in files.items() if n in verifier}),
              ("parsers", {n: c for n, c in files.items() if PARSERS.match(n)}))
    results = [report(title, group, args.bound, args.missing) for title, group in groups]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
