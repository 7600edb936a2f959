#!/usr/bin/env python3
"""Trains LeNet-5 on scikit-learn's digits and writes models/lenet5.

The network is the classic one (6 and 16 feature maps of 5x5 kernels, fully connected layers of 120, 84 and 10)
with ReLU and max-pooling: 61,706 parameters. The digits are 8x8 images with values 0..16; they are scaled to [0, 1]
and enlarged to 28x28 by bilinear interpolation. Everything is numpy; the ONNX file is assembled by hand from
onnx.helper. The seed is fixed, so that a rerun with the same numpy on the same CPU writes the same files.

    python3 -m venv .venv && .venv/bin/pip install -r models/requirements-lenet5.txt
    .venv/bin/python models/train_lenet5.py
"""
import argparse
import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from sklearn.datasets import load_digits

import cases

SEED = 5
HELD_OUT = 360
CASES = 16


# --- layers: forward returns (output, what backward needs); backward returns gradients ---


def columns(x, k):
    """[n,c,h,w] -> [n, (h-k+1)*(w-k+1), c*k*k]."""
    view = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))
    n, c, h, w = view.shape[:4]
    return np.ascontiguousarray(view.transpose(0, 2, 3, 1, 4, 5)).reshape(n, h * w, c * k * k)


def conv(x, w, b, pad):
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    k = w.shape[2]
    side = x.shape[2] - k + 1
    cols = columns(x, k)
    y = cols @ w.reshape(len(w), -1).T + b
    return y.transpose(0, 2, 1).reshape(len(x), len(w), side, side), (cols, x.shape, pad)


def conv_back(dy, w, saved):
    cols, shape, pad = saved
    n, m, side, _ = dy.shape
    k = w.shape[2]
    rows = dy.reshape(n, m, side * side).transpose(0, 2, 1)
    dw = np.einsum("npm,npc->mc", rows, cols, optimize=True).reshape(w.shape)
    dcols = (rows @ w.reshape(m, -1)).reshape(n, side, side, shape[1], k, k)
    dx = np.zeros(shape, np.float32)
    for i in range(k):
        for j in range(k):
            dx[:, :, i:i + side, j:j + side] += dcols[:, :, :, :, i, j].transpose(0, 3, 1, 2)
    return dx[:, :, pad:shape[2] - pad, pad:shape[3] - pad], dw, rows.sum((0, 1))


def pool(x):
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
    best = blocks.argmax(-1)
    return np.take_along_axis(blocks, best[..., None], -1)[..., 0], best


def pool_back(dy, best):
    n, c, h, w = dy.shape
    blocks = np.zeros((n, c, h, w, 4), np.float32)
    np.put_along_axis(blocks, best[..., None], dy[..., None], -1)
    return blocks.reshape(n, c, h, w, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, 2 * h, 2 * w)


def initial(rng):
    def he(*shape):
        return (rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)

    shapes = {"conv1": (6, 1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, 400), "fc2": (84, 120), "fc3": (10, 84)}
    parameters = {}
    for name, shape in shapes.items():
        parameters[name + ".weight"] = he(*shape)
        parameters[name + ".bias"] = np.zeros(shape[0], np.float32)
    return parameters


def forward(p, x):
    saved = {}
    for name, pad in (("conv1", 2), ("conv2", 0)):
        y, saved[name] = conv(x, p[name + ".weight"], p[name + ".bias"], pad)
        saved[name + ".relu"] = y > 0
        x, saved[name + ".pool"] = pool(np.maximum(y, 0))
    saved["flat"] = x.shape
    x = x.reshape(len(x), -1)
    for name in ("fc1", "fc2", "fc3"):
        saved[name] = x
        x = x @ p[name + ".weight"].T + p[name + ".bias"]
        if name != "fc3":
            saved[name + ".relu"] = x > 0
            x = np.maximum(x, 0)
    return x, saved


def gradients(p, x, labels):
    logits, saved = forward(p, x)
    soft = np.exp(logits - logits.max(1, keepdims=True))
    soft /= soft.sum(1, keepdims=True)
    d = soft
    d[np.arange(len(x)), labels] -= 1
    d = (d / len(x)).astype(np.float32)
    g = {}
    for name in ("fc3", "fc2", "fc1"):
        if name != "fc3":
            d = d * saved[name + ".relu"]
        g[name + ".weight"], g[name + ".bias"] = d.T @ saved[name], d.sum(0)
        d = d @ p[name + ".weight"]
    d = d.reshape(saved["flat"])
    for name in ("conv2", "conv1"):
        d = pool_back(d, saved[name + ".pool"]) * saved[name + ".relu"]
        d, g[name + ".weight"], g[name + ".bias"] = conv_back(d, p[name + ".weight"], saved[name])
    return g


def accuracy(p, x, labels):
    return float((forward(p, x)[0].argmax(1) == labels).mean())


