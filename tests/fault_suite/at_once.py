"""Several compilations to one name at the same time, and compilations while others read."""
import os
import pathlib
import time

from .killed import artefacts_of, one_model
from .kit import TEMPORARY


def together(kit, what, commands, folder, models):
    """All end well; what is left is whole and of one model."""
    running = [kit.start(c) for c in commands]
    for p in running:
        _, err = p.communicate()
        kit.check(f"{what}: each compilation ends well", p.returncode == 0, f"{p.returncode} {err[-300:]}")
    kit.names(what, folder, kit.artefacts("net"))
    kit.check(f"{what}: artefacts of one model", one_model(folder, models), str(folder))


def same_name(kit):
    models = [artefacts_of(kit, m) for m in kit.models]
    folder = kit.folder("at_once")
    out = folder / "net"
    first, second = kit.models
    rounds = 12 if kit.thorough else 3
    for i in range(rounds):
        for options in ((), ("--no-cache",)):
            words = " ".join(("", *options))
            together(kit, f"one model twice{words}, round {i}", [kit.compile_command(first, out, *options)] * 2, folder, models)
            together(kit, f"two models{words}, round {i}",
                     [kit.compile_command(m, out, *options) for m in (first, second)], folder, models)
        together(kit, f"two models, each twice, round {i}",
                 [kit.compile_command(m, out) for m in (first, second, second, first)], folder, models)
    kit.whole("after compilations at once", out)


def waiting(kit):
    """Who waits says so, and can be interrupted."""
    folder = kit.folder("waiting")
    out = folder / "net"
    slow = kit.work / "slow_cc"
    slow.write_text('#!/bin/sh\ncase "$1" in --version) ;; *) sleep 1.5;; esac\nexec cc "$@"\n')
    slow.chmod(0o755)
    holder = kit.start(kit.compile_command(kit.models[0], out, "--no-cache"), dict(kit.environment, CC=str(slow)))
    deadline = time.monotonic() + 20
    while not (folder / ("net" + TEMPORARY)).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    waiter = kit.start([kit.mica, "compile", kit.models[1], "-o", out])
    time.sleep(0.5)
    waiter.terminate()
    _, err = waiter.communicate()
    kit.check("a compilation that waits says so", b"waiting for another compilation" in err, err[-300:])
    kit.check("a compilation that waits can be interrupted", waiter.returncode == -15, str(waiter.returncode))
    kit.check("the other one goes on", (folder / ("net" + TEMPORARY)).exists())
    _, err = holder.communicate()
    kit.check("the other one ends well", holder.returncode == 0, err[-300:])
    kit.names("after waiting", folder, kit.artefacts("net"))
    kit.whole("after waiting", out)


def readers(kit):
    """Whoever reads one artefact meanwhile finds a whole one."""
    models = [artefacts_of(kit, m) for m in kit.models]
    folder = kit.folder("readers")
    out = folder / "net"
    kit.compile("older artefacts", kit.models[0], out)
    whole = {name: {m[name] for m in models} for name in ("net.vk", "net.cert", "net-prover", "net.float")}
    seen = {name: set() for name in whole}
    running = [kit.start(kit.compile_command(m, out)) for m in (kit.models[1], kit.models[0], kit.models[1])]
    from hashlib import sha256  # pylint: disable=import-outside-toplevel
    while any(p.poll() is None for p in running):
        for name in whole:
            seen[name].add(sha256((folder / name).read_bytes()).hexdigest())
    for p in running:
        p.communicate()
        kit.check("compilations with readers end well", p.returncode == 0, str(p.returncode))
    for name, digests in seen.items():
        kit.check(f"readers of {name} see whole files", digests <= whole[name], str(len(digests)))


def blocked(kit):
    """Names that cannot be taken: nothing else is changed."""
    from .kit import snapshot  # pylint: disable=import-outside-toplevel
    for name in ("net.vk", "net.cert", "net.report.html", "net.float", "net-prover", "net-src/net.c", "net-src/MANIFEST", "net.weights"):
        folder = kit.folder("blocked")
        kit.compile("older artefacts", kit.models[0], folder / "net")
        path = folder / name
        path.unlink(missing_ok=True)
        path.mkdir()
        (path / "kept").write_text("kept")
        before = snapshot(folder)
        kit.refused(f"{name} is a folder", kit.compile_command(kit.models[1], folder / "net"), [name, "is a folder"])
        kit.unchanged(f"{name} is a folder", folder, before)
    folder = kit.folder("blocked")
    (folder / "net-src").write_text("a file")
    before = snapshot(folder)
    kit.refused("net-src is a file", kit.compile_command(kit.models[1], folder / "net"), ["net-src"])
    kit.unchanged("net-src is a file", folder, before)
    kit.refused("an absent folder", kit.compile_command(kit.models[1], folder / "absent" / "net"), ["absent/net", "No such file"])
    if os.geteuid() != 0:
        os.chmod(folder, 0o500)
        kit.refused("a read-only folder", kit.compile_command(kit.models[1], folder / "net"), ["net", "Permission denied"])
        kit.refused("a read-only folder: prove", [f"{kit.net}-prover", "prove", kit.case, "-o", folder / "x.proof"], ["x.proof"])
        os.chmod(folder, 0o700)
    # where even root may not write
    kit.refused("a folder of /proc", kit.compile_command(kit.models[1], pathlib.Path("/proc/net1")), ["/proc/net1"])
    kit.refused("a folder of /proc: prove", [f"{kit.net}-prover", "prove", kit.case, "-o", "/proc/x.proof", "-q"], ["/proc/x.proof"])


GROUPS = (same_name, waiting, readers, blocked)
