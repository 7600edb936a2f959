"""The cache of built executables, damaged or absent; a C compiler that is missing or fails."""
import os
import pathlib
import random
import shutil

from .kit import snapshot


def entry(kit, cache):
    """The one entry."""
    found = [p for p in (cache / "mica").iterdir() if p.is_file()]
    kit.check("one entry in the cache", len(found) == 1, str(found))
    return found[0]


def damaged(kit):
    """Every damage is noticed: the executable is built again, and the entry mended."""
    cache, out = kit.folder("damaged_cache"), kit.folder("damaged_cache_out") / "net"
    environment = dict(kit.environment, XDG_CACHE_HOME=str(cache))
    command = kit.compile_command(kit.models[0], out)
    kit.check("fill the cache", kit.run(command, environment)[0] == 0)
    path = entry(kit, cache)
    good, executable = path.read_bytes(), pathlib.Path(f"{out}-prover").read_bytes()
    rng = random.Random(1)
    at = [rng.randrange(len(good)) for _ in range(12 if kit.thorough else 2)]
    for what, content in [("empty", b""), ("cut short", good[:-1]), ("header only", good[:32]), ("cut in the header", good[:20]),
                          ("garbage", rng.randbytes(len(good))), ("longer", good + b"x"), ("another executable", b"#!/bin/sh\n"),
                          *((f"byte {a} changed", good[:a] + bytes([good[a] ^ 255]) + good[a + 1:]) for a in at)]:
        path.write_bytes(content)
        code, _, err = kit.run(command, environment)
        kit.check(f"cache entry {what}: compiled", code == 0, err[-200:])
        kit.check(f"cache entry {what}: the executable is the right one", pathlib.Path(f"{out}-prover").read_bytes() == executable)
        kit.check(f"cache entry {what}: mended", path.read_bytes() == good)
    path.unlink()
    path.mkdir()
    kit.check("cache entry is a folder: compiled", kit.run(command, environment)[0] == 0)
    kit.check("cache entry is a folder: nothing else in the cache", os.listdir(cache / "mica") == [path.name])


def unusable(kit):
    """A cache that cannot be used is done without."""
    file = kit.work / "no_folder"
    file.write_text("")
    no_home = {k: v for k, v in kit.environment.items() if k not in ("XDG_CACHE_HOME", "HOME")}
    for what, environment in (("no HOME", no_home), ("HOME is no folder", dict(no_home, HOME=str(file))),
                              ("HOME is absent", dict(no_home, HOME=str(kit.work / "nowhere" / "at all"))),
                              ("the cache is a device", dict(no_home, XDG_CACHE_HOME="/dev/null")),
                              ("the cache is in /proc, where nothing can be written", dict(no_home, XDG_CACHE_HOME="/proc")),
                              ("the cache's path is relative", dict(no_home, XDG_CACHE_HOME="cache"))):
        folder = kit.folder("unusable_cache")
        code, _, err = kit.run(kit.compile_command(kit.models[0], folder / "net"), environment, cwd=folder)
        kit.check(f"{what}: compiled", code == 0, err[-200:])
        kit.names(what, folder, kit.artefacts("net"))


LAST = "for last; do :; done\n"  # the output's name


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def compilers(kit):
    """The C compiler is absent, fails, is killed, or makes nothing: its name is said, and the older artefacts stay."""
    folder = kit.folder("compilers")
    kit.compile("older artefacts", kit.models[0], folder / "net")
    before = snapshot(folder)
    real = shutil.which("cc")
    fake = kit.folder("fake_compilers")
    version = 'case "$1" in --version) echo fake; exit 0;; esac\n'
    for what, cc, words in (
            ("absent", "/nowhere/cc", ["/nowhere/cc", "No such file", "$CC"]),
            ("a folder", str(fake), [str(fake), "Permission denied"]),
            ("failing", script(fake / "failing", version + "echo it does not please me >&2; exit 3\n"), ["failing", "3", "does not please"]),
            ("killed", script(fake / "killed", version + "kill -9 $$\n"), ["killed", "137"]),
            ("making nothing", script(fake / "lazy", version + "exit 0\n"), ["executable"]),
            ("making nonsense", script(fake / "nonsense", version + LAST + 'echo "#!/bin/sh\nexit 7" > "$last"\n'), ["7"]),
            ("making no executable", script(fake / "data", version + LAST + 'echo data > "$last"\n'), ["cannot be started"]),
            ("one that writes without end", script(fake / "talker", version + f"yes | head -c 3000000 >&2; exit 1\n"), ["talker"])):
        kit.refused(f"C compiler {what}", kit.compile_command(kit.models[1], folder / "net", "--no-cache"), words, (1, 2),
                    dict(kit.environment, CC=cc))
        kit.unchanged(f"C compiler {what}", folder, before)
    kit.refused("no PATH", kit.compile_command(kit.models[1], folder / "net", "--no-cache"), ["cc"], (1, 2),
                dict(kit.environment, PATH="/nowhere", CC=""))
    kit.unchanged("no PATH", folder, before)
    code, _, err = kit.run(kit.compile_command(kit.models[1], folder / "net", "--no-cache"), dict(kit.environment, CC=real))
    kit.check("$CC with a path", code == 0, err[-200:])


GROUPS = (damaged, unusable, compilers)
