"""A compilation that is killed between the renames that give its files their names leaves files of two models: whatever is used of them
works as one model's, or is refused and says why."""
import os
import pathlib
import shutil
import signal

from .kit import TEMPORARY, snapshot

# In place of libc's: the process is killed where it would begin the change number TORN_AT of a final name.
PRELOAD = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void note(const char *path) {
    static int changes;
    const char *at = getenv("TORN_AT"), *final = getenv("TORN_UNDER");
    if (at && final && strncmp(path, final, strlen(final)) == 0 && !strstr(path, ".mica-tmp") && changes++ == atoi(at))
        (void)raise(SIGKILL);
}
int rename(const char *from, const char *to) {
    note(to);
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}
int unlink(const char *path) {
    note(path);
    return ((int (*)(const char *))dlsym(RTLD_NEXT, "unlink"))(path);
}
"""
PARTS = ("-prover", ".vk", ".weights", ".float", ".cert")


def preload(kit):
    source, library = kit.work / "torn.c", kit.work / "torn.so"
    source.write_text(PRELOAD)
    code, out, err = kit.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library, source, "-ldl"])
    return library if kit.check("the library that kills is built", code == 0, out + err) else None


class Side:
    """One of the two models: its files, and a proof of its prover."""

    def __init__(self, kit, name, model, *options):
        self.out = kit.folder(f"torn_{name}") / "net"
        kit.compile(name, model, self.out, *options)
        self.proof = self.out.parent / "own.proof"
        code, _, err = kit.run([f"{self.out}-prover", "prove", kit.input, "-o", self.proof, "-q"])
        kit.check(f"{name}: prove", code == 0, err[-200:])
        self.bytes = {part: self.read(self.out, part) for part in PARTS}

    @staticmethod
    def read(out, part):
        path = pathlib.Path(f"{out}{part}")
        return path.read_bytes() if path.is_file() else None


def sides_of(kit, what, out, sides):
    """{part: the side that it is of}; every part is one side's, whole."""
    found = {}
    for part in PARTS:
        held = Side.read(out, part)
        owners = [s for s in sides if s.bytes[part] == held]
        if kit.check(f"{what}: net{part} is whole", owners, "neither the older nor the newer file"):
            found[part] = owners
    return found


def expect(kit, what, command, right, words, code):
    """Works if `right`; else is refused with this code and these words."""
    got, out, err = kit.run(command)
    said = out + err
    kit.check(what, got == (0 if right else code) and (right or all(w in said for w in words)),
              f"exit code {got}, {'belong together' if right else 'do not belong together'}: {said[-300:]}")


def judge(kit, what, out, sides):
    """Every command that reads more than one of the files: they are of one side, or refused."""
    of = sides_of(kit, what, out, sides)
    if len(of) < len(PARTS):
        return
    prover, vk, cert = f"{out}-prover", f"{out}.vk", f"{out}.cert"
    proof = out.parent / "torn.proof"
    with_weights = of["-prover"][0].bytes[".weights"] is None or bool({*of["-prover"]} & {*of[".weights"]})
    expect(kit, f"{what}: infer", [prover, "infer", kit.input], with_weights, ["net.weights"], 2)
    expect(kit, f"{what}: prove", [prover, "prove", kit.input, "-o", proof, "-q"], with_weights, ["net.weights"], 2)
    kit.check(f"{what}: no proof of mixed files", proof.exists() == with_weights)
    if with_weights:
        expect(kit, f"{what}: infer --float", [prover, "infer", kit.input, "--float"], {*of["-prover"]} & {*of[".float"]},
               ["net.float"], 2)
        expect(kit, f"{what}: verify a new proof", [kit.mica, "verify", "--vk", vk, proof], {*of["-prover"]} & {*of[".vk"]},
               ["other verifier parameters"], 1)
    expect(kit, f"{what}: verify-params", [kit.mica, "verify-params", vk, cert], {*of[".vk"]} & {*of[".cert"]},
           ["other verifier parameters"], 1)
    for side in sides:
        expect(kit, f"{what}: verify", [kit.mica, "verify", "--vk", vk, side.proof], side in of[".vk"], ["other verifier parameters"], 1)
        expect(kit, f"{what}: verify with a certificate", [kit.mica, "verify", "--vk", vk, "--certificate", cert, side.proof],
               side in of[".vk"] and side in of[".cert"], ["other verifier parameters"], 1)
    proof.unlink(missing_ok=True)


def judge_sources(kit, what, out, models, home):
    """build.sh refuses a folder of two compilations; a whole one it would build, had Mica been installed."""
    folder = f"{os.path.basename(out)}-src"
    held = {n: v for n, v in snapshot(out.parent).items() if n.startswith(folder)}
    whole = any(held == {n: v for n, v in m.items() if n.startswith(folder)} for m in models)
    code, _, err = kit.run(["env", f"MICA_HOME={home}", out.parent / folder / "build.sh", kit.work / "rebuilt"])
    word = "MICA_HOME" if whole else "MANIFEST"
    kit.check(f"{what}: build.sh", code == 2 and word in err, f"{word} expected: {code} {err[-200:]}")


def between_renames(kit):
    """Killed before each change of a name, until there is none left: with weights beside the executable and without."""
    library, home = preload(kit), kit.folder("torn_home")
    if not library:
        return
    for name, older, newer in (("replaced", ["--weights-file"], ["--weights-file"]), ("embedded", ["--weights-file"], [])):
        sides = [Side(kit, f"{name}_older", kit.models[0], *older), Side(kit, f"{name}_newer", kit.models[1], *newer)]
        trees = [{n: v for n, v in snapshot(s.out.parent).items() if n.endswith(("-src", "-src/build.sh")) or "-src/" in n} for s in sides]
        out = kit.folder(f"torn_{name}") / "net"
        environment = dict(kit.environment, LD_PRELOAD=str(library), TORN_UNDER=str(out))
        deaths = 0
        for at in range(64):
            shutil.rmtree(out.parent)
            shutil.copytree(sides[0].out.parent, out.parent)
            code, _, err = kit.run(kit.compile_command(kit.models[1], out, *newer), dict(environment, TORN_AT=str(at)))
            what = f"{name}, killed before change {at} of a name"
            judge(kit, what, out, sides)
            judge_sources(kit, what, out, trees, home)
            if code == 0:
                break
            deaths += 1
            kit.check(what, code == -signal.SIGKILL, f"{code} {err[-200:]}")
            kit.check(f"{what}: the workplace tells of it", (out.parent / ("net" + TEMPORARY)).is_dir())
        kit.check(f"{name}: every change of a name was tried", 14 <= deaths < 63, str(deaths))
        shutil.rmtree(out.parent)
        shutil.copytree(sides[0].out.parent, out.parent)
        kit.run(kit.compile_command(kit.models[1], out, *newer), dict(environment, TORN_AT=str(deaths - 1)))
        kit.compile(f"{name}, after being killed", kit.models[1], out, *newer)
        kit.whole(f"{name}, after being killed", out)


GROUPS = (between_renames,)
