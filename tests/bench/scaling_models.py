#!/usr/bin/env python3
"""Writes networks of one kind in several sizes, to see how proofs grow: MLPs of several widths, CNNs of several depths.

    python scaling_models.py FOLDER

Needs the packages of models/requirements.txt. index.json lists them: {"width": [[name, width], ...], "depth": ...}.
"""
import json
import pathlib
import sys

import numpy as np
import onnx

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "models"))

import cases  # pylint: disable=wrong-import-position
from network import Network  # pylint: disable=wrong-import-position

SEED = 29
WIDTHS = [64, 128, 256, 512, 1024]
DEPTHS = [2, 4, 8, 16]
CASES = 8


def mlp(net, width):
    x = net.flatten(net.input, "flatten")
    for i in (1, 2, 3):
        x = net.relu(net.dense(x, f"fc{i}", width), f"relu{i}")
    return net.finish(net.classify(x, "fc4", 10), "logits")


def cnn(net, depth):
    x = net.input
    for i in range(1, depth + 1):
        x = net.relu(net.norm(net.conv(x, f"conv{i}", 16, 3, pad=1), f"norm{i}"), f"relu{i}")
    return net.finish(net.classify(net.average(x, "average"), "fc", 10), "logits")


def write(out, name, build, size):
    rng = np.random.default_rng(SEED)
    net = build(Network(name, rng, cases.images(rng, 32, 1, 16), "image", 17), size)
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(net.onnx_model(), folder / "model.onnx")
    cases.write_cases(folder, "calibration", (net.input.name, net.output.name), cases.images(rng, CASES, 1, 16))


def main():
    out = pathlib.Path(sys.argv[1])
    index = {"width": [[f"mlp{n}", n] for n in WIDTHS], "depth": [[f"cnn{n}", n] for n in DEPTHS]}
    for kind, build in (("width", mlp), ("depth", cnn)):
        for name, size in index[kind]:
            write(out, name, build, size)
    (out / "index.json").write_text(json.dumps(index))


if __name__ == "__main__":
    main()
