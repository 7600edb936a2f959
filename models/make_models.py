#!/usr/bin/env python3
"""Writes the project's larger models into a folder, each with calibration and test cases.

The architectures are well known, the weights are random with fixed seeds (He et al. 2015); the statistics of
BatchNormalization are those of seeded inputs, and the nodes are left unfused, as training frameworks export them.
These networks classify nothing: they have the shapes and value distributions of trained ones, for measuring proofs
and the error of quantisation.

    python3 -m venv .venv && .venv/bin/pip install -r models/requirements.txt
    .venv/bin/python models/make_models.py FOLDER [--only NAME ...]
    .venv/bin/python models/make_models.py --check

Reference outputs come from onnxruntime where it is installed, and from numpy otherwise.
"""
import argparse
import collections
import pathlib
import sys
import time
import zlib
from dataclasses import dataclass

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

import architectures
import cases
from network import Network

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

SEED = 17
CASES = 8
TOLERANCE = 1e-4                # largest difference between two float32 evaluations, relative to the largest output
REFERENCE_EVALUATOR_MACS = 1e9  # onnx.reference takes too long beyond this


@dataclass
class Model:
    about: str
    build: object
    parameters: int  # of the architecture, running statistics not counted
    shape: tuple     # of one input
    fit: int         # inputs whose statistics go into BatchNormalization
    opset: int

    @property
    def input_name(self):
        return "image" if len(self.shape) == 3 else "waveform"

    def samples(self, rng, n):
        if len(self.shape) == 3:
            return cases.images(rng, n, self.shape[0], self.shape[1])
        return cases.utterances(rng, n, self.shape[1])


MODELS = {
    "vgg11": Model("VGG-11 with batch normalisation, 32x32", architectures.vgg11, 9756426, (3, 32, 32), 64, 13),
    "vgg16": Model("VGG-16 with batch normalisation, 32x32", architectures.vgg16, 15253578, (3, 32, 32), 64, 13),
    "resnet18": Model("ResNet-18, 32x32", architectures.resnet18, 11173962, (3, 32, 32), 32, 17),
    "resnet50": Model("ResNet-50, 224x224", architectures.resnet50, 25557032, (3, 224, 224), 12, 17),
    "mobilenetv2": Model("MobileNetV2 1.0, 224x224", architectures.mobilenetv2, 3504872, (3, 224, 224), 12, 13),
    "unet": Model("U-Net, three levels, 1x64x64", architectures.unet, 482449, (1, 64, 64), 16, 17),
    "keyword": Model("1-D keyword network on 8000 samples", architectures.keyword, 96803, (1, 8000), 32, 13),
}


def generator(name, use):
    """Every model and use has a stream of its own, so that --only changes nothing."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode()), zlib.crc32(use.encode())])


def build(name):
    model = MODELS[name]
    start = time.monotonic()
    net = Network(name, generator(name, "weights"), model.samples(generator(name, "fit"), model.fit),
                  model.input_name, model.opset)
    model.build(net)
    if net.trained != model.parameters:
        sys.exit(f"{name}: {net.trained} parameters, {model.parameters} expected")
    counts = collections.Counter(op for op, *_ in net.nodes)
    print(f"{name}: {model.about}: {net.trained} parameters, {net.macs / 1e6:.1f} M multiply-accumulates, "
          f"{len(net.nodes)} nodes, opset {net.opset}, built in {time.monotonic() - start:.1f} s")
    print("    " + ", ".join(f"{op} {n}" for op, n in sorted(counts.items())), flush=True)
    return net


def evaluator(net, onnx_bytes):
    """A function from input to reference output, and what computes it."""
    if onnxruntime is None:
        return net.run, f"numpy {np.__version__}, float32"
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(onnx_bytes, options, providers=["CPUExecutionProvider"])
    return (lambda x: session.run(None, {net.input.name: x})[0]), f"onnxruntime {onnxruntime.__version__}, CPU, float32"


def difference(y, expected):
    """Largest difference, relative to the largest value expected."""
    if y.shape != expected.shape or not np.isfinite(y).all():
        return float("inf")
    return float(np.abs(y - expected).max() / np.abs(expected).max())


def write(name, out):
    net = build(name)
    start = time.monotonic()
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    model = net.onnx_model()
    onnx.save(model, folder / "model.onnx")
    evaluate, runtime = evaluator(net, model.SerializeToString())
    names = net.input.name, net.output.name
    samples = {part: MODELS[name].samples(generator(name, part), CASES) for part in ("calibration", "test")}
    cases.write_source(folder, MODELS[name].about)
    cases.write_reference(folder, {
        "runtime": runtime,
        "reference_dtype": "float32",
        "inputs": [cases.port(names[0], net.input.data.shape[1:])],
        "outputs": [cases.port(names[1], net.output.data.shape[1:])],
        "calibration": cases.write_cases(folder, "calibration", names, samples["calibration"]),
        "test": cases.write_cases(folder, "test", names, samples["test"], evaluate),
    })
    size = (folder / "model.onnx").stat().st_size
    print(f"    {folder}: model.onnx {size / 1e6:.1f} MB, {CASES} + {CASES} cases by {runtime}, "
          f"{time.monotonic() - start:.1f} s", flush=True)


def independent(net, model):
    """What checks net.run, in the form of evaluator; None where nothing fast enough is installed."""
    if onnxruntime is not None:
        return evaluator(net, model.SerializeToString())
    if net.macs > REFERENCE_EVALUATOR_MACS:
        return None
    # onnx.reference takes BatchNormalization of opsets below 14 for a training step that mixes in the statistics of
    # its input. All nodes used here mean the same in opset 17.
    session = ReferenceEvaluator(net.onnx_model(opset=17))
    return (lambda x: session.run(None, {net.input.name: x})[0]), f"onnx.reference {onnx.__version__}"


def check(name):
    """The model is valid ONNX, and an independent evaluation agrees with the numpy operators. True if so."""
    net = build(name)
    other = independent(net, net.onnx_model())
    if other is None:
        print("    valid; values compared only where onnxruntime is installed", flush=True)
        return True
    evaluate, runtime = other
    x = MODELS[name].samples(generator(name, "test"), 1)
    error = difference(net.run(x), evaluate(x))
    print(f"    valid; differs from {runtime} by {error:.1e}{'' if error <= TOLERANCE else ': TOO MUCH'}", flush=True)
    return error <= TOLERANCE


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", nargs="?", type=pathlib.Path, help="folder that takes one folder per model")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=MODELS, default=list(MODELS))
    parser.add_argument("--list", action="store_true", help="list the models and stop")
    parser.add_argument("--check", action="store_true", help="write nothing; validate and compare with another evaluator")
    args = parser.parse_args()
    if args.list:
        for name, model in MODELS.items():
            print(f"{name:12} {model.about}, {model.parameters} parameters")
        return 0
    if args.check:
        return 0 if all([check(name) for name in args.only]) else 1
    if args.out is None:
        parser.error("a folder is needed")
    for name in args.only:
        write(name, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
