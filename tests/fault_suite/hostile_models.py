"""ONNX files that are large, deep or nonsense: refused soon, with a message, in little memory."""
import os
import random

from . import onnx_bytes as o
from .kit import limits

GB = 1 << 30
MB = 1 << 20
ADDRESS = 6 * GB     # of the address space; what is resident is bounded by each case
SECONDS = 20


def sparse(path, head, size, tail=b""):
    with open(path, "wb") as f:
        f.write(head)
        f.truncate(size)
        if tail:
            f.seek(size - len(tail))
            f.write(tail)
    return path


def head_of_field(field, size):
    return o.varint(field << 3 | 2) + o.varint(size)


def refuse(kit, what, path, most, codes=(1, 2), words=(), seconds=SECONDS, reported=False):
    """reported: inspect reads the model, and its report on standard output says what is refused."""
    for command in (kit.compile_command(path, path.parent / "net"), [kit.mica, "inspect", path]):
        code, err, took, peak = kit.measured(command, preexec_fn=limits(address_bytes=ADDRESS, cpu_seconds=120))
        name = f"{command[1]}: {what}"
        told = reported and command[1] == "inspect"
        kit.check(f"{name}: refused", code in codes and (told or err.strip()), f"exit code {code}: {err[-300:]}")
        kit.check(f"{name}: message", len(err) < 3000 and (told or all(w in err for w in words)), err[-300:])
        kit.check(f"{name}: memory", peak < most, f"{peak / MB:.0f} MB of {most / MB:.0f}")
        kit.check(f"{name}: time", took < seconds, f"{took:.1f} s")
    kit.check(f"{what}: nothing is left", os.listdir(path.parent) == [path.name], str(os.listdir(path.parent)))


def two_gigabytes(kit):
    """Nonsense is refused at its first bytes; what only looks like a model, by the limits on what is unknown."""
    size = 2 * GB - 64
    dense = o.dense(8, 1)
    rng = random.Random(2)
    cases = [("zeros", b"", b""), ("random bytes, then zeros", rng.randbytes(1 << 16), b""),
             ("a model, then zeros", dense, b""),
             ("a graph of 2 GB of zeros", head_of_field(7, size - 16), b""),
             ("a graph that is longer than the file", head_of_field(7, 1 << 40), b""),
             ("a length of 2^64 - 1", b"\x3a" + b"\xff" * 9 + b"\x01", b""),
             ("a number without an end", b"\xff" * 64, b""),
             ("2 GB in an unknown field", head_of_field(1000, size - 6), b""),
             ("a node with 2 GB of zeros", head_of_field(7, size - 6) + head_of_field(1, size - 12), b"")]
    for what, head, tail in cases:
        path = sparse(kit.folder("two_gigabytes") / "model.onnx", head, size, tail)
        refuse(kit, f"2 GB: {what}", path, 64 * MB)
    path = sparse(kit.folder("two_gigabytes") / "model.onnx", head_of_field(3, 3 * GB - 6), 3 * GB)
    refuse(kit, "3 GB in a known field", path, 64 * MB, words=["limit"])
    kit.folder("two_gigabytes")


def deep(kit):
    """Subgraphs within subgraphs, to any depth."""
    for depth in (9, 40, 100, 20000):
        g = o.graph([o.node(b"Constant", [], [b"y"], o.blob(5, o.blob(1, b"value_int") + o.number(3, 1) + o.number(20, 2)))], [], [o.port(b"y", (1,))])
        for _ in range(depth):
            body = o.node(b"If", [b"x"], [b"y"], o.attribute_graph(b"then_branch", g))
            g = o.blob(1, body) + o.blob(2, b"g")
            if len(g) > 8 * MB:
                break
        path = kit.folder("deep") / "model.onnx"
        path.write_bytes(o.model(g + o.blob(11, o.port(b"x", (1,)))))
        refuse(kit, f"{depth} subgraphs within one another", path, 256 * MB, words=["within one another"])


