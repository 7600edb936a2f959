"""The operators of an ONNX file, read from its bytes as Protocol Buffers encode them. Python's standard library only."""
from collections import Counter

GRAPH, NODE, OP_TYPE, DOMAIN = 7, 1, 4, 7  # field numbers of ModelProto, GraphProto and, twice, NodeProto
VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def fields(data):
    """(number, bytes) of every field of a message that holds bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == VARINT:
            _, at = varint(data, at)
        elif kind == BYTES:
            size, at = varint(data, at)
            yield key >> 3, data[at:at + size]
            at += size
        else:
            at += {EIGHT_BYTES: 8, FOUR_BYTES: 4}[kind]


def operators(path):
    """How many nodes of each operator the graph has; those inside other nodes (If, Loop, Scan) are not counted."""
    counts = Counter()
    for number, graph in fields(memoryview(path.read_bytes())):
        for kind, node in fields(graph) if number == GRAPH else ():
            if kind == NODE:
                words = {n: bytes(text).decode() for n, text in fields(node) if n in (OP_TYPE, DOMAIN)}
                domain = words.get(DOMAIN, "")
                counts[words[OP_TYPE] if domain in ("", "ai.onnx") else f"{domain}.{words[OP_TYPE]}"] += 1
    return dict(sorted(counts.items()))
