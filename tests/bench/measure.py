"""Takes the figures of one model: compiles it unless that is done, times proofs warm and cold, and inference."""
import hashlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import phases

HERE = pathlib.Path(__file__).resolve().parent
FEWEST_RUNS, COLD_RUNS = 5, 5


class Failed(Exception):
    """A program that ended badly, or a proof that was not verified."""


def run(command, threads=None):
    environment = dict(os.environ, **({"MICA_THREADS": str(threads)} if threads else {}))
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr or done.stdout}")
    return done.stdout


class Bench:
    """The programs of one build, and the folder of compiled models.

    most_runs, most_seconds: proofs that are timed of each model and batch; fewer where they would take longer, but
    FEWEST_RUNS. python: of an environment with onnxruntime, or None.
    """

    def __init__(self, build, work, most_runs, most_seconds, python):
        self.mica, self.tools = build / "bin" / "mica", build / "bin"
        self.libraries = sorted(build.rglob("libmica-*.a"))
        self.work, self.most_runs, self.most_seconds, self.python = work, most_runs, most_seconds, python
        self.cores = len(os.sched_getaffinity(0))
        self.ceilings = {}

    def measure_ceilings(self):
        """Of one thread and of all."""
        counts = sorted({1, self.cores})
        rates = json.loads(run([self.tools / "bench_ceilings", *counts]))
        self.ceilings = {rate.pop("threads"): rate for rate in rates}

    # --- compiling ---

    def key(self, subject):
        """What compiled files depend on."""
        digest = hashlib.sha256()
        for path in (self.mica, *self.libraries, subject.onnx, *sorted(subject.calibration.rglob("*.npy"))):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def compile(self, subject):
        """(path that the names of the compiled files start with, seconds it took when it was compiled)."""
        folder = self.work / subject.name
        note, key = folder / "compiled.json", self.key(subject)
        known = json.loads(note.read_text()) if note.is_file() else {}
        if known.get("key") != key:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            start = time.monotonic()
            run([self.mica, "compile", subject.onnx, "--calibration", subject.calibration, "-o", folder / subject.name,
                 "--no-cache", "--quiet"])
            known = {"key": key, "seconds": time.monotonic() - start}
            note.write_text(json.dumps(known))
        return folder / subject.name, known["seconds"]

    # --- timing ---

    def timed(self, out, batch, runs, threads=None):
        """What `bench --json` says, with the work of its phases and their shares."""
        row = json.loads(run([f"{out}-prover", "bench", "--runs", runs, "--batch", batch, "--json"], threads))
        if row["verified"] is not True or row["runs"] != runs:
            raise Failed(f"{out}: a timed proof was not verified")
        plan = json.loads(run([self.tools / "bench_work", f"{out}.vk", batch]))
        row["work"] = plan
        if row["threads"] in self.ceilings:
            row["shares"] = phases.shares(plan["phases"], row["phases"], self.ceilings[row["threads"]])
        return row

    def runs_for(self, out, batch, threads=None):
        """As many proofs as fit the time; the first few say how long one takes, with inference and verification."""
        start = time.monotonic()
        run([f"{out}-prover", "bench", "--runs", 1, "--batch", batch, "--json"], threads)
        each = time.monotonic() - start
        return max(min(FEWEST_RUNS, self.most_runs), min(self.most_runs, int(self.most_seconds / each)))

    def bench(self, out, batch, threads=None):
        return self.timed(out, batch, self.runs_for(out, batch, threads), threads)

    def cold(self, out, subject):
        """Median seconds of `prove` by a process of its own, from its start to its end: all files are read, and nothing
        is warm but the operating system's file cache."""
        samples = []
        inputs = sorted(d for d in subject.calibration.iterdir() if d.is_dir())
        proof = f"{out}.proof"
        for i in range(min(COLD_RUNS, self.most_runs)):
            start = time.monotonic()
            run([f"{out}-prover", "prove", inputs[i % len(inputs)], "-o", proof, "--quiet"])
            samples.append(time.monotonic() - start)
            run([self.mica, "verify", proof, "--vk", f"{out}.vk"])
        return {"seconds": statistics.median(samples), "runs": len(samples), "verified": True}

    def float_inference(self, subject, batch, threads):
        """ONNX Runtime's, or None where it cannot run."""
        if not self.python:
            return None
        try:
            return json.loads(run([self.python, HERE / "onnx_float.py", subject.onnx, subject.calibration, "--batch",
                                   batch, "--threads", threads, "--runs", max(self.most_runs, 30)]))
        except Failed as error:
            print(f"SKIPPED: ONNX Runtime on {subject.name}, batch of {batch}: {error}", file=sys.stderr)
            return None

    def measure(self, subject):
        """All figures of a model."""
        out, seconds = self.compile(subject)
        rows = []
        for batch in subject.batches:
            row = self.bench(out, batch)
            row["float"] = self.float_inference(subject, batch, row["threads"])
            rows.append(row)
        return {"name": subject.name, "compile_seconds": seconds, "cold": self.cold(out, subject), "bench": rows}

    def measure_sizes(self, of_kind):
        """[{"size", **row}] of the networks of one scaling."""
        return [{"size": s.size, **self.bench(self.compile(s)[0], 1)} for s in of_kind]

    def measure_batches(self, subject, batches):
        out, _ = self.compile(subject)
        return [{"size": batch, **self.bench(out, batch)} for batch in batches]

    def measure_cores(self, subject, batches):
        """One thread and all of them."""
        out, _ = self.compile(subject)
        return [{"size": threads, **self.bench(out, batch, threads)}
                for batch in batches for threads in sorted({1, self.cores})]