def many(kit):
    """Counts beyond any network's."""
    tiny = o.blob(1, o.node(b"Relu", [b"x"], [b"y"]))
    n = 1000000
    chain = b"".join(o.blob(1, o.node(b"Relu", [b"%d" % i], [b"%d" % (i + 1)])) for i in range(200000 if not kit.thorough else n))
    cases = [("a million nodes with one name", o.model(tiny * n + o.blob(11, o.port(b"x", (1, 2)))), 2 * GB),
             ("ten million empty nodes", o.model(b"\x0a\x00" * 10 * n), 256 * MB),
             ("a million operators that do not exist", o.model(o.blob(1, o.node(b"Nonsense", [], [])) * n), 2 * GB),
             ("a chain without an input", o.model(chain), 2 * GB),
             ("a million opsets", o.blob(8, o.number(2, 13)) * n, 2 * GB),
             ("two million inputs", o.model(o.blob(11, b"") * 2 * n + tiny), 2 * GB)]
    for what, data, most in cases:
        path = kit.folder("many") / "model.onnx"
        path.write_bytes(data)
        refuse(kit, what, path, most)


def long_names(kit):
    """A name of 100 MB is not shown."""
    name = b"n" * (100 * MB)
    for what, data in (("of a node's operator", o.model(o.graph([o.node(name, [b"x"], [b"y"])], [o.port(b"x", (1, 2))],
                                                                [o.port(b"y", (1, 2))]))),
                       ("of an input", o.model(o.graph([o.node(b"Relu", [name], [b"y"])], [o.port(name, (1, 2))], [o.port(b"y", (1, 2))]))),
                       ("of a dimension, in a wrong model", o.model(o.blob(11, o.blob(1, name))))):
        path = kit.folder("long_names") / "model.onnx"
        path.write_bytes(data)
        refuse(kit, f"a name of 100 MB {what}", path, GB)
    kit.folder("long_names")


def claims(kit):
    """Tensors that say they are larger than the file."""
    for what, shape, data in (("2^62 elements", (1 << 31, 1 << 31), b""), ("2^31 elements", (1 << 31,), b"\0" * 64),
                              ("a dimension of 2^63 - 1", ((1 << 63) - 1, 4), b"\0" * 64), ("too few bytes", (1 << 28,), b"\0" * 64)):
        tensor = b"".join(o.number(1, d) for d in shape) + o.number(2, 1) + o.blob(8, b"w") + o.blob(9, data)
        path = kit.folder("claims") / "model.onnx"
        path.write_bytes(o.model(o.graph([o.node(b"MatMul", [b"x", b"w"], [b"y"])], [o.port(b"x", (1, 8))], [o.port(b"y", (1, 8))], [tensor])))
        refuse(kit, f"a tensor of {what}", path, 256 * MB)


def loops(kit):
    """Iterations become nodes: in time and memory that grow with their number, whatever they gather and whatever follows."""
    outputs = [b"y%d" % k for k in range(60)]
    n, node = o.loop(4000, b"s", 0, outputs)
    path = kit.folder("loops") / "model.onnx"
    path.write_bytes(o.model(o.graph([node], [o.port(b"x", (1, 2))], [o.port(b"y0", (4000, 1, 2))], [n])))
    refuse(kit, "a Loop that gathers 240,000 tensors", path, 256 * MB, words=["more than 65536 nodes"], codes=(1,), seconds=5,
           reported=True)
    length = 150000
    n, node = o.loop(4000, b"s", 1, [b"0"])
    chain = [o.node(b"Relu", [b"%d" % i], [b"%d" % (i + 1)]) for i in range(length)] + [o.node(b"Nonsense", [b"%d" % length], [b"y"])]
    path = kit.folder("loops") / "model.onnx"
    path.write_bytes(o.model(o.graph([node, *chain], [o.port(b"x", (1, 2))], [o.port(b"y", (1, 2))], [n])))
    refuse(kit, "a Loop before 150,000 nodes", path, GB, codes=(1,), seconds=8, reported=True)


GROUPS = (two_gigabytes, deep, many, long_names, claims, loops)
