"""Small ONNX files, written on the wire format directly."""
import struct


def varint(x):
    out = bytearray()
    while x > 127:
        out.append(x & 127 | 128)
        x >>= 7
    out.append(x)
    return bytes(out)


def blob(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def number(field, x):
    return varint(field << 3) + varint(x)


def node(op, inputs, outputs, attributes=b""):
    return b"".join(blob(1, i) for i in inputs) + b"".join(blob(2, o) for o in outputs) + blob(4, op) + attributes


def attribute_graph(name, graph):
    """An attribute of type GRAPH (5), field 6."""
    return blob(5, blob(1, name) + blob(6, graph) + number(20, 5))


def floats(name, shape, values):
    """A tensor of float values in raw_data."""
    return b"".join(number(1, d) for d in shape) + number(2, 1) + blob(8, name) + \
        blob(9, struct.pack(f"<{len(values)}f", *values))


def counter(name, value):
    """A tensor of one int64, without axes, in raw_data."""
    return number(2, 7) + blob(8, name) + blob(9, struct.pack("<q", value))


def port(name, shape):
    dims = b"".join(blob(1, number(1, d)) for d in shape)
    return blob(1, name) + blob(2, blob(1, number(1, 1) + blob(2, dims)))


def graph(nodes, inputs, outputs, tensors=(), name=b"g"):
    return b"".join(blob(1, n) for n in nodes) + blob(2, name) + b"".join(blob(5, t) for t in tensors) + \
        b"".join(blob(11, i) for i in inputs) + b"".join(blob(12, o) for o in outputs)


def loop(iterations, value, states, outputs):
    """A Loop of Relu on x: the counter that it needs as a tensor, and the node. The body carries its input `states` times
    (0 or 1) and gives `value` for each of the scan outputs."""
    names = [b"i", b"c"] + [b"x0"] * states
    body = blob(1, node(b"Identity", [b"c"], [b"go"])) + blob(1, node(b"Relu", [names[2] if states else b"x"], [value])) + blob(2, b"b")
    body += b"".join(blob(11, blob(1, n)) for n in names) + blob(12, blob(1, b"go")) + blob(12, blob(1, value)) * len(outputs)
    return counter(b"n", iterations), node(b"Loop", [b"n", b""] + [b"x"] * states, outputs, attribute_graph(b"body", body))


def model(graph_bytes, opset=13):
    return number(1, 8) + blob(7, graph_bytes) + blob(8, blob(1, b"") + number(2, opset))


def dense(size, seed):
    """x[1, size] times a matrix that depends on the seed, then Relu: the least model that has weights."""
    weights = [((i * 7 + seed * 13) % 19 - 9) / 16 for i in range(size * size)]
    return model(graph([node(b"MatMul", [b"x", b"w"], [b"h"]), node(b"Relu", [b"h"], [b"y"])],
                       [port(b"x", (1, size))], [port(b"y", (1, size))], [floats(b"w", (size, size), weights)]))
