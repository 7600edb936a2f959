"""No room on the disk: an error that names the file, and everything as it was."""
import os
import shutil
import subprocess

from .kit import limits, snapshot

ROOM = 16 << 20


def commands(kit, folder):
    """[(what, command, the name that must be in the message)] of everything that writes into the folder."""
    proof = folder / "x.proof"
    out = folder / "net"
    return [("prove", [f"{kit.net}-prover", "prove", kit.case, "-o", proof, "-q"], "x.proof"),
            ("compile", kit.compile_command(kit.models[1], out), "net"),
            ("compile --emit-only", kit.compile_command(kit.models[1], out, "--emit-only"), "net")]


def older(kit, folder):
    """Artefacts of the other model and an older proof lie under the names."""
    shutil.copy(kit.proof, folder / "x.proof")
    kit.compile("older artefacts", kit.models[0], folder / "net")


def no_growth(kit):
    """Files that may not grow beyond a limit."""
    folder = kit.folder("no_growth")
    older(kit, folder)
    kit.compile("fill the cache", kit.models[1], kit.folder("elsewhere") / "net")
    before = snapshot(folder)
    for most in (0, 1, 500, 4096, 15000, 40000, 70000, 400000) if kit.thorough else (0, 1000, 15000, 70000):
        for what, command, name in commands(kit, folder):
            if what == "prove" and most > 100000 or what != "compile" and most > 15000:
                continue
            what = f"{what}, files of at most {most} bytes"
            kit.refused(what, command, [name, "File too large"], preexec_fn=limits(file_bytes=most))
            kit.unchanged(what, folder, before)
    kit.whole("after all that", folder / "net")


def without_cache(kit):
    """The C compiler finds no room: its words are in the message."""
    folder = kit.folder("no_growth_cc")
    before = snapshot(folder)
    for most in (100, 30000):
        what = f"compile --no-cache, files of at most {most} bytes"
        kit.refused(what, kit.compile_command(kit.models[0], folder / "net", "--no-cache"), codes=(1, 2),
                    preexec_fn=limits(file_bytes=most))
        kit.unchanged(what, folder, before)


def device(kit):
    """/dev/full as the proof, and as standard output of everything that says something."""
    vk, cert = f"{kit.net}.vk", f"{kit.net}.cert"
    kit.refused("prove -o /dev/full", [f"{kit.net}-prover", "prove", kit.case, "-o", "/dev/full", "-q"],
                ["/dev/full", "No space left"])
    kit.check("/dev/full is still a device", not os.path.isfile("/dev/full"))
    full = kit.folder("audited")
    kit.compile("audited", kit.models[0], full / "net")
    said = [
        [f"{kit.net}-prover", "infer", kit.case],
        [f"{kit.net}-prover", "infer", kit.case, "--json"], [f"{kit.net}-prover", "info"],
        [f"{kit.net}-prover", "prove", kit.case, "-o", kit.work / "said.proof", "--json"],
        [f"{kit.net}-prover", "verify", kit.proof], [f"{kit.net}-prover", "digest", "--input", kit.case],
        [f"{kit.net}-prover", "--version"], [f"{kit.net}-prover", "--help"],
        [kit.mica, "verify", "--vk", vk, kit.proof], [kit.mica, "verify", "--vk", vk, kit.proof, "--json"],
        [kit.mica, "verify-params", vk, cert], [kit.mica, "verify-params", vk, cert, "--json"],
        [kit.mica, "digest", "--vk", vk, "--input", kit.case], [kit.mica, "inspect", vk],
        [kit.mica, "inspect", kit.models[0]], [kit.mica, "audit", kit.models[0], full / "net.vk"], [kit.mica, "--version"],
        [kit.mica, "compile", kit.models[0], "-o", kit.folder("said") / "net"],
        [kit.mica, "compile", kit.models[0], "--json", "-q", "-o", kit.folder("said") / "net"]]
    for command in said:
        with open("/dev/full", "wb") as full:
            p = subprocess.run([str(c) for c in command], stdout=full, stderr=subprocess.PIPE, env=kit.environment, check=False,
                               timeout=300)
        what = f"{os.path.basename(command[0])} {' '.join(str(c) for c in command[1:] if str(c)[0] != '/')} > /dev/full"
        kit.check(what, p.returncode == 2 and b"could not be written" in p.stderr, f"exit code {p.returncode}: {p.stderr[-200:]}")


def mounted(kit):
    """A file system with ever less room."""
    folder = kit.folder("mounted")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "mica-faults", str(folder)], stderr=subprocess.DEVNULL,
                      check=False).returncode != 0:
        print("     no file system can be mounted here: limits on files and /dev/full stand in for a full one", flush=True)
        return
    try:
        shrink(kit, folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def shrink(kit, folder):
    older(kit, folder)
    filler = folder / "filler"
    steps = (0, 4, 16, 60, 100, 140, 200, 400, 800, 1200, 1300) if kit.thorough else (0, 12, 100, 140, 800)
    for free in steps:
        with open(filler, "wb") as f:
            room = os.statvfs(folder)
            os.posix_fallocate(f.fileno(), 0, max(room.f_bavail * room.f_frsize - (free << 10), 1))
        before = snapshot(folder)
        for what, command, name in commands(kit, folder):
            what = f"{what}, {free} kB left"
            if free == 0 or what.startswith("compile,") and free < 1000:
                kit.refused(what, command, [name, "No space left"])
                kit.unchanged(what, folder, before)
                continue
            code, _, err = kit.run(command)
            kit.check(what, code == 0 or (code == 2 and name in err and "No space left" in err), f"exit code {code}: {err[-200:]}")
            kit.check(f"{what}: no temporary files", not [n for n in os.listdir(folder) if n.endswith(".mica-tmp")])
            if code == 0:
                filler.unlink()
                shutil.copy(kit.proof, folder / "x.proof")
                kit.compile("older artefacts again", kit.models[0], folder / "net")
                with open(filler, "wb") as f:
                    room = os.statvfs(folder)
                    os.posix_fallocate(f.fileno(), 0, max(room.f_bavail * room.f_frsize - (free << 10), 1))
                before = snapshot(folder)
            else:
                kit.unchanged(what, folder, before)
        filler.unlink()
    kit.whole("older artefacts on the full disk", folder / "net")
    full_cache(kit, folder)


def full_cache(kit, folder):
    """A cache without room is no reason to fail."""
    with open(folder / "filler", "wb") as f:
        room = os.statvfs(folder)
        os.posix_fallocate(f.fileno(), 0, room.f_bavail * room.f_frsize)
    before = snapshot(folder)
    out = kit.folder("full_cache") / "net"
    environment = dict(kit.environment, XDG_CACHE_HOME=str(folder))
    code, _, err = kit.run(kit.compile_command(kit.models[0], out), environment)
    kit.check("the cache is full: compiled all the same", code == 0, err[-200:])
    after = {name: what for name, what in snapshot(folder).items() if name != "mica"}
    kit.check("the cache is full: nothing partial in it", before == after, str(after.keys() - before.keys()))


GROUPS = (no_growth, without_cache, device, mounted)