def shifted(rng, x):
    """Each image moved by up to two pixels, so that the held-out digits are met better."""
    out = np.zeros_like(x)
    for image, source, (i, j) in zip(out, x, rng.integers(-2, 3, (len(x), 2))):
        rows, cols = slice(max(i, 0), 28 + min(i, 0)), slice(max(j, 0), 28 + min(j, 0))
        from_rows, from_cols = slice(max(-i, 0), 28 + min(-i, 0)), slice(max(-j, 0), 28 + min(-j, 0))
        image[:, rows, cols] = source[:, from_rows, from_cols]
    return out


def train(rng, x, labels, epochs):
    """Adam with a cosine schedule."""
    p = initial(rng)
    first = {k: np.zeros_like(v) for k, v in p.items()}
    second = {k: np.zeros_like(v) for k, v in p.items()}
    batch, step = 32, 0
    steps = epochs * (len(x) // batch)
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x) - batch + 1, batch):
            pick = order[start:start + batch]
            g = gradients(p, shifted(rng, x[pick]), labels[pick])
            step += 1
            rate = 2e-3 * 0.5 * (1 + np.cos(np.pi * step / steps))
            for k in p:
                first[k] = 0.9 * first[k] + 0.1 * g[k]
                second[k] = 0.999 * second[k] + 0.001 * g[k] ** 2
                move = first[k] / (1 - 0.9 ** step) / (np.sqrt(second[k] / (1 - 0.999 ** step)) + 1e-8)
                p[k] = (p[k] - rate * move).astype(np.float32)
        print(f"epoch {epoch + 1:2d}: training accuracy {accuracy(p, x, labels):.4f}", flush=True)
    return p


def onnx_model(p):
    nodes = [
        helper.make_node("Conv", ["image", "conv1.weight", "conv1.bias"], ["c1"], "conv1",
                         kernel_shape=[5, 5], pads=[2, 2, 2, 2]),
        helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
        helper.make_node("MaxPool", ["r1"], ["p1"], "pool1", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "conv2.weight", "conv2.bias"], ["c2"], "conv2", kernel_shape=[5, 5]),
        helper.make_node("Relu", ["c2"], ["r2"], "relu2"),
        helper.make_node("MaxPool", ["r2"], ["p2"], "pool2", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p2"], ["flat"], "flatten", axis=1),
        helper.make_node("Gemm", ["flat", "fc1.weight", "fc1.bias"], ["f1"], "fc1", transB=1),
        helper.make_node("Relu", ["f1"], ["r3"], "relu3"),
        helper.make_node("Gemm", ["r3", "fc2.weight", "fc2.bias"], ["f2"], "fc2", transB=1),
        helper.make_node("Relu", ["f2"], ["r4"], "relu4"),
        helper.make_node("Gemm", ["r4", "fc3.weight", "fc3.bias"], ["logits"], "fc3", transB=1),
    ]
    graph = helper.make_graph(
        nodes, "lenet5",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(v, k) for k, v in p.items()])
    model = helper.make_model(graph, producer_name="train_lenet5.py",
                              opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "lenet5")
    parser.add_argument("--epochs", type=int, default=15)
    args = parser.parse_args()

    rng = np.random.default_rng(SEED)
    digits = load_digits()
    x = cases.enlarge(digits.images.astype(np.float32) / 16, 28)[:, None]
    order = rng.permutation(len(x))
    x, labels = x[order], digits.target[order]
    train_x, train_labels = x[HELD_OUT:], labels[HELD_OUT:]
    test_x, test_labels = x[:HELD_OUT], labels[:HELD_OUT]

    p = train(rng, train_x, train_labels, args.epochs)
    count = sum(v.size for v in p.values())
    held_out = accuracy(p, test_x, test_labels)
    print(f"{count} parameters, accuracy on {HELD_OUT} held-out digits {held_out:.4f}")
    assert count == 61706
    assert held_out > 0.97

    args.out.mkdir(parents=True, exist_ok=True)
    model = onnx_model(p)
    onnx.save(model, args.out / "lenet5.onnx")
    evaluator = ReferenceEvaluator(model)
    names = "image", "logits"
    cases.write_reference(args.out, {
        "runtime": f"onnx.reference {onnx.__version__}, float32",
        "accuracy_held_out": held_out,
        "inputs": [cases.port("image", (1, 28, 28))],
        "outputs": [cases.port("logits", (10,))],
        "calibration": cases.write_cases(args.out, "calibration", names, train_x[:CASES], labels=train_labels),
        "test": cases.write_cases(args.out, "test", names, test_x[:CASES],
                                  lambda x: evaluator.run(None, {"image": x})[0], test_labels),
    })
    sample = {"input_data": [[round(float(v), 6) for v in test_x[0].ravel()]]}
    (args.out / "input.json").write_text(json.dumps(sample) + "\n")


if __name__ == "__main__":
    main()
