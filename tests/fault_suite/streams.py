"""Standard streams that are closed, and pipes whose reader goes away."""
import os
import pathlib
import subprocess


def closed(kit):
    """With each stream closed the artefacts are those of an undisturbed run: no file took its number."""
    folder = kit.folder("closed_streams")
    kit.compile("undisturbed", kit.models[0], kit.folder("undisturbed") / "net")
    good = {e: pathlib.Path(f"{kit.work}/undisturbed/net{e}").read_bytes() for e in (".vk", ".cert", ".float", "-prover")}
    for which in ("<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"):
        for options in ("", "-q", "--json"):
            for name in os.listdir(folder):
                subprocess.run(["rm", "-rf", str(folder / name)], check=True)
            line = f'"$0" compile "$1" {options} -o "$2" {which}'
            code, out, err = kit.run(["sh", "-c", line, kit.mica, kit.models[0], folder / "net"])
            lost = ">&-" in which.replace("2>&-", "") and options != "-q"
            what = f"compile {options} {which}"
            kit.check(f"{what}: exit code", code == (2 if lost else 0), f"{code} {err[-200:]}")
            if lost and "2>&-" not in which:
                kit.check(f"{what}: message", "could not be written" in err, err[-200:])
            kit.names(what, folder, kit.artefacts("net"))
            kit.check(f"{what}: the right artefacts", all(pathlib.Path(f"{folder}/net{e}").read_bytes() == b for e, b in good.items()))
    for which in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        proof = folder / "x.proof"
        proof.unlink(missing_ok=True)
        code, out, err = kit.run(["sh", "-c", f'"$0" prove "$1" -o "$2" {which}', f"{kit.net}-prover", kit.case, proof])
        lost = ">&-" in which.replace("2>&-", "")
        kit.check(f"prove {which}: exit code", code == (2 if lost else 0), f"{code} {out[-100:]} {err[-200:]}")
        kit.check(f"prove {which}: the proof is whole", proof.read_bytes() == kit.proof.read_bytes())


def broken_pipe(kit):
    """Nobody reads: an error, not a signal; artefacts are complete."""
    folder = kit.folder("broken_pipe")
    vk = f"{kit.net}.vk"
    commands = [[kit.mica, "compile", kit.models[0], "-o", folder / "net"],
                [kit.mica, "compile", kit.models[0], "--json", "-o", folder / "net"],
                [f"{kit.net}-prover", "prove", kit.case, "-o", folder / "x.proof"],
                [f"{kit.net}-prover", "prove", kit.case, "-o", folder / "x.proof", "--json"],
                [f"{kit.net}-prover", "infer", kit.case], [f"{kit.net}-prover", "bench", "--runs", "2"],
                [kit.mica, "verify", "--vk", vk, kit.proof], [kit.mica, "verify-params", vk, f"{kit.net}.cert"],
                [kit.mica, "inspect", vk], [kit.mica, "--help"]]
    for command in commands:
        read, write = os.pipe()
        os.close(read)
        p = subprocess.run([str(c) for c in command], stdout=write, stderr=subprocess.PIPE, env=kit.environment, check=False, timeout=300)
        os.close(write)
        what = f"{os.path.basename(command[0])} {command[1]} to a broken pipe"
        kit.check(what, p.returncode == 2 and b"could not be written" in p.stderr, f"{p.returncode} {p.stderr[-200:]}")
    kit.names("after broken pipes", folder, [*kit.artefacts("net"), "x.proof"])
    kit.whole("after broken pipes", folder / "net")
    read, write = os.pipe()
    os.close(read)
    p = subprocess.run([f"{kit.net}-prover", "prove", str(kit.case), "-o", "/dev/stdout", "-q"], stdout=write,
                       stderr=subprocess.PIPE, check=False, timeout=300)
    os.close(write)
    kit.check("a proof to a broken pipe", p.returncode == 2 and b"Broken pipe" in p.stderr, f"{p.returncode} {p.stderr[-200:]}")


GROUPS = (closed, broken_pipe)
