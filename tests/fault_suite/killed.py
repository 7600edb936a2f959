"""Provers and compilers that are killed at many moments."""
import os
import pathlib
import shutil
import signal
import time

from .kit import TEMPORARY, snapshot

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)


def moments(kit, seconds, n):
    """Spread over the time that the command takes, and a little longer."""
    n = 4 * n if kit.thorough else n
    return [1.15 * seconds * i / (n - 1) for i in range(n)]


def kill_after(kit, command, delay, number):
    """Exit code as of a shell: 128 more than a signal's number."""
    p = kit.start(command)
    time.sleep(delay)
    p.send_signal(number)
    p.communicate()
    return p.returncode if p.returncode >= 0 else 128 - p.returncode


def took(kit, command):
    started = time.monotonic()
    code, _, err = kit.run(command)
    kit.check("uninterrupted", code == 0, err[-200:])
    return time.monotonic() - started


def prover(kit):
    folder = kit.folder("killed_prover")
    target, new = folder / "x.proof", kit.work / "new.proof"
    command = [f"{kit.net}-prover", "prove", kit.case, "--nonce", "01", "-q", "-o"]
    seconds = took(kit, [*command, new])
    for number in SIGNALS:
        for delay in moments(kit, seconds, 9):
            shutil.copy(kit.proof, target)
            code = kill_after(kit, [*command, target], delay, number)
            what = f"prover killed by {number.name} after {delay:.3f} s"
            kit.check(f"{what}: exit code", code in (0, 128 + number), str(code))
            kit.check(f"{what}: the older or the new proof, whole", target.read_bytes() in (kit.proof.read_bytes(), new.read_bytes()))
            left = [n for n in os.listdir(folder) if n != target.name]
            kit.check(f"{what}: files", not left or (number == signal.SIGKILL and all(n.endswith(TEMPORARY) for n in left)), str(left))
            for name in left:
                (folder / name).unlink()


def one_model(folder, models):
    """Whether the artefacts, but for the report's times, are those of one of the models."""
    found = {n: what for n, what in snapshot(folder).items() if not n.endswith(".report.html") and TEMPORARY not in n}
    return found in models


def artefacts_of(kit, model):
    folder = kit.folder(f"alone_{pathlib.Path(model).stem}")
    kit.compile("alone", model, folder / "net")
    return {n: what for n, what in snapshot(folder).items() if not n.endswith(".report.html")}


def compiler(kit):
    models = [artefacts_of(kit, m) for m in kit.models]
    folder = kit.folder("killed_compiler")
    for options, n in ((("--no-cache",), 10), ((), 8)):
        out = folder / "net"
        command = kit.compile_command(kit.models[1], out, *options)
        seconds = took(kit, command)
        for number in SIGNALS:
            kit.compile("older artefacts", kit.models[0], out)
            for delay in moments(kit, seconds, n):
                what = f"compiler{' '.join(('', *options))} killed by {number.name} after {delay:.3f} s"
                code = kill_after(kit, command, delay, number)
                kit.check(f"{what}: exit code", code in (0, 128 + number), str(code))
                kit.check(f"{what}: artefacts of one model", one_model(folder, models), str(snapshot(folder)))
                left = [n for n in os.listdir(folder) if n not in kit.artefacts("net")]
                kit.check(f"{what}: files", not left or (number == signal.SIGKILL and left == ["net" + TEMPORARY]), str(left))
                if code == 0:
                    kit.compile("older artefacts again", kit.models[0], out)
        kit.compile("after being killed", kit.models[0], out)
        kit.names("after being killed, what was left is gone", folder, kit.artefacts("net"))
        kit.whole("after being killed", out)


def first_time(kit):
    """Killed where nothing lay before: nothing under the names."""
    out = kit.folder("killed_first") / "net"
    seconds = 0.3
    for number in SIGNALS:
        for delay in moments(kit, seconds, 4)[:-1]:
            code = kill_after(kit, kit.compile_command(kit.models[0], out, "--no-cache"), delay, number)
            left = [n for n in os.listdir(out.parent) if not (number == signal.SIGKILL and n == "net" + TEMPORARY)]
            what = f"first compilation killed by {number.name} after {delay:.3f} s"
            kit.check(what, not left if code else sorted(left) == sorted(kit.artefacts("net")), f"{code} {left}")
            shutil.rmtree(out.parent)
            out.parent.mkdir()


ORPHAN = """#!/bin/sh
[ "$1" = --version ] && { echo orphan; exit 0; }
for last; do :; done
touch "$0.runs"
i=0
while [ $i -lt 500 ]; do rm -f "$last"; i=$((i + 1)); sleep 0.01; done
"""


def orphan(kit):
    """The C compiler of a killed compilation goes on for a while, and removes what it was to write."""
    out = kit.folder("orphan") / "net"
    cc = kit.work / "orphan_cc"
    cc.write_text(ORPHAN)
    cc.chmod(0o755)
    p = kit.start(kit.compile_command(kit.models[0], out, "--no-cache"), dict(kit.environment, CC=str(cc)))
    until = time.monotonic() + 60
    while not cc.with_name("orphan_cc.runs").exists() and time.monotonic() < until:
        time.sleep(0.01)
    p.send_signal(signal.SIGKILL)
    kit.compile("beside the C compiler of a killed compilation", kit.models[0], out, "--no-cache")
    p.communicate()
    kit.whole("beside the C compiler of a killed compilation", out)


def someone_elses(kit):
    """A folder of the temporary name that is not the compiler's is left alone."""
    folder = kit.folder("someone_elses")
    (folder / ("net" + TEMPORARY)).mkdir()
    (folder / ("net" + TEMPORARY) / "letter.txt").write_text("mine")
    before = snapshot(folder)
    kit.refused("the workplace is somebody else's folder", kit.compile_command(kit.models[0], folder / "net"), ["net" + TEMPORARY])
    kit.unchanged("the workplace is somebody else's folder", folder, before)


GROUPS = (prover, compiler, first_time, orphan, someone_elses)
