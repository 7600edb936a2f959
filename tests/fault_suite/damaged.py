"""Weights, parameters, certificates and float models that cannot be read, or are not what they were."""
import os
import pathlib
import random
import shutil
import socket


def flipped(data, at, bit=0):
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]


def damages(data, other, rng, flips):
    """[(what, content)]; a change of one bit in every eighth of the file, and at random places."""
    n = len(data)
    places = sorted({*(n * k // 8 for k in range(8)), n - 1, *(rng.randrange(n) for _ in range(flips))})
    return [("empty", b""), ("a byte short", data[:-1]), ("half of it", data[:n // 2]), ("a byte more", data + b"\0"),
            ("of another model", other), ("zeros", bytes(n)),
            *((f"bit flipped in byte {at} of {n}", flipped(data, at, rng.randrange(8))) for at in places)]


def bind(path):
    with socket.socket(socket.AF_UNIX) as s:
        folder = os.open(path.parent, os.O_RDONLY)  # names of sockets are short
        s.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)


def unreadable(path):
    """[(what, function that puts it there)]"""
    def loop():
        path.symlink_to(path.name)
    return [("absent", lambda: None), ("a folder", path.mkdir), ("a link to itself", loop), ("a socket", lambda: bind(path))]


def remove(path):
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def copy_of(kit, name):
    folder = kit.folder(name)
    for path in kit.net.parent.iterdir():
        if path.is_file():
            shutil.copy(path, folder / path.name)
    return folder / "net"


def each(kit, path, command, words, codes, other, flips):
    """The command with the file at `path` damaged in every way: refused, named, and nothing written."""
    data, rng = path.read_bytes(), random.Random(path.name)
    for what, content in damages(data, other, rng, flips):
        path.write_bytes(content)
        kit.refused(f"{path.name}: {what}", command, words, codes)
    path.unlink()
    for what, put in unreadable(path):
        put()
        kit.refused(f"{path.name}: {what}", command, [path.name], (2,))
        remove(path)
    path.write_bytes(data)


def weights(kit):
    """Of the prover: not one changed bit goes into a proof or a result."""
    net, proof = copy_of(kit, "damaged_weights"), kit.work / "damaged.proof"
    other = kit.folder("other_weights") / "net"
    kit.compile("another model's weights", kit.models[0], other, "--weights-file")
    path, data = pathlib.Path(f"{net}.weights"), pathlib.Path(f"{other}.weights").read_bytes()
    flips = 40 if kit.thorough else 4
    each(kit, path, [f"{net}-prover", "infer", kit.case], ["net.weights"], (2,), data, flips)
    each(kit, path, [f"{net}-prover", "prove", kit.case, "-o", proof, "-q"], ["net.weights"], (2,), data, 0)
    kit.check("no proof with damaged weights", not proof.exists())
    # the same network with other weights: as long, and whole
    alike = kit.folder("alike_weights") / "net"
    kit.compile("the same network, other weights", kit.models[1], alike, "--weights-file")
    shutil.copy(f"{alike}.weights", f"{other}.weights")
    kit.refused("weights of a network of the same shape", [f"{other}-prover", "infer", kit.input], ["net.weights"])


def replaced_while_open(kit):
    """A prover that runs keeps the weights it began with, when a compilation replaces them."""
    out = kit.folder("replaced_weights") / "net"
    kit.compile("older artefacts", kit.models[0], out, "--weights-file")
    proof = out.parent / "x.proof"
    vk = pathlib.Path(f"{out}.vk").read_bytes()
    p = kit.start([f"{out}-prover", "bench", "--runs", "300"])
    kit.compile("newer artefacts", kit.models[1], out, "--weights-file")
    _, err = p.communicate()
    kit.check("a prover of older artefacts ends its work", p.returncode == 0, err[-200:])
    kit.check("the artefacts are new", pathlib.Path(f"{out}.vk").read_bytes() != vk)
    code, _, err = kit.run([f"{out}-prover", "prove", kit.input, "-o", proof, "-q"])
    kit.check("the new prover proves", code == 0, err[-200:])


def parameters(kit):
    """Of the verifiers: a changed file is refused or the proof rejected, and never accepted."""
    net = copy_of(kit, "damaged_parameters")
    other = pathlib.Path(f"{kit.work}/alike_weights/net")
    flips = 100 if kit.thorough else 8
    vk, cert = pathlib.Path(f"{net}.vk"), pathlib.Path(f"{net}.cert")
    never_accepted(kit, vk, [kit.mica, "verify", "--vk", vk, kit.proof], pathlib.Path(f"{other}.vk").read_bytes(), flips)
    never_accepted(kit, cert, [kit.mica, "verify-params", vk, cert], pathlib.Path(f"{other}.cert").read_bytes(), flips)
    never_accepted(kit, vk, [kit.mica, "audit", kit.lenet5 / "lenet5.onnx", "--calibration", kit.lenet5 / "calibration", vk], None, 0)


def never_accepted(kit, path, command, other, flips):
    data, rng = path.read_bytes(), random.Random(path.name)
    changed = damages(data, other, rng, flips) if other else damages(data, b"", rng, 0)[:3]
    for what, content in changed:
        path.write_bytes(content)
        code, out, err = kit.run(command)
        kit.check(f"{command[1]}, {path.name}: {what}", code in (1, 2) and (out or err), f"exit code {code}")
    path.unlink()
    for what, put in unreadable(path):
        put()
        kit.refused(f"{command[1]}, {path.name}: {what}", command, [path.name])
        remove(path)
    path.write_bytes(data)


def float_model(kit):
    net = copy_of(kit, "damaged_float")
    path = pathlib.Path(f"{net}.float")
    each(kit, path, [f"{net}-prover", "infer", kit.case, "--float"], ["net.float"], (2,), b"foreign", 4)
    code, _, err = kit.run([f"{net}-prover", "infer", kit.case])
    kit.check("without --float its file is not needed", code == 0, err[-200:])


GROUPS = (weights, replaced_while_open, parameters, float_model)
