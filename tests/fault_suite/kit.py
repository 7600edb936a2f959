"""What every fault test needs: compiled models, commands under limits, what a folder holds, what a failure must say."""
import copy
import hashlib
import json
import os
import pathlib
import resource
import shutil
import subprocess

from end_to_end.harness import run, tail

from . import onnx_bytes

PATIENCE = 300
SIZE = 8  # of the small models' only axis
TEMPORARY = ".mica-tmp"  # the ending of every name that is no artefact
ENDINGS = ("-prover", "-src", ".cert", ".float", ".report.html", ".vk")


def snapshot(folder):
    """{relative path: what lies there}, links not followed."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder"
    return found


def difference(before, after):
    return ", ".join(f"{name}: {before.get(name, 'absent')[:12]} -> {after.get(name, 'absent')[:12]}"
                     for name in sorted({*before, *after}) if before.get(name) != after.get(name))


def limits(file_bytes=None, address_bytes=None, cpu_seconds=None):
    """A preexec_fn."""
    def apply():
        for what, value in ((resource.RLIMIT_FSIZE, file_bytes), (resource.RLIMIT_AS, address_bytes),
                            (resource.RLIMIT_CPU, cpu_seconds)):
            if value is not None:
                resource.setrlimit(what, (value, value))
    return apply


class Kit:
    """thorough: finer sweeps than the short form's."""

    def __init__(self, mica, lenet5, work, results, thorough):
        self.mica, self.work, self.results, self.thorough = mica, work, results, thorough
        self.lenet5 = lenet5
        self.cache = work / "cache"
        self.environment = dict(os.environ, XDG_CACHE_HOME=str(self.cache))
        self.case = lenet5 / "test" / "case_00"

    def check(self, what, ok, detail=""):
        return self.results.check(f"faults: {what}", ok, detail)

    def folder(self, name):
        path = self.work / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def prepare(self):
        """LeNet-5 with its weights in a file, two small models and an input of theirs."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.models = []
        for seed in (1, 2):
            model = self.work / f"dense{seed}.onnx"
            model.write_bytes(onnx_bytes.dense(SIZE, seed))
            self.models.append(model)
        self.input = self.work / "input.json"
        self.input.write_text(json.dumps({"input_data": [[i / SIZE for i in range(SIZE)]]}))
        self.net = self.folder("lenet5") / "net"
        onnx = self.lenet5 / "lenet5.onnx"
        code, out, err = self.run([self.mica, "compile", onnx, "--calibration", self.lenet5 / "calibration", "--weights-file",
                                   "--max-batch", 16, "-q", "-o", self.net])
        if not self.check("compile LeNet-5", code == 0, tail(out + err)):
            return False
        self.proof = self.work / "lenet5.proof"
        code, out, err = self.run([f"{self.net}-prover", "prove", self.case, "-o", self.proof, "-q"])
        return self.check("prove with LeNet-5", code == 0, tail(out + err))

    def within(self, name):
        """The same with folders and a cache of its own: parts run at the same time."""
        part = copy.copy(self)
        part.work = self.work / name
        part.work.mkdir()
        part.cache = part.work / "cache"
        part.environment = dict(self.environment, XDG_CACHE_HOME=str(part.cache))
        return part

    def run(self, command, environment=None, **kwargs):
        return run(command, timeout=PATIENCE, env=environment or self.environment, **kwargs)

    def compile_command(self, model, out, *options):
        return [self.mica, "compile", model, "-q", *options, "-o", out]

    def compile(self, what, model, out, *options):
        code, said, err = self.run(self.compile_command(model, out, *options))
        return self.check(f"{what}: compile", code == 0, tail(said + err))

    def start(self, command, environment=None, **kwargs):
        return subprocess.Popen([str(c) for c in command], env=environment or self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **kwargs)

    def refused(self, what, command, words=(), codes=(2,), environment=None, **kwargs):
        """The command ends by itself with one of these codes, and says something with all these words on stderr."""
        code, out, err = self.run(command, environment, **kwargs)
        self.check(f"{what}: exit code", code in codes, f"exit code {code}, expected {codes}: {tail(out + err)}")
        self.check(f"{what}: message", err.strip() and all(str(w) in err for w in words), f"{words} in: {tail(err)}")
        return err

    def unchanged(self, what, folder, before):
        after = snapshot(folder)
        return self.check(f"{what}: nothing lost, nothing left", before == after, difference(before, after))

    def names(self, what, folder, expected):
        found = sorted(os.listdir(folder))
        return self.check(f"{what}: files", found == sorted(expected), f"{found}")

    def artefacts(self, name):
        return [name + e for e in ENDINGS]

    def whole(self, what, out):
        """The artefacts of a small model are all there and belong together."""
        proof = pathlib.Path(f"{out}.check.proof")
        steps = [[f"{out}-prover", "prove", self.input, "-o", proof, "-q", "--float"],
                 [self.mica, "verify", "--vk", f"{out}.vk", proof], [self.mica, "verify-params", f"{out}.vk", f"{out}.cert"]]
        ok = True
        for step in steps:
            code, said, err = self.run(step)
            ok = ok and self.check(f"{what}: the artefacts work together", code == 0, f"{step[1]}: {code} {tail(said + err)}")
        source, vk = f"{out}-src/{os.path.basename(out)}.vk", f"{out}.vk"
        ok = ok and self.check(f"{what}: the sources are of the same model",
                               pathlib.Path(source).read_bytes() == pathlib.Path(vk).read_bytes())
        proof.unlink(missing_ok=True)
        return ok

    def measured(self, command, **kwargs):
        """(exit code, stderr, seconds of processor time, peak resident bytes)"""
        with open(self.work / "measured.err", "w+b") as err:
            p = subprocess.Popen([str(c) for c in command], env=self.environment, stdout=subprocess.DEVNULL, stderr=err,
                                 **kwargs)
            _, status, usage = os.wait4(p.pid, 0)
            p.returncode = os.waitstatus_to_exitcode(status)
            seconds = usage.ru_utime + usage.ru_stime
            err.seek(0)
            return p.returncode, err.read().decode(errors="replace"), seconds, usage.ru_maxrss * 1024
