"""A model under test: compiled, run, proven and verified by the programs that users call."""
import json
import shutil

from .harness import read_npy, run, tail

BATCH = 8
MAX_BATCH = 16
COMPILE_TIMEOUT = 3600


class Model:
    """A compiled model and its test cases.

    data: folder with calibration/ and test/, case_NN/input_K.npy and output_J.npy in each. The model is compiled from the
    calibration cases alone. max_batch: most inputs of one proof; None leaves it to the compiler.
    """

    def __init__(self, name, onnx, data, work, mica, results, max_batch=MAX_BATCH):
        self.name, self.onnx, self.data, self.mica, self.results = name, onnx, data, mica, results
        self.max_batch = max_batch
        self.work = work / name
        self.cases = sorted(d for d in (data / "test").iterdir() if d.is_dir())
        self.prover, self.vk = self.work / f"{name}-prover", self.work / f"{name}.vk"
        self.certificate = self.work / f"{name}.cert"
        self.report = self.work / f"{name}.report.html"
        self.single, self.inferred, self.summary = None, {}, None

    def check(self, what, ok, detail=""):
        return self.results.check(f"{self.name}: {what}", ok, detail)

    def expect(self, what, command, code):
        got, out, err = run(command)
        self.check(what, got == code, f"exit code {got}, expected {code}: {tail(out + err)}")
        return out + err

    def compile(self, *options):
        """Leaves what `compile --json` says in summary."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        batch = ["--max-batch", self.max_batch] if self.max_batch else []
        code, out, err = run([self.mica, "compile", self.onnx, "--calibration", self.data / "calibration", *batch,
                              "--no-cache", "--json", "-o", self.work / self.name, *options], timeout=COMPILE_TIMEOUT)
        ok = self.check("compile", code == 0 and self.prover.is_file() and self.vk.is_file(),
                        f"exit code {code}: {tail(out + err)}")
        self.summary = json.loads(out) if ok else None
        return ok

    def references(self, case):
        """[(shape, flat values)] of the float outputs."""
        outputs = sorted(case.glob("output_*.npy"), key=lambda p: int(p.stem.split("_")[1]))
        return [read_npy(p) for p in outputs]

    def infer(self):
        """Runs every test case; whether all ran."""
        for case in self.cases:
            code, out, err = run([self.prover, "infer", case, "--json"])
            if not self.check(f"infer {case.name}", code == 0, tail(err)):
                return False
            self.inferred[case] = json.loads(out)["output_data"]
        return True

    def prove(self, what, inputs, proof, *options):
        """What `prove --json` says, or None."""
        code, out, err = run([self.prover, "prove", *inputs, "-o", proof, "--json", *options])
        if not self.check(what, code == 0 and proof.is_file(), f"exit code {code}: {tail(out + err)}"):
            return None
        return json.loads(out)

    def verifiers(self, proof, *options):
        """Both programs that verify."""
        return [("prover executable", [self.prover, "verify", proof, *options]),
                ("mica", [self.mica, "verify", proof, "--vk", self.vk, *options])]

    def expect_verdict(self, what, proof, code, *options):
        for who, command in self.verifiers(proof, *options):
            self.expect(f"{what} ({who})", command, code)

    def prove_one(self):
        """The first test case: proven, as inferred, and accepted."""
        first, proof = self.cases[0], self.work / "single.proof"
        result = self.prove("prove one input", [first], proof)
        if not result:
            return False
        self.single = proof
        self.check("the proven output is the inferred one", result["output_data"] == self.inferred[first])
        self.expect_verdict("one input accepted", proof, 0, "--input", first)
        return True

    def prove_all(self):
        """Every test case by itself: proven, as inferred, and accepted."""
        proof = self.work / "case.proof"
        for case in self.cases:
            result = self.prove(f"prove {case.name}", [case], proof)
            if result:
                self.check(f"{case.name}: the proven output is the inferred one",
                           result["output_data"] == self.inferred[case])
                self.expect(f"{case.name} accepted", [self.mica, "verify", proof, "--vk", self.vk, "--input", case], 0)

    def prove_batch(self):
        """BATCH inputs in one proof."""
        items = (self.cases * BATCH)[:BATCH]
        batch = self.work / "batch.proof"
        result = self.prove(f"prove a batch of {BATCH}", items, batch)
        if not result:
            return
        outputs = len(self.inferred[items[0]])
        expected = [sum((self.inferred[c][k] for c in items), []) for k in range(outputs)]
        self.check("the batch's outputs are the inferred ones", result["output_data"] == expected)
        arguments = [a for c in items for a in ("--input", c)]
        self.expect_verdict("batch accepted", batch, 0, *arguments)


def find(models, name):
    """The model of that name if it was proven, else None."""
    return next((m for m in models if m.name == name and m.single), None)
